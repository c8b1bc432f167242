//! One connection: what it may ask for, and when.
//!
//! Owns the state of the protocol between login and end. Knows no socket: frames come from a reader task that
//! waits for it (so a full mailbox stops the reading), answers go into the link's outbox. Effects of one session's
//! sends to one conversation keep their order, because frames are handled one by one and each is handed on before
//! the next; answers may overtake each other. Ends when its reader says that the connection is gone.

pub(crate) mod dispatch;
pub(crate) mod groups;
pub(crate) mod messages;
pub(crate) mod on_behalf;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytestring::ByteString;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use crate::actors::connection::Link;
use crate::actors::context::Core;
use crate::actors::media::url_token;
use crate::actors::runtime::reply::{Reply, answer, answered};
use crate::actors::runtime::trace;
use crate::actors::user::profile::ProfileCell;
use crate::actors::user::{Ended, Login as UserLogin};
use crate::hooks::LoginRequest;
use crate::metrics::{OpMetrics, Outcome};
use crate::model::{DeviceId, Refusal, UserId, UserProfile};
use crate::protocol::{CloseCode, Login, Op, Variant, Work, code_of, decode, encode_error, encode_reply};
use crate::rate::Class;

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
    pub(super) core: Arc<Core>,
    pub(super) link: Arc<Link>,
    /// The host asks in a user's name: quotas of users do not hold, nor does a moderator look.
    pub(super) by_host: bool,
    /// With it: what is sent to a room or group comes from whoever it is, inside or not.
    pub(super) from_outside: bool,
    phase: Phase,
    malformed: u32,
    said_goodbye: bool,
}

impl Session {
    pub(crate) fn new(core: Arc<Core>, link: Arc<Link>) -> Self {
        Self { core, link, by_host: false, from_outside: false, phase: Phase::Greeting, malformed: 0, said_goodbye: false }
    }

    /// What speaks for the host in a user's name: never an actor, and nobody delivers to its link.
    pub(super) fn stand_in(core: Arc<Core>, profile: UserProfile, from_outside: bool) -> Self {
        let link = core.detached_link();
        Self { by_host: true, from_outside, phase: Phase::In(ProfileCell::new(profile)), ..Self::new(core, link) }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(self.core.config().actors.session_mailbox);
        self.core.metrics.actors_changed("session", 1);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.core.metrics.actors_changed("session", -1);
    }
}

/// Where the answer to one request goes.
pub(super) struct Answerer {
    pub(super) core: Arc<Core>,
    pub(super) id: u64,
    /// Of the request, from its frame to its answer.
    pub(super) span: Span,
    asker: Asker,
}

/// Who waits for an answer.
enum Asker {
    Client { link: Arc<Link>, op: Arc<OpMetrics>, asked: Duration, _permit: OwnedSemaphorePermit },
    Host(Reply<ByteString>),
}

impl Answerer {
    pub(super) fn of_host(core: Arc<Core>, reply: Reply<ByteString>) -> Self {
        Self { core, id: 0, span: trace::host(), asker: Asker::Host(reply) }
    }

    pub(super) fn frame(self, frame: ByteString) {
        self.count(Outcome::Done);
        match self.asker {
            Asker::Client { link, .. } => {
                let _queued_or_closed = link.outbox.push(frame);
            }
            Asker::Host(reply) => answer(reply, Ok(frame)),
        }
    }

    pub(super) fn refuse(self, refusal: &Refusal) {
        self.count(if refusal.is_temporary() { Outcome::Busy } else { Outcome::Refused });
        self.core.metrics.refused(code_of(refusal));
        self.span.record("code", code_of(refusal));
        match self.asker {
            Asker::Client { link, .. } => {
                let _queued_or_closed = link.outbox.push(encode_error(Some(self.id), refusal));
            }
            Asker::Host(reply) => answer(reply, Err(refusal.clone())),
        }
    }

    fn count(&self, outcome: Outcome) {
        if let Asker::Client { op, asked, .. } = &self.asker {
            op.answered(outcome, self.core.clock.elapsed().saturating_sub(*asked).as_secs_f64());
        }
    }

    /// Answers when the asked owner has answered, with what `encode` makes of it.
    pub(super) fn later<T: 'static>(
        self,
        asked: Result<oneshot::Receiver<Result<T, Refusal>>, Refusal>,
        encode: impl FnOnce(u64, T) -> ByteString + 'static,
    ) {
        match asked {
            Err(refusal) => self.refuse(&refusal),
            // A task of its own, not the actor's: an actor with many answers outstanding would poll them all each time.
            Ok(asked) => {
                actix::spawn(async move {
                    match answered(asked).await {
                        Ok(value) => {
                            let frame = encode(self.id, value);
                            self.frame(frame);
                        }
                        Err(refusal) => self.refuse(&refusal),
                    }
                });
            }
        }
    }
}

impl Handler<Inbound> for Session {
    type Result = ();

    fn handle(&mut self, inbound: Inbound, ctx: &mut Context<Self>) {
        let asked = self.core.clock.elapsed();
        self.link.heard(asked);
        if self.link.outbox.is_closed() {
            return;
        }
        let request = match decode(&inbound.frame, &self.core.config().limits) {
            Ok(request) => request,
            Err(malformed) => return self.count_malformed(&malformed.refusal),
        };
        // Only names that are operations: what clients make up would fill the memory.
        let name = if request.op.is_ok() { &*request.name } else { "invalid" };
        let op = self.core.metrics.op(name);
        let span = trace::request(name, &self.link, request.id);
        let asker = Asker::Client { link: self.link.clone(), op, asked, _permit: inbound.permit };
        let answerer = Answerer { core: self.core.clone(), id: request.id, span: span.clone(), asker };
        let _in_request = span.entered();
        match (request.op, &self.phase) {
            (Err(refusal), Phase::In(_)) => answerer.refuse(&refusal),
            (Err(refusal), Phase::Greeting) if request.is_login => answerer.refuse(&refusal),
            (Ok(Op::Ping), _) => {
                let result = serde_json::json!({"serverTime": self.core.clock.wall_ms()});
                let frame = encode_reply(answerer.id, &result);
                answerer.frame(frame);
            }
            (Ok(Op::Login(login)), Phase::Greeting) => self.login(login, answerer, ctx),
            (Ok(Op::Login(_)), _) => answerer.refuse(&Refusal::AlreadyLoggedIn),
            (_, Phase::Greeting) => answerer.refuse(&Refusal::NotLoggedIn),
            (Ok(Op::Logout), Phase::In(_)) => self.logout(answerer),
            (Ok(Op::RenewToken { token }), Phase::In(profile)) => self.renew(token, profile.get().id.clone(), answerer),
            (Ok(Op::RenewMediaToken), Phase::In(profile)) => {
                let (token, seconds) = url_token(&self.core, &profile.get().id, self.link.token_expires_at());
                let frame = encode_reply(answerer.id, &serde_json::json!({"mediaToken": token, "mediaTokenSeconds": seconds}));
                answerer.frame(frame);
            }
            (Ok(Op::Work(work)), Phase::In(profile)) => match self.core.accepting() {
                Ok(()) => match self.charge(&work, &profile.get().id) {
                    Ok(()) => self.dispatch(work, &profile.get(), answerer),
                    Err(refusal) => answerer.refuse(&refusal),
                },
                Err(refusal) => answerer.refuse(&refusal),
            },
        }
    }
}

impl Session {
    fn count_malformed(&mut self, refusal: &Refusal) {
        self.core.metrics.refused(code_of(refusal));
        self.malformed += 1;
        let _queued_or_closed = self.link.outbox.push(encode_error(None, refusal));
        if self.malformed >= self.core.config().server.malformed_frames_max {
            self.link.close(CloseCode::Malformed);
        }
    }

    /// Charges what is written down beside messages; those are charged by their conversation's owner.
    fn charge(&self, work: &Work, user: &UserId) -> Result<(), Refusal> {
        if work.keeps_more() {
            self.core.disk.room()?;
        }
        if !work.writes() {
            return Ok(());
        }
        self.core.gate.check(user, Class::Change).map_err(|retry| Refusal::RateLimited { retry_after_ms: retry.ms })
    }

    fn login(&mut self, login: Login, answerer: Answerer, ctx: &mut Context<Self>) {
        if let Err(refusal) = self.core.accepting() {
            return answerer.refuse(&refusal);
        }
        let (core, link, request) = (self.core.clone(), self.link.clone(), answerer.id);
        let enter = async move {
            let claim = LoginRequest { user: login.user.clone(), token: login.token };
            let recognised = core.authenticator.authenticate(claim).await?;
            if core.is_system(&login.user) {
                return Err(Refusal::TokenInvalid);
            }
            link.token_expires(recognised.expires_at_ms);
            let (reply, outcome) = oneshot::channel();
            let device = login.device.unwrap_or_else(|| DeviceId::trusted(&format!("auto-{:x}", link.number)));
            let ask = UserLogin {
                link,
                device,
                variant: Variant::of(login.version),
                name: login.name,
                resume_from: login.resume_from,
                request,
                reply,
            };
            core.users.tell(&core, &login.user, ask)?;
            answered(outcome).await
        };
        // Waited for by the whole session: the client may hear of its success before this does, and what it sends
        // next must find the session logged in.
        ctx.wait(enter.into_actor(self).map(move |outcome, session, _| match outcome {
            Ok(profile) => {
                answerer.count(Outcome::Done);
                session.core.metrics.login(Outcome::Done);
                session.core.metrics.sessions_changed(1);
                session.phase = Phase::In(profile);
            }
            Err(refusal) => {
                session.link.token_expires(u64::MAX);
                session.core.metrics.login(if refusal.is_temporary() { Outcome::Busy } else { Outcome::Refused });
                answerer.refuse(&refusal);
            }
        }));
    }

    fn logout(&mut self, answerer: Answerer) {
        self.said_goodbye = true;
        let frame = encode_reply(answerer.id, &serde_json::json!({}));
        answerer.frame(frame);
        self.link.close(CloseCode::Logout);
    }

    fn renew(&self, token: String, user: crate::model::UserId, answerer: Answerer) {
        let (core, link) = (self.core.clone(), self.link.clone());
        let (reply, outcome) = oneshot::channel();
        let claim = LoginRequest { user, token: token.clone() };
        actix::spawn(async move {
            let recognised = core.authenticator.authenticate(claim).await;
            if let Ok(recognised) = &recognised {
                link.token_expires(recognised.expires_at_ms);
            }
            answer(reply, recognised);
        });
        answerer.later(Ok(outcome), move |id, _| encode_reply(id, &serde_json::json!({"token": token})));
    }

    /// Tells the user that this session is over, then stops.
    fn end(&mut self, profile: &UserProfile, ctx: &mut Context<Self>) {
        self.core.metrics.sessions_changed(-1);
        let (core, user) = (self.core.clone(), profile.id.clone());
        let ended = Ended { number: self.link.number, for_good: self.said_goodbye };
        let tell = async move { core.users.tell_surely(&core, &user, ended).await };
        ctx.spawn(tell.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Handler<Gone> for Session {
    type Result = ();

    fn handle(&mut self, _: Gone, ctx: &mut Context<Self>) {
        self.link.finish();
        self.core.end_link(&self.link);
        self.link.outbox.discard(1006, "connection lost");
        match std::mem::replace(&mut self.phase, Phase::Greeting) {
            Phase::In(profile) => self.end(&profile.get(), ctx),
            Phase::Greeting => ctx.stop(),
        }
    }
}
