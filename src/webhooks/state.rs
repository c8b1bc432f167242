//! What a broker's webhooks can be asked for: how they stand, and their dead letters.

use thiserror::Error;

use super::spool::{Envelope, LastFailure};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The queue on disk cannot be read or written.
    #[error("the webhook queue: {0}")]
    Disk(String),
    /// The broker is going down, or no `webhooks.url` is set.
    #[error("no events are told")]
    Off,
}

/// How it stands. Counters run from the start of the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookState {
    /// Events that wait on disk, those under way included.
    pub queued: usize,
    /// Bytes of the queue on disk.
    pub queue_bytes: u64,
    /// When the oldest of them happened, Unix milliseconds.
    pub oldest_ms: Option<u64>,
    /// Events a backend accepted.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Dead letters.
    pub dead: usize,
    /// Events that were not queued, because the queue was full.
    pub dropped: u64,
    /// Dead letters beyond their bound or age, and records that were damaged.
    pub given_up: u64,
    /// The last failure: when, Unix milliseconds, and what.
    pub last_error: Option<(u64, String)>,
}

/// An event that was not accepted by its last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number, by which it is resent and discarded. The older the less.
    pub number: u64,
    /// The `webhook-id`.
    pub id: String,
    /// `message.sent` and the like.
    pub event: String,
    /// When it happened, Unix milliseconds.
    pub at_ms: u64,
    /// When it was given up, Unix milliseconds.
    pub died_ms: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// How the last attempt failed.
    pub error: String,
    /// The body, JSON.
    pub body: String,
}

impl From<(u64, Envelope, LastFailure)> for DeadLetter {
    fn from((number, envelope, failure): (u64, Envelope, LastFailure)) -> Self {
        let body = String::from_utf8_lossy(&envelope.body).into_owned();
        let LastFailure { at_ms: died_ms, attempts, error } = failure;
        Self { number, id: envelope.id, event: envelope.event, at_ms: envelope.at_ms, died_ms, attempts, error, body }
    }
}
