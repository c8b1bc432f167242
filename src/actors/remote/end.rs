//! The way to the connections and feeds of one other node.
//!
//! A room of a thousand members at another node gives each of them the same frame: what is pushed is put together until the actors'
//! thread has a moment, and goes as one frame with the list of its connections. So it costs the link one copy.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytestring::ByteString;

use super::letter::Letter;
use crate::actors::connection::ConnectionId;
use crate::actors::connection::feed::{FarFeed, FeedItem};
use crate::actors::connection::outbox::{Dropped, FarOutbox, Lossy, Push};
use crate::actors::runtime::command;
use crate::actors::runtime::route::NodeId;
use crate::model::UserId;

/// So many frames are looked through for the same one: more than there are classes of readers in one fan-out.
const LOOK_BACK: usize = 16;

/// What sends letters to other nodes.
pub(super) trait Post: Send + Sync {
    /// Has a way flushed when the actors' thread has a moment; returns false when that has ended.
    fn flush_soon(&self, end: Arc<NodeEnd>) -> bool;
    /// Hands a letter to the link of a node.
    fn put(&self, node: NodeId, letter: &Letter);
    /// Hands a letter that may be dropped, with the messages that it carries, to the link of a node.
    fn put_lossy(&self, node: NodeId, class: Lossy, messages: u32, letter: Letter);
}

#[derive(Default)]
struct Pending {
    frames: Vec<(ByteString, bool, Vec<ConnectionId>)>,
    lossy: Vec<(ByteString, (Lossy, u32), Vec<ConnectionId>)>,
    items: Vec<(Arc<FeedItem>, Vec<UserId>)>,
    /// Whether a flush is under way to happen.
    scheduled: bool,
}

/// See the module's documentation.
pub(super) struct NodeEnd {
    pub(super) node: NodeId,
    post: Weak<dyn Post>,
    pending: Mutex<Pending>,
}

impl fmt::Debug for NodeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeEnd").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Puts one more receiver to a value that is pending, or the value with its first receiver.
fn gather<V, K: PartialEq, R>(pending: &mut Vec<(V, K, Vec<R>)>, value: V, kind: K, to: R, is_same: impl Fn(&V, &V) -> bool) {
    let same = pending.iter_mut().rev().take(LOOK_BACK).find(|(known, its_kind, _)| *its_kind == kind && is_same(known, &value));
    match same {
        Some((_, _, receivers)) => receivers.push(to),
        None => pending.push((value, kind, vec![to])),
    }
}

/// Returns whether two frames are one: the same bytes in memory.
fn is_same_frame(one: &ByteString, other: &ByteString) -> bool {
    one.len() == other.len() && std::ptr::eq(one.as_bytes().as_ptr(), other.as_bytes().as_ptr())
}

impl NodeEnd {
    pub(super) fn new(node: NodeId, post: Weak<dyn Post>) -> Arc<Self> {
        Arc::new(Self { node, post, pending: Mutex::default() })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has what is pending sent when the actors' thread has a moment.
    fn schedule(self: &Arc<Self>, mut pending: MutexGuard<'_, Pending>) {
        if std::mem::replace(&mut pending.scheduled, true) {
            return;
        }
        drop(pending);
        let end = self.clone();
        let spawned = self.post.upgrade().is_some_and(|post| post.flush_soon(end));
        if !spawned {
            tracing::debug!("nothing is sent to another node any more");
        }
    }

    /// Sends what is pending. In order: nothing else may go to this node while it is done.
    pub(super) fn flush(&self) {
        let Some(post) = self.post.upgrade() else { return };
        let mut pending = self.pending();
        pending.scheduled = false;
        for (text, stored, to) in pending.frames.drain(..) {
            post.put(self.node, &Letter::Frame { to, text, stored });
        }
        for (item, users) in pending.items.drain(..) {
            post.put(self.node, &Letter::Feed { users, item: command::encode(&*item) });
        }
        for (text, (class, messages), to) in pending.lossy.drain(..) {
            post.put_lossy(self.node, class, messages, Letter::LossyFrame { to, text, class, messages });
        }
    }

    /// Sends a letter behind what is pending.
    pub(super) fn send(&self, letter: &Letter) {
        self.flush();
        if let Some(post) = self.post.upgrade() {
            post.put(self.node, letter);
        }
    }
}

/// The way to one connection.
#[derive(Debug)]
pub(super) struct FarEnd {
    pub(super) end: Arc<NodeEnd>,
    pub(super) to: ConnectionId,
}

impl FarOutbox for FarEnd {
    fn push(&self, frame: ByteString, stored: bool) -> Push {
        let mut pending = self.end.pending();
        gather(&mut pending.frames, frame, stored, self.to, is_same_frame);
        self.end.schedule(pending);
        Push::Queued
    }

    fn push_lossy(&self, class: Lossy, frame: ByteString, messages: u32) -> (Push, Dropped) {
        let mut pending = self.end.pending();
        gather(&mut pending.lossy, frame, (class, messages), self.to, is_same_frame);
        self.end.schedule(pending);
        (Push::Queued, Dropped::default())
    }

    fn close(&self, code: u16) {
        self.end.send(&Letter::Close { connection: self.to, code });
    }
}

/// The way to one user's feed.
#[derive(Debug)]
pub(super) struct FarUser {
    pub(super) end: Arc<NodeEnd>,
    pub(super) user: UserId,
}

impl FarFeed for FarUser {
    fn push(&self, item: &Arc<FeedItem>) {
        let mut pending = self.end.pending();
        match pending.items.iter_mut().rev().take(LOOK_BACK).find(|(known, _)| Arc::ptr_eq(known, item)) {
            Some((_, users)) => users.push(self.user.clone()),
            None => pending.items.push((item.clone(), vec![self.user.clone()])),
        }
        self.end.schedule(pending);
    }
}
