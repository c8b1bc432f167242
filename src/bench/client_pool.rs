//! Many connections on few threads.
//!
//! Each thread has a runtime of its own and a [`Tally`] that only its tasks touch, so that its lock is never waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task;

use super::client;
use super::client::BenchClient;
use super::connection::{Connection, Dialect};
use super::error::BenchError;
use super::handshake::{Account, Handshake};
use super::message::Subscription;
use super::tally::{BenchClock, Tally};

/// Connections that are being opened at a time, below `server.connections_unauthenticated_max`.
const OPENING_MAX: usize = 128;
#[derive(Debug)]
struct WorkerThread {
    handle: Handle,
    tally: Arc<Mutex<Tally>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Who is to come.
#[derive(Debug, Clone)]
pub(super) struct ClientSpec {
    pub(super) account: Option<Account>,
    /// The room to enter; groups, bare loops and other brokers have none.
    pub(super) room: Option<String>,
    pub(super) group: usize,
    pub(super) subscription: Subscription,
    /// Never reads after it came in.
    pub(super) stalled: bool,
    /// At which broker, of several that work together.
    pub(super) node: usize,
}

/// All connections to one server.
#[derive(Debug)]
pub(super) struct ClientPool {
    pub(super) clock: Arc<BenchClock>,
    /// How all of them speak.
    pub(super) dialect: Dialect,
    workers: Vec<WorkerThread>,
    /// Those that read, in the order of their places.
    pub(super) clients: Vec<Arc<BenchClient>>,
    /// Those that don't; kept open.
    stalled: Vec<Connection>,
}

impl ClientPool {
    pub(super) fn new(threads: usize, dialect: Dialect) -> Result<Self, BenchError> {
        let workers = (0..threads.max(1)).map(|_| WorkerThread::start()).collect::<Result<_, _>>()?;
        Ok(Self { clock: Arc::default(), dialect, workers, clients: Vec::new(), stalled: Vec::new() })
    }

    /// Connects everyone, logs them in and lets them enter; `arrived` is told of each.
    pub(super) async fn connect_all(
        &mut self,
        addresses: &[std::net::SocketAddr],
        specs: Vec<ClientSpec>,
        mut arrived: impl FnMut(),
    ) -> Result<(), BenchError> {
        let gate = Arc::new(Semaphore::new(OPENING_MAX));
        let (here, dialect) = (self.clients.len() + self.stalled.len(), self.dialect);
        let coming: Vec<_> = specs
            .into_iter()
            .enumerate()
            .map(|(n, spec)| {
                let worker = n % self.workers.len();
                let gate = gate.clone();
                let number = u32::try_from(here + n).unwrap_or(u32::MAX);
                let address = addresses[spec.node % addresses.len()];
                let come = async move {
                    let _permit = gate.acquire_owned().await;
                    if let Dialect::Peer(peer) = dialect {
                        return Ok((peer.open(address, number, spec.subscription).await?, spec));
                    }
                    let mut handshake = Handshake::open(address, spec.stalled).await?;
                    if let Some(account) = &spec.account {
                        handshake.login(account).await?;
                    }
                    if let Some(room) = &spec.room {
                        handshake.enter(room).await?;
                    }
                    Ok::<_, BenchError>((handshake.into_connection(), spec))
                };
                (number, worker, self.workers[worker].handle.spawn(come))
            })
            .collect();
        for (number, worker, task) in coming {
            let (connection, spec) = task.await.map_err(|error| BenchError::Subject(error.to_string()))??;
            arrived();
            if spec.stalled {
                self.stalled.push(connection);
                continue;
            }
            let Connection { read, inbound, write } = connection;
            let client = Arc::new(BenchClient::new(number, worker, spec.group, spec.subscription, dialect, write));
            let WorkerThread { handle, tally, .. } = &self.workers[worker];
            handle.spawn(client::read(read, inbound, client.clone(), self.clock.clone(), tally.clone()));
            self.clients.push(client);
        }
        Ok(())
    }

    /// Runs a task beside a client's connection.
    pub(super) fn spawn<F>(&self, client: &BenchClient, task: F) -> task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.workers[client.worker].handle.spawn(task)
    }

    /// Begins to count anew. Only while nothing is under way.
    pub(super) fn clear(&self) {
        let now = self.clock.now();
        self.workers.iter().for_each(|worker| worker.tally().clear(now));
        self.clients.iter().for_each(|client| client.clear());
    }

    /// Returns everything counted since the last `clear`.
    pub(super) fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        self.workers.iter().for_each(|worker| sum.add(&worker.tally()));
        sum
    }

    /// Returns how many connections never read.
    pub(super) fn stalled(&self) -> usize {
        self.stalled.len()
    }

    fn moved(&self) -> u64 {
        self.workers.iter().map(|worker| worker.tally().bytes).sum()
    }

    fn waiting(&self) -> usize {
        self.clients.iter().map(|client| client.waiting()).sum()
    }

    /// Returns when all is answered and nothing comes any more, or after `patience`. True when it became quiet.
    pub(super) async fn wait_until_quiet(&self, patience: Duration) -> bool {
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

    /// Keeps the connections of a broker with its own heartbeat alive until the pool goes.
    pub(super) fn keep_alive(&self, every: Duration) {
        for (n, worker) in self.workers.iter().enumerate() {
            let clients: Vec<_> = self.clients.iter().filter(|client| client.worker == n).cloned().collect();
            worker.handle.spawn(async move {
                loop {
                    tokio::time::sleep(every).await;
                    for client in &clients {
                        if let Err(error) = client.ping().await {
                            tracing::debug!(%error, "a member could not ping");
                        }
                    }
                }
            });
        }
    }
}

impl WorkerThread {
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

impl Drop for WorkerThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread of the load generator panicked");
        }
    }
}
