//! Who changed what, and who came in: one JSON object a line in `<data_dir>/audit.log`, mode 0600.
//!
//! Whoever has something to note puts it into a bounded queue and goes on; a thread of the log's own writes what waits and
//! makes it durable (`fdatasync`) before it takes more: a crash costs what is in the queue and nothing that was written. When
//! the queue is full the entry is lost and the log says how many were. Nothing is made on disk before the first entry.
//!
//! When the file has grown to its bound it becomes `audit.log.1`, in place of the one before: the log takes twice the bound.

mod lines;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use self::lines::newest_first;
use crate::private_files::{make_folder, restrict};

const FILE: &str = "audit.log";
const FILE_BEFORE: &str = "audit.log.1";

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
    /// Answered when everything before it is in the file.
    Flush(SyncSender<()>),
}

struct Writer {
    queue: SyncSender<Said>,
    thread: JoinHandle<()>,
}

/// The log of one data directory.
pub(crate) struct Audit {
    data_dir: PathBuf,
    bytes_max: u64,
    /// Begins with the first entry.
    writer: Mutex<Option<Writer>>,
    lost: std::sync::Arc<AtomicU64>,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl Audit {
    /// `bytes_max`: of one file.
    pub(crate) fn new(data_dir: &Path, bytes_max: u64) -> Self {
        Self { data_dir: data_dir.to_owned(), bytes_max, writer: Mutex::default(), lost: std::sync::Arc::default() }
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
    /// Reads files: not on a thread that serves sockets.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub(crate) fn page(&self, before: Option<u64>, limit: usize) -> io::Result<Vec<Entry>> {
        self.flush();
        let mut page = Vec::new();
        for name in [FILE, FILE_BEFORE] {
            let file = match File::open(self.data_dir.join(name)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            newest_first(file, |line| {
                // A line that a crash cut in two is none.
                let entry = serde_json::from_slice::<Entry>(line).ok();
                page.extend(entry.filter(|entry| before.is_none_or(|before| entry.id < before)));
                page.len() < limit
            })?;
            if page.len() >= limit {
                break;
            }
        }
        Ok(page)
    }

    /// Waits until everything noted before is in the file.
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
            let mut log = Log { data_dir: self.data_dir.clone(), bytes_max: self.bytes_max, lost: self.lost.clone(), open: None };
            match std::thread::Builder::new().name("tidings-audit".into()).spawn(move || log.write_all_of(&said)) {
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

fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

struct Open {
    file: File,
    bytes: u64,
    next_id: u64,
}

/// What the thread has.
struct Log {
    data_dir: PathBuf,
    bytes_max: u64,
    lost: std::sync::Arc<AtomicU64>,
    open: Option<Open>,
}

impl Log {
    fn write_all_of(&mut self, queue: &Receiver<Said>) {
        while let Ok(first) = queue.recv() {
            let mut asked = Vec::new();
            for said in std::iter::once(first).chain(queue.try_iter()).take(BATCH_MAX) {
                match said {
                    Said::Note(entry) => self.write(entry),
                    Said::Flush(done) => asked.push(done),
                }
            }
            self.sync();
            for done in asked {
                let _told_or_gone = done.send(()).is_ok();
            }
        }
    }

    fn write(&mut self, entry: Entry) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let said = Entry { who: "audit".into(), action: "audit.lost".into(), target: lost.to_string(), status: 503, ..entry.clone() };
            self.append(said);
        }
        self.append(entry);
    }

    fn append(&mut self, entry: Entry) {
        if let Err(error) = self.try_append(entry) {
            self.open = None;
            self.lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, "an entry of the audit log could not be written");
        }
    }

    fn try_append(&mut self, mut entry: Entry) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.bytes >= self.bytes_max) {
            self.sync();
            fs::rename(self.data_dir.join(FILE), self.data_dir.join(FILE_BEFORE))?;
            let next_id = self.open.take().map(|open| open.next_id);
            let begun = self.begin()?;
            self.open = Some(Open { next_id: next_id.unwrap_or(begun.next_id), ..begun });
        }
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        entry.id = open.next_id;
        let mut line = serde_json::to_vec(&entry).map_err(io::Error::other)?;
        line.push(b'\n');
        open.file.write_all(&line)?;
        open.bytes += line.len() as u64;
        open.next_id += 1;
        Ok(())
    }

    /// Opens the file behind what is in it.
    fn begin(&self) -> io::Result<Open> {
        make_folder(&self.data_dir)?;
        let path = self.data_dir.join(FILE);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        restrict(&path)?;
        let mut last = 0;
        for name in [FILE, FILE_BEFORE] {
            let Ok(file) = File::open(self.data_dir.join(name)) else { continue };
            newest_first(file, |line| {
                last = serde_json::from_slice::<Entry>(line).map_or(0, |entry| entry.id);
                last == 0
            })?;
            if last > 0 {
                break;
            }
        }
        let bytes = file.metadata()?.len();
        let mut open = Open { file, bytes, next_id: last + 1 };
        if !ends_with_line_end(&path)? {
            // Behind a line that a crash cut in two.
            open.file.write_all(b"\n")?;
        }
        Ok(open)
    }

    fn sync(&self) {
        if let Some(Err(error)) = self.open.as_ref().map(|open| open.file.sync_data()) {
            tracing::error!(%error, "the audit log could not be made durable");
        }
    }
}

fn ends_with_line_end(path: &Path) -> io::Result<bool> {
    let mut ends = true;
    newest_first(File::open(path)?, |line| {
        ends = line.is_empty();
        false
    })?;
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(audit: &Audit, before: Option<u64>, limit: usize) -> Vec<String> {
        audit.page(before, limit).unwrap().into_iter().map(|entry| entry.target).collect()
    }

    #[test]
    fn entries_are_read_newest_first_and_page_by_page() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::new(dir.path(), 1 << 20);
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
        Audit::new(dir.path(), 1 << 20).note(1, "a", "b", "one", 200);
        let mut file = OpenOptions::new().append(true).open(dir.path().join(FILE)).unwrap();
        file.write_all(b"{\"id\":2,\"ti").unwrap();
        let audit = Audit::new(dir.path(), 1 << 20);
        audit.note(3, "a", "b", "three", 200);
        let page = audit.page(None, 10).unwrap();
        assert_eq!(page.iter().map(|entry| (entry.id, entry.target.as_str())).collect::<Vec<_>>(), [(2, "three"), (1, "one")]);
    }

    #[test]
    fn a_full_file_makes_way_and_the_log_takes_no_more_than_two() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::new(dir.path(), 500);
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
        let audit = Audit::new(dir.path(), 1 << 20);
        audit.note(1, "a", "b", &"ü".repeat(1_000), 200);
        assert_eq!(targets(&audit, None, 1), ["ü".repeat(256)]);
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_could_not_be_noted_is_counted_in_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::new(dir.path(), 1 << 20);
        audit.lost.store(7, Ordering::Relaxed);
        audit.note(1, "a", "b", "c", 200);
        assert_eq!(targets(&audit, None, 10), ["c", "7"]);
    }
}
