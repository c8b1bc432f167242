//! Stands between the socket and the WebSocket codec, and refuses a frame by its header.
//!
//! The codec checks a frame's length only when the whole frame has arrived, and buffers without bound until then: a
//! claim of 2^40 bytes, endless empty pongs or endless fragments cost memory one to one (hazards, actix-web-actors).
//! [`FrameGuard`] reads headers as their bytes come, however they are cut, and says no before the payload is awaited.
//! It keeps no payload. After it said no once it says the same for ever: the connection is to be closed.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::clock::Clock;

/// The longest payload of a ping, pong or close. Source: RFC 6455, 5.5.
const CONTROL_BYTES_MAX: u64 = 125;
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
    /// A message in more fragments than allowed.
    #[error("message has more fragments than allowed")]
    TooManyFragments,
    /// More pings, pongs and closes in a second than allowed.
    #[error("more control frames than allowed")]
    TooManyControlFrames,
    /// The protocol is text only.
    #[error("binary frames are not supported")]
    Binary,
    /// Not what RFC 6455 allows a client to send.
    #[error("{0}")]
    Protocol(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    Text,
    Continuation,
    Control,
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
}

impl FrameGuard {
    /// For a connection of which no frame was read yet.
    #[must_use]
    pub(super) fn new(limits: GuardLimits) -> Self {
        let control_second = limits.clock.elapsed();
        Self { limits, state: HeaderState::First, fragmented: None, control_second, control_frames: 0, refused: None }
    }

    /// Other sizes from the next header on: before login little is allowed, after it more.
    pub(super) fn set_limits(&mut self, frame_bytes_max: usize, message_bytes_max: usize) {
        self.limits.frame_bytes_max = frame_bytes_max;
        self.limits.message_bytes_max = message_bytes_max;
    }

    /// Judges the next bytes of the stream; call it before they are buffered.
    ///
    /// # Errors
    /// [`GuardError`] as soon as a header shows it, and again on each later call.
    pub(super) fn check(&mut self, chunk: &[u8]) -> Result<(), GuardError> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        self.read(chunk).inspect_err(|error| self.refused = Some(error.clone()))
    }

    fn read(&mut self, mut chunk: &[u8]) -> Result<(), GuardError> {
        loop {
            if let HeaderState::Payload { left } = self.state {
                let taken = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
                chunk = chunk.get(taken..).unwrap_or_default();
                let left = left - taken as u64;
                self.state = if left == 0 { HeaderState::First } else { HeaderState::Payload { left } };
            }
            let Some((byte, rest)) = chunk.split_first() else { return Ok(()) };
            chunk = rest;
            self.state = self.read_header_byte(*byte)?;
        }
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
            HeaderState::Mask { left, payload } if left > 1 => Ok(HeaderState::Mask { left: left - 1, payload }),
            HeaderState::Mask { payload, .. } | HeaderState::Payload { left: payload } => Ok(HeaderState::Payload { left: payload }),
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
                FrameKind::Control
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

    /// The length is known: everything that can be refused is refused here, the mask and the payload are only counted.
    fn begin_payload(&mut self, kind: FrameKind, fin: bool, bytes: u64) -> Result<HeaderState, GuardError> {
        if kind == FrameKind::Control {
            if bytes > CONTROL_BYTES_MAX {
                return Err(GuardError::Protocol("control frame is longer than 125 bytes"));
            }
        } else {
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
#[expect(clippy::cast_possible_truncation, reason = "the tests' numbers are small")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::ManualClock;

    const CONTINUE: u8 = 0x0;
    const TEXT: u8 = 0x1;
    const PING: u8 = 0x9;
    const PONG: u8 = 0xa;
    const FIN: u8 = 0x80;

    fn limits(clock: &Arc<ManualClock>) -> GuardLimits {
        GuardLimits {
            frame_bytes_max: 70_000,
            message_bytes_max: 100_000,
            fragments_max: 4,
            control_frames_per_second_max: 3,
            clock: clock.clone(),
        }
    }

    fn guard() -> FrameGuard {
        FrameGuard::new(limits(&Arc::new(ManualClock::at(0))))
    }

    /// The header of a masked frame as a client sends it: shortest length, some mask.
    fn header(first: u8, bytes: u64) -> Vec<u8> {
        let mut header = vec![first];
        match bytes {
            0..=125 => header.push(0x80 | bytes as u8),
            126..=0xffff => {
                header.push(0x80 | 126);
                header.extend((bytes as u16).to_be_bytes());
            }
            _ => {
                header.push(0x80 | 127);
                header.extend(bytes.to_be_bytes());
            }
        }
        header.extend([0xde, 0xad, 0xbe, 0xef]);
        header
    }

    fn frame(first: u8, bytes: usize) -> Vec<u8> {
        // Payload that looks like headers of the worst kind, should the guard lose its place.
        [header(first, bytes as u64), vec![0xff; bytes]].concat()
    }

    #[test]
    fn what_a_client_may_send_passes() {
        let stream = [
            frame(FIN | TEXT, 0),
            frame(FIN | TEXT, 125),
            frame(FIN | TEXT, 126),
            frame(FIN | TEXT, 65_535),
            frame(FIN | TEXT, 70_000),
            frame(TEXT, 60_000),
            frame(FIN | PING, 125),
            frame(CONTINUE, 0),
            frame(FIN | PONG, 0),
            frame(CONTINUE, 1),
            frame(FIN | CONTINUE, 39_999),
            frame(FIN | TEXT, 3),
            frame(FIN | 0x8, 2),
        ]
        .concat();
        assert_eq!(guard().check(&stream), Ok(()));
        for size in [1, 2, 3, 7, 64, 1000, 65_536] {
            let mut guard = guard();
            assert!(stream.chunks(size).all(|chunk| guard.check(chunk).is_ok()), "in chunks of {size}");
        }
    }

    #[test]
    fn a_claim_of_two_to_the_forty_is_refused_before_its_payload() {
        let mut guard = guard();
        let header = header(FIN | TEXT, 1 << 40);
        let (claim, mask) = header.split_at(10);
        assert_eq!(guard.check(&claim[..9]), Ok(()));
        let refused = Err(GuardError::TooLong { bytes: 1 << 40, bytes_max: 70_000 });
        assert_eq!(guard.check(&claim[9..]), refused, "with the last byte of the length");
        assert_eq!(guard.check(mask), refused, "and ever after");
        assert_eq!(guard.check(&[]), refused);
        for bytes in [70_001, u64::from(u32::MAX), u64::MAX] {
            assert!(matches!(self::guard().check(&self::header(TEXT, bytes)), Err(GuardError::TooLong { .. })), "{bytes}");
        }
    }

    #[test]
    fn the_sum_of_a_messages_fragments_is_limited_and_starts_anew_with_each_message() {
        let mut guard = guard();
        for _ in 0..10 {
            assert_eq!(guard.check(&[frame(TEXT, 50_000), frame(FIN | CONTINUE, 50_000)].concat()), Ok(()));
        }
        let one_too_many = [frame(TEXT, 50_000), header(FIN | CONTINUE, 50_001)].concat();
        assert_eq!(guard.check(&one_too_many), Err(GuardError::TooLong { bytes: 100_001, bytes_max: 100_000 }));
    }

    #[test]
    fn endless_fragments_are_refused() {
        let mut guard = guard();
        assert_eq!(guard.check(&frame(TEXT, 0)), Ok(()));
        let passed = (0..1000).take_while(|_| guard.check(&frame(CONTINUE, 0)).is_ok()).count();
        assert_eq!(passed, 3, "four fragments with the first");
        assert_eq!(guard.check(&[]), Err(GuardError::TooManyFragments));
    }

    #[test]
    fn endless_empty_pongs_are_refused_but_a_few_each_second_pass() {
        let clock = Arc::new(ManualClock::at(0));
        let mut guard = FrameGuard::new(limits(&clock));
        for _ in 0..100 {
            assert_eq!(guard.check(&frame(FIN | PONG, 0).repeat(3)), Ok(()));
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(guard.check(&frame(FIN | PONG, 0).repeat(1000)), Err(GuardError::TooManyControlFrames));
        clock.advance(Duration::from_secs(1));
        assert_eq!(guard.check(&[]), Err(GuardError::TooManyControlFrames), "a refusal stays");
    }

    #[test]
    fn what_the_protocol_forbids_is_named() {
        let protocol = GuardError::Protocol;
        let cases = [
            (vec![FIN | TEXT, 5], protocol("client frame is not masked")),
            (vec![FIN | PING, 0], protocol("client frame is not masked")),
            (header(FIN | 0x40 | TEXT, 0), protocol("reserved bit is set")),
            (header(FIN | 0x20 | TEXT, 0), protocol("reserved bit is set")),
            (header(FIN | 0x10 | TEXT, 0), protocol("reserved bit is set")),
            (header(PING, 0), protocol("control frame is fragmented")),
            (header(FIN | PING, 126), protocol("control frame is longer than 125 bytes")),
            (header(FIN | 0x8, 1 << 40), protocol("control frame is longer than 125 bytes")),
            (header(FIN | CONTINUE, 0), protocol("continuation without a start")),
            (header(FIN | TEXT, 0).into_iter().chain(header(CONTINUE, 0)).collect(), protocol("continuation without a start")),
            ([frame(TEXT, 3), header(FIN | TEXT, 3)].concat(), protocol("new message inside a fragmented one")),
            ([frame(TEXT, 3), header(TEXT, 3)].concat(), protocol("new message inside a fragmented one")),
            (header(FIN | 0x3, 0), protocol("reserved opcode")),
            (header(FIN | 0xb, 0), protocol("reserved opcode")),
            (header(FIN | 0x2, 4), GuardError::Binary),
            (header(0x2, 4), GuardError::Binary),
        ];
        for (stream, error) in cases {
            assert_eq!(guard().check(&stream), Err(error), "{stream:02x?}");
        }
    }

    #[test]
    fn limits_can_be_raised_between_frames() {
        let mut guard = guard();
        guard.set_limits(4096, 4096);
        assert_eq!(guard.check(&frame(FIN | TEXT, 4096)), Ok(()));
        guard.set_limits(70_000, 100_000);
        assert_eq!(guard.check(&frame(FIN | TEXT, 70_000)), Ok(()));
        guard.set_limits(4096, 4096);
        assert_eq!(guard.check(&header(FIN | TEXT, 4097)), Err(GuardError::TooLong { bytes: 4097, bytes_max: 4096 }));
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            8 => prop::sample::select(vec![FIN | TEXT, TEXT, CONTINUE, FIN | CONTINUE, FIN | PING, FIN | PONG]),
            1 => any::<u8>(),
        ];
        let bytes = prop_oneof![8 => 0usize..200, 1 => Just(65_600usize), 1 => Just(70_001usize)];
        (first, bytes).prop_map(|(first, bytes)| frame(first, bytes))
    }

    proptest! {
        #[test]
        fn the_verdict_does_not_depend_on_how_the_stream_is_cut(
            frames in prop::collection::vec(any_frame(), 0..12),
            cuts in prop::collection::vec(1usize..300, 1..20),
        ) {
            let stream = frames.concat();
            let whole = guard().check(&stream);
            let (mut by_byte, mut by_cut) = (guard(), guard());
            let bytewise = stream.iter().try_for_each(|byte| by_byte.check(&[*byte]));
            prop_assert_eq!(&bytewise, &whole);
            let (mut rest, mut cutwise) = (&stream[..], Ok(()));
            for cut in cuts.iter().cycle() {
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                cutwise = by_cut.check(chunk);
                rest = after;
                if rest.is_empty() || cutwise.is_err() {
                    break;
                }
            }
            prop_assert_eq!(&cutwise, &whole);
        }

        #[test]
        fn random_bytes_do_not_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..20)) {
            let mut guard = guard();
            let mut refused = false;
            for chunk in chunks {
                let verdict = guard.check(&chunk);
                prop_assert!(!refused || verdict.is_err(), "a refusal stays");
                refused = verdict.is_err();
            }
        }
    }
}
