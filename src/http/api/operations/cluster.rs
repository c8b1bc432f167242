//! The brokers that share the store: what each owns, and whether it should.

use actix_web::{get, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::broker::Broker;
use crate::http::api::input::{Body, BrokerHandle};
use crate::http::api::response::{ApiResult, Problems, done, json};
use crate::model::{Invalid, Refusal};

/// A broker among those that share the store.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    /// What it is called, `cluster.node`.
    node: String,
    /// Where clients reach it; may be empty.
    address: String,
    version: String,
    /// `active`, `draining`, `silent` (not heard for a lease, and what it owns is taken over), `standby` or `gone`.
    state: &'static str,
    /// How many parts of the store it owns.
    owned_shards: u64,
    /// How far behind it was with delivering to all nodes, milliseconds; not there when it owns nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    lag_ms: Option<u64>,
    /// When it was heard last, milliseconds ago.
    heard_ms_ago: u64,
    /// When it started, milliseconds ago.
    started_ms_ago: u64,
}

/// The brokers that share the store.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Nodes {
    /// Into how many parts the store is divided; 0: this broker has it to itself.
    shards: u64,
    /// How often another broker took over, on average of all parts.
    epoch: u64,
    /// Those that were heard in the last day, the one that was heard last first.
    node_list: Vec<Node>,
}

/// The brokers that share the store, what each owns, and when each was heard last.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Brokers; none where one has the store to itself.", body = Nodes), Problems))]
#[get("/cluster")]
pub(in crate::http::api) async fn get_cluster(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    json(&read(&broker).await?)
}

/// `{nodeName}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct NodePath {
    /// What it is called, `cluster.node`.
    #[serde(rename = "nodeName")]
    #[param(min_length = 1, max_length = 64)]
    node_name: String,
}

/// Whether others should own what a broker owns.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NodeChange {
    /// True before its machine is stopped: it hands over all it owns, and its sessions stay. False: it owns again.
    is_draining: bool,
}

/// Lets a broker hand over all it owns, or own again.
#[utoipa::path(tag = "operations", security(("key" = ["ops:write"])), params(NodePath), request_body = NodeChange,
    responses((status = 200, description = "It was told so.", body = Object), Problems))]
#[put("/cluster/nodes/{nodeName}")]
pub(in crate::http::api) async fn change_node(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<NodePath>,
    Body(change): Body<NodeChange>,
) -> ApiResult {
    let name = path.into_inner().node_name;
    if drain(&broker, name.clone(), change.is_draining).await? {
        return done();
    }
    Err(Invalid::new("nodeName", format!("is {name:?}, and no broker of that name works with others at the same time")).into())
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "only a shared store is asked")]
async fn read(_: &Broker) -> Result<Nodes, Refusal> {
    Ok(Nodes::default())
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "only a shared store is asked")]
async fn drain(_: &Broker, _: String, _: bool) -> Result<bool, Refusal> {
    Ok(false)
}

#[cfg(feature = "postgres")]
async fn read(broker: &Broker) -> Result<Nodes, Refusal> {
    use crate::store::cluster_status;
    let Some(status) = ask(broker, cluster_status).await? else { return Ok(Nodes::default()) };
    let lease_ms = broker.config().cluster.lease_ms;
    let node = |node: crate::store::NodeStatus| Node {
        state: node.state(lease_ms),
        node: node.node,
        address: node.address,
        version: node.version,
        owned_shards: node.owns_shards,
        lag_ms: node.lag_ms,
        heard_ms_ago: node.heard_ms_ago,
        started_ms_ago: node.started_ms_ago,
    };
    Ok(Nodes { shards: status.shards, epoch: status.epoch, node_list: status.nodes.into_iter().map(node).collect() })
}

#[cfg(feature = "postgres")]
async fn drain(broker: &Broker, name: String, is_draining: bool) -> Result<bool, Refusal> {
    use crate::store::drain_node;
    Ok(ask(broker, move |options| drain_node(options, &name, is_draining)).await?.unwrap_or(false))
}

/// Asks the database that the store is in; none: it is not in one.
#[cfg(feature = "postgres")]
async fn ask<T: Send + 'static>(
    broker: &Broker,
    question: impl FnOnce(&crate::store::PostgresOptions) -> Result<T, crate::store::OpenError> + Send + 'static,
) -> Result<Option<T>, Refusal> {
    use crate::broker::postgres_options;
    use crate::config::StoreEngine;
    let config = broker.config();
    if config.store.engine != StoreEngine::Postgres {
        return Ok(None);
    }
    let options = postgres_options(&config);
    let asked = web::block(move || question(&options)).await.map_err(|_| Refusal::Busy("the broker is shutting down"))?;
    asked.map(Some).map_err(|error| {
        tracing::warn!(%error, "the database did not say which brokers share the store");
        Refusal::Busy("the database cannot be asked")
    })
}
