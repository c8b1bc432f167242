//! The loads, one file per kind of conversation.

mod cluster;
mod group;
mod idle;
mod mixed;
mod overload;
mod peer;
mod peers;
mod room;
mod saturation;

use super::context::Bench;
use super::error::BenchError;
use super::options::Scenario;

/// Runs one scenario.
pub(super) async fn run(bench: &mut Bench<'_>, scenario: Scenario) -> Result<(), BenchError> {
    match scenario {
        Scenario::RoomFlood => room::flood(bench).await,
        Scenario::RoomPaced => room::paced(bench).await,
        Scenario::PeerDurable => peer::durable(bench).await,
        Scenario::PeerDurablePaced => peer::durable_paced(bench).await,
        Scenario::Peers => peers::peers(bench).await,
        Scenario::Group => group::group(bench).await,
        Scenario::Idle => idle::idle(bench).await,
        Scenario::Overload => overload::overload(bench).await,
        Scenario::Mixed => mixed::mixed(bench).await,
        Scenario::Saturation => saturation::saturation(bench).await,
        Scenario::RoomHuge => room::huge(bench).await,
        Scenario::Growth => room::growth(bench).await,
        Scenario::ClusterRoom => cluster::room(bench).await,
        Scenario::ClusterPeer => cluster::peer(bench).await,
        Scenario::ClusterIdle => cluster::idle(bench).await,
        Scenario::ClusterFailover => cluster::failover(bench).await,
    }
}
