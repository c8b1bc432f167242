//! Questions about many conversations or users at once: what a database answers in one query. Each is answered by a loop over
//! single reads where an engine knows nothing better.

mod list;
mod missed;
mod search;

use crate::model::{Conversation, GroupId, GroupMember, Search, UserId, UserProfile};
use crate::store::error::StoreError;
use crate::store::format::rows::{EntryRecord, GroupRecord};
use crate::store::traits::{MessageLog, Rows};
use crate::store::types::{Page, PlaceCounts};

#[cfg(feature = "postgres")]
pub(in crate::store) use self::list::listed as listed_by_single_reads;
pub use self::list::{LastMessage, Listed, MENTIONS_MAX, Mentioned, VisiblePart};
pub use self::missed::{ChangedPart, Missed, MissedPart, MissedQuery};
pub use self::search::{ConversationQuery, Found, FoundConversations, FoundMessage, FoundPart, LookedAt, SearchQuery};

/// Groups looked at in one step while they are counted.
const GROUPS_OF_A_STEP: usize = 1_000;

/// What users ask about all their conversations.
///
/// An engine answers by queries of its own where it can, and says by them what these loops say. What is written while one of
/// them reads may be told or not. Errors: see [`Store`](crate::store::Store).
#[expect(clippy::missing_errors_doc, reason = "the rule is stated once, at `Store`")]
pub trait Overview: MessageLog + Rows {
    /// Returns a user's list of conversations, those it left included: pinned ones first, then by order key, the greatest first,
    /// then by conversation; the first `conversations_max` of them. Of each the newest `unread_max` messages are looked at to
    /// count what is unread.
    fn list(&self, user: &UserId, conversations_max: usize, unread_max: u64) -> Result<Vec<Listed>, StoreError> {
        list::list(self, user, conversations_max, unread_max)
    }

    /// Returns conversations as a user's list has them, in the order asked; none for one in which it has no part.
    fn listed(&self, user: &UserId, conversations: &[Conversation], unread_max: u64) -> Result<Vec<Option<Listed>>, StoreError> {
        conversations.iter().map(|conversation| list::listed(self, user, conversation, unread_max)).collect()
    }

    /// Returns the last message of each part of a conversation that a user sees, in the order asked; none where it sees nothing.
    fn last_messages(&self, user: &UserId, parts: &[VisiblePart]) -> Result<Vec<Option<LastMessage>>, StoreError> {
        parts.iter().map(|part| list::last_message(self, user, part)).collect()
    }

    /// Returns what was stored after a commit in a user's conversations, and in the rooms that are named, as far as the user sees
    /// it; conversations in no particular order.
    fn missed(&self, user: &UserId, query: &MissedQuery) -> Result<Missed, StoreError> {
        missed::missed(self, user, query)
    }

    /// Returns what was done after a commit to the messages of a user's conversations that it sees by its membership, at most
    /// `count_max` changes of each; conversations in no particular order, those without changes left out.
    fn changed(&self, user: &UserId, after: u64, count_max: usize) -> Result<Vec<ChangedPart>, StoreError> {
        missed::changed(self, user, after, count_max)
    }

    /// Returns of a page, as [`MessageLog::read`] gives it, where each message stands, and of those looked for all.
    fn look(&self, conversation: &Conversation, page: Page, search: &Search) -> Result<Vec<LookedAt>, StoreError> {
        search::look(self, conversation, page, search)
    }

    /// Searches what a user sees of one of its conversations, or of all of them together; none when it is not in that one.
    fn search(&self, user: &UserId, query: &SearchQuery<'_>) -> Result<Option<Found>, StoreError> {
        search::messages(self, user, query)
    }

    /// Searches what a user sees of its conversations, one after the other: the one with the newest message first, of equal ones
    /// the lesser.
    fn search_conversations(&self, user: &UserId, query: &ConversationQuery<'_>) -> Result<FoundConversations, StoreError> {
        search::conversations(self, user, query)
    }

    /// Returns the rows of users, in the order asked.
    fn users(&self, users: &[UserId]) -> Result<Vec<Option<UserProfile>>, StoreError> {
        users.iter().map(|user| self.user(user)).collect()
    }

    /// Returns the groups a user is in that are not dismissed, in the order of their ids, each with what the user made of it.
    fn groups(&self, user: &UserId) -> Result<Vec<(GroupRecord, EntryRecord)>, StoreError> {
        let mut ids = self.groups_of(user)?;
        ids.sort_unstable();
        let mut groups = Vec::new();
        for id in ids {
            if let Some(record) = self.group(&id)?.filter(|record| !record.dismissed) {
                groups.push((record, self.entry(user, &Conversation::Group(id))?));
            }
        }
        Ok(groups)
    }

    /// Returns how many rooms and groups there are. Looks at the row of each: whoever asks often keeps the answer for a while.
    fn place_counts(&self) -> Result<PlaceCounts, StoreError> {
        let (rooms, mut groups, mut after) = (self.rooms()?.len(), 0, None);
        loop {
            let page = self.groups_after(after.as_ref(), GROUPS_OF_A_STEP)?;
            groups += page.iter().filter(|record| !record.dismissed).count();
            let Some(last) = page.into_iter().next_back() else { break };
            after = Some(last.info.id);
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Ok(PlaceCounts { rooms: count(rooms), groups: count(groups) })
    }

    /// Returns how many members groups have, in the order asked.
    fn member_counts(&self, groups: &[GroupId]) -> Result<Vec<usize>, StoreError> {
        groups.iter().map(|group| Ok(self.group_members(group)?.len())).collect()
    }

    /// Returns members of a group after one, in the order of their ids, each with its row; at most `count_max`.
    fn members(
        &self,
        group: &GroupId,
        after: Option<&UserId>,
        count_max: usize,
    ) -> Result<Vec<(GroupMember, Option<UserProfile>)>, StoreError> {
        let mut members = self.group_members(group)?;
        members.retain(|member| after.is_none_or(|after| member.user > *after));
        members.sort_unstable_by(|one, other| one.user.cmp(&other.user));
        members.truncate(count_max);
        let users: Vec<UserId> = members.iter().map(|member| member.user.clone()).collect();
        Ok(members.into_iter().zip(self.users(&users)?).collect())
    }
}

/// Returns the conversations a user is in: those of two, and its groups, each with the first message it may see by its
/// membership. Rooms are known to their own actors.
fn places_of<S: Overview + ?Sized>(store: &S, user: &UserId) -> Result<Vec<(Conversation, u64)>, StoreError> {
    let mut places: Vec<_> = store.peers_of(user)?.iter().map(|peer| (Conversation::peer(user, peer), 1)).collect();
    for group in store.groups_of(user)? {
        let member = store.group_member(&group, user)?;
        places.extend(member.map(|member| (Conversation::Group(group), member.first_seq)));
    }
    Ok(places)
}

/// What a user sees of a conversation.
#[derive(Debug, Clone, Copy)]
struct Sight {
    /// The first message that is neither before its membership nor before what it cleared.
    first_seq: u64,
    /// Whether it deleted single messages for itself.
    deletes: bool,
}

impl Sight {
    /// Reads what hides messages besides the membership, which begins at `first_seq`.
    fn of<S: Overview + ?Sized>(store: &S, user: &UserId, conversation: &Conversation, first_seq: u64) -> Result<Self, StoreError> {
        if matches!(conversation, Conversation::Room(..)) {
            return Ok(Self { first_seq, deletes: false });
        }
        let record = store.entry(user, conversation)?;
        Ok(Self { first_seq: first_seq.max(record.cleared_seq + 1), deletes: record.deletes })
    }

    fn viewer(self, user: &UserId) -> Option<UserId> {
        self.deletes.then(|| user.clone())
    }
}
