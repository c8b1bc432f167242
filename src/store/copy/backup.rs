//! Copying a store while it is written to.
//!
//! sled's files cannot be copied while they are open, so its records are. From before the first of them on the writer
//! also shows what it commits to an observer, which writes it into a file of its own, `changes`; then every space is scanned
//! into a file. The scanned records, and over them the changes in their order, are the store as it was between two batches:
//! when the last of `changes` was written. A record that changed while it was scanned is in `changes`; one that did not was
//! scanned.
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
use std::sync::{Arc, Mutex, PoisonError};

use super::record_file::RecordWriter;
use crate::store::backend::store_dir::FORMAT;
use crate::store::backend::{Backend, Op, Space};
use crate::store::engine::Engine;
use crate::store::engine::write_observer::WriteObserver;
use crate::store::error::StoreError;
use crate::store::format::key::RESERVED;
use crate::store::format::record;
use crate::store::format::record_kind::RecordKind;
use crate::store::types::{CopiedFile, Pace, StoreCopy};

/// Bytes and records of one step of a scan: as long other work waits for it at most.
const STEP_BYTES: usize = 128 << 10;
const STEP_RECORDS: usize = 512;
/// How much may wait for the disk at most.
const SETTLE_BYTES: u64 = 4 << 20;
/// A record that does not match its checksum was perhaps being replaced when it was read: so often it is read again.
const READS_MAX: u32 = 3;

fn unwritten(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("the backup cannot be written: {error}"))
}

/// Copies a store that is open into an empty folder. See [`Maintenance::backup`](crate::store::Maintenance::backup).
pub(crate) fn copy(engine: &Engine, folder: &Path, pace: &mut Pace<'_>) -> Result<StoreCopy, StoreError> {
    engine.writable()?;
    let changes = RecordWriter::create(&folder.join("changes")).map_err(|error| unwritten(&error))?;
    let changes = Arc::new(Mutex::new(ChangeLog { file: changes, commit: 0, messages: 0, failed: None }));
    let begun = engine.begin_observing(Box::new(Observer(Arc::clone(&changes))))?;
    // Whatever came of it, nothing is observed any more thereafter.
    let scanned = scan(engine.backend(), folder, begun, pace);
    let until = engine.end_observing();
    let ((mut files, scanned), until) = (scanned?, until?);
    let (file, changed) = ChangeLog::finish(changes)?;
    files.push(file);
    let messages = u64::try_from(scanned.saturating_add(changed)).unwrap_or(0);
    Ok(StoreCopy { format: FORMAT, commit: until.commit, rows: until.rows, message_id: until.message_id, messages, files })
}

/// What was committed while a backup ran.
struct ChangeLog {
    file: RecordWriter,
    /// Messages up to this commit are not new.
    commit: u64,
    /// Messages that came, less those that went.
    messages: i64,
    failed: Option<io::Error>,
}

impl ChangeLog {
    /// Writes to the file. A failure ends the backup, not the writer.
    fn write(&mut self, write: impl FnOnce(&mut RecordWriter) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.file).err();
        }
    }

    fn count_messages(&mut self, ops: &[Op]) {
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
    }

    /// Ends the file that nobody writes to any more; returns it, and how many messages it adds.
    fn finish(log: Arc<Mutex<Self>>) -> Result<(CopiedFile, i64), StoreError> {
        let log = Arc::into_inner(log).ok_or_else(|| StoreError::Unavailable("the backup is still being written".into()))?;
        let log = log.into_inner().unwrap_or_else(PoisonError::into_inner);
        match log.failed {
            Some(error) => Err(unwritten(&error)),
            None => Ok((log.file.finish("changes".to_owned()).map_err(|error| unwritten(&error))?, log.messages)),
        }
    }
}

/// The writer's end of a [`ChangeLog`].
struct Observer(Arc<Mutex<ChangeLog>>);

impl Observer {
    fn with(&self, change: impl FnOnce(&mut ChangeLog)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl WriteObserver for Observer {
    fn begin(&mut self, last_commit: u64) {
        self.with(|log| log.commit = last_commit);
    }

    fn batch(&mut self, space: Space, ops: &[Op]) {
        self.with(|log| {
            log.count_messages(ops);
            log.write(|file| file.batch(space, ops));
        });
    }

    fn period_created(&mut self, period: u64) {
        self.with(|log| log.write(|file| file.period_created(period)));
    }

    fn period_dropped(&mut self, period: u64) {
        self.with(|log| log.write(|file| file.period_dropped(period)));
    }
}

/// Scans every space; returns the files, and how many messages up to `commit` they hold.
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
    /// Writes a space's records into a file of this name, step by step.
    fn space(&mut self, space: Space, folder: &Path, name: String, pace: &mut Pace<'_>) -> Result<CopiedFile, StoreError> {
        let mut file = RecordWriter::create(&folder.join(&name)).map_err(|error| unwritten(&error))?;
        let mut from = Vec::new();
        loop {
            let step = self.step(space, &from)?;
            let Some((last, _)) = step.last() else { break };
            from.clone_from(last);
            from.push(0);
            let bytes = self.write_step(space, step, &mut file)?;
            self.unsettled += bytes;
            if self.unsettled >= SETTLE_BYTES {
                self.unsettled = 0;
                file.settle().map_err(|error| unwritten(&error))?;
            }
            pace.spend(bytes).map_err(|error| unwritten(&error))?;
        }
        file.finish(name).map_err(|error| unwritten(&error))
    }

    /// Writes the records that are sound; returns how many bytes they are.
    fn write_step(&mut self, space: Space, step: Vec<Pair>, file: &mut RecordWriter) -> Result<u64, StoreError> {
        let mut bytes = 0;
        for (key, value) in step {
            let Some(value) = self.sound(space, &key, value)? else { continue };
            if RecordKind::of(&key) == Some(RecordKind::Message) {
                self.messages += i64::from(record::peek_message(&key, &value)?.commit <= self.commit);
            }
            bytes += (key.len() + value.len()) as u64;
            file.put(space, &key, &value).map_err(|error| unwritten(&error))?;
        }
        Ok(bytes)
    }

    /// Returns the next records from `from` on; none: the end, or the period is gone.
    fn step(&self, space: Space, from: &[u8]) -> Result<Vec<Pair>, StoreError> {
        let (mut step, mut bytes) = (Vec::new(), 0);
        self.backend.scan(space, from, &[RESERVED], false, &mut |key, value| {
            bytes += key.len() + value.len();
            step.push((key.to_vec(), value.to_vec()));
            if bytes >= STEP_BYTES || step.len() >= STEP_RECORDS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(step)
    }

    /// Returns a record that matches its checksum; none: it was deleted since.
    fn sound(&self, space: Space, key: &[u8], value: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        let (mut value, mut reads) = (Some(value), 0);
        while let Some(read) = value {
            match record::check(key, &read) {
                Ok(()) => return Ok(Some(read)),
                Err(error) if reads == READS_MAX => return Err(error),
                Err(_) => reads += 1,
            }
            value = self.backend.get(space, key)?;
        }
        Ok(None)
    }
}
