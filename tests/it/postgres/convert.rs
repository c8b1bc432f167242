//! A broker's store moves into a database and back by `tidings store convert`: real processes, and clients who notice nothing.
#![allow(clippy::disallowed_methods)]

use std::process::Output;

use serde_json::{Value, json};

use super::program;
use crate::cluster::Cluster;
use crate::hostile::{Line, Program, Running, alone, message_to};

/// Runs `tidings store …` over a program's data, with this engine and database.
async fn store(program: &Program, url: &str, engine: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = program.command(&["store"]);
    command.args(arguments).env("TIDINGS_STORE__ENGINE", engine).env("TIDINGS_STORE__POSTGRES__URL", url);
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn program_on_files() -> Program {
    Program::with(&[("rate.sends_per_second", "100000"), ("rate.burst", "100000")])
}

/// What a command says in JSON when it succeeds.
async fn asked(program: &Program, url: &str, engine: &str, arguments: &[&str]) -> Value {
    let (code, out, err) = store(program, url, engine, arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {out}{err}");
    serde_json::from_str(&out).unwrap()
}

fn text(n: u32) -> Value {
    let local_id = format!("l{n}");
    message_to("crowd", 2, &json!({"type": 1, "message": local_id, "localMessageID": local_id}))
}

/// What a group said: of each message seq, id, order key, and its local id.
async fn history(line: &mut Line) -> Vec<Value> {
    let ask = json!({"conversationID": "crowd", "conversationType": 2, "config": {"count": 100, "reverse": false}});
    let answer = line.ok("queryHistoryMessage", ask).await;
    let place = |message: &Value| json!([message["messageSeq"], message["messageID"], message["orderKey"], message["localMessageID"]]);
    answer["messageList"].as_array().unwrap().iter().map(place).collect()
}

async fn stop(running: Running) {
    running.signal("TERM").await;
    assert!(running.ended().await);
}

/// Looks that a broker says what was said before, recognises the last message when it is sent again, and goes on.
async fn goes_on(program: &Program, before: &[Value], next: u32) -> Vec<Value> {
    let running = program.run().await;
    let mut line = Line::login(program, running.address, "alice").await;
    assert_eq!(history(&mut line).await, before);
    let again = line.ok("sendMessage", text(next - 1)).await;
    assert_eq!(again["message"]["messageID"], before.last().unwrap()[1], "{again}");
    line.ok("sendMessage", text(next)).await;
    let after = history(&mut line).await;
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.windows(2).all(|pair| pair[0][2].as_u64() < pair[1][2].as_u64()), "{after:?}");
    stop(running).await;
    after
}

#[tokio::test]
async fn a_store_moves_into_a_database_and_back() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let files = program_on_files();
    let running = files.run().await;
    Line::login(&files, running.address, "bob").await;
    let mut line = Line::login(&files, running.address, "alice").await;
    line.ok("createGroup", json!({"groupInfo": {"groupID": "crowd", "groupName": "crowd"}, "userIDs": ["bob"]})).await;
    for n in 0..20 {
        line.ok("sendMessage", text(n)).await;
    }
    let said = history(&mut line).await;
    assert_eq!(store(&files, &url, "sled", &["convert", "--to", "postgres"]).await.0, 75, "it is served");
    stop(running).await;
    assert!(files.command(&["key", "new", "--name", "backend"]).output().await.unwrap().status.success());

    let converted = asked(&files, &url, "sled", &["convert", "--to", "postgres", "--json"]).await;
    assert_eq!((&converted["from"], &converted["to"]), (&json!("sled"), &json!("postgres")));
    assert_eq!((&converted["messages"], &converted["store"]["problems"]), (&json!(said.len()), &json!([])), "{converted}");
    assert_eq!(converted["documents"], json!(["api_keys.json"]));
    assert_eq!(store(&files, &url, "sled", &["convert", "--to", "postgres"]).await.0, 73, "there is a store now");
    assert_eq!(store(&files, &url, "postgres", &["convert", "--to", "sled"]).await.0, 73, "and so it is here");
    for (engine, to) in [("sled", "sled"), ("memory", "postgres"), ("sled", "memory")] {
        assert_eq!(store(&files, &url, engine, &["convert", "--to", to]).await.0, 2, "{engine} to {to}");
    }
    assert_eq!(store(&files, "", "sled", &["convert", "--to", "postgres"]).await.0, 2, "nothing says where the database is");

    let database = program(&url, &[]);
    let keys = database.command(&["key", "list"]).output().await.unwrap().stdout;
    assert!(String::from_utf8_lossy(&keys).starts_with("backend\t"), "{keys:?}");
    let said = goes_on(&database, &said, 20).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let back = program_on_files().keeping_data_in(&elsewhere.path().join("data"));
    let (code, out, err) = store(&back, &url, "postgres", &["convert", "--to", "sled"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(&format!("{} of them messages, from postgres to sled", said.len())), "{out}");
    assert!(out.contains("now set store.engine = \"sled\""), "{out}");
    let said = goes_on(&back, &said, 21).await;

    // The same by lines, through a file.
    let lines = elsewhere.path().join("lines");
    let file = lines.to_str().unwrap();
    assert_eq!(store(&back, &url, "sled", &["export", file]).await.0, 0);
    let other = cluster.database();
    let report = asked(&back, &other, "postgres", &["import", file, "--json"]).await;
    assert!(report["counts"].as_array().unwrap().contains(&json!(["messages", said.len()])), "{report}");
    let (code, exported, err) = store(&back, &other, "postgres", &["export"]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(exported.lines().filter(|line| line.contains("\"kind\":\"message\"")).count(), said.len());
    let (code, _, err) = store(&back, "host=/nowhere user=me password=secret dbname=x", "postgres", &["export"]).await;
    assert!(code == 1 && !err.contains("secret"), "{code}: {err}");
}
