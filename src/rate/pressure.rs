//! How far behind the broker itself is, and what it sheds for it. Pure: time and readings are passed in.

use std::time::Duration;

use crate::model::{MessageClass, Priority};

/// How long a reading must stay below a level before the level is given up. Our choice: long enough that a load which
/// comes in waves does not switch the shedding with each wave.
const RECOVER: Duration = Duration::from_secs(1);
/// The shares of the store's bound, percent, at which the levels begin.
const STORE_PERCENT: [u32; 4] = [50, 70, 85, 95];

/// Of what a level begins to shed one in so many still passes: a little late is better served by less than by nothing.
const THINNED: u64 = 4;

/// What is shed while the broker is behind: three in four of what the level names, and all of what those before it name.
/// Storable messages never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pressure {
    /// Nothing.
    #[default]
    None,
    /// Barrages of low priority.
    LowBarrage,
    /// Barrages of medium priority.
    MediumBarrage,
    /// Barrages of high priority.
    Barrage,
    /// All barrages, and all commands: these are refused with a temporary error, because their senders do wait for the
    /// answer.
    Command,
}

impl Pressure {
    const ALL: [Self; 5] = [Self::None, Self::LowBarrage, Self::MediumBarrage, Self::Barrage, Self::Command];

    /// Returns the level of this number; the highest for numbers beyond.
    pub(crate) fn of_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Command)
    }

    /// 0 for none, 4 for the highest: the value of the metric.
    #[must_use]
    pub fn number(self) -> u8 {
        Self::ALL.iter().zip(0..).find_map(|(level, number)| (*level == self).then_some(number)).unwrap_or(0)
    }

    /// Returns whether a message is shed at this level; `nth`: how many of its kind came before.
    pub(crate) fn sheds(self, class: MessageClass, priority: Priority, nth: u64) -> bool {
        let from = match (class, priority) {
            (MessageClass::Storable, _) => return false,
            (MessageClass::Command, _) => Self::Command,
            (MessageClass::Barrage, Priority::High) => Self::Barrage,
            (MessageClass::Barrage, Priority::Medium) => Self::MediumBarrage,
            (MessageClass::Barrage, Priority::Low) => Self::LowBarrage,
        };
        self > from || (self == from && (from == Self::Command || nth % THINNED < THINNED - 1))
    }
}

/// What was seen at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    /// How long an actor that has work waits for its turn.
    pub(crate) turn: Duration,
    /// How long a socket that has something to write waited for its writer, at most, since the reading before.
    pub(crate) write: Duration,
    /// Appends under way, percent of what may be.
    pub(crate) store_percent: u32,
}

/// Turns readings into a level, with hysteresis: two readings in a row raise it, each at least that high; it falls by one
/// step when readings stay below half of where it begins for a second.
///
/// Levels begin at `late`, twice, four and eight times that, or at 50, 70, 85 and 95 % of the appends that may be under
/// way. Our choice: the numbers; a broker that makes its clients wait for half a second is behind
/// for a chat, and must have shed the better part of its barrage by then.
#[derive(Debug)]
pub(crate) struct PressureGauge {
    late: Duration,
    level: Pressure,
    /// What the last reading alone would have been.
    before: Pressure,
    calm_since: Option<Duration>,
}

impl PressureGauge {
    /// Calm. `late`: what counts as late, at least a millisecond.
    pub(crate) fn new(late: Duration) -> Self {
        Self { late: late.max(Duration::from_millis(1)), level: Pressure::None, before: Pressure::None, calm_since: None }
    }

    /// Changes what counts as late.
    pub(crate) fn set_late(&mut self, late: Duration) {
        self.late = late.max(Duration::from_millis(1));
    }

    /// Takes a reading of the moment `now`, the elapsed time of one clock.
    pub(crate) fn observe(&mut self, now: Duration, reading: Reading) -> Pressure {
        let level = self.level_of(reading, 1);
        let lasting = level.min(std::mem::replace(&mut self.before, level));
        if lasting > self.level {
            self.level = lasting;
            self.calm_since = None;
        } else if self.level_of(reading, 2) >= self.level {
            self.calm_since = None;
        } else if now.saturating_sub(*self.calm_since.get_or_insert(now)) >= RECOVER {
            self.level = Pressure::of_number(self.level.number() - 1);
            self.calm_since = Some(now);
        }
        self.level
    }

    /// Returns the level whose beginning, divided by `part`, the reading reaches.
    fn level_of(&self, reading: Reading, part: u32) -> Pressure {
        let late = reading.turn.max(reading.write);
        let reached = (0u32..4)
            .zip(STORE_PERCENT)
            .filter(|(step, percent)| late * part >= self.late * 2u32.pow(*step) || reading.store_percent * part >= *percent);
        Pressure::of_number(u8::try_from(reached.count()).unwrap_or(u8::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_millis(100);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn turn(ms: u64) -> Reading {
        Reading { turn: at(ms), ..Reading::default() }
    }

    #[test]
    fn one_late_reading_changes_nothing_and_two_do() {
        let mut gauge = PressureGauge::new(LATE);
        assert_eq!(gauge.observe(at(0), turn(5_000)), Pressure::None);
        assert_eq!(gauge.observe(at(100), turn(0)), Pressure::None);
        assert_eq!(gauge.observe(at(200), turn(99)), Pressure::None);
        assert_eq!(gauge.observe(at(300), turn(100)), Pressure::None);
        assert_eq!(gauge.observe(at(400), turn(100)), Pressure::LowBarrage);
    }

    #[test]
    fn each_level_begins_at_its_lateness_whoever_is_late() {
        for (ms, level) in [
            (99, Pressure::None),
            (100, Pressure::LowBarrage),
            (200, Pressure::MediumBarrage),
            (400, Pressure::Barrage),
            (799, Pressure::Barrage),
            (800, Pressure::Command),
        ] {
            for reading in [turn(ms), Reading { write: at(ms), ..Reading::default() }] {
                let mut gauge = PressureGauge::new(LATE);
                gauge.observe(at(0), reading);
                assert_eq!(gauge.observe(at(100), reading), level, "{ms} ms");
            }
        }
    }

    #[test]
    fn a_store_that_fills_up_raises_it_too() {
        for (percent, level) in [
            (49, Pressure::None),
            (50, Pressure::LowBarrage),
            (70, Pressure::MediumBarrage),
            (85, Pressure::Barrage),
            (95, Pressure::Command),
        ] {
            let mut gauge = PressureGauge::new(LATE);
            let reading = Reading { store_percent: percent, ..Reading::default() };
            gauge.observe(at(0), reading);
            assert_eq!(gauge.observe(at(100), reading), level, "{percent} %");
        }
    }

    #[test]
    fn it_falls_one_step_a_second_and_only_well_below_where_it_begins() {
        let mut gauge = PressureGauge::new(LATE);
        gauge.observe(at(0), turn(200));
        assert_eq!(gauge.observe(at(100), turn(200)), Pressure::MediumBarrage);
        // Just below its beginning is not calm: half of it is.
        for ms in (200..5_000).step_by(100) {
            assert_eq!(gauge.observe(at(ms), turn(100)), Pressure::MediumBarrage);
        }
        assert_eq!(gauge.observe(at(5_000), turn(99)), Pressure::MediumBarrage);
        assert_eq!(gauge.observe(at(5_999), turn(99)), Pressure::MediumBarrage);
        assert_eq!(gauge.observe(at(6_000), turn(99)), Pressure::LowBarrage);
        assert_eq!(gauge.observe(at(6_500), turn(50)), Pressure::LowBarrage);
        assert_eq!(gauge.observe(at(6_600), turn(49)), Pressure::LowBarrage);
        assert_eq!(gauge.observe(at(7_599), turn(49)), Pressure::LowBarrage);
        assert_eq!(gauge.observe(at(7_600), turn(49)), Pressure::None);
    }

    #[test]
    fn storable_messages_are_never_shed_and_barrages_go_before_commands() {
        for level in Pressure::ALL {
            assert_eq!(Pressure::of_number(level.number()), level);
            for priority in Priority::ALL {
                assert!((0..4).all(|nth| !level.sheds(MessageClass::Storable, priority, nth)));
            }
        }
        let shed = |level: Pressure| {
            Priority::ALL.map(|priority| (0..100).filter(|nth| level.sheds(MessageClass::Barrage, priority, *nth)).count())
        };
        assert_eq!(shed(Pressure::None), [0, 0, 0]);
        assert_eq!(shed(Pressure::LowBarrage), [75, 0, 0]);
        assert_eq!(shed(Pressure::MediumBarrage), [100, 75, 0]);
        assert_eq!(shed(Pressure::Barrage), [100, 100, 75]);
        assert_eq!(shed(Pressure::Command), [100, 100, 100]);
        assert!((0..4).all(|nth| !Pressure::Barrage.sheds(MessageClass::Command, Priority::Low, nth)));
        assert!((0..4).all(|nth| Pressure::Command.sheds(MessageClass::Command, Priority::High, nth)));
    }
}
