//! `tidings cluster …`: the brokers that share a store.

use clap::{Args, Subcommand};
use tidings::broker::postgres_options;
use tidings::config::StoreEngine;
use tidings::store::{ClusterStatus, NodeStatus, cluster_status};

use super::failure::Failure;
use super::settings::Settings;

/// Brokers that share a store.
#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// Show the brokers, which one is active, and when each was heard last.
    Status(StatusArguments),
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
    }
}

fn status(arguments: &StatusArguments) -> Result<(), Failure> {
    let config = arguments.settings.load(Vec::new())?;
    if config.store.engine != StoreEngine::Postgres {
        let only = format!("store.engine is \"{}\": only a store in PostgreSQL is shared", config.store.engine.name());
        return Err(Failure::Usage(only));
    }
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
    let NodeStatus { node: name, address, version, owns_shards, heard_ms_ago, .. } = node;
    let what = match (*owns_shards > 0, *heard_ms_ago > lease_ms) {
        (true, false) => "active",
        (true, true) => "silent",
        (false, false) => "standby",
        (false, true) => "gone",
    };
    format!(
        "{what:<8} {name:<24} {address:<32} version {version}, heard {:.1} s ago",
        std::time::Duration::from_millis(*heard_ms_ago).as_secs_f64()
    )
}
