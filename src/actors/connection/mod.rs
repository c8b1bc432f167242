//! What everyone but the session actor needs to know of a connection: who it is, its outbox, its deadlines.

pub(crate) mod far;
pub(crate) mod feed;
pub(crate) mod last_seen;
pub(crate) mod outbox;
pub(crate) mod presence;
pub(crate) mod status;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use self::feed::ConversationFeed;
use self::outbox::Outbox;
use crate::actors::runtime::route::NodeId;
use crate::model::{DeviceId, SessionId, UserId};
use crate::protocol::{ClientLevel, CloseCode};

/// The socket below a connection, as far as it can be cut from outside.
pub(crate) trait Socket: fmt::Debug + Send + Sync + 'static {
    /// Ends both directions at once, whatever is queued.
    fn abort(&self);

    /// Hears that whoever is at its other end logged in.
    fn logged_in(&self) {}

    /// Returns the address of the client at its other end, as far as it is known.
    fn client(&self) -> Option<IpAddr> {
        None
    }
}

/// The user and device at the other end; known from login on.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) level: ClientLevel,
    /// By this the sessions of one user follow each other, whatever the clocks of their nodes say.
    pub(crate) since: u64,
    /// The queue in which conversations tell this user what happened.
    pub(crate) feed: Arc<ConversationFeed>,
}

/// Names a connection; unique in this process, and cheaper to compare than the session's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// One connection, shared by the socket's tasks, the session actor, the actors that deliver to it and the reaper.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) session: SessionId,
    pub(crate) outbox: Outbox,
    pub(crate) opened: Duration,
    /// How often the client is asked to ping.
    pub(crate) heartbeat: Duration,
    socket: Option<Box<dyn Socket>>,
    identity: OnceLock<Identity>,
    heard_ms: AtomicU64,
    token_expires_ms: AtomicU64,
    warned_of_ms: AtomicU64,
    finished: AtomicBool,
    live_from_commit: AtomicU64,
    /// The node it belongs to, when this stands in for it.
    node: Option<NodeId>,
}

impl Connection {
    pub(crate) fn new(id: ConnectionId, outbox: Outbox, socket: Option<Box<dyn Socket>>, now: Duration, heartbeat: Duration) -> Self {
        let connection = Self {
            id,
            session: SessionId::trusted(&format!("s{:x}", id.0)),
            outbox,
            opened: now,
            heartbeat,
            socket,
            identity: OnceLock::new(),
            heard_ms: AtomicU64::new(0),
            token_expires_ms: AtomicU64::new(u64::MAX),
            warned_of_ms: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            live_from_commit: AtomicU64::new(u64::MAX),
            node: None,
        };
        connection.touch(now);
        connection
    }

    /// Makes one that stands in for a connection of another node, which is logged in as `identity` says.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn stand_in(id: ConnectionId, node: NodeId, identity: Identity, outbox: Outbox) -> Self {
        // Which messages are live there is decided there.
        let live_from_commit = AtomicU64::new(0);
        let here = Self::new(id, outbox, None, Duration::ZERO, Duration::ZERO);
        Self { node: Some(node), identity: OnceLock::from(identity), live_from_commit, ..here }
    }

    /// Returns the node it belongs to; none: this one.
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.node
    }

    /// Returns who logged in; `None` before.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.get()
    }

    /// Fixes who logged in. Returns false when that was fixed before.
    pub(crate) fn identify(&self, identity: Identity) -> bool {
        let is_first = self.identity.set(identity).is_ok();
        if let (true, Some(socket)) = (is_first, &self.socket) {
            socket.logged_in();
        }
        is_first
    }

    /// Returns the address of the client, as far as it is known: for the log.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        self.socket.as_ref().and_then(|socket| socket.client())
    }

    /// Returns the level of this client. Before login nothing is delivered, so the newest does.
    pub(crate) fn level(&self) -> ClientLevel {
        self.identity().map_or(ClientLevel::Since2_15, |identity| identity.level)
    }

    /// Puts a message to everyone online into its outbox, if it is logged in and its client knows such; returns whether it is.
    pub(crate) fn push_broadcast(&self, frame: &ByteString) -> bool {
        let hears = self.identity().is_some_and(|identity| identity.level.knows_broadcasts());
        if hears {
            // Closed: the session is ending, and a broadcast is not kept for it.
            let _queued_or_closed = self.outbox.push(frame.clone());
        }
        hears
    }

    /// Notes that something came from the client.
    pub(crate) fn touch(&self, now: Duration) {
        self.heard_ms.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns for how long nothing came from the client.
    pub(crate) fn silent_for(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_millis(self.heard_ms.load(Ordering::Relaxed)))
    }

    /// Sets when the token ends, Unix milliseconds.
    pub(crate) fn token_expires(&self, at_ms: u64) {
        self.token_expires_ms.store(at_ms, Ordering::Relaxed);
    }

    /// Returns when the token ends, Unix milliseconds; `u64::MAX` before login.
    pub(crate) fn token_expires_at(&self) -> u64 {
        self.token_expires_ms.load(Ordering::Relaxed)
    }

    /// Returns whether the client still has to be warned of this expiry; true once per token.
    pub(crate) fn should_warn_of(&self, expires_ms: u64) -> bool {
        self.warned_of_ms.swap(expires_ms, Ordering::Relaxed) != expires_ms
    }

    /// Sets the commit after which stored messages are delivered live: earlier ones come by replay, or came before this
    /// session. Nothing stored is delivered live before this was called.
    pub(crate) fn set_live_from_commit(&self, commit: u64) {
        self.live_from_commit.store(commit, Ordering::Relaxed);
    }

    /// Returns what [`Connection::set_live_from_commit`] set.
    pub(crate) fn live_from_commit(&self) -> u64 {
        self.live_from_commit.load(Ordering::Relaxed)
    }

    /// Ends the session once what is queued has been read. The first reason wins.
    pub(crate) fn close(&self, code: CloseCode) {
        self.outbox.close(code.number(), code.label());
    }

    /// Notes that nothing more will be written: the close frame is out, or nobody reads.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// Returns whether [`Connection::finish`] was called.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Frees the socket, whatever state it is in.
    pub(crate) fn abort(&self) {
        if let Some(socket) = &self.socket {
            socket.abort();
        }
    }
}
