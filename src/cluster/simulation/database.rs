//! What the store of several processes does, in memory: `store::postgres` says the same in SQL.

use std::collections::BTreeMap;

use super::{Defect, SHARDS, shard_of};
use crate::store::{NodeRow, Speaks, View};

/// A stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Message {
    pub(super) stamp: u64,
    pub(super) conversation: usize,
    pub(super) seq: u64,
    pub(super) sender: usize,
    /// The sender's own number of it: sent again with the same one it is the same message.
    pub(super) local: u64,
}

pub(super) type Identity = (usize, usize, u64);

impl Message {
    pub(super) fn identity(&self) -> Identity {
        (self.conversation, self.sender, self.local)
    }
}

#[derive(Debug, Clone)]
struct Row {
    slot: Option<u16>,
    name: String,
    beat: i64,
    draining: bool,
    delivered: u64,
    mark_max: u64,
}

#[derive(Debug, Clone, Default)]
struct Owner {
    boot: Option<i64>,
    epoch: u64,
    floor: u64,
    delivered: u64,
}

/// A shard that was claimed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) shard: u16,
    pub(super) floor: u64,
    pub(super) delivered: u64,
}

/// What an owner keeps of its shards.
#[derive(Debug, Clone, Default)]
pub(super) struct Heads {
    pub(super) seqs: BTreeMap<usize, u64>,
    pub(super) known: BTreeMap<Identity, u64>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Database {
    defect: Option<Defect>,
    rows: BTreeMap<i64, Row>,
    owners: Vec<Owner>,
    /// Visible, by conversation.
    pub(super) messages: Vec<Vec<Message>>,
    open: BTreeMap<u64, (i64, Vec<Message>)>,
    next_boot: i64,
    next_transaction: u64,
    /// What became visible and was not looked at yet.
    pub(super) shown: Vec<Message>,
}

impl Database {
    pub(super) fn new(conversations: usize, defect: Option<Defect>) -> Self {
        Self {
            defect,
            rows: BTreeMap::new(),
            owners: vec![Owner::default(); usize::from(SHARDS)],
            messages: vec![Vec::new(); conversations],
            open: BTreeMap::new(),
            next_boot: 1,
            next_transaction: 1,
            shown: Vec::new(),
        }
    }

    /// Returns the boot and the slot.
    pub(super) fn register(&mut self, name: &str) -> (i64, u16) {
        let boot = self.next_boot;
        self.next_boot += 1;
        let slot = (0..).find(|slot| self.rows.values().all(|row| row.slot != Some(*slot))).unwrap();
        let row = Row { slot: Some(slot), name: name.to_owned(), beat: 0, draining: false, delivered: 0, mark_max: 0 };
        self.rows.insert(boot, row);
        (boot, slot)
    }

    /// Returns whether the slot is still held.
    pub(super) fn beat(&mut self, boot: i64, delivered: u64, mark_max: u64) -> bool {
        let Some(row) = self.rows.get_mut(&boot).filter(|row| row.slot.is_some()) else { return false };
        row.beat += 1;
        row.delivered = row.delivered.max(delivered);
        row.mark_max = row.mark_max.max(mark_max);
        true
    }

    pub(super) fn drain(&mut self, boot: i64, draining: bool) {
        if let Some(row) = self.rows.get_mut(&boot) {
            row.draining = draining;
        }
    }

    pub(super) fn view(&self) -> View {
        let node = |(boot, row): (&i64, &Row)| NodeRow {
            boot: *boot,
            slot: row.slot,
            name: row.name.clone(),
            address: String::new(),
            version: String::new(),
            speaks: Speaks::default(),
            beat_us: row.beat,
            draining: row.draining,
            alone: false,
        };
        View {
            nodes: self.rows.iter().map(node).collect(),
            owners: self.owners.iter().map(|owner| owner.boot).collect(),
            epochs: self.owners.iter().map(|owner| owner.epoch).collect(),
        }
    }

    /// The fence and everything before COMMIT; none: refused. From here on whoever claims waits, or ends it.
    pub(super) fn begin(&mut self, boot: i64, messages: Vec<Message>) -> Option<u64> {
        let owns = |message: &Message| self.owners[usize::from(shard_of(message.conversation))].boot == Some(boot);
        if self.defect != Some(Defect::FenceNotRead) && !messages.iter().all(owns) {
            return None;
        }
        let number = self.next_transaction;
        self.next_transaction += 1;
        self.open.insert(number, (boot, messages));
        Some(number)
    }

    /// Makes it visible; returns false when it was ended, or a head is not what it was planned on.
    pub(super) fn commit(&mut self, transaction: u64) -> bool {
        let Some((_, messages)) = self.open.remove(&transaction) else { return false };
        let mut seqs: BTreeMap<usize, u64> = BTreeMap::new();
        for message in &messages {
            let seq = seqs.entry(message.conversation).or_insert(self.messages[message.conversation].len() as u64);
            *seq += 1;
            if *seq != message.seq {
                return false;
            }
        }
        for message in messages {
            self.messages[message.conversation].push(message);
            self.shown.push(message);
        }
        true
    }

    pub(super) fn abort(&mut self, transaction: u64) {
        self.open.remove(&transaction);
    }

    /// Takes shards that are nobody's or of these dead; none: the claimant is dead itself. `last`: the last stamp that it made or
    /// vouched for. What the dead have open is committed or not, as `coin` says.
    pub(super) fn claim(
        &mut self,
        boot: i64,
        last: u64,
        shards: &[u16],
        dead: &[i64],
        mut coin: impl FnMut() -> bool,
    ) -> Option<Vec<Taken>> {
        let open: Vec<u64> = self.open.iter().filter(|(_, (owner, _))| dead.contains(owner)).map(|(number, _)| *number).collect();
        for transaction in open {
            if coin() {
                self.commit(transaction);
            } else {
                self.abort(transaction);
            }
        }
        self.rows.get(&boot).and_then(|row| row.slot)?;
        let mut taken = Vec::new();
        for shard in shards {
            let owner = self.owners[usize::from(*shard)].clone();
            if owner.boot.is_some_and(|boot| !dead.contains(&boot)) {
                continue;
            }
            let stamp = self.messages.iter().flatten().filter(|m| shard_of(m.conversation) == *shard).map(|m| m.stamp).max();
            let old = owner.boot.and_then(|old| self.rows.get(&old));
            let (noted, mark_max) = old.map_or((0, 0), |row| (row.delivered, row.mark_max));
            let floor = [owner.floor, stamp.unwrap_or(0), noted, mark_max, last].into_iter().max().unwrap_or(0);
            let delivered = if noted > owner.floor { noted } else { owner.delivered };
            self.owners[usize::from(*shard)] = Owner { boot: Some(boot), epoch: owner.epoch + 1, floor, delivered };
            taken.push(Taken { shard: *shard, floor, delivered });
        }
        for (_, row) in self.rows.iter_mut().filter(|(one, _)| **one != boot && dead.contains(one)) {
            row.slot = None;
        }
        Some(taken)
    }

    /// Whether a transaction still holds the rows of shards that are to be let go of.
    pub(super) fn is_locked(&self, boot: i64, shards: &[u16]) -> bool {
        let mut of = self.open.values().filter(|(owner, _)| *owner == boot).flat_map(|(_, messages)| messages);
        of.any(|message| shards.contains(&shard_of(message.conversation)))
    }

    pub(super) fn release(&mut self, boot: i64, shards: &[u16], last: u64, delivered: &[u64]) {
        for (shard, delivered) in shards.iter().zip(delivered) {
            let owner = &mut self.owners[usize::from(*shard)];
            if owner.boot == Some(boot) {
                *owner = Owner { boot: None, floor: owner.floor.max(last), delivered: *delivered, epoch: owner.epoch };
            }
        }
    }

    pub(super) fn heads(&self, shards: &[u16]) -> Heads {
        let mut heads = Heads::default();
        for (conversation, messages) in self.messages.iter().enumerate().filter(|(n, _)| shards.contains(&shard_of(*n))) {
            heads.seqs.insert(conversation, messages.len() as u64);
            heads.known.extend(messages.iter().map(|message| (message.identity(), message.seq)));
        }
        heads
    }

    /// Messages after the stamps that their shards, or their conversations, are asked for.
    pub(super) fn after(&self, stamp_of: impl Fn(usize) -> Option<u64>) -> Vec<Message> {
        let of = |(n, messages): (usize, &Vec<Message>)| {
            let after = stamp_of(n).unwrap_or(u64::MAX);
            messages.iter().filter(|message| message.stamp > after).copied().collect::<Vec<_>>()
        };
        let mut found: Vec<Message> = self.messages.iter().enumerate().flat_map(of).collect();
        found.sort_unstable();
        found
    }
}
