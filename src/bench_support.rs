//! What `benches/hot_path.rs` measures and cannot reach: the code is private to the crate, the benches are not in it.
//!
//! Each function sets a scene and returns what the bench repeats: one step through the real code, with nothing beside
//! it but what the broker itself does there. No type of the crate leaves here. Not part of the interface: hidden, only
//! with the feature `bench`, and changed without notice.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytestring::ByteString;
use serde_json::json;

use crate::actors::connection::outbox::{Drain, Lossy, Outbox, OutboxLimits, Push};
use crate::clock::SystemClock;
use crate::media::{MediaOptions, probe_bytes};
use crate::model::{Body, Conversation, Draft, GroupId, Limits, LocalMessageId, MediaKind, Message, Priority, UserId};
use crate::protocol::{ClientLevel, Envelope, Info, Operation, Request, decode, encode_message, message_event};
use crate::rate::{BarrageBudget, GateQuota, QuotaClass, SendGate};

/// Bytes a writer takes from an outbox at a time: as the WebSocket's writer in `http` does.
const DRAIN_BYTES: usize = 16 * 1024;

/// What clients may see of a message, as [`encode_event`] numbers it.
pub const LEVELS: [&str; 3] = ["ancient", "no_custom", "full"];

/// Encodes so many messages for one level and puts them into one event frame; says how long it is.
///
/// Messages are of 200 bytes, text and custom in turn: a custom one is whole for the newest level, unknown to the one
/// before and nothing to the oldest.
pub fn encode_event(level: usize, messages: usize) -> impl FnMut() -> usize {
    let level = ClientLevel::ALL[level];
    let messages: Vec<Message> = (1..=messages as u64).map(message).collect();
    move || {
        let encoded: Vec<ByteString> = messages.iter().filter_map(|message| encode_message(message, level)).collect();
        let info = Info { cursor: messages.last().map(|message| message.seq), offline: false };
        message_event(Envelope::of(&messages[0]), encoded.iter(), info).map_or(0, |frame| frame.len())
    }
}

fn message(seq: u64) -> Message {
    let content = "m".repeat(200);
    let custom = Body::Custom { message: content.clone(), sub_type: 7, searched_content: "poll".into() };
    let local_id = Some(LocalMessageId::trusted(&format!("1732270000000-{seq}")));
    let draft = Draft { local_id, ..Draft::of(if seq.is_multiple_of(2) { custom } else { Body::Text(content) }) };
    let (alice, group) = (UserId::trusted("alice"), Conversation::Group(GroupId::trusted("the-group")));
    let (id, order_key, now_ms) = (7_000_000_000_000_000_000 + seq, 57_766_000_000_000 + seq, 1_732_270_000_000 + seq);
    Message { seq, ..draft.into_message(id, alice, group, order_key, now_ms) }
}

/// Decodes a `sendMessage` frame with a text of so many bytes and checks all that can be checked without knowing who
/// is where; says how long the text is.
pub fn validate_text(bytes: usize) -> impl FnMut() -> usize {
    let (limits, sender) = (Limits::default(), UserId::trusted("alice"));
    let message = json!({"type": 1, "message": "m".repeat(bytes), "localMessageID": "1732270000000-1", "priority": 1});
    let args = json!({"message": message, "toConversationID": "bob", "conversationType": 0});
    let frame = json!({"id": 7, "op": "sendMessage", "args": args}).to_string();
    move || {
        let request = decode(&frame, &limits).expect("the frame is a request");
        let Ok(Operation::Request(Request::SendMessage { target, draft })) = request.op else { panic!("the request sends a message") };
        draft.validate(&sender, &target, &limits).expect("the message is within its limits");
        match draft.content.body {
            Body::Text(text) => text.len(),
            _ => 0,
        }
    }
}

/// Asks the gate for one send of each of so many users in turn, each with a quota of so many at once and per second;
/// says whether it passed.
pub fn send_gate(users: usize, quota: u32) -> impl FnMut() -> bool {
    let quota = GateQuota::per_second(quota, quota);
    let gate = SendGate::new([quota; 9], Arc::new(SystemClock::new()));
    let (users, mut turn) = (everyone(users), 0);
    move || {
        turn = (turn + 1) % users.len();
        gate.check(&users[turn], QuotaClass::Storable).is_ok()
    }
}

fn everyone(users: usize) -> Vec<UserId> {
    (0..users).map(|n| UserId::trusted(&format!("user-{n}"))).collect()
}

/// Pushes so many reliable frames of so many bytes and drains them; says how many came out.
pub fn reliable_outbox(frames: usize, bytes: usize) -> impl FnMut() -> usize {
    let (outbox, frame, mut taken) = (outbox(), ByteString::from("f".repeat(bytes)), Vec::new());
    move || {
        for _ in 0..frames {
            assert_eq!(outbox.push(frame.clone()), Push::Queued, "the frames fit");
        }
        drain(&outbox, &mut taken)
    }
}

/// Pushes so many barrages of so many bytes, of all priorities in turn, and drains them; says how many came out.
pub fn lossy_outbox(frames: usize, bytes: usize) -> impl FnMut() -> usize {
    let (outbox, frame, mut taken) = (outbox(), ByteString::from("f".repeat(bytes)), Vec::new());
    move || {
        for priority in Priority::ALL.into_iter().cycle().take(frames) {
            assert!(outbox.push_lossy(Lossy::Barrage(priority), frame.clone(), 1).1.is_empty(), "the frames fit");
        }
        drain(&outbox, &mut taken)
    }
}

/// Pushes one barrage of so many bytes into an outbox whose lossy part is full, as for a client that does not read; says
/// how many messages it cost.
pub fn full_lossy_outbox(bytes: usize) -> impl FnMut() -> u32 {
    let (outbox, frame) = (outbox(), ByteString::from("f".repeat(bytes)));
    let push = move || outbox.push_lossy(Lossy::Barrage(Priority::Low), frame.clone(), 1).1.barrage[0];
    while push() == 0 {}
    push
}

/// Fills the lossy part with small barrages and pushes one command as large as all of it, which evicts them together;
/// says how many it cost.
pub fn sweeping_lossy_outbox(bytes: usize) -> impl FnMut() -> u32 {
    let (outbox, frame) = (outbox(), ByteString::from("f".repeat(bytes)));
    let large = ByteString::from("f".repeat(OUTBOX.lossy_bytes_max));
    let (in_it, mut taken) = (OUTBOX.lossy_bytes_max / bytes, Vec::new());
    move || {
        for _ in 0..in_it {
            assert!(outbox.push_lossy(Lossy::Barrage(Priority::Low), frame.clone(), 1).1.is_empty(), "the frames fit");
        }
        let cost = outbox.push_lossy(Lossy::Command, large.clone(), 1).1.barrage[0];
        assert_eq!(drain(&outbox, &mut taken), 1, "the command is left");
        cost
    }
}

/// The defaults of `config.toml`.
const OUTBOX: OutboxLimits = OutboxLimits { reliable_bytes_max: 4 << 20, reliable_frames_max: 8_192, lossy_bytes_max: 256 << 10 };

fn outbox() -> Outbox {
    Outbox::new(OUTBOX, Arc::new(SystemClock::new()))
}

fn drain(outbox: &Outbox, taken: &mut Vec<ByteString>) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Drain::Frames) = outbox.poll_drain(&mut cx, DRAIN_BYTES, taken) {}
    taken.drain(..).count()
}

/// Asks a room's budget of 1,000 barrages per second for one of each of so many senders in turn, of all priorities in
/// turn, while so many come per second of the room's time; says whether it was admitted.
pub fn barrage_budget(senders: usize, per_second: u32) -> impl FnMut() -> bool {
    let mut budget = BarrageBudget::new(1_000, 1_000);
    let (senders, every) = (everyone(senders), Duration::from_secs(1) / per_second);
    let (mut turn, mut now) = (0, Duration::ZERO);
    move || {
        turn += 1;
        now += every;
        // Each sender's priority changes with its turns.
        let priority = Priority::ALL[(turn + turn / senders.len()) % Priority::ALL.len()];
        budget.admit(now, &senders[turn % senders.len()], priority).is_ok()
    }
}

/// Judges bytes as an upload of a kind (`image`, `audio`, `video`, `file`) is judged; says whether they are one.
///
/// # Panics
/// On an unknown kind; and where a probe panics, which is what its test looks for.
#[must_use]
pub fn probe(kind: &str, bytes: &[u8]) -> bool {
    let kind = MediaKind::parse(kind).expect("a kind of media");
    let options = MediaOptions { pixels_max: 50_000_000, large_pixels: 720, thumbnail_pixels: 198 };
    probe_bytes(kind, bytes, &options, &Limits::default()).is_ok()
}
