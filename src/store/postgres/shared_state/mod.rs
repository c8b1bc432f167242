//! What brokers share beside messages, as tables: see [`SharedState`].

mod answers;
mod audit;
mod documents;
mod journal;

use std::io;
use std::path::PathBuf;

pub use self::documents::PostgresDocuments;
use super::read::Reader;
use crate::documents::{DocumentVersion, Documents};
use crate::store::error::StoreError;
use crate::store::shared_state::{AuditRow, JournalChanges, JournalMark, JournalRow, KeptAnswer, SharedState};

/// The tables, as the process that owns the store uses them.
#[derive(Clone)]
pub(super) struct SharedTables {
    pub reader: Reader,
    pub boot: i64,
    /// What must be owned by whoever writes a journal; nothing, where several processes write the store: then it must hold its slot.
    pub shards: Vec<i16>,
}

impl std::fmt::Debug for SharedTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedTables").field("boot", &self.boot).finish_non_exhaustive()
    }
}

impl Documents for SharedTables {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.reader.state.documents.content(name))
    }

    fn version(&self, name: &str) -> Option<DocumentVersion> {
        self.reader.state.documents.version(name)
    }

    fn replace(&self, name: &str, before: Option<&[u8]>, after: &[u8]) -> io::Result<bool> {
        documents::replace(&self.reader, name, before, after).map_err(io::Error::other)
    }

    fn place(&self, name: &str) -> PathBuf {
        documents::place(name)
    }
}

impl SharedState for SharedTables {
    fn add_audit(&self, entries: Vec<AuditRow>, rows_max: u64) -> Result<(), StoreError> {
        self.reader.wait(async move |reader| audit::add(&reader, &entries, rows_max).await)
    }

    fn audit(&self, before: Option<u64>, count_max: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.reader.wait(async move |reader| audit::page(&reader, before, count_max).await)
    }

    fn answer(&self, caller: &str, key: &str, now_ms: u64) -> Result<Option<KeptAnswer>, StoreError> {
        let (caller, key) = (caller.to_owned(), key.to_owned());
        self.reader.wait(async move |reader| answers::find(&reader, caller, key, now_ms).await)
    }

    fn keep_answer(&self, answer: KeptAnswer, now_ms: u64, count_max: usize) -> Result<(), StoreError> {
        self.reader.wait(async move |reader| answers::keep(&reader, &answer, now_ms, count_max).await)
    }

    fn journal(&self, name: &str) -> Result<Option<JournalMark>, StoreError> {
        let name = name.to_owned();
        self.reader.wait(async move |reader| journal::mark(&reader, &name).await)
    }

    fn journal_rows(&self, name: &str, after: u64, count_max: usize) -> Result<Vec<JournalRow>, StoreError> {
        let name = name.to_owned();
        self.reader.wait(async move |reader| journal::rows(&reader, &name, after, count_max).await)
    }

    fn adopt_journals(&self, kind: &str, into: &str, from_seq: u64, count_max: u64) -> Result<u64, StoreError> {
        let (kind, into, shards, boot) = (kind.to_owned(), into.to_owned(), self.shards.clone(), self.boot);
        self.reader.wait(async move |reader| journal::adopt(&reader, (&kind, &into), (from_seq, count_max), (&shards, boot)).await)
    }

    fn write_journal(&self, name: &str, changes: JournalChanges, mark: JournalMark) -> Result<(), StoreError> {
        let (name, shards, boot) = (name.to_owned(), self.shards.clone(), self.boot);
        self.reader.wait(async move |reader| journal::write(&reader, &name, &changes, mark, (&shards, boot)).await)
    }
}
