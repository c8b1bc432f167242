//! What keys are put together of: ids with their length before them, conversations, notes.

use crate::model::{Conversation, GroupId, RoomId, UserId};
use crate::store::format::rows::Note;

const RECEIPT: u8 = b'r';
const REACTION: u8 = b'e';

/// Appends an id with its length before it.
pub(crate) fn push_id(key: &mut Vec<u8>, id: &str) {
    // Ids are bounded by `limits`, far below this; a longer one would only lose its order, not its identity.
    let length = u16::try_from(id.len()).unwrap_or(u16::MAX);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(id.as_bytes());
}

/// Splits a length and an id off the front; returns the id and the rest.
pub(crate) fn pop_id(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (id, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(id).ok()?, rest))
}

/// Appends a conversation. Its bytes tell where they end.
pub(crate) fn push_conversation(key: &mut Vec<u8>, conversation: &Conversation) {
    match conversation {
        Conversation::Peer(one, other) => {
            key.push(0);
            push_id(key, one.as_str());
            push_id(key, other.as_str());
        }
        Conversation::Room(room, incarnation) => {
            key.push(1);
            push_id(key, room.as_str());
            key.extend_from_slice(&incarnation.to_be_bytes());
        }
        Conversation::Group(group) => {
            key.push(2);
            push_id(key, group.as_str());
        }
    }
}

/// Splits a conversation off the front; returns it and the rest.
pub(crate) fn pop_conversation(bytes: &[u8]) -> Option<(Conversation, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    Some(match tag {
        0 => {
            let (one, rest) = pop_id(rest)?;
            let (other, rest) = pop_id(rest)?;
            (Conversation::Peer(UserId::trusted(one), UserId::trusted(other)), rest)
        }
        1 => {
            let (room, rest) = pop_id(rest)?;
            let (incarnation, rest) = rest.split_first_chunk::<8>()?;
            (Conversation::Room(RoomId::trusted(room), u64::from_be_bytes(*incarnation)), rest)
        }
        2 => {
            let (group, rest) = pop_id(rest)?;
            (Conversation::Group(GroupId::trusted(group)), rest)
        }
        _ => return None,
    })
}

/// Appends a note: it goes to the end of its key.
pub(crate) fn push_note(key: &mut Vec<u8>, note: &Note) {
    match note {
        Note::Receipt(user) => {
            key.push(RECEIPT);
            key.extend_from_slice(user.as_str().as_bytes());
        }
        Note::Reaction(reaction, user) => {
            key.push(REACTION);
            push_id(key, reaction);
            key.extend_from_slice(user.as_str().as_bytes());
        }
    }
}

/// Reads a note, which goes to the end of its key.
pub(crate) fn read_note(bytes: &[u8]) -> Option<Note> {
    let (tag, rest) = bytes.split_first()?;
    let user = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(UserId::trusted);
    match *tag {
        RECEIPT => user(rest).map(Note::Receipt),
        REACTION => {
            let (reaction, rest) = pop_id(rest)?;
            Some(Note::Reaction(reaction.to_owned(), user(rest)?))
        }
        _ => None,
    }
}
