//! The signals that `tidings serve` hears.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Failure;

/// What a signal asks for.
pub(super) enum SignalAction {
    /// To end, and why.
    Stop(&'static str),
    /// To read the configuration again.
    Reload,
}

/// The signals that are heard, from the moment this is made.
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        let hear = |kind| signal(kind).map_err(anyhow::Error::from);
        Ok(Self {
            hangup: hear(SignalKind::hangup())?,
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) -> SignalAction {
        tokio::select! {
            _ = self.terminate.recv() => SignalAction::Stop("asked to terminate"),
            _ = self.interrupt.recv() => SignalAction::Stop("interrupted"),
            _ = self.hangup.recv() => SignalAction::Reload,
        }
    }
}
