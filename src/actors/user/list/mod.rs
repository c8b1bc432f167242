//! A user's list of conversations: what is unread, who mentioned the user, what changed since the clients were told.
//! Pure: it reads no store and tells nobody.
//!
//! Everything in it follows from the messages and from one small record per conversation, so that a message to a group
//! costs no row per member, and so that the list can be read again at any time.

pub(crate) mod load;
pub(crate) mod ops;
pub(crate) mod sync;

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::model::{Conversation, Message, UserId};
use crate::protocol::event::conversation::ConversationEvent;
use crate::protocol::{EntryAnchor, EntryFilter};
use crate::store::{EntryRecord, MENTIONS_MAX, Mentioned};

/// What a conversation is called for this user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DisplayInfo {
    pub(crate) name: String,
    pub(crate) avatar_url: String,
}

/// One conversation of the user, listed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) title: DisplayInfo,
    pub(crate) record: EntryRecord,
    /// The first message the user may see, by membership.
    pub(crate) first_seq: u64,
    /// The last message the user may see, if it is not in the group any more.
    pub(crate) end_seq: Option<u64>,
    /// When it left then, Unix milliseconds; 0: not noted.
    pub(crate) left_ms: u64,
    /// The last message.
    pub(crate) tail_seq: u64,
    pub(crate) tail_order_key: u64,
    /// The commit of the last message.
    pub(crate) tail_commit: u64,
    pub(crate) unread: u64,
    pub(crate) mentions: VecDeque<Mentioned>,
    /// Whether the clients were told of it.
    pub(crate) known_to_clients: bool,
}

impl Entry {
    /// Returns whether it is in the list: something was said that the user may see since it was last taken off.
    pub(crate) fn is_listed(&self) -> bool {
        self.tail_seq >= self.first_seq.max(1) && self.tail_seq > self.record.hidden_seq
    }

    pub(crate) fn order_key(&self) -> u64 {
        self.tail_order_key.max(self.record.order_key_min)
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.record.pinned_ms > 0
    }

    /// Returns the first message that is neither before the user's membership nor deleted by it.
    pub(crate) fn visible_from(&self) -> u64 {
        self.first_seq.max(self.record.cleared_seq + 1)
    }

    /// Counts a message as unread, if it counts.
    pub(crate) fn count(&mut self, message: &Message, me: &UserId, unread_max: u64) {
        if message.seq <= self.record.read_seq.max(self.record.cleared_seq) || message.seq < self.first_seq {
            return;
        }
        if message.counts_for(me) {
            self.unread = unread_max.min(self.unread + 1);
        }
        self.mentions.extend(Mentioned::of(message, me));
        if self.mentions.len() > MENTIONS_MAX {
            self.mentions.pop_front();
        }
    }
}

/// A conversation whose latest state the clients were not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingChange {
    pub(crate) conversation: Conversation,
    pub(crate) event: ConversationEvent,
    /// The last message, if it is in memory.
    pub(crate) last: Option<Arc<Message>>,
}

/// The list of one user.
#[derive(Debug, Default)]
pub(crate) struct ConversationList {
    entries: HashMap<Conversation, Entry>,
    /// The changes the clients were not told yet.
    pending: Vec<PendingChange>,
    /// The total of unread messages the clients were told.
    pub(crate) announced_total: Option<u64>,
}

impl ConversationList {
    pub(crate) fn new(entries: HashMap<Conversation, Entry>) -> Self {
        Self { entries, pending: Vec::new(), announced_total: None }
    }

    pub(crate) fn get(&self, conversation: &Conversation) -> Option<&Entry> {
        self.entries.get(conversation)
    }

    pub(crate) fn get_mut(&mut self, conversation: &Conversation) -> Option<&mut Entry> {
        self.entries.get_mut(conversation)
    }

    /// Replaces a conversation's entry, but keeps what the clients were told of it.
    pub(crate) fn put(&mut self, conversation: Conversation, entry: Option<Entry>) {
        let known_to_clients = self.get(&conversation).is_some_and(|entry| entry.known_to_clients);
        match entry {
            Some(entry) => drop(self.entries.insert(conversation, Entry { known_to_clients, ..entry })),
            None => drop(self.entries.remove(&conversation)),
        }
    }

    pub(crate) fn conversations(&self) -> impl Iterator<Item = (&Conversation, &Entry)> {
        self.entries.iter()
    }

    /// Returns how many conversations are in the list, and how many of them are pinned.
    pub(crate) fn pinned_count(&self) -> usize {
        self.entries.values().filter(|entry| entry.is_listed() && entry.is_pinned()).count()
    }

    /// Returns how many messages are unread in the listed conversations that are not muted.
    pub(crate) fn total(&self) -> u64 {
        self.total_of(&EntryFilter::default())
    }

    /// Returns the same for the conversations that pass the filter.
    pub(crate) fn total_of(&self, filter: &EntryFilter) -> u64 {
        let counted = self.entries.iter().filter(|(conversation, entry)| !entry.record.muted && passes(filter, conversation, entry));
        counted.map(|(_, entry)| entry.unread).sum()
    }

    /// Returns how many conversations bear a mark.
    pub(crate) fn marked_count(&self, mark: u32) -> usize {
        self.entries.values().filter(|entry| entry.record.marks.contains(&mark)).count()
    }

    /// Adds a message that came. Returns false when the conversation, or a message before this one, is not known: then
    /// it must be read from the store.
    pub(crate) fn note(&mut self, message: &Arc<Message>, me: &UserId, unread_max: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&message.conversation) else { return false };
        if message.seq <= entry.tail_seq || entry.end_seq.is_some() {
            return true;
        }
        if message.seq > entry.tail_seq + 1 {
            return false;
        }
        entry.tail_seq = message.seq;
        entry.tail_order_key = message.order_key;
        entry.count(message, me, unread_max);
        self.change(&message.conversation, ConversationEvent::Updated, Some(message.clone()));
        true
    }

    /// Takes the place of what was known before: the clients must be told of every conversation that differs, and of what they
    /// were not told yet.
    pub(crate) fn follow(&mut self, before: Self) {
        self.announced_total = before.announced_total;
        // The messages in memory may be older than what was read.
        self.pending = before.pending.into_iter().map(|change| PendingChange { last: None, ..change }).collect();
        let mut differing = Vec::new();
        for (conversation, entry) in &mut self.entries {
            let Some(known) = before.entries.get(conversation) else {
                differing.push((conversation.clone(), ConversationEvent::Updated));
                continue;
            };
            entry.known_to_clients = known.known_to_clients;
            if *entry != (Entry { tail_commit: entry.tail_commit, ..known.clone() }) {
                differing.push((conversation.clone(), event_of(Some(known), Some(entry))));
            }
        }
        differing.into_iter().for_each(|(conversation, event)| self.changed(&conversation, event));
    }

    /// Notes that the clients must be told of a conversation.
    pub(crate) fn changed(&mut self, conversation: &Conversation, event: ConversationEvent) {
        self.change(conversation, event, None);
    }

    fn change(&mut self, conversation: &Conversation, event: ConversationEvent, last: Option<Arc<Message>>) {
        match self.pending.iter_mut().find(|change| change.conversation == *conversation) {
            Some(before) => {
                if event == ConversationEvent::Disabled {
                    before.event = event;
                }
                before.last = last;
            }
            None => self.pending.push(PendingChange { conversation: conversation.clone(), event, last }),
        }
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty() || self.announced_total != Some(self.total())
    }

    /// Takes the changes the clients were not told yet; from now on they count as told.
    pub(crate) fn take_pending(&mut self) -> Vec<PendingChange> {
        let mut taken = std::mem::take(&mut self.pending);
        taken.retain_mut(|PendingChange { conversation, event, .. }| {
            let Some(entry) = self.entries.get_mut(conversation) else { return false };
            let is_listed = entry.is_listed();
            let was_told = std::mem::replace(&mut entry.known_to_clients, is_listed);
            if *event == ConversationEvent::Updated && !was_told {
                *event = ConversationEvent::Added;
            }
            is_listed
        });
        taken
    }

    /// Returns a page of the list: pinned ones first, then by order key, the greatest first. Source: ZIM API reference,
    /// "queryConversationList".
    pub(crate) fn page(&self, count: usize, after: Option<&EntryAnchor>, me: &UserId, filter: &EntryFilter) -> Vec<&Conversation> {
        let mut listed: Vec<(&Conversation, &Entry)> =
            self.entries.iter().filter(|(conversation, entry)| passes(filter, conversation, entry)).collect();
        let place = |entry: &Entry| Reverse((entry.is_pinned(), entry.order_key()));
        // Order keys of two conversations may be equal: the name decides.
        listed.sort_by(|(one, a), (other, b)| place(a).cmp(&place(b)).then_with(|| name(one).cmp(&name(other))));
        let from = after.map_or(0, |anchor| {
            let by_name = anchor.target.as_ref().and_then(|target| {
                let wanted = Conversation::of(me, target)?;
                listed.iter().position(|(conversation, _)| **conversation == wanted).map(|n| n + 1)
            });
            by_name.unwrap_or_else(|| {
                let last = Reverse((anchor.pinned, anchor.order_key.unwrap_or(0)));
                listed.iter().position(|(_, entry)| place(entry) > last).unwrap_or(listed.len())
            })
        });
        listed.into_iter().skip(from).take(count).map(|(conversation, _)| conversation).collect()
    }
}

/// Returns what happened to a conversation that was read again: it is disabled when the user is not in it any more.
pub(crate) fn event_of(before: Option<&Entry>, now: Option<&Entry>) -> ConversationEvent {
    let was_inside = before.is_some_and(|entry| entry.end_seq.is_none());
    let is_out = now.is_some_and(|entry| entry.end_seq.is_some());
    if was_inside && is_out { ConversationEvent::Disabled } else { ConversationEvent::Updated }
}

/// Returns whether a conversation is in the list and passes the filter.
fn passes(filter: &EntryFilter, conversation: &Conversation, entry: &Entry) -> bool {
    let EntryFilter { kinds, marks, unread_only, pinned } = filter;
    entry.is_listed()
        && (kinds.is_empty() || kinds.contains(&name(conversation).0))
        && (marks.is_empty() || marks.iter().any(|mark| entry.record.marks.contains(mark)))
        && (!unread_only || entry.unread > 0)
        && pinned.is_none_or(|pinned| pinned == entry.is_pinned())
}

fn name(conversation: &Conversation) -> (u8, &str, &str) {
    match conversation {
        Conversation::Peer(one, other) => (0, one.as_str(), other.as_str()),
        Conversation::Room(room, _) => (1, room.as_str(), ""),
        Conversation::Group(group) => (2, group.as_str(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Draft, GroupId, Target};

    fn me() -> UserId {
        UserId::trusted("me")
    }

    fn group(n: u64) -> Conversation {
        Conversation::Group(GroupId::trusted(&format!("g{n}")))
    }

    fn entry(tail: u64) -> Entry {
        Entry {
            title: DisplayInfo::default(),
            record: EntryRecord::default(),
            first_seq: 1,
            end_seq: None,
            left_ms: 0,
            tail_seq: tail,
            tail_order_key: tail * 10,
            tail_commit: 0,
            unread: 0,
            mentions: VecDeque::new(),
            known_to_clients: true,
        }
    }

    fn message(n: u64, seq: u64, from: &str, names: &[&str]) -> Arc<Message> {
        let mut draft = Draft::text("hi");
        draft.content.mentions.users = names.iter().map(|name| UserId::trusted(name)).collect();
        Arc::new(Message { seq, ..draft.into_message(seq, UserId::trusted(from), group(n), 1000 + seq, 0) })
    }

    /// Returns the changes the clients were not told.
    fn pending(list: &mut ConversationList) -> Vec<(Conversation, ConversationEvent)> {
        list.take_pending().into_iter().map(|change| (change.conversation, change.event)).collect()
    }

    fn list(tails: &[u64]) -> ConversationList {
        ConversationList::new((0..).zip(tails).map(|(n, tail)| (group(n), entry(*tail))).collect())
    }

    #[test]
    fn others_messages_count_once_and_own_never_and_muted_ones_not_in_the_total() {
        let mut list = list(&[1, 1]);
        for (n, seq, from) in [(0, 2, "bob"), (0, 2, "bob"), (0, 3, "me"), (1, 2, "bob")] {
            assert!(list.note(&message(n, seq, from, &[]), &me(), 99));
        }
        assert!(!list.note(&message(7, 1, "bob", &[]), &me(), 99), "an unknown conversation");
        assert_eq!((list.get(&group(0)).unwrap().unread, list.total()), (1, 2));
        list.get_mut(&group(1)).unwrap().record.muted = true;
        assert_eq!((list.get(&group(1)).unwrap().unread, list.total()), (1, 1));
        let mut taken = pending(&mut list);
        taken.sort_by_key(|(conversation, _)| conversation.named_by(&me()).1.to_owned());
        assert_eq!(taken, [(group(0), ConversationEvent::Updated), (group(1), ConversationEvent::Updated)]);
        assert!((4..200).all(|seq| list.note(&message(0, seq, "bob", &[]), &me(), 99)));
        assert_eq!(list.get(&group(0)).unwrap().unread, 99, "counts go no higher");
    }

    #[test]
    fn mentions_are_listed_until_read_and_an_entry_taken_off_comes_back_with_what_is_new() {
        let mut list = list(&[1]);
        list.note(&message(0, 2, "bob", &["me"]), &me(), 99);
        list.note(&message(0, 3, "me", &["me"]), &me(), 99);
        assert_eq!(list.get(&group(0)).unwrap().mentions.len(), 1, "nobody names itself");
        let entry = list.get_mut(&group(0)).unwrap();
        (entry.unread, entry.record.read_seq) = (0, entry.tail_seq);
        entry.mentions.clear();
        entry.record.hidden_seq = entry.tail_seq;
        entry.known_to_clients = false;
        assert!(!list.get(&group(0)).unwrap().is_listed());
        list.take_pending();
        list.note(&message(0, 4, "bob", &[]), &me(), 99);
        let entry = list.get(&group(0)).unwrap();
        assert!(entry.is_listed());
        assert_eq!((entry.unread, entry.mentions.len()), (1, 0));
        assert_eq!(pending(&mut list), [(group(0), ConversationEvent::Added)]);
    }

    #[test]
    fn a_list_that_is_read_again_tells_what_differs_and_what_was_not_told_yet() {
        let mut before = list(&[1, 1, 1, 1, 1]);
        before.changed(&group(3), ConversationEvent::Disabled);
        before.get_mut(&group(3)).unwrap().end_seq = Some(1);
        let mut now = list(&[1, 1, 1, 1, 1, 1]);
        now.get_mut(&group(1)).unwrap().title.name = "Renamed".into();
        now.get_mut(&group(2)).unwrap().end_seq = Some(1);
        now.get_mut(&group(3)).unwrap().end_seq = Some(1);
        now.get_mut(&group(4)).unwrap().tail_commit = 7;
        now.get_mut(&group(5)).unwrap().known_to_clients = false;
        now.follow(before);
        let mut told = pending(&mut now);
        told.sort_by_key(|(conversation, _)| conversation.named_by(&me()).1.to_owned());
        let expected = [
            (1, ConversationEvent::Updated),
            (2, ConversationEvent::Disabled),
            (3, ConversationEvent::Disabled),
            (5, ConversationEvent::Added),
        ];
        assert_eq!(told, expected.map(|(n, event)| (group(n), event)));
    }

    #[test]
    fn pages_of_any_size_give_the_same_list_pinned_first() {
        let mut list = list(&[5, 3, 9, 9, 1, 7]);
        list.get_mut(&group(4)).unwrap().record.pinned_ms = 1;
        let whole: Vec<Conversation> = list.page(100, None, &me(), &EntryFilter::default()).into_iter().cloned().collect();
        assert_eq!(whole, [4, 2, 3, 5, 0, 1].map(group));
        for size in 1..7 {
            let (mut pages, mut after) = (Vec::new(), None);
            loop {
                let page: Vec<Conversation> =
                    list.page(size, after.as_ref(), &me(), &EntryFilter::default()).into_iter().cloned().collect();
                let Some(last) = page.last() else { break };
                let target = Some(Target::Group(GroupId::trusted(last.named_by(&me()).1)));
                after = Some(EntryAnchor { target, pinned: false, order_key: None });
                pages.extend(page);
            }
            assert_eq!(pages, whole, "pages of {size}");
        }
        // An anchor that left the list meanwhile: its place decides.
        let gone = EntryAnchor { target: Some(Target::Group(GroupId::trusted("x"))), pinned: false, order_key: Some(70) };
        assert_eq!(list.page(1, Some(&gone), &me(), &EntryFilter::default()), [&group(0)]);
        let filtered = |filter: EntryFilter| list.page(9, None, &me(), &filter).len();
        assert_eq!(list.page(9, None, &me(), &EntryFilter { pinned: Some(true), ..EntryFilter::default() }), [&group(4)]);
        assert_eq!(filtered(EntryFilter { pinned: Some(false), ..EntryFilter::default() }), whole.len() - 1);
        assert_eq!(filtered(EntryFilter { kinds: vec![0], ..EntryFilter::default() }), 0);
        assert_eq!(filtered(EntryFilter { marks: vec![7], ..EntryFilter::default() }), 0);
    }
}
