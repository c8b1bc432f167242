//! Uploads in one request, plain or in a form, held to the limits of the four kinds.

use serde_json::{Value, json};

use super::{bearer, fixture, try_upload, upload};
use crate::support::{Answer, To, World, fetch_bytes};

#[tokio::test]
async fn the_limits_of_sizes_hold_at_their_edges_with_bytes_really_sent() {
    let world = World::builder().no_rates().start();
    for (kind, name, limit) in [
        ("image", "picture.png", 10 << 20),
        ("audio", "cbr.mp3", 6 << 20),
        ("video", "h264.mp4", 100 << 20),
        ("file", "picture.gif", 100 << 20),
    ] {
        let mut bytes = fixture(name);
        bytes.resize(limit, 0);
        // As it comes: what stands behind an image's end is not kept otherwise.
        let answer = try_upload(&world, "alice", kind, &format!("{name}&original=keep"), &bytes).await;
        assert_eq!((answer.status, answer.json()["fileSize"].as_u64()), (201, Some(limit as u64)), "{kind}: {}", answer.body);
        bytes.push(0);
        let answer = try_upload(&world, "alice", kind, name, &bytes).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (413, Some(6_000_214)), "{kind}");
        assert!(answer.body.contains(&limit.to_string()), "{}", answer.body);
        // In a form, where the length is not told before.
        let form = form("file", name, &bytes);
        let answer = post_form(&world, "alice", kind, &form).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (413, Some(6_000_214)), "{kind} in a form");
        let answer = try_upload(&world, "alice", kind, name, b"").await;
        // A file may hold nothing.
        assert_eq!(answer.json()["code"].as_u64(), (kind != "file").then_some(6_000_214), "{kind}, empty");
    }
}

fn form(field: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("--b\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: x/y\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat()
}

async fn post_form(world: &World, user: &str, kind: &str, form: &[u8]) -> Answer {
    let token = bearer(&world.token(user));
    let headers = [("Authorization", token.as_str()), ("Content-Type", "multipart/form-data; boundary=b")];
    fetch_bytes(world.address(), &format!("POST /media/uploads?kind={kind}"), &headers, form).await
}

#[tokio::test]
async fn a_form_is_an_upload_too_and_one_without_a_file_is_told_so() {
    let world = World::start();
    let answer = post_form(&world, "alice", "image", &form("file", "a/../b.png", &fixture("picture.png"))).await;
    assert_eq!((answer.status, &answer.json()["fileName"]), (201, &json!("b.png")), "{}", answer.body);
    for form in [form("other", "x", b"1"), b"--b--\r\n".to_vec(), b"nonsense".to_vec()] {
        let answer = post_form(&world, "alice", "image", &form).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (400, Some(6_000_211)), "{}", answer.body);
    }
    let answer = try_upload(&world, "alice", "picture", "x", b"1").await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (400, Some(6_000_001)));
    let answer = try_upload(&world, "alice", "image", "x.png", b"not a picture").await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (415, Some(6_000_213)));
}

#[tokio::test]
async fn audio_longer_than_300_s_is_refused_by_what_it_plays_and_by_what_is_said() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    world.client("bob").await;
    // Each is some 2.06 s long; without its tag it can be put behind another.
    let once = fixture("cbr.mp3");
    let frames = &once[once.windows(2).position(|bytes| bytes == [0xFF, 0xF3]).unwrap()..];
    for (times, status) in [(140, 201), (150, 422)] {
        let answer = try_upload(&world, "alice", "audio", "long.mp3", &frames.repeat(times)).await;
        assert_eq!(answer.status, status, "{times}: {}", answer.body);
        if status == 422 {
            assert_eq!(answer.json()["code"], 6_000_215);
        }
    }
    let file = upload(&world, "alice", "audio", "aac.m4a").await;
    let said = |seconds: Value| json!({"type": 13, "fileUID": file["fileUID"], "audioDuration": seconds});
    for (seconds, code) in [(json!(301), 6_000_215), (json!(100_000), 6_000_215), (json!(0), 6_000_215), (Value::Null, 6_000_001)] {
        assert_eq!(alice.send(To::Peer("bob"), said(seconds.clone())).await.unwrap_err().code, code, "{seconds}");
    }
    assert_eq!(alice.send(To::Peer("bob"), said(json!(300))).await.unwrap()["audioDuration"], 300);
}
