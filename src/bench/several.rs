//! The loads on several brokers beside the same on one, and what their ratios should be.

use super::engines;
use super::report::{Bound, Failover, Finding, Report, Run};
use super::stats::Quantiles;
use super::subjects::tidings_of;

/// Our goals: what several brokers on one machine may cost, and how much longer an answer may take, as multiples of one broker.
const ROOM_CPU_TIMES: f64 = 1.3;
const ACK_P50_TIMES: f64 = 2.5;
const ACK_P99_TIMES: f64 = 4.0;
const IDLE_TIMES: f64 = 1.0;
/// Everyone is acknowledged again within this time after a broker's death, milliseconds.
const FAILOVER_MS_MAX: f64 = 6_000.0;

const LOADS: [&str; 3] = ["cluster-room", "cluster-room-above", "cluster-peer"];

/// Returns one table per load: one broker, several.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let column = |load: &str, nodes: usize| Some((tidings_of(nodes), report.run(load, &tidings_of(nodes))?));
    let of_load = |load: &str| {
        let columns: Vec<_> = [1, report.nodes].into_iter().filter_map(|nodes| column(load, nodes)).collect();
        let names: Vec<(&str, &Run)> = columns.iter().map(|(name, run)| (name.rsplit(", ").next().unwrap_or(name), *run)).collect();
        engines::side_by_side(load, &names)
    };
    LOADS.into_iter().flat_map(of_load).collect()
}

/// Returns what the runs on several brokers say about each goal.
pub(super) fn findings(report: &Report) -> Vec<Finding> {
    let nodes = report.nodes;
    let mut found = Vec::new();
    let mut add = |what: String, unit, ours: Option<f64>, baseline, must| {
        if let Some(ours) = ours {
            found.push(Finding { what, unit, ours, baseline, must, aim: None });
        }
    };
    let both = |load| (report.run(load, &tidings_of(nodes)), report.run(load, &tidings_of(1)));
    for (load, what) in [("cluster-room", "at its budget"), ("cluster-room-above", "at 3 × its budget")] {
        let (ours, one) = both(load);
        let cost = |run: Option<&Run>| run.and_then(|run| run.cpu_per_million);
        let must = Some(Bound::TimesBaseline(ROOM_CPU_TIMES));
        add(format!("room on {nodes} nodes {what} (floor: 1 node)"), "CPU s / million", cost(ours), cost(one), must);
        let late = |run: Option<&Run>| run.and_then(|run| run.latency.get("all")).map(|all| all.p99_ms);
        add(format!("room on {nodes} nodes {what}, p99"), "ms", late(ours), late(one), None);
        let wrong = ours.map(|run| (run.audit.unexplained + run.audit.uncounted + run.audit.duplicates) as f64);
        add(format!("room on {nodes} nodes {what}, neither delivered nor counted"), "messages", wrong, None, Some(Bound::Max(0.0)));
    }
    let (ours, one) = both("cluster-peer");
    let acks = |of: fn(&Quantiles) -> f64| move |run: Option<&Run>| run.and_then(|run| run.answers.get("storable")).map(of);
    for (name, of, times) in [("p50", acks(|q| q.p50_ms), ACK_P50_TIMES), ("p99", acks(|q| q.p99_ms), ACK_P99_TIMES)] {
        let must = Some(Bound::TimesBaseline(times));
        add(format!("stored between {nodes} nodes, ack {name} (floor: 1 node)"), "ms", of(ours), of(one), must);
    }
    let cost = |run: Option<&Run>| run.and_then(|run| run.cpu_per_million);
    add(format!("stored between {nodes} nodes"), "CPU s / million", cost(ours), cost(one), None);
    add(format!("stored between {nodes} nodes, lost, twice or out of order"), "messages", ours.map(wrong), None, Some(Bound::Max(0.0)));
    let (ours, one) = both("cluster-idle");
    let must = Some(Bound::TimesBaseline(IDLE_TIMES));
    add(format!("idle connection, at all {nodes} nodes (floor: 1 node)"), "KiB", ours.and_then(each), one.and_then(each), must);
    let died: Vec<&Run> = report.runs.iter().filter(|run| run.failover.is_some()).collect();
    let waits = |of: fn(&Failover) -> f64| died.iter().filter_map(|run| run.failover.as_ref()).map(of).reduce(f64::max);
    add("killed node, everyone acknowledged again".into(), "ms", waits(|one| one.everyone_ms), None, Some(Bound::Max(FAILOVER_MS_MAX)));
    add("killed node, half of the senders".into(), "ms", waits(|one| one.median_ms), None, None);
    let lost = died.iter().map(|run| wrong(run)).reduce(|one, other| one + other);
    add("killed node, acknowledged and lost, twice, or with a gap".into(), "messages", lost, None, Some(Bound::Max(0.0)));
    found
}

fn wrong(run: &Run) -> f64 {
    (run.audit.storable_lost + run.audit.duplicates + run.audit.seq_breaks) as f64
}

/// Memory of each connection, KiB.
fn each(run: &Run) -> Option<f64> {
    run.resident_kib.map(|[before, _, after]| after.saturating_sub(before) as f64 / run.members.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(scenario: &str, nodes: usize, cost: f64) -> Run {
        let mut run = Run { scenario: scenario.into(), subject: tidings_of(nodes), cpu_per_million: Some(cost), ..Run::default() };
        run.answers.insert("storable".into(), Quantiles { p50_ms: cost, p99_ms: 2.0 * cost, ..Quantiles::default() });
        run
    }

    #[test]
    fn several_are_held_against_one_and_nothing_is_said_without_them() {
        assert!(findings(&Report::default()).is_empty() && lines(&Report::default()).is_empty());
        let runs = vec![run("cluster-peer", 1, 2.0), run("cluster-peer", 3, 4.0), run("cluster-room", 1, 2.0), run("cluster-room", 3, 3.0)];
        let report = Report { runs, nodes: 3, ..Report::default() };
        let found = findings(&report);
        let ratio = |what: &str| found.iter().find(|finding| finding.what.contains(what)).unwrap();
        assert_eq!(ratio("ack p50").ratio(), Some(2.0));
        assert_eq!(ratio("ack p99").holds(Bound::TimesBaseline(ACK_P99_TIMES)), Some(true));
        assert_eq!(ratio("at its budget").must.and_then(|must| ratio("at its budget").holds(must)), Some(false));
        assert!(!found.iter().any(|finding| finding.what.contains("killed")));
        assert!(lines(&report)[1].contains("1 node on PostgreSQL") && lines(&report)[1].contains("3 nodes"));
    }

    #[test]
    fn of_several_deaths_the_longest_wait_counts_and_all_that_was_lost() {
        let died = |everyone_ms| Run { failover: Some(Failover { everyone_ms, ..Failover::default() }), ..run("cluster-failover", 3, 0.0) };
        let mut runs = vec![died(3_500.0), died(4_000.0)];
        runs[0].audit.storable_lost = 2;
        runs[1].audit.seq_breaks = 1;
        let found = findings(&Report { runs, nodes: 3, ..Report::default() });
        let ours = |what: &str| found.iter().find(|finding| finding.what.contains(what)).map(|finding| finding.ours);
        assert_eq!((ours("everyone"), ours("lost")), (Some(4_000.0), Some(3.0)));
    }
}
