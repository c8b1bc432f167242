//! How a user's list of conversations follows what happens, and how its clients hear of it.
//!
//! ```text
//! peers, groups ─► feed ─► list ─(tick)─► conversationChanged, total ─► every session of the user
//! ```
//! The list is read from the store when the first session comes, and dropped with the last one: whatever is lost with a
//! crash or a full queue is read again. The operations of the user itself on its list are in `ops`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytestring::ByteString;

use super::load::{load, load_entries, visible_part};
use super::{ConversationList, Entry, PendingChange, event_of};
use crate::actors::connection::feed::{FeedItem, Taken};
use crate::actors::connection::outbox::{Outbox, Push};
use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::user::User;
use crate::actors::view::message::{View, is_plain};
use crate::actors::view::reader::Reader;
use crate::actors::view::visibility::Visibility;
use crate::model::{Body, Conversation, Message, Refusal, UserId};
use crate::protocol::event::conversation::{
    ConversationChange, ConversationChanged, ConversationEvent, ConversationWire, MentionedInfo, TotalUnreadMessageCountUpdated,
};
use crate::protocol::event::encode;
use crate::protocol::{ClientLevel, RawJson};
use crate::store::{Anchor, LastMessage, Page, Store, StoreError, VisiblePart};

/// The most entries in one event, and the bytes at which it is closed.
const EVENT_ENTRIES_MAX: usize = 50;
const EVENT_BYTES_MAX: usize = 64 * 1024;

/// How many messages before a tip are looked through for one that every client knows.
const LOOKED_THROUGH_MAX: usize = 50;

/// An entry with the last message that it shows.
pub(super) struct RenderedEntry {
    pub(super) conversation: Conversation,
    pub(super) entry: Entry,
    pub(super) last: Option<View>,
    /// What clients show that do not know the last message's kind: the last one before it that is no tip.
    pub(super) earlier: Option<View>,
}

/// An entry with its last message, if that is in memory.
struct ChangedEntry {
    conversation: Conversation,
    entry: Entry,
    last: Option<Arc<Message>>,
}

impl ChangedEntry {
    fn into_rendered(self) -> RenderedEntry {
        RenderedEntry { conversation: self.conversation, entry: self.entry, last: self.last.map(View::plain), earlier: None }
    }
}

/// Reads the last messages that entries show.
///
/// # Errors
/// Whatever the store says.
pub(super) fn show(store: &dyn Store, me: &UserId, entries: Vec<(Conversation, Entry)>) -> Result<Vec<RenderedEntry>, StoreError> {
    let parts: Vec<VisiblePart> = entries.iter().map(|(conversation, entry)| visible_part(conversation, entry)).collect();
    let shown = store.last_messages(me, &parts)?.into_iter().zip(entries).map(|(found, (conversation, entry))| {
        let (mut last, mut earlier) = (None, None);
        if let Some(LastMessage { message, pins }) = found {
            let visibility = Visibility { first_seq: entry.visible_from(), deletes: entry.record.deletes };
            let reader = Reader::of(store, me, &conversation, visibility, pins);
            let view = |message: &Arc<Message>| match entry.end_seq {
                Some(_) => reader.view_as_left(message, entry.left_ms),
                None => reader.view_alone(message).map(Some),
            };
            last = view(&message)?;
            if is_tip(&message) {
                let before = last_but_tips(store, me, &conversation, &entry, message.seq)?;
                earlier = before.as_ref().map(view).transpose()?.flatten();
            }
        }
        Ok(RenderedEntry { conversation, entry, last, earlier })
    });
    shown.collect()
}

/// Returns whether it is of a kind that clients before 2.15 do not know.
fn is_tip(message: &Message) -> bool {
    matches!(message.content.body, Body::Tips(_))
}

/// Returns the last message before a tip that is none, among those that were said shortly before.
fn last_but_tips(
    store: &dyn Store,
    me: &UserId,
    conversation: &Conversation,
    entry: &Entry,
    seq: u64,
) -> Result<Option<Arc<Message>>, StoreError> {
    let page = Page {
        anchor: Anchor::Seq(seq),
        backwards: true,
        count: LOOKED_THROUGH_MAX,
        bytes_max: EVENT_BYTES_MAX,
        first_seq: entry.visible_from(),
        viewer: entry.record.deletes.then(|| me.clone()),
    };
    Ok(store.read(conversation, page)?.messages.into_iter().rfind(|message| !is_tip(message)))
}

impl RenderedEntry {
    /// Encodes the entry for the user whose list it is in.
    pub(super) fn encode(&self, me: &UserId, level: ClientLevel) -> RawJson {
        let Self { conversation, entry, last, earlier } = self;
        let mentions = entry.mentions.iter().filter(|_| level.knows_mentions()).map(|mention| MentionedInfo {
            kind: mention.kind.number(),
            from_user_id: &mention.from,
            message_id: mention.message_id.to_string(),
            message_seq: mention.seq,
        });
        let wire = ConversationWire {
            order_key: entry.order_key(),
            conversation_name: &entry.title.name,
            conversation_avatar_url: &entry.title.avatar_url,
            unread_message_count: entry.unread,
            marks: &entry.record.marks,
            is_disabled: entry.end_seq.is_some(),
            mentioned_info_list: mentions.collect(),
            last_message: [last, earlier].into_iter().flatten().find_map(|view| view.encode(level)),
            ..ConversationWire::new(me, conversation)
        };
        wire.muted(entry.record.muted).pinned(entry.record.pinned_ms).encode()
    }

    /// Encodes the entry as a change of the list.
    pub(super) fn change(&self, event: ConversationEvent, me: &UserId, level: ClientLevel) -> ConversationChange {
        ConversationChange { event, conversation: self.encode(me, level) }
    }
}

/// Returns the events that tell changes to clients of one level.
fn frames(me: &UserId, changed: &[(ConversationEvent, RenderedEntry)], level: ClientLevel) -> Vec<ByteString> {
    let mut frames = Vec::new();
    let (mut info_list, mut bytes) = (Vec::new(), 0);
    for (event, rendered) in changed {
        let change = rendered.change(*event, me, level);
        let weight = change.conversation.len();
        if info_list.len() == EVENT_ENTRIES_MAX || (!info_list.is_empty() && bytes + weight > EVENT_BYTES_MAX) {
            frames.push(encode(&ConversationChanged { info_list: std::mem::take(&mut info_list) }));
            bytes = 0;
        }
        bytes += weight;
        info_list.push(change);
    }
    if !info_list.is_empty() {
        frames.push(encode(&ConversationChanged { info_list }));
    }
    frames
}

fn total_frame(total: u64) -> ByteString {
    encode(&TotalUnreadMessageCountUpdated { total_unread_message_count: total })
}

impl User {
    /// Begins to follow what happens in the user's conversations.
    pub(crate) fn listen(&self, ctx: &mut Context<Self>) {
        let feed = self.feed.clone();
        let items = futures_util::stream::poll_fn(move |cx| feed.poll_take(cx));
        let heard = items.into_actor(self).map(|taken, user, ctx| user.take_feed(&taken, ctx, |_, _| {}));
        ctx.spawn(heard.finish());
    }

    /// Tells a session that came in the total, and, when it resumes after a commit, what changed since.
    pub(crate) fn open_list(&mut self, connection: Arc<Connection>, after: Option<u64>, ctx: &mut Context<Self>) {
        self.with_list(ctx, move |user, ctx| {
            let Some(list) = &mut user.list else { return };
            let total = list.total();
            list.announced_total.get_or_insert(total);
            // A client begins with nothing unread, so nothing needs to be said of it.
            if total > 0 || after.is_some() {
                let _queued_or_closed = connection.outbox.push(total_frame(total));
            }
            if let Some(after) = after {
                let changed: Vec<Conversation> = list
                    .conversations()
                    .filter(|(_, entry)| entry.tail_commit > after)
                    .map(|(conversation, _)| conversation.clone())
                    .collect();
                changed.iter().for_each(|conversation| list.changed(conversation, ConversationEvent::Updated));
            }
            user.schedule_flush(ctx);
        });
    }

    /// Calls `then` once the list is there, or could not be read.
    pub(super) fn with_list(&mut self, ctx: &mut Context<Self>, then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static) {
        if self.list.is_some() {
            return then(self, ctx);
        }
        let (archive, me, limits) = (self.context.archive.clone(), self.id.clone(), self.context.config().limits.clone());
        let read = async move { archive.read(move |store| load(store, &me, &limits)).await };
        ctx.wait(read.into_actor(self).map(move |loaded, user, ctx| {
            match loaded {
                Ok(list) => user.list = Some(list),
                Err(refusal) => tracing::warn!(%refusal, user.id = %user.id, "the list of conversations could not be read"),
            }
            then(user, ctx);
        }));
    }

    /// Takes in what happened up to now, then calls `then`: an answer is never older than what the caller has heard.
    pub(super) fn with_latest(&mut self, ctx: &mut Context<Self>, then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static) {
        let taken = self.feed.take();
        self.take_feed(&taken, ctx, |user, ctx| user.with_list(ctx, then));
    }

    fn take_feed(&mut self, taken: &Taken, ctx: &mut Context<Self>, then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static) {
        let unread_max = self.context.config().limits.unread_max;
        let Some(list) = &mut self.list else { return then(self, ctx) };
        if taken.lost {
            return self.reload(ctx, then);
        }
        let mut stale: BTreeSet<Conversation> = BTreeSet::new();
        for items in &taken.items {
            match &**items {
                FeedItem::Messages(conversation, messages) => {
                    if !messages.iter().all(|message| list.note(message, &self.id, unread_max)) {
                        stale.insert(conversation.clone());
                    }
                }
                FeedItem::Changed(conversation) => {
                    stale.insert(conversation.clone());
                }
                FeedItem::Renamed(conversation, profile) => {
                    if let Some(entry) = list.get_mut(conversation) {
                        entry.title.name.clone_from(&profile.name);
                        entry.title.avatar_url.clone_from(&profile.avatar_url);
                        list.changed(conversation, ConversationEvent::Updated);
                    }
                }
            }
        }
        self.look_again(stale.into_iter().collect(), ctx, |user, ctx| {
            user.schedule_flush(ctx);
            then(user, ctx);
        });
    }

    /// Reads conversations again.
    pub(super) fn look_again(
        &mut self,
        stale: Vec<Conversation>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) {
        if stale.is_empty() {
            return then(self, ctx);
        }
        let (archive, me, limits) = (self.context.archive.clone(), self.id.clone(), self.context.config().limits.clone());
        let read = async move { archive.read(move |store| load_entries(store, &me, stale, &limits)).await };
        ctx.wait(read.into_actor(self).map(move |entries, user, ctx| {
            match (entries, &mut user.list) {
                (Ok(entries), Some(list)) => {
                    for (conversation, entry) in entries {
                        let event = event_of(list.get(&conversation), entry.as_ref());
                        list.put(conversation.clone(), entry);
                        list.changed(&conversation, event);
                    }
                }
                (Err(refusal), _) => {
                    tracing::warn!(%refusal, user.id = %user.id, "a conversation could not be read");
                    // Read as a whole when it is asked for.
                    user.list = None;
                }
                (Ok(_), None) => {}
            }
            then(user, ctx);
        }));
    }

    /// Reads the whole list again and tells the clients what differs.
    fn reload(&mut self, ctx: &mut Context<Self>, then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static) {
        let before = self.list.take();
        self.with_list(ctx, move |user, ctx| {
            if let (Some(before), Some(list)) = (before, &mut user.list) {
                list.follow(before);
            }
            user.schedule_flush(ctx);
            then(user, ctx);
        });
    }

    /// Plans to tell the clients; changes gather for half a tick, and wait for the other half at most for another frame to leave
    /// with: an acknowledgement, a message.
    pub(super) fn schedule_flush(&mut self, ctx: &mut Context<Self>) {
        if self.flush_scheduled || !self.list.as_ref().is_some_and(ConversationList::has_pending) {
            return;
        }
        self.flush_scheduled = true;
        let half = Duration::from_millis(self.context.config().batch.list_tick_ms) / 2;
        ctx.run_later(half, move |user, ctx| {
            user.flush(ctx);
            ctx.run_later(half, |user, ctx| {
                user.flush_scheduled = false;
                user.sessions.iter().for_each(|session| session.connection.outbox.wake_writer());
                user.schedule_flush(ctx);
            });
        });
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        let Some(list) = &mut self.list else { return };
        let total = list.total();
        let total_changed = list.announced_total != Some(total);
        list.announced_total = Some(total);
        let changed: Vec<(ConversationEvent, ChangedEntry)> = list
            .take_pending()
            .into_iter()
            .filter_map(|PendingChange { conversation, event, last }| {
                let entry = list.get(&conversation)?.clone();
                let last = last.filter(|last| last.seq == entry.tail_seq && is_plain(last) && !is_tip(last));
                Some((event, ChangedEntry { conversation, entry, last }))
            })
            .collect();
        let total = total_changed.then_some(total);
        if changed.iter().all(|(_, seen)| seen.last.is_some()) {
            // What just came shows as it came: nothing needs to be read.
            let changed: Vec<(ConversationEvent, RenderedEntry)> =
                changed.into_iter().map(|(event, seen)| (event, seen.into_rendered())).collect();
            return self.tell_changes(&changed, total);
        }
        let (archive, me) = (self.context.archive.clone(), self.id.clone());
        let read = async move {
            let (events, seen): (Vec<_>, Vec<_>) =
                changed.into_iter().map(|(event, seen)| (event, (seen.conversation, seen.entry))).unzip();
            let shown = archive.read(move |store| show(store, &me, seen)).await?;
            Ok(events.into_iter().zip(shown).collect::<Vec<_>>())
        };
        ctx.wait(read.into_actor(self).map(move |shown: Result<_, Refusal>, user, _| match shown {
            Ok(changed) => user.tell_changes(&changed, total),
            Err(refusal) => tracing::warn!(%refusal, user.id = %user.id, "changes of the list could not be told"),
        }));
    }

    fn tell_changes(&self, changed: &[(ConversationEvent, RenderedEntry)], total: Option<u64>) {
        let encode = |level| {
            let mut frames = frames(&self.id, changed, level);
            frames.extend(total.map(total_frame));
            frames
        };
        self.push_to_sessions(&[], encode, Outbox::push_quietly);
    }

    /// Sends frames to every session of the user, at whatever node, but those in `but`; here encoded once per level.
    pub(crate) fn tell_sessions(&self, but: &[ConnectionId], encode: impl Fn(ClientLevel) -> Vec<ByteString>) {
        let known = self.context.presence.connections(&self.id);
        let elsewhere = known.iter().flat_map(|connections| connections.iter()).filter(|connection| connection.node().is_some());
        for connection in elsewhere.filter(|connection| !but.contains(&connection.id)) {
            for frame in encode(connection.level()) {
                let _queued_or_closed = connection.outbox.push(frame);
            }
        }
        self.push_to_sessions(but, encode, Outbox::push);
    }

    fn push_to_sessions(
        &self,
        but: &[ConnectionId],
        encode: impl Fn(ClientLevel) -> Vec<ByteString>,
        push: impl Fn(&Outbox, ByteString) -> Push,
    ) {
        let mut encoded: HashMap<ClientLevel, Vec<ByteString>> = HashMap::new();
        for at in self.sessions.iter().filter(|at| !but.contains(&at.connection.id)) {
            for frame in encoded.entry(at.connection.level()).or_insert_with_key(|level| encode(*level)) {
                let _queued_or_closed = push(&at.connection.outbox, frame.clone());
            }
        }
    }
}
