//! Searches: reads what a user may see and compares.
//!
//! Our choice: no index of words beside the messages. One would cost each stored message some fifty rows more, where it now
//! costs two, for a question that is seldom asked; reading on from a place costs microseconds a message, and what is found is
//! always what history shows: membership, deletions and edits need no second bookkeeping. A search looks at a bounded number of
//! messages and says where it stopped.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::{Listed, Overview, Sight};
use crate::model::{Conversation, Message, Search, UserId};
use crate::store::error::StoreError;
use crate::store::types::{Anchor, Page};

/// Messages looked at together in one conversation: at first, and at most, where it goes on.
const PAGE_FIRST: usize = 64;
const PAGE_MAX: usize = 1_024;
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

/// A message that a search looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedAt {
    /// Its seq.
    pub seq: u64,
    /// Its order key.
    pub order_key: u64,
    /// Its id.
    pub id: u64,
    /// All of it, if it is looked for.
    pub found: Option<Arc<Message>>,
}

/// See [`Overview::look`].
pub(super) fn look<S: Overview + ?Sized>(
    store: &S,
    conversation: &Conversation,
    page: Page,
    search: &Search,
) -> Result<Vec<LookedAt>, StoreError> {
    let messages = store.read(conversation, page)?.messages;
    let looked_at = messages.into_iter().map(|message| LookedAt {
        seq: message.seq,
        order_key: message.order_key,
        id: message.id,
        found: search.finds(&message).then_some(message),
    });
    Ok(looked_at.collect())
}

/// One conversation, read on from a place.
struct Stream<'a> {
    search: &'a Search,
    conversation: Conversation,
    sight: Sight,
    ascending: bool,
    anchor: Anchor,
    count: usize,
    read: VecDeque<LookedAt>,
    ended: bool,
}

impl<'a> Stream<'a> {
    fn new(search: &'a Search, (conversation, sight): (Conversation, Sight), ascending: bool, after: Option<(u64, u64)>) -> Self {
        // Inclusive, because two conversations may have the same order key; which one came before is decided by id.
        let anchor = after.map_or(Anchor::End, |(order_key, _)| {
            Anchor::OrderKey(if ascending { order_key.saturating_sub(1) } else { order_key.saturating_add(1) })
        });
        Self { search, conversation, sight, ascending, anchor, count: PAGE_FIRST, read: VecDeque::new(), ended: false }
    }

    fn peek<S: Overview + ?Sized>(&mut self, store: &S, user: &UserId) -> Result<Option<&LookedAt>, StoreError> {
        if self.read.is_empty() && !self.ended {
            let page = Page {
                anchor: self.anchor,
                backwards: !self.ascending,
                count: self.count,
                bytes_max: usize::MAX,
                first_seq: self.sight.first_seq,
                viewer: self.sight.viewer(user),
            };
            let mut messages = store.look(&self.conversation, page, self.search)?;
            self.ended = messages.is_empty();
            self.count = (2 * self.count).min(PAGE_MAX);
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

/// A conversation of a user, and how far its messages reach.
struct Reach {
    conversation: Conversation,
    sight: Sight,
    /// The order key of its last message; 0: the user sees nothing of it. What the user deleted for itself counts.
    newest: u64,
}

/// Returns the conversations a user is in, rooms not. One question, and none of their messages is read.
fn reaches<S: Overview + ?Sized>(store: &S, user: &UserId) -> Result<Vec<Reach>, StoreError> {
    let inside = store.list(user, usize::MAX, 0)?.into_iter().filter(|listed| listed.end_seq.is_none());
    let reaches = inside.map(|Listed { conversation, record, first_seq, tail, .. }| {
        let sight = Sight { first_seq: first_seq.max(record.cleared_seq + 1), deletes: record.deletes };
        let newest = tail.filter(|tail| tail.seq >= sight.first_seq).map_or(0, |tail| tail.order_key);
        Reach { conversation, sight, newest }
    });
    Ok(reaches.collect())
}

/// See [`Overview::search`].
pub(super) fn messages<S: Overview + ?Sized>(store: &S, user: &UserId, query: &SearchQuery<'_>) -> Result<Option<Found>, StoreError> {
    let reaches = match query.conversation {
        None => reaches(store, user)?,
        Some(conversation) => {
            let first_seq = match conversation {
                Conversation::Peer(one, other) => (one == user || other == user).then_some(1),
                Conversation::Group(group) => store.group_member(group, user)?.map(|member| member.first_seq),
                Conversation::Room(..) => None,
            };
            let Some(first_seq) = first_seq else { return Ok(None) };
            let sight = Sight::of(store, user, conversation, first_seq)?;
            vec![Reach { conversation: conversation.clone(), sight, newest: u64::MAX }]
        }
    };
    Merge::of(store, user, reaches, query)?.run().map(Some)
}

/// Where a message stands among all; the greatest comes first.
fn rank((order_key, id): (u64, u64), ascending: bool) -> (u64, u64) {
    if ascending { (u64::MAX - order_key, u64::MAX - id) } else { (order_key, id) }
}

/// Looks through conversations in the order of their messages.
struct Merge<'a, S: ?Sized> {
    store: &'a S,
    user: &'a UserId,
    query: &'a SearchQuery<'a>,
    streams: Vec<Stream<'a>>,
    /// The rank of the next message of a stream, or one that it does not exceed, and whether it was looked at.
    heap: BinaryHeap<((u64, u64), usize, bool)>,
}

impl<'a, S: Overview + ?Sized> Merge<'a, S> {
    fn of(store: &'a S, user: &'a UserId, reaches: Vec<Reach>, query: &'a SearchQuery<'a>) -> Result<Self, StoreError> {
        let mut merge = Self { store, user, query, streams: Vec::new(), heap: BinaryHeap::new() };
        for Reach { conversation, sight, newest } in reaches.into_iter().filter(|reach| reach.newest > 0) {
            let n = merge.streams.len();
            merge.streams.push(Stream::new(query.search, (conversation, sight), query.ascending, query.after));
            if query.ascending {
                merge.push(n)?;
            } else {
                // Read when its turn comes: of thousands of conversations a search reaches few.
                merge.heap.push(((newest, u64::MAX), n, false));
            }
        }
        Ok(merge)
    }

    /// Puts a stream in its place by its next message, if there is one.
    fn push(&mut self, n: usize) -> Result<(), StoreError> {
        let next = self.streams[n].peek(self.store, self.user)?;
        let place = next.map(|message| rank((message.order_key, message.id), self.query.ascending));
        self.heap.extend(place.map(|place| (place, n, true)));
        Ok(())
    }

    /// Returns the stream whose next message comes first; it stays in the heap.
    fn first(&mut self) -> Result<Option<usize>, StoreError> {
        loop {
            match self.heap.peek() {
                None => return Ok(None),
                Some((_, n, true)) => return Ok(Some(*n)),
                Some((_, n, false)) => {
                    let n = *n;
                    self.heap.pop();
                    self.push(n)?;
                }
            }
        }
    }

    fn run(mut self) -> Result<Found, StoreError> {
        let SearchQuery { ascending, after, count_max, bytes_max, looked_at_max, .. } = *self.query;
        let (mut found, mut bytes, mut left) = (Found::default(), 0, looked_at_max);
        while let Some(n) = self.first()? {
            self.heap.pop();
            let Some(LookedAt { seq, order_key, id, found: message }) = self.streams[n].read.pop_front() else { continue };
            self.push(n)?;
            let place = (order_key, id);
            if after.is_some_and(|after| if ascending { place <= after } else { place >= after }) {
                continue;
            }
            left = left.saturating_sub(1);
            let first_seq = self.streams[n].sight.first_seq;
            if let Some(message) = message {
                bytes += message.content.body.weight() + MESSAGE_BYTES;
                found.messages.push(FoundMessage { first_seq, message });
            }
            if (found.messages.len() == count_max || left == 0 || bytes > bytes_max) && self.first()?.is_some() {
                let last = self.store.message(&self.streams[n].conversation, seq)?;
                found.next = last.map(|message| FoundMessage { first_seq, message });
                // One that went meanwhile cannot say where to go on: the next one does.
                if found.next.is_some() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// See [`Overview::search_conversations`].
pub(super) fn conversations<S: Overview + ?Sized>(
    store: &S,
    user: &UserId,
    query: &ConversationQuery<'_>,
) -> Result<FoundConversations, StoreError> {
    let mut streams = Vec::new();
    for Reach { conversation, sight, mut newest } in reaches(store, user)? {
        let mut stream = Stream::new(query.search, (conversation, sight), false, None);
        if sight.deletes && newest > 0 {
            newest = stream.peek(store, user)?.map_or(0, |message| message.order_key);
        }
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
            if let Some(message) = message.found {
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
