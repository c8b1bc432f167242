//! Tracks that follow the camera's place while it films: those of action cameras, of telephones, of drones. Sources: ISO/IEC
//! 14496-12, QuickTime File Format (timed metadata), `GoPro`'s GPMF, Google's Camera Motion Metadata Spec.

use std::ops::Range;

use super::boxes::child;

/// What the samples of such tracks are called: `GoPro`'s, Google's, Sony's, DJI's.
const FORMATS: &[&[u8; 4]] = &[b"gpmd", b"camm", b"rtmd", b"djmd", b"dbgi"];

fn inside<'a>(trak: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(trak, |bytes, kind| child(bytes, kind))
}

/// Returns whether a track is of the camera's place: by the format of its samples, or because it is timed metadata whose
/// description names a place.
pub(super) fn follows_place(trak: &[u8]) -> bool {
    let Some(description) = inside(trak, &[b"mdia", b"minf", b"stbl", b"stsd"]) else { return false };
    // Version and flags, count, then the first entry: size, format.
    let is_known = super::at::<4>(description, 12).is_some_and(|format| FORMATS.contains(&&format));
    // Version and flags, a type, then what the track is.
    let is_timed = inside(trak, &[b"mdia", b"hdlr"]).and_then(|handler| super::at::<4>(handler, 8)) == Some(*b"meta");
    let names = |part: &[u8]| memchr::memmem::find(&description.to_ascii_lowercase(), part).is_some();
    is_known || is_timed && (names(b"location") || names(b"gps"))
}

/// Adds where the samples of a track are said to be, chunk by chunk. Returns none where there are more chunks than are looked at.
pub(super) fn samples(trak: &[u8], left: &mut u32, found: &mut Vec<Range<u64>>) -> Option<()> {
    let Some(table) = inside(trak, &[b"mdia", b"minf", b"stbl"]) else { return Some(()) };
    let chunks = child(table, b"stco").map(|chunks| (chunks, 4)).or_else(|| child(table, b"co64").map(|chunks| (chunks, 8)));
    let (Some((chunks, width)), Some(mut sizes)) = (chunks, Sizes::of(table)) else { return Some(()) };
    let mut runs = Runs::of(table);
    for (place, number) in chunks.get(8..).unwrap_or_default().chunks_exact(width).zip(1u32..) {
        let place = place.iter().fold(0u64, |place, byte| place << 8 | u64::from(*byte));
        let bytes = sizes.take(runs.samples_in(number));
        if bytes == 0 {
            continue;
        }
        *left = left.checked_sub(1)?;
        found.push(place..place.saturating_add(bytes));
    }
    Some(())
}

/// How many samples a chunk has. Each entry: from which chunk on, samples, description.
struct Runs<'a> {
    rest: &'a [u8],
    samples: u32,
}

impl<'a> Runs<'a> {
    fn of(table: &'a [u8]) -> Self {
        Self { rest: child(table, b"stsc").and_then(|entries| entries.get(8..)).unwrap_or_default(), samples: 0 }
    }

    fn samples_in(&mut self, chunk: u32) -> u32 {
        while let (Some(first), Some(samples)) = (super::at(self.rest, 0), super::at(self.rest, 4)) {
            if u32::from_be_bytes(first) > chunk {
                break;
            }
            self.samples = u32::from_be_bytes(samples);
            self.rest = self.rest.get(12..).unwrap_or_default();
        }
        self.samples
    }
}

/// How many bytes the samples have, one after another.
enum Sizes<'a> {
    /// All the same.
    One(u32),
    Each(std::slice::ChunksExact<'a, u8>),
}

impl<'a> Sizes<'a> {
    /// Reads version and flags, the size of all or 0, count, then the size of each.
    fn of(table: &'a [u8]) -> Option<Self> {
        let sizes = child(table, b"stsz")?;
        match u32::from_be_bytes(super::at(sizes, 4)?) {
            0 => Some(Self::Each(sizes.get(12..).unwrap_or_default().chunks_exact(4))),
            one => Some(Self::One(one)),
        }
    }

    fn take(&mut self, count: u32) -> u64 {
        match self {
            Self::One(size) => u64::from(*size) * u64::from(count),
            Self::Each(sizes) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let size = |size: &[u8]| size.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
                sizes.by_ref().take(count).map(size).sum()
            }
        }
    }
}
