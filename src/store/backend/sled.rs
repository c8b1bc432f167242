//! The only file that names the sled crate: one database as a table.
//!
//! What sled 0.34.7 does not do by itself is done here:
//! - `flush` ends in `sync_file_range`, which does not survive power loss: `fdatasync` on a handle of our own follows.
//! - A tree node above a quarter of a segment (128 KiB) goes to a file of its own that is never synced. Nodes hold at
//!   most 17 entries, some more after a merge; values are cut into [`PIECE_BYTES`], so that no node grows that large.
//! - It frees what it replaced at one in 128 of its calls, 512 pieces each time, and a batch of any size is one call: under
//!   large batches memory would grow without end. So [`free_replaced`] follows each batch.
//! - Damaged files make it panic: every call is guarded, and the panic becomes [`StoreError::Damaged`].

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;
use std::thread;

use super::store_dir;
use super::{Op, Visit, log_file, snapshots};
use crate::private_files::make_folder;
use crate::store::error::StoreError;
use crate::store::format::key::RESERVED;

/// The largest value kept in one piece.
const PIECE_BYTES: usize = 4096;
/// A value begins with the number of its further pieces.
const COUNT_BYTES: usize = 2;
/// Keys of further pieces: this byte, the key, the piece's number.
pub(crate) const PIECE: u8 = 0xFF;
/// Rows whose replaced nodes one collection frees with ease.
const ROWS_PER_COLLECTION: usize = 64;
/// sled gives its lock up a moment after the database is dropped: 5 s are ample.
const LOCK_TRIES: u32 = 100;

#[allow(clippy::absurd_extreme_comparisons)]
const _: () = assert!(PIECE >= RESERVED, "no key of the engine begins like a piece's");

/// Why a table cannot be opened.
#[derive(Debug)]
pub(crate) enum TableError {
    /// What is there is not what was written.
    Damaged(String),
    /// The disk is full.
    Full(String),
    /// The file system refuses.
    Io(String),
}

impl From<io::Error> for TableError {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::StorageFull { Self::Full(error.to_string()) } else { Self::Io(error.to_string()) }
    }
}

/// One database.
pub(crate) struct Table {
    db: ::sled::Db,
    /// Our own handle of the database's file, for `fdatasync`.
    file: File,
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps sled's panics from the standard error stream: they become errors, which are reported by who gets them.
/// All other panics are left to the hook that was there before.
fn hush() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_sleds = thread::current().name().is_some_and(|name| name.starts_with("sled-io-"));
            if !is_sleds && !GUARDED.get() {
                before(info);
            }
        }));
    });
}

/// Runs what may panic inside sled, and catches it.
fn guarded<T>(run: impl FnOnce() -> Result<T, ::sled::Error>) -> Result<T, Caught> {
    hush();
    let outer = GUARDED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(outer);
    match outcome {
        Ok(outcome) => outcome.map_err(Caught::Error),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(Caught::Panic(text.unwrap_or_default().lines().next().unwrap_or_default().trim().to_owned()))
        }
    }
}

/// What went wrong inside sled.
enum Caught {
    Error(::sled::Error),
    Panic(String),
}

impl Caught {
    fn is_lock(&self) -> bool {
        matches!(self, Self::Error(::sled::Error::Io(error)) if error.to_string().contains("could not acquire lock"))
    }

    fn is_full(&self) -> bool {
        matches!(self, Self::Error(::sled::Error::Io(error)) if error.kind() == ErrorKind::StorageFull)
    }

    /// Returns whether the file system, not the file, is to blame.
    fn is_io(&self) -> bool {
        use ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
        matches!(self, Self::Error(::sled::Error::Io(error))
            if !matches!(error.kind(), UnexpectedEof | InvalidData | InvalidInput | NotFound))
    }

    fn reason(&self) -> String {
        match self {
            Self::Error(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
            Self::Panic(text) => format!("database panicked: {text}"),
        }
    }

    fn of_read(self) -> StoreError {
        if self.is_io() { StoreError::Unavailable(self.reason()) } else { StoreError::Damaged(self.reason()) }
    }

    fn of_write(self) -> StoreError {
        match &self {
            caught if caught.is_full() => StoreError::Full(self.reason()),
            Self::Error(::sled::Error::Io(_)) => StoreError::Unsynced(self.reason()),
            _ => StoreError::Unavailable(self.reason()),
        }
    }
}

impl Table {
    /// Opens a database, or makes one. Names of new files are durable on return.
    pub(crate) fn open(path: &Path, cache_bytes: u64) -> Result<Self, TableError> {
        make_folder(path)?;
        // sled would make it with the permissions of the process.
        make_folder(&path.join("blobs"))?;
        snapshots::delete_unfinished(path)?;
        log_file::keep_torn_segments(path)?;
        let config = ::sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(None);
        let mut tries_left = LOCK_TRIES;
        let db = loop {
            match guarded(|| config.open()) {
                Ok(db) => break db,
                Err(caught) if caught.is_lock() && tries_left > 0 => {
                    tries_left -= 1;
                    store_dir::pause();
                }
                Err(caught) if caught.is_full() => return Err(TableError::Full(caught.reason())),
                Err(caught) if caught.is_io() => return Err(TableError::Io(caught.reason())),
                Err(caught) => return Err(TableError::Damaged(caught.reason())),
            }
        };
        let file = OpenOptions::new().write(true).open(path.join("db"))?;
        guarded(|| db.flush()).map_err(|caught| match caught {
            caught if caught.is_full() => TableError::Full(caught.reason()),
            caught => TableError::Io(caught.reason()),
        })?;
        store_dir::restrict_files(path)?;
        store_dir::sync_files(path)?;
        Ok(Self { db, file })
    }

    /// Returns the value of a key, put together from its pieces.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match guarded(|| self.db.get(key)).map_err(Caught::of_read)? {
            Some(first) => self.join(key, &first).map(Some),
            None => Ok(None),
        }
    }

    /// Returns how long the value of a key is, bytes; of one in pieces no more than a piece too much, because only the first is
    /// read.
    pub(crate) fn size(&self, key: &[u8]) -> Result<Option<usize>, StoreError> {
        let Some(first) = guarded(|| self.db.get(key)).map_err(Caught::of_read)? else { return Ok(None) };
        let (count, value) = split_pieces(&first).ok_or_else(|| StoreError::Damaged("a value is cut off".into()))?;
        Ok(Some(value.len() + usize::from(count) * PIECE_BYTES))
    }

    fn join(&self, key: &[u8], first: &[u8]) -> Result<Vec<u8>, StoreError> {
        let Some((count, value)) = split_pieces(first) else {
            return Err(StoreError::Damaged("a value is cut off".into()));
        };
        let mut value = value.to_vec();
        for piece in 0..count {
            match guarded(|| self.db.get(piece_key(key, piece))).map_err(Caught::of_read)? {
                Some(bytes) => value.extend_from_slice(&bytes),
                // Perhaps being deleted just now; if not, the record's checksum tells.
                None => break,
            }
        }
        Ok(value)
    }

    /// Visits keys from `from` (inclusive) to `to` (exclusive), in key order or against it.
    pub(crate) fn scan(&self, from: &[u8], to: &[u8], backwards: bool, visit: Visit<'_>) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        let mut range = self.db.range(from..to);
        loop {
            let next = guarded(|| if backwards { range.next_back() } else { range.next() }.transpose());
            let Some((key, first)) = next.map_err(Caught::of_read)? else { return Ok(()) };
            let value = self.join(&key, &first)?;
            if let ControlFlow::Break(()) = visit(&key, &value) {
                return Ok(());
            }
        }
    }

    /// Applies a batch and makes it durable.
    pub(crate) fn commit(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        let rows = ops.len();
        let mut batch = ::sled::Batch::default();
        for op in ops {
            match op {
                Op::Put(key, value) => put_pieces(&mut batch, key, &value)?,
                Op::Delete(key) => self.delete_pieces(&mut batch, key)?,
            }
        }
        guarded(|| self.db.apply_batch(batch).and_then(|()| self.db.flush()).map(|_| ())).map_err(Caught::of_write)?;
        free_replaced(rows);
        self.sync()
    }

    fn sync(&self) -> Result<(), StoreError> {
        // Full or not: what it was to keep may be lost.
        self.file.sync_data().map_err(|error| StoreError::Unsynced(error.to_string()))
    }

    fn delete_pieces(&self, batch: &mut ::sled::Batch, key: Vec<u8>) -> Result<(), StoreError> {
        let first = guarded(|| self.db.get(&key)).map_err(Caught::of_write)?;
        let count = first.as_deref().and_then(|first| first.first_chunk::<COUNT_BYTES>().copied());
        for piece in 0..count.map_or(0, u16::from_be_bytes) {
            batch.remove(piece_key(&key, piece));
        }
        batch.remove(key);
        Ok(())
    }

    /// Flushes and closes the database. What was committed is durable, also when this fails.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        let flushed = guarded(|| self.db.flush().map(|_| ())).map_err(Caught::of_write).and_then(|()| self.sync());
        let dropped = guarded(|| {
            drop(self);
            Ok(())
        });
        flushed.and(dropped.map_err(Caught::of_write)).inspect_err(|error| tracing::warn!(%error, "closing a database failed"))
    }
}

/// Frees the nodes and links that a batch of so many rows replaced, or as much as older ones left, through the collector that sled
/// leaves them to. Each row replaces a few, each call below frees up to 512 that no thread looks at any more.
fn free_replaced(rows: usize) {
    for _ in 0..=rows / ROWS_PER_COLLECTION {
        crossbeam_epoch::pin().flush();
    }
}

fn put_pieces(batch: &mut ::sled::Batch, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
    let (first, rest) = value.split_at(value.len().min(PIECE_BYTES));
    let pieces = rest.chunks(PIECE_BYTES);
    let count = u16::try_from(pieces.len()).map_err(|_| StoreError::Unavailable("a value is too large".into()))?;
    let mut head = Vec::with_capacity(COUNT_BYTES + first.len());
    head.extend_from_slice(&count.to_be_bytes());
    head.extend_from_slice(first);
    for (piece, bytes) in (0..).zip(pieces) {
        batch.insert(piece_key(&key, piece), bytes);
    }
    // A shorter value over a longer one leaves pieces that nothing refers to; the next longer one takes their place. Only
    // rows are written twice, so that is little.
    batch.insert(key, head);
    Ok(())
}

/// Splits a value as it is stored into the number of its further pieces and the first piece.
pub(crate) fn split_pieces(stored: &[u8]) -> Option<(u16, &[u8])> {
    let (count, first) = stored.split_first_chunk::<COUNT_BYTES>()?;
    Some((u16::from_be_bytes(*count), first))
}

/// Returns the key of one of a record's further pieces.
pub(crate) fn piece_key(key: &[u8], piece: u16) -> Vec<u8> {
    let mut long = Vec::with_capacity(key.len() + 3);
    long.push(PIECE);
    long.extend_from_slice(key);
    long.extend_from_slice(&piece.to_be_bytes());
    long
}
