//! A database that makes trouble: refusals are temporary and come in time, reasons are said, what need not be kept goes on, and it all
//! comes back by itself.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::program;
use crate::cluster::Cluster;
use crate::disk::{fill, on_a_small_disk};
use crate::hostile::{Dice, Line, Program, Running, alone, message_to, soon};
use crate::support::{Answer, fetch, until_ready_says};

/// A refusal comes within this time.
const REFUSAL_MAX: Duration = Duration::from_secs(7);

fn text(local_id: &str) -> Value {
    message_to("bob", 0, &json!({"type": 1, "message": local_id, "localMessageID": local_id}))
}

/// The answer to `/readyz`.
async fn ready(running: &Running) -> Answer {
    fetch(running.address, "GET /readyz", &[], "").await
}

/// Sends until it is acknowledged.
async fn acknowledged(line: &mut Line, local_id: &str) -> Value {
    let sent = async {
        loop {
            match line.ask("sendMessage", text(local_id)).await {
                Ok(result) => return result,
                Err(error) => {
                    assert_eq!(error["temporary"], true, "{error}");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    soon("an acknowledgement", sent).await
}

/// Sends once; it must be refused for now, and in time.
async fn refused(line: &mut Line, local_id: &str) -> String {
    let began = Instant::now();
    let error = line.ask("sendMessage", text(local_id)).await.expect_err("the database is in trouble");
    assert!(began.elapsed() < REFUSAL_MAX, "refused after {:?}", began.elapsed());
    assert_eq!(error["temporary"], true, "{error}");
    error["message"].as_str().unwrap().to_owned()
}

async fn start(cluster: &Cluster) -> (Program, Running, Line) {
    start_at(&cluster.database()).await
}

async fn start_at(url: &str) -> (Program, Running, Line) {
    let program = program(url, &[]);
    let running = program.run().await;
    Line::login(&program, running.address, "bob").await;
    let mut line = Line::login(&program, running.address, "alice").await;
    acknowledged(&mut line, "before").await;
    (program, running, line)
}

/// Looks for what was sent, each once and in its place.
async fn history(line: &mut Line) -> Vec<String> {
    let ask = json!({"conversationID": "bob", "conversationType": 0, "config": {"count": 100, "reverse": false}});
    let answer = line.ok("queryHistoryMessage", ask).await;
    let messages = answer["messageList"].as_array().unwrap();
    for (n, message) in messages.iter().enumerate() {
        assert_eq!(message["messageSeq"].as_u64(), Some(n as u64 + 1), "{message}");
    }
    messages.iter().map(|message| message["localMessageID"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_database_that_is_gone_for_a_while_costs_refusals_and_no_restart() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let (program, running, mut line) = start(&cluster).await;
    let mut guest = Line::login(&program, running.address, "guest").await;
    for member in [&mut line, &mut guest] {
        member.ok("enterRoom", json!({"roomInfo": {"roomID": "hall"}})).await;
    }
    cluster.tell("stop");
    refused(&mut line, "during").await;
    let answer = until_ready_says(running.address, 503).await;
    assert!(answer.body.contains("database"), "{answer:?}");
    // What is not kept goes on.
    let barrage = json!({"type": 20, "message": "all the same", "localMessageID": "b"});
    line.ok("sendMessage", message_to("hall", 1, &barrage)).await;
    let heard = async {
        while let Some(frame) = guest.next().await {
            if frame.to_string().contains("all the same") {
                return;
            }
        }
        panic!("the guest was disconnected")
    };
    soon("a barrage", heard).await;
    for n in 0..20 {
        refused(&mut line, &format!("during-{n}")).await;
    }
    sleep(Duration::from_secs(if std::env::var("TIDINGS_FULL").is_ok() { 10 } else { 3 })).await;
    cluster.tell("start");
    acknowledged(&mut line, "during").await;
    acknowledged(&mut line, "after").await;
    assert_eq!(ready(&running).await.status, 200);
    assert_eq!(history(&mut line).await, ["before", "during", "after"]);
}

#[tokio::test]
async fn a_database_that_hangs_is_not_waited_for_without_end() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let (_program, running, mut line) = start(&cluster).await;
    let cluster = &cluster;
    let lock = async {
        // Longer than a statement may take.
        let locked = "BEGIN; LOCK TABLE tidings.conversations IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(8); COMMIT";
        cluster.sql_aside("t0", locked).await;
    };
    let send = async {
        sleep(Duration::from_millis(500)).await;
        let said = refused(&mut line, "during").await;
        assert!(said.contains("57014") || said.contains("55P03"), "{said}");
        acknowledged(&mut line, "during").await;
        acknowledged(&mut line, "after").await;
    };
    tokio::join!(lock, send);
    assert_eq!(history(&mut line).await, ["before", "during", "after"]);
    assert_eq!(ready(&running).await.status, 200);
}

#[tokio::test]
async fn a_database_that_only_reads_is_named() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let (_program, running, mut line) = start(&cluster).await;
    cluster.sql("postgres", "ALTER DATABASE t0 SET default_transaction_read_only = on");
    cluster.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 't0'");
    // The new connections only read.
    let refused_for = soon("a refusal", async {
        loop {
            if let Err(error) = line.ask("sendMessage", text("during")).await {
                let message = error["message"].as_str().unwrap().to_owned();
                if message.contains("25006") {
                    return message;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(refused_for.contains("read-only"), "{refused_for}");
    cluster.sql("postgres", "ALTER DATABASE t0 RESET default_transaction_read_only");
    cluster.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 't0'");
    acknowledged(&mut line, "during").await;
    assert_eq!(ready(&running).await.status, 200);
}

#[tokio::test]
async fn a_database_without_connections_to_give_costs_refusals_and_no_restart() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    // The limit is not for superusers.
    cluster.sql("postgres", "CREATE ROLE chat LOGIN");
    cluster.sql("postgres", "CREATE DATABASE own OWNER chat");
    let (_program, running, mut line) = start_at(&cluster.address("own").replace("user=tidings", "user=chat")).await;
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chat'";
    cluster.sql("postgres", "ALTER ROLE chat CONNECTION LIMIT 0");
    cluster.sql("postgres", end_all);
    let said = soon("the reason", async {
        loop {
            let said = refused(&mut line, "during").await;
            if said.contains("too many connections") {
                return said;
            }
        }
    })
    .await;
    assert!(said.contains("chat"), "{said}");
    until_ready_says(running.address, 503).await;
    // Enough to write and to beat, and one to read.
    cluster.sql("postgres", "ALTER ROLE chat CONNECTION LIMIT 4");
    acknowledged(&mut line, "during").await;
    acknowledged(&mut line, "after").await;
    assert_eq!(history(&mut line).await, ["before", "during", "after"]);
    until_ready_says(running.address, 200).await;
}

#[tokio::test]
async fn a_full_disk_below_the_database_is_named_and_room_is_noticed() {
    // In a namespace of users there is no user `postgres` to run the server.
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("not tested: only root may mount a small disk for another user");
        return;
    }
    let Some(disk) = on_a_small_disk("postgres::trouble::a_full_disk_below_the_database_is_named_and_room_is_noticed") else { return };
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let space = disk.join("space");
    std::fs::create_dir(&space).unwrap();
    // The server runs as a user of its own where this runs as root.
    for path in [&disk, &space] {
        let mine = std::fs::metadata(cluster.data()).unwrap();
        std::os::unix::fs::chown(path, Some(mine.uid()), Some(mine.gid())).unwrap();
    }
    cluster.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", space.display()));
    cluster.sql("postgres", "CREATE DATABASE small TABLESPACE small");
    let (_program, running, mut line) = start_at(&cluster.address("small")).await;
    fill(&disk, 0);
    let long = |n: usize| {
        let local_id = format!("long-{n}");
        message_to("bob", 0, &json!({"type": 1, "message": noise(n), "localMessageID": local_id}))
    };
    let mut stored = 0;
    let said = loop {
        match line.ask("sendMessage", long(stored)).await {
            Ok(_) => stored += 1,
            Err(error) => {
                assert_eq!(error["temporary"], true, "{error}");
                break error["message"].as_str().unwrap().to_owned();
            }
        }
        assert!(stored < 1_000, "it is full at some time");
    };
    assert!(said.contains("disk is full") && said.contains("could not extend file"), "{said}");
    // What was stored is there, and reads go on.
    assert_eq!(history(&mut line).await.len().min(100), (stored + 1).min(100));
    std::fs::remove_file(disk.join("hog")).unwrap();
    acknowledged(&mut line, "after").await;
    let again = line.ok("sendMessage", long(stored)).await;
    assert_eq!(again["message"]["messageSeq"].as_u64(), Some(stored as u64 + 3), "{stored}");
    until_ready_says(running.address, 200).await;
}

/// Text that does not compress well, 16,000 bytes of it.
fn noise(n: usize) -> String {
    let mut dice = Dice(n as u64);
    (0..1_000).map(|_| format!("{:016x}", dice.roll())).collect()
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_in_a_line() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let url = cluster.database();
    let end = async |url: &str| {
        let program = program(url, &[]);
        let code = soon("its end", program.spawn().wait()).await.unwrap().code();
        (code, program.log())
    };
    let (code, log) = end(&url.replace("user=tidings", "user=nobody")).await;
    assert!(code == Some(1) && log.contains("role \"nobody\" does not exist"), "{code:?} {log}");
    let (code, log) = end(&url.replace("dbname=t0", "dbname=nowhere")).await;
    assert!(code == Some(1) && log.contains("database \"nowhere\" does not exist"), "{code:?} {log}");
    let (code, log) = end("host=127.0.0.1 port=1 user=x password=hunter2 dbname=y").await;
    assert!(code == Some(1) && log.contains("postgres://127.0.0.1:1/y") && !log.contains("hunter2"), "{code:?} {log}");
    // Who asks for a password, and gets a wrong one.
    cluster.sql("postgres", "CREATE ROLE chat LOGIN PASSWORD 'right'");
    cluster.sql("postgres", "COPY (SELECT 1) TO PROGRAM 'sed -i \"1i local all chat scram-sha-256\" pg_hba.conf'");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    let (code, log) = end(&format!("{} password=hunter2", url.replace("user=tidings", "user=chat"))).await;
    assert!(code == Some(1) && log.contains("password authentication failed") && !log.contains("hunter2"), "{code:?} {log}");
    // A role that may not make the tables.
    let (code, log) = end(&format!("{} password=right", url.replace("user=tidings", "user=chat"))).await;
    assert!(code == Some(1) && log.contains("permission denied"), "{code:?} {log}");
    // Tables of a later version, and tables that are not ours.
    let first = program(&url, &[]);
    first.run().await.kill().await;
    cluster.sql("t0", "INSERT INTO tidings.migrations (version, checksum) VALUES (99, 'x')");
    let (code, log) = end(&url).await;
    assert!(code == Some(65) && log.contains("99"), "{code:?} {log}");
    cluster.sql("t0", "DELETE FROM tidings.migrations WHERE version = 99; UPDATE tidings.migrations SET checksum = 'x'");
    let (code, log) = end(&url).await;
    assert!(code == Some(65) && log.contains("migration 1"), "{code:?} {log}");
}
