//! Changing what was sent: taken back, edited, reacted to, confirmed, pinned. The conversation's owner does it, one
//! change at a time, and tells everyone once the change is durable.
//!
//! Rooms are not changed by their members. A crash leaves the old message or the new one; whoever was away hears of
//! it with its resume (`Revision::logged`).

use crate::actors::connection::ConnectionId;
use std::collections::HashMap;
use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;
use serde_json::{Value, json};

use super::moderation::review_edit;
use super::publish::Owner;
use super::revise_rules::{Actor as By, MessageFacts, Moderates, decide};
use crate::actors::connection::Connection;
use crate::actors::connection::feed::FeedItem;
use crate::actors::context::BrokerContext;
use crate::actors::delivery::batch::deliver_accepted;
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::runtime::watermark::PendingDelivery;
use crate::actors::user::list::named;
use crate::actors::view::find;
use crate::actors::view::message::{Readers, ViewBuilder, reaction_alone, reaction_users, readers};
use crate::hooks::{Event, Origin, ReviewRequest};
use crate::model::{Conversation, Draft, Fate, Message, Refusal, Target, UserId};
use crate::protocol::{Change, ClientLevel, MessageHandle, MessageView, encode_event, encode_view};
use crate::store::{ChangeKind, Note, NoteRecord, Revision, Store, StoreError};

/// Answers of one tree that hear of a change to what they quote.
const QUOTING_MAX: usize = 50;

/// One change of one message.
#[derive(Debug)]
pub(crate) struct Revise {
    pub(crate) by: UserId,
    /// The connection it came from, which does not get the event; 0 for the host.
    pub(crate) origin: Option<ConnectionId>,
    /// The host changes it in the user's name: as who may change everyone's, and unreviewed.
    pub(crate) by_host: bool,
    pub(crate) target: Target,
    pub(crate) message: MessageHandle,
    pub(crate) change: Change,
    pub(crate) level: ClientLevel,
    /// The result object, as JSON.
    pub(crate) reply: Reply<String>,
}

/// A user says that it has read messages.
#[derive(Debug)]
pub(crate) struct Confirm {
    pub(crate) by: UserId,
    pub(crate) origin: Option<ConnectionId>,
    pub(crate) messages: Vec<MessageHandle>,
    /// The ids of those that take no receipt from this user.
    pub(crate) reply: Reply<Vec<String>>,
}

/// By which right someone is in a conversation.
pub(crate) struct Access {
    pub(crate) moderates: Moderates,
    pub(crate) first_seq: u64,
}

/// An owner whose members may change what was sent.
pub(crate) trait Keeper: Owner {
    fn context(&self) -> &Arc<BrokerContext>;
    fn place(&self) -> Conversation;
    /// # Errors
    /// When the user is not inside.
    fn access_of(&mut self, user: &UserId) -> Result<Access, Refusal>;
    /// Everyone who is online, on every device.
    fn everyone(&self) -> Vec<Arc<Connection>>;
    /// Tells the members' own actors.
    fn notify(&self, item: &Arc<FeedItem>);
    /// A change was carried out or refused: nothing holds the owner any more.
    fn done(&mut self, ctx: &mut Context<Self>);
}

/// A message before and after a change, with what is needed to tell of it.
struct Revised {
    before: Arc<Message>,
    after: Arc<Message>,
    revision: Revision,
    notes: Vec<Note>,
    /// What its editor sees beside it: answers, pins, what it quotes.
    view: MessageView,
    /// Others that gave way, or quote it: as they are now.
    others: Vec<(Arc<Message>, MessageView)>,
    pinned_before: bool,
    pending: Option<PendingDelivery>,
}

/// Decides, writes, tells. A moderator sees an edit as it sees a message. Anything else says nothing.
pub(crate) fn revise<A: Keeper>(owner: &mut A, revise: Revise, ctx: &mut Context<A>) {
    let Change::Edit { body, extended_data, mentions } = &revise.change else { return carry_out(owner, revise, ctx) };
    if revise.by_host {
        return carry_out(owner, revise, ctx);
    }
    if let Err(refusal) = owner.context().can_tell() {
        return answer(revise.reply, Err(refusal));
    }
    let draft = Draft { extended_data: extended_data.clone(), mentions: mentions.clone(), ..Draft::of(body.clone()) };
    let origin = if revise.origin.is_none() { Origin::Host } else { Origin::Client };
    let request = ReviewRequest { sender: revise.by.clone(), target: revise.target.clone(), draft, origin, edit: true };
    review_edit(owner, request, ctx, move |owner, reviewed, ctx| {
        let change = match reviewed {
            Ok(None) => revise.change,
            Ok(Some(draft)) => Change::Edit { body: draft.body, extended_data: draft.extended_data, mentions: draft.mentions },
            Err(refusal) => {
                answer(revise.reply, Err(refusal));
                return owner.done(ctx);
            }
        };
        carry_out(owner, Revise { change, ..revise }, ctx);
    });
}

fn carry_out<A: Keeper>(owner: &mut A, revise: Revise, ctx: &mut Context<A>) {
    let Revise { by, origin, by_host, message: handle, change, level, reply, .. } = revise;
    let access = match owner.access_of(&by) {
        Ok(access) if by_host => Access { moderates: Moderates::Everyone, ..access },
        Ok(access) => access,
        Err(refusal) => return answer(reply, Err(refusal)),
    };
    let (context, place, wanted) = (owner.context().clone(), owner.place(), change.clone());
    let (is_pin, is_edit) = (matches!(change, Change::Pin { .. }), matches!(change, Change::Edit { .. }));
    let work = {
        let by = by.clone();
        async move {
            let (now_ms, limits) = (context.clock.wall_ms(), context.config().limits.clone());
            let user = by.clone();
            let decided = context.archive.read(move |store| {
                let Some(before) = find::message(store, &place, handle, access.first_seq)? else { return Ok(Err(Refusal::MessageMissing)) };
                let notes: Vec<Note> = store.notes(&place, before.seq)?.into_iter().map(|(note, _)| note).collect();
                let known = MessageFacts { notes, pins: store.pins(&place)? };
                let actor = By { user: &user, moderates: &access.moderates };
                let pinned_before = known.pins.iter().any(|pin| pin.seq == before.seq);
                let decided = decide(&before, &known, change, &actor, now_ms, &limits);
                Ok(decided.map(|revision| (before, revision, pinned_before, known.pins)))
            });
            let (before, revision, pinned_before, pins_before) = decided.await??;
            let pending = context.archive.revise(&context.watermark, revision.clone()).await?;
            let after = revision.message.clone().unwrap_or_else(|| before.clone());
            let (user, looked_at, new_pins) = (by, after.clone(), revision.pins.clone());
            let rest = context.archive.read(move |store| {
                let conversation = &looked_at.conversation;
                let notes = store.notes(conversation, looked_at.seq)?.into_iter().map(|(note, _)| note).collect();
                let builder = ViewBuilder::new(store, &user, conversation, access.first_seq)?;
                let view = if is_edit { builder.view(&looked_at)? } else { MessageView::default() };
                let mut others = Vec::new();
                let gave_way =
                    pins_before.iter().filter(|pin| new_pins.as_ref().is_some_and(|pins| pins.iter().all(|kept| kept.seq != pin.seq)));
                let gave_way: Vec<u64> = gave_way.map(|pin| pin.seq).filter(|seq| *seq != looked_at.seq).collect();
                for seq in if is_pin { gave_way } else { quoting(store, &looked_at)? } {
                    if let Some(message) = store.message(conversation, seq)? {
                        let view = MessageView { alone: true, ..builder.view(&message)? };
                        others.push((message, view));
                    }
                }
                Ok((notes, others, MessageView { alone: true, ..view }))
            });
            let (notes, others, view) = rest.await.unwrap_or_default();
            Ok(Revised { before, after, revision, notes, view, others, pinned_before, pending })
        }
    };
    ctx.wait(work.into_actor(owner).map(move |outcome: Result<Revised, Refusal>, owner, ctx| {
        match outcome {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok(revised) => {
                // What was accepted before the change is heard before it.
                deliver_accepted(owner);
                tell_host(owner.context(), &revised, &wanted, &by);
                answer(reply, Ok(tell(owner, &revised, &wanted, &by, origin, level)));
                drop(revised.pending);
            }
        }
        owner.done(ctx);
    }));
}

/// Answers that quote this message.
fn quoting(store: &dyn Store, message: &Message) -> Result<Vec<u64>, StoreError> {
    let root_seq = message.terms.reply.map_or(message.seq, |reply| reply.root_seq);
    if message.terms.reply.is_none() && !message.fate.replied {
        return Ok(Vec::new());
    }
    let mut quoting = Vec::new();
    for seq in store.replies(&message.conversation, root_seq)?.into_iter().rev() {
        let quotes = store
            .message(&message.conversation, seq)?
            .is_some_and(|answer| answer.terms.reply.is_some_and(|reply| reply.seq == message.seq));
        if quotes && quoting.len() < QUOTING_MAX {
            quoting.push(seq);
        }
    }
    quoting.reverse();
    Ok(quoting)
}

fn tell_host(context: &BrokerContext, revised: &Revised, change: &Change, by: &UserId) {
    let (message, by) = (revised.after.clone(), by.clone());
    match change {
        Change::Revoke { .. } => context.tell_host(|| Event::MessageRevoked { message, by }),
        Change::Edit { .. } => context.tell_host(|| Event::MessageEdited { message, by }),
        Change::React { .. } | Change::Pin { .. } => {}
    }
}

/// Tells everyone of a change; the result for who made it.
fn tell<A: Keeper>(owner: &A, revised: &Revised, change: &Change, by: &UserId, origin: Option<ConnectionId>, level: ClientLevel) -> String {
    let connections = owner.everyone();
    let Revised { before, after, revision, notes, others, pinned_before, .. } = revised;
    let alone = MessageView { alone: true, ..MessageView::default() };
    let whole = |result: Option<ByteString>| format!("{{\"message\":{}}}", result.as_deref().map_or("null", |text| text));
    match change {
        Change::Revoke { .. } | Change::Edit { .. } => {
            let event = if matches!(change, Change::Revoke { .. }) { "messageRevokeReceived" } else { "messageEdited" };
            // What differs between readers is not in the event: who reacted, who has read.
            let shared = MessageView { alone: true, reactions: Vec::new(), receipt_status: None, ..revised.view.clone() };
            spread(&connections, origin, |level| Some(list_event(event, &[encode_view(after, &shared, level)?])));
            if !others.is_empty() {
                spread(&connections, None, |level| {
                    let list: Vec<ByteString> = others.iter().filter_map(|(message, view)| encode_view(message, view, level)).collect();
                    (!list.is_empty()).then(|| list_event("messageRepliedInfoChanged", &list))
                });
            }
            owner.notify(&Arc::new(FeedItem::Changed(after.conversation.clone())));
            whole(encode_view(after, &MessageView { alone: true, ..revised.view.clone() }, level))
        }
        Change::React { reaction, add } => {
            let users = reaction_users(notes.iter().cloned()).remove(reaction).unwrap_or_default();
            let mut frames: HashMap<(bool, Option<UserId>, ClientLevel), Option<ByteString>> = HashMap::new();
            for connection in connections.iter().filter(|connection| Some(connection.id) != origin) {
                let Some(identity) = connection.identity() else { continue };
                let side = matches!(after.conversation, Conversation::Peer(..)).then(|| identity.user.clone());
                let key = (users.contains(&identity.user), side, identity.level);
                let frame =
                    frames.entry(key).or_insert_with(|| reaction_event(after, reaction, *add, &users, &identity.user, by, identity.level));
                if let Some(frame) = frame {
                    let _queued_or_closed = connection.outbox.push(frame.clone());
                }
            }
            json!({"reaction": reaction_alone(after, reaction, &users, by)}).to_string()
        }
        Change::Pin { pinned, .. } => {
            let stamp = revision.pins.iter().flatten().find(|pin| pin.seq == before.seq).map(|pin| pin.stamp.clone());
            let status = match (pinned, pinned_before) {
                (false, _) => 0,
                (true, false) => 1,
                (true, true) => 2,
            };
            let view = MessageView { pinned: stamp, ..alone };
            spread(&connections, origin, |level| {
                let mut infos = Vec::new();
                for (status, message, view) in
                    std::iter::once((status, after, &view)).chain(others.iter().map(|(one, view)| (0, one, view)))
                {
                    infos.push(format!("{{\"pinStatus\":{status},\"message\":{}}}", encode_view(message, view, level)?));
                }
                Some(format!("{{\"event\":\"messagePinStatusChanged\",\"data\":{{\"infos\":[{}]}}}}", infos.join(",")).into())
            });
            "{}".into()
        }
    }
}

pub(crate) fn list_event(event: &str, messages: &[ByteString]) -> ByteString {
    format!("{{\"event\":\"{event}\",\"data\":{{\"messageList\":[{}]}}}}", messages.join(",")).into()
}

fn reaction_event(
    message: &Message,
    reaction: &str,
    add: bool,
    users: &[UserId],
    me: &UserId,
    by: &UserId,
    level: ClientLevel,
) -> Option<ByteString> {
    let text = encode_view(message, &MessageView { alone: true, ..MessageView::default() }, level)?;
    let message_json: Value = serde_json::from_str(&text).ok()?;
    let change = json!({"userID": by, "reactionType": reaction, "action": u8::from(!add), "sumCount": users.len()});
    let data = json!({
        "reactions": [reaction_alone(message, reaction, users, me)],
        "changeInfoList": [{"message": message_json, "userChangeInfoList": [change]}],
    });
    Some(encode_event("messageReactionsChanged", &data))
}

/// What a user hears of a message that was read: its sender the counts, a reader on its other devices that it has.
pub(crate) fn receipt_wire(message: &Message, readers: &Readers, me: &UserId, own: bool) -> Value {
    let (kind, id) = named(me, &message.conversation);
    let (status, counts) = if own { (2, (0, 0)) } else { (readers.status(), (readers.read.len(), readers.unread.len())) };
    json!({
        "conversationID": id, "conversationType": kind, "messageID": message.id.to_string(), "status": status,
        "readMemberCount": counts.0, "unreadMemberCount": counts.1, "isSelfOperated": own,
        "readTime": if readers.unread.is_empty() { readers.last_ms } else { 0 },
    })
}

/// Sends an event to all connections but one, encoded once per level.
pub(crate) fn spread(connections: &[Arc<Connection>], but: Option<ConnectionId>, encode: impl Fn(ClientLevel) -> Option<ByteString>) {
    let mut frames: HashMap<ClientLevel, Option<ByteString>> = HashMap::new();
    for connection in connections.iter().filter(|connection| Some(connection.id) != but) {
        if let Some(frame) = frames.entry(connection.level()).or_insert_with_key(|level| encode(*level)) {
            let _queued_or_closed = connection.outbox.push(frame.clone());
        }
    }
}

/// A message below this one was accepted: the root is marked, and everyone hears how many there are.
pub(crate) fn answered<A: Keeper>(owner: &mut A, root_seq: u64, ctx: &mut Context<A>) {
    let (context, place) = (owner.context().clone(), owner.place());
    let work = async move {
        let wanted = place.clone();
        let found = context.archive.read(move |store| {
            let count = store.replies(&wanted, root_seq)?.len();
            Ok(store.message(&wanted, root_seq)?.map(|root| (root, count)))
        });
        let Some((root, count)) = found.await? else { return Ok(None) };
        if !root.fate.replied {
            let marked = Message { fate: Fate { replied: true, ..root.fate.clone() }, ..(*root).clone() };
            let message = Some(Arc::new(marked));
            let revision = Revision { conversation: place, seq: root_seq, message, notes: Vec::new(), pins: None, logged: None };
            context.archive.revise(&context.watermark, revision).await?;
        }
        Ok(Some((root, count)))
    };
    ctx.wait(work.into_actor(owner).map(|counted: Result<_, Refusal>, owner, _| match counted {
        Ok(Some((root, count))) => {
            for connection in owner.everyone() {
                let Some(identity) = connection.identity() else { continue };
                let (kind, id) = named(&identity.user, &root.conversation);
                let info = json!({"conversationID": id, "conversationType": kind, "messageID": root.id.to_string(), "count": count});
                let _queued_or_closed = connection.outbox.push(encode_event("messageRepliedCountChanged", &json!({"infos": [info]})));
            }
        }
        Ok(None) => {}
        Err(refusal) => tracing::warn!(%refusal, "the answers below a message could not be counted"),
    }));
}

/// Notes who has read what, and tells the senders and the reader's other devices. Source: spec 3.8.
pub(crate) fn confirm<A: Keeper>(owner: &mut A, confirm: Confirm, ctx: &mut Context<A>) {
    let Confirm { by, origin, messages: handles, reply } = confirm;
    let access = match owner.access_of(&by) {
        Ok(access) => access,
        Err(refusal) => return answer(reply, Err(refusal)),
    };
    let (context, place) = (owner.context().clone(), owner.place());
    let reader = by.clone();
    let work = async move {
        let (wanted, user, asked) = (place.clone(), reader.clone(), handles.clone());
        let found = context.archive.read(move |store| {
            let mut found = Vec::new();
            for handle in &asked {
                let message = find::message(store, &wanted, *handle, access.first_seq)?;
                let message = message.filter(|message| message.terms.receipt && message.sender != user);
                let is_noted = match &message {
                    Some(message) => {
                        store.notes(&wanted, message.seq)?.iter().any(|(note, _)| matches!(note, Note::Receipt(reader) if *reader == user))
                    }
                    None => false,
                };
                found.push((message, is_noted));
            }
            Ok(found)
        });
        let (mut read, mut failed) = (Vec::new(), Vec::new());
        for (handle, (message, is_noted)) in handles.iter().zip(found.await?) {
            match message {
                Some(_) if is_noted => {}
                Some(message) => {
                    let note = (Note::Receipt(reader.clone()), Some(NoteRecord { at_ms: context.clock.wall_ms() }));
                    let revision = Revision {
                        conversation: place.clone(),
                        seq: message.seq,
                        message: None,
                        notes: vec![note],
                        pins: None,
                        logged: Some(ChangeKind::Confirmed),
                    };
                    context.archive.revise(&context.watermark, revision).await?;
                    read.push(message);
                }
                None => failed.push(handle.id.map(|id| id.to_string()).unwrap_or_default()),
            }
        }
        let told = context.archive.read(move |store| {
            let infos = read.iter().map(|message| Ok((message.clone(), readers(store, message)?)));
            infos.collect::<Result<Vec<_>, StoreError>>()
        });
        Ok((told.await?, failed))
    };
    ctx.wait(work.into_actor(owner).map(move |outcome: Result<_, Refusal>, owner, ctx| {
        match outcome {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok((read, failed)) => {
                let context = owner.context().clone();
                for (message, readers) in &read {
                    for (user, own) in [(&message.sender, false), (&by, true)] {
                        let frame = encode_event("messageReceiptChanged", &json!({"infos": [receipt_wire(message, readers, user, own)]}));
                        let connections = context.presence.connections(user);
                        for connection in
                            connections.iter().flat_map(|connections| connections.iter()).filter(|connection| Some(connection.id) != origin)
                        {
                            let _queued_or_closed = connection.outbox.push(frame.clone());
                        }
                    }
                }
                answer(reply, Ok(failed));
            }
        }
        owner.done(ctx);
    }));
}
