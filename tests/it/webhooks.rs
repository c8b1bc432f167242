//! The calls a backend receives: everything that happened, once under each id, in order, whatever happens to the
//! backend and to the broker meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::config::{Config, Signature, WhenFull};
use tidings::model::Body;
use tidings::webhooks::Webhooks;
use tidings::{Draft, code_of};

use crate::support::{Call, HOOK_SECRET, Reply, Sink, To, World, WorldBuilder, peer_target, text_draft, until, user};

/// Starts a world that tells this sink; attempts follow each other quickly.
fn hooked(sink: &Sink) -> WorldBuilder {
    hooked_to(&sink.url("/hook"))
}

fn hooked_to(url: &str) -> WorldBuilder {
    let url = url.to_owned();
    World::builder().no_rates().config(move |config: &mut Config| {
        config.users.must_exist = false;
        let hooks = &mut config.webhooks;
        (hooks.url, hooks.secret) = (url, HOOK_SECRET.into());
        hooks.allow_private_addresses = true;
        (hooks.retry_first_ms, hooks.retry_most_ms, hooks.attempts_max) = (10, 40, 100);
        (hooks.timeout_ms, hooks.connect_timeout_ms, hooks.sync_ms) = (300, 300, 5);
    })
}

fn only_messages(config: &mut Config) {
    config.webhooks.events = vec!["message.sent".into()];
}

fn hooks(world: &World) -> Webhooks {
    world.broker.webhooks().expect("webhooks are on")
}

async fn say(world: &World, from: &str, to: &str, text: &str) {
    world.broker.send(&user(from), &peer_target(to), Draft::text(text)).await.unwrap();
}

fn texts(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(Call::text).collect()
}

fn ids(calls: &[Call]) -> BTreeSet<String> {
    calls.iter().map(|call| call.id().to_owned()).collect()
}

#[tokio::test]
async fn everything_that_happens_is_told_signed_and_with_the_vendors_fields_if_wanted() {
    let sink = Sink::start().await;
    let world = hooked(&sink)
        .config(|config| {
            config.webhooks.signature = Signature::Both;
            config.webhooks.vendor_secret = "the vendor's secret".into();
            config.auth.app_id = 7;
        })
        .start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    alice.say(To::Room("r"), "hello").await;
    alice.send(To::Room("r"), json!({"type": 2, "message": "eA=="})).await.unwrap();
    alice.send(To::Room("r"), json!({"type": 20, "message": "not told by default"})).await.unwrap();
    let first = alice.say(To::Peer("bob"), "one").await;
    let second = alice.say(To::Peer("bob"), "two").await;
    let handle = |message: &Value| json!({"messageID": message["messageID"], "messageSeq": message["messageSeq"], "conversationID": "bob", "conversationType": 0});
    alice.ok("revokeMessage", json!({"message": handle(&first)})).await;
    let mut edit = handle(&second);
    (edit["type"], edit["message"]) = (json!(1), json!("edited"));
    alice.ok("editMessage", json!({"message": edit})).await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": ["bob"]})).await;
    alice.ok("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": ["carol"]})).await;
    alice.ok("kickGroupMembers", json!({"groupID": "g", "userIDs": ["carol"]})).await;
    bob.ok("leaveGroup", json!({"groupID": "g"})).await;
    alice.ok("dismissGroup", json!({"groupID": "g"})).await;
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    drop(bob);
    let calls = sink.heard(20).await;
    let of = |line: &str| -> Vec<&str> {
        let is_of = |call: &&Call| {
            let data = &call.body["data"];
            let place = [&data["roomID"], &data["groupID"], &data["message"]["conversationID"], &data["message"]["toUserID"]];
            place.iter().any(|id| *id == line) || (line == "login" && call.event().starts_with("user."))
        };
        calls.iter().filter(is_of).map(Call::event).collect()
    };
    let room = ["room.created", "room.entered", "room.entered", "message.sent", "command.sent", "room.left", "room.left", "room.destroyed"];
    assert_eq!(of("r"), room);
    assert_eq!(of("bob"), ["message.sent", "message.sent", "message.revoked", "message.edited"]);
    assert_eq!(of("g"), ["group.created", "group.joined", "group.kicked", "group.left", "group.dismissed"]);
    let mut logins = of("login");
    logins.sort_unstable();
    assert_eq!(logins, ["user.login", "user.login", "user.logout"]);
    assert_eq!(ids(&calls).len(), calls.len(), "each under its own id");
    for call in &calls {
        assert!(call.is_signed(), "{call:?}");
        assert_eq!((call.path.as_str(), &call.body["appid"]), ("/hook", &json!("7")));
        assert_eq!(call.body["request_id"], call.id());
        assert_eq!(call.headers["content-type"], "application/json");
    }
    let find = |event: &str| calls.iter().find(|call| call.event() == event).unwrap();
    let edited = find("message.edited");
    assert_eq!((edited.text(), &edited.body["data"]["operatorUserID"]), ("edited", &json!("alice")));
    let kicked = &find("group.kicked").body;
    assert_eq!((&kicked["data"]["userIDs"], &kicked["exit_type"]), (&json!(["carol"]), &json!("Kickout")));
    let sent = &find("message.sent").body;
    assert_eq!(sent["data"]["message"]["messageID"], sent["msg_id"]);
    until("nothing waits", || hooks(&world).state().queued == 0).await;
    let state = hooks(&world).state();
    assert_eq!((state.delivered, state.failed, state.dead, state.dropped, state.oldest_ms), (20, 0, 0, 0, None));
    let metrics = world.broker.metrics_text();
    assert!(metrics.contains("tidings_webhook_events_total{outcome=\"delivered\"} 20"), "{metrics}");
    assert!(metrics.contains("tidings_webhook_queue_events 0"), "{metrics}");
}

#[tokio::test]
async fn only_chosen_events_are_told() {
    let sink = Sink::start().await;
    let world = hooked(&sink).config(|config| config.webhooks.events = vec!["barrage.sent".into(), "user.login".into()]).start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    alice.say(To::Room("r"), "not told").await;
    alice.send(To::Room("r"), json!({"type": 20, "message": "wow"})).await.unwrap();
    let calls = sink.heard(2).await;
    let told: BTreeSet<&str> = calls.iter().map(Call::event).collect();
    assert_eq!(told, ["barrage.sent", "user.login"].into());
    until("nothing waits", || hooks(&world).state().queued == 0).await;
}

/// Fails, redirects, stalls, cuts and comes back: each event arrives, under one id, in the order of its conversation.
#[tokio::test]
async fn a_backend_that_fails_in_every_way_misses_nothing() {
    const PAIRS: usize = 4;
    const EACH: usize = 12;
    let sink = Sink::start().await;
    let elsewhere = Sink::start().await;
    let there = elsewhere.url("/stolen");
    let mut calls = 0;
    sink.behave(move |_| {
        calls += 1;
        match calls % 6 {
            0 => Reply::Status(204),
            1 => Reply::Status(500),
            2 => Reply::With(307, vec![("location", there.clone())], String::new()),
            3 => Reply::Cut,
            4 => Reply::With(429, vec![("retry-after", "0".into())], String::new()),
            _ if calls < 30 => Reply::Stall,
            _ => Reply::With(200, Vec::new(), "x".repeat(100_000)),
        }
    });
    let world = hooked(&sink).config(only_messages).start();
    for n in 0..EACH {
        for pair in 0..PAIRS {
            say(&world, &format!("from{pair}"), &format!("to{pair}"), &format!("{pair} {n}")).await;
        }
    }
    let all = sink.heard(PAIRS * EACH).await;
    assert_eq!(ids(&all).len(), PAIRS * EACH, "what was accepted is not told again");
    for pair in 0..PAIRS {
        let told: Vec<&str> = texts(&all).into_iter().filter(|text| text.starts_with(&format!("{pair} "))).collect();
        assert_eq!(told, (0..EACH).map(|n| format!("{pair} {n}")).collect::<Vec<_>>());
    }
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for call in sink.calls() {
        assert!(call.is_signed());
        let body = bodies.entry(call.id().to_owned()).or_insert_with(|| call.raw.clone());
        assert_eq!(*body, call.raw, "an id stands for one body");
    }
    assert_eq!(bodies.len(), PAIRS * EACH);
    assert!(elsewhere.calls().is_empty(), "redirects are not followed");
    let state = hooks(&world).state();
    assert!(state.failed > 0 && state.dead == 0, "{state:?}");
}

#[tokio::test]
async fn a_conversation_that_fails_holds_up_no_other() {
    let sink = Sink::start().await;
    sink.behave(|call| if call.text() == "poison" { Reply::Status(400) } else { Reply::Status(200) });
    let world = hooked(&sink).config(only_messages).config(|config| config.webhooks.deliveries_max = 1).start();
    say(&world, "a", "b", "poison").await;
    say(&world, "a", "b", "behind it").await;
    for n in 0..20 {
        say(&world, "c", "d", &n.to_string()).await;
    }
    let all = sink.heard(20).await;
    assert_eq!(texts(&all), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    until("what follows in its own conversation alone waits", || hooks(&world).state().queued == 2).await;
}

/// The backend is away while the broker runs, stops, and runs again.
#[tokio::test]
async fn what_waits_outlives_the_broker_and_keeps_its_ids() {
    let folder = tempfile::tempdir().unwrap();
    let (address, first) = {
        let sink = Sink::start().await;
        sink.behave(|_| Reply::Status(503));
        let world = hooked(&sink).config(only_messages).folder(folder.path()).start();
        for n in 0..10 {
            say(&world, "a", "b", &n.to_string()).await;
        }
        until("a few attempts", || sink.calls().len() > 2).await;
        world.stop().await;
        (sink.address, ids(&sink.calls()))
    };
    {
        // Nobody is there at all.
        let world = hooked_to(&format!("http://{address}/hook")).config(only_messages).folder(folder.path()).start();
        say(&world, "a", "b", "10").await;
        // What is left of the connections of before breaks first.
        until("a refused connection", || hooks(&world).state().last_error.is_some_and(|(_, error)| error.contains("cannot connect"))).await;
        until("all of them on disk", || hooks(&world).state().queued == 11).await;
        world.stop().await;
    }
    let sink = Sink::on(address).await;
    let world = hooked(&sink).config(only_messages).folder(folder.path()).start();
    let all = sink.heard(11).await;
    assert_eq!(texts(&all), (0..11).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(first.is_subset(&ids(&all)));
    until("an empty queue", || hooks(&world).state().queued == 0).await;
    world.stop().await;
    // Nothing is left to be told.
    let world = hooked(&sink).config(only_messages).folder(folder.path()).start();
    say(&world, "a", "b", "last").await;
    assert_eq!(sink.heard(12).await.len(), 12);
    assert_eq!(texts(&sink.calls()).last(), Some(&"last"));
    drop(world);
}

#[tokio::test]
async fn dead_letters_are_kept_across_a_restart_sent_again_and_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::start().await;
    sink.behave(|call| if call.text().starts_with("bad") { Reply::Status(422) } else { Reply::Status(200) });
    let start = || {
        let world = hooked(&sink).config(only_messages).config(|config| config.webhooks.attempts_max = 2);
        world.folder(folder.path()).start()
    };
    let world = start();
    for text in ["bad 1", "good", "bad 2"] {
        say(&world, "a", "b", text).await;
    }
    until("two dead letters", || hooks(&world).state().dead == 2).await;
    assert_eq!(texts(&sink.accepted()), ["good"], "what follows a dead letter goes on");
    world.stop().await;
    let world = start();
    let letters = hooks(&world).dead_letters(0, 10).await.unwrap();
    let told: Vec<_> = letters.iter().map(|letter| (letter.event.as_str(), letter.attempts, letter.error.as_str())).collect();
    assert_eq!(told, [("message.sent", 2, "status 422"), ("message.sent", 2, "status 422")]);
    let body: Value = serde_json::from_str(&letters[0].body).unwrap();
    assert_eq!(body["data"]["message"]["message"], "bad 1");
    assert_eq!(hooks(&world).dead_letters(letters[0].number, 10).await.unwrap(), letters[1..]);
    sink.behave(|_| Reply::Status(200));
    assert_eq!(hooks(&world).resend(letters[0].number).await, Ok(true));
    assert_eq!(hooks(&world).resend(letters[0].number).await, Ok(false), "it is none any more");
    let again = sink.heard(2).await.pop().unwrap();
    assert_eq!((again.id(), again.text()), (letters[0].id.as_str(), "bad 1"));
    assert_eq!(hooks(&world).discard(letters[1].number).await, Ok(true));
    assert_eq!(hooks(&world).discard(letters[1].number).await, Ok(false));
    until("nothing is left", || hooks(&world).state().queued == 0 && hooks(&world).state().dead == 0).await;
    let metrics = world.broker.metrics_text();
    for outcome in ["resent", "discarded"] {
        assert!(metrics.contains(&format!("tidings_webhook_events_total{{outcome=\"{outcome}\"}} 1")), "{metrics}");
    }
    let gone = hooks(&world);
    world.stop().await;
    assert_eq!(gone.discard(1).await, Err(tidings::webhooks::WebhookError::Off));
}

#[tokio::test]
async fn who_has_accepted_is_not_told_again_because_its_answer_never_ends() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::HeadOnly(200));
    let world = hooked(&sink).config(only_messages).config(|config| config.webhooks.timeout_ms = 1_000).start();
    say(&world, "a", "b", "once").await;
    until("it is told", || hooks(&world).state().delivered == 1).await;
    assert_eq!((sink.calls().len(), hooks(&world).state().failed), (1, 0));
}

/// Time is moved by the test: what is asked for is kept, for every conversation.
#[tokio::test]
async fn a_backend_that_asks_for_time_is_left_alone_for_that_long() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::With(503, vec![("retry-after", "60".into())], String::new()));
    let quiet = |config: &mut Config| config.webhooks.retry_most_ms = 3_600_000;
    let world = hooked(&sink).config(only_messages).config(quiet).frozen().start();
    say(&world, "a", "b", "one").await;
    until("the first attempt", || hooks(&world).state().failed == 1).await;
    sink.behave(|_| Reply::Status(200));
    say(&world, "c", "d", "two").await;
    until("it waits", || hooks(&world).state().queued == 2).await;
    world.advance(Duration::from_secs(59));
    // Two looks of the worker at the clock.
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(sink.calls().len(), 1);
    world.advance(Duration::from_secs(1));
    assert_eq!(sink.heard(2).await.len(), 2);
}

#[tokio::test]
async fn private_addresses_are_not_called() {
    let sink = Sink::start().await;
    for url in [sink.url("/"), format!("http://{}/", sink.address), format!("http://[::ffff:127.0.0.1]:{}/", sink.address.port())] {
        let world = hooked_to(&url).config(|config| config.webhooks.allow_private_addresses = false).start();
        say(&world, "a", "b", "x").await;
        until("a failure", || hooks(&world).state().failed > 0).await;
        let (_, error) = hooks(&world).state().last_error.unwrap();
        assert!(error.contains("no address that may be called"), "{error}");
    }
    assert!(sink.calls().is_empty());
}

#[tokio::test]
async fn a_full_queue_drops_new_events_and_says_so() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::Status(503));
    let world = hooked(&sink).config(only_messages).config(|config| config.webhooks.queue_events_max = 100).start();
    for n in 0..105 {
        say(&world, "a", "b", &n.to_string()).await;
    }
    until("five drops", || hooks(&world).state().dropped == 5).await;
    assert_eq!(hooks(&world).state().queued, 100);
    sink.behave(|_| Reply::Status(200));
    let all = sink.heard(100).await;
    assert_eq!(texts(&all), (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    until("room again", || hooks(&world).state().queued == 0).await;
    say(&world, "a", "b", "again").await;
    assert_eq!(sink.heard(101).await.last().unwrap().text(), "again");
}

#[tokio::test]
async fn a_full_queue_refuses_if_wanted_and_loses_nothing() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::Status(503));
    let world = hooked(&sink)
        .config(|config| {
            config.webhooks.events = vec!["command.sent".into()];
            (config.webhooks.queue_events_max, config.webhooks.when_full) = (1_000, WhenFull::Refuse);
        })
        .start();
    let (from, to, command) = (user("a"), peer_target("b"), Draft::of(Body::Command(vec![7].into())));
    let mut sent = 0;
    let refusal = loop {
        match world.broker.send(&from, &to, command.clone()).await {
            Ok(_) => sent += 1,
            Err(refusal) => break refusal,
        }
        assert!(sent < 40_000, "never refused");
    };
    assert!(refusal.is_temporary());
    assert_eq!(code_of(&refusal), 6_000_007);
    let refused = world.broker.send(&from, &to, text_draft("l", "storable")).await.unwrap_err();
    assert!(refused.is_temporary());
    assert_eq!(hooks(&world).state().dropped, 0);
    sink.behave(|_| Reply::Status(200));
    let delivered = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while hooks(&world).state().delivered < sent {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), delivered).await.expect("everything that was not refused is told");
    assert_eq!(sink.accepted_ids().len() as u64, sent);
    world.broker.send(&from, &to, text_draft("l", "storable")).await.unwrap();
}

#[tokio::test]
async fn a_backend_may_have_a_certificate_of_the_operators_own() {
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::{ServerConfig, pki_types::PrivateKeyDer};

    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(std::sync::Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let sink = Sink::tls(std::sync::Arc::new(config).into()).await;
    let trusting = ca_file.to_str().unwrap().to_owned();
    let world = hooked(&sink).config(only_messages).config(move |config| config.webhooks.ca_file = trusting).start();
    say(&world, "a", "b", "secret").await;
    assert_eq!(texts(&sink.heard(1).await), ["secret"]);
    // Another's certificate is not believed.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let wrong = folder.path().join("wrong.pem");
    std::fs::write(&wrong, other.cert.pem()).unwrap();
    let wrong = wrong.to_str().unwrap().to_owned();
    let world = hooked(&sink).config(only_messages).config(move |config| config.webhooks.ca_file = wrong).start();
    say(&world, "a", "b", "not told").await;
    until("a failure", || hooks(&world).state().failed > 0).await;
    assert!(hooks(&world).state().last_error.unwrap().1.starts_with("TLS with localhost failed"));
    assert_eq!(sink.calls().len(), 1);
}

#[tokio::test]
async fn what_happened_while_messages_were_not_told_is_not_told_later() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::start().await;
    let world = hooked(&sink).config(only_messages).folder(folder.path()).start();
    say(&world, "a", "b", "told").await;
    sink.heard(1).await;
    world.stop().await;
    let world = World::builder().config(|config| config.users.must_exist = false).folder(folder.path()).start();
    assert!(world.broker.webhooks().is_none());
    say(&world, "a", "b", "off").await;
    world.stop().await;
    let world = hooked(&sink).config(only_messages).folder(folder.path()).start();
    say(&world, "a", "b", "on again").await;
    assert_eq!(texts(&sink.heard(2).await), ["told", "on again"]);
    world.stop().await;
}

#[tokio::test]
async fn a_url_that_cannot_be_called_stops_the_start() {
    let start = |change: fn(&mut Config)| {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = folder.path().to_owned();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.webhooks.secret = HOOK_SECRET.into();
        change(&mut config);
        tidings::Broker::builder().config(config).start().map(drop).unwrap_err().to_string()
    };
    assert_eq!(start(|config| config.webhooks.url = "http://a:99999/".into()), "webhooks.url has a port that is none");
    let no_file = start(|config| (config.webhooks.before_send_url, config.webhooks.ca_file) = ("https://a/".into(), "/nowhere".into()));
    assert!(no_file.starts_with("webhooks.before_send_url webhooks.ca_file /nowhere cannot be read"), "{no_file}");
}
