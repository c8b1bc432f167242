//! How a broker comes up: parts from the host or from the configuration, in the order they need each other.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use actix::{ArbiterHandle, System};
use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::sync::{broadcast, watch};

use super::Broker;
use super::server_api::ServerApiState;
use crate::actors::archive::ArchiveHandle;
use crate::actors::core::{Core, LinkRegistry};
use crate::actors::directory::Shelf;
use crate::actors::disk::{self, Disk, FreeSpace, free_space};
use crate::actors::handed::Handed;
use crate::actors::left::Left;
use crate::actors::media::{MediaDesk, keep_tidy};
use crate::actors::mint::Mint;
use crate::actors::presence::Presence;
use crate::actors::pulse::{self, PressureCell};
use crate::actors::reaper::Reaper;
use crate::actors::room::Wake;
use crate::actors::status::StatusBoard;
use crate::audit::Audit;
use crate::auth::{MediaTokens, SecretError, SecretSource, Tokens};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError, MediaEngine, StoreEngine};
use crate::console::Console;
use crate::hooks::{Authenticator, DynAuthenticator, DynModerator, EventSink, InTurn, LoginRequest, Moderator, Recognised};
use crate::media::{DiskMediaStore, DynMediaStore, MediaStore};
#[cfg(feature = "s3")]
use crate::media::{ObjectMediaStore, S3Options};
use crate::metrics::Metrics;
use crate::model::Refusal;
use crate::rate::{GateQuota, SendGate};
use crate::store::{MemoryStore, OpenError, SledOptions, SledStore, Store, StoreError};
use crate::webhooks;

/// Events a listener may fall behind before it misses some.
const EVENTS_BEHIND_MAX: usize = 1_024;

/// How often what is older than the retention is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// Why a broker does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A value of the configuration is out of its range, or two do not fit each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The secret that signs tokens cannot be read or kept.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store opened and cannot be read.
    #[error("store cannot be read: {0}")]
    Read(#[from] StoreError),
    /// Files cannot be kept where the configuration says.
    #[error("{0}")]
    Media(String),
    /// Webhooks cannot be called, or their queue cannot be opened, as the configuration says.
    #[error("{0}")]
    Webhooks(String),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Describes a broker; every part has a default.
#[must_use]
pub struct BrokerBuilder {
    config: Config,
    clock: Arc<dyn Clock>,
    authenticator: Option<Arc<dyn DynAuthenticator>>,
    moderator: Option<Arc<dyn DynModerator>>,
    event_sink: Option<Box<dyn EventSink>>,
    store: Option<Arc<dyn Store>>,
    media_store: Option<Arc<dyn DynMediaStore>>,
    accept_data_loss: bool,
    free_space: FreeSpace,
}

impl fmt::Debug for BrokerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl BrokerBuilder {
    pub(super) fn new() -> Self {
        Self {
            config: Config::default(),
            clock: Arc::new(SystemClock::new()),
            authenticator: None,
            moderator: None,
            event_sink: None,
            store: None,
            media_store: None,
            accept_data_loss: false,
            free_space: Arc::new(free_space),
        }
    }

    /// The configuration; default: the compiled-in `config.toml`.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Who decides who someone is; default: tokens signed with the configured secret.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Who looks at messages before they go out; default: nobody. With `webhooks.before_send_url` the backend looks at what
    /// this one lets through, and as it leaves it.
    pub fn moderator(mut self, moderator: impl Moderator) -> Self {
        self.moderator = Some(Arc::new(moderator));
        self
    }

    /// Who hears every event; default: nobody. See also [`Broker::subscribe`].
    pub fn event_sink(mut self, sink: impl EventSink) -> Self {
        self.event_sink = Some(Box::new(sink));
        self
    }

    /// Where messages are kept; default: the engine the configuration names.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Where the bytes of files are kept; default: what the configuration names.
    pub fn media_store(mut self, store: impl MediaStore) -> Self {
        self.media_store = Some(Arc::new(store));
        self
    }

    /// The clock; for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens a damaged store with what can be read of it, after copying it aside.
    pub fn accept_data_loss(mut self, accept: bool) -> Self {
        self.accept_data_loss = accept;
        self
    }

    /// Says how many bytes are free where a folder is; for tests. Asked every two seconds, on a thread that may wait.
    pub fn free_space(mut self, read: impl Fn(&std::path::Path) -> std::io::Result<u64> + Send + Sync + 'static) -> Self {
        self.free_space = Arc::new(read);
        self
    }

    /// Opens the store and starts the actors on a thread of their own. Blocks while the store is read.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(self) -> Result<Broker, StartError> {
        self.config.validate()?;
        let (tokens, secret, authenticator) = match self.authenticator {
            Some(authenticator) => (None, SecretSource::Configured, authenticator),
            None => {
                let (tokens, secret) = Tokens::open(&self.config, self.clock.clone())?;
                let tokens = Arc::new(tokens);
                let authenticator: Arc<dyn DynAuthenticator> = Arc::new(TokenAuthenticator(tokens.clone()));
                (Some(tokens), secret, authenticator)
            }
        };
        let store = match self.store {
            Some(store) => store,
            None => open_store(&self.config, self.accept_data_loss, &self.clock)?,
        };
        let media_tokens = match &tokens {
            Some(tokens) => tokens.media(),
            None => MediaTokens::random(self.clock.clone())?,
        };
        let media_store = match self.media_store {
            Some(store) => store,
            None => open_media_store(&self.config)?,
        };
        let media = Arc::new(MediaDesk::open(&self.config, media_store, &*store, media_tokens)?);
        let rooms = store.rooms()?;
        let disk = Disk::new(self.free_space);
        disk.look(&self.config.server.data_dir, self.config.store.disk_free_bytes_min);
        let config = Arc::new(self.config);
        let metrics = Arc::new(Metrics::new());
        let hooked = webhooks::start(&config, &*store, &self.clock, &metrics).map_err(StartError::Webhooks)?;
        let (outlet, backend, webhooks) = match hooked {
            Some(parts) => (parts.outlet, parts.moderator, Some(parts.handle)),
            None => (None, None, None),
        };
        let moderator: Option<Arc<dyn DynModerator>> = match (self.moderator, backend) {
            (Some(first), Some(second)) => Some(Arc::new(InTurn { first, second })),
            (first, second) => first.or(second),
        };
        let (thread, arbiter) = BrokerThread::start()?;
        let actors = &config.actors;
        let archive =
            ArchiveHandle::start(store.clone(), actors.archive_mailbox, actors.appends_in_flight_max, actors.reads_in_flight_max, &arbiter);
        let core = Arc::new(Core {
            metrics,
            left: Left::default(),
            statuses: StatusBoard::default(),
            handed: Handed::up_to(store.last_commit()),
            mint: Mint::above(store.last_message_id(), self.clock.clone()),
            gate: gate(&config, self.clock.clone()),
            clock: self.clock,
            store,
            archive,
            media,
            arbiter,
            authenticator,
            moderator,
            outlet,
            events: broadcast::channel(EVENTS_BEHIND_MAX).0,
            presence: Presence::new(),
            users: Shelf::new(),
            peers: Shelf::new(),
            rooms: Shelf::new(),
            groups: Shelf::new(),
            links: LinkRegistry::default(),
            pressure: PressureCell::default(),
            draining: false.into(),
            eviction_degraded: false.into(),
            disk,
            reloading: Mutex::new(()),
            settings: ArcSwap::new(config),
        });
        Reaper::start(core.clone());
        core.arbiter.spawn(pulse::beat(core.clone()));
        core.arbiter.spawn(disk::watch(core.clone()));
        let its_core = core.clone();
        core.arbiter.spawn(async move {
            for room in rooms {
                its_core.rooms.tell_surely(&its_core, &room.id, Wake).await;
            }
            sweep_periodically(its_core).await;
        });
        core.arbiter.spawn(keep_tidy(core.clone()));
        let server_api = Arc::new(ServerApiState::new(&core.config(), &core.clock));
        let settings = core.config();
        let data_dir = &settings.server.data_dir;
        let console = Arc::new(Console::new(data_dir, core.clock.clone()));
        let audit = Arc::new(Audit::new(data_dir, settings.console.audit_bytes_max));
        let broker = Broker { core, tokens, secret, webhooks, server_api, console, audit, vendor_api: Arc::default(), thread: Arc::new(thread) };
        // Each drop there can be is counted from zero on.
        drop(broker.stats());
        if let Some(sink) = self.event_sink {
            let mut events = broker.subscribe();
            broker.core.arbiter.spawn(async move {
                while let Some(event) = events.next().await {
                    sink.on_event(&event);
                }
            });
        }
        Ok(broker)
    }
}

fn gate(config: &Config, clock: Arc<dyn Clock>) -> SendGate {
    let [storable, high, command, change] = quotas(config);
    SendGate::new(storable, high, command, change, clock)
}

/// Of storable messages, those of high priority, commands, and other changes.
pub(super) fn quotas(config: &Config) -> [GateQuota; 4] {
    let rate = &config.rate;
    [
        GateQuota { per_second: rate.sends_per_second, burst: rate.burst },
        GateQuota { per_second: rate.high_priority_per_second, burst: rate.high_priority_burst },
        GateQuota { per_second: rate.commands_per_second, burst: rate.commands_burst },
        GateQuota { per_second: rate.changes_per_second, burst: rate.changes_burst },
    ]
}

fn open_store(config: &Config, accept_data_loss: bool, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match config.store.engine {
        StoreEngine::Memory => Arc::new(MemoryStore::new(clock.clone())),
        StoreEngine::Sled => {
            let options = SledOptions {
                path: config.store_dir(),
                cache_bytes: config.store.cache_bytes,
                retention_days: config.history.retention_days.into(),
                accept_data_loss,
                lock_wait: Duration::from_secs(5),
                seen_bytes: config.store.seen_bytes,
            };
            Arc::new(SledStore::open(options, clock.clone())?)
        }
    })
}

fn open_media_store(config: &Config) -> Result<Arc<dyn DynMediaStore>, StartError> {
    match config.media.store {
        MediaEngine::Disk => Ok(Arc::new(DiskMediaStore::new(config.media_dir()))),
        #[cfg(feature = "s3")]
        MediaEngine::S3 => {
            let media = &config.media;
            let options = S3Options {
                bucket: media.s3_bucket.clone(),
                endpoint: Some(media.s3_endpoint.clone()).filter(|endpoint| !endpoint.is_empty()),
                prefix: media.s3_prefix.clone(),
            };
            Ok(Arc::new(ObjectMediaStore::s3(&options).map_err(|error| StartError::Media(error.to_string()))?))
        }
        #[cfg(not(feature = "s3"))]
        MediaEngine::S3 => Err(StartError::Media("media.store is \"s3\", but this program was built without the feature `s3`".into())),
    }
}

async fn sweep_periodically(core: Arc<Core>) {
    loop {
        let now_ms = core.clock.wall_ms();
        if let Err(refusal) = core.archive.read(move |store| store.sweep(now_ms)).await {
            tracing::warn!(%refusal, "what is older than the retention could not be deleted");
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

/// Recognises users by the broker's own tokens.
struct TokenAuthenticator(Arc<Tokens>);

impl Authenticator for TokenAuthenticator {
    async fn authenticate(&self, request: LoginRequest) -> Result<Recognised, Refusal> {
        let claims = self.0.verify(&request.token, &request.user)?;
        Ok(Recognised { expires_at_ms: claims.expires_at_ms })
    }
}

/// The thread the actors live on. Stops when told, or when the last handle is gone.
#[derive(Debug)]
pub(super) struct BrokerThread {
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl BrokerThread {
    fn start() -> Result<(Self, ArbiterHandle), std::io::Error> {
        let (stop, mut stopping) = watch::channel(false);
        let (ending, ended) = watch::channel(false);
        let (handle, started) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("tidings-core".into()).spawn(move || {
            System::new().block_on(async move {
                if handle.send(System::current().arbiter().clone()).is_ok() {
                    // An error says that every handle on the broker is gone.
                    let _told_or_abandoned = stopping.wait_for(|stop| *stop).await.is_ok();
                }
            });
            ending.send_replace(true);
        })?;
        let arbiter = started.recv().map_err(std::io::Error::other)?;
        Ok((Self { stop, ended, thread: Mutex::new(Some(thread)) }, arbiter))
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the thread ended.
    pub(super) async fn stopped(&self) {
        // An error says that the sender, and so the thread, is gone.
        let _ended_or_gone = self.ended.clone().wait_for(|ended| *ended).await.is_ok();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the actors' thread ended in a panic");
        }
    }
}
