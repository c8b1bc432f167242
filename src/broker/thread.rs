//! The thread the actors live on.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use actix::{ArbiterHandle, System};
use tokio::sync::watch;

/// The thread the actors live on. It stops when told to, or when the last handle is gone.
#[derive(Debug)]
pub(super) struct BrokerThread {
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl BrokerThread {
    pub(super) fn start() -> Result<(Self, ArbiterHandle), std::io::Error> {
        let (stop, mut stopping) = watch::channel(false);
        let (ending, ended) = watch::channel(false);
        let (handle, started) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("tidings-core".into()).spawn(move || {
            System::new().block_on(async move {
                if handle.send(System::current().arbiter().clone()).is_ok() {
                    // An error says that every handle on the broker is gone.
                    let _told_or_abandoned = stopping.wait_for(|stop| *stop).await.is_ok();
                }
            });
            ending.send_replace(true);
        })?;
        let arbiter = started.recv().map_err(std::io::Error::other)?;
        Ok((Self { stop, ended, thread: Mutex::new(Some(thread)) }, arbiter))
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the thread ended.
    pub(super) async fn stopped(&self) {
        // An error says that the sender, and so the thread, is gone.
        let _ended_or_gone = self.ended.clone().wait_for(|ended| *ended).await.is_ok();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the actors' thread ended in a panic");
        }
    }
}
