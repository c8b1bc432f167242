//! One broker with its HTTP server, started through the library as a host would.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use tidings::auth::Tokens;
use tidings::clock::{Clock, ManualClock, SystemClock};
use tidings::config::{Config, StoreEngine};
use tidings::http::Server;
use tidings::{Broker, BrokerBuilder, ShutdownReport};
use tokio::sync::oneshot;

use super::{Client, Login, T0, user};

/// How long a world may take to end; half of it is for writes, half for connections.
const GRACE: Duration = Duration::from_secs(10);

/// How a world is to be.
pub(crate) struct WorldBuilder {
    config: Config,
    clock: Option<Arc<ManualClock>>,
    parts: Vec<Part>,
    folder: Option<TempDir>,
}

type Part = Box<dyn FnOnce(BrokerBuilder) -> BrokerBuilder>;

impl WorldBuilder {
    /// Changes settings.
    pub(crate) fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Nobody is held up by a quota.
    pub(crate) fn no_rates(self) -> Self {
        self.config(|config| {
            let rate = &mut config.rate;
            for quota in [&mut rate.sends_per_second, &mut rate.burst, &mut rate.commands_per_second, &mut rate.commands_burst] {
                *quota = 100_000;
            }
        })
    }

    /// Time stands still until the test moves it. Nobody falls silent meanwhile.
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

    /// Gives the broker a part of the host's own.
    pub(crate) fn part(mut self, part: impl FnOnce(BrokerBuilder) -> BrokerBuilder + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }

    pub(crate) fn start(self) -> World {
        let Self { config, clock, parts, folder } = self;
        let any_clock: Arc<dyn Clock> = match &clock {
            Some(clock) => clock.clone(),
            None => Arc::new(SystemClock::new()),
        };
        let builder = Broker::builder().config(config.clone()).clock(any_clock.clone());
        let broker = parts.into_iter().fold(builder, |builder, part| part(builder)).start().unwrap();
        let (tokens, _) = Tokens::open(&config, any_clock).unwrap();
        let host = Host::start(broker.clone());
        World { broker, tokens, clock, host: Some(host), _folder: folder }
    }
}

/// A running broker. Dropped at the end of a test, it stops, and fails the test if a connection was left behind.
/// Clients are declared after it, so they are gone by then.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) tokens: Tokens,
    clock: Option<Arc<ManualClock>>,
    host: Option<Host>,
    _folder: Option<TempDir>,
}

impl World {
    /// Messages in memory, the system's clock, a configured secret, a port of the system's choice.
    pub(crate) fn builder() -> WorldBuilder {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.server.data_dir = folder.path().to_owned();
        // More threads than cores would only take time from the other tests.
        config.server.http_workers = 1;
        config.auth.secret = "the secret of the integration tests".to_owned();
        config.store.engine = StoreEngine::Memory;
        config.store.cache_bytes = 1 << 20;
        WorldBuilder { config, clock: None, parts: Vec::new(), folder: Some(folder) }
    }

    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    /// A world with other settings.
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

    /// A token for this user, good for a day.
    pub(crate) fn token(&self, id: &str) -> String {
        self.tokens.issue_jwt(&user(id), 86_400)
    }

    /// A connection that has not logged in.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address()).await
    }

    /// Logged in, on the user's only device.
    pub(crate) async fn client(&self, id: &str) -> Client {
        self.login(Login { user: id, device: "only", ..Login::default() }).await
    }

    /// Logged in on a certain device.
    pub(crate) async fn device(&self, id: &str, device: &str) -> Client {
        self.login(Login { user: id, device, ..Login::default() }).await
    }

    /// Logged in as described.
    pub(crate) async fn login(&self, login: Login<'_>) -> Client {
        let mut client = self.connect().await;
        client.login(&self.token(login.user), login).await;
        client
    }

    /// Ends the broker, with clients connected or not.
    pub(crate) async fn stop(mut self) -> ShutdownReport {
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
        let ended = host.stop();
        if std::thread::panicking() {
            return;
        }
        // The host's own threads carry the end, so this thread may wait for it.
        ended.recv_timeout(2 * GRACE).expect("the broker ends within its grace");
        self.assert_nothing_is_left();
    }
}

/// The thread of an actix system, as `tidings serve` has one.
struct Host {
    address: SocketAddr,
    stop: oneshot::Sender<mpsc::Sender<ShutdownReport>>,
}

impl Host {
    fn start(broker: Broker) -> Self {
        let (started, address) = mpsc::channel();
        let (stop, stopping) = oneshot::channel::<mpsc::Sender<ShutdownReport>>();
        let serve = async move {
            let server = Server::start(&broker).unwrap();
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
