//! One broker with its HTTP server, started through the library as a host would: the broker's own server, or a host's
//! with the broker mounted on it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use tempfile::TempDir;
use tidings::auth::Tokens;
use tidings::clock::{Clock, ManualClock, SystemClock};
use tidings::config::{Config, StoreEngine};
use tidings::http::Server;
use tidings::{Broker, BrokerBuilder, ShutdownReport};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::{Client, Login, T0, user};
#[cfg(feature = "cluster")]
use crate::hostile::Dice;

/// How long a world may take to end; half of it is for writes, half for connections.
const GRACE: Duration = Duration::from_secs(10);

/// The settings of a world.
pub(crate) struct WorldBuilder {
    config: Config,
    clock: Option<Arc<ManualClock>>,
    parts: Vec<Part>,
    folder: Option<TempDir>,
    serves: Serves,
    /// So many brokers work together.
    #[cfg(feature = "cluster")]
    nodes: usize,
}

/// What listens for a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serves {
    /// The broker's own server.
    Alone,
    /// The same with an echo beside the sessions.
    #[cfg(feature = "bench")]
    Echo,
    /// A host's server with the broker mounted on it.
    Mounted,
}

type Part = Box<dyn FnOnce(BrokerBuilder) -> BrokerBuilder>;

impl WorldBuilder {
    /// Changes settings.
    pub(crate) fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Lifts the quotas.
    pub(crate) fn no_rates(self) -> Self {
        self.config(|config| {
            let rate = &mut config.rate;
            for quota in [
                &mut rate.sends_per_second,
                &mut rate.burst,
                &mut rate.commands_per_second,
                &mut rate.commands_burst,
                &mut rate.changes_per_second,
                &mut rate.changes_burst,
                &mut rate.rooms_per_minute,
                &mut rate.groups_per_minute,
                &mut rate.invites_per_minute,
                &mut rate.searches_per_second,
            ] {
                *quota = 100_000;
            }
        })
    }

    /// Makes time stand still until the test moves it. Nobody falls silent meanwhile.
    pub(crate) fn frozen(self) -> Self {
        self.clock(Arc::new(ManualClock::at(T0)))
    }

    /// The same with a clock the test made.
    pub(crate) fn clock(mut self, clock: Arc<ManualClock>) -> Self {
        self.clock = Some(clock);
        self.config(|config| config.server.heartbeat_seconds = 300)
    }

    /// Keeps messages in sled in this folder, which the test owns: another world may follow on it.
    pub(crate) fn folder(self, folder: &Path) -> Self {
        let folder = folder.to_owned();
        self.config(|config| {
            config.store.engine = StoreEngine::Sled;
            config.server.data_dir = folder;
        })
    }

    /// Mounts the broker on an actix-web server of the host's own, below `/im`; the host's own page is `/mine`.
    pub(crate) fn mounted(mut self) -> Self {
        self.serves = Serves::Mounted;
        self
    }

    /// Says back at `/echo` what it hears.
    #[cfg(feature = "bench")]
    pub(crate) fn echoing(mut self) -> Self {
        self.serves = Serves::Echo;
        self
    }

    /// Gives the broker an implementation of the host's own.
    pub(crate) fn part(mut self, part: impl FnOnce(BrokerBuilder) -> BrokerBuilder + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }

    /// Stays one broker, whatever `TIDINGS_TEST_NODES` says: what it counts, or what its host hears, is its own.
    pub(crate) fn by_itself(self) -> Self {
        #[cfg(feature = "cluster")]
        return Self { nodes: 1, ..self };
        #[cfg(not(feature = "cluster"))]
        self
    }

    /// Lets so many brokers work together.
    #[cfg(feature = "cluster")]
    pub(crate) fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    pub(crate) fn start(self) -> World {
        #[cfg(feature = "cluster")]
        let Self { config, clock, parts, folder, serves, nodes } = self;
        #[cfg(not(feature = "cluster"))]
        let Self { config, clock, parts, folder, serves } = self;
        let any_clock: Arc<dyn Clock> = match &clock {
            Some(clock) => clock.clone(),
            None => Arc::new(SystemClock::new()),
        };
        let builder = Broker::builder().config(config.clone()).clock(any_clock.clone());
        #[cfg(feature = "postgres")]
        let builder = if config.store.engine == StoreEngine::Memory { in_postgres(builder, &any_clock) } else { builder };
        // Every test of this binary runs with actors that say all to each other as if they lived on different nodes.
        #[cfg(feature = "cluster")]
        let builder = builder.encode_commands(std::env::var_os("TIDINGS_TEST_ENCODED").is_some());
        #[cfg(feature = "cluster")]
        // Without a secret that all of them know there is one broker.
        #[cfg(feature = "cluster")]
        let is_shared = config.store.engine == StoreEngine::Memory && !config.auth.secret.is_empty();
        #[cfg(feature = "cluster")]
        let nodes = if parts.is_empty() && clock.is_none() && is_shared && serves == Serves::Alone { nodes } else { nodes.min(1) };
        #[cfg(feature = "cluster")]
        if nodes > 1 {
            let brokers = super::nodes::start(&config, nodes);
            let (tokens, _) = Tokens::open(&config, any_clock).unwrap();
            let hosts: Vec<_> = brokers.iter().map(|broker| Host::start(broker.clone(), serves)).collect();
            let mut nodes: Vec<Node> = brokers.into_iter().zip(hosts).map(|(broker, host)| Node { broker, host: Some(host) }).collect();
            let Node { broker, host } = nodes.remove(0);
            return World { broker, tokens, path: "/ws", clock, host, others: nodes, picks: Picks::of_test(), _folder: folder };
        }
        let broker = parts.into_iter().fold(builder, |builder, part| part(builder)).start().unwrap();
        let (tokens, _) = Tokens::open(&config, any_clock).unwrap();
        let host = Host::start(broker.clone(), serves);
        let path = if serves == Serves::Mounted { "/im/ws" } else { "/ws" };
        World {
            broker,
            tokens,
            path,
            clock,
            host: Some(host),
            #[cfg(feature = "cluster")]
            others: Vec::new(),
            #[cfg(feature = "cluster")]
            picks: Picks::of_test(),
            _folder: folder,
        }
    }
}

/// Keeps messages in a database of their own instead of memory, with `TIDINGS_TEST_STORE=postgres`: every test of this binary runs on
/// either.
#[cfg(feature = "postgres")]
fn in_postgres(builder: BrokerBuilder, clock: &Arc<dyn Clock>) -> BrokerBuilder {
    use tidings::store::{PostgresOptions, PostgresStore, StampTime};
    if std::env::var("TIDINGS_TEST_STORE").as_deref() != Ok("postgres") {
        return builder;
    }
    let url = crate::cluster::Cluster::shared().expect("PostgreSQL is installed").database();
    let options = PostgresOptions { connections_max: 4, seen_bytes: 64 << 10, time: StampTime::Own, ..PostgresOptions::new(url) };
    builder.store(PostgresStore::open(options, clock.clone()).unwrap())
}

/// A running broker. Dropped at the end of a test, it stops, and fails the test if a connection was left behind.
/// Clients are declared after it, so they are gone by then.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) tokens: Tokens,
    path: &'static str,
    clock: Option<Arc<ManualClock>>,
    host: Option<Host>,
    /// The brokers that work with it.
    #[cfg(feature = "cluster")]
    pub(crate) others: Vec<Node>,
    #[cfg(feature = "cluster")]
    picks: Picks,
    _folder: Option<TempDir>,
}

/// One of several brokers.
#[cfg(feature = "cluster")]
pub(crate) struct Node {
    pub(crate) broker: Broker,
    host: Option<Host>,
}

#[cfg(feature = "cluster")]
impl Node {
    /// Ends what listens, after the broker.
    pub(crate) fn stop(mut self) {
        drop(self.host.take().map(Host::stop));
    }
}

/// Picks nodes for clients: at random, and the same again for the same seed and test.
#[cfg(feature = "cluster")]
struct Picks(std::sync::Mutex<Dice>);

#[cfg(feature = "cluster")]
impl Picks {
    fn of_test() -> Self {
        let seed = std::env::var("TIDINGS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1u64);
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        Self(Dice(name.bytes().fold(seed, |seed, byte| seed.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte))).into())
    }

    fn next(&self, nodes: usize) -> usize {
        usize::try_from(self.0.lock().unwrap().between(0, nodes as u64 - 1)).unwrap()
    }
}

impl World {
    /// Keeps messages in memory, uses the system's clock, a configured secret, a port of the system's choice.
    pub(crate) fn builder() -> WorldBuilder {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.server.data_dir = folder.path().to_owned();
        // More threads than cores would only take time from the other tests.
        config.server.http_workers = 1;
        config.auth.secret = "the secret of the integration tests".to_owned();
        // Many tests read the metrics; how they are kept private has tests of its own.
        config.server.metrics_public = true;
        config.store.engine = StoreEngine::Memory;
        config.store.cache_bytes = 1 << 20;
        // What a group says of itself has tests of its own; the others count what users say.
        config.group.tips = false;
        WorldBuilder {
            config,
            clock: None,
            parts: Vec::new(),
            folder: Some(folder),
            serves: Serves::Alone,
            #[cfg(feature = "cluster")]
            nodes: std::env::var("TIDINGS_TEST_NODES").ok().and_then(|nodes| nodes.parse().ok()).unwrap_or(1),
        }
    }

    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    /// Makes a world with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::builder().config(change).start()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.host.as_ref().expect("the world has not ended").address
    }

    /// Moves a frozen world's time.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.as_ref().expect("the world is frozen").advance(by);
    }

    /// Returns a token for this user, good for a day.
    pub(crate) fn token(&self, id: &str) -> String {
        self.tokens.issue_jwt(&user(id), 86_400).unwrap()
    }

    /// Makes a connection that has not logged in.
    pub(crate) async fn connect(&self) -> Client {
        #[cfg(feature = "cluster")]
        if !self.others.is_empty() {
            return self.connect_to(self.picks.next(self.others.len() + 1)).await;
        }
        self.connect_over(TcpStream::connect(self.address()).await.unwrap()).await
    }

    /// Makes one at a certain broker of several.
    #[cfg(feature = "cluster")]
    pub(crate) async fn connect_to(&self, node: usize) -> Client {
        let host = match node.checked_sub(1) {
            None => self.host.as_ref(),
            Some(other) => self.others[other].host.as_ref(),
        };
        let address = host.expect("the node has not ended").address;
        self.connect_over(TcpStream::connect(address).await.unwrap()).await
    }

    /// Logs in on the user's only device at a certain broker of several.
    #[cfg(feature = "cluster")]
    pub(crate) async fn client_at(&self, node: usize, id: &str) -> Client {
        let mut client = self.connect_to(node).await;
        client.login(&self.token(id), Login { user: id, device: "only", ..Login::default() }).await;
        client
    }

    /// Makes one over a socket of the test's own.
    pub(crate) async fn connect_over(&self, stream: TcpStream) -> Client {
        match Client::over(stream, self.path, &[]).await {
            Ok(client) => client,
            Err((status, body)) => panic!("no WebSocket: {status} {body}"),
        }
    }

    /// Logs in on the user's only device.
    pub(crate) async fn client(&self, id: &str) -> Client {
        self.login(Login { user: id, device: "only", ..Login::default() }).await
    }

    /// Logs in on a certain device.
    pub(crate) async fn device(&self, id: &str, device: &str) -> Client {
        self.login(Login { user: id, device, ..Login::default() }).await
    }

    /// Logs in as described.
    pub(crate) async fn login(&self, login: Login<'_>) -> Client {
        let mut client = self.connect().await;
        client.login(&self.token(login.user), login).await;
        client
    }

    /// Ends the broker, with clients connected or not.
    pub(crate) async fn stop(mut self) -> ShutdownReport {
        #[cfg(feature = "cluster")]
        for node in &mut self.others {
            node.broker.shutdown(GRACE).await;
            drop(node.host.take().map(Host::stop));
        }
        let report = self.broker.shutdown(GRACE).await;
        self.assert_nothing_is_left();
        if let Some(host) = self.host.take() {
            host.stop();
        }
        report
    }

    fn assert_nothing_is_left(&self) {
        let stats = self.broker.stats();
        assert_eq!((stats.connections, stats.sessions), (0, 0), "connections and sessions left after the end");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(host) = self.host.take() else { return };
        #[cfg(feature = "cluster")]
        let others: Vec<_> = self.others.iter_mut().filter_map(|node| node.host.take()).map(Host::stop).collect();
        let ended = host.stop();
        if std::thread::panicking() {
            return;
        }
        // The host's own threads carry the end, so this thread may wait for it.
        #[cfg(feature = "cluster")]
        for other in others {
            other.recv_timeout(2 * GRACE).expect("the other broker ends within its grace");
        }
        ended.recv_timeout(2 * GRACE).expect("the broker ends within its grace");
        self.assert_nothing_is_left();
    }
}

/// Starts the thread of an actix system, as `tidings serve` has one.
struct Host {
    address: SocketAddr,
    stop: oneshot::Sender<mpsc::Sender<ShutdownReport>>,
}

/// What listens: the broker's own server, or one of the host's.
enum Serving {
    Own(Server),
    Hosts(ServerHandle, SocketAddr),
}

impl Serving {
    fn start(broker: &Broker, serves: Serves) -> Self {
        match serves {
            Serves::Alone => return Self::Own(Server::start(broker).unwrap()),
            #[cfg(feature = "bench")]
            Serves::Echo => return Self::Own(Server::start_with_echo(broker).unwrap()),
            Serves::Mounted => {}
        }
        let routes = broker.clone();
        let app = move || {
            let broker = routes.clone();
            App::new()
                .route("/mine", web::get().to(|| async { "my own page" }))
                .service(web::scope("/im").configure(move |app| broker.configure(app)))
        };
        let server = HttpServer::new(app).on_connect(broker.on_connect()).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self::Hosts(handle, address)
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Own(server) => server.address(),
            Self::Hosts(_, address) => *address,
        }
    }

    async fn stop(self) {
        match self {
            Self::Own(server) => server.stop().await,
            Self::Hosts(handle, _) => handle.stop(true).await,
        }
    }
}

impl Host {
    fn start(broker: Broker, serves: Serves) -> Self {
        let (started, address) = mpsc::channel();
        let (stop, stopping) = oneshot::channel::<mpsc::Sender<ShutdownReport>>();
        let serve = async move {
            let server = Serving::start(&broker, serves);
            started.send(server.address()).unwrap();
            let Ok(ended) = stopping.await else { return };
            let report = broker.shutdown(GRACE).await;
            // The test may be over; the report is for those who wait.
            let _told_or_gone = ended.send(report).is_ok();
            // Nobody waits for this: the server looks only once a second whether its connections ended.
            server.stop().await;
        };
        std::thread::spawn(move || actix::System::new().block_on(serve));
        let address = address.recv().expect("the server listens");
        Self { address, stop }
    }

    fn stop(self) -> mpsc::Receiver<ShutdownReport> {
        let (ended, report) = mpsc::channel();
        assert!(self.stop.send(ended).is_ok(), "the host's thread is there");
        report
    }
}
