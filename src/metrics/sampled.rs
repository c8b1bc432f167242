//! Figures that are taken elsewhere and shown when somebody asks.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// A figure: its name, its help text, its value.
pub(super) type Figure<'a> = (&'a str, &'a str, f64);

#[expect(clippy::cast_precision_loss, reason = "counts")]
pub(super) fn whole(count: u64) -> f64 {
    count as f64
}

pub(super) fn encode_gauges(encoder: &mut DescriptorEncoder<'_>, prefix: &str, gauges: &[Figure<'_>]) -> fmt::Result {
    for (name, help, value) in gauges {
        let name = format!("{prefix}_{name}");
        let metric = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        ConstGauge::new(*value).encode(metric)?;
    }
    Ok(())
}

pub(super) fn encode_counters(encoder: &mut DescriptorEncoder<'_>, prefix: &str, counters: &[Figure<'_>]) -> fmt::Result {
    for (name, help, value) in counters {
        let name = format!("{prefix}_{name}");
        let mut metric = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(value, None)?;
    }
    Ok(())
}
