//! The way down: in order, bounded in time, and only once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::builder::CoreThread;
use crate::actors::core::Core;
use crate::actors::link::Link;
use crate::model::UserId;
use crate::protocol::CloseCode;
use crate::store::RowWrite;

/// How often the way down looks whether a step is done. Only a shutdown waits by looking.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Rows written together on the way down.
const ROWS_AT_ONCE: usize = 256;

/// What a shutdown left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Writes that had no outcome when the grace was over; their senders were told nothing.
    pub writes_unfinished: usize,
    /// Connections that did not end by themselves and were cut.
    pub connections_cut: usize,
}

impl ShutdownReport {
    /// Whether everything ended by itself.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) async fn shutdown(core: &Arc<Core>, thread: &CoreThread, grace: Duration) -> ShutdownReport {
    let first = !core.draining.swap(true, Ordering::SeqCst);
    if first {
        let (report, outcome) = oneshot::channel();
        let its_core = core.clone();
        let going_down = async move {
            if report.send(drain(&its_core, grace).await).is_err() {
                tracing::debug!("nobody waits for the shutdown's report");
            }
        };
        if core.arbiter.spawn(going_down) {
            let report = outcome.await.unwrap_or_default();
            thread.stop();
            thread.stopped().await;
            return report;
        }
    }
    thread.stopped().await;
    ShutdownReport::default()
}

async fn drain(core: &Core, grace: Duration) -> ShutdownReport {
    let half = grace / 2;
    // Answers first: whoever was promised one gets it before the close.
    let answered = timeout(half, until(|| core.archive.in_flight() == 0)).await;
    if answered.is_err() {
        tracing::warn!(writes = core.archive.in_flight(), "writes did not finish within the grace");
    }
    // Two ticks: what became durable last is still gathered by its conversation.
    sleep(Duration::from_millis(core.config.batch.tick_ms * 2)).await;
    let writes_unfinished = core.archive.in_flight();
    note_where_users_are(core).await;
    for link in core.links.all() {
        link.close(CloseCode::Shutdown);
    }
    let ended = timeout(half, until(|| core.links.count() == 0)).await;
    let connections_cut = core.links.count();
    if ended.is_err() {
        tracing::info!(connections = connections_cut, "cutting connections that did not end");
        for link in core.links.all() {
            link.cut();
        }
    }
    let store = core.store.clone();
    if tokio::task::spawn_blocking(move || store.close()).await.is_err() {
        tracing::error!("closing the store ended unexpectedly");
    }
    ShutdownReport { writes_unfinished, connections_cut }
}

/// So that a user who comes back without a cursor is not told again what this process delivered.
async fn note_where_users_are(core: &Core) {
    let has = |link: Arc<Link>| Some((link.identity()?.user.clone(), link.has_up_to(&core.handed)));
    let users: Vec<(UserId, u64)> = HashMap::<UserId, u64>::from_iter(core.links.all().into_iter().filter_map(has)).into_iter().collect();
    for some in users.chunks(ROWS_AT_ONCE) {
        let rows = some.iter().map(|(user, commit)| RowWrite::PutLeftAt(user.clone(), *commit)).collect();
        if let Err(refusal) = core.archive.apply(rows).await {
            tracing::debug!(%refusal, "where users are could not be noted");
            return;
        }
    }
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        sleep(LOOK_EVERY).await;
    }
}
