//! Changing what was sent: taken back, edited, reacted to, confirmed, pinned. The conversation's owner does it, one
//! change at a time, and tells everyone once the change is durable.
//!
//! Rooms are not changed by their members. A crash leaves the old message or the new one; whoever was away hears of
//! it with its resume (`Revision::logged`).

use std::collections::HashMap;
use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;
use serde_json::{Value, json};

use super::moderation::review_edit;
use super::publish::Owner;
use super::revise_rules::{Actor as By, Known, Moderates, decide};
use crate::actors::connection::Link;
use crate::actors::connection::feed::News;
use crate::actors::context::Core;
use crate::actors::delivery::batch::deliver_accepted;
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::runtime::watermark::Handing;
use crate::actors::user::list::named;
use crate::actors::view::find;
use crate::actors::view::message::{Dresser, Readers, reaction_alone, reaction_users, readers};
use crate::hooks::{Event, Origin, ReviewRequest};
use crate::model::{Conversation, Draft, Fate, Message, Refusal, Target, UserId};
use crate::protocol::{Change, Dress, MessageHandle, Variant, encode_dressed, encode_event};
use crate::store::{ChangeKind, Note, NoteRecord, Revision, Store, StoreError};

/// Answers of one tree that hear of a change to what they quote.
const QUOTING_MAX: usize = 50;

/// One change of one message.
#[derive(Debug)]
pub(crate) struct Amend {
    pub(crate) by: UserId,
    /// The link it came from, which does not get the event; 0 for the host.
    pub(crate) origin: u64,
    /// The host changes it in the user's name: as who may change everyone's, and unreviewed.
    pub(crate) by_host: bool,
    pub(crate) target: Target,
    pub(crate) message: MessageHandle,
    pub(crate) change: Change,
    pub(crate) variant: Variant,
    /// The result object, as JSON.
    pub(crate) reply: Reply<String>,
}

/// A user says that it has read messages.
#[derive(Debug)]
pub(crate) struct Confirm {
    pub(crate) by: UserId,
    pub(crate) origin: u64,
    pub(crate) messages: Vec<MessageHandle>,
    /// The ids of those that take no receipt from this user.
    pub(crate) reply: Reply<Vec<String>>,
}

/// By which right someone is in a conversation.
pub(crate) struct Right {
    pub(crate) moderates: Moderates,
    pub(crate) first_seq: u64,
}

/// An owner whose members may change what was sent.
pub(crate) trait Keeper: Owner {
    fn core(&self) -> &Arc<Core>;
    fn place(&self) -> Conversation;
    /// # Errors
    /// When the user is not inside.
    fn right_of(&mut self, user: &UserId) -> Result<Right, Refusal>;
    /// Everyone who is online, on every device.
    fn everyone(&self) -> Vec<Arc<Link>>;
    /// Tells the members' own actors.
    fn notify(&self, news: &Arc<News>);
    /// A change was carried out or refused: nothing holds the owner any more.
    fn settled(&mut self, ctx: &mut Context<Self>);
}

/// A message before and after a change, with what is needed to tell of it.
struct Amended {
    before: Arc<Message>,
    after: Arc<Message>,
    revision: Revision,
    notes: Vec<Note>,
    /// What its editor sees beside it: answers, pins, what it quotes.
    dress: Dress,
    /// Others that gave way, or quote it: as they are now.
    others: Vec<(Arc<Message>, Dress)>,
    pinned_before: bool,
    handing: Option<Handing>,
}

/// Decides, writes, tells. A moderator sees an edit as it sees a message. Anything else says nothing.
pub(crate) fn amend<A: Keeper>(owner: &mut A, amend: Amend, ctx: &mut Context<A>) {
    let Change::Edit { body, extended_data, mentions } = &amend.change else { return carry_out(owner, amend, ctx) };
    if amend.by_host {
        return carry_out(owner, amend, ctx);
    }
    if let Err(refusal) = owner.core().can_tell() {
        return answer(amend.reply, Err(refusal));
    }
    let draft = Draft { extended_data: extended_data.clone(), mentions: mentions.clone(), ..Draft::of(body.clone()) };
    let origin = if amend.origin == 0 { Origin::Host } else { Origin::Client };
    let request = ReviewRequest { sender: amend.by.clone(), target: amend.target.clone(), draft, origin, edit: true };
    review_edit(owner, request, ctx, move |owner, reviewed, ctx| {
        let change = match reviewed {
            Ok(None) => amend.change,
            Ok(Some(draft)) => Change::Edit { body: draft.body, extended_data: draft.extended_data, mentions: draft.mentions },
            Err(refusal) => {
                answer(amend.reply, Err(refusal));
                return owner.settled(ctx);
            }
        };
        carry_out(owner, Amend { change, ..amend }, ctx);
    });
}

fn carry_out<A: Keeper>(owner: &mut A, amend: Amend, ctx: &mut Context<A>) {
    let Amend { by, origin, by_host, message: handle, change, variant, reply, .. } = amend;
    let right = match owner.right_of(&by) {
        Ok(right) if by_host => Right { moderates: Moderates::Everyone, ..right },
        Ok(right) => right,
        Err(refusal) => return answer(reply, Err(refusal)),
    };
    let (core, place, wanted) = (owner.core().clone(), owner.place(), change.clone());
    let (is_pin, is_edit) = (matches!(change, Change::Pin { .. }), matches!(change, Change::Edit { .. }));
    let work = {
        let by = by.clone();
        async move {
            let (now_ms, limits) = (core.clock.wall_ms(), core.config().limits.clone());
            let user = by.clone();
            let decided = core.archive.read(move |store| {
                let Some(before) = find::message(store, &place, handle, right.first_seq)? else { return Ok(Err(Refusal::MessageMissing)) };
                let notes: Vec<Note> = store.notes(&place, before.seq)?.into_iter().map(|(note, _)| note).collect();
                let known = Known { notes, pins: store.pins(&place)? };
                let actor = By { user: &user, moderates: &right.moderates };
                let pinned_before = known.pins.iter().any(|pin| pin.seq == before.seq);
                let decided = decide(&before, &known, change, &actor, now_ms, &limits);
                Ok(decided.map(|revision| (before, revision, pinned_before, known.pins)))
            });
            let (before, revision, pinned_before, pins_before) = decided.await??;
            let handing = core.archive.revise(&core.handed, revision.clone()).await?;
            let after = revision.message.clone().unwrap_or_else(|| before.clone());
            let (user, looked_at, new_pins) = (by, after.clone(), revision.pins.clone());
            let rest = core.archive.read(move |store| {
                let conversation = &looked_at.conversation;
                let notes = store.notes(conversation, looked_at.seq)?.into_iter().map(|(note, _)| note).collect();
                let dresser = Dresser::new(store, &user, conversation, right.first_seq)?;
                let dress = if is_edit { dresser.dress(&looked_at)? } else { Dress::default() };
                let mut others = Vec::new();
                let gave_way =
                    pins_before.iter().filter(|pin| new_pins.as_ref().is_some_and(|pins| pins.iter().all(|kept| kept.seq != pin.seq)));
                let gave_way: Vec<u64> = gave_way.map(|pin| pin.seq).filter(|seq| *seq != looked_at.seq).collect();
                for seq in if is_pin { gave_way } else { quoting(store, &looked_at)? } {
                    if let Some(message) = store.message(conversation, seq)? {
                        let dress = Dress { alone: true, ..dresser.dress(&message)? };
                        others.push((message, dress));
                    }
                }
                Ok((notes, others, Dress { alone: true, ..dress }))
            });
            let (notes, others, dress) = rest.await.unwrap_or_default();
            Ok(Amended { before, after, revision, notes, dress, others, pinned_before, handing })
        }
    };
    ctx.wait(work.into_actor(owner).map(move |outcome: Result<Amended, Refusal>, owner, ctx| {
        match outcome {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok(amended) => {
                // What was accepted before the change is heard before it.
                deliver_accepted(owner);
                tell_host(owner.core(), &amended, &wanted, &by);
                answer(reply, Ok(tell(owner, &amended, &wanted, &by, origin, variant)));
                drop(amended.handing);
            }
        }
        owner.settled(ctx);
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

fn tell_host(core: &Core, amended: &Amended, change: &Change, by: &UserId) {
    let (message, by) = (amended.after.clone(), by.clone());
    match change {
        Change::Revoke { .. } => core.tell_host(|| Event::MessageRevoked { message, by }),
        Change::Edit { .. } => core.tell_host(|| Event::MessageEdited { message, by }),
        Change::React { .. } | Change::Pin { .. } => {}
    }
}

/// Tells everyone of a change; the result for who made it.
fn tell<A: Keeper>(owner: &A, amended: &Amended, change: &Change, by: &UserId, origin: u64, variant: Variant) -> String {
    let links = owner.everyone();
    let Amended { before, after, revision, notes, others, pinned_before, .. } = amended;
    let alone = Dress { alone: true, ..Dress::default() };
    let whole = |result: Option<ByteString>| format!("{{\"message\":{}}}", result.as_deref().map_or("null", |text| text));
    match change {
        Change::Revoke { .. } | Change::Edit { .. } => {
            let event = if matches!(change, Change::Revoke { .. }) { "messageRevokeReceived" } else { "messageEdited" };
            // What differs between readers is not in the event: who reacted, who has read.
            let shared = Dress { alone: true, reactions: Vec::new(), receipt_status: None, ..amended.dress.clone() };
            spread(&links, origin, |variant| Some(list_event(event, &[encode_dressed(after, &shared, variant)?])));
            if !others.is_empty() {
                spread(&links, 0, |variant| {
                    let list: Vec<ByteString> =
                        others.iter().filter_map(|(message, dress)| encode_dressed(message, dress, variant)).collect();
                    (!list.is_empty()).then(|| list_event("messageRepliedInfoChanged", &list))
                });
            }
            owner.notify(&Arc::new(News::Changed(after.conversation.clone())));
            whole(encode_dressed(after, &Dress { alone: true, ..amended.dress.clone() }, variant))
        }
        Change::React { reaction, add } => {
            let users = reaction_users(notes.iter().cloned()).remove(reaction).unwrap_or_default();
            let mut frames: HashMap<(bool, Option<UserId>, Variant), Option<ByteString>> = HashMap::new();
            for link in links.iter().filter(|link| link.number != origin) {
                let Some(identity) = link.identity() else { continue };
                let side = matches!(after.conversation, Conversation::Peer(..)).then(|| identity.user.clone());
                let key = (users.contains(&identity.user), side, identity.variant);
                let frame = frames
                    .entry(key)
                    .or_insert_with(|| reaction_event(after, reaction, *add, &users, &identity.user, by, identity.variant));
                if let Some(frame) = frame {
                    let _queued_or_closed = link.outbox.push(frame.clone());
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
            let dress = Dress { pinned: stamp, ..alone };
            spread(&links, origin, |variant| {
                let mut infos = Vec::new();
                for (status, message, dress) in
                    std::iter::once((status, after, &dress)).chain(others.iter().map(|(one, dress)| (0, one, dress)))
                {
                    infos.push(format!("{{\"pinStatus\":{status},\"message\":{}}}", encode_dressed(message, dress, variant)?));
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
    variant: Variant,
) -> Option<ByteString> {
    let text = encode_dressed(message, &Dress { alone: true, ..Dress::default() }, variant)?;
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

/// Sends an event to all links but one, encoded once per variant.
pub(crate) fn spread(links: &[Arc<Link>], but: u64, encode: impl Fn(Variant) -> Option<ByteString>) {
    let mut frames: HashMap<Variant, Option<ByteString>> = HashMap::new();
    for link in links.iter().filter(|link| link.number != but) {
        if let Some(frame) = frames.entry(link.variant()).or_insert_with_key(|variant| encode(*variant)) {
            let _queued_or_closed = link.outbox.push(frame.clone());
        }
    }
}

/// A message below this one was accepted: the root is marked, and everyone hears how many there are.
pub(crate) fn answered<A: Keeper>(owner: &mut A, root_seq: u64, ctx: &mut Context<A>) {
    let (core, place) = (owner.core().clone(), owner.place());
    let work = async move {
        let wanted = place.clone();
        let found = core.archive.read(move |store| {
            let count = store.replies(&wanted, root_seq)?.len();
            Ok(store.message(&wanted, root_seq)?.map(|root| (root, count)))
        });
        let Some((root, count)) = found.await? else { return Ok(None) };
        if !root.fate.replied {
            let marked = Message { fate: Fate { replied: true, ..root.fate.clone() }, ..(*root).clone() };
            let message = Some(Arc::new(marked));
            let revision = Revision { conversation: place, seq: root_seq, message, notes: Vec::new(), pins: None, logged: None };
            core.archive.revise(&core.handed, revision).await?;
        }
        Ok(Some((root, count)))
    };
    ctx.wait(work.into_actor(owner).map(|counted: Result<_, Refusal>, owner, _| match counted {
        Ok(Some((root, count))) => {
            for link in owner.everyone() {
                let Some(identity) = link.identity() else { continue };
                let (kind, id) = named(&identity.user, &root.conversation);
                let info = json!({"conversationID": id, "conversationType": kind, "messageID": root.id.to_string(), "count": count});
                let _queued_or_closed = link.outbox.push(encode_event("messageRepliedCountChanged", &json!({"infos": [info]})));
            }
        }
        Ok(None) => {}
        Err(refusal) => tracing::warn!(%refusal, "the answers below a message could not be counted"),
    }));
}

/// Notes who has read what, and tells the senders and the reader's other devices. Source: spec 3.8.
pub(crate) fn confirm<A: Keeper>(owner: &mut A, confirm: Confirm, ctx: &mut Context<A>) {
    let Confirm { by, origin, messages: handles, reply } = confirm;
    let right = match owner.right_of(&by) {
        Ok(right) => right,
        Err(refusal) => return answer(reply, Err(refusal)),
    };
    let (core, place) = (owner.core().clone(), owner.place());
    let reader = by.clone();
    let work = async move {
        let (wanted, user, asked) = (place.clone(), reader.clone(), handles.clone());
        let found = core.archive.read(move |store| {
            let mut found = Vec::new();
            for handle in &asked {
                let message = find::message(store, &wanted, *handle, right.first_seq)?;
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
                    let note = (Note::Receipt(reader.clone()), Some(NoteRecord { at_ms: core.clock.wall_ms() }));
                    let revision = Revision {
                        conversation: place.clone(),
                        seq: message.seq,
                        message: None,
                        notes: vec![note],
                        pins: None,
                        logged: Some(ChangeKind::Confirmed),
                    };
                    core.archive.revise(&core.handed, revision).await?;
                    read.push(message);
                }
                None => failed.push(handle.id.map(|id| id.to_string()).unwrap_or_default()),
            }
        }
        let told = core.archive.read(move |store| {
            let infos = read.iter().map(|message| Ok((message.clone(), readers(store, message)?)));
            infos.collect::<Result<Vec<_>, StoreError>>()
        });
        Ok((told.await?, failed))
    };
    ctx.wait(work.into_actor(owner).map(move |outcome: Result<_, Refusal>, owner, ctx| {
        match outcome {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok((read, failed)) => {
                let core = owner.core().clone();
                for (message, readers) in &read {
                    for (user, own) in [(&message.sender, false), (&by, true)] {
                        let frame = encode_event("messageReceiptChanged", &json!({"infos": [receipt_wire(message, readers, user, own)]}));
                        let links = core.presence.links(user);
                        for link in links.iter().flat_map(|links| links.iter()).filter(|link| link.number != origin) {
                            let _queued_or_closed = link.outbox.push(frame.clone());
                        }
                    }
                }
                answer(reply, Ok(failed));
            }
        }
        owner.settled(ctx);
    }));
}
