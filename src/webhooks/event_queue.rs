//! The way in: from the threads where things happen to the one that writes them down.
//!
//! In memory, and bounded: while it is half full, storable messages and commands are refused (temporarily, as when the
//! store is behind), so that nothing that can be refused is lost; the other half is for what cannot be refused because it
//! has happened. What even that does not hold is counted and logged.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::body::name_of;
use crate::clock::Clock;
use crate::hooks::{Event, EventDetails, EventExporter};
use crate::metrics::{Metrics, WebhookOutcome};

/// Events from which on sends are refused: more than what may be under way in the store (`actors.appends_in_flight_max`) at
/// its default, so that a full queue means a disk that does not keep up.
const REFUSE_FROM: usize = 16_384;

/// Events at most. The upper half is for what was under way when it filled, and for what is no message.
const EVENTS_MAX: usize = 2 * REFUSE_FROM;

/// Refused messages that are told within a second: a client may have as many refused as it can send frames.
const REFUSED_PER_SECOND_MAX: u32 = 100;

/// One event as it came in.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) event: Event,
    pub(super) details: EventDetails,
    /// Of a stored message.
    pub(super) commit: u64,
    pub(super) at_ms: u64,
}

/// What came in and is not written down.
#[derive(Debug, Default)]
struct Unwritten {
    waiting: VecDeque<Incoming>,
    /// The least commit among what was taken out since the last write.
    taken_from: Option<u64>,
}

fn least_commit<'a>(events: impl IntoIterator<Item = &'a Incoming>) -> Option<u64> {
    events.into_iter().map(|incoming| incoming.commit).filter(|commit| *commit > 0).min()
}

/// See the module's documentation.
pub(super) struct EventQueue {
    selected: Vec<String>,
    queue: Mutex<Unwritten>,
    refusing: AtomicBool,
    wake: Notify,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    overflowing: AtomicBool,
    /// A second, and how many refused messages were told in it.
    refused: Mutex<(u64, u32)>,
}

impl EventQueue {
    pub(super) fn new(selected: Vec<String>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self {
            selected,
            queue: Mutex::default(),
            refusing: false.into(),
            wake: Notify::new(),
            clock,
            metrics,
            overflowing: false.into(),
            refused: Mutex::default(),
        }
    }

    /// Takes one refused message of what may be told in this second; while sends are refused for want of room, none.
    fn may_tell_refused(&self, at_ms: u64) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.0 != at_ms / 1000 {
            *refused = (at_ms / 1000, 0);
        }
        refused.1 += 1;
        refused.1 <= REFUSED_PER_SECOND_MAX && !self.is_full()
    }

    fn queue(&self) -> MutexGuard<'_, Unwritten> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something came in since the last call.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Takes out what came first, at most `count`.
    pub(super) fn take(&self, count: usize) -> Vec<Incoming> {
        let mut queue = self.queue();
        let some = count.min(queue.waiting.len());
        let taken: Vec<Incoming> = queue.waiting.drain(..some).collect();
        queue.taken_from = queue.taken_from.into_iter().chain(least_commit(&taken)).min();
        if queue.waiting.len() < REFUSE_FROM {
            self.refusing.store(false, Ordering::Relaxed);
        }
        taken
    }

    /// Notes that all that was taken out is written down.
    pub(super) fn written(&self) {
        self.queue().taken_from = None;
    }

    /// Returns how many events wait.
    pub(super) fn len(&self) -> usize {
        self.queue().waiting.len()
    }
}

impl EventExporter for EventQueue {
    fn put(&self, event: Event, details: EventDetails, commit: u64) {
        if !name_of(&event).is_some_and(|name| self.selected.iter().any(|selected| selected == name)) {
            return;
        }
        let at_ms = self.clock.wall_ms();
        if matches!(event, Event::MessageRefused { .. }) && !self.may_tell_refused(at_ms) {
            return self.metrics.count_webhook(WebhookOutcome::Dropped);
        }
        let mut queue = self.queue();
        if queue.waiting.len() >= EVENTS_MAX {
            drop(queue);
            self.metrics.count_webhook(WebhookOutcome::Dropped);
            if !self.overflowing.swap(true, Ordering::Relaxed) {
                tracing::error!(events_max = EVENTS_MAX, "the webhook queue does not keep up; events are dropped");
            }
            return;
        }
        queue.waiting.push_back(Incoming { event, details, commit, at_ms });
        let refuses = queue.waiting.len() >= REFUSE_FROM;
        drop(queue);
        self.overflowing.store(false, Ordering::Relaxed);
        if refuses {
            self.refusing.store(true, Ordering::Relaxed);
        }
        self.wake.notify_one();
    }

    fn is_full(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    fn held_at(&self) -> Option<u64> {
        let queue = self.queue();
        let earliest = queue.taken_from.into_iter().chain(least_commit(&queue.waiting)).min();
        earliest.map(|commit| commit.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::model::{Conversation, Draft, Refusal, RoomId, UserId};

    #[test]
    fn it_asks_for_refusals_at_half_and_counts_what_is_too_much() {
        let metrics = Arc::new(Metrics::new());
        let event_queue = EventQueue::new(vec!["room.created".into()], Arc::new(ManualClock::at(5)), metrics.clone());
        let created = || Event::RoomCreated(RoomId::trusted("r"));
        event_queue.put(Event::RoomDestroyed(RoomId::trusted("r")), EventDetails::Nothing, 0);
        assert_eq!(event_queue.len(), 0, "not selected");
        for _ in 1..REFUSE_FROM {
            event_queue.put(created(), EventDetails::Nothing, 0);
        }
        assert!(!event_queue.is_full());
        event_queue.put(created(), EventDetails::Nothing, 0);
        assert!(event_queue.is_full());
        for _ in 0..=REFUSE_FROM {
            event_queue.put(created(), EventDetails::Nothing, 0);
        }
        assert_eq!((event_queue.len(), metrics.webhook_total(WebhookOutcome::Dropped)), (EVENTS_MAX, 1));
        assert_eq!(event_queue.take(REFUSE_FROM).len(), REFUSE_FROM);
        assert!(event_queue.is_full());
        assert_eq!(event_queue.take(1)[0].at_ms, 5);
        assert!(!event_queue.is_full());
    }

    #[test]
    fn it_says_before_which_commit_all_is_written() {
        let event_queue = EventQueue::new(vec!["room.created".into()], Arc::new(ManualClock::at(5)), Arc::new(Metrics::new()));
        let put = |commit| event_queue.put(Event::RoomCreated(RoomId::trusted("r")), EventDetails::Nothing, commit);
        put(0);
        assert_eq!(event_queue.held_at(), None, "no message");
        // What is delivered again has an earlier commit than what came before.
        [9, 4, 12].into_iter().for_each(put);
        assert_eq!(event_queue.held_at(), Some(3));
        assert_eq!(event_queue.take(3).len(), 3);
        assert_eq!(event_queue.held_at(), Some(3), "taken is not written");
        event_queue.written();
        assert_eq!(event_queue.held_at(), Some(11));
        event_queue.take(1);
        event_queue.written();
        assert_eq!(event_queue.held_at(), None);
    }

    #[test]
    fn a_hundred_refused_messages_are_told_a_second_and_not_one_more() {
        let (metrics, clock) = (Arc::new(Metrics::new()), Arc::new(ManualClock::at(5_000)));
        let event_queue = EventQueue::new(vec!["message.refused".into()], clock.clone(), metrics.clone());
        let room = Conversation::Room(RoomId::trusted("r"), 0);
        let message = Arc::new(Draft::text("x").into_message(0, UserId::trusted("alice"), room, 0, 0));
        let refused = || Event::MessageRefused { message: message.clone(), refusal: Refusal::NotLoggedIn };
        for _ in 0..=REFUSED_PER_SECOND_MAX {
            event_queue.put(refused(), EventDetails::Nothing, 0);
        }
        assert_eq!((event_queue.len(), metrics.webhook_total(WebhookOutcome::Dropped)), (100, 1));
        clock.advance(std::time::Duration::from_secs(1));
        event_queue.put(refused(), EventDetails::Nothing, 0);
        assert_eq!(event_queue.len(), 101);
    }
}
