//! Reads a user's list of conversations, or one entry of it, from the store.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{ConversationList, DisplayInfo, Entry};
use crate::actors::view::visibility::conversations_of;
use crate::model::{Conversation, Limits, Message, UserId};
use crate::store::{Anchor, EntryRecord, Page, Store, StoreError};

/// Messages read at a time while counting.
const PAGE: usize = 256;

/// Reads the whole list: the newest `limits.conversations_max` conversations and those that are pinned.
pub(crate) fn load(store: &dyn Store, me: &UserId, limits: &Limits) -> Result<ConversationList, StoreError> {
    let mut conversations = conversations_of(store, me)?;
    conversations.extend(store.former_groups_of(me)?.into_iter().map(|(group, _)| Conversation::Group(group)));
    let records: HashMap<Conversation, EntryRecord> = store.entries_of(me)?.into_iter().collect();
    let mut places = Vec::new();
    for conversation in conversations {
        let record = records.get(&conversation).cloned().unwrap_or_default();
        let order_key = store.tail(&conversation)?.map_or(0, |tail| tail.order_key.max(record.order_key_min));
        places.push((record.pinned_ms > 0, order_key, conversation, record));
    }
    places.sort_unstable_by_key(|(pinned, order_key, ..)| std::cmp::Reverse((*pinned, *order_key)));
    places.truncate(limits.conversations_max);
    let mut entries = HashMap::new();
    for (_, _, conversation, record) in places {
        if let Some(mut entry) = load_with(store, me, &conversation, record, limits)? {
            entry.known_to_clients = entry.is_listed();
            entries.insert(conversation, entry);
        }
    }
    Ok(ConversationList::new(entries))
}

/// Reads one conversation; returns none when the user has no part in it.
pub(crate) fn load_entry(
    store: &dyn Store,
    me: &UserId,
    conversation: &Conversation,
    limits: &Limits,
) -> Result<Option<Entry>, StoreError> {
    load_with(store, me, conversation, store.entry(me, conversation)?, limits)
}

fn load_with(
    store: &dyn Store,
    me: &UserId,
    conversation: &Conversation,
    record: EntryRecord,
    limits: &Limits,
) -> Result<Option<Entry>, StoreError> {
    let Some(Part { first_seq, joined_seq, end_seq, left_ms, title }) = membership(store, me, conversation)? else { return Ok(None) };
    let record = EntryRecord { read_seq: record.read_seq.max(joined_seq), ..record };
    let Some(tail) = store.tail(conversation)? else {
        return Ok(Some(Entry {
            title,
            record,
            first_seq,
            end_seq,
            left_ms,
            tail_seq: 0,
            tail_order_key: 0,
            tail_commit: 0,
            unread: 0,
            mentions: VecDeque::new(),
            known_to_clients: false,
        }));
    };
    let tail_seq = end_seq.map_or(tail.seq, |end| end.min(tail.seq));
    let mut entry = Entry {
        title,
        record,
        first_seq,
        end_seq,
        left_ms,
        tail_seq,
        tail_order_key: tail.order_key,
        tail_commit: tail.commit,
        unread: 0,
        mentions: VecDeque::new(),
        known_to_clients: false,
    };
    if tail_seq < tail.seq {
        entry.tail_order_key = store.message(conversation, tail_seq)?.map_or(0, |message| message.order_key);
    }
    // Our choice: where a user is out, nothing counts as unread any more. It cannot read there, and hears of no change.
    if entry.end_seq.is_none() {
        count_unread(store, me, conversation, &mut entry, limits)?;
    }
    Ok(Some(entry))
}

/// The part of a conversation that a user may see.
struct Part {
    /// The first message it may see.
    first_seq: u64,
    /// The last message before the user came.
    joined_seq: u64,
    /// The last message the user may see, if it is not inside any more.
    end_seq: Option<u64>,
    /// When it left, Unix milliseconds.
    left_ms: u64,
    title: DisplayInfo,
}

fn membership(store: &dyn Store, me: &UserId, conversation: &Conversation) -> Result<Option<Part>, StoreError> {
    match conversation {
        Conversation::Peer(one, other) => {
            let profile = store.user(if one == me { other } else { one })?;
            let title = profile.map(|profile| DisplayInfo { name: profile.name, avatar_url: profile.avatar_url }).unwrap_or_default();
            Ok(Some(Part { first_seq: 1, joined_seq: 0, end_seq: None, left_ms: 0, title }))
        }
        Conversation::Group(group) => {
            let record = store.group(group)?;
            let title = record.map(|record| DisplayInfo { name: record.info.name, avatar_url: record.info.avatar_url }).unwrap_or_default();
            if let Some(member) = store.group_member(group, me)? {
                let (first_seq, joined_seq) = (member.first_seq, member.joined_seq);
                return Ok(Some(Part { first_seq, joined_seq, end_seq: None, left_ms: 0, title }));
            }
            let former = store.former_groups_of(me)?.into_iter().find(|(left, _)| left == group);
            Ok(former.map(|(_, former)| Part {
                first_seq: former.first_seq,
                joined_seq: 0,
                end_seq: Some(former.last_seq),
                left_ms: former.left_ms,
                title,
            }))
        }
        Conversation::Room(..) => Ok(None),
    }
}

/// Counts the messages after the last one read; it looks at the newest `limits.unread_max` messages at most.
fn count_unread(store: &dyn Store, me: &UserId, conversation: &Conversation, entry: &mut Entry, limits: &Limits) -> Result<(), StoreError> {
    let read = entry.record.read_seq.max(entry.visible_from() - 1);
    let mut after = read.max(entry.tail_seq.saturating_sub(limits.unread_max));
    let viewer = entry.record.deletes.then(|| me.clone());
    while after < entry.tail_seq {
        let page =
            Page { anchor: Anchor::Seq(after), backwards: false, count: PAGE, bytes_max: usize::MAX, first_seq: 0, viewer: viewer.clone() };
        let messages = store.read(conversation, page)?.messages;
        let Some(last) = messages.last() else { break };
        after = last.seq;
        for message in &messages {
            // What became durable during this read belongs to it, too.
            if message.seq > entry.tail_seq {
                entry.tail_seq = message.seq;
                entry.tail_order_key = message.order_key;
            }
            entry.count(message, me, limits.unread_max);
        }
    }
    Ok(())
}

/// Reads the last message that a user sees of a conversation.
pub(crate) fn last_message(
    store: &dyn Store,
    me: &UserId,
    conversation: &Conversation,
    entry: &Entry,
) -> Result<Option<Arc<Message>>, StoreError> {
    let page = Page {
        anchor: entry.end_seq.map_or(Anchor::End, |end| Anchor::Seq(end + 1)),
        backwards: true,
        count: 1,
        bytes_max: usize::MAX,
        first_seq: entry.visible_from(),
        viewer: entry.record.deletes.then(|| me.clone()),
    };
    Ok(store.read(conversation, page)?.messages.pop())
}
