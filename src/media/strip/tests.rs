use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageReader};

use super::*;

/// What must be nowhere.
const PLACE: &[u8] = b"51.50735,-0.12776 by a camera";
/// A colour profile, as far as anybody looks.
const PROFILE: &[u8] = b"a profile of colours";

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn says_place(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, PLACE).is_some()
}

/// EXIF of an image that is to be turned, made by a camera somewhere.
fn exif_block() -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let length = u32::try_from(PLACE.len()).unwrap();
    let entries = [entry(0x010F, 2, length, 64), entry(0x0112, 3, 1, 6), entry(0x8825, 4, 1, 46)].concat();
    let place = [&[1, 0][..], &entry(1, 2, length, 64), &[0; 4]].concat();
    let block = [b"II*\0\x08\0\0\0\x03\0", &entries[..], &[0; 4][..], &place[..]].concat();
    assert_eq!(block.len(), 68);
    // The pictures' place behind its directory.
    let mut block = block;
    block.extend_from_slice(PLACE);
    for at in [18, 56] {
        block[at..at + 4].copy_from_slice(&68u32.to_le_bytes());
    }
    block[42..46].copy_from_slice(&50u32.to_le_bytes());
    block
}

fn strip_image(format: ImageFormat, bytes: &[u8]) -> Vec<u8> {
    let stripped = image(format, bytes).expect("its structure can be followed");
    let mut written = Vec::new();
    stripped.write(bytes, &mut written).unwrap();
    assert_eq!(stripped.is_changed(bytes.len()), written != bytes);
    written
}

/// Decodes an image: its pixels, how it is turned, and its colour profile.
fn shown(format: ImageFormat, bytes: &[u8]) -> (DynamicImage, Orientation, Option<Vec<u8>>) {
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().unwrap();
    let (orientation, profile) = (decoder.orientation().unwrap(), decoder.icc_profile().unwrap());
    (DynamicImage::from_decoder(decoder).unwrap(), orientation, profile)
}

fn segment(marker: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&[0xFF, marker][..], &u16::try_from(content.len() + 2).unwrap().to_be_bytes(), &content].concat()
}

fn telling_jpeg() -> Vec<u8> {
    let plain = fixture("picture.jpg");
    let (head, end) = plain[2..].split_at(plain.len() - 4);
    let told = [
        segment(0xE1, &[b"Exif\0\0", &exif_block()]),
        segment(0xE1, &[b"http://ns.adobe.com/xap/1.0/\0", PLACE]),
        segment(0xE2, &[b"ICC_PROFILE\0\x01\x01", PROFILE]),
        segment(0xE2, &[b"MPF\0", PLACE]),
        segment(0xED, &[b"Photoshop 3.0\0", PLACE]),
        segment(0xFE, &[PLACE]),
    ];
    [b"\xFF\xD8", &told.concat()[..], head, &segment(0xE1, &[PLACE]), end, b"\xFF\xD8", &segment(0xFE, &[PLACE]), PLACE].concat()
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let body = [kind, content].concat();
    [&u32::try_from(content.len()).unwrap().to_be_bytes()[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

fn telling_png() -> Vec<u8> {
    let plain = fixture("picture.png");
    let told = [
        chunk(b"eXIf", &exif_block()),
        chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", PLACE].concat()),
        chunk(b"tEXt", &[b"Comment\0", PLACE].concat()),
        chunk(b"tIME", &[0; 7]),
        chunk(b"prVt", PLACE),
    ];
    [&plain[..33], &told.concat(), &plain[33..], PLACE].concat()
}

fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (kind, content) in chunks {
        body.extend_from_slice(&[&kind[..], &u32::try_from(content.len()).unwrap().to_le_bytes(), content].concat());
        body.extend_from_slice(&[0][..content.len() % 2]);
    }
    [b"RIFF", &u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body].concat()
}

fn telling_webp() -> Vec<u8> {
    let plain = fixture("picture.webp");
    let length = usize::try_from(u32::from_le_bytes(plain[16..20].try_into().unwrap())).unwrap();
    let kind = plain[12..16].try_into().unwrap();
    // Flags of a profile, EXIF and XMP; then width and height less one.
    let head = [0x20 | 0x08 | 0x04, 0, 0, 0, 143, 1, 0, 43, 1, 0];
    let webp = riff(&[
        (b"VP8X", &head),
        (b"ICCP", PROFILE),
        (kind, &plain[20..20 + length]),
        (b"EXIF", &exif_block()),
        (b"XMP ", PLACE),
        (b"camR", PLACE),
    ]);
    [&webp, PLACE].concat()
}

fn telling_gif() -> Vec<u8> {
    let plain = fixture("picture.gif");
    let start = 13 + if plain[10] & 0x80 == 0 { 0 } else { 3 << ((plain[10] & 7) + 1) };
    let block = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap()][..], bytes].concat();
    let told = [
        [b"\x21\xFE", &block(PLACE)[..], b"\0"].concat(),
        // XMP stands bare, with bytes behind it that lead from wherever to the end.
        [b"\x21\xFF\x0BXMP DataXMP", PLACE, b"\x01", &(0..=255).rev().collect::<Vec<u8>>()[..], b"\0"].concat(),
        [b"\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0".to_vec()].concat(),
    ];
    [&plain[..start], &told.concat(), &plain[start..], PLACE].concat()
}

/// Adds entries to the only directory of a TIFF, which goes to the file's end.
fn telling_tiff() -> Vec<u8> {
    let mut bytes = fixture("picture.tiff");
    assert!(bytes.starts_with(b"II*\0"));
    let long = |bytes: &[u8], at: usize| usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
    let old = long(&bytes, 4);
    let count = usize::from(u16::from_le_bytes(bytes[old..old + 2].try_into().unwrap()));
    let mut entries: Vec<Vec<u8>> =
        (0..count).map(|n| bytes[old + 2 + 12 * n..][..12].to_vec()).filter(|entry| entry[..2] != [0x12, 1]).collect();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    let mut add = |tag: u16, kind: u16, content: &[u8], count: usize| {
        let at = bytes.len();
        bytes.extend_from_slice(content);
        let (count, at) = (u32::try_from(count).unwrap(), u32::try_from(at).unwrap());
        entries.push([&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &at.to_le_bytes()].concat());
        at
    };
    for (tag, kind) in [(271, 2), (700, 1), (33723, 7)] {
        add(tag, kind, PLACE, PLACE.len());
    }
    add(34675, 7, PROFILE, PROFILE.len());
    let place = add(306, 2, PLACE, PLACE.len());
    entries.push([&[0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0][..]].concat());
    // A directory of the place, which points at it.
    let directory = u32::try_from(bytes.len()).unwrap();
    let length = u32::try_from(PLACE.len()).unwrap();
    bytes.extend_from_slice(&[&[1, 0, 2, 0, 2, 0][..], &length.to_le_bytes(), &place.to_le_bytes(), &[0; 4]].concat());
    entries.push([&34853u16.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &directory.to_le_bytes()].concat());
    entries.sort_by_key(|entry| u16::from_le_bytes([entry[0], entry[1]]));
    let new = u32::try_from(bytes.len()).unwrap();
    bytes[4..8].copy_from_slice(&new.to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(entries.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&entries.concat());
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

fn telling_images() -> [(ImageFormat, Vec<u8>, &'static str); 5] {
    [
        (ImageFormat::Jpeg, telling_jpeg(), "picture.jpg"),
        (ImageFormat::Png, telling_png(), "picture.png"),
        (ImageFormat::WebP, telling_webp(), "picture.webp"),
        (ImageFormat::Gif, telling_gif(), "picture.gif"),
        (ImageFormat::Tiff, telling_tiff(), "picture.tiff"),
    ]
}

#[test]
fn nothing_of_the_place_stays_and_not_a_pixel_changes() {
    for (format, told, plain) in telling_images() {
        assert!(says_place(&told), "{format:?}");
        let stripped = strip_image(format, &told);
        assert!(!says_place(&stripped), "{format:?}");
        let (before, after) = (shown(format, &told), shown(format, &stripped));
        assert!(before.0 == after.0 && before.0 == shown(format, &fixture(plain)).0, "{format:?}: its pixels");
        let turned = if format == ImageFormat::Gif { Orientation::NoTransforms } else { Orientation::Rotate90 };
        assert_eq!((before.1, after.1), (turned, turned), "{format:?}");
        assert_eq!(after.2, before.2, "{format:?}: its profile");
        if !matches!(format, ImageFormat::Gif | ImageFormat::Png) {
            assert_eq!(after.2.as_deref(), Some(PROFILE), "{format:?}");
        }
        assert_eq!(strip_image(format, &stripped), stripped, "{format:?}: there is nothing more to take out");
    }
    let gif = strip_image(ImageFormat::Gif, &telling_gif());
    assert!(memchr::memmem::find(&gif, b"NETSCAPE2.0").is_some(), "the loop stays");
}

#[test]
fn what_is_cut_off_or_changed_anywhere_makes_nothing_panic_and_says_no_place() {
    for (format, told, _) in telling_images() {
        for end in (0..told.len()).step_by(told.len().div_ceil(500)).chain(0..told.len().min(300)) {
            if let Some(stripped) = image(format, &told[..end]) {
                stripped.write(&told[..end], &mut Vec::new()).unwrap();
            }
        }
        let mut dice = 1u64;
        for _ in 0..2000 {
            let mut changed = told.clone();
            for _ in 0..3 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(dice >> 33).unwrap() % changed.len().min(1500);
                changed[at] = dice.to_le_bytes()[3];
            }
            if let Some(stripped) = image(format, &changed) {
                let mut written = Vec::new();
                stripped.write(&changed, &mut written).unwrap();
                assert!(written.len() <= changed.len() + 64);
            }
        }
    }
}

#[test]
fn a_png_with_a_wrong_checksum_and_what_has_no_room_for_a_place_are_taken() {
    let mut png = telling_png();
    png[29] ^= 1;
    assert!(!says_place(&strip_image(ImageFormat::Png, &png)));
    let bmp = fixture("picture.bmp");
    assert_eq!(strip_image(ImageFormat::Bmp, &bmp), bmp);
    for (format, plain) in [(ImageFormat::Png, "picture.png"), (ImageFormat::Gif, "picture.gif"), (ImageFormat::WebP, "picture.webp")] {
        assert_eq!(strip_image(format, &fixture(plain)), fixture(plain), "{format:?} comes as it is");
    }
}

fn blank(film: &[u8], found: Vec<super::movie::Telling>) -> Vec<u8> {
    let place = |at: u64| usize::try_from(at).unwrap();
    let mut blanked = film.to_vec();
    for told in found {
        if let Some(at) = told.kind_at.map(place) {
            blanked[at..at + 4].copy_from_slice(b"free");
        }
        blanked[place(told.content.start)..place(told.content.end)].fill(0);
    }
    blanked
}

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], kind, content].concat()
}

/// A film with the place in every way that is known.
fn telling_movie() -> Vec<u8> {
    let key = |name: &[u8]| boxed(b"mdta", name);
    let keys = [key(b"com.apple.quicktime.location.ISO6709"), key(b"com.apple.quicktime.title"), key(b"com.apple.quicktime.make")].concat();
    let data = |text: &[u8]| boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], text].concat());
    let items = [boxed(&[0, 0, 0, 1], &data(PLACE)), boxed(&[0, 0, 0, 2], &data(b"a title")), boxed(&[0, 0, 0, 3], &data(PLACE))].concat();
    let handler = boxed(b"hdlr", &[0; 25]);
    let meta = [&handler[..], &boxed(b"keys", &[&[0, 0, 0, 0, 0, 0, 0, 3], &keys[..]].concat()), &boxed(b"ilst", &items)].concat();
    let user = [boxed(b"\xA9xyz", PLACE), boxed(b"loci", PLACE), boxed(b"\xA9nam", b"a name"), boxed(b"XMP_", PLACE), vec![0; 4]].concat();
    // As players of music write it: items of four letters, and some that have their name with them.
    let named = |name: &str, text: &[u8]| boxed(b"----", &[boxed(b"name", &[&[0; 4], name.as_bytes()].concat()), data(text)].concat());
    let listed = [boxed(b"\xA9xyz", &data(PLACE)), named("Location", PLACE), named("label", b"a label")].concat();
    let music = [&[0; 4], &handler[..], &boxed(b"ilst", &listed), &boxed(b"xml ", PLACE)].concat();
    let track = [boxed(b"udta", &[boxed(b"\xA9xyz", PLACE), boxed(b"loci", PLACE)].concat()), boxed(b"meta", &meta)].concat();
    let moov = [
        boxed(b"trak", &track),
        boxed(b"udta", &user),
        boxed(b"meta", &meta),
        boxed(b"udta", &boxed(b"meta", &[&[0; 4], &meta[..]].concat())),
        boxed(b"udta", &boxed(b"meta", &music)),
    ];
    [
        boxed(b"ftyp", b"qt  0000"),
        boxed(b"mdat", b"samples"),
        boxed(b"uuid", &[b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC", PLACE].concat()),
        boxed(b"moov", &moov.concat()),
    ]
    .concat()
}

#[test]
fn the_place_of_a_film_becomes_free_space_and_nothing_moves() {
    let film = telling_movie();
    let found = telling(Cursor::new(&film)).unwrap().unwrap();
    assert_eq!(found.len(), 15);
    let blanked = blank(&film, found);
    assert!(says_place(&film) && !says_place(&blanked));
    for kept in [&b"a title"[..], b"a name", b"a label", b"samples"] {
        assert!(memchr::memmem::find(&blanked, kept).is_some(), "{}", String::from_utf8_lossy(kept));
    }
    assert_eq!(telling(Cursor::new(&blanked)).unwrap().unwrap(), []);
    assert_eq!(telling(Cursor::new(fixture("h264.mov"))).unwrap().unwrap(), []);
    let many = boxed(b"moov", &boxed(b"\xA9xyz", b"").repeat(70_000));
    assert_eq!(telling(Cursor::new(many)).unwrap(), None, "more than any film has");
    for end in 0..film.len() {
        assert!(telling(Cursor::new(&film[..end])).is_ok(), "cut at {end}");
    }
}

/// A track of timed metadata: of this format, described so, its samples at these places, two in each.
fn metadata_track(format: &[u8; 4], described: &[u8], places: &[u32], sizes: &[u32]) -> Vec<u8> {
    let numbers = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
    let count = |of: &[u32]| u32::try_from(of.len()).unwrap();
    let entry = boxed(format, &[&[0, 0, 0, 0, 0, 0, 0, 1], described].concat());
    let table = [
        boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &entry[..]].concat()),
        boxed(b"stsz", &numbers(&[&[0, 0, count(sizes)], sizes].concat())),
        boxed(b"stsc", &numbers(&[0, 1, 1, 2, 1])),
        boxed(b"stco", &numbers(&[&[0, count(places)], places].concat())),
    ];
    let media = [boxed(b"hdlr", b"\0\0\0\0\0\0\0\0meta\0\0\0\0\0\0\0\0\0\0\0\0\0"), boxed(b"minf", &boxed(b"stbl", &table.concat()))];
    boxed(b"trak", &boxed(b"mdia", &media.concat()))
}

#[test]
fn a_track_that_follows_the_place_goes_with_its_samples_and_no_other_does() {
    let content = [b"pixels", PLACE, b"pixels", PLACE, PLACE, b"pixels"].concat();
    // Behind the heads of two boxes and the content of the first.
    let (begin, place, pixels) = (24, u32::try_from(PLACE.len()).unwrap(), 6);
    let places = [begin + pixels, begin + 2 * pixels + place];
    let sizes = [10, place - 10, place, place];
    let film = |track: &[u8]| [boxed(b"ftyp", b"qt  0000"), boxed(b"mdat", &content), boxed(b"moov", track)].concat();
    for (format, described) in
        [(b"gpmd", &b""[..]), (b"camm", b""), (b"mebx", b"com.apple.quicktime.location.ISO6709"), (b"mett", b"x/GPS")]
    {
        let film = film(&metadata_track(format, described, &places, &sizes));
        let blanked = blank(&film, telling(Cursor::new(&film)).unwrap().unwrap());
        assert!(says_place(&film) && !says_place(&blanked), "{format:?}");
        assert_eq!(blanked.windows(6).filter(|part| part == b"pixels").count(), 3, "{format:?}: nothing else");
        assert!(memchr::memmem::find(&blanked, b"trak").is_none() && telling(Cursor::new(&blanked)).unwrap().unwrap().is_empty());
    }
    for (format, described) in [(b"mebx", &b"com.apple.quicktime.video-orientation"[..]), (b"avc1", b"")] {
        let film = film(&metadata_track(format, described, &places, &sizes));
        assert_eq!(telling(Cursor::new(&film)).unwrap().unwrap(), [], "{format:?} stays");
    }
}

#[test]
fn where_samples_are_said_to_be_costs_no_more_than_the_film_has() {
    let film = |places: &[u32], size: u32| {
        let track = metadata_track(b"gpmd", b"", places, &vec![size; 2 * places.len()]);
        [boxed(b"moov", &track), boxed(b"mdat", &[7; 100])].concat()
    };
    let moov = u32::try_from(film(&[0], 0).len() - 108).unwrap();
    let found = |places: &[u32], size: u32| {
        let found = telling(Cursor::new(film(places, size))).unwrap()?;
        Some(found.into_iter().filter(|told| told.kind_at.is_none()).map(|told| (told.content.start, told.content.end)).collect::<Vec<_>>())
    };
    // Outside of the media, beyond its end, the same again and again.
    assert_eq!(found(&[0], 4), Some(vec![]));
    let media = u64::from(moov) + 8;
    assert_eq!(found(&[moov + 8], u32::MAX), Some(vec![(media, media + 100)]));
    let all = film(&vec![0; 1_000], 0).len() as u64 - 100;
    let begin = u32::try_from(all).unwrap();
    let again = found(&vec![begin; 1_000], 90).unwrap();
    assert_eq!(again, [(all, all + 100)], "blanked once");
    assert_eq!(found(&vec![begin; 70_000], 1), None, "more than any film has");
}
