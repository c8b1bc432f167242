//! A user's list of conversations, and what stands last in them.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Overview;
use crate::model::{Body, Conversation, MentionKind, Message, UserId};
use crate::store::error::StoreError;
use crate::store::format::rows::{EntryRecord, Pin, Tail};
use crate::store::types::{Anchor, Page};

/// Mentions told per conversation, the newest; older ones leave the list. Our choice: more than anyone reads.
pub const MENTIONS_MAX: usize = 200;
/// Messages read at a time while counting.
const PAGE: usize = 256;

/// One conversation of a user's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which one.
    pub conversation: Conversation,
    /// What the user made of it. What was there before the user came counts as read.
    pub record: EntryRecord,
    /// The other user's name, or the group's; empty: it has none.
    pub name: String,
    /// The picture beside it; empty: it has none.
    pub avatar_url: String,
    /// The first message the user may see, by membership.
    pub first_seq: u64,
    /// The last message the user may see, if it is not in the group any more.
    pub end_seq: Option<u64>,
    /// When it left then, Unix milliseconds; 0: not noted.
    pub left_ms: u64,
    /// Where it ends for the user, with the commit of the whole conversation; none when nothing was ever stored in it.
    pub tail: Option<Tail>,
    /// How many messages count as unread. Where the user is out, none does.
    pub unread: u64,
    /// The unread messages that name the user, ascending by seq; the newest [`MENTIONS_MAX`].
    pub mentions: Vec<Mentioned>,
}

/// A message that names a user and is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mentioned {
    /// How.
    pub kind: MentionKind,
    /// Who sent it.
    pub from: UserId,
    /// Its id.
    pub message_id: u64,
    /// Its seq.
    pub seq: u64,
}

impl Mentioned {
    /// Returns how a message names a user, if it does. What was taken back names nobody.
    #[must_use]
    pub fn of(message: &Message, user: &UserId) -> Option<Self> {
        if matches!(message.content.body, Body::Revoke(_)) {
            return None;
        }
        let kind = message.content.mentions.kind_for(user, &message.sender)?;
        Some(Self { kind, from: message.sender.clone(), message_id: message.id, seq: message.seq })
    }
}

/// The part of a conversation that a user sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisiblePart {
    /// Which one.
    pub conversation: Conversation,
    /// The first message that is neither before its membership nor before what it cleared.
    pub first_seq: u64,
    /// The last one, if it is not in the group any more.
    pub end_seq: Option<u64>,
    /// Whether it deleted single messages for itself.
    pub deletes: bool,
}

/// What stands last in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// The message.
    pub message: Arc<Message>,
    /// The pinned messages of its conversation, the one pinned first first.
    pub pins: Vec<Pin>,
}

/// See [`Overview::list`].
pub(super) fn list<S: Overview + ?Sized>(
    store: &S,
    user: &UserId,
    conversations_max: usize,
    unread_max: u64,
) -> Result<Vec<Listed>, StoreError> {
    let mut conversations: Vec<_> = store.peers_of(user)?.iter().map(|peer| Conversation::peer(user, peer)).collect();
    conversations.extend(store.groups_of(user)?.into_iter().map(Conversation::Group));
    conversations.extend(store.former_groups_of(user)?.into_iter().map(|(group, _)| Conversation::Group(group)));
    let mut records: HashMap<Conversation, EntryRecord> = store.entries_of(user)?.into_iter().collect();
    let mut places = Vec::new();
    for conversation in conversations {
        let record = records.remove(&conversation).unwrap_or_default();
        let order_key = store.tail(&conversation)?.map_or(0, |tail| tail.order_key.max(record.order_key_min));
        places.push((Reverse((record.pinned_ms > 0, order_key)), conversation, record));
    }
    places.sort_unstable_by(|(place, one, _), (other_place, other, _)| place.cmp(other_place).then_with(|| one.cmp(other)));
    places.truncate(conversations_max);
    let mut listed = Vec::new();
    for (_, conversation, record) in places {
        listed.extend(listed_with(store, user, &conversation, record, unread_max)?);
    }
    Ok(listed)
}

/// Reads one conversation; none when the user has no part in it.
pub(in crate::store) fn listed<S: Overview + ?Sized>(
    store: &S,
    user: &UserId,
    conversation: &Conversation,
    unread_max: u64,
) -> Result<Option<Listed>, StoreError> {
    listed_with(store, user, conversation, store.entry(user, conversation)?, unread_max)
}

fn listed_with<S: Overview + ?Sized>(
    store: &S,
    user: &UserId,
    conversation: &Conversation,
    record: EntryRecord,
    unread_max: u64,
) -> Result<Option<Listed>, StoreError> {
    let Some(Membership { first_seq, joined_seq, end_seq, left_ms, name, avatar_url }) = membership(store, user, conversation)? else {
        return Ok(None);
    };
    let record = EntryRecord { read_seq: record.read_seq.max(joined_seq), ..record };
    let (conversation, tail) = (conversation.clone(), store.tail(conversation)?);
    let (unread, mentions) = (0, Vec::new());
    let mut listed = Listed { conversation, record, name, avatar_url, first_seq, end_seq, left_ms, tail, unread, mentions };
    match (&mut listed.tail, end_seq) {
        (None, _) => {}
        // Our choice: where a user is out, nothing counts as unread any more. It cannot read there, and hears of no change.
        (Some(tail), Some(end)) if end < tail.seq => {
            tail.seq = end;
            tail.order_key = store.message(&listed.conversation, end)?.map_or(0, |message| message.order_key);
        }
        (Some(_), Some(_)) => {}
        (Some(_), None) => count_unread(store, user, &mut listed, unread_max)?,
    }
    Ok(Some(listed))
}

/// Which part of a conversation is a user's, and what it is called for it.
struct Membership {
    first_seq: u64,
    /// The last message before the user came.
    joined_seq: u64,
    end_seq: Option<u64>,
    left_ms: u64,
    name: String,
    avatar_url: String,
}

fn membership<S: Overview + ?Sized>(store: &S, user: &UserId, conversation: &Conversation) -> Result<Option<Membership>, StoreError> {
    match conversation {
        Conversation::Peer(one, other) => {
            let profile = store.user(if one == user { other } else { one })?;
            let (name, avatar_url) = profile.map(|profile| (profile.name, profile.avatar_url)).unwrap_or_default();
            Ok(Some(Membership { first_seq: 1, joined_seq: 0, end_seq: None, left_ms: 0, name, avatar_url }))
        }
        Conversation::Group(group) => {
            let record = store.group(group)?;
            let (name, avatar_url) = record.map(|record| (record.info.name, record.info.avatar_url)).unwrap_or_default();
            if let Some(member) = store.group_member(group, user)? {
                let (first_seq, joined_seq) = (member.first_seq, member.joined_seq);
                return Ok(Some(Membership { first_seq, joined_seq, end_seq: None, left_ms: 0, name, avatar_url }));
            }
            let former = store.former_groups_of(user)?.into_iter().find(|(left, _)| left == group);
            Ok(former.map(|(_, former)| Membership {
                first_seq: former.first_seq,
                joined_seq: 0,
                end_seq: Some(former.last_seq),
                left_ms: former.left_ms,
                name,
                avatar_url,
            }))
        }
        Conversation::Room(..) => Ok(None),
    }
}

/// Counts the messages after the last one read; it looks at the newest `unread_max` messages at most.
fn count_unread<S: Overview + ?Sized>(store: &S, user: &UserId, listed: &mut Listed, unread_max: u64) -> Result<(), StoreError> {
    let Listed { conversation, record, first_seq, tail: Some(tail), unread, mentions, .. } = listed else { return Ok(()) };
    let read = record.read_seq.max(record.cleared_seq).max(first_seq.saturating_sub(1));
    let mut after = read.max(tail.seq.saturating_sub(unread_max));
    let viewer = record.deletes.then(|| user.clone());
    let mut newest = VecDeque::new();
    while after < tail.seq {
        let page =
            Page { anchor: Anchor::Seq(after), backwards: false, count: PAGE, bytes_max: usize::MAX, first_seq: 0, viewer: viewer.clone() };
        let messages = store.read(conversation, page)?.messages;
        let Some(last) = messages.last() else { break };
        after = last.seq;
        for message in &messages {
            // What became durable during this read belongs to it, too.
            if message.seq > tail.seq {
                (tail.seq, tail.order_key) = (message.seq, message.order_key);
            }
            if message.counts_for(user) {
                *unread = unread_max.min(*unread + 1);
            }
            newest.extend(Mentioned::of(message, user));
            if newest.len() > MENTIONS_MAX {
                newest.pop_front();
            }
        }
    }
    *mentions = newest.into();
    Ok(())
}

/// Reads what stands last in a part of a conversation.
pub(super) fn last_message<S: Overview + ?Sized>(store: &S, user: &UserId, part: &VisiblePart) -> Result<Option<LastMessage>, StoreError> {
    let page = Page {
        anchor: part.end_seq.map_or(Anchor::End, |end| Anchor::Seq(end + 1)),
        backwards: true,
        count: 1,
        bytes_max: usize::MAX,
        first_seq: part.first_seq,
        viewer: part.deletes.then(|| user.clone()),
    };
    let Some(message) = store.read(&part.conversation, page)?.messages.pop() else { return Ok(None) };
    Ok(Some(LastMessage { message, pins: store.pins(&part.conversation)? }))
}
