//! `tidings bench`: how much it carries, beside bare loops, and what was dropped.

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidings::bench::{BaselineMode, BenchError, Options, Running, Scenario};
use tidings::config::StoreEngine;

use super::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct BenchArguments {
    /// Which loads, separated by commas; default: all, of --quick those that belong to it, with --nodes those of several brokers.
    #[arg(value_name = "SCENARIO", value_delimiter = ',', value_parser = scenario)]
    scenarios: Vec<Scenario>,
    /// Smaller and shorter, under three minutes on two cores; the units stay.
    #[arg(long)]
    quick: bool,
    /// Write everything measured as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a report with plots as one HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Connections of each scenario instead of its own number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(40..=90_000))]
    members: Option<u32>,
    /// Length of each measurement instead of the scenario's own.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: Option<u64>,
    /// Messages a second, all pairs together, of peer-durable-paced instead of 3,000, of cluster-peer instead of 500, of
    /// cluster-failover instead of 300.
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Store engines, separated by commas, on which peer-durable and peer-durable-paced are run in turn and shown side by
    /// side; default: sled.
    #[arg(long = "engine", value_name = "ENGINE", value_delimiter = ',', value_parser = engine)]
    engines: Vec<StoreEngine>,
    /// How often those go round the engines, and those of several brokers round one and several; default: once on one engine,
    /// three times else, once with --quick. Of several rounds the one of median cost is shown.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Start so many brokers that work together, 2 to 9, with a PostgreSQL and a NATS server of their own on loopback, beside one
    /// by itself; default: 3, for the scenarios cluster-… if they are named. Needs PostgreSQL's programs and nats-server.
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// What decides who is at which broker, and which one is killed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Threads of the load generator; default: half the cores.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    client_threads: usize,
    /// A setting of the broker under test, such as `BATCH__TICK_MS=20`; may be repeated.
    #[arg(long = "set", value_name = "SECTION__KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Where brokers keep their data for the time of a measurement; default: the system's folder for such.
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// Leave the bare loops out.
    #[arg(long)]
    no_floor: bool,
    /// A broker that runs already, such as `ws://127.0.0.1:7080`; its own limits apply.
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// The target's auth.secret; default: `TIDINGS_AUTH__SECRET`, which others on this machine can't read.
    #[arg(long, value_name = "TEXT", requires = "target")]
    secret: Option<String>,
    /// The target's process on this machine, for its processor time and memory.
    #[arg(long, value_name = "PID", requires = "target")]
    pid: Option<u32>,
    /// Allow a target on another machine.
    #[arg(long, requires = "target")]
    i_own_this_host: bool,
}

#[derive(Debug, Args)]
pub(super) struct FloorArguments {
    /// How it writes.
    #[arg(value_enum)]
    mode: Mode,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// One write per message and socket.
    Each,
    /// One write per socket for what came within 2 ms.
    Shared,
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let names = || Scenario::ALL.map(Scenario::name).join(", ");
    Scenario::named(name).ok_or_else(|| format!("expected one of {}", names()))
}

fn engine(name: &str) -> Result<StoreEngine, String> {
    let names = || StoreEngine::ALL.map(StoreEngine::name).join(", ");
    StoreEngine::ALL.into_iter().find(|engine| engine.name() == name).ok_or_else(|| format!("expected one of {}", names()))
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected SECTION__KEY=VALUE")?;
    Ok((key.trim_start_matches("TIDINGS_").to_owned(), value.to_owned()))
}

/// Returns the engines in the order they were named, each once.
fn distinct(mut engines: Vec<StoreEngine>) -> Vec<StoreEngine> {
    let mut seen = Vec::new();
    engines.retain(|engine| {
        let is_new = !seen.contains(engine);
        seen.push(*engine);
        is_new
    });
    engines
}

pub(super) fn run(arguments: BenchArguments) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(anyhow::Error::from)?;
    let target = match arguments.target {
        None => None,
        Some(url) => {
            let secret = arguments.secret.or_else(|| std::env::var("TIDINGS_AUTH__SECRET").ok());
            let secret = secret.ok_or_else(|| Failure::Usage("--target needs --secret or TIDINGS_AUTH__SECRET".into()))?;
            Some(Running { url, secret, pid: arguments.pid, owned: arguments.i_own_this_host })
        }
    };
    let options = Options {
        program,
        scenarios: arguments.scenarios,
        quick: arguments.quick,
        client_threads: arguments.client_threads,
        members: arguments.members.map(|members| members as usize),
        seconds: arguments.seconds,
        rate: arguments.rate,
        engines: distinct(arguments.engines),
        rounds: arguments.rounds.map(|rounds| rounds as usize),
        nodes: arguments.nodes,
        seed: arguments.seed,
        folder: arguments.work_dir.unwrap_or_else(std::env::temp_dir),
        target,
        settings: arguments.settings,
        skip_baseline: arguments.no_floor,
    };
    let report = tidings::bench::run(&options, &mut |line| println!("{line}")).map_err(|error| match error {
        BenchError::Target(text) => Failure::Usage(text),
        error @ (BenchError::NotBuilt(_) | BenchError::Nodes { .. }) => Failure::Usage(error.to_string()),
        other => anyhow::Error::from(other).into(),
    })?;
    for (path, text) in [(arguments.json, report.json()), (arguments.html, report.html())] {
        if let Some(path) = path {
            fs::write(&path, text).map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))?;
            println!("wrote {}", path.display());
        }
    }
    if report.is_clean() { Ok(()) } else { Err(anyhow::anyhow!("not everything that was sent is accounted for").into()) }
}

pub(super) fn run_floor(arguments: &FloorArguments) -> Result<(), Failure> {
    let mode = match arguments.mode {
        Mode::Each => BaselineMode::Each,
        Mode::Shared => BaselineMode::Shared,
    };
    let served = tidings::bench::serve_baseline(mode, |address| println!("listening on {address}"));
    served.map_err(|error| anyhow::Error::from(error).into())
}
