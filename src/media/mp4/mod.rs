//! What an MP4 or MOV file holds, by its boxes. Source: ISO/IEC 14496-12, QuickTime File Format.
//!
//! Own code, because none of the crates tried was both right and safe with hostile files. It reads headers,
//! steps over everything else, looks into a fixed set of boxes, and never makes room for what a field claims: what it
//! holds in memory at a time is one `moov` or one `moof`, as long as it really is, up to a limit.

use std::io::{self, Read, Seek, SeekFrom};

use crate::model::Pixels;

/// Boxes at the top: a fragmented recording has two per fragment.
pub(super) const TOP_BOXES_MAX: u32 = 65_536;
/// Boxes looked at inside one `moov` or `moof`.
const INNER_BOXES_MAX: u32 = 4_096;
/// A `moov`; a film of 100 MB has one of some 2 MiB.
pub(super) const MOOV_BYTES_MAX: u64 = 16 << 20;
/// A `moof`.
const MOOF_BYTES_MAX: u64 = 1 << 20;
/// Edits of a track; the rest is not looked at.
const EDITS_MAX: usize = 1_024;
/// Tracks; the rest is not looked at.
const TRACKS_MAX: usize = 16;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movie {
    /// QuickTime rather than MP4.
    pub is_quicktime: bool,
    /// The main track with pictures.
    pub video: Option<VideoTrack>,
    /// The codec of the main track with sound.
    pub audio: Option<String>,
    /// How long the sound plays, milliseconds.
    pub audio_ms: Option<u64>,
}

/// A track with pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VideoTrack {
    /// The four letters of its codec: `avc1`.
    pub codec: String,
    /// As shown, turned as the track says.
    pub pixels: Pixels,
    /// How long it plays, milliseconds.
    pub duration_ms: Option<u64>,
    /// Whether it is one picture that stands: a cover.
    pub is_still: bool,
}

impl VideoTrack {
    /// Returns whether it is H.264 or H.265, whose size is told.
    pub(super) fn is_h264_or_h265(&self) -> bool {
        matches!(self.codec.as_str(), "avc1" | "avc2" | "avc3" | "hvc1" | "hev1" | "dvh1" | "dvhe")
    }
}

#[derive(Debug, Default)]
struct Track {
    id: u32,
    timescale: u32,
    handler: [u8; 4],
    codec: [u8; 4],
    pixels: Pixels,
    is_turned: bool,
    /// Whether it is played unless something else is chosen.
    is_enabled: bool,
    /// The tracks that hold its chapters: their names, and a picture for each.
    chapters: Vec<u32>,
    /// What of it is played, in this order; empty: all.
    edits: Vec<Edit>,
    samples: u64,
    /// Of all its samples, in its timescale.
    ticks: u64,
    /// How much later than it is decoded the first one is shown, in its timescale: films whose pictures are not kept in their order.
    shown_after: Option<u32>,
    /// Of a sample of a fragment that does not say its own.
    sample_ticks: u32,
}

/// A stretch of what a player shows. Source: ISO/IEC 14496-12, 8.6.6 (the edit list); QuickTime File Format, "Edit list atom".
#[derive(Debug, Clone, Copy)]
struct Edit {
    /// How long, in the movie's timescale; 0: to the end.
    length: u64,
    /// Where in the track it begins, in the track's timescale; none: for so long silence is played, and no picture shown.
    from: Option<u64>,
    /// How fast it is played, 65,536ths; 0: one picture stands for so long.
    rate: u32,
}

/// A track's own speed.
const RATE: u32 = 1 << 16;

impl Track {
    /// Returns how long it plays, milliseconds: its edits, and of what they play no more than there is. Source: ISO/IEC 14496-12, 8.6.6:
    /// what is shown lasts as long as all edits together, those that show nothing included.
    fn duration_ms(&self, movie_timescale: u32) -> Option<u64> {
        let (own, movie) = (u128::from(self.timescale), u128::from(movie_timescale));
        if own == 0 || self.ticks == 0 {
            return None;
        }
        let ms = |ticks: u64| u128::from(ticks) * 1000 / own;
        let asked = |edit: &Edit| (u128::from(edit.length) * 1000).checked_div(movie).filter(|ms| *ms > 0);
        // Edits count from when something is decoded on, and end with what is shown. Source: ISO/IEC 14496-12, 8.6.1.3 and 8.6.6.
        let end = self.ticks.saturating_add(self.shown_after.unwrap_or(0).into());
        // What an edit plays, and not how long nothing is seen.
        let played = |edit: &Edit| {
            let left = ms(end.checked_sub(edit.from?)?);
            match (asked(edit), edit.rate) {
                (None, _) => Some(left),
                (Some(asked), 0) => Some(asked),
                (Some(asked), rate) => Some(asked.min(left * u128::from(RATE) / u128::from(rate))),
            }
        };
        let all = if self.edits.is_empty() {
            ms(self.ticks)
        } else if self.edits.iter().any(|edit| played(edit).is_some_and(|ms| ms > 0)) {
            self.edits.iter().map(|edit| if edit.from.is_none() { asked(edit) } else { played(edit) }.unwrap_or(0)).sum()
        } else {
            0
        };
        u64::try_from(all).ok().filter(|ms| *ms > 0)
    }

    /// Returns whether it is a picture and no film.
    fn is_still(&self) -> bool {
        self.samples <= 1 && matches!(&self.codec, b"jpeg" | b"png " | b"mjpa" | b"mjpb" | b"tiff" | b"gif ")
    }
}

/// Returns the track of a kind that a player shows: no chapters, no cover, one that is enabled, the longest.
fn main_track<'a>(tracks: &'a [Track], handler: &[u8; 4], timescale: u32) -> Option<&'a Track> {
    let chapters: Vec<u32> = tracks.iter().flat_map(|track| track.chapters.iter().copied()).collect();
    let of_kind = tracks.iter().filter(|track| &track.handler == handler && track.codec != [0; 4] && !chapters.contains(&track.id));
    // Of equal ones the first.
    of_kind.rev().max_by_key(|track| (!track.is_still(), track.is_enabled, track.duration_ms(timescale)))
}

/// Reads what a file holds. Returns none when it is no MP4 or MOV.
///
/// # Errors
/// Those of the file.
pub(super) fn read(mut file: impl Read + Seek) -> io::Result<Option<Movie>> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut tracks, mut brand, mut is_movie, mut timescale) = (0u64, Vec::new(), None, false, 0);
    for _ in 0..TOP_BOXES_MAX {
        let Some((kind, body, next)) = top_header(&mut file, at, end)? else { break };
        match &kind {
            b"ftyp" if at == 0 => brand = Some(content(&mut file, body, next.min(body + 4))?),
            // Files of old QuickTime begin without one.
            b"wide" | b"mdat" | b"moov" | b"free" | b"skip" if at == 0 => brand = Some(b"qt  ".to_vec()),
            _ if at == 0 => return Ok(None),
            _ => {}
        }
        match &kind {
            b"moov" if !is_movie && next - body <= MOOV_BYTES_MAX => {
                is_movie = true;
                timescale = read_movie(&content(&mut file, body, next)?, &mut tracks);
            }
            b"moof" if next - body <= MOOF_BYTES_MAX => read_fragment(&content(&mut file, body, next)?, &mut tracks),
            _ => {}
        }
        at = next;
    }
    let (true, Some(brand)) = (is_movie, brand) else { return Ok(None) };
    let (video, audio) = (main_track(&tracks, b"vide", timescale), main_track(&tracks, b"soun", timescale));
    Ok(Some(Movie {
        is_quicktime: brand == b"qt  ",
        video: video.map(|track| VideoTrack {
            codec: letters(track.codec),
            pixels: if track.is_turned { track.pixels.turned() } else { track.pixels },
            duration_ms: track.duration_ms(timescale),
            is_still: track.is_still(),
        }),
        audio: audio.map(|track| letters(track.codec)),
        audio_ms: audio.and_then(|track| track.duration_ms(timescale)),
    }))
}

fn letters(codec: [u8; 4]) -> String {
    codec.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect()
}

/// Reads the header of a box: its kind, where its content begins, where the next begins. Returns none at the end, and where
/// what follows is no box.
pub(super) fn top_header(file: &mut (impl Read + Seek), at: u64, end: u64) -> io::Result<Option<([u8; 4], u64, u64)>> {
    if end.saturating_sub(at) < 8 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut head = [0; 8];
    file.read_exact(&mut head)?;
    let [size @ .., k0, k1, k2, k3] = head;
    let mut body = at + 8;
    let size = match u32::from_be_bytes(size) {
        0 => end - at,
        1 if end - at >= 16 => {
            let mut long = [0; 8];
            file.read_exact(&mut long)?;
            body = at + 16;
            u64::from_be_bytes(long)
        }
        size => u64::from(size),
    };
    // What goes beyond the file was cut off: its head may still be read.
    let next = at.saturating_add(size).min(end);
    Ok((size >= body - at && next >= body).then_some(([k0, k1, k2, k3], body, next)))
}

/// Reads what lies there; as much as there really is.
pub(super) fn content(file: &mut (impl Read + Seek), from: u64, to: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The boxes of a stretch of memory, one after another.
pub(super) struct Boxes<'a, 'b> {
    pub rest: &'a [u8],
    /// How many more are looked at.
    pub left: &'b mut u32,
}

impl<'a> Boxes<'a, '_> {
    pub(super) fn next(&mut self) -> Option<([u8; 4], &'a [u8])> {
        *self.left = self.left.checked_sub(1)?;
        let (size, kind) = (number(self.rest, 0)?, self.rest.get(4..8)?);
        let (head, size) = match size {
            0 => (8, self.rest.len()),
            1 => (16, usize::try_from(u64::from(number(self.rest, 8)?) << 32 | u64::from(number(self.rest, 12)?)).ok()?),
            size => (8, usize::try_from(size).ok()?),
        };
        let body = self.rest.get(head..size)?;
        self.rest = self.rest.get(size..)?;
        Some((kind.try_into().ok()?, body))
    }
}

pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(number(bytes, at)?) << 32 | u64::from(number(bytes, at + 4)?))
}

pub(super) fn short(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?)))
}

/// Returns the movie's timescale.
fn read_movie(moov: &[u8], tracks: &mut Vec<Track>) -> u32 {
    let mut left = INNER_BOXES_MAX;
    let (mut defaults, mut timescale) = (Vec::new(), 0);
    let mut boxes = Boxes { rest: moov, left: &mut left };
    while let Some((kind, body)) = boxes.next() {
        match &kind {
            // Version 1 has times of 8 bytes.
            b"mvhd" => timescale = number(body, if body.first() == Some(&1) { 20 } else { 12 }).unwrap_or_default(),
            b"trak" if tracks.len() < TRACKS_MAX => tracks.push(read_track(body, boxes.left)),
            b"mvex" => {
                let mut inner = Boxes { rest: body, left: boxes.left };
                while let Some((kind, body)) = inner.next() {
                    // Version and flags, track, description, duration of a sample.
                    if let (b"trex", Some(id), Some(ticks)) = (&kind, number(body, 4), number(body, 12)) {
                        defaults.push((id, ticks));
                    }
                }
            }
            _ => {}
        }
    }
    for track in tracks {
        track.sample_ticks = defaults.iter().find(|(id, _)| *id == track.id).map_or(0, |(_, ticks)| *ticks);
    }
    timescale
}

fn read_track(trak: &[u8], left: &mut u32) -> Track {
    let mut track = Track::default();
    let mut boxes = Boxes { rest: trak, left };
    while let Some((kind, body)) = boxes.next() {
        match &kind {
            b"tkhd" => read_head(body, &mut track),
            b"edts" => read_edits(body, boxes.left, &mut track),
            b"tref" => {
                let mut inner = Boxes { rest: body, left: boxes.left };
                while let Some((kind, body)) = inner.next() {
                    if &kind == b"chap" {
                        track.chapters = body.chunks_exact(4).take(TRACKS_MAX).filter_map(|id| number(id, 0)).collect();
                    }
                }
            }
            b"mdia" => read_media(body, boxes.left, &mut track),
            _ => {}
        }
    }
    track
}

/// Reads which stretches of a track are played.
fn read_edits(edts: &[u8], left: &mut u32, track: &mut Track) {
    let mut boxes = Boxes { rest: edts, left };
    while let Some((kind, body)) = boxes.next() {
        if &kind != b"elst" {
            continue;
        }
        // Version and flags, count; then length and beginning of 8 bytes each in version 1, else of 4, and a speed.
        let is_long = body.first() == Some(&1);
        let entries = body.get(8..).unwrap_or_default().chunks_exact(if is_long { 20 } else { 12 });
        let count = usize::try_from(number(body, 4).unwrap_or_default()).unwrap_or(0);
        track.edits.extend(entries.take(count.min(EDITS_MAX)).filter_map(|entry| {
            let (length, from, rate) = if is_long {
                (long(entry, 0)?, long(entry, 8)?.cast_signed(), number(entry, 16)?)
            } else {
                (u64::from(number(entry, 0)?), i64::from(number(entry, 4)?.cast_signed()), number(entry, 8)?)
            };
            Some(Edit { length, from: u64::try_from(from).ok(), rate: rate.cast_signed().unsigned_abs() })
        }));
    }
}

/// Reads the track's number, whether it is enabled, and whether it is turned by a quarter.
fn read_head(tkhd: &[u8], track: &mut Track) {
    // Version 1 has times of 8 bytes.
    let is_long = tkhd.first() == Some(&1);
    track.id = number(tkhd, if is_long { 20 } else { 12 }).unwrap_or_default();
    track.is_enabled = number(tkhd, 0).is_some_and(|flags| flags & 1 != 0);
    track.is_turned = matrix_row(tkhd).is_some_and(|(a, b)| a == 0 && b != 0);
}

/// Returns the first two numbers of a track's matrix: which way is up. Source: ISO/IEC 14496-12, 8.3.2.
///
/// ```text
/// | a b u |  a picture upright or upside down has a and d, one on its side b and c
/// | c d v |
/// ```
pub(super) fn matrix_row(tkhd: &[u8]) -> Option<(i32, i32)> {
    let at = if tkhd.first() == Some(&1) { 52 } else { 40 };
    Some((number(tkhd, at)?.cast_signed(), number(tkhd, at + 4)?.cast_signed()))
}

fn read_media(mdia: &[u8], left: &mut u32, track: &mut Track) {
    let mut boxes = Boxes { rest: mdia, left };
    while let Some((kind, body)) = boxes.next() {
        match &kind {
            b"mdhd" => track.timescale = number(body, if body.first() == Some(&1) { 20 } else { 12 }).unwrap_or_default(),
            b"hdlr" => track.handler = body.get(8..12).and_then(|handler| handler.try_into().ok()).unwrap_or_default(),
            b"minf" => {
                let mut inner = Boxes { rest: body, left: boxes.left };
                while let Some((kind, body)) = inner.next() {
                    if &kind == b"stbl" {
                        read_samples(body, inner.left, track);
                    }
                }
            }
            _ => {}
        }
    }
}

fn read_samples(stbl: &[u8], left: &mut u32, track: &mut Track) {
    let mut boxes = Boxes { rest: stbl, left };
    while let Some((kind, body)) = boxes.next() {
        match &kind {
            // Version and flags, count, then the first entry: size, codec, 6 + 2 bytes, 16 bytes, width, height.
            b"stsd" => {
                track.codec = body.get(12..16).and_then(|codec| codec.try_into().ok()).unwrap_or_default();
                if let (Some(width), Some(height)) = (short(body, 40), short(body, 42)) {
                    track.pixels = Pixels::new(width, height);
                }
            }
            // Version and flags, count, then how many samples of which duration.
            b"stts" => {
                for entry in body.get(8..).unwrap_or_default().chunks_exact(8) {
                    let (count, ticks) = (number(entry, 0).unwrap_or_default(), number(entry, 4).unwrap_or_default());
                    track.samples = track.samples.saturating_add(count.into());
                    track.ticks = track.ticks.saturating_add(u64::from(count) * u64::from(ticks));
                }
            }
            // Version and flags, count, then how many samples are shown how much later.
            b"ctts" => track.shown_after = number(body, 12).map(later),
            _ => {}
        }
    }
}

/// Reads how much later a sample is shown: some write it with a sign, and what is shown sooner costs nothing at the end.
fn later(offset: u32) -> u32 {
    u32::try_from(offset.cast_signed()).unwrap_or(0)
}

/// Adds what a fragment lasts.
fn read_fragment(moof: &[u8], tracks: &mut [Track]) {
    let mut left = INNER_BOXES_MAX;
    let mut boxes = Boxes { rest: moof, left: &mut left };
    while let Some((kind, body)) = boxes.next() {
        if &kind != b"traf" {
            continue;
        }
        let (mut id, mut default) = (0, None);
        let mut inner = Boxes { rest: body, left: boxes.left };
        while let Some((kind, body)) = inner.next() {
            match &kind {
                b"tfhd" => {
                    let flags = number(body, 0).unwrap_or_default();
                    id = number(body, 4).unwrap_or_default();
                    // Before it, each where its flag is set: base offset (8 bytes), description.
                    let at = 8 + if flags & 0x01 != 0 { 8 } else { 0 } + if flags & 0x02 != 0 { 4 } else { 0 };
                    default = (flags & 0x08 != 0).then(|| number(body, at)).flatten();
                }
                b"trun" => {
                    if let Some(track) = tracks.iter_mut().find(|track| track.id == id) {
                        let ticks = run_ticks(body, default.unwrap_or(track.sample_ticks));
                        track.samples = track.samples.saturating_add(number(body, 4).unwrap_or_default().into());
                        track.ticks = track.ticks.saturating_add(ticks);
                        track.shown_after = track.shown_after.or_else(|| run_offset(body));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Returns how long the samples of a run last, in the track's timescale. The claimed count matters only where they share one duration.
fn run_ticks(trun: &[u8], default: u32) -> u64 {
    let flags = number(trun, 0).unwrap_or_default();
    let count = number(trun, 4).unwrap_or_default();
    if flags & 0x100 == 0 {
        return u64::from(count) * u64::from(default);
    }
    let samples = run_samples(trun, flags);
    samples.take(usize::try_from(count).unwrap_or(usize::MAX)).filter_map(|sample| number(sample, 0)).map(u64::from).sum()
}

/// Returns how much later than it is decoded the first sample of a run is shown.
fn run_offset(trun: &[u8]) -> Option<u32> {
    let flags = number(trun, 0)?;
    if flags & 0x800 == 0 {
        return None;
    }
    let first = run_samples(trun, flags).next()?;
    number(first, first.len().checked_sub(4)?).map(later)
}

/// The samples of a run that say something of their own: duration, size, flags and offset, each where its flag is set.
fn run_samples(trun: &[u8], flags: u32) -> impl Iterator<Item = &[u8]> {
    let from = 8 + if flags & 0x01 != 0 { 4 } else { 0 } + if flags & 0x04 != 0 { 4 } else { 0 };
    let sample = 4 * usize::try_from((flags & 0xF00).count_ones()).unwrap_or(1);
    trun.get(from..).unwrap_or_default().chunks_exact(sample)
}

#[cfg(test)]
mod tests;
