//! What a user asks of its list of conversations, and does to messages for itself alone.
//!
//! Each change is a record in the store before anyone is told; until then the actor takes no other message. The
//! user's other devices hear of it by the same events.

use actix::prelude::*;
use serde_json::json;

use super::load::load_entry;
use super::sync::{Shown, show};
use super::{Book, EntryEvent, conversation_of, named};
use crate::actors::conversation::publish::order_key_at;
use crate::actors::runtime::registry::Held;
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::user::User;
use crate::actors::view::find;
use crate::actors::view::message::Dresser;
use crate::model::{Body, Conversation, Invalid, Refusal, Target};
use crate::protocol::{Dress, EntryWork, MessageHandle, Variant, encode_dressed, encode_event};
use crate::store::{EntryRecord, RowWrite};

/// An operation on the list; the answer is JSON.
pub(crate) struct AskList {
    pub(crate) work: EntryWork,
    pub(crate) variant: Variant,
    /// The session that asks.
    pub(crate) number: u64,
    pub(crate) reply: Reply<String>,
}

/// Who asks, and how it reads.
struct Asker {
    variant: Variant,
    number: u64,
    reply: Reply<String>,
}

impl EntryWork {
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

impl Handler<Held<AskList>> for User {
    type Result = ();

    fn handle(&mut self, held: Held<AskList>, ctx: &mut Context<Self>) {
        self.asked = true;
        let AskList { work, variant, number, reply } = held.open();
        let asker = Asker { variant, number, reply };
        if self.sessions.is_empty() {
            // Nobody tells an offline user anything: read anew each time the host asks.
            self.book = None;
        }
        self.with_latest(ctx, move |user, ctx| {
            let Some(conversation) = work.target().map(|target| conversation_of(&user.id, target)) else {
                return user.carry_out(work, None, asker, ctx);
            };
            match conversation {
                Some(conversation) if user.book.as_ref().is_some_and(|book| book.get(&conversation).is_none()) => {
                    user.fetch_entry(conversation, work, asker, ctx);
                }
                conversation => user.carry_out(work, conversation, asker, ctx),
            }
        });
    }
}

fn unread_list() -> Refusal {
    Refusal::StoreUnavailable("the list of conversations could not be read".into())
}

impl User {
    /// A conversation that is not in the book: it began a moment ago, or long ago and was left out.
    fn fetch_entry(&mut self, conversation: Conversation, work: EntryWork, asker: Asker, ctx: &mut Context<Self>) {
        let (archive, me, limits) = (self.core.archive.clone(), self.id.clone(), self.core.config().limits.clone());
        let wanted = conversation.clone();
        let read = async move { archive.read(move |store| load_entry(store, &me, &wanted, &limits)).await };
        ctx.wait(read.into_actor(self).map(move |entry, user, ctx| match entry {
            Ok(entry) => {
                if let Some(book) = &mut user.book
                    && let Some(entry) = entry.filter(|entry| entry.tail_seq > 0 || matches!(conversation, Conversation::Group(_)))
                {
                    book.put(conversation.clone(), Some(entry));
                }
                user.carry_out(work, Some(conversation), asker, ctx);
            }
            Err(refusal) => answer(asker.reply, Err(refusal)),
        }));
    }

    fn carry_out(&mut self, work: EntryWork, conversation: Option<Conversation>, asker: Asker, ctx: &mut Context<Self>) {
        let Some(book) = &self.book else { return answer(asker.reply, Err(unread_list())) };
        let Some(conversation) = conversation else {
            return match work {
                EntryWork::List { count, after, filter } => {
                    let page = book.page(count, after.as_ref(), &self.id, &filter);
                    let entries = page.into_iter().filter_map(|one| Some((one.clone(), book.get(one)?.clone()))).collect();
                    self.answer_list(entries, asker, ctx);
                }
                EntryWork::Total { filter } => {
                    answer(asker.reply, Ok(json!({"unreadMessageCount": book.total_of(&filter)}).to_string()));
                }
                EntryWork::Mark { mark, set, targets } => self.mark(mark, set, &targets, asker, ctx),
                EntryWork::HideAll => self.hide_all(asker, ctx),
                EntryWork::ReadAll => self.read_all(asker, ctx),
                _ => self.clear_all(asker, ctx),
            };
        };
        let (kind, id) = named(&self.id, &conversation);
        let missing = Refusal::ConversationMissing(id.to_owned());
        let done = json!({"conversationID": id, "conversationType": kind}).to_string();
        let known = book.get(&conversation).cloned();
        // A conversation that is off the list, or has no message yet, can be muted and cleared all the same.
        let off_list_too = matches!(work, EntryWork::Mute { .. } | EntryWork::Clear { .. } | EntryWork::Delete { .. });
        let Some(entry) = known.filter(|entry| off_list_too || entry.is_listed()) else {
            return answer(asker.reply, Err(missing));
        };
        let now_ms = self.core.clock.wall_ms();
        let mut record = entry.record.clone();
        match work {
            EntryWork::Query { .. } => self.answer_one((conversation, entry), asker, ctx),
            EntryWork::Pin { pinned, .. } => {
                let pinned_max = self.core.config().limits.pinned_conversations_max;
                if pinned && !entry.is_pinned() && book.pinned_count() >= pinned_max {
                    return answer(asker.reply, Err(Refusal::TooManyPinned { pinned_max }));
                }
                record.pinned_ms = if pinned { now_ms.max(1) } else { 0 };
                record.order_key_min = order_key_at(now_ms).max(entry.order_key() + 1);
                self.change(conversation, record, done, asker, ctx, |_, _| {});
            }
            EntryWork::Mute { muted, .. } => {
                record.muted = muted;
                self.change(conversation, record, done, asker, ctx, |_, _| {});
            }
            EntryWork::Read { .. } => {
                record.read_seq = entry.tail_seq;
                self.change(conversation, record, done, asker, ctx, read);
            }
            EntryWork::Clear { .. } => {
                record.cleared_seq = entry.tail_seq;
                record.read_seq = entry.tail_seq;
                self.tell_deleted(&conversation, 1, asker.number);
                self.change(conversation, record, done, asker, ctx, read);
            }
            EntryWork::Hide { .. } => {
                record.hidden_seq = entry.tail_seq;
                record.read_seq = entry.tail_seq;
                let shown = Shown { conversation: conversation.clone(), entry, last: None };
                let (me, number) = (self.id.clone(), asker.number);
                self.commit_records(vec![(conversation, record)], asker, ctx, move |user, asker, ctx| {
                    if let Some(book) = &mut user.book {
                        take_off(book, &shown.conversation);
                    }
                    user.tell_sessions(&[number], |variant| {
                        let info = format!("{{\"event\":{},\"conversation\":{}}}", EntryEvent::Deleted as u8, shown.wire(&me, variant));
                        vec![format!("{{\"event\":\"conversationChanged\",\"data\":{{\"infoList\":[{info}]}}}}").into()]
                    });
                    user.schedule_flush(ctx);
                    answer(asker.reply, Ok(done));
                });
            }
            EntryWork::ReceiptUpToNow { .. } => {
                record.receipt_seq = entry.tail_seq;
                self.confirm_all(conversation, record, done, asker, ctx);
            }
            EntryWork::Delete { messages, .. } => {
                record.deletes = true;
                self.delete_messages(conversation, record, messages, entry.first_seq, done, asker, ctx);
            }
            EntryWork::List { .. }
            | EntryWork::Total { .. }
            | EntryWork::HideAll
            | EntryWork::ReadAll
            | EntryWork::ClearAll
            | EntryWork::Mark { .. } => {
                answer(asker.reply, Err(missing));
            }
        }
    }

    /// Writes one record, takes it over, and tells the clients with the next tick.
    fn change(
        &mut self,
        conversation: Conversation,
        record: EntryRecord,
        done: String,
        asker: Asker,
        ctx: &mut Context<Self>,
        also: impl FnOnce(&mut Book, &Conversation) + 'static,
    ) {
        self.commit_records(vec![(conversation.clone(), record)], asker, ctx, move |user, asker, ctx| {
            if let Some(book) = &mut user.book {
                also(book, &conversation);
                book.changed(&conversation, EntryEvent::Updated);
            }
            user.schedule_flush(ctx);
            answer(asker.reply, Ok(done));
        });
    }

    /// Writes records and takes them over; the asker is answered by `then`, or with why not.
    fn commit_records(
        &mut self,
        records: Vec<(Conversation, EntryRecord)>,
        asker: Asker,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Asker, &mut Context<Self>) + 'static,
    ) {
        let rows = records.iter().map(|(conversation, record)| RowWrite::PutEntry(self.id.clone(), conversation.clone(), record.clone()));
        let (archive, rows) = (self.core.archive.clone(), rows.collect::<Vec<_>>());
        let keep = async move { if rows.is_empty() { Ok(()) } else { archive.apply(rows).await } };
        ctx.wait(keep.into_actor(self).map(move |kept, user, ctx| match kept {
            Ok(()) => {
                for (conversation, record) in records {
                    if let Some(entry) = user.book.as_mut().and_then(|book| book.get_mut(&conversation)) {
                        entry.record = record;
                    }
                }
                then(user, asker, ctx);
            }
            Err(refusal) => answer(asker.reply, Err(refusal)),
        }));
    }

    /// The records of every conversation that `wanted` picks, changed.
    fn records(&self, wanted: impl Fn(&super::Entry) -> bool, change: impl Fn(&mut EntryRecord, u64)) -> Vec<(Conversation, EntryRecord)> {
        let entries = self.book.iter().flat_map(Book::conversations).filter(|(_, entry)| wanted(entry));
        let changed = entries.map(|(conversation, entry)| {
            let mut record = entry.record.clone();
            change(&mut record, entry.tail_seq);
            (conversation.clone(), record)
        });
        changed.collect()
    }

    /// Marks conversations, or takes the mark off; names those of which it was not possible. Source: spec 3.5, setConversationMark.
    fn mark(&mut self, mark: u32, set: bool, targets: &[Target], asker: Asker, ctx: &mut Context<Self>) {
        let Some(book) = &self.book else { return answer(asker.reply, Err(unread_list())) };
        let limits = &self.core.config().limits;
        let mut free = limits.marked_conversations_max.saturating_sub(book.marked_count(mark));
        let (mut records, mut failed) = (Vec::new(), Vec::new());
        for target in targets {
            let conversation = conversation_of(&self.id, target);
            let entry = conversation.as_ref().and_then(|conversation| book.get(conversation)).filter(|entry| entry.is_listed());
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
        let failed: Vec<_> =
            failed.iter().map(|target| json!({"conversationID": target.id(), "conversationType": target.kind().number()})).collect();
        let done = json!({"failedConversationInfos": failed}).to_string();
        let changed: Vec<Conversation> = records.iter().map(|(conversation, _)| conversation.clone()).collect();
        self.commit_records(records, asker, ctx, move |user, asker, ctx| {
            if let Some(book) = &mut user.book {
                changed.iter().for_each(|conversation| book.changed(conversation, EntryEvent::Updated));
            }
            user.schedule_flush(ctx);
            answer(asker.reply, Ok(done));
        });
    }

    fn hide_all(&mut self, asker: Asker, ctx: &mut Context<Self>) {
        let records = self.records(super::Entry::is_listed, |record, tail| {
            record.hidden_seq = tail;
            record.read_seq = tail;
        });
        let gone: Vec<Conversation> = records.iter().map(|(conversation, _)| conversation.clone()).collect();
        self.commit_records(records, asker, ctx, move |user, asker, ctx| {
            if let Some(book) = &mut user.book {
                gone.iter().for_each(|conversation| take_off(book, conversation));
            }
            let frame = encode_event("conversationsAllDeleted", &json!({"count": gone.len()}));
            user.tell_sessions(&[asker.number], |_| vec![frame.clone()]);
            user.schedule_flush(ctx);
            answer(asker.reply, Ok("{}".into()));
        });
    }

    fn read_all(&mut self, asker: Asker, ctx: &mut Context<Self>) {
        let records = self.records(|entry| entry.unread > 0 || !entry.mentions.is_empty(), |record, tail| record.read_seq = tail);
        let cleared: Vec<Conversation> = records.iter().map(|(conversation, _)| conversation.clone()).collect();
        self.commit_records(records, asker, ctx, move |user, asker, ctx| {
            user.note_read(&cleared);
            user.schedule_flush(ctx);
            answer(asker.reply, Ok("{}".into()));
        });
    }

    /// The list shows that these were read.
    fn note_read(&mut self, conversations: &[Conversation]) {
        let Some(book) = &mut self.book else { return };
        for conversation in conversations {
            read(book, conversation);
            book.changed(conversation, EntryEvent::Updated);
        }
    }

    fn clear_all(&mut self, asker: Asker, ctx: &mut Context<Self>) {
        let records = self.records(
            |entry| entry.tail_seq > 0,
            |record, tail| {
                record.cleared_seq = tail;
                record.read_seq = tail;
            },
        );
        let cleared: Vec<Conversation> = records.iter().map(|(conversation, _)| conversation.clone()).collect();
        self.commit_records(records, asker, ctx, move |user, asker, ctx| {
            user.note_read(&cleared);
            let data = json!({
                "conversationID": "", "conversationType": -1, "isDeleteConversationAllMessage": false, "messageDeleteType": 2,
                "messageList": [],
            });
            let frame = encode_event("messageDeleted", &data);
            user.tell_sessions(&[asker.number], |_| vec![frame.clone()]);
            user.schedule_flush(ctx);
            answer(asker.reply, Ok("{}".into()));
        });
    }

    fn tell_deleted(&self, conversation: &Conversation, delete_type: u8, but: u64) {
        let (kind, id) = named(&self.id, conversation);
        let data = json!({
            "conversationID": id, "conversationType": kind, "isDeleteConversationAllMessage": delete_type == 1,
            "messageDeleteType": delete_type, "messageList": [],
        });
        let frame = encode_event("messageDeleted", &data);
        self.tell_sessions(&[but], |_| vec![frame.clone()]);
    }

    /// Source: spec 3.8, `sendConversationMessageReceiptRead`.
    fn confirm_all(&mut self, conversation: Conversation, record: EntryRecord, done: String, asker: Asker, ctx: &mut Context<Self>) {
        self.commit_records(vec![(conversation.clone(), record)], asker, ctx, move |user, asker, _| {
            let info = |other: &str, own: bool| {
                json!({"infos": [{
                    "conversationID": other, "conversationType": 0, "messageID": "", "status": 2, "readMemberCount": 0,
                    "unreadMemberCount": 0, "isSelfOperated": own, "readTime": user.core.clock.wall_ms(),
                }]})
            };
            if let Conversation::Peer(one, other) = &conversation {
                let other = if *one == user.id { other } else { one };
                let frame = encode_event("conversationMessageReceiptChanged", &info(user.id.as_str(), false));
                for link in user.core.presence.links(other).iter().flat_map(|links| links.iter()) {
                    let _queued_or_closed = link.outbox.push(frame.clone());
                }
                let own = encode_event("conversationMessageReceiptChanged", &info(other.as_str(), true));
                user.tell_sessions(&[asker.number], |_| vec![own.clone()]);
            }
            answer(asker.reply, Ok(done));
        });
    }

    #[expect(clippy::too_many_arguments, reason = "one step of carry_out, cut off for its length")]
    fn delete_messages(
        &mut self,
        conversation: Conversation,
        record: EntryRecord,
        handles: Vec<MessageHandle>,
        first_seq: u64,
        done: String,
        asker: Asker,
        ctx: &mut Context<Self>,
    ) {
        let (archive, me, place) = (self.core.archive.clone(), self.id.clone(), conversation.clone());
        let delete = async move {
            let (wanted, reader) = (place.clone(), me.clone());
            let find = move |store: &dyn crate::store::Store| {
                let mut found = Vec::new();
                let dresser = Dresser::new(store, &reader, &wanted, first_seq)?;
                for handle in &handles {
                    if let Some(message) = find::message(store, &wanted, *handle, first_seq)? {
                        let dress = Dress { alone: true, ..dresser.dress(&message)? };
                        found.push((message, dress));
                    }
                }
                Ok(found)
            };
            let found = archive.read(find).await?;
            if found.iter().any(|(message, _)| matches!(message.body, Body::Tips(_))) {
                return Err(Invalid::new("messageList", "names a tip, which goes only with all messages of its group").into());
            }
            if found.is_empty() {
                return Err(Refusal::MessageMissing);
            }
            let seqs = found.iter().map(|(message, _)| message.seq).collect();
            let rows = vec![RowWrite::Delete(me.clone(), place.clone(), seqs), RowWrite::PutEntry(me, place, record)];
            archive.apply(rows).await?;
            Ok(found)
        };
        ctx.wait(delete.into_actor(self).map(move |deleted, user, ctx| match deleted {
            Err(refusal) => answer(asker.reply, Err(refusal)),
            Ok(found) => {
                let (kind, id) = named(&user.id, &conversation);
                user.tell_sessions(&[asker.number], |variant| {
                    let list: Vec<_> = found.iter().filter_map(|(message, dress)| encode_dressed(message, dress, variant)).collect();
                    let head = json!({
                        "conversationID": id, "conversationType": kind, "isDeleteConversationAllMessage": false, "messageDeleteType": 0,
                    });
                    let head = head.to_string();
                    let data = format!("{},\"messageList\":[{}]}}", &head[..head.len() - 1], list.join(","));
                    vec![format!("{{\"event\":\"messageDeleted\",\"data\":{data}}}").into()]
                });
                user.look_again(vec![conversation], ctx, |user, ctx| {
                    user.schedule_flush(ctx);
                    answer(asker.reply, Ok(done));
                });
            }
        }));
    }

    fn answer_one(&self, entry: (Conversation, super::Entry), asker: Asker, ctx: &mut Context<Self>) {
        let (archive, me) = (self.core.archive.clone(), self.id.clone());
        let reader = me.clone();
        let look_up = async move {
            let shown = archive.read(move |store| show(store, &reader, vec![entry])).await;
            answer(
                asker.reply,
                shown.map(|shown| {
                    let wire = shown.first().map(|shown| shown.wire(&me, asker.variant)).unwrap_or_default();
                    format!("{{\"conversation\":{wire}}}")
                }),
            );
        };
        ctx.spawn(look_up.into_actor(self));
    }

    fn answer_list(&self, entries: Vec<(Conversation, super::Entry)>, asker: Asker, ctx: &mut Context<Self>) {
        let (archive, me) = (self.core.archive.clone(), self.id.clone());
        let (reader, bytes_max) = (me.clone(), self.core.config().server.frame_bytes_max / 2);
        let look_up = async move {
            let shown = archive.read(move |store| show(store, &reader, entries)).await;
            answer(
                asker.reply,
                shown.map(|shown| {
                    let (mut list, mut more) = (String::new(), false);
                    for shown in &shown {
                        let wire = shown.wire(&me, asker.variant);
                        if !list.is_empty() && list.len() + wire.len() > bytes_max {
                            more = true;
                            break;
                        }
                        if !list.is_empty() {
                            list.push(',');
                        }
                        list.push_str(&wire);
                    }
                    let more = if more { ",\"more\":true" } else { "" };
                    format!("{{\"conversationList\":[{list}]{more}}}")
                }),
            );
        };
        ctx.spawn(look_up.into_actor(self));
    }
}

fn read(book: &mut Book, conversation: &Conversation) {
    if let Some(entry) = book.get_mut(conversation) {
        entry.unread = 0;
        entry.mentions.clear();
    }
}

fn take_off(book: &mut Book, conversation: &Conversation) {
    if let Some(entry) = book.get_mut(conversation) {
        entry.unread = 0;
        entry.mentions.clear();
        entry.told = false;
    }
}
