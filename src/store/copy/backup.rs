//! Copying a store while it is written to.
//!
//! sled's files cannot be copied while they are open, so its records are. From before the first of them on the writer
//! also writes what it commits into a file of its own, `changes`; then every space is scanned into a file. The scanned
//! records, and over them the changes in their order, are the store as it was between two batches: when the last of
//! `changes` was written. A record that changed while it was scanned is in `changes`; one that did not was scanned.
//!
//! ```text
//! writer   ──batch──batch──[begin]──batch──batch──batch──[end: the mark]──batch──
//! changes                     └──────batch──batch──batch──┘
//! scan                          permanent … period-n …
//! ```
//! So every message acknowledged before the mark is taken is in the copy, with all that was written beside it.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use super::record_file::{CopiedFile, RecordWriter};
use crate::store::StoreError;
use crate::store::backend::store_dir::FORMAT;
use crate::store::backend::{Backend, Op, Space};
use crate::store::engine::{Engine, Job};
use crate::store::format::key::{RESERVED, RecordKind};
use crate::store::format::record;
use crate::store::format::record::PermanentMeta;

/// Bytes and records of one step of a scan: as long other work waits for it at most.
const STEP_BYTES: usize = 128 << 10;
const STEP_RECORDS: usize = 512;
/// How much may wait for the disk at most.
const SETTLE_BYTES: u64 = 4 << 20;
/// A record that does not match its checksum was perhaps being replaced when it was read: so often it is read again.
const READS_MAX: u32 = 3;

/// Where batches are noted while a backup runs.
pub(crate) struct WriteObserver {
    file: RecordWriter,
    /// Messages up to this commit are not new.
    commit: u64,
    /// Messages that came, less those that went.
    messages: i64,
    failed: Option<String>,
}

/// An observer at its end.
pub(crate) struct Observed {
    file: RecordWriter,
    /// The last append's commit, and the batches of the permanent space.
    pub commit: u64,
    pub rows: u64,
    pub message_id: u64,
    messages: i64,
}

/// What a backup's thread asks of the writer, between two batches.
pub(crate) enum ObserverRequest {
    /// Note what is committed from now on. The answer is the last commit so far.
    Begin(Box<RecordWriter>, SyncSender<Result<u64, StoreError>>),
    /// Note no more.
    End(SyncSender<Result<Box<Observed>, StoreError>>),
}

impl WriteObserver {
    pub(crate) fn new(file: RecordWriter, commit: u64) -> Self {
        Self { file, commit, messages: 0, failed: None }
    }

    /// A failure here ends the backup, not the writer.
    fn note(&mut self, write: impl FnOnce(&mut RecordWriter) -> io::Result<()>) {
        if self.failed.is_none()
            && let Err(error) = write(&mut self.file)
        {
            self.failed = Some(error.to_string());
        }
    }

    pub(crate) fn batch(&mut self, space: Space, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Put(key, value) if RecordKind::of(key) == Some(RecordKind::Message) => {
                    // A changed message keeps the commit it was stored with.
                    if let Ok(envelope) = record::peek_message(key, value)
                        && envelope.commit > self.commit
                    {
                        self.commit = envelope.commit;
                        self.messages += 1;
                    }
                }
                Op::Delete(key) if RecordKind::of(key) == Some(RecordKind::Message) => self.messages -= 1,
                Op::Put(..) | Op::Delete(_) => {}
            }
        }
        self.note(|file| file.batch(space, ops));
    }

    pub(crate) fn period_created(&mut self, period: u64) {
        self.note(|file| file.period_created(period));
    }

    pub(crate) fn period_dropped(&mut self, period: u64) {
        self.note(|file| file.period_dropped(period));
    }

    pub(crate) fn end(self, commit: u64, message_id: u64, permanent: PermanentMeta) -> Result<Box<Observed>, StoreError> {
        match self.failed {
            Some(reason) => Err(StoreError::Unavailable(format!("the backup cannot be written: {reason}"))),
            None => Ok(Box::new(Observed { file: self.file, commit, rows: permanent.rows, message_id, messages: self.messages })),
        }
    }
}

/// How fast a backup may read, and who follows it.
pub struct Pace<'a> {
    /// Bytes per second, at most; 0: as fast as it goes.
    pub bytes_per_second: u64,
    /// Told how many bytes were copied just now; `Break` ends the backup with an error.
    pub watch: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
}

impl std::fmt::Debug for Pace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("bytes_per_second", &self.bytes_per_second).finish_non_exhaustive()
    }
}

impl Pace<'_> {
    /// Waits for as long as so many bytes may take.
    ///
    /// # Errors
    /// [`io::ErrorKind::Interrupted`]: it is to end.
    pub(crate) fn spend(&mut self, bytes: u64) -> io::Result<()> {
        if (self.watch)(bytes).is_break() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "it was given up"));
        }
        if let Some(micros) = bytes.saturating_mul(1_000_000).checked_div(self.bytes_per_second) {
            pause(Duration::from_micros(micros));
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a backup has a thread of its own and leaves time to others")]
fn pause(time: Duration) {
    thread::sleep(time);
}

/// A store's part of a backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreCopy {
    /// The format of its records.
    pub format: u32,
    /// The mark: every message acknowledged with this commit or before it is in the copy, none after it.
    pub commit: u64,
    /// The number of batches of rows.
    pub rows: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// Messages in it, as counted on the way; what is removed meanwhile may be counted or not.
    pub messages: u64,
    /// Scanned records, in the order they are to be read; the changes last.
    pub files: Vec<CopiedFile>,
}

fn unwritten(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("the backup cannot be written: {error}"))
}

impl Engine {
    fn turn<T>(&self, turn: impl FnOnce(SyncSender<Result<T, StoreError>>) -> ObserverRequest) -> Result<T, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.ask(Job::Backup(turn(sender)), &receiver)
    }

    /// See [`crate::store::Store::backup`].
    pub(crate) fn copy_to(&self, folder: &Path, pace: &mut Pace<'_>) -> Result<StoreCopy, StoreError> {
        self.shared().writable()?;
        let changes = RecordWriter::create(&folder.join("changes")).map_err(|error| unwritten(&error))?;
        let begun = self.turn(|sender| ObserverRequest::Begin(Box::new(changes), sender))?;
        // Whatever came of it, nothing is noted any more thereafter.
        let scanned = scan(&*self.shared().backend, folder, begun, pace);
        let observed = self.turn(ObserverRequest::End);
        let ((mut files, scanned), observed) = (scanned?, observed?);
        let Observed { file, commit, rows, message_id, messages } = *observed;
        files.push(file.finish("changes".to_owned()).map_err(|error| unwritten(&error))?);
        let messages = u64::try_from(scanned.saturating_add(messages)).unwrap_or(0);
        Ok(StoreCopy { format: FORMAT, commit, rows, message_id, messages, files })
    }
}

/// Scans every space; the files, and how many messages up to `commit` they hold.
fn scan(backend: &dyn Backend, folder: &Path, commit: u64, pace: &mut Pace<'_>) -> Result<(Vec<CopiedFile>, i64), StoreError> {
    let mut scan = Scan { backend, commit, messages: 0, unsettled: 0 };
    let mut files = vec![scan.space(Space::Permanent, folder, "permanent".to_owned(), pace)?];
    // Periods that begin later are in the changes, wholly.
    for period in backend.periods() {
        files.push(scan.space(Space::Period(period), folder, format!("period-{period}"), pace)?);
    }
    Ok((files, scan.messages))
}

/// A key and its value.
type Pair = (Vec<u8>, Vec<u8>);

struct Scan<'a> {
    backend: &'a dyn Backend,
    commit: u64,
    messages: i64,
    unsettled: u64,
}

impl Scan<'_> {
    fn space(&mut self, space: Space, folder: &Path, name: String, pace: &mut Pace<'_>) -> Result<CopiedFile, StoreError> {
        let mut file = RecordWriter::create(&folder.join(&name)).map_err(|error| unwritten(&error))?;
        let mut from = Vec::new();
        loop {
            let step = self.step(space, &from)?;
            let Some((last, _)) = step.last() else { break };
            from.clone_from(last);
            from.push(0);
            let mut bytes = 0;
            for (key, value) in step {
                if let Some(value) = self.sound(space, &key, value)? {
                    if RecordKind::of(&key) == Some(RecordKind::Message) {
                        self.messages += i64::from(record::peek_message(&key, &value)?.commit <= self.commit);
                    }
                    bytes += (key.len() + value.len()) as u64;
                    file.put(space, &key, &value).map_err(|error| unwritten(&error))?;
                }
            }
            self.unsettled += bytes;
            if self.unsettled >= SETTLE_BYTES {
                self.unsettled = 0;
                file.settle().map_err(|error| unwritten(&error))?;
            }
            pace.spend(bytes).map_err(|error| unwritten(&error))?;
        }
        file.finish(name).map_err(|error| unwritten(&error))
    }

    /// The next records from `from` on; none: the end, or the period is gone.
    fn step(&self, space: Space, from: &[u8]) -> Result<Vec<Pair>, StoreError> {
        let (mut step, mut bytes) = (Vec::new(), 0);
        self.backend.scan(space, from, &[RESERVED], false, &mut |key, value| {
            bytes += key.len() + value.len();
            step.push((key.to_vec(), value.to_vec()));
            if bytes >= STEP_BYTES || step.len() >= STEP_RECORDS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(step)
    }

    /// A record that matches its checksum; none: it was deleted since.
    fn sound(&self, space: Space, key: &[u8], value: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        let (mut value, mut looks) = (Some(value), 0);
        while let Some(read) = value {
            match record::check(key, &read) {
                Ok(()) => return Ok(Some(read)),
                Err(error) if looks == READS_MAX => return Err(error),
                Err(_) => looks += 1,
            }
            value = self.backend.get(space, key)?;
        }
        Ok(None)
    }
}
