//! The operator's part of the server API: dead letters, backups, the audit log.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tidings::auth::Scope;
use tidings::backup::restore;
use tidings::store::SledOptions;

use crate::support::{HOOK_SECRET, Reply, Sink, World, peer_target, pluck, text_draft, until, user};

#[tokio::test]
async fn dead_letters_are_listed_sent_again_and_discarded() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::Status(500));
    let url = sink.url("/hook");
    let world = World::builder()
        .config(move |config| {
            config.users.must_exist = false;
            let hooks = &mut config.webhooks;
            (hooks.url, hooks.secret, hooks.allow_private_addresses, hooks.attempts_max) = (url, HOOK_SECRET.into(), true, 1);
            hooks.events = vec!["message.sent".into()];
        })
        .start();
    let backend = world.any_backend();
    for n in 0..3 {
        world.broker.send(&user("a"), &peer_target("b"), text_draft(&format!("l{n}"), &format!("m{n}"))).await.unwrap();
    }
    let hooks = world.broker.webhooks().unwrap();
    until("three dead letters", || hooks.state().dead == 3).await;
    let now = backend.ok("GET /webhooks", Value::Null).await;
    assert_eq!((&now["dead"], &now["failed"], &now["lastError"]), (&json!(3), &json!(3), &json!("status 500")));
    let page = backend.ok("GET /webhooks/dead-letters?limit=2", Value::Null).await;
    let rest = backend.ok(&format!("GET /webhooks/dead-letters?cursor={}", page["nextCursor"].as_str().unwrap()), Value::Null).await;
    let ids: Vec<String> = [pluck(&page["deadLetterList"], "id"), pluck(&rest["deadLetterList"], "id")].concat();
    assert_eq!((ids.len(), &rest["nextCursor"]), (3, &Value::Null));
    assert!(page["deadLetterList"][0]["body"].as_str().unwrap().contains("m0"));
    sink.behave(|_| Reply::Status(200));
    backend.ok(&format!("POST /webhooks/dead-letters/{}/resend", ids[0]), Value::Null).await;
    backend.ok(&format!("DELETE /webhooks/dead-letters/{}", ids[1]), Value::Null).await;
    until("one is left", || hooks.state().dead == 1 && hooks.state().queued == 0).await;
    assert_eq!(sink.accepted().len(), 1);
    for request in ["POST /webhooks/dead-letters/404/resend", "DELETE /webhooks/dead-letters/404"] {
        assert_eq!(backend.refused(request, Value::Null).await, (404, 6_000_001));
    }
    assert_eq!(backend.refused("DELETE /webhooks/dead-letters/x", Value::Null).await, (400, 6_000_001));
    let plain = World::start();
    assert_eq!(plain.any_backend().refused("GET /webhooks", Value::Null).await, (404, 6_000_001));
}

/// Every message acknowledged before the backup's answer was asked for is in what is restored from it.
#[tokio::test]
async fn a_backup_taken_under_load_holds_every_message_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().no_rates().folder(folder.path()).start();
    let backend = world.any_backend();
    let users: Vec<Value> = (0..7).map(|n| json!({"userID": format!("u{n}")})).chain([json!({"userID": "all"})]).collect();
    backend.ok("POST /users", json!({"users": users})).await;
    let say = async |n: usize| {
        let local_id = format!("n{n}");
        world.broker.send(&user(&format!("u{}", n % 7)), &peer_target("all"), text_draft(&local_id, &local_id)).await.unwrap();
    };
    for n in 0..500 {
        say(n).await;
    }
    let done = AtomicBool::new(false);
    let load = async {
        let mut n = 500;
        while !done.load(Ordering::SeqCst) {
            say(n).await;
            n += 1;
        }
        n
    };
    let copy = async {
        let report = backend.ok("POST /backups", json!({"name": "monday"})).await;
        done.store(true, Ordering::SeqCst);
        report
    };
    let (report, sent) = tokio::join!(copy, load);
    assert!(report["commit"].as_u64().unwrap() >= 500 && sent > 500, "{report} {sent}");
    assert_eq!(backend.refused("POST /backups", json!({"name": "monday"})).await.0, 409);
    assert_eq!(backend.refused("POST /backups", json!({"name": "../monday"})).await, (400, 6_000_001));
    let audit = backend.ok("GET /audit?limit=3", Value::Null).await;
    assert_eq!(pluck(&audit["auditList"], "status"), ["400", "409", "200"]);
    world.stop().await;

    let again = tempfile::tempdir().unwrap();
    let data_dir = again.path().join("data");
    let options = SledOptions { cache_bytes: 1 << 20, ..SledOptions::new(data_dir.join("store")) };
    restore(&folder.path().join("backups/monday"), &data_dir, &options, &mut |_| {}).unwrap();
    let world = World::builder().folder(&data_dir).start();
    let backend = world.backend("of-the-copy", &[Scope::All]);
    let mut found = 0;
    for sender in 0..7 {
        let mut cursor = String::new();
        loop {
            let path = format!("GET /messages?userID=u{sender}&conversationID=all&conversationType=0{cursor}");
            let page = backend.ok(&path, Value::Null).await;
            let numbers = pluck(&page["messageList"], "message");
            found += numbers.iter().filter(|text| text[1..].parse::<usize>().unwrap() < 500).count();
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
    }
    assert_eq!(found, 500);
}
