//! The messages that a conversation's actor is sent.

use serde::{Deserialize, Serialize};
use tracing::Span;

use crate::actors::connection::ConnectionId;
use crate::actors::memory::MemoryShare;
use crate::actors::runtime::command::commands;
use crate::actors::runtime::reply::Reply;
use crate::actors::view::live::LiveMessage;
use crate::hooks::Origin;
use crate::model::{Content, Conversation, Draft, Target, UserId};
use crate::protocol::{Change, ClientLevel, MessageHandle, Outcome};

/// Where a request comes from, and which rules therefore apply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// A session: quotas and the moderator apply.
    Client(ConnectionId),
    /// The program around the broker, on behalf of a user: as if the user had asked.
    Host,
    /// The server API, on behalf of a user: no quota and no moderator, and it may change any message.
    Backend {
        /// Whether a room or group takes a message only from a user who is inside.
        must_be_inside: bool,
    },
    /// The broker itself, which posts in groups what happened there.
    Broker,
}

impl Source {
    /// Returns the connection the request came from, which needs not be told of it.
    pub(crate) fn connection(self) -> Option<ConnectionId> {
        if let Self::Client(connection) = self { Some(connection) } else { None }
    }

    /// Returns whether neither quotas nor the moderator apply.
    pub(crate) fn is_trusted(self) -> bool {
        matches!(self, Self::Backend { .. } | Self::Broker)
    }

    /// Returns whether it is the server API.
    pub(crate) fn is_backend(self) -> bool {
        matches!(self, Self::Backend { .. })
    }

    /// Returns whether a room or group takes a message only from who is inside.
    pub(crate) fn must_be_inside(self) -> bool {
        !matches!(self, Self::Backend { must_be_inside: false })
    }

    /// Returns the origin that a moderator is told.
    pub(crate) fn origin(self) -> Origin {
        if matches!(self, Self::Client(_)) { Origin::Client } else { Origin::Host }
    }
}

/// Sends a message to this conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Publish {
    pub(crate) sender: UserId,
    pub(crate) source: Source,
    pub(crate) target: Target,
    pub(crate) draft: Draft,
    /// Whether it was charged to the sender's quota where the sender is.
    pub(crate) is_charged: bool,
    /// What the sender asked for, when something else is kept in its place.
    #[serde(skip)]
    pub(crate) asked: Option<Content>,
    /// What of the draft was read into memory for it.
    #[serde(skip)]
    pub(crate) memory: Option<MemoryShare>,
    #[serde(skip)]
    pub(crate) reply: Reply<LiveMessage>,
    /// The span of the request.
    #[serde(skip, default = "Span::none")]
    pub(crate) span: Span,
}

impl Publish {
    pub(crate) fn new(sender: UserId, source: Source, target: Target, mut draft: Draft, reply: Reply<LiveMessage>, span: Span) -> Self {
        draft.content.options.server = source.is_backend();
        draft.content.options.unaware &= source.is_backend();
        Self { sender, source, target, draft, is_charged: false, asked: None, memory: None, reply, span }
    }
}

/// Changes one message in one way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Revise {
    pub(crate) by: UserId,
    pub(crate) source: Source,
    pub(crate) target: Target,
    pub(crate) message: MessageHandle,
    pub(crate) change: Change,
    /// The level of the client that is answered.
    pub(crate) level: ClientLevel,
    #[serde(skip)]
    pub(crate) reply: Reply<Outcome>,
}

/// Says that a user has read messages.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Confirm {
    pub(crate) by: UserId,
    pub(crate) source: Source,
    pub(crate) messages: Vec<MessageHandle>,
    /// The ids of those that take no receipt from this user.
    #[serde(skip)]
    pub(crate) reply: Reply<Vec<String>>,
}

/// Asks whether a user may read here, and from which message on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Authorize {
    pub(crate) user: UserId,
    #[serde(skip)]
    pub(crate) reply: Reply<(Conversation, u64)>,
}

commands! {
    Publish => LiveMessage,
    Revise => Outcome,
    Confirm => Vec<String>,
    Authorize => (Conversation, u64),
}
