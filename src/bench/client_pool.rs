//! Many connections on few threads.
//!
//! Each thread has a runtime of its own and a [`Tally`] that only its tasks touch, so that its lock is never waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task;

use super::BenchError;
use super::client;
use super::client::{Connection, Dialect, Hears, Member};
use super::handshake::{Account, Dialog};
use super::marker::Kind;
use super::stats::Latency;
use crate::clock::{Clock as _, SystemClock};

/// Connections that are being opened at a time, below `server.connections_unauthenticated_max`.
const OPENING_MAX: usize = 128;
/// Width of a point of the curve over time.
pub(super) const SLOT_US: u64 = 100_000;
/// Points of it: an hour.
const SLOTS_MAX: usize = 36_000;

/// The clock of sender and receiver alike: microseconds since the bench began.
#[derive(Debug, Default)]
pub(super) struct Micros(SystemClock);

impl Micros {
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// What the members of one thread counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) bytes: u64,
    pub(super) delivered: u64,
    /// By group, lossy and storable apart.
    pub(super) latency: Vec<[Latency; 2]>,
    /// Until the answer came, lossy and storable apart.
    pub(super) answers: [Latency; 2],
    began_us: u64,
    /// When the newest delivery came.
    pub(super) last_us: u64,
    /// Delivered per [`SLOT_US`].
    pub(super) timeline: Vec<u64>,
}

impl Tally {
    pub(super) fn delivered(&mut self, group: usize, kind: Kind, late_us: u64) {
        if self.latency.len() <= group {
            self.latency.resize_with(group + 1, Default::default);
        }
        self.latency[group][usize::from(kind == Kind::Storable)].record(late_us);
        self.delivered += 1;
    }

    pub(super) fn acknowledged(&mut self, kind: Kind, late_us: u64) {
        self.answers[usize::from(kind == Kind::Storable)].record(late_us);
    }

    /// Notes when the deliveries since `before` came. Called once per chunk, not per message.
    fn mark(&mut self, before: u64, now_us: u64) {
        let slot = usize::try_from(now_us.saturating_sub(self.began_us) / SLOT_US).unwrap_or(SLOTS_MAX);
        if self.delivered == before {
            return;
        }
        self.last_us = now_us;
        if slot < SLOTS_MAX {
            if self.timeline.len() <= slot {
                self.timeline.resize(slot + 1, 0);
            }
            self.timeline[slot] += self.delivered - before;
        }
    }

    /// Runs `work` and files what it delivered under this moment.
    pub(super) fn at<T>(&mut self, now_us: u64, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.delivered;
        let done = work(self);
        self.mark(before, now_us);
        done
    }

    fn clear(&mut self, now_us: u64) {
        *self = Self { began_us: now_us, ..Self::default() };
    }

    fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.last_us = self.last_us.max(other.last_us);
        self.delivered += other.delivered;
        self.latency.resize_with(self.latency.len().max(other.latency.len()), Default::default);
        for (mine, theirs) in self.latency.iter_mut().zip(&other.latency) {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.add(theirs));
        }
        self.answers.iter_mut().zip(&other.answers).for_each(|(mine, theirs)| mine.add(theirs));
        self.timeline.resize(self.timeline.len().max(other.timeline.len()), 0);
        self.timeline.iter_mut().zip(&other.timeline).for_each(|(mine, theirs)| *mine += theirs);
    }
}

#[derive(Debug)]
struct Crew {
    handle: Handle,
    tally: Arc<Mutex<Tally>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Who is to come.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) account: Option<Account>,
    /// The room to enter; groups, bare loops and other brokers have none.
    pub(super) room: Option<String>,
    pub(super) group: usize,
    pub(super) hears: Hears,
    /// Never reads after it came in.
    pub(super) stalled: bool,
}

/// All connections to one server.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) clock: Arc<Micros>,
    /// How all of them speak.
    pub(super) dialect: Dialect,
    crews: Vec<Crew>,
    /// Those that read, in the order of their places.
    pub(super) members: Vec<Arc<Member>>,
    /// Those that don't; kept open.
    stalled: Vec<Connection>,
}

impl Crowd {
    pub(super) fn new(threads: usize, dialect: Dialect) -> Result<Self, BenchError> {
        let crews = (0..threads.max(1)).map(|_| Crew::start()).collect::<Result<_, _>>()?;
        Ok(Self { clock: Arc::default(), dialect, crews, members: Vec::new(), stalled: Vec::new() })
    }

    /// Connects everyone, logs them in and lets them enter; `arrived` is told of each.
    pub(super) async fn gather(
        &mut self,
        address: std::net::SocketAddr,
        places: Vec<Place>,
        mut arrived: impl FnMut(),
    ) -> Result<(), BenchError> {
        let gate = Arc::new(Semaphore::new(OPENING_MAX));
        let (here, dialect) = (self.members.len() + self.stalled.len(), self.dialect);
        let coming: Vec<_> = places
            .into_iter()
            .enumerate()
            .map(|(n, place)| {
                let crew = n % self.crews.len();
                let gate = gate.clone();
                let number = u32::try_from(here + n).unwrap_or(u32::MAX);
                let come = async move {
                    let _permit = gate.acquire_owned().await;
                    if let Dialect::Peer(peer) = dialect {
                        return Ok((peer.open(address, number, place.hears).await?, place));
                    }
                    let mut dialog = Dialog::open(address, place.stalled).await?;
                    if let Some(account) = &place.account {
                        dialog.login(account).await?;
                    }
                    if let Some(room) = &place.room {
                        dialog.enter(room).await?;
                    }
                    Ok::<_, BenchError>((dialog.into_connection(), place))
                };
                (number, crew, self.crews[crew].handle.spawn(come))
            })
            .collect();
        for (number, crew, task) in coming {
            let (connection, place) = task.await.map_err(|error| BenchError::Subject(error.to_string()))??;
            arrived();
            if place.stalled {
                self.stalled.push(connection);
                continue;
            }
            let Connection { read, inbound, write } = connection;
            let member = Arc::new(Member::new(number, crew, place.group, place.hears, dialect, write));
            let Crew { handle, tally, .. } = &self.crews[crew];
            handle.spawn(client::read(read, inbound, member.clone(), self.clock.clone(), tally.clone()));
            self.members.push(member);
        }
        Ok(())
    }

    /// Runs a task beside a member's connection.
    pub(super) fn spawn<F>(&self, member: &Member, task: F) -> task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.crews[member.crew].handle.spawn(task)
    }

    /// Begins to count anew. Only while nothing is under way.
    pub(super) fn clear(&self) {
        let now = self.clock.now();
        self.crews.iter().for_each(|crew| crew.tally().clear(now));
        self.members.iter().for_each(|member| member.clear());
    }

    /// Everything counted since the last `clear`.
    pub(super) fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        self.crews.iter().for_each(|crew| sum.add(&crew.tally()));
        sum
    }

    /// How many connections never read.
    pub(super) fn stalled(&self) -> usize {
        self.stalled.len()
    }

    fn moved(&self) -> u64 {
        self.crews.iter().map(|crew| crew.tally().bytes).sum()
    }

    fn waiting(&self) -> usize {
        self.members.iter().map(|member| member.waiting()).sum()
    }

    /// Returns when all is answered and nothing comes any more, or after `patience`. True when it became quiet.
    pub(super) async fn quiet(&self, patience: Duration) -> bool {
        let until = self.clock.now() + u64::try_from(patience.as_micros()).unwrap_or(u64::MAX / 2);
        let mut still = 0;
        let mut moved = self.moved();
        while self.clock.now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.moved();
            still = if now == moved && self.waiting() == 0 { still + 1 } else { 0 };
            moved = now;
            if still >= 6 {
                return true;
            }
        }
        false
    }

    /// Keeps the connections of a broker with its own heartbeat alive until the crowd goes.
    pub(super) fn keep_alive(&self, every: Duration) {
        for (n, crew) in self.crews.iter().enumerate() {
            let members: Vec<_> = self.members.iter().filter(|member| member.crew == n).cloned().collect();
            crew.handle.spawn(async move {
                loop {
                    tokio::time::sleep(every).await;
                    for member in &members {
                        if let Err(error) = member.ping().await {
                            tracing::debug!(%error, "a member could not ping");
                        }
                    }
                }
            });
        }
    }
}

impl Crew {
    fn start() -> Result<Self, BenchError> {
        let failed = |error| BenchError::io("cannot start a thread of the load generator", error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            // Dropped or told: both mean the end.
            let _ended = runtime.block_on(stopped);
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("bench-crew".into()).spawn(work).map_err(failed)?;
        Ok(Self { handle, tally: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread of the load generator panicked");
        }
    }
}
