//! What is to be run, and against what.

use std::path::PathBuf;

use super::error::BenchError;
use crate::config::StoreEngine;

/// How many brokers are started to work together.
pub(super) const NODES: std::ops::RangeInclusive<usize> = 2..=9;
/// How many when it is not said: the fewest of which two are left when one dies.
const NODES_USUAL: usize = 3;

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// 16 publishers' barrages kept under way in one room.
    RoomFlood,
    /// 40 barrages a second in one room, each travelling alone.
    RoomPaced,
    /// Stored one-to-one messages, 32 under way.
    PeerDurable,
    /// Stored messages of a hundred pairs, 3,000 a second in all.
    PeerDurablePaced,
    /// The flooded and the paced room, and stored messages in both ways, on mosquitto, nats-server and redis-server; not
    /// part of `quick`.
    Peers,
    /// Stored messages to groups of which nearly everyone is away.
    Group,
    /// Connections that do nothing.
    Idle,
    /// A room with members that never read, and the same room without them.
    Overload,
    /// A flooded room beside quiet rooms and conversations.
    Mixed,
    /// Delivered share by priority against offered load.
    Saturation,
    /// 10,000 members and 100 barrages a second; not part of `quick`.
    RoomHuge,
    /// Messages that travel alone to 100, 1,000 and 10,000 members; not part of `quick`.
    Growth,
    /// A room with members at every one of several brokers, at its budget and above, beside the same room at one.
    ClusterRoom,
    /// Stored messages between people at different brokers, beside the same at one.
    ClusterPeer,
    /// Connections at several brokers that do nothing, beside the same at one.
    ClusterIdle,
    /// Stored messages while one of several brokers is killed.
    ClusterFailover,
}

impl Scenario {
    /// All, in the order they run.
    pub const ALL: [Self; 16] = [
        Self::RoomFlood,
        Self::RoomPaced,
        Self::PeerDurable,
        Self::PeerDurablePaced,
        Self::Peers,
        Self::Group,
        Self::Idle,
        Self::Overload,
        Self::Mixed,
        Self::Saturation,
        Self::RoomHuge,
        Self::Growth,
        Self::ClusterRoom,
        Self::ClusterPeer,
        Self::ClusterIdle,
        Self::ClusterFailover,
    ];

    /// Its name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RoomFlood => "room-flood",
            Self::RoomPaced => "room-paced",
            Self::PeerDurable => "peer-durable",
            Self::PeerDurablePaced => "peer-durable-paced",
            Self::Peers => "peers",
            Self::Group => "group",
            Self::Idle => "idle",
            Self::Overload => "overload",
            Self::Mixed => "mixed",
            Self::Saturation => "curve",
            Self::RoomHuge => "room-huge",
            Self::Growth => "growth",
            Self::ClusterRoom => "cluster-room",
            Self::ClusterPeer => "cluster-peer",
            Self::ClusterIdle => "cluster-idle",
            Self::ClusterFailover => "cluster-failover",
        }
    }

    /// Returns whether the store decides what it costs, so that engines are compared by it.
    #[must_use]
    pub fn is_durable(self) -> bool {
        matches!(self, Self::PeerDurable | Self::PeerDurablePaced)
    }

    /// Returns whether several brokers are what it is about.
    #[must_use]
    pub fn is_of_nodes(self) -> bool {
        matches!(self, Self::ClusterRoom | Self::ClusterPeer | Self::ClusterIdle | Self::ClusterFailover)
    }

    /// Returns the scenario of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }
}

/// A broker that runs already.
#[derive(Clone)]
pub struct Running {
    /// Where: `ws://127.0.0.1:7080` or `http://…`; a path is ignored.
    pub url: String,
    /// Its `auth.secret`.
    pub secret: String,
    /// Its process, when it is on this machine; without it nothing is known of its cost.
    pub pid: Option<u32>,
    /// That a host other than this one may be flooded.
    pub owned: bool,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("url", &self.url).field("pid", &self.pid).field("owned", &self.owned).finish_non_exhaustive()
    }
}

impl Running {
    /// Returns the address, if it may be flooded.
    pub(super) fn address(&self) -> Result<std::net::SocketAddr, BenchError> {
        use std::net::ToSocketAddrs as _;
        let host = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        if self.url.starts_with("https:") || self.url.starts_with("wss:") {
            return Err(BenchError::Target(format!("{} speaks TLS, which the bench does not", self.url)));
        }
        let found = host.to_socket_addrs().ok().and_then(|mut found| found.next());
        let address = found.ok_or_else(|| BenchError::Target(format!("{host:?} is not a host and port")))?;
        if !address.ip().to_canonical().is_loopback() && !self.owned {
            return Err(BenchError::Target(format!(
                "{address} is not this machine: a load test on a host that is not yours is an attack; say --i-own-this-host if it is"
            )));
        }
        Ok(address)
    }
}

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The `tidings` program, which is both broker and bare loop.
    pub program: PathBuf,
    /// Which loads; empty means all (of `quick`, those that belong to it).
    pub scenarios: Vec<Scenario>,
    /// Smaller and shorter; the units stay.
    pub quick: bool,
    /// Threads of the load generator; 0 means half the cores.
    pub client_threads: usize,
    /// Members of the room scenarios instead of their own number.
    pub members: Option<usize>,
    /// Length of one measurement instead of the scenario's own, seconds.
    pub seconds: Option<u64>,
    /// Messages a second of `peer-durable-paced`, `cluster-peer` and `cluster-failover` instead of their own number.
    pub rate: Option<u32>,
    /// Store engines on which the durable loads are run in turn; empty means the broker's default.
    pub engines: Vec<StoreEngine>,
    /// How often the durable loads go round the engines, and those of several brokers round one and several; `None` means once on one
    /// engine, three times else, and once when `quick`.
    pub rounds: Option<usize>,
    /// How many brokers work together in the scenarios that are about several; `None` means three, and that none of those runs unless
    /// it is named.
    pub nodes: Option<usize>,
    /// What decides who is at which broker, and which one is killed.
    pub seed: u64,
    /// Where brokers get their temporary folders.
    pub folder: PathBuf,
    /// A broker that runs already instead of a child.
    pub target: Option<Running>,
    /// More settings of the broker under test: `SECTION__KEY` and value.
    pub settings: Vec<(String, String)>,
    /// Whether to leave the bare loops out.
    pub skip_baseline: bool,
}

impl Options {
    /// Returns the loads of this run, in order.
    #[must_use]
    pub fn chosen(&self) -> Vec<Scenario> {
        let mut chosen = self.scenarios.clone();
        if chosen.is_empty() {
            chosen = Scenario::ALL.to_vec();
            chosen.retain(|scenario| scenario.is_of_nodes() == self.nodes.is_some());
            chosen.retain(|scenario| !self.quick || !matches!(scenario, Scenario::Peers | Scenario::RoomHuge | Scenario::Growth));
        }
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    /// Checks that the engines asked for can be compared by what is to be run.
    ///
    /// # Errors
    /// [`BenchError::Target`] says what does not go together.
    pub(super) fn check_engines(&self) -> Result<(), BenchError> {
        let refuse = |text: &str| Err(BenchError::Target(text.to_owned()));
        if self.engines.is_empty() {
            return Ok(());
        }
        if self.target.is_some() {
            return refuse("a broker that runs already has its engine: --engine does not go with --target");
        }
        if self.settings.iter().any(|(key, _)| key == "STORE__ENGINE") {
            return refuse("--engine does not go with --set STORE__ENGINE=…");
        }
        if !self.chosen().iter().any(|scenario| scenario.is_durable() || *scenario == Scenario::Peers) {
            return refuse("--engine is of peer-durable and peer-durable-paced, and neither is chosen");
        }
        Ok(())
    }

    /// Checks that several brokers can be started and would be measured.
    ///
    /// # Errors
    /// [`BenchError::NotBuilt`], [`BenchError::Nodes`], or [`BenchError::Target`], which says what does not go together.
    pub(super) fn check_nodes(&self, is_built: bool) -> Result<(), BenchError> {
        let refuse = |text: &str| Err(BenchError::Target(text.to_owned()));
        if let Some(asked) = self.nodes.filter(|nodes| !NODES.contains(nodes)) {
            return Err(BenchError::Nodes { asked, min: *NODES.start(), max: *NODES.end() });
        }
        if !self.chosen().iter().any(|scenario| scenario.is_of_nodes()) {
            return if self.nodes.is_some() { refuse("--nodes is of the scenarios cluster-…, and none is chosen") } else { Ok(()) };
        }
        if self.target.is_some() {
            return refuse("the scenarios cluster-… start their own brokers: they do not go with --target");
        }
        let own = ["STORE__ENGINE", "STORE__POSTGRES__URL", "MEDIA__STORE", "CLUSTER__NATS", "CLUSTER__NAME", "CLUSTER__NODE"];
        if self.settings.iter().any(|(key, _)| own.contains(&key.as_str())) {
            return refuse(
                "the scenarios cluster-… set store.engine, store.postgres.url, media.store and cluster.nats, name, node themselves",
            );
        }
        if is_built { Ok(()) } else { Err(BenchError::NotBuilt("cluster")) }
    }

    /// Returns how many brokers work together.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.unwrap_or(NODES_USUAL)
    }

    /// Returns the number of brokers of each measurement, in order: one and several in turn, every other round the other way about.
    pub(super) fn node_rounds(&self) -> Vec<usize> {
        let (rounds, several) = (self.rounds.unwrap_or(self.scaled(3, 1)), self.nodes());
        (0..rounds).flat_map(|round| if round % 2 == 0 { [1, several] } else { [several, 1] }).collect()
    }

    /// Returns the engine of each measurement of a durable load, in order: all engines, round by round, and every other
    /// round backwards, so that a machine that grows slower or faster favours none of them.
    pub(super) fn engine_rounds(&self) -> Vec<Option<StoreEngine>> {
        let mut engines: Vec<Option<StoreEngine>> = self.engines.iter().copied().map(Some).collect();
        if engines.is_empty() {
            engines.push(None);
        }
        let rounds = self.rounds.unwrap_or(if engines.len() > 1 { self.scaled(3, 1) } else { 1 });
        let mut all = Vec::new();
        for _ in 0..rounds {
            all.extend(&engines);
            engines.reverse();
        }
        all
    }

    /// One figure of the full run, another of the quick one.
    pub(super) fn scaled<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    pub(super) fn members(&self, full: usize, quick: usize) -> usize {
        // Fewer would not do for the publishers.
        self.members.unwrap_or_else(|| self.scaled(full, quick)).max(40)
    }

    pub(super) fn seconds(&self, full: u64, quick: u64) -> u64 {
        self.seconds.unwrap_or_else(|| self.scaled(full, quick))
    }

    pub(super) fn threads(&self) -> usize {
        match self.client_threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)),
            threads => threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, owned: bool) -> Result<std::net::SocketAddr, BenchError> {
        Running { url: url.into(), secret: String::new(), pid: None, owned }.address()
    }

    #[test]
    fn only_this_machine_is_flooded_unless_told() {
        assert_eq!(address("ws://127.0.0.1:7080/ws", false).unwrap().port(), 7080);
        assert!(address("http://[::1]:80", false).is_ok());
        assert!(address("http://192.0.2.1:80", false).unwrap_err().to_string().contains("--i-own-this-host"));
        assert!(address("http://192.0.2.1:80", true).is_ok());
        assert!(address("wss://127.0.0.1:80", true).is_err());
        assert!(address("nonsense", true).is_err());
    }

    #[test]
    fn engines_take_turns_and_every_other_round_goes_backwards() {
        let (sled, memory) = (StoreEngine::Sled, StoreEngine::Memory);
        let mut options = Options::default();
        assert_eq!(options.engine_rounds(), [None]);
        options.engines = vec![sled];
        assert_eq!(options.engine_rounds(), [Some(sled)]);
        options.engines = vec![sled, memory];
        assert_eq!(options.engine_rounds(), [sled, memory, memory, sled, sled, memory].map(Some));
        options.quick = true;
        assert_eq!(options.engine_rounds(), [sled, memory].map(Some));
        options.rounds = Some(2);
        assert_eq!(options.engine_rounds(), [sled, memory, memory, sled].map(Some));
    }

    #[test]
    fn engines_are_refused_where_they_would_change_nothing() {
        let named =
            |scenarios: &[Scenario]| Options { engines: vec![StoreEngine::Memory], scenarios: scenarios.to_vec(), ..Options::default() };
        for scenarios in [[].as_slice(), &[Scenario::PeerDurablePaced], &[Scenario::Idle, Scenario::Peers]] {
            assert!(named(scenarios).check_engines().is_ok(), "{scenarios:?}");
        }
        assert!(named(&[Scenario::Idle]).check_engines().is_err());
        let settings = vec![("STORE__ENGINE".to_owned(), "sled".to_owned())];
        assert!(Options { settings, ..named(&[]) }.check_engines().is_err());
        let target = Running { url: "ws://127.0.0.1:80".into(), secret: String::new(), pid: None, owned: false };
        assert!(Options { target: Some(target.clone()), ..named(&[]) }.check_engines().is_err());
        assert!(Options { target: Some(target), ..Options::default() }.check_engines().is_ok());
    }

    #[test]
    fn several_brokers_are_refused_where_they_cannot_be_or_would_change_nothing() {
        let named = |nodes, scenarios: &[Scenario]| Options { nodes, scenarios: scenarios.to_vec(), ..Options::default() };
        let refused = |options: &Options, is_built| options.check_nodes(is_built).unwrap_err();
        for nodes in [Some(0), Some(1), Some(10)] {
            assert!(matches!(refused(&named(nodes, &[]), true), BenchError::Nodes { min: 2, max: 9, .. }));
        }
        assert!(matches!(refused(&named(Some(2), &[]), false), BenchError::NotBuilt("cluster")));
        assert!(matches!(refused(&named(None, &[Scenario::ClusterPeer]), false), BenchError::NotBuilt("cluster")));
        assert!(matches!(refused(&named(Some(3), &[Scenario::Idle]), true), BenchError::Target(_)));
        let settings = vec![("STORE__ENGINE".to_owned(), "sled".to_owned())];
        assert!(matches!(refused(&Options { settings, ..named(Some(3), &[]) }, true), BenchError::Target(_)));
        assert!(named(Some(9), &[]).check_nodes(true).is_ok());
        assert!(named(None, &[]).check_nodes(false).is_ok(), "all there was before needs nothing");
    }

    #[test]
    fn one_and_several_take_turns() {
        let mut options = Options { rounds: Some(2), ..Options::default() };
        assert_eq!(options.node_rounds(), [1, 3, 3, 1]);
        options.nodes = Some(5);
        assert_eq!(options.node_rounds(), [1, 5, 5, 1]);
        assert!(options.chosen().iter().all(|scenario| scenario.is_of_nodes()));
    }

    #[test]
    fn each_scenario_is_found_by_its_name() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::named(scenario.name()), Some(scenario));
        }
    }
}
