//! One connection as the HTTP layer reads and writes it, bare or inside TLS; and the same once it is ours.
//!
//! While the HTTP layer has it, a [`Stream`]. After the upgrade a [`RawSocket`]: the socket, and with TLS the state of its
//! encryption, which knows no socket. So a socket inside TLS is read, written and cut as a bare one is.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use actix_codec::{AsyncRead, AsyncWrite, ReadBuf};
use actix_web::rt::net::TcpStream;
use bytes::BytesMut;
use socket2::SockRef;

use super::activity::{Activity, HeadScan, Readable};
use super::handover::Handover;
use super::tracked::TrackedSocket;

/// A connection while the HTTP layer has it; see the module's documentation.
pub(in crate::http) struct Stream {
    io: Io,
    /// What was noted of it, until the HTTP layer takes it.
    connection: Mutex<Option<TrackedSocket>>,
    handover: Handover,
    activity: Option<Arc<Activity>>,
    heads: HeadScan,
    /// Whether anything was read.
    has_begun: bool,
    /// What came behind a head and may not be read yet.
    held: BytesMut,
}

/// The first byte of a TLS connection: a handshake record. Source: RFC 8446, 5.1.
const TLS_HANDSHAKE: u8 = 22;

enum Io {
    Bare(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

macro_rules! each {
    ($stream:expr, $io:ident => $call:expr) => {
        match &mut $stream.get_mut().io {
            Io::Bare(io) => {
                let $io = Pin::new(io);
                $call
            }
            #[cfg(feature = "tls")]
            Io::Tls(io) => {
                let $io = Pin::new(&mut **io);
                $call
            }
        }
    };
}

impl Stream {
    pub(in crate::http) fn bare(io: TcpStream, connection: Option<TrackedSocket>) -> Self {
        Self::new(Io::Bare(io), connection)
    }

    /// Makes the stream of a connection after its handshake.
    #[cfg(feature = "tls")]
    pub(in crate::http) fn tls(io: tokio_rustls::server::TlsStream<TcpStream>, connection: Option<TrackedSocket>) -> Self {
        Self::new(Io::Tls(Box::new(io)), connection)
    }

    fn new(io: Io, connection: Option<TrackedSocket>) -> Self {
        let activity = connection.as_ref().and_then(TrackedSocket::activity).cloned();
        let handover = Handover::default();
        Self {
            io,
            connection: Mutex::new(connection),
            handover,
            activity,
            heads: HeadScan::default(),
            has_begun: false,
            held: BytesMut::new(),
        }
    }

    /// Reads what is held back, or else from the socket.
    fn poll_read_any(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.held.is_empty() {
            return each!(self, io => io.poll_read(cx, buffer));
        }
        let count = self.held.len().min(buffer.remaining());
        buffer.put_slice(&self.held.split_to(count));
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads to the end of a head at most, and holds back what came behind it.
    fn poll_read_head(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(self.as_mut().poll_read_any(cx, buffer))?;
        let this = self.get_mut();
        let read = buffer.filled().get(before..).unwrap_or_default();
        if !std::mem::replace(&mut this.has_begun, true) && read.first() == Some(&TLS_HANDSHAKE) && matches!(this.io, Io::Bare(_)) {
            tracing::debug!("a TLS handshake came to a port that speaks plain HTTP: the client's URL is to begin with http:// or ws://");
        }
        let Some(end) = this.heads.end_of_head(read) else { return Poll::Ready(Ok(())) };
        if let Some(behind) = read.get(end..).filter(|behind| !behind.is_empty()) {
            let held = std::mem::take(&mut this.held);
            this.held = BytesMut::from(behind);
            this.held.extend_from_slice(&held);
        }
        buffer.set_filled(before + end);
        if let Some(activity) = &this.activity {
            activity.read_head();
        }
        Poll::Ready(Ok(()))
    }

    fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        self.activity.as_ref().map_or(Ok(()), |activity| activity.check(cx))
    }

    /// Notes that bytes wait which the socket does not take.
    fn note_blocked(&self) {
        if let Some(activity) = &self.activity {
            activity.blocked();
        }
    }

    /// Takes what was noted when it opened; `None` the second time.
    pub(in crate::http) fn take_connection(&self) -> Option<TrackedSocket> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns where is left what goes on with the connection after the HTTP layer.
    pub(in crate::http) fn handover(&self) -> Handover {
        self.handover.clone()
    }

    /// Returns the socket, and what was read of it and held back.
    pub(super) fn into_raw_socket(self) -> (RawSocket, BytesMut) {
        let socket = match self.io {
            Io::Bare(stream) => RawSocket {
                stream,
                #[cfg(feature = "tls")]
                tls: None,
            },
            #[cfg(feature = "tls")]
            Io::Tls(tls) => {
                let (stream, mut tls) = tls.into_inner();
                // What is to be encrypted is bounded by whoever writes, as for a bare socket.
                tls.set_buffer_limit(None);
                RawSocket { stream, tls: Some(Box::new(Mutex::new(tls))) }
            }
        };
        (socket, self.held)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        match self.activity.as_ref().map_or(Readable::Anything, |activity| activity.readable()) {
            Readable::Anything => self.poll_read_any(cx, buffer),
            Readable::OneHead => self.poll_read_head(cx, buffer),
            // An answer wakes the task.
            Readable::Nothing => Poll::Pending,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = each!(self.as_mut(), io => io.poll_write(cx, bytes));
        match (&written, &self.activity) {
            (Poll::Ready(Ok(count)), Some(activity)) => activity.wrote(bytes.get(..*count).unwrap_or(bytes)),
            (Poll::Pending, _) => self.note_blocked(),
            _ => {}
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let flushed = each!(self.as_mut(), io => io.poll_flush(cx));
        // What is encrypted and still here.
        if flushed.is_pending() {
            self.note_blocked();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => io.poll_shutdown(cx))
    }
}

/// A connection that was taken over. Read by one task, written by another of the same thread, cut from any.
pub(super) struct RawSocket {
    stream: TcpStream,
    #[cfg(feature = "tls")]
    tls: Option<Box<Mutex<rustls::ServerConnection>>>,
}

impl fmt::Debug for RawSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSocket").finish_non_exhaustive()
    }
}

/// What is read of a socket inside TLS without anything coming of it, in one go. A record of 16 KiB takes five.
#[cfg(feature = "tls")]
const READS_WITHOUT_BYTES_MAX: usize = 64;

/// The socket as rustls wants it.
#[cfg(feature = "tls")]
struct TlsIo<'a>(&'a TcpStream);

#[cfg(feature = "tls")]
impl io::Read for TlsIo<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

#[cfg(feature = "tls")]
impl io::Write for TlsIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RawSocket {
    /// Reads what is there. 0 means that the client ended its side.
    ///
    /// # Errors
    /// `WouldBlock`: nothing is there; wait with [`RawSocket::poll_read_ready`]. Else the connection is gone, or is no TLS.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return self.try_read_tls(&mut tls.lock().unwrap_or_else(PoisonError::into_inner), buffer);
        }
        self.stream.try_read(buffer)
    }

    #[cfg(feature = "tls")]
    fn try_read_tls(&self, tls: &mut rustls::ServerConnection, buffer: &mut [u8]) -> io::Result<usize> {
        use std::io::Read as _;
        for _ in 0..READS_WITHOUT_BYTES_MAX {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut TlsIo(&self.stream))? == 0 {
                return Ok(0);
            }
            if let Err(error) = tls.process_new_packets() {
                // The client is told what is wrong with it, if it still takes that.
                let _told_or_gone = tls.write_tls(&mut TlsIo(&self.stream)).is_ok();
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "nothing but empty records"))
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(cx)
    }

    /// Waits until the socket takes more.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    /// Writes what an earlier call left, and returns how much of it was taken.
    ///
    /// # Errors
    /// `WouldBlock`: wait with [`RawSocket::writable`].
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.try_write(bytes)
    }

    /// Begins to write, and returns how much was taken. Inside TLS that is all of it: what the socket did not take is kept
    /// encrypted, for [`RawSocket::flush_tls`].
    ///
    /// # Errors
    /// `WouldBlock`: nothing was taken.
    pub(super) fn begin_write(&self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            use std::io::Write as _;
            let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
            tls.writer().write_all(bytes)?;
            return match flush_tls(&mut tls, &self.stream) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
                _ => Ok(bytes.len()),
            };
        }
        // Without asking the runtime whether it knows of room: nearly always there is. When there is not, the attempt of
        // `try_write` that follows tells it so.
        SockRef::from(&self.stream).send(bytes)
    }

    /// Writes what is encrypted and still here. A bare socket has nothing such.
    ///
    /// # Errors
    /// `WouldBlock`: wait with [`RawSocket::writable`].
    pub(super) fn flush_tls(&self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return flush_tls(&mut tls.lock().unwrap_or_else(PoisonError::into_inner), &self.stream);
        }
        Ok(())
    }

    /// Says whether reading left something to write, as a change of keys does.
    pub(super) fn wants_write(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.lock().unwrap_or_else(PoisonError::into_inner).wants_write();
        }
        false
    }

    /// Queues the notice inside TLS that nothing follows; it is written by the next [`RawSocket::flush_tls`].
    pub(super) fn send_close_notify(&self) {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            tls.lock().unwrap_or_else(PoisonError::into_inner).send_close_notify();
        }
    }

    /// Ends one or both directions of the socket, whatever is queued.
    pub(super) fn shutdown(&self, how: Shutdown) {
        if let Err(error) = SockRef::from(&self.stream).shutdown(how) {
            tracing::trace!(%error, "socket was gone before it was shut");
        }
    }
}

#[cfg(feature = "tls")]
fn flush_tls(tls: &mut rustls::ServerConnection, stream: &TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(&mut TlsIo(stream)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
