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
use std::net::{IpAddr, Shutdown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Buf as _, Bytes, BytesMut};

use super::encoder::{Encoded, FrameEncoder};
use super::inbound::{PongSink, Pongs, ReadEnd, Reader, Receiver};
use super::places::Place;
use super::shard::{Flush, Shard};
use super::stream::RawSocket;
use super::tracked::TrackedSocket;
use crate::actors::connection::{Connection, Socket};
use crate::actors::registries::Registries;

/// Writes to one socket before the next has its turn.
const WRITES_PER_TURN: usize = 4;

/// Bytes read at once. One buffer for all connections of a thread: between two reads a connection holds only what it
/// has of an unfinished frame.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// What is being sent. It is small, because it is cold when its turn comes in a large room.
#[derive(Debug, Default)]
struct Sending {
    /// Encoded, and not taken by the socket yet.
    rest: Option<Box<BytesMut>>,
    pongs: Option<Box<Pongs>>,
    /// A task waits for the socket.
    blocked: bool,
    /// The close frame is encoded: nothing comes after it.
    closing: bool,
    /// Nothing is written any more.
    done: bool,
}

/// The writing side of one connection.
pub(super) struct Wire {
    socket: RawSocket,
    connection: Arc<Connection>,
    shard: Arc<Shard<Wire>>,
    sending: Mutex<Sending>,
    is_cut: AtomicBool,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("session", &self.connection.session).finish_non_exhaustive()
    }
}

/// How the reaper, and whoever needs the place, reach the socket; does not keep it open.
#[derive(Debug, Clone)]
struct CutHandle {
    wire: Weak<Wire>,
    place: Option<Arc<Place>>,
    client: Option<IpAddr>,
}

impl Socket for CutHandle {
    fn abort(&self) {
        if let Some(wire) = self.wire.upgrade() {
            wire.is_cut.store(true, Ordering::Relaxed);
            wire.socket.shutdown(Shutdown::Both);
        }
    }

    fn logged_in(&self) {
        if let Some(place) = &self.place {
            place.give_back();
        }
    }

    fn client(&self) -> Option<IpAddr> {
        self.client
    }
}

/// What the HTTP layer hands over with a socket.
pub(super) struct HandedOver<'a> {
    pub socket: RawSocket,
    /// What came behind the request.
    pub read_ahead: Vec<u8>,
    pub tracked: Option<&'a TrackedSocket>,
    pub client: Option<IpAddr>,
}

impl Wake for Wire {
    fn wake(self: Arc<Self>) {
        let shard = self.shard.clone();
        shard.schedule(self);
    }
}

impl PongSink for Arc<Wire> {
    fn queue(&self, payload: Bytes) {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner).pongs.get_or_insert_default().push(payload);
        self.shard.schedule(self.clone());
    }
}

/// Serves one connection until it ends.
pub(super) async fn serve<R: Receiver>(actors: Arc<Registries>, shard: Arc<Shard<Wire>>, handed_over: HandedOver<'_>) {
    let HandedOver { socket, read_ahead, tracked, client } = handed_over;
    let wire = Arc::new_cyclic(|wire| {
        let handle = CutHandle { wire: wire.clone(), place: tracked.and_then(TrackedSocket::place), client };
        if let Some(activity) = tracked.and_then(TrackedSocket::activity) {
            activity.take_over(Box::new(CutHandle { place: None, ..handle.clone() }));
        }
        let connection = actors.context.open_connection(Some(Box::new(handle)));
        Wire { socket, connection, shard, sending: Mutex::default(), is_cut: AtomicBool::new(false) }
    });
    if tracked.and_then(TrackedSocket::activity).is_some_and(|activity| activity.is_cut()) {
        // Before it could be reached.
        wire.socket.shutdown(Shutdown::Both);
    }
    let connection = wire.connection.clone();
    let mut reader = Reader::<_, R>::new(actors, connection.clone(), wire.clone());
    wire.shard.schedule(wire.clone());
    if let Err(end) = read(&wire, &mut reader, read_ahead).await
        && reader.close_with(&end)
    {
        // What still comes is not looked at; the reaper cuts the socket if the client does not end it. From then on it
        // stays unread, so that the system resets who writes on: reading it would open no window any more (the system
        // sends none for a socket that was shut), and the writer would wait for one for a minute.
        while poll_read(&wire.socket, |_| ()).await.is_ok() {
            if wire.is_cut.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    connection.finish();
    // Also takes the wire's waker out of the outbox.
    connection.outbox.discard(1006, "connection lost");
    reader.leave().await;
}

async fn read<R: Receiver>(wire: &Arc<Wire>, reader: &mut Reader<Arc<Wire>, R>, read_ahead: Vec<u8>) -> Result<(), ReadEnd> {
    if !read_ahead.is_empty() {
        reader.receive(&read_ahead)?;
        drop(read_ahead);
        reader.dispatch_frames().await?;
    }
    while let Ok(received) = poll_read(&wire.socket, |chunk| reader.receive(chunk)).await {
        received?;
        if wire.socket.wants_write() {
            wire.shard.schedule(wire.clone());
        }
        reader.dispatch_frames().await?;
    }
    Ok(())
}

/// Reads once and gives the bytes to `take`. An error says that no more will come.
async fn poll_read<T>(socket: &RawSocket, mut take: impl FnMut(&[u8]) -> T) -> io::Result<T> {
    poll_fn(|cx| {
        loop {
            // First the attempt: inside TLS there may be more than the socket still holds.
            let read = READ.with_borrow_mut(|buffer| match socket.try_read(buffer) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => Ok(take(&buffer[..count])),
                Err(error) => Err(error),
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::task::ready!(socket.poll_read_ready(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
            }
        }
    })
    .await
}

impl Flush for Wire {
    fn flush(self: &Arc<Self>, encoder: &mut FrameEncoder) {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        if sending.blocked || sending.done {
            return;
        }
        match self.write(&mut sending, encoder) {
            Ok(Written::All) => {}
            Ok(Written::Enough) => self.shard.schedule(self.clone()),
            Ok(Written::Closed) => {
                sending.done = true;
                self.connection.finish();
                self.socket.shutdown(Shutdown::Write);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sending.blocked = true;
                actix::spawn(wait_for_room(self.clone()));
            }
            Err(error) => {
                tracing::trace!(%error, session.id = %self.connection.session, "writing failed");
                sending.done = true;
                drop(sending);
                self.connection.finish();
                self.connection.outbox.discard(1006, "connection lost");
                // Ends the reading too, should the system not.
                self.socket.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Wire {
    /// Writes a few times at most: other sockets of the thread have their turn, too.
    fn write(self: &Arc<Self>, sending: &mut Sending, encoder: &mut FrameEncoder) -> io::Result<Written> {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        for _ in 0..WRITES_PER_TURN {
            self.write_rest(sending)?;
            if sending.closing {
                return Ok(Written::Closed);
            }
            match encoder.poll_encode(&mut cx, &self.connection.outbox, sending.pongs.take().map(|pongs| *pongs)) {
                Poll::Pending => return Ok(Written::All),
                Poll::Ready(Encoded::Frames) => {}
                Poll::Ready(Encoded::Closed) => sending.closing = true,
            }
            self.begin_write(sending, encoder.bytes())?;
        }
        Ok(Written::Enough)
    }

    /// Writes what earlier turns encoded and the socket did not take.
    fn write_rest(&self, sending: &mut Sending) -> io::Result<()> {
        while let Some(rest) = sending.rest.as_mut().filter(|rest| !rest.is_empty()) {
            let taken = match self.socket.try_write(rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                taken => taken?,
            };
            rest.advance(taken);
        }
        sending.rest = None;
        self.socket.flush_tls()
    }

    /// Writes what was just encoded, and keeps what the socket does not take.
    fn begin_write(&self, sending: &mut Sending, bytes: &[u8]) -> io::Result<()> {
        let taken = match self.socket.begin_write(bytes) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            taken => taken?,
        };
        if taken < bytes.len() {
            sending.rest = Some(Box::new(bytes[taken..].into()));
        }
        if sending.closing {
            self.socket.send_close_notify();
        }
        Ok(())
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
    if let Err(error) = wire.socket.writable().await {
        tracing::trace!(%error, "socket will not take more");
    }
    wire.sending.lock().unwrap_or_else(PoisonError::into_inner).blocked = false;
    wire.shard.schedule(wire.clone());
}
