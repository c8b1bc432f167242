//! What a host may decide instead of the broker: who someone is, and whether a message goes out.
//!
//! Hosts write plain `async fn`s; the broker keeps a boxed twin of each trait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::model::{Draft, Message, Refusal, RoomId, SessionId, Target, UserId};

/// What a connection says of itself when it logs in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoginRequest {
    /// Who it claims to be.
    pub user: UserId,
    /// The proof it offers.
    pub token: String,
}

/// Someone who was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// Until when, Unix milliseconds; the session ends then unless its token is renewed.
    pub expires_at_ms: u64,
}

/// Decides whether someone is who they say.
pub trait Authenticator: Send + Sync + 'static {
    /// Recognises a user or says why not.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`], [`Refusal::TokenExpired`], [`Refusal::TokenTooShort`] are the ones clients know.
    fn authenticate(&self, request: LoginRequest) -> impl Future<Output = Result<Recognised, Refusal>> + Send;
}

/// A message about to be accepted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReviewRequest {
    /// Who sends.
    pub sender: UserId,
    /// Where to.
    pub target: Target,
    /// What.
    pub draft: Draft,
}

/// A moderator's answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Verdict {
    /// It goes out.
    Accept,
    /// This goes out in its place; its kind must be the same class.
    Replace(Draft),
    /// The sender is told so.
    Reject(Refusal),
}

/// Looks at storable messages and commands before they get their place. Barrage is not reviewed (spec 6.3).
/// One conversation waits for its moderator message by message, so answer quickly.
pub trait Moderator: Send + Sync + 'static {
    /// Judges one message.
    fn review(&self, request: ReviewRequest) -> impl Future<Output = Verdict> + Send;
}

/// What happened, told after the fact.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A message was accepted; a storable one is on disk.
    MessageAccepted(Arc<Message>),
    /// A session logged in.
    SessionStarted {
        /// Whose.
        user: UserId,
        /// Which.
        session: SessionId,
    },
    /// A session ended.
    SessionEnded {
        /// Whose.
        user: UserId,
        /// Which.
        session: SessionId,
    },
    /// A room began its life.
    RoomCreated(RoomId),
    /// A room ended, and its history with it.
    RoomDestroyed(RoomId),
    /// The listener was too slow: so many events are missing here.
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// Hears every [`Event`]. Called from one task of its own; blocking it delays only what it hears next.
pub trait EventSink: Send + Sync + 'static {
    /// Something happened.
    fn on_event(&self, event: &Event);
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(crate) trait DynAuthenticator: Send + Sync + 'static {
    fn authenticate(&self, request: LoginRequest) -> Boxed<'_, Result<Recognised, Refusal>>;
}

impl<A: Authenticator> DynAuthenticator for A {
    fn authenticate(&self, request: LoginRequest) -> Boxed<'_, Result<Recognised, Refusal>> {
        Box::pin(Authenticator::authenticate(self, request))
    }
}

pub(crate) trait DynModerator: Send + Sync + 'static {
    fn review(&self, request: ReviewRequest) -> Boxed<'_, Verdict>;
}

impl<M: Moderator> DynModerator for M {
    fn review(&self, request: ReviewRequest) -> Boxed<'_, Verdict> {
        Box::pin(Moderator::review(self, request))
    }
}
