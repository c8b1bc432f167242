//! The log of a database as files of segments, and keeping what sled would overwrite in it.
//!
//! When sled opens a database whose log is damaged, it takes what comes before the damage for the end, writes zeroes over
//! what comes behind, and reports nothing. What it would overwrite is copied first, into the file `torn.<number>` beside
//! the database: salvage finds it there, and it goes once the store has been found whole. As long as it is there it is not
//! written again: it holds what was before sled wrote anything. All that sled has written since stands in segments from that
//! number on, and of these the file holds all that there were.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::log_mend::mend;
use super::log_segment::{SEGMENT_BYTES, SEGMENT_HEADER_BYTES, Segment, read_header, walk};
use super::snapshots;
use crate::private_files::{create_private, sync_names};

/// Begins the name of the file.
const TORN: &str = "torn.";

/// Where a segment lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentAt {
    file: usize,
    offset: u64,
}

/// The files of a log, open for reading.
pub(crate) struct LogFiles {
    /// Where the database lies.
    pub folder: PathBuf,
    /// The database's own first.
    files: Vec<File>,
    /// The database's own segments from this number on were written after the log was found to be damaged.
    written_from: Option<u64>,
}

/// Returns the file of torn segments, and the number in its name.
fn torn_file(folder: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(TORN)?.parse().ok());
        if let Some(number) = number {
            return Ok(Some((entry.path(), number)));
        }
    }
    Ok(None)
}

impl LogFiles {
    /// Opens the log of a database, as far as it is there, with what was copied of it before.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let mut log = Self { folder: folder.to_owned(), files: Vec::new(), written_from: None };
        match File::open(folder.join("db")) {
            Ok(db) => log.files.push(db),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(log),
            Err(error) => return Err(error),
        }
        if let Some((torn, number)) = torn_file(folder)? {
            log.files.push(File::open(torn)?);
            log.written_from = Some(number);
        }
        Ok(log)
    }

    /// Returns whether a segment was written after the log was found to be damaged: it says what sled made of that.
    pub(crate) fn is_late(&self, place: SegmentAt, number: Option<u64>) -> bool {
        let is_late = |from| place.file == 0 && number.is_some_and(|number| number >= from);
        self.written_from.is_some_and(is_late)
    }

    /// Returns all segments.
    pub(crate) fn segments(&self) -> io::Result<Vec<SegmentAt>> {
        let mut segments = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            let offsets = (0..file.metadata()?.len()).step_by(SEGMENT_BYTES);
            segments.extend(offsets.map(|offset| SegmentAt { file: number, offset }));
        }
        Ok(segments)
    }

    /// Reads a segment. One that is cut off is shorter.
    pub(crate) fn read(&self, place: SegmentAt) -> io::Result<Vec<u8>> {
        read_at(&self.files[place.file], place.offset, SEGMENT_BYTES)
    }
}

fn read_at(mut file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    file.seek(SeekFrom::Start(offset))?;
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Copies the segments that sled would overwrite, or not read to their end, when it opens the database now. Mostly there
/// are none.
pub(crate) fn keep_torn_segments(folder: &Path) -> io::Result<()> {
    let db = match File::open(folder.join("db")) {
        Ok(db) => db,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if torn_file(folder)?.is_some() {
        return Ok(());
    }
    let first_read = snapshots::newest_lsn(folder)? / SEGMENT_BYTES as u64 * SEGMENT_BYTES as u64;
    let (mut read, mut stable) = (Vec::new(), 0);
    for offset in (0..db.metadata()?.len()).step_by(SEGMENT_BYTES) {
        let header = read_header(&read_at(&db, offset, SEGMENT_HEADER_BYTES)?);
        stable = stable.max(header.map_or(0, |(_, stable)| stable));
        if header.is_none_or(|(lsn, _)| lsn >= first_read) {
            read.extend(look_at(read_at(&db, offset, SEGMENT_BYTES)?, offset));
        }
    }
    let tail = stable / SEGMENT_BYTES as u64;
    let offsets = torn_of(read, tail);
    if offsets.is_empty() {
        return Ok(());
    }
    tracing::warn!(database = %folder.display(), segments = offsets.len(), "the log is damaged: a copy of these segments is kept");
    write_torn(folder, tail, &db, &offsets)
}

/// What decides whether sled would overwrite a segment.
struct SegmentSeen {
    number: u64,
    offset: u64,
    is_torn: bool,
    is_full: bool,
}

/// Looks at a segment that lies at an offset; none: nothing tells which it is.
fn look_at(mut bytes: Vec<u8>, offset: u64) -> Option<SegmentSeen> {
    let is_torn = walk(&bytes).is_torn();
    // The end of a log is mostly what a last write left that did not end. A frame there that can be mended was written whole.
    let is_torn = mend(&mut bytes) > 0 || is_torn;
    let Segment { number, is_full, .. } = walk(&bytes);
    number.map(|number| SegmentSeen { number, offset, is_torn, is_full })
}

/// Returns where the segments lie that sled would overwrite, or not read to their end. Those from `tail` on it reads only as
/// far as they are whole and follow each other; those before, each as far as it is whole.
fn torn_of(mut segments: Vec<SegmentSeen>, tail: u64) -> Vec<u64> {
    segments.sort_by_key(|segment| segment.number);
    let last = segments.last().map_or(0, |segment| segment.number);
    let is_torn = |segment: &SegmentSeen| segment.is_torn || !segment.is_full && segment.number < last;
    let in_tail = || segments.iter().filter(|segment| segment.number >= tail);
    let follow_each_other = in_tail().zip(tail..).all(|(segment, number)| segment.number == number);
    if follow_each_other && !segments.iter().any(is_torn) {
        return Vec::new();
    }
    segments.iter().filter(|segment| is_torn(segment) || segment.number >= tail).map(|segment| segment.offset).collect()
}

/// Writes the file whole or not at all.
fn write_torn(folder: &Path, tail: u64, db: &File, offsets: &[u64]) -> io::Result<()> {
    let draft = folder.join("torn");
    if draft.exists() {
        fs::remove_file(&draft)?;
    }
    let mut file = create_private(&draft)?;
    for offset in offsets {
        let mut bytes = read_at(db, *offset, SEGMENT_BYTES)?;
        bytes.resize(SEGMENT_BYTES, 0);
        file.write_all(&bytes)?;
    }
    file.sync_all()?;
    fs::rename(draft, folder.join(format!("{TORN}{tail}")))?;
    sync_names(folder)
}

/// Returns whether torn segments of a database are kept.
pub(crate) fn has_torn_segments(folder: &Path) -> io::Result<bool> {
    torn_file(folder).map(|torn| torn.is_some())
}

/// Deletes what [`keep_torn_segments`] kept of a database that was found whole.
pub(crate) fn forget_torn_segments(folder: &Path) -> io::Result<()> {
    torn_file(folder)?.map_or(Ok(()), |(path, _)| fs::remove_file(path))
}
