//! What conversations tell a user actor about itself: a bounded queue beside its mailbox.
//!
//! A group of thousands tells each member that is online of every batch; that is one push here, shared, and at most
//! one wake-up per turn of the user's. When the queue is full the news are dropped and the user reads its list from
//! the store again: late, never wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::model::{Conversation, Message, UserProfile};

/// What happened in a conversation of the user's.
#[derive(Debug)]
pub(crate) enum News {
    /// Stored messages, in order.
    Messages(Conversation, Vec<Arc<Message>>),
    /// Stored messages were changed, or how far the user sees: look again.
    Changed(Conversation),
    /// The other side of a peer conversation has another name or picture.
    Renamed(Conversation, UserProfile),
}

/// What was taken out.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) news: Vec<Arc<News>>,
    /// Some were dropped.
    pub(crate) lost: bool,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Arc<News>>,
    lost: bool,
    waker: Option<Waker>,
}

/// One user's queue.
#[derive(Debug)]
pub(crate) struct Notices {
    state: Mutex<State>,
    news_max: usize,
}

impl Notices {
    pub(crate) fn new(news_max: usize) -> Self {
        Self { state: Mutex::default(), news_max }
    }

    /// Adds news; never blocks, never fails.
    pub(crate) fn push(&self, news: Arc<News>) {
        let waker = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.queue.len() >= self.news_max {
                state.queue.clear();
                state.lost = true;
            }
            state.queue.push_back(news);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes out what is there.
    pub(crate) fn take(&self) -> Taken {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Taken { news: state.queue.drain(..).collect(), lost: std::mem::take(&mut state.lost) }
    }

    /// Takes everything out; pending while there is nothing.
    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Taken>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.queue.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(Taken { news: state.queue.drain(..).collect(), lost: std::mem::take(&mut state.lost) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GroupId;

    #[test]
    fn a_full_queue_says_that_it_lost_something_and_goes_on() {
        let notices = Notices::new(3);
        let news = || Arc::new(News::Changed(Conversation::Group(GroupId::trusted("g"))));
        let cx = Context::from_waker(Waker::noop());
        assert!(notices.poll_take(&cx).is_pending());
        (0..3).for_each(|_| notices.push(news()));
        let Poll::Ready(Some(taken)) = notices.poll_take(&cx) else { panic!("there is news") };
        assert_eq!((taken.news.len(), taken.lost), (3, false));
        (0..4).for_each(|_| notices.push(news()));
        let Poll::Ready(Some(taken)) = notices.poll_take(&cx) else { panic!("there is news") };
        assert_eq!((taken.news.len(), taken.lost), (1, true));
        assert!(notices.poll_take(&cx).is_pending());
    }
}
