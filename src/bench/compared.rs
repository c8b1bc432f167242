//! The same load on everything it was measured on: the broker, the bare loops, other brokers.

use super::report::{Compared, Report, Run};
use super::subjects::{BESIDE, TIDINGS};
use super::table::figure;

/// Names of the columns of [`cells`].
pub(super) const COLUMNS: [&str; 9] =
    ["load", "on", "CPU s / million", "times ours", "delivered/s", "p50 ms", "p99 ms", "missing", "twice or out of order"];

/// Returns the rows; none when no other broker was measured.
pub(super) fn of(report: &Report) -> Vec<Compared> {
    if !report.runs.iter().any(|run| run.foreign) {
        return Vec::new();
    }
    let row = |run: &Run, ours: Option<f64>| {
        let all = run.latency.get("all").copied().unwrap_or_default();
        Compared {
            load: run.scenario.clone(),
            subject: run.subject.clone(),
            cpu_per_million: run.cpu_per_million,
            cpu_of_ours: run.cpu_per_million.zip(ours.filter(|ours| *ours > 0.0)).map(|(theirs, ours)| theirs / ours),
            delivered_per_second: run.delivered_per_second,
            p50_ms: all.p50_ms,
            p99_ms: all.p99_ms,
            missing: run.audit.expected.iter().zip(run.audit.received).map(|(expected, received)| expected.saturating_sub(received)).sum(),
            duplicates: run.audit.duplicates,
        }
    };
    let of_load = |load| {
        let ours = report.run(load, TIDINGS).and_then(|run| run.cpu_per_million);
        report.runs.iter().filter(move |run| run.scenario == load).map(move |run| row(run, ours))
    };
    BESIDE.into_iter().flat_map(of_load).collect()
}

/// One row as text.
pub(super) fn cells(one: &Compared) -> [String; COLUMNS.len()] {
    [
        one.load.clone(),
        one.subject.clone(),
        one.cpu_per_million.map_or(String::new(), figure),
        one.cpu_of_ours.map_or(String::new(), |times| format!("{times:.2}")),
        figure(one.delivered_per_second),
        figure(one.p50_ms),
        figure(one.p99_ms),
        figure(one.missing as f64),
        figure(one.duplicates as f64),
    ]
}

/// Returns the rows for a terminal.
pub(super) fn lines(compared: &[Compared]) -> Vec<String> {
    if compared.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(compared.iter().map(cells));
    let widths: [usize; COLUMNS.len()] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; COLUMNS.len()]| {
        let cell = |(column, text): (usize, &String)| {
            let width = widths[column];
            if column > 1 { format!("{text:>width$}") } else { format!("{text:<width$}") }
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    std::iter::once(String::new()).chain(rows.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_held_against_ours_and_nothing_is_said_without_them() {
        let run = |subject: &str, cost, foreign| Run {
            scenario: "room-flood".into(),
            subject: subject.into(),
            cpu_per_million: Some(cost),
            foreign,
            ..Run::default()
        };
        let mut report = Report { runs: vec![run(TIDINGS, 0.5, false)], ..Report::default() };
        assert!(of(&report).is_empty() && lines(&of(&report)).is_empty());
        report.runs.push(run("mosquitto", 2.0, true));
        let rows = of(&report);
        assert_eq!(rows.iter().map(|row| row.cpu_of_ours).collect::<Vec<_>>(), [Some(1.0), Some(4.0)]);
        assert_eq!(lines(&rows).len(), 4);
    }
}
