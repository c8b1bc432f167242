//! What a client sends: bytes of its socket, whole frames for its session.
//!
//! [`FrameGuard`] stands before the codec (the codec looks at a length only when the whole frame is in memory). Each
//! frame is waited for with the session, so that a busy session stops the reading. Decides nothing.

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
    /// Queues the answer to a ping. Only the newest needs an answer (RFC 6455, 5.5.3).
    fn queue(&self, payload: Bytes);
}

/// The reading side of one connection.
pub(super) struct Reader<P> {
    actors: Arc<Registries>,
    context: Arc<BrokerContext>,
    connection: Arc<Connection>,
    session: Addr<Session>,
    pongs: P,
    guard: FrameGuard,
    reassembler: Reassembler,
    codec: Codec,
    buffer: BytesMut,
    requests: Arc<Semaphore>,
    logged_in: bool,
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

impl<P: PongSink> Reader<P> {
    /// Makes the reader of a new connection, and starts its session.
    pub(super) fn new(actors: Arc<Registries>, connection: Arc<Connection>, pongs: P) -> Self {
        let context = actors.context.clone();
        let server = &context.config().server;
        let session = Session::new(actors.clone(), connection.clone()).start();
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
            actors,
            context,
            connection,
            session,
            pongs,
        }
    }

    /// Buffers what came, unless it breaks a limit.
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
        self.guard.check(chunk).map_err(|error| ReadEnd::Close(code_of_guard(&error)))?;
        self.buffer.extend_from_slice(chunk);
        Ok(())
    }

    /// Dispatches every whole frame of what was received, and waits for the session to take each.
    ///
    /// # Errors
    /// [`ReadEnd`]: nothing more is to be read.
    pub(super) async fn dispatch_frames(&mut self) -> Result<(), ReadEnd> {
        while let Some(frame) = self.codec.decode(&mut self.buffer).map_err(|_| ReadEnd::Close(CloseCode::Malformed))? {
            self.frame(frame).await?;
        }
        if self.buffer.is_empty() {
            // A client that is silent now must not hold what its largest frame needed.
            self.buffer = BytesMut::new();
        }
        Ok(())
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), ReadEnd> {
        match frame {
            Frame::Ping(payload) => self.pongs.queue(payload),
            Frame::Pong(_) => {}
            Frame::Close(_) => {
                self.connection.outbox.close(1000, "client");
                return Err(ReadEnd::Close(CloseCode::Logout));
            }
            data => match self.reassembler.take(data).map_err(|error| ReadEnd::Close(code_of_reassembly(&error)))? {
                Assembled::Message(text) => {
                    // Checked by the reassembler; an error here would be its.
                    let text = ByteString::try_from(text).map_err(|_| ReadEnd::Close(CloseCode::Malformed))?;
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
            self.actors.users.send(&identity.user, ended).await;
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
