//! What a HEIC or HEIF image says of itself, by its boxes. Source: ISO/IEC 23008-12 (HEIF), 6.5 and 10; ISO/IEC 14496-12, 8.11.
//!
//! Nothing is decoded: no decoder of it is free of patents. What holds the descriptions is read as long as it really is, up to a limit.

use std::io::{self, Read, Seek, SeekFrom};

use super::mp4::{Boxes, content, number, short, top_header};
use crate::model::Pixels;

/// Boxes at the top that are looked at.
const TOP_BOXES_MAX: u32 = 256;
/// Boxes looked at inside `meta`, properties included.
const INNER_BOXES_MAX: u32 = 4_096;
/// The list of brands.
const BRANDS_BYTES_MAX: u64 = 4 << 10;
/// A `meta`; one of a photograph of 50 megapixels in tiles has some 10 KB.
const META_BYTES_MAX: u64 = 1 << 20;
/// Associations of the main image that are looked at.
const PROPERTIES_MAX: usize = 64;

/// Images coded with H.265. Source: ISO/IEC 23008-12, B.4.1.
const HEIC: [&[u8]; 4] = [b"heic", b"heix", b"heim", b"heis"];
/// Images, whatever they are coded with. Source: ISO/IEC 23008-12, 10.2.1.
const HEIF: &[u8] = b"mif1";
/// AV1, which is another kind of image.
const AVIF: [&[u8]; 2] = [b"avif", b"avis"];

/// An image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heif {
    pub mime: &'static str,
    /// As it is shown: cut and turned.
    pub pixels: Pixels,
}

/// Reads what an image says of itself. Returns none when it is none.
///
/// # Errors
/// Those of the file.
pub(super) fn read(mut file: impl Read + Seek) -> io::Result<Option<Heif>> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut mime) = (0, None);
    for _ in 0..TOP_BOXES_MAX {
        let Some((kind, body, next)) = top_header(&mut file, at, end)? else { break };
        match (&kind, mime) {
            (b"ftyp", None) if at == 0 => mime = mime_of(&content(&mut file, body, next.min(body + BRANDS_BYTES_MAX))?),
            (b"meta", Some(mime)) if next - body <= META_BYTES_MAX => {
                let pixels = main_pixels(&content(&mut file, body, next)?);
                return Ok(pixels.map(|pixels| Heif { mime, pixels }));
            }
            _ => {}
        }
        if mime.is_none() {
            break;
        }
        at = next;
    }
    Ok(None)
}

/// Returns the media type that the brands say: the main one, a version, and those that are also kept to.
fn mime_of(ftyp: &[u8]) -> Option<&'static str> {
    let brands = || ftyp.chunks_exact(4).enumerate().filter_map(|(n, brand)| (n != 1).then_some(brand));
    if brands().any(|brand| AVIF.contains(&brand)) {
        None
    } else if brands().any(|brand| HEIC.contains(&brand)) {
        Some("image/heic")
    } else {
        brands().any(|brand| brand == HEIF).then_some("image/heif")
    }
}

/// Returns the size of the main image as it is shown.
fn main_pixels(meta: &[u8]) -> Option<Pixels> {
    let mut left = INNER_BOXES_MAX;
    // Version and flags first.
    let mut boxes = Boxes { rest: meta.get(4..)?, left: &mut left };
    let (mut main, mut properties) = (None, None);
    while let Some((kind, body)) = boxes.next() {
        match &kind {
            b"pitm" => main = if body.first() == Some(&0) { short(body, 4) } else { number(body, 4) },
            b"iprp" => properties = Some(body),
            _ => {}
        }
    }
    let (main, mut boxes) = (main?, Boxes { rest: properties?, left: &mut left });
    let (mut all, mut used) = (Vec::new(), Vec::new());
    while let Some((kind, body)) = boxes.next() {
        match &kind {
            b"ipco" => {
                let mut inner = Boxes { rest: body, left: boxes.left };
                while let Some(property) = inner.next() {
                    all.push(property);
                }
            }
            b"ipma" if used.is_empty() => used = properties_of(body, main).unwrap_or_default(),
            _ => {}
        }
    }
    // Counted from 1; 0 is none.
    let of_main = || used.iter().filter_map(|n| all.get(n.checked_sub(1)?));
    let size = of_main().find(|(kind, _)| kind == b"ispe")?.1;
    // What changes an image is done in the order in which it stands there. Source: ISO/IEC 23008-12, 6.3.
    let pixels = of_main().fold(Pixels::new(number(size, 4)?, number(size, 8)?), |pixels, (kind, body)| match kind {
        b"clap" => cut(body, pixels).unwrap_or(pixels),
        b"irot" if body.first().is_some_and(|quarters| quarters & 1 == 1) => pixels.turned(),
        _ => pixels,
    });
    (pixels.count() > 0).then_some(pixels)
}

/// Returns the numbers of an item's properties, in their order.
fn properties_of(ipma: &[u8], item: u32) -> Option<Vec<usize>> {
    let (version, flags) = (*ipma.first()?, *ipma.get(3)?);
    let (mut at, entries) = (8, number(ipma, 4)?);
    for _ in 0..entries {
        let id = if version == 0 { short(ipma, at)? } else { number(ipma, at)? };
        at += if version == 0 { 2 } else { 4 };
        let count = usize::from(*ipma.get(at)?);
        at += 1;
        // The first bit says that a reader must know the property.
        let is_long = flags & 1 == 1;
        let width = if is_long { 2 } else { 1 };
        let listed = ipma.get(at..at + count * width)?;
        at += listed.len();
        if id == item {
            let known = if is_long { 0x7FFF } else { 0x7F };
            let place = |entry: &[u8]| entry.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)) & known;
            return Some(listed.chunks_exact(width).take(PROPERTIES_MAX).map(place).collect());
        }
    }
    None
}

/// Returns the size of what is cut out: width and height, each a fraction. Source: ISO/IEC 14496-12, 12.1.4.
fn cut(aperture: &[u8], of: Pixels) -> Option<Pixels> {
    let side = |at: usize| number(aperture, at)?.checked_div(number(aperture, at + 4)?);
    let (width, height) = (side(0)?, side(8)?);
    (width > 0 && height > 0 && width <= of.width && height <= of.height).then(|| Pixels::new(width, height))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], kind, content].concat()
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// An image whose item 2 is the main one and has the properties `used`: 1 and 2 sizes, 3 a quarter turn, 4 a cut, 5 a half turn.
    fn image(brands: &[u8], used: &[u8]) -> Vec<u8> {
        let properties = [
            boxed(b"ispe", &numbers(&[0, 160, 120])),
            boxed(b"ispe", &numbers(&[0, 400, 300])),
            boxed(b"irot", &[1]),
            boxed(b"clap", &numbers(&[396, 1, 600, 2, 0, 1, 0, 1])),
            boxed(b"irot", &[2]),
        ];
        let listed = [&numbers(&[0, 2])[..], &[0, 1, 1, 0x81], &[0, 2, u8::try_from(used.len()).unwrap()], used].concat();
        let described = [boxed(b"ipco", &properties.concat()), boxed(b"ipma", &listed)].concat();
        let main = boxed(b"pitm", &[0, 0, 0, 0, 0, 2]);
        let meta = [numbers(&[0]), boxed(b"hdlr", &[0; 24]), main, boxed(b"iprp", &described)].concat();
        [boxed(b"ftyp", brands), boxed(b"free", b""), boxed(b"meta", &meta), boxed(b"mdat", &[0; 16])].concat()
    }

    fn size(brands: &[u8], used: &[u8]) -> Option<(&'static str, u32, u32)> {
        read(Cursor::new(image(brands, used))).unwrap().map(|heif| (heif.mime, heif.pixels.width, heif.pixels.height))
    }

    #[test]
    fn the_main_image_has_its_own_size_cut_and_turned_in_order() {
        const BRANDS: &[u8] = b"heic\0\0\0\0mif1heic";
        type Case<'a> = (&'a [u8], Option<(u32, u32)>);
        let cases: [Case<'_>; 7] = [
            (&[0x82], Some((400, 300))),
            (&[1], Some((160, 120))),
            (&[0x82, 0x83], Some((300, 400))),
            (&[0x82, 0x85], Some((400, 300))),
            (&[0x82, 0x84, 0x83], Some((300, 396))),
            (&[0x81, 0x84], Some((160, 120))),
            (&[0, 9, 0x83], None),
        ];
        for (used, wanted) in cases {
            assert_eq!(size(BRANDS, used), wanted.map(|(width, height)| ("image/heic", width, height)), "{used:?}");
        }
    }

    #[test]
    fn brands_say_what_it_is() {
        assert_eq!(size(b"mif1\0\0\0\0mif1heix", &[2]), Some(("image/heic", 400, 300)));
        assert_eq!(size(b"mif1\0\0\0\0mif1", &[2]), Some(("image/heif", 400, 300)));
        assert_eq!(size(b"avif\0\0\0\0mif1heic", &[2]), None);
        assert_eq!(size(b"isom\0\0\0\0isommp42", &[2]), None);
        assert_eq!(size(b"isomheic", &[2]), None, "a version is no brand");
    }

    #[test]
    fn a_byte_that_is_wrong_anywhere_makes_nothing_panic_and_no_image_without_pixels() {
        let whole = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/photo.heic")).unwrap();
        let head = whole.windows(4).position(|kind| kind == b"mdat").unwrap();
        let mut refused = 0;
        for at in 0..head {
            for value in [0, 1, 2, 0x7F, 0x80, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                match read(Cursor::new(bytes)).unwrap() {
                    Some(heif) => assert!(heif.pixels.count() > 0, "{at}"),
                    None => refused += 1,
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn what_ends_early_is_no_image() {
        let whole = image(b"heic\0\0\0\0mif1heic", &[0x82, 0x83]);
        for cut in 0..whole.len() - 24 {
            assert_eq!(read(Cursor::new(&whole[..cut])).unwrap(), None, "{cut}");
        }
    }
}
