//! The same guarantees on a host's own actix-web server, where the HTTP layer keeps the socket
//! (`src/http/socket/hosted.rs`): how it reads and writes, and that a stuck socket is freed from outside.

use std::time::Duration;

use serde_json::json;
use tidings::{DropReason, Event, Eviction};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Message;

use crate::support::{Client, Login, To, World, fetch, soon};
use crate::upgrade::early_frames_are_answered;

fn world() -> World {
    World::builder().mounted().start()
}

#[tokio::test]
async fn two_who_logged_in_hear_each_other() {
    let world = world();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    for n in 0..5 {
        assert_eq!(alice.say(To::Peer("bob"), &format!("question {n}")).await["messageSeq"], 2 * n + 1);
        assert_eq!(bob.texts(1).await, [format!("question {n}")]);
        assert_eq!(bob.say(To::Peer("alice"), &format!("answer {n}")).await["messageSeq"], 2 * n + 2);
        assert_eq!(alice.texts(1).await, [format!("answer {n}")]);
    }
    assert_eq!(world.broker.stats().eviction, Eviction::Full);
}

#[tokio::test]
async fn a_ping_is_answered_by_a_pong_with_its_payload() {
    let world = world();
    let mut client = world.connect().await;
    for payload in ["", "before the login", "and again"] {
        client.raw(Message::Ping(payload.into())).await;
        assert_eq!(client.pong().await, payload.as_bytes());
    }
    client.login(&world.token("alice"), Login { user: "alice", ..Login::default() }).await;
    client.raw(Message::Ping("after it".into())).await;
    assert_eq!(client.pong().await, b"after it");
}

#[tokio::test]
async fn frames_behind_the_upgrade_request_are_answered() {
    let world = world();
    early_frames_are_answered(world.address(), "/im/ws").await;
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_with_4504() {
    let world = world();
    let mut nobody = world.connect().await;
    nobody.raw(Message::text("x".repeat(4_097))).await;
    assert_eq!(nobody.closed().await.0, 4504, "4,096 are allowed before the login");
    // Of this one much is still to be read when it is refused by its header.
    let mut alice = world.client("alice").await;
    alice.raw(Message::text("x".repeat(262_145))).await;
    assert_eq!(alice.closed().await.0, 4504, "262,144 are allowed after it");
}

#[tokio::test]
async fn a_binary_frame_closes_with_4505() {
    let world = world();
    for mut client in [world.connect().await, world.client("alice").await] {
        client.raw(Message::binary("x")).await;
        assert_eq!(client.closed().await.0, 4505);
    }
}

#[tokio::test]
async fn a_shutdown_closes_with_4000_and_leaves_the_host_alone() {
    let world = world();
    let (mut alice, mut nobody) = (world.client("alice").await, world.connect().await);
    let broker = world.broker.clone();
    let down = tokio::spawn(async move { broker.shutdown(crate::support::PATIENCE).await });
    for client in [&mut alice, &mut nobody] {
        assert_eq!(client.closed().await, (4000, "shutdown".to_owned()));
        client.ended().await;
    }
    let report = soon("the shutdown", down).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    let status = async |path: &str| fetch(world.address(), &format!("GET {path}"), &[], "").await.status;
    assert_eq!((status("/mine").await, status("/im/healthz").await, status("/im/readyz").await), (200, 200, 503));
}

/// From the moment a member's buffers are full: 1 s of `stalled_seconds`, 5 s in which it might still read the close, and
/// twice the second between two looks of the reaper. The rest is for a busy machine; with the default 20 s it is too late.
const GONE_WITHIN: Duration = Duration::from_secs(15);

/// Here the reading and the writing of a stuck socket both stand still: only the handle noted at connect frees it.
#[tokio::test]
async fn a_member_that_stops_reading_is_cut_while_the_others_lose_no_text() {
    let open = |config: &mut tidings::Config| {
        config.shed.stalled_seconds = 1;
        (config.shed.room_barrages_per_second, config.shed.room_barrages_burst) = (1_000_000, 1_000_000);
    };
    let world = World::builder().mounted().no_rates().config(open).start();
    let mut events = world.broker.subscribe();
    let mut talker = entered(world.client("talker").await).await;
    let healthy = entered(world.client("healthy").await).await;
    let socket = TcpSocket::new_v4().unwrap();
    // The kernel is to keep little for it.
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut deaf = world.connect_over(socket.connect(world.address()).await.unwrap()).await;
    deaf.login(&world.token("deaf"), Login { user: "deaf", ..Login::default() }).await;
    // Not read from here on.
    let mut deaf = entered(deaf).await;

    let hearing = tokio::spawn(texts_until(healthy, "the end"));
    let mut said = Vec::new();
    let flood = async {
        while shed_by_outboxes(&world) < 500 {
            let barrage = To::Room("hall").args(&json!({"type": 20, "message": "~".repeat(4_096)}));
            let mut asked = Vec::new();
            for _ in 0..20 {
                asked.push(talker.request("sendMessage", barrage.clone()).await);
            }
            said.push(format!("text {}", said.len()));
            talker.say(To::Room("hall"), said.last().unwrap()).await;
            for id in asked {
                talker.reply(id).await.unwrap();
            }
        }
    };
    soon("a full outbox", flood).await;
    let gone = async { while !matches!(events.next().await.unwrap(), Event::SessionEnded { user, .. } if user.as_str() == "deaf") {} };
    timeout(GONE_WITHIN, gone).await.expect("who does not read is gone");
    let metrics = fetch(world.address(), "GET /im/metrics", &[], "").await.body;
    assert!(metrics.contains("tidings_sessions_closed_total{reason=\"slow\"} 1"), "{metrics}");
    assert_eq!(world.broker.stats().connections, 2);
    deaf.ended().await;

    said.push("the end".to_owned());
    talker.say(To::Room("hall"), "the end").await;
    let heard = soon("the last text", hearing).await.unwrap();
    assert_eq!(heard, said);
}

async fn entered(mut client: Client) -> Client {
    client.ok("enterRoom", json!({"roomInfo": {"roomID": "hall"}})).await;
    client
}

/// Every text of the room up to this one; reads all the while.
async fn texts_until(mut member: Client, last: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    while texts.last().is_none_or(|text| text != last) {
        let data = member.event("receiveRoomMessage").await;
        let messages = data["messageList"].as_array().unwrap().iter().filter(|message| message["type"] == 1);
        texts.extend(messages.map(|message| message["message"].as_str().unwrap().to_owned()));
    }
    texts
}

/// Messages that were dropped because someone's outbox is full.
fn shed_by_outboxes(world: &World) -> u64 {
    let dropped = world.broker.stats().dropped;
    dropped.iter().filter(|drops| drops.reason == DropReason::OutboxFull).map(|drops| drops.messages).sum()
}
