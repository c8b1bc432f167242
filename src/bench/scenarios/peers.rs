//! Other brokers under the loads of ours: the flooded room, the paced room, stored one-to-one messages in a window and paced.

use super::peer;
use super::peer::Pairs;
use super::room;
use super::room::{FLOODERS, Load};
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::message::Subscription;
use crate::bench::options::Scenario;
use crate::bench::peers::packet::{ROOM, topic_of};
use crate::bench::peers::program::{Peer, Program};
use crate::bench::peers::start::Installed;

const SAME: &str = "other brokers carry the same 100 (stored: 200) bytes in their own framing, ours in its JSON event; \
    their room has its publishers beside its subscribers, ours among them";
const ANSWERS: &str = "told of completion by: mosquitto PUBACK of QoS 1 (subscribers QoS 0), nats-server PONG to a PING behind PUB, \
    redis-server the reply to PUBLISH";
const STORED: &str = "stored on other brokers: mosquitto QoS 1 to a kept session, saved every second; nats-server JetStream file stream, \
    PubAck; redis-server XADD, appendfsync everysec. NONE of them waits for the disk (fsync) before it answers; ours does";

pub(super) async fn peers(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let installed: Vec<_> = Program::ALL.into_iter().map(|program| (program, Installed::find(program))).collect();
    for (_, missing) in &installed {
        if let Err(missing) = missing {
            bench.note(missing.clone());
        }
    }
    if installed.iter().all(|(_, found)| found.is_err()) {
        return Ok(());
    }
    [SAME, ANSWERS, STORED].into_iter().for_each(|text| bench.note(text.to_owned()));
    // Asked for by name, they still need ours and the bare loops of the same run beside them.
    let chosen = bench.options.chosen();
    if !chosen.contains(&Scenario::RoomFlood) {
        room::flood(bench).await?;
    }
    if !chosen.contains(&Scenario::RoomPaced) {
        room::paced(bench).await?;
    }
    if !chosen.contains(&Scenario::PeerDurable) {
        peer::durable(bench).await?;
    }
    if !chosen.contains(&Scenario::PeerDurablePaced) {
        peer::durable_paced(bench).await?;
    }
    for (program, found) in &installed {
        if let Ok(installed) = found {
            in_a_room(bench, *program, installed).await?;
            stored(bench, *program, installed).await?;
            for is_stored in [true, false] {
                in_pairs(bench, *program, installed, is_stored).await?;
            }
        }
    }
    Ok(())
}

async fn in_a_room(bench: &mut Bench<'_>, program: Program, installed: &Installed) -> Result<(), BenchError> {
    let members = bench.options.members(1_000, 1_000);
    let (server, label) = installed.start(false, &bench.options.folder).await?;
    bench.note(label);
    let mut all = vec![Subscription::Nothing; FLOODERS];
    all.resize(FLOODERS + members, Subscription::Room);
    let harness = bench.peer_harness(server, Peer { program, stored: false }, &all).await?;
    for load in [Load::Flood, Load::Paced] {
        bench.measuring(&format!("{}: {}", load.scenario(), program.name()));
        let seconds = load.seconds(bench);
        let run = load.on(&harness, ROOM, seconds).await?;
        bench.keep(run);
    }
    Ok(())
}

async fn stored(bench: &mut Bench<'_>, program: Program, installed: &Installed) -> Result<(), BenchError> {
    let (server, label) = installed.start(true, &bench.options.folder).await?;
    bench.note(label);
    let mut harness = bench.peer_harness(server, Peer { program, stored: true }, &[Subscription::Nothing, Subscription::Peer(0)]).await?;
    harness.groups = vec!["peer"];
    let run = peer::window_on(bench, &harness, &topic_of(0)).await?;
    bench.keep(run);
    Ok(())
}

/// Runs the load of the pairs, also without storing: what the store costs can be seen beside each other broker's own.
async fn in_pairs(bench: &mut Bench<'_>, program: Program, installed: &Installed, stored: bool) -> Result<(), BenchError> {
    let (server, label) = installed.start(stored, &bench.options.folder).await?;
    bench.note(label);
    let all = Pairs::of(bench).subscriptions();
    let mut harness = bench.peer_harness(server, Peer { program, stored }, &all).await?;
    if !stored {
        harness.subject.push_str(", not stored");
    }
    let run = Pairs::of(bench).paced_on(bench, &mut harness, topic_of).await?;
    bench.keep(run);
    Ok(())
}
