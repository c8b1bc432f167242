#![expect(clippy::cast_possible_truncation, reason = "the tests' numbers are small")]

use proptest::prelude::*;

use super::*;
use crate::clock::ManualClock;

const CONTINUE: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
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

/// A close frame with a mask of zeros, which leaves the payload as it is.
fn closing(code: u16, reason: &[u8]) -> Vec<u8> {
    let payload = [&code.to_be_bytes(), reason].concat();
    [&[FIN | CLOSE, 0x80 | payload.len() as u8, 0, 0, 0, 0], &payload[..]].concat()
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
        closing(1000, b"over"),
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
    let refused = Err(GuardError::TooBig { bytes: 1 << 40 });
    assert_eq!(guard.check(&claim[9..]), refused, "with the last byte of the length");
    assert_eq!(guard.check(mask), refused, "and ever after");
    assert_eq!(guard.check(&[]), refused);
    for bytes in [70_001, 16_777_216] {
        let refused = Err(GuardError::TooLong { bytes, bytes_max: 70_000 });
        assert_eq!(self::guard().check(&self::header(TEXT, bytes)), refused);
    }
    for bytes in [16_777_217, u64::from(u32::MAX), u64::MAX] {
        assert_eq!(self::guard().check(&self::header(TEXT, bytes)), Err(GuardError::TooBig { bytes }));
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
        (closing(999, b""), protocol("close code may not be sent")),
        (closing(1000, b"\xff"), GuardError::CloseNotUtf8),
        (header(FIN | 0x2, 4), GuardError::Binary),
        (header(0x2, 4), GuardError::Binary),
    ];
    for (stream, error) in cases {
        assert_eq!(guard().check(&stream), Err(error), "{stream:02x?}");
    }
}

#[test]
fn what_stands_before_the_frame_that_is_refused_is_known() {
    let (good, bad) = ([frame(FIN | TEXT, 3), frame(FIN | PING, 2)].concat(), header(FIN | 0x3, 0));
    let mut guard = guard();
    assert!(guard.check(&[&good[..], &bad].concat()).is_err());
    assert_eq!(guard.intact(), good.len());
    let (begin, rest) = good.split_at(7);
    let mut guard = self::guard();
    assert_eq!(guard.check(begin), Ok(()));
    assert!(guard.check(&[rest, &bad].concat()).is_err());
    assert_eq!(guard.intact(), rest.len(), "of a frame that began before, its rest");
    let mut guard = self::guard();
    let late = closing(1000, b"\xff");
    assert_eq!(guard.check(&[&good[..], &late[..5]].concat()), Ok(()));
    assert!(guard.check(&late[5..]).is_err());
    assert_eq!(guard.intact(), 0, "the frame began before this chunk");
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
