//! The durable loads on each store engine that was named, side by side.

use super::report::{Report, Run};
use super::stats::Quantiles;
use super::subjects::tidings_on;
use super::table::figure;
use crate::config::StoreEngine;

/// The loads, in the order of their rows.
const LOADS: [&str; 2] = ["peer-durable", "peer-durable-paced"];

/// What stands in a row.
type Figure = fn(&Run) -> Option<f64>;

/// The rows of each load. A latency is of the run that is shown, not of all rounds.
const ROWS: [(&str, Figure); 16] = [
    ("acknowledged/s", |run| Some(run.published_per_second)),
    ("delivered/s", |run| Some(run.delivered_per_second)),
    ("CPU s / million", |run| run.cpu_per_million),
    ("database's CPU s / million", |run| run.database_cpu_per_million),
    ("NATS's CPU s / million", |run| run.bus_cpu_per_million),
    ("ack p50, ms", |run| answer(run).map(|answer| answer.p50_ms)),
    ("ack p90, ms", |run| answer(run).map(|answer| answer.p90_ms)),
    ("ack p99, ms", |run| answer(run).map(|answer| answer.p99_ms)),
    ("ack max, ms", |run| answer(run).map(|answer| answer.max_ms)),
    ("delivery p50, ms", |run| delivery(run).map(|delivery| delivery.p50_ms)),
    ("delivery p90, ms", |run| delivery(run).map(|delivery| delivery.p90_ms)),
    ("delivery p99, ms", |run| delivery(run).map(|delivery| delivery.p99_ms)),
    ("delivery max, ms", |run| delivery(run).map(|delivery| delivery.max_ms)),
    ("commits/s", |run| run.commits.map(|commits| commits as f64 / run.seconds.max(1e-6))),
    ("messages per commit", |run| run.messages_per_commit),
    ("bytes to disk per message", |run| run.disk_bytes_per_message),
];

fn answer(run: &Run) -> Option<&Quantiles> {
    run.answers.get("storable").or_else(|| run.answers.get("lossy"))
}

fn delivery(run: &Run) -> Option<&Quantiles> {
    run.latency.get("all")
}

/// Returns one table per load; none unless several engines were named.
pub(super) fn lines(report: &Report) -> Vec<String> {
    if report.engines.len() < 2 {
        return Vec::new();
    }
    LOADS.into_iter().flat_map(|load| of_load(report, load)).collect()
}

fn of_load(report: &Report, load: &str) -> Vec<String> {
    let run = |engine: &StoreEngine| Some((engine.name(), report.run(load, &tidings_on(*engine))?));
    let runs: Vec<(&str, &Run)> = report.engines.iter().filter_map(run).collect();
    side_by_side(load, &runs)
}

/// Returns one table: a column of each name, a row of each figure that one of them has.
pub(super) fn side_by_side(load: &str, runs: &[(&str, &Run)]) -> Vec<String> {
    if runs.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![(load, runs.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<String>>())];
    for (what, of) in ROWS.into_iter().filter(|(_, of)| runs.iter().any(|(_, run)| of(run).is_some())) {
        rows.push((what, runs.iter().map(|(_, run)| of(run).map_or(String::new(), figure)).collect()));
    }
    let first = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    let width = rows.iter().flat_map(|(_, cells)| cells).map(String::len).max().unwrap_or(0);
    let line = |(what, cells): &(&str, Vec<String>)| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>width$}")).collect();
        format!("{what:<first$}{cells}")
    };
    std::iter::once(String::new()).chain(rows.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_has_a_column_and_one_engine_needs_no_table() {
        let run = |engine, cost| Run {
            scenario: "peer-durable-paced".into(),
            subject: tidings_on(engine),
            cpu_per_million: Some(cost),
            ..Run::default()
        };
        let runs = vec![run(StoreEngine::Sled, 60.0), run(StoreEngine::Memory, 30.0)];
        let report = |engines: &[StoreEngine]| Report { runs: runs.clone(), engines: engines.to_vec(), ..Report::default() };
        let lines = lines(&report(&[StoreEngine::Memory, StoreEngine::Sled]));
        assert_eq!(lines.len(), 5, "only figures that one of them has");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&lines[1]), ["peer-durable-paced", "memory", "sled"]);
        assert_eq!(words(&lines[4]), ["CPU", "s", "/", "million", "30.0", "60.0"]);
        assert!(super::lines(&report(&[StoreEngine::Sled])).is_empty());
    }
}
