//! Everything at once: healthy clients talk while others stall, break frames, hold bodies back, flood sockets, uploads and searches.
//!
//! `TIDINGS_FULL=1 cargo test --test it hostile_misery -- --nocapture` runs a minute and prints what it measured; else some seconds.
// It measures, and says what it measured.
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::Duration;

use crate::hostile::attackers::{self, Attack, Target};
use crate::hostile::healthy::{Healthy, Newcomers};
use crate::hostile::{MIB, Program, Watch, alone, resident};

const HEALTHY: usize = 200;
const SETTINGS: [(&str, &str); 5] = [
    ("server.connections_per_address_max", "100000"),
    ("rate.sends_per_second", "1000"),
    ("rate.burst", "1000"),
    ("store.ballast_bytes", "0"),
    ("shed.room_barrages_per_second", "2000"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_clients_lose_nothing_while_everything_is_attacked_at_once() {
    let _alone = alone().await;
    let is_long = std::env::var_os("TIDINGS_FULL").is_some();
    let how_long = Duration::from_secs(if is_long { 60 } else { 6 });
    let program = Arc::new(Program::with(&SETTINGS));
    let running = program.run().await;
    let at = Target { program, address: running.address };
    let mut healthy = Healthy::gather(&at.program, at.address, HEALTHY).await;
    let quiet = healthy.talk(how_long / 2).await;
    let (before, watch) = (resident(running.pid()), Watch::on(running.pid()));

    let mut attack = Attack::default();
    attackers::stalled_readers(&mut attack, &at).await;
    attackers::searches(&mut attack, &at, 8).await;
    attackers::stalled_bodies(&mut attack, &at);
    attackers::idle_sockets(&mut attack, &at);
    attackers::broken_frames(&mut attack, &at);
    attackers::empty_uploads(&mut attack, &at, 16);
    let coming = Newcomers::come(how_long, async |n| drop(at.login(&format!("newcomer-{n}")).await));
    let (seen, newcomers) = tokio::join!(healthy.talk(how_long), coming);
    let attempts = attack.end().await;

    let given_back = async {
        while resident(running.pid()) > before + 64 * MIB {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), given_back).await.expect("within a minute the memory is within 64 MiB of what it was");

    let (sent, received, disconnected, twice) = (healthy.sent(), healthy.received(), healthy.disconnected(), seen.twice + quiet.twice);
    println!(
        "{HEALTHY} healthy clients: {sent} sent, {received} received, {twice} twice, {disconnected} disconnected; p99 {:.1?} quiet, {:.1?} \
         under attack; slowest login {:.1?}; {attempts} attempts; memory {} MiB, at most +{} MiB",
        quiet.p99(),
        seen.p99(),
        newcomers.slowest,
        before >> 20,
        watch.growth() >> 20,
    );
    assert_eq!((received, twice, disconnected), (sent, 0, 0), "nothing is lost, twice, or cut off");
    assert_eq!(newcomers.turned_away, 0, "whoever comes anew gets in");
    if is_long {
        assert!(seen.p99() <= (quiet.p99() * 3).max(Duration::from_millis(150)), "p99 {:?}", seen.p99());
    }
}
