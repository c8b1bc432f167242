//! The feed of a user: what its conversations tell its actor, in a bounded queue beside the mailbox.
//!
//! A group of thousands tells each member that is online of every batch; that is one push here, shared, and at most one
//! wake-up per turn of the user's actor. When the queue is full, its items are dropped and the user reads its list from
//! the store again: late, never wrong.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};

use crate::model::{Conversation, Message, UserProfile};

/// What happened in a conversation of the user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FeedItem {
    /// Stored messages, in order.
    Messages(Conversation, Vec<Arc<Message>>),
    /// Stored messages were changed, or the first message the user sees: it must be read again.
    Changed(Conversation),
    /// The other side of a peer conversation has another name or picture.
    Renamed(Conversation, UserProfile),
}

/// The items that were taken out of a feed.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) items: Vec<Arc<FeedItem>>,
    /// Whether some were dropped.
    pub(crate) lost: bool,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Arc<FeedItem>>,
    lost: bool,
    waker: Option<Waker>,
}

/// The way to the feed of a user at another node.
pub(crate) trait FarFeed: fmt::Debug + Send + Sync {
    /// Puts an item on its way.
    fn push(&self, item: &Arc<FeedItem>);
}

/// One user's queue.
#[derive(Debug)]
pub(crate) struct ConversationFeed {
    state: Mutex<State>,
    items_max: usize,
    /// Set when this stands in for one of another node.
    far: Option<Box<dyn FarFeed>>,
}

impl ConversationFeed {
    pub(crate) fn new(items_max: usize) -> Self {
        Self { state: Mutex::default(), items_max, far: None }
    }

    /// Makes one that stands in for that of a user at another node.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn far(far: Box<dyn FarFeed>) -> Self {
        Self { far: Some(far), ..Self::new(0) }
    }

    /// Adds an item; never blocks, never fails.
    pub(crate) fn push(&self, items: Arc<FeedItem>) {
        if let Some(far) = &self.far {
            return far.push(&items);
        }
        let waker = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.queue.len() >= self.items_max {
                state.queue.clear();
                state.lost = true;
            }
            state.queue.push_back(items);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes out what is there.
    pub(crate) fn take(&self) -> Taken {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Taken { items: state.queue.drain(..).collect(), lost: std::mem::take(&mut state.lost) }
    }

    /// Takes everything out; pending while there is nothing.
    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Taken>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.queue.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(Taken { items: state.queue.drain(..).collect(), lost: std::mem::take(&mut state.lost) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GroupId;

    #[test]
    fn a_full_queue_says_that_it_lost_something_and_goes_on() {
        let feed = ConversationFeed::new(3);
        let items = || Arc::new(FeedItem::Changed(Conversation::Group(GroupId::trusted("g"))));
        let cx = Context::from_waker(Waker::noop());
        assert!(feed.poll_take(&cx).is_pending());
        (0..3).for_each(|_| feed.push(items()));
        let Poll::Ready(Some(taken)) = feed.poll_take(&cx) else { panic!("there is news") };
        assert_eq!((taken.items.len(), taken.lost), (3, false));
        (0..4).for_each(|_| feed.push(items()));
        let Poll::Ready(Some(taken)) = feed.poll_take(&cx) else { panic!("there is news") };
        assert_eq!((taken.items.len(), taken.lost), (1, true));
        assert!(feed.poll_take(&cx).is_pending());
    }
}
