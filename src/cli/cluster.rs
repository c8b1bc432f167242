//! `tidings cluster …`: the brokers that share a store.

use clap::{Args, Subcommand};
use tidings::broker::postgres_options;
use tidings::config::{Config, StoreEngine};
use tidings::store::{ClusterStatus, NodeStatus, cluster_status, drain_node};

use super::failure::Failure;
use super::settings::Settings;

/// Brokers that share a store.
#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// Show the brokers, what each owns, and when each was heard last.
    Status(StatusArguments),
    /// Let a broker hand over all it owns, before it is stopped or its machine is. Its sessions stay until then.
    Drain(DrainArguments),
}

#[derive(Debug, Args)]
pub(super) struct DrainArguments {
    #[command(flatten)]
    settings: Settings,
    /// The broker, by its `cluster.node`; without it that of this configuration.
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Let it own again.
    #[arg(long)]
    undo: bool,
    /// How long to wait until it owns nothing, seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    #[command(flatten)]
    settings: Settings,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: ClusterCommand) -> Result<(), Failure> {
    match command {
        ClusterCommand::Status(arguments) => status(&arguments),
        ClusterCommand::Drain(arguments) => drain(&arguments),
    }
}

/// Loads the configuration of a broker whose store others share.
fn shared(settings: &Settings) -> Result<Config, Failure> {
    let config = settings.load(Vec::new())?;
    if config.store.engine != StoreEngine::Postgres {
        let only = format!("store.engine is \"{}\": only a store in PostgreSQL is shared", config.store.engine.name());
        return Err(Failure::Usage(only));
    }
    Ok(config)
}

#[expect(clippy::disallowed_methods, reason = "a command has a thread of its own, and asks the database again")]
fn drain(arguments: &DrainArguments) -> Result<(), Failure> {
    let config = shared(&arguments.settings)?;
    let options = postgres_options(&config);
    let node = arguments.node.clone().unwrap_or_else(|| options.node.clone());
    if !drain_node(&options, &node, !arguments.undo)? {
        return Err(Failure::Usage(format!(
            "no broker is called {node:?} that works with others at the same time: see `tidings cluster status`"
        )));
    }
    if arguments.undo {
        say!("{node} owns again what it should");
        return Ok(());
    }
    for _ in 0..=arguments.seconds.saturating_mul(4) {
        let status = cluster_status(&options)?;
        let left: u64 = status.nodes.iter().filter(|one| one.node == node).map(|one| one.owns_shards).sum();
        if left == 0 {
            say!("{node} owns nothing any more: it may be stopped");
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    Err(Failure::Other(anyhow::anyhow!("{node} still owns something after {} s: see `tidings cluster status`", arguments.seconds)))
}

fn status(arguments: &StatusArguments) -> Result<(), Failure> {
    let config = shared(&arguments.settings)?;
    let status = cluster_status(&postgres_options(&config))?;
    if arguments.json {
        say!("{}", serde_json::to_string(&status).map_err(anyhow::Error::from)?);
        return Ok(());
    }
    let ClusterStatus { shards, epoch, nodes } = &status;
    say!("{shards} shards, taken over {epoch} times");
    for node in nodes {
        say!("{}", line(node, config.cluster.lease_ms));
    }
    Ok(())
}

fn line(node: &NodeStatus, lease_ms: u64) -> String {
    let NodeStatus { node: name, address, version, owns_shards, slot, lag_ms, heard_ms_ago, .. } = node;
    let what = node.state(lease_ms);
    let lag = lag_ms.map_or(String::new(), |lag_ms| format!(", {lag_ms} ms behind"));
    let owns = slot.map_or(String::new(), |_| format!(" {owns_shards} shards{lag},"));
    format!(
        "{what:<8} {name:<24} {address:<32}{owns} version {version}, heard {:.1} s ago",
        std::time::Duration::from_millis(*heard_ms_ago).as_secs_f64()
    )
}
