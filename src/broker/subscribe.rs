//! A host's ear.

use tokio::sync::broadcast;

use crate::hooks::Event;

/// What happens from the moment of subscribing on. Bounded: who falls behind is told so by [`Event::Lagged`].
#[derive(Debug)]
pub struct Subscription {
    events: broadcast::Receiver<Event>,
}

impl Subscription {
    pub(super) fn new(events: broadcast::Receiver<Event>) -> Self {
        Self { events }
    }

    /// Waits for the next event; `None` when the broker is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Lagged { missed }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
