//! Feels how far behind the broker is, ten times a second, and says what is shed for it.
//!
//! Three readings: how long an actor waits for its turn on the actors' thread, how long a socket waited for its
//! writer, and how full the store's queue is. The rule is [`PressureGauge`]; who sheds asks [`LoadMonitor`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use super::context::BrokerContext;
use crate::rate::{Pressure, PressureGauge, Reading};

const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// The level of the moment, and what the writers report between two beats.
#[derive(Debug, Default)]
pub(crate) struct LoadMonitor {
    level: AtomicU8,
    write_late_us: AtomicU64,
    /// What the writers reported up to the last beat.
    last_write_late_us: AtomicU64,
    turn_late_us: AtomicU64,
}

impl LoadMonitor {
    /// What is shed now.
    pub(crate) fn level(&self) -> Pressure {
        Pressure::of_number(self.level.load(Ordering::Relaxed))
    }

    /// A socket waited so long for its writer.
    pub(crate) fn wrote_late(&self, late: Duration) {
        self.write_late_us.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long a socket waited for its writer lately, at most.
    pub(crate) fn write_late(&self) -> Duration {
        Duration::from_micros(self.last_write_late_us.load(Ordering::Relaxed))
    }

    /// How long an actor waited for its turn at the last beat.
    pub(crate) fn turn_late(&self) -> Duration {
        Duration::from_micros(self.turn_late_us.load(Ordering::Relaxed))
    }

    fn note_turn(&self, late: Duration) {
        self.turn_late_us.store(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn take_write_late(&self) -> Duration {
        let late = self.write_late_us.swap(0, Ordering::Relaxed);
        self.last_write_late_us.store(late, Ordering::Relaxed);
        Duration::from_micros(late)
    }
}

/// Runs on the actors' thread until it ends.
pub(crate) async fn sample(context: Arc<BrokerContext>) {
    let mut gauge = PressureGauge::new(Duration::from_millis(context.config().shed.late_ms));
    loop {
        tokio::time::sleep(SAMPLE_EVERY).await;
        let asked = context.clock.elapsed();
        // Behind everyone who is ready now.
        tokio::task::yield_now().await;
        let now = context.clock.elapsed();
        gauge.set_late(Duration::from_millis(context.config().shed.late_ms));
        let appends_max = context.config().actors.appends_in_flight_max.max(1);
        let reading = Reading {
            turn: now.saturating_sub(asked),
            write: context.load.take_write_late(),
            store_percent: u32::try_from(context.archive.in_flight() * 100 / appends_max).unwrap_or(u32::MAX),
        };
        context.load.note_turn(reading.turn);
        let (before, level) = (context.load.level(), gauge.observe(now, reading));
        if level != before {
            tracing::info!(from = ?before, to = ?level, turn_ms = reading.turn.as_millis(), write_ms = reading.write.as_millis(), store_percent = reading.store_percent, "shedding changed");
            context.load.level.store(level.number(), Ordering::Relaxed);
        }
    }
}
