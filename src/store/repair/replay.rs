//! The records of a damaged database, read from its log frame by frame without sled.
//!
//! Every record stands in the log with its key and a checksum of its own, mostly more than once: when it was written, and
//! each time its page was. So one damaged place costs what stood only there. The log is read from its end to its beginning,
//! and the newest word on a key counts: a record, its removal, or a page that would hold it and does not. What was deleted or
//! replaced does not come back that way, unless the word that did it is what was damaged.
//!
//! Frames in which one bit is wrong are mended first. The others that do not match their checksums are taken apart all the
//! same. What is found in them counts where it proves itself: it matches a record's checksum, which covers the key, and nothing
//! newer is known. Whatever else stands in them decides nothing: where one length is wrong, all behind it is read askew.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use super::carve::carve_messages;
use super::pieces::{Pieces, Source};
use super::prefixes::Prefixes;
use crate::store::backend::log_file::{LogFiles, SegmentAt};
use crate::store::backend::log_mend::mend;
use crate::store::backend::log_segment::{
    Frame, FrameKind, Gap, SEGMENT_BYTES, Segment, damaged_frame, read_index, read_leaf, read_link, walk,
};
use crate::store::backend::sled::{PIECE, split_pieces};
use crate::store::error::StoreError;
use crate::store::format::record;
use crate::store::format::record_kind::RecordKind;

/// Takes each record that was found, with its key.
pub(crate) type Keep<'a> = &'a mut dyn FnMut(Vec<u8>, Vec<u8>) -> Result<(), StoreError>;

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
        let bytes = read_mended(log, place)?;
        let segment = walk(&bytes);
        if !log.is_late(place, segment.number) {
            learn_nodes(&mut prefixes, log, &bytes, &segment);
            segments.push((segment.number.unwrap_or(0), place));
        }
    }
    if prefixes.has_gaps() {
        for (_, place) in &segments {
            learn_links(&mut prefixes, log, &read_mended(log, *place)?);
        }
    }
    segments.sort_by_key(|(number, _)| *number);
    let mut reader = Reader { log, prefixes, found: Replayed::default(), pieces: Pieces::default(), keep };
    for (_, place) in segments.into_iter().rev() {
        reader.segment(place)?;
    }
    reader.join_long()?;
    Ok(reader.found)
}

fn lsn_of(number: u64, at: usize) -> u64 {
    number.saturating_mul(SEGMENT_BYTES as u64).saturating_add(at as u64)
}

/// Reads a segment, and mends what can be mended of it.
fn read_mended(log: &LogFiles, place: SegmentAt) -> Result<Vec<u8>, StoreError> {
    let mut bytes = log.read(place).map_err(StoreError::refused)?;
    mend(&mut bytes);
    Ok(bytes)
}

/// Learns what the nodes of a segment say of where pages begin.
fn learn_nodes(prefixes: &mut Prefixes, log: &LogFiles, bytes: &[u8], segment: &Segment) {
    let number = segment.number.unwrap_or(0);
    prefixes.learn_gaps(lsn_of(number, 0), segment);
    let damaged = segment.gaps.iter().filter_map(|gap| damaged_frame(bytes, gap, segment.number));
    for frame in segment.frames.iter().cloned().chain(damaged).filter(|frame| frame.kind().0 == FrameKind::Node) {
        let Some(body) = body_of(log, bytes, &frame) else { continue };
        match read_leaf(&body) {
            Some(leaf) => prefixes.learn_leaf(frame.page, lsn_of(number, frame.at), &leaf),
            None => read_index(&body).iter().for_each(|(page, low)| prefixes.learn_low(*page, low)),
        }
    }
}

/// Learns what the links of a segment say of where pages begin, where nodes may be missing.
fn learn_links(prefixes: &mut Prefixes, log: &LogFiles, bytes: &[u8]) {
    let Segment { number, frames, .. } = walk(bytes);
    for frame in frames.iter().filter(|frame| frame.kind().0 == FrameKind::Link) {
        let lsn = lsn_of(number.unwrap_or(0), frame.at);
        if prefixes.certain(frame.page, lsn).is_some() {
            continue;
        }
        let Some(body) = body_of(log, bytes, frame) else { continue };
        let Some((suffix, Some(value))) = read_link(&body) else { continue };
        let key = prefixes.keys(frame.page, lsn, suffix).find(|key| proves(key, value));
        if let Some(prefix) = key.as_deref().and_then(|key| key.strip_suffix(suffix)) {
            prefixes.learn(frame.page, lsn, prefix);
        }
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
    pieces: Pieces,
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
        let bytes = read_mended(self.log, place)?;
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
                Some((suffix, Some(value))) => match self.key_of_link(frame.page, lsn, suffix, value) {
                    Some(key) => self.set(key, value),
                    None => self.link_stored(frame.page, lsn, suffix, value),
                },
                Some((suffix, None)) => {
                    self.remove(frame.page, lsn, suffix);
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

    /// Returns the key of a link that sets a value: with the prefix that the value's checksum confirms, else with the one that
    /// is certain.
    fn key_of_link(&self, page: u64, lsn: u64, suffix: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let proven = self.prefixes.keys(page, lsn, suffix).find(|key| proves(key, value));
        proven.or_else(|| self.prefixes.certain(page, lsn).map(|prefix| [prefix, suffix].concat()))
    }

    /// Takes a link that sets a value, if the value proves which key that is and what it says.
    fn link_stored(&mut self, page: u64, lsn: u64, suffix: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let keys: Vec<_> = self.prefixes.keys(page, lsn, suffix).collect();
        keys.into_iter().try_for_each(|key| self.set_stored(key, value))
    }

    /// Takes the word that a key is removed, where there is none yet. Where nothing tells which key, none of those that it may be
    /// comes back.
    fn remove(&mut self, page: u64, lsn: u64, suffix: &[u8]) {
        let keys: Vec<_> = match self.prefixes.known(page, lsn).next() {
            Some(likely) => vec![[likely, suffix].concat()],
            None => self.prefixes.keys(page, lsn, suffix).collect(),
        };
        for key in keys {
            if !self.found.knows(&key) {
                self.found.decided.insert(key);
            }
        }
    }

    /// Takes the newest word on a key, where there is none yet.
    fn set(&mut self, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
        if self.found.knows(&key) {
            return Ok(());
        }
        self.found.decided.insert(key.clone());
        if key.first() == Some(&PIECE) {
            self.pieces.further(key, value, Source::Sound);
            return Ok(());
        }
        match split_pieces(value) {
            // Where it does not match its checksum it is lost: what was there before is not what it said last.
            Some((0, record)) if is_record(&key, record) => self.keep(key, record.to_vec()),
            Some((0, _)) | None => Ok(()),
            Some((count, first)) => {
                self.pieces.first(key, count, first);
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
        if let Some((suffix, Some(value))) = read_link(&body) {
            self.link_stored(frame.page, lsn, suffix, value)?;
        }
        for (suffix, value) in read_leaf(&body).map(|leaf| with_prefix(&leaf.records, leaf.prefix)).unwrap_or_default() {
            self.set_stored(suffix, value)?;
        }
        Ok(())
    }

    /// Takes a value as it is stored, if it proves itself; one in pieces does so once they are put together.
    fn set_stored(&mut self, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
        if self.found.knows(&key) {
            return Ok(());
        }
        match split_pieces(value) {
            _ if key.first() == Some(&PIECE) => self.pieces.further(key, value, Source::Damaged),
            Some((0, record)) => return self.set_proven(key, record),
            Some((count, first)) if RecordKind::of(&key).is_some() => self.pieces.first(key, count, first),
            Some(_) | None => {}
        }
        Ok(())
    }

    fn set_proven(&mut self, key: Vec<u8>, record: &[u8]) -> Result<(), StoreError> {
        if self.found.knows(&key) || !is_record(&key, record) {
            return Ok(());
        }
        self.found.decided.insert(key.clone());
        self.keep(key, record.to_vec())
    }

    /// Puts together what is in several pieces. What was kept of the same key before is older.
    fn join_long(&mut self) -> Result<(), StoreError> {
        for (key, record) in std::mem::take(&mut self.pieces).join(is_record) {
            self.found.decided.insert(key.clone());
            self.keep(key, record)?;
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

/// Returns whether a value is a record of this key.
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
