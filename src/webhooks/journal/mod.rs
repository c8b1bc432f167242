//! Records that are put down, noted on, and crossed out: on disk, or beside a store that brokers share.

mod file;
mod shared;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use self::file::FileJournal;
use self::shared::SharedJournal;
use crate::store::{JournalMark, SharedState};

/// Large enough that few are open, small enough that a full one is quickly given back.
const SEGMENT_BYTES: u64 = 4 << 20;

/// What a caller notes on a record.
pub(super) type Note = [u8; 12];

/// Is shown a record that is left: its seq, its payload, what was noted on it.
pub(super) type Visit<'a> = &'a mut dyn FnMut(u64, &[u8], Option<Note>);

/// Where journals are kept.
#[derive(Debug, Clone)]
pub(super) enum JournalPlace {
    /// In folders of this one.
    Folder(PathBuf),
    /// Beside a store that brokers share.
    Shared {
        /// Beside which.
        state: Arc<dyn SharedState>,
        /// Which of several that work at the same time this one is; none: one works at a time.
        node: Option<i64>,
    },
}

impl JournalPlace {
    /// Returns whether anything may have been written there. Nothing is made.
    pub(super) fn may_hold_any(&self) -> bool {
        match self {
            Self::Folder(folder) => folder.exists(),
            Self::Shared { .. } => true,
        }
    }

    /// Opens a journal; `visit` is shown each record that is left, in the order of seqs, with its note.
    ///
    /// # Errors
    /// The system's, or the store's; a segment of another format.
    pub(super) fn open(&self, name: &str, visit: Visit<'_>) -> io::Result<Box<dyn Journal>> {
        Ok(match self {
            Self::Folder(folder) => Box::new(FileJournal::open(&folder.join(name), SEGMENT_BYTES, visit)?),
            Self::Shared { state, node } => Box::new(SharedJournal::open(state.clone(), (name, *node), visit)?),
        })
    }
}

/// See the module's documentation.
pub(super) trait Journal: fmt::Debug + Send {
    /// Puts a record down; its seq.
    fn put(&mut self, payload: &[u8]) -> u64 {
        let seq = self.position().next_seq;
        self.put_as(seq, payload);
        seq
    }

    /// The same under a seq that the caller has from elsewhere.
    fn put_as(&mut self, seq: u64, payload: &[u8]);

    /// Notes something on a record, in the place of what was noted before.
    fn note(&mut self, seq: u64, note: Note);

    /// Crosses a record out; whether it was there.
    fn delete(&mut self, seq: u64) -> bool;

    /// Returns where the caller stands.
    fn position(&self) -> JournalMark;

    /// Notes where the caller stands.
    fn set_position(&mut self, commit: u64, following: bool);

    /// Seqs begin here at least.
    fn begin_at(&mut self, seq: u64);

    /// Takes over what brokers left that are gone, under seqs of this journal's; `visit` is shown each such record with its note.
    ///
    /// # Errors
    /// The store's: what was taken over all the same is shown the next time.
    fn adopt(&mut self, _visit: Visit<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Writes everything down: from here on it survives the end of the program. What cannot be written is tried again with the next
    /// call.
    ///
    /// # Errors
    /// The system's, or the store's; nothing of it is written then.
    fn write(&mut self) -> io::Result<()>;

    /// Returns the file to force to disk, if anything is not yet.
    ///
    /// # Errors
    /// The system's.
    fn take_dirty(&mut self) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// It could not be forced to disk.
    fn still_dirty(&mut self) {}

    /// Returns a record's payload.
    ///
    /// # Errors
    /// The system's, or the store's; that it is not there, or not what was written.
    fn read(&mut self, seq: u64) -> io::Result<Vec<u8>>;

    /// Gives room back that holds nothing any more.
    ///
    /// # Errors
    /// The system's.
    fn reclaim(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Returns how many bytes are written or about to be.
    fn bytes(&self) -> u64;

    /// Records that are left.
    fn len(&self) -> usize;

    /// Records that were found damaged since it was opened.
    fn damaged(&self) -> u64 {
        0
    }
}
