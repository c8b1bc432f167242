//! One connection of the pool: what it asked for, what it received, and whether that is right.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use super::connection::{Dialect, Inbound};
use super::frame::{Frame, NotAFrame, put_text};
use super::marker;
use super::marker::{LoadClass, Marker, digits};
use super::message::{Subscription, TestMessage};
use super::peers::packet::{AckOf, PeerPacket};
use super::stats::Slices;
use super::tally::{BenchClock, Tally};

/// Bytes read at a time. One buffer per thread: what a client keeps is only a frame that is not whole yet.
const READ_BYTES: usize = 256 * 1024;

/// What a client received; all counts since the last [`Observed::clear`].
#[derive(Debug, Default, Clone)]
pub(super) struct Observed {
    /// By sender: the number of its newest message. Survives `clear`, for numbers go on.
    last: Vec<u32>,
    last_seq: u64,
    pub(super) received: [u64; 4],
    /// What the broker told this client was dropped: low, medium, high.
    pub(super) announced: [u64; 3],
    pub(super) duplicates: u64,
    pub(super) seq_breaks: u64,
    pub(super) slices: Slices,
    pub(super) closed: Option<u16>,
}

impl Observed {
    pub(super) fn clear(&mut self) {
        let kept = std::mem::take(self);
        (self.last, self.last_seq, self.closed) = (kept.last, kept.last_seq, kept.closed);
    }
}

/// Requests that wait for their answer.
#[derive(Debug, Default)]
struct PendingRequests {
    sent: u32,
    open: HashMap<u64, (u64, LoadClass)>,
    acknowledged: [u64; 4],
    /// Numbers of the storable ones. Survives `clear`, as history does.
    stored: Vec<u32>,
    refused: HashMap<u64, u64>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct BenchClient {
    pub(super) number: u32,
    pub(super) worker: usize,
    pub(super) group: usize,
    pub(super) subscription: Subscription,
    dialect: Dialect,
    out: tokio::sync::Mutex<OwnedWriteHalf>,
    observed: Mutex<Observed>,
    pending: Mutex<PendingRequests>,
    settled: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BenchClient {
    pub(super) fn new(number: u32, worker: usize, group: usize, subscription: Subscription, dialect: Dialect, out: OwnedWriteHalf) -> Self {
        let (observed, pending) = (Mutex::default(), Mutex::default());
        Self { number, worker, group, subscription, dialect, out: out.into(), observed, pending, settled: Notify::new() }
    }

    /// Sends one message meant for `meant_us`.
    pub(super) async fn publish(&self, message: &TestMessage, meant_us: u64) -> std::io::Result<()> {
        let mut frame = Vec::with_capacity(message.bytes + 256);
        {
            let mut pending = lock(&self.pending);
            pending.sent += 1;
            let number = pending.sent;
            pending.open.insert(u64::from(number), (meant_us, message.kind));
            let text = Marker { sender: self.number, number, meant_us, kind: message.kind }.text(message.bytes);
            let mask = (number ^ 0x5bd1_e995).to_be_bytes();
            match self.dialect {
                Dialect::Baseline => put_text(&mut frame, text.as_bytes(), mask),
                Dialect::Broker => put_text(&mut frame, request(number, self.number, message, &text).as_bytes(), mask),
                Dialect::Peer(peer) => peer.put_publish(&mut frame, self.number, number, &message.to, &text),
            }
        }
        self.write(&frame).await
    }

    /// Any other request; its answer is counted like that of a message, as storable, but not measured.
    pub(super) async fn ping(&self) -> std::io::Result<()> {
        let mut frame = Vec::new();
        // An id outside those of messages: its answer finds no request that waits.
        put_text(&mut frame, br#"{"id":9007199254740991,"op":"ping","args":{}}"#, [7, 1, 3, 5]);
        self.write(&frame).await
    }

    /// Returns when fewer than `window` requests wait for their answer.
    pub(super) async fn wait_for_room_in(&self, window: usize) {
        while self.waiting() >= window {
            self.settled.notified().await;
        }
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.pending).open.len()
    }

    pub(super) fn acknowledged(&self) -> [u64; 4] {
        lock(&self.pending).acknowledged
    }

    /// Returns the numbers of all stored messages that were acknowledged, in the order of their answers.
    pub(super) fn stored(&self) -> Vec<u32> {
        lock(&self.pending).stored.clone()
    }

    pub(super) fn refused(&self) -> HashMap<u64, u64> {
        lock(&self.pending).refused.clone()
    }

    pub(super) fn observed(&self) -> MutexGuard<'_, Observed> {
        lock(&self.observed)
    }

    /// Begins to count anew. Only while nothing is under way.
    pub(super) fn clear(&self) {
        self.observed().clear();
        let mut pending = lock(&self.pending);
        (pending.acknowledged, pending.refused) = ([0; 4], HashMap::new());
    }

    fn take(&self, frame: &[u8], now_us: u64, tally: &mut Tally) {
        if frame.starts_with(br#"{"id""#) {
            self.take_reply(frame, now_us, tally);
        } else if self.subscription != Subscription::Nothing && !frame.starts_with(br#"{"event":"conversation"#) {
            // How a list follows repeats the last message; it is told by the other events.
            self.take_event(frame, now_us, tally);
        }
    }

    fn take_reply(&self, frame: &[u8], now_us: u64, tally: &mut Tally) {
        let rest = frame.get(6..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut pending = lock(&self.pending);
        let Some(id) = digits(&rest[..length]) else { return };
        let Some((meant_us, kind)) = pending.open.remove(&id) else { return };
        if rest[length..].starts_with(br#","error""#) {
            let digits_of = |at: &[u8]| digits(&at[..at.iter().take_while(|byte| byte.is_ascii_digit()).count()]);
            let code = rest[length..].split(|byte| *byte == b':').find_map(digits_of).unwrap_or(0);
            *pending.refused.entry(code).or_default() += 1;
        } else {
            pending.acknowledged[kind.index()] += 1;
            if kind == LoadClass::Storable {
                pending.stored.extend(u32::try_from(id).ok());
            }
            tally.acknowledged(kind, now_us.saturating_sub(meant_us));
        }
        drop(pending);
        self.settled.notify_one();
    }

    /// Another broker's answer: they name a message in their own ways, or answer in turn.
    fn take_peer_ack(&self, to: AckOf, accepted: bool, now_us: u64, tally: &mut Tally) {
        let mut pending = lock(&self.pending);
        let fitting = pending.open.keys().filter(|number| u32::try_from(**number).is_ok_and(|number| to.fits(number)));
        let Some(number) = fitting.min().copied() else { return };
        let Some((meant_us, kind)) = pending.open.remove(&number) else { return };
        if accepted {
            pending.acknowledged[kind.index()] += 1;
            tally.acknowledged(kind, now_us.saturating_sub(meant_us));
        } else {
            *pending.refused.entry(0).or_default() += 1;
        }
        drop(pending);
        self.settled.notify_one();
    }

    fn take_event(&self, frame: &[u8], now_us: u64, tally: &mut Tally) {
        let mut observed = lock(&self.observed);
        let mut markers = 0;
        marker::each(frame, |marker, after| {
            markers += 1;
            let late_us = now_us.saturating_sub(marker.meant_us);
            observed.received[marker.kind.index()] += 1;
            observed.slices.add(late_us, 1);
            tally.delivered(self.group, marker.kind, late_us);
            check(&mut observed, marker, after);
        });
        if markers == 0 && frame.starts_with(br#"{"event":"barrageDropped""#) {
            announced(&mut observed, frame);
        }
    }

    /// `owed` is given what must be written back.
    fn take_chunk(
        &self,
        chunk: &[u8],
        now_us: u64,
        inbound: &mut Inbound,
        tally: &mut Tally,
        replies: &mut Vec<u8>,
    ) -> Result<(), NotAFrame> {
        tally.bytes += chunk.len() as u64;
        match inbound {
            Inbound::WebSocket(frames) => frames.feed(chunk, |frame| match frame {
                Frame::Text(text) => self.take(text, now_us, tally),
                Frame::Close(code) => self.observed().closed = Some(code),
                Frame::Control => {}
            }),
            Inbound::Peer(packets) => packets.feed(chunk, replies, |packet| match packet {
                PeerPacket::Message(bytes) => self.take_event(bytes, now_us, tally),
                PeerPacket::Ack { to, accepted } => self.take_peer_ack(to, accepted, now_us, tally),
                PeerPacket::Other => {}
            }),
        }
    }

    async fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.out.lock().await.write_all(bytes).await
    }
}

/// Each sender sends one kind, numbered 1, 2, 3 …: a number that is not above the last came twice or out of order.
fn check(observed: &mut Observed, marker: Marker, after: &[u8]) {
    let sender = usize::try_from(marker.sender).unwrap_or(0);
    if observed.last.len() <= sender {
        observed.last.resize(sender + 1, 0);
    }
    if marker.number <= observed.last[sender] {
        observed.duplicates += 1;
    }
    observed.last[sender] = observed.last[sender].max(marker.number);
    if marker.kind == LoadClass::Storable {
        let seq = marker::message_seq(after).unwrap_or(0);
        // A bare loop has no seq; nor has what was sent before this client came.
        if observed.last_seq != 0 && seq != 0 && seq != observed.last_seq + 1 {
            observed.seq_breaks += 1;
        }
        observed.last_seq = seq;
    }
}

fn announced(observed: &mut Observed, frame: &[u8]) {
    let Ok(event) = serde_json::from_slice::<serde_json::Value>(frame) else { return };
    for (sum, field) in observed.announced.iter_mut().zip(["low", "medium", "high"]) {
        *sum += event["data"][field].as_u64().unwrap_or(0);
    }
}

fn request(id: u32, sender: u32, message: &TestMessage, text: &str) -> String {
    let (kind, priority) = message.kind.wire();
    let TestMessage { to, conversation_type, .. } = message;
    // As the client library sends it: a storable message has an id of its own, by which a retry is known.
    let local_id = if message.kind == LoadClass::Storable { format!(r#","localMessageID":"b{sender}-{id}""#) } else { String::new() };
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
    client: Arc<BenchClient>,
    clock: Arc<BenchClock>,
    tally: Arc<Mutex<Tally>>,
) {
    let mut replies = Vec::new();
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
                        let take = |tally: &mut Tally| client.take_chunk(chunk.filled(), now_us, &mut inbound, tally, &mut replies);
                        Poll::Ready(lock(&tally).at(now_us, take).is_ok())
                    }
                    Poll::Ready(_) => Poll::Ready(false),
                }
            })
        };
        if !poll_fn(more).await {
            break;
        }
        if !replies.is_empty() {
            if client.write(&replies).await.is_err() {
                break;
            }
            replies.clear();
        }
    }
    let mut observed = client.observed();
    observed.closed = observed.closed.or(Some(1006));
}
