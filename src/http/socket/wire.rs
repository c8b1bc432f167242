//! A WebSocket whose socket is ours: after the upgrade the HTTP layer hands it over, with its buffers given back.
//!
//! Reading is one task per connection. Writing is the [`Shard`]'s: whoever pushes into the outbox thereby puts the
//! wire on the list of its thread's writer, which takes from the outbox and writes to the socket at once. Only a
//! socket that takes no more gets a task that waits for it; meanwhile the rest stays in the outbox, where it is
//! counted and can be shed, and the reaper judges it.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use actix_http::ws::{CloseReason, Codec, Message};
use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use tokio_util::codec::Encoder;

use super::inbound::{End, Ponger, Reader};
use super::shard::Shard;
use super::stream::Pipe;
use crate::actors::core::Core;
use crate::actors::link::{Link, Socket};
use crate::actors::outbox::Drain;

/// Bytes taken from the outbox per write.
const DRAIN_BYTES: usize = 16 * 1024;

/// Writes to one socket before the next has its turn.
const WRITES_PER_TURN: usize = 4;

/// Bytes read at once. One buffer for all connections of a thread: between two reads a connection holds only what it
/// has of an unfinished frame.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// What a writer works with, whatever socket it writes for.
#[derive(Default)]
pub(super) struct Desk {
    codec: Codec,
    frames: Vec<ByteString>,
    bytes: BytesMut,
}

impl Desk {
    fn encode(&mut self, message: Message) {
        if let Err(error) = self.codec.encode(message, &mut self.bytes) {
            tracing::error!(%error, "a frame could not be encoded");
        }
    }
}

/// Small: it is cold when its turn comes in a large room.
#[derive(Debug, Default)]
struct Sending {
    /// Encoded, and not taken by the socket yet.
    rest: Option<Box<BytesMut>>,
    pong: Option<Box<Bytes>>,
    /// A task waits for the socket.
    blocked: bool,
    /// The close frame is encoded: nothing comes after it.
    closing: bool,
    /// Nothing is written any more.
    done: bool,
}

/// The writing side of one connection.
pub(super) struct Wire {
    pipe: Pipe,
    link: Arc<Link>,
    shard: Arc<Shard>,
    sending: Mutex<Sending>,
    is_cut: AtomicBool,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("session", &self.link.session).finish_non_exhaustive()
    }
}

/// How the reaper reaches the socket; does not keep it open.
#[derive(Debug)]
struct Handle(Weak<Wire>);

impl Socket for Handle {
    fn cut(&self) {
        if let Some(wire) = self.0.upgrade() {
            wire.is_cut.store(true, Ordering::Relaxed);
            wire.pipe.shut(Shutdown::Both);
        }
    }
}

impl Wake for Wire {
    fn wake(self: Arc<Self>) {
        let shard = self.shard.clone();
        shard.ready(self);
    }
}

impl Ponger for Arc<Wire> {
    fn owe(&self, payload: Bytes) {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner).pong = Some(Box::new(payload));
        self.shard.ready(self.clone());
    }
}

/// Serves one connection until it ends. `early`: what came behind the request.
pub(super) async fn serve(core: Arc<Core>, shard: Arc<Shard>, pipe: Pipe, early: Vec<u8>) {
    let wire = Arc::new_cyclic(|wire| {
        let link = core.open_link(Some(Box::new(Handle(wire.clone()))));
        Wire { pipe, link, shard, sending: Mutex::default(), is_cut: AtomicBool::new(false) }
    });
    let link = wire.link.clone();
    let mut reader = Reader::new(core, link.clone(), wire.clone());
    wire.shard.ready(wire.clone());
    if let Err(end) = read(&wire, &mut reader, early).await
        && reader.ended(&end)
    {
        // What still comes is not looked at; the reaper cuts the socket if the client does not end it. From then on it
        // stays unread, so that the system resets who writes on: reading it would open no window any more (the system
        // sends none for a socket that was shut), and the writer would wait for one for a minute.
        while poll_read(&wire.pipe, |_| ()).await.is_ok() {
            if wire.is_cut.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    link.finish();
    // Also takes the wire's waker out of the outbox.
    link.outbox.discard(1006, "connection lost");
    reader.leave().await;
}

async fn read(wire: &Arc<Wire>, reader: &mut Reader<Arc<Wire>>, early: Vec<u8>) -> Result<(), End> {
    if !early.is_empty() {
        reader.receive(&early)?;
        drop(early);
        reader.hand_on().await?;
    }
    while let Ok(received) = poll_read(&wire.pipe, |chunk| reader.receive(chunk)).await {
        received?;
        if wire.pipe.owes() {
            wire.shard.ready(wire.clone());
        }
        reader.hand_on().await?;
    }
    Ok(())
}

/// Reads once and gives the bytes to `take`. An error when no more will come.
async fn poll_read<T>(pipe: &Pipe, mut take: impl FnMut(&[u8]) -> T) -> io::Result<T> {
    poll_fn(|cx| {
        loop {
            // First the attempt: inside TLS there may be more than the socket still holds.
            let read = READ.with_borrow_mut(|buffer| match pipe.try_read(buffer) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => Ok(take(&buffer[..count])),
                Err(error) => Err(error),
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::task::ready!(pipe.poll_read_ready(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
            }
        }
    })
    .await
}

impl Wire {
    /// Writes what waits, as far as the socket takes it. On the wire's own thread.
    pub(super) fn flush(self: &Arc<Self>, desk: &mut Desk) {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        if sending.blocked || sending.done {
            return;
        }
        match self.write(&mut sending, desk) {
            Ok(Written::All) => {}
            Ok(Written::Enough) => self.shard.ready(self.clone()),
            Ok(Written::Closed) => {
                sending.done = true;
                self.link.finish();
                self.pipe.shut(Shutdown::Write);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sending.blocked = true;
                actix::spawn(wait_for_room(self.clone()));
            }
            Err(error) => {
                tracing::trace!(%error, session.id = %self.link.session, "writing failed");
                sending.done = true;
                drop(sending);
                self.link.finish();
                self.link.outbox.discard(1006, "connection lost");
                // Ends the reading too, should the system not.
                self.pipe.shut(Shutdown::Both);
            }
        }
    }

    fn write(self: &Arc<Self>, sending: &mut Sending, desk: &mut Desk) -> io::Result<Written> {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        for _ in 0..WRITES_PER_TURN {
            while let Some(rest) = sending.rest.as_mut().filter(|rest| !rest.is_empty()) {
                let taken = match self.pipe.try_write(rest) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                    taken => taken?,
                };
                rest.advance(taken);
            }
            sending.rest = None;
            self.pipe.push()?;
            if sending.closing {
                return Ok(Written::Closed);
            }
            desk.bytes.clear();
            if let Some(payload) = sending.pong.take() {
                desk.encode(Message::Pong(*payload));
            }
            match self.link.outbox.poll_drain(&mut cx, DRAIN_BYTES, &mut desk.frames) {
                Poll::Ready(Drain::Frames) => {
                    let mut frames = std::mem::take(&mut desk.frames);
                    frames.drain(..).for_each(|frame| desk.encode(Message::Text(frame)));
                    desk.frames = frames;
                }
                Poll::Ready(Drain::Closed { code, reason }) => {
                    sending.closing = true;
                    desk.encode(Message::Close(Some(CloseReason { code: code.into(), description: Some(reason.to_owned()) })));
                }
                Poll::Pending if desk.bytes.is_empty() => return Ok(Written::All),
                Poll::Pending => {}
            }
            let taken = match self.pipe.send(&desk.bytes) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
                taken => taken?,
            };
            if taken < desk.bytes.len() {
                sending.rest = Some(Box::new(desk.bytes[taken..].into()));
            }
            if sending.closing {
                self.pipe.say_end();
            }
        }
        Ok(Written::Enough)
    }
}

enum Written {
    /// Nothing waits; the next push brings the wire back.
    All,
    /// There may be more; others first.
    Enough,
    /// The close frame is out.
    Closed,
}

async fn wait_for_room(wire: Arc<Wire>) {
    // An error shows again at the next write, which answers it.
    if let Err(error) = wire.pipe.writable().await {
        tracing::trace!(%error, "socket will not take more");
    }
    wire.sending.lock().unwrap_or_else(PoisonError::into_inner).blocked = false;
    wire.shard.ready(wire.clone());
}
