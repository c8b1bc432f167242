//! What a client sends: bytes of its socket, whole frames for its session.
//!
//! [`FrameGuard`] stands before the codec (the codec looks at a length only when the whole frame is in memory). Each
//! frame is waited for with the session, so that a busy session stops the reading. Decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::prelude::*;
use actix_http::ws::{Codec, Frame};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use tokio::sync::Semaphore;
use tokio_util::codec::Decoder;

use super::guard::{FrameGuard, GuardError, GuardLimits};
use super::reassemble::{Assembled, ReassembleError, Reassembler};
use crate::actors::connection::Connection;
use crate::actors::context::BrokerContext;
use crate::actors::registries::Registries;
use crate::actors::session::{Gone, Inbound, Session};
use crate::actors::user::Ended;
use crate::protocol::CloseCode;

/// The writing side of the same connection, as far as the reading needs it.
pub(super) trait PongSink: std::fmt::Debug {
    /// Queues the answer to a ping.
    fn queue(&self, payload: Bytes);
}

/// Answers to pings kept for one connection. Our choice: as many as fit in 2 KiB; `server.control_frames_per_second_max` bounds
/// how fast they come.
const PONGS_MAX: usize = 16;

/// The payloads of pings that wait for their answer, oldest first. Of more than [`PONGS_MAX`] the oldest are not answered:
/// only the newest needs to be (RFC 6455, 5.5.3).
#[derive(Debug, Default)]
pub(super) struct Pongs(VecDeque<Bytes>);

impl Pongs {
    pub(super) fn push(&mut self, payload: Bytes) {
        if self.0.len() >= PONGS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(payload);
    }

    pub(super) fn into_payloads(self) -> impl Iterator<Item = Bytes> {
        self.0.into_iter()
    }
}

/// Answers a close frame without a code. Source: RFC 6455, 7.4.1.
const NORMAL_CLOSE: u16 = 1000;

/// The actor that takes the messages of one connection, and hears of its end: its [`Session`].
pub(super) trait Receiver: Actor<Context = Context<Self>> + Handler<Inbound> + Handler<Gone> {
    /// Starts it for a new connection.
    fn start_for(actors: Arc<Registries>, connection: Arc<Connection>) -> Addr<Self>;
}

impl Receiver for Session {
    fn start_for(actors: Arc<Registries>, connection: Arc<Connection>) -> Addr<Self> {
        Self::new(actors, connection).start()
    }
}

/// The reading side of one connection.
pub(super) struct Reader<P, R: Receiver = Session> {
    actors: Arc<Registries>,
    context: Arc<BrokerContext>,
    connection: Arc<Connection>,
    session: Addr<R>,
    pongs: P,
    guard: FrameGuard,
    reassembler: Reassembler,
    codec: Codec,
    buffer: BytesMut,
    requests: Arc<Semaphore>,
    logged_in: bool,
    /// What the guard refused: the reading ends once the frames before it were dispatched.
    refused: Option<CloseCode>,
}

/// Why the reading ends.
pub(super) enum ReadEnd {
    /// The client is gone, or says so.
    Gone,
    /// The broker ends it.
    Close(CloseCode),
    /// The broker ended it already.
    Closed,
}

impl<P: PongSink, R: Receiver> Reader<P, R> {
    /// Makes the reader of a new connection, and starts its session.
    pub(super) fn new(actors: Arc<Registries>, connection: Arc<Connection>, pongs: P) -> Self {
        let context = actors.context.clone();
        let server = &context.config().server;
        let session = R::start_for(actors.clone(), connection.clone());
        let first_bytes_max = server.frame_bytes_before_login_max;
        let guard = FrameGuard::new(GuardLimits {
            frame_bytes_max: first_bytes_max,
            message_bytes_max: first_bytes_max,
            fragments_max: u32::try_from(server.fragments_max).unwrap_or(u32::MAX),
            control_frames_per_second_max: server.control_frames_per_second_max,
            clock: context.clock.clone(),
        });
        Self {
            guard,
            reassembler: Reassembler::new(first_bytes_max),
            codec: Codec::new().max_size(server.frame_bytes_max),
            buffer: BytesMut::new(),
            requests: Arc::new(Semaphore::new(server.requests_in_flight_max)),
            logged_in: false,
            refused: None,
            actors,
            context,
            connection,
            session,
            pongs,
        }
    }

    /// Buffers what came, up to the first frame that breaks a limit or a rule.
    ///
    /// # Errors
    /// [`ReadEnd`]: nothing more is to be read.
    pub(super) fn receive(&mut self, chunk: &[u8]) -> Result<(), ReadEnd> {
        if let Some(closed) = self.connection.outbox.closed() {
            tracing::trace!(session.id = %self.connection.session, reason = closed.reason, "reading on after the close");
            return Err(ReadEnd::Closed);
        }
        self.connection.touch(self.context.clock.elapsed());
        if !self.logged_in && self.connection.identity().is_some() {
            self.logged_in = true;
            let bytes_max = self.context.config().server.frame_bytes_max;
            self.guard.set_limits(bytes_max, bytes_max);
            self.reassembler.set_limit(bytes_max);
        }
        let allowed = match self.guard.check(chunk) {
            Ok(()) => chunk,
            Err(error) => {
                tracing::debug!(session.id = %self.connection.session, %error, "a frame was refused");
                self.refused = Some(code_of_guard(&error));
                chunk.get(..self.guard.intact()).unwrap_or_default()
            }
        };
        self.buffer.extend_from_slice(allowed);
        Ok(())
    }

    /// Dispatches every whole frame of what was received, and waits for the session to take each.
    ///
    /// # Errors
    /// [`ReadEnd`]: nothing more is to be read.
    pub(super) async fn dispatch_frames(&mut self) -> Result<(), ReadEnd> {
        while let Some(frame) = self.decode()? {
            self.frame(frame).await?;
        }
        if let Some(code) = self.refused {
            return Err(ReadEnd::Close(code));
        }
        if self.buffer.is_empty() {
            // A client that is silent now must not hold what its largest frame needed.
            self.buffer = BytesMut::new();
        }
        Ok(())
    }

    /// Returns the next whole frame. The guard has refused what the codec would; what is left of a frame it refused is none.
    fn decode(&mut self) -> Result<Option<Frame>, ReadEnd> {
        let code = self.refused.unwrap_or(CloseCode::ProtocolError);
        self.codec.decode(&mut self.buffer).map_err(|_| ReadEnd::Close(code))
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), ReadEnd> {
        match frame {
            Frame::Ping(payload) => self.pongs.queue(payload),
            Frame::Pong(_) => {}
            Frame::Close(reason) => {
                let code = reason.map_or(NORMAL_CLOSE, |reason| reason.code.into());
                self.connection.outbox.close(code, "client");
                return Err(ReadEnd::Close(CloseCode::Logout));
            }
            data => match self.reassembler.take(data).map_err(|error| ReadEnd::Close(code_of_reassembly(&error)))? {
                Assembled::Message(text) => {
                    // Checked by the reassembler; an error here would be its.
                    let text = ByteString::try_from(text).map_err(|_| ReadEnd::Close(CloseCode::NotUtf8))?;
                    self.dispatch(text).await?;
                }
                Assembled::Partial | Assembled::Control(_) => {}
            },
        }
        Ok(())
    }

    async fn dispatch(&mut self, text: ByteString) -> Result<(), ReadEnd> {
        let permit = self.requests.clone().acquire_owned().await.map_err(|_| ReadEnd::Gone)?;
        // An error says that the session ended; the client comes back to a new one.
        self.session.send(Inbound { frame: text, permit }).await.map_err(|_| ReadEnd::Close(CloseCode::Shutdown))
    }

    /// Closes with what the reading ended with. Returns false when the connection is gone and nothing is to be waited for.
    pub(super) fn close_with(&self, end: &ReadEnd) -> bool {
        if let ReadEnd::Close(code) = end {
            self.connection.close(*code);
        }
        !matches!(end, ReadEnd::Gone)
    }

    /// Tells the session that the connection is over.
    pub(super) async fn leave(self) {
        if self.session.send(Gone).await.is_ok() {
            return;
        }
        // The session did not live to say it.
        self.context.end_connection(&self.connection);
        if let Some(identity) = self.connection.identity() {
            let ended = Ended { connection_id: self.connection.id, for_good: false };
            self.actors.users.send_here(&identity.user, ended).await;
        }
    }
}

fn code_of_guard(error: &GuardError) -> CloseCode {
    match error {
        GuardError::TooLong { .. } | GuardError::TooManyFragments | GuardError::TooManyControlFrames => CloseCode::TooLong,
        GuardError::TooBig { .. } => CloseCode::TooBig,
        GuardError::Binary => CloseCode::Binary,
        GuardError::CloseNotUtf8 => CloseCode::NotUtf8,
        GuardError::Protocol(_) => CloseCode::ProtocolError,
    }
}

fn code_of_reassembly(error: &ReassembleError) -> CloseCode {
    match error {
        ReassembleError::TooLong { .. } => CloseCode::TooLong,
        ReassembleError::Binary => CloseCode::Binary,
        ReassembleError::NotUtf8 => CloseCode::NotUtf8,
        ReassembleError::Protocol(_) => CloseCode::ProtocolError,
    }
}
