//! Messages as rows.

use std::sync::Arc;

use tokio_postgres::Row;

use super::place::{number, unsigned, without_nul};
use crate::model::{Body, Content, Conversation, LocalMessageId, Message, Priority, UserId, searched_words};
use crate::store::error::StoreError;
use crate::store::format::rows::ChangeKind;

/// The columns that [`message_of`] reads, in its order.
pub(super) const COLUMNS: &str =
    "m.seq, m.stamp, m.id, m.order_key, m.at_ms, m.priority, m.sender, m.local_id, m.content::text, m.state::text";
/// What a message weighs besides its content, bytes: about what the columns hold.
const ROW_BYTES: usize = 160;

/// A receipt is asked for.
pub(super) const FLAG_RECEIPT: i16 = 1;
/// It counts nowhere as unread.
pub(super) const FLAG_UNCOUNTED: i16 = 2;
/// It was taken back.
pub(super) const FLAG_REVOKED: i16 = 4;

/// A message and the stamp of its commit.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub message: Arc<Message>,
    pub stamp: u64,
    /// About how many bytes it takes.
    pub bytes: usize,
}

/// Reads the [`COLUMNS`] from a position on.
pub(super) fn message_at(row: &Row, at: usize, conversation: &Conversation) -> Result<Stored, StoreError> {
    let seq = unsigned(row.get(at));
    let damaged = |what: &str| StoreError::Damaged(format!("message {seq} of {conversation}: {what}"));
    let json: &str = row.get(at + 8);
    let content = serde_json::from_str(json).map_err(|error| damaged(&format!("its content cannot be read: {error}")))?;
    let state: Option<&str> = row.get(at + 9);
    let state = state.map(serde_json::from_str).transpose().map_err(|error| damaged(&format!("its state cannot be read: {error}")))?;
    let priority = Priority::from_number("priority", row.get::<_, i16>(at + 5).into()).map_err(|error| damaged(&error.to_string()))?;
    let message = Message {
        id: unsigned(row.get(at + 2)),
        local_id: row.get::<_, Option<&str>>(at + 7).map(LocalMessageId::trusted),
        sender: UserId::trusted(row.get(at + 6)),
        conversation: conversation.clone(),
        seq,
        order_key: unsigned(row.get(at + 3)),
        timestamp_ms: unsigned(row.get(at + 4)),
        priority,
        content,
        state: state.unwrap_or_default(),
    };
    Ok(Stored { message: Arc::new(message), stamp: unsigned(row.get(at + 1)), bytes: json.len() + ROW_BYTES })
}

/// What is written of a message besides what names it.
#[derive(Debug)]
pub(super) struct Written {
    pub kind: i16,
    pub flags: i16,
    pub words: Option<String>,
    /// The users mentioned by name, as a JSON array.
    pub mentions: Option<String>,
    pub mentions_all: bool,
    pub content: String,
    pub state: Option<String>,
}

impl Written {
    pub(super) fn of(message: &Message) -> Self {
        let Content { mentions, body, options, .. } = &message.content;
        let flag = |set: bool, flag: i16| if set { flag } else { 0 };
        let is_uncounted = options.uncounted || matches!(body, Body::Tips(_) | Body::Revoke(_));
        Self {
            kind: i16::try_from(body.kind().number()).unwrap_or(i16::MAX),
            flags: flag(options.receipt, FLAG_RECEIPT)
                | flag(is_uncounted, FLAG_UNCOUNTED)
                | flag(matches!(body, Body::Revoke(_)), FLAG_REVOKED),
            words: searched_words(body).map(|words| without_nul(&words)),
            mentions: (!mentions.users.is_empty()).then(|| json(&mentions.users)),
            mentions_all: mentions.all,
            content: json(&message.content),
            state: (!message.state.is_none()).then(|| json(&message.state)),
        }
    }
}

/// Returns a record as JSON.
pub(super) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    // Our own types: string keys, no failing Serialize.
    serde_json::to_string(value).expect("invariant: records are serialisable")
}

/// Reads a record.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(json: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Damaged(format!("{what} cannot be read: {error}")))
}

/// Returns a priority as a number.
pub(super) fn priority(message: &Message) -> i16 {
    message.priority.number().into()
}

/// Returns a message's own numbers: seq, id, order key, time.
pub(super) fn numbers(message: &Message) -> [i64; 4] {
    [message.seq, message.id, message.order_key, message.timestamp_ms].map(number)
}

/// The kinds of changes, each at the number it has in the database.
const CHANGES: [ChangeKind; 5] = [ChangeKind::Revoked, ChangeKind::Edited, ChangeKind::Reacted, ChangeKind::Pinned, ChangeKind::Confirmed];

/// Returns the number of a kind of change.
pub(super) fn change_number(kind: ChangeKind) -> i16 {
    CHANGES.iter().zip(0..).find(|(one, _)| **one == kind).map_or(-1, |(_, number)| number)
}

/// Returns the kind of change of a number.
pub(super) fn change_of(number: i16) -> Result<ChangeKind, StoreError> {
    let found = usize::try_from(number).ok().and_then(|at| CHANGES.get(at));
    found.copied().ok_or_else(|| StoreError::Damaged(format!("a change has the kind {number}")))
}
