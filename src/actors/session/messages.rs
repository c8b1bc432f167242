//! What a session may ask of messages that were sent, and of its list of conversations.

use serde_json::{Value, json};

use super::dispatch::{Asked, ask, reply_json};
use super::{Answerer, Session};
use crate::actors::context::Core;
use crate::actors::conversation::peer;
use crate::actors::conversation::revise::{Amend, Confirm};
use crate::actors::room::Authorize;
use crate::actors::runtime::reply::{answer, answered};
use crate::actors::user::list::load::{Sight, may_read, sight};
use crate::actors::user::list::named;
use crate::actors::user::list::ops::AskList;
use crate::actors::view::find;
use crate::actors::view::message::{Dresser, reaction_users, readers};
use crate::model::{Body, Conversation, Invalid, Refusal, Target, UserId, UserProfile};
use crate::protocol::{
    CombineRef, Dress, EntryWork, Inquiry, MessageHandle, MessageWork, Variant, child_at, child_wire, encode_dressed, encode_reply_raw,
    group_member,
};
use crate::store::{Store, StoreError};

impl Session {
    pub(super) fn dispatch_entry(&self, work: EntryWork, me: &UserProfile, answerer: Answerer) {
        let (core, variant, number) = (self.core.clone(), self.link.variant(), self.link.number);
        if let Some(Target::Peer(other)) = named_peer(&work)
            && *other == me.id
        {
            return answerer.refuse(&Invalid::new("conversationID", "is the caller's own userID").into());
        }
        let asked = ask(|reply| core.users.tell(&core, &me.id, AskList { work, variant, number, reply }));
        answerer.later(asked, |id, raw: String| encode_reply_raw(id, &raw));
    }

    pub(super) fn dispatch_message(&self, work: MessageWork, me: &UserProfile, answerer: Answerer) {
        let (core, variant, origin, by) = (self.core.clone(), self.link.variant(), self.link.number, me.id.clone());
        let by_host = self.by_host;
        match work {
            MessageWork::Reply { target, draft } => self.send(target, draft, me, answerer),
            MessageWork::Change { target, message, change } => {
                let asked = ask(|reply| {
                    let amend = Amend { by, origin, by_host, target: target.clone(), message, change, variant, reply };
                    match &target {
                        Target::Peer(other) => core.peers.tell(&core, &peer::key(&me.id, other), amend),
                        Target::Group(group) => core.groups.tell(&core, group, amend),
                        Target::Room(_) => Err(Refusal::MessageMissing),
                    }
                });
                answerer.later(asked, |id, raw: String| encode_reply_raw(id, &raw));
            }
            MessageWork::Receipts { target, messages } => {
                let asked = ask(|reply| {
                    let confirm = Confirm { by, origin, messages, reply };
                    match &target {
                        Target::Peer(other) => core.peers.tell(&core, &peer::key(&me.id, other), confirm),
                        Target::Group(group) => core.groups.tell(&core, group, confirm),
                        Target::Room(_) => Err(Refusal::MessageMissing),
                    }
                });
                let place = json!({"conversationID": target.id(), "conversationType": target.kind().number()});
                answerer.later(asked, reply_json(move |failed: Vec<String>| with(place, "errorMessageIDs", json!(failed))));
            }
            MessageWork::Ask { target, message, inquiry } => {
                let (reader, place) = (me.id.clone(), target.clone());
                let asked = self.look_up(&target, me, move |store, conversation, sight| {
                    inquire(store, &reader, &place, conversation, sight, message, &inquiry, variant)
                });
                answerer.later(asked, |id, raw: String| encode_reply_raw(id, &raw));
            }
            MessageWork::ReceiptInfo { target, messages } => {
                let reader = me.id.clone();
                let asked = self.look_up(&target, me, move |store, conversation, sight| {
                    receipt_info(store, &reader, conversation, sight.first_seq, &messages).map(Ok)
                });
                answerer.later(asked, |id, raw: String| encode_reply_raw(id, &raw));
            }
            MessageWork::BySeq { target, seqs } => {
                let asked = self.listed(&target, me, move |_, _| Ok(seqs));
                answerer.later(asked, |id, raw: String| encode_reply_raw(id, &raw));
            }
            MessageWork::Pinned { target } => {
                let pinned = |store: &dyn Store, conversation: &Conversation| {
                    Ok(store.pins(conversation)?.iter().rev().map(|pin| pin.seq).collect())
                };
                let asked = self.listed(&target, me, pinned);
                answerer.later(asked, |id, raw: String| encode_reply_raw(id, &raw));
            }
            MessageWork::Combined { combine, next } => {
                let bytes_max = core.config().server.frame_bytes_max / 2;
                let asked = ask(|reply| {
                    let archive = core.archive.clone();
                    actix::spawn(async move {
                        let read = archive.read(move |store| combined(store, &by, &combine, next, bytes_max, variant)).await;
                        answer(reply, read.and_then(|read| read));
                    });
                    Ok(())
                });
                answerer.later(asked, |id, raw: String| encode_reply_raw(id, &raw));
            }
        }
    }

    /// Reads a conversation that the user may read, from where on it may.
    fn look_up<F>(&self, target: &Target, me: &UserProfile, read: F) -> Asked<String>
    where
        F: FnOnce(&dyn Store, &Conversation, &Sight) -> Result<Result<String, Refusal>, StoreError> + Send + 'static,
    {
        let (core, me) = (self.core.clone(), me.id.clone());
        let authorized = authorize(&core, target, &me)?;
        ask(|reply| {
            actix::spawn(async move {
                let look_up = async {
                    let (conversation, first_seq) = answered(authorized).await?;
                    let wanted = move |store: &dyn Store| {
                        let sight = sight(store, &me, &conversation, first_seq)?;
                        read(store, &conversation, &sight)
                    };
                    core.archive.read(wanted).await?
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
        let (variant, reader) = (self.link.variant(), me.id.clone());
        let head = json!({"conversationID": target.id(), "conversationType": target.kind().number()}).to_string();
        self.look_up(target, me, move |store, conversation, sight| {
            let dresser = Dresser::new(store, &reader, conversation, sight.first_seq)?;
            let mut list = Vec::new();
            for seq in seqs(store, conversation)? {
                if let Some(message) = sight.message(store, &reader, conversation, seq)? {
                    list.extend(encode_dressed(&message, &dresser.dress(&message)?, variant));
                }
            }
            Ok(Ok(format!("{},\"messageList\":[{}]}}", &head[..head.len() - 1], list.join(","))))
        })
    }
}

fn named_peer(work: &EntryWork) -> Option<&Target> {
    match work {
        EntryWork::Query { target }
        | EntryWork::Delete { target, .. }
        | EntryWork::Clear { target }
        | EntryWork::ReceiptUpToNow { target } => Some(target),
        _ => None,
    }
}

/// One's own peer conversations need no owner's word; groups say who may read, and from where.
pub(super) fn authorize(core: &std::sync::Arc<Core>, target: &Target, me: &UserId) -> Asked<(Conversation, u64)> {
    ask(|reply| match target {
        Target::Peer(other) => {
            answer(reply, Ok((Conversation::peer(me, other), 1)));
            Ok(())
        }
        Target::Room(room) => core.rooms.tell(core, room, Authorize { user: me.clone(), reply }),
        Target::Group(group) => core.groups.tell(core, group, Authorize { user: me.clone(), reply }),
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
fn inquire(
    store: &dyn Store,
    me: &UserId,
    target: &Target,
    conversation: &Conversation,
    sight: &Sight,
    handle: MessageHandle,
    inquiry: &Inquiry,
    variant: Variant,
) -> Result<Result<String, Refusal>, StoreError> {
    let Some(message) = find::message(store, conversation, handle, sight.first_seq)? else { return Ok(Err(Refusal::MessageMissing)) };
    let dresser = Dresser::new(store, me, conversation, sight.first_seq)?;
    Ok(Ok(match inquiry {
        Inquiry::Reactions { reaction, count, next } => {
            let notes = store.notes(conversation, message.seq)?;
            let users = reaction_users(notes.into_iter().map(|(note, _)| note)).remove(reaction).unwrap_or_default();
            let total = users.len();
            let (users, next) = page(users, *next, *count);
            let users: Vec<Value> = users.iter().map(|user| json!({"userID": user})).collect();
            json!({"totalCount": total, "nextFlag": next, "reactionType": reaction, "userList": users}).to_string()
        }
        Inquiry::Replies { count, next } => {
            let seqs = store.replies(conversation, message.seq)?;
            let total = seqs.len();
            let (seqs, next) = page(seqs, *next, *count);
            let mut list = Vec::new();
            for seq in seqs {
                if let Some(answer) = sight.message(store, me, conversation, seq)? {
                    list.extend(encode_dressed(&answer, &dresser.dress(&answer)?, variant));
                }
            }
            let root = encode_dressed(&message, &dresser.dress(&message)?, variant);
            let root = root.as_deref().map_or("null", |root| root);
            let head = json!({
                "state": u8::from(matches!(message.body, Body::Revoke(_))), "senderUserID": message.sender, "sentTime": message.timestamp_ms,
                "repliedCount": total,
            });
            let head = head.to_string();
            let info = format!("{},\"message\":{root}}}", &head[..head.len() - 1]);
            format!("{{\"messageList\":[{}],\"nextFlag\":{next},\"rootRepliedInfo\":{info}}}", list.join(","))
        }
        Inquiry::Readers { read, count, next } => {
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
    let dresser = Dresser::new(store, me, conversation, first_seq)?;
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
            "status": dresser.dress(&message)?.receipt_status, "readMemberCount": counts.0, "unreadMemberCount": counts.1,
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
    variant: Variant,
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
    let Some(head) = encode_dressed(&message, &Dress { alone: true, ..Dress::default() }, variant) else {
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
