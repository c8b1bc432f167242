//! Takes out of images and films what says where, when and with what they were made: EXIF, XMP, IPTC and the like. Not one pixel, the
//! way an image is turned, or its colour profile changes.
//!
//! Own code, one small walker per container: `img-parts` reads a JPEG to its first scan only and hands on whatever stands behind, such
//! as further pictures with a place of their own, refuses PNGs with a wrong checksum that every browser shows, and knows neither GIF
//! nor TIFF. What is kept is named; what is not known goes. Nothing is made room for that the file does not have.

mod boxes;
mod exif;
mod gif;
mod jpeg;
mod movie;
mod png;
mod tiff;
mod track;
mod webp;

use std::io::{self, Write};
use std::ops::Range;

use image::ImageFormat;

pub(super) use self::movie::telling;

/// A stretch of the stripped file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// As it stood.
    Kept(Range<usize>),
    /// Written in place of something else.
    Made(Vec<u8>),
}

impl Piece {
    fn length(&self) -> usize {
        match self {
            Self::Kept(range) => range.len(),
            Self::Made(made) => made.len(),
        }
    }
}

/// A stripped image: what is kept of it, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Stripped {
    pieces: Vec<Piece>,
}

impl Stripped {
    /// Returns an image that is kept as it came.
    fn whole(bytes: &[u8]) -> Self {
        Self { pieces: vec![Piece::Kept(0..bytes.len())] }
    }

    fn keep(&mut self, range: Range<usize>) {
        match self.pieces.last_mut() {
            Some(Piece::Kept(last)) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => self.pieces.push(Piece::Kept(range)),
        }
    }

    fn make(&mut self, bytes: Vec<u8>) {
        self.pieces.push(Piece::Made(bytes));
    }

    /// Writes something in place of as many bytes, which are kept where they are the same.
    fn replace(&mut self, bytes: &[u8], from: usize, with: Vec<u8>) {
        let range = from..from + with.len();
        if bytes.get(range.clone()) == Some(&with[..]) { self.keep(range) } else { self.make(with) }
    }

    /// Returns whether anything was taken out of an image of `length` bytes.
    pub(super) fn is_changed(&self, length: usize) -> bool {
        self.pieces != [Piece::Kept(0..length)]
    }

    /// Writes it; `bytes` is what it was made of.
    ///
    /// # Errors
    /// Those of `to`.
    pub(super) fn write(&self, bytes: &[u8], to: &mut impl Write) -> io::Result<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Kept(range) => to.write_all(bytes.get(range.clone()).unwrap_or_default())?,
                Piece::Made(made) => to.write_all(made)?,
            }
        }
        Ok(())
    }
}

/// Strips an image. Returns none where its structure cannot be followed, so that nobody can say what is in it.
pub(super) fn image(format: ImageFormat, bytes: &[u8]) -> Option<Stripped> {
    match format {
        ImageFormat::Jpeg => jpeg::strip(bytes),
        ImageFormat::Png => png::strip(bytes),
        ImageFormat::WebP => webp::strip(bytes),
        ImageFormat::Gif => gif::strip(bytes),
        ImageFormat::Tiff => tiff::strip(bytes),
        // A BMP has no place for any of it.
        _ => Some(Stripped::whole(bytes)),
    }
}

/// Returns the `N` bytes that stand at an offset.
fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests;
