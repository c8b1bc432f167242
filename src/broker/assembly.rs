//! Puts the opened parts of a broker together and sets them to work.

use std::sync::{Arc, Mutex};

use actix::ArbiterHandle;
use arc_swap::ArcSwap;
use tokio::sync::broadcast;

use super::error::StartError;
use super::handle::Broker;
use super::open::{Identity, send_gate};
use super::server_api::ServerApiState;
use super::thread::BrokerThread;
use crate::actors::connection::last_seen::LastSeen;
use crate::actors::connection::presence::Presence;
use crate::actors::connection::status::StatusBoard;
use crate::actors::context::{BrokerContext, ConnectionRegistry};
use crate::actors::disk::Disk;
use crate::actors::files::MediaService;
use crate::actors::load::LoadMonitor;
use crate::actors::maintenance::reaper::Reaper;
use crate::actors::maintenance::retention::keep_retention;
use crate::actors::maintenance::sweeps;
use crate::actors::media::keep_tidy;
use crate::actors::nodes::Nodes;
use crate::actors::registries::Registries;
#[cfg(feature = "cluster")]
use crate::actors::remote::{cluster::Cluster, loopback::Loopback};
use crate::actors::runtime::archive::ArchiveHandle;
use crate::actors::runtime::ids::IdGenerator;
use crate::actors::runtime::open_requests::OpenRequests;
use crate::actors::runtime::route::Route;
use crate::actors::runtime::watermark::DeliveryWatermark;
use crate::audit::{Audit, AuditPlace};
use crate::auth::DemoKey;
use crate::clock::Clock;
use crate::clock::guard::ClockGuard;
use crate::config::Config;
use crate::console::{Console, ConsoleFile};
use crate::documents::{Documents, FolderDocuments};
use crate::hooks::{DynFirstFrames, DynModerator, EventExporter, EventSink, FirstFrameBackend};
use crate::metrics::Metrics;
use crate::rate::{ByteBudget, OnceInAWhile};
use crate::store::{RoomRecord, Store};
use crate::webhooks::Webhooks;

/// Events a listener may fall behind before it misses some.
const EVENTS_BEHIND_MAX: usize = 1_024;

/// Everything a broker is made of, opened and not yet at work.
pub(super) struct Parts {
    pub(super) config: Arc<Config>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) identity: Identity,
    pub(super) demo_key: Option<Arc<DemoKey>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) media: Arc<MediaService>,
    /// The rooms there were when the broker last ended.
    pub(super) rooms: Vec<RoomRecord>,
    pub(super) disk: Disk,
    pub(super) clock_guard: Arc<ClockGuard>,
    pub(super) moderator: Option<Arc<dyn DynModerator>>,
    pub(super) first_frames: Option<Arc<dyn DynFirstFrames>>,
    pub(super) first_frame_backend: Option<Arc<dyn FirstFrameBackend>>,
    pub(super) exporter: Option<Arc<dyn EventExporter>>,
    pub(super) webhooks: Option<Webhooks>,
    pub(super) event_sink: Option<Box<dyn EventSink>>,
    /// This node, when several brokers work together.
    #[cfg(feature = "cluster")]
    pub(super) cluster: Option<Arc<Cluster>>,
    #[cfg(feature = "cluster")]
    pub(super) encodes_commands: bool,
}

impl Parts {
    /// Starts the actors on `thread`, which `arbiter` belongs to.
    ///
    /// # Errors
    /// [`StartError::Cluster`].
    pub(super) fn assemble(mut self, thread: BrokerThread, arbiter: ArbiterHandle) -> Result<Broker, StartError> {
        let (rooms, event_sink, webhooks) = (std::mem::take(&mut self.rooms), self.event_sink.take(), self.webhooks.take());
        let (tokens, demo_key) = (self.identity.tokens.clone(), self.demo_key.take());
        #[cfg(feature = "cluster")]
        let (cluster, loopback) = (self.cluster.clone(), self.encodes_commands.then(|| Arc::new(Loopback::default())));
        #[cfg(feature = "cluster")]
        let others = Others::of(cluster.as_ref(), loopback.as_ref());
        #[cfg(not(feature = "cluster"))]
        let others = Others::default();
        let works_alone = others.nodes.is_none();
        let context = self.into_context(arbiter, others);
        let actors = Registries::new(context.clone());
        #[cfg(feature = "cluster")]
        if let Some(loopback) = loopback {
            loopback.lead_to(&actors);
        }
        // Whoever owns shards looks after their rooms.
        start_work(&actors, if works_alone { rooms } else { Vec::new() });
        #[cfg(feature = "cluster")]
        if let Some(cluster) = &cluster {
            super::cluster::begin(cluster, &actors)?;
        }
        let settings = context.config();
        let data_dir = &settings.server.data_dir;
        let shared = context.store.shared_state();
        let documents: Arc<dyn Documents> = match &shared {
            Some(shared) => shared.clone(),
            None => Arc::new(FolderDocuments::of(data_dir)),
        };
        let audit_place = shared.clone().map_or_else(|| AuditPlace::Folder(data_dir.clone()), AuditPlace::Shared);
        let audit = Arc::new(Audit::new(audit_place, settings.console.audit_bytes_max));
        let console = Arc::new(Console::new(ConsoleFile::among(documents.clone()), context.clock.clone()));
        let server_api = Arc::new(ServerApiState::new(&settings, &context.clock, documents, shared));
        let broker = Broker {
            context,
            actors,
            tokens,
            demo_key,
            webhooks,
            server_api,
            console,
            audit,
            vendor_api: Arc::default(),
            thread: Arc::new(thread),
        };
        // Each drop there can be is counted from zero on.
        drop(broker.stats());
        if let Some(sink) = event_sink {
            forward_events(&broker, sink);
        }
        Ok(broker)
    }

    fn into_context(self, arbiter: ArbiterHandle, others: Others) -> Arc<BrokerContext> {
        let (config, store) = (self.config, self.store);
        let actors = &config.actors;
        let archive =
            ArchiveHandle::start(store.clone(), actors.archive_mailbox, actors.appends_in_flight_max, actors.reads_in_flight_max, &arbiter);
        Arc::new(BrokerContext {
            metrics: self.metrics,
            last_seen: LastSeen::default(),
            statuses: StatusBoard::default(),
            watermark: DeliveryWatermark::up_to(store.last_commit()),
            ids: match store.shards().filter(|_| !config.cluster.nats.is_empty()) {
                Some(shards) => IdGenerator::of_slot(shards.slot(), store.last_message_id(), self.clock.clone()),
                None => IdGenerator::above(store.last_message_id(), self.clock.clone()),
            },
            gate: send_gate(&config, self.clock.clone()),
            refused_origins: OnceInAWhile::new(std::time::Duration::from_secs(60)),
            strangers_bytes: ByteBudget::default(),
            clock: self.clock,
            store,
            archive,
            media: self.media,
            arbiter,
            authenticator: self.identity.authenticator,
            moderator: self.moderator,
            first_frames: self.first_frames,
            first_frame_backend: self.first_frame_backend,
            exporter: self.exporter,
            events: broadcast::channel(EVENTS_BEHIND_MAX).0,
            presence: Presence::new(),
            route: others.route,
            nodes: others.nodes,
            places: Arc::default(),
            standing: Arc::default(),
            combine_memory: Arc::default(),
            connections: ConnectionRegistry::default(),
            load: LoadMonitor::default(),
            draining: false.into(),
            requests: OpenRequests::default(),
            eviction_degraded: false.into(),
            disk: self.disk,
            clock_guard: self.clock_guard,
            reloading: Mutex::new(()),
            settings: ArcSwap::new(config),
        })
    }
}

/// The ways to other nodes.
#[derive(Default)]
struct Others {
    route: Option<Arc<dyn Route>>,
    nodes: Option<Arc<dyn Nodes>>,
}

#[cfg(feature = "cluster")]
impl Others {
    fn of(cluster: Option<&Arc<Cluster>>, loopback: Option<&Arc<Loopback>>) -> Self {
        let nodes = cluster.cloned().map(|cluster| cluster as Arc<dyn Nodes>);
        let route = cluster.cloned().map(|cluster| cluster as Arc<dyn Route>);
        Self { route: route.or_else(|| loopback.cloned().map(|loopback| loopback as Arc<dyn Route>)), nodes }
    }
}

/// Starts everything that goes on by itself.
fn start_work(actors: &Arc<Registries>, rooms: Vec<RoomRecord>) {
    let context = &actors.context;
    Reaper::start(context.clone());
    context.arbiter.spawn(sweeps::sample_load(context.clone()));
    context.arbiter.spawn(sweeps::watch_disk(context.clone()));
    sweeps::let_stand(context, &rooms);
    context.arbiter.spawn(sweeps::end_empty_rooms(actors.clone()));
    context.arbiter.spawn(keep_retention(context.clone()));
    context.arbiter.spawn(keep_tidy(context.clone()));
}

/// Gives every event to the host's sink, on the actors' thread.
fn forward_events(broker: &Broker, sink: Box<dyn EventSink>) {
    let mut events = broker.subscribe();
    broker.context.arbiter.spawn(async move {
        while let Some(event) = events.next().await {
            sink.on_event(&event);
        }
    });
}
