//! The bytes that the page says: what an older or a later version must find on disk.

use super::key;
use super::record::{self, Head};
use super::rows::Note;
use crate::model::{Conversation, FileUid, GroupId, LocalMessageId, RoomId, UserId};

/// The bytes of text, `~` for a zero.
fn bytes(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| if byte == b'~' { 0 } else { byte }).collect()
}

fn with_numbers(text: &str, numbers: &[u64]) -> Vec<u8> {
    let mut key = bytes(text);
    numbers.iter().for_each(|number| key.extend_from_slice(&number.to_be_bytes()));
    key
}

#[test]
fn keys_are_laid_out_as_the_page_says() {
    let (ann, bob) = (UserId::trusted("ann"), UserId::trusted("bob"));
    let (group, room) = (GroupId::trusted("gr"), RoomId::trusted("ro"));
    let pair = Conversation::peer(&bob, &ann);
    let in_room = Conversation::Room(room.clone(), 7);
    let in_group = Conversation::Group(group.clone());
    let file = FileUid::from_bits(u128::from_be_bytes(*b"0123456789abcdef"));
    let long = 0x0102_0304_0506_0708;
    for (key, laid_out) in [
        (key::META.to_vec(), bytes("~")),
        (key::message(&pair, long), with_numbers("m~~\x03ann~\x03bob", &[long])),
        (key::message(&in_room, 1), with_numbers("m\x01~\x02ro", &[7, 1])),
        (key::message(&in_group, 1), with_numbers("m\x02~\x02gr", &[1])),
        (key::children(&in_group, 1), with_numbers("b\x02~\x02gr", &[1])),
        (key::change(&in_group, 9), with_numbers("l\x02~\x02gr", &[9])),
        (key::reply(&in_group, 1, 4), with_numbers("q\x02~\x02gr", &[1, 4])),
        (key::head(&in_group), bytes("h\x02~\x02gr")),
        (key::pins(&in_group), bytes("i\x02~\x02gr")),
        (key::removal(&in_room), with_numbers("x\x01~\x02ro", &[7])),
        (key::note(&in_group, 1, &Note::Receipt(ann.clone())), [with_numbers("k\x02~\x02gr", &[1]), bytes("rann")].concat()),
        (
            key::note(&in_group, 1, &Note::Reaction("+1".into(), ann.clone())),
            [with_numbers("k\x02~\x02gr", &[1]), bytes("e~\x02+1ann")].concat(),
        ),
        (key::sender_dedup(&ann, &LocalMessageId::trusted("l1")), bytes("d~\x03annl1")),
        (key::dedup(&in_group, &ann, &LocalMessageId::trusted("l1")), bytes("j~\x03ann~\x02l1\x02~\x02gr")),
        (key::entry(&ann, &in_group), bytes("e~\x03ann\x02~\x02gr")),
        (key::deleted(&ann, &in_group, 1), with_numbers("z~\x03ann\x02~\x02gr", &[1])),
        (key::following(&ann), bytes("fann")),
        (key::user(&ann), bytes("uann")),
        (key::room(&room), bytes("rro")),
        (key::group(&group), bytes("ggr")),
        (key::member(&group, &ann), bytes("n~\x02grann")),
        (key::membership(&ann, &group), bytes("w~\x03anngr")),
        (key::peer(&ann, &bob), bytes("c~\x03annbob")),
        (key::media(file), bytes("a0123456789abcdef")),
        (key::media_use(file, &in_group, 1), with_numbers("y0123456789abcdef\x02~\x02gr", &[1])),
        (key::period(2922), with_numbers("p", &[2922])),
    ] {
        assert_eq!(key, laid_out, "{}", String::from_utf8_lossy(&laid_out));
    }
}

#[test]
fn records_are_laid_out_as_the_page_says() {
    let key = key::head(&Conversation::Group(GroupId::trusted("g")));
    let head = Head { seq: 3, order_key: 99, epoch: 1, commit: 12, whole_from: 0 };
    let json = r#"{"seq":3,"order_key":99,"epoch":1,"commit":12,"whole_from":0}"#;
    let laid_out = [&[1][..], &CHECKSUM.to_be_bytes(), json.as_bytes()].concat();
    assert_eq!(record::encode(&key, &head), laid_out);
}

/// CRC-32 (IEEE) of the version, the key and the JSON above, computed apart.
const CHECKSUM: u32 = 0x8002_4511;
