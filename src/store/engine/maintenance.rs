//! Work that is too long for one batch: removing a conversation, deleting old periods.
//!
//! Each step is a bounded commit of its own, taken between two batches of appends. That a task has begun is written
//! down first, so that one cut short by a crash goes on after the next open.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::mpsc::SyncSender;

use super::Shared;
use super::read;
use super::writer::{PERIOD_MS, Rows, Writer};
use crate::model::Conversation;
use crate::store::backend::{Backend, Op, Space};
use crate::store::format::key;
use crate::store::format::record;
use crate::store::format::record::PeriodRow;
use crate::store::{Done, StoreError};

/// Messages or heads handled in one step.
const STEP_MAX: usize = 256;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A task and how far it is.
pub(crate) enum MaintenanceTask {
    Remove { conversation: Conversation, begun: bool, done: Option<Done<()>> },
    Sweep { periods: Periods, reply: Option<SyncSender<Result<(), StoreError>>> },
}

/// Which periods a sweep deletes.
pub(crate) enum Periods {
    /// Those that are too old at this time; not yet looked up.
    OlderThan(u64),
    /// These, and of the first one the heads from this key on are still to be copied; none: not begun.
    These(VecDeque<u64>, Option<Vec<u8>>),
}

/// Chores that a crash or a close cut short.
pub(crate) fn unfinished_tasks(backend: &dyn Backend) -> Result<Vec<MaintenanceTask>, StoreError> {
    let mut tasks = read::rows(backend, key::removals(), |key, _| match key::conversation_of(key) {
        Some(conversation) => Ok(MaintenanceTask::Remove { conversation, begun: true, done: None }),
        None => Err(StoreError::Damaged("a removal's key cannot be read".into())),
    })?;
    let dropping = read::rows(backend, key::periods(), |key, value| {
        let row: PeriodRow = record::decode(key, value)?;
        Ok(row.dropping.then(|| key::split_period(key)).flatten())
    })?;
    let periods: VecDeque<u64> = dropping.into_iter().flatten().collect();
    if !periods.is_empty() {
        tasks.push(MaintenanceTask::Sweep { periods: Periods::These(periods, None), reply: None });
    }
    Ok(tasks)
}

impl MaintenanceTask {
    pub(crate) fn remove(conversation: Conversation, done: Done<()>) -> Self {
        Self::Remove { conversation, begun: false, done: Some(done) }
    }

    pub(crate) fn sweep(now_ms: u64, reply: SyncSender<Result<(), StoreError>>) -> Self {
        Self::Sweep { periods: Periods::OlderThan(now_ms), reply: Some(reply) }
    }

    /// Does a bounded part; true when nothing is left.
    pub(crate) fn step(&mut self, writer: &mut Writer) -> Result<bool, StoreError> {
        match self {
            Self::Remove { conversation, begun, .. } => {
                if *begun {
                    return remove_some(writer, conversation);
                }
                let intent = key::removal(conversation);
                let record = record::encode(&intent, &());
                write_rows(writer, Rows::from([(intent, Some(record))]))?;
                *begun = true;
                Ok(false)
            }
            Self::Sweep { periods, .. } => match periods {
                Periods::OlderThan(now_ms) => {
                    *periods = Periods::These(too_old(writer, *now_ms), None);
                    Ok(false)
                }
                Periods::These(periods, from) => drop_some(writer, periods, from),
            },
        }
    }

    /// Tells who asked.
    pub(crate) fn finish(self, shared: &Shared, outcome: Result<(), StoreError>) {
        if let Err(error) = &outcome {
            tracing::warn!(%error, "a store chore ended early");
        }
        match self {
            Self::Remove { done: Some(done), .. } => shared.finish(done, outcome),
            Self::Sweep { reply: Some(reply), .. } => {
                if reply.send(outcome).is_err() {
                    tracing::debug!("nobody waits for the sweep any more");
                }
            }
            Self::Remove { done: None, .. } | Self::Sweep { reply: None, .. } => {}
        }
    }
}

fn write_rows(writer: &mut Writer, rows: Rows) -> Result<(), StoreError> {
    writer.write_rows(rows)?;
    let commit = writer.shared.commit.load(std::sync::atomic::Ordering::Relaxed);
    writer.write_mark(commit)
}

/// Removes the oldest messages with their dedup entries; with a period's last ones goes its head.
fn remove_some(writer: &mut Writer, conversation: &Conversation) -> Result<bool, StoreError> {
    writer.heads.forget(conversation);
    let (from, to) = (key::message(conversation, 0), key::message(conversation, u64::MAX));
    let head_key = key::head(conversation);
    for period in writer.backend().periods() {
        let space = Space::Period(period);
        let (mut ops, mut messages) = (Vec::new(), 0);
        read::try_scan(writer.backend(), space, (&from, &to), false, |key, value| {
            if messages == STEP_MAX {
                return Ok(ControlFlow::Break(()));
            }
            messages += 1;
            ops.push(Op::Delete(key.to_vec()));
            if record::peek_message(key, value)?.has_local_id {
                let (message, _) = record::decode_message(key, value)?;
                let local_id = message.local_id.as_ref();
                ops.extend(local_id.map(|local_id| Op::Delete(key::dedup(&message.sender, local_id))));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if messages < STEP_MAX {
            if writer.backend().get(space, &head_key)?.is_some() {
                ops.push(Op::Delete(head_key.clone()));
            }
            // Rooms have no notes, answers or changes, but what combined messages held.
            let (from, to) = key::all_children(conversation);
            read::try_scan(writer.backend(), space, (&from, &to), false, |key, _| {
                ops.push(Op::Delete(key.to_vec()));
                Ok(ControlFlow::Continue(()))
            })?;
        }
        if !ops.is_empty() {
            let mut meta = writer.meta(period)?;
            meta.entries = meta.entries.saturating_sub(ops.len() as u64);
            writer.write_period(period, ops, meta)?;
            return Ok(false);
        }
    }
    write_rows(writer, Rows::from([(head_key, None), (key::removal(conversation), None)]))?;
    Ok(true)
}

/// Periods that ended before the retention began; never the newest.
fn too_old(writer: &Writer, now_ms: u64) -> VecDeque<u64> {
    let kept_from_ms = now_ms.saturating_sub(writer.shared.retention_days.max(1).saturating_mul(DAY_MS));
    let mut periods = writer.backend().periods();
    periods.pop();
    periods.into_iter().filter(|period| (period + 1).saturating_mul(PERIOD_MS) <= kept_from_ms).collect()
}

/// Copies what outlives it from the first period to the permanent space, then deletes it.
fn drop_some(writer: &mut Writer, periods: &mut VecDeque<u64>, from: &mut Option<Vec<u8>>) -> Result<bool, StoreError> {
    let Some(period) = periods.front().copied() else { return Ok(true) };
    let row_key = key::period(period);
    let Some(cursor) = from else {
        let row = record::encode(&row_key, &PeriodRow { dropping: true, commit: 0 });
        write_rows(writer, Rows::from([(row_key, Some(row))]))?;
        *from = Some(key::entries_and_followings().0);
        return Ok(false);
    };
    let mut heads = Rows::new();
    let mut next = None;
    // Entries come before heads in the order of keys; what lies between is passed over.
    let (entries_to, (heads_from, heads_to)) = (key::entries_and_followings().1, key::heads_and_pins());
    if *cursor >= entries_to && *cursor < heads_from {
        cursor.clone_from(&heads_from);
    }
    let to = if *cursor < entries_to { &entries_to } else { &heads_to };
    read::try_scan(writer.backend(), Space::Period(period), (cursor, to), false, |key, value| {
        if heads.len() == STEP_MAX {
            next = Some(key.to_vec());
            return Ok(ControlFlow::Break(()));
        }
        record::check(key, value)?;
        heads.insert(key.to_vec(), Some(value.to_vec()));
        Ok(ControlFlow::Continue(()))
    })?;
    if !heads.is_empty() {
        write_rows(writer, heads)?;
    }
    if next.is_none() && *to == entries_to {
        next = Some(heads_from);
    }
    if let Some(next) = next {
        *cursor = next;
        return Ok(false);
    }
    writer.drop_period(period)?;
    write_rows(writer, Rows::from([(row_key, None)]))?;
    writer.forget_period(period);
    // Remembered heads may say they are in the period that went: they are read again when needed.
    writer.heads = super::head_cache::HeadCache::new(super::head_cache::HEADS_MAX);
    tracing::info!(period, "store deleted a period older than the retention");
    periods.pop_front();
    *from = None;
    Ok(periods.is_empty())
}
