use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use proptest::prelude::*;

use super::*;
use crate::clock::ManualClock;
use crate::model::Priority;

const LOW: Lossy = Lossy::Barrage(Priority::Low);
const MEDIUM: Lossy = Lossy::Barrage(Priority::Medium);
const HIGH: Lossy = Lossy::Barrage(Priority::High);
const CLASSES: [Lossy; 4] = [LOW, MEDIUM, HIGH, Lossy::Command];
const LIMITS: OutboxLimits = OutboxLimits { reliable_bytes_max: 1000, reliable_frames_max: 10, lossy_bytes_max: 400 };

#[derive(Default)]
struct WakeCount(AtomicUsize);

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl WakeCount {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// An outbox, its clock, and a drain that counts how often it is woken.
struct Bench {
    outbox: Outbox,
    clock: Arc<ManualClock>,
    woken: Arc<WakeCount>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(0));
        Self { outbox: Outbox::new(LIMITS, clock.clone()), clock, woken: Arc::default() }
    }

    fn poll(&self, bytes_max: usize) -> (Poll<Drain>, Vec<String>) {
        let mut out = Vec::new();
        let waker = Waker::from(self.woken.clone());
        let polled = self.outbox.poll_drain(&mut Context::from_waker(&waker), bytes_max, &mut out);
        (polled, out.iter().map(|frame| frame.trim_end().to_owned()).collect())
    }

    fn reliable(&self, text: &str) -> Push {
        self.outbox.push(text.into())
    }

    /// Pushes a lossy frame of 100 bytes, so that four fit.
    fn lossy(&self, class: Lossy, text: &str) -> Dropped {
        self.outbox.push_lossy(class, format!("{text:100}").into(), 1).1
    }
}

fn barrage(low: u32, medium: u32, high: u32) -> Dropped {
    Dropped { barrage: [low, medium, high], command: 0 }
}

const CLOSED_SLOW: Poll<Drain> = Poll::Ready(Drain::Closed { code: SLOW, reason: "slow consumer" });

#[test]
fn frames_leave_in_order_reliable_before_command_before_barrage_by_priority() {
    let bench = Bench::new();
    for (class, text) in [(LOW, "low"), (HIGH, "high"), (MEDIUM, "medium"), (Lossy::Command, "command")] {
        assert!(bench.lossy(class, text).is_empty());
    }
    for text in ["a", "b", "c"] {
        assert_eq!(bench.reliable(text), Push::Queued);
    }
    assert_eq!(bench.outbox.waiting_bytes(), 403);
    assert_eq!(bench.outbox.waiting_frames(), 7);
    let (polled, out) = bench.poll(usize::MAX);
    assert_eq!(polled, Poll::Ready(Drain::Frames));
    assert_eq!(out, ["a", "b", "c", "command", "high", "medium", "low"]);
    assert_eq!(bench.outbox.waiting_bytes(), 0);
    assert_eq!(bench.poll(usize::MAX), (Poll::Pending, vec![]));
}

#[test]
fn a_drain_stops_at_its_byte_budget_but_takes_at_least_one_frame() {
    let bench = Bench::new();
    for text in ["aaaa", "bbbb", "cccc"] {
        let _queued = bench.reliable(text);
    }
    let _ = bench.lossy(LOW, "low");
    assert_eq!(bench.poll(8).1, ["aaaa", "bbbb"]);
    assert_eq!(bench.poll(0).1, ["cccc"]);
    assert_eq!(bench.poll(1).1, ["low"]);
}

#[test]
fn more_frames_or_bytes_than_allowed_close_the_session_as_slow_and_free_its_memory() {
    let (frames, bytes) = (Bench::new(), Bench::new());
    for bench in [&frames, &bytes] {
        let _ = bench.lossy(MEDIUM, "medium");
    }
    for n in 0..LIMITS.reliable_frames_max {
        assert_eq!(frames.reliable(&n.to_string()), Push::Queued);
    }
    assert_eq!(frames.reliable("one too many"), Push::Closed);
    assert_eq!(bytes.reliable(&"b".repeat(1000)), Push::Queued);
    assert_eq!(bytes.reliable("b"), Push::Closed);
    for bench in [&frames, &bytes] {
        assert!(bench.outbox.is_closed());
        assert_eq!((bench.outbox.waiting_bytes(), bench.outbox.waiting_frames()), (0, 0));
        assert_eq!(bench.outbox.take_dropped_since_last(), Some(barrage(0, 1, 0)));
        assert_eq!(bench.reliable("late"), Push::Closed);
        assert_eq!(bench.poll(usize::MAX), (CLOSED_SLOW, vec![]));
        assert_eq!(bench.poll(usize::MAX), (CLOSED_SLOW, vec![]), "and again");
    }
}

#[test]
fn the_oldest_of_the_lowest_class_is_evicted_first() {
    let bench = Bench::new();
    for (class, text) in [(Lossy::Command, "command"), (LOW, "low 1"), (LOW, "low 2"), (MEDIUM, "medium")] {
        assert!(bench.lossy(class, text).is_empty());
    }
    assert_eq!(bench.lossy(HIGH, "high 1"), barrage(1, 0, 0));
    assert_eq!(bench.lossy(LOW, "low 3"), barrage(1, 0, 0), "the oldest of the frame's own class");
    assert_eq!(bench.lossy(HIGH, "high 2"), barrage(1, 0, 0));
    assert_eq!(bench.lossy(LOW, "low 4"), barrage(1, 0, 0), "lower than everything queued: itself");
    assert_eq!(bench.lossy(Lossy::Command, "command 2"), barrage(0, 1, 0));
    assert_eq!(bench.lossy(Lossy::Command, "command 3"), barrage(0, 0, 1));
    assert_eq!(bench.poll(usize::MAX).1, ["command", "command 2", "command 3", "high 2"]);
    assert_eq!(bench.outbox.dropped_total(), Dropped64 { barrage: [4, 1, 1], command: 0 });
    assert_eq!(bench.outbox.take_dropped_since_last(), Some(barrage(4, 1, 1)));
    assert_eq!(bench.outbox.take_dropped_since_last(), None);
}

#[test]
fn commands_are_evicted_when_no_barrage_is_left() {
    let bench = Bench::new();
    for n in 0..4 {
        let _ = bench.lossy(Lossy::Command, &n.to_string());
    }
    assert_eq!(bench.lossy(HIGH, "high"), barrage(0, 0, 1));
    assert_eq!(bench.lossy(Lossy::Command, "4"), Dropped { command: 1, ..Dropped::default() });
    assert_eq!(bench.poll(usize::MAX).1, ["1", "2", "3", "4"]);
}

#[test]
fn a_frame_that_cannot_fit_takes_nothing_with_it() {
    let bench = Bench::new();
    let _ = bench.lossy(LOW, "low");
    let _ = bench.lossy(HIGH, "high");
    assert_eq!(bench.outbox.push_lossy(MEDIUM, "m".repeat(350).into(), 7).1, barrage(0, 7, 0), "high stands in its way");
    assert_eq!(bench.outbox.push_lossy(Lossy::Command, "c".repeat(401).into(), 3).1, Dropped { command: 3, ..Dropped::default() });
    assert_eq!(bench.poll(usize::MAX).1, ["high", "low"]);
}

#[test]
fn empty_lossy_frames_are_bounded_too() {
    let bench = Bench::new();
    for _ in 0..10_000 {
        let _counted_elsewhere = bench.outbox.push_lossy(LOW, ByteString::new(), 1);
    }
    assert_eq!(bench.outbox.waiting_frames(), LIMITS.lossy_bytes_max / lossy::LOSSY_FRAME_BYTES_MIN);
}

#[test]
fn a_flood_wakes_a_sleeping_drain_once() {
    let bench = Bench::new();
    let _queued = bench.reliable("before the first poll");
    assert_eq!(bench.woken.get(), 0);
    assert!(bench.poll(usize::MAX).0.is_ready());
    let _queued = bench.reliable("while it is awake");
    assert_eq!(bench.woken.get(), 0);
    assert!(bench.poll(usize::MAX).0.is_ready());
    assert!(bench.poll(usize::MAX).0.is_pending());
    for n in 0..1000 {
        let _ = bench.lossy(LOW, &n.to_string());
    }
    let _queued = bench.reliable("a");
    assert_eq!(bench.woken.get(), 1);
    assert!(bench.poll(usize::MAX).0.is_ready());
    assert!(bench.poll(usize::MAX).0.is_pending());
    bench.outbox.close(4000, "shutdown");
    bench.outbox.close(4001, "again");
    assert_eq!(bench.woken.get(), 2);
}

#[test]
fn a_drain_that_polls_without_being_woken_counts_as_awake() {
    let bench = Bench::new();
    assert!(bench.poll(usize::MAX).0.is_pending());
    let _queued = bench.reliable("a");
    let _polled = bench.poll(usize::MAX);
    assert!(bench.poll(usize::MAX).0.is_pending());
    assert!(bench.poll(usize::MAX).0.is_pending());
    let _queued = bench.reliable("b");
    let _queued = bench.reliable("c");
    assert_eq!(bench.woken.get(), 2);
}

#[test]
fn what_waits_at_a_close_is_delivered_and_nothing_after_it() {
    let bench = Bench::new();
    let _queued = bench.reliable("a");
    let _ = bench.lossy(LOW, "low");
    bench.outbox.close(4500, "kicked");
    bench.outbox.close(4000, "shutdown");
    assert_eq!(bench.reliable("late"), Push::Closed);
    assert_eq!(bench.lossy(HIGH, "late"), barrage(0, 0, 1));
    assert_eq!(bench.poll(1), (Poll::Ready(Drain::Frames), vec!["a".to_owned()]));
    assert_eq!(bench.poll(1), (Poll::Ready(Drain::Frames), vec!["low".to_owned()]));
    assert_eq!(bench.poll(1), (Poll::Ready(Drain::Closed { code: 4500, reason: "kicked" }), vec![]));
    assert_eq!(bench.outbox.closed(), Some(Closed { code: 4500, reason: "kicked", at: Duration::ZERO }));
}

#[test]
fn discard_drops_what_waits_and_counts_it() {
    let bench = Bench::new();
    let _queued = bench.reliable("a");
    let _ = bench.lossy(LOW, "low");
    bench.outbox.close(4000, "shutdown");
    bench.outbox.discard(SLOW, "stuck at shutdown");
    assert_eq!(bench.outbox.waiting_bytes(), 0);
    assert_eq!(bench.outbox.dropped_total().barrage, [1, 0, 0]);
    assert_eq!(bench.poll(1).0, Poll::Ready(Drain::Closed { code: 4000, reason: "shutdown" }));
}

#[test]
fn progress_stands_still_only_while_something_waits_and_nobody_takes_it() {
    let bench = Bench::new();
    let seconds = Duration::from_secs;
    bench.clock.advance(seconds(10));
    assert_eq!(bench.outbox.last_progress(), seconds(10), "empty");
    let _queued = bench.reliable("a");
    bench.clock.advance(seconds(5));
    let _queued = bench.reliable("b");
    assert_eq!(bench.outbox.last_progress(), seconds(10), "since a came");
    let _polled = bench.poll(1);
    assert_eq!(bench.outbox.last_progress(), seconds(15), "a was taken, b waits");
    bench.clock.advance(seconds(5));
    assert_eq!(bench.outbox.last_progress(), seconds(15));
    let _polled = bench.poll(1);
    bench.clock.advance(seconds(5));
    assert_eq!(bench.outbox.last_progress(), seconds(25), "empty again");
    bench.outbox.close(4000, "shutdown");
    bench.clock.advance(seconds(5));
    assert_eq!(bench.outbox.last_progress(), seconds(25), "a close nobody takes");
    let _polled = bench.poll(1);
    assert_eq!(bench.outbox.last_progress(), seconds(30));
}

struct Unpark(std::thread::Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unpark();
    }
}

#[test]
fn no_wake_up_is_lost_between_threads() {
    // One frame per turn, pushed just as the drain goes to sleep: no later frame would hide a lost wake-up.
    const TURNS: usize = 20_000;
    let outbox = Arc::new(Outbox::new(LIMITS, Arc::new(ManualClock::at(0))));
    let turn = Arc::new(AtomicUsize::new(0));
    let pusher = std::thread::spawn({
        let (outbox, turn) = (outbox.clone(), turn.clone());
        move || {
            for n in 1..=TURNS {
                while turn.load(Ordering::SeqCst) < n {
                    std::thread::yield_now();
                }
                assert_eq!(outbox.push("x".into()), Push::Queued);
            }
        }
    });
    let unpark = Arc::new(Unpark(std::thread::current(), AtomicUsize::new(0)));
    let waker = Waker::from(unpark.clone());
    let mut out = Vec::new();
    for n in 1..=TURNS {
        turn.store(n, Ordering::SeqCst);
        while outbox.poll_drain(&mut Context::from_waker(&waker), 100, &mut out).is_pending() {
            let clock = crate::clock::SystemClock::new();
            while unpark.1.swap(0, Ordering::SeqCst) == 0 {
                assert!(clock.elapsed() < Duration::from_secs(10), "never woken with {} waiting", outbox.waiting_frames());
                std::thread::park_timeout(Duration::from_secs(1));
            }
        }
    }
    assert_eq!(out.len(), TURNS);
    pusher.join().unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Reliable(usize),
    Lossy { class: usize, bytes: usize, messages: u32 },
    Drain(usize),
    Close,
    Discard,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..200).prop_map(Step::Reliable),
        12 => (0usize..4, 10usize..450, 1u32..5).prop_map(|(class, bytes, messages)| Step::Lossy { class, bytes, messages }),
        6 => (0usize..600).prop_map(Step::Drain),
        1 => Just(Step::Close),
        1 => Just(Step::Discard),
    ]
}

proptest! {
    #[test]
    fn every_pushed_message_is_drained_or_counted_as_dropped(steps in prop::collection::vec(step(), 0..120)) {
        let bench = Bench::new();
        let (mut pushed, mut drained) = ([0u64; 4], [0u64; 4]);
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        let mut count = |frames: Vec<String>| {
            for frame in frames {
                // A lossy frame says its class and number of messages, a reliable one its place.
                match frame.split_once(' ') {
                    Some((class, messages)) => drained[class.parse::<usize>().unwrap()] += messages.parse::<u64>().unwrap(),
                    None => received.push(frame),
                }
            }
        };
        let mut slow = false;
        for step in steps.into_iter().chain([Step::Close]) {
            match step {
                Step::Reliable(bytes) => {
                    let text = sent.len().to_string();
                    if bench.outbox.push(format!("{text:bytes$}").into()) == Push::Queued {
                        sent.push(text);
                    }
                }
                Step::Lossy { class, bytes, messages } => {
                    pushed[class] += u64::from(messages);
                    let _counted_elsewhere = bench.outbox.push_lossy(CLASSES[class], format!("{:bytes$}", format!("{class} {messages}")).into(), messages);
                }
                Step::Drain(bytes_max) => count(bench.poll(bytes_max).1),
                Step::Close => bench.outbox.close(4000, "shutdown"),
                Step::Discard => {
                    slow = true;
                    bench.outbox.discard(4000, "gone");
                }
            }
            prop_assert!(bench.outbox.waiting_bytes() <= LIMITS.reliable_bytes_max + LIMITS.lossy_bytes_max);
        }
        while let (Poll::Ready(Drain::Frames), frames) = bench.poll(1) {
            count(frames);
        }
        slow |= bench.outbox.closed().unwrap().code == SLOW;
        let dropped = bench.outbox.dropped_total();
        let [low, medium, high] = dropped.barrage;
        for (class, dropped) in [low, medium, high, dropped.command].into_iter().enumerate() {
            prop_assert_eq!(pushed[class], drained[class] + dropped, "class {}", class);
        }
        prop_assert!(sent.starts_with(&received), "reliable frames leave in order");
        prop_assert!(slow || sent == received, "and all of them, unless the session was given up");
    }
}

#[test]
fn what_is_held_leaves_behind_what_is_released_and_counts_meanwhile() {
    let bench = Bench::new();
    assert_eq!(bench.reliable("before"), Push::Queued);
    bench.outbox.hold();
    assert_eq!(bench.reliable("live 1"), Push::Queued);
    assert_eq!(bench.poll(1000).1, ["before"], "what came before the hold goes on");
    assert!(bench.poll(1000).0.is_pending(), "what is held does not");
    assert_eq!(bench.outbox.waiting_bytes(), 6);
    assert_eq!(bench.reliable("live 2"), Push::Queued);
    assert_eq!(bench.outbox.release(vec!["answer".into(), "missed".into()]), Push::Queued);
    assert_eq!(bench.poll(1000).1, ["answer", "missed", "live 1", "live 2"]);
    assert_eq!((bench.outbox.waiting_bytes(), bench.outbox.waiting_frames()), (0, 0));
    assert_eq!(bench.reliable("later"), Push::Queued);
    assert_eq!(bench.poll(1000).1, ["later"]);
}

#[test]
fn held_and_released_frames_share_the_limits() {
    let bench = Bench::new();
    bench.outbox.hold();
    assert_eq!(bench.reliable(&"x".repeat(600)), Push::Queued);
    assert_eq!(bench.reliable(&"x".repeat(401)), Push::Closed, "held bytes count");
    let bench = Bench::new();
    bench.outbox.hold();
    assert_eq!(bench.reliable(&"x".repeat(600)), Push::Queued);
    assert_eq!(bench.outbox.release(vec!["x".repeat(401).into()]), Push::Closed);
    assert_eq!(bench.outbox.closed().map(|closed| closed.code), Some(SLOW));
    assert_eq!(bench.outbox.waiting_bytes(), 0);
    let bench = Bench::new();
    bench.outbox.hold();
    assert_eq!(bench.reliable(&"x".repeat(600)), Push::Queued);
    assert_eq!(bench.outbox.release(vec!["x".repeat(400).into()]), Push::Queued);
    assert_eq!(bench.outbox.release(Vec::new()), Push::Queued, "with nothing held it changes nothing");
}

#[test]
fn a_quiet_frame_leaves_with_the_next_one_or_when_its_time_is_over() {
    let bench = Bench::new();
    assert!(bench.poll(1000).0.is_pending());
    assert_eq!(bench.outbox.push_quietly("list".into()), Push::Queued);
    assert_eq!((bench.woken.get(), bench.outbox.waiting_frames()), (0, 1));
    assert_eq!(bench.reliable("answer"), Push::Queued);
    assert_eq!(bench.woken.get(), 1);
    assert_eq!(bench.poll(1000).1, ["list", "answer"]);
    assert!(bench.poll(1000).0.is_pending());
    bench.outbox.wake_writer();
    assert_eq!(bench.woken.get(), 1, "nothing waits");
    assert_eq!(bench.outbox.push_quietly("list".into()), Push::Queued);
    bench.outbox.wake_writer();
    assert_eq!(bench.woken.get(), 2);
    assert_eq!(bench.poll(1000).1, ["list"]);
    // One that does not fit closes the connection, and that is told at once.
    assert!(bench.poll(1000).0.is_pending());
    assert_eq!(bench.outbox.push_quietly("x".repeat(2000).into()), Push::Closed);
    assert_eq!(bench.woken.get(), 3);
}
