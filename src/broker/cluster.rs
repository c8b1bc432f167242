//! A broker as one of several that work at the same time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::StartError;
use super::open::node_name;
use crate::actors::registries::Registries;
use crate::actors::remote::cluster::Cluster;
use crate::actors::remote::hear::Ear;
use crate::actors::remote::membership::{keep_marks, keep_membership};
use crate::actors::remote::touch::keep_in_touch;
use crate::clock::{Clock, SystemClock};
use crate::cluster::links::{LinkOptions, LinkParts, Links};
use crate::cluster::nats::{BusServer, Nats, NatsOptions};
use crate::config::{Config, MediaEngine};
use crate::store::Store;

/// What of a configuration does not fit several brokers that work at the same time.
fn check(config: &Config, has_own_media_store: bool) -> Result<(), StartError> {
    let needs = |what: &str| Err(StartError::Cluster(format!("cluster.nats is set, which needs {what}")));
    if config.media.store == MediaEngine::Disk && !has_own_media_store {
        return needs("media.store \"s3\" or \"none\": the other brokers do not see this one's disk");
    }
    if config.auth.secret.is_empty() {
        return needs("auth.secret: all brokers must know the same one");
    }
    Ok(())
}

/// Makes this node of what the configuration says; none: the broker works alone.
///
/// # Errors
/// [`StartError::Cluster`]: the configuration, or the store, does not fit.
pub(super) fn node(
    config: &Config,
    store: &dyn Store,
    clock: &Arc<dyn Clock>,
    has_own_media_store: bool,
) -> Result<Option<Arc<Cluster>>, StartError> {
    if config.cluster.nats.is_empty() {
        return Ok(None);
    }
    check(config, has_own_media_store)?;
    let shards = store.shards().ok_or_else(|| StartError::Cluster("cluster.nats is set, which needs store.engine \"postgres\"".into()))?;
    Ok(Some(Cluster::new(shards, clock.clone(), Duration::from_millis(config.cluster.lease_ms))))
}

/// Returns a connection to the bus, not open yet. `kind`: what its servers show of it, beside the node's name.
fn bus(config: &Config, kind: &str) -> Nats {
    let settings = &config.cluster;
    let file = |path: &Path| Some(path.to_owned()).filter(|path| !path.as_os_str().is_empty());
    Nats::new(NatsOptions {
        servers: settings.nats.clone(),
        name: format!("tidings {} {kind}", node_name(config)),
        credentials: file(&settings.nats_credentials),
        tls_ca: file(&settings.nats_tls_ca),
        tls_client: None,
    })
}

/// Looks at the servers of the bus, each alone. Blocks for as long as they take, seconds each: not for an async task.
///
/// # Errors
/// [`StartError::Cluster`]: the settings do not fit, and why. A server that is not there is told of in the report.
pub fn bus_report(config: &Config) -> Result<Vec<BusServer>, StartError> {
    check(config, false)?;
    let cannot = |error: &dyn std::fmt::Display| StartError::Cluster(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| cannot(&error))?;
    runtime.block_on(bus(config, "doctor").report(&SystemClock::new())).map_err(|error| cannot(&error))
}

/// Connects this node to the others and sets it to work.
///
/// # Errors
/// [`StartError::Cluster`]: the settings of the bus do not work. That it is not there is no error.
pub(super) fn begin(cluster: &Arc<Cluster>, actors: &Arc<Registries>) -> Result<(), StartError> {
    let config = actors.context.config();
    let settings = &config.cluster;
    let name = node_name(&config);
    let bus = |kind: &str| Arc::new(bus(&config, kind));
    let links = Links::start(LinkParts {
        me: cluster.peer(&name),
        reliable: bus("reliable"),
        lossy: bus("lossy"),
        options: LinkOptions::new(&settings.name),
        clock: actors.context.clock.clone(),
        handler: Arc::new(Ear(Arc::downgrade(cluster))),
    });
    let links = links.map_err(|error| StartError::Cluster(error.to_string()))?;
    cluster.begin(links, actors);
    actors.context.arbiter.spawn(keep_membership(cluster.clone(), actors.clone()));
    actors.context.arbiter.spawn(keep_in_touch(cluster.clone(), actors.clone()));
    actors.context.arbiter.spawn(keep_marks(cluster.clone(), actors.clone()));
    Ok(())
}
