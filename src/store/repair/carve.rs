//! Messages in bytes of which nothing else can be read. A message's JSON says where the message belongs, so its key is known,
//! and its checksum, which covers the key, proves it.

use std::ops::Range;

use crate::model::Message;
use crate::store::format::{key, record};

/// How the JSON of every message begins.
const BEGIN: &[u8] = b"{\"id\":";
/// Before it: the number of further pieces, the record's version and checksum, commit, order key, flags.
const PIECES_BYTES: usize = 2;
const BEFORE_JSON: usize = 22;
/// A record is cut into pieces above this: one that is found here is not longer.
const RECORD_BYTES_MAX: usize = 4096;

/// Returns the messages in a stretch of bytes, each with its key, in their order there. Those in several pieces are not found.
pub(crate) fn carve_messages(bytes: &[u8], range: Range<usize>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let Some(bytes) = bytes.get(range) else { return Vec::new() };
    let begins = bytes.windows(BEGIN.len()).enumerate().filter(|(_, window)| *window == BEGIN);
    begins.filter_map(|(at, _)| carve_at(bytes, at)).collect()
}

fn carve_at(bytes: &[u8], json_at: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let record_at = json_at.checked_sub(BEFORE_JSON)?;
    let pieces = bytes.get(record_at.checked_sub(PIECES_BYTES)?..record_at)?;
    let rest = &bytes[json_at..bytes.len().min(record_at + RECORD_BYTES_MAX)];
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Message>();
    let message = values.next()?.ok()?;
    let record = &bytes[record_at..json_at + values.byte_offset()];
    let key = key::message(&message.conversation, message.seq);
    let is_whole = pieces == [0; PIECES_BYTES] && record::check(&key, record).is_ok();
    is_whole.then(|| (key, record.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Conversation, Draft, GroupId, UserId};

    #[test]
    fn messages_are_found_between_anything_and_altered_ones_are_not() {
        let message = |seq| {
            let group = Conversation::Group(GroupId::trusted("g"));
            Message { seq, ..Draft::text("{\"id\":1}").into_message(seq, UserId::trusted("alice"), group, seq, 1) }
        };
        let mut bytes = b"{\"id\":".to_vec();
        for seq in 1..4 {
            let key = key::message(&message(seq).conversation, seq);
            bytes.extend([0, 0]);
            bytes.extend(record::encode_message(&key, &message(seq), seq));
            bytes.extend(b"}\0{\"id\":");
        }
        let found = |bytes: &[u8]| {
            let found = carve_messages(bytes, 0..bytes.len()).into_iter();
            found.map(|(key, record)| record::decode_message(&key, &record).unwrap().0.seq).collect::<Vec<_>>()
        };
        assert_eq!(found(&bytes), [1, 2, 3]);
        let second = bytes.len() / 2;
        bytes[second] ^= 1;
        assert_eq!(found(&bytes), [1, 3]);
    }
}
