//! What the store's database is asked and how it answers. Nothing is shown where the store has none.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::sampled::{encode_counters, encode_gauges, whole};

/// A moment's figures of the store's database. Counters run from the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DatabaseSample {
    pub(crate) connections: u64,
    pub(crate) connections_busy: u64,
    pub(crate) reads_waiting: u64,
    pub(crate) reads: u64,
    pub(crate) read_seconds: f64,
    pub(crate) commits: u64,
    pub(crate) commit_seconds: f64,
    pub(crate) reconnects: u64,
    /// By SQLSTATE; `connection` where there was no answer.
    pub(crate) errors: Vec<(String, u64)>,
}

/// The figures as they were last sampled.
#[derive(Debug, Default)]
pub(super) struct DatabaseCollector(pub(super) std::sync::Arc<Mutex<Option<DatabaseSample>>>);

impl Collector for DatabaseCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sample = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(sample) = sample else { return Ok(()) };
        let gauges = [
            ("connections", "Connections for reading", whole(sample.connections)),
            ("connections_busy", "Of these, in use", whole(sample.connections_busy)),
            ("reads_waiting", "Reads that wait for a connection", whole(sample.reads_waiting)),
        ];
        encode_gauges(&mut encoder, "store_pg", &gauges)?;
        let counters = [
            ("reads", "Questions asked", whole(sample.reads)),
            ("read_seconds", "Time they took", sample.read_seconds),
            ("commits", "Transactions of the writer", whole(sample.commits)),
            ("commit_seconds", "Time they took", sample.commit_seconds),
            ("reconnects", "Connections the writer made again", whole(sample.reconnects)),
        ];
        encode_counters(&mut encoder, "store_pg", &counters)?;
        let mut errors = encoder.encode_descriptor("store_pg_errors", "Errors by SQLSTATE", None, MetricType::Counter)?;
        for (code, count) in &sample.errors {
            let labels = [("code", code.as_str())];
            errors.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
        Ok(())
    }
}
