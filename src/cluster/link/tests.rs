//! Two ends over a bus that does whatever a schedule says: each frame once and in order, or told as lost.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const LIMITS: LinkLimits = LinkLimits {
    ring_bytes_max: 4000,
    batch_bytes_max: 200,
    window_bytes_max: 1000,
    lossy_bytes_max: 1000,
    ack_after: Duration::from_millis(20),
    resend_after: Duration::from_millis(200),
    resend_after_max: Duration::from_secs(1),
    again_after: Duration::from_millis(100),
    hello_after: Duration::from_secs(1),
};

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn ends() -> (Link, Link) {
    (Link::new(1, 2, 1, LIMITS, at(0)), Link::new(2, 1, 1, LIMITS, at(0)))
}

fn payload(n: usize) -> Bytes {
    Bytes::from(format!("{n}"))
}

/// Sends everything both have to send at a time, without loss; returns what the second got.
fn exchange(one: &mut Link, two: &mut Link, now: Duration) -> Received {
    let mut got = Received::default();
    loop {
        let (there, back) = (one.outgoing(now), two.outgoing(now));
        if there.is_none() && back.is_none() {
            return got;
        }
        if let Some(batch) = there {
            let received = two.receive(batch, now);
            got.lost |= received.lost;
            got.payloads.extend(received.payloads);
        }
        if let Some(batch) = back {
            one.receive(batch, now);
        }
    }
}

#[test]
fn an_acknowledgement_goes_alone_after_twenty_milliseconds() {
    let (mut one, mut two) = ends();
    exchange(&mut one, &mut two, at(0));
    assert_eq!(one.push(payload(0)), 1);
    assert_eq!(exchange(&mut one, &mut two, at(1)).payloads, [payload(0)]);
    assert_eq!(one.acked(), 0);
    assert_eq!(two.due(), at(21));
    exchange(&mut one, &mut two, at(21));
    assert_eq!((one.acked(), one.ring_bytes()), (1, 0));
}

#[test]
fn an_acknowledgement_rides_on_what_is_sent_anyway() {
    let (mut one, mut two) = ends();
    exchange(&mut one, &mut two, at(0));
    one.push(payload(0));
    exchange(&mut one, &mut two, at(1));
    two.push(payload(0));
    exchange(&mut one, &mut two, at(2));
    assert_eq!(one.acked(), 1);
}

#[test]
fn a_quarter_of_the_window_is_acknowledged_at_once() {
    let (mut one, mut two) = ends();
    exchange(&mut one, &mut two, at(0));
    for n in 0..100 {
        one.push(payload(n));
    }
    let got = exchange(&mut one, &mut two, at(1));
    assert_eq!(got.payloads.len(), 100, "more than a window without time passing");
    assert!(one.acked() > 50, "{}", one.acked());
}

#[test]
fn the_last_frame_is_sent_again_when_nobody_acknowledges_it() {
    let (mut one, mut two) = ends();
    exchange(&mut one, &mut two, at(0));
    one.push(payload(0));
    assert_eq!(one.outgoing(at(1)).unwrap().frames.len(), 1, "and it is lost");
    assert!(one.outgoing(at(200)).is_none());
    assert_eq!(one.due(), at(201));
    assert_eq!(exchange(&mut one, &mut two, at(201)).payloads, [payload(0)]);
    assert_eq!(one.counts().0.resent, 1);
}

#[test]
fn sending_again_grows_rarer_and_is_one_batch() {
    let (mut one, _) = ends();
    one.outgoing(at(0)).unwrap();
    for n in 0..50 {
        one.push(payload(n));
    }
    let mut sent = Vec::new();
    for ms in 0..5000 {
        while let Some(batch) = one.outgoing(at(ms)) {
            if !batch.frames.is_empty() {
                sent.push((ms, batch.first));
            }
        }
    }
    let begun = sent.iter().filter(|(ms, _)| *ms == 0).count();
    assert!(begun > 3, "a window at first: {sent:?}");
    let again: Vec<(u64, u64)> = sent[begun..].to_vec();
    assert_eq!(again, [(200, 1), (600, 1), (1400, 1), (2400, 1), (3400, 1), (4400, 1)]);
}

#[test]
fn a_gap_is_asked_for_at_once_and_then_only_after_a_while() {
    let (mut one, mut two) = ends();
    exchange(&mut one, &mut two, at(0));
    one.push(payload(0));
    one.outgoing(at(1)).unwrap();
    one.push(payload(1));
    assert_eq!(two.receive(one.outgoing(at(2)).unwrap(), at(2)), Received::default());
    let again = two.outgoing(at(2)).unwrap();
    assert!(again.ack.again && again.ack.number == 0);
    one.push(payload(2));
    two.receive(one.outgoing(at(3)).unwrap(), at(3));
    assert!(two.outgoing(at(3)).is_none(), "it was asked for");
    one.receive(again, at(4));
    assert_eq!(exchange(&mut one, &mut two, at(4)).payloads, [payload(0), payload(1), payload(2)]);
    assert_eq!(two.counts().1.gaps, 1);
}

#[test]
fn a_payload_larger_than_a_batch_goes_in_parts() {
    let (mut one, mut two) = ends();
    let large = Bytes::from((0..=255).cycle().take(1500).collect::<Vec<u8>>());
    assert_eq!(one.push(large.clone()), 9);
    one.push(payload(1));
    one.push(Bytes::new());
    let mut got = Received::default();
    for ms in 0..100 {
        got.payloads.extend(exchange(&mut one, &mut two, at(ms)).payloads);
    }
    assert_eq!(got.payloads, [large, payload(1), Bytes::new()]);
}

#[test]
fn what_fell_out_of_the_ring_is_told_once_and_a_payload_without_its_beginning_is_none() {
    let (mut one, mut two) = ends();
    one.push(Bytes::from(vec![1; 3000]));
    one.push(Bytes::from(vec![2; 3000]));
    one.push(payload(1));
    let mut got = Received::default();
    for ms in 0..100 {
        let next = exchange(&mut one, &mut two, at(ms));
        assert!(!(got.lost && next.lost), "told twice");
        got.lost |= next.lost;
        got.payloads.extend(next.payloads);
    }
    assert!(got.lost);
    assert_eq!(got.payloads, [Bytes::from(vec![2; 3000]), payload(1)]);
    assert_eq!(one.acked(), one.last());
}

#[test]
fn a_link_opened_again_forgets_what_was_before() {
    let (mut one, mut two) = ends();
    one.push(payload(0));
    exchange(&mut one, &mut two, at(0));
    one.push(payload(1));
    let late = one.outgoing(at(1)).unwrap();
    let mut anew = Link::new(1, 2, 2, LIMITS, at(2));
    anew.push(payload(2));
    let got = exchange(&mut anew, &mut two, at(2));
    assert_eq!(got, Received { lost: true, payloads: vec![payload(2)] });
    assert_eq!(two.receive(late, at(3)), Received::default(), "it is of an earlier opening");
    // The other way round: this end forgot what it received, and the other holds it no more.
    exchange(&mut anew, &mut two, at(30));
    let mut two = Link::new(2, 1, 7, LIMITS, at(40));
    anew.push(payload(3));
    assert_eq!(exchange(&mut anew, &mut two, at(40)), Received { lost: true, payloads: vec![payload(3)] });
}

#[test]
fn acknowledgements_that_make_no_sense_change_nothing() {
    let (mut one, mut two) = ends();
    one.push(payload(0));
    let mut batch = two.outgoing(at(0)).unwrap();
    batch.ack = wire::Ack { opening: 1, number: u64::MAX, again: true };
    one.receive(batch.clone(), at(0));
    batch.to = 3;
    assert_eq!(one.receive(batch, at(0)), Received::default());
    assert_eq!((one.acked(), one.last()), (0, 1));
}

#[test]
fn lossy_frames_that_come_late_are_dropped_and_missing_ones_are_counted() {
    let mut sender = LossySender::new(1, 2, 1, LIMITS);
    let mut receiver = LossyReceiver::default();
    let mut batches = Vec::new();
    for n in 0..4 {
        assert!(sender.push(payload(n)));
        batches.extend(sender.outgoing());
    }
    assert_eq!(receiver.receive(batches[0].clone()), [payload(0)]);
    assert_eq!(receiver.receive(batches[2].clone()), [payload(2)]);
    assert!(receiver.receive(batches[1].clone()).is_empty());
    assert!(receiver.receive(batches[2].clone()).is_empty());
    assert_eq!(receiver.counts(&sender), LossyCounts { sent: 4, dropped: 0, received: 2, late: 2, missing: 1 });
    let mut anew = LossySender::new(1, 2, 2, LIMITS);
    assert!(anew.push(payload(9)));
    assert_eq!(receiver.receive(anew.outgoing().unwrap()), [payload(9)], "numbers began anew");
    assert!(receiver.receive(batches[3].clone()).is_empty(), "it is of an earlier opening");
}

#[test]
fn lossy_frames_wait_up_to_a_bound() {
    let mut sender = LossySender::new(1, 2, 1, LIMITS);
    assert!(!sender.push(Bytes::from(vec![0; 201])), "no batch holds it");
    let taken = (0..100).filter(|_| sender.push(Bytes::from(vec![0; 84]))).count();
    assert_eq!(taken, 10);
    assert_eq!(sender.clear(), 10);
    assert!(sender.push(payload(0)));
    assert_eq!(sender.outgoing().unwrap().first, 1, "what never went has no number");
    assert_eq!(sender.dropped(), 101);
}

/// What a bus does with a batch.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Deliver,
    Lose,
    Double,
    /// It comes after the next so many.
    Delay(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Deliver), 2 => Just(Fate::Lose), 1 => Just(Fate::Double), 1 => (1..5usize).prop_map(Fate::Delay)]
}

/// One direction of a bus.
#[derive(Default)]
struct Wire {
    late: VecDeque<(usize, Batch)>,
}

impl Wire {
    fn carry(&mut self, batch: Batch, fate: Fate) -> Vec<Batch> {
        let mut out = Vec::new();
        self.late.iter_mut().for_each(|(wait, _)| *wait = wait.saturating_sub(1));
        match fate {
            Fate::Deliver => out.push(batch),
            Fate::Lose => {}
            Fate::Double => out.extend([batch.clone(), batch]),
            Fate::Delay(by) => self.late.push_back((by, batch)),
        }
        while self.late.front().is_some_and(|(wait, _)| *wait == 0) {
            out.extend(self.late.pop_front().map(|(_, batch)| batch));
        }
        out
    }
}

/// What an end got: numbers rise by one, or by more when a loss was told.
#[derive(Default)]
struct Seen {
    numbers: Vec<usize>,
    may_jump: bool,
}

impl Seen {
    fn note(&mut self, got: Received) {
        self.may_jump |= got.lost;
        for payload in got.payloads {
            let number: usize = std::str::from_utf8(&payload).unwrap().trim_end_matches('.').parse().unwrap();
            let next = self.numbers.last().map_or(0, |last| last + 1);
            assert!(number == next || (self.may_jump && number > next), "{number} after {:?}", self.numbers);
            self.may_jump = false;
            self.numbers.push(number);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn each_frame_comes_once_and_in_order_or_is_told_as_lost(
        fates in proptest::collection::vec(fate(), 50..300),
        pushes in proptest::collection::vec((0..4usize, 0..400usize, 0..40u64), 20..100),
        ring in prop_oneof![Just(100_000usize), Just(900usize)],
    ) {
        let limits = LinkLimits { ring_bytes_max: ring, ..LIMITS };
        let mut ends = [Link::new(1, 2, 1, limits, at(0)), Link::new(2, 1, 1, limits, at(0))];
        let (mut wires, mut seen, mut pushed) = (<[Wire; 2]>::default(), <[Seen; 2]>::default(), [0, 0]);
        let mut fates = fates.into_iter();
        let mut now = 0;
        let idle = std::iter::repeat_n((0, 0, 10), 2000);
        for (count, len, pause) in pushes.into_iter().chain(idle) {
            for n in 0..count {
                let side = n % 2;
                ends[side].push(Bytes::from(format!("{:.<len$}", pushed[side])));
                pushed[side] += 1;
            }
            now += pause;
            for side in 0..2 {
                while let Some(batch) = ends[side].outgoing(at(now)) {
                    // When the schedule is over the bus is a good one.
                    for batch in wires[side].carry(batch, fates.next().unwrap_or(Fate::Deliver)) {
                        seen[1 - side].note(ends[1 - side].receive(batch, at(now)));
                    }
                }
            }
        }
        for side in 0..2 {
            prop_assert_eq!(ends[side].acked(), ends[side].last(), "everything is acknowledged in the end");
            if ring > 10_000 {
                prop_assert_eq!(seen[1 - side].numbers.len(), pushed[side], "{:?}", ends[side].counts());
            }
        }
    }
}
