//! Makes of a complete upload what is kept: without what says where it was made, judged, with its smaller images.

use std::fs::{self, File};
use std::io::Write as _;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use super::picture::MediaOptions;
use super::probe::{self, Probed};
use super::spool::Spool;
use super::{picture, strip};
use crate::model::{Limits, MediaKind, Refusal};

/// What is kept of an upload.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) probed: Probed,
    /// What is kept in place of the upload; none: the upload itself.
    pub(crate) anew: Option<Spool>,
}

/// Judges an upload and, unless `keeps_original`, takes out of it what says where and with what it was made. A file that was uploaded
/// as one is never touched. Blocks.
///
/// # Errors
/// As [`probe::probe`]; also where an image's structure cannot be followed, so that nobody can say what is in it.
pub(crate) fn prepare(
    kind: MediaKind,
    spool: &mut Spool,
    keeps_original: bool,
    options: &MediaOptions,
    limits: &Limits,
) -> Result<Prepared, Refusal> {
    if kind == MediaKind::Image && !keeps_original {
        return probe::guarded(kind, || prepare_image(spool, options));
    }
    let probed = probe::probe(kind, spool.path(), options, limits)?;
    let is_movie = probed.mime.ends_with("/mp4") || probed.mime == "video/quicktime";
    if matches!(kind, MediaKind::Audio | MediaKind::Video) && is_movie && !keeps_original {
        probe::guarded(kind, || blank_movie(spool))?;
    }
    Ok(Prepared { probed, anew: None })
}

fn prepare_image(spool: &Spool, options: &MediaOptions) -> Result<Prepared, Refusal> {
    let path = spool.path().to_owned();
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(probe::unreadable);
    // Of HEIC and HEIF nothing is taken out: they are kept as they come.
    if let Some(probed) = probe::judge_heif(open(&path)?, options)? {
        return Ok(Prepared { probed, anew: None });
    }
    let header = picture::read_header(open(&path)?).ok_or_else(|| probe::not_of(MediaKind::Image))?;
    probe::check_pixels(header.pixels, options)?;
    let bytes = fs::read(&path).map_err(probe::unreadable)?;
    let stripped = strip::image(header.format, &bytes).ok_or(Refusal::FileType("the image's structure cannot be followed"))?;
    if !stripped.is_changed(bytes.len()) {
        return Ok(Prepared { probed: probe::judge_image(|| open(&path), options, false)?, anew: None });
    }
    let mut anew = spool.beside("stripped").map_err(probe::unreadable)?;
    let mut writer = BufWriter::with_capacity(super::CHUNK_BYTES, &mut anew);
    stripped.write(&bytes, &mut writer).and_then(|()| writer.flush()).map_err(probe::unreadable)?;
    drop((writer, bytes));
    let probed = probe::judge_image(|| open(anew.path()), options, false)?;
    Ok(Prepared { probed, anew: Some(anew) })
}

fn blank_movie(spool: &mut Spool) -> Result<(), Refusal> {
    let file = File::open(spool.path()).map_err(probe::unreadable)?;
    let found = strip::telling(BufReader::new(file)).map_err(probe::unreadable)?;
    let found = found.ok_or(Refusal::FileType("the film's structure cannot be followed"))?;
    if found.is_empty() {
        return Ok(());
    }
    for told in found {
        let renamed = told.kind_at.map_or(Ok(()), |at| spool.overwrite(at, b"free"));
        renamed.and_then(|()| spool.blank(told.content)).map_err(probe::unreadable)?;
    }
    spool.hash_anew().map_err(probe::unreadable)
}
