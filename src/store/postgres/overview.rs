//! The store as [`Overview`]: what the loops over single reads say, by one question each. A search goes through conversations as
//! with any engine, one question for the list and one for each stretch of messages.

use super::PostgresStore;
use super::read::{list, look, missed, people};
use crate::model::{Conversation, GroupId, GroupMember, Search, UserId, UserProfile};
use crate::store::coarse::{
    ChangedPart, LastMessage, Listed, LookedAt, Missed, MissedQuery, Overview, VisiblePart, listed_by_single_reads,
};
use crate::store::error::StoreError;
use crate::store::format::rows::{EntryRecord, GroupRecord};
use crate::store::types::{Page, PlaceCounts};

impl Overview for PostgresStore {
    fn list(&self, user: &UserId, conversations_max: usize, unread_max: u64) -> Result<Vec<Listed>, StoreError> {
        self.reader.wait(|reader| list::list(reader, user.clone(), conversations_max, unread_max))
    }

    fn listed(&self, user: &UserId, conversations: &[Conversation], unread_max: u64) -> Result<Vec<Option<Listed>>, StoreError> {
        let mut listed = self.reader.wait(|reader| list::listed(reader, user.clone(), conversations.to_vec(), unread_max))?;
        for (listed, conversation) in listed.iter_mut().zip(conversations) {
            // One of two without any message has no row, and is there all the same.
            if listed.is_none() && matches!(conversation, Conversation::Peer(..)) {
                *listed = listed_by_single_reads(self, user, conversation, unread_max)?;
            }
        }
        Ok(listed)
    }

    fn look(&self, conversation: &Conversation, page: Page, search: &Search) -> Result<Vec<LookedAt>, StoreError> {
        self.reader.wait(|reader| look::look(reader, conversation.clone(), page, search.clone()))
    }

    fn last_messages(&self, user: &UserId, parts: &[VisiblePart]) -> Result<Vec<Option<LastMessage>>, StoreError> {
        self.reader.wait(|reader| list::last_messages(reader, user.clone(), parts.to_vec()))
    }

    fn missed(&self, user: &UserId, query: &MissedQuery) -> Result<Missed, StoreError> {
        self.reader.wait(|reader| missed::missed(reader, user.clone(), query.clone()))
    }

    fn changed(&self, user: &UserId, after: u64, count_max: usize) -> Result<Vec<ChangedPart>, StoreError> {
        self.reader.wait(|reader| missed::changed(reader, user.clone(), after, count_max))
    }

    fn users(&self, users: &[UserId]) -> Result<Vec<Option<UserProfile>>, StoreError> {
        self.reader.wait(|reader| people::users(reader, users.to_vec()))
    }

    fn groups(&self, user: &UserId) -> Result<Vec<(GroupRecord, EntryRecord)>, StoreError> {
        self.reader.wait(|reader| people::groups(reader, user.clone()))
    }

    fn place_counts(&self) -> Result<PlaceCounts, StoreError> {
        self.reader.wait(people::place_counts)
    }

    fn member_counts(&self, groups: &[GroupId]) -> Result<Vec<usize>, StoreError> {
        self.reader.wait(|reader| people::member_counts(reader, groups.to_vec()))
    }

    fn members(
        &self,
        group: &GroupId,
        after: Option<&UserId>,
        count_max: usize,
    ) -> Result<Vec<(GroupMember, Option<UserProfile>)>, StoreError> {
        self.reader.wait(|reader| people::members(reader, group.clone(), after.cloned(), count_max))
    }
}
