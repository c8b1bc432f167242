//! MP4 and MOV: the boxes that say where a film was taken and with what. They are not taken out, because every sample is found by its
//! place in the file, but turned into free space. Sources: ISO/IEC 14496-12, 3GPP TS 26.244, QuickTime File Format, XMP part 3.
//!
//! Tracks that follow the camera's place while it films, as action cameras write them, stay.

use std::io::{self, Read, Seek};
use std::ops::Range;

use crate::media::mp4::{self, MOOV_BYTES_MAX, TOP_BOXES_MAX};

/// Boxes looked at inside those at the top, together.
const BOXES_MAX: u32 = 65_536;
/// How deep boxes stand in each other.
const DEPTH_MAX: u8 = 8;

/// Boxes of user data: the place of QuickTime and of 3GPP, XMP, make, model.
const TELLING: &[&[u8; 4]] = &[b"\xA9xyz", b"loci", b"XMP_", b"\xA9mak", b"\xA9mod"];
/// The name of a box of XMP.
const XMP: [u8; 16] = *b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC";

/// A box that tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::media) struct Telling {
    /// Where its kind stands.
    pub kind_at: u64,
    pub content: Range<u64>,
}

/// Finds the boxes of a film that tell where it was taken and with what. Returns none where there are more boxes than are looked at.
///
/// # Errors
/// Those of the file.
pub(in crate::media) fn telling(mut file: impl Read + Seek) -> io::Result<Option<Vec<Telling>>> {
    let end = file.seek(io::SeekFrom::End(0))?;
    let (mut at, mut found, mut left) = (0, Vec::new(), BOXES_MAX);
    for _ in 0..TOP_BOXES_MAX {
        let Some((kind, body, next)) = mp4::top_header(&mut file, at, end)? else { break };
        match &kind {
            b"moov" | b"meta" | b"udta" if next - body <= MOOV_BYTES_MAX => {
                let bytes = mp4::content(&mut file, body, next)?;
                let mut walk = Walk { bytes: &bytes, offset: body, left: &mut left, found: &mut found };
                if walk.inside(&kind, 0..bytes.len(), &[], 0).is_none() {
                    return Ok(None);
                }
            }
            b"uuid" if mp4::content(&mut file, body, next.min(body + 16))? == XMP => {
                found.push(Telling { kind_at: at + 4, content: body..next })
            }
            _ => {}
        }
        at = next;
    }
    Ok(Some(found))
}

struct Walk<'a> {
    bytes: &'a [u8],
    /// Where they stand in the file.
    offset: u64,
    left: &'a mut u32,
    found: &'a mut Vec<Telling>,
}

impl Walk<'_> {
    /// Looks at the boxes inside one; `keys` are those of its items that tell, numbered from 1, ascending.
    fn inside(&mut self, parent: &[u8; 4], range: Range<usize>, keys: &[u32], depth: u8) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let range = if parent == b"meta" { self.without_version(range) } else { range };
        let own = if parent == b"meta" { self.telling_keys(range.clone()) } else { Vec::new() };
        let mut from = range.start;
        while let Some((kind, body)) = self.header(from, range.end) {
            *self.left = self.left.checked_sub(1)?;
            if is_telling(parent, kind, keys, &self.bytes[body.clone()]) {
                self.tell(from, body.clone());
            } else if matches!(&kind, b"moov" | b"trak" | b"udta" | b"meta" | b"ilst") {
                self.inside(&kind, body.clone(), &own, depth + 1)?;
            }
            from = body.end;
        }
        Some(())
    }

    fn tell(&mut self, from: usize, body: Range<usize>) {
        let place = |at: usize| self.offset + u64::try_from(at).unwrap_or_default();
        self.found.push(Telling { kind_at: place(from) + 4, content: place(body.start)..place(body.end) });
    }

    /// Reads the head of a box: its kind, and where its content stands.
    fn header(&self, from: usize, end: usize) -> Option<([u8; 4], Range<usize>)> {
        let bytes = self.bytes.get(from..end)?;
        let kind = super::at(bytes, 4)?;
        let (head, size) = match u32::from_be_bytes(super::at(bytes, 0)?) {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(u64::from_be_bytes(super::at(bytes, 8)?)).ok()?),
            size => (8, usize::try_from(size).ok()?),
        };
        // What goes beyond its parent is looked at as far as it is there.
        let size = size.min(bytes.len());
        (size >= head).then(|| (kind, from + head..from + size))
    }

    /// Returns the boxes of a `meta`, which begins with a version in MP4 and without one in QuickTime.
    fn without_version(&self, range: Range<usize>) -> Range<usize> {
        let is_plain = super::at(self.bytes, range.start + 4) == Some(*b"hdlr");
        if is_plain { range } else { (range.start + 4).min(range.end)..range.end }
    }

    /// Returns the numbers of the keys of a `meta` that tell.
    fn telling_keys(&self, range: Range<usize>) -> Vec<u32> {
        let (mut numbers, mut from) = (Vec::new(), range.start);
        while let Some((kind, body)) = self.header(from, range.end) {
            if &kind == b"keys" {
                // Version and how many there are; each has its length and its kind before its name.
                let mut key = body.start + 8;
                for number in 1..=BOXES_MAX {
                    let Some((_, name)) = self.header(key, body.end).filter(|(_, name)| name.end > key) else { break };
                    if is_telling_key(&self.bytes[name.clone()]) {
                        numbers.push(number);
                    }
                    key = name.end;
                }
            }
            from = body.end;
        }
        numbers
    }
}

fn is_telling(parent: &[u8; 4], kind: [u8; 4], keys: &[u32], content: &[u8]) -> bool {
    match parent {
        b"ilst" => keys.binary_search(&u32::from_be_bytes(kind)).is_ok() || TELLING.contains(&&kind),
        _ if &kind == b"uuid" => content.starts_with(&XMP),
        _ => parent == b"udta" && TELLING.contains(&&kind),
    }
}

/// Returns whether a key such as `com.apple.quicktime.location.ISO6709` is of the place or the camera.
fn is_telling_key(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let has = |part: &[u8]| memchr::memmem::find(&name, part).is_some();
    has(b"location") || has(b"gps") || has(b"camera") || matches!(last, b"make" | b"model" | b"manufacturer")
}
