//! The first picture of an H.264 film, decoded by Cisco's `OpenH264`, which is compiled in with the feature `video`: off by default and not in
//! the released program, because the patents on H.264 are the business of whoever builds and distributes it.
//!
//! `OpenH264` is C++ and sees bytes of strangers. It gets one sample of limited size.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;

use super::mp4::{Boxes, MOOV_BYTES_MAX, TOP_BOXES_MAX, content, matrix_row, number, short, top_header};

const INNER_BOXES_MAX: u32 = 4_096;
/// The bytes of one picture as it is stored.
const SAMPLE_BYTES_MAX: u32 = 16 << 20;
/// What a decoder is told apart from by: four bytes before each unit. Source: ISO/IEC 14496-10, annex B.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Returns the first picture of a film as a BMP image, upright; none: it has no H.264, lies in fragments, or cannot be decoded. Blocks.
pub(crate) fn first_picture(path: &Path) -> Option<Vec<u8>> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let track = find_track(&mut file)?;
    let sample = content(&mut file, track.at, track.at + u64::from(track.bytes)).ok()?;
    let stream = annex_b(&track, &sample)?;
    let mut decoder = Decoder::new().ok()?;
    let picture = match decoder.decode(&stream).ok()? {
        Some(decoded) => rgb(&decoded)?,
        None => rgb(decoder.flush_remaining().ok()?.first()?)?,
    };
    let mut bmp = Cursor::new(Vec::new());
    upright(DynamicImage::ImageRgb8(picture), track.quarters).write_to(&mut bmp, ImageFormat::Bmp).ok()?;
    Some(bmp.into_inner())
}

fn rgb(decoded: &openh264::decoder::DecodedYUV<'_>) -> Option<RgbImage> {
    let (width, height) = decoded.dimensions();
    let mut pixels = vec![0; width.checked_mul(height)?.checked_mul(3)?];
    decoded.write_rgb8(&mut pixels);
    RgbImage::from_raw(u32::try_from(width).ok()?, u32::try_from(height).ok()?, pixels)
}

fn upright(picture: DynamicImage, quarters: u8) -> DynamicImage {
    match quarters {
        1 => picture.rotate90(),
        2 => picture.rotate180(),
        3 => picture.rotate270(),
        _ => picture,
    }
}

/// Where the first picture of a track lies, and what its decoder must know.
#[derive(Debug, Default)]
struct Track {
    handler: [u8; 4],
    /// The sets of parameters, each after a start code.
    parameters: Vec<u8>,
    /// How many bytes say how long a unit is.
    length_bytes: usize,
    /// By how many quarters its pictures are turned to the right.
    quarters: u8,
    at: u64,
    bytes: u32,
}

fn find_track(file: &mut (impl Read + Seek)) -> Option<Track> {
    let end = file.seek(std::io::SeekFrom::End(0)).ok()?;
    let mut at = 0;
    for _ in 0..TOP_BOXES_MAX {
        let (kind, body, next) = top_header(file, at, end).ok()??;
        if &kind == b"moov" && next - body <= MOOV_BYTES_MAX {
            let moov = content(file, body, next).ok()?;
            let mut left = INNER_BOXES_MAX;
            let mut boxes = Boxes { rest: &moov, left: &mut left };
            while let Some((kind, body)) = boxes.next() {
                let track = (&kind == b"trak").then(|| read_track(body, boxes.left)).flatten();
                if let Some(track) = track.filter(|track| &track.handler == b"vide" && (1..=SAMPLE_BYTES_MAX).contains(&track.bytes)) {
                    return Some(track);
                }
            }
            return None;
        }
        at = next;
    }
    None
}

fn read_track(trak: &[u8], left: &mut u32) -> Option<Track> {
    let mut track = Track::default();
    let mut stack = vec![trak];
    while let Some(rest) = stack.pop() {
        let mut boxes = Boxes { rest, left };
        while let Some((kind, body)) = boxes.next() {
            match &kind {
                b"mdia" | b"minf" | b"stbl" => stack.push(body),
                b"tkhd" => track.quarters = quarters(body),
                b"hdlr" if track.handler == [0; 4] => track.handler = body.get(8..12)?.try_into().ok()?,
                b"stsd" => read_description(body.get(8..)?, &mut track),
                // Of one size all, or a table. The first sample is one that needs no other.
                b"stsz" => track.bytes = number(body, 4).filter(|all| *all > 0).or_else(|| number(body, 12))?,
                b"stco" => track.at = number(body, 8)?.into(),
                b"co64" => track.at = u64::from(number(body, 8)?) << 32 | u64::from(number(body, 12)?),
                _ => {}
            }
        }
    }
    (track.at > 0 && !track.parameters.is_empty()).then_some(track)
}

/// Returns by how many quarters the pictures of a track are turned to the right.
fn quarters(tkhd: &[u8]) -> u8 {
    let (a, b) = matrix_row(tkhd).unwrap_or_default();
    match (a.signum(), b.signum()) {
        (0, 1) => 1,
        (-1, 0) => 2,
        (0, -1) => 3,
        _ => 0,
    }
}

/// Reads the sets of parameters. Source: ISO/IEC 14496-15, 5.3.3.1.
fn read_description(stsd: &[u8], track: &mut Track) {
    let mut left = INNER_BOXES_MAX;
    let Some((kind, body)) = (Boxes { rest: stsd, left: &mut left }).next() else { return };
    if !matches!(&kind, b"avc1" | b"avc3") {
        return;
    }
    let mut boxes = Boxes { rest: body.get(78..).unwrap_or_default(), left: &mut left };
    while let Some((kind, body)) = boxes.next() {
        if &kind == b"avcC" {
            (track.parameters, track.length_bytes) = read_avcc(body).unwrap_or_default();
        }
    }
}

fn read_avcc(avcc: &[u8]) -> Option<(Vec<u8>, usize)> {
    let length_bytes = usize::from(avcc.get(4)? & 3) + 1;
    let mut parameters = Vec::new();
    let mut at = 5;
    for mask in [0x1F, 0xFF] {
        let count = avcc.get(at)? & mask;
        at += 1;
        for _ in 0..count {
            let end = at + 2 + usize::try_from(short(avcc, at)?).ok()?;
            parameters.extend_from_slice(&START_CODE);
            parameters.extend_from_slice(avcc.get(at + 2..end)?);
            at = end;
        }
    }
    Some((parameters, length_bytes))
}

/// Writes a sample as a stream: its units after start codes, the parameters before them.
fn annex_b(track: &Track, sample: &[u8]) -> Option<Vec<u8>> {
    let mut stream = track.parameters.clone();
    let mut rest = sample;
    while rest.len() > track.length_bytes {
        let (length, after) = rest.split_at(track.length_bytes);
        let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        stream.extend_from_slice(&START_CODE);
        stream.extend_from_slice(after.get(..length)?);
        rest = after.get(length..)?;
    }
    Some(stream)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    #[test]
    fn a_film_has_its_first_picture_upright_and_what_is_no_h264_has_none() {
        for (name, size) in [("h264.mp4", (320, 180)), ("h264.mov", (320, 180)), ("turned.mp4", (180, 320))] {
            let picture = image::load_from_memory(&first_picture(&fixture(name)).unwrap_or_else(|| panic!("{name}"))).unwrap();
            assert_eq!((picture.width(), picture.height()), size, "{name}");
            let colours: std::collections::BTreeSet<_> = picture.to_rgb8().pixels().map(|pixel| pixel.0).collect();
            assert!(colours.len() > 16, "{name} shows something");
        }
        for name in ["h265.mp4", "vp9.mp4", "av1.mp4", "pieces.mp4", "make.sh", "aac.m4a"] {
            assert!(first_picture(&fixture(name)).is_none(), "{name}");
        }
    }

    #[test]
    fn a_film_that_is_damaged_anywhere_brings_nothing_down() {
        let whole = std::fs::read(fixture("h264.mp4")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.mp4");
        for n in 0..300 {
            let mut damaged = whole.clone();
            let at = n * damaged.len() / 300;
            damaged[at] ^= 0x55;
            damaged.truncate(damaged.len() - n % 7 * 1000);
            std::fs::write(&path, damaged).unwrap();
            let _picture_or_none = first_picture(&path);
        }
    }
}
