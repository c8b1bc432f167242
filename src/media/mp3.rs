//! How long an MP3 file plays: the sum of its frames, each as long as its own header says. No table at the front is believed, and
//! nothing is decoded. Source: ISO/IEC 11172-3, 2.4.1 and 2.4.2; ID3v2.4.0, "`ID3v2` overview"; for lower sample rates
//! ISO/IEC 13818-3, 2.4.2.
//!
//! Own code, because the crates tried add up packets at the first frame's sample rate, and give up on a large picture in front.

use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};

/// Tags in front that are stepped over.
const TAGS_MAX: u32 = 16;
/// How much that is no frame is looked through, in all: what stands before the first frame, and between frames.
const GAPS_BYTES_MAX: u64 = 256 * 1024;
/// Frames that must follow each other before they are believed to be frames.
const RUN: usize = 3;
/// The shortest header that tells how long a frame is.
const HEADER_BYTES: u64 = 4;
const BUFFER_BYTES: usize = 64 * 1024;

/// Sample rates by version (1, 2, 2.5) and index, hertz.
const RATES: [[u32; 3]; 3] = [[44_100, 48_000, 32_000], [22_050, 24_000, 16_000], [11_025, 12_000, 8_000]];
/// Bit rates of layer III by version (1; 2 and 2.5) and index, kilobits a second. 0: free format, which nobody writes.
const BIT_RATES: [[u64; 15]; 2] =
    [[0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320], [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]];

/// What the header of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    /// Its header included.
    bytes: u64,
    samples: u64,
    /// Hertz.
    rate: u32,
    /// Version and channels: where the table of a file's frames would stand.
    is_first_version: bool,
    is_mono: bool,
}

impl Frame {
    /// Reads a header of layer III; none: it is none.
    fn read(header: [u8; 4]) -> Option<Self> {
        let [0xFF, second, third, fourth] = header else { return None };
        let version = match (second >> 3) & 0b11 {
            0b11 => 0,
            0b10 => 1,
            0b00 => 2,
            _ => return None,
        };
        let is_layer_three = second & 0xE0 == 0xE0 && (second >> 1) & 0b11 == 0b01;
        let rate = *RATES.get(version)?.get(usize::from((third >> 2) & 0b11))?;
        let kilobits = *BIT_RATES[usize::from(version > 0)].get(usize::from(third >> 4))?;
        if !is_layer_three || kilobits == 0 {
            return None;
        }
        let samples = if version == 0 { 1152 } else { 576 };
        let padding = u64::from((third >> 1) & 1);
        let bytes = samples / 8 * kilobits * 1000 / u64::from(rate) + padding;
        Some(Self { bytes, samples, rate, is_first_version: version == 0, is_mono: fourth >> 6 == 0b11 })
    }

    /// Returns where the table of a file's frames stands, if this frame holds it in place of sound: behind what tells of the channels.
    fn table_at(self) -> u64 {
        HEADER_BYTES
            + match (self.is_first_version, self.is_mono) {
                (true, false) => 32,
                (true, true) | (false, false) => 17,
                (false, true) => 9,
            }
    }
}

/// Returns how long a file plays, milliseconds; none: it is no MP3.
///
/// # Errors
/// Those of the file.
pub(super) fn duration_ms(file: impl Read + Seek) -> io::Result<Option<u64>> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut at = behind_tags(&mut file)?;
    let (mut gaps, mut frames, mut is_in_run) = (0, 0u64, false);
    // Milliseconds would be rounded a thousand times: samples are added up, each at its rate.
    let mut samples = [0u64; RATES.as_flattened().len()];
    while let Some(header) = header_at(&mut file, at)? {
        match Frame::read(header) {
            Some(frame) if is_in_run || is_run(&mut file, at)? => {
                is_in_run = true;
                if frames > 0 || !is_table(&mut file, at, frame)? {
                    let of_rate = RATES.as_flattened().iter().position(|rate| *rate == frame.rate).and_then(|n| samples.get_mut(n));
                    of_rate.into_iter().for_each(|of_rate| *of_rate = of_rate.saturating_add(frame.samples));
                }
                frames += 1;
                at += frame.bytes;
            }
            _ => {
                is_in_run = false;
                let step = to_next_sync(&mut file, at)?;
                gaps += step;
                at += step;
                if gaps > GAPS_BYTES_MAX {
                    break;
                }
            }
        }
    }
    let micros: u64 = samples.iter().zip(RATES.as_flattened()).map(|(samples, rate)| samples * 1_000_000 / u64::from(*rate)).sum();
    Ok((frames >= RUN as u64 && micros > 0).then_some(micros / 1000))
}

/// Returns where what follows the tags in front begins. Their pictures may be of any size.
fn behind_tags(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let mut at = 0;
    for _ in 0..TAGS_MAX {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 10];
        if read_full(file, &mut head)? < head.len() || !head.starts_with(b"ID3") {
            break;
        }
        // Of each byte of the size seven bits count.
        let size = head[6..].iter().fold(0u64, |size, byte| size << 7 | u64::from(byte & 0x7F));
        let footer = if head[5] & 0x10 != 0 { 10 } else { 0 };
        at += 10 + size + footer;
    }
    Ok(at)
}

fn read_full(file: &mut impl Read, mut into: &mut [u8]) -> io::Result<usize> {
    let wanted = into.len();
    while !into.is_empty() {
        match file.read(into)? {
            0 => break,
            read => into = &mut into[read..],
        }
    }
    Ok(wanted - into.len())
}

/// Moves to a place, without throwing away what is read ahead of it.
fn go_to<R: Read + Seek>(file: &mut BufReader<R>, at: u64) -> io::Result<()> {
    let here = file.stream_position()?;
    match i64::try_from(i128::from(at) - i128::from(here)) {
        Ok(by) => file.seek_relative(by),
        Err(_) => file.seek(SeekFrom::Start(at)).map(drop),
    }
}

/// Returns the four bytes there; none at the end.
fn header_at<R: Read + Seek>(file: &mut BufReader<R>, at: u64) -> io::Result<Option<[u8; 4]>> {
    go_to(file, at)?;
    let mut header = [0; 4];
    Ok((read_full(file, &mut header)? == header.len()).then_some(header))
}

/// Returns whether frames follow each other from there on: up to the end, where the file ends sooner.
fn is_run<R: Read + Seek>(file: &mut BufReader<R>, mut at: u64) -> io::Result<bool> {
    for n in 0..RUN {
        match header_at(file, at)?.map(Frame::read) {
            Some(Some(frame)) => at += frame.bytes,
            // What was cut off there, or a tag behind the sound.
            None => return Ok(n > 1),
            Some(None) => return Ok(false),
        }
    }
    Ok(true)
}

/// Returns whether the first frame holds a table of the others, in place of sound.
fn is_table<R: Read + Seek>(file: &mut BufReader<R>, at: u64, frame: Frame) -> io::Result<bool> {
    let word = header_at(file, at + frame.table_at())?;
    let of_fraunhofer = header_at(file, at + HEADER_BYTES + 32)?;
    Ok(matches!(word.as_ref(), Some(b"Xing" | b"Info")) || of_fraunhofer.as_ref() == Some(b"VBRI"))
}

/// Returns how far it is to the next byte that a frame may begin with; at least 1, and not much more than a gap may be.
fn to_next_sync<R: Read + Seek>(file: &mut BufReader<R>, at: u64) -> io::Result<u64> {
    go_to(file, at + 1)?;
    let mut step = 1;
    loop {
        let ahead = file.fill_buf()?;
        if ahead.is_empty() || step > GAPS_BYTES_MAX {
            return Ok(step);
        }
        match memchr::memchr(0xFF, ahead) {
            Some(found) => return Ok(step + found as u64),
            None => {
                let all = ahead.len();
                step += all as u64;
                file.consume(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A frame of silence at 32 kbit/s: 44.1 kHz where `rate` is 0, 48 kHz 1, 32 kHz 2.
    fn frame(rate: u8) -> Vec<u8> {
        let header = [0xFF, 0xFB, 0x10 | rate << 2, 0xC0];
        let mut bytes = header.to_vec();
        bytes.resize(usize::try_from(Frame::read(header).unwrap().bytes).unwrap(), 0);
        bytes
    }

    fn frames(rate: u8, count: usize) -> Vec<u8> {
        frame(rate).repeat(count)
    }

    fn plays(bytes: &[u8]) -> Option<u64> {
        duration_ms(Cursor::new(bytes)).unwrap()
    }

    fn tag(bytes: usize) -> Vec<u8> {
        let size = u32::try_from(bytes).unwrap();
        let syncsafe = [size >> 21 & 0x7F, size >> 14 & 0x7F, size >> 7 & 0x7F, size & 0x7F].map(|byte| u8::try_from(byte).unwrap());
        [&b"ID3\x04\0\0"[..], &syncsafe, &vec![0xFF; bytes]].concat()
    }

    #[test]
    fn each_frame_lasts_as_long_as_its_own_header_says() {
        // 1152 samples at 44.1, 48 and 32 kHz: 26.12, 24 and 36 ms.
        assert_eq!(plays(&frames(0, 100)), Some(2612));
        assert_eq!(plays(&[frames(0, 100), frames(1, 100), frames(2, 100)].concat()), Some(2612 + 2400 + 3600));
        let low = [0xFF, 0xF3, 0x40, 0xC0];
        assert_eq!(Frame::read(low).map(|frame| (frame.samples, frame.rate, frame.bytes)), Some((576, 22_050, 104)));
    }

    #[test]
    fn what_stands_before_and_between_the_frames_is_stepped_over() {
        let sound = frames(1, 50);
        for before in [tag(2 << 20), [tag(100), tag(3)].concat(), vec![0; 100_000], frame(1)[7..].to_vec(), b"junk \xFF\xFB\xFF".to_vec()] {
            assert_eq!(plays(&[before.clone(), sound.clone()].concat()), Some(1200), "{} bytes", before.len());
        }
        assert_eq!(plays(&[sound.clone(), vec![7; 5000], sound.clone(), b"TAG".to_vec(), vec![0; 125]].concat()), Some(2400));
        let mut table = frame(1);
        table[4 + 17..4 + 21].copy_from_slice(b"Info");
        assert_eq!(plays(&[table, sound].concat()), Some(1200), "a table is no sound");
    }

    #[test]
    fn what_has_no_frames_is_no_mp3() {
        for bytes in [&b""[..], b"ID3", b"hello, world", &[0xFF; 4096], &[0; 300_000], &tag(1 << 20), &frame(0), &frames(0, 1)] {
            assert_eq!(plays(bytes), None, "{} bytes", bytes.len());
        }
        assert_eq!(plays(&[vec![0; 300_000], frames(1, 50)].concat()), None, "too much of something else");
    }
}
