//! Decides what a batch becomes: retries, places, statements. Writes nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::heads::{Head, Heads};
use super::job::{NewMessage, Work, home_of_row};
use super::sql::Sql;
use super::steps::{Step, revision_steps, row_steps, step};
use crate::model::order_key::next_order_key;
use crate::model::{Body, Conversation, FileUid, Held, LocalMessageId, Message, UserId};
use crate::store::error::StoreError;
use crate::store::postgres::message_row::{Stored, Written, json, numbers, priority};
use crate::store::postgres::place::number;
use crate::store::postgres::stamp::{StampClock, StampUse, day_of};
use crate::store::types::{Append, Appended, RowWrite};

/// What was looked up in the database before a batch is planned.
#[derive(Default)]
pub(super) struct Found {
    /// Of appends, by their position in the batch: what is stored under their local id, and what it said.
    pub retries: HashMap<usize, ((u64, u64), Stored)>,
    /// Lists that are there.
    pub lists: HashSet<FileUid>,
    /// Of revisions, by their position: the message is there.
    pub messages: HashSet<usize>,
}

/// A job's outcome, told after the commit.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Append(Result<Appended, StoreError>),
    Revise(Result<u64, StoreError>),
    Rows(Result<(), StoreError>),
}

/// A message in its place.
struct New {
    conv: i64,
    stamp: u64,
    message: Arc<Message>,
    digest: (u64, u64),
}

/// A local id, and whose it is.
type RetryKey = (Conversation, UserId, LocalMessageId);

/// A batch in the making.
pub(super) struct Plan<'a> {
    heads: &'a mut Heads,
    stamps: &'a StampClock,
    found: Found,
    /// Where conversations stood before the batch, by number: seq.
    before: HashMap<i64, u64>,
    new: Vec<New>,
    local_ids: HashMap<RetryKey, ((u64, u64), Appended)>,
    lists: Vec<(FileUid, u64, String)>,
    uses: Vec<(FileUid, i64, i64, i64)>,
    steps: Vec<Step>,
    shards: BTreeSet<i16>,
    /// Lists that are there, and that new messages hold.
    held: BTreeSet<String>,
    stamp_use: StampUse,
    duplicates: u64,
}

/// By what this process is known to the fence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fence {
    pub boot: i64,
    /// Whether other processes write the store, too.
    pub shares: bool,
}

/// A batch to be committed.
pub(super) struct Planned {
    /// In order.
    pub steps: Vec<Step>,
    /// Whether there is anything to write.
    pub writes: bool,
    /// The first new message, by which it is told afterwards whether the batch was committed: conv, seq, stamp, id.
    pub witness: Option<[i64; 4]>,
    pub appended: u64,
    pub duplicates: u64,
    pub message_id: u64,
    /// Its stamps are in use as long as it is there.
    pub stamp_use: StampUse,
}

impl<'a> Plan<'a> {
    /// Begins a batch. All conversations that its jobs name are known to `heads`, if they are there.
    pub(super) fn new(heads: &'a mut Heads, stamps: &'a StampClock, found: Found) -> Self {
        Self {
            heads,
            stamps,
            found,
            before: HashMap::new(),
            new: Vec::new(),
            local_ids: HashMap::new(),
            lists: Vec::new(),
            uses: Vec::new(),
            steps: Vec::new(),
            shards: BTreeSet::new(),
            held: BTreeSet::new(),
            stamp_use: stamps.begin_use(),
            duplicates: 0,
        }
    }

    /// Decides one job, the `at`th of its batch.
    pub(super) fn decide(&mut self, at: usize, work: &Work) -> Outcome {
        match work {
            Work::Append(new) => Outcome::Append(self.append(at, new)),
            Work::Revise(revision) => {
                let head = self.heads.get(&revision.conversation);
                let Some(head) = head.filter(|head| self.found.messages.contains(&at) || self.holds(head.conv, revision.seq)) else {
                    return Outcome::Revise(Err(StoreError::Gone));
                };
                let stamp = self.stamps.next();
                self.shards.insert(head.shard);
                self.steps.extend(revision_steps(revision, head.conv, stamp));
                Outcome::Revise(Ok(stamp))
            }
            Work::Rows(rows) => {
                rows.iter().for_each(|row| self.write_row(row));
                Outcome::Rows(Ok(()))
            }
        }
    }

    fn write_row(&mut self, row: &RowWrite) {
        self.shards.extend(home_of_row(row).map(|home| self.heads.shard_of(&home)));
        self.steps.extend(row_steps(row, self.heads));
    }

    fn holds(&self, conv: i64, seq: u64) -> bool {
        self.new.iter().any(|new| new.conv == conv && new.message.seq == seq)
    }

    fn append(&mut self, at: usize, new: &NewMessage) -> Result<Appended, StoreError> {
        let NewMessage { append, digest, .. } = new;
        if let Some(first) = self.first_result(at, append, *digest)? {
            self.duplicates += 1;
            return Ok(first);
        }
        if let Body::Combine(combine) = &append.draft.content.body
            && let Some(held) = &combine.held
            && !self.lists.iter().any(|(list, ..)| *list == held.list)
        {
            if !self.found.lists.contains(&held.list) {
                // Whoever held it has let go since it was looked up.
                return Err(StoreError::Gone);
            }
            self.held.insert(held.list.to_string());
        }
        let head = self.heads.get(&append.conversation).ok_or_else(|| StoreError::Unavailable("a conversation was not found".into()))?;
        Ok(self.assign_place(append.clone(), head, *digest))
    }

    /// Returns the first result of a retry, in this batch or before it.
    fn first_result(&self, at: usize, append: &Append, digest: (u64, u64)) -> Result<Option<Appended>, StoreError> {
        let Some(key) = retry_key(append) else { return Ok(None) };
        let known = match self.local_ids.get(&key) {
            Some((digest, first)) => Some((*digest, first.clone())),
            None => self
                .found
                .retries
                .get(&at)
                .map(|(digest, stored)| (*digest, Appended { message: stored.message.clone(), commit: stored.stamp, duplicate: true })),
        };
        match known {
            None => Ok(None),
            Some((first, appended)) if first == digest => Ok(Some(Appended { duplicate: true, ..appended })),
            Some(_) => Err(StoreError::OtherContent),
        }
    }

    fn assign_place(&mut self, mut append: Append, head: Head, digest: (u64, u64)) -> Appended {
        let stamp = self.stamps.next();
        let moved = Head { seq: head.seq + 1, order_key: next_order_key(head.order_key, append.now_ms), stamp, ..head };
        self.before.entry(head.conv).or_insert(head.seq);
        self.shards.insert(head.shard);
        self.put_beside(&mut append, &moved);
        let key = retry_key(&append);
        let Append { id, sender, conversation, draft, now_ms, .. } = append;
        let message = Message { seq: moved.seq, ..draft.into_message(id, sender, conversation, moved.order_key, now_ms) };
        let message = Arc::new(message);
        let appended = Appended { message: message.clone(), commit: stamp, duplicate: false };
        if let Some(key) = key {
            self.local_ids.insert(key, (digest, appended.clone()));
        }
        self.heads.put(message.conversation.clone(), moved);
        self.new.push(New { conv: head.conv, stamp, message, digest });
        appended
    }

    /// Plans what is kept beside a message: the list that a combine holds (whose children it loses), and what it uses.
    fn put_beside(&mut self, append: &mut Append, head: &Head) {
        let mut named = append.draft.content.body.files();
        if let Body::Combine(combine) = &mut append.draft.content.body {
            let children = std::mem::take(&mut combine.children);
            let held = combine.held.get_or_insert_with(|| {
                let list = FileUid::from_bits(append.id.into());
                self.lists.push((list, head.stamp, json(&children)));
                Box::new(Held::of(list, Vec::new(), &children))
            });
            named.push(held.list);
        }
        self.uses.extend(named.into_iter().map(|file| (file, head.conv, number(head.seq), number(head.stamp))));
    }

    /// Ends the batch.
    pub(super) fn finish(self, fence: Fence) -> Planned {
        let Self { heads, before, new, lists, uses, steps: changes, shards, held, duplicates, stamp_use, .. } = self;
        let mut steps = Vec::with_capacity(changes.len() + 8);
        if !(new.is_empty() && changes.is_empty()) {
            steps.extend(fence_steps(fence, shards, held));
        }
        if !new.is_empty() {
            steps.push(heads_step(heads, &before, &new));
            steps.push(messages_step(&new));
            steps.extend(retries_step(&new));
            steps.extend(links_step(&before, &new));
            steps.extend(replies_step(&new));
        }
        if !lists.is_empty() {
            let (mut names, mut stamps, mut children) = (Vec::new(), Vec::new(), Vec::new());
            for (list, stamp, json) in lists {
                names.push(list.to_string());
                stamps.push(number(stamp));
                children.push(json);
            }
            steps.push(step!(Sql::Lists, names, stamps, children));
        }
        if !uses.is_empty() {
            let column = |of: fn(&(FileUid, i64, i64, i64)) -> i64| uses.iter().map(of).collect::<Vec<i64>>();
            let files: Vec<String> = uses.iter().map(|(file, ..)| file.to_string()).collect();
            steps.push(step!(Sql::Uses, files, column(|one| one.1), column(|one| one.2), column(|one| one.3)));
        }
        let witness = new.first().map(|new| [new.conv, number(new.message.seq), number(new.stamp), number(new.message.id)]);
        let message_id = new.iter().map(|new| new.message.id).max().unwrap_or(0);
        steps.extend(changes);
        Planned { writes: !steps.is_empty(), steps, witness, appended: new.len() as u64, duplicates, message_id, stamp_use }
    }
}

/// Returns what a batch begins with: who owns what it writes, and what others must not take away before its end.
fn fence_steps(Fence { boot, shares }: Fence, shards: BTreeSet<i16>, held: BTreeSet<String>) -> Vec<Step> {
    let shards: Vec<i16> = shards.into_iter().collect();
    if !shares {
        // What belongs to no conversation is behind the fence of the first shard.
        return vec![step!(Sql::Fence, if shards.is_empty() { vec![0] } else { shards }, boot)];
    }
    let mut steps = vec![step!(Sql::FenceOfMany, shards, boot)];
    if !held.is_empty() {
        steps.push(step!(Sql::HoldLists, held.into_iter().collect::<Vec<String>>()));
    }
    steps
}

/// Returns the key under which a retry of it is known, if it has one.
pub(super) fn retry_key(append: &Append) -> Option<RetryKey> {
    let local_id = append.draft.local_id.clone()?;
    Some((append.conversation.clone(), append.sender.clone(), local_id))
}

fn heads_step(heads: &Heads, before: &HashMap<i64, u64>, new: &[New]) -> Step {
    let last: HashMap<i64, &New> = new.iter().map(|new| (new.conv, new)).collect();
    let mut moved: Vec<(i64, &New)> = last.into_iter().collect();
    moved.sort_unstable_by_key(|(conv, _)| *conv);
    let convs: Vec<i64> = moved.iter().map(|(conv, _)| *conv).collect();
    let befores: Vec<i64> = convs.iter().map(|conv| number(before.get(conv).copied().unwrap_or(0))).collect();
    let column = |of: fn(&New) -> u64| moved.iter().map(|(_, new)| number(of(new))).collect::<Vec<i64>>();
    debug_assert!(moved.iter().all(|(_, new)| heads.get(&new.message.conversation).is_some_and(|head| head.seq == new.message.seq)));
    step!(
        Sql::Heads,
        convs,
        befores,
        column(|new| new.message.seq),
        column(|new| new.message.order_key),
        column(|new| new.stamp),
        column(|new| new.message.id),
    )
}

fn messages_step(new: &[New]) -> Step {
    let written: Vec<Written> = new.iter().map(|new| Written::of(&new.message)).collect();
    let own: Vec<[i64; 4]> = new.iter().map(|new| numbers(&new.message)).collect();
    let own = |at: usize| own.iter().map(|numbers| numbers[at]).collect::<Vec<i64>>();
    let (mut contents, mut words, mut mentions, mut states) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let flags: Vec<i16> = written.iter().map(|one| one.flags).collect();
    let kinds: Vec<i16> = written.iter().map(|one| one.kind).collect();
    let all: Vec<bool> = written.iter().map(|one| one.mentions_all).collect();
    for one in written {
        contents.push(one.content);
        words.push(one.words);
        mentions.push(one.mentions);
        states.push(one.state);
    }
    step!(
        Sql::Messages,
        new.iter().map(|new| new.conv).collect::<Vec<i64>>(),
        new.iter().map(|new| number(new.stamp)).collect::<Vec<i64>>(),
        own(0),
        own(1),
        own(2),
        own(3),
        new.iter().map(|new| priority(&new.message)).collect::<Vec<i16>>(),
        kinds,
        flags,
        all,
        new.iter().map(|new| new.message.sender.to_string()).collect::<Vec<String>>(),
        new.iter().map(|new| new.message.local_id.as_ref().map(ToString::to_string)).collect::<Vec<Option<String>>>(),
        mentions,
        words,
        contents,
        states,
    )
}

fn retries_step(new: &[New]) -> Option<Step> {
    let with_id: Vec<(&New, &LocalMessageId)> = new.iter().filter_map(|new| Some((new, new.message.local_id.as_ref()?))).collect();
    if with_id.is_empty() {
        return None;
    }
    let column = |of: fn(&New) -> i64| with_id.iter().map(|(new, _)| of(new)).collect::<Vec<i64>>();
    Some(step!(
        Sql::Retries,
        column(|new| new.conv),
        with_id.iter().map(|(new, _)| new.message.sender.to_string()).collect::<Vec<String>>(),
        with_id.iter().map(|(_, local_id)| local_id.to_string()).collect::<Vec<String>>(),
        with_id.iter().map(|(new, _)| day_of(new.stamp)).collect::<Vec<i32>>(),
        column(|new| number(new.message.seq)),
        column(|new| number(new.stamp)),
        with_id.iter().map(|(new, _)| digest_bytes(new.digest)).collect::<Vec<Vec<u8>>>(),
    ))
}

/// Lists two who talk in each other's conversations, from their first message on.
fn links_step(before: &HashMap<i64, u64>, new: &[New]) -> Option<Step> {
    let (mut users, mut convs, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for one in new.iter().filter(|one| one.message.seq == 1 && before.get(&one.conv) == Some(&0)) {
        if let Conversation::Peer(lesser, greater) = &one.message.conversation {
            for (user, other) in [(lesser, greater), (greater, lesser)] {
                users.push(user.to_string());
                convs.push(one.conv);
                others.push(other.to_string());
            }
        }
    }
    let kinds = vec![0i16; users.len()];
    (!users.is_empty()).then(|| step!(Sql::Links, users, convs, kinds, others))
}

fn replies_step(new: &[New]) -> Option<Step> {
    let (mut convs, mut roots, mut seqs, mut stamps) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in new {
        if let Some(reply) = one.message.content.options.reply.as_ref().filter(|reply| reply.root_seq > 0) {
            convs.push(one.conv);
            roots.push(number(reply.root_seq));
            seqs.push(number(one.message.seq));
            stamps.push(number(one.stamp));
        }
    }
    (!convs.is_empty()).then(|| step!(Sql::Replies, convs, roots, seqs, stamps))
}

/// Returns a digest as it is kept.
pub(in crate::store::postgres) fn digest_bytes((high, low): (u64, u64)) -> Vec<u8> {
    [high.to_be_bytes(), low.to_be_bytes()].concat()
}

/// Reads a digest.
pub(in crate::store::postgres) fn digest_of(bytes: &[u8]) -> (u64, u64) {
    let number = |at: usize| bytes.get(at..at + 8).map_or(0, |part| part.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    (number(0), number(8))
}
