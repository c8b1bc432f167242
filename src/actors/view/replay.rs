//! What a user missed: everything stored in its conversations after a commit, as event frames in the store's order.
//!
//! A client that resumes gets every stored message it missed, once and in order, before any live one. Peers are known
//! by a row each side has of the other, groups by membership; rooms only when the session keeps its place in them.
//! Bounded: a client that missed more than may wait in an outbox asks for history instead.

use std::sync::Arc;

use bytestring::ByteString;

use super::live::LiveMessage;
use crate::model::{Message, RoomId, UserId};
use crate::protocol::{ClientLevel, Envelope, Info, message_event};
use crate::store::{MissedPart, MissedQuery, Store, StoreError};

/// The most messages in one event frame, and the bytes at which it is closed.
const FRAME_MESSAGES_MAX: usize = 50;
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Which messages are replayed, and how many at most.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) user: UserId,
    /// The rooms the session has its places in.
    pub(crate) rooms: Vec<RoomId>,
    /// The commit after which they begin.
    pub(crate) after: u64,
    /// The last commit of the replay; later ones come live.
    pub(crate) up_to: u64,
    /// The earliest time of acceptance, Unix milliseconds.
    pub(crate) since_ms: u64,
    pub(crate) messages_max: usize,
    pub(crate) bytes_max: usize,
}

/// A message that was missed, as it would have been received live.
pub(crate) struct Missed {
    commit: u64,
    live: LiveMessage,
    /// The first message its reader sees of the conversation.
    first_seq: u64,
}

impl Missed {
    fn text(&self, level: ClientLevel) -> Option<&ByteString> {
        self.live.encoded(self.first_seq, level)
    }

    /// Returns at least the bytes it takes in a frame.
    fn weight(&self, level: ClientLevel) -> usize {
        self.text(level).map_or(0, |text| text.len())
    }
}

/// Reads what was missed, in the order of commits; returns `None` when it is too much.
///
/// # Errors
/// Every error of the store.
pub(crate) fn read(store: &dyn Store, wanted: &Wanted) -> Result<Option<Vec<Missed>>, StoreError> {
    let query = MissedQuery {
        rooms: wanted.rooms.clone(),
        after: wanted.after,
        up_to: wanted.up_to,
        since_ms: wanted.since_ms,
        count_max: wanted.messages_max,
        bytes_max: wanted.bytes_max,
    };
    let read = store.missed(&wanted.user, &query)?;
    if read.cut {
        return Ok(None);
    }
    let (mut missed, mut bytes): (Vec<Missed>, usize) = (Vec::new(), 0);
    for MissedPart { first_seq, messages, .. } in read.parts {
        for (commit, message) in messages {
            let one = missed_message(store, commit, message, first_seq)?;
            bytes += one.weight(ClientLevel::NEWEST);
            if bytes > wanted.bytes_max {
                return Ok(None);
            }
            missed.push(one);
        }
    }
    missed.sort_unstable_by_key(|one| one.commit);
    Ok(Some(missed))
}

fn missed_message(store: &dyn Store, commit: u64, message: Arc<Message>, first_seq: u64) -> Result<Missed, StoreError> {
    let quoted = match &message.content.options.reply {
        Some(reply) => store.message(&message.conversation, reply.seq)?,
        None => None,
    };
    Ok(Missed { commit, live: LiveMessage::answering(message, quoted), first_seq })
}

/// Returns the frames, in order. Each carries a cursor, the last one `up_to`.
pub(crate) fn frames(missed: &[Missed], level: ClientLevel, up_to: u64) -> Vec<ByteString> {
    let mut frames = Vec::new();
    let mut runs = missed.chunk_by(same_event).flat_map(|run| run.chunks(FRAME_MESSAGES_MAX)).peekable();
    while let Some(run) = runs.next() {
        let last_run = runs.peek().is_none();
        let mut from = 0;
        while from < run.len() {
            let mut bytes = 0;
            let fitting = run[from..].iter().take_while(|one| {
                let first = bytes == 0;
                bytes += one.weight(level).max(1);
                first || bytes <= FRAME_BYTES_MAX
            });
            let to = from + fitting.count();
            let cursor = if last_run && to == run.len() { up_to } else { run[to - 1].commit.min(up_to) };
            let texts = run[from..to].iter().filter_map(|one| one.text(level));
            frames.extend(message_event(Envelope::of(&run[0].live.message), texts, Info { cursor: Some(cursor), offline: true }));
            from = to;
        }
    }
    frames
}

fn same_event(one: &Missed, next: &Missed) -> bool {
    one.live.message.conversation == next.live.message.conversation && Envelope::of(&one.live.message) == Envelope::of(&next.live.message)
}
