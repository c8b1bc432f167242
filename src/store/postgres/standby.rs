//! A process that shares a store and does not own it yet: it watches the owner, and takes over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Error};

use super::connect::{Database, innermost, refused, shown};
use super::migrate;
use super::options::PostgresOptions;
use super::ownership::{self, Claim, Owner, POLL, Watch};
use super::wait::wait_to_open;
use crate::clock::Clock;
use crate::store::error::OpenError;

/// The threads of a store's runtime.
const THREADS: usize = 2;

/// Who owns a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveNode {
    /// What it is called.
    pub name: String,
    /// Where clients reach it; may be empty.
    pub address: String,
}

/// See the module's documentation.
pub struct Standby {
    pub(super) options: PostgresOptions,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) database: Database,
    pub(super) runtime: Runtime,
    pub(super) boot: i64,
    pub(super) place: String,
}

impl Standby {
    /// Connects, brings the tables forward, and registers. Blocks.
    ///
    /// # Errors
    /// [`OpenError::Io`]: the database cannot be reached, refuses, is too old or only reads. [`OpenError::NewerFormat`]: its tables
    /// are of a later version. [`OpenError::Damaged`]: they are not those of any version.
    pub fn join(options: PostgresOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let place = shown(&options.url);
        let database = Database::of(&options)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("tidings-postgres")
            .enable_all()
            .build()
            .map_err(|error| refused(&place, &error))?;
        let joined = {
            let (options, database, place) = (options.clone(), database.clone(), place.clone());
            wait_to_open(runtime.handle(), async move { join(&options, &database, &place).await })
        };
        match joined {
            Ok(boot) => Ok(Self { options, clock, database, runtime, boot, place }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Waits until nobody else owns the store, and takes it. Blocks. `watch` is told who owns it, each time it is looked; it ends
    /// the wait by returning false, and then [`OpenError::InUse`] says who owns it.
    pub(super) fn claim(&self, watch: impl FnMut(Option<&ActiveNode>) -> bool + Send + 'static) -> Result<Claim, OpenError> {
        self.take(WholeStore { boot: self.boot, beaten: Beaten::default() }, watch)
    }

    /// Looks four times a second until what is wanted is taken: see [`Standby::claim`]. Blocks.
    pub(super) fn take<W: Wanted + Send + 'static>(
        &self,
        mut wanted: W,
        mut watch: impl FnMut(Option<&ActiveNode>) -> bool + Send + 'static,
    ) -> Result<W::Taken, OpenError> {
        let (database, place) = (self.database.clone(), self.place.clone());
        let mut seen = Seen { watch: Watch::default(), clock: self.clock.clone(), lease: self.options.lease };
        wait_to_open(self.runtime.handle(), async move {
            let mut client = None;
            loop {
                let looked = match connected(&database, &mut client).await {
                    Ok(client) => wanted.look(client, &mut seen).await,
                    Err(error) => Err(error),
                };
                let active = match looked {
                    Ok(Look::Taken(taken)) => return Ok(taken),
                    Ok(Look::Owned(active)) => active,
                    Ok(Look::Shared(names)) => return Err(OpenError::InUse { path: format!("{place} (shared by {})", names.join(", ")) }),
                    Ok(Look::Refused(error)) => return Err(error),
                    Err(error) => {
                        // What is watched must be watched without a gap.
                        tracing::debug!(error = innermost(&error), "the database did not answer");
                        (client, seen.watch) = (None, Watch::default());
                        None
                    }
                };
                if !watch(active.as_ref()) {
                    return Err(in_use(place, active));
                }
                tokio::time::sleep(POLL).await;
            }
        })
    }
}

/// What is to be taken of a store.
pub(super) trait Wanted {
    type Taken: Send + 'static;

    /// Takes it, or says who is in the way.
    fn look(&mut self, client: &mut Client, seen: &mut Seen) -> impl Future<Output = Result<Look<Self::Taken>, Error>> + Send;
}

/// What a look showed.
pub(super) enum Look<T> {
    Taken(T),
    /// Somebody is in the way, or was faster.
    Owned(Option<ActiveNode>),
    /// These share it, and it would be waited for them for ever.
    Shared(Vec<String>),
    /// There is no use in waiting.
    Refused(OpenError),
}

/// Who was seen.
pub(super) struct Seen {
    watch: Watch,
    clock: Arc<dyn Clock>,
    lease: Duration,
}

impl Seen {
    /// Returns whether all of these are dead.
    pub(super) fn all_dead(&mut self, owners: &[Owner]) -> bool {
        self.watch.look(owners, self.clock.elapsed(), self.lease)
    }
}

async fn connected<'a>(database: &Database, client: &'a mut Option<Client>) -> Result<&'a mut Client, Error> {
    match client {
        Some(client) => Ok(client),
        None => Ok(client.insert(database.connect_local().await?)),
    }
}

impl std::fmt::Debug for Standby {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Standby").field("boot", &self.boot).finish_non_exhaustive()
    }
}

/// Returns that a store is in use, and by whom.
fn in_use(place: String, active: Option<ActiveNode>) -> OpenError {
    let path = match active {
        Some(ActiveNode { name, address }) => format!("{place} (by {name} {address})"),
        None => place,
    };
    OpenError::InUse { path }
}

async fn join(options: &PostgresOptions, database: &Database, place: &str) -> Result<i64, OpenError> {
    let client = migrate::bring_forward(options, database, place).await?;
    ownership::register(&client, options).await.map_err(|error| refused(place, &error))
}

/// Beats of those who share the store: one who stands by would wait for them for ever.
#[derive(Debug, Default)]
pub(super) struct Beaten(HashMap<i64, i64>);

impl Beaten {
    /// Returns whether one of them was heard since it was looked at before.
    pub(super) fn look(&mut self, sharers: &[Owner]) -> bool {
        let beats = sharers.iter().filter_map(|sharer| Some((sharer.boot, sharer.node.as_ref()?.beat_us)));
        let before = std::mem::replace(&mut self.0, beats.collect());
        self.0.iter().any(|(boot, beat)| before.get(boot).is_some_and(|before| before != beat))
    }
}

/// The whole store, for this process alone.
struct WholeStore {
    boot: i64,
    beaten: Beaten,
}

impl Wanted for WholeStore {
    type Taken = Claim;

    async fn look(&mut self, client: &mut Client, seen: &mut Seen) -> Result<Look<Claim>, Error> {
        // Whoever stands by lives, too.
        ownership::beat(client, self.boot, 0).await?;
        let owners: Vec<Owner> = ownership::owners(client).await?;
        if seen.all_dead(&owners) {
            let dead: Vec<i64> = owners.iter().map(|owner| owner.boot).collect();
            if let Some(claim) = ownership::claim(client, self.boot, &dead).await? {
                return Ok(Look::Taken(claim));
            }
        }
        let sharers = ownership::sharers(client).await?;
        if self.beaten.look(&sharers) {
            return Ok(Look::Shared(sharers.into_iter().filter_map(|sharer| Some(sharer.node?.name)).collect()));
        }
        Ok(Look::Owned(active(owners)))
    }
}

/// Returns who is to be named of those who own a store.
pub(super) fn active(owners: Vec<Owner>) -> Option<ActiveNode> {
    let node = owners.into_iter().find_map(|owner| owner.node);
    node.map(|node| ActiveNode { name: node.name, address: node.address })
}

/// Returns what waits no longer than that for whoever is in the way.
pub(super) fn within(patience: Duration) -> impl FnMut(Option<&ActiveNode>) -> bool + Send + 'static {
    let mut looks = patience.as_millis() / POLL.as_millis();
    move |_| {
        looks = looks.saturating_sub(1);
        looks > 0
    }
}
