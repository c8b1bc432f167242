//! What systemd is told, when it started the program with `Type=notify-reload`. Without it nothing happens. Source: `sd_notify(3)`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sd_notify::NotifyState;
use tidings::Broker;
use tokio::task::JoinHandle;

/// The supervisor, as far as it listens.
pub(super) struct Supervisor {
    stopping: Arc<AtomicBool>,
    watchdog: Option<JoinHandle<()>>,
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the supervisor could not be told");
    }
}

/// The program is up, and another broker serves.
#[cfg(feature = "postgres")]
pub(super) fn standing_by() {
    tell(&[NotifyState::Ready, NotifyState::Status("standing by: another broker owns the store")]);
}

impl Supervisor {
    /// The broker serves. From now on the watchdog hears of it, as long as its actors take their turns. Call in a
    /// [`tokio::task::LocalSet`] or runtime.
    pub(super) fn ready(broker: &Broker) -> Self {
        tell(&[NotifyState::Ready]);
        let stopping = Arc::new(AtomicBool::new(false));
        let watchdog = sd_notify::watchdog_enabled().map(|patience| {
            let (broker, stopping) = (broker.clone(), stopping.clone());
            tokio::spawn(async move {
                loop {
                    // On the way down the actors end; how long that may take is another setting of the supervisor's.
                    if stopping.load(Ordering::Relaxed) || broker.is_alive(patience / 4).await {
                        tell(&[NotifyState::Watchdog]);
                    } else {
                        tracing::error!("the actors take no turns: the watchdog is not told that all is well");
                    }
                    tokio::time::sleep(patience / 4).await;
                }
            })
        });
        Self { stopping, watchdog }
    }

    /// The configuration is being read again.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the supervisor could not be told of the reload"),
        }
    }

    /// That is done, well or not.
    pub(super) fn reloaded(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The broker goes down.
    pub(super) fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        tell(&[NotifyState::Stopping]);
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.abort();
        }
    }
}
