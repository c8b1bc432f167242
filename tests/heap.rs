//! What the process holds on to: its heap is counted, so nothing else runs here.

// It measures, and says what it measured.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::alloc::System;
use std::sync::Arc;
use std::sync::mpsc;

use cap::Cap;
use tidings::UserId;
use tidings::clock::{Clock as _, SystemClock};
use tidings::model::{Conversation, Draft, GroupId, Limits, LocalMessageId};
use tidings::store::{Append, Maintenance as _, MessageLog as _, SINGLE_NODE_EPOCH, SledOptions, SledStore};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const CONVERSATIONS: u64 = 20_000;
const MESSAGES: u64 = 350_000;
const FOUR_WEEKS_MS: u64 = 28 * 86_400_000;
const IN_FLIGHT: u64 = 4_096;
/// What a quarter of a million messages may leave behind. Pages that sled replaced and nobody freed were 230 MiB of it.
const GROWTH_MAX: usize = 64 << 20;

/// Appends so many messages, many at a time over many conversations, as a busy broker does.
fn append(store: &SledStore, clock: &SystemClock, from: u64, count: u64) {
    let (done, outcomes) = mpsc::channel();
    let group = |n: u64| GroupId::parse("groupID", &format!("group-{}", n * 7_919 % CONVERSATIONS), &Limits::default()).unwrap();
    for n in from..from + count {
        let local_id = LocalMessageId::parse("localMessageID", &format!("local-{n}")).unwrap();
        let append = Append {
            conversation: Conversation::Group(group(n)),
            epoch: SINGLE_NODE_EPOCH,
            id: n + 1,
            sender: UserId::parse("userID", "alice", &Limits::default()).unwrap(),
            draft: Draft { local_id: Some(local_id), ..Draft::text("m".repeat(200)) },
            asked: None,
            now_ms: clock.wall_ms() - (MESSAGES - n) * (FOUR_WEEKS_MS / MESSAGES),
        };
        let done = done.clone();
        store.append(append, Box::new(move |outcome| done.send(outcome.map(drop)).unwrap()));
        if n >= from + IN_FLIGHT {
            outcomes.recv().unwrap().unwrap();
        }
    }
    outcomes.iter().take(usize::try_from(count.min(IN_FLIGHT)).unwrap()).for_each(Result::unwrap);
}

#[test]
fn a_busy_store_gives_back_what_it_replaced() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(SystemClock::new()));
    let options = SledOptions { ballast_bytes: 0, retention_days: 365, ..SledOptions::new(folder.path().join("store")) };
    let store = SledStore::open(options, clock.clone()).unwrap();
    let first = MESSAGES * 2 / 7;
    append(&store, &clock, 0, first);
    let before = HEAP.allocated();
    append(&store, &clock, first, MESSAGES - first);
    let growth = HEAP.allocated().saturating_sub(before);
    println!("{} MiB after {first} messages, {} MiB more after {MESSAGES}", before >> 20, growth >> 20);
    assert!(growth <= GROWTH_MAX, "{growth} bytes");
    store.close().unwrap();
}
