//! The load bench: what the broker carries, what a delivery costs, what is dropped, and whether all of it is accounted for.
//!
//! The broker runs as a child process, so that its processor time and memory are its own. Beside it, in the same run, the
//! bare loops of `baseline` show what the sockets alone cost on this machine, and `peers` what other brokers cost. The load
//! generator is a pool of hand-made WebSocket clients (`frame`, `client`, `client_pool`) that finds messages by a `marker`
//! in their text.
//!
//! ```text
//! scenarios ─► harness: connect a pool, offer a load, wait until it is quiet ─► audit: sent = delivered + counted drops
//!                                                                              └► report ─► table, JSON, HTML
//! ```
//! Several brokers that work together are measured as one: `servers` adds them up, `site` is what they stand on, a PostgreSQL and a
//! NATS server of the bench's own. `history` holds what was acknowledged against what is kept.
//!
//! `tidings bench` runs it; `benches/load.rs` runs the same. Words in reports, on the command line and in the JSON are
//! older than those of the code: what they call floor and curve is `baseline` and `saturation` here.

mod baseline;
mod client;
mod client_pool;
mod compared;
mod connection;
mod context;
mod engines;
mod error;
mod frame;
mod handshake;
mod harness;
mod history;
mod html;
mod load;
mod marker;
mod message;
mod options;
mod peers;
mod process;
mod report;
mod scenarios;
mod servers;
mod several;
mod site;
mod spread;
mod stats;
mod subjects;
mod svg;
mod table;
mod tally;
mod targets;

pub use baseline::{BaselineMode, serve_baseline};
pub use error::BenchError;
pub use options::{Options, Running, Scenario};
pub use report::{Audit, Bound, Compared, Failover, Finding, Machine, Report, Run, SaturationPoint};
pub use stats::Quantiles;

use self::context::Bench;
use self::stats::ms;
use self::tally::BenchClock;

/// Runs the chosen scenarios; `print` is given the lines of the report as they come. Takes minutes and blocks.
///
/// # Errors
/// [`BenchError`]: a server does not start, or does not answer. Bad figures are no error; see [`Report::is_clean`].
pub fn run(options: &Options, print: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| BenchError::io("cannot make a runtime", error))?;
    options.check_engines()?;
    options.check_nodes(cfg!(feature = "cluster"))?;
    let clock = BenchClock::default();
    let report = Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        quick: options.quick,
        machine: Machine::here(),
        engines: options.engines.clone(),
        nodes: if options.chosen().iter().any(|scenario| scenario.is_of_nodes()) { options.nodes() } else { 0 },
        ..Report::default()
    };
    for line in table::heading(&report) {
        print(&line);
    }
    let mut bench = Bench::new(options, report, print);
    runtime.block_on(async {
        let all = async {
            for scenario in options.chosen() {
                scenarios::run(&mut bench, scenario).await?;
            }
            Ok::<_, BenchError>(())
        };
        // What is dropped on the way out ends its processes and removes its folders.
        tokio::select! {
            interrupted = interruption() => Err(interrupted),
            done = all => done,
        }
    })?;
    let mut report = bench.finish();
    report.seconds = ms(clock.now()) / 1000.0;
    report.findings = targets::of(&report);
    report.findings.extend(several::findings(&report));
    report.compared = compared::of(&report);
    let tables = [engines::lines(&report), several::lines(&report), compared::lines(&report.compared), table::of_findings(&report)];
    for line in tables.concat() {
        print(&line);
    }
    Ok(report)
}

/// Returns once a signal asks this process to end.
async fn interruption() -> BenchError {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = |kind| signal(kind).map_err(|error| BenchError::io("cannot hear signals", error));
    let signals = heard(SignalKind::interrupt()).and_then(|one| Ok((one, heard(SignalKind::terminate())?, heard(SignalKind::hangup())?)));
    let (mut interrupt, mut terminate, mut hangup) = match signals {
        Ok(signals) => signals,
        Err(error) => return error,
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    BenchError::Interrupted
}

impl Report {
    /// Returns the report as one HTML page that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        html::page(self)
    }
}
