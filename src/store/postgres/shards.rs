//! Several processes own shards of one store: the store as [`SharedShards`].
//!
//! ```text
//! view, draining ─── a connection         claim, lead ─── another         release ─── the writer's, behind what is queued
//! ```
//! A claim takes rows of `owners` and reads above which stamps the shards' next ones must be; afterwards the writer asks anew where
//! conversations stand, and looks for each local id until those of the shards are known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;
use tokio_postgres::{Client, Error};

use super::connect::{Database, innermost};
use super::known_ids;
use super::options::StampTime;
use super::own_shards::OwnShards;
use super::place::shard_of;
use super::queue::Queue;
use super::read::{Reader, messages};
use super::shard_rows::{self, Claimant, Taken};
use super::state::State;
use super::writer::job::Job;
use super::writer::unavailable;
use crate::model::Conversation;
use crate::store::error::StoreError;
use crate::store::shards::{Claimed, SharedShards, StampedMessages, View};

/// See the module's documentation.
pub(super) struct Shards {
    reader: Reader,
    queue: Arc<Queue>,
    connections: Arc<Connections>,
}

/// What is shared with questions under way.
struct Connections {
    boot: i64,
    database: Database,
    /// Looks.
    looking: Line,
    /// Claims and leads; one at a time. It is written down, so that an heir may end it.
    claiming: Line,
    /// Set while it is not known what became of a claim.
    is_unsure: AtomicBool,
}

/// A connection, when there is one.
#[derive(Default)]
struct Line {
    client: Mutex<Option<Client>>,
    is_written_down: bool,
}

impl Shards {
    pub(super) fn new(boot: i64, database: Database, reader: Reader, queue: Arc<Queue>) -> Self {
        let claiming = Line { is_written_down: true, ..Line::default() };
        let connections = Connections { boot, database, looking: Line::default(), claiming, is_unsure: AtomicBool::new(false) };
        Self { reader, queue, connections: Arc::new(connections) }
    }

    fn state(&self) -> &State {
        &self.reader.state
    }

    /// None of its callers exists without it.
    fn own(&self) -> Result<&OwnShards, StoreError> {
        self.state().own.as_ref().ok_or(StoreError::Fenced)
    }

    /// Asks something, unless this process was declared dead.
    fn ask<T, Q>(&self, question: impl FnOnce(Arc<Connections>, Reader) -> Q) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Q: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        if *self.state().losing().borrow() {
            return Err(StoreError::Fenced);
        }
        self.reader.wait(|reader| question(self.connections.clone(), reader))
    }
}

impl Connections {
    fn is_unsure(&self) -> bool {
        self.is_unsure.load(Ordering::SeqCst)
    }

    fn set_unsure(&self, is_unsure: bool) {
        self.is_unsure.store(is_unsure, Ordering::SeqCst);
    }

    /// Asks something on a connection, which is made where there is none, and given up after an error.
    async fn on<T>(&self, line: &Line, question: impl AsyncFnOnce(&mut Client) -> Result<T, Error>) -> Result<T, StoreError> {
        let mut held = line.client.lock().await;
        let asked = async {
            let mut client = match held.take() {
                Some(client) if !client.is_closed() => client,
                _ => {
                    let client = self.database.connect_local().await?;
                    if line.is_written_down {
                        shard_rows::note_control(&client, self.boot).await?;
                    }
                    client
                }
            };
            let answer = question(&mut client).await?;
            *held = Some(client);
            Ok(answer)
        };
        asked.await.map_err(|error: Error| unavailable(&error))
    }

    /// Lets go of what was claimed without hearing of it.
    async fn make_sure(&self, client: &Client, own: &OwnShards) -> Result<(), Error> {
        if self.is_unsure() {
            shard_rows::drop_unknown(client, self.boot, &own.written()).await?;
            self.set_unsure(false);
            own.end_claim();
        }
        Ok(())
    }

    /// Claims, and takes in what was given; returns it with the numbers of the claims.
    async fn claim(&self, state: &State, shards: &[i16], dead: &[i64]) -> Result<Vec<(Taken, u64)>, StoreError> {
        let Some(own) = &state.own else { return Err(StoreError::Fenced) };
        let claimed = self.on(&self.claiming, async |client| {
            self.make_sure(client, own).await?;
            own.begin_claim();
            let by_database = state.stamps.time == StampTime::Database;
            let claimant = Claimant { boot: self.boot, owned: own.written(), last: state.stamps.last(), by_database };
            let claimed = shard_rows::claim(client, &claimant, shards, dead, || self.set_unsure(true)).await;
            if let Err(error) = claimed {
                if !self.is_unsure() {
                    own.end_claim();
                }
                return Err(error);
            }
            let taken = claimed?.map(|taken| taken.into_iter().map(|one| (one, adopt(state, own, &one))).collect());
            self.set_unsure(false);
            own.end_claim();
            Ok(taken)
        });
        claimed.await?.ok_or_else(|| {
            state.lose();
            StoreError::Fenced
        })
    }
}

/// Takes a shard in; returns the number of the claim.
fn adopt(state: &State, own: &OwnShards, taken: &Taken) -> u64 {
    state.stamps.raise(taken.floor);
    state.progress.reach(0, taken.message_id);
    own.adopt(taken.shard, taken.floor)
}

/// Reads the local ids of claimed shards, while sends look for their own.
async fn learn_ids(connections: &Connections, state: Arc<State>, claims: Vec<(i16, u64)>) {
    let learned = match connections.database.connect().await {
        Ok(client) => known_ids::load_claimed(client, state, claims).await,
        Err(error) => Err(error),
    };
    if let Err(error) = learned {
        tracing::warn!(error = innermost(&error), "local ids were not read: each send looks for its own");
    }
}

/// Returns the lock's number of a name.
fn lock_of(what: &str) -> i32 {
    i32::try_from(crc32fast::hash(what.as_bytes()) >> 1).unwrap_or(i32::MAX)
}

fn numbers(shards: &[u16]) -> Vec<i16> {
    shards.iter().filter_map(|shard| i16::try_from(*shard).ok()).collect()
}

fn unsigned(shard: i16) -> u16 {
    u16::try_from(shard).unwrap_or(0)
}

impl SharedShards for Shards {
    fn boot(&self) -> i64 {
        self.connections.boot
    }

    fn slot(&self) -> u16 {
        self.own().map_or(0, |own| own.slot)
    }

    fn count(&self) -> u16 {
        self.own().map_or(1, |own| unsigned(own.count()))
    }

    fn shard_of(&self, conversation: &Conversation) -> u16 {
        self.own().map_or(0, |own| unsigned(shard_of(conversation, own.count())))
    }

    fn view(&self) -> Result<View, StoreError> {
        self.ask(async |connections, reader| {
            if connections.is_unsure()
                && let Some(own) = &reader.state.own
            {
                connections.on(&connections.claiming, async |client| connections.make_sure(client, own).await).await?;
            }
            connections.on(&connections.looking, async |client| shard_rows::view(client).await).await
        })
    }

    fn claim(&self, shards: &[u16], dead: &[i64]) -> Result<Vec<Claimed>, StoreError> {
        let (shards, dead) = (numbers(shards), dead.to_vec());
        let taken = self.ask(async move |connections, reader| {
            let taken = connections.claim(&reader.state, &shards, &dead).await?;
            let claims: Vec<(i16, u64)> = taken.iter().map(|(one, claim)| (one.shard, *claim)).collect();
            if !claims.is_empty() {
                let (connections, state) = (connections.clone(), reader.state.clone());
                tokio::spawn(async move { learn_ids(&connections, state, claims).await });
            }
            Ok(taken)
        })?;
        self.queue.push_aside(Job::Continue(taken.iter().map(|(one, _)| one.shard).collect()));
        Ok(taken.into_iter().map(|(one, _)| Claimed { shard: unsigned(one.shard), delivered: one.delivered }).collect())
    }

    fn release(&self, shards: &[u16], delivered: u64) -> Result<(), StoreError> {
        let (own, shards) = (self.own()?, numbers(shards));
        shards.iter().for_each(|shard| own.leave(*shard));
        self.queue.ask(|reply| Job::Release(shards, delivered, reply))
    }

    fn set_draining(&self, draining: bool) -> Result<(), StoreError> {
        self.ask(async move |connections, _| {
            let boot = connections.boot;
            connections.on(&connections.looking, async |client| shard_rows::set_draining(client, boot, draining).await).await
        })
    }

    fn set_alone(&self, alone: bool) -> Result<(), StoreError> {
        self.ask(async move |connections, _| {
            let boot = connections.boot;
            connections.on(&connections.looking, async |client| shard_rows::set_alone(client, boot, alone).await).await
        })
    }

    fn owned(&self) -> Vec<u16> {
        self.own().map_or_else(|_| Vec::new(), |own| own.owned().into_iter().map(unsigned).collect())
    }

    fn safe_stamp(&self) -> u64 {
        let mark_max = self.own().map_or(0, OwnShards::mark_max);
        self.state().stamps.safe().min(mark_max)
    }

    fn note_delivered(&self, stamp: u64) {
        if let Ok(own) = self.own() {
            own.note_delivered(stamp.min(self.state().stamps.last()));
        }
    }

    fn written_since(&self, shards: &[u16], stamp: u64, count_max: usize) -> Result<(StampedMessages, bool), StoreError> {
        let shards = numbers(shards);
        self.reader.wait(|reader| messages::written_since(reader, shards, stamp, count_max))
    }

    fn leads(&self, what: &str) -> Result<bool, StoreError> {
        let what = lock_of(what);
        self.ask(async move |connections, _| {
            connections.on(&connections.claiming, async |client| shard_rows::leads(client, what).await).await
        })
    }
}

impl std::fmt::Debug for Shards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shards").field("boot", &self.connections.boot).finish_non_exhaustive()
    }
}
