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

/// A film with the place at the end of its `moov`, which is its last box.
fn film() -> Vec<u8> {
    let mut film = fixture("h264.mp4");
    let boxed = |kind: &[u8], content: &[u8]| [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], kind, content].concat();
    let user = boxed(b"udta", &boxed(b"\xA9xyz", &[b"\0\x11\x15\xC7", PLACE].concat()));
    let moov = film.windows(4).position(|kind| kind == b"moov").unwrap() - 4;
    let length = u32::from_be_bytes(film[moov..moov + 4].try_into().unwrap());
    assert_eq!(moov + usize::try_from(length).unwrap(), film.len());
    film[moov..moov + 4].copy_from_slice(&(length + u32::try_from(user.len()).unwrap()).to_be_bytes());
    film.extend_from_slice(&user);
    film
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
    if kind == 14 {
        message["videoDuration"] = json!(2);
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
