use std::path::Path;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn voice(bytes: &[u8]) -> Option<Voice> {
    read(bytes).unwrap()
}

#[test]
fn a_recording_plays_as_long_as_its_packets_whatever_its_headers_say() {
    for (name, mime) in [("voice.ogg", "audio/ogg"), ("voice.webm", "audio/webm"), ("live.webm", "audio/webm")] {
        let voice = voice(&fixture(name)).unwrap_or_else(|| panic!("{name} is no voice"));
        assert_eq!(voice.mime, mime, "{name}");
        assert!(voice.duration_ms.abs_diff(2000) <= 40, "{name}: {voice:?}");
    }
}

#[test]
fn a_packet_says_by_its_first_bytes_how_long_it_plays() {
    let ms = |first, second| samples_of_packet(first, second) * 1000 / SAMPLES_PER_SECOND;
    // Narrow band, 10 to 60 ms; full band, 20 ms; twice; three times by the second byte.
    assert_eq!([0, 1, 2, 3].map(|size| ms(size << 3, None)), [10, 20, 40, 60]);
    assert_eq!((ms(31 << 3, None), ms(31 << 3 | 1, None), ms(31 << 3 | 3, Some(3))), (20, 40, 60));
    assert_eq!((samples_of_packet(16 << 3, None), ms(31 << 3 | 3, Some(7)), ms(31 << 3 | 3, None)), (120, 0, 0));
}

#[test]
fn what_is_cut_plays_as_far_as_it_goes_and_what_is_mutated_ends() {
    for name in ["voice.ogg", "voice.webm", "live.webm"] {
        let whole = fixture(name);
        let half = voice(&whole[..whole.len() / 2]).map_or(0, |voice| voice.duration_ms);
        assert!((700..1400).contains(&half), "{name}: {half}");
        for at in 0..whole.len().min(4_000) {
            let _ends = voice(&whole[..at]);
            let mut bad = whole.clone();
            bad[at] = !bad[at];
            let _ends = voice(&bad);
        }
    }
}

#[test]
fn films_and_other_codecs_are_no_voices() {
    for name in ["film.webm", "vorbis.ogg", "cbr.mp3", "aac.m4a", "make.sh"] {
        assert_eq!(voice(&fixture(name)), None, "{name}");
    }
    assert_eq!((voice(b""), voice(b"OggS"), voice(&[0x1A, 0x45, 0xDF, 0xA3])), (None, None, None));
}
