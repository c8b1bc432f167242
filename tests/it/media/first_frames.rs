//! First pictures of videos whose programs bring none: by the host, by a backend, in time or not at all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tidings::config::Config;
use tidings::hooks::{FirstFrames, VideoFile};

use super::{bearer, fixture, read, text, try_upload, upload};
use crate::support::{HOOK_SECRET, Reply, Sink, To, World, WorldBuilder, fetch, fetch_bytes};

/// Makes the same picture of every video, and notes which.
struct Painter {
    picture: Option<Vec<u8>>,
    seen: Arc<Mutex<Vec<VideoFile>>>,
}

impl FirstFrames for Painter {
    async fn first_frame(&self, video: VideoFile) -> Option<Vec<u8>> {
        assert_eq!(std::fs::read(&video.path).unwrap().len() as u64, video.bytes, "its bytes lie there");
        self.seen.lock().unwrap().push(video);
        self.picture.clone()
    }
}

/// Never answers.
struct Asleep;

impl FirstFrames for Asleep {
    async fn first_frame(&self, _: VideoFile) -> Option<Vec<u8>> {
        std::future::pending().await
    }
}

fn painted(picture: Option<Vec<u8>>) -> (WorldBuilder, Arc<Mutex<Vec<VideoFile>>>) {
    let seen = Arc::<Mutex<Vec<VideoFile>>>::default();
    let painter = Painter { picture, seen: seen.clone() };
    (World::builder().no_rates().part(|builder| builder.first_frames(painter)), seen)
}

fn asking(sink: &Sink) -> WorldBuilder {
    let url = sink.url("/frames");
    World::builder().no_rates().part(|builder| builder.first_frames(Painter { picture: None, seen: Arc::default() })).config(
        move |config: &mut Config| {
            let hooks = &mut config.webhooks;
            (hooks.first_frame_url, hooks.secret, hooks.allow_private_addresses) = (url, HOOK_SECRET.into(), true);
        },
    )
}

/// Sends a video and returns what its reader hears.
async fn sent(world: &World, file: &Value) -> (Value, crate::support::Client) {
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    alice.send(To::Peer("bob"), json!({"type": 14, "fileUID": file["fileUID"], "videoDuration": 2})).await.unwrap();
    (bob.messages(1).await.remove(0), bob)
}

#[tokio::test]
async fn a_host_makes_the_picture_of_a_video_and_of_nothing_else() {
    let (builder, seen) = painted(Some(fixture("turned.jpg")));
    let world = builder.start();
    upload(&world, "alice", "image", "picture.jpg").await;
    upload(&world, "alice", "file", "h264.mp4").await;
    assert_eq!(seen.lock().unwrap().len(), 0);
    let file = upload(&world, "alice", "video", "h264.mp4").await;
    {
        let seen = seen.lock().unwrap();
        assert_eq!((seen.len(), seen[0].file.to_string().as_str(), seen[0].mime.as_str()), (1, text(&file, "fileUID"), "video/mp4"));
        assert_eq!(seen[0].owner.as_str(), "alice");
    }
    let (heard, bob) = sent(&world, &file).await;
    let frame = read(&world, &bob, text(&heard, "videoFirstFrameDownloadUrl")).await;
    assert_eq!((frame.status, frame.header("Content-Type")), (200, "image/jpeg"));
    assert!(!frame.bytes.windows(4).any(|bytes| bytes == b"Exif"), "written anew");
}

#[tokio::test]
async fn a_picture_that_its_owner_gives_takes_the_place_of_the_hosts() {
    let (builder, _) = painted(Some(fixture("turned.jpg")));
    let world = builder.start();
    let file = upload(&world, "alice", "video", "h264.mp4").await;
    let of = async |world: &World| {
        let token = bearer(&world.token("alice"));
        fetch(world.address(), &format!("GET /media/{}/frame", text(&file, "fileUID")), &[("Authorization", &token)], "").await.bytes
    };
    let before = of(&world).await;
    let token = bearer(&world.token("alice"));
    let put = format!("PUT /media/{}/frame", text(&file, "fileUID"));
    assert_eq!(fetch_bytes(world.address(), &put, &[("Authorization", &token)], &fixture("picture.jpg")).await.status, 200);
    assert_ne!(of(&world).await, before);
}

#[tokio::test]
async fn what_is_no_picture_or_comes_too_late_costs_the_picture_and_not_the_video() {
    let late = World::builder()
        .no_rates()
        .config(|config| config.media.first_frame_deadline_ms = 100)
        .part(|builder| builder.first_frames(Asleep));
    let worlds =
        [painted(Some(fixture("make.sh"))).0, painted(Some(fixture("bomb.png"))).0, painted(Some(Vec::new())).0, painted(None).0, late];
    for builder in worlds {
        let world = builder.start();
        let file = upload(&world, "alice", "video", "h264.mp4").await;
        let (heard, _) = sent(&world, &file).await;
        assert_eq!(heard["videoFirstFrameDownloadUrl"], Value::Null);
        assert_eq!(heard["videoFirstFrameWidth"], json!(320), "its container says it");
    }
}

#[tokio::test]
async fn a_backend_is_asked_may_read_the_video_and_answers_with_a_picture() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::Bytes(200, fixture("picture.jpg")));
    let world = asking(&sink).start();
    let file = try_upload(&world, "alice", "video", "holiday.mp4", &fixture("h264.mp4")).await.json();
    let call = sink.calls().remove(0);
    assert!(call.is_signed());
    assert_eq!((call.event(), call.path.as_str()), ("video.first_frame", "/frames"));
    let said = &call.body["data"];
    assert_eq!((&said["fileUID"], &said["userID"], &said["mimeType"]), (&file["fileUID"], &json!("alice"), &json!("video/mp4")));
    assert_eq!((&said["fileName"], &said["videoDuration"]), (&json!("holiday.mp4"), &json!(2.0)));
    let original = fetch(world.address(), &format!("GET {}", text(said, "downloadPath")), &[], "").await;
    assert_eq!((original.status, original.bytes.len()), (200, fixture("h264.mp4").len()));
    let (heard, bob) = sent(&world, &file).await;
    assert_eq!(read(&world, &bob, text(&heard, "videoFirstFrameDownloadUrl")).await.status, 200);
    // What is no video is not asked about.
    upload(&world, "alice", "image", "picture.jpg").await;
    assert_eq!(sink.calls().len(), 1);
}

#[tokio::test]
async fn a_backend_that_has_none_fails_or_says_nothing_costs_the_picture_only() {
    for reply in
        [Reply::Status(204), Reply::Status(500), Reply::Bytes(200, b"no picture".to_vec()), Reply::Cut, Reply::Stall, Reply::HeadOnly(200)]
    {
        let sink = Sink::start().await;
        let again = reply.clone();
        sink.behave(move |_| again.clone());
        let world = asking(&sink).config(|config| config.media.first_frame_deadline_ms = 300).start();
        let began = tokio::time::Instant::now();
        let file = upload(&world, "alice", "video", "h264.mp4").await;
        assert!(began.elapsed() < Duration::from_secs(10));
        let (heard, _) = sent(&world, &file).await;
        assert_eq!(heard["videoFirstFrameDownloadUrl"], Value::Null, "{reply:?}");
    }
}

/// With the feature `video` the broker decodes H.264 itself, where no host does.
#[cfg(feature = "video")]
#[tokio::test]
async fn the_built_in_decoder_makes_the_picture_of_h264_and_of_nothing_else() {
    let world = World::builder().no_rates().start();
    let file = upload(&world, "alice", "video", "turned.mp4").await;
    let (heard, bob) = sent(&world, &file).await;
    assert_eq!(read(&world, &bob, text(&heard, "videoFirstFrameDownloadUrl")).await.status, 200);
    let file = upload(&world, "carol", "video", "h265.mp4").await;
    let mut carol = world.client("carol").await;
    let sent = carol.send(To::Peer("bob"), json!({"type": 14, "fileUID": file["fileUID"], "videoDuration": 2})).await.unwrap();
    assert_eq!(sent["videoFirstFrameDownloadUrl"], Value::Null);
}
