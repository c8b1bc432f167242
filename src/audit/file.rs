//! The log as files of a data directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::lines::newest_first;
use super::{Entry, Log};
use crate::private_files::{make_folder, restrict};

pub(super) const FILE: &str = "audit.log";
pub(super) const FILE_BEFORE: &str = "audit.log.1";

/// Returns the newest entries first, at most `limit`, below the id `before`.
pub(super) fn page(data_dir: &Path, before: Option<u64>, limit: usize) -> io::Result<Vec<Entry>> {
    let mut page = Vec::new();
    for name in [FILE, FILE_BEFORE] {
        let file = match File::open(data_dir.join(name)) {
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

struct Open {
    file: File,
    bytes: u64,
    next_id: u64,
}

/// The log of one data directory.
pub(super) struct FileLog {
    data_dir: PathBuf,
    bytes_max: u64,
    open: Option<Open>,
}

impl Log for FileLog {
    fn append(&mut self, entries: Vec<Entry>) -> usize {
        let mut lost = 0;
        for entry in entries {
            if let Err(error) = self.try_append(entry) {
                self.open = None;
                lost += 1;
                tracing::error!(%error, "an entry of the audit log could not be written");
            }
        }
        self.sync();
        lost
    }
}

impl FileLog {
    pub(super) fn new(data_dir: PathBuf, bytes_max: u64) -> Self {
        Self { data_dir, bytes_max, open: None }
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
