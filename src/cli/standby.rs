//! `tidings serve` with a store that several brokers share: stands by until this one may own it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidings::broker::postgres_options;
use tidings::clock::SystemClock;
use tidings::config::Config;
use tidings::http::{ActiveView, StandbyServer};
use tidings::store::{ActiveNode, OpenError, PostgresStore, Standby};
use tokio::task::spawn_blocking;

use super::failure::Failure;
use super::signals::{SignalAction, Signals};
use super::supervisor;

/// How long it waits before it says that it stands by: a store that nobody owns is taken at once.
const AT_ONCE: Duration = Duration::from_millis(500);
/// How often a broker that lost the store tries to reach the database.
const RETRY: Duration = Duration::from_secs(1);

/// Waits until this broker owns the store; none: it was asked to stop. `again`: it owned it before, and does not give up while the
/// database is away.
pub(super) async fn store(config: &Config, signals: &mut Signals, again: bool) -> Result<Option<PostgresStore>, Failure> {
    let standby = loop {
        let options = postgres_options(config);
        let joined = spawn_blocking(|| Standby::join(options, Arc::new(SystemClock::new()))).await.map_err(anyhow::Error::from)?;
        match joined {
            Ok(standby) => break standby,
            Err(error @ OpenError::Io { .. }) if again => tracing::warn!(%error, "the store cannot be reached, trying again"),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            action = signals.next() => if matches!(action, SignalAction::Stop(_)) { return Ok(None) },
            () = tokio::time::sleep(RETRY) => {}
        }
    };
    let (active, stop) = (ActiveView::default(), Arc::new(AtomicBool::new(false)));
    let (seen, stopped) = (active.clone(), stop.clone());
    let shares = !config.cluster.nats.is_empty();
    let mut taking = spawn_blocking(move || {
        let watch = move |owner: Option<&ActiveNode>| {
            seen.set(owner);
            !stopped.load(Ordering::Relaxed)
        };
        if shares { PostgresStore::share(standby, watch) } else { PostgresStore::take_over(standby, watch) }
    });
    let mut server = None;
    let taken = loop {
        tokio::select! {
            taken = &mut taking => break taken.map_err(anyhow::Error::from)?,
            () = tokio::time::sleep(AT_ONCE), if server.is_none() => {
                let standing = StandbyServer::start(config, &active).map_err(anyhow::Error::from)?;
                println!("standing by on {}", standing.address());
                tracing::info!(address = %standing.address(), "standing by: another broker owns the store");
                supervisor::standing_by();
                server = Some(standing);
            }
            action = signals.next() => match action {
                SignalAction::Stop(why) => {
                    tracing::info!("{why}");
                    stop.store(true, Ordering::Relaxed);
                }
                SignalAction::Reload => tracing::info!("nothing is reloaded while this broker stands by"),
            },
        }
    };
    if let Some(server) = server {
        server.stop().await;
    }
    match taken {
        Ok(store) => Ok(Some(store)),
        Err(OpenError::InUse { .. }) if stop.load(Ordering::Relaxed) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
