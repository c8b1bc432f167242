//! Groups of which nearly everyone is away: a send must cost what those who are there cost, and no more.

use std::time::Duration;

use crate::bench::client_pool::ClientSpec;
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::handshake::Handshake;
use crate::bench::load::pace;
use crate::bench::marker::LoadClass;
use crate::bench::message::{Subscription, TestMessage};

/// Members of the small group, which is the largest one by default; of the large one, which is the largest one there can be.
const SMALL: usize = 500;
const LARGE: (usize, usize) = (100_000, 10_000);
const ONLINE: usize = 50;
/// Of those who are there, who sends; and how much all of them do.
const SENDERS: usize = 5;
const PER_SECOND: f64 = 50.0;
const PAYLOAD_BYTES: usize = 100;
const WARM_UP: Duration = Duration::from_secs(2);
/// Users of one invitation.
const INVITED: usize = 1_000;

const SETTINGS: &[(&str, &str)] =
    &[("USERS__MUST_EXIST", "false"), ("LIMITS__GROUP_MEMBERS_MAX", "100000"), ("LIMITS__GROUP_INVITE_MAX", "1000")];

pub(super) async fn group(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let large = bench.options.members(LARGE.0, LARGE.1).clamp(SMALL, 100_000);
    let seconds = bench.options.seconds(30, 10);
    bench.note(format!("group: {SMALL} members against {large}, {ONLINE} of each online"));
    for (scenario, members) in [("group-small", SMALL), ("group-large", large)] {
        let server = bench.broker(SETTINGS)?;
        let name = bench.name("group");
        bench.measuring(&format!("{scenario}: inviting"));
        let users: Vec<String> = (1..members).map(|n| format!("{name}-{n}")).collect();
        let owner = bench.account(&format!("{name}-0"))?;
        let mut handshake = Handshake::open(server.address, false).await?;
        handshake.login(&owner).await?;
        handshake.make_group(&name, &users, INVITED).await?;
        drop(handshake);
        let spec = |n| {
            let account = Some(bench.account(&format!("{name}-{n}"))?);
            Ok::<_, BenchError>(ClientSpec { account, room: None, group: 0, subscription: Subscription::Room, stalled: false, node: 0 })
        };
        let specs = (0..ONLINE).map(spec).collect::<Result<Vec<_>, _>>()?;
        let mut harness = bench.harness(server, specs).await?;
        harness.groups = vec!["group"];
        bench.measuring(scenario);
        let message = TestMessage { to: name, conversation_type: 2, kind: LoadClass::Storable, bytes: PAYLOAD_BYTES };
        let senders = &harness.pool.clients[..SENDERS];
        harness.measure("warm-up", |pool| pace(pool, senders, PER_SECOND, &message, WARM_UP)).await?;
        let run = harness.measure(scenario, |pool| pace(pool, senders, PER_SECOND, &message, Duration::from_secs(seconds))).await?;
        drop(harness);
        bench.keep(run);
    }
    Ok(())
}
