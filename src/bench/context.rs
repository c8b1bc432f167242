//! What every scenario needs: servers to start, people to log in, a place to write what was found.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::baseline::BaselineMode;
use super::client_pool::ClientSpec;
use super::connection::Dialect;
use super::error::BenchError;
use super::handshake::Account;
use super::harness::Harness;
use super::message::Subscription;
use super::options::Options;
use super::peers::program::Peer;
use super::process::{Folder, Server, wait_until_it_listens};
use super::report::{Report, Run};
use super::servers::Servers;
use super::site;
use super::site::Site;
use super::subjects::{BASELINE_EACH, BASELINE_SHARED, TIDINGS, tidings_of};
use super::table;
use crate::auth::{Secret, Tokens};
use crate::clock::SystemClock;
use crate::config::StoreEngine;
use crate::model::{Limits, UserId};

/// Of brokers under test: known, for they serve loopback only and live for a minute.
const SECRET: &str = "the secret of a broker under test";
/// Descriptors per connection, in the broker and in the load generator alike: the socket.
const DESCRIPTORS_PER_CONNECTION: u64 = 1;
/// Descriptors for everything else.
const DESCRIPTORS_BESIDE: u64 = 300;

/// How a broker under test is started, on a port of loopback that the system picks.
const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"];

/// What differs from the defaults in a broker under test, so that it measures what it carries and not what it permits.
const SETTINGS: &[(&str, &str)] = &[
    ("AUTH__SECRET", SECRET),
    ("SERVER__HEARTBEAT_SECONDS", "300"),
    ("SERVER__CONNECTIONS_MAX", "100000"),
    ("SERVER__CONNECTIONS_UNAUTHENTICATED_MAX", "10000"),
    ("SERVER__CONNECTIONS_PER_ADDRESS_MAX", "100000"),
    ("SERVER__CONNECTIONS_UNAUTHENTICATED_PER_ADDRESS_MAX", "10000"),
    ("SERVER__METRICS_PUBLIC", "true"),
    ("RATE__SENDS_PER_SECOND", "100000"),
    ("RATE__BURST", "100000"),
    ("RATE__HIGH_PRIORITY_PER_SECOND", "100000"),
    ("RATE__HIGH_PRIORITY_BURST", "100000"),
    ("RATE__INVITES_PER_MINUTE", "1000000"),
    ("LIMITS__ROOM_MEMBERS_MAX", "100000"),
    ("LOG__FILTER", "warn"),
];

/// The room admits whatever comes: what is shed then is shed because sockets are slow or the broker is behind.
pub(super) const NO_BUDGET: &[(&str, &str)] = &[("SHED__ROOM_BARRAGES_PER_SECOND", "1000000"), ("SHED__ROOM_BARRAGES_BURST", "1000000")];

/// One bench run.
pub(super) struct Bench<'a> {
    pub(super) options: &'a Options,
    pub(super) report: Report,
    print: &'a mut dyn FnMut(&str),
    bar: Option<ProgressBar>,
    tokens: Tokens,
    descriptors: u64,
    named: u32,
    site: Option<Arc<Site>>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(options: &'a Options, report: Report, print: &'a mut dyn FnMut(&str)) -> Self {
        let secret = options.target.as_ref().map_or(SECRET, |target| target.secret.as_str());
        let tokens = Tokens::new(&Secret::from_bytes(secret), None, 0, Arc::new(SystemClock::new()));
        let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        if let Some(bar) = &bar {
            let style = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg} {wide_bar} {pos}/{len}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { options, report, print, bar, tokens, descriptors: raise_descriptors(), named: 0, site: None }
    }

    /// Prints a line of the report on the way.
    pub(super) fn print_line(&mut self, line: &str) {
        let print = &mut self.print;
        match &self.bar {
            Some(bar) => bar.suspend(|| print(line)),
            None => print(line),
        }
    }

    pub(super) fn note(&mut self, text: String) {
        if self.report.notes.contains(&text) {
            return;
        }
        self.print_line(&format!("  note: {text}"));
        self.report.notes.push(text);
    }

    /// Returns how many connections one broker can hold here, `wanted` at most.
    pub(super) fn connections(&mut self, wanted: usize) -> usize {
        let most = self.descriptors.saturating_sub(DESCRIPTORS_BESIDE) / DESCRIPTORS_PER_CONNECTION;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if wanted > most {
            self.note(format!("{most} connections instead of {wanted}: the limit of open files is {}", self.descriptors));
        }
        wanted.min(most)
    }

    /// Starts a broker on this engine; without one, as [`Self::broker`] does.
    pub(super) fn broker_on(&mut self, engine: Option<StoreEngine>, settings: &[(&str, &str)]) -> Result<Server, BenchError> {
        let mut settings = settings.to_vec();
        settings.extend(engine.map(|engine| ("STORE__ENGINE", engine.name())));
        self.broker(&settings)
    }

    /// Starts a broker, or names the one that runs already. `settings` are of this scenario.
    pub(super) fn broker(&mut self, settings: &[(&str, &str)]) -> Result<Server, BenchError> {
        if let Some(target) = &self.options.target {
            return Ok(Server::running(target.address()?, target.pid));
        }
        let folder = Folder::new(&self.options.folder)?;
        Server::start(&self.options.program, &SERVE.map(str::to_owned), &self.environment(settings), Some(folder))
    }

    fn environment(&self, settings: &[(&str, &str)]) -> Vec<(String, String)> {
        let name = |key: &str| format!("TIDINGS_{key}");
        let mut env: Vec<_> = SETTINGS.iter().chain(settings).map(|(key, value)| (name(key), (*value).to_owned())).collect();
        env.extend(self.options.settings.iter().map(|(key, value)| (name(key), value.clone())));
        env
    }

    /// Starts so many brokers that work together on an empty database; one works by itself on it, without NATS.
    pub(super) async fn nodes(&mut self, count: usize, settings: &[(&str, &str)]) -> Result<Servers, BenchError> {
        self.measuring(&format!("starting {}", tidings_of(count)));
        let site = self.site().await?;
        let (url, name) = (site.empty_database()?, self.name("bench"));
        let mut starting = Vec::new();
        for node in 0..count {
            let own = site.settings(&url, &name, node, count);
            let settings: Vec<(&str, &str)> =
                settings.iter().copied().chain(own.iter().map(|(key, value)| (*key, value.as_str()))).collect();
            let folder = Folder::new(&self.options.folder)?;
            starting.push(Server::spawn(&self.options.program, &SERVE.map(str::to_owned), &self.environment(&settings), Some(folder))?);
        }
        let mut nodes = Vec::new();
        for (mut server, stdout) in starting {
            let said = tokio::task::spawn_blocking(|| wait_until_it_listens(stdout)).await;
            server.listens(said.map_err(|error| BenchError::Subject(error.to_string()))??);
            nodes.push(server);
        }
        site::settled(&nodes).await?;
        Ok(Servers::on(site, nodes))
    }

    /// Returns what several brokers stand on; it is started when it is first needed.
    async fn site(&mut self) -> Result<Arc<Site>, BenchError> {
        if let Some(site) = &self.site {
            return Ok(site.clone());
        }
        let (site, lines) = Site::open(&self.options.folder).await?;
        lines.into_iter().for_each(|line| self.note(line));
        Ok(self.site.insert(Arc::new(site)).clone())
    }

    /// Starts a bare loop.
    pub(super) fn baseline(&self, mode: BaselineMode) -> Result<Server, BenchError> {
        let arguments = ["bench-floor".to_owned(), mode.label().to_owned()];
        Server::start(&self.options.program, &arguments, &[], None)
    }

    /// Connects everyone to a broker.
    pub(super) async fn harness(&mut self, server: impl Into<Servers>, specs: Vec<ClientSpec>) -> Result<Harness, BenchError> {
        let harness = self.set(server.into(), TIDINGS, Dialect::Broker, specs).await?;
        if self.options.target.is_some() {
            harness.pool.keep_alive(Duration::from_secs(3));
        }
        Ok(harness)
    }

    /// Connects everyone to a bare loop.
    pub(super) async fn baseline_harness(&mut self, mode: BaselineMode, members: usize) -> Result<Harness, BenchError> {
        let server = self.baseline(mode)?;
        let spec = ClientSpec { account: None, room: None, group: 0, subscription: Subscription::Room, stalled: false, node: 0 };
        let subject = match mode {
            BaselineMode::Each => BASELINE_EACH,
            BaselineMode::Shared => BASELINE_SHARED,
        };
        self.set(server.into(), subject, Dialect::Baseline, vec![spec; members]).await
    }

    /// Connects everyone to another broker: receivers first, who hear those that hear nothing.
    pub(super) async fn peer_harness(&mut self, server: Server, peer: Peer, all: &[Subscription]) -> Result<Harness, BenchError> {
        peer.prepare(server.address, all).await?;
        let spec = |subscription: &Subscription| ClientSpec {
            account: None,
            room: None,
            group: 0,
            subscription: *subscription,
            stalled: false,
            node: 0,
        };
        self.set(server.into(), peer.program.name(), Dialect::Peer(peer), all.iter().map(spec).collect()).await
    }

    async fn set(
        &mut self,
        server: Servers,
        subject: &'static str,
        dialect: Dialect,
        specs: Vec<ClientSpec>,
    ) -> Result<Harness, BenchError> {
        let bar = self.bar.clone();
        if let Some(bar) = &bar {
            bar.set_message(format!("connecting to {subject}"));
            bar.set_length(specs.len() as u64);
            bar.set_position(0);
        }
        let arrived = || {
            if let Some(bar) = &bar {
                bar.inc(1)
            }
        };
        Harness::set(server, subject, self.options.threads(), dialect, specs, arrived).await
    }

    /// Shows what is being measured.
    pub(super) fn measuring(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Prints a measurement and keeps it.
    pub(super) fn keep(&mut self, run: Run) {
        for line in table::of_run(&run) {
            self.print_line(&line);
        }
        self.report.runs.push(run);
    }

    /// Returns a name that no earlier run has used on the same broker: places in a room outlive their connections.
    pub(super) fn name(&mut self, kind: &str) -> String {
        self.named += 1;
        format!("{kind}-{}-{}", std::process::id(), self.named)
    }

    /// Returns the account of a member.
    pub(super) fn account(&self, user: &str) -> Result<Account, BenchError> {
        let id = UserId::parse("userID", user, &Limits::default()).map_err(|error| BenchError::Target(error.to_string()))?;
        let token = self.tokens.issue_jwt(&id, 86_400).map_err(|error| BenchError::Target(error.to_string()))?;
        Ok(Account { user: user.to_owned(), token })
    }

    /// `members` accounts in one room.
    pub(super) fn in_room(&self, room: &str, group: usize, members: usize) -> Result<Vec<ClientSpec>, BenchError> {
        let spec = |n| {
            let account = Some(self.account(&format!("{room}-{n}"))?);
            Ok(ClientSpec { account, room: Some(room.to_owned()), group, subscription: Subscription::Room, stalled: false, node: 0 })
        };
        (0..members).map(spec).collect()
    }

    pub(super) fn finish(self) -> Report {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.report
    }
}

/// As many open files as this user may have; children inherit it.
fn raise_descriptors() -> u64 {
    const WANTED: u64 = 65_536;
    // Beyond the hard limit only root may go.
    if rlimit::Resource::NOFILE.set(WANTED, WANTED).is_ok() {
        return WANTED;
    }
    rlimit::increase_nofile_limit(WANTED).unwrap_or(1_024)
}
