//! Searches messages: reads what the user may read and compares. Source: ZIM API reference, "searchLocalMessages",
//! "searchGlobalLocalMessages".
//!
//! Our choice: no index of words beside the messages. One would cost each stored message some fifty rows more, where
//! it now costs two, for a question that is seldom asked; reading on from a place costs microseconds a message, and
//! what is found is always what history shows: membership, deletions and edits need no second bookkeeping. One call
//! looks at `limits.search_messages_max` messages at most and says where it stopped; one search per user at a time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use actix::prelude::*;

use super::User;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{ReadError, Reply, answer};
use crate::actors::view::reader::Reader;
use crate::actors::view::visibility::{Visibility, conversations_of};
use crate::model::{Conversation, Message, Refusal, Search, Target, UserId};
use crate::protocol::result::message::{ConversationRef, FoundConversation, FoundConversations, FoundMessages};
use crate::protocol::{ClientLevel, Outcome, RawJson, SearchAnchor, SearchRequest};
use crate::store::{Anchor, Page, Store, StoreError};

/// Messages read at a time from one conversation.
const PAGE: usize = 64;

/// Asks for a search.
pub(crate) struct SearchOperation {
    pub(crate) request: SearchRequest,
    pub(crate) level: ClientLevel,
    pub(crate) reply: Reply<Outcome>,
}

impl Handler<Leased<SearchOperation>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<SearchOperation>, ctx: &mut Context<Self>) {
        self.asked = true;
        let SearchOperation { request, level, reply } = leased.open();
        if self.searching {
            return answer(reply, Err(Refusal::Busy("a search of this user is under way")));
        }
        self.searching = true;
        let (archive, me) = (self.context.archive.clone(), self.id.clone());
        let (left, bytes_max) = (self.context.config().limits.search_messages_max, self.context.config().server.frame_bytes_max / 2);
        let look =
            async move { archive.look_up(move |store| Looking { store, me: &me, level, left, bytes_max }.carry_out(&request)).await };
        ctx.spawn(look.into_actor(self).map(|found, user, _| {
            user.searching = false;
            answer(reply, found);
        }));
    }
}

/// The messages that were found, and the last message looked at when there is more.
type MessagesAndNext = (Vec<Arc<Message>>, Option<Arc<Message>>);

/// One search under way.
struct Looking<'a> {
    store: &'a dyn Store,
    me: &'a UserId,
    level: ClientLevel,
    /// How many messages may still be looked at.
    left: usize,
    bytes_max: usize,
}

/// One conversation, read on from a place.
struct Stream {
    conversation: Conversation,
    first_seq: u64,
    deletes: bool,
    ascending: bool,
    anchor: Anchor,
    read: VecDeque<Arc<Message>>,
    ended: bool,
}

impl Stream {
    fn open(
        store: &dyn Store,
        me: &UserId,
        conversation: Conversation,
        ascending: bool,
        after: Option<SearchAnchor>,
    ) -> Result<Option<Self>, StoreError> {
        let first_seq = match &conversation {
            Conversation::Peer(..) => 1,
            Conversation::Group(group) => match store.group_member(group, me)? {
                Some(member) => member.first_seq,
                None => return Ok(None),
            },
            Conversation::Room(..) => return Ok(None),
        };
        let visibility = Visibility::of(store, me, &conversation, first_seq)?;
        // Inclusive, because two conversations may have the same order key; which one came before is decided by id.
        let anchor = after
            .map_or(Anchor::End, |after| Anchor::OrderKey(if ascending { after.order_key.saturating_sub(1) } else { after.order_key + 1 }));
        let Visibility { first_seq, deletes } = visibility;
        Ok(Some(Self { conversation, first_seq, deletes, ascending, anchor, read: VecDeque::new(), ended: false }))
    }

    fn peek(&mut self, store: &dyn Store, me: &UserId) -> Result<Option<&Arc<Message>>, StoreError> {
        if self.read.is_empty() && !self.ended {
            let page = Page {
                anchor: self.anchor,
                backwards: !self.ascending,
                count: PAGE,
                bytes_max: usize::MAX,
                first_seq: self.first_seq,
                viewer: self.deletes.then(|| me.clone()),
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

impl Looking<'_> {
    fn carry_out(mut self, request: &SearchRequest) -> Result<Outcome, ReadError> {
        match request {
            SearchRequest::Messages { target, search, ascending, count, after } => {
                let streams = match target {
                    Some(target) => {
                        let stream = self.stream_of(target, *ascending, *after)?;
                        vec![stream.ok_or_else(|| Refusal::NotInGroup(target.id().to_owned()))?]
                    }
                    None => self.all_streams(*ascending, *after)?,
                };
                let first_seqs = first_seqs(&streams);
                let (found, next) = self.merge(streams, search, *ascending, *count, *after)?;
                let next_message = match next {
                    Some(next) => Some(self.encode(&[next], &first_seqs)?.pop()),
                    None => None,
                };
                let conversation = target.as_ref().map(ConversationRef::from);
                Ok(Outcome::FoundMessages(FoundMessages { conversation, message_list: self.encode(&found, &first_seqs)?, next_message }))
            }
            SearchRequest::Conversations { search, count, messages, next } => {
                Ok(Outcome::FoundConversations(self.conversations(search, *count, *messages, *next)?))
            }
        }
    }

    fn stream_of(&self, target: &Target, ascending: bool, after: Option<SearchAnchor>) -> Result<Option<Stream>, StoreError> {
        let conversation = match target {
            Target::Peer(other) => Conversation::peer(self.me, other),
            Target::Group(group) => Conversation::Group(group.clone()),
            Target::Room(_) => return Ok(None),
        };
        Stream::open(self.store, self.me, conversation, ascending, after)
    }

    fn all_streams(&self, ascending: bool, after: Option<SearchAnchor>) -> Result<Vec<Stream>, StoreError> {
        let mut streams = Vec::new();
        for conversation in conversations_of(self.store, self.me)? {
            streams.extend(Stream::open(self.store, self.me, conversation, ascending, after)?);
        }
        Ok(streams)
    }

    /// Looks through conversations in the order of their messages; returns what was found, and where to go on, if
    /// anywhere.
    fn merge(
        &mut self,
        mut streams: Vec<Stream>,
        search: &Search,
        ascending: bool,
        count: usize,
        after: Option<SearchAnchor>,
    ) -> Result<MessagesAndNext, StoreError> {
        let place = |message: &Message| (message.order_key, message.id);
        // The greatest key comes first: the newest, or, ascending, the oldest.
        let rank = |message: &Message| {
            if ascending {
                (0, Reverse(place(message)))
            } else {
                let (key, id) = place(message);
                (1, Reverse((u64::MAX - key, u64::MAX - id)))
            }
        };
        let mut heap = BinaryHeap::new();
        for (n, stream) in streams.iter_mut().enumerate() {
            heap.extend(stream.peek(self.store, self.me)?.map(|message| (rank(message), n)));
        }
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Some((_, n)) = heap.pop() {
            let stream = &mut streams[n];
            let Some(message) = stream.read.pop_front() else { continue };
            heap.extend(stream.peek(self.store, self.me)?.map(|message| (rank(message), n)));
            let is_before = after.is_some_and(|after| {
                let anchor = (after.order_key, after.id);
                if ascending { place(&message) <= anchor } else { place(&message) >= anchor }
            });
            if is_before {
                continue;
            }
            self.left = self.left.saturating_sub(1);
            if search.finds(&message) {
                bytes += message.content.body.weight() + 512;
                found.push(message.clone());
            }
            if (found.len() == count || self.left == 0 || bytes > self.bytes_max) && !heap.is_empty() {
                return Ok((found, Some(message)));
            }
        }
        Ok((found, None))
    }

    fn conversations(mut self, search: &Search, count: usize, messages: usize, next: usize) -> Result<FoundConversations, StoreError> {
        let mut streams = self.all_streams(false, None)?;
        let mut keys = Vec::new();
        for (n, stream) in streams.iter_mut().enumerate() {
            let newest = stream.peek(self.store, self.me)?.map_or(0, |message| message.order_key);
            keys.push((Reverse(newest), n));
        }
        keys.sort_unstable();
        let first_seqs = first_seqs(&streams);
        let mut streams: Vec<Option<Stream>> = streams.into_iter().map(Some).collect();
        let (mut infos, mut bytes, mut reached) = (Vec::new(), 0, next);
        for (_, n) in keys.iter().skip(next) {
            if infos.len() == count || self.left == 0 || bytes > self.bytes_max {
                break;
            }
            reached += 1;
            let Some(mut stream) = streams[*n].take() else { continue };
            let (mut shown, mut total) = (Vec::new(), 0);
            while self.left > 0 && stream.peek(self.store, self.me)?.is_some() {
                let Some(message) = stream.read.pop_front() else { break };
                self.left -= 1;
                if search.finds(&message) {
                    total += 1;
                    if shown.len() < messages && bytes <= self.bytes_max {
                        bytes += message.content.body.weight() + 512;
                        shown.push(message);
                    }
                }
            }
            if total > 0 {
                infos.push(FoundConversation {
                    conversation: ConversationRef::named_by(self.me, &stream.conversation),
                    total_message_count: total,
                    message_list: self.encode(&shown, &first_seqs)?,
                });
            }
        }
        let next_flag = if reached < keys.len() { reached } else { 0 };
        Ok(FoundConversations { conversation_search_info_list: infos, next_flag })
    }

    /// Encodes the messages that were found, each as the user sees it in its conversation.
    fn encode(&self, messages: &[Arc<Message>], first_seqs: &HashMap<Conversation, u64>) -> Result<Vec<RawJson>, StoreError> {
        let mut list = Vec::new();
        for message in messages {
            let first_seq = first_seqs.get(&message.conversation).copied().unwrap_or(u64::MAX);
            let reader = Reader::new(self.store, self.me, &message.conversation, first_seq)?;
            list.extend(reader.view_alone(message)?.encode(self.level));
        }
        Ok(list)
    }
}

/// Returns the first message of each conversation that the user sees.
fn first_seqs(streams: &[Stream]) -> HashMap<Conversation, u64> {
    streams.iter().map(|stream| (stream.conversation.clone(), stream.first_seq)).collect()
}
