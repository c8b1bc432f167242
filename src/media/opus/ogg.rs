//! Opus in Ogg. Source: RFC 3533 and RFC 7845.

use std::io::{self, Read};

use super::{fill, samples_of_packet, skip};

/// Of a page, behind `OggS`: version to the number of its segments.
const HEAD_BYTES: usize = 23;
/// Bytes of a packet that are looked at: of the first one its header.
const LOOKED_AT: usize = 19;

/// A packet as far as it has come.
#[derive(Default)]
struct Packet {
    begins: [u8; LOOKED_AT],
    bytes: usize,
}

impl Packet {
    /// Takes what follows of it from a page.
    fn take(&mut self, source: &mut impl Read, bytes: usize) -> io::Result<bool> {
        let looked_at = bytes.min(LOOKED_AT.saturating_sub(self.bytes));
        let whole = fill(source, &mut self.begins[self.bytes.min(LOOKED_AT)..][..looked_at])? && skip(source, (bytes - looked_at) as u64)?;
        self.bytes += bytes;
        Ok(whole)
    }
}

/// Counts the samples of a file whose first four bytes were read; none: it is no Opus, or not alone. A file that is cut off plays as
/// far as it goes.
pub(super) fn samples(mut source: impl Read) -> io::Result<Option<u64>> {
    let (mut voice, mut packets, mut samples, mut ahead) = (None, 0u64, 0u64, 0u64);
    let mut packet = Packet::default();
    loop {
        let mut head = [0; HEAD_BYTES];
        if !fill(&mut source, &mut head)? {
            break;
        }
        let serial = [head[10], head[11], head[12], head[13]];
        if *voice.get_or_insert(serial) != serial {
            return Ok(None);
        }
        let mut lengths = [0; 255];
        let lengths = &mut lengths[..usize::from(head[22])];
        if !fill(&mut source, lengths)? {
            break;
        }
        for length in lengths.iter().map(|length| usize::from(*length)) {
            if !packet.take(&mut source, length)? {
                return Ok(played(packets, samples, ahead));
            }
            // A segment of 255 bytes goes on in the next one.
            if length == 255 {
                continue;
            }
            match packets {
                0 if !packet.begins.starts_with(b"OpusHead") => return Ok(None),
                0 => ahead = u64::from(u16::from_le_bytes([packet.begins[10], packet.begins[11]])),
                1 => {}
                _ if packet.bytes == 0 => {}
                _ => samples += samples_of_packet(packet.begins[0], (packet.bytes > 1).then_some(packet.begins[1])),
            }
            packets += 1;
            packet = Packet::default();
        }
        let mut next = [0; 4];
        if !fill(&mut source, &mut next)? || next != *b"OggS" {
            break;
        }
    }
    Ok(played(packets, samples, ahead))
}

/// The first samples are for the decoder to settle, and not heard.
fn played(packets: u64, samples: u64, ahead: u64) -> Option<u64> {
    (packets > 2).then(|| samples.saturating_sub(ahead))
}
