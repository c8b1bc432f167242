//! What a bench run found out, as data.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

use super::stats::Quantiles;
use crate::config::StoreEngine;

/// One measurement of one server.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Run {
    /// Which load.
    pub scenario: String,
    /// Who was measured: `tidings`, a bare loop or another broker.
    pub subject: String,
    /// Another project's program: what it loses is told, and no fault of ours.
    pub foreign: bool,
    /// Connections.
    pub members: usize,
    /// From the first message to the last delivery, seconds.
    pub seconds: f64,
    /// Messages acknowledged.
    pub published: u64,
    /// Acknowledged per second while publishing.
    pub published_per_second: f64,
    /// What was to be published per second, of a paced load that says so.
    pub offered_per_second: Option<f64>,
    /// Messages that arrived, each receiver counted.
    pub delivered: u64,
    /// The same per second.
    pub delivered_per_second: f64,
    /// What the load generator read, bytes.
    pub bytes: u64,
    /// Processor seconds of the server's process.
    pub cpu_seconds: Option<f64>,
    /// The same per million delivered; of `peer-durable`, per million acknowledged.
    pub cpu_per_million: Option<f64>,
    /// Processor seconds of the database that the broker keeps messages in, per million delivered.
    pub database_cpu_per_million: Option<f64>,
    /// Processor seconds of the NATS server between several brokers, per million delivered.
    pub bus_cpu_per_million: Option<f64>,
    /// Commits of the broker's store.
    pub commits: Option<u64>,
    /// Messages its store took, divided by its commits.
    pub messages_per_commit: Option<f64>,
    /// What the kernel says the server's process caused to be written to disks, per acknowledged message, bytes.
    pub disk_bytes_per_message: Option<f64>,
    /// From when a message was to be sent until it arrived, by group and class.
    pub latency: BTreeMap<String, Quantiles>,
    /// Until its acknowledgement.
    pub answers: BTreeMap<String, Quantiles>,
    /// The 99th percentile of the member that fared worst, at most 25 % too high; milliseconds.
    pub slowest_member_p99_ms: f64,
    /// Resident memory before, at its highest and after, KiB.
    pub resident_kib: Option<[u64; 3]>,
    /// What the broker's counters say it dropped: class/priority/reason.
    pub dropped: BTreeMap<String, u64>,
    /// Whether everything is accounted for.
    pub audit: Audit,
    /// What the death of a broker cost, where one was killed.
    pub failover: Option<Failover>,
    /// Operations refused, by code.
    pub refused: BTreeMap<u64, u64>,
    /// Connections the broker closed, by code.
    pub closed: BTreeMap<u16, u64>,
    /// Delivered in each tenth of a second.
    pub timeline: Vec<u64>,
    /// Upper edge in milliseconds, and how many deliveries fell below it and above the one before.
    pub histogram: Vec<(f64, u64)>,
}

/// What the death of one of several brokers cost those who send. Times count from the kill.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Failover {
    /// Which broker was killed, from 0.
    pub killed: usize,
    /// Who sent, and how many of them were at the broker that was killed.
    pub senders: [usize; 2],
    /// Until a sender's next acknowledgement of a message sent after the kill, the sender who waited least, milliseconds.
    pub first_ack_ms: f64,
    /// The same, half of the senders waited no longer.
    pub median_ms: f64,
    /// The same, the sender who waited longest.
    pub everyone_ms: f64,
    /// Sends that were offered again, because they were refused for the time being or not answered.
    pub sent_again: u64,
    /// How often a reader who came back was told to read history instead of being given what it missed.
    pub resyncs: u64,
}

/// Sent = delivered + counted drops, member by member and priority by priority.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Audit {
    /// What acknowledged messages make when each reaches everyone it should: low, medium, high, storable.
    pub expected: [u64; 4],
    /// What arrived.
    pub received: [u64; 4],
    /// What members were told was dropped for them: low, medium, high.
    pub announced: [u64; 3],
    /// Messages that are neither received nor announced, or both; the sum over all members. 0 is right.
    pub unexplained: u64,
    /// The same against the broker's counters instead of its announcements, for the whole room. 0 is right.
    pub uncounted: u64,
    /// Twice or out of their sender's order. 0 is right.
    pub duplicates: u64,
    /// Places where `messageSeq` did not rise by one. 0 is right.
    pub seq_breaks: u64,
    /// Stored and acknowledged, but not received, or not in history where that was read. 0 is right.
    pub storable_lost: u64,
    /// Messages that were read in history to hold against what was acknowledged.
    pub in_history: Option<u64>,
}

impl Audit {
    /// Returns whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unexplained == 0 && self.uncounted == 0 && self.duplicates == 0 && self.seq_breaks == 0 && self.storable_lost == 0
    }
}

/// One point of the curve of shares.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SaturationPoint {
    /// Offered load as a multiple of what the room admits.
    pub load: f64,
    /// Barrages offered per second.
    pub offered_per_second: f64,
    /// Delivered of what was offered, 0 to 1: low, medium, high, storable.
    pub share: [f64; 4],
}

/// A figure against its bare loop and its targets.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What.
    pub what: String,
    /// Its unit.
    pub unit: &'static str,
    /// Ours.
    pub ours: f64,
    /// The bare loop's in the same run.
    #[serde(rename = "floor")]
    pub baseline: Option<f64>,
    /// What it must be.
    pub must: Option<Bound>,
    /// What is aimed at.
    pub aim: Option<Bound>,
}

/// One load on one server.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Compared {
    /// Which load.
    pub load: String,
    /// On what.
    pub subject: String,
    /// Processor seconds of the server per million delivered; of `peer-durable`, per million acknowledged.
    pub cpu_per_million: Option<f64>,
    /// The same as a multiple of ours: above 1 it costs more than we do.
    pub cpu_of_ours: Option<f64>,
    /// Messages that arrived per second, each receiver counted.
    pub delivered_per_second: f64,
    /// Median from when it was to be sent until it arrived, milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile of that.
    pub p99_ms: f64,
    /// Acknowledged, but not received, the sum over all receivers.
    pub missing: u64,
    /// Twice or out of their sender's order.
    pub duplicates: u64,
}

/// A target.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// No more than this.
    Max(f64),
    /// No less than this.
    Min(f64),
    /// No more than this many times the bare loop's figure.
    #[serde(rename = "times_floor")]
    TimesBaseline(f64),
}

impl Finding {
    /// Ours divided by the bare loop's.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.baseline.filter(|baseline| *baseline > 0.0).map(|baseline| self.ours / baseline)
    }

    /// Returns whether a bound holds; `None` when there is no bare loop to compare with.
    #[must_use]
    pub fn holds(&self, bound: Bound) -> Option<bool> {
        match bound {
            Bound::Max(limit) => Some(self.ours <= limit),
            Bound::Min(limit) => Some(self.ours >= limit),
            Bound::TimesBaseline(times) => self.ratio().map(|ratio| ratio <= times),
        }
    }
}

/// Where it was measured.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Cores.
    pub cores: usize,
    /// Kernel release.
    pub kernel: String,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Load average over a minute when the run began: figures of a busy machine are ratios at best.
    pub load: String,
}

impl Machine {
    /// This machine.
    pub(super) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let field = |text: &str, name| {
            text.lines().find(|line: &&str| line.starts_with(name)).and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
        };
        let kib = field(&memory, "MemTotal").and_then(|total| total.trim_end_matches(" kB").parse::<u64>().ok());
        Self {
            processor: field(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mib: kib.unwrap_or(0) / 1024,
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// Everything one bench run found out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Version of the program.
    pub version: String,
    /// Whether it was the quick run.
    pub quick: bool,
    /// Where.
    pub machine: Machine,
    /// How long the whole took, seconds.
    pub seconds: f64,
    /// Each measurement.
    pub runs: Vec<Run>,
    /// The store engines that stored loads were run on, if they were named.
    pub engines: Vec<StoreEngine>,
    /// How many brokers worked together where several did; 0 where none was to.
    pub nodes: usize,
    /// Delivered share by priority.
    #[serde(rename = "curve")]
    pub saturation: Vec<SaturationPoint>,
    /// Figures against floors and targets.
    pub findings: Vec<Finding>,
    /// The same loads on everything they were measured on.
    pub compared: Vec<Compared>,
    /// What a reader has to know.
    pub notes: Vec<String>,
}

impl Report {
    /// Returns the report as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers always serialize")
    }

    /// Returns whether what arrived was right in every run of ours: nothing lost, doubled or out of order without a count.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.runs.iter().filter(|run| !run.foreign).all(|run| run.audit.is_clean())
    }

    /// Returns the run of this load on this server; of several rounds, the one of median cost.
    pub(super) fn run(&self, scenario: &str, subject: &str) -> Option<&Run> {
        let mut rounds: Vec<&Run> = self.runs.iter().filter(|run| run.scenario == scenario && run.subject == subject).collect();
        let cost = |run: &Run| run.cpu_per_million.unwrap_or(f64::INFINITY);
        rounds.sort_by(|one, other| cost(one).total_cmp(&cost(other)));
        rounds.get(rounds.len().saturating_sub(1) / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_by_the_names_they_have_had_from_the_first_version_on() {
        let must = Some(Bound::TimesBaseline(2.0));
        let finding = Finding { what: "paced".into(), unit: "s", ours: 1.0, baseline: Some(1.0), must, aim: None };
        let report = Report { findings: vec![finding], saturation: vec![SaturationPoint::default()], ..Report::default() };
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["findings"][0]["floor"], 1.0);
        assert_eq!(json["findings"][0]["must"]["times_floor"], 2.0);
        assert_eq!(json["curve"][0]["load"], 0.0);
    }

    #[test]
    fn of_several_rounds_the_one_of_median_cost_counts() {
        let round = |cost| Run { scenario: "a".into(), subject: "b".into(), cpu_per_million: Some(cost), ..Run::default() };
        let report = |costs: &[f64]| Report { runs: costs.iter().copied().map(round).collect(), ..Report::default() };
        let cost = |costs: &[f64]| report(costs).run("a", "b").and_then(|run| run.cpu_per_million);
        assert_eq!(cost(&[]), None);
        assert_eq!(cost(&[2.0]), Some(2.0));
        assert_eq!(cost(&[3.0, 1.0]), Some(1.0));
        assert_eq!(cost(&[3.0, 9.0, 1.0]), Some(3.0));
    }
}
