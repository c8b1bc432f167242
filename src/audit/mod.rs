//! Who changed what, and who came in: one JSON object a line in `<data_dir>/audit.log`, mode 0600.
//!
//! Whoever has something to note puts it into a bounded queue and goes on; a thread of the log's own writes what waits and
//! makes it durable (`fdatasync`) before it takes more: a crash costs what is in the queue and nothing that was written. When
//! the queue is full the entry is lost and the log says how many were. Nothing is made on disk before the first entry.
//!
//! When the file has grown to its bound it becomes `audit.log.1`, in place of the one before: the log takes twice the bound. Brokers
//! that share a store have one log, as rows beside it.

mod file;
mod lines;
mod rows;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use self::file::FileLog;
use self::rows::RowLog;
use crate::store::SharedState;

/// Entries that wait to be written.
const QUEUE_MAX: usize = 1_024;
/// Entries made durable at a time.
const BATCH_MAX: usize = 256;
/// Bytes of one text of an entry; the rest is cut off.
const TEXT_BYTES_MAX: usize = 512;

/// One thing that was done or tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Counts up from 1, over all files.
    pub(crate) id: u64,
    /// Unix milliseconds.
    pub(crate) time: u64,
    /// The key's name, or the console with the address it was used from.
    pub(crate) who: String,
    /// `console.login`, or method and path of a call.
    pub(crate) action: String,
    /// What it was done to; may be empty.
    pub(crate) target: String,
    /// The HTTP status it was answered with.
    pub(crate) status: u16,
}

enum Said {
    Note(Entry),
    /// Answered when everything before it is kept.
    Flush(SyncSender<()>),
}

struct Writer {
    queue: SyncSender<Said>,
    thread: JoinHandle<()>,
}

/// Where a log is kept.
#[derive(Debug, Clone)]
pub(crate) enum AuditPlace {
    /// In files of this data directory.
    Folder(PathBuf),
    /// Beside a store that brokers share.
    Shared(Arc<dyn SharedState>),
}

/// Keeps entries.
trait Log: Send {
    /// Keeps entries and makes them durable; returns how many could not be kept, and has said why.
    fn append(&mut self, entries: Vec<Entry>) -> usize;
}

/// See the module's documentation.
pub(crate) struct Audit {
    place: AuditPlace,
    bytes_max: u64,
    /// Begins with the first entry.
    writer: Mutex<Option<Writer>>,
    lost: Arc<AtomicU64>,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Audit {
    /// `bytes_max`: of one file.
    pub(crate) fn new(place: AuditPlace, bytes_max: u64) -> Self {
        Self { place, bytes_max, writer: Mutex::default(), lost: Arc::default() }
    }

    /// Notes one thing; never waits. `time`: Unix milliseconds.
    pub(crate) fn note(&self, time: u64, who: &str, action: &str, target: &str, status: u16) {
        let entry = Entry { id: 0, time, who: cut(who), action: cut(action), target: cut(target), status };
        let Some(queue) = self.queue() else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if queue.try_send(Said::Note(entry)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the newest entries first, at most `limit`, below the id `before`.
    /// Reads files, or asks the database: not on a thread that serves sockets.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn page(&self, before: Option<u64>, limit: usize) -> io::Result<Vec<Entry>> {
        self.flush();
        match &self.place {
            AuditPlace::Folder(folder) => file::page(folder, before, limit),
            AuditPlace::Shared(shared) => rows::page(&**shared, before, limit),
        }
    }

    /// Waits until everything noted before is kept.
    fn flush(&self) {
        let queue = self.writer.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|writer| writer.queue.clone());
        let (done, waiting) = sync_channel(1);
        if queue.is_some_and(|queue| queue.send(Said::Flush(done)).is_ok()) {
            // An error says that the writer is gone: then there is nothing to wait for.
            let _written_or_gone = waiting.recv().is_ok();
        }
    }

    fn queue(&self) -> Option<SyncSender<Said>> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() {
            let (queue, said) = sync_channel(QUEUE_MAX);
            let mut log: Box<dyn Log> = match &self.place {
                AuditPlace::Folder(folder) => Box::new(FileLog::new(folder.clone(), self.bytes_max)),
                AuditPlace::Shared(shared) => Box::new(RowLog::new(shared.clone(), self.bytes_max)),
            };
            let lost = self.lost.clone();
            match std::thread::Builder::new().name("tidings-audit".into()).spawn(move || write_all_of(&said, &mut *log, &lost)) {
                Ok(thread) => *writer = Some(Writer { queue, thread }),
                Err(error) => tracing::error!(%error, "the audit log has no thread"),
            }
        }
        writer.as_ref().map(|writer| writer.queue.clone())
    }
}

impl Drop for Audit {
    /// What was noted is written.
    fn drop(&mut self) {
        let Some(Writer { queue, thread }) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        drop(queue);
        if thread.join().is_err() {
            tracing::error!("the audit log's thread ended in a panic");
        }
    }
}

/// Keeps what is noted, until nobody can note any more.
fn write_all_of(queue: &Receiver<Said>, log: &mut dyn Log, lost: &AtomicU64) {
    while let Ok(first) = queue.recv() {
        let (mut entries, mut asked) = (Vec::new(), Vec::new());
        for said in std::iter::once(first).chain(queue.try_iter()).take(BATCH_MAX) {
            match said {
                Said::Note(entry) => entries.push(entry),
                Said::Flush(done) => asked.push(done),
            }
        }
        write(entries, log, lost);
        for done in asked {
            let _told_or_gone = done.send(()).is_ok();
        }
    }
}

/// Keeps entries, and before them how many were lost.
fn write(mut entries: Vec<Entry>, log: &mut dyn Log, lost: &AtomicU64) {
    let Some(first) = entries.first() else { return };
    let lost_before = lost.swap(0, Ordering::Relaxed);
    if lost_before > 0 {
        let (who, action, target) = ("audit".into(), "audit.lost".into(), lost_before.to_string());
        entries.insert(0, Entry { who, action, target, status: 503, ..first.clone() });
    }
    let (count, said) = (entries.len(), usize::from(lost_before > 0));
    let lost_now = log.append(entries);
    // That some were lost is no loss itself, and is said again.
    let lost_in_all = if lost_now == count { lost_before + (lost_now - said) as u64 } else { lost_now as u64 };
    lost.fetch_add(lost_in_all, Ordering::Relaxed);
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;

    use super::file::{FILE, FILE_BEFORE};
    use super::*;

    fn log_in(dir: &tempfile::TempDir, bytes_max: u64) -> Audit {
        Audit::new(AuditPlace::Folder(dir.path().to_owned()), bytes_max)
    }

    fn targets(audit: &Audit, before: Option<u64>, limit: usize) -> Vec<String> {
        audit.page(before, limit).unwrap().into_iter().map(|entry| entry.target).collect()
    }

    #[test]
    fn entries_are_read_newest_first_and_page_by_page() {
        let dir = tempfile::tempdir().unwrap();
        let audit = log_in(&dir, 1 << 20);
        assert!(audit.page(None, 10).unwrap().is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is made before the first entry");
        for n in 1..=5 {
            audit.note(n, "backend", "POST /users", &format!("user{n}"), 200);
        }
        assert_eq!(targets(&audit, None, 2), ["user5", "user4"]);
        let last = audit.page(None, 2).unwrap().pop().unwrap();
        assert_eq!((last.id, last.time, last.who.as_str(), last.status), (4, 4, "backend", 200));
        assert_eq!(targets(&audit, Some(4), 10), ["user3", "user2", "user1"]);
    }

    #[test]
    fn ids_go_on_after_a_restart_and_half_a_line_costs_itself_alone() {
        let dir = tempfile::tempdir().unwrap();
        log_in(&dir, 1 << 20).note(1, "a", "b", "one", 200);
        let mut file = OpenOptions::new().append(true).open(dir.path().join(FILE)).unwrap();
        file.write_all(b"{\"id\":2,\"ti").unwrap();
        let audit = log_in(&dir, 1 << 20);
        audit.note(3, "a", "b", "three", 200);
        let page = audit.page(None, 10).unwrap();
        assert_eq!(page.iter().map(|entry| (entry.id, entry.target.as_str())).collect::<Vec<_>>(), [(2, "three"), (1, "one")]);
    }

    #[test]
    fn a_full_file_makes_way_and_the_log_takes_no_more_than_two() {
        let dir = tempfile::tempdir().unwrap();
        let audit = log_in(&dir, 500);
        for n in 1..=40 {
            audit.note(n, "backend", "POST /users", &format!("user{n}"), 200);
        }
        let page = audit.page(None, 100).unwrap();
        let ids: Vec<u64> = page.iter().map(|entry| entry.id).collect();
        assert!(ids.len() >= 6 && ids[0] == 40 && ids.windows(2).all(|pair| pair[0] == pair[1] + 1), "{ids:?}");
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [FILE, FILE_BEFORE]);
        assert!(names.iter().all(|name| fs::metadata(dir.path().join(name)).unwrap().len() < 500 + 200));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone_and_texts_are_cut() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let audit = log_in(&dir, 1 << 20);
        audit.note(1, "a", "b", &"ü".repeat(1_000), 200);
        assert_eq!(targets(&audit, None, 1), ["ü".repeat(256)]);
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_could_not_be_noted_is_counted_in_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let audit = log_in(&dir, 1 << 20);
        audit.lost.store(7, Ordering::Relaxed);
        audit.note(1, "a", "b", "c", 200);
        assert_eq!(targets(&audit, None, 10), ["c", "7"]);
    }
}
