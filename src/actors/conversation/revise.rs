//! Changes of sent messages: revoked, edited, reacted to, pinned. The conversation's actor makes them, one at a time,
//! and tells everyone who sees the message once the change is durable.
//!
//! ```text
//! revise ─ (an edit: moderator) ─ decide ─► archive ─ look ─► tell everyone, answer
//! ```
//! Rooms are not changed by their members. A crash leaves the old message or the new one; a user who was away hears of
//! it with its resume (`Revision::logged`).

use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;

use super::actor::{Access, ConversationActor};
use super::messages::{Revise, Source};
use super::moderation::FULL;
use super::replies::quoting;
use super::revise_rules::{Actor as By, MessageFacts, Moderates, decide};
use crate::actors::connection::ConnectionId;
use crate::actors::connection::feed::FeedItem;
use crate::actors::context::BrokerContext;
use crate::actors::delivery::batch::deliver_accepted;
use crate::actors::delivery::broadcast::{Listener, broadcast};
use crate::actors::runtime::reply::answer;
use crate::actors::runtime::watermark::PendingDelivery;
use crate::actors::view::find;
use crate::actors::view::message::{View, reaction_users};
use crate::actors::view::reader::Reader;
use crate::actors::view::visibility::Visibility;
use crate::hooks::{Event, ReviewRequest, Verdict};
use crate::model::{Content, Conversation, Draft, Message, Refusal, UserId};
use crate::protocol::event::encode;
use crate::protocol::event::message::{
    MessageEdited, MessagePinStatusChanged, MessageReactionsChanged, MessageRepliedInfoChanged, MessageRevokeReceived, PinChange,
    PinStatus, ReactionChange, UserReaction,
};
use crate::protocol::message::reaction::Reaction;
use crate::protocol::result::message::{OneMessage, ReactionChanged};
use crate::protocol::{Change, ClientLevel, MessageHandle, Outcome, RawJson};
use crate::store::{Note, Pin, Revision, Store, StoreError};

/// Decides on a change, writes it, and tells it. A moderator is asked about an edit as about a message, because only an
/// edit says something new.
pub(crate) fn revise<A: ConversationActor>(actor: &mut A, revise: Revise, ctx: &mut Context<A>) {
    let Change::Edit { body, extended_data, mentions } = &revise.change else { return carry_out(actor, revise, ctx) };
    if revise.source.is_trusted() {
        return carry_out(actor, revise, ctx);
    }
    if let Err(refusal) = actor.context().can_tell() {
        return refuse(actor, revise, refusal, ctx);
    }
    let content = Content { extended_data: extended_data.clone(), mentions: mentions.clone(), ..Content::of(body.clone()) };
    let bytes = content.weight();
    if let Err(refusal) = actor.context().charge_stored(&revise.by, bytes) {
        return refuse(actor, revise, refusal, ctx);
    }
    let draft = Draft::from(content);
    let (sender, target, origin) = (revise.by.clone(), revise.target.clone(), revise.source.origin());
    review_edit(actor, ReviewRequest { sender, target, draft, origin, edit: true }, ctx, move |actor, reviewed, ctx| match reviewed {
        Ok(None) => carry_out(actor, revise, ctx),
        Ok(Some(draft)) => {
            let Content { body, extended_data, mentions, .. } = draft.content;
            let change = Change::Edit { body, extended_data, mentions };
            carry_out(actor, Revise { change, ..revise }, ctx);
        }
        Err(refusal) => refuse(actor, revise, refusal, ctx),
    });
}

/// Shows a moderator what a message is to say from now on, and goes on with what it may: beside the queue, because an edit
/// has its place already.
fn review_edit<A: ConversationActor>(
    actor: &mut A,
    request: ReviewRequest,
    ctx: &mut Context<A>,
    then: impl FnOnce(&mut A, Result<Option<Draft>, Refusal>, &mut Context<A>) + 'static,
) {
    let Some(moderator) = actor.context().moderator.clone() else { return then(actor, Ok(None), ctx) };
    let reviews = &mut actor.pipeline().reviews;
    if reviews.is_full() {
        return then(actor, Err(FULL), ctx);
    }
    reviews.edits += 1;
    let review = async move { moderator.review(request).await };
    ctx.spawn(review.into_actor(actor).map(move |verdict, actor, ctx| {
        actor.pipeline().reviews.edits -= 1;
        let may = match verdict {
            Verdict::Accept => Ok(None),
            Verdict::Replace(draft) => Ok(Some(draft)),
            Verdict::Reject(refusal) => Err(refusal),
            // An edit that did not happen is seen by whoever looks.
            Verdict::Silent => Err(Refusal::Rejected(String::new())),
        };
        then(actor, may, ctx);
    }));
}

fn refuse<A: ConversationActor>(actor: &mut A, revise: Revise, refusal: Refusal, ctx: &mut Context<A>) {
    answer(revise.reply, Err(refusal));
    actor.done(ctx);
}

fn carry_out<A: ConversationActor>(actor: &mut A, revise: Revise, ctx: &mut Context<A>) {
    let access = match actor.access_of(&revise.by) {
        Ok(access) if revise.source.is_trusted() => Access { moderates: Moderates::Everyone, ..access },
        Ok(access) => access,
        Err(refusal) => return refuse(actor, revise, refusal, ctx),
    };
    let Revise { by, source, message, change, level, reply, .. } = revise;
    let wanted = Wanted { by, change, level, access, is_trusted: source.is_trusted() };
    let work = write(actor.context().clone(), actor.conversation(), message, wanted);
    ctx.wait(work.into_actor(actor).map(move |outcome, actor, ctx| {
        let told = outcome.map(|(revised, wanted)| {
            // Messages accepted before the change are delivered before it.
            deliver_accepted(actor);
            tell_host(actor.context(), &revised, &wanted);
            tell(actor, &revised, &wanted, source)
        });
        answer(reply, told);
        actor.done(ctx);
    }));
}

/// A change that is asked for, and by whom.
struct Wanted {
    by: UserId,
    change: Change,
    level: ClientLevel,
    access: Access,
    /// Whether it is asked for by the backend.
    is_trusted: bool,
}

impl Wanted {
    /// Returns which messages it may be about. Our choice: what a user deleted for itself it neither edits, reacts to nor
    /// pins, because all of these show the message; it may still be taken back from the others.
    fn visibility(&self, store: &dyn Store, conversation: &Conversation) -> Result<Visibility, StoreError> {
        let first_seq = self.access.first_seq;
        if self.is_trusted || matches!(self.change, Change::Revoke { .. }) {
            return Ok(Visibility::from(first_seq));
        }
        Visibility::of(store, &self.by, conversation, first_seq)
    }
}

/// A message after a change, with what is needed to tell of it.
struct Revised {
    after: View,
    pin_status: PinStatus,
    notes: Vec<Note>,
    /// The message as its editor sees it.
    own: Option<RawJson>,
    /// Other messages that gave way to a pin, or that quote it, as they are now.
    others: Vec<View>,
    /// Keeps the cursor from passing the change until everyone was told.
    #[expect(dead_code, reason = "its end is what counts")]
    pending: Option<PendingDelivery>,
}

/// Decides on the message as it is, and writes the decision.
async fn write(
    context: Arc<BrokerContext>,
    conversation: Conversation,
    handle: MessageHandle,
    wanted: Wanted,
) -> Result<(Revised, Wanted), Refusal> {
    let (now_ms, limits) = (context.clock.wall_ms(), context.config().limits.clone());
    let decided = context.archive.look_up(move |store| {
        let visibility = wanted.visibility(store, &conversation)?;
        let before = find::message(store, &wanted.by, &conversation, handle, visibility)?.ok_or(Refusal::MessageMissing)?;
        let notes = notes_of(store, &before)?;
        let facts = MessageFacts { notes, pins: store.pins(&conversation)? };
        let by = By { user: &wanted.by, moderates: &wanted.access.moderates };
        let revision = decide(&before, &facts, wanted.change.clone(), &by, now_ms, &limits)?;
        Ok((before, revision, facts.pins, wanted))
    });
    let (before, revision, pins_before, wanted) = decided.await?;
    let pending = context.archive.revise(&context.watermark, revision.clone()).await?;
    let after = revision.message.clone().unwrap_or(before);
    let looked = context.archive.read(move |store| look(store, after, &revision, &pins_before, wanted));
    let (revised, wanted) = looked.await?;
    Ok((Revised { pending, ..revised }, wanted))
}

/// Reads the message, and what depends on it, as it is now.
fn look(
    store: &dyn Store,
    after: Arc<Message>,
    revision: &Revision,
    pins_before: &[Pin],
    wanted: Wanted,
) -> Result<(Revised, Wanted), StoreError> {
    let (conversation, seq) = (after.conversation.clone(), after.seq);
    let pins = revision.pins.as_deref().unwrap_or(pins_before);
    let other_seqs = match &wanted.change {
        Change::Pin { .. } => gave_way(pins_before, pins, seq),
        _ => quoting(store, &after)?,
    };
    let mut others = Vec::new();
    for other in other_seqs {
        if let Some(message) = store.message(&conversation, other)? {
            others.push(View::shared(store, message, pins)?);
        }
    }
    let own = Reader::new(store, &wanted.by, &conversation, wanted.access.first_seq)?.view_alone(&after)?.encode(wanted.level);
    let was_pinned = pins_before.iter().any(|pin| pin.seq == seq);
    let pin_status = match &wanted.change {
        Change::Pin { pinned: true, .. } if was_pinned => PinStatus::PinnedAgain,
        Change::Pin { pinned: true, .. } => PinStatus::Pinned,
        _ => PinStatus::Removed,
    };
    let notes = notes_of(store, &after)?;
    Ok((Revised { after: View::shared(store, after, pins)?, pin_status, notes, own, others, pending: None }, wanted))
}

fn notes_of(store: &dyn Store, message: &Message) -> Result<Vec<Note>, StoreError> {
    Ok(store.notes(&message.conversation, message.seq)?.into_iter().map(|(note, _)| note).collect())
}

/// Returns the pins that are gone, except that of the message itself.
fn gave_way(before: &[Pin], now: &[Pin], seq: u64) -> Vec<u64> {
    let gone = before.iter().filter(|pin| pin.seq != seq && now.iter().all(|kept| kept.seq != pin.seq));
    gone.map(|pin| pin.seq).collect()
}

fn tell_host(context: &BrokerContext, revised: &Revised, wanted: &Wanted) {
    let (message, by) = (revised.after.message().clone(), wanted.by.clone());
    match wanted.change {
        Change::Revoke { .. } => context.tell_host(|| Event::MessageRevoked { message, by }),
        Change::Edit { .. } => context.tell_host(|| Event::MessageEdited { message, by }),
        Change::React { .. } | Change::Pin { .. } => {}
    }
}

/// Tells everyone who sees the message of a change; returns the result for the user who made it.
fn tell<A: ConversationActor>(actor: &A, revised: &Revised, wanted: &Wanted, source: Source) -> Outcome {
    let (listeners, but) = (actor.listeners(), source.connection());
    match &wanted.change {
        Change::Revoke { .. } => {
            tell_changed(&listeners, but, &[&revised.after], |message_list| encode(&MessageRevokeReceived { message_list }));
            after_content(actor, &listeners, revised)
        }
        Change::Edit { .. } => {
            tell_changed(&listeners, but, &[&revised.after], |message_list| encode(&MessageEdited { message_list }));
            after_content(actor, &listeners, revised)
        }
        Change::React { reaction, add } => tell_reaction(&listeners, but, revised, wanted, reaction, *add),
        Change::Pin { .. } => {
            tell_pin(&listeners, but, revised);
            Outcome::Nothing {}
        }
    }
}

/// Readers who see a message alike: whether its quote is shown, and the level of their clients.
type ReaderClass = (bool, ClientLevel);

/// Returns the class in which a listener sees a message; none when it does not see it.
fn reader_class(view: &View, listener: &Listener) -> Option<ReaderClass> {
    let sees_it = listener.first_seq <= view.message().seq;
    sees_it.then(|| (view.shows_quote_from(listener.first_seq), listener.connection.level()))
}

/// Sends each listener one event with those messages that it sees, in its own view.
fn tell_list<T>(
    listeners: &[Listener],
    but: Option<ConnectionId>,
    views: &[&View],
    item: impl Fn(usize, RawJson) -> T,
    event: impl Fn(Vec<T>) -> ByteString,
) {
    let class = |listener: &Listener| {
        let seen: Vec<Option<ReaderClass>> = views.iter().map(|view| reader_class(view, listener)).collect();
        seen.iter().any(Option::is_some).then_some(seen)
    };
    broadcast(listeners, but, class, |seen| {
        let encoded = views.iter().zip(seen).enumerate().filter_map(|(n, (view, class))| {
            let (with_quote, level) = (*class)?;
            Some(item(n, view.encode_with_quote(with_quote, level)?))
        });
        let encoded: Vec<T> = encoded.collect();
        (!encoded.is_empty()).then(|| event(encoded))
    });
}

fn tell_changed(listeners: &[Listener], but: Option<ConnectionId>, views: &[&View], event: impl Fn(Vec<RawJson>) -> ByteString) {
    tell_list(listeners, but, views, |_, message| message, event);
}

/// Tells a change of a message's content: to the answers that quote it, and to the lists that show it.
fn after_content<A: ConversationActor>(actor: &A, listeners: &[Listener], revised: &Revised) -> Outcome {
    let answers: Vec<&View> = revised.others.iter().collect();
    tell_changed(listeners, None, &answers, |message_list| encode(&MessageRepliedInfoChanged { message_list }));
    actor.feed(&Arc::new(FeedItem::Changed(revised.after.message().conversation.clone())));
    Outcome::OneMessage(OneMessage { message: revised.own.clone() })
}

/// Tells a pin: of the message itself, and of those that gave way to it.
fn tell_pin(listeners: &[Listener], but: Option<ConnectionId>, revised: &Revised) {
    let bare = revised.after.bare();
    let views: Vec<&View> = std::iter::once(&bare).chain(&revised.others).collect();
    let change = |n: usize, message| PinChange { pin_status: if n == 0 { revised.pin_status } else { PinStatus::Removed }, message };
    tell_list(listeners, but, &views, change, |infos| encode(&MessagePinStatusChanged { infos }));
}

fn tell_reaction(
    listeners: &[Listener],
    but: Option<ConnectionId>,
    revised: &Revised,
    wanted: &Wanted,
    reaction: &str,
    add: bool,
) -> Outcome {
    let message = revised.after.message();
    let users = reaction_users(revised.notes.iter().cloned()).remove(reaction).unwrap_or_default();
    let bare = View::plain(message.clone());
    let of_reader = |reader: &UserId| Reaction::new(reaction, &users, reader).of(message, reader);
    // Each reader's own view: whether it reacts this way itself, and how it names a peer conversation.
    let class = |listener: &Listener| {
        let reader = &listener.connection.identity()?.user;
        let side = matches!(message.conversation, Conversation::Peer(..)).then(|| reader.clone());
        Some((reader_class(&bare, listener)?, users.contains(reader), side))
    };
    // In a group one user who reacts stands for all who do, and the empty id for those who do not.
    let (nobody, anybody) = (UserId::trusted(""), users.first());
    broadcast(listeners, but, class, |((_, level), reacts, side)| {
        let reader = side.as_ref().or(anybody.filter(|_| *reacts)).unwrap_or(&nobody);
        let change = ReactionChange {
            message: bare.encode(*level)?,
            user_change_info_list: [UserReaction::new(&wanted.by, reaction, add, users.len())],
        };
        Some(encode(&MessageReactionsChanged { reactions: vec![of_reader(reader)], change_info_list: vec![change] }))
    });
    Outcome::ReactionChanged(ReactionChanged { reaction: of_reader(&wanted.by) })
}
