//! Operations of a user on its list of conversations, and on messages for itself alone.
//!
//! Each change is a record in the store before anyone is told; until then the actor takes no other message. The
//! user's other devices hear of it by the same events.

use std::sync::Arc;

use actix::prelude::*;

use super::load::load_entries;
use super::sync::{RenderedEntry, show};
use super::{ConversationList, Entry};
use crate::actors::connection::ConnectionId;
use crate::actors::connection::feed::FeedItem;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::user::{ListOperation, User};
use crate::actors::view::reader::Reader;
use crate::model::{Body, Conversation, Invalid, Refusal, Target, UserId, order_key};
use crate::protocol::event::conversation::{ConversationChanged, ConversationEvent, ConversationsAllDeleted};
use crate::protocol::event::encode;
use crate::protocol::event::message::{ConversationMessageReceiptChanged, MessageDeleted};
use crate::protocol::message::receipt::ReceiptInfo;
use crate::protocol::result::conversation::{Conversations, Marked, OneConversation, TotalUnread};
use crate::protocol::result::message::ConversationRef;
use crate::protocol::{ClientLevel, ListRequest, MessageHandle, Outcome};
use crate::store::{EntryRecord, RowWrite, Store};

/// Who asks, and which level its client has.
struct Caller {
    level: ClientLevel,
    connection_id: Option<ConnectionId>,
    reply: Reply<Outcome>,
}

impl ListRequest {
    fn target(&self) -> Option<&Target> {
        match self {
            Self::Query { target }
            | Self::Pin { target, .. }
            | Self::Mute { target, .. }
            | Self::Hide { target }
            | Self::Read { target }
            | Self::Delete { target, .. }
            | Self::Clear { target }
            | Self::ReceiptUpToNow { target } => Some(target),
            Self::List { .. } | Self::HideAll | Self::ReadAll | Self::Total { .. } | Self::ClearAll | Self::Mark { .. } => None,
        }
    }
}

impl Handler<Leased<ListOperation>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<ListOperation>, ctx: &mut Context<Self>) {
        self.asked = true;
        let ListOperation { request, level, connection_id, reply } = leased.open();
        let caller = Caller { level, connection_id, reply };
        if self.sessions.is_empty() {
            // Nobody tells an offline user anything, so the list is read anew each time the host asks.
            self.list = None;
        }
        self.with_latest(ctx, move |user, ctx| {
            let Some(conversation) = request.target().map(|target| Conversation::of(&user.id, target)) else {
                return user.carry_out(request, None, caller, ctx);
            };
            match conversation {
                Some(conversation) if user.list.as_ref().is_some_and(|list| list.get(&conversation).is_none()) => {
                    user.fetch_entry(conversation, request, caller, ctx);
                }
                conversation => user.carry_out(request, conversation, caller, ctx),
            }
        });
    }
}

fn unread_list() -> Refusal {
    Refusal::StoreUnavailable("the list of conversations could not be read".into())
}

impl User {
    /// Carries out an operation on a conversation that is not in the list in memory: it began a moment ago, or long ago
    /// and was left out.
    fn fetch_entry(&mut self, conversation: Conversation, request: ListRequest, caller: Caller, ctx: &mut Context<Self>) {
        let (archive, me, limits) = (self.context.archive.clone(), self.id.clone(), self.context.config().limits.clone());
        let wanted = vec![conversation.clone()];
        let read = async move { archive.read(move |store| load_entries(store, &me, wanted, &limits)).await };
        ctx.wait(read.into_actor(self).map(move |entries, user, ctx| match entries {
            Ok(mut entries) => {
                let entry = entries.pop().and_then(|(_, entry)| entry);
                if let Some(list) = &mut user.list
                    && let Some(entry) = entry.filter(|entry| entry.tail_seq > 0 || matches!(conversation, Conversation::Group(_)))
                {
                    list.put(conversation.clone(), Some(entry));
                }
                user.carry_out(request, Some(conversation), caller, ctx);
            }
            Err(refusal) => answer(caller.reply, Err(refusal)),
        }));
    }

    fn carry_out(&mut self, request: ListRequest, conversation: Option<Conversation>, caller: Caller, ctx: &mut Context<Self>) {
        match conversation {
            Some(conversation) => self.carry_out_on_one(request, conversation, caller, ctx),
            None => self.carry_out_on_all(request, caller, ctx),
        }
    }

    /// Carries out what concerns the list, or several of its conversations.
    fn carry_out_on_all(&mut self, request: ListRequest, caller: Caller, ctx: &mut Context<Self>) {
        let Some(list) = &self.list else { return answer(caller.reply, Err(unread_list())) };
        match request {
            ListRequest::List { count, after, filter } => {
                let page = list.page(count, after.as_ref(), &self.id, &filter);
                let entries = page.into_iter().filter_map(|one| Some((one.clone(), list.get(one)?.clone()))).collect();
                self.answer_list(entries, caller, ctx);
            }
            ListRequest::Total { filter } => {
                answer(caller.reply, Ok(Outcome::TotalUnread(TotalUnread { unread_message_count: list.total_of(&filter) })));
            }
            ListRequest::Mark { mark, set, targets } => self.mark(mark, set, &targets, caller, ctx),
            ListRequest::HideAll => self.hide_all(caller, ctx),
            ListRequest::ReadAll => self.read_all(caller, ctx),
            ListRequest::ClearAll => self.clear_all(caller, ctx),
            // Names a room: those are in no list.
            _ => answer(caller.reply, Err(Refusal::ConversationMissing(String::new()))),
        }
    }

    fn carry_out_on_one(&mut self, request: ListRequest, conversation: Conversation, caller: Caller, ctx: &mut Context<Self>) {
        let Some(list) = &self.list else { return answer(caller.reply, Err(unread_list())) };
        let missing = Refusal::ConversationMissing(conversation.named_by(&self.id).1.to_owned());
        let known = list.get(&conversation).cloned();
        // A conversation that is off the list, or has no message yet, can be muted and cleared all the same.
        let off_list_too = matches!(request, ListRequest::Mute { .. } | ListRequest::Clear { .. } | ListRequest::Delete { .. });
        let Some(entry) = known.filter(|entry| off_list_too || entry.is_listed()) else {
            return answer(caller.reply, Err(missing));
        };
        let done = ConversationRef::named_by(&self.id, &conversation);
        let mut record = entry.record.clone();
        match request {
            ListRequest::Query { .. } => self.answer_one((conversation, entry), caller, ctx),
            ListRequest::Pin { pinned, .. } => self.pin(conversation, &entry, pinned, caller, ctx),
            ListRequest::Mute { muted, .. } => {
                record.muted = muted;
                self.change(conversation, record, done, caller, ctx, |_, _| {});
            }
            ListRequest::Read { .. } => {
                record.read_seq = entry.tail_seq;
                self.change(conversation, record, done, caller, ctx, read);
            }
            ListRequest::Clear { .. } => {
                record.cleared_seq = entry.tail_seq;
                record.read_seq = entry.tail_seq;
                self.tell_all_deleted(&conversation, caller.connection_id);
                self.change(conversation, record, done, caller, ctx, read);
            }
            ListRequest::Hide { .. } => self.hide(conversation, entry, caller, ctx),
            ListRequest::ReceiptUpToNow { .. } => {
                record.receipt_seq = entry.tail_seq;
                self.confirm_all(conversation, record, done, caller, ctx);
            }
            ListRequest::Delete { messages, .. } => {
                record.deletes = true;
                self.delete_messages(conversation, record, messages, entry.first_seq, caller, ctx);
            }
            // These name no conversation, or several.
            _ => answer(caller.reply, Err(missing)),
        }
    }

    fn pin(&mut self, conversation: Conversation, entry: &Entry, pinned: bool, caller: Caller, ctx: &mut Context<Self>) {
        let pinned_max = self.context.config().limits.pinned_conversations_max;
        let pinned_count = self.list.as_ref().map_or(0, ConversationList::pinned_count);
        if pinned && !entry.is_pinned() && pinned_count >= pinned_max {
            return answer(caller.reply, Err(Refusal::TooManyPinned { pinned_max }));
        }
        let now_ms = self.context.clock.wall_ms();
        let record = EntryRecord {
            pinned_ms: if pinned { now_ms.max(1) } else { 0 },
            order_key_min: order_key::order_key_at(now_ms).max(entry.order_key() + 1),
            ..entry.record.clone()
        };
        let done = ConversationRef::named_by(&self.id, &conversation);
        self.change(conversation, record, done, caller, ctx, |_, _| {});
    }

    /// Takes a conversation off the list until something is said in it again.
    fn hide(&mut self, conversation: Conversation, entry: Entry, caller: Caller, ctx: &mut Context<Self>) {
        let record = EntryRecord { hidden_seq: entry.tail_seq, read_seq: entry.tail_seq, ..entry.record.clone() };
        let shown = RenderedEntry { conversation: conversation.clone(), entry, last: None, earlier: None };
        self.commit_records(vec![(conversation, record)], caller, ctx, move |user, caller, ctx| {
            if let Some(list) = &mut user.list {
                take_off(list, &shown.conversation);
            }
            user.tell_sessions(caller.connection_id.as_slice(), |level| {
                let info_list = vec![shown.change(ConversationEvent::Deleted, &user.id, level)];
                vec![encode(&ConversationChanged { info_list })]
            });
            user.schedule_flush(ctx);
            let done = ConversationRef::named_by(&user.id, &shown.conversation);
            answer(caller.reply, Ok(Outcome::ConversationRef(done)));
        });
    }

    /// Writes one record, takes it over, and tells the clients with the next tick.
    fn change(
        &mut self,
        conversation: Conversation,
        record: EntryRecord,
        done: ConversationRef,
        caller: Caller,
        ctx: &mut Context<Self>,
        also: impl FnOnce(&mut ConversationList, &Conversation) + 'static,
    ) {
        self.commit_records(vec![(conversation.clone(), record)], caller, ctx, move |user, caller, ctx| {
            if let Some(list) = &mut user.list {
                also(list, &conversation);
                list.changed(&conversation, ConversationEvent::Updated);
            }
            user.schedule_flush(ctx);
            answer(caller.reply, Ok(Outcome::ConversationRef(done)));
        });
    }

    /// Writes records, then puts them into the list; `then` answers the caller, unless a refusal does.
    fn commit_records(
        &mut self,
        records: Vec<(Conversation, EntryRecord)>,
        caller: Caller,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Caller, &mut Context<Self>) + 'static,
    ) {
        let rows = records.iter().map(|(conversation, record)| RowWrite::PutEntry(self.id.clone(), conversation.clone(), record.clone()));
        let (archive, rows) = (self.context.archive.clone(), rows.collect::<Vec<_>>());
        let keep = async move { if rows.is_empty() { Ok(()) } else { archive.apply(rows).await } };
        ctx.wait(keep.into_actor(self).map(move |kept, user, ctx| match kept {
            Ok(()) => {
                for (conversation, record) in records {
                    // Its actors at other nodes read it again.
                    user.context.notify_elsewhere(&user.id, &Arc::new(FeedItem::Changed(conversation.clone())));
                    if let Some(entry) = user.list.as_mut().and_then(|list| list.get_mut(&conversation)) {
                        entry.record = record;
                    }
                }
                then(user, caller, ctx);
            }
            Err(refusal) => answer(caller.reply, Err(refusal)),
        }));
    }

    /// Returns the records of every conversation that `wanted` picks, each changed by `change`.
    fn records(&self, wanted: impl Fn(&Entry) -> bool, change: impl Fn(&mut EntryRecord, u64)) -> Vec<(Conversation, EntryRecord)> {
        let entries = self.list.iter().flat_map(ConversationList::conversations).filter(|(_, entry)| wanted(entry));
        let changed = entries.map(|(conversation, entry)| {
            let mut record = entry.record.clone();
            change(&mut record, entry.tail_seq);
            (conversation.clone(), record)
        });
        changed.collect()
    }

    /// Sets a mark on conversations, or takes it off; names those that could not be marked. Source: ZIM API reference,
    /// "setConversationMark".
    fn mark(&mut self, mark: u32, set: bool, targets: &[Target], caller: Caller, ctx: &mut Context<Self>) {
        let Some(list) = &self.list else { return answer(caller.reply, Err(unread_list())) };
        let limits = &self.context.config().limits;
        let mut free = limits.marked_conversations_max.saturating_sub(list.marked_count(mark));
        let (mut records, mut failed) = (Vec::new(), Vec::new());
        for target in targets {
            let conversation = Conversation::of(&self.id, target);
            let entry = conversation.as_ref().and_then(|conversation| list.get(conversation)).filter(|entry| entry.is_listed());
            let (Some(conversation), Some(entry)) = (conversation, entry) else {
                failed.push(target);
                continue;
            };
            let mut record = entry.record.clone();
            let is_marked = record.marks.contains(&mark);
            if set && !is_marked {
                if free == 0 || record.marks.len() >= limits.marks_max {
                    failed.push(target);
                    continue;
                }
                free -= 1;
                record.marks.push(mark);
                record.marks.sort_unstable();
            } else if !set {
                record.marks.retain(|known| *known != mark);
            }
            if record.marks != entry.record.marks {
                records.push((conversation, record));
            }
        }
        let done = Outcome::Marked(Marked { failed_conversation_infos: failed.into_iter().map(ConversationRef::from).collect() });
        let changed: Vec<Conversation> = records.iter().map(|(conversation, _)| conversation.clone()).collect();
        self.commit_records(records, caller, ctx, move |user, caller, ctx| {
            if let Some(list) = &mut user.list {
                changed.iter().for_each(|conversation| list.changed(conversation, ConversationEvent::Updated));
            }
            user.schedule_flush(ctx);
            answer(caller.reply, Ok(done));
        });
    }

    fn hide_all(&mut self, caller: Caller, ctx: &mut Context<Self>) {
        let records = self.records(Entry::is_listed, |record, tail| {
            record.hidden_seq = tail;
            record.read_seq = tail;
        });
        let gone: Vec<Conversation> = records.iter().map(|(conversation, _)| conversation.clone()).collect();
        self.commit_records(records, caller, ctx, move |user, caller, ctx| {
            if let Some(list) = &mut user.list {
                gone.iter().for_each(|conversation| take_off(list, conversation));
            }
            let frame = encode(&ConversationsAllDeleted { count: gone.len() });
            user.tell_sessions(caller.connection_id.as_slice(), |_| vec![frame.clone()]);
            user.schedule_flush(ctx);
            answer(caller.reply, Ok(Outcome::Nothing {}));
        });
    }

    fn read_all(&mut self, caller: Caller, ctx: &mut Context<Self>) {
        let records = self.records(|entry| entry.unread > 0 || !entry.mentions.is_empty(), |record, tail| record.read_seq = tail);
        let cleared: Vec<Conversation> = records.iter().map(|(conversation, _)| conversation.clone()).collect();
        self.commit_records(records, caller, ctx, move |user, caller, ctx| {
            user.note_read(&cleared);
            user.schedule_flush(ctx);
            answer(caller.reply, Ok(Outcome::Nothing {}));
        });
    }

    /// Shows in the list that these conversations were read.
    fn note_read(&mut self, conversations: &[Conversation]) {
        let Some(list) = &mut self.list else { return };
        for conversation in conversations {
            read(list, conversation);
            list.changed(conversation, ConversationEvent::Updated);
        }
    }

    fn clear_all(&mut self, caller: Caller, ctx: &mut Context<Self>) {
        let records = self.records(
            |entry| entry.tail_seq > 0,
            |record, tail| {
                record.cleared_seq = tail;
                record.read_seq = tail;
            },
        );
        let cleared: Vec<Conversation> = records.iter().map(|(conversation, _)| conversation.clone()).collect();
        self.commit_records(records, caller, ctx, move |user, caller, ctx| {
            user.note_read(&cleared);
            let frame = encode(&MessageDeleted::everything());
            user.tell_sessions(caller.connection_id.as_slice(), |_| vec![frame.clone()]);
            user.schedule_flush(ctx);
            answer(caller.reply, Ok(Outcome::Nothing {}));
        });
    }

    fn tell_all_deleted(&self, conversation: &Conversation, but: Option<ConnectionId>) {
        let frame = encode(&MessageDeleted::all_of(&self.id, conversation));
        self.tell_sessions(but.as_slice(), |_| vec![frame.clone()]);
    }

    /// Notes that everything up to now was read, and tells both sides.
    fn confirm_all(
        &mut self,
        conversation: Conversation,
        record: EntryRecord,
        done: ConversationRef,
        caller: Caller,
        ctx: &mut Context<Self>,
    ) {
        self.commit_records(vec![(conversation.clone(), record)], caller, ctx, move |user, caller, _| {
            if let Conversation::Peer(one, other) = &conversation {
                let other = if *one == user.id { other } else { one };
                let now_ms = user.context.clock.wall_ms();
                let read = |by: &UserId, own: bool| {
                    encode(&ConversationMessageReceiptChanged { infos: vec![ReceiptInfo::whole(by, &conversation, own, now_ms)] })
                };
                user.context.push_to(other, None, &read(other, false));
                let own = read(&user.id, true);
                user.tell_sessions(caller.connection_id.as_slice(), |_| vec![own.clone()]);
            }
            answer(caller.reply, Ok(Outcome::ConversationRef(done)));
        });
    }

    fn delete_messages(
        &mut self,
        conversation: Conversation,
        record: EntryRecord,
        handles: Vec<MessageHandle>,
        first_seq: u64,
        caller: Caller,
        ctx: &mut Context<Self>,
    ) {
        let (archive, me, place) = (self.context.archive.clone(), self.id.clone(), conversation.clone());
        let delete = async move {
            let (wanted, reader) = (place.clone(), me.clone());
            let find = move |store: &dyn Store| {
                let seen = Reader::new(store, &reader, &wanted, first_seq)?;
                let mut found = Vec::new();
                for handle in &handles {
                    if let Some(message) = seen.find(*handle)? {
                        found.push(seen.view_alone(&message)?);
                    }
                }
                Ok(found)
            };
            let found = archive.read(find).await?;
            if found.iter().any(|view| matches!(view.message().content.body, Body::Tips(_))) {
                return Err(Invalid::new("messageList", "names a tip, which goes only with all messages of its group").into());
            }
            if found.is_empty() {
                return Err(Refusal::MessageMissing);
            }
            let seqs = found.iter().map(|view| view.message().seq).collect();
            let rows = vec![RowWrite::Delete(me.clone(), place.clone(), seqs), RowWrite::PutEntry(me, place, record)];
            archive.apply(rows).await?;
            Ok(found)
        };
        ctx.wait(delete.into_actor(self).map(move |deleted, user, ctx| match deleted {
            Err(refusal) => answer(caller.reply, Err(refusal)),
            Ok(found) => {
                user.tell_sessions(caller.connection_id.as_slice(), |level| {
                    let messages = found.iter().filter_map(|view| view.encode(level)).collect();
                    vec![encode(&MessageDeleted::some(&user.id, &conversation, messages))]
                });
                let done = ConversationRef::named_by(&user.id, &conversation);
                user.look_again(vec![conversation], ctx, |user, ctx| {
                    user.schedule_flush(ctx);
                    answer(caller.reply, Ok(Outcome::ConversationRef(done)));
                });
            }
        }));
    }

    fn answer_one(&self, entry: (Conversation, Entry), caller: Caller, ctx: &mut Context<Self>) {
        self.answer_shown(vec![entry], caller, ctx, |me, shown, level| {
            let conversation = shown.first().map(|entry| entry.encode(me, level));
            Outcome::OneConversation(OneConversation { conversation })
        });
    }

    fn answer_list(&self, entries: Vec<(Conversation, Entry)>, caller: Caller, ctx: &mut Context<Self>) {
        let bytes_max = self.context.config().server.frame_bytes_max / 2;
        self.answer_shown(entries, caller, ctx, move |me, shown, level| {
            let (mut conversation_list, mut bytes) = (Vec::new(), 0);
            for entry in shown {
                let encoded = entry.encode(me, level);
                if !conversation_list.is_empty() && bytes + encoded.len() > bytes_max {
                    return Outcome::Conversations(Conversations { conversation_list, more: true });
                }
                bytes += encoded.len();
                conversation_list.push(encoded);
            }
            Outcome::Conversations(Conversations { conversation_list, more: false })
        });
    }

    /// Reads, outside the mailbox, what entries show, and answers with what `outcome_of` makes of it.
    fn answer_shown(
        &self,
        entries: Vec<(Conversation, Entry)>,
        caller: Caller,
        ctx: &mut Context<Self>,
        outcome_of: impl FnOnce(&UserId, &[RenderedEntry], ClientLevel) -> Outcome + 'static,
    ) {
        let (archive, me) = (self.context.archive.clone(), self.id.clone());
        let reader = me.clone();
        let look_up = async move {
            let shown = archive.read(move |store| show(store, &reader, entries)).await;
            answer(caller.reply, shown.map(|shown| outcome_of(&me, &shown, caller.level)));
        };
        ctx.spawn(look_up.into_actor(self));
    }
}

fn read(list: &mut ConversationList, conversation: &Conversation) {
    if let Some(entry) = list.get_mut(conversation) {
        entry.unread = 0;
        entry.mentions.clear();
    }
}

fn take_off(list: &mut ConversationList, conversation: &Conversation) {
    if let Some(entry) = list.get_mut(conversation) {
        entry.unread = 0;
        entry.mentions.clear();
        entry.known_to_clients = false;
    }
}
