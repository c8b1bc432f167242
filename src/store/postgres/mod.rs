//! A store in PostgreSQL 15 or later, for who outgrows one machine's disk, and for brokers that stand by for each other.
//!
//! ```text
//! append ── filter of local ids ── job ──▶ writer ── look up ── plan ── BEGIN fence … COMMIT ──▶ done
//! read ──────────────────────────── pool ── question
//! heartbeat ──────────────────────▶ nodes        owners ◀── fence, claims
//! ```
//!
//! One process owns the store and writes ([`ownership`]), or several, each some of its shards ([`shards`]); everything else is tables that people can read (`migrations/`). What the
//! rules of [`Store`](super::Store) become here: a commit is known by its stamp ([`stamp`]), which rises and has gaps; a conversation's
//! place is guarded by its head (`UPDATE … WHERE seq = before`) and by the fence; a failure is temporary, and what is not known to be
//! committed is looked up before anything is said; retries are known for a week.

mod beats;
mod check;
mod connect;
mod copy;
mod counts;
mod join;
mod known_documents;
mod known_ids;
mod local_ids;
mod message_log;
mod message_row;
mod migrate;
mod options;
mod overview;
mod own_shards;
mod ownership;
mod place;
mod queue;
mod read;
mod rows;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod schedules_of_many;
mod shard_rows;
mod shards;
mod shared_state;
mod stamp;
mod standby;
mod state;
mod status;
mod wait;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use self::beats::{beat, beats};
pub use self::check::{DatabaseCheck, check_database};
use self::connect::{innermost, refused};
pub use self::copy::{export_database, import_database, require_unserved};
use self::local_ids::LocalIds;
pub use self::options::{PostgresOptions, StampTime};
use self::own_shards::OwnShards;
use self::ownership::Claim;
use self::queue::Queue;
use self::read::Reader;
use self::shards::Shards;
pub use self::shared_state::PostgresDocuments;
use self::shared_state::SharedTables;
use self::stamp::StampClock;
use self::standby::within;
pub use self::standby::{ActiveNode, Standby};
use self::state::State;
pub use self::status::{ClusterStatus, DatabaseReport, NodeStatus, cluster_status, database_report, drain_node};
use self::wait::wait_to_open;
use self::writer::job::Job;
use self::writer::{Writer, WriterParts};
use super::engine::progress::Progress;
use super::error::{OpenError, StoreError};
use super::shards::SharedShards;
use super::shared_state::SharedState;
use super::traits::Maintenance;
use super::types::{DatabaseStats, StoreStats};
use crate::clock::Clock;

/// How long opening waits for local ids to be read; the rest of them is read later.
const LOAD_PATIENCE: std::time::Duration = std::time::Duration::from_millis(300);

/// Keeps all rules of [`Store`](super::Store) in PostgreSQL. One process owns it at a time, or several share it.
pub struct PostgresStore {
    state: Arc<State>,
    reader: Reader,
    shared: Arc<SharedTables>,
    /// None: this process owns all shards.
    shards: Option<Arc<Shards>>,
    queue: Arc<Queue>,
    /// Ends when the writer let go of the store.
    writer: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
    beats: Mutex<Option<oneshot::Sender<()>>>,
    runtime: Mutex<Option<Runtime>>,
}

impl PostgresStore {
    /// Opens the store, or makes one, and owns it. Waits a while for another process to let go. Blocks.
    ///
    /// # Errors
    /// Those of [`Standby::join`], and [`OpenError::InUse`]: another process owns it and lives.
    pub fn open(options: PostgresOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let watch = within(options.patience);
        Self::take_over(Standby::join(options, clock)?, watch)
    }

    /// Waits until nobody else owns the store, takes it and opens it. Blocks. `watch` is told who owns it, four times a second; it
    /// ends the wait by returning false.
    ///
    /// # Errors
    /// [`OpenError::InUse`]: `watch` did not want to wait longer. [`OpenError::Io`]: the database refuses.
    pub fn take_over(standby: Standby, watch: impl FnMut(Option<&ActiveNode>) -> bool + Send + 'static) -> Result<Self, OpenError> {
        let claimed = standby.claim(watch);
        Self::begin(standby, claimed.map(|claim| (claim, None)))
    }

    /// Begins to work on a store of which something was taken: all of it, or a slot among those who share it.
    fn begin(standby: Standby, taken: Result<(Claim, Option<u16>), OpenError>) -> Result<Self, OpenError> {
        match taken {
            Ok((claim, slot)) => Self::start(standby, claim, slot),
            Err(error) => {
                standby.runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Starts the writer and the heartbeat.
    fn start(standby: Standby, claim: Claim, slot: Option<u16>) -> Result<Self, OpenError> {
        let Standby { options, clock, database, runtime, boot, place } = standby;
        let Claim { floor, message_id, shards } = claim;
        let stamps = StampClock::above(floor, options.time, clock.clone());
        let filter = LocalIds::new(options.seen_bytes, stamps.peek());
        let own = slot.map(|slot| OwnShards::new(slot, shards));
        let is_shared = own.is_some();
        let state = Arc::new(State::new(clock, stamps, filter, Progress::from(floor, message_id), own));
        let pool = {
            // The pool keeps time by the runtime.
            let _entered = runtime.enter();
            database.pool(options.connections_max)?
        };
        let reader = Reader { pool, runtime: runtime.handle().clone(), state: state.clone() };
        let (queue, jobs) = Queue::new(state.clone());
        let fenced = if is_shared { Vec::new() } else { (0..shards).collect() };
        let shared = Arc::new(SharedTables { reader: reader.clone(), boot, shards: fenced });
        let (retention_days, gather) = (options.retention_days, options.gather);
        let all = is_shared.then(|| Arc::new(Shards::new(boot, database.clone(), reader.clone(), queue.clone())));
        let parts = WriterParts { state: state.clone(), database, jobs, boot, shards, retention_days, gather };
        let started = wait_to_open(runtime.handle(), async move { begin_tasks(parts).await.map_err(|error| refused(&place, &error)) });
        match started {
            Ok((writer, stop)) => Ok(Self {
                state,
                reader,
                shared,
                shards: all,
                queue,
                writer: Mutex::new(Some(writer)),
                beats: Mutex::new(Some(stop)),
                runtime: Mutex::new(Some(runtime)),
            }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Tells once another process owns the store: nothing is written any more, and whoever is connected should go there.
    #[must_use]
    pub fn losing(&self) -> watch::Receiver<bool> {
        self.state.losing()
    }

    /// Ends everything as a kill does: nothing is let go of, and nobody hears of it.
    #[cfg(test)]
    pub(in crate::store) fn kill(&self) {
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }

    /// Beats no more, as if it stood still, until it writes.
    #[cfg(test)]
    pub(in crate::store) fn stop_beating(&self) {
        drop(lock(&self.beats).take());
    }
}

/// Starts the writer, the heartbeat, and the reading of local ids; returns what ends with the writer, and what ends the heartbeat.
async fn begin_tasks(parts: WriterParts) -> Result<(std::sync::mpsc::Receiver<()>, oneshot::Sender<()>), tokio_postgres::Error> {
    let (database, state, boot) = (parts.database.clone(), parts.state.clone(), parts.boot);
    let (ended, has_ended) = std::sync::mpsc::sync_channel(1);
    let (stop, stopped) = oneshot::channel();
    let control = database.connect_local().await?;
    beat(&control, &state, boot).await?;
    let loading = match state.own {
        // What is claimed is read with the claim.
        Some(_) => None,
        None => Some(database.connect().await?),
    };
    let writer = Writer::open(parts).await?;
    tokio::spawn(async move {
        writer.run().await;
        if ended.send(()).is_err() {
            tracing::debug!("nobody waits for the writer to end");
        }
    });
    tokio::spawn(beats(control, database, state.clone(), boot, stopped));
    let Some(loading) = loading else { return Ok((has_ended, stop)) };
    let load = tokio::spawn(async move {
        if let Err(error) = known_ids::load(loading, state).await {
            tracing::warn!(error = innermost(&error), "local ids were not read: each send looks for its own");
        }
    });
    if tokio::time::timeout(LOAD_PATIENCE, load).await.is_err() {
        tracing::debug!("local ids are read while the broker works: until then each send looks for its own");
    }
    Ok((has_ended, stop))
}

/// Returns the texts of the questions that are asked all the time, each with values of its parameters, for whoever looks at their plans.
#[cfg(test)]
pub(in crate::store) fn hot_questions() -> Vec<(&'static str, String, &'static str)> {
    let conversation = "2, 'g7', '', 0";
    let named = |parameters: &str| -> &'static str { Box::leak(format!("{conversation}, {parameters}").into_boxed_str()) };
    vec![
        ("list", read::list::list_text(), "'u1', 100, 9999, 9007199254740991"),
        (
            "last messages",
            read::list::last_messages_text(),
            "'u1', '{0}', '{2}', '{g7}', '{}', '{0}', '{1}', '{9223372036854775807}', '{f}', 9007199254740991",
        ),
        ("missed", read::missed::missed_text(), "'u1', 5, '{}', 9007199254740991, 0, 100"),
        ("changed", read::missed::changed_text(), "'u1', 5, 100"),
        ("history backwards", read::messages::page_text(true, false), named("1, 900, 0, 100, 9007199254740991")),
        ("history forwards", read::messages::page_text(false, true), named("1, 900, 0, 100, 9007199254740991, 'u1'")),
        ("a search", read::look::look_text(true, true), named("1, 900, 100, 9007199254740991, '{}', '{}', 0, 0, '{%a%}', 'u1'")),
        ("entries of a list", read::list::listed_text(), "'u1', 100, 9999, 9007199254740991, '{u1}', '{u2}', '{g7}'"),
        ("tail", read::messages::tail_text(), named("9007199254740991")),
        ("one message", read::messages::message_text(), named("500")),
        ("a retry", read::messages::retry_text(), named("'u1', 'l', '{20000,20001}'")),
        ("notes", read::beside::notes_text(), named("500")),
        ("answers", read::beside::replies_text(), named("500")),
    ]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Maintenance for PostgresStore {
    fn sweep(&self, now_ms: u64) -> Result<bool, StoreError> {
        self.queue.ask(|reply| Job::Sweep(now_ms, reply))
    }

    fn noted_time(&self) -> Result<Option<u64>, StoreError> {
        self.reader.wait(async |reader| {
            let row = reader.connection().await?.row("SELECT noted_ms FROM store", &[]).await?;
            Ok(row.and_then(|row| row.get::<_, Option<i64>>(0)).map(place::unsigned))
        })
    }

    fn note_time(&self, now_ms: u64) -> Result<(), StoreError> {
        self.queue.ask(|reply| Job::NoteTime(now_ms, reply))
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.state.writable()
    }

    fn stats(&self) -> StoreStats {
        self.state.progress.stats()
    }

    fn database(&self) -> Option<DatabaseStats> {
        let pool = self.reader.pool.status();
        let whole = |count: usize| count as u64;
        Some(DatabaseStats {
            connections: whole(pool.size),
            connections_busy: whole(pool.size.saturating_sub(pool.available)),
            reads_waiting: whole(pool.waiting),
            ..self.state.counts.stats()
        })
    }

    fn shared_state(&self) -> Option<Arc<dyn SharedState>> {
        Some(self.shared.clone())
    }

    fn shards(&self) -> Option<Arc<dyn SharedShards>> {
        self.shards.clone().map(|shards| -> Arc<dyn SharedShards> { shards })
    }

    fn close(&self) -> Result<(), StoreError> {
        // The writer ends when the queue is empty and nobody can add to it.
        self.queue.close();
        let writer = lock(&self.writer).take();
        let was_open = writer.is_some();
        if let Some(writer) = writer
            && writer.recv().is_err()
        {
            tracing::error!("the store's writer ended early");
        }
        drop(lock(&self.beats).take());
        let writable = self.state.writable_but_for_close();
        self.state.close();
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
        if was_open { writable } else { Ok(()) }
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // Whoever wants to know closes it before.
        drop(self.close());
    }
}
