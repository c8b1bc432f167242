//! Deletes what is not needed any more: uploads that stopped growing, files that no kept message carries, bytes without
//! a record.

use std::sync::Arc;
use std::time::Duration;

use super::access::carries;
use super::uploads::{self, delete_blobs};
use crate::actors::context::BrokerContext;
use crate::actors::files::{MediaService, PAGE};
use crate::model::{FileUid, MediaRecord, Refusal};
use crate::store::{RowWrite, Store, StoreError};

/// How often uploads are checked.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// After how many of these checks files are checked, too.
const FILES_EVERY: u32 = 720;

/// Messages looked at to find one that still carries a file.
const USES_MAX: usize = 100_000;

/// Sweeps for as long as the broker lives.
pub(crate) async fn keep_tidy(context: Arc<BrokerContext>) {
    // Bytes without a record may be another node's upload that is under way.
    if context.nodes.is_none() {
        delete_orphans(&context).await;
    }
    for look in 0u32.. {
        if look.is_multiple_of(FILES_EVERY)
            && leads(&context).await
            && let Err(refusal) = collect(&context).await
        {
            tracing::warn!(%refusal, "files that no message carries could not be collected");
        }
        give_up(&context);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Returns whether files are this broker's to collect: of several that share a store one does.
async fn leads(context: &BrokerContext) -> bool {
    let asked = context.archive.read(|store| store.leads("files")).await;
    asked.unwrap_or(false)
}

fn give_up(context: &BrokerContext) {
    let now = context.clock.elapsed();
    context.media.standing.forget(context.clock.wall_ms(), context.config().media.token_seconds);
    let mut quota = context.media.quota();
    quota.forget_pinned(now);
    let stale = quota.give_up_stale(now, &context.config().media);
    drop(quota);
    for upload in stale {
        tracing::debug!(file = %upload.file, has_begun = upload.has_begun(), "an upload that nobody goes on with is deleted");
    }
}

/// Deletes files that no kept message carries, unless the clock is doubted. Returns how many.
pub(crate) async fn collect(context: &Arc<BrokerContext>) -> Result<usize, Refusal> {
    let (mut last, mut deleted) = (None, 0);
    while let Ok(now_ms) = context.clock_guard.deletion_time() {
        let unsent_ms = context.config().media.unsent_seconds * 1000;
        let (next, unneeded) = context.archive.read(move |store| unneeded(store, last, now_ms, unsent_ms)).await?;
        for record in unneeded {
            deleted += usize::from(delete(context, record).await?);
        }
        let Some(next) = next else { break };
        last = Some(next);
    }
    if deleted > 0 {
        tracing::info!(files = deleted, "deleted files that no message carries any more");
    }
    Ok(deleted)
}

/// Returns those files of a page that are not needed, and where the next page begins.
fn unneeded(
    store: &dyn Store,
    last: Option<FileUid>,
    now_ms: u64,
    unsent_ms: u64,
) -> Result<(Option<FileUid>, Vec<MediaRecord>), StoreError> {
    let records = store.media_after(last, PAGE)?;
    let next = records.last().map(|record| record.file);
    let mut unneeded = Vec::new();
    for record in records {
        if !is_needed(store, &record, now_ms, unsent_ms)? {
            unneeded.push(record);
        }
    }
    Ok((next, unneeded))
}

/// Returns whether a message carries the file, or may yet.
fn is_needed(store: &dyn Store, record: &MediaRecord, now_ms: u64, unsent_ms: u64) -> Result<bool, StoreError> {
    let uses = store.media_uses(record.file, USES_MAX)?;
    if uses.is_empty() {
        return Ok(record.may_wait(now_ms, unsent_ms));
    }
    for (conversation, seq) in uses {
        if let Some(message) = store.message(&conversation, seq)?
            && carries(store, &message, record.file)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes a file, its record first: whatever happens then, the file is not there any more. Returns false when it is
/// needed.
async fn delete(context: &Arc<BrokerContext>, record: MediaRecord) -> Result<bool, Refusal> {
    let (service, file): (&MediaService, _) = (&context.media, record.file);
    let Ok(now_ms) = context.clock_guard.deletion_time() else { return Ok(false) };
    if !service.quota().mark_for_deletion(file) {
        return Ok(false);
    }
    let unsent_ms = context.config().media.unsent_seconds * 1000;
    let its = record.clone();
    // Asked once more: a message may have taken the file up before it was marked for deletion.
    let outcome = match context.archive.read(move |store| is_needed(store, &its, now_ms, unsent_ms)).await {
        Ok(false) => context.archive.apply(vec![RowWrite::DeleteMedia(file)]).await.map(|()| true),
        Ok(true) => Ok(false),
        Err(refusal) => Err(refusal),
    };
    if let Ok(true) = outcome {
        delete_blobs(context, file).await;
        service.quota().release(&record.owner, record.bytes_kept());
    }
    service.quota().unmark(file);
    outcome
}

/// Deletes bytes that have no record: those of uploads that a crash cut short.
async fn delete_orphans(context: &Arc<BrokerContext>) {
    let mut deleted = 0usize;
    for first_byte in 0..=u8::MAX {
        let blobs = match context.media.store.list(first_byte).await {
            Ok(blobs) => blobs,
            Err(error) => {
                tracing::warn!(%error, "the media store could not be looked through");
                return;
            }
        };
        for blob in blobs {
            let under_way = uploads::find(context, blob.file).is_some();
            let file = blob.file;
            if under_way || !matches!(context.archive.read(move |store| store.media(file)).await, Ok(None)) {
                continue;
            }
            match context.media.store.delete(blob).await {
                Ok(()) => deleted += 1,
                Err(error) => tracing::warn!(%error, "bytes without a record could not be deleted"),
            }
        }
    }
    if deleted > 0 {
        tracing::info!(blobs = deleted, "deleted bytes that belong to no file");
    }
}
