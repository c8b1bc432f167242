//! The boxes of a `moov` that is in memory.

use std::ops::Range;

/// Reads the head of a box: its kind, and where its content stands.
pub(super) fn header(bytes: &[u8], from: usize, end: usize) -> Option<([u8; 4], Range<usize>)> {
    let bytes = bytes.get(from..end)?;
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

/// Returns the content of the first box of a kind.
pub(super) fn child<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    let mut from = 0;
    while let Some((kind, body)) = header(bytes, from, bytes.len()) {
        if &kind == wanted {
            return bytes.get(body);
        }
        from = body.end;
    }
    None
}
