use super::*;

fn options() -> MediaOptions {
    MediaOptions { pixels_max: 50_000_000, large_pixels: 720, thumbnail_pixels: 198 }
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn probed(kind: MediaKind, name: &str) -> Result<Probed, Refusal> {
    probe(kind, &fixture(name), &options(), &Limits::default())
}

#[test]
fn six_kinds_of_images_are_known_by_their_content_with_their_sizes() {
    for (name, mime, original, thumbnail) in [
        ("picture.jpg", "image/jpeg", (400, 300), (264, 198)),
        ("picture.png", "image/png", (400, 300), (264, 198)),
        ("picture.bmp", "image/bmp", (160, 120), (160, 120)),
        ("picture.tiff", "image/tiff", (400, 300), (264, 198)),
        ("picture.gif", "image/gif", (400, 300), (264, 198)),
        ("picture.webp", "image/webp", (400, 300), (264, 198)),
    ] {
        let probed = probed(MediaKind::Image, name).unwrap();
        let of = |(width, height): (u32, u32)| Pixels::new(width, height);
        assert_eq!((probed.mime.as_str(), probed.original, probed.large), (mime, of(original), of(original)), "{name}");
        assert_eq!(probed.thumbnail, of(thumbnail), "{name}");
        let (_, made) = probed.made.iter().find(|(rendition, _)| *rendition == Rendition::Thumbnail).unwrap();
        let size = imagesize::blob_size(made).unwrap();
        assert_eq!((size.width, size.height), (thumbnail.0 as usize, thumbnail.1 as usize), "{name}");
    }
}

#[test]
fn what_is_made_of_a_turned_image_is_upright_and_says_nothing_of_its_place() {
    let probed = probed(MediaKind::Image, "turned.jpg").unwrap();
    let upright = Pixels::new(300, 400);
    assert_eq!((probed.original, probed.large, probed.thumbnail), (upright, upright, Pixels::new(198, 264)));
    assert!(std::fs::read(fixture("turned.jpg")).unwrap().windows(4).any(|bytes| bytes == b"Exif"));
    assert_eq!(probed.made.len(), 2, "the large one, too, is written anew, though it is no smaller");
    for (rendition, made) in probed.made {
        assert!(!made.windows(4).any(|bytes| bytes == b"Exif"), "{rendition:?}");
    }
}

#[test]
fn an_image_that_cannot_be_decoded_is_kept_as_it_came_and_a_bomb_is_not_decoded() {
    let probed_tiff = probed(MediaKind::Image, "ycbcr.tiff").unwrap();
    assert_eq!((probed_tiff.thumbnail, probed_tiff.made.len()), (Pixels::new(400, 300), 0));
    assert_eq!(probed(MediaKind::Image, "bomb.png").unwrap_err(), Refusal::FilePixels { pixels: 900_000_000, pixels_max: 50_000_000 });
}

#[test]
fn audio_lasts_as_long_as_it_plays_whatever_its_headers_say() {
    for (name, mime, codec, ms, off) in [
        ("cbr.mp3", "audio/mpeg", "mp3", 2000, 70),
        ("vbr.mp3", "audio/mpeg", "mp3", 2000, 70),
        ("bare.mp3", "audio/mpeg", "mp3", 10_000, 70),
        ("aac.m4a", "audio/mp4", "mp4a", 2000, 50),
        ("alac.m4a", "audio/mp4", "alac", 2000, 1),
        ("pieces.m4a", "audio/mp4", "mp4a", 2000, 50),
        ("voice.ogg", "audio/ogg", "opus", 2000, 40),
        ("voice.webm", "audio/webm", "opus", 2000, 40),
        ("live.webm", "audio/webm", "opus", 2000, 40),
    ] {
        let probed = probed(MediaKind::Audio, name).unwrap();
        assert_eq!((probed.mime.as_str(), probed.codec.as_str()), (mime, codec), "{name}");
        assert!(probed.duration_ms.unwrap().abs_diff(ms) <= off, "{name}: {:?}", probed.duration_ms);
    }
    let limits = Limits { audio_seconds_max: 9, ..Limits::default() };
    let refused = probe(MediaKind::Audio, &fixture("bare.mp3"), &options(), &limits).unwrap_err();
    assert!(matches!(refused, Refusal::FileDuration { ms: 10_000.., seconds_max: 9 }), "{refused:?}");
}

#[test]
fn mp3_is_found_by_its_frames_whatever_stands_before_them() {
    // Two seconds at each of three rates, with what the encoder puts around: 78 frames of 26.12 ms, 86 of 24 ms and 85 of 24 ms.
    let rates = probed(MediaKind::Audio, "rates.mp3").unwrap();
    assert!(rates.duration_ms.unwrap().abs_diff(6141) <= 1, "{:?}", rates.duration_ms);
    let torn = probed(MediaKind::Audio, "torn.mp3").unwrap();
    assert!(torn.duration_ms.unwrap().abs_diff(2000) <= 40, "{:?}", torn.duration_ms);
    // A cover of 2 MiB: a size of four times seven bits.
    let sound = std::fs::read(fixture("cbr.mp3")).unwrap();
    let mut covered = tempfile::NamedTempFile::new().unwrap();
    io::Write::write_all(&mut covered, &[&b"ID3\x04\0\0\x01\0\0\0"[..], &vec![0xFF; 2 << 20], &sound].concat()).unwrap();
    let covered = probe(MediaKind::Audio, covered.path(), &options(), &Limits::default()).unwrap();
    assert_eq!((covered.mime.as_str(), covered.duration_ms), ("audio/mpeg", probed(MediaKind::Audio, "cbr.mp3").unwrap().duration_ms));
}

#[test]
fn a_picture_of_a_phone_is_kept_as_it_came_with_the_size_it_is_shown_in() {
    let photo = probed(MediaKind::Image, "photo.heic").unwrap();
    let upright = Pixels::new(300, 400);
    assert_eq!((photo.mime.as_str(), photo.original, photo.large, photo.thumbnail), ("image/heic", upright, upright, upright));
    assert!(photo.made.is_empty());
    let small = MediaOptions { pixels_max: 119_999, ..options() };
    let refused = probe(MediaKind::Image, &fixture("photo.heic"), &small, &Limits::default()).unwrap_err();
    assert_eq!(refused, Refusal::FilePixels { pixels: 120_000, pixels_max: 119_999 });
}

#[test]
fn videos_tell_codec_and_length_and_of_two_codecs_the_size_of_the_first_picture() {
    for (name, mime, codec, frame) in [
        ("h264.mp4", "video/mp4", "avc1", (320, 180)),
        ("h264.mov", "video/quicktime", "avc1", (320, 180)),
        ("h265.mp4", "video/mp4", "hvc1", (320, 180)),
        ("h265.mov", "video/quicktime", "hev1", (320, 180)),
        ("pieces.mp4", "video/mp4", "avc1", (320, 180)),
        ("turned.mp4", "video/mp4", "avc1", (180, 320)),
        ("av1.mp4", "video/mp4", "av01", (0, 0)),
        ("vp9.mp4", "video/mp4", "vp09", (0, 0)),
        ("prores.mov", "video/quicktime", "apco", (0, 0)),
    ] {
        let probed = probed(MediaKind::Video, name).unwrap();
        assert_eq!((probed.mime.as_str(), probed.codec.as_str()), (mime, codec), "{name}");
        assert_eq!((probed.duration_ms, probed.frame), (Some(2000), Pixels::new(frame.0, frame.1)), "{name}");
    }
}

#[test]
fn a_picture_beside_film_or_sound_is_not_taken_for_it() {
    let film = probed(MediaKind::Video, "behind-picture.mov").unwrap();
    assert_eq!((film.codec.as_str(), film.duration_ms, film.frame), ("avc1", Some(2000), Pixels::new(320, 180)));
    let sound = probed(MediaKind::Audio, "pictured.m4a").unwrap();
    assert_eq!((sound.codec.as_str(), sound.mime.as_str()), ("mp4a", "audio/mp4"));
    assert!(sound.duration_ms.unwrap().abs_diff(2000) <= 50, "{:?}", sound.duration_ms);
    assert!(matches!(probed(MediaKind::Video, "pictured.m4a"), Err(Refusal::FileType(_))), "a cover is no film");
    let trimmed = probed(MediaKind::Video, "trimmed.mov").unwrap();
    assert_eq!(trimmed.duration_ms, Some(1000), "of 2 s an edit list plays one");
}

#[test]
fn what_is_of_another_kind_is_refused_whatever_it_is_called() {
    for (kind, names) in [
        (MediaKind::Image, ["h264.mp4", "cbr.mp3", "make.sh"]),
        (MediaKind::Audio, ["h264.mov", "film.webm", "make.sh"]),
        (MediaKind::Video, ["aac.m4a", "photo.heic", "make.sh"]),
    ] {
        for name in names {
            assert!(matches!(probed(kind, name), Err(Refusal::FileType(_))), "{kind:?} {name}");
        }
    }
    assert_eq!(probed(MediaKind::File, "make.sh").unwrap().mime, "text/x-shellscript");
    assert_eq!(probed(MediaKind::File, "picture.png").unwrap().mime, "image/png");
}

#[test]
fn a_first_picture_is_an_image_and_written_anew() {
    let (made, pixels) = probe_frame(&fixture("turned.jpg"), &options()).unwrap();
    assert_eq!((pixels, made_mime(&made)), (Pixels::new(300, 400), "image/jpeg"));
    assert!(!made.windows(4).any(|bytes| bytes == b"Exif"));
    for name in ["h264.mp4", "ycbcr.tiff"] {
        assert!(matches!(probe_frame(&fixture(name), &options()), Err(Refusal::FileType(_))), "{name}");
    }
}
