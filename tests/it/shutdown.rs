//! Stopping: requests that were accepted are answered, clients are told to come back, and nothing acknowledged is lost.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::hooks::{Moderator, ReviewRequest, Verdict};
use tidings::{Draft, code_of};
use tokio::sync::Semaphore;

use crate::support::{Client, To, World, fetch, peer_target, pluck, soon, text, user};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn every_session_is_told_to_come_back() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let mut nobody = world.connect().await;
    let broker = world.broker.clone();
    let down = tokio::spawn(async move { broker.shutdown(GRACE).await });
    assert_eq!(alice.closed().await, (4000, "shutdown".to_owned()));
    assert_eq!(nobody.closed().await, (4000, "shutdown".to_owned()));
    drop((alice, nobody));
    let report = soon("the shutdown", down).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn what_was_acknowledged_before_the_end_is_in_history_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().no_rates().folder(folder.path()).start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    // The end comes while these are on their way.
    let mut ids = Vec::new();
    for n in 0..50 {
        ids.push((n, alice.request("sendMessage", To::Peer("bob").args(&text(&n.to_string()))).await));
    }
    let broker = world.broker.clone();
    let down = tokio::spawn(async move { broker.shutdown(GRACE).await });
    let acknowledged = acknowledged(&mut alice, &ids).await;
    drop(alice);
    drop(_bob);
    let report = soon("the shutdown", down).await.unwrap();
    assert_eq!(report.writes_unfinished, 0);
    drop(world);

    let world = World::builder().folder(folder.path()).start();
    let mut bob = world.client("bob").await;
    let kept = pluck(&Value::Array(bob.newest(To::Peer("alice")).await), "message");
    for text in &acknowledged {
        assert_eq!(kept.iter().filter(|kept| *kept == text).count(), 1, "{text} of {acknowledged:?} in {kept:?}");
    }
}

/// A moderator that takes its time: it says that it was asked, and answers when it is let.
#[derive(Clone)]
struct Slow {
    asked: Arc<Semaphore>,
    may_answer: Arc<Semaphore>,
}

impl Moderator for Slow {
    async fn review(&self, _: ReviewRequest) -> Verdict {
        self.asked.add_permits(1);
        self.may_answer.acquire().await.unwrap().forget();
        Verdict::Accept
    }
}

#[tokio::test]
async fn a_message_that_has_not_reached_the_store_yet_is_kept_and_answered_before_the_close() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Slow { asked: Arc::new(Semaphore::new(0)), may_answer: Arc::new(Semaphore::new(0)) };
    let moderator = slow.clone();
    let world = World::builder().folder(folder.path()).part(|builder| builder.moderator(moderator)).start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let id = alice.request("sendMessage", To::Peer("bob").args(&text("last"))).await;
    slow.asked.acquire().await.unwrap().forget();
    let host = world.broker.clone();
    let sent = tokio::spawn(async move { host.send(&user("carol"), &peer_target("bob"), Draft::text("the host's")).await });
    slow.asked.acquire().await.unwrap().forget();
    let broker = world.broker.clone();
    let down = tokio::spawn(async move { broker.shutdown(GRACE).await });
    // Once one is refused, the shutdown has begun.
    soon("the refusal", async {
        while world.broker.ready().is_ok() {
            tokio::task::yield_now().await
        }
    })
    .await;
    // Ten times what the way down takes when nothing holds it.
    let closed = tokio::time::timeout(Duration::from_millis(500), bob.closed()).await;
    assert!(closed.is_err(), "sessions were closed while a message was under way");
    slow.may_answer.add_permits(2);
    assert_eq!(acknowledged(&mut alice, &[(0, id)]).await, ["0"]);
    soon("the host's answer", sent).await.unwrap().unwrap();
    drop((alice, bob));
    assert!(soon("the shutdown", down).await.unwrap().is_clean());
    drop(world);

    let world = World::builder().folder(folder.path()).start();
    let mut bob = world.client("bob").await;
    assert_eq!(pluck(&Value::Array(bob.newest(To::Peer("alice")).await), "message"), ["last"]);
    assert_eq!(pluck(&Value::Array(bob.newest(To::Peer("carol")).await), "message"), ["the host's"]);
}

/// Which of the requests were answered with a result before the close.
async fn acknowledged(client: &mut Client, ids: &[(u32, u64)]) -> Vec<String> {
    client.closed().await;
    let mut texts = Vec::new();
    for (text, id) in ids {
        if client.take_unread(|frame| frame["id"] == *id && frame.get("result").is_some()).is_some() {
            texts.push(text.to_string());
        }
    }
    texts
}

#[tokio::test]
async fn the_host_goes_on_and_nothing_new_is_taken() {
    let world = World::start();
    assert!(world.broker.ready().is_ok());
    world.broker.shutdown(GRACE).await;
    assert_eq!(fetch(world.address(), "GET /healthz", &[], "").await.status, 200);
    assert_eq!(fetch(world.address(), "GET /", &[], "").await.status, 200);
    let ready = fetch(world.address(), "GET /readyz", &[], "").await;
    assert_eq!((ready.status, &ready.json()["code"]), (503, &json!(6_000_007)));
    let (status, body) = Client::try_connect(world.address(), &[]).await.err().unwrap();
    assert_eq!(status, 503, "{body}");
    let refused = world.broker.send(&user("alice"), &peer_target("bob"), Draft::text("late")).await.unwrap_err();
    assert_eq!((code_of(&refused), refused.is_temporary()), (6_000_007, true));
    assert_eq!(code_of(&world.broker.register(&user("carol"), "").await.unwrap_err()), 6_000_007);
    let again = soon("a second shutdown", world.broker.shutdown(GRACE)).await;
    assert!(again.is_clean());
}

#[tokio::test]
async fn a_listener_hears_the_end_after_the_last_event() {
    let world = World::start();
    let mut events = world.broker.subscribe();
    let alice = world.client("alice").await;
    drop(alice);
    world.stop().await;
    let mut count = 0;
    while soon("the end of the events", events.next()).await.is_some() {
        count += 1;
    }
    assert_eq!(count, 2, "came and went");
}

#[tokio::test]
async fn the_store_is_free_as_soon_as_the_shutdown_returns() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let world = World::builder().folder(folder.path()).start();
        let _bob = world.client("bob").await;
        let mut alice = world.client("alice").await;
        assert_eq!(alice.say(To::Peer("bob"), "x").await["messageSeq"], round);
        drop((alice, _bob));
        world.stop().await;
    }
}
