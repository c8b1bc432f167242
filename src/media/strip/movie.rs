//! MP4 and MOV: the boxes that say where a film was taken and with what. They are not taken out, because every sample is found by its
//! place in the file, but turned into free space. Sources: ISO/IEC 14496-12, 3GPP TS 26.244, QuickTime File Format, XMP part 3.
//!
//! A track that follows the camera's place while it films goes with its samples, see [`track`]. What stays: such samples in the
//! pieces of a fragmented film, and a place that is written into pictures, sound or subtitles.

use std::io::{self, Read, Seek};
use std::ops::Range;

use super::boxes::{child, header};
use super::track;
use crate::media::mp4::{self, MOOV_BYTES_MAX, TOP_BOXES_MAX};

/// Boxes looked at inside those at the top, together.
const BOXES_MAX: u32 = 65_536;
/// How deep boxes stand in each other.
const DEPTH_MAX: u8 = 8;

/// Boxes of user data: the place of QuickTime and of 3GPP, XMP, make, model, and what action cameras say of themselves.
const TELLING: &[&[u8; 4]] = &[b"\xA9xyz", b"@xyz", b"loci", b"XMP_", b"\xA9mak", b"\xA9mod", b"@mak", b"@mod", b"GPMF", b"CAME"];
/// Boxes of metadata as XML, in which cameras name themselves and their place.
const XML: &[&[u8; 4]] = &[b"xml ", b"bxml"];
/// The name of a box of XMP.
const XMP: [u8; 16] = *b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC";

/// A box that tells, or samples that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::media) struct Telling {
    /// Where the box's kind stands; none for samples.
    pub kind_at: Option<u64>,
    pub content: Range<u64>,
}

/// Finds what tells where a film was taken and with what. Returns none where there is more than is looked at.
///
/// # Errors
/// Those of the file.
pub(in crate::media) fn telling(mut file: impl Read + Seek) -> io::Result<Option<Vec<Telling>>> {
    let end = file.seek(io::SeekFrom::End(0))?;
    let (mut at, mut found, mut left) = (0, Vec::new(), BOXES_MAX);
    let (mut media, mut samples) = (Vec::new(), Vec::new());
    for _ in 0..TOP_BOXES_MAX {
        let Some((kind, body, next)) = mp4::top_header(&mut file, at, end)? else { break };
        match &kind {
            b"mdat" => media.push(body..next),
            b"moov" | b"meta" | b"udta" if next - body > MOOV_BYTES_MAX => return Ok(None),
            b"moov" | b"meta" | b"udta" => {
                let bytes = mp4::content(&mut file, body, next)?;
                let mut walk = Walk { bytes: &bytes, offset: body, left: &mut left, found: &mut found, samples: &mut samples };
                if walk.inside(&kind, 0..bytes.len(), &[], 0).is_none() {
                    return Ok(None);
                }
            }
            b"uuid" if mp4::content(&mut file, body, next.min(body + 16))? == XMP => {
                found.push(Telling { kind_at: Some(at + 4), content: body..next })
            }
            _ => {}
        }
        at = next;
    }
    let samples = merged(samples.into_iter().filter_map(|samples| within(&media, samples)).collect());
    found.extend(samples.into_iter().map(|content| Telling { kind_at: None, content }));
    Ok(Some(found))
}

/// Returns the same stretches without those that others hold: all together are no longer than the film.
fn merged(mut stretches: Vec<Range<u64>>) -> Vec<Range<u64>> {
    stretches.sort_unstable_by_key(|stretch| stretch.start);
    stretches.dedup_by(|next, last| {
        let is_joined = next.start <= last.end;
        if is_joined {
            last.end = last.end.max(next.end);
        }
        is_joined
    });
    stretches
}

/// Returns as much of a stretch as lies in the media that it begins in: where samples are is only said by the film.
fn within(media: &[Range<u64>], stretch: Range<u64>) -> Option<Range<u64>> {
    let behind = media.partition_point(|media| media.start <= stretch.start);
    let media = media.get(behind.checked_sub(1)?)?;
    (stretch.start < media.end).then(|| stretch.start..stretch.end.min(media.end))
}

struct Walk<'a> {
    bytes: &'a [u8],
    /// Where they stand in the file.
    offset: u64,
    left: &'a mut u32,
    found: &'a mut Vec<Telling>,
    /// Where the samples of tracks that follow the place are said to be.
    samples: &'a mut Vec<Range<u64>>,
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
        while let Some((kind, body)) = header(self.bytes, from, range.end) {
            *self.left = self.left.checked_sub(1)?;
            if &kind == b"trak" && track::follows_place(&self.bytes[body.clone()]) {
                track::samples(&self.bytes[body.clone()], self.left, self.samples)?;
                self.tell(from, body.clone());
            } else if is_telling(parent, kind, keys, &self.bytes[body.clone()]) {
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
        self.found.push(Telling { kind_at: Some(place(from) + 4), content: place(body.start)..place(body.end) });
    }

    /// Returns the boxes of a `meta`, which begins with a version in MP4 and without one in QuickTime.
    fn without_version(&self, range: Range<usize>) -> Range<usize> {
        let is_plain = super::at(self.bytes, range.start + 4) == Some(*b"hdlr");
        if is_plain { range } else { (range.start + 4).min(range.end)..range.end }
    }

    /// Returns the numbers of the keys of a `meta` that tell.
    fn telling_keys(&self, range: Range<usize>) -> Vec<u32> {
        let (mut numbers, mut from) = (Vec::new(), range.start);
        while let Some((kind, body)) = header(self.bytes, from, range.end) {
            if &kind == b"keys" {
                // Version and how many there are; each has its length and its kind before its name.
                let mut key = body.start + 8;
                for number in 1..=BOXES_MAX {
                    let Some((_, name)) = header(self.bytes, key, body.end).filter(|(_, name)| name.end > key) else { break };
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
        b"ilst" => match &kind {
            // An item that has its name with it.
            b"----" => child(content, b"name").is_some_and(|name| is_telling_key(name.get(4..).unwrap_or_default())),
            _ => keys.binary_search(&u32::from_be_bytes(kind)).is_ok() || TELLING.contains(&&kind),
        },
        b"meta" if XML.contains(&&kind) => true,
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
