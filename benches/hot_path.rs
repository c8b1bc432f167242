//! What does each step cost that every message takes, without sockets, actors and disk?
//!
//! - `encode`: an event of 1, 16 and 50 messages of 200 bytes, per level. Paid once per batch and level.
//! - `validate`: decoding and checking a `sendMessage` frame. Paid once per message.
//! - `gate`: the send quota, for one user and for 10,000 in turn; passing, and refused.
//! - `outbox`: pushing and draining frames of 300 bytes, and what a full lossy part costs. Paid once per batch and member.
//! - `budget`: a room's barrage budget below its rate, and at ten times its rate with 1, 200 and 5,000 senders.
//!
//! One thread, no contention. Unit: per iteration; throughput is per message, frame or barrage. For what they add up
//! to see `send_path` and `load`.

// It measures, and says what it measured.
#![allow(missing_docs, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidings::bench_support as steps;

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for (level, name) in steps::LEVELS.into_iter().enumerate() {
        for messages in [1, 16, 50] {
            group.throughput(Throughput::Elements(messages as u64));
            let mut encode = steps::encode_event(level, messages);
            group.bench_function(BenchmarkId::new(name, messages), |b| b.iter(|| black_box(encode())));
        }
    }
    group.finish();
}

fn validate(c: &mut Criterion) {
    let mut group = c.benchmark_group("validate");
    for (name, bytes) in [("100 B", 100), ("32 KiB", 32 * 1024)] {
        group.throughput(Throughput::Bytes(bytes as u64));
        let mut validate = steps::validate_text(bytes);
        assert_eq!(validate(), bytes, "the text is within its limit");
        group.bench_function(name, |b| b.iter(|| black_box(validate())));
    }
    group.finish();
}

fn gate(c: &mut Criterion) {
    let mut group = c.benchmark_group("gate");
    group.throughput(Throughput::Elements(1));
    for users in [1, 10_000] {
        for (outcome, quota, passes) in [("passes", u32::MAX, true), ("refused", 1, false)] {
            let mut ask = steps::send_gate(users, quota);
            // Everyone has sent before: buckets are there, small ones are empty.
            (0..users).for_each(|_| assert!(ask(), "the first send passes"));
            assert_eq!(ask(), passes, "{outcome}");
            group.bench_function(BenchmarkId::new(outcome, users), |b| b.iter(|| black_box(ask())));
        }
    }
    group.finish();
}

fn outbox(c: &mut Criterion) {
    const BYTES: usize = 300;
    let mut group = c.benchmark_group("outbox");
    for frames in [1, 64] {
        group.throughput(Throughput::Elements(frames as u64));
        let (mut reliable, mut lossy) = (steps::reliable_outbox(frames, BYTES), steps::lossy_outbox(frames, BYTES));
        assert_eq!((reliable(), lossy()), (frames, frames), "all come out");
        group.bench_function(BenchmarkId::new("reliable", frames), |b| b.iter(|| black_box(reliable())));
        group.bench_function(BenchmarkId::new("lossy", frames), |b| b.iter(|| black_box(lossy())));
    }
    let mut full = steps::full_lossy_outbox(BYTES);
    assert_eq!(full(), 1, "one in, one out");
    group.throughput(Throughput::Elements(1));
    group.bench_function("lossy, full: one evicted", |b| b.iter(|| black_box(full())));
    let mut sweep = steps::sweeping_lossy_outbox(BYTES);
    group.throughput(Throughput::Elements(u64::from(sweep())));
    group.bench_function("lossy, filled and all evicted", |b| b.iter(|| black_box(sweep())));
    group.finish();
}

fn budget(c: &mut Criterion) {
    let mut group = c.benchmark_group("budget");
    group.throughput(Throughput::Elements(1));
    for (load, senders, per_second) in [("half", 200, 500), ("tenfold", 1, 10_000), ("tenfold", 200, 10_000), ("tenfold", 5_000, 10_000)] {
        let mut ask = steps::barrage_budget(senders, per_second);
        // Past the first burst.
        let early = (0..100_000).filter(|_| ask()).count();
        let admitted = (0..100_000).filter(|_| ask()).count();
        println!("budget/{load}/{senders}: {early} of 100,000 admitted, then {admitted}");
        group.bench_function(BenchmarkId::new(load, senders), |b| b.iter(|| black_box(ask())));
    }
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default().sample_size(40).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1))
}

criterion_group! { name = benches; config = quick(); targets = encode, validate, gate, outbox, budget }
criterion_main!(benches);
