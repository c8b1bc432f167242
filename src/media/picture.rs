//! Images: what they are by their content, how large, and smaller ones made of them.

use std::io::{BufRead, Cursor, Seek, SeekFrom};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageEncoder as _, ImageFormat, ImageReader, Limits};
use imagesize::ImageType;

use crate::model::Pixels;

/// How images are judged and made smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaOptions {
    /// Pixels of an image; one with more is refused before it is decoded.
    pub(crate) pixels_max: u64,
    /// The shorter side of an image for the screen.
    pub(crate) large_pixels: u32,
    /// The shorter side of an image for a list.
    pub(crate) thumbnail_pixels: u32,
}

/// The longest side that is decoded.
const SIDE_MAX: u32 = 32_768;
/// Memory that a decoder may ask for. 50 megapixels in 4 bytes each, and as much again for what it works with.
const DECODER_BYTES_MAX: u64 = 400 << 20;
/// What is decoded of a small file: an image of 5 megapixels.
const SMALL_BYTES: u64 = 16 << 20;
/// Decoded bytes of a larger file for each of its own. A photograph has some 10, an empty page of a scanner 250; a bomb has
/// thousands, and is kept as it came.
const INFLATION_MAX: u64 = 400;
/// A colour profile that goes along with what is made here, bytes: one of a camera or a screen has some 3 KB.
const PROFILE_BYTES_MAX: usize = 64 * 1024;
/// JPEG quality of what is made here.
const QUALITY: u8 = 80;

/// What an image says of itself before anything is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImageHeader {
    pub format: ImageFormat,
    /// As it is stored, before it is turned.
    pub pixels: Pixels,
}

/// An image made of another.
#[derive(Debug)]
pub(super) struct EncodedImage {
    pub bytes: Vec<u8>,
    pub pixels: Pixels,
}

/// What was made of an image.
#[derive(Debug)]
pub(super) struct DerivedImages {
    /// Of the original, as it is shown.
    pub original: Pixels,
    /// None: the original does.
    pub large: Option<EncodedImage>,
    pub thumbnail: EncodedImage,
}

/// Reads the type and size of an image; none: it is none of the six that may be sent. Source: ZIM guide "Send and receive
/// messages", image messages.
pub(super) fn read_header(mut source: impl BufRead + Seek) -> Option<ImageHeader> {
    let format = match imagesize::reader_type(&mut source).ok()? {
        ImageType::Jpeg => ImageFormat::Jpeg,
        ImageType::Png => ImageFormat::Png,
        ImageType::Bmp => ImageFormat::Bmp,
        ImageType::Tiff => ImageFormat::Tiff,
        ImageType::Gif => ImageFormat::Gif,
        ImageType::Webp => ImageFormat::WebP,
        _ => return None,
    };
    source.rewind().ok()?;
    let size = imagesize::reader_size(&mut source).ok()?;
    let pixels = Pixels::new(u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?);
    (pixels.count() > 0).then_some(ImageHeader { format, pixels })
}

/// Returns the media type of a format.
pub(super) fn mime(format: ImageFormat) -> &'static str {
    format.to_mime_type()
}

/// Makes the smaller ones, and one for the screen of an image that `is_telling`; none: it cannot be decoded, which is no reason to refuse it: a TIFF in YCbCr is one that cannot.
pub(super) fn derive(source: impl BufRead + Seek, header: ImageHeader, options: &MediaOptions, is_telling: bool) -> Option<DerivedImages> {
    let (image, profile) = decode(source, header, options)?;
    let encode = |image: &DynamicImage| encode(image, profile.as_deref());
    let original = Pixels::new(image.width(), image.height());
    let smaller = shrunk(&image, options.large_pixels);
    let large = if smaller.is_some() || is_telling { encode(smaller.as_ref().unwrap_or(&image)) } else { None };
    let thumbnail = shrunk(smaller.as_ref().unwrap_or(&image), options.thumbnail_pixels);
    let thumbnail = encode(thumbnail.as_ref().unwrap_or(&image))?;
    Some(DerivedImages { original, large, thumbnail })
}

/// Decodes a picture, turned as it is to be shown; returns also its colour profile, if it goes with what is made of it.
fn decode(mut source: impl BufRead + Seek, header: ImageHeader, options: &MediaOptions) -> Option<(DynamicImage, Option<Vec<u8>>)> {
    let length = source.seek(SeekFrom::End(0)).ok()?;
    source.rewind().ok()?;
    if header.format == ImageFormat::Tiff && !is_sane_tiff(&mut source, length) {
        return None;
    }
    source.rewind().ok()?;
    let plausible = SMALL_BYTES.max(length.saturating_mul(INFLATION_MAX)).min(DECODER_BYTES_MAX);
    let mut reader = ImageReader::with_format(source, header.format);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE_MAX), Some(SIDE_MAX));
    limits.max_alloc = Some(plausible);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    if Pixels::new(width, height).count() > options.pixels_max || decoder.total_bytes() > plausible {
        return None;
    }
    // What is made here has red, green and blue, whatever the picture has.
    let profile = decoder.icc_profile().ok().flatten();
    let profile = profile.filter(|profile| profile.len() <= PROFILE_BYTES_MAX && profile.get(16..20) == Some(b"RGB "));
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).ok()?;
    image.apply_orientation(orientation);
    Some((image, profile))
}

/// Returns whether the values that a TIFF's first directory claims fit into the file. Its decoder makes 32 bytes of room for each of
/// them before it looks. Of 64-bit TIFFs nothing is decoded.
fn is_sane_tiff(mut source: impl BufRead + Seek, length: u64) -> bool {
    let mut read = |at: u64, bytes: &mut [u8]| source.seek(SeekFrom::Start(at)).is_ok() && source.read_exact(bytes).is_ok();
    let mut head = [0; 8];
    if !read(0, &mut head) {
        return false;
    }
    let is_little = head[0] == b'I';
    let number = |bytes: &[u8]| {
        let digits = bytes.iter().map(|byte| u64::from(*byte));
        if is_little { digits.rev().fold(0, |sum, byte| sum << 8 | byte) } else { digits.fold(0, |sum, byte| sum << 8 | byte) }
    };
    if number(&head[2..4]) != 42 {
        return false;
    }
    let directory = number(&head[4..]);
    let mut count = [0; 2];
    if !read(directory, &mut count) {
        return false;
    }
    (0..number(&count)).all(|n| {
        let mut entry = [0; 12];
        let size = |kind| match kind {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => 1,
        };
        read(directory + 2 + 12 * n, &mut entry) && number(&entry[4..8]) * size(number(&entry[2..4])) <= length
    })
}

/// Writes a picture anew, no larger than one for the screen: what else came with it is left out.
pub(super) fn reencode(source: impl BufRead + Seek, header: ImageHeader, options: &MediaOptions) -> Option<EncodedImage> {
    let (image, profile) = decode(source, header, options)?;
    encode(shrunk(&image, options.large_pixels).as_ref().unwrap_or(&image), profile.as_deref())
}

/// Makes one whose shorter side has so many pixels; none: it is not longer.
fn shrunk(image: &DynamicImage, side: u32) -> Option<DynamicImage> {
    let (width, height) = (image.width(), image.height());
    let shorter = width.min(height);
    if shorter <= side {
        return None;
    }
    let scaled = |length: u32| u32::try_from(u64::from(length) * u64::from(side) / u64::from(shorter)).unwrap_or(u32::MAX).max(1);
    Some(image.thumbnail_exact(scaled(width), scaled(height)))
}

/// Encodes as JPEG, or as PNG where something shows through; nothing but the colour profile goes along.
fn encode(image: &DynamicImage, profile: Option<&[u8]>) -> Option<EncodedImage> {
    let mut bytes = Cursor::new(Vec::new());
    if shows_through(image) {
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        profile.map_or(Ok(()), |profile| encoder.set_icc_profile(profile.to_vec())).ok()?;
        DynamicImage::ImageRgba8(image.to_rgba8()).write_with_encoder(encoder).ok()?;
    } else {
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, QUALITY);
        profile.map_or(Ok(()), |profile| encoder.set_icc_profile(profile.to_vec())).ok()?;
        DynamicImage::ImageRgb8(image.to_rgb8()).write_with_encoder(encoder).ok()?;
    }
    Some(EncodedImage { bytes: bytes.into_inner(), pixels: Pixels::new(image.width(), image.height()) })
}

fn shows_through(image: &DynamicImage) -> bool {
    image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < 255)
}

/// Returns the media type of what [`derive()`] and [`reencode`] made, by its first bytes.
pub(crate) fn made_mime(head: &[u8]) -> &'static str {
    if head.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }
}
