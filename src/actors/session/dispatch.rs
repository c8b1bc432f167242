//! Hands each operation of a session that is logged in to the actor that decides it, and turns that actor's answer into
//! a reply.

use super::caller::Dispatcher;
use super::responder::Responder;
use crate::actors::connection::outbox::Dropped;
use crate::actors::conversation::messages::Publish;
use crate::actors::conversation::pipeline::{shed, tell_refused};
use crate::actors::conversation::publish::charge;
use crate::actors::room;
use crate::actors::room::{Entry, Which};
use crate::actors::runtime::reply::ask;
use crate::actors::user::profile::UserOperation;
use crate::actors::user::search::SearchOperation;
use crate::actors::user::{EnterRoom, LeaveAllRooms, LeaveRoom, QueryUsers};
use crate::actors::view::live::LiveMessage;
use crate::model::{Conversation, Draft, Invalid, MessageClass, Refusal, RoomId, Target, UserId};
use crate::protocol::result::message::{ConversationRef, Messages, OneMessage};
use crate::protocol::result::room::{RoomEntered, RoomLeft, RoomMemberCount, RoomMembers, RoomMembersFound, RoomsLeft};
use crate::protocol::result::user::UsersInfo;
use crate::protocol::{ClientLevel, HistoryQuery, Outcome, Request, RoomRequest};
use crate::rate::DropReason;
use crate::store::{Anchor, Page, PageRead};

impl Dispatcher {
    /// Hands an operation on. Its arguments were checked by themselves; whether the caller may do it is decided by the
    /// actor.
    pub(crate) fn dispatch(&self, request: Request, responder: Responder) {
        match request {
            Request::SendMessage { target, draft } => self.send(target, draft, responder),
            Request::QueryHistory(query) => self.query_history(query, responder),
            Request::QueryUsersInfo { users } => {
                let actors = self.actors.clone();
                let asked = ask(|reply| actors.users.try_send_here(self.user(), QueryUsers { users, reply }));
                responder.later(asked, |found: Vec<_>| Outcome::UsersInfo(UsersInfo::new(&found)));
            }
            Request::List(request) => self.dispatch_list(request, responder),
            Request::Message(request) => self.dispatch_message(request, responder),
            Request::User(request) => {
                let (actors, connection_id) = (self.actors.clone(), self.caller.source.connection());
                let asked = ask(|reply| actors.users.try_send(self.user(), UserOperation { request, connection_id, reply }));
                responder.later(asked, |outcome| outcome);
            }
            Request::Search(request) => {
                let (actors, level) = (self.actors.clone(), self.caller.level);
                let asked = ask(|reply| actors.users.try_send_here(self.user(), SearchOperation { request, level, reply }));
                responder.later(asked, |outcome| outcome);
            }
            Request::Room(request) => self.dispatch_room(request, responder),
            Request::Group(request) => self.dispatch_group(request, responder),
        }
    }

    fn dispatch_room(&self, request: RoomRequest, responder: Responder) {
        let (actors, connection_id) = (self.actors.clone(), self.caller.source.connection());
        match request {
            RoomRequest::Create { info, start } => self.enter(Entry::Create { info, start }, None, responder),
            RoomRequest::Enter { info, start } => self.enter(Entry::Enter { info, start }, None, responder),
            RoomRequest::Join { room } => self.enter(Entry::Join { room }, None, responder),
            RoomRequest::Switch { from, info, start: Some(start) } => self.enter(Entry::Enter { info, start }, Some(from), responder),
            RoomRequest::Switch { from, info, start: None } => self.enter(Entry::Join { room: info.id }, Some(from), responder),
            RoomRequest::LeaveAll => {
                let Some(connection_id) = connection_id else { return responder.refuse(&Refusal::NotLoggedIn) };
                let asked = ask(|reply| actors.users.try_send_here(self.user(), LeaveAllRooms { connection_id, reply }));
                responder.later(asked, |room_ids| Outcome::RoomsLeft(RoomsLeft { room_ids }));
            }
            RoomRequest::Leave { room } => {
                let Some(connection_id) = connection_id else { return responder.refuse(&Refusal::NotLoggedIn) };
                let asked = ask(|reply| actors.users.try_send_here(self.user(), LeaveRoom { connection_id, room: room.clone(), reply }));
                responder.later(asked, move |()| Outcome::RoomLeft(RoomLeft { room_id: room }));
            }
            RoomRequest::QueryMemberList { room, count, next } => {
                self.room_members(room, Which::Page { next, count }, responder, |room, page| {
                    Outcome::RoomMembers(RoomMembers::new(room, &page.members, page.next))
                });
            }
            RoomRequest::QueryMembers { room, users } => {
                self.room_members(room, Which::Users(users), responder, |room, page| {
                    Outcome::RoomMembersFound(RoomMembersFound::new(room, &page.members, page.missing))
                });
            }
            RoomRequest::QueryOnlineMemberCount { room } => {
                self.room_members(room, Which::Count, responder, |room_id, page| {
                    Outcome::RoomMemberCount(RoomMemberCount { count: page.total, room_id })
                });
            }
            RoomRequest::QueryAttributes { room } => self.query_attributes(&room, room::Whose::Room, responder),
            RoomRequest::QueryMembersAttributes { room, users } => self.query_attributes(&room, room::Whose::Members(users), responder),
            RoomRequest::QueryMemberAttributesList { room, count, next } => {
                self.query_attributes(&room, room::Whose::Page { next, count }, responder);
            }
            RoomRequest::ChangeAttributes { room, changes, terms, batch } => {
                let asked = ask(|reply| {
                    actors.rooms.try_send(&room, room::ChangeAttributes { by: self.user().clone(), changes, terms, batch, reply })
                });
                responder.later(asked, Outcome::RoomAttributesChanged);
            }
            RoomRequest::SetMembersAttributes { room, users, attributes, until_left } => {
                let by = self.user().clone();
                let asked =
                    ask(|reply| actors.rooms.try_send(&room, room::SetMemberAttributes { by, users, attributes, until_left, reply }));
                responder.later(asked, Outcome::RoomMembersAttributesSet);
            }
        }
    }

    fn query_attributes(&self, room: &RoomId, what: room::Whose, responder: Responder) {
        let actors = self.actors.clone();
        let asked = ask(|reply| actors.rooms.try_send(room, room::QueryAttributes { asker: self.user().clone(), what, reply }));
        responder.later(asked, Outcome::RoomAttributes);
    }

    pub(super) fn send(&self, target: Target, mut draft: Draft, responder: Responder) {
        // Receipts exist for kept messages in peer conversations and groups only.
        draft.content.options.receipt &= draft.content.body.class() == MessageClass::Storable && !matches!(target, Target::Room(_));
        let responder = self.telling_of_refusal(&target, &draft, responder);
        let level = self.caller.level;
        let checked = draft.validate(self.user(), &target, &self.context().config().limits).map_err(Refusal::from);
        if let Err(refusal) = checked.and_then(|()| is_known_to(level, &draft)) {
            return responder.refuse(&refusal);
        }
        // A barrage that finds its room's mailbox full is dropped, not refused: keep what its answer is made of.
        let barrage = (draft.content.body.class() == MessageClass::Barrage).then(|| draft.clone());
        // Among several nodes the sender's own one keeps its quotas: the owners of its conversations are many.
        let is_charged = self.context().nodes.is_some() && !self.caller.source.is_trusted();
        if is_charged && let Err(refusal) = charge(&self.context().gate, self.user(), &draft) {
            return responder.refuse(&refusal);
        }
        let (sender, span) = (self.user().clone(), responder.span.clone());
        let asked = ask(|reply| {
            let publish = Publish { is_charged, ..Publish::new(sender, self.caller.source, target.clone(), draft, reply, span) };
            self.actors.send_to(self.user(), &target, publish)
        });
        match (asked, barrage, target) {
            (Err(Refusal::Busy(_)), Some(draft), Target::Room(room)) => {
                let live = self.shed(room, draft, self.user());
                responder.done(sent(&live, level));
            }
            (asked, _, _) => responder.later(asked, move |live| sent(&live, level)),
        }
    }

    /// Has the host told when a message that would be stored is refused.
    fn telling_of_refusal(&self, target: &Target, draft: &Draft, responder: Responder) -> Responder {
        let context = self.context();
        if draft.content.body.class() != MessageClass::Storable || !context.is_heard() {
            return responder;
        }
        let (context, sender, source) = (context.clone(), self.user().clone(), self.caller.source);
        let (target, draft) = (target.clone(), draft.clone());
        responder.on_refusal(move |refusal| tell_refused(&context, &sender, &target, draft, source, refusal))
    }

    /// Drops a barrage for which its room has no time: the room cannot even be told, so its sender is.
    fn shed(&self, room: RoomId, draft: Draft, sender: &UserId) -> LiveMessage {
        if let Some(connection) = self.connection() {
            connection.outbox.note_dropped(Dropped::barrage_of(draft.priority, 1));
        }
        shed(self.context(), sender.clone(), Conversation::Room(room, 0), draft, 0, DropReason::MailboxFull)
    }

    /// Brings a session into a room. The host is refused: a place in a room belongs to a session.
    fn enter(&self, entry: Entry, instead_of: Option<RoomId>, responder: Responder) {
        let Some(connection_id) = self.caller.source.connection() else { return responder.refuse(&Refusal::NotLoggedIn) };
        let actors = self.actors.clone();
        let asked = ask(|reply| actors.users.try_send_here(self.user(), EnterRoom { connection_id, entry, instead_of, reply }));
        responder.later(asked, |info| Outcome::RoomEntered(RoomEntered::new(info)));
    }

    fn room_members(
        &self,
        room: RoomId,
        which: Which,
        responder: Responder,
        outcome_of: impl FnOnce(RoomId, room::MembersPage) -> Outcome + 'static,
    ) {
        let actors = self.actors.clone();
        let asked = ask(|reply| actors.rooms.try_send(&room, room::Members { asker: self.user().clone(), which, reply }));
        responder.later(asked, move |page| outcome_of(room, page));
    }

    fn query_history(&self, query: HistoryQuery, responder: Responder) {
        if matches!(&query.target, Target::Peer(other) if other == self.user()) {
            return responder.refuse(&Invalid::new("conversationID", "is the caller's own userID").into());
        }
        // The engine counts encoded bytes; half a frame leaves room for what the reply adds to each message.
        let (level, bytes_max) = (self.caller.level, self.context().config().server.frame_bytes_max / 2);
        let target = query.target.clone();
        let asked = self.look_up(&target, move |reader| {
            let page = Page {
                anchor: anchor(&query),
                backwards: query.backwards,
                count: query.count,
                bytes_max,
                first_seq: reader.visibility.first_seq,
                viewer: reader.visibility.viewer(reader.user),
            };
            let PageRead { messages, cut } = reader.store.read(reader.conversation, page)?;
            let conversation = ConversationRef::from(&query.target);
            Ok(Messages { conversation, more: cut, message_list: reader.encode(&messages, level)? })
        });
        responder.later(asked, Outcome::Messages);
    }
}

/// Refuses a message that a client of this version could not see itself.
fn is_known_to(level: ClientLevel, draft: &Draft) -> Result<(), Refusal> {
    if !level.knows(&draft.content.body) {
        return Err(Refusal::Unsupported(format!("message kind {} in this SDK version", draft.content.body.kind().number())));
    }
    if !draft.content.mentions.is_none() && !level.knows_mentions() {
        return Err(Refusal::Unsupported("a mention below SDK 2.14.0".to_owned()));
    }
    Ok(())
}

fn anchor(query: &HistoryQuery) -> Anchor {
    match (query.anchor_seq, query.anchor_order_key) {
        (Some(seq), _) if seq > 0 => Anchor::Seq(seq),
        (_, Some(order_key)) => Anchor::OrderKey(order_key),
        _ => Anchor::End,
    }
}

fn sent(live: &LiveMessage, level: ClientLevel) -> Outcome {
    Outcome::OneMessage(OneMessage { message: live.for_sender(level) })
}
