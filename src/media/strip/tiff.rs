//! TIFF, also with 64-bit offsets: directories of entries, each with its value or where that stands. Sources: TIFF 6.0,
//! `BigTIFF`.
//!
//! Offsets point everywhere, so nothing moves: entries are taken out of their directory, and what they pointed at is overwritten.

use std::ops::Range;

use super::{Stripped, at};

/// Directories looked at. A document of a scanner has one a page.
const DIRECTORIES_MAX: usize = 4_096;
/// Entries of one directory.
const ENTRIES_MAX: u64 = 4_096;
/// How deep directories stand in each other: an image, its EXIF, what a camera adds.
const DEPTH_MAX: u8 = 4;

/// Entries that say where, when, by whom and with what.
const TELLING: &[u16] = &[
    // Names, descriptions, makers, times, owners; XMP, IPTC, Photoshop; EXIF and the place.
    269, 270, 271, 272, 285, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34665, 34853, 36867, 36868, 37724, 40965, 50341,
    // Where on the earth each pixel lies.
    33550, 33922, 34264, 34735, 34736, 34737, 42112, // Which camera made a raw image, and what else it says.
    50708, 50735, 50740, 50827, 50828,
];
/// Those of them that are directories: of EXIF, of the place, of how values are to be read.
const TELLING_DIRECTORIES: &[u16] = &[34665, 34853, 40965];
/// Further images in the same file.
const IMAGES: u16 = 330;

/// Strips a TIFF.
pub(super) fn strip(bytes: &[u8]) -> Option<Stripped> {
    let layout = Layout::of(bytes)?;
    let mut walk = Walk { layout, bytes, edits: Vec::new(), seen: Vec::new(), looked_at: 0, blanked: 0 };
    walk.chain(layout.offset(bytes, layout.first)?, 0, false)?;
    let mut stripped = bytes.to_vec();
    for (from, edit) in walk.edits {
        match edit {
            Edit::Zero(length) => stripped.get_mut(from..from.checked_add(length)?)?.fill(0),
            Edit::Write(written) => stripped.get_mut(from..from.checked_add(written.len())?)?.copy_from_slice(&written),
        }
    }
    if stripped == bytes {
        return Some(Stripped::whole(bytes));
    }
    let mut all = Stripped::default();
    all.make(stripped);
    Some(all)
}

/// How numbers are stored, and how long they are.
#[derive(Debug, Clone, Copy)]
struct Layout {
    is_little: bool,
    /// Bytes of an offset.
    offset: usize,
    /// Bytes of the number of entries.
    count: usize,
    /// Where the offset of the first directory stands.
    first: usize,
}

impl Layout {
    fn of(bytes: &[u8]) -> Option<Self> {
        let is_little = match &at(bytes, 0)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let classic = Self { is_little, offset: 4, count: 2, first: 4 };
        match classic.number(bytes, 2, 2)? {
            42 => Some(classic),
            43 => Some(Self { is_little, offset: 8, count: 8, first: 8 }),
            _ => None,
        }
    }

    /// Reads a number of so many bytes, at most 8.
    fn number(self, bytes: &[u8], from: usize, length: usize) -> Option<u64> {
        let digits = bytes.get(from..from.checked_add(length)?)?.iter().map(|byte| u64::from(*byte));
        let add = |sum: u64, byte| sum << 8 | byte;
        Some(if self.is_little { digits.rev().fold(0, add) } else { digits.fold(0, add) })
    }

    fn offset(self, bytes: &[u8], from: usize) -> Option<usize> {
        usize::try_from(self.number(bytes, from, self.offset)?).ok()
    }

    fn write(self, number: u64, length: usize) -> Vec<u8> {
        if self.is_little { number.to_le_bytes()[..length].to_vec() } else { number.to_be_bytes()[8 - length..].to_vec() }
    }

    fn entry(self) -> usize {
        4 + 2 * self.offset
    }
}

#[derive(Debug)]
enum Edit {
    Zero(usize),
    Write(Vec<u8>),
}

struct Walk<'a> {
    layout: Layout,
    bytes: &'a [u8],
    edits: Vec<(usize, Edit)>,
    seen: Vec<usize>,
    /// Bytes of all directories. They do not overlap, so that no file has more than its length of them.
    looked_at: usize,
    /// Bytes of all values that go; few share them.
    blanked: usize,
}

impl Walk<'_> {
    /// Goes through a directory and those behind it.
    fn chain(&mut self, mut from: usize, depth: u8, is_telling: bool) -> Option<()> {
        while from != 0 {
            from = self.directory(from, depth, is_telling)?;
        }
        Some(())
    }

    /// Takes out of a directory what tells, or all of it. Returns where the next one stands; 0: nowhere.
    fn directory(&mut self, from: usize, depth: u8, is_telling: bool) -> Option<usize> {
        let (layout, bytes) = (self.layout, self.bytes);
        if self.seen.contains(&from) {
            return Some(0);
        }
        if self.seen.len() >= DIRECTORIES_MAX || depth > DEPTH_MAX {
            return None;
        }
        self.seen.push(from);
        let count = layout.number(bytes, from, layout.count).filter(|count| *count <= ENTRIES_MAX)?;
        let entries = from + layout.count;
        let end = entries.checked_add(usize::try_from(count).ok()? * layout.entry())?;
        // The last one of a file may stop short of it.
        let next = layout.offset(bytes, end);
        let length = end + next.map_or(0, |_| layout.offset) - from;
        self.looked_at += length;
        if end > bytes.len() || self.looked_at > bytes.len() {
            return None;
        }
        let mut kept = Vec::new();
        for entry in (entries..end).step_by(layout.entry()) {
            let tag = u16::try_from(layout.number(bytes, entry, 2)?).ok()?;
            if is_telling || TELLING.contains(&tag) {
                self.take_out(entry, tag, depth)?;
            } else {
                kept.extend_from_slice(bytes.get(entry..entry + layout.entry())?);
                if tag == IMAGES {
                    self.inner(entry, depth, false)?;
                }
            }
        }
        if is_telling {
            self.edits.push((from, Edit::Zero(length)));
        } else if kept.len() < end - entries {
            let count = u64::try_from(kept.len() / layout.entry()).ok()?;
            let behind = layout.write(u64::try_from(next.unwrap_or(0)).ok()?, layout.offset);
            let mut written = [layout.write(count, layout.count), kept, behind].concat();
            written.resize(length.max(written.len()), 0);
            self.edits.push((from, Edit::Write(written)));
        }
        Some(next.unwrap_or(0))
    }

    /// Overwrites what an entry points at. None: it is more than any file would have.
    fn take_out(&mut self, entry: usize, tag: u16, depth: u8) -> Option<()> {
        if TELLING_DIRECTORIES.contains(&tag) {
            // What cannot be followed is not found by others either, once the entry is gone.
            let _followed = self.inner(entry, depth, true);
        }
        let Some(value) = self.value(entry) else { return Some(()) };
        // One that stands in the entry itself goes with it; one beyond the end is not there.
        if value.start < self.bytes.len() && !(entry..entry + self.layout.entry()).contains(&value.start) {
            let end = value.end.min(self.bytes.len());
            self.blanked += end - value.start;
            self.edits.push((value.start, Edit::Zero(end - value.start)));
        }
        (self.blanked <= self.bytes.len().saturating_mul(4)).then_some(())
    }

    /// Goes through the directories that an entry names.
    fn inner(&mut self, entry: usize, depth: u8, is_telling: bool) -> Option<()> {
        let (value, width) = (self.value(entry)?, self.layout.offset);
        if value.len() > width * DIRECTORIES_MAX {
            return None;
        }
        for from in value.step_by(width) {
            let from = self.layout.offset(self.bytes, from)?;
            self.chain(from, depth + 1, is_telling)?;
        }
        Some(())
    }

    /// Returns where the value of an entry stands.
    fn value(&self, entry: usize) -> Option<Range<usize>> {
        let layout = self.layout;
        let width = match layout.number(self.bytes, entry + 2, 2)? {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => 1,
        };
        let length = usize::try_from(layout.number(self.bytes, entry + 4, layout.offset)?.checked_mul(width)?).ok()?;
        let inline = entry + 4 + layout.offset;
        let from = if length <= layout.offset { inline } else { layout.offset(self.bytes, inline)? };
        Some(from..from.checked_add(length)?)
    }
}
