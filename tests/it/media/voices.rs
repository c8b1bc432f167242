//! Voices as browsers record them, and files that hold nothing.

use serde_json::json;

use super::{bearer, fixture, text, try_upload, upload};
use crate::support::{Login, To, World, fetch};

#[tokio::test]
async fn a_voice_in_webm_or_ogg_is_audio() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    for (name, mime) in [("voice.webm", "audio/webm"), ("live.webm", "audio/webm"), ("voice.ogg", "audio/ogg")] {
        let file = upload(&world, "alice", "audio", name).await;
        assert!((1.95..2.05).contains(&file["duration"].as_f64().unwrap_or_default()), "{file}");
        alice.send(To::Peer("bob"), json!({"type": 13, "fileUID": file["fileUID"], "audioDuration": 2})).await.unwrap();
        let heard = bob.messages(1).await.remove(0);
        let answer = super::read(&world, &bob, text(&heard, "fileDownloadUrl")).await;
        assert_eq!((answer.status, answer.header("Content-Type")), (200, mime));
    }
    assert_ne!(try_upload(&world, "alice", "audio", "film.webm", &fixture("film.webm")).await.status, 201);
}

#[tokio::test]
async fn a_length_in_milliseconds_is_taken_when_it_is_what_the_file_measures() {
    let world = World::builder().no_rates().start();
    let _bob = world.client("bob").await;
    let file = upload(&world, "alice", "audio", "voice.webm").await;
    let send = |ms: u32| json!({"type": 13, "fileUID": file["fileUID"], "audioDuration": ms});
    for (device, version) in [("old", "2.8.0"), ("new", "2.18.1")] {
        let mut alice = world.login(Login { user: "alice", device, version, ..Login::default() }).await;
        let sent = alice.send(To::Peer("bob"), send(2000)).await.unwrap();
        assert_eq!(sent["audioDuration"], 2, "{version}: {sent}");
        assert_eq!(alice.send(To::Peer("bob"), send(2200)).await.unwrap_err().code, 6_000_215, "{version}");
    }
}

#[tokio::test]
async fn a_file_may_hold_nothing() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    let answer = try_upload(&world, "alice", "file", "empty.txt", b"").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    alice.send(To::Peer("bob"), json!({"type": 12, "fileUID": answer.json()["fileUID"]})).await.unwrap();
    let heard = bob.messages(1).await.remove(0);
    let read = super::read(&world, &bob, text(&heard, "fileDownloadUrl")).await;
    assert_eq!((read.status, read.body.as_str()), (200, ""));
    for kind in ["image", "audio", "video"] {
        assert_eq!(try_upload(&world, "alice", kind, "empty", b"").await.status, 413, "{kind}");
    }
    let token = bearer(&world.token("alice"));
    let headers =
        [("Authorization", token.as_str()), ("Tus-Resumable", "1.0.0"), ("Upload-Length", "0"), ("Upload-Metadata", "kind ZmlsZQ==")];
    let created = fetch(world.address(), "POST /media/tus", &headers, "").await;
    assert_eq!(created.status, 201, "{}", created.body);
    let place = created.header("Location").to_owned();
    let head = fetch(world.address(), &format!("HEAD {place}"), &headers[..2], "").await;
    assert_eq!((head.status, head.header("Upload-Offset"), head.header("Upload-Length")), (200, "0", "0"));
}
