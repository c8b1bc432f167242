//! Operations of a caller on messages that were sent, and on its list of conversations.

use std::sync::Arc;

use super::caller::Dispatcher;
use super::responder::Responder;
use crate::actors::conversation::messages::{Confirm, Revise};
use crate::actors::memory::MemoryShare;
use crate::actors::places::Onlooker;
use crate::actors::runtime::reply::{Asked, ReadError, answer, answered, ask};
use crate::actors::user::ListOperation;
use crate::actors::view::message::{View, is_combined, reaction_users};
use crate::actors::view::reader::Reader;
use crate::actors::view::receipts::{readers, receipt_info};
use crate::actors::view::visibility::seen_by;
use crate::model::{Invalid, Message, Refusal, Target, child_at, page_by_position};
use crate::protocol::message::reaction::ReactionUser;
use crate::protocol::result::message::{
    CombinedMessage, ConversationRef, Messages, ReactionUsers, ReceiptMembers, ReceiptsInfo, ReceiptsSent, Replies, RootReplied,
};
use crate::protocol::{
    ClientLevel, CombineRef, ListRequest, MessageHandle, MessageQuery, MessageRequest, Outcome, child_wire, group_member,
};
use crate::store::{Store, StoreError};

impl Dispatcher {
    pub(super) fn dispatch_list(&self, request: ListRequest, responder: Responder) {
        let (actors, level, connection_id) = (self.actors.clone(), self.caller.level, self.caller.source.connection());
        if let Some(Target::Peer(other)) = named_peer(&request)
            && other == self.user()
        {
            return responder.refuse(&Invalid::new("conversationID", "is the caller's own userID").into());
        }
        let asked = ask(|reply| actors.users.try_send(self.user(), ListOperation { request, level, connection_id, reply }));
        responder.later(asked, |outcome| outcome);
    }

    pub(super) fn dispatch_message(&self, request: MessageRequest, responder: Responder) {
        let (level, source, by) = (self.caller.level, self.caller.source, self.user().clone());
        match request {
            MessageRequest::Reply { target, draft } => self.send(target, draft, responder),
            MessageRequest::Change { target, message, change } => {
                let asked = ask(|reply| {
                    let revise = Revise { by, source, target: target.clone(), message, change, level, reply };
                    self.actors.send_to(self.user(), &target, revise)
                });
                responder.later(asked, |outcome| outcome);
            }
            MessageRequest::Receipts { target, messages } => {
                let conversation = ConversationRef::from(&target);
                let asked = ask(|reply| {
                    let confirm = Confirm { by, source, messages, reply };
                    self.actors.send_to(self.user(), &target, confirm)
                });
                responder.later(asked, move |error_message_ids| Outcome::ReceiptsSent(ReceiptsSent { conversation, error_message_ids }));
            }
            MessageRequest::Ask { target, message, query } => {
                let place = target.clone();
                let asked = self.look_up(&target, move |reader| {
                    let message = reader.find(message)?.ok_or(Refusal::MessageMissing)?;
                    answer_query(reader, &message, &query, &place, level)
                });
                responder.later(asked, |outcome| outcome);
            }
            MessageRequest::ReceiptInfo { target, messages } => {
                let asked = self.look_up(&target, move |reader| Ok(Outcome::ReceiptsInfo(receipts_info(reader, &messages)?)));
                responder.later(asked, |outcome| outcome);
            }
            MessageRequest::BySeq { target, seqs } => {
                let asked = self.listed(&target, move |_| Ok(seqs));
                responder.later(asked, Outcome::Messages);
            }
            MessageRequest::Pinned { target } => {
                let pinned = |reader: &Reader<'_>| {
                    let pins = reader.store.pins(reader.conversation)?;
                    Ok(pins.iter().rev().map(|pin| pin.seq).collect())
                };
                let asked = self.listed(&target, pinned);
                responder.later(asked, Outcome::Messages);
            }
            MessageRequest::Combined { combine, next } => {
                let bytes_max = self.context().config().server.frame_bytes_max / 2;
                let asked = ask(|reply| {
                    let (archive, onlooker) = (self.context().archive.clone(), self.context().onlooker(&by));
                    let mut memory = self.context().memory_share(&by);
                    actix::spawn(async move {
                        let read = archive.look_up(move |store| combined(store, &onlooker, &combine, next, bytes_max, level, &mut memory));
                        answer(reply, read.await);
                    });
                    Ok(())
                });
                responder.later(asked, Outcome::CombinedMessage);
            }
        }
    }

    /// Reads a conversation as a user sees it who may read there.
    pub(super) fn look_up<T, F>(&self, target: &Target, read: F) -> Asked<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        let (archive, me) = (self.context().archive.clone(), self.user().clone());
        let authorized = self.actors.authorize(target, &me)?;
        ask(|reply| {
            actix::spawn(async move {
                let look_up = async {
                    let (conversation, first_seq) = answered(authorized).await?;
                    let wanted = move |store: &dyn Store| read(&Reader::new(store, &me, &conversation, first_seq)?);
                    archive.look_up(wanted).await
                };
                answer(reply, look_up.await);
            });
            Ok(())
        })
    }

    /// Reads messages by their seqs, in that order; those that are not kept, or not for this user, are left out.
    fn listed<F>(&self, target: &Target, seqs: F) -> Asked<Messages>
    where
        F: FnOnce(&Reader<'_>) -> Result<Vec<u64>, StoreError> + Send + 'static,
    {
        let (level, conversation) = (self.caller.level, ConversationRef::from(target));
        self.look_up(target, move |reader| {
            let messages = seen(reader, seqs(reader)?)?;
            Ok(Messages { conversation, more: false, message_list: reader.encode(&messages, level)? })
        })
    }
}

/// Returns those of some messages that the reader sees.
fn seen(reader: &Reader<'_>, seqs: Vec<u64>) -> Result<Vec<Arc<Message>>, StoreError> {
    let mut messages = Vec::new();
    for seq in seqs {
        messages.extend(reader.message(seq)?);
    }
    Ok(messages)
}

fn named_peer(request: &ListRequest) -> Option<&Target> {
    match request {
        ListRequest::Query { target }
        | ListRequest::Delete { target, .. }
        | ListRequest::Clear { target }
        | ListRequest::ReceiptUpToNow { target } => Some(target),
        _ => None,
    }
}

fn answer_query(
    reader: &Reader<'_>,
    message: &Arc<Message>,
    query: &MessageQuery,
    target: &Target,
    level: ClientLevel,
) -> Result<Outcome, ReadError> {
    Ok(match query {
        MessageQuery::Reactions { reaction, count, next } => {
            Outcome::ReactionUsers(users_who_react(reader.store, message, reaction, *count, *next)?)
        }
        MessageQuery::Replies { count, next } => Outcome::Replies(Box::new(replies(reader, message, *count, *next, level)?)),
        MessageQuery::Readers { read, count, next } => {
            Outcome::ReceiptMembers(receipt_members(reader, message, target, *read, *count, *next)?)
        }
    })
}

fn users_who_react(store: &dyn Store, message: &Message, reaction: &str, count: usize, next: u64) -> Result<ReactionUsers, StoreError> {
    let notes = store.notes(&message.conversation, message.seq)?;
    let users = reaction_users(notes.into_iter().map(|(note, _)| note)).remove(reaction).unwrap_or_default();
    let total_count = users.len();
    let (users, next_flag) = page_by_position(users, next, count);
    let user_list = users.iter().map(ReactionUser::new).collect();
    Ok(ReactionUsers { total_count, next_flag, reaction_type: reaction.to_owned(), user_list })
}

fn replies(reader: &Reader<'_>, root: &Arc<Message>, count: usize, next: u64, level: ClientLevel) -> Result<Replies, StoreError> {
    let seqs = reader.store.replies(reader.conversation, root.seq)?;
    let total = seqs.len();
    let (seqs, next_flag) = page_by_position(seqs, next, count);
    let message_list = reader.encode(&seen(reader, seqs)?, level)?;
    let root_replied_info = RootReplied::new(root, total, reader.view(root)?.encode(level));
    Ok(Replies { message_list, next_flag, root_replied_info })
}

fn receipt_members(
    reader: &Reader<'_>,
    message: &Message,
    target: &Target,
    read: bool,
    count: usize,
    next: u64,
) -> Result<ReceiptMembers, ReadError> {
    if message.sender != *reader.user {
        return Err(Refusal::NoReceipt("the message is another user's").into());
    }
    if !message.content.options.receipt {
        return Err(Refusal::NoReceipt("the message was sent without asking for one").into());
    }
    let store = reader.store;
    let of_message = readers(store, message)?;
    let (users, next_flag) = page_by_position(if read { of_message.read } else { of_message.unread }, next, count);
    let mut user_list = Vec::new();
    if let Target::Group(group) = target {
        for profile in crate::actors::group::profiles(store, &users)? {
            user_list.extend(store.group_member(group, &profile.id)?.map(|member| group_member(&member, &profile)));
        }
    }
    Ok(ReceiptMembers { group_id: target.id().to_owned(), next_flag, user_list })
}

/// Returns the counts of own messages, 0 for others'. Source: ZIM API reference, "queryMessageReceiptsInfo".
fn receipts_info(reader: &Reader<'_>, handles: &[MessageHandle]) -> Result<ReceiptsInfo, StoreError> {
    let (mut infos, mut error_message_ids) = (Vec::new(), Vec::new());
    for handle in handles {
        match reader.find(*handle)?.filter(|message| message.content.options.receipt) {
            Some(message) => infos.push(receipt_info(reader.store, reader.user, &message)?),
            None => error_message_ids.push(handle.id.map(|id| id.to_string()).unwrap_or_default()),
        }
    }
    Ok(ReceiptsInfo { infos, error_message_ids })
}

/// Returns a page of the children of a combined message, cut by bytes. A user who sees the message may read them.
fn combined(
    store: &dyn Store,
    me: &Onlooker,
    combine: &CombineRef,
    next: usize,
    bytes_max: usize,
    level: ClientLevel,
    memory: &mut MemoryShare,
) -> Result<CombinedMessage, ReadError> {
    let kept = seen_by(store, me, &combine.conversation, combine.seq)?.filter(|message| is_combined(message));
    let message = kept.ok_or(Refusal::MessageMissing)?;
    memory.add(store.children_bytes(&combine.conversation, combine.seq)?)?;
    let children = child_at(store.children(&combine.conversation, combine.seq)?, &combine.path).ok_or(Refusal::MessageMissing)?;
    let (mut list, mut bytes, mut reached) = (Vec::new(), 0, next);
    for (n, child) in children.iter().enumerate().skip(next) {
        let wire = child_wire(child, combine, n).to_string();
        if !list.is_empty() && bytes + wire.len() > bytes_max {
            break;
        }
        bytes += wire.len();
        list.push(wire);
        reached = n + 1;
    }
    let message = View::plain(message).encode_with_children(&list, level).ok_or(Refusal::MessageMissing)?;
    let more = reached < children.len();
    Ok(CombinedMessage { message, more, next: more.then_some(reached) })
}
