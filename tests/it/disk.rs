//! What disks do to a broker: they fill up, and they fail to keep what was written. Nothing acknowledged is lost, nothing is
//! doubled, and the broker says what is wrong.
//!
//! A small disk is a tmpfs in a mount namespace of its own, so these tests start themselves once more inside one. Where the system
//! allows no such namespace they say so and do nothing.
#![allow(clippy::print_stdout)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::hostile::{Line, Program, Running, alone, message_to};
use crate::support::{fetch, until_ready_says};

/// Names the small disk to a test that runs inside.
const DISK: &str = "SMALL_DISK";
const DISK_BYTES: u64 = 48 << 20;
const BALLAST: &str = "8388608";

/// Runs a test again where a small disk is mounted; returns the disk to that run, and nothing to the first.
pub(crate) fn on_a_small_disk(test: &str) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(DISK) {
        return Some(disk.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={DISK_BYTES} none \"$0\" && exec \"$@\"");
    let namespace = |flags: &str, command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.arg(flags).args(["sh", "-c", &mount]).arg(folder.path()).args(command);
        unshare
    };
    let flags = ["-m", "-Urm"].into_iter().find(|flags| namespace(flags, &["true"]).output().is_ok_and(|done| done.status.success()));
    let Some(flags) = flags else {
        println!("not tested: this system lets no test mount a small disk");
        return None;
    };
    let program = std::env::current_exe().unwrap();
    let mut inner = namespace(flags, &[program.to_str().unwrap(), "--exact", test, "--nocapture"]);
    assert!(inner.env(DISK, folder.path()).status().unwrap().success(), "{test} on a small disk");
    None
}

/// Takes all the room there is, but for some bytes.
pub(crate) fn fill(disk: &Path, leave: usize) {
    let mut hog = File::options().create(true).append(true).open(disk.join("hog")).unwrap();
    let chunk = vec![7; 256 << 10];
    while hog.write_all(&chunk).is_ok() {}
    while hog.write_all(&chunk[..4096]).is_ok() {}
    let bytes = hog.metadata().unwrap().len();
    hog.set_len(bytes.saturating_sub(leave as u64)).unwrap();
}

fn text(local_id: &str, bytes: usize) -> Value {
    message_to("bob", 0, &json!({"type": 1, "message": format!("{local_id} {}", "x".repeat(bytes)), "localMessageID": local_id}))
}

/// Returns the local ids of what alice and bob said, oldest first.
async fn said(program: &Program, running: &Running) -> Vec<String> {
    try_said(program, running).await.unwrap_or_else(|refused| panic!("reading was refused: {refused}"))
}

/// The same, or the refusal.
async fn try_said(program: &Program, running: &Running) -> Result<Vec<String>, Value> {
    let Ok(mut bob) = Line::try_login(program, running.address, "bob").await else { return Err(Value::Null) };
    let (mut said, mut next): (Vec<String>, _) = (Vec::new(), json!({"messageSeq": 0}));
    loop {
        let config = json!({"count": 100, "reverse": false, "nextMessage": next});
        let page = bob.ask("queryHistoryMessage", json!({"conversationID": "alice", "conversationType": 0, "config": config})).await?;
        let list = page["messageList"].as_array().unwrap();
        let Some(last) = list.last() else { return Ok(said) };
        next = json!({"messageSeq": last["messageSeq"]});
        said.extend(list.iter().map(|message| message["message"].as_str().unwrap().split(' ').next().unwrap().to_owned()));
    }
}

/// Says these to bob, each acknowledged.
async fn say(program: &Program, running: &Running, ids: std::ops::Range<usize>) -> Vec<String> {
    drop(Line::login(program, running.address, "bob").await);
    let mut alice = Line::login(program, running.address, "alice").await;
    let mut acknowledged = Vec::new();
    for id in ids {
        alice.ok("sendMessage", text(&format!("m{id}"), 200)).await;
        acknowledged.push(format!("m{id}"));
    }
    acknowledged
}

async fn is_ready(running: &Running) -> (u16, String) {
    let ready = fetch(running.address, "GET /readyz", &[], "").await;
    (ready.status, ready.body)
}

async fn end(running: Running, kill: bool) -> Option<i32> {
    if kill {
        running.kill().await;
        return None;
    }
    running.signal("TERM").await;
    running.exit_code().await
}

/// Every file with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push((path.clone(), fs::read(&path).unwrap())) }
    }
    files.sort();
    files
}

/// Two starts on a full disk made a store that opened no more: now the first serves what is there, the second touches nothing.
#[tokio::test]
async fn starts_stops_and_kills_on_a_full_disk_lose_nothing() {
    let Some(disk) = on_a_small_disk("disk::starts_stops_and_kills_on_a_full_disk_lose_nothing") else { return };
    let _alone = alone().await;
    let settings = [("store.ballast_bytes", BALLAST), ("store.disk_free_bytes_min", "2097152"), ("rate.sends_per_second", "100000")];
    for order in 0..8 {
        let (first, second, third) = (order & 1 > 0, order & 2 > 0, order & 4 > 0);
        let data = disk.join(format!("data-{order}"));
        let program = Program::with(&settings).variable("TIDINGS_RATE__BURST", "1000").keeping_data_in(&data);
        let running = program.run().await;
        let mut acknowledged = say(&program, &running, 0..60).await;
        assert!(data.join("store/ballast").exists(), "{}", program.log());
        fill(&disk, 0);
        end(running, first).await;

        let running = program.run().await;
        assert!(!data.join("store/ballast").exists(), "order {order}: the ballast is given up");
        assert_eq!(said(&program, &running).await, acknowledged, "order {order}");
        fill(&disk, 0);
        let mut alice = Line::login(&program, running.address, "alice").await;
        until_ready_says(running.address, 503).await;
        let refused = alice.ask("sendMessage", text("late", 10)).await.unwrap_err();
        assert_eq!((&refused["code"], &refused["temporary"]), (&json!(6_000_007), &json!(true)), "order {order}: {refused}");
        end(running, second).await;

        for _ in 0..2 {
            let before = files(&data.join("store"));
            let mut child = program.spawn();
            let code = crate::support::soon("a start without room", child.wait()).await.unwrap().code();
            assert_eq!(code, Some(71), "order {order}: {}", program.log());
            assert!(files(&data.join("store")) == before, "order {order}: a start without room changes nothing");
        }
        fs::remove_file(disk.join("hog")).unwrap();
        let running = program.run().await;
        assert_eq!(said(&program, &running).await, acknowledged, "order {order}");
        acknowledged.extend(say(&program, &running, 60..70).await);
        end(running, third).await;
        let running = program.run().await;
        assert_eq!(said(&program, &running).await, acknowledged, "order {order}");
        assert!(data.join("store/ballast").exists(), "it is laid in again");
        end(running, true).await;
        fs::remove_dir_all(&data).unwrap();
    }
}

/// The disk fills up under a broker that is not looking: it refuses, and goes on by itself once there is room.
#[tokio::test]
async fn a_broker_that_met_a_full_disk_stores_again_once_there_is_room() {
    let Some(disk) = on_a_small_disk("disk::a_broker_that_met_a_full_disk_stores_again_once_there_is_room") else { return };
    let _alone = alone().await;
    let settings = [("store.ballast_bytes", "0"), ("store.disk_free_bytes_min", "0"), ("rate.sends_per_second", "100000")];
    let program = Program::with(&settings).variable("TIDINGS_RATE__BURST", "100000").keeping_data_in(&disk.join("data"));
    let running = program.run().await;
    let mut acknowledged = say(&program, &running, 0..10).await;
    let mut alice = Line::login(&program, running.address, "alice").await;
    for round in 0..3 {
        fill(&disk, 300_000);
        let mut refused = None;
        for n in 0..10_000 {
            let id = format!("r{round}-{n}");
            match alice.ask("sendMessage", text(&id, 2_000)).await {
                Ok(_) => acknowledged.push(id),
                Err(error) => {
                    assert_eq!((&error["code"], &error["temporary"]), (&json!(6_000_007), &json!(true)), "{error}");
                    refused = Some(id);
                    break;
                }
            }
        }
        let refused = refused.expect("the disk was full in the end");
        assert_eq!(is_ready(&running).await.0, 503);
        // Reading goes on, but for pages that sled has yet to write before it reads them: those are refused for now.
        match try_said(&program, &running).await {
            Ok(said) => assert_eq!(said, acknowledged),
            Err(refused) => assert!(refused.is_null() || refused["temporary"] == true, "{refused}"),
        }
        fs::remove_file(disk.join("hog")).unwrap();
        // The same session, the same message: its retry is stored once.
        crate::support::soon("the store to take writes again", async {
            while alice.ask("sendMessage", text(&refused, 2_000)).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        })
        .await;
        acknowledged.push(refused);
        assert_eq!(is_ready(&running).await.0, 200, "{}", program.log());
        assert_eq!(said(&program, &running).await, acknowledged);
    }
    assert_eq!(end(running, false).await, Some(0));
    let running = program.run().await;
    assert_eq!(said(&program, &running).await, acknowledged);
    fill(&disk, 300_000);
    let mut alice = Line::login(&program, running.address, "alice").await;
    let mut n = 0;
    while alice.ask("sendMessage", text(&format!("last-{n}"), 2_000)).await.is_ok() {
        acknowledged.push(format!("last-{n}"));
        n += 1;
    }
    assert_eq!(end(running, false).await, Some(74), "the last flush found no room: {}", program.log());
    fs::remove_file(disk.join("hog")).unwrap();
    let running = program.run().await;
    let kept = said(&program, &running).await;
    // The one that was refused may have reached the disk.
    assert!(kept == acknowledged || kept.split_last().is_some_and(|(last, rest)| rest == acknowledged && *last == format!("last-{n}")));
}

/// Makes every sync fail while a file is there.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int fails(void) { const char *flag = getenv("FAIL_SYNC"); return flag && access(flag, F_OK) == 0; }
int fdatasync(int fd) { if (fails()) { errno = EIO; return -1; } return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
int fsync(int fd) { if (fails()) { errno = EIO; return -1; } return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
"#;

#[tokio::test]
async fn after_a_failed_sync_nothing_is_taken_until_a_new_start_has_written_everything_again() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let (source, shim, flag) = (folder.path().join("shim.c"), folder.path().join("shim.so"), folder.path().join("fail"));
    fs::write(&source, SHIM).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&shim, &source]).arg("-ldl").status().unwrap();
    assert!(made.success(), "rustc links with cc, so it is there");
    let program = Program::with(&[("store.ballast_bytes", "0")]).variable("LD_PRELOAD", shim.to_str().unwrap());
    let program = program.variable("FAIL_SYNC", flag.to_str().unwrap());
    let running = program.run().await;
    let mut acknowledged = say(&program, &running, 0..5).await;
    let mut alice = Line::login(&program, running.address, "alice").await;
    fs::write(&flag, "").unwrap();
    let refused = alice.ask("sendMessage", text("m5", 10)).await.unwrap_err();
    assert_eq!((&refused["code"], &refused["temporary"]), (&json!(6_000_007), &json!(true)), "{refused}");
    fs::remove_file(&flag).unwrap();
    // The disk works again, and what the system shows of the file may still not be on it.
    for _ in 0..3 {
        alice.ask("sendMessage", text("m5", 10)).await.unwrap_err();
    }
    let (status, body) = is_ready(&running).await;
    assert!(status == 503 && body.contains("a new start is needed"), "{status} {body}");
    assert_eq!(said(&program, &running).await, acknowledged, "reading goes on, and shows what was acknowledged");
    assert_eq!(end(running, false).await, Some(74), "{}", program.log());

    let running = program.run().await;
    assert!(program.log().contains("everything is written again"), "{}", program.log());
    let mut alice = Line::login(&program, running.address, "alice").await;
    let first = alice.ok("sendMessage", text("m5", 10)).await;
    assert_eq!(alice.ok("sendMessage", text("m5", 10)).await, first, "once, whether the refused one had reached the disk or not");
    acknowledged.push("m5".to_owned());
    assert_eq!(said(&program, &running).await, acknowledged);
    assert_eq!(end(running, false).await, Some(0));
}
