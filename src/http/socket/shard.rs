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

use super::encoder::FrameEncoder;
use crate::actors::context::BrokerContext;

/// Sockets written before others of the thread have a turn: readers, sessions, the pages.
const WIRES_PER_TURN: usize = 32;

/// What a shard writes for.
pub(super) trait Flush: Send + Sync + 'static {
    /// Writes what waits, as far as the socket takes it; asks for another turn when there is more. Called on the shard's thread.
    fn flush(self: &Arc<Self>, encoder: &mut FrameEncoder);
}

struct Ready<W> {
    wires: Vec<Arc<W>>,
    /// When the first of them came, of the clock's `elapsed`.
    since: Duration,
    /// Present only while the writer sleeps, so that a fan-out wakes it once and not per member.
    sleeper: Option<Waker>,
}

impl<W> Default for Ready<W> {
    fn default() -> Self {
        Self { wires: Vec::new(), since: Duration::ZERO, sleeper: None }
    }
}

/// The sockets of one thread that have something to write.
pub(super) struct Shard<W> {
    context: Arc<BrokerContext>,
    ready: Mutex<Ready<W>>,
}

impl<W: Flush> Shard<W> {
    /// Starts the writer on the current thread; it ends with the thread's runtime.
    pub(super) fn start(context: Arc<BrokerContext>) -> Arc<Self> {
        let shard = Arc::new(Self { context, ready: Mutex::default() });
        actix::spawn(write_loop(shard.clone()));
        shard
    }

    /// Gives this socket a turn: something waits for it.
    pub(super) fn schedule(&self, wire: Arc<W>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.wires.is_empty() {
            ready.since = self.context.clock.elapsed();
        }
        ready.wires.push(wire);
        let sleeper = ready.sleeper.take();
        drop(ready);
        if let Some(waker) = sleeper {
            waker.wake();
        }
    }

    /// Swaps what waits for the empty `taken`, and returns since when the first of it did.
    async fn take(&self, taken: &mut Vec<Arc<W>>) -> Duration {
        poll_fn(|cx| {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            if ready.wires.is_empty() {
                ready.sleeper = Some(cx.waker().clone());
                return Poll::Pending;
            }
            mem::swap(&mut ready.wires, taken);
            Poll::Ready(ready.since)
        })
        .await
    }
}

async fn write_loop<W: Flush>(shard: Arc<Shard<W>>) {
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
        shard.context.load.wrote_late(shard.context.clock.elapsed().saturating_sub(since));
        // What the largest fan-out needed is not kept.
        taken.shrink_to(WIRES_PER_TURN);
    }
}

impl<W> fmt::Debug for Shard<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").finish_non_exhaustive()
    }
}
