//! One connection: which requests it may make, and when.
//!
//! Owns the state of the protocol between login and end. Knows no socket: frames come from a reader task that
//! waits for it (so a full mailbox stops the reading), answers go into the connection's outbox. Effects of one session's
//! sends to one conversation keep their order, because frames are handled one by one and each is handed on before
//! the next; answers may overtake each other. Ends when its reader says that the connection is gone.

pub(crate) mod caller;
mod charge;
pub(crate) mod dispatch;
pub(crate) mod groups;
pub(crate) mod messages;
pub(crate) mod on_behalf;
pub(crate) mod responder;

use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;
use tokio::sync::OwnedSemaphorePermit;

use self::caller::{Caller, Dispatcher};
use self::responder::{ClientRequest, Responder};
use crate::actors::connection::Connection;
use crate::actors::context::BrokerContext;
use crate::actors::conversation::messages::Source;
use crate::actors::media::url_token;
use crate::actors::registries::Registries;
use crate::actors::runtime::reply::{Reply, answer, answered};
use crate::actors::runtime::trace;
use crate::actors::user::profile::ProfileCell;
use crate::actors::user::{Ended, Login as UserLogin};
use crate::hooks::LoginRequest;
use crate::metrics::Outcome as Counted;
use crate::model::{DeviceId, Refusal, UserId, UserProfile};
use crate::protocol::result::session::{MediaToken, Pong, TokenRenewed};
use crate::protocol::{ClientLevel, CloseCode, Login, Operation, Outcome, Request, code_of, decode, encode_error};

/// A frame from the client. The permit is one of the requests the session may have under way; it is given back
/// with the answer.
pub(crate) struct Inbound {
    pub(crate) frame: ByteString,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl Message for Inbound {
    type Result = ();
}

/// The connection is gone.
pub(crate) struct Gone;

impl Message for Gone {
    type Result = ();
}

enum Phase {
    Greeting,
    In(ProfileCell),
}

pub(crate) struct Session {
    actors: Arc<Registries>,
    context: Arc<BrokerContext>,
    connection: Arc<Connection>,
    phase: Phase,
    malformed: u32,
    said_goodbye: bool,
}

impl Session {
    pub(crate) fn new(actors: Arc<Registries>, connection: Arc<Connection>) -> Self {
        let context = actors.context.clone();
        Self { actors, context, connection, phase: Phase::Greeting, malformed: 0, said_goodbye: false }
    }

    /// Returns the dispatcher of this session, once it is logged in.
    fn dispatcher(&self, profile: &ProfileCell) -> Dispatcher {
        let (source, level) = (Source::Client(self.connection.id), self.connection.level());
        Dispatcher::new(self.actors.clone(), Caller { profile: (*profile.get()).clone(), source, level })
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(self.context.config().actors.session_mailbox);
        self.context.metrics.actors_changed("session", 1);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.context.metrics.actors_changed("session", -1);
    }
}

impl Handler<Inbound> for Session {
    type Result = ();

    fn handle(&mut self, inbound: Inbound, ctx: &mut Context<Self>) {
        let asked = self.context.clock.elapsed();
        self.connection.touch(asked);
        if self.connection.outbox.is_closed() {
            return;
        }
        let request = match decode(&inbound.frame, &self.context.config().limits) {
            Ok(request) => request,
            Err(malformed) => return self.count_malformed(&malformed.refusal),
        };
        // Only names that are operations: names that clients make up would fill the memory.
        let name = if request.op.is_ok() { &*request.name } else { "invalid" };
        let op = self.context.metrics.op(name);
        let span = trace::request(name, &self.connection.session, request.id);
        let asked = ClientRequest { id: request.id, connection: self.connection.clone(), op, asked_at: asked, permit: inbound.permit };
        let responder = Responder::of_client(self.context.clone(), span.clone(), asked);
        let _in_request = span.entered();
        match (request.op, &self.phase) {
            (Err(refusal), Phase::In(_)) => responder.refuse(&refusal),
            (Err(refusal), Phase::Greeting) if request.is_login => responder.refuse(&refusal),
            (Ok(Operation::Ping), _) => {
                responder.done(Outcome::Pong(Pong { server_time: self.context.clock.wall_ms() }));
            }
            (Ok(Operation::Login(login)), Phase::Greeting) => self.login(login, responder, ctx),
            (Ok(Operation::Login(_)), _) => responder.refuse(&Refusal::AlreadyLoggedIn),
            (_, Phase::Greeting) => responder.refuse(&Refusal::NotLoggedIn),
            (Ok(Operation::Logout), Phase::In(_)) => self.logout(responder),
            (Ok(Operation::RenewToken { token }), Phase::In(profile)) => self.renew(token, profile.get().id.clone(), responder),
            (Ok(Operation::RenewMediaToken), Phase::In(profile)) => {
                let token = url_token(&self.context, &profile.get().id, &self.connection);
                responder.done(Outcome::MediaToken(MediaToken::new(token)));
            }
            (Ok(Operation::Request(operation)), Phase::In(profile)) => match self.context.accepting() {
                Ok(()) => match self.charge(&operation, &profile.get().id) {
                    Ok(()) => self.dispatcher(profile).dispatch(operation, responder),
                    Err(refusal) => responder.refuse(&refusal),
                },
                Err(refusal) => responder.refuse(&refusal),
            },
        }
    }
}

impl Session {
    fn count_malformed(&mut self, refusal: &Refusal) {
        self.context.metrics.refused(code_of(refusal));
        self.malformed += 1;
        let _queued_or_closed = self.connection.outbox.push(encode_error(None, refusal));
        if self.malformed >= self.context.config().server.malformed_frames_max {
            self.connection.close(CloseCode::Malformed);
        }
    }

    /// Charges the user's quotas; messages are charged by their conversation's actor.
    fn charge(&self, request: &Request, user: &UserId) -> Result<(), Refusal> {
        if request.keeps_more() {
            self.context.disk.room()?;
        }
        charge::charge(&self.context.gate, request, user)
    }

    fn login(&mut self, login: Login, responder: Responder, ctx: &mut Context<Self>) {
        if let Err(refusal) = self.context.accepting() {
            return responder.refuse(&refusal);
        }
        let (context, users) = (self.context.clone(), self.actors.users.clone());
        let (connection, request) = (self.connection.clone(), responder.request_id());
        let enter = async move {
            let claim = LoginRequest { user: login.user.clone(), token: login.token };
            let recognised = context.authenticator.authenticate(claim).await?;
            if context.is_system(&login.user) {
                return Err(Refusal::TokenInvalid);
            }
            connection.token_expires(recognised.expires_at_ms);
            let (reply, outcome) = Reply::channel();
            let device = login.device.unwrap_or_else(|| DeviceId::trusted(&format!("auto-{:x}", connection.id.0)));
            let ask = UserLogin {
                connection,
                device,
                level: ClientLevel::of(login.version),
                name: login.name,
                resume_from: login.resume_from,
                request,
                reply,
            };
            users.try_send_here(&login.user, ask)?;
            answered(outcome).await
        };
        // Waited for by the whole session: the client may hear of its success before this does, and what it sends
        // next must find the session logged in.
        ctx.wait(enter.into_actor(self).map(move |outcome, session, _| match outcome {
            Ok(profile) => {
                responder.answered_elsewhere();
                session.context.metrics.login(Counted::Done);
                session.context.metrics.sessions_changed(1);
                session.phase = Phase::In(profile);
            }
            Err(refusal) => {
                session.connection.token_expires(u64::MAX);
                session.context.metrics.login(if refusal.is_temporary() { Counted::Busy } else { Counted::Refused });
                responder.refuse(&refusal);
            }
        }));
    }

    fn logout(&mut self, responder: Responder) {
        self.said_goodbye = true;
        responder.done(Outcome::Nothing {});
        self.connection.close(CloseCode::Logout);
    }

    fn renew(&self, token: String, user: UserId, responder: Responder) {
        let (context, connection) = (self.context.clone(), self.connection.clone());
        let (reply, outcome) = Reply::channel();
        let claim = LoginRequest { user, token: token.clone() };
        actix::spawn(async move {
            let recognised = context.authenticator.authenticate(claim).await;
            if let Ok(recognised) = &recognised {
                connection.token_expires(recognised.expires_at_ms);
            }
            answer(reply, recognised);
        });
        responder.later(Ok(outcome), move |_| Outcome::TokenRenewed(TokenRenewed { token }));
    }

    /// Tells the user's actor that this session is over, then stops.
    fn end(&mut self, profile: &UserProfile, ctx: &mut Context<Self>) {
        self.context.metrics.sessions_changed(-1);
        let ended = Ended { connection_id: self.connection.id, for_good: self.said_goodbye };
        let told = self.actors.users.send_here(&profile.id, ended);
        ctx.spawn(told.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Handler<Gone> for Session {
    type Result = ();

    fn handle(&mut self, _: Gone, ctx: &mut Context<Self>) {
        self.connection.finish();
        self.context.end_connection(&self.connection);
        self.connection.outbox.discard(1006, "connection lost");
        match std::mem::replace(&mut self.phase, Phase::Greeting) {
            Phase::In(profile) => self.end(&profile.get(), ctx),
            Phase::Greeting => ctx.stop(),
        }
    }
}
