//! Webhooks: a backend is told over HTTP what happened, and asked before a client's message goes out.
//!
//! ```text
//! store's thread, actors ─► EventQueue (memory, bounded) ─► Worker's thread ─► Spool (disk) ─► Deliverer ─► Client ─► backend
//!   conversations ─► BeforeSendModerator ─────────────────────────► BeforeSendClient ─► Client ─► backend
//! ```
//! `WEBHOOKS.md` beside this file is the description for those who write a backend: bodies, headers, answers, guarantees,
//! and how a signature is checked. Knows no actor and no HTTP server: it is an `EventExporter` and a
//! [`Moderator`](crate::hooks::Moderator), both given to the broker as it starts.
//!
//! What a `kill -9` can lose: no message. A message is told from the moment it is durable, in the order of commits, and the
//! queue notes the last commit it holds; at the next start what the store holds beyond that is queued first. Other events
//! are lost that happened in the last moments, between their happening and the next turn of the worker (microseconds, or
//! as long as the disk takes for a write). A power failure loses of those what was not forced to disk
//! (`webhooks.sync_ms`).

mod address;
mod backoff;
mod before_send;
mod body;
mod client;
mod deliverer;
mod event_queue;
mod first_frame;
mod journal;
mod schedule;
mod sign;
mod spool;
mod state;
mod vendor;
mod worker;

use std::fs::{File, OpenOptions, TryLockError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::backoff::Backoff;
use self::before_send::{BeforeSendClient, BeforeSendModerator};
use self::body::Vendor;
use self::client::{CallOptions, Client};
use self::deliverer::Deliverer;
use self::event_queue::EventQueue;
use self::first_frame::{FirstFrameAsker, FirstFrameClient};
use self::journal::JournalPlace;
use self::spool::{Bounds, Spool};
pub use self::state::{DeadLetter, WebhookError, WebhookState};
use self::worker::{Command, Worker};
use crate::clock::Clock;
use crate::clock::guard::ClockGuard;
use crate::config::{Config, Webhooks as Settings};
use crate::hooks::{DynModerator, EventExporter, FirstFrameBackend};
use crate::metrics::Metrics;
use crate::private_files::{make_folder, restrict};
use crate::store::Store;

/// Dead letters given at a time.
pub const DEAD_LETTERS_PAGE_MAX: usize = 100;

/// Commands that wait for the worker.
const COMMANDS_MAX: usize = 64;

/// Threads for names that are resolved, and for the disk.
const BLOCKING_THREADS_MAX: usize = 32;

/// How long another broker that is just ending is waited for.
const LOCK_TRIES: u32 = 100;
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// A broker's webhooks. Cheap to clone; see [`Broker::webhooks`](crate::Broker::webhooks).
#[derive(Debug, Clone)]
pub struct Webhooks {
    commands: mpsc::Sender<Command>,
    state: Arc<Mutex<WebhookState>>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Webhooks {
    /// Returns the figures of this moment.
    #[must_use]
    pub fn state(&self) -> WebhookState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Dead letters with a number above `after`, ascending; at most `limit` and [`DEAD_LETTERS_PAGE_MAX`].
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn dead_letters(&self, after: u64, limit: usize) -> Result<Vec<DeadLetter>, WebhookError> {
        self.ask(|reply| Command::DeadLetters { after, limit: limit.min(DEAD_LETTERS_PAGE_MAX), reply }).await
    }

    /// Puts a dead letter at the end of the queue, with the same `webhook-id` and all its attempts before it; whether there
    /// was one.
    ///
    /// # Errors
    /// [`WebhookError`]; it is a dead letter still.
    pub async fn resend(&self, number: u64) -> Result<bool, WebhookError> {
        self.ask(|reply| Command::Resend { number, reply }).await
    }

    /// Gives a dead letter up; whether there was one.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn discard(&self, number: u64) -> Result<bool, WebhookError> {
        self.ask(|reply| Command::Discard { number, reply }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<Result<T, WebhookError>>) -> Command) -> Result<T, WebhookError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| WebhookError::Off)?;
        answer.await.map_err(|_| WebhookError::Off)?
    }

    /// Writes everything down and ends; returns when it has. `commit`: the store's last.
    pub(crate) async fn stop(&self, commit: u64) {
        let (reply, ended) = oneshot::channel();
        if self.commands.send(Command::Stop { commit, reply }).await.is_ok() && ended.await.is_err() {
            tracing::debug!("the webhooks ended before");
        }
    }
}

/// What a broker is given.
pub(crate) struct Parts {
    pub(crate) exporter: Option<Arc<dyn EventExporter>>,
    pub(crate) moderator: Option<Arc<dyn DynModerator>>,
    pub(crate) first_frame_backend: Option<Arc<dyn FirstFrameBackend>>,
    pub(crate) handle: Webhooks,
}

/// By what calls are signed.
struct Signing {
    key: Option<Vec<u8>>,
    vendor: Option<Vendor>,
}

/// Starts what the configuration asks for; nothing, if it asks for nothing. Blocks while the queue and what the store
/// holds beyond it are read.
///
/// # Errors
/// In words, for [`StartError::Webhooks`](crate::StartError::Webhooks).
pub(crate) fn start(
    config: &Config,
    store: &dyn Store,
    (clock, clock_guard): (&Arc<dyn Clock>, &Arc<ClockGuard>),
    metrics: &Arc<Metrics>,
) -> Result<Option<Parts>, String> {
    let settings = &config.webhooks;
    let node = store.shards().map(|shards| shards.boot());
    let place = match store.shared_state() {
        Some(state) => JournalPlace::Shared { state, node },
        None => JournalPlace::Folder(config.webhooks_dir()),
    };
    // Of several brokers at a time each begins with nothing, and none knows where the messages told end.
    if settings.url.is_empty() && node.is_none() && place.may_hold_any() {
        // What happens from here on is not told, later neither.
        let _lock = lock(&place)?;
        let mut spool = open(config, &place, clock.wall_ms())?;
        spool.set_position(spool.position().commit, false);
        spool.write().map_err(|error| unwritable(&error))?;
    }
    if !settings.is_on() {
        return Ok(None);
    }
    let signing = signing_of(config);
    let before_send = match settings.before_send_url.as_str() {
        "" => None,
        url => Some(Arc::new(before_send_client(config, client("before_send_url", url, settings, clock)?, &signing, clock, metrics))),
    };
    let first_frame = first_frame_client(config, &signing, clock)?;
    let state: Arc<Mutex<WebhookState>> = Arc::default();
    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let handle = Webhooks { commands, state: state.clone() };
    let (runtime, exporter): (Handle, Option<Arc<dyn EventExporter>>) = if settings.url.is_empty() {
        (spawn(move || idle(inbox))?, None)
    } else {
        let lock = lock(&place)?;
        let mut worker = worker(config, &place, signing, (clock, clock_guard), metrics, (inbox, state))?;
        worker.spool.adopt(clock.wall_ms()).map_err(|error| unwritable(&error))?;
        worker.catch_up(store).map_err(|error| format!("what the webhooks missed cannot be queued: {error}"))?;
        let exporter: Arc<dyn EventExporter> = worker.event_queue.clone();
        let work = move || async move {
            let reply = worker.run().await;
            drop(lock);
            reply
        };
        (spawn(work)?, Some(exporter))
    };
    let of_frames = runtime.clone();
    let first_frame_backend =
        first_frame.map(|client| -> Arc<dyn FirstFrameBackend> { Arc::new(FirstFrameAsker { client, runtime: of_frames }) });
    let moderator = before_send.map(|before_send| -> Arc<dyn DynModerator> { Arc::new(BeforeSendModerator { before_send, runtime }) });
    Ok(Some(Parts { exporter, moderator, first_frame_backend, handle }))
}

fn signing_of(config: &Config) -> Signing {
    let settings = &config.webhooks;
    let is_alone = !settings.signature.is_standard();
    let vendor = Vendor { secret: settings.vendor_secret.clone(), app_id: config.auth.app_id, is_alone };
    Signing {
        key: settings.signature.is_standard().then(|| sign::key_of(&settings.secret)),
        vendor: settings.signature.is_vendor().then_some(vendor),
    }
}

fn first_frame_client(config: &Config, signing: &Signing, clock: &Arc<dyn Clock>) -> Result<Option<Arc<FirstFrameClient>>, String> {
    let settings = &config.webhooks;
    if settings.first_frame_url.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(FirstFrameClient {
        client: client("first_frame_url", &settings.first_frame_url, settings, clock)?,
        key: signing.key.clone(),
        vendor: signing.vendor.clone(),
        clock: clock.clone(),
    })))
}

fn before_send_client(
    config: &Config,
    client: Client,
    signing: &Signing,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> BeforeSendClient {
    let settings = &config.webhooks;
    BeforeSendClient {
        client,
        key: signing.key.clone(),
        vendor: signing.vendor.clone(),
        clock: clock.clone(),
        deadline: Duration::from_millis(settings.before_send_deadline_ms),
        on_failure: settings.before_send_fail,
        under_way: Semaphore::new(settings.before_send_in_flight_max),
        limits: config.limits.clone(),
        metrics: metrics.clone(),
    }
}

fn worker(
    config: &Config,
    place: &JournalPlace,
    signing: Signing,
    (clock, clock_guard): (&Arc<dyn Clock>, &Arc<ClockGuard>),
    metrics: &Arc<Metrics>,
    (commands, state): (mpsc::Receiver<Command>, Arc<Mutex<WebhookState>>),
) -> Result<Worker, String> {
    let settings = &config.webhooks;
    let is_one_of_many = matches!(place, JournalPlace::Shared { node: Some(_), .. });
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| format!("no random bytes from the system: {error}"))?;
    let deliverer = Deliverer {
        client: client("url", &settings.url, settings, clock)?,
        key: signing.key,
        clock: clock.clone(),
        timeout: Duration::from_millis(settings.timeout_ms),
    };
    Ok(Worker {
        spool: open(config, place, clock.wall_ms())?,
        event_queue: Arc::new(EventQueue::new(settings.events.clone(), clock.clone(), metrics.clone())),
        deliverer: Arc::new(deliverer),
        vendor: signing.vendor,
        clock: clock.clone(),
        clock_guard: clock_guard.clone(),
        metrics: metrics.clone(),
        state,
        commands,
        deliveries_max: settings.deliveries_max,
        retry_most_ms: settings.retry_most_ms,
        when_full: settings.when_full,
        sync_ms: settings.sync_ms,
        following: !is_one_of_many && settings.events.iter().any(|event| event == "message.sent"),
        is_one_of_many,
        tag: crate::model::hex(&random),
    })
}

/// Starts a thread with a runtime of its own, which ends when the job is done; then whoever asked for the end is told.
fn spawn<F>(job: impl FnOnce() -> F + Send + 'static) -> Result<Handle, String>
where
    F: Future<Output = Option<oneshot::Sender<()>>>,
{
    let (handle, started) = std::sync::mpsc::sync_channel(1);
    let run = move || {
        let built = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build();
        let runtime = match built {
            Ok(runtime) => runtime,
            Err(error) => return drop(handle.send(Err(error))),
        };
        if handle.send(Ok(runtime.handle().clone())).is_err() {
            return;
        }
        let ended = runtime.block_on(job());
        // A name that is still being resolved is not waited for.
        runtime.shutdown_background();
        if ended.is_some_and(|reply| reply.send(()).is_err()) {
            tracing::debug!("nobody waits for the end of the webhooks");
        }
    };
    let failed = |error: std::io::Error| format!("the webhooks' thread cannot be started: {error}");
    std::thread::Builder::new().name("tidings-webhooks".into()).spawn(run).map_err(failed)?;
    started.recv().map_err(|error| failed(std::io::Error::other(error)))?.map_err(failed)
}

/// Nothing is told: only keeps the runtime for questions.
async fn idle(mut commands: mpsc::Receiver<Command>) -> Option<oneshot::Sender<()>> {
    while let Some(command) = commands.recv().await {
        // Whoever else asked hears that its reply will not come.
        if let Command::Stop { reply, .. } = command {
            return Some(reply);
        }
    }
    None
}

fn unwritable(error: &std::io::Error) -> String {
    format!("the webhook queue cannot be opened: {error}")
}

fn open(config: &Config, place: &JournalPlace, now_ms: u64) -> Result<Spool, String> {
    let settings = &config.webhooks;
    let bounds = Bounds {
        queue_bytes_max: settings.queue_bytes_max,
        queue_events_max: settings.queue_events_max,
        dead_letters_max: settings.dead_letters_max,
        dead_letters_days: settings.dead_letters_days,
    };
    let backoff = Backoff { attempts_max: settings.attempts_max, first_ms: settings.retry_first_ms, most_ms: settings.retry_most_ms };
    Spool::open(place, bounds, backoff, now_ms).map_err(|error| unwritable(&error))
}

/// One broker at a time; of those that share a store the one that owns it.
fn lock(place: &JournalPlace) -> Result<Option<File>, String> {
    let JournalPlace::Folder(folder) = place else { return Ok(None) };
    make_folder(folder).map_err(|error| unwritable(&error))?;
    let path = folder.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(|error| unwritable(&error))?;
    restrict(&path).map_err(|error| unwritable(&error))?;
    let (_never, pause) = std::sync::mpsc::channel::<()>();
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            // Nothing is ever sent: this waits.
            Err(TryLockError::WouldBlock) => drop(pause.recv_timeout(LOCK_RETRY)),
            Err(TryLockError::Error(error)) => return Err(unwritable(&error)),
        }
    }
    Err(format!("the webhook queue {} is in use by another process", folder.display()))
}

fn client(key: &str, url: &str, settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Client, String> {
    let options = CallOptions {
        allow_private: settings.allow_private_addresses,
        connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
        clock: clock.clone(),
    };
    Client::new(url, &settings.ca_file, options).map_err(|error| format!("webhooks.{key} {error}"))
}
