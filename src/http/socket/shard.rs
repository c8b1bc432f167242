//! Writes for all sockets of one worker thread.
//!
//! One task per thread instead of one per connection: what is delivered to a thousand members wakes it once, and a
//! member then costs a look at its outbox and its one system call, not a wake-up, a poll and a pass of the scheduler.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::wire::{FrameEncoder, Wire};
use crate::actors::core::Core;

/// Sockets written before others of the thread have a turn: readers, sessions, the pages.
const WIRES_PER_TURN: usize = 32;

#[derive(Default)]
struct ReadyWires {
    wires: Vec<Arc<Wire>>,
    /// When the first of them came, of the clock's `elapsed`.
    since: Duration,
    /// Present only while the writer sleeps, so that a fan-out wakes it once and not per member.
    sleeper: Option<Waker>,
}

/// The sockets of one thread that have something to write.
pub(super) struct Shard {
    core: Arc<Core>,
    waiting: Mutex<ReadyWires>,
}

impl Shard {
    /// Starts the writer on the current thread; it ends with the thread's runtime.
    pub(super) fn start(core: Arc<Core>) -> Arc<Self> {
        let shard = Arc::new(Self { core, waiting: Mutex::default() });
        actix::spawn(write_loop(shard.clone()));
        shard
    }

    /// Something waits for this socket.
    pub(super) fn schedule(&self, wire: Arc<Wire>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.wires.is_empty() {
            waiting.since = self.core.clock.elapsed();
        }
        waiting.wires.push(wire);
        let sleeper = waiting.sleeper.take();
        drop(waiting);
        if let Some(waker) = sleeper {
            waker.wake();
        }
    }

    /// Swaps what waits for the empty `taken`; says since when the first of it did.
    async fn take(&self, taken: &mut Vec<Arc<Wire>>) -> Duration {
        poll_fn(|cx| {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.wires.is_empty() {
                waiting.sleeper = Some(cx.waker().clone());
                return Poll::Pending;
            }
            mem::swap(&mut waiting.wires, taken);
            Poll::Ready(waiting.since)
        })
        .await
    }
}

async fn write_loop(shard: Arc<Shard>) {
    let mut encoder = FrameEncoder::default();
    let mut taken = Vec::new();
    // Over all lists: many short ones in a row must not keep the thread either.
    let mut written = 0usize;
    loop {
        let since = shard.take(&mut taken).await;
        for wire in taken.drain(..) {
            written = written.wrapping_add(1);
            if written.is_multiple_of(WIRES_PER_TURN) {
                tokio::task::yield_now().await;
            }
            wire.flush(&mut encoder);
        }
        shard.core.pressure.wrote_late(shard.core.clock.elapsed().saturating_sub(since));
        // What the largest fan-out needed is not kept.
        taken.shrink_to(WIRES_PER_TURN);
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").finish_non_exhaustive()
    }
}
