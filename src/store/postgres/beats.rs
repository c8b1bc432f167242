//! The heartbeat: says that this process lives, and learns whether it is still taken to.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_postgres::Client;

use super::connect::{Database, innermost};
use super::ownership::{self, BEAT};
use super::shard_rows;
use super::state::State;
use crate::model::order_key::{EPOCH_MS, order_key_at};

/// How far beyond its stamps a process that shares the store may vouch until the next heartbeat: an heir's stamps begin above that.
/// Our choice: two beats, so that marks do not wait for them.
const AHEAD_MS: u64 = 1_000;

/// Beats until it is told to stop, or the store is lost.
pub(super) async fn beats(control: Client, database: Database, state: Arc<State>, boot: i64, mut stopped: oneshot::Receiver<()>) {
    let mut control = Some(control);
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        let client = match control.take() {
            Some(client) => Ok(client),
            None => database.connect_local().await,
        };
        match client {
            Ok(client) => match beat(&client, &state, boot).await {
                Ok(true) => control = Some(client),
                Ok(false) if state.is_letting_go() => return,
                Ok(false) => return state.lose(),
                Err(error) => tracing::warn!(error = innermost(&error), "a heartbeat failed"),
            },
            Err(error) => tracing::debug!(error = innermost(&error), "no heartbeat: the database is away"),
        }
    }
}

/// Says that this process lives, and takes the database's time; returns whether the store is still its own.
pub(super) async fn beat(control: &Client, state: &State, boot: i64) -> Result<bool, tokio_postgres::Error> {
    let asked = state.clock.elapsed();
    let database_ms = match &state.own {
        Some(own) => {
            let mark_max = state.stamps.last().max(order_key_at(state.stamps.now_ms())).saturating_add(order_key_at(EPOCH_MS + AHEAD_MS));
            let beat = shard_rows::beat(control, boot, own.delivered(), mark_max).await?;
            // Only what an heir will see is promised.
            own.promise(beat.map_or(0, |_| mark_max));
            beat
        }
        None => {
            let beat = ownership::beat(control, boot, state.progress.last_commit()).await?;
            beat.owns_all.then_some(beat.database_ms)
        }
    };
    state.documents.refresh(control).await?;
    if let Some(database_ms) = database_ms {
        state.stamps.take_sample(database_ms, asked);
    }
    Ok(database_ms.is_some())
}
