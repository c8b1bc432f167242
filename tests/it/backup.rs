//! Backups of a broker that is written to: what was acknowledged before the mark comes back, with all that belongs to it.
// It measures what others feel of a backup.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings::backup::{self, BackupError};
use tidings::store::SledOptions;

use crate::support::{Client, To, World, number, pluck, soon};

const SENDERS: usize = 6;

/// What one sender was acknowledged, in order: text and seq, and how long it waited.
type Acked = Vec<(String, u64, Duration)>;

async fn send_until(mut client: Client, number_of: usize, stop: Arc<AtomicBool>) -> (Client, Acked) {
    let mut acked = Acked::new();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let text = format!("u{number_of} says {n} {}", "x".repeat(300));
        let to = if n % 2 == 0 { To::Group("crowd") } else { To::Peer("bob") };
        let began = Instant::now();
        let message = client.say(to, &text).await;
        acked.push((text, number(&message, "messageSeq"), began.elapsed()));
        if n % 8 == 0 {
            let place = json!({"conversationID": "crowd", "conversationType": 2, "messageSeq": message["messageSeq"]});
            client.ok("addMessageReaction", json!({"message": place, "reactionType": "+1"})).await;
        }
        client.forget_unread();
        client.forget_log();
    }
    (client, acked)
}

fn p99(acked: &[(String, u64, Duration)]) -> Duration {
    let mut times: Vec<Duration> = acked.iter().map(|(_, _, time)| *time).collect();
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

fn options(data_dir: &std::path::Path) -> SledOptions {
    SledOptions { cache_bytes: 1 << 20, ..SledOptions::new(data_dir.join("store")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_the_mark_is_restored_with_all_that_belongs_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let world = World::builder().folder(&data).no_rates().config(|config| config.store.backup_bytes_per_second = 2 << 20).start();
    fs::write(data.join("api_keys.json"), "[]").unwrap();
    let mut bob = world.client("bob").await;
    bob.ok("updateUserName", json!({"userName": "Bob the first"})).await;
    let users: Vec<String> = (0..SENDERS).map(|n| format!("u{n}")).collect();
    let mut clients = Vec::new();
    for user in &users {
        clients.push(world.client(user).await);
    }
    bob.ok("createGroup", json!({"groupInfo": {"groupID": "crowd", "groupName": "The crowd"}, "userIDs": users})).await;
    // Enough that the copy takes a while.
    for n in 0..1_500 {
        bob.say(To::Group("crowd"), &format!("before {n} {}", "y".repeat(1_000))).await;
        bob.forget_log();
    }
    bob.ok("updateConversationPinnedState", json!({"isPinned": true, "conversationID": "crowd", "conversationType": 2})).await;

    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = clients.into_iter().enumerate().map(|(n, client)| tokio::spawn(send_until(client, n, stop.clone()))).collect();
    // What is acknowledged by now was so before the mark.
    let first = bob.say(To::Group("crowd"), "the last before the backup").await;
    let reaction = json!({"conversationID": "crowd", "conversationType": 2, "messageSeq": first["messageSeq"]});
    bob.ok("addMessageReaction", json!({"message": reaction, "reactionType": "seen"})).await;
    let began = Instant::now();
    let report = soon("a backup", world.broker.backup_as(Some("under-load"))).await.unwrap();
    let took = began.elapsed();
    stop.store(true, Ordering::SeqCst);
    let mut acked: Vec<Acked> = Vec::new();
    for sender in senders {
        let (client, its) = soon("a sender", sender).await.unwrap();
        drop(client);
        acked.push(its);
    }
    let sent: usize = acked.iter().map(Vec::len).sum();
    println!("{sent} messages during a backup of {took:?}, p99 {:?}", acked.iter().map(|its| p99(its)).max().unwrap());
    assert!(sent > 50, "it was under load: {sent}");
    assert_eq!((report.name.as_str(), report.kept.as_slice()), ("under-load", &["api_keys.json".to_owned()][..]));
    drop(bob);
    world.stop().await;

    let restored = folder.path().join("restored");
    let from = data.join("backups").join("under-load");
    let made = backup::restore(&from, &restored, &options(&restored), &mut |_| {}).unwrap();
    assert_eq!(made.store.commit, report.commit);
    assert_eq!(made.store.counts["messages"], report.messages);
    assert!(made.store.counts["notes"] > 1);
    assert_eq!(fs::read_to_string(restored.join("api_keys.json")).unwrap(), "[]");

    let world = World::builder().folder(&restored).no_rates().start();
    let mut bob = world.client("bob").await;
    assert_eq!(bob.hello["userName"], "Bob the first");
    let mut history: BTreeMap<u64, String> = BTreeMap::new();
    let mut next = json!(null);
    loop {
        let config = if next.is_null() {
            json!({"count": 100, "reverse": true})
        } else {
            json!({"count": 100, "reverse": true, "nextMessage": next})
        };
        let page = bob.history(To::Group("crowd"), config).await.unwrap();
        let list = page["messageList"].as_array().unwrap();
        history
            .extend(list.iter().map(|message| (number(message, "messageSeq"), message["message"].as_str().unwrap_or_default().to_owned())));
        let Some(oldest) = list.iter().min_by_key(|message| number(message, "messageSeq")).cloned() else { break };
        if number(&oldest, "messageSeq") == 1 {
            break;
        }
        next = oldest;
        bob.forget_log();
    }
    let last = *history.last_key_value().unwrap().0;
    assert_eq!(history.len() as u64, last, "no gap");
    let kept = |text: &str| history.values().any(|kept| kept == text);
    assert!(kept("the last before the backup") && last > number(&first, "messageSeq"), "{last}");
    // Of each sender what came before anything that is there is there, too.
    for its in &acked {
        for (text, seq, _) in its.iter().step_by(2) {
            assert_eq!(*seq <= last, history.get(seq) == Some(text), "{seq} of {last}");
        }
    }
    let reactions = bob.ok("queryMessageReactionUserList", json!({"message": {"conversationID": "crowd", "conversationType": 2, "messageSeq": first["messageSeq"]}, "config": {"count": 10, "nextFlag": 0, "reactionType": "seen"}})).await;
    assert!(reactions.to_string().contains("bob"), "{reactions}");
    let members = bob.ok("queryGroupMemberList", json!({"groupID": "crowd", "config": {"count": 100, "nextFlag": 0}})).await;
    assert_eq!(pluck(&members["userList"], "userID").len(), SENDERS + 1);
    let list = bob.ok("queryConversationList", json!({"config": {"count": 10}})).await;
    let pinned = list["conversationList"].as_array().unwrap().iter().find(|one| one["conversationID"] == "crowd").unwrap();
    assert_eq!(pinned["isPinned"], Value::Bool(true));
    assert!(bob.say(To::Group("crowd"), "after").await["messageSeq"].as_u64().unwrap() == last + 1);
}

#[tokio::test]
async fn a_backup_that_a_shutdown_ends_leaves_nothing_that_looks_like_one() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).no_rates().config(|config| config.store.backup_bytes_per_second = 20_000).start();
    drop(world.client("alice").await);
    let mut bob = world.client("bob").await;
    for n in 0..200 {
        bob.say(To::Peer("alice"), &format!("{n} {}", "y".repeat(2_000))).await;
    }
    drop(bob);
    let broker = world.broker.clone();
    let backup = tokio::spawn(async move { broker.backup_as(Some("cut")).await });
    let cut = folder.path().join("backups").join("cut");
    crate::support::until("the backup begins", || cut.join("store").join("permanent").exists()).await;
    assert!(matches!(backup::check(&cut, &mut |_| {}), Err(BackupError::Unfinished(_))));
    assert!(matches!(world.broker.backup_as(Some("cut")).await, Err(BackupError::Exists(_))));
    assert!(matches!(world.broker.backup_as(Some("../cut")).await, Err(BackupError::Name(_))));
    let second = world.broker.backup_as(Some("second")).await.unwrap_err();
    assert!(second.to_string().contains("another backup"), "{second}");
    assert!(!folder.path().join("backups").join("second").exists());
    world.stop().await;
    assert!(soon("the backup's end", backup).await.unwrap().is_err());
    assert!(!cut.exists());
}
