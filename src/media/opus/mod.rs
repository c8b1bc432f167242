//! How long a voice in Opus plays, in Ogg or in `WebM`: what browsers record. Headers may lie or be missing, so every packet is
//! looked at; none is decoded. Nothing is allocated by a length that the file gives.

mod ogg;
mod webm;

use std::io::{self, Read};

/// Samples in a second: Opus counts at 48 kHz, whatever it was recorded at. Source: RFC 6716.
const SAMPLES_PER_SECOND: u64 = 48_000;

/// A file that holds one voice in Opus, and no film.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Voice {
    pub(super) mime: &'static str,
    pub(super) duration_ms: u64,
}

/// Reads a file from its beginning; returns none when it is no voice in Opus.
///
/// # Errors
/// Those of reading.
pub(super) fn read(mut source: impl Read) -> io::Result<Option<Voice>> {
    let mut head = [0; 4];
    if !fill(&mut source, &mut head)? {
        return Ok(None);
    }
    let (mime, samples) = match &head {
        b"OggS" => ("audio/ogg", ogg::samples(source)?),
        [0x1A, 0x45, 0xDF, 0xA3] => ("audio/webm", webm::samples(source)?),
        _ => return Ok(None),
    };
    let duration_ms = samples.unwrap_or(0) * 1000 / SAMPLES_PER_SECOND;
    Ok((duration_ms > 0).then_some(Voice { mime, duration_ms }))
}

/// Fills a buffer; returns false when the file ends before it is full.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match source.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Steps over bytes; returns false when the file ends before.
fn skip(source: &mut impl Read, bytes: u64) -> io::Result<bool> {
    Ok(io::copy(&mut source.take(bytes), &mut io::sink())? == bytes)
}

/// Returns how many samples a packet plays, by its first two bytes. Source: RFC 6716, 3.1.
fn samples_of_packet(first: u8, second: Option<u8>) -> u64 {
    const SILK: [u64; 4] = [480, 960, 1920, 2880];
    const CELT: [u64; 4] = [120, 240, 480, 960];
    let config = usize::from(first >> 3);
    let frame = match config {
        0..=11 => SILK[config & 3],
        12..=15 => SILK[config & 1],
        _ => CELT[config & 3],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(second.unwrap_or(0) & 0x3F),
    };
    let samples = frame * frames;
    // No packet plays longer than 120 ms.
    if samples > 5760 { 0 } else { samples }
}

#[cfg(test)]
mod tests;
