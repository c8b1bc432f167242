//! The load bench: what the broker carries, what a delivery costs, what is dropped, and whether all of it is accounted for.
//!
//! The broker runs as a child process, so that its processor time and memory are its own; beside it, in the same run,
//! the bare loops of `baseline` show what the sockets alone cost on this machine, and `peers` what other brokers cost. The load generator is a pool of
//! hand-made WebSocket clients (`frame`, `client`, `client_pool`) that finds messages by a `marker` in their text.
//!
//! ```text
//! scenarios ─► harness: connect a pool, offer a load, wait until it is quiet ─► audit: sent = delivered + counted drops
//!                                                                            └► report ─► table, JSON, HTML
//! ```
//! Used by `tidings bench`; `benches/load.rs` runs the same.

mod baseline;
mod client;
mod client_pool;
mod compared;
mod context;
mod frame;
mod handshake;
mod harness;
mod html;
mod load;
mod marker;
mod options;
mod peers;
mod process;
mod report;
mod scenarios;
mod stats;
mod svg;
mod table;
mod targets;

use std::io;

use thiserror::Error;

pub use baseline::{BaselineMode, serve_baseline};
pub use compared::Compared;
pub use options::{Options, Running, Scenario};
pub use report::{Audit, Bound, Finding, Machine, Report, Run, SaturationPoint};
pub use stats::Quantiles;

use self::client_pool::BenchClock;
use self::context::Bench;
use self::stats::ms;

/// Who is measured, in reports.
const TIDINGS: &str = "tidings";
const BASELINE_EACH: &str = "bare loop, one write each";
const BASELINE_SHARED: &str = "bare loop, 2 ms batches";
/// The loads that are run on more than our broker.
const BESIDE: [&str; 3] = ["room-flood", "room-paced", "peer-durable"];

/// Why a bench run ends early.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The system refuses something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server under test does not do what it should.
    #[error("{0}")]
    Subject(String),
    /// No answer within a minute.
    #[error("no answer to {0} within a minute")]
    Silent(&'static str),
    /// What was asked for may not or cannot be loaded.
    #[error("{0}")]
    Target(String),
}

impl BenchError {
    fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}

/// Runs the chosen scenarios; `print` is given the lines of the report as they come. Takes minutes and blocks.
///
/// # Errors
/// [`BenchError`]: a server does not start, or does not answer. Bad figures are no error; see [`Report::is_clean`].
pub fn run(options: &Options, print: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| BenchError::io("cannot make a runtime", error))?;
    let clock = BenchClock::default();
    let report =
        Report { version: env!("CARGO_PKG_VERSION").to_owned(), quick: options.quick, machine: Machine::here(), ..Report::default() };
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
    for line in compared::lines(&report.compared).into_iter().chain(table::of_findings(&report)) {
        print(&line);
    }
    Ok(report)
}

impl Report {
    /// The report as one HTML page that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        html::page(self)
    }
}
