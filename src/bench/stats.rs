//! Figures of latency: many samples in little memory, and the few numbers a person reads.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart, microseconds: ten minutes, longer than any run.
const LATENCY_US_MAX: u64 = 600_000_000;

/// A histogram of microseconds, exact to 0.1 % or better.
#[derive(Debug, Clone)]
pub(super) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are constants and in order"))
    }
}

impl Latency {
    pub(super) fn record(&mut self, us: u64) {
        self.0.saturating_record(us.max(1));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    pub(super) fn summary(&self) -> Quantiles {
        let at = |quantile| ms(self.0.value_at_quantile(quantile));
        if self.0.is_empty() {
            return Quantiles::default();
        }
        Quantiles { count: self.0.len(), p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99), p999_ms: at(0.999), max_ms: ms(self.0.max()) }
    }

    /// Upper edges in milliseconds, each a quarter octave above the one before, and how many fell below.
    pub(super) fn bars(&self) -> Vec<(f64, u64)> {
        let mut bars = Slices::default();
        for value in self.0.iter_recorded() {
            bars.add(value.value_iterated_to(), value.count_at_value());
        }
        bars.0.iter().enumerate().filter(|(_, count)| **count > 0).map(|(slot, count)| (ms(Slices::edge_us(slot)), *count)).collect()
    }
}

/// What is told of many latencies.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Quantiles {
    /// How many.
    pub count: u64,
    /// The median, milliseconds.
    pub p50_ms: f64,
    /// 90 of 100 were not longer, milliseconds.
    pub p90_ms: f64,
    /// 99 of 100 were not longer, milliseconds.
    pub p99_ms: f64,
    /// 999 of 1,000 were not longer, milliseconds.
    pub p999_ms: f64,
    /// The longest, milliseconds.
    pub max_ms: f64,
}

/// Slots of a coarse histogram: four per octave of microseconds, up to 2^30.
const SLOTS: usize = 120;

/// A histogram small enough for each of ten thousand members; an edge is 19 % above the one below.
#[derive(Debug, Clone)]
pub(super) struct Slices([u64; SLOTS]);

impl Default for Slices {
    fn default() -> Self {
        Self([0; SLOTS])
    }
}

impl Slices {
    pub(super) fn add(&mut self, us: u64, count: u64) {
        self.0[Self::slot(us)] += count;
    }

    /// Finds the bar of a value: the octave is where the highest bit is, the quarter the two bits below it. No logarithm on
    /// the hot path.
    fn slot(us: u64) -> usize {
        let us = us.max(4);
        let octave = us.ilog2();
        let quarter = (us >> (octave - 2)) & 3;
        usize::try_from(u64::from(octave) * 4 + quarter).map_or(SLOTS - 1, |slot| slot.min(SLOTS - 1))
    }

    fn edge_us(slot: usize) -> u64 {
        let octave = slot / 4;
        if octave < 2 { 4 } else { (slot as u64 % 4 + 5) << (octave - 2) }
    }

    /// No more than 19 % above the true value; 0 without samples.
    pub(super) fn quantile_ms(&self, quantile: f64) -> f64 {
        let all: u64 = self.0.iter().sum();
        let wanted = all as f64 * quantile;
        let mut below = 0;
        for (slot, count) in self.0.iter().enumerate() {
            below += count;
            if below > 0 && below as f64 >= wanted {
                return ms(Self::edge_us(slot));
            }
        }
        0.0
    }
}

/// Microseconds as milliseconds.
pub(super) fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_lies_above_its_values_by_a_quarter_octave_at_most() {
        for us in [4_u64, 5, 7, 8, 100, 1_000, 1_023, 1_024, 150_000, 9_999_999] {
            let edge = Slices::edge_us(Slices::slot(us));
            assert!(edge >= us && edge <= us + us / 4 + 1, "{us}: {edge}");
        }
    }

    #[test]
    fn quantiles_of_both_histograms_agree() {
        let (mut fine, mut coarse) = (Latency::default(), Slices::default());
        for us in 1..=100_000 {
            fine.record(us);
            coarse.add(us, 1);
        }
        let (p99, near) = (fine.summary().p99_ms, coarse.quantile_ms(0.99));
        assert!((98.9..99.2).contains(&p99), "{p99}");
        assert!(near >= p99 && near <= p99 * 1.26, "{near}");
        assert_eq!(fine.bars().iter().map(|bar| bar.1).sum::<u64>(), 100_000);
    }
}
