//! One WebSocket connection: the upgrade, a reader, a writer. The only file that names actix-web-actors.
//!
//! The reader puts [`FrameGuard`] before the codec (the codec looks at a length only when the whole frame is in
//! memory) and waits for the session with each frame, so that a busy session stops the reading. The writer is the
//! response body: a stream that takes from the link's outbox. Neither decides anything; when a socket is stuck, both
//! stand still, and the reaper frees it through the handle noted at connect.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use actix::prelude::*;
use actix_http::ws::{CloseReason, Codec, Frame, Message};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_util::stream::Stream;
use futures_util::task::AtomicWaker;
use futures_util::{StreamExt, future};
use tokio::sync::Semaphore;
use tokio_util::codec::{Decoder, Encoder};

use super::connection::Connection;
use super::guard::{FrameGuard, GuardError, GuardLimits};
use super::origin;
use super::problem::problem;
use super::reassemble::{Assembled, ReassembleError, Reassembler};
use crate::actors::core::Core;
use crate::actors::link::{Link, Socket};
use crate::actors::outbox::Drain;
use crate::actors::session::{Gone, Inbound, Session};
use crate::actors::user::Ended;
use crate::broker::Broker;
use crate::protocol::CloseCode;

/// Bytes taken from the outbox per poll of the writer: enough to fill a socket's buffer a few times, little enough
/// that a slow reader leaves the rest in the outbox, where it is counted and can be shed.
const DRAIN_BYTES: usize = 16 * 1024;

/// `GET /ws`
pub(super) async fn connect(broker: web::Data<Broker>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let core = &broker.core;
    if let Err(refused) = admit(core, &request) {
        return *refused;
    }
    let mut response = match actix_web_actors::ws::handshake(&request) {
        Ok(response) => response,
        Err(error) => return actix_web::ResponseError::error_response(&error),
    };
    let socket = request.conn_data::<Connection>().and_then(|connection| connection.socket.clone());
    if socket.is_none() {
        core.eviction_degraded.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    let link = core.open_link(socket.map(|socket| Box::new(socket) as Box<dyn Socket>));
    let session = Session::new(core.clone(), link.clone()).start();
    let pong = Arc::new(Pong::default());
    let writer = Writer { link: link.clone(), pong: pong.clone(), codec: Codec::new(), taken: Vec::new(), done: false };
    let reader = Reader::new(core.clone(), link, session, pong);
    actix::spawn(reader.run(payload));
    response.streaming(writer)
}

/// Caps and origin, before anything is spent on the connection.
fn admit(core: &Core, request: &HttpRequest) -> Result<(), Box<HttpResponse>> {
    let server = &core.config.server;
    let text = |name| request.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let origin = request.headers().get(header::ORIGIN).map(|value| value.to_str().unwrap_or("unreadable"));
    if !origin::allowed(origin, text(header::HOST).unwrap_or_default(), &server.origins) {
        return Err(Box::new(problem(StatusCode::FORBIDDEN, 6_000_001, "Origin is not allowed; see server.origins")));
    }
    if core.accepting().is_err() {
        return Err(Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, 6_000_007, "the broker is shutting down")));
    }
    let open = core.links.count();
    if open >= server.connections_max {
        return Err(Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, 6_000_007, "server.connections_max is reached")));
    }
    if core.links.unauthenticated() >= server.connections_unauthenticated_max {
        return Err(Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, 6_000_007, "server.connections_unauthenticated_max is reached")));
    }
    let of_address = request.conn_data::<Connection>().map_or(0, Connection::of_its_address);
    if of_address > server.connections_per_address_max {
        return Err(Box::new(problem(StatusCode::TOO_MANY_REQUESTS, 6_000_007, "server.connections_per_address_max is reached")));
    }
    Ok(())
}

/// The answer to the newest ping; older ones need none (RFC 6455, 5.5.3).
#[derive(Debug, Default)]
struct Pong {
    payload: Mutex<Option<Bytes>>,
    writer: AtomicWaker,
}

impl Pong {
    fn owe(&self, payload: Bytes) {
        *self.payload.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        self.writer.wake();
    }

    fn poll(&self, cx: &Context<'_>) -> Option<Bytes> {
        self.writer.register(cx.waker());
        self.payload.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The response body.
struct Writer {
    link: Arc<Link>,
    pong: Arc<Pong>,
    codec: Codec,
    taken: Vec<ByteString>,
    done: bool,
}

impl Writer {
    fn encode(&mut self, message: Message, out: &mut BytesMut) {
        if let Err(error) = self.codec.encode(message, out) {
            tracing::error!(%error, "a frame could not be encoded");
        }
    }
}

impl Stream for Writer {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        let mut out = BytesMut::new();
        if let Some(payload) = this.pong.poll(cx) {
            this.encode(Message::Pong(payload), &mut out);
        }
        match this.link.outbox.poll_drain(cx, DRAIN_BYTES, &mut this.taken) {
            Poll::Ready(Drain::Frames) => {
                for frame in std::mem::take(&mut this.taken) {
                    this.encode(Message::Text(frame), &mut out);
                }
            }
            Poll::Ready(Drain::Closed { code, reason }) => {
                this.done = true;
                this.link.finish();
                this.encode(Message::Close(Some(CloseReason { code: code.into(), description: Some(reason.to_owned()) })), &mut out);
            }
            Poll::Pending if out.is_empty() => return Poll::Pending,
            Poll::Pending => {}
        }
        Poll::Ready(Some(Ok(out.freeze())))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The server dropped the response: nobody will read what waits.
        self.link.finish();
        self.link.outbox.discard(1006, "connection lost");
    }
}

/// The request body.
struct Reader {
    core: Arc<Core>,
    link: Arc<Link>,
    session: Addr<Session>,
    pong: Arc<Pong>,
    guard: FrameGuard,
    reassembler: Reassembler,
    codec: Codec,
    buffer: BytesMut,
    requests: Arc<Semaphore>,
    logged_in: bool,
}

/// Why the reading ends.
enum End {
    /// The client is gone, or says so.
    Gone,
    /// The broker ends it.
    Close(CloseCode),
    /// The broker ended it already.
    Closed,
}

impl Reader {
    fn new(core: Arc<Core>, link: Arc<Link>, session: Addr<Session>, pong: Arc<Pong>) -> Self {
        let server = &core.config.server;
        let first_bytes_max = server.frame_bytes_before_login_max;
        let guard = FrameGuard::new(GuardLimits {
            frame_bytes_max: first_bytes_max,
            message_bytes_max: first_bytes_max,
            fragments_max: u32::try_from(server.fragments_max).unwrap_or(u32::MAX),
            control_frames_per_second_max: server.control_frames_per_second_max,
            clock: core.clock.clone(),
        });
        Self {
            guard,
            reassembler: Reassembler::new(first_bytes_max),
            codec: Codec::new().max_size(server.frame_bytes_max),
            buffer: BytesMut::new(),
            requests: Arc::new(Semaphore::new(server.requests_in_flight_max)),
            logged_in: false,
            core,
            link,
            session,
            pong,
        }
    }

    async fn run(mut self, mut payload: web::Payload) {
        while let Some(Ok(chunk)) = payload.next().await {
            match self.take(&chunk).await {
                Ok(()) => {}
                Err(End::Gone) => break,
                Err(end @ (End::Close(_) | End::Closed)) => {
                    if let End::Close(code) = end {
                        self.link.close(code);
                    }
                    // What still comes is not looked at; the reaper cuts the socket if it does not end by itself.
                    payload.take_while(|chunk| future::ready(chunk.is_ok())).for_each(|_| future::ready(())).await;
                    break;
                }
            }
        }
        self.leave().await;
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), End> {
        if let Some(closed) = self.link.outbox.closed() {
            tracing::trace!(session.id = %self.link.session, reason = closed.reason, "reading on after the close");
            return Err(End::Closed);
        }
        self.link.heard(self.core.clock.elapsed());
        if !self.logged_in && self.link.identity().is_some() {
            self.logged_in = true;
            let bytes_max = self.core.config.server.frame_bytes_max;
            self.guard.set_limits(bytes_max, bytes_max);
            self.reassembler.set_limit(bytes_max);
        }
        self.guard.check(chunk).map_err(|error| End::Close(code_of_guard(&error)))?;
        self.buffer.extend_from_slice(chunk);
        while let Some(frame) = self.codec.decode(&mut self.buffer).map_err(|_| End::Close(CloseCode::Malformed))? {
            self.frame(frame).await?;
        }
        if self.buffer.is_empty() {
            // A client that is silent now must not hold what its largest frame needed.
            self.buffer = BytesMut::new();
        }
        Ok(())
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), End> {
        match frame {
            Frame::Ping(payload) => self.pong.owe(payload),
            Frame::Pong(_) => {}
            Frame::Close(_) => {
                self.link.outbox.close(1000, "client");
                return Err(End::Close(CloseCode::Logout));
            }
            data => match self.reassembler.take(data).map_err(|error| End::Close(code_of_reassembly(&error)))? {
                Assembled::Message(text) => {
                    // Checked by the reassembler; an error here would be its.
                    let text = ByteString::try_from(text).map_err(|_| End::Close(CloseCode::Malformed))?;
                    self.hand_over(text).await?;
                }
                Assembled::Partial | Assembled::Control(_) => {}
            },
        }
        Ok(())
    }

    async fn hand_over(&mut self, text: ByteString) -> Result<(), End> {
        let permit = self.requests.clone().acquire_owned().await.map_err(|_| End::Gone)?;
        // An error says that the session ended; the client comes back to a new one.
        self.session.send(Inbound { frame: text, permit }).await.map_err(|_| End::Close(CloseCode::Shutdown))
    }

    async fn leave(self) {
        if self.session.send(Gone).await.is_ok() {
            return;
        }
        // The session did not live to say it.
        self.core.end_link(&self.link);
        if let Some(identity) = self.link.identity() {
            let ended = Ended { number: self.link.number, for_good: false };
            self.core.users.tell_surely(&self.core, &identity.user, ended).await;
        }
    }
}

fn code_of_guard(error: &GuardError) -> CloseCode {
    match error {
        GuardError::TooLong { .. } | GuardError::TooManyFragments | GuardError::TooManyControlFrames => CloseCode::TooLong,
        GuardError::Binary => CloseCode::Binary,
        GuardError::Protocol(_) => CloseCode::Malformed,
    }
}

fn code_of_reassembly(error: &ReassembleError) -> CloseCode {
    match error {
        ReassembleError::TooLong { .. } => CloseCode::TooLong,
        _ => CloseCode::Malformed,
    }
}
