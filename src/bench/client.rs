//! One connection of the crowd: what it asked for, what it received, and whether that is right.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use super::client_pool::{Micros, Tally};
use super::frame::{Frame, Frames, NotAFrame, put_text};
use super::peers::{Answer, Heard, Packets, Peer};
use super::marker::{self, Kind, Stamp, digits};
use super::stats::Slices;

/// Bytes read at a time. One buffer per thread: what a member keeps is only a frame that is not whole yet.
const READ_BYTES: usize = 256 * 1024;

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The wire protocol of the broker.
    Broker,
    /// Bare texts, see [`super::baseline`].
    Floor,
    /// The protocol of another broker, see [`super::peers`].
    Peer(Peer),
}

/// How what a server sends is taken apart.
#[derive(Debug)]
pub(super) enum Inbound {
    WebSocket(Frames),
    Peer(Packets),
}

/// A socket whose greetings are over.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) read: OwnedReadHalf,
    pub(super) inbound: Inbound,
    pub(super) write: OwnedWriteHalf,
}

/// Whose messages reach a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hears {
    /// All that the members of its own group send, but not its own.
    Room,
    /// All of one other member.
    Peer(u32),
    /// None.
    Nothing,
}

/// What is sent.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) to: String,
    /// 0 peer, 1 room, 2 group.
    pub(super) conversation_type: u8,
    pub(super) kind: Kind,
    pub(super) bytes: usize,
}

/// What a member received; all counts since the last [`Seen::clear`].
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    /// By sender: the number of its newest message. Survives `clear`, for numbers go on.
    last: Vec<u32>,
    last_seq: u64,
    pub(super) received: [u64; 4],
    /// What the broker told this member was dropped: low, medium, high.
    pub(super) announced: [u64; 3],
    pub(super) duplicates: u64,
    pub(super) seq_breaks: u64,
    pub(super) slices: Slices,
    pub(super) closed: Option<u16>,
}

impl Seen {
    pub(super) fn clear(&mut self) {
        let kept = std::mem::take(self);
        (self.last, self.last_seq, self.closed) = (kept.last, kept.last_seq, kept.closed);
    }
}

/// Requests that wait for their answer.
#[derive(Debug, Default)]
struct Desk {
    sent: u32,
    open: HashMap<u64, (u64, Kind)>,
    acknowledged: [u64; 4],
    refused: HashMap<u64, u64>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) number: u32,
    pub(super) crew: usize,
    pub(super) group: usize,
    pub(super) hears: Hears,
    dialect: Dialect,
    out: tokio::sync::Mutex<OwnedWriteHalf>,
    seen: Mutex<Seen>,
    desk: Mutex<Desk>,
    settled: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Member {
    pub(super) fn new(number: u32, crew: usize, group: usize, hears: Hears, dialect: Dialect, out: OwnedWriteHalf) -> Self {
        let (seen, desk) = (Mutex::default(), Mutex::default());
        Self { number, crew, group, hears, dialect, out: out.into(), seen, desk, settled: Notify::new() }
    }

    /// Sends one message meant for `meant_us`.
    pub(super) async fn publish(&self, parcel: &Parcel, meant_us: u64) -> std::io::Result<()> {
        let mut frame = Vec::with_capacity(parcel.bytes + 256);
        {
            let mut desk = lock(&self.desk);
            desk.sent += 1;
            let number = desk.sent;
            desk.open.insert(u64::from(number), (meant_us, parcel.kind));
            let text = Stamp { sender: self.number, number, meant_us, kind: parcel.kind }.text(parcel.bytes);
            let mask = (number ^ 0x5bd1_e995).to_be_bytes();
            match self.dialect {
                Dialect::Floor => put_text(&mut frame, text.as_bytes(), mask),
                Dialect::Broker => put_text(&mut frame, request(number, self.number, parcel, &text).as_bytes(), mask),
                Dialect::Peer(peer) => peer.put_publish(&mut frame, number, &text),
            }
        }
        self.write(&frame).await
    }

    /// Any other request; its answer is counted like that of a message, as storable, but not measured.
    pub(super) async fn ping(&self) -> std::io::Result<()> {
        let mut frame = Vec::new();
        // An id outside those of messages: its answer finds nothing on the desk.
        put_text(&mut frame, br#"{"id":9007199254740991,"op":"ping","args":{}}"#, [7, 1, 3, 5]);
        self.write(&frame).await
    }

    /// Returns when fewer than `window` requests wait for their answer.
    pub(super) async fn room_in(&self, window: usize) {
        while self.waiting() >= window {
            self.settled.notified().await;
        }
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.desk).open.len()
    }

    pub(super) fn acknowledged(&self) -> [u64; 4] {
        lock(&self.desk).acknowledged
    }

    pub(super) fn refused(&self) -> HashMap<u64, u64> {
        lock(&self.desk).refused.clone()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Begins to count anew. Only while nothing is under way.
    pub(super) fn clear(&self) {
        self.seen().clear();
        let mut desk = lock(&self.desk);
        (desk.acknowledged, desk.refused) = ([0; 4], HashMap::new());
    }

    fn take(&self, frame: &[u8], now_us: u64, tally: &mut Tally) {
        if frame.starts_with(br#"{"id""#) {
            self.take_reply(frame, now_us, tally);
        } else if self.hears != Hears::Nothing && !frame.starts_with(br#"{"event":"conversation"#) {
            // How a list follows repeats the last message; it is told by the other events.
            self.take_event(frame, now_us, tally);
        }
    }

    fn take_reply(&self, frame: &[u8], now_us: u64, tally: &mut Tally) {
        let rest = frame.get(6..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut desk = lock(&self.desk);
        let Some((meant_us, kind)) = digits(&rest[..length]).and_then(|id| desk.open.remove(&id)) else { return };
        if rest[length..].starts_with(br#","error""#) {
            let digits_of = |at: &[u8]| digits(&at[..at.iter().take_while(|byte| byte.is_ascii_digit()).count()]);
            let code = rest[length..].split(|byte| *byte == b':').find_map(digits_of).unwrap_or(0);
            *desk.refused.entry(code).or_default() += 1;
        } else {
            desk.acknowledged[kind.index()] += 1;
            tally.acknowledged(kind, now_us.saturating_sub(meant_us));
        }
        drop(desk);
        self.settled.notify_one();
    }

    /// Another broker's answer: they name a message in their own ways, or answer in turn.
    fn take_answer(&self, to: Answer, accepted: bool, now_us: u64, tally: &mut Tally) {
        let mut desk = lock(&self.desk);
        let fitting = desk.open.keys().filter(|number| u32::try_from(**number).is_ok_and(|number| to.fits(number)));
        let Some(number) = fitting.min().copied() else { return };
        let Some((meant_us, kind)) = desk.open.remove(&number) else { return };
        if accepted {
            desk.acknowledged[kind.index()] += 1;
            tally.acknowledged(kind, now_us.saturating_sub(meant_us));
        } else {
            *desk.refused.entry(0).or_default() += 1;
        }
        drop(desk);
        self.settled.notify_one();
    }

    fn take_event(&self, frame: &[u8], now_us: u64, tally: &mut Tally) {
        let mut seen = lock(&self.seen);
        let mut stamps = 0;
        marker::each(frame, |stamp, after| {
            stamps += 1;
            let late_us = now_us.saturating_sub(stamp.meant_us);
            seen.received[stamp.kind.index()] += 1;
            seen.slices.add(late_us, 1);
            tally.delivered(self.group, stamp.kind, late_us);
            check(&mut seen, stamp, after);
        });
        if stamps == 0 && frame.starts_with(br#"{"event":"barrageDropped""#) {
            announced(&mut seen, frame);
        }
    }

    /// `owed` is given what must be written back.
    fn take_chunk(&self, chunk: &[u8], now_us: u64, inbound: &mut Inbound, tally: &mut Tally, owed: &mut Vec<u8>) -> Result<(), NotAFrame> {
        tally.bytes += chunk.len() as u64;
        match inbound {
            Inbound::WebSocket(frames) => frames.feed(chunk, |frame| match frame {
                Frame::Text(text) => self.take(text, now_us, tally),
                Frame::Close(code) => self.seen().closed = Some(code),
                Frame::Control => {}
            }),
            Inbound::Peer(packets) => packets.feed(chunk, owed, |heard| match heard {
                Heard::Message(bytes) => self.take_event(bytes, now_us, tally),
                Heard::Answer { to, accepted } => self.take_answer(to, accepted, now_us, tally),
                Heard::Other => {}
            }),
        }
    }

    async fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.out.lock().await.write_all(bytes).await
    }
}

/// Each sender sends one kind, numbered 1, 2, 3 …: a number that is not above the last came twice or out of order.
fn check(seen: &mut Seen, stamp: Stamp, after: &[u8]) {
    let sender = usize::try_from(stamp.sender).unwrap_or(0);
    if seen.last.len() <= sender {
        seen.last.resize(sender + 1, 0);
    }
    if stamp.number <= seen.last[sender] {
        seen.duplicates += 1;
    }
    seen.last[sender] = seen.last[sender].max(stamp.number);
    if stamp.kind == Kind::Storable {
        let seq = marker::message_seq(after).unwrap_or(0);
        // A floor has no seq; nor has what was sent before this member came.
        if seen.last_seq != 0 && seq != 0 && seq != seen.last_seq + 1 {
            seen.seq_breaks += 1;
        }
        seen.last_seq = seq;
    }
}

fn announced(seen: &mut Seen, frame: &[u8]) {
    let Ok(event) = serde_json::from_slice::<serde_json::Value>(frame) else { return };
    for (sum, field) in seen.announced.iter_mut().zip(["low", "medium", "high"]) {
        *sum += event["data"][field].as_u64().unwrap_or(0);
    }
}

fn request(id: u32, sender: u32, parcel: &Parcel, text: &str) -> String {
    let (kind, priority) = parcel.kind.wire();
    let Parcel { to, conversation_type, .. } = parcel;
    // As the client library sends it: a storable message has an id of its own, by which a retry is known.
    let local_id = if parcel.kind == Kind::Storable { format!(r#","localMessageID":"b{sender}-{id}""#) } else { String::new() };
    format!(
        r#"{{"id":{id},"op":"sendMessage","args":{{"message":{{"type":{kind},"message":"{text}"{local_id}}},"toConversationID":"{to}","conversationType":{conversation_type},"config":{{"priority":{priority}}}}}}}"#
    )
}

thread_local! {
    static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; READ_BYTES]);
}

/// Reads until the connection ends.
pub(super) async fn read(
    mut socket: OwnedReadHalf,
    mut inbound: Inbound,
    member: Arc<Member>,
    clock: Arc<Micros>,
    tally: Arc<Mutex<Tally>>,
) {
    let mut owed = Vec::new();
    loop {
        let more = |cx: &mut std::task::Context<'_>| {
            BUFFER.with_borrow_mut(|buffer| {
                let mut chunk = ReadBuf::new(buffer);
                // Not `try_read`: this one knows that a read which did not fill the buffer emptied the socket, and saves
                // the system call that would say so.
                match Pin::new(&mut socket).poll_read(cx, &mut chunk) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Ok(())) if !chunk.filled().is_empty() => {
                        let now_us = clock.now();
                        let take = |tally: &mut Tally| member.take_chunk(chunk.filled(), now_us, &mut inbound, tally, &mut owed);
                        Poll::Ready(lock(&tally).at(now_us, take).is_ok())
                    }
                    Poll::Ready(_) => Poll::Ready(false),
                }
            })
        };
        if !poll_fn(more).await {
            break;
        }
        if !owed.is_empty() {
            if member.write(&owed).await.is_err() {
                break;
            }
            owed.clear();
        }
    }
    let mut seen = member.seen();
    seen.closed = seen.closed.or(Some(1006));
}
