//! Deletes messages that are older than the retention, as long as the clock may be believed.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::context::BrokerContext;
use crate::actors::runtime::archive::ArchiveHandle;
use crate::clock::ClockDoubt;
use crate::model::Refusal;

/// How often the clock is compared with what was noted.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How often the time is noted, and the oldest messages are looked at.
const WORK_EVERY: Duration = Duration::from_secs(3600);

/// At most one stretch of messages is deleted in this time of running: were all our precautions wrong, somebody would notice.
const DELETE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Goes on until the actors' thread ends.
pub(crate) async fn keep_retention(context: Arc<BrokerContext>) {
    let mut retention = Retention::default();
    loop {
        retention.look(&context).await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What was done when, by the monotonic clock.
#[derive(Debug, Default)]
struct Retention {
    worked_at: Option<Duration>,
    deleted_at: Option<Duration>,
    doubted: bool,
}

impl Retention {
    async fn look(&mut self, context: &BrokerContext) {
        let now = context.clock.elapsed();
        let is_due = |last: Option<Duration>, every: Duration| last.is_none_or(|last| now.saturating_sub(last) >= every);
        let now_ms = match believed(context).await {
            Ok(now_ms) => now_ms,
            Err(doubt) => {
                if !std::mem::replace(&mut self.doubted, true) {
                    tracing::error!(wall_ms = doubt.wall_ms, expected_ms = doubt.expected_ms, "{doubt}");
                }
                return;
            }
        };
        if std::mem::take(&mut self.doubted) {
            tracing::info!("the clock is believed again; what is too old is deleted again");
        }
        if !is_due(self.worked_at, WORK_EVERY) {
            return;
        }
        self.worked_at = Some(now);
        let delete = is_due(self.deleted_at, DELETE_EVERY);
        match work(&context.archive, now_ms, delete).await {
            Ok(true) => self.deleted_at = Some(now),
            Ok(false) => {}
            Err(refusal) => tracing::warn!(%refusal, "what is older than the retention could not be deleted"),
        }
    }
}

/// Notes the time, and deletes the oldest messages if they may go; returns whether some went.
async fn work(archive: &ArchiveHandle, now_ms: u64, delete: bool) -> Result<bool, Refusal> {
    archive
        .read(move |store| {
            store.note_time(now_ms)?;
            // Of brokers that share a store one deletes.
            if delete && store.leads("retention")? { store.sweep(now_ms) } else { Ok(false) }
        })
        .await
}

/// Returns the time by which things may be deleted, after asking the store whether somebody noted the calendar's as right.
async fn believed(context: &BrokerContext) -> Result<u64, ClockDoubt> {
    let doubt = match context.clock_guard.deletion_time() {
        Ok(now_ms) => return Ok(now_ms),
        Err(doubt) => doubt,
    };
    match context.archive.read(|store| store.noted_time()).await {
        Ok(Some(noted_ms)) if context.clock_guard.accept(noted_ms) => context.clock_guard.deletion_time(),
        _ => Err(doubt),
    }
}
