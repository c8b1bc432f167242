//! Decides what a batch of appends becomes: fences, retries, places. Writes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::head_cache::HeadCache;
use super::read;
use super::read::LocatedHead;
use super::writer::Rows;
use crate::model::{Body, Conversation, Fate, GroupId, Message, UserId};
use crate::store::backend::{Backend, Op, Space};
use crate::store::format::key;
use crate::store::format::record;
use crate::store::format::record::{DedupEntry, Head, PeriodMeta};
use crate::store::{Append, Appended, FormerMember, Revision, StoreError};

/// 2024-01-01T00:00:00Z, Unix milliseconds. Source: design 4.5.
const ORDER_EPOCH_MS: u64 = 1_704_067_200_000;
/// Messages per millisecond before order keys run ahead of the clock: 2048.
const ORDER_SHIFT: u32 = 11;
/// Milliseconds beyond this would not fit below 2^53 (year 2163).
const ORDER_MS_MAX: u64 = (1 << (53 - ORDER_SHIFT)) - 1;

/// A batch in the making.
#[derive(Debug)]
pub(crate) struct BatchPlan {
    /// Changes of the permanent space.
    pub rows: Rows,
    period: u64,
    meta: PeriodMeta,
    ops: Vec<Op>,
    /// Changes of periods, this one's included, that may replace what is there.
    period_rows: PeriodRows,
    heads: HashMap<Conversation, LocatedHead>,
    /// Local ids of this batch: what they said and what became of them.
    local_ids: HashMap<Vec<u8>, ((u64, u64), Appended)>,
    appended: u64,
    duplicates: u64,
}

/// Per period: keys and what they become.
pub(crate) type PeriodRows = BTreeMap<u64, Rows>;

/// A batch to be committed.
#[derive(Debug)]
pub(crate) struct PlannedBatch {
    pub period: u64,
    pub rows: Rows,
    /// Empty when nothing was appended.
    pub ops: Vec<Op>,
    pub period_rows: PeriodRows,
    pub meta: PeriodMeta,
    pub heads: HashMap<Conversation, LocatedHead>,
    pub appended: u64,
    pub duplicates: u64,
}

/// The order key after `last` of a message accepted at `now_ms`.
fn order_key(last: u64, now_ms: u64) -> u64 {
    let by_time = now_ms.saturating_sub(ORDER_EPOCH_MS).min(ORDER_MS_MAX) << ORDER_SHIFT;
    by_time.max(last + 1)
}

/// About how much a message weighs.
pub(crate) fn size_of(append: &Append) -> usize {
    append.body.weight() + append.extended_data.len()
}

impl BatchPlan {
    /// A batch for `period`, which has these counters; `commit` is the last append's of the whole store.
    pub(crate) fn new(period: u64, meta: PeriodMeta, commit: u64) -> Self {
        let meta = PeriodMeta { commit: meta.commit.max(commit), ..meta };
        let (rows, ops, heads, local_ids) = (Rows::new(), Vec::new(), HashMap::new(), HashMap::new());
        Self { rows, period, meta, ops, period_rows: PeriodRows::new(), heads, local_ids, appended: 0, duplicates: 0 }
    }

    /// Decides one append: its place, or the first result of what it repeats.
    pub(crate) fn append(
        &mut self,
        backend: &dyn Backend,
        remembered: &HeadCache,
        append: Append,
        certainly_new: bool,
        content: (u64, u64),
    ) -> Result<Appended, StoreError> {
        let place = self.head(backend, remembered, &append.conversation)?;
        if !self.heads.contains_key(&append.conversation) && remembered.get(&append.conversation).is_none() {
            self.link_peers(backend, &append.conversation)?;
        }
        if append.epoch < place.head.epoch {
            return Err(StoreError::Fenced);
        }
        if let Some(first) = self.first_result(backend, &append, certainly_new, content)? {
            self.duplicates += 1;
            return Ok(first);
        }
        let appended = self.assign_place(append, place, content);
        self.appended += 1;
        Ok(appended)
    }

    /// Changes one message; the commit of the change.
    pub(crate) fn revise(&mut self, backend: &dyn Backend, revision: Revision) -> Result<u64, StoreError> {
        let Revision { conversation, seq, message, notes, pins, logged } = revision;
        let placed = read::locate_message(backend, &conversation, seq)?.ok_or(StoreError::Gone)?;
        self.meta.commit += 1;
        let commit = self.meta.commit;
        let rows = self.period_rows.entry(placed.period).or_default();
        if let Some(message) = message {
            let key = key::message(&conversation, seq);
            let record = record::encode_message(&key, &message, placed.envelope.commit);
            rows.insert(key, Some(record));
            if matches!(message.body, Body::Revoke(_)) {
                rows.insert(key::children(&conversation, seq), None);
            }
        }
        for (note, value) in notes {
            let key = key::note(&conversation, seq, &note);
            let record = value.map(|value| record::encode(&key, &value));
            rows.insert(key, record);
        }
        if let Some(pins) = pins {
            let key = key::pins(&conversation);
            let record = record::encode(&key, &pins);
            self.period_rows.entry(self.period).or_default().insert(key, Some(record));
        }
        if let Some(kind) = logged {
            let rows = self.period_rows.entry(placed.period).or_default();
            let key = key::change(&conversation, commit);
            let record = record::encode(&key, &(seq, kind));
            rows.insert(key, Some(record));
        }
        Ok(commit)
    }

    /// Notes what a user made of a conversation.
    pub(crate) fn put_entry(&mut self, user: &UserId, conversation: &Conversation, entry: &crate::store::EntryRecord) {
        let key = key::entry(user, conversation);
        let record = record::encode(&key, entry);
        self.period_rows.entry(self.period).or_default().insert(key, Some(record));
    }

    /// Notes whom a user follows.
    pub(crate) fn put_following(&mut self, user: &UserId, list: &[(UserId, u64)]) {
        let key = key::following(user);
        let record = record::encode(&key, &list);
        self.period_rows.entry(self.period).or_default().insert(key, Some(record));
    }

    /// Takes a member out of a group; what it saw stays its own.
    pub(crate) fn put_former(
        &mut self,
        backend: &dyn Backend,
        remembered: &HeadCache,
        group: &GroupId,
        user: &UserId,
        first_seq: u64,
    ) -> Result<(), StoreError> {
        let last_seq = self.head(backend, remembered, &Conversation::Group(group.clone()))?.head.seq;
        let key = key::membership(user, group);
        let record = (last_seq >= first_seq).then(|| record::encode(&key, &Some(FormerMember { first_seq, last_seq })));
        self.rows.insert(key, record);
        self.rows.insert(key::member(group, user), None);
        Ok(())
    }

    /// Hides messages from a user. The note lies in the message's period and goes with it.
    pub(crate) fn delete(
        &mut self,
        backend: &dyn Backend,
        user: &UserId,
        conversation: &Conversation,
        seqs: &[u64],
    ) -> Result<(), StoreError> {
        for seq in seqs {
            if let Some(placed) = read::locate_message(backend, conversation, *seq)? {
                let key = key::deleted(user, conversation, *seq);
                let record = record::encode(&key, &());
                self.period_rows.entry(placed.period).or_default().insert(key, Some(record));
            }
        }
        Ok(())
    }

    fn head(&self, backend: &dyn Backend, remembered: &HeadCache, conversation: &Conversation) -> Result<LocatedHead, StoreError> {
        if let Some(place) = self.heads.get(conversation) {
            return Ok(*place);
        }
        if let Some(place) = remembered.get(conversation) {
            return Ok(place);
        }
        let none = LocatedHead { head: Head { seq: 0, order_key: 0, epoch: 0, commit: 0, whole_from: 0 }, period: None };
        Ok(read::locate_head(backend, conversation)?.unwrap_or(none))
    }

    /// Lists two who talk in each other's list of peers: at their first message, or at their first since the heads
    /// were forgotten, should the list have been lost. Rows are durable before messages are.
    fn link_peers(&mut self, backend: &dyn Backend, conversation: &Conversation) -> Result<(), StoreError> {
        let Conversation::Peer(one, other) = conversation else { return Ok(()) };
        for key in [key::peer(one, other), key::peer(other, one)] {
            if backend.get(Space::Permanent, &key)?.is_none() {
                let record = record::encode(&key, &());
                self.rows.insert(key, Some(record));
            }
        }
        Ok(())
    }

    /// The first result of a retry, in this batch or before it.
    fn first_result(
        &self,
        backend: &dyn Backend,
        append: &Append,
        certainly_new: bool,
        content: (u64, u64),
    ) -> Result<Option<Appended>, StoreError> {
        let Some(local_id) = &append.local_id else { return Ok(None) };
        // In a batch the first of two is the one that was told it is new, or both look on disk: ask the batch always.
        let known = match self.local_ids.get(&key::dedup(&append.sender, local_id)) {
            Some((content, first)) => Some((*content, first.clone())),
            None if certainly_new => None,
            None => read::find(backend, read::ALL_COMMITS, &append.sender, local_id)?
                .map(|found| (found.content, Appended { message: found.message, commit: found.commit, duplicate: true })),
        };
        match known {
            None => Ok(None),
            Some((first, appended)) if first == content => Ok(Some(Appended { duplicate: true, ..appended })),
            Some(_) => Err(StoreError::OtherContent),
        }
    }

    fn assign_place(&mut self, append: Append, place: LocatedHead, content: (u64, u64)) -> Appended {
        self.meta.commit += 1;
        self.meta.message_id = self.meta.message_id.max(append.id);
        let commit = self.meta.commit;
        let head = Head {
            seq: place.head.seq + 1,
            order_key: order_key(place.head.order_key, append.now_ms),
            epoch: append.epoch,
            commit,
            whole_from: place.head.whole_from,
        };
        for file in append.body.files() {
            let use_key = key::media_use(file, &append.conversation, head.seq);
            let record = record::encode(&use_key, &());
            self.put_new(use_key, record);
        }
        let mut body = append.body;
        if let Body::Combine(combine) = &mut body {
            let children_key = key::children(&append.conversation, head.seq);
            let record = record::encode(&children_key, &std::mem::take(&mut combine.children));
            self.put_new(children_key, record);
        }
        if let Some(reply) = append.terms.reply.filter(|reply| reply.root_seq > 0) {
            let reply_key = key::reply(&append.conversation, reply.root_seq, head.seq);
            let record = record::encode(&reply_key, &commit);
            self.put_new(reply_key, record);
        }
        let message = Arc::new(Message {
            id: append.id,
            local_id: append.local_id,
            sender: append.sender,
            conversation: append.conversation,
            seq: head.seq,
            order_key: head.order_key,
            timestamp_ms: append.now_ms,
            priority: append.priority,
            extended_data: append.extended_data,
            mentions: append.mentions,
            body,
            terms: append.terms,
            fate: Fate::default(),
        });
        let message_key = key::message(&message.conversation, message.seq);
        let record = record::encode_message(&message_key, &message, commit);
        self.put_new(message_key, record);
        let appended = Appended { message: Arc::clone(&message), commit, duplicate: false };
        if let Some(local_id) = &message.local_id {
            let dedup_key = key::dedup(&message.sender, local_id);
            let known = DedupEntry { conversation: message.conversation.clone(), seq: message.seq, content };
            let record = record::encode(&dedup_key, &known);
            self.put_new(dedup_key.clone(), record);
            self.local_ids.insert(dedup_key, (content, appended.clone()));
        }
        self.heads.insert(message.conversation.clone(), LocatedHead { head, ..place });
        appended
    }

    fn put_new(&mut self, key: Vec<u8>, record: Vec<u8>) {
        self.meta.entries += 1;
        self.ops.push(Op::Put(key, record));
    }

    /// Adds each conversation's head once.
    pub(crate) fn finish(mut self) -> PlannedBatch {
        let mut heads = std::mem::take(&mut self.heads);
        for (conversation, place) in &mut heads {
            let head_key = key::head(conversation);
            let record = record::encode(&head_key, &place.head);
            if place.period == Some(self.period) {
                self.ops.push(Op::Put(head_key, record));
            } else {
                self.put_new(head_key, record);
                place.period = Some(self.period);
            }
        }
        PlannedBatch {
            period: self.period,
            rows: self.rows,
            ops: self.ops,
            period_rows: self.period_rows,
            meta: self.meta,
            heads,
            appended: self.appended,
            duplicates: self.duplicates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_keys_follow_the_clock_and_never_stand_still() {
        assert_eq!(order_key(0, ORDER_EPOCH_MS + 3), 3 << 11);
        assert_eq!(order_key(3 << 11, ORDER_EPOCH_MS + 3), (3 << 11) + 1);
        assert_eq!(order_key(9 << 11, ORDER_EPOCH_MS + 3), (9 << 11) + 1);
        assert_eq!(order_key(0, 0), 1, "a clock before 2024");
        assert!(order_key(0, u64::MAX) < 1 << 53);
    }
}
