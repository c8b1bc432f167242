//! Uploads under `kill -9`, cut connections and load.
//!
//! `TIDINGS_CRASH_CYCLES=30 cargo test --test it media::hostile -- --nocapture` for more of it.
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::hostile::{Dice, Line, MIB, Program, Watch, alone, message_to, soon};
use crate::support::fetch;

/// Uploads under way at each kill.
const UPLOADS: u64 = 10;

/// Returns the bytes of the n-th upload, which follow from its number.
fn content(number: u64) -> Vec<u8> {
    let mut dice = Dice(number);
    let length = dice.between(1, 3_000_000) as usize;
    let mut bytes: Vec<u8> = (0..length / 8 + 1).flat_map(|_| dice.roll().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One request over a connection that may be lost at any moment, by the broker's end or by our own.
async fn ask(address: SocketAddr, head: &str, token: &str, body: &[u8], cut_after: Option<usize>) -> Option<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = format!("{head}\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    if let Some(cut) = cut_after {
        let _sent_or_lost = stream.write_all(&body[..cut.min(body.len())]).await;
        return None;
    }
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let (_sent, read) = tokio::join!(writer.write_all(body), reader.read_to_end(&mut answer));
    read.ok()?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    Some((head.split(' ').nth(1)?.parse().ok()?, head, answer[end + 4..].to_vec()))
}

/// Uploads one way or the other; the uid, if the broker said that it has all of it.
async fn upload(address: SocketAddr, token: &str, number: u64, dice: &mut Dice) -> Option<String> {
    let bytes = content(number);
    if dice.one_in(2) {
        let cut = dice.one_in(5).then(|| dice.between(0, bytes.len() as u64) as usize);
        let (status, _, answer) =
            ask(address, &format!("POST /media/uploads?kind=file&name={number} HTTP/1.1"), token, &bytes, cut).await?;
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
        let file: Value = serde_json::from_slice(&answer).ok()?;
        return Some(file["fileUID"].as_str()?.to_owned());
    }
    let create = format!("POST /media/tus HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {}", bytes.len());
    let (status, head, _) = ask(address, &create, token, b"", None).await?;
    assert_eq!(status, 201, "{head}");
    let place = head.lines().find_map(|line| line.strip_prefix("location: "))?.to_owned();
    let mut offset = 0;
    while offset < bytes.len() {
        let end = bytes.len().min(offset + dice.between(1, 700_000) as usize);
        let cut = dice.one_in(6).then(|| dice.between(0, (end - offset) as u64) as usize);
        let patch = format!(
            "PATCH {place} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}"
        );
        if ask(address, &patch, token, &bytes[offset..end], cut).await.is_none_or(|(status, ..)| status != 204) {
            // Cut, or told of another offset: asked for where to go on from.
            let (status, head, _) = ask(address, &format!("HEAD {place} HTTP/1.1\r\nTus-Resumable: 1.0.0"), token, b"", None).await?;
            assert_eq!(status, 200, "{head}");
            offset = head.lines().find_map(|line| line.strip_prefix("upload-offset: "))?.parse().ok()?;
        } else {
            offset = end;
        }
    }
    Some(place.rsplit('/').next()?.to_owned())
}

fn user(n: u64) -> String {
    format!("u{n}")
}

fn files_below(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path.file_name().unwrap().to_str().unwrap().to_owned()] })
        .collect()
}

#[tokio::test]
async fn no_message_has_missing_or_short_media_after_kill_9() {
    let _alone = alone().await;
    let cycles = std::env::var("TIDINGS_CRASH_CYCLES").ok().map_or(10, |text| text.parse::<u64>().unwrap());
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros() as u64;
    let seed = std::env::var("TIDINGS_CRASH_SEED").ok().map_or(seed, |text| text.parse().unwrap());
    println!("TIDINGS_CRASH_SEED={seed}");
    let mut dice = Dice(seed);
    let settings = [("rate.sends_per_second", "100000"), ("rate.burst", "100000")];
    let program = Program::with(&settings);
    let bob = program.token("bob");
    let (mut number, mut acknowledged) = (0u64, Vec::<u64>::new());
    for cycle in 0..=cycles {
        let running = program.run().await;
        let address = running.address;
        assert_eq!(files_below(&program.data().join("incoming")), Vec::<String>::new(), "the start swept what was left");
        let mut reader = Line::login(&program, address, "bob").await;
        // Every message's file is there, whole, and the right one; and every acknowledged message is there.
        let mut seen = Vec::new();
        for sender in (0..UPLOADS).map(user) {
            let mut anchor = Value::Null;
            loop {
                let config = json!({"count": 100, "nextMessage": anchor});
                let page =
                    reader.ok("queryHistoryMessage", json!({"conversationID": sender, "conversationType": 0, "config": config})).await;
                let list = page["messageList"].as_array().unwrap().clone();
                let Some(last) = list.last() else { break };
                anchor = last.clone();
                for message in list {
                    let of: u64 = message["extendedData"].as_str().unwrap().parse().unwrap();
                    let path = message["fileDownloadUrl"].as_str().unwrap();
                    let (status, _, bytes) = ask(address, &format!("GET {path} HTTP/1.1"), &bob, b"", None).await.unwrap();
                    assert_eq!((status, sha256(&bytes)), (200, sha256(&content(of))), "cycle {cycle}: {message}");
                    seen.push(of);
                }
            }
        }
        for one in &acknowledged {
            assert!(seen.contains(one), "cycle {cycle}: message {one} was acknowledged and is gone");
        }
        // Bytes on the disk belong to files, once those that do not have been deleted.
        let tidy = async {
            'again: loop {
                for name in files_below(&program.data().join("media")) {
                    let info = format!("GET /media/uploads/{}", name.split('.').next().unwrap());
                    let mut is_known = false;
                    for token in (0..UPLOADS).map(|n| program.token(&user(n))) {
                        is_known |= fetch(address, &info, &[("Authorization", &format!("Bearer {token}"))], "").await.status == 200;
                    }
                    if !is_known {
                        sleep(Duration::from_millis(50)).await;
                        continue 'again;
                    }
                }
                break;
            }
        };
        soon("bytes without a record are deleted", tidy).await;
        if cycle == cycles {
            println!("{cycles} kills, {number} uploads: {} acknowledged, {} messages, each with its file", acknowledged.len(), seen.len());
            break;
        }
        let mut uploads = JoinSet::new();
        for n in 0..UPLOADS {
            number += 1;
            let mut dice = Dice(dice.roll());
            let (one, token, socket) = (number, program.token(&user(n)), Line::login(&program, address, &user(n)).await);
            uploads.spawn(async move {
                let file = upload(address, &token, one, &mut dice).await?;
                let mut line = socket;
                let message = json!({"type": 12, "fileUID": file, "extendedData": one.to_string()});
                let id = line.send("sendMessage", &message_to("bob", 0, &message)).await?;
                loop {
                    let frame = line.next().await?;
                    if frame["id"] == id {
                        assert!(frame["error"].is_null(), "{frame}");
                        return Some(one);
                    }
                }
            });
        }
        sleep(Duration::from_millis(dice.between(10, 900))).await;
        running.kill().await;
        while let Some(ended) = uploads.join_next().await {
            acknowledged.extend(ended.unwrap());
        }
    }
}

/// Sends one after the other, each after the answer to the one before; returns the latencies, sorted.
async fn chat(line: &mut Line, until: impl Fn() -> bool) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while !until() {
        let begun = Instant::now();
        line.ok("sendMessage", message_to("bob", 0, &json!({"type": 1, "message": "are you there?"}))).await;
        latencies.push(begun.elapsed());
        sleep(Duration::from_millis(5)).await;
    }
    latencies.sort_unstable();
    latencies
}

fn p99(latencies: &[Duration]) -> Duration {
    latencies[latencies.len() * 99 / 100]
}

#[tokio::test]
async fn eight_uploads_of_100_mb_cost_little_memory_and_do_not_hold_up_a_chat() {
    let _alone = alone().await;
    let settings = [("rate.sends_per_second", "100000"), ("rate.burst", "100000")];
    let program = Program::with(&settings);
    let running = program.run().await;
    let address = running.address;
    let _bob = Line::login(&program, address, "bob").await;
    let mut alice = Line::login(&program, address, "alice").await;
    let begun = Instant::now();
    chat(&mut alice, || begun.elapsed() > Duration::from_secs(1)).await;
    let begun = Instant::now();
    let quiet = chat(&mut alice, || begun.elapsed() > Duration::from_secs(4)).await;
    let watch = Watch::on(running.pid());
    let left = Arc::new(AtomicU64::new(8));
    let mut uploads = JoinSet::new();
    let begun = Instant::now();
    for n in 0..8 {
        let (token, left) = (program.token(&format!("u{n}")), left.clone());
        uploads.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST /media/uploads?kind=file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
                100 * MIB
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            // Some 40 MB a second each: what eight phones on good lines bring, and not a race for the processor.
            let part = vec![7u8; 1 << 20];
            for _ in 0..100 {
                let next = Instant::now() + Duration::from_millis(25);
                stream.write_all(&part).await.unwrap();
                tokio::time::sleep_until(next.into()).await;
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
            left.fetch_sub(1, Ordering::Relaxed);
        });
    }
    let busy = chat(&mut alice, || left.load(Ordering::Relaxed) == 0 || uploads.is_empty()).await;
    uploads.join_all().await;
    let took = begun.elapsed();
    println!(
        "800 MiB in {took:?}: chat p99 {:?} quiet ({} sends), {:?} beside the uploads ({} sends); resident memory +{} KiB",
        p99(&quiet),
        quiet.len(),
        p99(&busy),
        busy.len(),
        watch.growth() / 1024
    );
    assert!(watch.growth() < 32 * MIB, "{} MiB", watch.growth() / MIB);
    // On a machine so quiet that its p99 is below this, three times that is within what its scheduler does.
    let floor = Duration::from_millis(10);
    assert!(p99(&busy) <= p99(&quiet).max(floor) * 3, "quiet {:?}, busy {:?}", p99(&quiet), p99(&busy));
}
