//! Files: uploaded, sent, received, deleted when nobody needs them, and read by those who may and nobody else. Source:
//! src/protocol/PROTOCOL.md, "Files".

mod first_frames;
mod hostile;
mod phones;
pub(crate) mod tus;
mod uploads;
mod voices;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Client, To, World, fetch, fetch_bytes};

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub(crate) async fn try_upload(world: &World, user: &str, kind: &str, name: &str, bytes: &[u8]) -> Answer {
    let request = format!("POST /media/uploads?kind={kind}&name={name}");
    fetch_bytes(world.address(), &request, &[("Authorization", &bearer(&world.token(user)))], bytes).await
}

pub(crate) async fn upload(world: &World, user: &str, kind: &str, name: &str) -> Value {
    let answer = try_upload(world, user, kind, name, &fixture(name)).await;
    assert_eq!(answer.status, 201, "{name}: {}", answer.body);
    answer.json()
}

/// Adds the token that the client's session was given.
pub(crate) async fn read(world: &World, client: &Client, path: &str) -> Answer {
    read_with(world, client, path, &[]).await
}

async fn read_with(world: &World, client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let token = client.hello["mediaToken"].as_str().unwrap();
    fetch(world.address(), &format!("GET {path}?token={token}"), headers, "").await
}

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

pub(crate) fn image(file: &Value) -> Value {
    json!({"type": 11, "fileUID": file["fileUID"]})
}

#[tokio::test]
async fn an_image_is_sent_with_all_its_fields_and_read_by_both_sides_alone() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob, eve) = (world.client("alice").await, world.client("bob").await, world.client("eve").await);
    let file = upload(&world, "alice", "image", "picture.png").await;
    let sent = alice.send(To::Peer("bob"), image(&file)).await.unwrap();
    let heard = bob.messages(1).await.remove(0);
    for message in [&sent, &heard] {
        for field in ["fileUID", "fileName", "fileSize", "fileDownloadUrl", "thumbnailDownloadUrl", "largeImageDownloadUrl"] {
            assert_eq!(message[field], file[field], "{field}");
        }
        let sizes = ["originalImage", "largeImage", "thumbnail"]
            .map(|name| (message[format!("{name}Width")].as_u64().unwrap(), message[format!("{name}Height")].as_u64().unwrap()));
        assert_eq!(sizes, [(400, 300), (400, 300), (264, 198)]);
    }
    let original = fixture("picture.png");
    for client in [&alice, &bob] {
        let answer = read(&world, client, text(&heard, "fileDownloadUrl")).await;
        assert_eq!((answer.status, answer.header("Content-Type"), &answer.bytes), (200, "image/png", &original));
        let thumbnail = read(&world, client, text(&heard, "thumbnailDownloadUrl")).await;
        assert_eq!((thumbnail.status, thumbnail.header("Content-Type")), (200, "image/jpeg"));
    }
    assert_eq!(read(&world, &eve, text(&heard, "fileDownloadUrl")).await.status, 404);
    // In history, too, and found by its name.
    let newest = bob.newest(To::Peer("alice")).await;
    assert_eq!(newest[0]["thumbnailDownloadUrl"], file["thumbnailDownloadUrl"]);
    let found = bob
        .ok(
            "searchLocalMessages",
            json!({"conversationID": "alice", "conversationType": 0, "config": {"keywords": ["picture"], "count": 10}}),
        )
        .await;
    assert_eq!(found["messageList"][0]["fileUID"], file["fileUID"], "{found}");
}

#[tokio::test]
async fn files_are_served_in_ranges_with_tags_and_with_rules_for_browsers() {
    let world = World::builder().no_rates().start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    let name = "%E5%AD%97%22%0d%0a.html";
    let file = try_upload(&world, "alice", "file", name, b"<script>alert(1)</script>0123456789").await.json();
    assert_eq!(file["fileName"], "字\".html");
    alice.send(To::Peer("bob"), json!({"type": 12, "fileUID": file["fileUID"]})).await.unwrap();
    let path = text(&file, "fileDownloadUrl");
    let whole = read(&world, &bob, path).await;
    assert_eq!(
        (whole.status, whole.header("Content-Type"), whole.header("X-Content-Type-Options")),
        (200, "application/octet-stream", "nosniff")
    );
    assert_eq!(whole.header("Content-Security-Policy"), "sandbox; default-src 'none'");
    assert_eq!(whole.header("Content-Disposition"), "attachment; filename*=UTF-8''%E5%AD%97%22.html");
    assert_eq!((whole.header("Accept-Ranges"), whole.header("Cache-Control")), ("bytes", "private, no-cache"));
    let tag = whole.header("ETag").to_owned();
    for (range, status, body, content_range) in [
        ("bytes=25-29", 206, "01234", "bytes 25-29/35"),
        ("bytes=-3", 206, "789", "bytes 32-34/35"),
        ("bytes=30-", 206, "56789", "bytes 30-34/35"),
        ("bytes=34-99", 206, "9", "bytes 34-34/35"),
        ("bytes=0-1,3-4", 200, &whole.body, ""),
        ("lines=1-2", 200, &whole.body, ""),
    ] {
        let answer = read_with(&world, &bob, path, &[("Range", range)]).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.header("Content-Range")), (status, body, content_range), "{range}");
    }
    let beyond = read_with(&world, &bob, path, &[("Range", "bytes=35-")]).await;
    assert_eq!((beyond.status, beyond.header("Content-Range")), (416, "bytes */35"));
    let known = read_with(&world, &bob, path, &[("If-None-Match", &tag)]).await;
    assert_eq!((known.status, known.body.as_str(), known.header("ETag")), (304, "", tag.as_str()));
    assert_eq!(read_with(&world, &bob, path, &[("Range", "bytes=0-1"), ("If-Range", "\"other\"")]).await.status, 200);
    assert_eq!(read_with(&world, &bob, path, &[("Range", "bytes=0-1"), ("If-Range", &tag)]).await.status, 206);
    let token = bob.hello["mediaToken"].as_str().unwrap();
    let head = fetch(world.address(), &format!("HEAD {path}?token={token}"), &[], "").await;
    assert_eq!((head.status, head.header("Content-Length"), head.body.as_str()), (200, "35", ""));
}

#[tokio::test]
async fn pages_of_configured_origins_may_upload_and_others_are_not_told_that_they_may() {
    let world = World::builder().config(|config| config.server.origins = vec!["https://app.example".into()]).start();
    for (origin, allowed) in [("https://app.example", "https://app.example"), ("https://evil.example", "")] {
        let ask = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "PATCH"),
            ("Access-Control-Request-Headers", "authorization,upload-offset"),
        ];
        let answer = fetch(world.address(), "OPTIONS /media/tus/x", &ask, "").await;
        assert_eq!(answer.header("Access-Control-Allow-Origin"), allowed, "{answer:?}");
        let answer = fetch(world.address(), "GET /media/x/original", &[("Origin", origin)], "").await;
        assert_eq!((answer.status, answer.header("Access-Control-Allow-Origin")), (401, allowed));
    }
}

/// Asks every route that names a file, as everyone: a user who may not have it is told that it is not there.
#[tokio::test]
async fn who_may_do_what_on_every_route() {
    let world = World::builder().no_rates().frozen().start();
    let mut owner = world.client("owner").await;
    let mut member = world.client("member").await;
    let mut former = world.client("former").await;
    let other = world.client("other").await;
    let group = owner.ok("createGroup", json!({"groupInfo": {"groupName": "g"}, "userIDs": ["member", "former"]})).await;
    let group = text(&group["groupInfo"]["baseInfo"], "groupID").to_owned();
    let file = upload(&world, "owner", "image", "picture.png").await;
    owner.send(To::Group(&group), image(&file)).await.unwrap();
    former.ok("leaveGroup", json!({"groupID": group})).await;
    member.messages(1).await;
    let uid = text(&file, "fileUID");
    let address = world.address();
    for (name, status_of_reader) in [("member", 200), ("owner", 200), ("former", 404), ("other", 404)] {
        let client = match name {
            "member" => &member,
            "owner" => &owner,
            "former" => &former,
            _ => &other,
        };
        let session_token = client.hello["mediaToken"].as_str().unwrap();
        let user_token = world.token(name);
        for rendition in ["original", "large", "thumbnail"] {
            let path = format!("/media/{uid}/{rendition}");
            for request in [format!("GET {path}?token={session_token}"), format!("HEAD {path}?token={session_token}")] {
                assert_eq!(fetch(address, &request, &[], "").await.status, status_of_reader, "{name} {request}");
            }
            for token in [session_token, &user_token] {
                let answer = fetch(address, &format!("GET {path}"), &[("Authorization", &bearer(token))], "").await;
                assert_eq!(answer.status, status_of_reader, "{name} by header {path}");
            }
        }
        assert_eq!(read(&world, client, &format!("/media/{uid}/frame")).await.status, 404, "{name}: an image has none");
        let by_header = bearer(&user_token);
        let authorized = [("Authorization", by_header.as_str()), ("Tus-Resumable", "1.0.0")];
        let owns = name == "owner";
        assert_eq!(fetch(address, &format!("GET /media/uploads/{uid}"), &authorized, "").await.status, if owns { 200 } else { 404 });
        assert_eq!(fetch(address, &format!("HEAD /media/tus/{uid}"), &authorized, "").await.status, if owns { 200 } else { 404 });
        for request in [format!("DELETE /media/tus/{uid}"), format!("PUT /media/{uid}/frame")] {
            let answer = fetch(address, &request, &authorized, "x").await;
            assert_eq!((answer.status, answer.json()["code"].as_u64()), (404, Some(6_000_211)), "{name} {request}");
        }
    }
    let routes = [
        "POST /media/uploads".to_owned(),
        format!("GET /media/uploads/{uid}"),
        "POST /media/tus".to_owned(),
        format!("HEAD /media/tus/{uid}"),
        format!("PATCH /media/tus/{uid}"),
        format!("DELETE /media/tus/{uid}"),
        format!("PUT /media/{uid}/frame"),
        format!("GET /media/{uid}/original"),
        format!("HEAD /media/{uid}/thumbnail"),
    ];
    let expired = member.hello["mediaToken"].as_str().unwrap().to_owned();
    let user_token = world.token("member");
    world.advance(Duration::from_secs(3601));
    for route in &routes {
        for (what, header, code) in [
            ("none", None, 6_000_121),
            ("nonsense", Some("Bearer x.y.z".to_owned()), 6_000_103),
            ("another scheme", Some("Basic eDp5".to_owned()), 6_000_103),
            ("expired", Some(bearer(&expired)), 6_000_106),
        ] {
            let mut headers = vec![("Tus-Resumable", "1.0.0")];
            headers.extend(header.as_ref().map(|header| ("Authorization", header.as_str())));
            let answer = fetch(address, route, &headers, "").await;
            assert_eq!(answer.status, 401, "{route}, {what}: {}", answer.body);
            if !route.starts_with("HEAD") {
                assert_eq!(answer.json()["code"], code, "{route}, {what}");
            }
        }
    }
    let path = format!("GET /media/{uid}/original");
    assert_eq!(fetch(address, &format!("{path}?token={expired}"), &[], "").await.json()["code"], 6_000_106, "an expired URL");
    assert_eq!(fetch(address, &format!("{path}?token={user_token}"), &[], "").await.status, 401, "a user's token does not go into URLs");
    let renewed = member.ok("renewMediaToken", json!({})).await;
    let answer = fetch(address, &format!("{path}?token={}", text(&renewed, "mediaToken")), &[], "").await;
    assert_eq!((answer.status, renewed["mediaTokenSeconds"].as_u64()), (200, Some(3600)));
    for nowhere in ["/media/x/original", "/media/00000000000000000000000000000000/original", "/media/../secret/original"] {
        let answer = fetch(address, &format!("GET {nowhere}"), &[("Authorization", &bearer(&user_token))], "").await;
        assert_eq!(answer.status, 404, "{nowhere}");
    }
}

#[tokio::test]
async fn access_ends_with_membership_message_and_room() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    // Taken back.
    let file = upload(&world, "alice", "image", "picture.jpg").await;
    let path = text(&file, "fileDownloadUrl");
    assert_eq!(read(&world, &alice, path).await.status, 200, "its owner, before it is sent");
    assert_eq!(read(&world, &bob, path).await.status, 404);
    let sent = alice.send(To::Peer("bob"), image(&file)).await.unwrap();
    assert_eq!(read(&world, &bob, path).await.status, 200);
    alice.ok("revokeMessage", json!({"message": {"messageID": sent["messageID"], "conversationID": "bob", "conversationType": 0}})).await;
    for client in [&alice, &bob] {
        assert_eq!(read(&world, client, path).await.status, 404);
    }
    assert_eq!(alice.send(To::Peer("bob"), image(&file)).await.unwrap_err().code, 6_000_211, "and it is not sent again");
    // Deleted for oneself.
    let file = upload(&world, "alice", "image", "picture.jpg").await;
    let path = text(&file, "fileDownloadUrl");
    alice.send(To::Peer("bob"), image(&file)).await.unwrap();
    // Its first, that one taken back, and the second.
    bob.messages(3).await;
    bob.ok("deleteAllMessage", json!({"conversationID": "alice", "conversationType": 0, "config": {"isAlsoDeleteServerMessage": true}}))
        .await;
    assert_eq!(bob.newest(To::Peer("alice")).await, Vec::<Value>::new());
    assert_eq!((read(&world, &bob, path).await.status, read(&world, &alice, path).await.status), (404, 200));
    // A room: for those inside.
    alice.ok("enterRoom", json!({"roomInfo": {"roomID": "r", "roomName": "r"}})).await;
    bob.ok("enterRoom", json!({"roomInfo": {"roomID": "r", "roomName": "r"}})).await;
    let file = upload(&world, "alice", "audio", "cbr.mp3").await;
    let path = text(&file, "fileDownloadUrl");
    alice.send(To::Room("r"), json!({"type": 13, "fileUID": file["fileUID"], "audioDuration": 2})).await.unwrap();
    assert_eq!(read(&world, &bob, path).await.status, 200);
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    assert_eq!((read(&world, &bob, path).await.status, read(&world, &alice, path).await.status), (404, 200));
    // The sender must be inside.
    let refused = bob.send(To::Room("r"), json!({"type": 12, "fileDownloadUrl": "https://a.example/x"})).await.unwrap_err();
    assert_eq!(refused.code, 6_000_321);
    let refused = bob.send(To::Group("none"), json!({"type": 12, "fileDownloadUrl": "https://a.example/x"})).await.unwrap_err();
    assert_eq!(refused.code, 6_000_523);
}

#[tokio::test]
async fn forwarding_reuses_the_bytes_and_keeps_them() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob, mut carol) = (world.client("alice").await, world.client("bob").await, world.client("carol").await);
    let mut eve = world.client("eve").await;
    let file = upload(&world, "alice", "video", "h264.mp4").await;
    let sent = alice.send(To::Peer("bob"), json!({"type": 14, "fileUID": file["fileUID"], "videoDuration": 2})).await.unwrap();
    assert_eq!((&sent["videoFirstFrameWidth"], &sent["videoFirstFrameHeight"]), (&json!(320), &json!(180)));
    bob.messages(1).await;
    // As it came, as JSON, with the token in its URL: reduced to its name.
    let mut forward = sent.clone();
    forward["fileDownloadUrl"] = json!(format!("http://{}{}?token=abc", world.address(), text(&sent, "fileDownloadUrl")));
    let passed = bob.send(To::Peer("carol"), forward.clone()).await.unwrap();
    assert_eq!((&passed["fileUID"], &passed["fileDownloadUrl"]), (&sent["fileUID"], &sent["fileDownloadUrl"]));
    assert_eq!(eve.send(To::Peer("alice"), forward).await.unwrap_err().code, 6_000_211, "who cannot read it cannot send it");
    let as_file = carol.send(To::Peer("bob"), json!({"type": 12, "fileUID": file["fileUID"]})).await.unwrap();
    assert_eq!((&as_file["type"], &as_file["fileName"]), (&json!(12), &json!("h264.mp4")), "anything goes as a file");
    let refused = alice.send(To::Peer("bob"), json!({"type": 13, "fileUID": file["fileUID"], "audioDuration": 2})).await.unwrap_err();
    assert_eq!(refused.code, 6_000_213);
    // Inside a combined message.
    let child = json!({"type": 14, "fileUID": file["fileUID"], "videoDuration": 2, "senderUserID": "alice"});
    let combined = carol.send(To::Peer("eve"), json!({"type": 100, "title": "t", "summary": "s", "messageList": [child]})).await.unwrap();
    let heard = eve.messages(1).await.remove(0);
    let detail = eve.ok("queryCombineMessageDetail", json!({"message": {"combineID": heard["combineID"]}})).await;
    let child = &detail["message"]["messageList"][0];
    assert_eq!((&child["fileName"], &child["videoFirstFrameWidth"]), (&json!("h264.mp4"), &json!(320)), "{combined}");
    // The first message goes; the others keep the bytes.
    alice.ok("revokeMessage", json!({"message": {"messageID": sent["messageID"], "conversationID": "bob", "conversationType": 0}})).await;
    assert_eq!(world.broker.collect_files().await.unwrap(), 0);
    let path = text(&sent, "fileDownloadUrl");
    for (client, status) in [(&alice, 404), (&bob, 200), (&carol, 200), (&eve, 200)] {
        assert_eq!(read(&world, client, path).await.status, status);
    }
}

#[tokio::test]
async fn what_nobody_needs_is_collected_and_its_room_in_the_quota_comes_back() {
    let world = World::builder()
        .no_rates()
        .frozen()
        .config(|config| {
            config.media.user_bytes_max = 50_000;
            config.media.unsent_seconds = 60;
        })
        .start();
    let mut alice = world.client("alice").await;
    world.client("bob").await;
    let unsent = upload(&world, "alice", "image", "picture.png").await;
    let kept = upload(&world, "alice", "file", "cbr.mp3").await;
    let revoked = upload(&world, "alice", "file", "aac.m4a").await;
    alice.send(To::Peer("bob"), json!({"type": 12, "fileUID": kept["fileUID"]})).await.unwrap();
    let sent = alice.send(To::Peer("bob"), json!({"type": 12, "fileUID": revoked["fileUID"]})).await.unwrap();
    alice.ok("revokeMessage", json!({"message": {"messageID": sent["messageID"], "conversationID": "bob", "conversationType": 0}})).await;
    let refused = try_upload(&world, "alice", "file", "x", &[1; 40_000]).await;
    assert_eq!((refused.status, refused.json()["code"].as_u64()), (507, Some(6_000_212)));
    assert!(refused.json()["detail"].as_str().unwrap().contains("50000"), "{}", refused.body);
    assert_eq!(world.broker.collect_files().await.unwrap(), 0, "just sent, and not waiting for long");
    world.advance(Duration::from_secs(1200));
    // The protection of a file that was to be sent is dropped by a task that looks every few seconds.
    let collected = async {
        let mut collected = 0;
        while collected < 2 {
            collected += world.broker.collect_files().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        collected
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), collected).await.unwrap(), 2);
    for (file, status) in [(&unsent, 404), (&revoked, 404), (&kept, 200)] {
        let user_token = bearer(&world.token("alice"));
        let answer = fetch(world.address(), &format!("GET {}", text(file, "fileDownloadUrl")), &[("Authorization", &user_token)], "").await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(try_upload(&world, "alice", "file", "x", &[1; 40_000]).await.status, 201);
}

/// For each limit L: L is accepted, L + 1 refused, though its head says nothing of it.
#[tokio::test]
async fn urls_of_elsewhere_pass_through_byte_for_byte_and_win() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    let message = json!({"type": 11, "fileDownloadUrl": "https://a.example/%E5%AD%97.PNG?x=1&y=%20#z",
        "thumbnailDownloadUrl": "http://a.example/t", "largeImageDownloadUrl": "https://a.example/l", "fileName": "n.png", "fileSize": 7,
        "originalImageWidth": 3, "originalImageHeight": 4, "fileUID": "00000000000000000000000000000000", "fileLocalPath": {}});
    alice.send(To::Peer("bob"), message.clone()).await.unwrap();
    let heard = bob.messages(1).await.remove(0);
    for field in ["fileDownloadUrl", "thumbnailDownloadUrl", "largeImageDownloadUrl", "fileName", "fileSize", "originalImageWidth"] {
        assert_eq!(heard[field], message[field], "{field}");
    }
    assert_eq!(heard["fileUID"], Value::Null, "the URL won");
    for (message, code) in [
        (json!({"type": 11}), 6_000_211),
        (json!({"type": 12, "fileUID": "x"}), 6_000_211),
        (json!({"type": 12, "fileUID": "00000000000000000000000000000000"}), 6_000_211),
        (json!({"type": 12, "fileDownloadUrl": "/media/00000000000000000000000000000000/original"}), 6_000_211),
        (json!({"type": 12, "fileDownloadUrl": "file:///etc/passwd"}), 6_000_001),
        (json!({"type": 12, "fileDownloadUrl": "https://u:p@a.example/"}), 6_000_001),
        (json!({"type": 13, "fileDownloadUrl": "https://a.example/x.mp3"}), 6_000_001),
        (json!({"type": 14, "fileDownloadUrl": "https://a.example/x.mp4"}), 6_000_001),
    ] {
        assert_eq!(alice.send(To::Peer("bob"), message.clone()).await.unwrap_err().code, code, "{message}");
    }
    // Another broker's file is a URL like any other.
    let url = "https://other.example/media/0123456789abcdef0123456789abcdef/original?token=t";
    let sent = alice.send(To::Peer("bob"), json!({"type": 14, "fileDownloadUrl": url, "videoDuration": 1.5})).await.unwrap();
    assert_eq!((&sent["fileDownloadUrl"], &sent["videoDuration"]), (&json!(url), &json!(1.5)));
}

#[tokio::test]
async fn a_retried_send_of_a_file_is_the_first_one_again() {
    let world = World::builder().no_rates().start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    let file = upload(&world, "alice", "image", "picture.png").await;
    let message = json!({"type": 11, "fileUID": file["fileUID"], "localMessageID": "once"});
    let first = alice.send(To::Peer("bob"), message.clone()).await.unwrap();
    assert_eq!(alice.send(To::Peer("bob"), message.clone()).await.unwrap()["messageID"], first["messageID"]);
    let other = json!({"type": 12, "fileUID": file["fileUID"], "localMessageID": "once"});
    assert_eq!(alice.send(To::Peer("bob"), other).await.unwrap_err().code, 6_000_001);
    drop(bob);
}

#[tokio::test]
async fn a_combined_message_too_large_for_a_frame_goes_up_as_a_file() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    let children: Vec<Value> =
        (0..100).map(|n| json!({"type": 1, "message": format!("{n} {}", "x".repeat(30_000)), "senderUserID": "alice"})).collect();
    let bytes = serde_json::to_vec(&children).unwrap();
    let file = try_upload(&world, "alice", "file", "messages.json", &bytes).await.json();
    let message = |file: &Value| json!({"type": 100, "title": "t", "summary": "s", "fileUID": file["fileUID"], "localMessageID": "c"});
    let sent = alice.send(To::Peer("bob"), message(&file)).await.unwrap();
    assert_eq!(alice.send(To::Peer("bob"), message(&file)).await.unwrap()["messageID"], sent["messageID"], "a retry");
    let heard = bob.messages(1).await.remove(0);
    let (mut list, mut next) = (Vec::new(), json!(0));
    while list.len() < 100 {
        let page =
            bob.ok("queryCombineMessageDetail", json!({"message": {"combineID": heard["combineID"]}, "config": {"next": next}})).await;
        list.extend(page["message"]["messageList"].as_array().unwrap().clone());
        next = page["next"].clone();
    }
    assert!(list.iter().zip(&children).all(|(kept, child)| kept["message"] == child["message"]));
    let combine = |file: &str| json!({"type": 100, "title": "t", "summary": "s", "fileUID": file});
    assert_eq!(bob.send(To::Peer("alice"), combine(text(&file, "fileUID"))).await.unwrap_err().code, 6_000_211, "another's");
    let file = try_upload(&world, "alice", "file", "x", b"{}").await.json();
    assert_eq!(alice.send(To::Peer("bob"), combine(text(&file, "fileUID"))).await.unwrap_err().code, 6_000_001);
}

#[tokio::test]
async fn the_first_picture_of_a_video_is_its_owners_to_give_and_its_readers_to_see() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    let file = upload(&world, "alice", "video", "h265.mp4").await;
    let put = async |user: &str, bytes: Vec<u8>| {
        let token = bearer(&world.token(user));
        fetch_bytes(world.address(), &format!("PUT /media/{}/frame", text(&file, "fileUID")), &[("Authorization", &token)], &bytes).await
    };
    assert_eq!(put("bob", fixture("picture.jpg")).await.status, 404);
    assert_eq!(put("alice", fixture("cbr.mp3")).await.status, 415);
    assert_eq!(put("alice", fixture("bomb.png")).await.status, 413);
    assert_eq!(put("alice", fixture("turned.jpg")).await.status, 200);
    let sent = alice.send(To::Peer("bob"), json!({"type": 14, "fileUID": file["fileUID"], "videoDuration": 2})).await.unwrap();
    let heard = bob.messages(1).await.remove(0);
    assert_eq!((&heard["videoFirstFrameWidth"], &heard["videoFirstFrameHeight"]), (&json!(320), &json!(180)));
    let late = put("alice", fixture("picture.jpg")).await;
    assert_eq!((late.status, late.json()["code"].as_u64()), (400, Some(6_000_001)), "what was sent stays as it was");
    let frame = read(&world, &bob, text(&sent, "videoFirstFrameDownloadUrl")).await;
    assert_eq!((frame.status, frame.header("Content-Type")), (200, "image/jpeg"));
    assert!(!frame.bytes.windows(4).any(|bytes| bytes == b"Exif"));
}

#[tokio::test]
async fn below_a_hosts_own_path_everything_works_as_well() {
    let world = World::builder().no_rates().mounted().start();
    let mut alice = world.client("alice").await;
    world.client("bob").await;
    let token = bearer(&world.token("alice"));
    let answer =
        fetch_bytes(world.address(), "POST /im/media/uploads?kind=image", &[("Authorization", &token)], &fixture("picture.png")).await;
    let file = answer.json();
    assert_eq!(answer.header("Location"), format!("/im{}", text(&file, "fileDownloadUrl")));
    alice.send(To::Peer("bob"), image(&file)).await.unwrap();
    assert_eq!(read(&world, &alice, answer.header("Location")).await.status, 200);
}
