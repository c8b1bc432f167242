//! Judges a complete upload by its content: the name and what its sender says of it prove nothing.
//!
//! Runs on threads that may wait. A file that cannot be understood is an answer; a decoder that panics is one, too.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use super::picture::MediaOptions;
pub(crate) use super::picture::made_mime;
use super::{heif, mp3, mp4, opus, picture, strip};
use crate::model::{Limits, MediaKind, Pixels, Refusal, Rendition};

/// What is read of a file's beginning to tell its type.
const HEAD_BYTES: u64 = 8 * 1024;

/// How far a measured duration may pass the limit: encoders pad to whole packets, some tens of milliseconds.
const SLACK_MS: u64 = 250;

/// What a file is.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) mime: String,
    pub(crate) codec: String,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) original: Pixels,
    pub(crate) large: Pixels,
    pub(crate) thumbnail: Pixels,
    pub(crate) frame: Pixels,
    /// What was made of it.
    pub(crate) made: Vec<(Rendition, Vec<u8>)>,
}

/// Judges a file on disk.
///
/// # Errors
/// [`Refusal::FileType`], [`Refusal::FileSize`], [`Refusal::FileDuration`]; [`Refusal::FileServer`] when it cannot be read.
pub(crate) fn probe(kind: MediaKind, path: &Path, options: &MediaOptions, limits: &Limits) -> Result<Probed, Refusal> {
    guarded(kind, || judge(kind, &|| File::open(path), options, limits))
}

/// Judges bytes in memory: what the tests throw at it.
#[cfg(feature = "bench")]
pub(crate) fn probe_bytes(kind: MediaKind, bytes: &[u8], options: &MediaOptions, limits: &Limits) -> Result<Probed, Refusal> {
    // Not guarded: the tests want to see a panic.
    let bytes: std::sync::Arc<[u8]> = bytes.into();
    judge(kind, &|| Ok(io::Cursor::new(bytes.clone())), options, limits)
}

/// Judges the first picture of a video and writes it anew: where the camera stood does not go along.
///
/// # Errors
/// As of an image; also where it cannot be decoded.
pub(crate) fn probe_frame(path: &Path, options: &MediaOptions) -> Result<(Vec<u8>, Pixels), Refusal> {
    judge_frame(|| File::open(path).map(BufReader::new).map_err(unreadable), options)
}

/// The same of a picture that was made here or by a backend.
///
/// # Errors
/// As [`probe_frame`].
pub(crate) fn probe_made_frame(picture: &[u8], options: &MediaOptions) -> Result<(Vec<u8>, Pixels), Refusal> {
    judge_frame(|| Ok(io::Cursor::new(picture)), options)
}

fn judge_frame<R: BufRead + Seek>(open: impl Fn() -> Result<R, Refusal>, options: &MediaOptions) -> Result<(Vec<u8>, Pixels), Refusal> {
    guarded(MediaKind::Image, || {
        let header = picture::read_header(open()?).ok_or_else(|| not_of(MediaKind::Image))?;
        check_pixels(header.pixels, options)?;
        let made = picture::reencode(open()?, header, options).ok_or_else(|| not_of(MediaKind::Image))?;
        Ok((made.bytes, made.pixels))
    })
}

pub(super) fn guarded<T>(kind: MediaKind, judge: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    panic::catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| {
        tracing::warn!(kind = kind.label(), "a file made its decoder panic; it is refused");
        Err(not_of(kind))
    })
}

pub(super) fn not_of(kind: MediaKind) -> Refusal {
    Refusal::FileType(match kind {
        MediaKind::Image => "the file is no JPG, PNG, BMP, TIFF, GIF, WebP, HEIC or HEIF image",
        MediaKind::Audio => "the file is no MP3 or M4A audio, nor Opus in WebM or Ogg",
        MediaKind::Video => "the file is no MP4 or MOV video",
        MediaKind::File => "the file cannot be read",
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn unreadable(error: io::Error) -> Refusal {
    Refusal::FileServer(error.to_string())
}

pub(super) fn check_pixels(pixels: Pixels, options: &MediaOptions) -> Result<(), Refusal> {
    if pixels.count() > options.pixels_max {
        return Err(Refusal::FilePixels { pixels: pixels.count(), pixels_max: options.pixels_max });
    }
    Ok(())
}

fn judge<R: Read + Seek>(
    kind: MediaKind,
    open: &dyn Fn() -> io::Result<R>,
    options: &MediaOptions,
    limits: &Limits,
) -> Result<Probed, Refusal> {
    let source = || open().map_err(unreadable);
    match kind {
        MediaKind::Image => {
            if let Some(probed) = judge_heif(source().map(BufReader::new)?, options)? {
                return Ok(probed);
            }
            let is_telling = is_telling(source()?)?;
            judge_image(|| source().map(BufReader::new), options, is_telling)
        }
        MediaKind::Audio => judge_audio(&source, limits),
        MediaKind::Video => judge_video(source()?),
        MediaKind::File => {
            let head = head_of(source()?)?;
            let mime = infer::get(&head).map_or("application/octet-stream", |kind| kind.mime_type());
            Ok(Probed { mime: mime.to_owned(), ..Probed::default() })
        }
    }
}

fn head_of(source: impl Read) -> Result<Vec<u8>, Refusal> {
    let mut head = Vec::new();
    source.take(HEAD_BYTES).read_to_end(&mut head).map_err(unreadable)?;
    Ok(head)
}

/// Returns whether an image says more than what it shows.
fn is_telling(mut source: impl Read) -> Result<bool, Refusal> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).map_err(unreadable)?;
    let Some(header) = picture::read_header(io::Cursor::new(&bytes)) else { return Ok(false) };
    Ok(strip::image(header.format, &bytes).is_none_or(|stripped| stripped.is_changed(bytes.len())))
}

/// Judges an image of phones, of which nothing is made for want of a decoder: the original stands in. None: it is none.
pub(super) fn judge_heif(source: impl Read + Seek, options: &MediaOptions) -> Result<Option<Probed>, Refusal> {
    let Some(heif::Heif { mime, pixels }) = heif::read(source).map_err(unreadable)? else { return Ok(None) };
    check_pixels(pixels, options)?;
    Ok(Some(Probed { mime: mime.to_owned(), original: pixels, large: pixels, thumbnail: pixels, ..Probed::default() }))
}

/// Judges an image and makes smaller ones; where it `is_telling`, one for the screen even if it is no smaller.
pub(super) fn judge_image<R: BufRead + Seek>(
    source: impl Fn() -> Result<R, Refusal>,
    options: &MediaOptions,
    is_telling: bool,
) -> Result<Probed, Refusal> {
    let header = picture::read_header(source()?).ok_or_else(|| not_of(MediaKind::Image))?;
    check_pixels(header.pixels, options)?;
    let mime = picture::mime(header.format).to_owned();
    // A decoder may panic on what it cannot read: then there are no smaller ones, and that is all.
    let source = source()?;
    let derived = panic::catch_unwind(AssertUnwindSafe(|| picture::derive(source, header, options, is_telling)));
    let derived = derived.unwrap_or_else(|_| {
        tracing::warn!(mime, "an image made its decoder panic; it is kept as it came");
        None
    });
    let Some(derived) = derived else {
        let pixels = header.pixels;
        return Ok(Probed { mime, original: pixels, large: pixels, thumbnail: pixels, ..Probed::default() });
    };
    let mut made = vec![(Rendition::Thumbnail, derived.thumbnail.bytes)];
    let large = derived.large.as_ref().map_or(derived.original, |large| large.pixels);
    made.extend(derived.large.map(|large| (Rendition::Large, large.bytes)));
    Ok(Probed { mime, original: derived.original, large, thumbnail: derived.thumbnail.pixels, made, ..Probed::default() })
}

fn judge_audio<R: Read + Seek>(source: &dyn Fn() -> Result<R, Refusal>, limits: &Limits) -> Result<Probed, Refusal> {
    let probed = if let Some(movie) = mp4::read(source()?).map_err(unreadable)? {
        // A picture beside the sound is its cover.
        let has_film = movie.video.is_some_and(|video| !video.is_still);
        let codec = movie.audio.filter(|_| !has_film).ok_or_else(|| not_of(MediaKind::Audio))?;
        Probed { mime: "audio/mp4".to_owned(), codec, duration_ms: movie.audio_ms, ..Probed::default() }
    } else if let Some(opus::Voice { mime, duration_ms }) = opus::read(BufReader::new(source()?)).map_err(unreadable)? {
        Probed { mime: mime.to_owned(), codec: "opus".to_owned(), duration_ms: Some(duration_ms), ..Probed::default() }
    } else if infer::get(&head_of(source()?)?).is_some_and(|kind| kind.matcher_type() == infer::MatcherType::Video) {
        // A film of another kind, which may hold frames of MP3.
        return Err(not_of(MediaKind::Audio));
    } else {
        let duration_ms = mp3::duration_ms(source()?).map_err(unreadable)?;
        let duration_ms = Some(duration_ms.ok_or_else(|| not_of(MediaKind::Audio))?);
        Probed { mime: "audio/mpeg".to_owned(), codec: "mp3".to_owned(), duration_ms, ..Probed::default() }
    };
    let ms_max = limits.audio_seconds_max * 1000;
    match probed.duration_ms {
        Some(ms) if ms > ms_max + SLACK_MS => Err(Refusal::FileDuration { ms, seconds_max: limits.audio_seconds_max }),
        _ => Ok(probed),
    }
}

fn judge_video(source: impl Read + Seek) -> Result<Probed, Refusal> {
    let movie = mp4::read(source).map_err(unreadable)?;
    let Some((movie, picture)) =
        movie.and_then(|mut movie| movie.video.take().filter(|video| !video.is_still).map(|picture| (movie, picture)))
    else {
        return Err(not_of(MediaKind::Video));
    };
    let mime = if movie.is_quicktime { "video/quicktime" } else { "video/mp4" };
    // Of other codecs the size is not told. Source: ZIM guide "Send and receive messages", video messages.
    let frame = if picture.is_h264_or_h265() { picture.pixels } else { Pixels::default() };
    Ok(Probed { mime: mime.to_owned(), codec: picture.codec, duration_ms: picture.duration_ms, frame, ..Probed::default() })
}

#[cfg(test)]
mod tests;
