//! Keys whose byte order is the order wanted.
//!
//! Numbers are big-endian. Every id is preceded by its length, so a conversation's bytes tell where they end:
//! no conversation's keys are a prefix of another's, and one conversation's messages lie together, by seq.

use super::rows::Note;
use crate::model::{Conversation, FileUid, GroupId, LocalMessageId, RoomId, UserId};

/// Counters of a space, one record. Sorts before all else.
pub(crate) const META: &[u8] = &[0];
/// No key of the engine begins with this byte or a greater one; a backend may use them.
pub(crate) const RESERVED: u8 = 0xF0;

const MEDIA: u8 = b'a';
const CHILDREN: u8 = b'b';
const PEER: u8 = b'c';
const DEDUP: u8 = b'd';
const ENTRY: u8 = b'e';
/// Beside entries: both outlive their period.
const FOLLOWING: u8 = b'f';
const GROUP: u8 = b'g';
const HEAD: u8 = b'h';
const PINS: u8 = b'i';
const NOTE: u8 = b'k';
const CHANGE: u8 = b'l';
const MESSAGE: u8 = b'm';
const MEMBER: u8 = b'n';
const PERIOD: u8 = b'p';
const REPLY: u8 = b'q';
const ROOM: u8 = b'r';
const USER: u8 = b'u';
const MEMBERSHIP: u8 = b'w';
const REMOVAL: u8 = b'x';
const MEDIA_USE: u8 = b'y';
const DELETED: u8 = b'z';

const RECEIPT: u8 = b'r';
const REACTION: u8 = b'e';

/// What a key stands for, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecordKind {
    Meta,
    Media,
    Children,
    Peer,
    Dedup,
    Entry,
    Following,
    Group,
    Head,
    Pins,
    Note,
    Change,
    Message,
    Member,
    Period,
    Reply,
    Room,
    User,
    Membership,
    Removal,
    MediaUse,
    Deleted,
}

impl RecordKind {
    /// The kind of a key, if it is one of ours.
    pub(crate) fn of(key: &[u8]) -> Option<Self> {
        Some(match *key.first()? {
            0 => Self::Meta,
            MEDIA => Self::Media,
            CHILDREN => Self::Children,
            PEER => Self::Peer,
            DEDUP => Self::Dedup,
            ENTRY => Self::Entry,
            FOLLOWING => Self::Following,
            GROUP => Self::Group,
            HEAD => Self::Head,
            PINS => Self::Pins,
            NOTE => Self::Note,
            CHANGE => Self::Change,
            MESSAGE => Self::Message,
            MEMBER => Self::Member,
            PERIOD => Self::Period,
            REPLY => Self::Reply,
            ROOM => Self::Room,
            USER => Self::User,
            MEMBERSHIP => Self::Membership,
            REMOVAL => Self::Removal,
            MEDIA_USE => Self::MediaUse,
            DELETED => Self::Deleted,
            _ => return None,
        })
    }
}

pub(crate) fn push_id(key: &mut Vec<u8>, id: &str) {
    // Ids are bounded by `limits`, far below this; a longer one would only lose its order, not its identity.
    let length = u16::try_from(id.len()).unwrap_or(u16::MAX);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(id.as_bytes());
}

/// Splits a length and an id off the front.
pub(crate) fn pop_id(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (id, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(id).ok()?, rest))
}

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

fn of_conversation(prefix: u8, conversation: &Conversation) -> Vec<u8> {
    let mut key = Vec::with_capacity(96);
    key.push(prefix);
    push_conversation(&mut key, conversation);
    key
}

/// A message's place.
pub(crate) fn message(conversation: &Conversation, seq: u64) -> Vec<u8> {
    of_place(MESSAGE, conversation, seq)
}

fn of_place(prefix: u8, conversation: &Conversation, seq: u64) -> Vec<u8> {
    let mut key = of_conversation(prefix, conversation);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// What a combined message holds.
pub(crate) fn children(conversation: &Conversation, seq: u64) -> Vec<u8> {
    of_place(CHILDREN, conversation, seq)
}

/// Of all combined messages of a conversation, what they hold.
pub(crate) fn all_children(conversation: &Conversation) -> (Vec<u8>, Vec<u8>) {
    (children(conversation, 0), children(conversation, u64::MAX))
}

/// A change of a conversation, by the commit that made it.
pub(crate) fn change(conversation: &Conversation, commit: u64) -> Vec<u8> {
    of_place(CHANGE, conversation, commit)
}

/// The commit in a change's key.
pub(crate) fn split_change(key: &[u8]) -> Option<u64> {
    key.split_last_chunk::<8>().map(|(_, commit)| u64::from_be_bytes(*commit))
}

/// An answer below the first message of its tree.
pub(crate) fn reply(conversation: &Conversation, root_seq: u64, seq: u64) -> Vec<u8> {
    let mut key = of_place(REPLY, conversation, root_seq);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// The answer's seq in its key.
pub(crate) fn split_reply(key: &[u8]) -> Option<u64> {
    split_change(key)
}

/// A note on a message.
pub(crate) fn note(conversation: &Conversation, seq: u64, note: &Note) -> Vec<u8> {
    let mut key = of_place(NOTE, conversation, seq);
    push_note(&mut key, note);
    key
}

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

/// All notes on a message.
pub(crate) fn notes(conversation: &Conversation, seq: u64) -> (Vec<u8>, Vec<u8>) {
    let from = of_place(NOTE, conversation, seq);
    let mut to = from.clone();
    to.push(0xFF);
    (from, to)
}

/// What a note's key says.
pub(crate) fn split_note(key: &[u8]) -> Option<Note> {
    let (_, rest) = pop_conversation(key.get(1..)?)?;
    let (tag, rest) = rest.get(8..)?.split_first()?;
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

/// The pinned messages of a conversation.
pub(crate) fn pins(conversation: &Conversation) -> Vec<u8> {
    of_conversation(PINS, conversation)
}

/// Heads of all conversations.
pub(crate) fn heads() -> (Vec<u8>, Vec<u8>) {
    (vec![HEAD], vec![HEAD + 1])
}

/// Heads and pins of all conversations: what outlives its period.
pub(crate) fn heads_and_pins() -> (Vec<u8>, Vec<u8>) {
    (vec![HEAD], vec![PINS + 1])
}

/// What a user made of a conversation.
pub(crate) fn entry(user: &UserId, conversation: &Conversation) -> Vec<u8> {
    let mut key = vec![ENTRY];
    push_id(&mut key, user.as_str());
    push_conversation(&mut key, conversation);
    key
}

/// What a user made of its conversations.
pub(crate) fn entries_of(user: &UserId) -> (Vec<u8>, Vec<u8>) {
    let mut from = vec![ENTRY];
    push_id(&mut from, user.as_str());
    let mut to = from.clone();
    to.push(0xFF);
    (from, to)
}

/// What all users made of their conversations, and whom they follow: what outlives its period.
pub(crate) fn entries_and_followings() -> (Vec<u8>, Vec<u8>) {
    (vec![ENTRY], vec![FOLLOWING + 1])
}

/// Whom a user follows.
pub(crate) fn following(user: &UserId) -> Vec<u8> {
    of_id(FOLLOWING, user.as_str())
}

/// The conversation in an entry's key.
pub(crate) fn split_entry(key: &[u8]) -> Option<Conversation> {
    let (_, rest) = pop_id(key.get(1..)?)?;
    let (conversation, rest) = pop_conversation(rest)?;
    rest.is_empty().then_some(conversation)
}

/// A message that one user deleted for itself.
pub(crate) fn deleted(user: &UserId, conversation: &Conversation, seq: u64) -> Vec<u8> {
    let mut key = vec![DELETED];
    push_id(&mut key, user.as_str());
    push_conversation(&mut key, conversation);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// The key's part before the seq, and the seq.
pub(crate) fn split_message(key: &[u8]) -> Option<(&[u8], u64)> {
    let (prefix, seq) = key.split_last_chunk::<8>()?;
    Some((prefix, u64::from_be_bytes(*seq)))
}

/// The conversation of a message's key or a head's key.
pub(crate) fn conversation_of(key: &[u8]) -> Option<Conversation> {
    let (conversation, rest) = pop_conversation(key.get(1..)?)?;
    (rest.is_empty() || rest.len() == 8).then_some(conversation)
}

/// A conversation's head.
pub(crate) fn head(conversation: &Conversation) -> Vec<u8> {
    of_conversation(HEAD, conversation)
}

/// The head's key for the key of one of its messages without the seq.
pub(crate) fn head_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    if let Some(first) = key.first_mut() {
        *first = HEAD;
    }
    key
}

/// A kept file's row.
pub(crate) fn media(file: FileUid) -> Vec<u8> {
    let mut key = vec![MEDIA];
    key.extend_from_slice(&file.to_bytes());
    key
}

/// The rows of kept files after one; of all of them.
pub(crate) fn media_after(file: Option<FileUid>) -> (Vec<u8>, Vec<u8>) {
    after_row(MEDIA, file.map(media))
}

/// The rows of users after one; of all of them.
pub(crate) fn users_after(after: Option<&UserId>) -> (Vec<u8>, Vec<u8>) {
    after_row(USER, after.map(user))
}

/// The rows of groups after one; of all of them.
pub(crate) fn groups_after(after: Option<&GroupId>) -> (Vec<u8>, Vec<u8>) {
    after_row(GROUP, after.map(group))
}

/// Every row with this prefix, or those behind one of them.
fn after_row(prefix: u8, after: Option<Vec<u8>>) -> (Vec<u8>, Vec<u8>) {
    // No key lies between a key and itself with a byte behind it.
    let from = after.map_or_else(|| vec![prefix], |key| [key, vec![0]].concat());
    (from, vec![prefix + 1])
}

/// That a message carries a kept file.
pub(crate) fn media_use(file: FileUid, conversation: &Conversation, seq: u64) -> Vec<u8> {
    let mut key = vec![MEDIA_USE];
    key.extend_from_slice(&file.to_bytes());
    push_conversation(&mut key, conversation);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// All messages that carry a kept file.
pub(crate) fn media_uses(file: FileUid) -> (Vec<u8>, Vec<u8>) {
    let mut from = vec![MEDIA_USE];
    from.extend_from_slice(&file.to_bytes());
    let mut to = from.clone();
    to.push(0xFF);
    (from, to)
}

/// The place of the message that carries it.
pub(crate) fn split_media_use(key: &[u8]) -> Option<(Conversation, u64)> {
    let (conversation, seq) = pop_conversation(key.get(17..)?)?;
    Some((conversation, u64::from_be_bytes(seq.try_into().ok()?)))
}

/// A removal that has begun.
pub(crate) fn removal(conversation: &Conversation) -> Vec<u8> {
    of_conversation(REMOVAL, conversation)
}

/// All removals that have begun.
pub(crate) fn removals() -> (Vec<u8>, Vec<u8>) {
    (vec![REMOVAL], vec![REMOVAL + 1])
}

/// What is known of a sender's local id.
pub(crate) fn dedup(sender: &UserId, local_id: &LocalMessageId) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    key.push(DEDUP);
    push_id(&mut key, sender.as_str());
    key.extend_from_slice(local_id.as_str().as_bytes());
    key
}

/// Sender and local id of a dedup entry's key.
pub(crate) fn split_dedup(key: &[u8]) -> Option<(&str, &str)> {
    let (sender, local_id) = pop_id(key.get(1..)?)?;
    Some((sender, std::str::from_utf8(local_id).ok()?))
}

/// A period that exists.
pub(crate) fn period(period: u64) -> Vec<u8> {
    let mut key = vec![PERIOD];
    key.extend_from_slice(&period.to_be_bytes());
    key
}

/// The number in a period's key.
pub(crate) fn split_period(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

/// All periods that exist.
pub(crate) fn periods() -> (Vec<u8>, Vec<u8>) {
    (vec![PERIOD], vec![PERIOD + 1])
}

fn of_id(prefix: u8, id: &str) -> Vec<u8> {
    let mut key = vec![prefix];
    key.extend_from_slice(id.as_bytes());
    key
}

/// A user's row.
pub(crate) fn user(user: &UserId) -> Vec<u8> {
    of_id(USER, user.as_str())
}

/// A room's row.
pub(crate) fn room(room: &RoomId) -> Vec<u8> {
    of_id(ROOM, room.as_str())
}

/// All rooms' rows.
pub(crate) fn rooms() -> (Vec<u8>, Vec<u8>) {
    (vec![ROOM], vec![ROOM + 1])
}

/// A group's row.
pub(crate) fn group(group: &GroupId) -> Vec<u8> {
    of_id(GROUP, group.as_str())
}

fn of_pair(prefix: u8, first: &str, second: &str) -> Vec<u8> {
    let mut key = vec![prefix];
    push_id(&mut key, first);
    key.extend_from_slice(second.as_bytes());
    key
}

fn second_of_pair(key: &[u8]) -> Option<&str> {
    let (_, second) = pop_id(key.get(1..)?)?;
    std::str::from_utf8(second).ok()
}

fn pairs_of(prefix: u8, first: &str) -> (Vec<u8>, Vec<u8>) {
    let from = of_pair(prefix, first, "");
    let mut to = from.clone();
    // No id holds this byte: it is not UTF-8.
    to.push(0xFF);
    (from, to)
}

/// Someone this user has written to or heard from.
pub(crate) fn peer(user: &UserId, other: &UserId) -> Vec<u8> {
    of_pair(PEER, user.as_str(), other.as_str())
}

/// All peers of a user.
pub(crate) fn peers(user: &UserId) -> (Vec<u8>, Vec<u8>) {
    pairs_of(PEER, user.as_str())
}

/// The other one of a key of the user's peers.
pub(crate) fn split_peer(key: &[u8]) -> Option<UserId> {
    second_of_pair(key).map(UserId::trusted)
}

/// A member in the group's list.
pub(crate) fn member(group: &GroupId, user: &UserId) -> Vec<u8> {
    of_pair(MEMBER, group.as_str(), user.as_str())
}

/// The group of a key of the group's list.
pub(crate) fn split_member(key: &[u8]) -> Option<GroupId> {
    let (group, _) = pop_id(key.get(1..)?)?;
    Some(GroupId::trusted(group))
}

/// All members of a group.
pub(crate) fn members(group: &GroupId) -> (Vec<u8>, Vec<u8>) {
    pairs_of(MEMBER, group.as_str())
}

/// A group in the user's list.
pub(crate) fn membership(user: &UserId, group: &GroupId) -> Vec<u8> {
    of_pair(MEMBERSHIP, user.as_str(), group.as_str())
}

/// All groups of a user.
pub(crate) fn memberships(user: &UserId) -> (Vec<u8>, Vec<u8>) {
    pairs_of(MEMBERSHIP, user.as_str())
}

/// The group of a key of the user's list.
pub(crate) fn split_membership(key: &[u8]) -> Option<GroupId> {
    second_of_pair(key).map(GroupId::trusted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Short ids over few letters, so that one id is often the beginning of another.
    fn id() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![Just('a'), Just('b'), Just('~')], 1..6).prop_map(String::from_iter)
    }

    fn conversation() -> impl Strategy<Value = Conversation> {
        prop_oneof![
            (id(), id()).prop_map(|(a, b)| Conversation::peer(&UserId::trusted(&a), &UserId::trusted(&b))),
            (id(), any::<u64>()).prop_map(|(r, n)| Conversation::Room(RoomId::trusted(&r), n)),
            (id(), 0..3u64).prop_map(|(r, n)| Conversation::Room(RoomId::trusted(&r), n)),
            id().prop_map(|g| Conversation::Group(GroupId::trusted(&g))),
        ]
    }

    proptest! {
        #[test]
        fn keys_sort_by_conversation_then_seq(a in conversation(), b in conversation(), m in any::<u64>(), n in any::<u64>()) {
            let by_key = message(&a, m).cmp(&message(&b, n));
            let by_value = head(&a).cmp(&head(&b)).then(m.cmp(&n));
            prop_assert_eq!(by_key, by_value);
            prop_assert_eq!(head(&a) == head(&b), a == b);
        }

        #[test]
        fn no_conversation_is_a_prefix_of_another(a in conversation(), b in conversation()) {
            prop_assert!(a == b || !head(&a).starts_with(&head(&b)));
        }

        #[test]
        fn keys_tell_what_they_were_made_of(a in conversation(), seq in any::<u64>(), u in id(), l in id(), g in id()) {
            let key = message(&a, seq);
            let (prefix, found) = split_message(&key).unwrap();
            prop_assert_eq!(found, seq);
            prop_assert_eq!(head_of_prefix(prefix), head(&a));
            prop_assert_eq!(conversation_of(&key), Some(a.clone()));
            prop_assert_eq!(conversation_of(&head(&a)), Some(a));
            let key = dedup(&UserId::trusted(&u), &LocalMessageId::trusted(&l));
            prop_assert_eq!(split_dedup(&key), Some((u.as_str(), l.as_str())));
            let key = membership(&UserId::trusted(&u), &GroupId::trusted(&g));
            prop_assert_eq!(split_membership(&key), Some(GroupId::trusted(&g)));
            let key = member(&GroupId::trusted(&g), &UserId::trusted(&u));
            prop_assert_eq!(split_member(&key), Some(GroupId::trusted(&g)));
            let key = peer(&UserId::trusted(&u), &UserId::trusted(&l));
            prop_assert_eq!(split_peer(&key), Some(UserId::trusted(&l)));
            prop_assert_eq!(split_period(&period(seq)), Some(seq));
        }

        #[test]
        fn keys_of_notes_and_entries_tell_what_they_were_made_of(a in conversation(), seq in any::<u64>(), u in id(), r in id()) {
            let user = UserId::trusted(&u);
            for one in [Note::Receipt(user.clone()), Note::Reaction(r, user.clone())] {
                let key = note(&a, seq, &one);
                let (from, to) = notes(&a, seq);
                prop_assert!(from <= key && key < to);
                prop_assert_eq!(split_note(&key), Some(one));
            }
            let key = entry(&user, &a);
            let (from, to) = entries_of(&user);
            prop_assert!(from <= key && key < to);
            prop_assert_eq!(split_entry(&key), Some(a.clone()));
            prop_assert_eq!(split_change(&change(&a, seq)), Some(seq));
            prop_assert_eq!(split_reply(&reply(&a, 3, seq)), Some(seq));
        }

        #[test]
        fn a_list_holds_its_own_and_no_others(owner in id(), other in id(), entry in id()) {
            let (from, to) = members(&GroupId::trusted(&owner));
            let key = member(&GroupId::trusted(&other), &UserId::trusted(&entry));
            prop_assert_eq!(from <= key && key < to, owner == other);
        }
    }
}
