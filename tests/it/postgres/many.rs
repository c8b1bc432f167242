//! Three brokers that work together, and what becomes of them: one is killed, paused, stopped; the bus or the database goes away. Nothing
//! acknowledged is lost, doubled or out of order, and whoever reads live misses nothing.
//!
//! The full run: `TIDINGS_FULL=1 cargo test --features cluster --test it postgres::many -- --nocapture`
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::city::{City, NODES, TAKE_OVER_MAX, logs, ready};
use super::standby::{Node, times};
use crate::cluster::Cluster;
use crate::hostile::{Dice, Line, alone, soon};

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

/// Stops a node, waits until all are acknowledged without it, and starts it again; returns how long they waited.
async fn restarted(city: &mut City, n: usize) -> Duration {
    let began = Instant::now();
    city.nodes[n].signal("TERM").await;
    city.leave(n);
    let took = city.all_acknowledged(began).await;
    let ended = soon("the end of a node", city.nodes[n].child.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
    city.restart(n).await;
    took
}

#[tokio::test]
async fn nodes_are_restarted_one_after_the_other() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let Some(mut city) = City::start(&cluster.database()).await else { return };
    let mut longest = Duration::ZERO;
    for n in 0..NODES {
        longest = longest.max(restarted(&mut city, n).await);
    }
    let (acknowledged, stored) = city.end().await;
    println!("3 restarts, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}

/// Brings the nodes to a build of another version one after the other, and back. `TIDINGS_OTHER_VERSION` names its binary, which
/// speaks one version more than this one: `.ci/other-version` makes it and runs this.
#[tokio::test]
async fn nodes_are_brought_to_another_version_one_after_the_other() {
    let Some(other) = std::env::var_os("TIDINGS_OTHER_VERSION") else { return };
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { panic!("PostgreSQL is needed") };
    let Some(mut city) = City::start(&cluster.database()).await else { panic!("nats-server is needed") };
    let said = |city: &City, n: usize| std::fs::read_to_string(city.programs[n].folder().join("log")).unwrap();
    let speaks_more = |city: &City, n: usize| said(city, n).contains(r#"this version is spoken between nodes","version":2"#);
    let mut longest = Duration::ZERO;
    let binaries = [std::path::PathBuf::from(other), env!("CARGO_BIN_EXE_tidings").into()];
    for (turn, binary) in binaries.iter().enumerate() {
        for n in 0..NODES {
            city.programs[n].becomes(binary);
            longest = longest.max(restarted(&mut city, n).await);
            let is_whole = turn == 0 && n + 1 == NODES;
            if turn == 0 && !is_whole {
                assert!((0..NODES).all(|n| !speaks_more(&city, n)), "not all know it yet: {}", said(&city, n));
            }
            if is_whole {
                let all_do = async {
                    while !(0..NODES).all(|n| speaks_more(&city, n)) {
                        sleep(Duration::from_millis(50)).await;
                    }
                };
                soon("all to speak the new version", all_do).await;
            }
        }
    }
    let (acknowledged, stored) = city.end().await;
    println!("there and back, all acknowledged again after {longest:?} at most: {acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn a_bus_that_is_killed_is_waited_for() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    let Some(mut city) = City::start(&cluster.database()).await else { return };
    let longest = city.outages(times(2, 20), Duration::from_secs(5), |city, what| city.nats[0].tell(what)).await;
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
