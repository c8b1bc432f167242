//! What a session may ask of messages that were sent, and of its list of conversations.

use serde_json::{Value, json};

use super::Session;
use super::dispatch::{Asked, ask, reply_json};
use super::responder::Responder;
use crate::actors::context::BrokerContext;
use crate::actors::conversation::peer;
use crate::actors::conversation::revise::{Confirm, Revise};
use crate::actors::room::Authorize;
use crate::actors::runtime::reply::{answer, answered};
use crate::actors::user::list::load::{Visibility, may_read, visibility};
use crate::actors::user::list::named;
use crate::actors::user::list::ops::OnList;
use crate::actors::view::find;
use crate::actors::view::message::{ViewBuilder, reaction_users, readers};
use crate::model::{Body, Conversation, Invalid, Refusal, Target, UserId, UserProfile};
use crate::protocol::{
    ClientLevel, CombineRef, ListRequest, MessageHandle, MessageQuery, MessageRequest, MessageView, Outcome, child_at, child_wire,
    encode_view, group_member,
};
use crate::store::{Store, StoreError};

impl Session {
    pub(super) fn dispatch_entry(&self, work: ListRequest, me: &UserProfile, responder: Responder) {
        let (context, level, connection_id) = (self.context.clone(), self.connection.level(), self.connection.id);
        if let Some(Target::Peer(other)) = named_peer(&work)
            && *other == me.id
        {
            return responder.refuse(&Invalid::new("conversationID", "is the caller's own userID").into());
        }
        let asked = ask(|reply| context.users.tell(&context, &me.id, OnList { work, level, connection_id, reply }));
        responder.later(asked, |json: String| Outcome::raw(json));
    }

    pub(super) fn dispatch_message(&self, work: MessageRequest, me: &UserProfile, responder: Responder) {
        let (context, level, origin, by) = (self.context.clone(), self.connection.level(), self.connection.id, me.id.clone());
        let by_host = self.by_host;
        match work {
            MessageRequest::Reply { target, draft } => self.send(target, draft, me, responder),
            MessageRequest::Change { target, message, change } => {
                let asked = ask(|reply| {
                    let revise = Revise { by, origin: Some(origin), by_host, target: target.clone(), message, change, level, reply };
                    match &target {
                        Target::Peer(other) => context.peers.tell(&context, &peer::key(&me.id, other), revise),
                        Target::Group(group) => context.groups.tell(&context, group, revise),
                        Target::Room(_) => Err(Refusal::MessageMissing),
                    }
                });
                responder.later(asked, |json: String| Outcome::raw(json));
            }
            MessageRequest::Receipts { target, messages } => {
                let asked = ask(|reply| {
                    let confirm = Confirm { by, origin: Some(origin), messages, reply };
                    match &target {
                        Target::Peer(other) => context.peers.tell(&context, &peer::key(&me.id, other), confirm),
                        Target::Group(group) => context.groups.tell(&context, group, confirm),
                        Target::Room(_) => Err(Refusal::MessageMissing),
                    }
                });
                let place = json!({"conversationID": target.id(), "conversationType": target.kind().number()});
                responder.later(asked, reply_json(move |failed: Vec<String>| with(place, "errorMessageIDs", json!(failed))));
            }
            MessageRequest::Ask { target, message, query } => {
                let (reader, place) = (me.id.clone(), target.clone());
                let asked = self.look_up(&target, me, move |store, conversation, visibility| {
                    answer_query(store, &reader, &place, conversation, visibility, message, &query, level)
                });
                responder.later(asked, |json: String| Outcome::raw(json));
            }
            MessageRequest::ReceiptInfo { target, messages } => {
                let reader = me.id.clone();
                let asked = self.look_up(&target, me, move |store, conversation, visibility| {
                    receipt_info(store, &reader, conversation, visibility.first_seq, &messages).map(Ok)
                });
                responder.later(asked, |json: String| Outcome::raw(json));
            }
            MessageRequest::BySeq { target, seqs } => {
                let asked = self.listed(&target, me, move |_, _| Ok(seqs));
                responder.later(asked, |json: String| Outcome::raw(json));
            }
            MessageRequest::Pinned { target } => {
                let pinned = |store: &dyn Store, conversation: &Conversation| {
                    Ok(store.pins(conversation)?.iter().rev().map(|pin| pin.seq).collect())
                };
                let asked = self.listed(&target, me, pinned);
                responder.later(asked, |json: String| Outcome::raw(json));
            }
            MessageRequest::Combined { combine, next } => {
                let bytes_max = context.config().server.frame_bytes_max / 2;
                let asked = ask(|reply| {
                    let archive = context.archive.clone();
                    actix::spawn(async move {
                        let read = archive.read(move |store| combined(store, &by, &combine, next, bytes_max, level)).await;
                        answer(reply, read.and_then(|read| read));
                    });
                    Ok(())
                });
                responder.later(asked, |json: String| Outcome::raw(json));
            }
        }
    }

    /// Reads a conversation that the user may read, from where on it may.
    fn look_up<F>(&self, target: &Target, me: &UserProfile, read: F) -> Asked<String>
    where
        F: FnOnce(&dyn Store, &Conversation, &Visibility) -> Result<Result<String, Refusal>, StoreError> + Send + 'static,
    {
        let (context, me) = (self.context.clone(), me.id.clone());
        let authorized = authorize(&context, target, &me)?;
        ask(|reply| {
            actix::spawn(async move {
                let look_up = async {
                    let (conversation, first_seq) = answered(authorized).await?;
                    let wanted = move |store: &dyn Store| {
                        let visibility = visibility(store, &me, &conversation, first_seq)?;
                        read(store, &conversation, &visibility)
                    };
                    context.archive.read(wanted).await?
                };
                answer(reply, look_up.await);
            });
            Ok(())
        })
    }

    /// Messages by their seqs, in that order; those not kept, or not for this user, are left out.
    fn listed<F>(&self, target: &Target, me: &UserProfile, seqs: F) -> Asked<String>
    where
        F: FnOnce(&dyn Store, &Conversation) -> Result<Vec<u64>, StoreError> + Send + 'static,
    {
        let (level, reader) = (self.connection.level(), me.id.clone());
        let head = json!({"conversationID": target.id(), "conversationType": target.kind().number()}).to_string();
        self.look_up(target, me, move |store, conversation, visibility| {
            let builder = ViewBuilder::new(store, &reader, conversation, visibility.first_seq)?;
            let mut list = Vec::new();
            for seq in seqs(store, conversation)? {
                if let Some(message) = visibility.message(store, &reader, conversation, seq)? {
                    list.extend(encode_view(&message, &builder.view(&message)?, level));
                }
            }
            Ok(Ok(format!("{},\"messageList\":[{}]}}", &head[..head.len() - 1], list.join(","))))
        })
    }
}

fn named_peer(work: &ListRequest) -> Option<&Target> {
    match work {
        ListRequest::Query { target }
        | ListRequest::Delete { target, .. }
        | ListRequest::Clear { target }
        | ListRequest::ReceiptUpToNow { target } => Some(target),
        _ => None,
    }
}

/// One's own peer conversations need no owner's word; groups say who may read, and from where.
pub(super) fn authorize(context: &std::sync::Arc<BrokerContext>, target: &Target, me: &UserId) -> Asked<(Conversation, u64)> {
    ask(|reply| match target {
        Target::Peer(other) => {
            answer(reply, Ok((Conversation::peer(me, other), 1)));
            Ok(())
        }
        Target::Room(room) => context.rooms.tell(context, room, Authorize { user: me.clone(), reply }),
        Target::Group(group) => context.groups.tell(context, group, Authorize { user: me.clone(), reply }),
    })
}

fn with(mut value: Value, field: &str, more: Value) -> Value {
    value[field] = more;
    value
}

/// A part of a list and the flag of the next one, 0 at the end.
fn page<T>(list: Vec<T>, next: u64, count: usize) -> (Vec<T>, u64) {
    let from = usize::try_from(next).unwrap_or(usize::MAX);
    let total = list.len();
    let page: Vec<T> = list.into_iter().skip(from).take(count).collect();
    let reached = from.saturating_add(page.len());
    (page, if reached < total { reached as u64 } else { 0 })
}

#[expect(clippy::too_many_arguments, reason = "one question about one message")]
fn answer_query(
    store: &dyn Store,
    me: &UserId,
    target: &Target,
    conversation: &Conversation,
    visibility: &Visibility,
    handle: MessageHandle,
    query: &MessageQuery,
    level: ClientLevel,
) -> Result<Result<String, Refusal>, StoreError> {
    let Some(message) = find::message(store, conversation, handle, visibility.first_seq)? else { return Ok(Err(Refusal::MessageMissing)) };
    let builder = ViewBuilder::new(store, me, conversation, visibility.first_seq)?;
    Ok(Ok(match query {
        MessageQuery::Reactions { reaction, count, next } => {
            let notes = store.notes(conversation, message.seq)?;
            let users = reaction_users(notes.into_iter().map(|(note, _)| note)).remove(reaction).unwrap_or_default();
            let total = users.len();
            let (users, next) = page(users, *next, *count);
            let users: Vec<Value> = users.iter().map(|user| json!({"userID": user})).collect();
            json!({"totalCount": total, "nextFlag": next, "reactionType": reaction, "userList": users}).to_string()
        }
        MessageQuery::Replies { count, next } => {
            let seqs = store.replies(conversation, message.seq)?;
            let total = seqs.len();
            let (seqs, next) = page(seqs, *next, *count);
            let mut list = Vec::new();
            for seq in seqs {
                if let Some(answer) = visibility.message(store, me, conversation, seq)? {
                    list.extend(encode_view(&answer, &builder.view(&answer)?, level));
                }
            }
            let root = encode_view(&message, &builder.view(&message)?, level);
            let root = root.as_deref().map_or("null", |root| root);
            let head = json!({
                "state": u8::from(matches!(message.body, Body::Revoke(_))), "senderUserID": message.sender, "sentTime": message.timestamp_ms,
                "repliedCount": total,
            });
            let head = head.to_string();
            let info = format!("{},\"message\":{root}}}", &head[..head.len() - 1]);
            format!("{{\"messageList\":[{}],\"nextFlag\":{next},\"rootRepliedInfo\":{info}}}", list.join(","))
        }
        MessageQuery::Readers { read, count, next } => {
            if message.sender != *me {
                return Ok(Err(Refusal::NoReceipt("the message is another user's")));
            }
            if !message.terms.receipt {
                return Ok(Err(Refusal::NoReceipt("the message was sent without asking for one")));
            }
            let readers = readers(store, &message)?;
            let (users, next) = page(if *read { readers.read } else { readers.unread }, *next, *count);
            let mut members = Vec::new();
            if let Target::Group(group) = target {
                for user in users {
                    let profile = store.user(&user)?.unwrap_or_else(|| UserProfile::new(user.clone(), String::new()));
                    members.extend(store.group_member(group, &user)?.map(|member| json!(group_member(&member, &profile))));
                }
            }
            json!({"groupID": target.id(), "nextFlag": next, "userList": members}).to_string()
        }
    }))
}

/// Source: spec 3.8, `queryMessageReceiptsInfo`: counts for own messages, 0 for others'.
fn receipt_info(
    store: &dyn Store,
    me: &UserId,
    conversation: &Conversation,
    first_seq: u64,
    handles: &[MessageHandle],
) -> Result<String, StoreError> {
    let (mut infos, mut failed) = (Vec::new(), Vec::new());
    let builder = ViewBuilder::new(store, me, conversation, first_seq)?;
    let (kind, id) = named(me, conversation);
    for handle in handles {
        let message = find::message(store, conversation, *handle, first_seq)?.filter(|message| message.terms.receipt);
        let Some(message) = message else {
            failed.push(handle.id.map(|id| id.to_string()).unwrap_or_default());
            continue;
        };
        let (counts, read_ms) = if message.sender == *me {
            let readers = readers(store, &message)?;
            ((readers.read.len(), readers.unread.len()), if readers.unread.is_empty() { readers.last_ms } else { 0 })
        } else {
            ((0, 0), 0)
        };
        infos.push(json!({
            "conversationID": id, "conversationType": kind, "messageID": message.id.to_string(),
            "status": builder.view(&message)?.receipt_status, "readMemberCount": counts.0, "unreadMemberCount": counts.1,
            "isSelfOperated": false, "readTime": read_ms,
        }));
    }
    Ok(json!({"infos": infos, "errorMessageIDs": failed}).to_string())
}

/// A page of what a combined message holds, cut by bytes. Source: spec 3.3.
fn combined(
    store: &dyn Store,
    me: &UserId,
    combine: &CombineRef,
    next: usize,
    bytes_max: usize,
    level: ClientLevel,
) -> Result<Result<String, Refusal>, StoreError> {
    let kept = store.message(&combine.conversation, combine.seq)?.filter(|message| matches!(message.body, Body::Combine(_)));
    let (Some(message), true) = (kept, may_read(store, me, &combine.conversation, combine.seq)?) else {
        return Ok(Err(Refusal::MessageMissing));
    };
    let Some(children) = child_at(store.children(&combine.conversation, combine.seq)?, &combine.path) else {
        return Ok(Err(Refusal::MessageMissing));
    };
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
    let Some(head) = encode_view(&message, &MessageView { alone: true, ..MessageView::default() }, level) else {
        return Ok(Err(Refusal::MessageMissing));
    };
    let more = if reached < children.len() { format!(",\"more\":true,\"next\":{reached}") } else { String::new() };
    Ok(Ok(format!("{{\"message\":{},\"messageList\":[{}]}}{more}}}", &head[..head.len() - 1], list.join(","))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_list_and_say_when_it_ends() {
        let list: Vec<u32> = (0..5).collect();
        assert_eq!(page(list.clone(), 0, 2), (vec![0, 1], 2));
        assert_eq!(page(list.clone(), 2, 2), (vec![2, 3], 4));
        assert_eq!(page(list.clone(), 4, 2), (vec![4], 0));
        assert_eq!(page(list.clone(), 0, 5), (vec![0, 1, 2, 3, 4], 0));
        assert_eq!(page(list, u64::MAX, 5), (vec![], 0));
    }
}
