//! Brokers that stand by for each other: the next one takes over within seconds, whether the first was killed, paused or stopped, and
//! nothing acknowledged is lost, doubled or out of order.
//!
//! The full run: `TIDINGS_FULL=1 cargo test --features postgres --test it postgres::standby -- --nocapture`
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::program;
use crate::cluster::Cluster;
use crate::hostile::{Dice, Line, PATIENCE, Program, alone, message_to, soon};
use crate::support::{Client, Login, To, fetch, pluck};
use crate::tls::{connector, fetch_over, make_pair};

/// The first acknowledgement comes within this time after the active broker's end.
const TAKE_OVER_MAX: Duration = Duration::from_secs(6);
const SENDERS: usize = 5;
/// Each sends so often: 500 a second in all.
const PAUSE: Duration = Duration::from_millis(10);

/// A process that serves or stands by.
pub(super) struct Node {
    pub(super) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Node {
    pub(super) fn start(program: &Program) -> Self {
        let mut child = program.spawn();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits for a line that begins so; returns the address behind it.
    async fn says(&mut self, words: &str) -> SocketAddr {
        let said = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if let Some(rest) = line.strip_prefix(words) {
                    return rest.rsplit_once('/').map_or(rest, |(_, address)| address).parse().unwrap();
                }
            }
            panic!("it ended before it said {words:?}")
        };
        soon(words, said).await
    }

    pub(super) async fn serves(&mut self) -> SocketAddr {
        self.says("listening on ").await
    }

    async fn stands_by(&mut self) -> SocketAddr {
        self.says("standing by on ").await
    }

    pub(super) async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().unwrap().to_string()]).status().await.unwrap();
        assert!(sent.success(), "no signal {name}");
    }
}

/// What one sender was promised: of each local id seq and order key.
pub(super) type Promised = BTreeMap<String, (u64, u64)>;

/// Sends to a group until it is told to stop and everything is answered, by whichever broker is active; retries what has no
/// answer. `acked` is told of each answer.
pub(super) async fn send(
    tokens: std::sync::Arc<Program>,
    (name, group): (String, String),
    mut active: watch::Receiver<Option<SocketAddr>>,
    stop: watch::Receiver<bool>,
    acked: tokio::sync::mpsc::UnboundedSender<Instant>,
) -> Promised {
    let (mut promised, mut pending, mut count) = (Promised::new(), Vec::<String>::new(), 0u64);
    while !(*stop.borrow() && pending.is_empty()) {
        let Some(address) = *active.borrow_and_update() else {
            active.changed().await.unwrap();
            continue;
        };
        let Ok(mut line) = timeout(Duration::from_secs(5), Line::try_login(&tokens, address, &name)).await.unwrap_or(Err(())) else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (mut under_way, mut again) = (BTreeMap::<u64, String>::new(), pending.clone());
        loop {
            if *stop.borrow() && pending.is_empty() {
                break;
            }
            tokio::select! {
                () = sleep(PAUSE), if under_way.len() < 32 && !(*stop.borrow() && again.is_empty()) => {
                    let local_id = again.pop().unwrap_or_else(|| {
                        count += 1;
                        let local_id = format!("{name}-{count}");
                        pending.push(local_id.clone());
                        local_id
                    });
                    let message = json!({"type": 1, "message": local_id, "localMessageID": local_id});
                    let Some(id) = line.send("sendMessage", &message_to(&group, 2, &message)).await else { break };
                    under_way.insert(id, local_id);
                }
                frame = line.next() => {
                    let Some(frame) = frame else { break };
                    let Some(local_id) = frame["id"].as_u64().and_then(|id| under_way.remove(&id)) else { continue };
                    let message = &frame["result"]["message"];
                    if message.is_object() {
                        let place = (message["messageSeq"].as_u64().unwrap(), message["orderKey"].as_u64().unwrap());
                        let first = *promised.entry(local_id.clone()).or_insert(place);
                        assert_eq!(first, place, "a retry has the first answer");
                        pending.retain(|one| *one != local_id);
                        acked.send(Instant::now()).expect("the test listens");
                    } else {
                        assert_eq!(frame["error"]["temporary"], true, "{frame}");
                        again.push(local_id);
                    }
                }
                changed = active.changed() => {
                    changed.unwrap();
                    break;
                }
            }
        }
    }
    promised
}

/// Looks for everything that was promised in the group's history, and for what must not be there.
pub(super) async fn verify(program: &Program, address: SocketAddr, group: &str, promised: &[Promised]) -> usize {
    let mut line = Line::login(program, address, "s0").await;
    let (mut found, mut after) = (Vec::<Value>::new(), None::<u64>);
    loop {
        let mut config = json!({"count": 100, "reverse": false});
        if let Some(after) = after {
            config["nextMessage"] = json!({"messageSeq": after});
        }
        let ask = json!({"conversationID": group, "conversationType": 2, "config": config});
        let answer = line.ok("queryHistoryMessage", ask).await;
        let page = answer["messageList"].as_array().unwrap().clone();
        let Some(last) = page.last() else { break };
        after = last["messageSeq"].as_u64();
        found.extend(page);
    }
    let mut by_id = BTreeMap::new();
    for (n, message) in found.iter().enumerate() {
        assert_eq!(message["messageSeq"].as_u64(), Some(n as u64 + 1), "a gap before {message}");
        if let Some(local_id) = message["localMessageID"].as_str().filter(|local_id| !local_id.is_empty()) {
            let place = (message["messageSeq"].as_u64().unwrap(), message["orderKey"].as_u64().unwrap());
            assert_eq!(by_id.insert(local_id.to_owned(), place), None, "{local_id} is there twice");
        }
    }
    assert!(found.windows(2).all(|pair| pair[0]["orderKey"].as_u64() < pair[1]["orderKey"].as_u64()), "order keys rise");
    for (local_id, place) in promised.iter().flatten() {
        assert_eq!(by_id.get(local_id), Some(place), "{local_id} was acknowledged");
    }
    found.len()
}

/// Two brokers that share a store, and those who send to whichever is active.
struct Town {
    programs: [std::sync::Arc<Program>; 2],
    nodes: [Option<Node>; 2],
    active: usize,
    /// Where the active one listens.
    last_address: SocketAddr,
    at: watch::Sender<Option<SocketAddr>>,
    stop: watch::Sender<bool>,
    acks: tokio::sync::mpsc::UnboundedReceiver<Instant>,
    talks: JoinSet<Promised>,
}

impl Town {
    async fn start(url: &str, settings: &[(&str, &str)]) -> Self {
        let programs = ["a", "b"].map(|name| {
            let own = [("cluster.node", name), ("cluster.lease_ms", "3000")];
            let all: Vec<_> = own.iter().chain(settings).copied().collect();
            std::sync::Arc::new(program(url, &all))
        });
        let mut first = Node::start(&programs[0]);
        let address = first.serves().await;
        let mut line = Line::login(&programs[0], address, "s0").await;
        for n in 1..SENDERS {
            Line::login(&programs[0], address, &format!("s{n}")).await;
        }
        let members: Vec<String> = (1..SENDERS).map(|n| format!("s{n}")).collect();
        line.ok("createGroup", json!({"groupInfo": {"groupID": "crowd", "groupName": "crowd"}, "userIDs": members})).await;
        let mut second = Node::start(&programs[1]);
        let standing = second.stands_by().await;
        let answer = fetch(standing, "GET /readyz", &[], "").await;
        assert!(answer.status == 503 && answer.body.contains("standby: a is active"), "{answer:?}");
        assert_eq!(answer.header("Retry-After"), "1", "{answer:?}");
        for path in ["/ws", "/api/v1/users", "/media/x/original"] {
            assert_eq!(fetch(standing, &format!("GET {path}"), &[], "").await.status, 503, "{path}");
        }
        assert_eq!(fetch(standing, "GET /healthz", &[], "").await.status, 200);
        let (at, active) = watch::channel(Some(address));
        let (stop, stopping) = watch::channel(false);
        let (acked, acks) = tokio::sync::mpsc::unbounded_channel();
        let mut talks = JoinSet::new();
        for n in 0..SENDERS {
            talks.spawn(send(programs[0].clone(), (format!("s{n}"), "crowd".to_owned()), active.clone(), stopping.clone(), acked.clone()));
        }
        Self { programs, nodes: [Some(first), Some(second)], active: 0, last_address: address, at, stop, acks, talks }
    }

    fn node(&mut self, at: usize) -> &mut Node {
        self.nodes[at].as_mut().expect("it runs")
    }

    /// Waits until the other one is active and acknowledges; returns how long that took.
    async fn taken_over(&mut self, began: Instant) -> Duration {
        let heir = 1 - self.active;
        let address = self.node(heir).serves().await;
        self.active = heir;
        self.last_address = address;
        let listening = Instant::now();
        self.at.send(Some(address)).unwrap();
        let acked = async {
            loop {
                let at = self.acks.recv().await.unwrap();
                if at > listening {
                    return at;
                }
            }
        };
        timeout(PATIENCE, acked).await.expect("an acknowledgement by the heir").saturating_duration_since(began)
    }

    /// Lets those who send come to an end, and looks at what there is.
    async fn end(self) -> (usize, usize) {
        self.stop.send(true).unwrap();
        let promised: Vec<Promised> = soon("the end of every talk", self.talks.join_all()).await;
        let address = self.last_address;
        let stored = verify(&self.programs[0], address, "crowd", &promised).await;
        (promised.iter().map(BTreeMap::len).sum(), stored)
    }
}

/// Returns how often something is tried: here, or in the full run.
pub(super) fn times(in_ci: usize, in_full: usize) -> usize {
    if std::env::var("TIDINGS_FULL").is_ok() { in_full } else { in_ci }
}

#[tokio::test]
async fn a_standby_takes_over_from_one_that_is_killed() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let mut town = Town::start(&cluster.database(), &[]).await;
    let (mut dice, mut longest) = (Dice(7), Duration::ZERO);
    let kills = times(10, 50);
    for _ in 0..kills {
        sleep(Duration::from_millis(dice.between(200, 1200))).await;
        let began = Instant::now();
        let fallen = town.active;
        town.node(fallen).child.kill().await.unwrap();
        let took = town.taken_over(began).await;
        assert!(took <= TAKE_OVER_MAX, "the first acknowledgement came after {took:?}");
        longest = longest.max(took);
        let mut next = Node::start(&town.programs[fallen]);
        next.stands_by().await;
        town.nodes[fallen] = Some(next);
    }
    let (acknowledged, stored) = town.end().await;
    println!("{kills} kills, first acknowledgement after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn a_planned_stop_hands_over_at_once() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let mut town = Town::start(&cluster.database(), &[("cluster.lease_ms", "30000")]).await;
    sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    let fallen = town.active;
    town.node(fallen).signal("TERM").await;
    let took = town.taken_over(began).await;
    assert!(took <= TAKE_OVER_MAX, "{took:?}, and the lease is 30 s");
    let ended = soon("the end of the first", town.node(fallen).child.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
    town.end().await;
}

/// Pauses the active broker; the other takes over; the first goes on and must notice.
async fn pause(town: &mut Town, pause: Duration) -> Duration {
    let began = Instant::now();
    let paused = town.active;
    let old = town.last_address;
    // Someone stays connected to it all the while.
    let mut left = Line::login(&town.programs[0], old, "left").await;
    town.node(paused).signal("STOP").await;
    let took = town.taken_over(began).await;
    assert!(took <= TAKE_OVER_MAX, "the first acknowledgement came after {took:?}");
    sleep(pause.saturating_sub(began.elapsed())).await;
    town.node(paused).signal("CONT").await;
    // It stands by again, and says so to whoever was connected.
    town.node(paused).stands_by().await;
    assert_eq!(soon("the close", left.closed()).await, Some(4000), "reconnect and resume");
    took
}

#[tokio::test]
async fn one_that_was_paused_and_comes_back_is_refused_and_stands_by() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let mut town = Town::start(&cluster.database(), &[]).await;
    let (mut dice, mut longest) = (Dice(11), Duration::ZERO);
    let (pauses, length) = (times(3, 10), Duration::from_secs(times(7, 10) as u64));
    for n in 0..pauses {
        if n % 2 == 0 {
            // In the middle of transactions.
            sleep(Duration::from_millis(dice.between(200, 900))).await;
        } else {
            // Idle: those who send wait for the next broker.
            town.at.send(None).unwrap();
            sleep(Duration::from_millis(500)).await;
        }
        longest = longest.max(pause(&mut town, length).await);
    }
    let (acknowledged, stored) = town.end().await;
    println!("{pauses} pauses, first acknowledgement after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}

/// Over TLS, too: who stands by says so, and then serves.
#[tokio::test]
async fn a_standby_takes_over_behind_a_certificate() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::shared() else { return };
    let (url, folder) = (cluster.database(), tempfile::tempdir().unwrap());
    make_pair(folder.path(), 2040);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let settings = [("tls.certificate", path("cert.pem")), ("tls.key", path("key.pem"))];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let programs = [program(&url, &settings), program(&url, &settings)];
    let over = async |address: SocketAddr| {
        let socket = TcpStream::connect(address).await.unwrap();
        connector(&[&rustls::version::TLS13]).connect("localhost".try_into().unwrap(), socket).await.unwrap()
    };
    let login = async |address: SocketAddr, user: &str| {
        let mut client = Client::over_any(Box::new(over(address).await), address, "/ws", &[]).await.unwrap();
        client.login(&programs[0].token(user), Login { user, ..Login::default() }).await;
        client
    };
    let mut first = Node::start(&programs[0]);
    let address = first.serves().await;
    login(address, "bob").await;
    let mut alice = login(address, "alice").await;
    alice.say(To::Peer("bob"), "before").await;
    let mut second = Node::start(&programs[1]);
    let standing = second.stands_by().await;
    let answer = fetch_over(over(standing).await, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("standby"), "{answer}");
    first.child.kill().await.unwrap();
    let address = second.serves().await;
    assert!(fetch_over(over(address).await, "/readyz").await.starts_with("HTTP/1.1 200"));
    let mut alice = login(address, "alice").await;
    alice.say(To::Peer("bob"), "after").await;
    let texts = alice.newest(To::Peer("bob")).await;
    assert_eq!(pluck(&Value::Array(texts), "message"), ["before", "after"]);
}

#[tokio::test]
async fn a_commit_that_hangs_behind_a_missing_replica_holds_up_no_take_over() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let mut town = Town::start(&cluster.database(), &[]).await;
    sleep(Duration::from_millis(500)).await;
    cluster.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'missing'");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    // Transactions hang in COMMIT now.
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let fallen = town.active;
    town.node(fallen).signal("STOP").await;
    let address = town.node(1 - fallen).serves().await;
    let took = began.elapsed();
    assert!(took <= TAKE_OVER_MAX, "the heir serves after {took:?}");
    sleep(Duration::from_secs(7).saturating_sub(took)).await;
    cluster.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    town.active = 1 - fallen;
    town.last_address = address;
    town.at.send(Some(address)).unwrap();
    town.node(fallen).signal("CONT").await;
    town.node(fallen).stands_by().await;
    sleep(Duration::from_secs(1)).await;
    let (acknowledged, stored) = town.end().await;
    println!("a COMMIT that hung: the heir served after {took:?}, {acknowledged} acknowledged, {stored} stored");
}
