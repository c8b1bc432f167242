//! How long an MP3 file plays. Its headers may lie, so every packet is looked at; none is decoded.

use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

/// Returns how long a file plays, milliseconds; none: it is no MP3.
pub(super) fn mp3_duration_ms(source: Box<dyn MediaSource>) -> Option<u64> {
    let stream = MediaSourceStream::new(source, Default::default());
    let mut hint = Hint::new();
    hint.with_extension("mp3");
    let probe = symphonia::default::get_probe();
    let mut reader = probe.probe(&hint, stream, FormatOptions::default(), MetadataOptions::default()).ok()?;
    if !matches!(reader.format_info().short_name, "mp3") {
        return None;
    }
    let track = reader.default_track(TrackType::Audio)?;
    let (id, base) = (track.id, track.time_base?);
    let mut ticks = 0u64;
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == id => ticks = ticks.saturating_add(packet.dur.get()),
            Ok(Some(_)) => {}
            Ok(None) | Err(Error::IoError(_)) => break,
            // What players step over as well.
            Err(Error::DecodeError(_)) if ticks > 0 => break,
            Err(_) => return None,
        }
    }
    let ms = u128::from(ticks) * 1000 * u128::from(base.numer.get()) / u128::from(base.denom.get());
    u64::try_from(ms).ok().filter(|ms| *ms > 0)
}
