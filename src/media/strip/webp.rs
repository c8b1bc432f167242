//! WebP: chunks in a RIFF. Source: WebP container specification.

use super::{Stripped, at, exif};

/// Chunks that are needed to show the picture, or all pictures of an animated one, as it was meant.
const NEEDED: &[&[u8; 4]] = &[b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];
/// In the flags of `VP8X`.
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;

/// Strips a WebP: of its chunks those stay that are needed, and nothing behind the last.
pub(super) fn strip(bytes: &[u8]) -> Option<Stripped> {
    let claimed = u32::from_le_bytes(at(bytes, 4)?);
    if at(bytes, 0)? != *b"RIFF" || at(bytes, 8)? != *b"WEBP" {
        return None;
    }
    let end = usize::try_from(claimed).ok()?.checked_add(8)?.min(bytes.len());
    let (mut kept, mut flags, mut next) = (Stripped::default(), None, 12);
    let mut turn = None;
    while let (Some(kind), Some(length)) = (at::<4>(&bytes[..end], next), at(&bytes[..end], next + 4).map(u32::from_le_bytes)) {
        let start = next;
        let content_end = start.checked_add(8)?.checked_add(usize::try_from(length).ok()?)?.min(end);
        // Each begins at an even offset.
        next = content_end.checked_add(content_end % 2)?.min(end);
        match &kind {
            b"VP8X" if flags.is_none() && content_end >= start + 18 => {
                flags = Some(start + 8);
                kept.keep(start..next);
            }
            b"EXIF" if turn.is_none() => {
                let content = &bytes[start + 8..content_end];
                turn = exif::only_orientation(content.strip_prefix(b"Exif\0\0").unwrap_or(content)).map(|turn| (start, turn));
            }
            kind if NEEDED.contains(&kind) => kept.keep(start..next),
            _ => {}
        }
    }
    Some(assemble(bytes, kept, flags, turn))
}

/// Puts the head before what is kept, with the length and the flags that it has now.
fn assemble(bytes: &[u8], mut kept: Stripped, flags_at: Option<usize>, turn: Option<(usize, Vec<u8>)>) -> Stripped {
    let turn = turn.filter(|_| flags_at.is_some());
    let has_turn = turn.is_some();
    if let Some((start, turn)) = turn {
        let length = u32::try_from(turn.len()).unwrap_or_default().to_le_bytes();
        kept.replace(bytes, start, [&b"EXIF"[..], &length, &turn].concat());
    }
    let length = 4 + kept.pieces.iter().map(super::Piece::length).sum::<usize>();
    let head = [&b"RIFF"[..], &u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes(), b"WEBP"].concat();
    let mut stripped = Stripped::default();
    stripped.replace(bytes, 0, head);
    for piece in kept.pieces {
        match (piece, flags_at) {
            (super::Piece::Kept(range), Some(flags)) if range.contains(&flags) => {
                let now = bytes[flags] & !(HAS_EXIF | HAS_XMP) | if has_turn { HAS_EXIF } else { 0 };
                stripped.keep(range.start..flags);
                stripped.replace(bytes, flags, vec![now]);
                stripped.keep(flags + 1..range.end);
            }
            (super::Piece::Kept(range), _) => stripped.keep(range),
            (super::Piece::Made(made), _) => stripped.make(made),
        }
    }
    stripped
}
