//! A bus within one process, for tests: it can be cut and lose.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use super::bus::{Bus, BusError};

type Subscribers = HashMap<String, Vec<mpsc::UnboundedSender<Bytes>>>;

/// Where the connections of one bus meet.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    subscribers: Mutex<Subscribers>,
    published: AtomicU64,
    /// Every so many payloads one is lost; 0: none.
    lose_every: AtomicU64,
}

impl Hub {
    /// Returns an empty bus.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Returns a connection to it.
    pub(crate) fn connect(self: &Arc<Self>) -> Arc<Loopback> {
        Arc::new(Loopback { hub: self.clone(), is_cut: AtomicBool::new(false) })
    }

    /// Loses one of so many payloads from now on; 0: none.
    pub(crate) fn lose_every(&self, count: u64) {
        self.lose_every.store(count, Ordering::Relaxed);
    }

    fn publish(&self, subject: &str, payload: &Bytes) {
        let lose_every = self.lose_every.load(Ordering::Relaxed);
        let number = self.published.fetch_add(1, Ordering::Relaxed);
        if lose_every > 0 && number.is_multiple_of(lose_every) {
            return;
        }
        let mut all = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(some) = all.get_mut(subject) {
            some.retain(|subscriber| subscriber.send(payload.clone()).is_ok());
        }
    }
}

/// A connection to a [`Hub`].
#[derive(Debug)]
pub(crate) struct Loopback {
    hub: Arc<Hub>,
    is_cut: AtomicBool,
}

impl Loopback {
    /// Cuts the connection or mends it. What is published meanwhile is lost.
    pub(crate) fn set_cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }
}

impl Bus for Loopback {
    fn open(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(ready(Ok(())))
    }

    fn publish<'a>(&'a self, subject: &'a str, payload: Bytes) -> BoxFuture<'a, Result<(), BusError>> {
        if self.is_connected() {
            self.hub.publish(subject, &payload);
        }
        Box::pin(async {
            // As a real one: others get their turn.
            tokio::task::yield_now().await;
            Ok(())
        })
    }

    fn subscribe<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<BoxStream<'static, Bytes>, BusError>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.hub.subscribers.lock().unwrap_or_else(PoisonError::into_inner).entry(subject.to_owned()).or_default().push(sender);
        let incoming = futures_util::stream::unfold(receiver, |mut receiver| async move {
            let payload = receiver.recv().await?;
            Some((payload, receiver))
        });
        Box::pin(ready(Ok(incoming.boxed())))
    }

    fn is_connected(&self) -> bool {
        !self.is_cut.load(Ordering::Relaxed)
    }
}
