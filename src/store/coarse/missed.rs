//! What a user missed in all its conversations: messages, and changes of messages.

use std::sync::Arc;

use super::{Overview, Sight, places_of};
use crate::model::{Conversation, Message, RoomId, UserId};
use crate::store::error::StoreError;
use crate::store::format::rows::ChangeKind;
use crate::store::types::Since;

/// Which messages are wanted, and how many at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedQuery {
    /// Rooms that are looked at, too.
    pub rooms: Vec<RoomId>,
    /// Messages of this commit and before it are not wanted.
    pub after: u64,
    /// Nor are messages of later commits than this one.
    pub up_to: u64,
    /// Nor those accepted before this time, Unix milliseconds.
    pub since_ms: u64,
    /// Most messages in all. Those that are not wanted for their time may count.
    pub count_max: usize,
    /// Most bytes in all, about as they are stored.
    pub bytes_max: usize,
}

/// What was stored meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// By conversation; those without messages are left out.
    pub parts: Vec<MissedPart>,
    /// There was more than `count_max` or `bytes_max`: the parts are not all of it.
    pub cut: bool,
}

/// What was stored in one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedPart {
    /// Which one.
    pub conversation: Conversation,
    /// The first message that the user sees of it.
    pub first_seq: u64,
    /// Messages with their commits, ascending by both.
    pub messages: Vec<(u64, Arc<Message>)>,
}

/// What was done to messages of one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPart {
    /// Which one.
    pub conversation: Conversation,
    /// The first message that the user may see of it, by membership.
    pub first_seq: u64,
    /// Each change with its message as it is now, each pair once, the latest change last; messages that are gone are left out.
    pub changes: Vec<(ChangeKind, Arc<Message>)>,
}

/// See [`Overview::missed`].
pub(super) fn missed<S: Overview + ?Sized>(store: &S, user: &UserId, query: &MissedQuery) -> Result<Missed, StoreError> {
    let mut places = places_of(store, user)?;
    for room in &query.rooms {
        places.extend(store.room(room)?.map(|record| (Conversation::Room(record.id, record.incarnation), 1)));
    }
    let mut missed = Missed::default();
    let (mut count_max, mut bytes_max) = (query.count_max, query.bytes_max);
    for (conversation, first_seq) in places {
        if store.tail(&conversation)?.is_none_or(|tail| tail.commit <= query.after) {
            continue;
        }
        let sight = Sight::of(store, user, &conversation, first_seq)?;
        let since = Since { commit: query.after, first_seq: sight.first_seq, count_max, bytes_max, viewer: sight.viewer(user) };
        let mut read = store.since(&conversation, since)?;
        missed.cut = read.cut;
        read.messages.retain(|(commit, message)| *commit <= query.up_to && message.timestamp_ms >= query.since_ms);
        count_max -= read.messages.len();
        // Sizes of records are the engine's own: at least what was said is taken off.
        let said = |message: &Message| message.content.body.weight() + message.content.extended_data.len();
        bytes_max = bytes_max.saturating_sub(read.messages.iter().map(|(_, message)| said(message)).sum());
        if !read.messages.is_empty() {
            missed.parts.push(MissedPart { conversation, first_seq: sight.first_seq, messages: read.messages });
        }
        if missed.cut {
            break;
        }
    }
    Ok(missed)
}

/// See [`Overview::changed`].
pub(super) fn changed<S: Overview + ?Sized>(
    store: &S,
    user: &UserId,
    after: u64,
    count_max: usize,
) -> Result<Vec<ChangedPart>, StoreError> {
    let mut parts = Vec::new();
    for (conversation, first_seq) in places_of(store, user)? {
        let mut changes = Vec::new();
        for (seq, kind) in store.changes(&conversation, after, count_max)?.into_iter().filter(|(seq, _)| *seq >= first_seq) {
            changes.extend(store.message(&conversation, seq)?.map(|message| (kind, message)));
        }
        if !changes.is_empty() {
            parts.push(ChangedPart { conversation, first_seq, changes });
        }
    }
    Ok(parts)
}
