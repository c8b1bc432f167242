//! One segment of a database's log, read without sled: what it holds, and where it is not as it was written.
//!
//! sled 0.34.7 keeps a database as a log, cut into segments. It is told here because salvage reads what sled refuses to:
//! ```text
//! segment := u32 crc32 ^ !0, i64 lsn ^ i64::MAX, i64 stable lsn ^ i64::MAX, frame…     little-endian
//! frame   := u32 crc32 ^ !0, u8 kind, length, segment number, page number, body        the checksum is over body and header
//! node    := next, merging child, u8 merging, u8 prefix length, low, high,
//!            u8 0, count, key…, value…                                                  a leaf, all of a page's records
//!            u8 1, count, key…, page…                                                   an index, all pages below a page
//! link    := u8 0, key, value | u8 1, key                                               a record set, or removed
//! key     := length, bytes without the page's prefix      value := length, bytes
//! ```
//! Lengths and numbers are of variable size. A segment's number is its lsn divided by [`SEGMENT_BYTES`]; it stands in every
//! frame, so frames of an earlier life of the segment, which lie behind its end, are told apart.

use std::ops::Range;

pub(crate) const SEGMENT_BYTES: usize = 512 << 10;
pub(crate) const SEGMENT_HEADER_BYTES: usize = 20;
/// Before a frame's body: checksum, kind.
const FRAME_FIXED_BYTES: usize = 5;
/// Where less is left, no frame begins.
pub(crate) const FRAME_HEADER_BYTES_MAX: usize = 32;
/// The kind of the frame that ends a segment.
const CAP: u8 = 2;
const KIND_MAX: u8 = 11;

/// A part of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where in the segment it begins.
    pub at: usize,
    kind: u8,
    pub page: u64,
    pub body: Range<usize>,
}

/// What a frame does to its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// It says all that is in it.
    Node,
    /// It changes one record.
    Link,
    /// It says nothing of records.
    Other,
}

impl Frame {
    /// Returns what it does, and whether its body lies in a file of its own.
    pub(crate) fn kind(&self) -> (FrameKind, bool) {
        match self.kind {
            8 | 9 => (FrameKind::Node, self.kind == 9),
            10 | 11 => (FrameKind::Link, self.kind == 11),
            _ => (FrameKind::Other, false),
        }
    }
}

/// A stretch of a segment where no frame matches its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    pub range: Range<usize>,
    /// Whether nothing sound comes behind it: then it may be what was there before.
    pub is_last: bool,
}

/// A segment taken apart.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// None: neither its header nor any frame tells.
    pub number: Option<u64>,
    /// The last lsn known to be on disk when it was begun.
    pub stable_lsn: Option<u64>,
    pub frames: Vec<Frame>,
    pub gaps: Vec<Gap>,
    /// Whether its frames go on to its end: only the last segment's do not.
    pub is_full: bool,
}

impl Segment {
    /// Returns whether sound frames lie where sled does not look for any.
    pub(crate) fn is_torn(&self) -> bool {
        let headless = self.stable_lsn.is_none() && !self.frames.is_empty();
        headless || self.gaps.iter().any(|gap| !gap.is_last)
    }
}

/// Reads a number of variable size off the front.
pub(crate) fn pop_number(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let first = u64::from(*first);
    let (number, used) = match first {
        0..=240 => (first, 0),
        241..=248 => (240 + 256 * (first - 241) + u64::from(*rest.first()?), 1),
        249 => (2288 + 256 * u64::from(*rest.first()?) + u64::from(*rest.get(1)?), 2),
        _ => {
            let used = usize::try_from(first - 247).ok()?;
            let little_endian = rest.get(..used)?;
            (little_endian.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)), used)
        }
    };
    *bytes = rest.get(used..)?;
    Some(number)
}

fn checksum(header: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(header);
    !hasher.finalize()
}

fn little_endian(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Returns the lsn and the stable lsn of a segment's header; none: it does not match its checksum.
pub(crate) fn read_header(segment: &[u8]) -> Option<(u64, u64)> {
    let header = segment.get(..SEGMENT_HEADER_BYTES)?;
    let (sum, rest) = header.split_first_chunk::<4>()?;
    let mask = i64::MAX.cast_unsigned();
    let is_sound = !u32::from_le_bytes(*sum) == crc32fast::hash(rest);
    let (lsn, stable) = (little_endian(rest, 0)? ^ mask, little_endian(rest, 8)? ^ mask);
    // The first segment of a log says -1: nothing was on disk before it.
    is_sound.then_some((lsn, if stable.cast_signed() < 0 { 0 } else { stable }))
}

/// What a frame's header says, and what the frame's checksum is.
pub(crate) struct Header {
    pub frame: Frame,
    number: u64,
    /// The checksum as it is stored.
    pub stored: u32,
    /// The checksum of what is there; none: the body would reach beyond the segment.
    pub computed: Option<u32>,
}

impl Header {
    /// Returns whether the frame matches its checksum.
    pub(crate) fn is_sound(&self) -> bool {
        self.computed == Some(self.stored)
    }
}

/// Reads a frame's header at a place; none: there can be none.
pub(crate) fn read_frame(segment: &[u8], at: usize, number: Option<u64>) -> Option<Header> {
    let kind = *segment.get(at + 4)?;
    if kind == 0 || kind > KIND_MAX {
        return None;
    }
    let mut rest = segment.get(at + FRAME_FIXED_BYTES..)?;
    let length = usize::try_from(pop_number(&mut rest)?).ok()?;
    let found = pop_number(&mut rest)?;
    if number.is_some_and(|number| number != found) {
        return None;
    }
    let page = pop_number(&mut rest)?;
    let begin = segment.len() - rest.len();
    let body = begin..begin.checked_add(length)?;
    let stored = u32::from_le_bytes(segment.get(at..at + 4)?.try_into().ok()?);
    let computed = segment.get(body.clone()).map(|body| checksum(&segment[at + 4..begin], body));
    Some(Header { frame: Frame { at, kind, page, body }, number: found, stored, computed })
}

/// Takes a segment apart. Where frames are damaged it looks for the next sound one.
pub(crate) fn walk(segment: &[u8]) -> Segment {
    let header = read_header(segment);
    let number = header.map(|(lsn, _)| lsn / SEGMENT_BYTES as u64);
    let mut found = Segment { number, stable_lsn: header.map(|(_, stable)| stable), ..Segment::default() };
    let mut at = SEGMENT_HEADER_BYTES;
    while at < segment.len() {
        let sound = |at: usize| read_frame(segment, at, found.number).filter(Header::is_sound);
        let Some(header) = (at..segment.len()).find_map(sound) else {
            found.gaps.push(Gap { range: at..segment.len(), is_last: true });
            break;
        };
        let Frame { at: begin, kind, ref body, .. } = header.frame;
        if begin > at {
            found.gaps.push(Gap { range: at..begin, is_last: false });
        }
        at = body.end;
        found.number = Some(header.number);
        found.frames.push(header.frame);
        if kind == CAP {
            found.is_full = true;
            break;
        }
    }
    found.is_full |= at > SEGMENT_BYTES - FRAME_HEADER_BYTES_MAX;
    found
}

/// Returns the frame whose header can be read where a gap begins, though it does not match its checksum; its body ends
/// where the gap does.
pub(crate) fn damaged_frame(segment: &[u8], gap: &Gap, number: Option<u64>) -> Option<Frame> {
    let mut frame = read_frame(segment, gap.range.start, number)?.frame;
    frame.body.end = frame.body.end.min(gap.range.end);
    (frame.body.start <= frame.body.end).then_some(frame)
}

/// What a leaf's body says.
pub(crate) struct Leaf<'a> {
    pub low: &'a [u8],
    /// Empty: it has no end.
    pub high: &'a [u8],
    /// What all keys begin with.
    pub prefix: &'a [u8],
    /// The page whose keys follow, from `high` on; 0: not known.
    pub next: u64,
    /// Keys without the prefix, and values; as many as can be read.
    pub records: Vec<(&'a [u8], &'a [u8])>,
    /// Whether these are all.
    pub is_whole: bool,
}

/// Splits a length and so many bytes off the front.
fn pop_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(pop_number(bytes)?).ok()?;
    let (front, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(front)
}

fn pop_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

/// What a node's body begins with.
struct NodeHead<'a> {
    next: u64,
    low: &'a [u8],
    high: &'a [u8],
    prefix: &'a [u8],
    is_index: bool,
    count: u64,
}

fn pop_node_head<'a>(rest: &mut &'a [u8]) -> Option<NodeHead<'a>> {
    let (next, _merging_child, _merging) = (pop_number(rest)?, pop_number(rest)?, pop_byte(rest)?);
    let prefix = usize::from(pop_byte(rest)?);
    let (low, high) = (pop_bytes(rest)?, pop_bytes(rest)?);
    let (prefix, is_index) = (low.get(..prefix)?, pop_byte(rest)? != 0);
    Some(NodeHead { next, low, high, prefix, is_index, count: pop_number(rest)? })
}

/// Reads so many keys; fewer where they cannot be read.
fn pop_keys<'a>(rest: &mut &'a [u8], count: u64) -> Vec<&'a [u8]> {
    (0..count).map_while(|_| pop_bytes(rest)).collect()
}

/// Reads a node's body; none: it is no leaf, or its beginning cannot be read.
pub(crate) fn read_leaf(mut body: &[u8]) -> Option<Leaf<'_>> {
    let rest = &mut body;
    let NodeHead { next, low, high, prefix, is_index, count } = pop_node_head(rest)?;
    if is_index {
        return None;
    }
    let keys = pop_keys(rest, count);
    // Values come behind all keys.
    let has_keys = keys.len() as u64 == count;
    let records: Vec<_> = if has_keys { keys.into_iter().map_while(|key| Some((key, pop_bytes(rest)?))).collect() } else { Vec::new() };
    let is_whole = records.len() as u64 == count;
    Some(Leaf { low, high, prefix, next, records, is_whole })
}

/// Reads an index's body: the pages below it, each with the key it begins with. Empty: it is none, or cannot be read.
pub(crate) fn read_index(mut body: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let rest = &mut body;
    let Some(head) = pop_node_head(rest).filter(|head| head.is_index) else { return Vec::new() };
    let keys = pop_keys(rest, head.count);
    if keys.len() as u64 != head.count {
        return Vec::new();
    }
    keys.into_iter().map_while(|key| Some((pop_number(rest)?, [head.prefix, key].concat()))).collect()
}

/// Reads a link's body: a key without the prefix, and its value; no value: the key is removed.
pub(crate) fn read_link(mut body: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let rest = &mut body;
    match pop_byte(rest)? {
        0 => Some((pop_bytes(rest)?, Some(pop_bytes(rest)?))),
        1 => Some((pop_bytes(rest)?, None)),
        _ => None,
    }
}

/// Returns a frame of a short body in a segment of a small number.
#[cfg(test)]
pub(crate) fn sealed_frame(kind: u8, number: u8, page: u8, body: &[u8]) -> Vec<u8> {
    let rest = [kind, u8::try_from(body.len()).unwrap(), number, page];
    [&checksum(&rest, body).to_le_bytes()[..], &rest, body].concat()
}

/// Returns a segment of these frames, empty behind them.
#[cfg(test)]
pub(crate) fn sealed_segment(number: u64, frames: &[Vec<u8>]) -> Vec<u8> {
    let masked = |lsn: u64| (lsn ^ i64::MAX.cast_unsigned()).to_le_bytes();
    let rest = [masked(number * SEGMENT_BYTES as u64), masked(7)].concat();
    let mut bytes = [&(!crc32fast::hash(&rest)).to_le_bytes()[..], &rest, &frames.concat()].concat();
    bytes.resize(SEGMENT_BYTES, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_size() {
        let cases: [(&[u8], u64); 7] = [
            (&[240], 240),
            (&[241, 1], 241),
            (&[248, 255], 2287),
            (&[249, 0, 0], 2288),
            (&[249, 255, 255], 67823),
            (&[250, 1, 2, 3], 0x03_0201),
            (&[255, 1, 0, 0, 0, 0, 0, 0, 2], 0x0200_0000_0000_0001),
        ];
        for (mut bytes, number) in cases {
            assert_eq!((pop_number(&mut bytes), bytes.len()), (Some(number), 0));
        }
        assert_eq!(pop_number(&mut &[250, 1, 2][..]), None);
    }

    #[test]
    fn the_first_segment_of_a_log_names_no_last_lsn_on_disk() {
        let header = |number: u64, stable: i64| {
            let mask = i64::MAX.cast_unsigned();
            let rest = [((number * SEGMENT_BYTES as u64) ^ mask).to_le_bytes(), (stable.cast_unsigned() ^ mask).to_le_bytes()].concat();
            [&(!crc32fast::hash(&rest)).to_le_bytes()[..], &rest].concat()
        };
        assert_eq!(read_header(&header(0, -1)), Some((0, 0)));
        assert_eq!(read_header(&header(2, 700_000)), Some((2 * SEGMENT_BYTES as u64, 700_000)));
    }

    #[test]
    fn sound_frames_behind_a_damaged_one_are_found_and_those_of_an_earlier_life_are_not() {
        let frames = [
            sealed_frame(8, 3, 1, b"one"),
            sealed_frame(10, 3, 2, b"two"),
            sealed_frame(10, 3, 3, b"three"),
            sealed_frame(10, 2, 4, b"earlier"),
        ];
        let whole = sealed_segment(3, &frames);
        let pages = |segment: &Segment| segment.frames.iter().map(|frame| frame.page).collect::<Vec<_>>();
        let found = walk(&whole);
        assert_eq!((pages(&found), found.number, found.stable_lsn), (vec![1, 2, 3], Some(3), Some(7)));
        assert!(!found.is_torn() && found.gaps.iter().all(|gap| gap.is_last));

        let mut bad = whole.clone();
        let second = SEGMENT_HEADER_BYTES + frames[0].len();
        bad[second + 9] ^= 1;
        let found = walk(&bad);
        assert_eq!(pages(&found), [1, 3]);
        assert!(found.is_torn());
        let gap = &found.gaps[0];
        assert_eq!(gap.range, second..second + frames[1].len());
        assert_eq!(damaged_frame(&bad, gap, found.number).map(|frame| frame.page), Some(2));

        let mut headless = whole;
        headless[5] ^= 1;
        let found = walk(&headless);
        assert_eq!((pages(&found), found.number), (vec![1, 2, 3], Some(3)));
        assert!(found.is_torn());
    }
}
