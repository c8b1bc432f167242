//! What a session that is logged in may ask for: each operation is handed to its owner, and the owner's answer
//! becomes a reply.

use bytestring::ByteString;
use serde::Serialize;
use tokio::sync::oneshot;

use super::Session;
use super::messages::authorize;
use super::responder::Responder;
use crate::actors::connection::outbox::Dropped;
use crate::actors::conversation::peer;
use crate::actors::conversation::publish::{Accepted, Publish};
use crate::actors::room;
use crate::actors::room::{Entry, Which};
use crate::actors::runtime::reply::answer;
use crate::actors::runtime::reply::{Reply, answered};
use crate::actors::user::list::load::{Visibility, visibility};
use crate::actors::user::profile::AskUser;
use crate::actors::user::search::AskSearch;
use crate::actors::user::{EnterRoom, LeaveAllRooms, LeaveRoom, QueryUsers};
use crate::actors::view::message::ViewBuilder;
use crate::model::{Conversation, Draft, Invalid, MessageClass, Refusal, RoomId, Target, UserProfile};
use crate::protocol::result::room::{RoomEntered, RoomLeft, RoomMemberCount, RoomMembers, RoomMembersFound, RoomsLeft};
use crate::protocol::result::user::UsersInfo;
use crate::protocol::{ClientLevel, Encoded, HistoryQuery, Outcome, PageCut, Request, RoomRequest, encode_view};
use crate::rate::DropReason;
use crate::store::{Anchor, Page, PageRead, Store, StoreError};

pub(super) type Asked<T> = Result<oneshot::Receiver<Result<T, Refusal>>, Refusal>;

/// Makes the two ends of an answer and hands one to the owner.
pub(crate) fn ask<T>(tell: impl FnOnce(Reply<T>) -> Result<(), Refusal>) -> Asked<T> {
    let (reply, outcome) = oneshot::channel();
    tell(reply)?;
    Ok(outcome)
}

pub(super) fn reply_json<T>(make: impl FnOnce(T) -> serde_json::Value) -> impl FnOnce(T) -> Outcome {
    move |value| Outcome::Value(make(value))
}

impl Session {
    /// Hands an operation on. Everything in it was checked for itself; who may do it is the owner's decision.
    pub(super) fn dispatch(&self, work: Request, me: &UserProfile, responder: Responder) {
        match work {
            Request::SendMessage { target, draft } => self.send(target, draft, me, responder),
            Request::QueryHistory(query) => self.query_history(query, me, responder),
            Request::QueryUsersInfo { users } => {
                let context = self.context.clone();
                let asked = ask(|reply| context.users.tell(&context, &me.id, QueryUsers { users, reply }));
                responder.later(asked, |found: Vec<_>| Outcome::UsersInfo(UsersInfo::new(&found)));
            }
            Request::Entry(work) => self.dispatch_entry(work, me, responder),
            Request::Message(work) => self.dispatch_message(work, me, responder),
            Request::User(work) => {
                let (context, connection_id) = (self.context.clone(), self.connection.id);
                let asked = ask(|reply| context.users.tell(&context, &me.id, AskUser { work, connection_id, reply }));
                responder.later(asked, |outcome| outcome);
            }
            Request::Search(work) => {
                let (context, level) = (self.context.clone(), self.connection.level());
                let asked = ask(|reply| context.users.tell(&context, &me.id, AskSearch { work, level, reply }));
                responder.later(asked, |json: String| Outcome::raw(json));
            }
            Request::Room(work) => self.dispatch_room(work, me, responder),
            Request::Group(work) => self.dispatch_group(work, me, responder),
        }
    }

    fn dispatch_room(&self, work: RoomRequest, me: &UserProfile, responder: Responder) {
        let (context, connection_id) = (self.context.clone(), self.connection.id);
        match work {
            RoomRequest::Create { info, start } => self.enter(Entry::Create { info, start }, None, me, responder),
            RoomRequest::Enter { info, start } => self.enter(Entry::Enter { info, start }, None, me, responder),
            RoomRequest::Join { room } => self.enter(Entry::Join { room }, None, me, responder),
            RoomRequest::Switch { from, info, start: Some(start) } => self.enter(Entry::Enter { info, start }, Some(from), me, responder),
            RoomRequest::Switch { from, info, start: None } => self.enter(Entry::Join { room: info.id }, Some(from), me, responder),
            RoomRequest::LeaveAll => {
                let asked = ask(|reply| context.users.tell(&context, &me.id, LeaveAllRooms { connection_id, reply }));
                responder.later(asked, |room_ids| Outcome::RoomsLeft(RoomsLeft { room_ids }));
            }
            RoomRequest::Leave { room } => {
                let asked = ask(|reply| context.users.tell(&context, &me.id, LeaveRoom { connection_id, room: room.clone(), reply }));
                responder.later(asked, move |()| Outcome::RoomLeft(RoomLeft { room_id: room }));
            }
            RoomRequest::QueryMemberList { room, count, next } => {
                self.room_members(room, me, Which::Page { next, count }, responder, |room, page| {
                    Outcome::RoomMembers(RoomMembers::new(room, &page.members, page.next))
                });
            }
            RoomRequest::QueryMembers { room, users } => {
                self.room_members(room, me, Which::Users(users), responder, |room, page| {
                    Outcome::RoomMembersFound(RoomMembersFound::new(room, &page.members, page.missing))
                });
            }
            RoomRequest::QueryOnlineMemberCount { room } => {
                self.room_members(room, me, Which::Count, responder, |room_id, page| {
                    Outcome::RoomMemberCount(RoomMemberCount { count: page.total, room_id })
                });
            }
            RoomRequest::QueryAttributes { room } => self.query_attributes(&room, me, room::Whose::Room, responder),
            RoomRequest::QueryMembersAttributes { room, users } => self.query_attributes(&room, me, room::Whose::Members(users), responder),
            RoomRequest::QueryMemberAttributesList { room, count, next } => {
                self.query_attributes(&room, me, room::Whose::Page { next, count }, responder);
            }
            RoomRequest::ChangeAttributes { room, changes, terms, batch } => {
                let asked = ask(|reply| {
                    context.rooms.tell(&context, &room, room::ChangeAttributes { by: me.id.clone(), changes, terms, batch, reply })
                });
                responder.later(asked, Outcome::RoomAttributesChanged);
            }
            RoomRequest::SetMembersAttributes { room, users, attributes, until_left } => {
                let by = me.id.clone();
                let asked = ask(|reply| {
                    context.rooms.tell(&context, &room, room::SetMemberAttributes { by, users, attributes, until_left, reply })
                });
                responder.later(asked, Outcome::RoomMembersAttributesSet);
            }
        }
    }

    fn query_attributes(&self, room: &RoomId, me: &UserProfile, what: room::Whose, responder: Responder) {
        let context = self.context.clone();
        let asked = ask(|reply| context.rooms.tell(&context, room, room::QueryAttributes { asker: me.id.clone(), what, reply }));
        responder.later(asked, Outcome::RoomAttributes);
    }

    pub(super) fn send(&self, target: Target, mut draft: Draft, me: &UserProfile, responder: Responder) {
        let context = self.context.clone();
        // Receipts are of kept messages in peer conversations and groups. Source: spec 3.12, Receipts.
        draft.terms.receipt &= draft.body.class() == MessageClass::Storable && !matches!(target, Target::Room(_));
        let checked = draft.validate(&me.id, &target, &context.config().limits).map_err(Refusal::from);
        let level = self.connection.level();
        let beyond = match &draft {
            Draft { body, .. } if !level.knows(body) => Some(format!("message kind {} in this SDK version", body.kind().number())),
            Draft { mentions, .. } if !mentions.is_none() && !level.knows_mentions() => Some("a mention below SDK 2.14.0".to_owned()),
            _ => None,
        };
        let checked = checked.and(beyond.map_or(Ok(()), |what| Err(Refusal::Unsupported(what))));
        if let Err(refusal) = checked {
            return responder.refuse(&refusal);
        }
        // A barrage that finds its room's mailbox full is shed, not refused: keep what its answer is made of.
        let barrage = (draft.body.class() == MessageClass::Barrage).then(|| draft.clone());
        let (sender, origin, by_host, from_outside) = (me.id.clone(), self.connection.id, self.by_host, self.from_outside);
        let span = responder.span.clone();
        let asked = ask(|reply| {
            let publish =
                Publish { sender, origin: Some(origin), by_host, from_outside, target: target.clone(), draft, asked: None, reply, span };
            match &target {
                Target::Peer(to) => context.peers.tell(&context, &peer::key(&me.id, to), publish),
                Target::Room(room) => context.rooms.tell(&context, room, publish),
                Target::Group(group) => context.groups.tell(&context, group, publish),
            }
        });
        match (asked, barrage, target) {
            (Err(Refusal::Busy(_)), Some(draft), Target::Room(room)) => {
                context.metrics.dropped(MessageClass::Barrage, draft.priority, DropReason::MailboxFull.label(), 1);
                // The room has no time even to be told, so its sender is.
                self.connection.outbox.note_dropped(Dropped::barrage_of(draft.priority, 1));
                let message =
                    crate::actors::conversation::publish::unstored(&context, me.id.clone(), Conversation::Room(room, 0), draft, 0);
                responder.done(sent(&Encoded::new(&message), self.connection.level()));
            }
            (asked, _, _) => {
                let level = self.connection.level();
                responder.later(asked, move |accepted: Accepted| sent(&accepted.encoded, level));
            }
        }
    }

    fn enter(&self, entry: Entry, instead_of: Option<RoomId>, me: &UserProfile, responder: Responder) {
        let (context, connection_id) = (self.context.clone(), self.connection.id);
        let asked = ask(|reply| context.users.tell(&context, &me.id, EnterRoom { connection_id, entry, instead_of, reply }));
        responder.later(asked, |info| Outcome::RoomEntered(RoomEntered::new(info)));
    }

    fn room_members(
        &self,
        room: RoomId,
        me: &UserProfile,
        which: Which,
        responder: Responder,
        outcome_of: impl FnOnce(RoomId, room::MembersPage) -> Outcome + 'static,
    ) {
        let context = self.context.clone();
        let asked = ask(|reply| context.rooms.tell(&context, &room, room::Members { asker: me.id.clone(), which, reply }));
        responder.later(asked, move |page| outcome_of(room, page));
    }

    fn query_history(&self, query: HistoryQuery, me: &UserProfile, responder: Responder) {
        let context = self.context.clone();
        if matches!(&query.target, Target::Peer(other) if *other == me.id) {
            return responder.refuse(&Invalid::new("conversationID", "is the caller's own userID").into());
        }
        let authorized = match authorize(&context, &query.target, &me.id) {
            Ok(authorized) => authorized,
            Err(refusal) => return responder.refuse(&refusal),
        };
        let (target, level, reader) = (query.target.clone(), self.connection.level(), me.id.clone());
        let asked = ask(|reply| {
            actix::spawn(async move {
                let read = async {
                    let (conversation, first_seq) = answered(authorized).await?;
                    // The engine counts encoded bytes; half a frame leaves room for what the reply adds to each message.
                    let bytes_max = context.config().server.frame_bytes_max / 2;
                    let page = move |store: &dyn Store| {
                        let Visibility { first_seq, deletes } = visibility(store, &reader, &conversation, first_seq)?;
                        let viewer = deletes.then(|| reader.clone());
                        let page =
                            Page { anchor: anchor(&query), backwards: query.backwards, count: query.count, bytes_max, first_seq, viewer };
                        let PageRead { messages, cut } = store.read(&conversation, page)?;
                        let builder = ViewBuilder::new(store, &reader, &conversation, first_seq)?;
                        let list = messages.iter().map(|message| Ok(encode_view(message, &builder.view(message)?, level)));
                        Ok((list.collect::<Result<Vec<_>, StoreError>>()?, cut))
                    };
                    context.archive.read(page).await
                };
                answer(reply, read.await);
            });
            Ok(())
        });
        responder.later(asked, move |(list, cut)| history(&target, list, cut));
    }
}

fn anchor(query: &HistoryQuery) -> Anchor {
    match (query.anchor_seq, query.anchor_order_key) {
        (Some(seq), _) if seq > 0 => Anchor::Seq(seq),
        (_, Some(order_key)) => Anchor::OrderKey(order_key),
        _ => Anchor::End,
    }
}

fn sent(encoded: &Encoded, level: ClientLevel) -> Outcome {
    // Who could send it can see it; the newest encoding is the fallback that is never needed.
    let message = encoded.of(level).or(encoded.of(ClientLevel::Since2_15)).map_or("null", |message| message);
    Outcome::raw(format!("{{\"message\":{message}}}"))
}

fn history(target: &Target, messages: Vec<Option<ByteString>>, cut: bool) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Head<'a> {
        #[serde(rename = "conversationID")]
        conversation_id: &'a str,
        conversation_type: u8,
        #[serde(flatten)]
        cut: PageCut,
    }
    let head = Head { conversation_id: target.id(), conversation_type: target.kind().number(), cut: PageCut { more: cut } };
    let head = serde_json::to_string(&head).expect("strings and numbers always serialize");
    let messages: Vec<ByteString> = messages.into_iter().flatten().collect();
    let list = messages.join(",");
    // The head is an object: its closing brace makes way for the list.
    Outcome::raw(format!("{},\"messageList\":[{list}]}}", &head[..head.len() - 1]))
}
