//! What brokers reach each other by. One of three is parted from the bus, from the database, or from both, while clients still reach it: it
//! may neither deliver nor acknowledge what the others do not know, and closes its sessions. One of three servers of the bus is killed. The
//! machines' clocks differ, and step.
//!
//! The full run: `TIDINGS_FULL=1 cargo test --features cluster --test it postgres::parted -- --nocapture`
// It measures, and says what it measured.
#![allow(clippy::disallowed_methods, clippy::print_stderr, clippy::print_stdout)]

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::city::{City, NODES, Surroundings, TAKE_OVER_MAX, logs, ready};
use super::gate::Gate;
use super::standby::times;
use crate::cluster::Cluster;
use crate::hostile::{Line, alone, soon};
use crate::nats::NatsServer;

/// A broker that reaches too little closes its sessions within this time: the lease, and a look or two.
const CLOSED_MAX: Duration = Duration::from_secs(4);

async fn is_ready(address: SocketAddr) -> io::Result<bool> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// Waits until a node is ready where it was; never, when it does not listen there any more.
async fn ready_where_it_was(address: SocketAddr) {
    loop {
        match is_ready(address).await {
            Ok(true) => return,
            Ok(false) => sleep(Duration::from_millis(50)).await,
            Err(_) => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_node_that_is_parted_from_the_others_closes_its_sessions() {
    let _alone = alone().await;
    let (Some(cluster), Some(nats)) = (Cluster::start(), NatsServer::start()) else { return };
    let url = cluster.database();
    let mut gates = Vec::new();
    let mut surroundings = Vec::new();
    for _ in 0..NODES {
        let (to_bus, bus) = Gate::to_port(nats.port()).await;
        let (to_database, database) = Gate::to_postgres(cluster.folder());
        let its_database = url.replace(&cluster.folder().display().to_string(), &database.path().display().to_string());
        surroundings.push(Surroundings { database: its_database, bus: format!("nats://{bus}"), variables: Vec::new() });
        gates.push((to_bus, to_database, database));
    }
    let mut city = City::among(vec![nats], &surroundings).await;
    let (mut slowest_close, mut longest) = (Duration::ZERO, Duration::ZERO);
    for n in 0..times(3, 20) {
        let (parted, what) = (n % NODES, ["the bus", "the database", "both"][n % 3]);
        sleep(Duration::from_millis(700)).await;
        let mut left = Line::login(&city.programs[parted], city.addresses[parted], "left").await;
        let (to_bus, to_database, _) = &gates[parted];
        let set_open = |is_open| {
            to_bus.set_open(is_open || n % 3 == 1);
            to_database.set_open(is_open || n % 3 == 0);
        };
        set_open(false);
        let began = Instant::now();
        let closed = timeout(2 * CLOSED_MAX, left.closed()).await;
        let closed_after = began.elapsed();
        assert_eq!(closed.ok().flatten(), Some(4000), "reconnect and resume, parted from {what}: {}", logs(&city.programs));
        assert!(closed_after <= CLOSED_MAX, "parted from {what} it closed after {closed_after:?}");
        slowest_close = slowest_close.max(closed_after);
        // Its clients come to the others, as a balancer that asks /readyz sends them.
        city.leave(parted);
        let took = city.all_acknowledged(Instant::now()).await;
        assert!(took <= TAKE_OVER_MAX, "parted from {what}, all were acknowledged again after {took:?}: {}", logs(&city.programs));
        longest = longest.max(took);
        set_open(true);
        // It may have been declared dead: then it starts anew by itself.
        let before = city.addresses[parted];
        let back = async {
            tokio::select! {
                anew = city.nodes[parted].serves() => anew,
                () = ready_where_it_was(before) => before,
            }
        };
        city.addresses[parted] = soon("the node that was parted", back).await;
        ready(city.addresses[parted]).await;
    }
    let (acknowledged, stored) = city.end().await;
    println!(
        "sessions closed after {slowest_close:?} at most, all acknowledged again {longest:?} later at most: {acknowledged} acknowledged, \
         {stored} stored"
    );
}

/// A login is known at every node before any other session makes room for it: one that is refused has put nobody out, and while a node is
/// parted logins at the others go on within its lease.
///
/// Not run by default: about one run in four, what a parted node had stored and put on its link last is missed by a reader that stays
/// connected elsewhere, until it resumes. `cargo test --features cluster --test it a_login_that_is_refused -- --ignored --nocapture`
#[tokio::test]
#[ignore = "now and then a reader misses what a parted node had put on its link last"]
async fn a_login_that_is_refused_has_put_nobody_out() {
    let _alone = alone().await;
    let (Some(cluster), Some(nats)) = (Cluster::start(), NatsServer::start()) else { return };
    let (to_bus, bus) = Gate::to_port(nats.port()).await;
    let url = cluster.database();
    let way = |bus: String| Surroundings { database: url.clone(), bus, variables: Vec::new() };
    let surroundings = [way(nats.address()), way(nats.address()), way(format!("nats://{bus}"))];
    let mut city = City::among(vec![nats], &surroundings).await;
    let [here, there] = [0, 1].map(|n| (city.programs[n].clone(), city.addresses[n]));
    let (mut refused, mut let_in) = (0, 0);
    for round in 0..times(3, 30) {
        let user = format!("traveller-{round}");
        let mut first = Line::login(&here.0, here.1, &user).await;
        to_bus.set_open(false);
        let mut second = None;
        let began = Instant::now();
        while second.is_none() && began.elapsed() < Duration::from_secs(20) {
            match timeout(Duration::from_secs(10), Line::try_login(&there.0, there.1, &user)).await {
                Ok(Ok(line)) => second = Some(line),
                _ => {
                    refused += 1;
                    // Nobody has taken the place of the first: it is answered.
                    let answer = timeout(Duration::from_secs(10), first.ask("queryUsersInfo", json!({"userIDs": [user]}))).await;
                    assert!(matches!(answer, Ok(Ok(_))), "the first session after a refused login: {answer:?} {}", logs(&city.programs));
                }
            }
        }
        assert!(second.is_some(), "let in once the third node counts as dead: {}", logs(&city.programs));
        let_in += 1;
        assert_eq!(timeout(Duration::from_secs(10), first.closed()).await.ok().flatten(), Some(4500), "the first makes room");
        city.leave(2);
        let before = city.addresses[2];
        to_bus.set_open(true);
        let back = async {
            tokio::select! {
                anew = city.nodes[2].serves() => anew,
                () = ready_where_it_was(before) => before,
            }
        };
        city.addresses[2] = soon("the node that was parted", back).await;
        ready(city.addresses[2]).await;
    }
    let (acknowledged, stored) = city.end().await;
    println!("{let_in} logins beside a node that says nothing, {refused} refused before; {acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn one_of_three_servers_of_the_bus_is_killed_and_nobody_is_closed() {
    let _alone = alone().await;
    let (Some(cluster), Some(nats)) = (Cluster::start(), NatsServer::three()) else { return };
    let url = cluster.database();
    let addresses: Vec<String> = nats.iter().map(NatsServer::address).collect();
    // Each broker begins with another one.
    let surroundings: Vec<_> = (0..NODES)
        .map(|n| {
            let mut own = addresses.clone();
            own.rotate_left(n);
            Surroundings { database: url.clone(), bus: own.join(","), variables: Vec::new() }
        })
        .collect();
    let mut city = City::among(nats, &surroundings).await;
    let mut watchers = Vec::new();
    for n in 0..NODES {
        watchers.push(Line::login(&city.programs[n], city.addresses[n], &format!("watcher{n}")).await);
    }
    let mut longest = Duration::ZERO;
    for n in 0..times(3, 20) {
        let killed = n % city.nats.len();
        city.nats[killed].tell("kill");
        let began = Instant::now();
        longest = longest.max(city.all_acknowledged(began).await);
        city.nats[killed].tell("start");
        longest = longest.max(city.all_acknowledged(Instant::now()).await);
    }
    assert!(longest <= TAKE_OVER_MAX, "{longest:?}: {}", logs(&city.programs));
    for (n, watcher) in watchers.iter_mut().enumerate() {
        watcher.ok("queryUsersInfo", json!({"userIDs": [format!("watcher{n}")], "config": {"isQueryFromServer": true}})).await;
    }
    let (acknowledged, stored) = city.end().await;
    println!(
        "a server of the bus was killed, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored"
    );
}

/// Returns the library that shows a process another clock; none, said loudly: it is not installed.
fn clock_library() -> Option<PathBuf> {
    let machines = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = machines.map(|machine| machine.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file());
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "faketime is not installed (Debian: faketime)");
        eprintln!("SKIPPED: faketime is not installed (Debian: faketime)");
    }
    found
}

#[tokio::test]
async fn clocks_that_differ_and_step_lose_nothing_and_no_order() {
    let _alone = alone().await;
    let Some(library) = clock_library() else { return };
    let (Some(cluster), Some(nats)) = (Cluster::start(), NatsServer::start()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let clock = |n: usize| folder.path().join(format!("clock{n}"));
    let set = |n: usize, offset: i32| std::fs::write(clock(n), format!("{offset:+}s\n")).unwrap();
    let database = cluster.database();
    let surroundings: Vec<_> = (0..NODES)
        .map(|n| {
            set(n, [5, -5, 0][n]);
            let variables = [
                ("LD_PRELOAD", library.display().to_string()),
                ("FAKETIME_TIMESTAMP_FILE", clock(n).display().to_string()),
                ("FAKETIME_NO_CACHE", "1".to_owned()),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ];
            let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
            Surroundings { database: database.clone(), bus: nats.address(), variables }
        })
        .collect();
    let mut city = City::among(vec![nats], &surroundings).await;
    let mut longest = Duration::ZERO;
    for n in 0..times(4, 40) {
        // Forwards, then backwards by twice as much.
        set(n % NODES, if n % 2 == 0 { 5 } else { -5 });
        longest = longest.max(city.all_acknowledged(Instant::now()).await);
        sleep(Duration::from_millis(500)).await;
    }
    // And a broker is killed while its clock is wrong.
    city.nodes[0].child.kill().await.unwrap();
    city.leave(0);
    let took = city.all_acknowledged(Instant::now()).await;
    assert!(took <= TAKE_OVER_MAX, "{took:?}: {}", logs(&city.programs));
    city.restart(0).await;
    let (acknowledged, stored) = city.end().await;
    println!("clocks stepped, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}
