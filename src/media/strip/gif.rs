//! GIF: blocks, of which some are extensions. Source: the specification of `GIF89a`.

use super::{Stripped, at};

/// Applications whose extensions are needed: how often the pictures come again, and the colour profile.
const NEEDED: &[&[u8; 11]] = &[b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012"];

/// Strips a GIF: comments go, and of the extensions of applications all but those for the loop and the colour profile.
pub(super) fn strip(bytes: &[u8]) -> Option<Stripped> {
    if !(bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a")) {
        return None;
    }
    let mut stripped = Stripped::default();
    // Head and screen, and the colours for all pictures.
    let mut next = 13 + colours(*bytes.get(10)?);
    stripped.keep(0..next.min(bytes.len()));
    while let Some(kind) = bytes.get(next) {
        let start = next;
        match kind {
            0x21 => {
                let label = *bytes.get(start + 1).unwrap_or(&0);
                next = blocks_end(bytes, start + 2);
                let is_needed = match label {
                    // How long a picture is shown, and text that is part of it.
                    0xF9 | 0x01 => true,
                    0xFF => at::<11>(bytes, start + 3).is_some_and(|name| NEEDED.contains(&&name)),
                    _ => false,
                };
                if is_needed {
                    stripped.keep(start..next);
                }
            }
            0x2C => {
                // Where it stands, its own colours, how its codes begin.
                let Some(flags) = bytes.get(start + 9) else { break };
                next = blocks_end(bytes, start + 11 + colours(*flags));
                stripped.keep(start..next);
            }
            0x3B => {
                stripped.keep(start..start + 1);
                return Some(stripped);
            }
            _ => break,
        }
    }
    // It was cut off: what there is of it is shown.
    Some(stripped)
}

/// Returns the length of a table of colours, bytes.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 0x07) + 1) }
}

/// Returns where a row of blocks ends: behind an empty one.
fn blocks_end(bytes: &[u8], mut from: usize) -> usize {
    while let Some(length) = bytes.get(from) {
        from += 1 + usize::from(*length);
        if *length == 0 {
            break;
        }
    }
    from.min(bytes.len())
}
