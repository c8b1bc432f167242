//! Making the records that a damaged database still holds agree with each other.

use std::collections::{BTreeMap, HashSet};

use super::losses::Survey;
use crate::model::{Body, Conversation, GroupMember, Message};
use crate::store::backend::Op;
use crate::store::backend::counters::{count_entries, for_each_record};
use crate::store::backend::sled::Table;
use crate::store::error::StoreError;
use crate::store::format::key;
use crate::store::format::record::{self, DedupEntry, Head, PeriodMeta, PeriodRow, PermanentMeta, SenderDedupEntry};
use crate::store::format::record_kind::RecordKind;
use crate::store::format::rows::{ChangeKind, FormerMember, RoomRecord};
use crate::store::types::SINGLE_NODE_EPOCH;

/// Changes per commit.
const CHUNK: usize = 512;

fn commit_all(table: &Table, ops: Vec<Op>) -> Result<(), StoreError> {
    ops.chunks(CHUNK).try_for_each(|chunk| table.commit(chunk.to_vec()))
}

/// Writes down that every message up to the head may be missing.
fn accept_losses(key: &[u8], head: Head) -> Vec<u8> {
    record::encode(key, &Head { whole_from: head.seq, ..head })
}

/// Shows the survey what the permanent space knows of conversations; returns the rooms that exist.
pub(crate) fn read_permanent(table: &Table, survey: &mut Survey) -> Result<HashSet<Conversation>, StoreError> {
    let mut rooms = HashSet::new();
    for_each_record(table, |key, value| {
        match RecordKind::of(key) {
            Some(RecordKind::Head) => survey.permanent_head(key, record::decode(key, value)?),
            Some(RecordKind::Room) => {
                let room: RoomRecord = record::decode(key, value)?;
                rooms.insert(Conversation::Room(room.id, room.incarnation));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(rooms)
}

/// Makes the records of a period agree; returns its counters, which are not written yet.
pub(crate) fn reconcile_period(table: &Table, rooms: &HashSet<Conversation>, survey: &mut Survey) -> Result<PeriodMeta, StoreError> {
    let mut period = Period {
        rooms,
        survey,
        counters: PeriodMeta::default(),
        heads: BTreeMap::new(),
        dedups: BTreeMap::new(),
        sender_dedups: BTreeMap::new(),
        revoked: HashSet::new(),
        ops: Vec::new(),
    };
    for_each_record(table, |key, value| period.visit(key, value))?;
    let Period { mut counters, heads, dedups, sender_dedups, mut ops, .. } = period;
    // Those left have no message.
    ops.extend(dedups.into_keys().chain(sender_dedups.into_keys()).map(Op::Delete));
    ops.extend(heads.into_iter().map(|(key, head)| {
        let record = accept_losses(&key, head);
        Op::Put(key, record)
    }));
    commit_all(table, ops)?;
    counters.entries = count_entries(table)?;
    Ok(counters)
}

/// What a period holds, as far as it must agree.
struct Period<'a> {
    /// Those that exist. Nobody comes to a room in a life without a row any more, and what was deleted with it may have come
    /// back: it goes.
    rooms: &'a HashSet<Conversation>,
    survey: &'a mut Survey,
    counters: PeriodMeta,
    heads: BTreeMap<Vec<u8>, Head>,
    /// Dedup entries whose message did not come by yet.
    dedups: BTreeMap<Vec<u8>, DedupEntry>,
    /// The same of format 5 or before.
    sender_dedups: BTreeMap<Vec<u8>, SenderDedupEntry>,
    /// Keys of messages of which a change says that they were taken back.
    revoked: HashSet<Vec<u8>>,
    ops: Vec<Op>,
}

impl Period<'_> {
    fn visit(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let room = key::conversation_in(key).filter(|conversation| matches!(conversation, Conversation::Room(..)));
        if room.is_some_and(|room| !self.rooms.contains(&room)) {
            self.ops.push(Op::Delete(key.to_vec()));
            return Ok(());
        }
        match RecordKind::of(key) {
            Some(RecordKind::Meta) => self.counters = record::decode(key, value)?,
            Some(RecordKind::Head) => {
                self.survey.record(key, value)?;
                self.heads.insert(key.to_vec(), record::decode(key, value)?);
            }
            Some(RecordKind::Dedup) => {
                self.survey.record(key, value)?;
                self.dedups.insert(key.to_vec(), record::decode(key, value)?);
            }
            Some(RecordKind::SenderDedup) => {
                let entry: SenderDedupEntry = record::decode(key, value)?;
                if !matches!(entry.conversation, Conversation::Room(..)) || self.rooms.contains(&entry.conversation) {
                    self.survey.record(key, value)?;
                }
                self.sender_dedups.insert(key.to_vec(), entry);
            }
            Some(RecordKind::Change) => {
                self.survey.record(key, value)?;
                let (seq, kind): (u64, ChangeKind) = record::decode(key, value)?;
                let conversation = key::conversation_in(key).filter(|_| kind == ChangeKind::Revoked);
                self.revoked.extend(conversation.map(|conversation| key::message(&conversation, seq)));
            }
            Some(RecordKind::Message) => self.visit_message(key, value)?,
            Some(kind) if kind.is_periodic() => {}
            _ => self.ops.push(Op::Delete(key.to_vec())),
        }
        Ok(())
    }

    fn visit_message(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let (message, envelope) = record::decode_message(key, value)?;
        if self.revoked.contains(key) && !matches!(message.content.body, Body::Revoke(_)) {
            // Only what it said before was found: it does not come back.
            self.ops.push(Op::Delete(key.to_vec()));
            return Ok(());
        }
        self.survey.record(key, value)?;
        self.counters.commit = self.counters.commit.max(envelope.commit);
        self.counters.message_id = self.counters.message_id.max(message.id);
        let none = Head { seq: 0, order_key: 0, epoch: SINGLE_NODE_EPOCH, commit: 0, whole_from: 0 };
        let head = self.heads.entry(key::head(&message.conversation)).or_insert(none);
        if message.seq > head.seq {
            *head = Head { seq: message.seq, order_key: message.order_key, commit: envelope.commit, ..*head };
        }
        self.keep_dedup(&message);
        Ok(())
    }

    /// Keeps a message's dedup entry, or makes it: what a message says of itself is enough to know its local id again.
    fn keep_dedup(&mut self, message: &Message) {
        let Some(local_id) = &message.local_id else { return };
        let Message { conversation, sender, seq, .. } = message;
        let is_its_own = |older: &SenderDedupEntry| older.conversation == *conversation && older.seq == *seq;
        let older_key = key::sender_dedup(sender, local_id);
        if self.sender_dedups.get(&older_key).is_some_and(is_its_own) {
            self.sender_dedups.remove(&older_key);
            return;
        }
        let dedup_key = key::dedup(conversation, sender, local_id);
        let found = self.dedups.remove(&dedup_key);
        // The digest of a message that was changed since does not recognise its first sending any more.
        let digest = found.map_or_else(|| record::digest_of(conversation, &message.content), |found| found.digest);
        let entry = DedupEntry { seq: *seq, digest };
        if found != Some(entry) {
            let record = record::encode(&dedup_key, &entry);
            self.ops.push(Op::Put(dedup_key, record));
        }
    }
}

/// Makes rows agree with each other and with the periods that exist; returns their counters, which are not written yet.
pub(crate) fn reconcile_permanent(table: &Table, periods: Vec<u64>, rows_acknowledged: u64) -> Result<PermanentMeta, StoreError> {
    let mut permanent = Permanent::default();
    for_each_record(table, |key, value| permanent.visit(key, value))?;
    let Permanent { counters, memberships, wanted, mut ops } = permanent;
    ops.extend(memberships.into_iter().filter(|key| !wanted.contains_key(key)).map(Op::Delete));
    ops.extend(wanted.into_iter().map(|(key, value)| Op::Put(key, value)));
    commit_all(table, ops)?;
    let rows = periods.into_iter().map(key::period);
    commit_all(table, rows.map(|key| Op::Put(key.clone(), record::encode(&key, &PeriodRow::default()))).collect())?;
    Ok(PermanentMeta { rows: counters.rows.max(rows_acknowledged), entries: count_entries(table)? })
}

/// What the permanent space holds, as far as it must agree.
#[derive(Default)]
struct Permanent {
    counters: PermanentMeta,
    /// Keys of the groups that users are listed to be in.
    memberships: Vec<Vec<u8>>,
    /// The same, as the groups' lists of members say.
    wanted: BTreeMap<Vec<u8>, Vec<u8>>,
    ops: Vec<Op>,
}

impl Permanent {
    fn visit(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        match RecordKind::of(key) {
            Some(RecordKind::Meta) => self.counters = record::decode(key, value)?,
            Some(RecordKind::Membership) => {
                let former: Option<FormerMember> = record::decode(key, value)?;
                self.memberships.extend(former.is_none().then(|| key.to_vec()));
            }
            Some(RecordKind::Member) => {
                let member: GroupMember = record::decode(key, value)?;
                let group = key::split_member(key).ok_or_else(|| StoreError::Damaged("a member's key".into()))?;
                let membership = key::membership(&member.user, &group);
                let record = record::encode(&membership, &None::<FormerMember>);
                self.wanted.insert(membership, record);
            }
            Some(RecordKind::Head) => self.ops.push(Op::Put(key.to_vec(), accept_losses(key, record::decode(key, value)?))),
            // Written anew, for the periods that exist.
            Some(RecordKind::Period) => self.ops.push(Op::Delete(key.to_vec())),
            Some(kind) if kind.is_permanent() => {}
            _ => self.ops.push(Op::Delete(key.to_vec())),
        }
        Ok(())
    }
}
