//! Keys whose byte order is the order wanted. How each kind is laid out is told in [`format`](super).
//!
//! Numbers are big-endian. Every id is preceded by its length, so a conversation's bytes tell where they end:
//! no conversation's keys are a prefix of another's, and one conversation's messages lie together, by seq.
//!
//! A function named like a kind makes a key of it, one in the plural the range of several; `split_…` takes one apart.

pub(crate) mod codec;
#[cfg(test)]
mod tests;

use self::codec::{pop_conversation, pop_id, push_conversation, push_id, push_note, read_note};
use super::record_kind::RecordKind;
use super::rows::Note;
use crate::model::{Conversation, FileUid, GroupId, LocalMessageId, RoomId, UserId};

/// The key of a space's counters. Sorts before all else.
pub(crate) const META: &[u8] = &[RecordKind::Meta.byte()];
/// No key of the engine begins with this byte or a greater one; a backend may use them.
pub(crate) const RESERVED: u8 = 0xF0;

/// A range of keys: the first of them, and the first behind them.
pub(crate) type KeyRange = (Vec<u8>, Vec<u8>);

/// Every key of these kinds and of those between them.
fn of_kinds(first: RecordKind, last: RecordKind) -> KeyRange {
    (vec![first.byte()], vec![last.byte() + 1])
}

/// Every longer key that begins like this, where UTF-8 text or a conversation follows: neither holds 0xFF at its start.
fn behind(from: Vec<u8>) -> KeyRange {
    let mut to = from.clone();
    to.push(0xFF);
    (from, to)
}

/// The rows of a kind that come after one of them; without one, all of them.
fn rows_after(kind: RecordKind, after: Option<Vec<u8>>) -> KeyRange {
    let (first, end) = of_kinds(kind, kind);
    // No key lies between a key and itself with a byte behind it.
    (after.map_or(first, |key| [key, vec![0]].concat()), end)
}

fn of_id(kind: RecordKind, id: &str) -> Vec<u8> {
    let mut key = vec![kind.byte()];
    key.extend_from_slice(id.as_bytes());
    key
}

fn of_pair(kind: RecordKind, first: &str, second: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    key.push(kind.byte());
    push_id(&mut key, first);
    key.extend_from_slice(second.as_bytes());
    key
}

fn split_pair(key: &[u8]) -> Option<(&str, &str)> {
    let (first, second) = pop_id(key.get(1..)?)?;
    Some((first, std::str::from_utf8(second).ok()?))
}

fn of_file(kind: RecordKind, file: FileUid) -> Vec<u8> {
    let mut key = vec![kind.byte()];
    key.extend_from_slice(&file.to_bytes());
    key
}

fn of_conversation(kind: RecordKind, conversation: &Conversation) -> Vec<u8> {
    let mut key = Vec::with_capacity(96);
    key.push(kind.byte());
    push_conversation(&mut key, conversation);
    key
}

fn of_place(kind: RecordKind, conversation: &Conversation, seq: u64) -> Vec<u8> {
    let mut key = of_conversation(kind, conversation);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

fn of_user(kind: RecordKind, user: &UserId) -> Vec<u8> {
    let mut key = vec![kind.byte()];
    push_id(&mut key, user.as_str());
    key
}

/// Returns the number that a key ends with: a message's seq, a change's commit, an answer's seq, a deletion's seq.
pub(crate) fn last_number(key: &[u8]) -> Option<u64> {
    key.split_last_chunk::<8>().map(|(_, number)| u64::from_be_bytes(*number))
}

// Messages and what lies beside them.

/// A message.
pub(crate) fn message(conversation: &Conversation, seq: u64) -> Vec<u8> {
    of_place(RecordKind::Message, conversation, seq)
}

/// The messages of a conversation from one seq on and below another.
pub(crate) fn messages(conversation: &Conversation, from_seq: u64, to_seq: u64) -> KeyRange {
    (message(conversation, from_seq), message(conversation, to_seq))
}

/// Splits a message's key into what its conversation's messages share, and its seq.
pub(crate) fn split_message(key: &[u8]) -> Option<(&[u8], u64)> {
    let (prefix, seq) = key.split_last_chunk::<8>()?;
    Some((prefix, u64::from_be_bytes(*seq)))
}

/// Returns the conversation of a message's key or a head's key.
pub(crate) fn conversation_of(key: &[u8]) -> Option<Conversation> {
    let (conversation, rest) = pop_conversation(key.get(1..)?)?;
    (rest.is_empty() || rest.len() == 8).then_some(conversation)
}

/// Returns the conversation that a record belongs to, of the kinds whose keys begin with it, with a file and it, or with a local id
/// and it.
pub(crate) fn conversation_in(key: &[u8]) -> Option<Conversation> {
    use RecordKind::{Change, Children, Dedup, Head, MediaUse, Message, Note, Pins, Reply};
    match RecordKind::of(key)? {
        Dedup => split_dedup(key).map(|(_, _, conversation)| conversation),
        Children | Head | Pins | Note | Change | Message | Reply => pop_conversation(key.get(1..)?).map(|(conversation, _)| conversation),
        MediaUse => split_media_use(key).map(|(conversation, _)| conversation),
        _ => None,
    }
}

/// The children of a combined message.
pub(crate) fn children(conversation: &Conversation, seq: u64) -> Vec<u8> {
    of_place(RecordKind::Children, conversation, seq)
}

/// The children of all combined messages of a conversation.
pub(crate) fn all_children(conversation: &Conversation) -> KeyRange {
    (children(conversation, 0), children(conversation, u64::MAX))
}

/// A change of a conversation, by the commit that made it. It ends in that commit.
pub(crate) fn change(conversation: &Conversation, commit: u64) -> Vec<u8> {
    of_place(RecordKind::Change, conversation, commit)
}

/// An answer below the first message of its tree. It ends in the answer's seq.
pub(crate) fn reply(conversation: &Conversation, root_seq: u64, seq: u64) -> Vec<u8> {
    let mut key = of_place(RecordKind::Reply, conversation, root_seq);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// A note on a message.
pub(crate) fn note(conversation: &Conversation, seq: u64, note: &Note) -> Vec<u8> {
    let mut key = of_place(RecordKind::Note, conversation, seq);
    push_note(&mut key, note);
    key
}

/// All notes on a message.
pub(crate) fn notes(conversation: &Conversation, seq: u64) -> KeyRange {
    behind(of_place(RecordKind::Note, conversation, seq))
}

/// Returns what a note's key says.
pub(crate) fn split_note(key: &[u8]) -> Option<Note> {
    let (_, rest) = pop_conversation(key.get(1..)?)?;
    read_note(rest.get(8..)?)
}

/// A message that one user deleted for itself. It ends in the message's seq.
pub(crate) fn deleted(user: &UserId, conversation: &Conversation, seq: u64) -> Vec<u8> {
    let mut key = of_user(RecordKind::Deleted, user);
    push_conversation(&mut key, conversation);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// That a message carries a kept file.
pub(crate) fn media_use(file: FileUid, conversation: &Conversation, seq: u64) -> Vec<u8> {
    let mut key = of_file(RecordKind::MediaUse, file);
    push_conversation(&mut key, conversation);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// What combined messages hold.
pub(crate) fn held_list(list: FileUid) -> Vec<u8> {
    of_file(RecordKind::HeldList, list)
}

/// All messages that carry a kept file.
pub(crate) fn media_uses(file: FileUid) -> KeyRange {
    behind(of_file(RecordKind::MediaUse, file))
}

/// Returns the place of the message that carries a file.
pub(crate) fn split_media_use(key: &[u8]) -> Option<(Conversation, u64)> {
    let (conversation, seq) = pop_conversation(key.get(17..)?)?;
    Some((conversation, u64::from_be_bytes(seq.try_into().ok()?)))
}

/// What a sender's local id led to in a conversation. The conversation stands last: a sender's entries lie in the order in which
/// it numbers what it sends, wherever that goes.
pub(crate) fn dedup(conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> Vec<u8> {
    let mut key = of_user(RecordKind::Dedup, sender);
    push_id(&mut key, local_id.as_str());
    push_conversation(&mut key, conversation);
    key
}

/// Returns the sender, the local id and the conversation of a dedup entry's key.
pub(crate) fn split_dedup(key: &[u8]) -> Option<(&str, &str, Conversation)> {
    let (sender, rest) = pop_id(key.get(1..)?)?;
    let (local_id, rest) = pop_id(rest)?;
    let (conversation, rest) = pop_conversation(rest)?;
    rest.is_empty().then_some((sender, local_id, conversation))
}

/// What a sender's local id led to, of format 5 or before.
pub(crate) fn sender_dedup(sender: &UserId, local_id: &LocalMessageId) -> Vec<u8> {
    of_pair(RecordKind::SenderDedup, sender.as_str(), local_id.as_str())
}

/// Returns the sender and the local id of a dedup entry's key of format 5 or before.
pub(crate) fn split_sender_dedup(key: &[u8]) -> Option<(&str, &str)> {
    split_pair(key)
}

// Conversations as wholes.

/// A conversation's head.
pub(crate) fn head(conversation: &Conversation) -> Vec<u8> {
    of_conversation(RecordKind::Head, conversation)
}

/// Returns the head's key for what the keys of its messages share.
pub(crate) fn head_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    if let Some(first) = key.first_mut() {
        *first = RecordKind::Head.byte();
    }
    key
}

/// Heads of all conversations.
pub(crate) fn heads() -> KeyRange {
    of_kinds(RecordKind::Head, RecordKind::Head)
}

/// Heads and pins of all conversations: what outlives its period.
pub(crate) fn heads_and_pins() -> KeyRange {
    of_kinds(RecordKind::Head, RecordKind::Pins)
}

/// The pinned messages of a conversation.
pub(crate) fn pins(conversation: &Conversation) -> Vec<u8> {
    of_conversation(RecordKind::Pins, conversation)
}

/// What a user made of a conversation.
pub(crate) fn entry(user: &UserId, conversation: &Conversation) -> Vec<u8> {
    let mut key = of_user(RecordKind::Entry, user);
    push_conversation(&mut key, conversation);
    key
}

/// What a user made of its conversations.
pub(crate) fn entries_of(user: &UserId) -> KeyRange {
    behind(of_user(RecordKind::Entry, user))
}

/// Returns the conversation in an entry's key.
pub(crate) fn split_entry(key: &[u8]) -> Option<Conversation> {
    let (_, rest) = pop_id(key.get(1..)?)?;
    let (conversation, rest) = pop_conversation(rest)?;
    rest.is_empty().then_some(conversation)
}

/// What all users made of their conversations, and whom they follow: what outlives its period.
pub(crate) fn entries_and_followings() -> KeyRange {
    of_kinds(RecordKind::Entry, RecordKind::Following)
}

/// Whose presence a user follows.
pub(crate) fn following(user: &UserId) -> Vec<u8> {
    of_id(RecordKind::Following, user.as_str())
}

/// A removal that has begun.
pub(crate) fn removal(conversation: &Conversation) -> Vec<u8> {
    of_conversation(RecordKind::Removal, conversation)
}

/// All removals that have begun.
pub(crate) fn removals() -> KeyRange {
    of_kinds(RecordKind::Removal, RecordKind::Removal)
}

// Rows.

/// A user.
pub(crate) fn user(user: &UserId) -> Vec<u8> {
    of_id(RecordKind::User, user.as_str())
}

/// The users after one; of all of them.
pub(crate) fn users_after(after: Option<&UserId>) -> KeyRange {
    rows_after(RecordKind::User, after.map(user))
}

/// A room.
pub(crate) fn room(room: &RoomId) -> Vec<u8> {
    of_id(RecordKind::Room, room.as_str())
}

/// All rooms.
pub(crate) fn rooms() -> KeyRange {
    of_kinds(RecordKind::Room, RecordKind::Room)
}

/// A group.
pub(crate) fn group(group: &GroupId) -> Vec<u8> {
    of_id(RecordKind::Group, group.as_str())
}

/// The groups after one; of all of them.
pub(crate) fn groups_after(after: Option<&GroupId>) -> KeyRange {
    rows_after(RecordKind::Group, after.map(group))
}

/// A member in its group's list.
pub(crate) fn member(group: &GroupId, user: &UserId) -> Vec<u8> {
    of_pair(RecordKind::Member, group.as_str(), user.as_str())
}

/// All members of a group.
pub(crate) fn members(group: &GroupId) -> KeyRange {
    behind(of_pair(RecordKind::Member, group.as_str(), ""))
}

/// Returns the group in a member's key.
pub(crate) fn split_member(key: &[u8]) -> Option<GroupId> {
    split_pair(key).map(|(group, _)| GroupId::trusted(group))
}

/// A group in its member's list.
pub(crate) fn membership(user: &UserId, group: &GroupId) -> Vec<u8> {
    of_pair(RecordKind::Membership, user.as_str(), group.as_str())
}

/// All groups of a user.
pub(crate) fn memberships(user: &UserId) -> KeyRange {
    behind(of_pair(RecordKind::Membership, user.as_str(), ""))
}

/// Returns the group in a membership's key.
pub(crate) fn split_membership(key: &[u8]) -> Option<GroupId> {
    split_pair(key).map(|(_, group)| GroupId::trusted(group))
}

/// Someone this user has written to or heard from.
pub(crate) fn peer(user: &UserId, other: &UserId) -> Vec<u8> {
    of_pair(RecordKind::Peer, user.as_str(), other.as_str())
}

/// All peers of a user.
pub(crate) fn peers(user: &UserId) -> KeyRange {
    behind(of_pair(RecordKind::Peer, user.as_str(), ""))
}

/// Returns the other one in a peer's key.
pub(crate) fn split_peer(key: &[u8]) -> Option<UserId> {
    split_pair(key).map(|(_, other)| UserId::trusted(other))
}

/// A kept file.
pub(crate) fn media(file: FileUid) -> Vec<u8> {
    of_file(RecordKind::Media, file)
}

/// The kept files after one; of all of them.
pub(crate) fn media_after(file: Option<FileUid>) -> KeyRange {
    rows_after(RecordKind::Media, file.map(media))
}

/// A period that exists.
pub(crate) fn period(period: u64) -> Vec<u8> {
    let mut key = vec![RecordKind::Period.byte()];
    key.extend_from_slice(&period.to_be_bytes());
    key
}

/// Returns the number in a period's key.
pub(crate) fn split_period(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

/// All periods that exist.
pub(crate) fn periods() -> KeyRange {
    of_kinds(RecordKind::Period, RecordKind::Period)
}
