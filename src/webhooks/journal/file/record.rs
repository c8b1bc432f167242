//! How one record is written and read. Pure; the layout is in the journal's own documentation.

pub(super) const HEADER: [u8; 8] = *b"TDWH\x01\0\0\0";
/// Of a record: length, checksum, kind, seq.
pub(super) const FRAME: usize = 4 + 4 + 1 + 8;
/// What is behind the checksum of a record without payload.
pub(super) const BARE: usize = 1 + 8;
/// No record is larger: a message and its names, with room.
pub(super) const RECORD_MAX: usize = 128 << 20;

pub(super) const PUT: u8 = 1;
pub(super) const NOTE: u8 = 2;
pub(super) const GONE: u8 = 3;
pub(super) const MARK: u8 = 4;

pub(super) fn frame(kind: u8, seq: u64, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(BARE + payload.len()).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(FRAME + payload.len());
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&[0; 4]);
    record.push(kind);
    record.extend_from_slice(&seq.to_le_bytes());
    record.extend_from_slice(payload);
    let checksum = crc32fast::hash(&record[8..]);
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
    record
}

/// One record at the beginning of `bytes`: kind, seq, payload; none if it is cut off or not as it was written.
pub(super) fn parse(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let length = length_of(bytes)?;
    let checksum = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    let content = bytes.get(8..8 + length)?;
    if crc32fast::hash(content) != checksum {
        return None;
    }
    let seq = u64::from_le_bytes(content.get(1..BARE)?.try_into().ok()?);
    Some((content[0], seq, &content[BARE..]))
}

pub(super) fn length_of(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    usize::try_from(length).ok().filter(|length| (BARE..=RECORD_MAX).contains(length))
}
