//! The records of a damaged database, read from its log frame by frame without sled.
//!
//! Every record stands in the log with its key and a checksum of its own, mostly more than once: when it was written, and
//! each time its page was. So one damaged place costs what stood only there. The log is read from its end to its beginning,
//! and the newest word on a key counts: a record, its removal, or a page that would hold it and does not. What was deleted or
//! replaced does not come back that way, unless the word that did it is what was damaged.
//!
//! Frames that do not match their checksums are taken apart all the same. What is found in them counts where it proves
//! itself: it matches a record's checksum, which covers the key, and nothing newer is known.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::carve::carve_messages;
use crate::store::backend::log_file::{LogFiles, SegmentAt};
use crate::store::backend::log_segment::{Frame, FrameKind, Gap, SEGMENT_BYTES, Segment, damaged_frame, read_leaf, read_link, walk};
use crate::store::backend::sled::{PIECE, piece_key, split_pieces};
use crate::store::error::StoreError;
use crate::store::format::record;
use crate::store::format::record_kind::RecordKind;

/// Takes each record that was found, with its key.
pub(crate) type Keep<'a> = &'a mut dyn FnMut(Vec<u8>, Vec<u8>) -> Result<(), StoreError>;

/// A value in several pieces: how many further ones there are, and the first.
type FirstPiece = (u16, Vec<u8>);

/// What the log said.
#[derive(Default)]
pub(crate) struct Replayed {
    /// Keys whose newest word was found.
    decided: HashSet<Vec<u8>>,
    /// Keys that pages newer than anything yet to be read would hold.
    covered: KeyRanges,
    /// Records that were found.
    pub records: u64,
}

impl Replayed {
    /// Returns whether the log says what is to be known of a key.
    pub(crate) fn knows(&self, key: &[u8]) -> bool {
        self.decided.contains(key) || self.covered.contains(key)
    }
}

/// Reads a database's log, and hands over the records that are in it.
pub(crate) fn replay(log: &LogFiles, keep: Keep<'_>) -> Result<Replayed, StoreError> {
    let mut prefixes = Prefixes::default();
    let mut segments = Vec::new();
    for place in log.segments().map_err(StoreError::refused)? {
        let bytes = log.read(place).map_err(StoreError::refused)?;
        let segment = walk(&bytes);
        if !log.is_late(place, segment.number) {
            prefixes.learn(log, &bytes, &segment);
            segments.push((segment.number.unwrap_or(0), place));
        }
    }
    segments.sort_by_key(|(number, _)| *number);
    let mut reader = Reader { log, prefixes, found: Replayed::default(), long: HashMap::new(), pieces: HashMap::new(), keep };
    for (_, place) in segments.into_iter().rev() {
        reader.segment(place)?;
    }
    reader.join_long()?;
    Ok(reader.found)
}

fn lsn_of(number: u64, at: usize) -> u64 {
    number.saturating_mul(SEGMENT_BYTES as u64).saturating_add(at as u64)
}

/// What the keys of each page began with, and since when: the keys of links are shorter by that.
#[derive(Default)]
struct Prefixes {
    of_page: HashMap<u64, BTreeMap<u64, Vec<u8>>>,
}

impl Prefixes {
    fn learn(&mut self, log: &LogFiles, bytes: &[u8], segment: &Segment) {
        let number = segment.number.unwrap_or(0);
        let damaged = segment.gaps.iter().filter_map(|gap| damaged_frame(bytes, gap, segment.number));
        for frame in segment.frames.iter().cloned().chain(damaged).filter(|frame| frame.kind().0 == FrameKind::Node) {
            let body = body_of(log, bytes, &frame);
            if let Some(leaf) = body.as_deref().and_then(read_leaf) {
                self.of_page.entry(frame.page).or_default().insert(lsn_of(number, frame.at), leaf.prefix.to_vec());
            }
        }
    }

    /// Returns the likely one first.
    fn candidates(&self, page: u64, lsn: u64) -> Vec<&Vec<u8>> {
        let Some(known) = self.of_page.get(&page) else { return Vec::new() };
        known.range(..=lsn).rev().chain(known.range(lsn + 1..)).map(|(_, prefix)| prefix).collect()
    }
}

/// Returns a frame's body, wherever it lies.
fn body_of<'a>(log: &LogFiles, bytes: &'a [u8], frame: &Frame) -> Option<Cow<'a, [u8]>> {
    let body = bytes.get(frame.body.clone())?;
    let (_, is_apart) = frame.kind();
    if !is_apart {
        return Some(Cow::Borrowed(body));
    }
    let name = i64::from_le_bytes(body.try_into().ok()?);
    let file = std::fs::read(log.folder.join("blobs").join(name.to_string())).ok()?;
    // Behind a checksum and the kind.
    file.get(5..).map(|body| Cow::Owned(body.to_vec()))
}

struct Reader<'a> {
    log: &'a LogFiles,
    prefixes: Prefixes,
    found: Replayed,
    /// Records whose further pieces are yet to be found.
    long: HashMap<Vec<u8>, FirstPiece>,
    /// Further pieces.
    pieces: HashMap<Vec<u8>, Vec<u8>>,
    keep: Keep<'a>,
}

enum Part {
    Frame(Frame),
    Gap(Gap),
}

impl Part {
    fn at(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.at,
            Self::Gap(gap) => gap.range.start,
        }
    }
}

impl Reader<'_> {
    /// Reads a segment from its end to its beginning.
    fn segment(&mut self, place: SegmentAt) -> Result<(), StoreError> {
        let bytes = self.log.read(place).map_err(StoreError::refused)?;
        let Segment { number, frames, gaps, .. } = walk(&bytes);
        let mut parts: Vec<Part> = frames.into_iter().map(Part::Frame).chain(gaps.into_iter().map(Part::Gap)).collect();
        parts.sort_by_key(Part::at);
        for part in parts.into_iter().rev() {
            let lsn = lsn_of(number.unwrap_or(0), part.at());
            match part {
                Part::Frame(frame) => self.frame(&bytes, &frame, lsn)?,
                Part::Gap(gap) => self.gap(&bytes, &gap, number, lsn)?,
            }
        }
        Ok(())
    }

    fn frame(&mut self, bytes: &[u8], frame: &Frame, lsn: u64) -> Result<(), StoreError> {
        let Some(body) = body_of(self.log, bytes, frame) else { return Ok(()) };
        match frame.kind().0 {
            FrameKind::Other => Ok(()),
            FrameKind::Link => match read_link(&body) {
                Some((suffix, Some(value))) => {
                    let key = self.key_of_link(frame.page, lsn, suffix, value);
                    key.map_or(Ok(()), |key| self.set(key, value))
                }
                Some((suffix, None)) => {
                    let prefix = self.prefixes.candidates(frame.page, lsn).first().copied();
                    if let Some(key) = prefix.map(|prefix| [prefix, suffix].concat())
                        && !self.found.knows(&key)
                    {
                        self.found.decided.insert(key);
                    }
                    Ok(())
                }
                None => Ok(()),
            },
            FrameKind::Node => {
                let Some(leaf) = read_leaf(&body) else { return Ok(()) };
                for (suffix, value) in &leaf.records {
                    self.set([leaf.prefix, *suffix].concat(), value)?;
                }
                if leaf.is_whole {
                    self.found.covered.insert(leaf.low.to_vec(), leaf.high.to_vec());
                }
                Ok(())
            }
        }
    }

    /// Returns the key of a link: with the prefix that its value's checksum confirms, else with the likely one.
    fn key_of_link(&self, page: u64, lsn: u64, suffix: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let mut keys = self.prefixes.candidates(page, lsn).into_iter().map(|prefix| [prefix, suffix].concat());
        let likely = keys.next()?;
        let likely = if proves(&likely, value) { return Some(likely) } else { likely };
        Some(keys.find(|key| proves(key, value)).unwrap_or(likely))
    }

    /// Takes the newest word on a key, where there is none yet.
    fn set(&mut self, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
        if self.found.knows(&key) {
            return Ok(());
        }
        self.found.decided.insert(key.clone());
        if key.first() == Some(&PIECE) {
            self.pieces.insert(key, value.to_vec());
            return Ok(());
        }
        match split_pieces(value) {
            // Where it does not match its checksum it is lost: what was there before is not what it said last.
            Some((0, record)) if is_record(&key, record) => self.keep(key, record.to_vec()),
            Some((0, _)) | None => Ok(()),
            Some((count, first)) => {
                self.long.insert(key, (count, first.to_vec()));
                Ok(())
            }
        }
    }

    fn keep(&mut self, key: Vec<u8>, record: Vec<u8>) -> Result<(), StoreError> {
        self.found.records += 1;
        (self.keep)(key, record)
    }

    /// Takes what proves itself where frames are damaged.
    fn gap(&mut self, bytes: &[u8], gap: &Gap, number: Option<u64>, lsn: u64) -> Result<(), StoreError> {
        let frame = damaged_frame(bytes, gap, number);
        let mut range = gap.range.clone();
        if gap.is_last {
            // Behind the last frame stands what was there in an earlier life of the segment: older than it seems.
            range.end = frame.as_ref().map_or(range.start, |frame| frame.body.end);
        }
        for (key, record) in carve_messages(bytes, range).into_iter().rev() {
            self.set_proven(key, &record)?;
        }
        let Some(frame) = frame else { return Ok(()) };
        let Some(body) = body_of(self.log, bytes, &frame) else { return Ok(()) };
        if let Some((suffix, Some(value))) = read_link(&body)
            && let Some(key) = self.key_of_link(frame.page, lsn, suffix, value)
        {
            self.set_stored(key, value)?;
        }
        for (suffix, value) in read_leaf(&body).map(|leaf| with_prefix(&leaf.records, leaf.prefix)).unwrap_or_default() {
            self.set_stored(suffix, value)?;
        }
        Ok(())
    }

    /// Takes a value as it is stored, if it proves itself; a piece proves itself with its record.
    fn set_stored(&mut self, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
        match split_pieces(value) {
            _ if key.first() == Some(&PIECE) => self.set(key, value),
            Some((0, record)) => self.set_proven(key, record),
            Some(_) if RecordKind::of(&key).is_some() => self.set(key, value),
            Some(_) | None => Ok(()),
        }
    }

    fn set_proven(&mut self, key: Vec<u8>, record: &[u8]) -> Result<(), StoreError> {
        if self.found.knows(&key) || !is_record(&key, record) {
            return Ok(());
        }
        self.found.decided.insert(key.clone());
        self.keep(key, record.to_vec())
    }

    /// Puts together what is in several pieces. Where one is missing, the record is lost.
    fn join_long(&mut self) -> Result<(), StoreError> {
        for (key, (count, mut record)) in std::mem::take(&mut self.long) {
            for piece in 0..count {
                record.extend_from_slice(self.pieces.get(&piece_key(&key, piece)).map_or(&[], Vec::as_slice));
            }
            if is_record(&key, &record) {
                self.keep(key, record)?;
            }
        }
        Ok(())
    }
}

fn with_prefix<'a>(records: &[(&[u8], &'a [u8])], prefix: &[u8]) -> Vec<(Vec<u8>, &'a [u8])> {
    records.iter().map(|(suffix, value)| ([prefix, *suffix].concat(), *value)).collect()
}

fn is_record(key: &[u8], record: &[u8]) -> bool {
    RecordKind::of(key).is_some() && record::check(key, record).is_ok()
}

fn proves(key: &[u8], value: &[u8]) -> bool {
    matches!(split_pieces(value), Some((0, record)) if is_record(key, record))
}

/// Ranges of keys that do not touch each other.
#[derive(Default)]
struct KeyRanges {
    /// From the first key of each to the first behind it; empty: it has no end.
    ranges: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn reaches(end: &[u8], key: &[u8]) -> bool {
    end.is_empty() || end >= key
}

impl KeyRanges {
    fn contains(&self, key: &[u8]) -> bool {
        let before = self.ranges.range::<[u8], _>((std::ops::Bound::Unbounded, std::ops::Bound::Included(key))).next_back();
        before.is_some_and(|(_, end)| end.is_empty() || end.as_slice() > key)
    }

    fn insert(&mut self, mut from: Vec<u8>, mut to: Vec<u8>) {
        if let Some((first, end)) = self.ranges.range(..=from.clone()).next_back()
            && reaches(end, &from)
        {
            from.clone_from(first);
        }
        // Those that begin within it become part of it.
        while let Some((first, end)) = self.ranges.range(from.clone()..).next().filter(|(first, _)| reaches(&to, first)) {
            if end.is_empty() || !to.is_empty() && *end > to {
                to.clone_from(end);
            }
            let first = first.clone();
            self.ranges.remove(&first);
        }
        self.ranges.insert(from, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let mut ranges = KeyRanges::default();
        for (from, to) in [("b", "d"), ("f", "h"), ("d", "e"), ("g", "i"), ("x", ""), ("y", "z")] {
            ranges.insert(from.into(), to.into());
        }
        let found: Vec<_> = ranges.ranges.iter().map(|(from, to)| (from.as_slice(), to.as_slice())).collect();
        assert_eq!(found, [(&b"b"[..], &b"e"[..]), (b"f", b"i"), (b"x", b"")]);
        for (key, inside) in [("a", false), ("b", true), ("dz", true), ("e", false), ("hz", true), ("i", false), ("zz", true)] {
            assert_eq!(ranges.contains(key.as_bytes()), inside, "{key}");
        }
        ranges.insert(Vec::new(), Vec::new());
        assert_eq!(ranges.ranges.len(), 1);
    }
}
