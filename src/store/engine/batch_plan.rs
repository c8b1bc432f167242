//! Decides what a batch of appends, changes and rows becomes: fences, retries, places. Writes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::head_cache::{HeadCache, LocatedHead};
use super::read::{heads, held, messages};
use super::space_writer::{RecordChanges, put};
use crate::model::order_key::next_order_key;
use crate::model::{Body, Conversation, FileUid, GroupId, Held, Message, UserId};
use crate::store::backend::{Backend, Op, Space};
use crate::store::error::StoreError;
use crate::store::format::key;
use crate::store::format::record::{self, DedupEntry, Head, PeriodMeta};
use crate::store::format::rows::{FormerMember, Revision};
use crate::store::types::{Append, Appended, RowWrite};

/// A batch in the making.
#[derive(Debug)]
pub(crate) struct BatchPlan {
    /// Changes of the permanent space.
    rows: RecordChanges,
    period: u64,
    counters: PeriodMeta,
    /// New records of the period.
    ops: Vec<Op>,
    period_changes: PeriodChanges,
    heads: HashMap<Conversation, LocatedHead>,
    /// Local ids of this batch: what they said and what became of them.
    local_ids: HashMap<Vec<u8>, ((u64, u64), Appended)>,
    /// Lists that this batch puts into the period.
    lists: HashSet<FileUid>,
    /// Lists that a message of a period held and does not any more.
    let_go: Vec<(u64, FileUid)>,
    appended: u64,
    duplicates: u64,
}

/// Changes of periods, the current one included, that may replace what is there.
pub(crate) type PeriodChanges = BTreeMap<u64, RecordChanges>;

/// A batch to be committed.
#[derive(Debug)]
pub(crate) struct PlannedBatch {
    /// The period that appends go to.
    pub period: u64,
    /// Changes of the permanent space.
    pub rows: RecordChanges,
    /// New records of the period. Empty when nothing was appended.
    pub ops: Vec<Op>,
    /// Changes of periods that may replace what is there.
    pub period_changes: PeriodChanges,
    /// The period's counters after `ops`.
    pub counters: PeriodMeta,
    /// Where conversations end after the batch.
    pub heads: HashMap<Conversation, LocatedHead>,
    /// Lists that a message of a period held before the batch and does not any more.
    pub let_go: Vec<(u64, FileUid)>,
    /// Messages in it.
    pub appended: u64,
    /// Retries that were recognised.
    pub duplicates: u64,
}

impl BatchPlan {
    /// Begins a batch for `period`, which has these counters; `commit` is the last append's of the whole store.
    pub(crate) fn new(period: u64, counters: PeriodMeta, commit: u64) -> Self {
        Self {
            rows: RecordChanges::new(),
            period,
            counters: PeriodMeta { commit: counters.commit.max(commit), ..counters },
            ops: Vec::new(),
            period_changes: PeriodChanges::new(),
            heads: HashMap::new(),
            local_ids: HashMap::new(),
            lists: HashSet::new(),
            let_go: Vec::new(),
            appended: 0,
            duplicates: 0,
        }
    }

    /// Decides one append: its place, or the first result of what it repeats. `certainly_new`: nothing was ever stored under
    /// its local id. `digest` is what a retry is compared by.
    pub(crate) fn append(
        &mut self,
        backend: &dyn Backend,
        remembered: &HeadCache,
        append: Append,
        certainly_new: bool,
        digest: (u64, u64),
    ) -> Result<Appended, StoreError> {
        let located = self.head(backend, remembered, &append.conversation)?;
        if !self.heads.contains_key(&append.conversation) && remembered.get(&append.conversation).is_none() {
            self.link_peers(backend, &append.conversation)?;
        }
        if append.epoch < located.head.epoch {
            return Err(StoreError::Fenced);
        }
        if let Some(first) = self.first_result(backend, &append, certainly_new, digest)? {
            self.duplicates += 1;
            return Ok(first);
        }
        if let Body::Combine(combine) = &append.draft.content.body
            && let Some(held) = &combine.held
        {
            self.carry_list(backend, held.list)?;
        }
        let appended = self.assign_place(append, located, digest);
        self.appended += 1;
        Ok(appended)
    }

    /// Decides a change of one message; returns the commit of the change.
    pub(crate) fn revise(&mut self, backend: &dyn Backend, revision: Revision) -> Result<u64, StoreError> {
        let Revision { conversation, seq, message, notes, pins, logged } = revision;
        let located = messages::locate(backend, &conversation, seq)?.ok_or(StoreError::Gone)?;
        self.counters.commit += 1;
        let commit = self.counters.commit;
        let changes = self.period_changes.entry(located.period).or_default();
        if let Some(message) = message {
            let key = key::message(&conversation, seq);
            let record = record::encode_message(&key, &message, located.envelope.commit);
            changes.insert(key, Some(record));
            if matches!(message.content.body, Body::Revoke(_)) {
                changes.insert(key::children(&conversation, seq), None);
                self.let_go.extend(held::held_of(&located.message).map(|held| (located.period, held.list)));
            }
        }
        for (note, value) in notes {
            let key = key::note(&conversation, seq, &note);
            let record = value.map(|value| record::encode(&key, &value));
            changes.insert(key, record);
        }
        if let Some(kind) = logged {
            put(changes, key::change(&conversation, commit), &(seq, kind));
        }
        if let Some(pins) = pins {
            put(self.of_period(), key::pins(&conversation), &pins);
        }
        Ok(commit)
    }

    /// Decides one change of a row; a later one of the same row takes its place.
    pub(crate) fn write_row(&mut self, backend: &dyn Backend, remembered: &HeadCache, write: RowWrite) -> Result<(), StoreError> {
        let rows = &mut self.rows;
        match write {
            RowWrite::PutUser(user) => put(rows, key::user(&user.id), &user),
            RowWrite::PutRoom(room) => put(rows, key::room(&room.id), &room),
            RowWrite::DeleteRoom(room) => drop(rows.insert(key::room(&room), None)),
            RowWrite::PutGroup(group) => put(rows, key::group(&group.info.id), &group),
            RowWrite::PutMember(group, member) => {
                put(rows, key::membership(&member.user, &group), &None::<FormerMember>);
                put(rows, key::member(&group, &member.user), &member);
            }
            RowWrite::DeleteMember(group, user) => {
                rows.insert(key::membership(&user, &group), None);
                rows.insert(key::member(&group, &user), None);
            }
            RowWrite::PutFormer(group, user, first_seq, left_ms) => {
                let last_seq = self.head(backend, remembered, &Conversation::Group(group.clone()))?.head.seq;
                self.put_former(&group, &user, FormerMember { first_seq, last_seq, left_ms });
            }
            RowWrite::PutMedia(media) => put(rows, key::media(media.file), &media),
            RowWrite::DeleteMedia(file) => drop(rows.insert(key::media(file), None)),
            RowWrite::PutEntry(user, conversation, entry) => put(self.of_period(), key::entry(&user, &conversation), &entry),
            RowWrite::PutFollowing(user, list) => put(self.of_period(), key::following(&user), &list),
            RowWrite::Delete(user, conversation, seqs) => self.delete(backend, &user, &conversation, &seqs)?,
        }
        Ok(())
    }

    /// Returns the changes of the current period, to add to them.
    fn of_period(&mut self) -> &mut RecordChanges {
        self.period_changes.entry(self.period).or_default()
    }

    /// Takes a member out of a group; what it saw stays its own.
    fn put_former(&mut self, group: &GroupId, user: &UserId, former: FormerMember) {
        let key = key::membership(user, group);
        let record = (former.last_seq >= former.first_seq).then(|| record::encode(&key, &Some(former)));
        self.rows.insert(key, record);
        self.rows.insert(key::member(group, user), None);
    }

    /// Hides messages from a user. The record lies in the message's period and goes with it.
    fn delete(&mut self, backend: &dyn Backend, user: &UserId, conversation: &Conversation, seqs: &[u64]) -> Result<(), StoreError> {
        for seq in seqs {
            if let Some(located) = messages::locate(backend, conversation, *seq)? {
                let changes = self.period_changes.entry(located.period).or_default();
                put(changes, key::deleted(user, conversation, *seq), &());
            }
        }
        Ok(())
    }

    fn head(&self, backend: &dyn Backend, remembered: &HeadCache, conversation: &Conversation) -> Result<LocatedHead, StoreError> {
        if let Some(located) = self.heads.get(conversation) {
            return Ok(*located);
        }
        if let Some(located) = remembered.get(conversation) {
            return Ok(located);
        }
        let none = LocatedHead { head: Head { seq: 0, order_key: 0, epoch: 0, commit: 0, whole_from: 0 }, period: None };
        Ok(heads::locate(backend, conversation)?.unwrap_or(none))
    }

    /// Lists two who talk in each other's list of peers: at their first message, or at their first since the heads
    /// were forgotten, should the list have been lost. Rows are durable before messages are.
    fn link_peers(&mut self, backend: &dyn Backend, conversation: &Conversation) -> Result<(), StoreError> {
        let Conversation::Peer(one, other) = conversation else { return Ok(()) };
        for key in [key::peer(one, other), key::peer(other, one)] {
            if backend.get(Space::Permanent, &key)?.is_none() {
                put(&mut self.rows, key, &());
            }
        }
        Ok(())
    }

    /// Returns the first result of a retry, in this batch or before it.
    fn first_result(
        &self,
        backend: &dyn Backend,
        append: &Append,
        certainly_new: bool,
        digest: (u64, u64),
    ) -> Result<Option<Appended>, StoreError> {
        let Some(local_id) = &append.draft.local_id else { return Ok(None) };
        // In a batch the first of two is the one that was told it is new, or both look on disk: ask the batch always.
        let known = match self.local_ids.get(&key::dedup(&append.conversation, &append.sender, local_id)) {
            Some((digest, first)) => Some((*digest, first.clone())),
            None if certainly_new => None,
            None => messages::first_result(backend, messages::ALL_COMMITS, &append.conversation, &append.sender, local_id)?
                .map(|found| (found.digest, Appended { message: found.message, commit: found.commit, duplicate: true })),
        };
        match known {
            None => Ok(None),
            Some((first, appended)) if first == digest => Ok(Some(Appended { duplicate: true, ..appended })),
            Some(_) => Err(StoreError::OtherContent),
        }
    }

    /// Gives a message the place after its conversation's head, and plans its record with those beside it.
    fn assign_place(&mut self, mut append: Append, located: LocatedHead, digest: (u64, u64)) -> Appended {
        self.counters.commit += 1;
        self.counters.message_id = self.counters.message_id.max(append.id);
        let commit = self.counters.commit;
        let head = Head {
            seq: located.head.seq + 1,
            order_key: next_order_key(located.head.order_key, append.now_ms),
            epoch: append.epoch,
            commit,
            whole_from: located.head.whole_from,
        };
        self.put_beside(&mut append, head.seq, commit);
        let Append { id, sender, conversation, draft, now_ms, .. } = append;
        let message = Arc::new(Message { seq: head.seq, ..draft.into_message(id, sender, conversation, head.order_key, now_ms) });
        let message_key = key::message(&message.conversation, message.seq);
        let record = record::encode_message(&message_key, &message, commit);
        self.put_new(message_key, record);
        let appended = Appended { message: Arc::clone(&message), commit, duplicate: false };
        if let Some(local_id) = &message.local_id {
            let dedup_key = key::dedup(&message.conversation, &message.sender, local_id);
            let entry = DedupEntry { seq: message.seq, digest };
            let record = record::encode(&dedup_key, &entry);
            self.put_new(dedup_key.clone(), record);
            self.local_ids.insert(dedup_key, (digest, appended.clone()));
        }
        self.heads.insert(message.conversation.clone(), LocatedHead { head, ..located });
        appended
    }

    /// Makes a list that a message refers to part of the period: copied once from an older one, if need be.
    fn carry_list(&mut self, backend: &dyn Backend, list: FileUid) -> Result<(), StoreError> {
        let key = key::held_list(list);
        if self.lists.contains(&list) || backend.size(Space::Period(self.period), &key)?.is_some() {
            return Ok(());
        }
        for period in backend.periods().into_iter().rev() {
            if let Some(record) = backend.get(Space::Period(period), &key)? {
                record::check(&key, &record)?;
                self.put_new(key, record);
                self.lists.insert(list);
                return Ok(());
            }
        }
        // Whoever held it has let go since it was looked up.
        Err(StoreError::Gone)
    }

    /// Plans what is kept beside a message: the files it uses, the list that a combine holds (whose children it loses), the tree
    /// it answers in.
    fn put_beside(&mut self, append: &mut Append, seq: u64, commit: u64) {
        let mut named = append.draft.content.body.files();
        if let Body::Combine(combine) = &mut append.draft.content.body {
            let children = std::mem::take(&mut combine.children);
            let held = combine.held.get_or_insert_with(|| {
                let list = FileUid::from_bits(append.id.into());
                let list_key = key::held_list(list);
                let record = record::encode(&list_key, &children);
                self.counters.entries += 1;
                self.ops.push(Op::Put(list_key, record));
                self.lists.insert(list);
                Box::new(Held::of(list, Vec::new(), &children))
            });
            named.push(held.list);
        }
        let conversation = &append.conversation;
        for file in named {
            let use_key = key::media_use(file, conversation, seq);
            let record = record::encode(&use_key, &());
            self.put_new(use_key, record);
        }
        if let Some(reply) = append.draft.content.options.reply.as_ref().filter(|reply| reply.root_seq > 0) {
            let reply_key = key::reply(conversation, reply.root_seq, seq);
            let record = record::encode(&reply_key, &commit);
            self.put_new(reply_key, record);
        }
    }

    fn put_new(&mut self, key: Vec<u8>, record: Vec<u8>) {
        self.counters.entries += 1;
        self.ops.push(Op::Put(key, record));
    }

    /// Ends the batch: adds each conversation's head once.
    pub(crate) fn finish(mut self) -> PlannedBatch {
        let mut heads = std::mem::take(&mut self.heads);
        for (conversation, located) in &mut heads {
            let head_key = key::head(conversation);
            let record = record::encode(&head_key, &located.head);
            if located.period == Some(self.period) {
                self.ops.push(Op::Put(head_key, record));
            } else {
                self.put_new(head_key, record);
                located.period = Some(self.period);
            }
        }
        PlannedBatch {
            period: self.period,
            rows: self.rows,
            ops: self.ops,
            period_changes: self.period_changes,
            counters: self.counters,
            heads,
            let_go: self.let_go,
            appended: self.appended,
            duplicates: self.duplicates,
        }
    }
}
