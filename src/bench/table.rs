//! The report as lines for a terminal.

use super::report::{Bound, Failover, Finding, Report, Run, SaturationPoint};
use super::stats::Quantiles;

/// Returns where, and how to read the figures.
pub(super) fn heading(report: &Report) -> Vec<String> {
    let machine = &report.machine;
    vec![
        format!("tidings bench {}{}", report.version, if report.quick { ", quick" } else { "" }),
        format!(
            "{}, {} cores, {} MiB, Linux {}, load {}",
            machine.processor, machine.cores, machine.memory_mib, machine.kernel, machine.load
        ),
        "The load generator shares the cores: compare ratios to the bare loops rather than figures of other machines.".to_owned(),
        String::new(),
    ]
}

/// One measurement as a few lines.
pub(super) fn of_run(run: &Run) -> Vec<String> {
    let mut lines = vec![format!("{}: {}, {} connections, {:.1} s", run.scenario, run.subject, run.members, run.seconds)];
    if run.delivered > 0 {
        let cost = run.cpu_per_million.map_or(String::new(), |cost| format!(", {cost:.2} CPU s / million"));
        let offered = run.offered_per_second.map_or(String::new(), |offered| format!(" of {} offered", figure(offered)));
        lines.push(format!(
            "  {} published/s{offered}, {} delivered/s{cost}",
            figure(run.published_per_second),
            figure(run.delivered_per_second)
        ));
    } else if let Some(cpu) = run.cpu_seconds {
        lines.push(format!("  {cpu:.2} CPU s"));
    }
    let quantiles = |name: &str, q: &Quantiles| {
        let Quantiles { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = q;
        format!("  {name}: p50 {p50_ms:.2} p90 {p90_ms:.2} p99 {p99_ms:.2} p99.9 {p999_ms:.2} max {max_ms:.2} ms")
    };
    // With a single group its figures are those of all.
    let groups = run.latency.iter().filter(|(name, _)| run.latency.len() > 2 || *name == "all");
    lines.extend(groups.filter(|(_, q)| q.count > 0).map(|(name, q)| quantiles(&format!("delivery {name}"), q)));
    lines.extend(run.answers.iter().map(|(name, q)| quantiles(&format!("ack {name}"), q)));
    lines.extend(storage(run));
    if let Some([before, highest, after]) = run.resident_kib {
        lines.push(format!("  resident {} KiB, at most {}, then {}", before, highest, after));
    }
    if !run.dropped.is_empty() {
        let drops: Vec<String> = run.dropped.iter().map(|(what, count)| format!("{what} {}", figure(*count as f64))).collect();
        lines.push(format!("  dropped and counted: {}", drops.join(", ")));
    }
    lines.extend(run.failover.as_ref().map(failover_line));
    if run.delivered > 0 {
        lines.push(format!("  audit: {}", audit(run)));
    }
    for (what, counts) in [("refused", codes(&run.refused)), ("closed", codes(&run.closed))] {
        if !counts.is_empty() {
            lines.push(format!("  {what}: {counts}"));
        }
    }
    lines
}

/// Returns what storing took; nothing of a run without stored messages.
fn storage(run: &Run) -> Option<String> {
    if run.audit.expected[3] == 0 {
        return None;
    }
    let commits = run.commits.map(|commits| match run.messages_per_commit {
        Some(each) => format!("{} commits of {} messages", figure(commits as f64), figure(each)),
        None => format!("{} commits", figure(commits as f64)),
    });
    let bytes = run.disk_bytes_per_message.map(|bytes| format!("{} bytes written to disk per message", figure(bytes)));
    let parts: Vec<String> = commits.into_iter().chain(bytes).collect();
    (!parts.is_empty()).then(|| format!("  {}", parts.join(", ")))
}

/// Returns what the death of a broker cost, as a line below its run.
fn failover_line(failover: &Failover) -> String {
    let Failover { killed, senders: [all, at_it], first_ack_ms, median_ms, everyone_ms, sent_again, resyncs } = failover;
    format!(
        "  node {killed} killed, {at_it} of {all} senders at it: acknowledged again after {first_ack_ms:.0} ms at first, {median_ms:.0} half of \
         them, {everyone_ms:.0} all; {sent_again} sent again, {resyncs} told to read history"
    )
}

fn codes<C: std::fmt::Display>(counts: &std::collections::BTreeMap<C, u64>) -> String {
    counts.iter().map(|(code, count)| format!("{code} × {count}")).collect::<Vec<_>>().join(", ")
}

fn audit(run: &Run) -> String {
    let audit = &run.audit;
    let (expected, received) = (audit.expected.iter().sum::<u64>(), audit.received.iter().sum::<u64>());
    if run.foreign {
        let missing = expected.saturating_sub(received);
        return format!("{received} of {expected} delivered, {missing} lost, {} twice or out of order", audit.duplicates);
    }
    let kept = audit.in_history.map_or(String::new(), |kept| format!("; {kept} in history, seqs without a gap"));
    if audit.is_clean() {
        return format!("{received} of {expected} delivered, the rest counted; nothing twice or out of order{kept}");
    }
    format!(
        "{received} of {expected} delivered, WRONG: {} not told to members, {} not counted, {} twice or out of order, {} breaks of messageSeq, {} stored ones lost",
        audit.unexplained, audit.uncounted, audit.duplicates, audit.seq_breaks, audit.storable_lost
    )
}

/// One point of the curve.
pub(super) fn saturation_line(point: &SaturationPoint) -> String {
    let [low, medium, high, storable] = point.share.map(|share| share * 100.0);
    format!(
        "curve: {:>5.2}x ({:>6.0}/s)  low {low:>5.1} %  medium {medium:>5.1} %  high {high:>5.1} %  storable {storable:>5.1} %",
        point.load, point.offered_per_second
    )
}

/// The table of findings: ours, the baseline (headed `floor`), their ratio, the targets.
pub(super) fn of_findings(report: &Report) -> Vec<String> {
    let mut rows = vec![["", "unit", "ours", "floor", "ratio", "must", "aim"].map(str::to_owned)];
    rows.extend(report.findings.iter().map(cells));
    let widths: [usize; 7] = std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; 7]| {
        let cell = |column: usize| {
            let width = widths[column];
            if (2..=4).contains(&column) { format!("{:>width$}", row[column]) } else { format!("{:<width$}", row[column]) }
        };
        (0..7).map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![String::new()];
    lines.extend(rows.iter().map(line));
    lines.push(String::new());
    lines.push(format!(
        "{} in {:.0} s",
        if report.is_clean() { "everything accounted for" } else { "NOT everything accounted for" },
        report.seconds
    ));
    lines
}

/// Returns the cells of one row of findings.
pub(super) fn cells(finding: &Finding) -> [String; 7] {
    let bound = |bound: Option<Bound>| {
        let Some(bound) = bound else { return String::new() };
        let verdict = match finding.holds(bound) {
            Some(true) => " met",
            Some(false) => " NOT MET",
            None => "",
        };
        match bound {
            Bound::Max(limit) => format!("≤ {}{verdict}", figure(limit)),
            Bound::Min(limit) => format!("≥ {}{verdict}", figure(limit)),
            Bound::TimesBaseline(times) => format!("≤ {times}×{verdict}"),
        }
    };
    [
        finding.what.clone(),
        finding.unit.to_owned(),
        figure(finding.ours),
        finding.baseline.map_or(String::new(), figure),
        finding.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}")),
        bound(finding.must),
        bound(finding.aim),
    ]
}

/// Returns a number with as many digits as a reader can use.
pub(super) fn figure(number: f64) -> String {
    let plain = match number.abs() {
        0.0 => return "0".to_owned(),
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 10.0 => format!("{number:.1}"),
        _ => return format!("{number:.2}"),
    };
    let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut grouped = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_grouped() {
        let figures = [0.0, 0.456, 9.87, 12.34, 999.4, 1_234.0, 1_234_567.8].map(figure);
        assert_eq!(figures, ["0", "0.46", "9.87", "12.3", "999", "1,234", "1,234,568"]);
    }

    #[test]
    fn a_row_says_whether_its_targets_are_met() {
        let finding = Finding {
            what: "paced".into(),
            unit: "s",
            ours: 12.0,
            baseline: Some(10.0),
            must: Some(Bound::TimesBaseline(1.4)),
            aim: Some(Bound::Max(11.0)),
        };
        assert_eq!(cells(&finding)[2..], ["12.0", "10.0", "1.20", "≤ 1.4× met", "≤ 11.0 NOT MET"]);
        let alone = Finding { baseline: None, ..finding };
        assert_eq!(cells(&alone)[5], "≤ 1.4×");
    }
}
