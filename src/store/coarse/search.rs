//! Searches: reads what a user may see and compares.
//!
//! Our choice: no index of words beside the messages. One would cost each stored message some fifty rows more, where it now
//! costs two, for a question that is seldom asked; reading on from a place costs microseconds a message, and what is found is
//! always what history shows: membership, deletions and edits need no second bookkeeping. A search looks at a bounded number of
//! messages and says where it stopped.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::{Overview, Sight, places_of};
use crate::model::{Conversation, Message, Search, UserId};
use crate::store::error::StoreError;
use crate::store::types::{Anchor, Page};

/// Messages read at a time from one conversation.
const PAGE: usize = 64;
/// What a message weighs besides its body.
const MESSAGE_BYTES: usize = 512;

/// A search through messages in their order.
#[derive(Debug, Clone, Copy)]
pub struct SearchQuery<'a> {
    /// What is looked for.
    pub search: &'a Search,
    /// Where; none: in all of the user's conversations, rooms not.
    pub conversation: Option<&'a Conversation>,
    /// True: the oldest first. False: the newest.
    pub ascending: bool,
    /// The order key and the id of the message behind which it begins; none: at the end.
    pub after: Option<(u64, u64)>,
    /// Ends when so many were found.
    pub count_max: usize,
    /// Ends when what was found weighs more: [`Body::weight`](crate::model::Body::weight) and 512 each.
    pub bytes_max: usize,
    /// Ends when so many were looked at.
    pub looked_at_max: usize,
}

/// A message that was found, or looked at last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMessage {
    /// The message.
    pub message: Arc<Message>,
    /// The first message that the user sees of its conversation.
    pub first_seq: u64,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// By order key, then by id, in the direction asked.
    pub messages: Vec<FoundMessage>,
    /// The message looked at last, when there are more.
    pub next: Option<FoundMessage>,
}

/// A search through conversations, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct ConversationQuery<'a> {
    /// What is looked for.
    pub search: &'a Search,
    /// So many conversations were looked at before.
    pub skip: usize,
    /// Ends when it was found in so many conversations.
    pub count_max: usize,
    /// Most messages told of each.
    pub messages_max: usize,
    /// Ends when what is told weighs more: [`Body::weight`](crate::model::Body::weight) and 512 each.
    pub bytes_max: usize,
    /// Ends when so many messages were looked at.
    pub looked_at_max: usize,
}

/// What was found in one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPart {
    /// Which one.
    pub conversation: Conversation,
    /// The first message that the user sees of it.
    pub first_seq: u64,
    /// How many were found.
    pub total: usize,
    /// Of these the newest, the newest first.
    pub messages: Vec<Arc<Message>>,
}

/// What was found in several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundConversations {
    /// Those in which something was found.
    pub parts: Vec<FoundPart>,
    /// How many were looked at, those before included; 0: all were.
    pub next: usize,
}

/// One conversation, read on from a place.
struct Stream {
    conversation: Conversation,
    sight: Sight,
    ascending: bool,
    anchor: Anchor,
    read: VecDeque<Arc<Message>>,
    ended: bool,
}

impl Stream {
    fn open<S: Overview + ?Sized>(
        store: &S,
        user: &UserId,
        (conversation, first_seq): (Conversation, u64),
        ascending: bool,
        after: Option<(u64, u64)>,
    ) -> Result<Self, StoreError> {
        let sight = Sight::of(store, user, &conversation, first_seq)?;
        // Inclusive, because two conversations may have the same order key; which one came before is decided by id.
        let anchor = after.map_or(Anchor::End, |(order_key, _)| {
            Anchor::OrderKey(if ascending { order_key.saturating_sub(1) } else { order_key.saturating_add(1) })
        });
        Ok(Self { conversation, sight, ascending, anchor, read: VecDeque::new(), ended: false })
    }

    fn peek<S: Overview + ?Sized>(&mut self, store: &S, user: &UserId) -> Result<Option<&Arc<Message>>, StoreError> {
        if self.read.is_empty() && !self.ended {
            let page = Page {
                anchor: self.anchor,
                backwards: !self.ascending,
                count: PAGE,
                bytes_max: usize::MAX,
                first_seq: self.sight.first_seq,
                viewer: self.sight.viewer(user),
            };
            let mut messages = store.read(&self.conversation, page)?.messages;
            self.ended = messages.is_empty();
            if !self.ascending {
                messages.reverse();
            }
            if let Some(last) = messages.last() {
                self.anchor = Anchor::Seq(last.seq);
            }
            self.read = messages.into();
        }
        Ok(self.read.front())
    }
}

/// See [`Overview::search`].
pub(super) fn messages<S: Overview + ?Sized>(store: &S, user: &UserId, query: &SearchQuery<'_>) -> Result<Option<Found>, StoreError> {
    let places = match query.conversation {
        None => places_of(store, user)?,
        Some(conversation) => {
            let first_seq = match conversation {
                Conversation::Peer(one, other) => (one == user || other == user).then_some(1),
                Conversation::Group(group) => store.group_member(group, user)?.map(|member| member.first_seq),
                Conversation::Room(..) => None,
            };
            let Some(first_seq) = first_seq else { return Ok(None) };
            vec![(conversation.clone(), first_seq)]
        }
    };
    let streams = places.into_iter().map(|place| Stream::open(store, user, place, query.ascending, query.after));
    merge(store, user, streams.collect::<Result<_, _>>()?, query).map(Some)
}

/// Where a message stands among all; the greatest comes first.
fn rank(message: &Message, ascending: bool) -> (u64, u64) {
    let (order_key, id) = (message.order_key, message.id);
    if ascending { (u64::MAX - order_key, u64::MAX - id) } else { (order_key, id) }
}

/// Looks through conversations in the order of their messages.
fn merge<S: Overview + ?Sized>(store: &S, user: &UserId, mut streams: Vec<Stream>, query: &SearchQuery<'_>) -> Result<Found, StoreError> {
    let SearchQuery { search, ascending, after, count_max, bytes_max, looked_at_max, .. } = *query;
    let mut heap = BinaryHeap::new();
    for (n, stream) in streams.iter_mut().enumerate() {
        heap.extend(stream.peek(store, user)?.map(|message| (rank(message, ascending), n)));
    }
    let (mut found, mut bytes, mut left) = (Found::default(), 0, looked_at_max);
    while let Some((_, n)) = heap.pop() {
        let stream = &mut streams[n];
        let Some(message) = stream.read.pop_front() else { continue };
        heap.extend(stream.peek(store, user)?.map(|message| (rank(message, ascending), n)));
        let place = (message.order_key, message.id);
        if after.is_some_and(|after| if ascending { place <= after } else { place >= after }) {
            continue;
        }
        left = left.saturating_sub(1);
        let seen = FoundMessage { first_seq: stream.sight.first_seq, message };
        if search.finds(&seen.message) {
            bytes += seen.message.content.body.weight() + MESSAGE_BYTES;
            found.messages.push(seen.clone());
        }
        if (found.messages.len() == count_max || left == 0 || bytes > bytes_max) && !heap.is_empty() {
            found.next = Some(seen);
            break;
        }
    }
    Ok(found)
}

/// See [`Overview::search_conversations`].
pub(super) fn conversations<S: Overview + ?Sized>(
    store: &S,
    user: &UserId,
    query: &ConversationQuery<'_>,
) -> Result<FoundConversations, StoreError> {
    let mut streams = Vec::new();
    for place in places_of(store, user)? {
        let mut stream = Stream::open(store, user, place, false, None)?;
        let newest = stream.peek(store, user)?.map_or(0, |message| message.order_key);
        streams.push((newest, stream));
    }
    streams.sort_by(|(newest, one), (other_newest, other)| {
        Reverse(newest).cmp(&Reverse(other_newest)).then_with(|| one.conversation.cmp(&other.conversation))
    });
    let (count, mut found) = (streams.len(), FoundConversations::default());
    let (mut bytes, mut left, mut reached) = (0, query.looked_at_max, query.skip);
    for (_, mut stream) in streams.into_iter().skip(query.skip) {
        if found.parts.len() == query.count_max || left == 0 || bytes > query.bytes_max {
            break;
        }
        reached += 1;
        let (mut messages, mut total) = (Vec::new(), 0);
        while left > 0 && stream.peek(store, user)?.is_some() {
            let Some(message) = stream.read.pop_front() else { break };
            left -= 1;
            if query.search.finds(&message) {
                total += 1;
                if messages.len() < query.messages_max && bytes <= query.bytes_max {
                    bytes += message.content.body.weight() + MESSAGE_BYTES;
                    messages.push(message);
                }
            }
        }
        if total > 0 {
            found.parts.push(FoundPart { first_seq: stream.sight.first_seq, conversation: stream.conversation, total, messages });
        }
    }
    found.next = if reached < count { reached } else { 0 };
    Ok(found)
}
