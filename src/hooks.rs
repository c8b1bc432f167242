//! What a host may decide instead of the broker: who someone is, and whether a message goes out.
//!
//! Hosts write plain `async fn`s; the broker keeps a boxed twin of each trait.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::model::{Attributes, Draft, FileUid, GroupId, MediaRecord, Message, Refusal, RoomAttribute, RoomId, SessionId, Target, UserId};

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
    /// [`Refusal::TokenInvalid`], [`Refusal::TokenExpired`], [`Refusal::TokenTooShort`], [`Refusal::TokenTooLong`] are the ones clients know.
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
    /// What. Of an edit: what it is to say from now on.
    pub draft: Draft,
    /// On whose behalf.
    pub origin: Origin,
    /// A message that is there already is to say this.
    pub edit: bool,
}

/// Where a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A user's client.
    Client,
    /// The host's own program, or its backend, in a user's name.
    Host,
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
    /// The sender sees success, nobody gets it, and nothing is kept: the sender's own answer holds the only copy, with
    /// an id and no `messageSeq`, and it is in no history. A retry of it is reviewed anew. Of an edit it is a rejection,
    /// because an edit that did not happen is seen by whoever looks.
    Silent,
}

/// Looks at storable messages and commands, and at edits, before they get their place. Barrage is not reviewed, as
/// with the vendor: it is gone before an answer could come.
///
/// The messages of one conversation are reviewed at the same time and get their places in the order in which they came;
/// so a slow answer holds back what came after it in that conversation, and nothing else.
pub trait Moderator: Send + Sync + 'static {
    /// Judges one message.
    fn review(&self, request: ReviewRequest) -> impl Future<Output = Verdict> + Send;
}

/// A video that was uploaded and is judged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VideoFile {
    /// Which.
    pub file: FileUid,
    /// Whose.
    pub owner: UserId,
    /// Its media type: `video/mp4` or `video/quicktime`.
    pub mime: String,
    /// Bytes.
    pub bytes: u64,
    /// Where its bytes lie until the answer is there.
    pub path: PathBuf,
}

/// Makes the picture that stands for a video until it plays. Programs in browsers upload one themselves, which takes the place of this one.
pub trait FirstFrames: Send + Sync + 'static {
    /// Returns an image of any kind that the broker takes, JPEG by preference; none: there is none. It is judged and written anew like
    /// one that a user uploads. The upload is answered after that, or after `media.first_frame_deadline_ms`.
    fn first_frame(&self, video: VideoFile) -> impl Future<Output = Option<Vec<u8>>> + Send;
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
    /// A user is inside who was not.
    RoomEntered {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
    },
    /// A member is not inside any more: it left, was put out, or stayed away for longer than `room.grace_seconds`. Not told
    /// of those who are inside when a room is destroyed.
    RoomLeft {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Put out by the host or its backend.
        kicked: bool,
    },
    /// A message that would have been stored was not accepted. At most a hundred a second are told to a backend.
    MessageRefused {
        /// As it would have been: its id, `seq` and order key are 0.
        message: Arc<Message>,
        /// Why.
        refusal: Refusal,
    },
    /// A message was taken back, and says so from now on.
    MessageRevoked {
        /// As it is now.
        message: Arc<Message>,
        /// By whom.
        by: UserId,
    },
    /// A message says something else from now on.
    MessageEdited {
        /// As it is now.
        message: Arc<Message>,
        /// By whom.
        by: UserId,
    },
    /// A group began.
    GroupCreated {
        /// Which.
        group: GroupId,
        /// Its owner.
        owner: UserId,
        /// Its first members, the owner among them.
        users: Vec<UserId>,
    },
    /// Users became members.
    GroupJoined {
        /// Where.
        group: GroupId,
        /// Who.
        users: Vec<UserId>,
        /// Who brought them in; one of them, if by itself.
        by: UserId,
    },
    /// A member left by itself.
    GroupLeft {
        /// Where.
        group: GroupId,
        /// Who.
        user: UserId,
    },
    /// Members were put out.
    GroupKicked {
        /// Where.
        group: GroupId,
        /// Who.
        users: Vec<UserId>,
        /// By whom.
        by: UserId,
    },
    /// A group ended.
    GroupDismissed {
        /// Which.
        group: GroupId,
        /// By whom.
        by: UserId,
    },
    /// The listener was too slow: so many events are missing here.
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// What the vendor's callbacks say of an event beyond the event itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum EventDetails {
    /// The event says it all.
    #[default]
    Nothing,
    /// Of a room that began.
    RoomCreated {
        /// Who made it.
        by: UserId,
        /// Its name.
        name: String,
        /// What it began with.
        attributes: BTreeMap<String, RoomAttribute>,
    },
    /// Of a member that is not inside any more.
    RoomLeft {
        /// Who put it out; itself, if nobody did.
        by: UserId,
    },
    /// Of a room that ended.
    RoomDestroyed {
        /// Who ended it; nobody, if it had stood empty for its time.
        by: Option<UserId>,
        /// Who was inside.
        users: Vec<UserId>,
    },
    /// Of a group that began.
    GroupCreated {
        /// Its name.
        name: String,
        /// What it began with.
        attributes: Attributes,
    },
    /// Of a group that ended.
    GroupDismissed {
        /// Its owner.
        owner: UserId,
        /// Its members.
        users: Vec<UserId>,
    },
    /// Of a session that began or ended.
    Session(SessionDetails),
}

/// What the vendor's callbacks say of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionDetails {
    /// Its user's name.
    pub(crate) name: String,
    /// When it began, Unix milliseconds.
    pub(crate) began_ms: u64,
    /// Whether it goes on where an earlier one of the same client stopped.
    pub(crate) is_back: bool,
    /// How it ended; none while it runs.
    pub(crate) end: Option<SessionEnd>,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    /// The client logged out.
    LoggedOut,
    /// Another device of its user took its place.
    Replaced,
    /// Its connection was lost, or was cut.
    Lost,
}

/// Hears every [`Event`]. Called from one task of its own; blocking it delays only what it hears next.
pub trait EventSink: Send + Sync + 'static {
    /// Something happened.
    fn on_event(&self, event: &Event);
}

/// Takes every event, and may not lose one without counting it. Called on threads that must not wait: the actors' and
/// the store's.
pub(crate) trait EventExporter: Send + Sync + 'static {
    /// Something happened. `commit`: of a stored message the commit that made it durable, in the order of commits; else 0.
    fn put(&self, event: Event, details: EventDetails, commit: u64);
    /// Nothing more should happen that can be refused.
    fn is_full(&self) -> bool;
    /// Returns the commit before the earliest that was put and is not written down yet; none: nothing waits.
    fn held_at(&self) -> Option<u64>;
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

pub(crate) trait DynFirstFrames: Send + Sync + 'static {
    fn first_frame(&self, video: VideoFile) -> Boxed<'_, Option<Vec<u8>>>;
}

impl<F: FirstFrames> DynFirstFrames for F {
    fn first_frame(&self, video: VideoFile) -> Boxed<'_, Option<Vec<u8>>> {
        Box::pin(FirstFrames::first_frame(self, video))
    }
}

/// Asks a backend for the first picture of a video that is kept, by a path below the broker's address under which it may read it.
pub(crate) trait FirstFrameBackend: Send + Sync + 'static {
    fn first_frame<'a>(&'a self, video: &'a MediaRecord, path: String) -> Boxed<'a, Option<Vec<u8>>>;
}

/// Two moderators, one after the other.
pub(crate) struct ChainedModerator {
    /// Asked first.
    pub(crate) first: Arc<dyn DynModerator>,
    /// Shown what the first made of the message, unless that was its end.
    pub(crate) second: Arc<dyn DynModerator>,
}

impl Moderator for ChainedModerator {
    async fn review(&self, request: ReviewRequest) -> Verdict {
        match self.first.review(request.clone()).await {
            Verdict::Accept => self.second.review(request).await,
            Verdict::Replace(draft) => match self.second.review(ReviewRequest { draft: draft.clone(), ..request }).await {
                Verdict::Accept => Verdict::Replace(draft),
                other => other,
            },
            end @ (Verdict::Reject(_) | Verdict::Silent) => end,
        }
    }
}
