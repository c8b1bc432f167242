//! Searches messages: reads what the user may read and compares. Source: ZIM API reference, "searchLocalMessages",
//! "searchGlobalLocalMessages".
//!
//! How messages are looked through is the store's business. One call looks at `limits.search_messages_max` messages at most and
//! says where it stopped; one search per user at a time.

use std::sync::Arc;

use actix::prelude::*;

use super::User;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{ReadError, Reply, answer};
use crate::actors::view::reader::Reader;
use crate::model::{Conversation, Message, Refusal, Target, UserId};
use crate::protocol::result::message::{ConversationRef, FoundConversation, FoundConversations, FoundMessages};
use crate::protocol::{ClientLevel, Outcome, RawJson, SearchRequest};
use crate::store::{ConversationQuery, Found, FoundPart, SearchQuery, Store, StoreError};

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
        let (looked_at_max, bytes_max) =
            (self.context.config().limits.search_messages_max, self.context.config().server.frame_bytes_max / 2);
        let look = async move {
            archive.look_up(move |store| Looking { store, me: &me, level, looked_at_max, bytes_max }.carry_out(&request)).await
        };
        ctx.spawn(look.into_actor(self).map(|found, user, _| {
            user.searching = false;
            answer(reply, found);
        }));
    }
}

/// One search under way.
struct Looking<'a> {
    store: &'a dyn Store,
    me: &'a UserId,
    level: ClientLevel,
    /// How many messages are looked at.
    looked_at_max: usize,
    bytes_max: usize,
}

impl Looking<'_> {
    fn carry_out(&self, request: &SearchRequest) -> Result<Outcome, ReadError> {
        match request {
            SearchRequest::Messages { target, search, ascending, count, after } => {
                let conversation = target.as_ref().map(|target| (target, Conversation::of(self.me, target)));
                let not_inside = |target: &Target| Refusal::NotInGroup(target.id().to_owned());
                let place = match &conversation {
                    Some((target, None)) => return Err(not_inside(target).into()),
                    Some((_, Some(conversation))) => Some(conversation),
                    None => None,
                };
                let query = SearchQuery {
                    search,
                    conversation: place,
                    ascending: *ascending,
                    after: after.map(|after| (after.order_key, after.id)),
                    count_max: *count,
                    bytes_max: self.bytes_max,
                    looked_at_max: self.looked_at_max,
                };
                let found = match (self.store.search(self.me, &query)?, target) {
                    (Some(found), _) => found,
                    (None, Some(target)) => return Err(not_inside(target).into()),
                    (None, None) => Found::default(),
                };
                let next_message = match &found.next {
                    Some(next) => Some(self.encode(&next.message, next.first_seq)?),
                    None => None,
                };
                let mut message_list = Vec::new();
                for one in &found.messages {
                    message_list.extend(self.encode(&one.message, one.first_seq)?);
                }
                let conversation = target.as_ref().map(ConversationRef::from);
                Ok(Outcome::FoundMessages(FoundMessages { conversation, message_list, next_message }))
            }
            SearchRequest::Conversations { search, count, messages, next } => {
                let query = ConversationQuery {
                    search,
                    skip: *next,
                    count_max: *count,
                    messages_max: *messages,
                    bytes_max: self.bytes_max,
                    looked_at_max: self.looked_at_max,
                };
                Ok(Outcome::FoundConversations(self.conversations(&query)?))
            }
        }
    }

    fn conversations(&self, query: &ConversationQuery<'_>) -> Result<FoundConversations, StoreError> {
        let found = self.store.search_conversations(self.me, query)?;
        let mut infos = Vec::new();
        for FoundPart { conversation, first_seq, total, messages } in found.parts {
            let mut message_list = Vec::new();
            for message in &messages {
                message_list.extend(self.encode(message, first_seq)?);
            }
            infos.push(FoundConversation {
                conversation: ConversationRef::named_by(self.me, &conversation),
                total_message_count: total,
                message_list,
            });
        }
        Ok(FoundConversations { conversation_search_info_list: infos, next_flag: found.next })
    }

    /// Encodes a message as the user sees it in its conversation.
    fn encode(&self, message: &Arc<Message>, first_seq: u64) -> Result<Option<RawJson>, StoreError> {
        let reader = Reader::new(self.store, self.me, &message.conversation, first_seq)?;
        Ok(reader.view_alone(message)?.encode(self.level))
    }
}
