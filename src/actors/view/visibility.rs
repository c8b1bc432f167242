//! Which messages of a conversation a user may read.

use std::sync::Arc;

use crate::actors::places::Onlooker;
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
    /// Everything from a seq on, whatever the user deleted for itself.
    pub(crate) fn from(first_seq: u64) -> Self {
        Self { first_seq, deletes: false }
    }

    /// Reads what hides messages from a user besides its membership, which begins at `first_seq`.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn of(store: &dyn Store, user: &UserId, conversation: &Conversation, first_seq: u64) -> Result<Self, StoreError> {
        if matches!(conversation, Conversation::Room(..)) {
            return Ok(Self::from(first_seq));
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
        if !self.deletes {
            return store.message(conversation, seq);
        }
        let viewer = self.viewer(user);
        let page = Page { anchor: Anchor::Seq(seq - 1), backwards: false, count: 1, bytes_max: usize::MAX, first_seq: 0, viewer };
        Ok(store.read(conversation, page)?.messages.pop().filter(|message| message.seq == seq))
    }
}

/// Returns a message that its place names, if a user sees it at this moment: by the memberships in the store, by the places
/// in rooms, and without what the user deleted or cleared for itself. For a message that is answered, passed on, or read by
/// its handle.
///
/// # Errors
/// Every error of the store.
pub(crate) fn seen_by(
    store: &dyn Store,
    onlooker: &Onlooker,
    conversation: &Conversation,
    seq: u64,
) -> Result<Option<Arc<Message>>, StoreError> {
    let user = &onlooker.user;
    let (first_seq, last_seq) = match conversation {
        Conversation::Peer(one, other) if one == user || other == user => (1, u64::MAX),
        Conversation::Room(..) if onlooker.is_inside(conversation) => (1, u64::MAX),
        Conversation::Peer(..) | Conversation::Room(..) => return Ok(None),
        Conversation::Group(group) => match store.group_member(group, user)? {
            Some(member) => (member.first_seq, u64::MAX),
            None => match store.former_groups_of(user)?.into_iter().find(|(left, _)| left == group) {
                Some((_, former)) => (former.first_seq, former.last_seq),
                None => return Ok(None),
            },
        },
    };
    if seq > last_seq {
        return Ok(None);
    }
    Visibility::of(store, user, conversation, first_seq)?.message(store, user, conversation, seq)
}
