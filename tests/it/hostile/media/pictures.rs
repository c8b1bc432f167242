//! Pictures and films keep their place to themselves, unless who sends them says otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::media::tus::Tus;
use crate::media::{bearer, fixture, read, text};
use crate::support::{Client, To, World, fetch_bytes};

/// What nobody but the sender knows.
const PLACE: &[u8] = b"51.50735,-0.12776";

fn says_place(bytes: &[u8]) -> bool {
    bytes.windows(PLACE.len()).any(|part| part == PLACE)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JPEG with the place as XMP, and no EXIF.
fn jpeg() -> Vec<u8> {
    let plain = fixture("picture.jpg");
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", PLACE].concat();
    let head = [0xFF, 0xD8, 0xFF, 0xE1, 0, u8::try_from(xmp.len() + 2).unwrap()];
    [&head[..], &xmp, &plain[2..], PLACE].concat()
}

/// A GIF with the place in a comment.
fn gif() -> Vec<u8> {
    let plain = fixture("picture.gif");
    let start = 13 + if plain[10] & 0x80 == 0 { 0 } else { 3 << ((plain[10] & 7) + 1) };
    [&plain[..start], b"\x21\xFE", &[u8::try_from(PLACE.len()).unwrap()], PLACE, b"\0", &plain[start..]].concat()
}

fn boxed(kind: &[u8], content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], kind, content].concat()
}

/// Adds a box at the end of the last box at the top, or of the first of each kind inside it. Every sample stays where it is.
fn add(film: &mut Vec<u8>, path: &[&[u8; 4]], added: &[u8]) {
    let added_bytes = u32::try_from(added.len()).unwrap();
    let (mut from, mut end) = (0, film.len());
    for wanted in path {
        loop {
            let bytes = u32::from_be_bytes(film[from..from + 4].try_into().unwrap());
            let next = from + usize::try_from(bytes).unwrap();
            if &film[from + 4..from + 8] == *wanted {
                film[from..from + 4].copy_from_slice(&(bytes + added_bytes).to_be_bytes());
                (from, end) = (from + 8, next);
                break;
            }
            assert!(next < end, "no {}", String::from_utf8_lossy(*wanted));
            from = next;
        }
    }
    film.splice(end..end, added.iter().copied());
}

/// The place as an item of a list of keys.
fn keyed(key: &str, version: &[u8]) -> Vec<u8> {
    let keys = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &boxed(b"mdta", key.as_bytes())].concat();
    let item = boxed(&[0, 0, 0, 1], &boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], PLACE].concat()));
    let handler = boxed(b"hdlr", b"\0\0\0\0\0\0\0\0mdta\0\0\0\0\0\0\0\0\0\0\0\0\0");
    boxed(b"meta", &[version, &handler, &boxed(b"keys", &keys), &boxed(b"ilst", &item)].concat())
}

/// A track whose samples are the place, which stand at the end of the film.
fn following(film: &[u8], format: &[u8; 4], described: &[u8]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
    let track = |place: usize| {
        let entry = boxed(format, &[&[0, 0, 0, 0, 0, 0, 0, 1], described].concat());
        let table = [
            boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &entry[..]].concat()),
            boxed(b"stsz", &[&[0; 4][..], &number(PLACE.len()), &number(1)].concat()),
            boxed(b"stsc", &[[0; 4], number(1), number(1), number(1), number(1)].concat()),
            boxed(b"stco", &[[0; 4], number(1), number(place)].concat()),
        ];
        let handler = boxed(b"hdlr", b"\0\0\0\0\0\0\0\0meta\0\0\0\0\0\0\0\0\0\0\0\0\0");
        boxed(b"trak", &boxed(b"mdia", &[handler, boxed(b"minf", &boxed(b"stbl", &table.concat()))].concat()))
    };
    let mut with = film.to_vec();
    add(&mut with, &[b"moov"], &track(film.len() + track(0).len() + 8));
    [with, boxed(b"mdat", PLACE)].concat()
}

/// A film with the place in its user data.
fn film() -> Vec<u8> {
    let mut film = fixture("h264.mp4");
    add(&mut film, &[b"moov", b"udta"], &boxed(b"\xA9xyz", &[b"\0\x11\x15\xC7", PLACE].concat()));
    film
}

/// Films and sound, each with the place somewhere else.
fn everywhere() -> Vec<(String, &'static str, Vec<u8>)> {
    let place = [b"\0\x11\x15\xC7", PLACE].concat();
    let (quicktime, third) = (boxed(b"\xA9xyz", &place), boxed(b"loci", &[&[0; 6], PLACE].concat()));
    let key = "com.apple.quicktime.location.ISO6709";
    let xmp = boxed(b"uuid", &[b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC", PLACE].concat());
    let [moov, trak, udta]: [&[u8; 4]; 3] = [b"moov", b"trak", b"udta"];
    let boxes: [(&[&[u8; 4]], Vec<u8>); 13] = [
        (&[moov, udta], quicktime.clone()),
        (&[moov, udta], third.clone()),
        (&[moov, udta], boxed(b"XMP_", PLACE)),
        (&[moov, udta], keyed(key, &[0; 4])),
        (&[moov], keyed(key, b"")),
        (&[moov], keyed("com.apple.quicktime.location.name", b"")),
        (&[moov], keyed("com.apple.quicktime.location.note", &[0; 4])),
        (&[moov, trak], boxed(udta, &quicktime)),
        (&[moov, trak], boxed(udta, &third)),
        (&[moov, trak], keyed(key, b"")),
        (&[moov], xmp.clone()),
        (&[], xmp),
        (&[], boxed(b"meta", &[&[0; 4], &boxed(b"hdlr", &[0; 25])[..], &boxed(b"xml ", PLACE)].concat())),
    ];
    let mut films = Vec::new();
    for (fixture_name, query) in [("h264.mp4", "kind=video"), ("h264.mov", "kind=video"), ("aac.m4a", "kind=audio")] {
        let plain = fixture(fixture_name);
        for (n, (path, told)) in boxes.iter().enumerate() {
            let mut film = plain.clone();
            add(&mut film, path, told);
            films.push((format!("{fixture_name}, {n}"), query, film));
        }
        for (format, described) in [(b"gpmd", &b""[..]), (b"camm", b""), (b"mebx", key.as_bytes())] {
            films.push((format!("{fixture_name}, a track"), query, following(&plain, format, described)));
        }
    }
    films
}

async fn upload(world: &World, query: &str, bytes: &[u8]) -> Value {
    let token = bearer(&world.token("alice"));
    let request = format!("POST /media/uploads?{query}");
    let answer = fetch_bytes(world.address(), &request, &[("Authorization", &token)], bytes).await;
    assert_eq!(answer.status, 201, "{query}: {}", answer.body);
    answer.json()
}

/// Sends a file to bob and reads all that he gets of it.
async fn received(world: &World, alice: &mut Client, bob: &Client, kind: u8, file: &Value) -> Vec<(String, Vec<u8>)> {
    let mut message = json!({"type": kind, "fileUID": file["fileUID"]});
    match kind {
        14 => message["videoDuration"] = json!(2),
        13 => message["audioDuration"] = json!(2),
        _ => {}
    }
    let sent = alice.send(To::Peer("bob"), message).await.unwrap();
    let mut all = Vec::new();
    for field in ["fileDownloadUrl", "largeImageDownloadUrl", "thumbnailDownloadUrl"] {
        if sent[field].is_string() {
            let answer = read(world, bob, text(&sent, field)).await;
            assert_eq!(answer.status, 200, "{field}");
            all.push((field.to_owned(), answer.bytes));
        }
    }
    assert_eq!((sent["fileSize"].as_u64().unwrap(), &sent["fileSize"]), (all[0].1.len() as u64, &file["fileSize"]));
    assert_eq!(file["sha256"], sha256(&all[0].1), "what is told is what is stored");
    all
}

#[tokio::test]
async fn what_others_get_of_a_picture_or_a_film_says_no_place() {
    let world = World::builder().no_rates().start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    for (query, kind, bytes) in [("kind=image", 11, jpeg()), ("kind=image", 11, gif()), ("kind=video", 14, film())] {
        assert!(says_place(&bytes));
        let file = upload(&world, query, &bytes).await;
        let all = received(&world, &mut alice, &bob, kind, &file).await;
        assert!(all.iter().all(|(_, bytes)| !says_place(bytes)), "{query}");
        if kind == 14 {
            assert_eq!((all[0].1.len(), &file["videoFirstFrameWidth"]), (bytes.len(), &json!(320)), "nothing moved");
        }
    }
}

/// As their containers have it, at every level.
#[tokio::test]
async fn what_others_get_of_a_film_or_of_sound_says_no_place_wherever_it_stood() {
    let world = World::builder().no_rates().start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    for (what, query, bytes) in everywhere() {
        assert!(says_place(&bytes), "{what}");
        let file = upload(&world, query, &bytes).await;
        let kind = if query == "kind=video" { 14 } else { 13 };
        let all = received(&world, &mut alice, &bob, kind, &file).await;
        assert!(!says_place(&all[0].1), "{what}");
        assert_eq!(all[0].1.len(), bytes.len(), "{what}: nothing moved");
        let changed = all[0].1.iter().zip(&bytes).filter(|(kept, sent)| kept != sent).count();
        assert!(changed >= PLACE.len() && changed < 600, "{what}: {changed} bytes changed");
    }
}

#[tokio::test]
async fn who_asks_for_it_has_the_original_kept_and_files_are_never_touched() {
    let world = World::builder().no_rates().start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    for (query, kind, bytes) in [
        ("kind=image&original=keep", 11, jpeg()),
        ("kind=video&original=keep", 14, film()),
        ("kind=file", 12, jpeg()),
        ("kind=file", 12, film()),
    ] {
        let file = upload(&world, query, &bytes).await;
        let all = received(&world, &mut alice, &bob, kind, &file).await;
        assert!(all[0].1 == bytes, "{query}");
        assert!(all[1..].iter().all(|(_, bytes)| !says_place(bytes)), "{query}: what is made of it says nothing");
        assert_eq!(all.len(), if kind == 11 { 3 } else { 1 });
    }
    let headers = [("Authorization", bearer(&world.token("alice")))];
    let headers = [(headers[0].0, headers[0].1.as_str())];
    let answer = fetch_bytes(world.address(), "POST /media/uploads?kind=image&original=yes", &headers, &jpeg()).await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (400, Some(6_000_001)));
    let world = World::builder().no_rates().config(|config| config.media.strip_originals = false).start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    let file = upload(&world, "kind=image", &jpeg()).await;
    assert!(received(&world, &mut alice, &bob, 11, &file).await[0].1 == jpeg());
}

#[tokio::test]
async fn a_resumable_upload_is_checked_and_counted_as_it_comes_and_kept_without_its_place() {
    let world = World::builder().no_rates().start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    let (tus, bytes) = (Tus::of(&world, "alice"), jpeg());
    let checksum = format!("sha256 {}", BASE64.encode(Sha256::digest(&bytes)));
    let length = bytes.len().to_string();
    for (metadata, keeps) in [("kind aW1hZ2U=", false), ("kind aW1hZ2U=,original a2VlcA==", true)] {
        let answer = tus.ask("POST /media/tus", &[("Upload-Length", &length), ("Upload-Metadata", metadata)], b"").await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let place = answer.header("Location").to_owned();
        let answer = tus.patch(&place, 0, &[("Upload-Checksum", &checksum)], &bytes).await;
        assert_eq!((answer.status, answer.header("Upload-Offset")), (204, length.as_str()), "{}", answer.body);
        // Who did not hear of it asks again.
        let answer = tus.ask(&format!("HEAD {place}"), &[], b"").await;
        assert_eq!((answer.header("Upload-Offset"), answer.header("Upload-Length")), (length.as_str(), length.as_str()));
        let info = format!("GET /media/uploads/{}", place.rsplit('/').next().unwrap());
        let file = fetch_bytes(world.address(), &info, &[("Authorization", &tus.token)], b"").await.json();
        assert_eq!(file["fileSize"].as_u64().unwrap() == bytes.len() as u64, keeps, "{file}");
        let all = received(&world, &mut alice, &bob, 11, &file).await;
        assert_eq!(says_place(&all[0].1), keeps);
    }
    let answer = tus.ask("POST /media/tus", &[("Upload-Length", "1"), ("Upload-Metadata", "original eA==")], b"").await;
    assert_eq!(answer.status, 400);
}
