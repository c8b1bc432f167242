//! Three brokers that work together, those who send to groups and read at any of them, and a backend that is told.
// It measures, and says what it measured.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::program;
use super::standby::{Node, Promised, send, verify};
use crate::hostile::{Line, PATIENCE, Program, soon};
use crate::nats::NatsServer;
use crate::support::{PERSISTENT_HOOK, Reply, Sink, fetch};

pub(super) const NODES: usize = 3;
/// Each sends to a group of its own, at whatever node that is owned.
const SENDERS: usize = 6;
const READERS: usize = 3;
/// Everyone is acknowledged again within this time after a node's end.
pub(super) const TAKE_OVER_MAX: Duration = Duration::from_secs(6);

/// What a reader has: local ids, and how often it was told to read history instead.
type Read = (String, BTreeSet<String>, usize);

/// Reads live, resumes by its cursor wherever it is sent, until it is told to stop. Says when it is in for the first time.
async fn read(
    program: Arc<Program>,
    name: String,
    mut at: watch::Receiver<Option<SocketAddr>>,
    mut stop: watch::Receiver<bool>,
    is_in: mpsc::UnboundedSender<()>,
) -> Read {
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
        if cursor.is_none() {
            is_in.send(()).unwrap();
        }
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

/// What is around one broker.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The database's address.
    pub(super) database: String,
    /// The addresses of the bus.
    pub(super) bus: String,
    /// Variables of its environment.
    pub(super) variables: Vec<(String, String)>,
}

/// Three brokers, those who send and read, and a backend that is told.
pub(super) struct City {
    sink: Sink,
    pub(super) nats: Vec<NatsServer>,
    pub(super) programs: Vec<Arc<Program>>,
    pub(super) nodes: Vec<Node>,
    pub(super) addresses: Vec<SocketAddr>,
    /// Where each sender, then each reader is.
    pub(super) at: Vec<watch::Sender<Option<SocketAddr>>>,
    stop: watch::Sender<bool>,
    stop_reading: watch::Sender<bool>,
    acks: Vec<mpsc::UnboundedReceiver<Instant>>,
    talks: JoinSet<(usize, Promised)>,
    reads: JoinSet<Read>,
}

impl City {
    pub(super) async fn start(url: &str) -> Option<Self> {
        let nats = NatsServer::start()?;
        let way = Surroundings { database: url.to_owned(), bus: nats.address(), variables: Vec::new() };
        Some(Self::among(vec![nats], &vec![way; NODES]).await)
    }

    /// The same, each broker in surroundings of its own.
    pub(super) async fn among(nats: Vec<NatsServer>, surroundings: &[Surroundings]) -> Self {
        let sink = Sink::start().await;
        let mut calls = 0u64;
        // Fails often enough that something is always queued.
        sink.behave(move |_| {
            calls += 1;
            Reply::Status(if calls.is_multiple_of(10) { 500 } else { 200 })
        });
        let hook = sink.url("/");
        let programs: Vec<_> = surroundings
            .iter()
            .enumerate()
            .map(|(n, Surroundings { database, bus, variables })| {
                let name = format!("node{n}");
                let settings = [
                    ("cluster.nats", &**bus),
                    ("cluster.node", &*name),
                    ("cluster.lease_ms", "3000"),
                    ("cluster.shards", "16"),
                    ("media.store", "none"),
                    ("webhooks.url", &*hook),
                ];
                let settings: Vec<_> = settings.into_iter().chain(PERSISTENT_HOOK).collect();
                let program = program(database, &settings);
                Arc::new(variables.iter().fold(program, |program, (name, value)| program.variable(name, value)))
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
        // Who comes anew is told nothing of what was said before.
        let (is_in, mut all_in) = mpsc::unbounded_channel();
        let mut readers_at = Vec::new();
        for n in 0..READERS {
            let (there, active) = watch::channel(Some(addresses[n % NODES]));
            reads.spawn(read(programs[0].clone(), format!("r{n}"), active, reading.clone(), is_in.clone()));
            readers_at.push(there);
        }
        for _ in 0..READERS {
            soon("a reader to come in", all_in.recv()).await.unwrap();
        }
        for n in 0..SENDERS {
            let (there, active) = watch::channel(Some(addresses[n % NODES]));
            let (acked, acks_of_one) = mpsc::unbounded_channel();
            let talk = send(programs[0].clone(), (format!("s{n}"), format!("g{n}")), active, stopping.clone(), acked);
            talks.spawn(async move { (n, talk.await) });
            at.push(there);
            acks.push(acks_of_one);
        }
        at.extend(readers_at);
        Self { sink, nats, programs, nodes, addresses, at, stop, stop_reading, acks, talks, reads }
    }

    /// Sends everyone who is at a node to the next one.
    pub(super) fn leave(&self, node: usize) {
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
    pub(super) async fn all_acknowledged(&mut self, after: Instant) -> Duration {
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
    pub(super) async fn outages(&mut self, count: usize, longer: Duration, tell: impl Fn(&Self, &str)) -> Duration {
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

    pub(super) async fn restart(&mut self, node: usize) {
        self.nodes[node] = Node::start(&self.programs[node]);
        self.addresses[node] = self.nodes[node].serves().await;
        ready(self.addresses[node]).await;
    }

    /// Lets those who send come to an end, and looks at what there is: in history, and at who read live.
    pub(super) async fn end(mut self) -> (usize, usize) {
        self.stop.send(true).unwrap();
        let mut promised: BTreeMap<usize, Promised> = BTreeMap::new();
        loop {
            let Ok(talk) = timeout(PATIENCE, self.talks.join_next()).await else {
                panic!("a sender is not answered: {}", logs(&self.programs));
            };
            let Some(talk) = talk else { break };
            let (n, of_one) = talk.unwrap();
            promised.insert(n, of_one);
        }
        let mut stored = 0;
        for (n, of_one) in &promised {
            stored += verify(&self.programs[0], self.addresses[0], &format!("g{n}"), std::slice::from_ref(of_one)).await;
        }
        let acknowledged: BTreeSet<&String> = promised.values().flat_map(BTreeMap::keys).collect();
        let told = async {
            loop {
                let calls = self.sink.accepted();
                let told: BTreeSet<&str> = calls.iter().map(|call| call.text()).collect();
                let missing: Vec<&&String> = acknowledged.iter().filter(|local_id| !told.contains(local_id.as_str())).collect();
                if missing.is_empty() {
                    break;
                }
                println!("the backend was not told of {} yet, {:?} among them", missing.len(), missing[0]);
                sleep(Duration::from_millis(500)).await;
            }
            let of_id: BTreeMap<String, String> =
                self.sink.accepted().iter().map(|call| (call.id().to_owned(), call.text().to_owned())).collect();
            assert_eq!(of_id.values().collect::<BTreeSet<_>>().len(), of_id.len(), "told again under the same id");
        };
        soon("the backend to be told of everything", told).await;
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
pub(super) fn logs(programs: &[Arc<Program>]) -> String {
    programs.iter().map(|program| program.log()).collect::<Vec<_>>().join("\n\n")
}

/// Waits until a node says that it is ready.
pub(super) async fn ready(address: SocketAddr) {
    let looks = async {
        while fetch(address, "GET /readyz", &[], "").await.status != 200 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    soon("a node that is ready", looks).await;
}
