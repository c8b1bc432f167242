//! Opening a store that several processes write at a time.

use std::sync::Arc;

use tokio_postgres::{Client, Error};

use super::PostgresStore;
use super::options::PostgresOptions;
use super::ownership::{self, Owner};
use super::shard_rows::{self, SlotTaken};
use super::standby::{ActiveNode, Beaten, Look, Seen, Standby, Wanted, active, within};
use crate::clock::Clock;
use crate::store::error::OpenError;
use crate::store::speaks::Speaks;

impl PostgresStore {
    /// Opens the store, or makes one, together with others: it holds a slot and owns no shard yet, see
    /// [`SharedShards`](crate::store::SharedShards). Waits a while for a process to let go that has the store to itself. Blocks.
    ///
    /// # Errors
    /// Those of [`Standby::join`], and [`OpenError::InUse`]: a process has the store to itself and lives.
    pub fn open_shared(options: PostgresOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let watch = within(options.patience);
        Self::share(Standby::join(options, clock)?, watch)
    }

    /// The same, as long as it is wanted: `watch` is told who has the store to itself, four times a second; it ends the wait by
    /// returning false.
    ///
    /// # Errors
    /// [`OpenError::InUse`]: `watch` did not want to wait longer. [`OpenError::Foreign`]: another process shares the store that
    /// speaks nothing which this one speaks. [`OpenError::Io`]: the database refuses.
    pub fn share(standby: Standby, watch: impl FnMut(Option<&ActiveNode>) -> bool + Send + 'static) -> Result<Self, OpenError> {
        let taken = standby.take(
            Slot { boot: standby.boot, speaks: standby.options.speaks, place: standby.place.clone(), beaten: Beaten::default() },
            watch,
        );
        Self::begin(standby, taken.map(|SlotTaken { slot, claim }| (claim, Some(slot))))
    }
}

/// A slot among those who share the store, once nobody has it to itself.
struct Slot {
    boot: i64,
    speaks: Speaks,
    /// Beats of those with whom one cannot talk.
    beaten: Beaten,
    /// Names the database in errors.
    place: String,
}

impl Wanted for Slot {
    type Taken = SlotTaken;

    async fn look(&mut self, client: &mut Client, seen: &mut Seen) -> Result<Look<SlotTaken>, Error> {
        ownership::beat(client, self.boot, 0).await?;
        let foreigners = ownership::foreigners(client, self.speaks).await?;
        if self.beaten.look(&foreigners)
            && let Some(ownership::NodeRow { name, version, speaks, .. }) = foreigners.iter().find_map(|one| one.node.clone())
        {
            return Ok(Look::Refused(OpenError::Foreign { path: self.place.clone(), node: name, version, speaks, own: self.speaks }));
        }
        let owners = ownership::single_owners(client).await?;
        let in_the_way: Vec<Owner> = owners.iter().chain(&foreigners).cloned().collect();
        if seen.all_dead(&in_the_way) {
            let dead: Vec<i64> = owners.iter().map(|owner| owner.boot).collect();
            if let Some(taken) = shard_rows::take_slot(client, self.boot, &dead).await? {
                return Ok(Look::Taken(taken));
            }
        }
        Ok(Look::Owned(active(owners)))
    }
}
