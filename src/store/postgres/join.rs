//! Opening a store that several processes write at a time.

use std::sync::Arc;

use tokio_postgres::Client;

use super::connect::innermost;
use super::options::PostgresOptions;
use super::ownership::{self, Owner, POLL, Watch};
use super::shard_rows::{self, SlotTaken};
use super::standby::{ActiveNode, Standby, active, in_use, looks_within};
use super::wait::wait_to_open;
use super::{PostgresStore, Start};
use crate::clock::Clock;
use crate::store::error::OpenError;

impl PostgresStore {
    /// Opens the store, or makes one, together with others: it holds a slot and owns no shard yet, see
    /// [`SharedShards`](crate::store::SharedShards). Waits a while for a process to let go that has the store to itself. Blocks.
    ///
    /// # Errors
    /// Those of [`Standby::join`], and [`OpenError::InUse`]: a process has the store to itself and lives.
    pub fn open_shared(options: PostgresOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let mut looks = looks_within(options.patience);
        let standby = Standby::join(options, clock)?;
        Self::share(standby, move |_| {
            looks = looks.saturating_sub(1);
            looks > 0
        })
    }

    /// The same, as long as it is wanted: `watch` is told who has the store to itself, four times a second; it ends the wait by
    /// returning false.
    ///
    /// # Errors
    /// [`OpenError::InUse`]: `watch` did not want to wait longer. [`OpenError::Io`]: the database refuses.
    pub fn share(standby: Standby, watch: impl FnMut(Option<&ActiveNode>) -> bool + Send + 'static) -> Result<Self, OpenError> {
        match take_slot(&standby, watch) {
            Ok(taken) => {
                let SlotTaken { slot, shards, stamp, message_id } = taken;
                Self::start(standby, Start { floor: stamp, message_id, shards, slot: u16::try_from(slot).ok() })
            }
            Err(error) => {
                standby.runtime.shutdown_background();
                Err(error)
            }
        }
    }
}

/// Waits until nobody has the store to itself, and takes a slot.
fn take_slot(standby: &Standby, mut watch: impl FnMut(Option<&ActiveNode>) -> bool + Send + 'static) -> Result<SlotTaken, OpenError> {
    let (database, clock, place) = (standby.database.clone(), standby.clock.clone(), standby.place.clone());
    let (boot, lease) = (standby.boot, standby.options.lease);
    wait_to_open(standby.runtime.handle(), async move {
        let (mut seen, mut client) = (Watch::default(), None);
        loop {
            let connected = match client.take() {
                Some(connected) => Ok(connected),
                None => database.connect_local().await,
            };
            let looked = match connected {
                Ok(connected) => {
                    let client = client.insert(connected);
                    look(client, boot, |owners| seen.look(owners, clock.elapsed(), lease)).await
                }
                Err(error) => Err(error),
            };
            let active = match looked {
                Ok(Ok(taken)) => return Ok(taken),
                Ok(Err(active)) => active,
                Err(error) => {
                    // What is watched must be watched without a gap.
                    tracing::debug!(error = innermost(&error), "the database did not answer");
                    (client, seen) = (None, Watch::default());
                    None
                }
            };
            if !watch(active.as_ref()) {
                return Err(in_use(&place, active));
            }
            tokio::time::sleep(POLL).await;
        }
    })
}

/// Takes a slot, or returns who is in the way.
async fn look(
    client: &mut Client,
    boot: i64,
    all_dead: impl FnOnce(&[Owner]) -> bool,
) -> Result<Result<SlotTaken, Option<ActiveNode>>, tokio_postgres::Error> {
    ownership::beat(client, boot, 0).await?;
    let owners = ownership::single_owners(client).await?;
    if all_dead(&owners) {
        let dead: Vec<i64> = owners.iter().map(|owner| owner.boot).collect();
        if let Some(taken) = shard_rows::take_slot(client, boot, &dead).await? {
            return Ok(Ok(taken));
        }
    }
    Ok(Err(active(owners)))
}
