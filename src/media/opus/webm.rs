//! Opus in `WebM`. Source: RFC 8794 (EBML) and RFC 9559 (Matroska).
//!
//! The elements are read one after the other: those that hold others are entered, all others are stepped over. So it does not
//! matter that browsers write the length of a recording as unknown.

use std::io::{self, Read};

use super::{fill, samples_of_packet, skip};

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK: u32 = 0xAE;
const TRACK_KIND: u32 = 0x83;
const CODEC: u32 = 0x86;
const CLUSTER: u32 = 0x1F43_B675;
const GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const SIMPLE_BLOCK: u32 = 0xA3;

/// The kind of a track that is heard.
const AUDIO: u8 = 2;
const CODEC_NAME: &[u8] = b"A_OPUS";

/// What an element is, and how long.
struct Element {
    id: u32,
    /// None: as long as its parent.
    bytes: Option<u64>,
}

/// Counts the samples of a file whose first element's id was read; none: it is no Opus, or there is more in it than one voice.
pub(super) fn samples(mut source: impl Read) -> io::Result<Option<u64>> {
    let Some(Some(bytes)) = length(&mut source)? else { return Ok(None) };
    if !skip(&mut source, bytes)? {
        return Ok(None);
    }
    let (mut voices, mut samples) = (0u32, 0u64);
    while let Some(Element { id, bytes }) = element(&mut source)? {
        let went_on = match (id, bytes) {
            (SEGMENT | TRACKS | CLUSTER | GROUP, _) => true,
            (TRACK, _) => {
                voices += 1;
                voices == 1
            }
            (TRACK_KIND, Some(1)) => {
                let mut kind = [0];
                fill(&mut source, &mut kind)? && kind[0] == AUDIO
            }
            (CODEC, Some(bytes)) if bytes == CODEC_NAME.len() as u64 => {
                let mut name = [0; CODEC_NAME.len()];
                fill(&mut source, &mut name)? && name == *CODEC_NAME
            }
            (TRACK_KIND | CODEC | EBML, _) => false,
            (BLOCK | SIMPLE_BLOCK, Some(bytes)) => {
                let Some(more) = block(&mut source, bytes)? else { break };
                samples += more;
                true
            }
            (_, Some(bytes)) => {
                if !skip(&mut source, bytes)? {
                    break;
                }
                true
            }
            (_, None) => false,
        };
        if !went_on {
            return Ok(None);
        }
    }
    Ok((voices == 1).then_some(samples))
}

/// Counts the samples of a block; none when the file ends in it. Frames that are laced together play as long as the first of them.
fn block(source: &mut impl Read, bytes: u64) -> io::Result<Option<u64>> {
    // Track, time, flags, and of the frame what says how long it plays.
    let mut head = [0; 6];
    let known = usize::try_from(bytes).map_or(head.len(), |bytes| bytes.min(head.len()));
    if !fill(source, &mut head[..known])? || !skip(source, bytes - known as u64)? {
        return Ok(None);
    }
    // A track number of more than one byte, or lacing, is nothing that a recording of one voice has.
    let is_plain = head[0] & 0x80 != 0 && head[3] & 0x06 == 0;
    Ok(Some(if known > 4 && is_plain { samples_of_packet(head[4], (known > 5).then_some(head[5])) } else { 0 }))
}

fn element(source: &mut impl Read) -> io::Result<Option<Element>> {
    let mut first = [0];
    if !fill(source, &mut first)? {
        return Ok(None);
    }
    let more = first[0].leading_zeros() as usize;
    let mut rest = [0; 3];
    if more > 3 || !fill(source, &mut rest[..more])? {
        return Ok(None);
    }
    let id = rest[..more].iter().fold(u32::from(first[0]), |id, byte| id << 8 | u32::from(*byte));
    Ok(length(source)?.map(|bytes| Element { id, bytes }))
}

/// Reads a length: none when the file ends in it or it is none, and none inside when it says that it is unknown.
#[expect(clippy::option_option, reason = "no length, and one that is unknown")]
fn length(source: &mut impl Read) -> io::Result<Option<Option<u64>>> {
    let mut first = [0];
    if !fill(source, &mut first)? {
        return Ok(None);
    }
    let zeros = first[0].leading_zeros();
    let more = zeros as usize;
    let mut rest = [0; 7];
    if more > 7 || !fill(source, &mut rest[..more])? {
        return Ok(None);
    }
    let bits = 7 * (zeros + 1);
    let begins = u64::from(first[0]) & (0x7F >> more);
    let length = rest[..more].iter().fold(begins, |length, byte| length << 8 | u64::from(*byte));
    Ok(Some((length < (1 << bits) - 1).then_some(length)))
}
