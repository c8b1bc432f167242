//! What a user missed: everything stored in its conversations after a commit, as event frames in the store's order.
//!
//! A client that resumes gets every stored message it missed, once and in order, before any live one. Peers are known
//! by a row each side has of the other, groups by membership; rooms only when the session keeps its place in them.
//! Bounded: a client that missed more than may wait in an outbox asks for history instead.

use std::sync::Arc;

use bytestring::ByteString;

use super::live::LiveMessage;
use super::visibility::Visibility;
use crate::model::{Conversation, Message, RoomId, UserId};
use crate::protocol::{ClientLevel, Envelope, Info, message_event};
use crate::store::{Since, SinceRead, Store, StoreError};

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
    let mut missed: Vec<Missed> = Vec::new();
    let mut bytes = 0;
    for (conversation, first_seq) in conversations(store, wanted)? {
        let count_max = wanted.messages_max - missed.len();
        let visibility = Visibility::of(store, &wanted.user, &conversation, first_seq)?;
        let first_seq = visibility.first_seq;
        let viewer = visibility.viewer(&wanted.user);
        let since = Since { commit: wanted.after, first_seq, count_max, bytes_max: wanted.bytes_max - bytes, viewer };
        let SinceRead { messages, cut } = store.since(&conversation, since)?;
        let wished = messages.into_iter().filter(|(commit, message)| *commit <= wanted.up_to && message.timestamp_ms >= wanted.since_ms);
        let wished: Vec<Missed> =
            wished.map(|(commit, message)| missed_message(store, commit, message, first_seq)).collect::<Result<_, _>>()?;
        if cut && wished.first().is_none_or(|one| one.live.message.timestamp_ms >= wanted.since_ms) {
            return Ok(None);
        }
        bytes += wished.iter().map(|one| one.weight(ClientLevel::NEWEST)).sum::<usize>();
        if bytes > wanted.bytes_max {
            return Ok(None);
        }
        missed.extend(wished);
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

/// Returns the user's conversations, each with the first seq this user may read.
pub(super) fn conversations(store: &dyn Store, wanted: &Wanted) -> Result<Vec<(Conversation, u64)>, StoreError> {
    let user = &wanted.user;
    let mut conversations: Vec<_> = store.peers_of(user)?.iter().map(|peer| (Conversation::peer(user, peer), 1)).collect();
    for group in store.groups_of(user)? {
        let member = store.group_member(&group, user)?;
        conversations.extend(member.map(|member| (Conversation::Group(group), member.first_seq)));
    }
    for room in &wanted.rooms {
        conversations.extend(store.room(room)?.map(|record| (Conversation::Room(record.id, record.incarnation), 1)));
    }
    Ok(conversations)
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
            let cursor = if last_run && to == run.len() { up_to } else { run[to - 1].commit };
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
