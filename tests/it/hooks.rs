//! What a host decides instead of the broker, and what it is told.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tidings::code_of;
use tidings::hooks::{Authenticator, Event, EventSink, LoginRequest, Moderator, Recognised, ReviewRequest, Verdict};
use tidings::model::{Body, Invalid, MessageClass};
use tidings::{Draft, Refusal, Target};

use crate::support::{Login, T0, To, World, fetch, heard, peer_target, pluck, soon, text, text_draft, user};

/// An authenticator that recognises everyone by one word.
struct OpenSesame;

impl Authenticator for OpenSesame {
    async fn authenticate(&self, request: LoginRequest) -> Result<Recognised, Refusal> {
        match request.token.as_str() {
            "open sesame" if request.user.as_str() != "kassim" => Ok(Recognised { expires_at_ms: T0 + 60_000 }),
            "yesterday" => Err(Refusal::TokenExpired),
            _ => Err(Refusal::TokenInvalid),
        }
    }
}

#[tokio::test]
async fn a_hosts_authenticator_decides_who_comes_in_and_until_when() {
    let world = World::builder().frozen().part(|builder| builder.authenticator(OpenSesame)).start();
    let mut connection = world.connect().await;
    let ali = Login { user: "ali", ..Login::default() };
    let kassim = Login { user: "kassim", ..Login::default() };
    assert_eq!(connection.code("login", kassim.args("open sesame")).await, 6_000_103);
    assert_eq!(connection.code("login", ali.args(&world.token("ali"))).await, 6_000_103, "the broker's own tokens do not count");
    assert_eq!(connection.code("login", ali.args("yesterday")).await, 6_000_106);
    connection.login("open sesame", ali).await;
    // No tokens of its own: none to give away.
    assert_eq!(fetch(world.address(), "POST /demo/token", &[], "{\"userID\":\"ali\"}").await.status, 404);
    world.advance(std::time::Duration::from_secs(31));
    assert_eq!(connection.event("tokenWillExpire").await, json!({"second": 29}));
}

/// A moderator that refuses one word, softens another, and notes what it was shown.
#[derive(Clone, Default)]
struct Strict {
    shown: Arc<Mutex<Vec<String>>>,
}

impl Moderator for Strict {
    async fn review(&self, request: ReviewRequest) -> Verdict {
        let shown = format!("{} to {}: {:?}", request.sender, request.target.id(), request.draft.content.body.kind());
        self.shown.lock().unwrap().push(shown);
        match &request.draft.content.body {
            Body::Text(text) if text.contains("spam") => {
                Verdict::Reject(Invalid::new("message.message", "was refused by the moderator").into())
            }
            Body::Text(text) if text.contains("darn") => {
                let mut draft = request.draft.clone();
                draft.content.body = Body::Text(text.replace("darn", "d***"));
                Verdict::Replace(draft)
            }
            Body::Text(text) if text == "grow" => Verdict::Replace(Draft::text("x".repeat(40_000))),
            Body::Text(text) if text == "turn" => Verdict::Replace(Draft::of(Body::Command(vec![1].into()))),
            _ => Verdict::Accept,
        }
    }
}

#[tokio::test]
async fn a_moderator_refuses_replaces_and_lets_pass() {
    let strict = Strict::default();
    let moderator = strict.clone();
    let world = World::builder().part(|builder| builder.moderator(moderator)).start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let refused = alice.send(To::Peer("bob"), text("buy spam")).await.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (6_000_001, "message.message was refused by the moderator"));
    let draft = json!({"type": 1, "message": "oh darn", "localMessageID": "l-1", "extendedData": "e"});
    let softened = alice.send(To::Peer("bob"), draft.clone()).await.unwrap();
    assert_eq!(
        (&softened["message"], &softened["localMessageID"], &softened["extendedData"]),
        (&json!("oh d***"), &json!("l-1"), &json!("e"))
    );
    alice.say(To::Peer("bob"), "fine").await;
    assert_eq!(bob.texts(2).await, ["oh d***", "fine"]);
    // A replacement is held to the limits and cannot change what its kind guarantees.
    assert_eq!(alice.send(To::Peer("bob"), text("grow")).await.unwrap_err().code, 6_000_001);
    assert_eq!(alice.send(To::Peer("bob"), text("turn")).await.unwrap_err().code, 6_000_013);
    assert_eq!(pluck(&Value::Array(alice.newest(To::Peer("bob")).await), "message"), ["oh d***", "fine"]);
    assert_eq!(strict.shown.lock().unwrap()[0], "alice to bob: Text");
}

/// The client sends the same again; it must not matter that the moderator changed it.
#[tokio::test]
async fn a_retry_of_a_replaced_message_gets_the_first_result() {
    let world = World::builder().part(|builder| builder.moderator(Strict::default())).start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let draft = json!({"type": 1, "message": "oh darn", "localMessageID": "l-1"});
    let first = alice.send(To::Peer("bob"), draft.clone()).await.unwrap();
    assert_eq!(alice.send(To::Peer("bob"), draft).await, Ok(first));
    assert_eq!(alice.newest(To::Peer("bob")).await.len(), 1);
}

#[tokio::test]
async fn commands_are_reviewed_barrage_is_not_and_the_host_is_no_exception() {
    let strict = Strict::default();
    let moderator = strict.clone();
    let world = World::builder().part(|builder| builder.moderator(moderator)).start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    alice.send(To::Room("r"), json!({"type": 20, "message": "spam"})).await.unwrap();
    alice.send(To::Room("r"), json!({"type": 2, "message": "eA=="})).await.unwrap();
    let refused = world.broker.send(&user("bob"), &peer_target("alice"), Draft::text("spam")).await.unwrap_err();
    assert_eq!(code_of(&refused), 6_000_001);
    assert_eq!(*strict.shown.lock().unwrap(), ["alice to r: Command", "bob to alice: Text"]);
}

/// An observer that passes on what it is told, as a host would to a queue of its own.
struct Ear(tokio::sync::mpsc::UnboundedSender<String>);

impl EventSink for Ear {
    fn on_event(&self, event: &Event) {
        let told = match event {
            Event::MessageAccepted(message) => format!("{} accepted at {}", message.sender, message.seq),
            Event::SessionStarted { user, .. } => format!("{user} came"),
            Event::SessionEnded { user, .. } => format!("{user} went"),
            Event::RoomCreated(room) => format!("{room} began"),
            Event::RoomDestroyed(room) => format!("{room} ended"),
            Event::RoomEntered { room, user } => format!("{user} entered {room}"),
            Event::RoomLeft { room, user, .. } => format!("{user} left {room}"),
            other => format!("{other:?}"),
        };
        // The test may have heard enough.
        let _heard_or_gone = self.0.send(told).is_ok();
    }
}

#[tokio::test]
async fn an_event_sink_hears_what_happened_in_order() {
    let (ear, mut told) = tokio::sync::mpsc::unbounded_channel();
    let world = World::builder().part(|builder| builder.event_sink(Ear(ear))).start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    alice.say(To::Room("r"), "x").await;
    alice.send(To::Room("r"), json!({"type": 20, "message": "wow"})).await.unwrap();
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    let all = ["alice came", "r began", "alice entered r", "alice accepted at 1", "alice accepted at 0", "alice left r", "r ended"];
    for expected in all {
        assert_eq!(soon(expected, told.recv()).await.unwrap(), expected);
    }
    drop(alice);
    assert_eq!(soon("the end of the session", told.recv()).await.unwrap(), "alice went");
}

#[tokio::test]
async fn a_listener_that_falls_behind_is_told_how_much_it_missed() {
    const SENT: u64 = 1_500;
    let world = World::builder().by_itself().no_rates().config(|config| config.users.must_exist = false).start();
    let mut events = world.broker.subscribe();
    let command = Draft::of(Body::Command(vec![7].into()));
    for _ in 0..SENT {
        world.broker.send(&user("alice"), &peer_target("bob"), command.clone()).await.unwrap();
    }
    let Some(Event::Lagged { missed }) = soon("the first event", events.next()).await else { panic!("nothing was missed") };
    let mut got = 0;
    while missed + got < SENT {
        let event = soon("an event", events.next()).await;
        assert!(
            matches!(&event, Some(Event::MessageAccepted(message)) if message.content.body.class() == MessageClass::Command),
            "{event:?}"
        );
        got += 1;
    }
    assert!(missed > 0 && got >= 1_024, "missed {missed}, got {got}");
    world.broker.send(&user("alice"), &Target::Peer(user("bob")), text_draft("l", "goes on")).await.unwrap();
    heard(&mut events, "the next event", |event| matches!(event, Event::MessageAccepted(message) if message.seq == 1)).await;
}
