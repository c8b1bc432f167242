//! Which messages of a conversation a user may read.

use std::sync::Arc;

use crate::model::{Conversation, Message, UserId};
use crate::store::{Anchor, Page, Store, StoreError};

/// What one user may see of one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visibility {
    /// The first message that is neither before the user's membership nor before what it cleared.
    pub(crate) first_seq: u64,
    /// Whether the user deleted single messages for itself.
    pub(crate) deletes: bool,
}

impl Visibility {
    /// Reads what hides messages from a user besides its membership, which begins at `first_seq`.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn of(store: &dyn Store, user: &UserId, conversation: &Conversation, first_seq: u64) -> Result<Self, StoreError> {
        if matches!(conversation, Conversation::Room(..)) {
            return Ok(Self { first_seq, deletes: false });
        }
        let record = store.entry(user, conversation)?;
        Ok(Self { first_seq: first_seq.max(record.cleared_seq + 1), deletes: record.deletes })
    }

    /// Returns the user by whose deletions a page is read, if there are any.
    pub(crate) fn viewer(&self, user: &UserId) -> Option<UserId> {
        self.deletes.then(|| user.clone())
    }

    /// Returns one message, if it is kept and the user sees it.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn message(
        &self,
        store: &dyn Store,
        user: &UserId,
        conversation: &Conversation,
        seq: u64,
    ) -> Result<Option<Arc<Message>>, StoreError> {
        if seq < self.first_seq.max(1) {
            return Ok(None);
        }
        let viewer = self.viewer(user);
        let page = Page { anchor: Anchor::Seq(seq - 1), backwards: false, count: 1, bytes_max: usize::MAX, first_seq: 0, viewer };
        Ok(store.read(conversation, page)?.messages.pop().filter(|message| message.seq == seq))
    }
}

/// Returns the conversations a user is in: those of two, and its groups. Rooms are known to their own actors.
///
/// # Errors
/// Whatever the store says.
pub(crate) fn conversations_of(store: &dyn Store, user: &UserId) -> Result<Vec<Conversation>, StoreError> {
    let mut conversations: Vec<Conversation> = store.peers_of(user)?.iter().map(|peer| Conversation::peer(user, peer)).collect();
    conversations.extend(store.groups_of(user)?.into_iter().map(Conversation::Group));
    Ok(conversations)
}

/// Returns whether a user may read a message by the memberships in the store: for a message that is answered or
/// forwarded.
///
/// # Errors
/// Every error of the store.
pub(crate) fn may_read(store: &dyn Store, user: &UserId, conversation: &Conversation, seq: u64) -> Result<bool, StoreError> {
    Ok(match conversation {
        Conversation::Peer(one, other) => one == user || other == user,
        Conversation::Group(group) => match store.group_member(group, user)? {
            Some(member) => member.first_seq <= seq,
            None => store
                .former_groups_of(user)?
                .iter()
                .any(|(left, former)| left == group && (former.first_seq..=former.last_seq).contains(&seq)),
        },
        // A user who knows of a room may enter it and read.
        Conversation::Room(room, incarnation) => store.room(room)?.is_some_and(|room| room.incarnation == *incarnation),
    })
}
