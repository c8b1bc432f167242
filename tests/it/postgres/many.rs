//! Three brokers that work together, and what becomes of them: one is killed, paused, stopped; the bus or the database goes away. Nothing
//! acknowledged is lost, doubled or out of order, and whoever reads live misses nothing.
//!
//! The full run: `TIDINGS_FULL=1 cargo test --features cluster --test it postgres::many -- --nocapture`
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::program;
use super::standby::{Node, Promised, send, times, verify};
use crate::cluster::Cluster;
use crate::hostile::{Dice, Line, PATIENCE, Program, alone, soon};
use crate::nats::NatsServer;
use crate::support::fetch;

const NODES: usize = 3;
/// Each sends to a group of its own, at whatever node that is owned.
const SENDERS: usize = 6;
const READERS: usize = 3;
/// Everyone is acknowledged again within this time after a node's end.
const TAKE_OVER_MAX: Duration = Duration::from_secs(6);

/// What a reader has: local ids, and how often it was told to read history instead.
type Read = (String, BTreeSet<String>, usize);

/// Reads live, resumes by its cursor wherever it is sent, until it is told to stop.
async fn read(program: Arc<Program>, name: String, mut at: watch::Receiver<Option<SocketAddr>>, mut stop: watch::Receiver<bool>) -> Read {
    let (mut seen, mut resyncs, mut cursor) = (BTreeSet::new(), 0, None::<String>);
    loop {
        let Some(address) = *at.borrow_and_update() else {
            at.changed().await.unwrap();
            continue;
        };
        let login = Line::try_resume(&program, address, &name, cursor.as_deref());
        let Ok((mut line, answer)) = timeout(Duration::from_secs(10), login).await.unwrap_or(Err(())) else {
            if *stop.borrow() {
                return (name, seen, resyncs);
            }
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        resyncs += usize::from(cursor.is_some() && answer["resync"] == true);
        cursor = answer["cursor"].as_str().map(str::to_owned);
        loop {
            tokio::select! {
                frame = line.next() => {
                    let Some(frame) = frame else { break };
                    let data = &frame["data"];
                    for message in data["messageList"].as_array().into_iter().flatten() {
                        seen.extend(message["localMessageID"].as_str().map(str::to_owned));
                    }
                    if let Some(later) = data["cursor"].as_str() {
                        cursor = Some(later.to_owned());
                    }
                }
                changed = at.changed() => {
                    changed.unwrap();
                    break;
                }
                stopped = stop.wait_for(|stop| *stop) => {
                    stopped.unwrap();
                    return (name, seen, resyncs);
                }
            }
        }
    }
}

/// Three brokers, and those who send and read.
struct City {
    nats: NatsServer,
    programs: Vec<Arc<Program>>,
    nodes: Vec<Node>,
    addresses: Vec<SocketAddr>,
    /// Where each sender, then each reader is.
    at: Vec<watch::Sender<Option<SocketAddr>>>,
    stop: watch::Sender<bool>,
    stop_reading: watch::Sender<bool>,
    acks: Vec<mpsc::UnboundedReceiver<Instant>>,
    talks: JoinSet<(usize, Promised)>,
    reads: JoinSet<Read>,
}

impl City {
    async fn start(url: &str) -> Option<Self> {
        let nats = NatsServer::start()?;
        let servers = nats.address();
        let programs: Vec<_> = (0..NODES)
            .map(|n| {
                let name = format!("node{n}");
                let settings = [
                    ("cluster.nats", &*servers),
                    ("cluster.node", &*name),
                    ("cluster.lease_ms", "3000"),
                    ("cluster.shards", "16"),
                    ("media.store", "none"),
                ];
                Arc::new(program(url, &settings))
            })
            .collect();
        // All at once, on an empty database.
        let mut nodes: Vec<Node> = programs.iter().map(|program| Node::start(program)).collect();
        let mut addresses = Vec::new();
        for node in &mut nodes {
            addresses.push(node.serves().await);
        }
        for address in &addresses {
            ready(*address).await;
        }
        let mut line = Line::login(&programs[0], addresses[0], "r0").await;
        let names = (0..SENDERS).map(|n| format!("s{n}")).chain((1..READERS).map(|n| format!("r{n}")));
        let members: Vec<String> = names.collect();
        for (n, member) in members.iter().enumerate() {
            Line::login(&programs[0], addresses[n % NODES], member).await;
        }
        for n in 0..SENDERS {
            let group = format!("g{n}");
            let made = line.ok("createGroup", json!({"groupInfo": {"groupID": group, "groupName": group}, "userIDs": members})).await;
            assert_eq!(made["errorUserList"], json!([]), "{made}");
        }
        drop(line);
        let (stop, stopping) = watch::channel(false);
        let (stop_reading, reading) = watch::channel(false);
        let (mut at, mut acks, mut talks, mut reads) = (Vec::new(), Vec::new(), JoinSet::new(), JoinSet::new());
        for n in 0..SENDERS {
            let (there, active) = watch::channel(Some(addresses[n % NODES]));
            let (acked, acks_of_one) = mpsc::unbounded_channel();
            let talk = send(programs[0].clone(), (format!("s{n}"), format!("g{n}")), active, stopping.clone(), acked);
            talks.spawn(async move { (n, talk.await) });
            at.push(there);
            acks.push(acks_of_one);
        }
        for n in 0..READERS {
            let (there, active) = watch::channel(Some(addresses[n % NODES]));
            reads.spawn(read(programs[0].clone(), format!("r{n}"), active, reading.clone()));
            at.push(there);
        }
        Some(Self { nats, programs, nodes, addresses, at, stop, stop_reading, acks, talks, reads })
    }

    /// Sends everyone who is at a node to the next one.
    fn leave(&self, node: usize) {
        let (gone, next) = (self.addresses[node], self.addresses[(node + 1) % NODES]);
        for there in &self.at {
            let _changed = there.send_if_modified(|at| {
                let is_there = *at == Some(gone);
                if is_there {
                    *at = Some(next);
                }
                is_there
            });
        }
    }

    /// Waits until every sender was acknowledged after a moment; returns how long the last one took.
    async fn all_acknowledged(&mut self, after: Instant) -> Duration {
        let mut longest = Duration::ZERO;
        for acks in &mut self.acks {
            let first = async {
                loop {
                    let at = acks.recv().await.unwrap();
                    if at > after {
                        return at;
                    }
                }
            };
            let Ok(at) = timeout(PATIENCE, first).await else { panic!("no acknowledgement: {}", logs(&self.programs)) };
            longest = longest.max(at.saturating_duration_since(after));
        }
        longest
    }

    /// Lets something go away again and again, by turns for less than the lease and for longer; returns how long everyone waited at
    /// most for an acknowledgement once it was back.
    async fn outages(&mut self, count: usize, longer: Duration, tell: impl Fn(&Self, &str)) -> Duration {
        let mut longest = Duration::ZERO;
        for n in 0..count {
            sleep(Duration::from_millis(500)).await;
            tell(self, "kill");
            sleep(if n % 2 == 0 { Duration::from_secs(1) } else { longer }).await;
            tell(self, "start");
            let back = Instant::now();
            longest = longest.max(self.all_acknowledged(back).await);
        }
        longest
    }

    async fn restart(&mut self, node: usize) {
        self.nodes[node] = Node::start(&self.programs[node]);
        self.addresses[node] = self.nodes[node].serves().await;
        ready(self.addresses[node]).await;
    }

    /// Lets those who send come to an end, and looks at what there is: in history, and at who read live.
    async fn end(mut self) -> (usize, usize) {
        self.stop.send(true).unwrap();
        let mut promised: BTreeMap<usize, Promised> = BTreeMap::new();
        while let Some(talk) = soon("the end of every talk", self.talks.join_next()).await {
            let (n, of_one) = talk.unwrap();
            promised.insert(n, of_one);
        }
        let mut stored = 0;
        for (n, of_one) in &promised {
            stored += verify(&self.programs[0], self.addresses[0], &format!("g{n}"), std::slice::from_ref(of_one)).await;
        }
        // What was acknowledged last is on its way.
        sleep(Duration::from_secs(2)).await;
        self.stop_reading.send(true).unwrap();
        let logs = logs(&self.programs);
        while let Some(reader) = soon("the end of every reader", self.reads.join_next()).await {
            let (name, seen, resyncs) = reader.unwrap();
            let missed: Vec<&String> = promised.values().flat_map(BTreeMap::keys).filter(|local_id| !seen.contains(*local_id)).collect();
            assert!(
                resyncs > 0 || missed.is_empty(),
                "{name} missed {} of {}: {:?}\n{logs}",
                missed.len(),
                seen.len(),
                &missed[..missed.len().min(5)]
            );
        }
        (promised.values().map(BTreeMap::len).sum(), stored)
    }
}

/// Returns what the nodes have said.
fn logs(programs: &[Arc<Program>]) -> String {
    programs.iter().map(|program| program.log()).collect::<Vec<_>>().join("\n\n")
}

/// Waits until a node says that it is ready.
async fn ready(address: SocketAddr) {
    let looks = async {
        while fetch(address, "GET /readyz", &[], "").await.status != 200 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    soon("a node that is ready", looks).await;
}

#[tokio::test]
async fn a_node_that_is_killed_costs_its_clients_one_reconnect() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let Some(mut city) = City::start(&cluster.database()).await else { return };
    let (mut dice, mut longest) = (Dice(5), Duration::ZERO);
    let kills = times(3, 20);
    for n in 0..kills {
        sleep(Duration::from_millis(dice.between(300, 1200))).await;
        let began = Instant::now();
        city.nodes[n % NODES].child.kill().await.unwrap();
        city.leave(n % NODES);
        let took = city.all_acknowledged(began).await;
        assert!(took <= TAKE_OVER_MAX, "all were acknowledged again after {took:?}: {}", logs(&city.programs));
        longest = longest.max(took);
        city.restart(n % NODES).await;
    }
    let (acknowledged, stored) = city.end().await;
    println!("{kills} kills, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn nodes_that_are_killed_all_at_once_come_back() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let Some(mut city) = City::start(&cluster.database()).await else { return };
    sleep(Duration::from_millis(700)).await;
    for node in &mut city.nodes {
        node.child.kill().await.unwrap();
    }
    for there in &city.at {
        there.send_replace(None);
    }
    let began = Instant::now();
    for (node, program) in city.programs.clone().iter().enumerate() {
        city.nodes[node] = Node::start(program);
        city.addresses[node] = city.nodes[node].serves().await;
    }
    for (n, there) in city.at.iter().enumerate() {
        there.send_replace(Some(city.addresses[n % NODES]));
    }
    let took = city.all_acknowledged(began).await;
    let (acknowledged, stored) = city.end().await;
    println!("all were killed at once, all acknowledged again after {took:?}: {acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn nodes_are_restarted_one_after_the_other() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let Some(mut city) = City::start(&cluster.database()).await else { return };
    let mut longest = Duration::ZERO;
    for n in 0..NODES {
        let began = Instant::now();
        city.nodes[n].signal("TERM").await;
        city.leave(n);
        longest = longest.max(city.all_acknowledged(began).await);
        let ended = soon("the end of a node", city.nodes[n].child.wait()).await.unwrap();
        assert!(ended.success(), "{ended}");
        city.restart(n).await;
    }
    let (acknowledged, stored) = city.end().await;
    println!("3 restarts, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn a_bus_that_is_killed_is_waited_for() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let Some(mut city) = City::start(&cluster.database()).await else { return };
    let longest = city.outages(times(2, 20), Duration::from_secs(5), |city, what| city.nats.tell(what)).await;
    assert!(longest <= TAKE_OVER_MAX, "{longest:?}");
    let (acknowledged, stored) = city.end().await;
    println!("the bus was killed, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn a_database_that_is_killed_is_waited_for() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let Some(mut city) = City::start(&cluster.database()).await else { return };
    let longest = city.outages(times(2, 10), Duration::from_secs(6), |_, what| cluster.tell(what)).await;
    let (acknowledged, stored) = city.end().await;
    println!("the database was killed, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn a_node_that_was_paused_and_comes_back_is_refused() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let Some(mut city) = City::start(&cluster.database()).await else { return };
    let mut longest = Duration::ZERO;
    for n in 0..times(2, 10) {
        sleep(Duration::from_millis(700)).await;
        let paused = n % NODES;
        let mut left = Line::login(&city.programs[0], city.addresses[paused], "left").await;
        let began = Instant::now();
        city.nodes[paused].signal("STOP").await;
        city.leave(paused);
        let took = city.all_acknowledged(began).await;
        assert!(took <= TAKE_OVER_MAX, "all were acknowledged again after {took:?}: {}", logs(&city.programs));
        longest = longest.max(took);
        sleep(Duration::from_secs(7).saturating_sub(began.elapsed())).await;
        city.nodes[paused].signal("CONT").await;
        assert_eq!(soon("the close", left.closed()).await, Some(4000), "reconnect and resume");
        // It starts anew by itself.
        city.addresses[paused] = city.nodes[paused].serves().await;
        ready(city.addresses[paused]).await;
    }
    let (acknowledged, stored) = city.end().await;
    println!("pauses, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}
