//! A backend that is asked before a client's message goes out: what its answers do, and what its silence does.
#![allow(clippy::disallowed_methods)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings::config::{Config, OnFailure};
use tidings::hooks::{Moderator, ReviewRequest, Verdict};
use tidings::model::Body;
use tidings::{Draft, Refusal};

use crate::support::{HOOK_SECRET, Reply, Sink, To, World, WorldBuilder, peer_target, pluck, text, until, user};

const DEADLINE_MS: u64 = 800;

/// Asks this sink.
fn asking(sink: &Sink) -> WorldBuilder {
    let url = sink.url("/ask");
    World::builder().no_rates().config(move |config: &mut Config| {
        config.users.must_exist = false;
        let hooks = &mut config.webhooks;
        (hooks.before_send_url, hooks.secret, hooks.allow_private_addresses) = (url, HOOK_SECRET.into(), true);
        (hooks.before_send_deadline_ms, hooks.connect_timeout_ms) = (DEADLINE_MS, 200);
    })
}

/// Judges by the message's first word.
async fn strict() -> Sink {
    let sink = Sink::start().await;
    sink.behave(|call| match call.text().split(' ').next() {
        Some("silent") => Reply::result(2),
        Some("reject") => Reply::json(&json!({"result": 3, "reason": "no politics"})),
        Some("replace") => Reply::json(&json!({"result": 4, "message": {"type": 1, "message": "r******", "extendedData": "why"}})),
        Some("send") => Reply::result(1),
        _ => Reply::result(0),
    });
    sink
}

#[tokio::test]
async fn the_backend_accepts_silences_rejects_and_replaces() {
    let sink = strict().await;
    let world = asking(&sink).start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("bob"), "neutral").await;
    alice.say(To::Peer("bob"), "send it").await;
    let silent = json!({"type": 1, "message": "silent treatment", "localMessageID": "l-1"});
    let unheard = alice.send(To::Peer("bob"), silent).await.unwrap();
    assert_eq!((&unheard["message"], &unheard["localMessageID"]), (&json!("silent treatment"), &json!("l-1")));
    assert!(unheard["messageID"].as_str().unwrap().parse::<u64>().unwrap() > 0 && unheard["messageSeq"].is_null(), "{unheard}");
    let refused = alice.send(To::Peer("bob"), text("reject me")).await.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (6_000_230, "no politics"));
    let draft = json!({"type": 1, "message": "replace me", "localMessageID": "l-2"});
    let replaced = alice.send(To::Peer("bob"), draft.clone()).await.unwrap();
    assert_eq!(
        (&replaced["message"], &replaced["localMessageID"], &replaced["extendedData"]),
        (&json!("r******"), &json!("l-2"), &json!("why"))
    );
    assert_eq!(alice.send(To::Peer("bob"), draft).await.unwrap(), replaced, "a retry gets the first result and is not asked about");
    alice.say(To::Peer("bob"), "the end").await;
    let heard = ["neutral", "send it", "r******", "the end"];
    assert_eq!(bob.texts(4).await, heard);
    assert_eq!(pluck(&Value::Array(alice.newest(To::Peer("bob")).await), "message"), heard, "what was silenced is in no history");
    let calls = sink.calls();
    assert_eq!(calls.len(), 6);
    for call in &calls {
        assert!(call.is_signed());
        let body = &call.body;
        assert_eq!(
            (&body["event"], &body["from_user_id"], &body["conv_id"], &body["conv_type"], &body["msg_type"]),
            (&json!("before_send_msg"), &json!("alice"), &json!("bob"), &json!(0), &json!(1))
        );
        assert_eq!((&body["msg_body"], &body["request_id"]), (&json!(call.text()), &json!(call.id())));
    }
    let metrics = world.broker.metrics_text();
    for (outcome, count) in [("accepted", 3), ("silenced", 1), ("rejected", 1), ("replaced", 1)] {
        assert!(metrics.contains(&format!("tidings_webhook_reviews_total{{outcome=\"{outcome}\"}} {count}")), "{metrics}");
    }
    assert!(metrics.contains("tidings_webhook_review_seconds_count 6"), "{metrics}");
}

#[tokio::test]
async fn only_what_clients_say_is_asked_about_their_edits_too() {
    let sink = strict().await;
    let world = asking(&sink).start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    alice.send(To::Room("r"), json!({"type": 20, "message": "reject barrage"})).await.unwrap();
    alice.send(To::Room("r"), json!({"type": 2, "message": "eA=="})).await.unwrap();
    world.broker.send(&user("alice"), &peer_target("bob"), Draft::text("reject the host")).await.unwrap();
    assert!(sink.calls().is_empty());
    let sent = alice.say(To::Peer("bob"), "fine").await;
    let mut edit = json!({"messageID": sent["messageID"], "messageSeq": sent["messageSeq"], "conversationID": "bob", "conversationType": 0, "type": 1});
    for (change, code) in [("reject edited", 6_000_230), ("silent edited", 6_000_230)] {
        edit["message"] = json!(change);
        assert_eq!(alice.code("editMessage", json!({"message": edit})).await, code);
    }
    edit["message"] = json!("replace edited");
    assert_eq!(alice.ok("editMessage", json!({"message": edit})).await["message"]["message"], "r******");
    let edits: Vec<bool> = sink.calls().iter().map(|call| call.body["data"]["edit"].as_bool().unwrap()).collect();
    assert_eq!(edits, [false, true, true, true]);
}

/// Many at once in one conversation, and a backend that never answers: nobody waits longer than the deadline.
#[tokio::test]
async fn a_silent_backend_costs_each_sender_the_deadline_and_others_nothing() {
    const SENDS: usize = 30;
    let sink = Sink::start().await;
    sink.behave(|_| Reply::Stall);
    let deadline = Duration::from_secs(2);
    let world = asking(&sink).config(|config| config.webhooks.before_send_deadline_ms = 2_000).start();
    let mut alice = world.client("alice").await;
    let mut carol = world.client("carol").await;
    carol.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    let began = Instant::now();
    let mut waiting = Vec::new();
    for n in 0..SENDS {
        waiting.push(alice.request("sendMessage", To::Peer("bob").args(&text(&n.to_string()))).await);
    }
    // What needs no answer goes on meanwhile, in this conversation and elsewhere.
    world.broker.send(&user("bob"), &peer_target("dave"), Draft::text("elsewhere")).await.unwrap();
    carol.send(To::Room("r"), json!({"type": 20, "message": "barrage"})).await.unwrap();
    assert!(began.elapsed() < deadline, "{:?}", began.elapsed());
    for id in waiting {
        let refused = alice.reply(id).await.unwrap_err();
        assert_eq!((refused.code, refused.temporary), (6_000_007, true));
    }
    // One after the other they would be thirty.
    assert!(began.elapsed() < 3 * deadline, "{SENDS} deadlines, waited for together, took {:?}", began.elapsed());
    assert_eq!(sink.calls().len(), 2 * SENDS, "each was tried twice");
    assert!(alice.newest(To::Peer("bob")).await.is_empty());
    assert!(world.broker.metrics_text().contains("tidings_webhook_reviews_total{outcome=\"failed_closed\"} 30"));
}

#[tokio::test]
async fn without_an_answer_an_open_door_lets_messages_out_and_the_second_attempt_counts() {
    let sink = Sink::start().await;
    let mut calls = 0;
    sink.behave(move |call| {
        calls += 1;
        match call.text() {
            "second" if calls % 2 == 1 => Reply::Status(500),
            "redirected" => Reply::With(302, vec![("location", "/yes".into())], String::new()),
            "nonsense" => Reply::With(200, Vec::new(), "yes".into()),
            "too long" => Reply::With(200, Vec::new(), format!("{{\"result\":2,\"x\":\"{}\"}}", "x".repeat(70_000))),
            _ => Reply::result(2),
        }
    });
    let world = asking(&sink).config(|config| config.webhooks.before_send_fail = OnFailure::Open).start();
    let mut alice = world.client("alice").await;
    assert!(alice.say(To::Peer("bob"), "second").await["messageSeq"].is_null(), "silenced by the second answer");
    for (n, content) in ["redirected", "nonsense", "too long"].into_iter().enumerate() {
        assert_eq!(alice.say(To::Peer("bob"), content).await["messageSeq"], n + 1);
    }
    assert!(world.broker.metrics_text().contains("tidings_webhook_reviews_total{outcome=\"failed_open\"} 3"));
    // Both attempts of one question have one id.
    let calls = sink.calls();
    assert_eq!((calls.len(), calls[0].id()), (8, calls[1].id()));
    assert_ne!(calls[1].id(), calls[2].id());
}

#[tokio::test]
async fn private_addresses_are_not_asked_either() {
    let sink = strict().await;
    let world = asking(&sink).config(|config| config.webhooks.allow_private_addresses = false).start();
    let mut alice = world.client("alice").await;
    assert_eq!(alice.send(To::Peer("bob"), text("x")).await.unwrap_err().code, 6_000_007);
    assert!(sink.calls().is_empty());
}

/// The answer to the first takes longest.
#[tokio::test]
async fn messages_keep_the_order_in_which_they_were_sent_whatever_the_order_of_answers() {
    let sink = Sink::start().await;
    sink.behave(|call| Reply::result(1).late(200 - 20 * call.text().parse::<u64>().unwrap()));
    let world = asking(&sink).start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let mut waiting = Vec::new();
    for n in 0..10 {
        waiting.push(alice.request("sendMessage", To::Peer("bob").args(&text(&n.to_string()))).await);
    }
    for (n, id) in waiting.into_iter().enumerate() {
        assert_eq!(alice.reply(id).await.unwrap()["message"]["messageSeq"], n + 1);
    }
    assert_eq!(bob.texts(10).await, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_was_put_out_meanwhile_says_nothing_more() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::result(1).late(300));
    let world = asking(&sink).start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": ["bob"]})).await;
    let waiting = bob.request("sendMessage", To::Group("g").args(&text("too late"))).await;
    until("the question", || world.broker.stats().groups == 1).await;
    alice.ok("kickGroupMembers", json!({"groupID": "g", "userIDs": ["bob"]})).await;
    assert_eq!(bob.reply(waiting).await.unwrap_err().code, 6_000_521);
    assert!(alice.newest(To::Group("g")).await.is_empty());
}

/// Sent again while the first is looked at: one message, one result.
#[tokio::test]
async fn a_retry_during_the_question_is_the_same_message() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::result(1).late(150));
    let world = asking(&sink).config(|config| (config.rate.sends_per_second, config.rate.burst) = (1, 1)).start();
    let mut alice = world.client("alice").await;
    let draft = json!({"type": 1, "message": "once", "localMessageID": "l-1"});
    let first = alice.request("sendMessage", To::Peer("bob").args(&draft)).await;
    let again = alice.request("sendMessage", To::Peer("bob").args(&draft)).await;
    let result = alice.reply(first).await.unwrap();
    assert_eq!(alice.reply(again).await.unwrap(), result, "and it cost no rate");
    assert_eq!(alice.newest(To::Peer("bob")).await.len(), 1);
}

/// Looks first, and notes what it was shown.
struct First(Arc<Mutex<Vec<String>>>);

impl Moderator for First {
    async fn review(&self, request: ReviewRequest) -> Verdict {
        let Body::Text(content) = &request.draft.content.body else { return Verdict::Accept };
        self.0.lock().unwrap().push(content.clone());
        match content.as_str() {
            "host rejects" => Verdict::Reject(Refusal::Rejected("the host".into())),
            "host softens" => Verdict::Replace(Draft::text("softened")),
            "host hides" => Verdict::Silent,
            _ => Verdict::Accept,
        }
    }
}

#[tokio::test]
async fn the_hosts_own_moderator_goes_first() {
    let sink = strict().await;
    let shown = Arc::new(Mutex::new(Vec::new()));
    let first = First(shown.clone());
    let world = asking(&sink).part(|builder| builder.moderator(first)).start();
    let mut alice = world.client("alice").await;
    assert_eq!(alice.send(To::Peer("bob"), text("host rejects")).await.unwrap_err().message, "the host");
    assert!(alice.say(To::Peer("bob"), "host hides").await["messageSeq"].is_null());
    assert_eq!(alice.say(To::Peer("bob"), "host softens").await["message"], "softened");
    assert_eq!(alice.send(To::Peer("bob"), text("reject it")).await.unwrap_err().message, "no politics");
    let asked: Vec<String> = sink.calls().iter().map(|call| call.text().to_owned()).collect();
    assert_eq!(asked, ["softened", "reject it"]);
    assert_eq!(shown.lock().unwrap().len(), 4);
}
