//! What is kept beside messages goes over to the broker that takes over: keys, answers, the audit log, the console's password, and
//! what waits to be told to a backend.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::program;
use crate::cluster::Cluster;
use crate::hostile::{Program, Running, alone, soon};
use crate::support::{Answer, Sink, fetch};
use crate::webhooks_crash::all_is_told_through_kills;

/// Runs a command of the program over its settings; returns what it printed.
async fn command(program: &Program, arguments: &[&str]) -> String {
    let output = program.command(arguments).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn call(at: &Running, request: &str, key: &str, idempotency: Option<&str>, body: &Value) -> Answer {
    let authorization = format!("Bearer {key}");
    let mut headers = vec![("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    headers.extend(idempotency.map(|key| ("Idempotency-Key", key)));
    fetch(at.address, request, &headers, &if body.is_null() { String::new() } else { body.to_string() }).await
}

/// Asks the console.
async fn console(at: &Running, request: &str, body: Value) -> Answer {
    fetch(at.address, request, &[("Content-Type", "application/json")], &body.to_string()).await
}

#[tokio::test]
async fn keys_answers_the_audit_log_and_the_password_go_over_to_whoever_takes_over() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let settings = [("console.attempts_per_minute", "1000"), ("console.attempts_per_minute_in_all", "1000")];
    let (first, second) = (program(&url, &settings), program(&url, &settings));
    // Before there is a store, and from the other's machine.
    let key = command(&second, &["key", "new", "--name", "backend"]).await;
    let running = first.run().await;
    let room = json!({"roomID": "r", "roomName": "first"});
    let made = call(&running, "POST /api/v1/rooms", &key, Some("make-r"), &room).await;
    assert!(made.status < 300, "{made:?}");
    let setup = command(&second, &["console", "reset"]).await;
    let token = setup.rsplit_once("setup=").unwrap().1.to_owned();
    let password = "a password of enough length";
    let set_up = async {
        loop {
            let answer = console(&running, "POST /console/setup", json!({"token": token, "password": password})).await;
            if answer.status < 300 {
                return;
            }
            // The broker learns of the link with its next heartbeat.
            sleep(Duration::from_millis(200)).await;
        }
    };
    soon("the link to work", set_up).await;
    running.kill().await;

    let running = second.run().await;
    let again = call(&running, "POST /api/v1/rooms", &key, Some("make-r"), &room).await;
    assert_eq!((again.status, &again.body), (made.status, &made.body), "answered as the first time");
    assert_eq!(again.header("Idempotent-Replayed"), "true");
    let other = call(&running, "POST /api/v1/rooms", &key, Some("make-r"), &json!({"roomID": "r2", "roomName": "x"})).await;
    assert_eq!(other.status, 422, "{other:?}");
    let twice = call(&running, "POST /api/v1/rooms", &key, None, &room).await;
    assert_eq!(twice.status, 409, "the room went over, too: {twice:?}");
    let log = call(&running, "GET /api/v1/audit", &key, None, &Value::Null).await.json();
    let actions: Vec<&str> = log["auditList"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert!(actions.iter().filter(|action| **action == "POST /rooms").count() >= 2, "{log}");
    assert!(actions.iter().any(|action| action.starts_with("console.")), "{log}");
    let wrong = console(&running, "POST /console/session", json!({"password": "not that password"})).await;
    let right = console(&running, "POST /console/session", json!({"password": password})).await;
    assert!(wrong.status >= 400 && right.status < 300, "{wrong:?} {right:?}");

    // Revoked on the one machine, it ends on the other within a second or so.
    command(&first, &["key", "revoke", "--name", "backend"]).await;
    let ended = async {
        while call(&running, "GET /api/v1/audit", &key, None, &Value::Null).await.status != 401 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    soon("the key to end", ended).await;
}

#[tokio::test]
async fn what_waits_for_a_backend_goes_over_to_whoever_takes_over() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let programs = |settings: &[(&str, &str)]| vec![program(&url, settings), program(&url, settings)];
    all_is_told_through_kills(&Sink::start().await, programs).await;
}

#[tokio::test]
async fn while_the_database_is_away_a_call_with_a_key_is_refused_for_now() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let url = cluster.database();
    let program = program(&url, &[]);
    let key = command(&program, &["key", "new", "--name", "backend"]).await;
    let running = program.run().await;
    cluster.tell("stop");
    let room = json!({"roomID": "r", "roomName": "first"});
    let refused = call(&running, "POST /api/v1/rooms", &key, Some("make-r"), &room).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_ne!(refused.header("Retry-After"), "");
    let open = call(&running, "GET /api/v1/stats", &key, None, &Value::Null).await;
    assert_eq!(open.status, 200, "keys are known by heart: {open:?}");
    cluster.tell("start");
    let made = async {
        loop {
            let answer = call(&running, "POST /api/v1/rooms", &key, Some("make-r"), &room).await;
            if answer.status != 503 {
                return answer;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let made = soon("the room to be made", made).await;
    assert!(made.status < 300, "{made:?}");
    running.kill().await;
}
