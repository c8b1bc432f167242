//! PNG: a signature and chunks. Source: PNG specification, third edition.

use super::{Stripped, at, exif};

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Chunks that are needed to show the picture, or all pictures of an animated one, as it was meant.
const NEEDED: &[&[u8; 4]] = &[
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"hIST",
    b"pHYs", b"sPLT", b"acTL", b"fcTL", b"fdAT",
];

/// Strips a PNG: of its chunks those stay that are needed, and nothing behind the last.
pub(super) fn strip(bytes: &[u8]) -> Option<Stripped> {
    if at(bytes, 0)? != SIGNATURE {
        return None;
    }
    let mut stripped = Stripped::default();
    stripped.keep(0..8);
    let mut next = 8;
    while let (Some(length), Some(kind)) = (at(bytes, next).map(u32::from_be_bytes), at::<4>(bytes, next + 4)) {
        let start = next;
        let content = start + 8;
        let content_end = content.checked_add(usize::try_from(length).ok()?)?;
        // One that was cut off is shown as far as it goes.
        next = content_end.checked_add(4)?.min(bytes.len());
        if NEEDED.contains(&&kind) {
            stripped.keep(start..next);
        } else if &kind == b"eXIf"
            && let Some(turn) = bytes.get(content..content_end).and_then(exif::only_orientation)
        {
            stripped.replace(bytes, start, chunk(kind, &turn));
        }
        if &kind == b"IEND" {
            break;
        }
    }
    Some(stripped)
}

fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    let body = [&kind[..], content].concat();
    [&length[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}
