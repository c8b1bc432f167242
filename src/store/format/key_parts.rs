//! What keys are made of, part by part: to write them as JSON and to make them of JSON again.

use serde_json::{Map, Value, json};

use super::key::codec;
use super::record_kind::RecordKind;
use super::rows::Note;
use crate::model::{Conversation, FileUid, GroupId, RoomId, UserId};

/// One part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// An id with its length before it.
    Id(&'static str),
    /// An id that goes to the end.
    Rest(&'static str),
    /// A conversation.
    Conversation,
    /// Eight bytes.
    Number(&'static str),
    /// A fileUID.
    File,
    /// A receipt or a reaction.
    Note,
}

/// Returns what follows a key's first byte.
pub(crate) fn parts(kind: RecordKind) -> &'static [Part] {
    use Part::{Conversation, File, Id, Note, Number, Rest};
    match kind {
        RecordKind::Meta => &[],
        RecordKind::Media | RecordKind::HeldList => &[File],
        RecordKind::Children | RecordKind::Message => &[Conversation, Number("seq")],
        RecordKind::Change => &[Conversation, Number("commit")],
        RecordKind::Peer => &[Id("user"), Rest("other")],
        RecordKind::SenderDedup => &[Id("sender"), Rest("localID")],
        RecordKind::Dedup => &[Id("sender"), Id("localID"), Conversation],
        RecordKind::Entry => &[Id("user"), Conversation],
        RecordKind::Following | RecordKind::User => &[Rest("user")],
        RecordKind::Group => &[Rest("group")],
        RecordKind::Room => &[Rest("room")],
        RecordKind::Head | RecordKind::Pins | RecordKind::Removal => &[Conversation],
        RecordKind::Note => &[Conversation, Number("seq"), Note],
        RecordKind::Member => &[Id("group"), Rest("user")],
        RecordKind::Membership => &[Id("user"), Rest("group")],
        RecordKind::Period => &[Number("number")],
        RecordKind::Reply => &[Conversation, Number("rootSeq"), Number("seq")],
        RecordKind::MediaUse => &[File, Conversation, Number("seq")],
        RecordKind::Deleted => &[Id("user"), Conversation, Number("seq")],
    }
}

/// Takes a key apart into members of a JSON object; none: it is not made as its kind says.
pub(crate) fn split(kind: RecordKind, key: &[u8], into: &mut Map<String, Value>) -> Option<()> {
    let mut rest = key.get(1..)?;
    for part in parts(kind) {
        match part {
            Part::Id(name) => {
                let (id, after) = codec::pop_id(rest)?;
                into.insert((*name).into(), id.into());
                rest = after;
            }
            Part::Rest(name) => {
                into.insert((*name).into(), std::str::from_utf8(rest).ok()?.into());
                rest = &[];
            }
            Part::Number(name) => {
                let (number, after) = rest.split_first_chunk::<8>()?;
                into.insert((*name).into(), u64::from_be_bytes(*number).into());
                rest = after;
            }
            Part::File => {
                let (bytes, after) = rest.split_first_chunk::<16>()?;
                into.insert("file".into(), FileUid::from_bits(u128::from_be_bytes(*bytes)).to_string().into());
                rest = after;
            }
            Part::Conversation => {
                let (conversation, after) = codec::pop_conversation(rest)?;
                name_conversation(&conversation, into);
                rest = after;
            }
            Part::Note => {
                let (name, note) = match codec::read_note(rest)? {
                    Note::Receipt(user) => ("receiptOf", json!(user.as_str())),
                    Note::Reaction(reaction, user) => ("reaction", json!([reaction, user.as_str()])),
                };
                into.insert(name.into(), note);
                rest = &[];
            }
        }
    }
    rest.is_empty().then_some(())
}

/// Returns what people call the record of a key: what it is, of which conversation, whose.
pub(crate) fn name_of(key: &[u8]) -> String {
    let Some(kind) = RecordKind::of(key) else { return "a record of unknown kind".to_owned() };
    let mut named = Map::new();
    let whole = split(kind, key, &mut named);
    let conversation = conversation_of(&named).ok().filter(|_| parts(kind).contains(&Part::Conversation));
    if conversation.is_some() {
        for name in ["peer", "room", "incarnation", "group"] {
            named.remove(name);
        }
    }
    let number = named.remove("seq").map_or_else(String::new, |seq| format!(" {seq}"));
    let of = conversation.map_or_else(String::new, |conversation| format!(" of {conversation}"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let beside = match named.get(kind.label()) {
        Some(itself) if named.len() == 1 => format!(" {}", text(itself)),
        _ if named.is_empty() => String::new(),
        _ => format!(" ({})", named.iter().map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join(", ")),
    };
    let cut = if whole.is_none() { ", whose key cannot be read whole," } else { "" };
    format!("{}{number}{of}{beside}{cut}", kind.label())
}

fn name_conversation(conversation: &Conversation, into: &mut Map<String, Value>) {
    match conversation {
        Conversation::Peer(one, other) => drop(into.insert("peer".into(), json!([one.as_str(), other.as_str()]))),
        Conversation::Room(room, incarnation) => {
            into.insert("room".into(), room.as_str().into());
            into.insert("incarnation".into(), (*incarnation).into());
        }
        Conversation::Group(group) => drop(into.insert("group".into(), group.as_str().into())),
    }
}

/// Makes a key of its parts, which are members of a JSON object. `Err` names the one that is missing or wrong.
pub(crate) fn join(kind: RecordKind, from: &Map<String, Value>) -> Result<Vec<u8>, String> {
    let mut key = vec![kind.byte()];
    for part in parts(kind) {
        match part {
            Part::Id(name) => codec::push_id(&mut key, text_of(from, name)?),
            Part::Rest(name) => key.extend_from_slice(text_of(from, name)?.as_bytes()),
            Part::Number(name) => key.extend_from_slice(&number_of(from, name)?.to_be_bytes()),
            Part::File => key.extend_from_slice(&file_of(from)?.to_bytes()),
            Part::Conversation => codec::push_conversation(&mut key, &conversation_of(from)?),
            Part::Note => codec::push_note(&mut key, &note_of(from)?),
        }
    }
    Ok(key)
}

/// Returns a part that is text.
pub(crate) fn text_of<'a>(from: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    from.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing, or no text"))
}

/// Returns a part that is a number.
pub(crate) fn number_of(from: &Map<String, Value>, name: &str) -> Result<u64, String> {
    from.get(name).and_then(Value::as_u64).ok_or_else(|| format!("{name} is missing, or no number"))
}

/// Returns the file among the parts.
pub(crate) fn file_of(from: &Map<String, Value>) -> Result<FileUid, String> {
    FileUid::parse(text_of(from, "file")?).ok_or_else(|| "file is no fileUID".to_owned())
}

/// Returns the two texts of an array that begins with two; none: it does not.
fn two_texts(pair: &[Value]) -> Option<(&str, &str)> {
    Some((pair.first()?.as_str()?, pair.get(1)?.as_str()?))
}

/// Returns the note among the parts.
pub(crate) fn note_of(from: &Map<String, Value>) -> Result<Note, String> {
    if let Some(user) = from.get("receiptOf").and_then(Value::as_str) {
        return Ok(Note::Receipt(UserId::trusted(user)));
    }
    let pair = from.get("reaction").and_then(Value::as_array).ok_or("receiptOf and reaction are missing")?;
    let (reaction, user) = two_texts(pair).ok_or("reaction is not a reaction and a user")?;
    Ok(Note::Reaction(reaction.to_owned(), UserId::trusted(user)))
}

/// Returns the conversation among the parts.
pub(crate) fn conversation_of(from: &Map<String, Value>) -> Result<Conversation, String> {
    let text = |name: &str| from.get(name).and_then(Value::as_str);
    if let Some(pair) = from.get("peer").and_then(Value::as_array) {
        let (one, other) = two_texts(pair).ok_or("peer is not two users")?;
        return Ok(Conversation::peer(&UserId::trusted(one), &UserId::trusted(other)));
    }
    if let (Some(room), Some(incarnation)) = (text("room"), from.get("incarnation").and_then(Value::as_u64)) {
        return Ok(Conversation::Room(RoomId::trusted(room), incarnation));
    }
    text("group").map(|group| Conversation::Group(GroupId::trusted(group))).ok_or_else(|| "peer, room and group are missing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::key;
    use super::*;
    use crate::model::LocalMessageId;

    #[test]
    fn nothing_follows_a_part_that_goes_to_the_end() {
        for kind in RecordKind::ALL {
            let before_the_end = parts(kind).split_last().map_or(&[][..], |(_, rest)| rest);
            assert!(!before_the_end.iter().any(|part| matches!(part, Part::Rest(_) | Part::Note)), "{kind:?}");
        }
    }

    #[test]
    fn keys_come_back_from_their_parts() {
        let (user, group) = (UserId::trusted("alice"), GroupId::trusted("g}"));
        let file = FileUid::from_bits(7);
        let conversations = [
            Conversation::peer(&user, &UserId::trusted("bob")),
            Conversation::Room(RoomId::trusted("räum"), 3),
            Conversation::Group(group.clone()),
        ];
        let mut keys = vec![
            key::META.to_vec(),
            key::media(file),
            key::held_list(file),
            key::peer(&user, &UserId::trusted("bob")),
            key::sender_dedup(&user, &LocalMessageId::trusted("l")),
            key::following(&user),
            key::user(&user),
            key::group(&group),
            key::room(&RoomId::trusted("r")),
            key::member(&group, &user),
            key::membership(&user, &group),
            key::period(2922),
        ];
        for conversation in &conversations {
            keys.extend([
                key::message(conversation, 5),
                key::children(conversation, 5),
                key::change(conversation, 6),
                key::reply(conversation, 1, 2),
                key::head(conversation),
                key::pins(conversation),
                key::removal(conversation),
                key::dedup(conversation, &user, &LocalMessageId::trusted("l")),
                key::entry(&user, conversation),
                key::media_use(file, conversation, 9),
                key::deleted(&user, conversation, 4),
                key::note(conversation, 5, &Note::Receipt(user.clone())),
                key::note(conversation, 5, &Note::Reaction("+1".into(), user.clone())),
            ]);
        }
        let kinds: std::collections::BTreeSet<_> = keys.iter().filter_map(|key| RecordKind::of(key)).collect();
        assert_eq!(kinds.len(), RecordKind::ALL.len(), "every kind is tried");
        for key in keys {
            let kind = RecordKind::of(&key).unwrap();
            let mut map = Map::new();
            split(kind, &key, &mut map).unwrap_or_else(|| panic!("{kind:?}"));
            assert_eq!(join(kind, &map).unwrap(), key, "{kind:?} {map:?}");
        }
    }

    #[test]
    fn a_record_is_named_by_what_it_is_and_of_which_conversation() {
        let [alice, bob] = ["alice", "bob"].map(UserId::trusted);
        let (peers, group) = (Conversation::peer(&bob, &alice), Conversation::Group(GroupId::trusted("g1")));
        assert_eq!(name_of(&key::message(&peers, 5)), "message 5 of the conversation of alice and bob");
        assert_eq!(name_of(&key::head(&group)), "head of group g1");
        assert_eq!(name_of(&key::head(&Conversation::Room(RoomId::trusted("lobby"), 7))), "head of room lobby");
        assert_eq!(name_of(&key::entry(&alice, &group)), "entry of group g1 (user alice)");
        assert_eq!(
            name_of(&key::note(&peers, 5, &Note::Receipt(bob.clone()))),
            "note 5 of the conversation of alice and bob (receiptOf bob)"
        );
        assert_eq!(name_of(&key::group(&GroupId::trusted("g1"))), "group g1");
        assert_eq!(name_of(&key::member(&GroupId::trusted("g1"), &alice)), "member (group g1, user alice)");
        assert_eq!(name_of(&key::message(&peers, 5)[..6]), "message, whose key cannot be read whole,");
        assert_eq!(name_of(&[0xFF]), "a record of unknown kind");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(join(RecordKind::Message, &Map::new()).unwrap_err(), "peer, room and group are missing");
        assert_eq!(join(RecordKind::User, &Map::new()).unwrap_err(), "user is missing, or no text");
    }
}
