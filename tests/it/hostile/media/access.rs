//! Who is put out has nothing of files any more: new requests are refused, and those under way end.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{FILE, Slow, until_at};
use crate::media::tus::Tus;
use crate::media::{bearer, read, text, try_upload};
use crate::support::{Answer, Client, To, World, fetch, soon, user};

/// More than the sockets of both sides hold.
const LARGE: usize = 48 << 20;

/// Sends a large file from one to the other; returns its path.
async fn large_file(world: &World, alice: &mut Client, to: &str) -> String {
    let file: Value = try_upload(world, "alice", "file", "large", &vec![7; LARGE]).await.json();
    alice.send(To::Peer(to), json!({"type": 12, "fileUID": file["fileUID"]})).await.unwrap();
    text(&file, "fileDownloadUrl").to_owned()
}

/// A download that is read bit by bit.
async fn begin_download(world: &World, path: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    stream.write_all(format!("GET {path}?token={token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut begun = vec![0; 1000];
    soon("the first bytes", stream.read_exact(&mut begun)).await.unwrap();
    assert!(begun.starts_with(b"HTTP/1.1 200"));
    stream
}

/// Reads on; returns how much came.
async fn rest(mut stream: TcpStream) -> usize {
    let mut rest = Vec::new();
    // It ends early, in one way or the other.
    let _cut = soon("the end of the download", stream.read_to_end(&mut rest)).await;
    rest.len()
}

async fn upload_with(world: &World, token: &str) -> Answer {
    fetch(world.address(), "POST /media/uploads?kind=file", &[("Authorization", &bearer(token))], "hello").await
}

fn media_token(client: &Client) -> String {
    client.hello["mediaToken"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_ban_reaches_files_that_are_read_and_written_at_that_moment() {
    let world = World::builder().no_rates().start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    let path = large_file(&world, &mut alice, "bob").await;
    let (token, tus) = (media_token(&bob), Tus::of(&world, "bob"));
    let reading = begin_download(&world, &path, &token).await;
    let place = tus.create(1000, FILE).await;
    let mut writing = Slow::patch(&world, &tus, &place, 0, 1000).await;
    writing.send(&[1; 100]).await;
    until_at(&tus, &place, 100).await;
    let mut raw =
        Slow::begin(&world, &format!("POST /media/uploads?kind=file HTTP/1.1\r\nAuthorization: {}\r\nContent-Length: 1000", tus.token))
            .await;
    raw.send(&[1; 100]).await;

    world.broker.users().ban(&user("bob"), None, "spam").await.unwrap();
    for (what, slow) in [("resumable", writing), ("plain", raw)] {
        let (status, answer) = slow.answer().await;
        assert!(status == 403 && answer.contains("6000124"), "{what}: {answer}");
    }
    let came = rest(reading).await;
    assert!(came < LARGE - 1000, "{came} bytes came");
    assert_eq!(read(&world, &bob, &path).await.status, 403);
    for token in [&token, &world.token("bob")] {
        let answer = upload_with(&world, token).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (403, Some(6_000_124)));
        let header = [("Authorization", bearer(token))];
        let header = [(header[0].0, header[0].1.as_str()), ("Tus-Resumable", "1.0.0"), ("Upload-Length", "1")];
        for request in ["POST /media/tus", &format!("HEAD {place}"), "GET /media/uploads/x", "PUT /media/x/frame"] {
            assert_eq!(fetch(world.address(), request, &header, "").await.status, 403, "{request}");
        }
    }
    assert_eq!(read(&world, &alice, &path).await.status, 200, "nobody else notices");
    world.broker.users().unban(&user("bob")).await.unwrap();
    let again = world.client("bob").await;
    assert_eq!((read(&world, &again, &path).await.status, read(&world, &bob, &path).await.status), (200, 401));
}

#[tokio::test]
async fn who_is_kicked_has_no_files_until_it_logs_in_and_its_old_token_never_again() {
    let world = World::builder().no_rates().start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    let path = large_file(&world, &mut alice, "bob").await;
    let reading = begin_download(&world, &path, &media_token(&bob)).await;
    world.broker.users().kick(&user("bob"), None).await.unwrap();
    let came = rest(reading).await;
    assert!(came < LARGE - 1000, "{came} bytes came");
    let answer = read(&world, &bob, &path).await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (401, Some(6_000_103)));
    assert_eq!(upload_with(&world, &world.token("bob")).await.status, 401);
    let again = world.client("bob").await;
    assert_eq!((read(&world, &again, &path).await.status, read(&world, &bob, &path).await.status), (200, 401));
    assert_eq!(upload_with(&world, &world.token("bob")).await.status, 201);
    // Another device takes the place of this one.
    let other = world.device("bob", "other").await;
    assert_eq!((read(&world, &other, &path).await.status, read(&world, &again, &path).await.status), (200, 401));
}

#[tokio::test]
async fn what_is_under_way_ends_with_its_token() {
    let world = World::builder().no_rates().frozen().config(|config| config.media.token_seconds = 60).start();
    let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
    let path = large_file(&world, &mut alice, "bob").await;
    let reading = begin_download(&world, &path, &media_token(&bob)).await;
    let head = format!(
        "POST /media/uploads?kind=file HTTP/1.1\r\nAuthorization: {}\r\nContent-Length: 1000",
        bearer(&world.tokens.issue_jwt(&user("bob"), 60).unwrap())
    );
    let mut writing = Slow::begin(&world, &head).await;
    writing.send(&[1; 100]).await;
    world.advance(Duration::from_secs(60));
    let (status, answer) = writing.answer().await;
    assert!(status == 401 && answer.contains("6000106"), "{answer}");
    let came = rest(reading).await;
    assert!(came < LARGE - 1000, "{came} bytes came");
}
