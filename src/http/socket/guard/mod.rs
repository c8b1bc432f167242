//! Stands between the socket and the WebSocket codec, and refuses a frame by its header.
//!
//! The codec checks a frame's length only when the whole frame has arrived, and buffers without bound until then: a
//! claim of 2^40 bytes, endless empty pongs or endless fragments cost memory one to one.
//! [`FrameGuard`] reads headers as their bytes come, however they are cut, and says no before the payload is awaited.
//! It keeps no payload but that of a close frame, which it judges. After it said no once it says the same for ever: the
//! connection is to be closed.

mod close_frame;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use self::close_frame::CloseFrame;
use crate::clock::Clock;

/// The longest payload of a ping, pong or close. Source: RFC 6455, 5.5.
const CONTROL_BYTES_MAX: u64 = 125;
/// The longest payload of a frame that any setting can allow; above it, no WebSocket of ours could be meant.
const PAYLOAD_BYTES_MAX: u64 = 16_777_216;
const MASK_BYTES: usize = 4;

/// What one connection may send. The codec's own limit must be at least `frame_bytes_max`.
#[derive(Debug, Clone)]
pub(super) struct GuardLimits {
    /// Payload of one data frame.
    pub frame_bytes_max: usize,
    /// Payload of one message, over all its fragments.
    pub message_bytes_max: usize,
    /// Fragments of one message; a message in one frame is always allowed.
    pub fragments_max: u32,
    /// Pings, pongs and closes within one second.
    pub control_frames_per_second_max: u32,
    /// For the second.
    pub clock: Arc<dyn Clock>,
}

/// Why the connection is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(super) enum GuardError {
    /// A frame, or a message by the sum of its fragments, claims more than allowed.
    #[error("frame or message is {bytes} bytes, the limit is {bytes_max}")]
    TooLong {
        /// What it claims.
        bytes: u64,
        /// The limit it breaks.
        bytes_max: u64,
    },
    /// A frame claims more than any setting allows.
    #[error("frame is {bytes} bytes, and none may be above {PAYLOAD_BYTES_MAX}")]
    TooBig {
        /// What it claims.
        bytes: u64,
    },
    /// A message in more fragments than allowed.
    #[error("message has more fragments than allowed")]
    TooManyFragments,
    /// More pings, pongs and closes in a second than allowed.
    #[error("more control frames than allowed")]
    TooManyControlFrames,
    /// The protocol is text only.
    #[error("binary frames are not supported")]
    Binary,
    /// The words of a close frame are not UTF-8. Source: RFC 6455, 5.5.1.
    #[error("reason of a close is not utf-8")]
    CloseNotUtf8,
    /// Not what RFC 6455 allows a client to send.
    #[error("{0}")]
    Protocol(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    Text,
    Continuation,
    Close,
    /// A ping or a pong.
    Liveness,
}

/// Where in a frame the next byte belongs.
#[derive(Debug, Clone, Copy)]
enum HeaderState {
    First,
    Second { kind: FrameKind, fin: bool },
    Length { kind: FrameKind, fin: bool, left: u8, value: u64 },
    Mask { left: usize, payload: u64 },
    Payload { left: u64 },
}

/// A message of which a fragment came and the last did not.
#[derive(Debug, Clone, Copy)]
struct Fragmented {
    bytes: u64,
    fragments: u32,
}

/// Reads frame headers out of a client's byte stream and enforces [`GuardLimits`].
#[derive(Debug)]
pub(super) struct FrameGuard {
    limits: GuardLimits,
    state: HeaderState,
    fragmented: Option<Fragmented>,
    control_second: Duration,
    control_frames: u32,
    refused: Option<GuardError>,
    /// The close frame whose mask or payload is arriving.
    close: Option<CloseFrame>,
    /// Where in the chunk that is being read its newest frame begins; 0 for one that began before it.
    frame_start: usize,
}

impl FrameGuard {
    /// Makes a guard for a connection of which no frame was read yet.
    #[must_use]
    pub(super) fn new(limits: GuardLimits) -> Self {
        let control_second = limits.clock.elapsed();
        Self {
            limits,
            state: HeaderState::First,
            fragmented: None,
            control_second,
            control_frames: 0,
            refused: None,
            close: None,
            frame_start: 0,
        }
    }

    /// Sets other sizes from the next header on: before login little is allowed, after it more.
    pub(super) fn set_limits(&mut self, frame_bytes_max: usize, message_bytes_max: usize) {
        self.limits.frame_bytes_max = frame_bytes_max;
        self.limits.message_bytes_max = message_bytes_max;
    }

    /// Judges the next bytes of the stream; call it before they are buffered.
    ///
    /// # Errors
    /// [`GuardError`] as soon as a header shows it, and again on each later call.
    pub(super) fn check(&mut self, chunk: &[u8]) -> Result<(), GuardError> {
        self.frame_start = 0;
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        self.read(chunk).inspect_err(|error| self.refused = Some(error.clone()))
    }

    /// Returns how many bytes of the chunk that was refused belong to frames before the one that is against the rules.
    pub(super) fn intact(&self) -> usize {
        self.frame_start
    }

    fn read(&mut self, whole: &[u8]) -> Result<(), GuardError> {
        let mut chunk = whole;
        loop {
            if let HeaderState::Payload { left } = self.state {
                let taken = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
                let (payload, rest) = chunk.split_at(taken);
                chunk = rest;
                let left = left - taken as u64;
                self.read_payload(payload, left)?;
                self.state = if left == 0 { HeaderState::First } else { HeaderState::Payload { left } };
            }
            let Some((byte, rest)) = chunk.split_first() else { return Ok(()) };
            if matches!(self.state, HeaderState::First) {
                self.frame_start = whole.len() - chunk.len();
            }
            chunk = rest;
            self.state = self.read_header_byte(*byte)?;
        }
    }

    /// Judges the payload of a close frame once all of it is there; any other is of no interest.
    fn read_payload(&mut self, payload: &[u8], left: u64) -> Result<(), GuardError> {
        let Some(close) = &mut self.close else { return Ok(()) };
        close.extend(payload);
        if left > 0 {
            return Ok(());
        }
        self.close.take().map_or(Ok(()), CloseFrame::check)
    }

    fn read_header_byte(&mut self, byte: u8) -> Result<HeaderState, GuardError> {
        match self.state {
            HeaderState::First => self.read_first(byte),
            HeaderState::Second { kind, fin } => {
                if byte & 0x80 == 0 {
                    return Err(GuardError::Protocol("client frame is not masked"));
                }
                match byte & 0x7f {
                    126 => Ok(HeaderState::Length { kind, fin, left: 2, value: 0 }),
                    127 => Ok(HeaderState::Length { kind, fin, left: 8, value: 0 }),
                    short => self.begin_payload(kind, fin, u64::from(short)),
                }
            }
            HeaderState::Length { kind, fin, left, value } => {
                let value = value << 8 | u64::from(byte);
                match left - 1 {
                    0 => self.begin_payload(kind, fin, value),
                    left => Ok(HeaderState::Length { kind, fin, left, value }),
                }
            }
            HeaderState::Mask { left, payload } => {
                if let Some(close) = &mut self.close {
                    close.mask(byte);
                }
                match left - 1 {
                    0 => Ok(HeaderState::Payload { left: payload }),
                    left => Ok(HeaderState::Mask { left, payload }),
                }
            }
            HeaderState::Payload { left } => Ok(HeaderState::Payload { left }),
        }
    }

    fn read_first(&mut self, byte: u8) -> Result<HeaderState, GuardError> {
        if byte & 0x70 != 0 {
            return Err(GuardError::Protocol("reserved bit is set"));
        }
        let fin = byte & 0x80 != 0;
        let kind = match byte & 0x0f {
            0x0 if self.fragmented.is_none() => return Err(GuardError::Protocol("continuation without a start")),
            0x0 => FrameKind::Continuation,
            0x1 if self.fragmented.is_some() => return Err(GuardError::Protocol("new message inside a fragmented one")),
            0x1 => FrameKind::Text,
            0x2 => return Err(GuardError::Binary),
            0x8..=0xa if !fin => return Err(GuardError::Protocol("control frame is fragmented")),
            0x8..=0xa => {
                self.count_control_frame()?;
                if byte & 0x0f == 0x8 { FrameKind::Close } else { FrameKind::Liveness }
            }
            _ => return Err(GuardError::Protocol("reserved opcode")),
        };
        Ok(HeaderState::Second { kind, fin })
    }

    fn count_control_frame(&mut self) -> Result<(), GuardError> {
        let now = self.limits.clock.elapsed();
        if now.saturating_sub(self.control_second) >= Duration::from_secs(1) {
            self.control_second = now;
            self.control_frames = 0;
        }
        if self.control_frames >= self.limits.control_frames_per_second_max {
            return Err(GuardError::TooManyControlFrames);
        }
        self.control_frames += 1;
        Ok(())
    }

    /// Refuses, now that the length is known, everything that can be refused; the mask and the payload are only counted.
    fn begin_payload(&mut self, kind: FrameKind, fin: bool, bytes: u64) -> Result<HeaderState, GuardError> {
        if matches!(kind, FrameKind::Close | FrameKind::Liveness) {
            if bytes > CONTROL_BYTES_MAX {
                return Err(GuardError::Protocol("control frame is longer than 125 bytes"));
            }
            self.close = (kind == FrameKind::Close).then(CloseFrame::default);
        } else {
            if bytes > PAYLOAD_BYTES_MAX {
                return Err(GuardError::TooBig { bytes });
            }
            within(bytes, self.limits.frame_bytes_max)?;
            let before = self.fragmented.unwrap_or(Fragmented { bytes: 0, fragments: 0 });
            let message = Fragmented { bytes: before.bytes.saturating_add(bytes), fragments: before.fragments.saturating_add(1) };
            within(message.bytes, self.limits.message_bytes_max)?;
            if message.fragments > self.limits.fragments_max.max(1) {
                return Err(GuardError::TooManyFragments);
            }
            self.fragmented = (!fin).then_some(message);
        }
        Ok(HeaderState::Mask { left: MASK_BYTES, payload: bytes })
    }
}

fn within(bytes: u64, bytes_max: usize) -> Result<(), GuardError> {
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    if bytes > bytes_max { Err(GuardError::TooLong { bytes, bytes_max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
