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
mod html;
mod load;
mod marker;
mod message;
mod options;
mod peers;
mod process;
mod report;
mod scenarios;
mod stats;
mod subjects;
mod svg;
mod table;
mod tally;
mod targets;

pub use baseline::{BaselineMode, serve_baseline};
pub use error::BenchError;
pub use options::{Options, Running, Scenario};
pub use report::{Audit, Bound, Compared, Finding, Machine, Report, Run, SaturationPoint};
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
    let clock = BenchClock::default();
    let report = Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        quick: options.quick,
        machine: Machine::here(),
        engines: options.engines.clone(),
        ..Report::default()
    };
    for line in table::heading(&report) {
        print(&line);
    }
    let mut bench = Bench::new(options, report, print);
    runtime.block_on(async {
        for scenario in options.chosen() {
            scenarios::run(&mut bench, scenario).await?;
        }
        Ok::<_, BenchError>(())
    })?;
    let mut report = bench.finish();
    report.seconds = ms(clock.now()) / 1000.0;
    report.findings = targets::of(&report);
    report.compared = compared::of(&report);
    let tables = [engines::lines(&report), compared::lines(&report.compared), table::of_findings(&report)];
    for line in tables.concat() {
        print(&line);
    }
    Ok(report)
}

impl Report {
    /// Returns the report as one HTML page that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        html::page(self)
    }
}
