//! The way down: in order, bounded in time, and only once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::handle::Broker;
use super::thread::BrokerThread;
use crate::actors::context::BrokerContext;
use crate::protocol::CloseCode;
use crate::webhooks::Webhooks;

/// How often the way down looks whether a step is done. Only a shutdown waits by looking.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// What a shutdown left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Writes that had no outcome when the grace was over; their senders were told nothing.
    pub writes_unfinished: usize,
    /// Connections that did not end by themselves and were cut.
    pub connections_cut: usize,
    /// The store did not accept writes at the end, or its last flush failed: a disk that is full or broken. What was
    /// acknowledged is kept.
    pub store_failed: bool,
}

impl ShutdownReport {
    /// Says whether everything ended by itself.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

impl Broker {
    /// Stops the broker: it takes nothing new, answers what it took, tells every session to reconnect elsewhere, flushes, and
    /// releases the store. Returns after `grace` at the latest plus the time the store needs to close. The host goes on.
    /// Later calls wait for the first one's end.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        shutdown(&self.context, self.webhooks.as_ref(), &self.thread, grace).await
    }
}

async fn shutdown(context: &Arc<BrokerContext>, webhooks: Option<&Webhooks>, thread: &BrokerThread, grace: Duration) -> ShutdownReport {
    let first = !context.draining.swap(true, Ordering::SeqCst);
    if first {
        let (report, outcome) = oneshot::channel();
        let (its_context, webhooks) = (context.clone(), webhooks.cloned());
        let going_down = async move {
            let drained = drain(&its_context, webhooks, grace).await;
            if report.send(drained).is_err() {
                tracing::debug!("nobody waits for the shutdown's report");
            }
        };
        if context.arbiter.spawn(going_down) {
            let report = outcome.await.unwrap_or_default();
            thread.stop();
            thread.stopped().await;
            return report;
        }
    }
    thread.stopped().await;
    ShutdownReport::default()
}

async fn drain(context: &BrokerContext, webhooks: Option<Webhooks>, grace: Duration) -> ShutdownReport {
    let half = grace / 2;
    if let Some(nodes) = &context.nodes {
        nodes.leave();
    }
    // Answers first: whoever was promised one gets it before the close.
    let answered = timeout(half, until(|| context.requests.count() == 0 && context.archive.in_flight() == 0)).await;
    if answered.is_err() {
        let (requests, writes) = (context.requests.count(), context.archive.in_flight());
        tracing::warn!(requests, writes, "requests did not finish within the grace");
    }
    // Two ticks: what became durable last is still gathered by its conversation.
    sleep(Duration::from_millis(context.config().batch.tick_ms * 2)).await;
    for link in context.connections.all() {
        link.close(CloseCode::Shutdown);
    }
    // A session that ends writes down what its user saw.
    let ended = timeout(half, until(|| context.connections.count() == 0 && context.archive.in_flight() == 0)).await;
    let (connections_cut, writes_unfinished) = (context.connections.count(), context.archive.in_flight());
    if ended.is_err() {
        tracing::info!(connections = connections_cut, writes = writes_unfinished, "cutting what did not end");
        for link in context.connections.all() {
            link.abort();
        }
    }
    // Of several brokers each writes its journal only as long as the store knows it: what comes later its heirs tell.
    let (before, after) = if context.nodes.is_some() { (webhooks, None) } else { (None, webhooks) };
    if let Some(webhooks) = before {
        webhooks.stop(0).await;
    }
    let (store, now_ms) = (context.store.clone(), context.clock_guard.deletion_time().ok());
    let close = move || {
        // The next start compares its clock with this.
        if let Some(Err(error)) = now_ms.map(|now_ms| store.note_time(now_ms)) {
            tracing::warn!(%error, "the time of the stop could not be noted");
        }
        store.close()
    };
    let store_failed = match tokio::task::spawn_blocking(close).await {
        Ok(Ok(())) => false,
        Ok(Err(error)) => {
            tracing::error!(%error, "the store could not be flushed at the end; what was acknowledged is kept");
            true
        }
        Err(error) => {
            tracing::error!(%error, "closing the store ended unexpectedly");
            true
        }
    };
    if let Some(webhooks) = after {
        // After the store closed: every commit has its event by now.
        webhooks.stop(context.store.last_commit()).await;
    }
    if let Some(nodes) = context.nodes.clone() {
        // It waits for a thread.
        drop(tokio::task::spawn_blocking(move || nodes.stop()).await);
    }
    ShutdownReport { writes_unfinished, connections_cut, store_failed }
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        sleep(POLL_EVERY).await;
    }
}
