//! A model of owners, stalls and take-overs: no cursor ever passes a message that becomes visible later.
//!
//! The database is a list of what is visible; each process has a [`StampClock`] of its own over a clock that is wrong by seconds and
//! jumps. A schedule is any order of: begin a transaction, commit it, stall, beat, hand out a cursor, take over while the old owner's
//! transaction is open (it is ended: gone, or visible after all, as a COMMIT that waited for a replica is).

use std::sync::Arc;

use proptest::prelude::*;

use super::options::StampTime;
use super::stamp::StampClock;
use crate::clock::ManualClock;
use crate::model::order_key::EPOCH_MS;

const PROCESSES: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Event {
    Begin(usize),
    Commit(usize),
    Beat(usize),
    Cursor(usize),
    /// Whether what the old owner had open becomes visible.
    TakeOver(usize, bool),
    /// The wall clock of a process is set, milliseconds from its start.
    Clock(usize, u64),
}

struct Process {
    clock: Arc<ManualClock>,
    stamps: StampClock,
    /// The take-over after which it believes to own the store.
    epoch: u64,
    open: Option<u64>,
    last_commit: u64,
}

/// What a take-over reads and writes; see `ownership::claim`.
#[derive(Default)]
struct Database {
    epoch: u64,
    owner: usize,
    visible: Vec<u64>,
    safe_stamp: u64,
    floor: u64,
}

struct World {
    database: Database,
    processes: Vec<Process>,
    greatest_cursor: u64,
}

impl World {
    fn new() -> Self {
        let process = |n: usize| {
            let clock = Arc::new(ManualClock::at(EPOCH_MS + 100_000 + 3_000 * n as u64));
            let stamps = StampClock::above(0, StampTime::Own, clock.clone());
            Process { clock, stamps, epoch: u64::from(n == 0), open: None, last_commit: 0 }
        };
        let database = Database { epoch: 1, ..Database::default() };
        Self { database, processes: (0..PROCESSES).map(process).collect(), greatest_cursor: 0 }
    }

    /// Makes a stamp visible to all.
    fn show(&mut self, stamp: u64) {
        assert!(stamp > self.greatest_cursor, "{stamp} becomes visible behind a cursor at {}", self.greatest_cursor);
        assert!(self.database.visible.last().is_none_or(|last| *last < stamp), "{stamp} is not the greatest: {:?}", self.database.visible);
        self.database.visible.push(stamp);
    }

    fn play(&mut self, event: Event) {
        match event {
            Event::Begin(n) => {
                let process = &mut self.processes[n];
                if process.epoch > 0 && process.open.is_none() {
                    process.open = Some(process.stamps.next());
                }
            }
            Event::Commit(n) => {
                let Some(stamp) = self.processes[n].open.take() else { return };
                // The fence: whoever does not own the store any more commits nothing, and notices.
                if (self.database.owner, self.database.epoch) == (n, self.processes[n].epoch) {
                    self.show(stamp);
                    self.processes[n].last_commit = stamp;
                } else {
                    self.processes[n].epoch = 0;
                }
            }
            Event::Beat(n) => {
                let process = &self.processes[n];
                if process.epoch > 0 {
                    self.database.safe_stamp = self.database.safe_stamp.max(process.last_commit);
                }
            }
            Event::Cursor(n) => {
                let process = &self.processes[n];
                if process.epoch > 0 {
                    self.greatest_cursor = self.greatest_cursor.max(process.last_commit);
                }
            }
            Event::TakeOver(n, visible) => {
                let old = self.database.owner;
                if old == n {
                    return;
                }
                // Its connection is ended, and so is what it had open.
                if self.processes[old].epoch == self.database.epoch
                    && let Some(stamp) = self.processes[old].open.take()
                    && visible
                {
                    self.show(stamp);
                }
                let database = &mut self.database;
                let newest = database.visible.last().copied().unwrap_or(0);
                database.floor = newest.max(database.safe_stamp).max(database.floor);
                (database.owner, database.epoch) = (n, database.epoch + 1);
                let process = &mut self.processes[n];
                process.stamps = StampClock::above(database.floor, StampTime::Own, process.clock.clone());
                (process.epoch, process.open, process.last_commit) = (database.epoch, None, database.floor);
            }
            Event::Clock(n, ms) => self.processes[n].clock.set_wall_ms(EPOCH_MS + 95_000 + ms),
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let process = 0..PROCESSES;
    prop_oneof![
        4 => process.clone().prop_map(Event::Begin),
        4 => process.clone().prop_map(Event::Commit),
        1 => process.clone().prop_map(Event::Beat),
        2 => process.clone().prop_map(Event::Cursor),
        1 => (process.clone(), any::<bool>()).prop_map(|(n, visible)| Event::TakeOver(n, visible)),
        1 => (process, 0..10_000u64).prop_map(|(n, ms)| Event::Clock(n, ms)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cursor_passes_what_becomes_visible_later(events in proptest::collection::vec(event(), 1..120)) {
        let mut world = World::new();
        events.into_iter().for_each(|event| world.play(event));
    }
}
