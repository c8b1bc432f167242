//! JPEG: segments, each behind a marker, and scans between them. Source: ITU-T T.81, annex B.

use super::{Stripped, at, exif};

/// Before the TIFF in a segment of EXIF.
const EXIF: &[u8] = b"Exif\0\0";

/// Returns whether a segment is needed to show the picture as it was meant.
fn is_needed(marker: u8, content: &[u8]) -> bool {
    match marker {
        // Frames, tables, scans, restart intervals, lines.
        0xC0..=0xCF | 0xDA..=0xDF => true,
        0xE0 => content.starts_with(b"JFIF\0"),
        0xE2 => content.starts_with(b"ICC_PROFILE\0"),
        // How the colours are stored.
        0xEE => content.starts_with(b"Adobe"),
        _ => false,
    }
}

/// Strips a JPEG: of its segments those stay that are needed, and nothing behind its end, where cameras put further pictures and
/// films.
pub(super) fn strip(bytes: &[u8]) -> Option<Stripped> {
    if at(bytes, 0)? != [0xFF, 0xD8] {
        return None;
    }
    let mut stripped = Stripped::default();
    stripped.keep(0..2);
    let (mut next, mut has_turn) = (2, false);
    while let Some((start, marker)) = marker_from(bytes, next) {
        match marker {
            0xD9 => {
                stripped.keep(start..start + 2);
                return Some(stripped);
            }
            // They stand alone, and only within scans mean anything.
            0x01 | 0xD0..=0xD8 => {
                next = start + 2;
                continue;
            }
            _ => {}
        }
        let Some(length) = at(bytes, start + 2).map(u16::from_be_bytes).filter(|length| *length >= 2) else { break };
        let end = start + 2 + usize::from(length);
        let Some(content) = bytes.get(start + 4..end) else { break };
        next = if marker == 0xDA { scan_end(bytes, end) } else { end };
        if is_needed(marker, content) {
            stripped.keep(start..next);
        } else if marker == 0xE1 && !has_turn && content.starts_with(EXIF) {
            has_turn = true;
            if let Some(turn) = exif::only_orientation(&content[EXIF.len()..]) {
                stripped.replace(bytes, start, segment(0xE1, &[EXIF, &turn].concat()));
            }
        }
    }
    // It was cut off: what there is of it is shown.
    Some(stripped)
}

/// Finds the next marker: where its first byte stands, and its second.
fn marker_from(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
    let rest = bytes.get(from..)?;
    let found = rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF))?;
    Some((from + found, rest[found + 1]))
}

/// Returns where the compressed data of a scan ends: at a marker that is not one of its own.
fn scan_end(bytes: &[u8], mut from: usize) -> usize {
    while let Some((start, marker)) = marker_from(bytes, from) {
        if !matches!(marker, 0xD0..=0xD7) {
            return start;
        }
        from = start + 2;
    }
    bytes.len()
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap_or(u16::MAX).to_be_bytes();
    [&[0xFF, marker], &length[..], content].concat()
}
