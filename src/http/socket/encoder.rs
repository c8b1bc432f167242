//! Encodes what waits in an outbox as WebSocket frames.

use std::mem;
use std::task::{Context, Poll};

use actix_http::ws::{CloseReason, Codec, Message};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use tokio_util::codec::Encoder as _;

use super::inbound::Pongs;
use crate::actors::connection::outbox::{Drain, Outbox};

/// Bytes taken from an outbox at once: enough to fill a socket's buffer a few times, little enough that a slow reader
/// leaves the rest in the outbox, where it is counted and can be shed.
const DRAIN_BYTES: usize = 16 * 1024;

/// Encodes for one socket at a time and keeps its buffers between two of them.
#[derive(Default)]
pub(super) struct FrameEncoder {
    codec: Codec,
    frames: Vec<ByteString>,
    bytes: BytesMut,
}

/// What was encoded.
pub(super) enum Encoded {
    /// Pongs, frames, or both.
    Frames,
    /// The same and the close frame, after which nothing follows.
    Closed,
}

impl FrameEncoder {
    /// Forgets what was encoded before, then encodes `pongs` and what the outbox gives. `Pending` means that there is nothing
    /// to write, and that the waker of `cx` is woken once there is.
    pub(super) fn poll_encode(&mut self, cx: &mut Context<'_>, outbox: &Outbox, pongs: Option<Pongs>) -> Poll<Encoded> {
        self.bytes.clear();
        for payload in pongs.into_iter().flat_map(Pongs::into_payloads) {
            self.encode(Message::Pong(payload));
        }
        match outbox.poll_drain(cx, DRAIN_BYTES, &mut self.frames) {
            Poll::Ready(Drain::Frames) => {
                let mut frames = mem::take(&mut self.frames);
                frames.drain(..).for_each(|frame| self.encode(Message::Text(frame)));
                self.frames = frames;
                Poll::Ready(Encoded::Frames)
            }
            Poll::Ready(Drain::Closed { code, reason }) => {
                self.encode(Message::Close(Some(CloseReason { code: code.into(), description: Some(reason.to_owned()) })));
                Poll::Ready(Encoded::Closed)
            }
            Poll::Pending if self.bytes.is_empty() => Poll::Pending,
            Poll::Pending => Poll::Ready(Encoded::Frames),
        }
    }

    /// Returns what was encoded last.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns what was encoded last and keeps no buffer: for an encoder that serves one socket only.
    pub(super) fn take(&mut self) -> Bytes {
        self.frames = Vec::new();
        mem::take(&mut self.bytes).freeze()
    }

    fn encode(&mut self, message: Message) {
        if let Err(error) = self.codec.encode(message, &mut self.bytes) {
            tracing::error!(%error, "a frame could not be encoded");
        }
    }
}
