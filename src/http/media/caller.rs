//! Who asks, by the token that comes with the request; and whether it still may, while the request goes on.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use tokio::sync::watch;

use crate::actors::context::BrokerContext;
use crate::actors::files::standing::Proof;
use crate::broker::Broker;
use crate::http::bearer::bearer;
use crate::http::socket::tracked::TrackedSocket;
use crate::model::{Refusal, UserId};

/// How often the end of a token is looked for while a request waits.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Who asks.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) user: UserId,
    expires_at_ms: u64,
    proof: Proof,
    /// Who was put out, as of the last check.
    seen: u64,
    changes: watch::Receiver<u64>,
}

impl Caller {
    /// Returns the user of `Authorization: Bearer`: a user's token, or the one that the session was given for files.
    ///
    /// # Errors
    /// [`Refusal::NotLoggedIn`] without one, [`Refusal::TokenInvalid`], [`Refusal::TokenExpired`], [`Refusal::Banned`].
    pub(super) async fn of_header(broker: &Broker, request: &HttpRequest) -> Result<Self, Refusal> {
        let given = request.headers().get(header::AUTHORIZATION).ok_or(Refusal::NotLoggedIn)?;
        let token = given.to_str().ok().and_then(bearer).ok_or(Refusal::TokenInvalid)?;
        let limits = &broker.config().limits;
        let of_files = broker.context.media.tokens.identify(token, limits);
        let (user, expires_at_ms, proof) = match (of_files, &broker.tokens) {
            // Not one of ours for files: perhaps one of the user's.
            (Err(Refusal::TokenInvalid), Some(tokens)) => {
                let claims = tokens.identify(token, limits)?;
                (claims.user, claims.expires_at_ms, Proof::OfUser)
            }
            (outcome, _) => {
                let claims = outcome?;
                (claims.user.clone(), claims.expires_at_ms, Proof::OfSession(claims))
            }
        };
        Self::admit(broker, request, user, expires_at_ms, proof).await
    }

    /// Returns the user of the URL's `token`, or of the header where there is none.
    ///
    /// # Errors
    /// As [`Caller::of_header`].
    pub(super) async fn of_url(broker: &Broker, request: &HttpRequest, token: Option<&str>) -> Result<Self, Refusal> {
        let Some(token) = token else { return Self::of_header(broker, request).await };
        let claims = broker.context.media.tokens.identify(token, &broker.config().limits)?;
        Self::admit(broker, request, claims.user.clone(), claims.expires_at_ms, Proof::OfSession(claims)).await
    }

    async fn admit(broker: &Broker, request: &HttpRequest, user: UserId, expires_at_ms: u64, proof: Proof) -> Result<Self, Refusal> {
        let changes = broker.context.media.standing.changes();
        let seen = *changes.borrow();
        let caller = Self { user, expires_at_ms, proof, seen, changes };
        caller.check(&broker.context).await?;
        if let Some(connection) = request.conn_data::<TrackedSocket>() {
            connection.mark_authenticated();
        }
        Ok(caller)
    }

    /// Looks at everything that may have ended the right of this user.
    async fn check(&self, context: &BrokerContext) -> Result<(), Refusal> {
        let now_ms = context.clock.wall_ms();
        if self.expires_at_ms <= now_ms {
            return Err(Refusal::TokenExpired);
        }
        // Before the row is read: a ban is in it by the time its user is put out.
        let standing = context.media.standing.check(&self.user, &self.proof);
        let user = self.user.clone();
        let profile = context.archive.read(move |store| store.user(&user)).await?;
        // Who is banned is told so, and not that its token is bad.
        match profile.and_then(|profile| profile.ban) {
            Some(ban) if ban.holds(now_ms) => Err(Refusal::Banned(self.user.to_string())),
            _ => standing,
        }
    }

    /// Returns whether the user still may. Cheap, unless somebody was put out since it was asked last.
    ///
    /// # Errors
    /// As [`Caller::of_header`].
    pub(super) async fn still_may(&mut self, context: &BrokerContext) -> Result<(), Refusal> {
        if self.expires_at_ms <= context.clock.wall_ms() {
            return Err(Refusal::TokenExpired);
        }
        let now = *self.changes.borrow();
        if now != self.seen {
            self.check(context).await?;
            self.seen = now;
        }
        Ok(())
    }

    /// Completes when the user no longer may.
    pub(super) async fn put_out(&mut self, context: &Arc<BrokerContext>) -> Refusal {
        loop {
            if let Err(refusal) = self.still_may(context).await {
                return refusal;
            }
            let seen = self.seen;
            let _changed_or_time = tokio::time::timeout(LOOK_EVERY, self.changes.wait_for(|now| *now != seen)).await;
        }
    }
}
