//! How values are written: a version byte, a checksum over version, key and payload, the payload.
//!
//! The key takes part in the checksum, so a record that turns up in another's place is damage, too.
//!
//! To add a version: raise [`VERSION`], keep reading the old one by a further arm in [`open`] or, when only a
//! payload changed, give its type `#[serde(default)]` for what the old one lacks. Old records are never rewritten.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{key, key_parts};
use crate::model::{Content, Conversation, Message, SendOptions};
use crate::store::error::StoreError;

/// What this version writes.
const VERSION: u8 = 1;
/// The length of a period, milliseconds: a week. Retention deletes whole ones.
pub(crate) const PERIOD_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Version and checksum.
const HEADER_BYTES: usize = 5;
/// Commit, order key, flags.
const ENVELOPE_BYTES: usize = 17;

/// Counters of a period, written with every batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeriodMeta {
    /// The last append's commit.
    pub commit: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// Records in the period besides this one: a page that went missing shows here.
    pub entries: u64,
}

/// Counters of the permanent space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PermanentMeta {
    /// Batches written.
    pub rows: u64,
    /// Records besides this one.
    pub entries: u64,
}

/// A period's row in the permanent space: it must exist, unless it is being deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeriodRow {
    /// Its heads are being copied, then its files go.
    pub dropping: bool,
    /// Its last commit, once a later period began: a database that fell back behind it is recognised.
    pub commit: u64,
}

/// Where a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The last seq.
    pub seq: u64,
    /// The last order key.
    pub order_key: u64,
    /// The greatest owner epoch seen.
    pub epoch: u64,
    /// The last message's commit.
    pub commit: u64,
    /// Up to this seq messages may be missing: their loss was accepted. Gapless above it.
    pub whole_from: u64,
}

/// What a local id led to in the conversation that its key names: which message, and what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DedupEntry {
    /// The message's seq.
    pub seq: u64,
    /// See [`digest_of`].
    #[serde(rename = "content")]
    pub digest: (u64, u64),
}

/// The same of format 5 or before: a sender's local ids were its own in all conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SenderDedupEntry {
    /// The message's conversation.
    pub conversation: Conversation,
    /// The message's seq.
    pub seq: u64,
    /// See [`digest_of`].
    #[serde(rename = "content")]
    pub digest: (u64, u64),
}

/// What can be told of a message record without reading the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The commit that stored it.
    pub commit: u64,
    /// The message's order key.
    pub order_key: u64,
    /// Whether a dedup entry belongs to it.
    pub has_local_id: bool,
}

fn damaged(key: &[u8], what: &str) -> StoreError {
    StoreError::Damaged(format!("{} {what}", key_parts::name_of(key)))
}

/// Returns the eight bytes at `at`, big-endian; the caller knows that they are there.
fn number_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn checksum(key: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[VERSION]);
    hasher.update(key);
    hasher.update(payload);
    hasher.finalize()
}

/// Begins a record with room for its header, to be filled and sealed.
fn begin(capacity: usize) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER_BYTES + capacity);
    record.resize(HEADER_BYTES, 0);
    record
}

fn seal(key: &[u8], mut record: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &record[HEADER_BYTES..]);
    record[0] = VERSION;
    record[1..HEADER_BYTES].copy_from_slice(&sum.to_be_bytes());
    record
}

/// Checks version and checksum, and returns the payload.
fn open<'a>(key: &[u8], record: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let Some((header, payload)) = record.split_first_chunk::<HEADER_BYTES>() else {
        return Err(damaged(key, "is cut off"));
    };
    let [version, sum @ ..] = header;
    match *version {
        VERSION if u32::from_be_bytes(*sum) == checksum(key, payload) => Ok(payload),
        VERSION => Err(damaged(key, "does not match its checksum")),
        _ => Err(damaged(key, "has an unknown version")),
    }
}

fn push_json<T: Serialize>(record: &mut Vec<u8>, value: &T) {
    // Our own types: string keys, no failing Serialize; writing into a Vec cannot fail.
    serde_json::to_writer(record, value).expect("invariant: records are serialisable");
}

impl SenderDedupEntry {
    /// Returns what it says of a conversation; none: it is another's.
    pub(crate) fn of(self, conversation: &Conversation) -> Option<DedupEntry> {
        let Self { seq, digest, .. } = self;
        (self.conversation == *conversation).then_some(DedupEntry { seq, digest })
    }
}

/// Encodes any record but a message.
pub(crate) fn encode<T: Serialize>(key: &[u8], value: &T) -> Vec<u8> {
    let mut record = begin(128);
    push_json(&mut record, value);
    seal(key, record)
}

/// Decodes any record but a message.
pub(crate) fn decode<T: DeserializeOwned>(key: &[u8], record: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(open(key, record)?).map_err(|error| damaged(key, &format!("cannot be read: {error}")))
}

/// Checks version and checksum and nothing else.
pub(crate) fn check(key: &[u8], record: &[u8]) -> Result<(), StoreError> {
    open(key, record).map(|_| ())
}

/// Encodes a message with the commit that stores it.
pub(crate) fn encode_message(key: &[u8], message: &Message, commit: u64) -> Vec<u8> {
    let mut record = begin(512);
    record.extend_from_slice(&commit.to_be_bytes());
    record.extend_from_slice(&message.order_key.to_be_bytes());
    record.push(u8::from(message.local_id.is_some()));
    push_json(&mut record, message);
    seal(key, record)
}

fn open_message<'a>(key: &[u8], record: &'a [u8]) -> Result<(Envelope, &'a [u8]), StoreError> {
    let payload = open(key, record)?;
    let Some((envelope, json)) = payload.split_first_chunk::<ENVELOPE_BYTES>() else {
        return Err(damaged(key, "is cut off"));
    };
    let (commit, order_key) = (number_at(envelope, 0), number_at(envelope, 8));
    Ok((Envelope { commit, order_key, has_local_id: envelope[16] != 0 }, json))
}

/// Checks a message record without reading the message.
pub(crate) fn peek_message(key: &[u8], record: &[u8]) -> Result<Envelope, StoreError> {
    open_message(key, record).map(|(envelope, _)| envelope)
}

/// Decodes a message record.
pub(crate) fn decode_message(key: &[u8], record: &[u8]) -> Result<(Arc<Message>, Envelope), StoreError> {
    let (envelope, json) = open_message(key, record)?;
    match serde_json::from_slice(json) {
        Ok(message) => Ok((Arc::new(message), envelope)),
        Err(error) => Err(damaged(key, &format!("cannot be read: {error}"))),
    }
}

/// Returns what decides whether a second send under the same local id is a retry: SHA-256 of conversation, body, extended
/// data, and mentions and terms where there are any, cut to 128 bits.
pub(crate) fn digest_of(conversation: &Conversation, content: &Content) -> (u64, u64) {
    let Content { extended_data, mentions, body, options } = content;
    let conversation = key::head(conversation);
    let mut json = Vec::with_capacity(256);
    push_json(&mut json, body);
    let mut hasher = Sha256::new();
    let mut named = Vec::new();
    if !mentions.is_none() {
        push_json(&mut named, mentions);
    }
    // Who sends a message again may do so by another way than the first time, or have heard nothing of the first way.
    let options = SendOptions { server: false, ..options.clone() };
    if !options.is_none() {
        push_json(&mut named, &options);
    }
    // Without mentions and terms the digest is that of before there were any.
    let parts = [conversation.as_slice(), &json, extended_data.as_bytes(), &named];
    for part in parts.into_iter().take(if named.is_empty() { 3 } else { 4 }) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    (number_at(&digest, 0), number_at(&digest, 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, Draft, GroupId, LocalMessageId, Mentions, Priority, UserId};

    fn message() -> Message {
        let mentions = Mentions { users: vec![UserId::trusted("bob")], all: true };
        let content = Content { extended_data: "e".into(), mentions, ..Content::of(Body::Text("hi".into())) };
        let draft = Draft { local_id: Some(LocalMessageId::trusted("l")), priority: Priority::High, content };
        Message { seq: 3, ..draft.into_message(7, UserId::trusted("alice"), Conversation::Group(GroupId::trusted("g")), 99, 1) }
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let key = key::message(&message().conversation, 3);
        let record = encode_message(&key, &message(), 12);
        let (decoded, envelope) = decode_message(&key, &record).unwrap();
        assert_eq!(*decoded, message());
        assert_eq!(envelope, Envelope { commit: 12, order_key: 99, has_local_id: true });
        assert_eq!(peek_message(&key, &record).unwrap(), envelope);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let key = key::message(&message().conversation, 3);
        let record = encode_message(&key, &message(), 12);
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut bad = record.clone();
                bad[at] ^= 1 << bit;
                assert!(matches!(peek_message(&key, &bad), Err(StoreError::Damaged(_))), "byte {at} bit {bit}");
            }
            assert!(peek_message(&key, &record[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_record_in_anothers_place_is_found() {
        let (here, there) = (key::message(&message().conversation, 3), key::message(&message().conversation, 4));
        let record = encode_message(&here, &message(), 12);
        let error = decode_message(&there, &record).unwrap_err();
        assert!(error.to_string().contains("message 4 of"), "{error}");
    }
}
