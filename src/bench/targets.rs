//! What the figures should be: the reference values and targets this project set itself, in the units of the report.

use super::report::{Bound, Finding, Report, Run};
use super::subjects::{BASELINE_EACH, BASELINE_SHARED, TIDINGS};
use super::table::figure;

/// Members that stall in the overload scenario.
const STALLED: f64 = 5.0;

struct Findings<'a> {
    report: &'a Report,
    found: Vec<Finding>,
}

/// Returns what the runs say about each target; of a scenario that was not run, nothing.
pub(super) fn of(report: &Report) -> Vec<Finding> {
    let mut findings = Findings { report, found: Vec::new() };
    findings.flood();
    findings.paced();
    findings.durable();
    findings.group();
    findings.idle();
    findings.overload();
    findings.mixed();
    findings.huge();
    findings.growth();
    findings.saturation();
    findings.found
}

fn latency(run: &Run, group: &str) -> (f64, f64) {
    run.latency.get(group).map_or((0.0, 0.0), |quantiles| (quantiles.p50_ms, quantiles.p99_ms))
}

impl Findings<'_> {
    fn add(&mut self, what: &str, unit: &'static str, ours: Option<f64>, baseline: Option<f64>, must: Option<Bound>, aim: Option<Bound>) {
        if let Some(ours) = ours {
            self.found.push(Finding { what: what.to_owned(), unit, ours, baseline, must, aim });
        }
    }

    fn flood(&mut self) {
        let Some(ours) = self.report.run("room-flood", TIDINGS) else { return };
        let baseline = self.report.run("room-flood", BASELINE_SHARED);
        let (aim, must) = (Some(Bound::Max(0.5)), Some(Bound::Max(1.0)));
        self.add(
            "flooded room",
            "CPU s / million",
            ours.cpu_per_million,
            baseline.and_then(|baseline| baseline.cpu_per_million),
            must,
            aim,
        );
        let delivered = baseline.map(|baseline| baseline.delivered_per_second);
        self.add("flooded room, delivered", "1/s", Some(ours.delivered_per_second), delivered, None, None);
        let slowest = baseline.map(|baseline| baseline.slowest_member_p99_ms);
        self.add("flooded room, slowest member's p99", "ms", Some(ours.slowest_member_p99_ms), slowest, None, Some(Bound::Max(150.0)));
        let arrived = share(ours.audit.received.iter().sum(), ours.audit.expected.iter().sum());
        self.add("flooded room, delivered of published", "%", Some(arrived * 100.0), None, None, None);
        let wrong = ours.audit.unexplained + ours.audit.uncounted + ours.audit.duplicates;
        self.add("flooded room, neither delivered nor counted", "messages", Some(wrong as f64), None, Some(Bound::Max(0.0)), None);
    }

    fn paced(&mut self) {
        let Some(ours) = self.report.run("room-paced", TIDINGS) else { return };
        let baseline = self.report.run("room-paced", BASELINE_EACH);
        let (must, aim) = (Some(Bound::TimesBaseline(1.4)), Some(Bound::TimesBaseline(1.15)));
        self.add("paced room", "CPU s / million", ours.cpu_per_million, baseline.and_then(|baseline| baseline.cpu_per_million), must, aim);
        let ((p50, p99), bare) = (latency(ours, "all"), baseline.map(|baseline| latency(baseline, "all")));
        self.add("paced room, p50", "ms", Some(p50), bare.map(|bare| bare.0), None, Some(Bound::TimesBaseline(2.0)));
        self.add("paced room, p99", "ms", Some(p99), bare.map(|bare| bare.1), None, None);
    }

    fn durable(&mut self) {
        if let Some(full) = self.report.run("peer-durable", TIDINGS) {
            self.add("stored one-to-one", "CPU s / million", full.cpu_per_million, None, Some(Bound::Max(60.0)), Some(Bound::Max(25.0)));
            self.add("stored one-to-one, window 32", "acks / s", Some(full.published_per_second), None, None, Some(Bound::Min(15_000.0)));
            let lost = full.audit.storable_lost + full.audit.duplicates + full.audit.seq_breaks;
            self.add("stored one-to-one, lost or out of order", "messages", Some(lost as f64), None, Some(Bound::Max(0.0)), None);
        }
        if let Some(paced) = self.report.run("peer-durable-paced", TIDINGS) {
            let p99 = paced.answers.get("storable").map(|answers| answers.p99_ms);
            let load = format!("stored, {} pairs at {}/s", paced.members / 2, figure(paced.offered_per_second.unwrap_or(0.0)));
            self.add(&format!("{load}, ack p99"), "ms", p99, None, None, Some(Bound::Max(50.0)));
            self.add(&load, "CPU s / million", paced.cpu_per_million, None, None, None);
            let lost = paced.audit.storable_lost + paced.audit.duplicates + paced.audit.seq_breaks;
            self.add(&format!("{load}, lost or out of order"), "messages", Some(lost as f64), None, Some(Bound::Max(0.0)), None);
        }
    }

    fn group(&mut self) {
        let run = |scenario| self.report.run(scenario, TIDINGS);
        let cost = |run: &Run| run.cpu_seconds.filter(|_| run.published > 0).map(|cpu| cpu * 1e3 / run.published as f64);
        let (small, large) = (run("group-small"), run("group-large"));
        let lost = small.into_iter().chain(large).map(|run| run.audit.storable_lost + run.audit.duplicates).sum::<u64>() as f64;
        let (few, many) = (small.and_then(cost), large.and_then(cost));
        // Their baseline is the small group: members who are away must cost nothing.
        self.add("stored to a group of 500, 50 online", "CPU s / 1,000 sends", few, None, None, None);
        self.add("the same with all members it can have", "CPU s / 1,000 sends", many, few, None, Some(Bound::TimesBaseline(1.2)));
        self.add("stored to groups, lost or twice", "messages", many.map(|_| lost), None, Some(Bound::Max(0.0)), None);
    }

    fn idle(&mut self) {
        let Some(run) = self.report.run("idle", TIDINGS) else { return };
        let each = run.resident_kib.map(|[before, _, after]| after.saturating_sub(before) as f64 / run.members.max(1) as f64);
        self.add("idle connection", "KiB", each, None, Some(Bound::Max(16.0)), Some(Bound::Max(10.0)));
        let closed: u64 = run.closed.values().sum();
        self.add("idle connections closed by the broker", "connections", Some(closed as f64), None, Some(Bound::Max(0.0)), None);
    }

    fn overload(&mut self) {
        let (Some(with), Some(without)) = (self.report.run("overload", TIDINGS), self.report.run("overload-without", TIDINGS)) else {
            return;
        };
        let grown = |run: &Run| run.resident_kib.map(|[before, highest, _]| highest.saturating_sub(before) as f64);
        let each = grown(with).zip(grown(without)).map(|(with, without)| (with - without).max(0.0) / 1024.0 / STALLED);
        self.add("stalled reader", "MiB", each, None, None, Some(Bound::Max(1.0)));
        let lost: u64 =
            with.audit.expected.iter().sum::<u64>() - with.audit.received.iter().sum::<u64>().min(with.audit.expected.iter().sum());
        self.add("five stalled, lost by healthy members", "messages", Some(lost as f64), None, None, Some(Bound::Max(0.0)));
        let (here, there) = (latency(with, "all").1, latency(without, "all").1);
        // Their baseline is the same room without them.
        self.add("five stalled, p99 of healthy members", "ms", Some(here), Some(there), None, Some(Bound::TimesBaseline(1.2)));
    }

    fn mixed(&mut self) {
        let (Some(with), Some(without)) = (self.report.run("mixed", TIDINGS), self.report.run("mixed-without", TIDINGS)) else { return };
        for (group, what) in
            [("quiet-1/lossy", "quiet room beside a flooded one, p99"), ("peer/storable", "stored one-to-one beside it, p99")]
        {
            self.add(what, "ms", Some(latency(with, group).1), Some(latency(without, group).1), None, None);
        }
        let lost = with.audit.storable_lost as f64;
        self.add("stored one-to-one beside it, lost", "messages", Some(lost), None, Some(Bound::Max(0.0)), None);
    }

    fn huge(&mut self) {
        let Some(run) = self.report.run("room-huge", TIDINGS) else { return };
        let stored = latency(run, "room/storable").1;
        self.add("room of 10,000, stored messages' p99", "ms", Some(stored), None, None, Some(Bound::Max(250.0)));
        self.add(
            "room of 10,000, stored messages lost",
            "messages",
            Some(run.audit.storable_lost as f64),
            None,
            Some(Bound::Max(0.0)),
            None,
        );
        let arrived = share(run.audit.received.iter().sum(), run.audit.expected.iter().sum());
        self.add("room of 10,000, delivered of published", "%", Some(arrived * 100.0), None, None, None);
        self.add("room of 10,000", "CPU s / million", run.cpu_per_million, None, None, None);
        let grown = run.resident_kib.map(|[before, highest, _]| highest.saturating_sub(before) as f64 / 1024.0);
        self.add("room of 10,000, memory grown", "MiB", grown, None, None, None);
    }

    fn growth(&mut self) {
        let cost = |scenario| self.report.run(scenario, TIDINGS).and_then(|run| run.cpu_per_million);
        let (small, large) = (cost("growth-100"), cost("growth-10000"));
        // Their baseline is the small room: flat within a fifth.
        self.add("cost with 10,000 members against 100", "CPU s / million", large, small, None, Some(Bound::TimesBaseline(1.2)));
    }

    fn saturation(&mut self) {
        let points = self.report.saturation.clone();
        if points.is_empty() {
            return;
        }
        let out_of_order = points.iter().filter(|point| !point.share[..3].is_sorted_by(|low, high| *low <= high + 0.02)).count();
        self.add("loads at which a higher priority fared worse", "loads", Some(out_of_order as f64), None, Some(Bound::Max(0.0)), None);
        // A third of the load is of high priority: the room could pass all of it up to three times its budget.
        let bends = |kind: usize| points.iter().filter(|point| point.share[kind] >= 0.95).map(|point| point.load).fold(0.0, f64::max);
        self.add("high priority whole up to (floor: low)", "× budget", Some(bends(2)), Some(bends(0)), None, Some(Bound::Min(2.0)));
        let stored = points.iter().map(|point| point.share[3]).fold(1.0, f64::min) * 100.0;
        self.add("stored messages delivered at any load", "%", Some(stored), None, Some(Bound::Min(100.0)), None);
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
