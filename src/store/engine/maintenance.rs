//! Work that is too long for one batch: removing a conversation, deleting old periods.
//!
//! Each step is a bounded commit of its own, taken between two batches of appends. That a task has begun is written
//! down first, so that one cut short by a crash goes on after the next open.

use std::collections::{HashSet, VecDeque};
use std::mem;
use std::ops::ControlFlow;
use std::sync::mpsc::SyncSender;

use super::head_cache::HeadCache;
use super::read::records::{self, try_scan};
use super::read::{held, messages};
use super::shared::Shared;
use super::space_writer::{RecordChanges, SpaceWriter, put};
use crate::model::{Conversation, FileUid};
use crate::store::backend::{Backend, Op, Space};
use crate::store::error::StoreError;
use crate::store::format::key;
use crate::store::format::record::{self, PERIOD_MS, PeriodRow};
use crate::store::types::Done;

/// Messages or records handled in one step.
const STEP_MAX: usize = 256;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A task and how far it is.
pub(crate) enum MaintenanceTask {
    Remove {
        conversation: Conversation,
        begun: bool,
        done: Option<Done<()>>,
    },
    /// A message of the period held the list and does not any more.
    DropList {
        period: u64,
        list: FileUid,
    },
    /// `found`: a period was too old.
    Sweep {
        sweep: Sweep,
        found: bool,
        reply: Option<SyncSender<Result<bool, StoreError>>>,
    },
}

/// What a sweep deletes, and what it does next.
pub(crate) enum Sweep {
    /// Look up whether the oldest period is too old at this time, Unix milliseconds.
    LookUp(u64),
    /// Take a step with the first of these.
    Drop(VecDeque<u64>, DropStep),
}

/// What is done next with a period that is deleted.
pub(crate) enum DropStep {
    /// Write down that it is being deleted.
    Begin,
    /// Copy what users made of conversations, and whom they follow, to the permanent space, from this key on.
    CopyEntries(Vec<u8>),
    /// Copy heads and pins to the permanent space, from this key on.
    CopyHeads(Vec<u8>),
    /// Delete its files, then its row.
    Delete,
}

/// Returns the tasks that a crash or a close cut short.
pub(crate) fn unfinished_tasks(backend: &dyn Backend) -> Result<Vec<MaintenanceTask>, StoreError> {
    let mut tasks = records::rows(backend, key::removals(), |key, _| match key::conversation_of(key) {
        Some(conversation) => Ok(MaintenanceTask::Remove { conversation, begun: true, done: None }),
        None => Err(StoreError::Damaged("a removal's key cannot be read".into())),
    })?;
    let dropping = records::rows(backend, key::periods(), |key, value| {
        let row: PeriodRow = record::decode(key, value)?;
        Ok(row.dropping.then(|| key::split_period(key)).flatten())
    })?;
    let periods: VecDeque<u64> = dropping.into_iter().flatten().collect();
    if !periods.is_empty() {
        tasks.push(MaintenanceTask::Sweep { sweep: Sweep::Drop(periods, DropStep::Begin), found: true, reply: None });
    }
    Ok(tasks)
}

impl MaintenanceTask {
    pub(crate) fn remove(conversation: Conversation, done: Done<()>) -> Self {
        Self::Remove { conversation, begun: false, done: Some(done) }
    }

    pub(crate) fn sweep(now_ms: u64, reply: SyncSender<Result<bool, StoreError>>) -> Self {
        Self::Sweep { sweep: Sweep::LookUp(now_ms), found: false, reply: Some(reply) }
    }

    /// Does a bounded part; returns true when nothing is left.
    pub(crate) fn step(&mut self, spaces: &mut SpaceWriter, heads: &mut HeadCache) -> Result<bool, StoreError> {
        match self {
            Self::DropList { period, list } => drop_list(spaces, *period, *list).map(|()| true),
            Self::Remove { conversation, begun: true, .. } => remove_some(spaces, heads, conversation),
            Self::Remove { conversation, begun, .. } => {
                let mut intent = RecordChanges::new();
                put(&mut intent, key::removal(conversation), &());
                spaces.write_rows_alone(intent)?;
                *begun = true;
                Ok(false)
            }
            Self::Sweep { sweep: Sweep::Drop(periods, step), .. } => drop_some(spaces, heads, periods, step),
            Self::Sweep { sweep, found, .. } => {
                if let Sweep::LookUp(now_ms) = sweep {
                    let oldest = too_old(spaces, *now_ms);
                    *found = oldest.is_some();
                    *sweep = Sweep::Drop(oldest.into_iter().collect(), DropStep::Begin);
                }
                Ok(false)
            }
        }
    }

    /// Tells who asked.
    pub(crate) fn finish(self, shared: &Shared, outcome: Result<(), StoreError>) {
        if let Err(error) = &outcome {
            tracing::warn!(%error, "long work of the store ended early");
        }
        match self {
            Self::Remove { done: Some(done), .. } => shared.progress.finish(done, outcome),
            Self::Sweep { found, reply: Some(reply), .. } => {
                if reply.send(outcome.map(|()| found)).is_err() {
                    tracing::debug!("nobody waits for the sweep any more");
                }
            }
            Self::Remove { done: None, .. } | Self::Sweep { reply: None, .. } | Self::DropList { .. } => {}
        }
    }
}

/// Removes the oldest messages with their dedup entries, from the first period that has any; with its last ones goes its
/// head. When no period has anything, the rows of the removal go.
fn remove_some(spaces: &mut SpaceWriter, heads: &mut HeadCache, conversation: &Conversation) -> Result<bool, StoreError> {
    heads.forget(conversation);
    for period in spaces.backend().periods() {
        let ops = removals_of(spaces.backend(), Space::Period(period), conversation)?;
        if !ops.is_empty() {
            let mut counters = spaces.counters(period)?;
            counters.entries = counters.entries.saturating_sub(ops.len() as u64);
            spaces.write_period(period, ops, counters)?;
            return Ok(false);
        }
    }
    spaces.write_rows_alone(RecordChanges::from([(key::head(conversation), None), (key::removal(conversation), None)]))?;
    Ok(true)
}

/// Deletes a list of a period that no message there holds any more. After a crash it stays as long as its period.
fn drop_list(spaces: &mut SpaceWriter, period: u64, list: FileUid) -> Result<(), StoreError> {
    if !spaces.backend().periods().contains(&period) {
        return Ok(());
    }
    let ops = held::unheld(spaces.backend(), Space::Period(period), list, &HashSet::new())?;
    if ops.is_empty() {
        return Ok(());
    }
    let mut counters = spaces.counters(period)?;
    counters.entries = counters.entries.saturating_sub(ops.len() as u64);
    spaces.write_period(period, ops, counters)?;
    spaces.write_mark(spaces.shared.progress.last_commit())
}

/// Returns what is deleted in one step in one period; empty: nothing is left there.
fn removals_of(backend: &dyn Backend, space: Space, conversation: &Conversation) -> Result<Vec<Op>, StoreError> {
    let (from, to) = key::messages(conversation, 0, u64::MAX);
    let (mut ops, mut local_ids, mut gone, mut lists) = (Vec::new(), Vec::new(), HashSet::new(), HashSet::new());
    try_scan(backend, space, (&from, &to), false, |key, value| {
        if gone.len() == STEP_MAX {
            return Ok(ControlFlow::Break(()));
        }
        ops.push(Op::Delete(key.to_vec()));
        let (message, _) = record::decode_message(key, value)?;
        if let Some(local_id) = &message.local_id {
            local_ids.push((message.sender.clone(), local_id.clone()));
        }
        lists.extend(held::held_of(&message).map(|held| held.list));
        gone.insert(key.to_vec());
        Ok(ControlFlow::Continue(()))
    })?;
    for (sender, local_id) in local_ids {
        let entry = messages::dedup_entry(backend, space, conversation, &sender, &local_id)?;
        ops.extend(entry.map(|(key, _)| Op::Delete(key)));
    }
    for list in lists {
        ops.extend(held::unheld(backend, space, list, &gone)?);
    }
    if gone.len() < STEP_MAX {
        let head = key::head(conversation);
        if backend.get(space, &head)?.is_some() {
            ops.push(Op::Delete(head));
        }
        // Rooms have no notes, answers or changes, but the children of combined messages.
        let (from, to) = key::all_children(conversation);
        try_scan(backend, space, (&from, &to), false, |key, _| {
            ops.push(Op::Delete(key.to_vec()));
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(ops)
}

/// Returns the oldest period if the one after it began before the retention did.
///
/// The next one's beginning counts, and not its own end: what was stored while the clock stood years behind lies in a period
/// of that time, and is kept as long as what was stored at the moment when the clock was set right.
fn too_old(spaces: &SpaceWriter, now_ms: u64) -> Option<u64> {
    let kept_from_ms = now_ms.saturating_sub(spaces.shared.retention_days.max(1).saturating_mul(DAY_MS));
    match spaces.backend().periods()[..] {
        [oldest, next, ..] if next.saturating_mul(PERIOD_MS) <= kept_from_ms => Some(oldest),
        _ => None,
    }
}

/// Copies what outlives it from the first period to the permanent space, then deletes it, step by step.
fn drop_some(
    spaces: &mut SpaceWriter,
    heads: &mut HeadCache,
    periods: &mut VecDeque<u64>,
    step: &mut DropStep,
) -> Result<bool, StoreError> {
    let Some(period) = periods.front().copied() else { return Ok(true) };
    *step = match mem::replace(step, DropStep::Begin) {
        DropStep::Begin => {
            let mut intent = RecordChanges::new();
            put(&mut intent, key::period(period), &PeriodRow { dropping: true, commit: 0 });
            spaces.write_rows_alone(intent)?;
            DropStep::CopyEntries(key::entries_and_followings().0)
        }
        DropStep::CopyEntries(from) => match copy_some(spaces, period, &from, &key::entries_and_followings().1)? {
            Some(next) => DropStep::CopyEntries(next),
            None => DropStep::CopyHeads(key::heads_and_pins().0),
        },
        DropStep::CopyHeads(from) => match copy_some(spaces, period, &from, &key::heads_and_pins().1)? {
            Some(next) => DropStep::CopyHeads(next),
            None => DropStep::Delete,
        },
        DropStep::Delete => {
            spaces.drop_period(period)?;
            spaces.write_rows_alone(RecordChanges::from([(key::period(period), None)]))?;
            // Remembered heads may say they are in the period that went: they are read again when needed.
            heads.clear();
            tracing::info!(period, "store deleted a period older than the retention");
            periods.pop_front();
            return Ok(periods.is_empty());
        }
    };
    Ok(false)
}

/// Copies records of a period to the permanent space, as they are; returns the key to go on from.
fn copy_some(spaces: &mut SpaceWriter, period: u64, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let (mut copied, mut next) = (RecordChanges::new(), None);
    try_scan(spaces.backend(), Space::Period(period), (from, to), false, |key, value| {
        if copied.len() == STEP_MAX {
            next = Some(key.to_vec());
            return Ok(ControlFlow::Break(()));
        }
        record::check(key, value)?;
        copied.insert(key.to_vec(), Some(value.to_vec()));
        Ok(ControlFlow::Continue(()))
    })?;
    if !copied.is_empty() {
        spaces.write_rows_alone(copied)?;
    }
    Ok(next)
}
