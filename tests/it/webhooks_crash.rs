//! `kill -9` of the real program while a backend is told: every acknowledged message is told, under one id.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::hostile::{Dice, Line, PATIENCE, Program, alone, message_to};
use crate::support::{PERSISTENT_HOOK, Reply, Sink};

const PEOPLE: usize = 8;
const CYCLES: usize = 4;

/// Sends until the program is gone; returns the ids of what was acknowledged.
async fn talk(mut line: Line, from: usize, cycle: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let to = format!("u{}", from ^ 1);
    let mut under_way = 0;
    for n in 0u64.. {
        while under_way >= 8 {
            let Some(frame) = line.next().await else { return acknowledged };
            let Some(id) = frame["result"]["message"]["messageID"].as_str() else { continue };
            acknowledged.push(id.to_owned());
            under_way -= 1;
        }
        let message: Value = json!({"type": 1, "message": "x", "localMessageID": format!("{cycle}-{from}-{n}")});
        if line.send("sendMessage", &message_to(&to, 0, &message)).await.is_none() {
            break;
        }
        under_way += 1;
    }
    acknowledged
}

#[tokio::test]
async fn what_was_acknowledged_is_told_after_kill_9() {
    let _alone = alone().await;
    all_is_told_through_kills(&Sink::start().await, |settings| vec![Program::with(settings)]).await;
}

/// Kills programs again and again while they tell a backend, each in its turn and one at a time; all they acknowledged is told.
pub(crate) async fn all_is_told_through_kills(sink: &Sink, programs: impl FnOnce(&[(&str, &str)]) -> Vec<Program>) {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut dice = Dice(since_1970.as_micros() as u64);
    println!("seed {}", dice.0);
    let mut calls = 0u64;
    // Fails often enough that much is queued at each kill.
    sink.behave(move |_| {
        calls += 1;
        if calls.is_multiple_of(10) { Reply::Status(500) } else { Reply::Status(200) }
    });
    let url = sink.url("/");
    let own = [("rate.sends_per_second", "100000"), ("rate.burst", "100000"), ("webhooks.url", &*url)];
    let settings: Vec<_> = own.into_iter().chain(PERSISTENT_HOOK).collect();
    let programs = programs(&settings);
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    for cycle in 0..CYCLES {
        let program = &programs[cycle % programs.len()];
        let running = program.run().await;
        let mut talks = tokio::task::JoinSet::new();
        let mut lines = Vec::new();
        for person in 0..PEOPLE {
            lines.push(Line::login(program, running.address, &format!("u{person}")).await);
        }
        for (person, line) in lines.into_iter().enumerate() {
            talks.spawn(talk(line, person, cycle));
        }
        sleep(Duration::from_millis(dice.between(50, 400))).await;
        running.kill().await;
        acknowledged.extend(talks.join_all().await.into_iter().flatten());
    }
    let program = &programs[CYCLES % programs.len()];
    let running = program.run().await;
    let told = async {
        let mut look = tokio::time::interval(Duration::from_millis(200));
        loop {
            let told = sink.accepted_ids();
            let missing = acknowledged.iter().filter(|id| !told.contains(&format!("msg_{id}"))).count();
            if missing == 0 {
                return told.len();
            }
            look.tick().await;
        }
    };
    let Ok(told) = timeout(PATIENCE, told).await else {
        let metrics = running.metrics().await;
        let waiting = metrics.sum("tidings_webhook_queue_events", &[]);
        let told = sink.accepted_ids();
        let missing: Vec<&String> = acknowledged.iter().filter(|id| !told.contains(&format!("msg_{id}"))).collect();
        panic!(
            "{} of {} acknowledged messages were not told, {} were, {waiting} wait: {:?}\n{}",
            missing.len(),
            acknowledged.len(),
            told.len(),
            &missing[..missing.len().min(5)],
            program.log()
        );
    };
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut order: BTreeMap<String, u64> = BTreeMap::new();
    let mut twice = 0;
    for call in sink.accepted() {
        let body = bodies.insert(call.id().to_owned(), call.raw.clone());
        if let Some(body) = body {
            assert_eq!(body, call.raw, "an id stands for one body");
            twice += 1;
            continue;
        }
        // First tellings are in order, across the kills.
        let message = &call.body["data"]["message"];
        let mut pair = [message["senderUserID"].as_str().unwrap(), message["toUserID"].as_str().unwrap()];
        pair.sort_unstable();
        let seq = message["messageSeq"].as_u64().unwrap();
        let before = order.insert(pair.concat(), seq).unwrap_or(0);
        assert_eq!(before + 1, seq, "{pair:?}");
    }
    assert!(acknowledged.len() > 100, "only {} messages", acknowledged.len());
    println!("{CYCLES} kills: {} acknowledged, {told} told, {twice} of them again under their id", acknowledged.len());
    running.kill().await;
}
