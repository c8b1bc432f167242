//! The campaign of `crash.rs` with the database as the store, and as a victim.
//!
//! The full run: `TIDINGS_FULL=1 cargo test --features postgres --test it postgres::crash -- --nocapture`
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use tokio::time::sleep;

use super::program;
use crate::cluster::Cluster;
use crate::crash::{Killer, OfBroker, campaign};
use crate::hostile::{Dice, Running, alone};

/// Kills the database, which is started again; the broker goes on.
struct OfDatabase<'a>(&'a Cluster);

impl Killer for OfDatabase<'_> {
    async fn strike(&self, running: Running, dice: &mut Dice) -> Option<Running> {
        self.0.tell("kill");
        sleep(Duration::from_millis(dice.between(0, 1500))).await;
        self.0.tell("start");
        // What was refused is sent again until it is taken.
        sleep(Duration::from_millis(dice.between(0, 1500))).await;
        Some(running)
    }
}

/// Kills both at once.
struct OfBoth<'a>(&'a Cluster);

impl Killer for OfBoth<'_> {
    async fn strike(&self, running: Running, _: &mut Dice) -> Option<Running> {
        self.0.tell("kill");
        running.kill().await;
        self.0.tell("start");
        None
    }
}

fn cycles(in_ci: u64) -> u64 {
    if std::env::var("TIDINGS_FULL").is_ok() { 10 * in_ci } else { in_ci }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kills_of_the_broker() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    campaign(&program(&cluster.database(), &[]), cycles(20), &OfBroker).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_kills_of_the_database() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    campaign(&program(&cluster.database(), &[]), cycles(10), &OfDatabase(&cluster)).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_kills_of_both() {
    let _alone = alone().await;
    let Some(cluster) = Cluster::start() else { return };
    campaign(&program(&cluster.database(), &[]), cycles(5), &OfBoth(&cluster)).await;
}
