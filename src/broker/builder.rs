//! How a broker comes up: parts from the host or from the configuration, in the order they need each other.

use std::fmt;
use std::sync::Arc;

use super::assembly::Parts;
use super::error::StartError;
use super::handle::Broker;
use super::open::{Identity, guard_clock, moderators, open_media_store, open_store};
use super::thread::BrokerThread;
use crate::actors::disk::{Disk, FreeSpace, free_space};
use crate::actors::files::MediaService;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::hooks::{Authenticator, DynAuthenticator, DynFirstFrames, DynModerator, EventSink, FirstFrames, Moderator};
use crate::media::{DynMediaStore, MediaStore};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::webhooks;

impl Broker {
    /// Begins to describe a broker.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::new()
    }
}

/// Describes a broker; every part has a default.
#[must_use]
pub struct BrokerBuilder {
    config: Config,
    clock: Arc<dyn Clock>,
    authenticator: Option<Arc<dyn DynAuthenticator>>,
    moderator: Option<Arc<dyn DynModerator>>,
    first_frames: Option<Arc<dyn DynFirstFrames>>,
    event_sink: Option<Box<dyn EventSink>>,
    store: Option<Arc<dyn Store>>,
    media_store: Option<Arc<dyn DynMediaStore>>,
    accept_data_loss: bool,
    free_space: FreeSpace,
    #[cfg(feature = "cluster")]
    encodes_commands: bool,
}

impl fmt::Debug for BrokerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl BrokerBuilder {
    fn new() -> Self {
        Self {
            config: Config::default(),
            clock: Arc::new(SystemClock::new()),
            authenticator: None,
            moderator: None,
            first_frames: first_frames_built_in(),
            event_sink: None,
            store: None,
            media_store: None,
            accept_data_loss: false,
            free_space: Arc::new(free_space),
            #[cfg(feature = "cluster")]
            encodes_commands: false,
        }
    }

    /// Sets the configuration; default: the compiled-in `config.toml`.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets what decides who someone is; default: tokens signed with the configured secret.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Sets what looks at messages before they go out; default: nothing. With `webhooks.before_send_url` the backend looks at what
    /// this one lets through, and as it leaves it.
    pub fn moderator(mut self, moderator: impl Moderator) -> Self {
        self.moderator = Some(Arc::new(moderator));
        self
    }

    /// Sets what makes the first picture of a video that was uploaded without one; default: nothing, with the feature `video` a decoder of
    /// H.264. Where that makes none and `webhooks.first_frame_url` is set, the backend is asked.
    pub fn first_frames(mut self, first_frames: impl FirstFrames) -> Self {
        self.first_frames = Some(Arc::new(first_frames));
        self
    }

    /// Sets what hears every event; default: nothing. See also [`Broker::subscribe`].
    pub fn event_sink(mut self, sink: impl EventSink) -> Self {
        self.event_sink = Some(Box::new(sink));
        self
    }

    /// Sets where messages are kept; default: the engine the configuration names.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Sets where the bytes of files are kept; default: what the configuration names.
    pub fn media_store(mut self, store: impl MediaStore) -> Self {
        self.media_store = Some(Arc::new(store));
        self
    }

    /// Sets the clock; for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens a damaged store with what can be read of it, after copying it aside.
    pub fn accept_data_loss(mut self, accept: bool) -> Self {
        self.accept_data_loss = accept;
        self
    }

    /// Sets what says how many bytes are free where a folder is; for tests. It is asked every two seconds, on a thread that may wait.
    pub fn free_space(mut self, read: impl Fn(&std::path::Path) -> std::io::Result<u64> + Send + Sync + 'static) -> Self {
        self.free_space = Arc::new(read);
        self
    }

    /// Makes the actors say everything to each other encoded, as if they lived on different nodes; for tests.
    #[cfg(feature = "cluster")]
    #[doc(hidden)]
    pub fn encode_commands(mut self, encode: bool) -> Self {
        self.encodes_commands = encode;
        self
    }

    /// Opens the store and starts the actors on a thread of their own. Blocks while the store is read.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(self) -> Result<Broker, StartError> {
        self.config.validate()?;
        let parts = self.open()?;
        let (thread, arbiter) = BrokerThread::start()?;
        parts.assemble(thread, arbiter)
    }

    fn open(self) -> Result<Parts, StartError> {
        let Self { config, clock, .. } = self;
        let identity = Identity::open(self.authenticator, &config, &clock)?;
        let store = match self.store {
            Some(store) => store,
            None => open_store(&config, self.accept_data_loss, &clock)?,
        };
        #[cfg(feature = "cluster")]
        let cluster = super::cluster::node(&config, &*store, &clock, self.media_store.is_some())?;
        #[cfg(not(feature = "cluster"))]
        if !config.cluster.nats.is_empty() {
            return Err(StartError::Cluster("cluster.nats is set, but this program was built without the feature `cluster`".into()));
        }
        let media_tokens = identity.media_tokens(&clock)?;
        let media_store = match self.media_store {
            Some(store) => store,
            None => open_media_store(&config)?,
        };
        let media = Arc::new(MediaService::open(&config, media_store, &*store, media_tokens)?);
        let rooms = store.rooms()?;
        let disk = Disk::new(self.free_space);
        disk.look(&config.server.data_dir, config.store.disk_free_bytes_min);
        let clock_guard = Arc::new(guard_clock(&config, &*store, &clock)?);
        let metrics = Arc::new(Metrics::new());
        let hooked = webhooks::start(&config, &*store, (&clock, &clock_guard), &metrics).map_err(StartError::Webhooks)?;
        let (exporter, backend, first_frame_backend, webhooks) = match hooked {
            Some(parts) => (parts.exporter, parts.moderator, parts.first_frame_backend, Some(parts.handle)),
            None => (None, None, None, None),
        };
        let moderator = moderators(self.moderator, backend);
        let (config, event_sink) = (Arc::new(config), self.event_sink);
        let demo_key = identity.demo_key(&config)?;
        Ok(Parts {
            #[cfg(feature = "cluster")]
            cluster,
            #[cfg(feature = "cluster")]
            encodes_commands: self.encodes_commands,
            config,
            clock,
            metrics,
            identity,
            demo_key,
            store,
            media,
            rooms,
            disk,
            clock_guard,
            moderator,
            first_frames: self.first_frames,
            first_frame_backend,
            exporter,
            webhooks,
            event_sink,
        })
    }
}

/// Returns what makes first pictures in this program by itself.
fn first_frames_built_in() -> Option<Arc<dyn DynFirstFrames>> {
    #[cfg(feature = "video")]
    return Some(Arc::new(BuiltIn));
    #[cfg(not(feature = "video"))]
    None
}

/// The decoder of H.264 that is compiled in.
#[cfg(feature = "video")]
struct BuiltIn;

#[cfg(feature = "video")]
impl FirstFrames for BuiltIn {
    async fn first_frame(&self, video: crate::hooks::VideoFile) -> Option<Vec<u8>> {
        tokio::task::spawn_blocking(move || crate::media::first_picture(&video.path)).await.ok().flatten()
    }
}
