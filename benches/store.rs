//! What does the disk cost: how long does a commit take, and how long a page of history?
//!
//! - `commit`: 1, 32 and 256 appends of 200 bytes of text that share one flush with its `fdatasync`, over 16 groups.
//!   From the moment the writer is free to the last outcome; time per flush, throughput per message.
//! - `page`: the newest 100 of 100,000 messages in one conversation, and 100 from its middle. Decoded, from sled's cache.
//!
//! sled in a temporary folder (`TMPDIR` says where): the figures are those of that disk.

// It measures, and says what it measured.
#![allow(missing_docs, clippy::cast_possible_truncation, clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;
use tidings::UserId;
use tidings::clock::{Clock, SystemClock};
use tidings::model::{Conversation, Draft, GroupId, Limits, LocalMessageId};
use tidings::store::{Anchor, Append, Maintenance, MessageLog, Page, Rows, SINGLE_NODE_EPOCH, SledOptions, SledStore};

/// The writer takes no more into one batch.
const BATCH_MAX: u64 = 256;

struct World {
    store: SledStore,
    clock: Arc<SystemClock>,
    alice: UserId,
    last_id: u64,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(SystemClock::new()));
        let store = SledStore::open(SledOptions::new(folder.path().join("store")), clock.clone()).unwrap();
        let alice = UserId::parse("userID", "alice", &Limits::default()).unwrap();
        Self { store, clock, alice, last_id: 0, _folder: folder }
    }

    fn append(&mut self, conversation: &Conversation) -> Append {
        self.last_id += 1;
        let local_id = LocalMessageId::parse("localMessageID", &format!("local-{}", self.last_id)).unwrap();
        Append {
            conversation: conversation.clone(),
            epoch: SINGLE_NODE_EPOCH,
            id: self.last_id,
            sender: self.alice.clone(),
            draft: Draft { local_id: Some(local_id), ..Draft::text("m".repeat(200)) },
            asked: None,
            now_ms: self.clock.wall_ms(),
        }
    }

    /// Appends so many, to the conversations in turn, in one flush; returns how long it took.
    fn flush(&mut self, conversations: &[Conversation], count: u64) -> Duration {
        let appends: Vec<Append> = conversations.iter().cycle().take(count as usize).map(|one| self.append(one)).collect();
        // Nothing to write, so it costs no flush; but while its callback waits the writer does, and all gather behind it.
        let (held, holds) = mpsc::channel();
        let (release, released) = mpsc::channel();
        self.store.apply(
            Vec::new(),
            Box::new(move |_| {
                held.send(()).unwrap();
                released.recv().unwrap();
            }),
        );
        holds.recv().unwrap();
        let (done, outcomes) = mpsc::channel();
        for append in appends {
            let done = done.clone();
            self.store.append(append, Box::new(move |outcome| done.send(outcome.map(drop)).unwrap()));
        }
        let before = self.clock.elapsed();
        release.send(()).unwrap();
        outcomes.iter().take(count as usize).for_each(Result::unwrap);
        self.clock.elapsed() - before
    }
}

fn group_of(n: u64) -> Conversation {
    Conversation::Group(GroupId::parse("groupID", &format!("group-{n}"), &Limits::default()).unwrap())
}

fn commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    let groups: Vec<Conversation> = (0..16).map(group_of).collect();
    for appends in [1, 32, BATCH_MAX] {
        let mut world = World::new();
        world.flush(&groups, 16);
        group.throughput(Throughput::Elements(appends));
        group.bench_function(BenchmarkId::from_parameter(appends), |b| {
            let before = world.store.stats().flushes;
            let mut flushes = 0;
            b.iter_custom(|count| {
                flushes += count;
                (0..count).map(|_| world.flush(&groups, appends)).sum()
            });
            assert_eq!(world.store.stats().flushes - before, flushes, "each batch is one flush");
        });
    }
    group.finish();
}

fn page(c: &mut Criterion) {
    const MESSAGES: u64 = 100_000;
    let mut group = c.benchmark_group("page");
    let (mut world, conversation) = (World::new(), [group_of(0)]);
    let filled: Duration = (0..MESSAGES.div_ceil(BATCH_MAX)).map(|_| world.flush(&conversation, BATCH_MAX)).sum();
    println!("page: {MESSAGES} messages written in {filled:.1?}");
    group.throughput(Throughput::Elements(100));
    for (name, anchor) in [("newest 100", Anchor::End), ("100 from the middle", Anchor::Seq(MESSAGES / 2))] {
        let page = Page { anchor, backwards: true, count: 100, bytes_max: usize::MAX, first_seq: 0, viewer: None };
        assert_eq!(world.store.read(&conversation[0], page.clone()).unwrap().messages.len(), 100);
        group.bench_function(name, |b| b.iter(|| black_box(world.store.read(&conversation[0], page.clone()).unwrap())));
    }
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default().sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5))
}

criterion_group! { name = benches; config = quick(); targets = commit, page }
criterion_main!(benches);
