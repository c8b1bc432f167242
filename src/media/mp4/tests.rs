use std::io::Cursor;

use super::*;

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, body].concat()
}

#[test]
fn what_is_no_movie_is_none_and_a_lie_about_sizes_costs_nothing() {
    for bytes in [&b""[..], b"hello, world, this is text", &[0; 64], &[0xFF; 64]] {
        assert_eq!(read(Cursor::new(bytes)).unwrap(), None);
    }
    // A `moov` that claims 2^63 bytes and has none.
    let mut liar = boxed(b"ftyp", b"isom0000");
    liar.extend([0, 0, 0, 1]);
    liar.extend(b"moov");
    liar.extend((1u64 << 63).to_be_bytes());
    let movie = read(Cursor::new(liar)).unwrap().unwrap();
    assert_eq!((movie.video, movie.audio, movie.audio_ms), (None, None, None));
}

/// Joins numbers of 4 bytes.
fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A track of samples that last 100 of 1000 ticks a second. `more`: boxes beside.
fn track(id: u32, handler: &[u8; 4], codec: &[u8; 4], samples: u32, more: &[u8]) -> Vec<u8> {
    let head = [numbers(&[1, 0, 0, id]), vec![0; 64]].concat();
    let described = [numbers(&[0, 1, 86]), codec.to_vec(), vec![0; 78]].concat();
    let table = boxed(b"stbl", &[boxed(b"stsd", &described), boxed(b"stts", &numbers(&[0, 1, samples, 100]))].concat());
    let handler = [numbers(&[0, 0]), handler.to_vec(), vec![0; 12]].concat();
    let media = [boxed(b"mdhd", &numbers(&[0, 0, 0, 1000, 0, 0])), boxed(b"hdlr", &handler), boxed(b"minf", &table)].concat();
    boxed(b"trak", &[boxed(b"tkhd", &head), more.to_vec(), boxed(b"mdia", &media)].concat())
}

/// Edits, each a length in the movie's 600 ticks a second, and where it begins.
fn edits(edits: &[(u32, i32)]) -> Vec<u8> {
    edits_at(RATE, edits)
}

fn edits_at(rate: u32, edits: &[(u32, i32)]) -> Vec<u8> {
    let entries: Vec<u32> = edits.iter().flat_map(|(length, from)| [*length, from.cast_unsigned(), rate]).collect();
    let count = u32::try_from(edits.len()).unwrap();
    boxed(b"edts", &boxed(b"elst", &[numbers(&[0, count]), numbers(&entries)].concat()))
}

fn movie(tracks: &[Vec<u8>]) -> Movie {
    let head = boxed(b"mvhd", &numbers(&[0, 0, 0, 600, 0]));
    let file = [boxed(b"ftyp", b"isom0000"), boxed(b"moov", &[head, tracks.concat()].concat())].concat();
    read(Cursor::new(file)).unwrap().unwrap()
}

#[test]
fn a_track_plays_as_long_as_its_edits_say_and_no_longer_than_it_is() {
    for (more, ms) in [
        (Vec::new(), 55_000),
        (edits(&[(3000, 10_000)]), 5_000),
        (edits(&[(600, 0), (600, 20_000)]), 2_000),
        (edits(&[(1200, -1), (3000, 0)]), 7_000),
        (edits_at(RATE / 2, &[(60_000, 0)]), 100_000),
        (edits_at(0, &[(1200, 0)]), 2_000),
        (edits(&[(60_000, 50_000)]), 5_000),
        (edits(&[(0, 5_000)]), 50_000),
    ] {
        let movie = movie(&[track(1, b"soun", b"mp4a", 550, &more)]);
        assert_eq!(movie.audio_ms, Some(ms));
    }
    assert_eq!(movie(&[track(1, b"soun", b"mp4a", 550, &edits(&[(600, -1), (600, 60_000)]))]).audio_ms, None, "nothing of it is played");
}

#[test]
fn pictures_that_are_shown_later_than_they_are_decoded_are_played_to_the_last() {
    // Two seconds at 10 pictures a second, each shown 200 of 1000 ticks after it is decoded; an edit list begins where the first is shown.
    for (length, ms) in [(1200, 2_000), (0, 2_000), (6000, 2_000), (600, 1_000)] {
        let mut film = track(1, b"vide", b"hvc1", 20, &edits(&[(length, 200)]));
        let offsets = boxed(b"ctts", &numbers(&[0, 1, 20, 200]));
        let at = film.windows(4).position(|kind| kind == b"stts").unwrap() - 4;
        film.splice(at..at, offsets.iter().copied());
        // What it stands in is longer by as much.
        for kind in [b"trak", b"mdia", b"minf", b"stbl"] {
            let at = film.windows(4).position(|found| found == kind).unwrap() - 4;
            let size = number(&film, at).unwrap() + u32::try_from(offsets.len()).unwrap();
            film[at..at + 4].copy_from_slice(&size.to_be_bytes());
        }
        assert_eq!(movie(&[film]).video.unwrap().duration_ms, Some(ms), "{length}");
    }
}

#[test]
fn covers_and_chapters_are_not_what_is_shown() {
    let film = track(2, b"vide", b"avc1", 20, &[]);
    let cover = track(1, b"vide", b"jpeg", 1, &[]);
    let shown = movie(&[cover.clone(), film.clone()]).video.unwrap();
    assert_eq!((shown.codec.as_str(), shown.duration_ms, shown.is_still), ("avc1", Some(2_000), false));
    let chapters = boxed(b"tref", &boxed(b"chap", &numbers(&[3, 4])));
    let sound = track(1, b"soun", b"mp4a", 100, &chapters);
    let pictured = movie(&[track(3, b"vide", b"jpeg", 9, &[]), track(4, b"text", b"text", 9, &[]), sound]);
    assert_eq!((pictured.video, pictured.audio.as_deref(), pictured.audio_ms), (None, Some("mp4a"), Some(10_000)));
    assert!(movie(&[cover]).video.unwrap().is_still);
    let longer = track(5, b"vide", b"hvc1", 30, &[]);
    assert_eq!(movie(&[film, longer]).video.unwrap().codec, "hvc1", "the longest of two");
}

#[test]
fn boxes_inside_each_other_and_of_no_size_come_to_an_end() {
    let mut deep = boxed(b"trak", b"");
    for _ in 0..10_000 {
        deep = boxed(b"trak", &deep);
    }
    let file = [boxed(b"ftyp", b"isom0000"), boxed(b"moov", &deep)].concat();
    assert!(read(Cursor::new(file)).unwrap().is_some());
    let zeros = [boxed(b"ftyp", b"isom0000"), boxed(b"moov", &vec![0; 1 << 20])].concat();
    assert!(read(Cursor::new(zeros)).unwrap().is_some());
}
