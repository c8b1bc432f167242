//! What brokers that share a store keep beside messages, so that the one that takes over knows it: documents of operators, the
//! audit log, answers of the server API that are given again, journals of what waits to be told. Without such a store it lies in
//! the data directory, or in memory.

use super::error::StoreError;
use crate::documents::Documents;

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, rising; ignored where an entry is added.
    pub id: u64,
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// Who did it.
    pub who: String,
    /// What.
    pub action: String,
    /// To whom or what.
    pub target: String,
    /// The HTTP status it was answered with.
    pub status: u16,
}

/// A call of the server API that was carried out, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Whose call it was.
    pub caller: String,
    /// Its `Idempotency-Key`.
    pub key: String,
    /// A hash of all it said, 32 bytes.
    pub fingerprint: Vec<u8>,
    /// The HTTP status.
    pub status: u16,
    /// The `content-type`.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
    /// Until when it is kept, Unix milliseconds.
    pub ends_ms: u64,
}

/// A record of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Its number, rising.
    pub seq: u64,
    /// What was put down.
    pub payload: Vec<u8>,
    /// What was noted on it.
    pub note: Option<Vec<u8>>,
}

/// Where a journal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalMark {
    /// Greater than every seq that was ever put.
    pub next_seq: u64,
    /// The caller's own.
    pub commit: u64,
    /// The caller's own.
    pub following: bool,
}

/// What is written into a journal at once. A seq stands in one of the three.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalChanges {
    /// Records put down, in the place of any of the same seq.
    pub put: Vec<JournalRow>,
    /// Notes on records that are there.
    pub noted: Vec<(u64, Vec<u8>)>,
    /// Records crossed out.
    pub gone: Vec<u64>,
}

/// See the module's documentation. Every method but [`Documents::read`] and [`Documents::version`] may block for seconds; whoever
/// may not wait calls it on a thread that may.
///
/// # Errors
/// As [`Store`](super::Store): a database that is away is [`StoreError::Unavailable`].
#[expect(clippy::missing_errors_doc, reason = "the rule is stated once")]
pub trait SharedState: Documents {
    /// Adds entries to the audit log, and forgets the oldest beyond `rows_max`.
    fn add_audit(&self, entries: Vec<AuditRow>, rows_max: u64) -> Result<(), StoreError>;

    /// Returns entries of the audit log with ids below `before`, the newest first, at most `count_max`.
    fn audit(&self, before: Option<u64>, count_max: usize) -> Result<Vec<AuditRow>, StoreError>;

    /// Returns how a call was answered, unless that ended by `now_ms`.
    fn answer(&self, caller: &str, key: &str, now_ms: u64) -> Result<Option<KeptAnswer>, StoreError>;

    /// Keeps an answer, forgets those that ended by `now_ms`, and the oldest beyond `count_max`.
    fn keep_answer(&self, answer: KeptAnswer, now_ms: u64, count_max: usize) -> Result<(), StoreError>;

    /// Returns where a journal stands; none: nothing was ever written to it.
    fn journal(&self, name: &str) -> Result<Option<JournalMark>, StoreError>;

    /// Returns records of a journal after a seq, ascending, at most `count_max`.
    fn journal_rows(&self, name: &str, after: u64, count_max: usize) -> Result<Vec<JournalRow>, StoreError>;

    /// Moves the records of journals whose brokers are gone into one: those named `kind`, or `kind@` and the number of a process that
    /// holds no slot. Of at most `count_max` records, in their order, the first gets `from_seq` and each the one after. Returns how
    /// many were moved. Of several brokers that do this at a time each record goes to one.
    fn adopt_journals(&self, kind: &str, into: &str, from_seq: u64, count_max: u64) -> Result<u64, StoreError>;

    /// Writes changes and mark, all or none; fails where another broker owns the store.
    fn write_journal(&self, name: &str, changes: JournalChanges, mark: JournalMark) -> Result<(), StoreError>;
}
