//! A model of several owners of shards: no mark ever passes a message that becomes visible later, or one that was not delivered.
//!
//! The database is a list of what is visible, with the rows of owners, slots and processes as `shard_rows` writes them. Each process has
//! a [`StampClock`] of its own over a clock that is wrong by seconds and jumps, as the database's does. Whoever listens hears each
//! process over a link that keeps order and is lost with its process, and keeps a mark per shard. A schedule is any order of: begin a
//! transaction, commit it, tell of it, beat, mark, hear, claim from one who is dead or only paused (what it had open is ended: gone,
//! or visible after all), deliver again, release, die, set a clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use super::options::StampTime;
use super::stamp::{StampClock, StampUse};
use crate::clock::{Clock as _, ManualClock};
use crate::model::order_key::{EPOCH_MS, order_key_at};

const PROCESSES: usize = 3;
const SHARDS: usize = 3;
/// As a heartbeat promises.
const AHEAD_MS: u64 = 1_000;

#[derive(Debug, Clone, Copy)]
enum Event {
    Begin(usize, usize),
    Commit(usize),
    Tell(usize),
    Beat(usize),
    Mark(usize),
    Hear(usize),
    /// By whom, from whom, which shards, and whether what the old owner had open becomes visible.
    Claim(usize, usize, [bool; SHARDS], bool),
    DeliverAgain(usize, usize),
    Release(usize, usize),
    Die(usize),
    /// The wall clock of a process, or of the database, is set, milliseconds from the beginning.
    Clock(usize, u64),
    Pass(u64),
}

/// What is left out, to see that it is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    FenceNotRead,
    FloorNotRaised,
    VouchedTooEarly,
    BeatNotWaitedFor,
}

#[derive(Debug, Clone)]
enum Frame {
    Message(usize, u64),
    Mark(u64, BTreeSet<usize>),
}

/// A transaction, from its stamp to the end of telling.
struct Open {
    shard: usize,
    stamp: u64,
    is_visible: bool,
    /// Somebody who claimed has ended its connection.
    is_ended: bool,
    _in_use: StampUse,
}

struct Process {
    boot: usize,
    clock: Arc<ManualClock>,
    stamps: StampClock,
    mark_max: u64,
    /// The shards it believes to own, each with the stamp up to which all is known to be delivered.
    owned: BTreeMap<usize, u64>,
    /// Those of them that it has not delivered again yet.
    pending: BTreeSet<usize>,
    delivered: u64,
    open: Option<Open>,
    link: VecDeque<Frame>,
}

#[derive(Default, Clone, Copy)]
struct Shard {
    owner: Option<usize>,
    floor: u64,
    delivered: u64,
    newest: u64,
}

/// What it wrote with its heartbeats.
#[derive(Default, Clone, Copy)]
struct Node {
    safe_stamp: u64,
    mark_max: u64,
}

struct World {
    defect: Defect,
    database_clock: Arc<ManualClock>,
    shards: [Shard; SHARDS],
    nodes: BTreeMap<usize, Node>,
    slots: BTreeSet<usize>,
    visible: BTreeSet<(usize, u64)>,
    /// Transactions whose process died, by its boot.
    orphans: Vec<(usize, usize, u64)>,
    processes: Vec<Process>,
    boots: usize,
    heard: BTreeSet<(usize, u64)>,
    marks: [u64; SHARDS],
}

type Played = Result<(), TestCaseError>;

impl World {
    fn new(defect: Defect) -> Self {
        let mut world = Self {
            defect,
            database_clock: Arc::new(ManualClock::at(EPOCH_MS + 100_000)),
            shards: [Shard::default(); SHARDS],
            nodes: BTreeMap::new(),
            slots: BTreeSet::new(),
            visible: BTreeSet::new(),
            orphans: Vec::new(),
            processes: Vec::new(),
            boots: 0,
            heard: BTreeSet::new(),
            marks: [0; SHARDS],
        };
        for n in 0..PROCESSES {
            let clock = Arc::new(ManualClock::at(EPOCH_MS + 97_000 + 3_000 * n as u64));
            let process = world.begin(clock);
            world.processes.push(process);
        }
        world
    }

    /// Begins a process, which takes a slot.
    fn begin(&mut self, clock: Arc<ManualClock>) -> Process {
        self.boots += 1;
        let newest = self.shards.iter().map(|shard| shard.newest).max().unwrap_or(0);
        let stamps = StampClock::above(newest, StampTime::Database, clock.clone());
        stamps.take_sample(self.database_clock.wall_ms(), clock.elapsed());
        self.slots.insert(self.boots);
        self.nodes.insert(self.boots, Node::default());
        let (owned, pending, link) = (BTreeMap::new(), BTreeSet::new(), VecDeque::new());
        Process { boot: self.boots, clock, stamps, mark_max: 0, owned, pending, delivered: 0, open: None, link }
    }

    /// A process ends, or hears that it was declared dead, and begins anew.
    fn restart(&mut self, n: usize) {
        let clock = self.processes[n].clock.clone();
        let new = self.begin(clock);
        let old = std::mem::replace(&mut self.processes[n], new);
        if let Some(open) = old.open.filter(|open| !open.is_visible && !open.is_ended) {
            self.orphans.push((old.boot, open.shard, open.stamp));
        }
    }

    fn show(&mut self, shard: usize, stamp: u64) -> Played {
        let (mark, newest) = (self.marks[shard], self.shards[shard].newest);
        prop_assert!(stamp > mark, "{stamp} becomes visible in {shard} behind the mark {mark}");
        prop_assert!(stamp > newest, "{stamp} is not the greatest of {shard}: {newest}");
        self.shards[shard].newest = stamp;
        self.visible.insert((shard, stamp));
        Ok(())
    }

    fn owns(&self, boot: usize, shard: usize) -> bool {
        self.slots.contains(&boot) && self.shards[shard].owner == Some(boot)
    }

    fn play(&mut self, event: Event) -> Played {
        match event {
            Event::Begin(n, shard) => {
                let process = &mut self.processes[n];
                if process.owned.contains_key(&shard) && process.open.is_none() {
                    let in_use = process.stamps.begin_use();
                    process.open = Some(Open { shard, stamp: process.stamps.next(), is_visible: false, is_ended: false, _in_use: in_use });
                }
            }
            Event::Commit(n) => return self.commit(n),
            Event::Tell(n) => {
                let process = &mut self.processes[n];
                if let Some(open) = process.open.take_if(|open| open.is_visible) {
                    process.link.push_back(Frame::Message(open.shard, open.stamp));
                }
            }
            Event::Beat(n) => self.beat(n),
            Event::Mark(n) => {
                let process = &mut self.processes[n];
                let stamp = process.stamps.safe().min(process.mark_max);
                let mut shards: BTreeSet<usize> = process.owned.keys().copied().collect();
                if self.defect != Defect::VouchedTooEarly {
                    shards.retain(|shard| !process.pending.contains(shard));
                }
                process.link.push_back(Frame::Mark(stamp, shards));
            }
            Event::Hear(n) => return self.hear(n),
            Event::Claim(n, from, wanted, visible) => return self.claim(n, from, wanted, visible),
            Event::DeliverAgain(n, shard) => {
                let process = &mut self.processes[n];
                if process.pending.remove(&shard) {
                    let after = process.owned.get(&shard).copied().unwrap_or(0);
                    let again = self.visible.range((shard, after + 1)..(shard + 1, 0));
                    process.link.extend(again.map(|(shard, stamp)| Frame::Message(*shard, *stamp)));
                }
            }
            Event::Release(n, shard) => self.release(n, shard),
            Event::Die(n) => self.restart(n),
            Event::Clock(n, ms) => {
                let clock = self.processes.get(n).map_or(&self.database_clock, |process| &process.clock);
                clock.set_wall_ms(EPOCH_MS + 95_000 + ms);
            }
            Event::Pass(ms) => {
                let clocks = self.processes.iter().map(|process| &process.clock).chain([&self.database_clock]);
                clocks.for_each(|clock| clock.advance(Duration::from_millis(ms)));
            }
        }
        Ok(())
    }

    fn commit(&mut self, n: usize) -> Played {
        let process = &self.processes[n];
        let Some(Open { shard, stamp, is_visible: false, .. }) = process.open else { return Ok(()) };
        if !self.owns(process.boot, shard) && self.defect != Defect::FenceNotRead {
            self.restart(n);
            // The fence has ended it.
            self.orphans.retain(|(_, in_shard, orphan)| (*in_shard, *orphan) != (shard, stamp));
            return Ok(());
        }
        if let Some(open) = &mut self.processes[n].open {
            open.is_visible = true;
        }
        self.show(shard, stamp)
    }

    fn beat(&mut self, n: usize) {
        let process = &mut self.processes[n];
        let promise = process.stamps.last().max(order_key_at(process.stamps.now_ms())) + order_key_at(EPOCH_MS + AHEAD_MS);
        if self.slots.contains(&process.boot) {
            let node = self.nodes.entry(process.boot).or_default();
            (node.safe_stamp, node.mark_max) = (node.safe_stamp.max(process.delivered), node.mark_max.max(promise));
        } else if self.defect != Defect::BeatNotWaitedFor {
            return self.restart(n);
        }
        process.mark_max = process.mark_max.max(promise);
        process.stamps.take_sample(self.database_clock.wall_ms(), process.clock.elapsed());
    }

    fn hear(&mut self, n: usize) -> Played {
        let process = &mut self.processes[n];
        match process.link.pop_front() {
            None => {}
            Some(Frame::Message(shard, stamp)) => drop(self.heard.insert((shard, stamp))),
            Some(Frame::Mark(mark, shards)) => {
                for shard in &shards {
                    let missed = self.visible.range((*shard, 0)..=(*shard, mark)).find(|message| !self.heard.contains(message));
                    prop_assert!(missed.is_none(), "{missed:?} was not heard before the mark {mark}");
                    self.marks[*shard] = self.marks[*shard].max(mark);
                    if let Some(delivered) = process.owned.get_mut(shard) {
                        *delivered = mark.max(*delivered);
                    }
                }
                // A mark of before a claim says nothing of what was claimed.
                if process.owned.keys().all(|shard| shards.contains(shard)) {
                    process.delivered = process.delivered.max(mark);
                }
            }
        }
        Ok(())
    }

    fn claim(&mut self, n: usize, from: usize, wanted: [bool; SHARDS], visible: bool) -> Played {
        let me = self.processes[n].boot;
        if !self.slots.contains(&me) {
            self.restart(n);
            return Ok(());
        }
        // Whoever is not there any more, and one who is said not to be.
        let living: Vec<usize> = (0..PROCESSES).filter(|one| *one == n || *one != from).map(|one| self.processes[one].boot).collect();
        let is_dead = |boot: &usize| !living.contains(boot);
        self.slots.retain(|boot| !is_dead(boot));
        if from != n
            && let Process { boot, open: Some(open), .. } = &mut self.processes[from]
            && !open.is_visible
            && !std::mem::replace(&mut open.is_ended, true)
        {
            // It hears of that at its next commit.
            self.orphans.push((*boot, open.shard, open.stamp));
        }
        let ended: Vec<(usize, usize, u64)> = self.orphans.extract_if(.., |(boot, ..)| is_dead(boot)).collect();
        for (boot, shard, stamp) in ended {
            if visible && self.shards[shard].owner == Some(boot) && self.defect != Defect::FenceNotRead {
                self.show(shard, stamp)?;
            }
        }
        for shard in (0..SHARDS).filter(|shard| wanted[*shard]) {
            let row = self.shards[shard];
            if row.owner.is_some_and(|owner| !is_dead(&owner)) {
                continue;
            }
            let node = row.owner.and_then(|owner| self.nodes.get(&owner)).copied().unwrap_or_default();
            let process = &mut self.processes[n];
            let now = order_key_at(self.database_clock.wall_ms());
            let floor = [row.floor, row.newest, node.safe_stamp, node.mark_max, process.stamps.last(), now].into_iter().max().unwrap_or(0);
            let delivered = if node.safe_stamp > row.floor { node.safe_stamp } else { row.delivered }.min(floor);
            self.shards[shard] = Shard { owner: Some(me), floor, delivered, ..row };
            if self.defect != Defect::FloorNotRaised {
                process.stamps.raise(floor);
            }
            process.owned.insert(shard, delivered);
            process.pending.insert(shard);
        }
        Ok(())
    }

    fn release(&mut self, n: usize, shard: usize) {
        let process = &mut self.processes[n];
        if process.open.as_ref().is_some_and(|open| open.shard == shard) {
            return;
        }
        let Some(delivered) = process.owned.remove(&shard) else { return };
        process.pending.remove(&shard);
        let row = &mut self.shards[shard];
        if row.owner == Some(process.boot) {
            *row = Shard { owner: None, floor: row.floor.max(process.stamps.last()), delivered, newest: row.newest };
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let (process, shard) = (0..PROCESSES, 0..SHARDS);
    let pair = (process.clone(), shard);
    prop_oneof![
        6 => pair.clone().prop_map(|(n, shard)| Event::Begin(n, shard)),
        6 => process.clone().prop_map(Event::Commit),
        6 => process.clone().prop_map(Event::Tell),
        3 => process.clone().prop_map(Event::Beat),
        4 => process.clone().prop_map(Event::Mark),
        8 => process.clone().prop_map(Event::Hear),
        3 => (process.clone(), process.clone(), any::<[bool; SHARDS]>(), any::<bool>())
            .prop_map(|(n, from, wanted, visible)| Event::Claim(n, from, wanted, visible)),
        2 => pair.clone().prop_map(|(n, shard)| Event::DeliverAgain(n, shard)),
        1 => pair.prop_map(|(n, shard)| Event::Release(n, shard)),
        1 => process.prop_map(Event::Die),
        1 => (0..=PROCESSES, 0..10_000u64).prop_map(|(n, ms)| Event::Clock(n, ms)),
        1 => (1..2_000u64).prop_map(Event::Pass),
    ]
}

/// Plays 2,000 schedules.
fn play(defect: Defect) -> Result<(), TestError<Vec<Event>>> {
    let config = ProptestConfig { cases: 2_000, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() };
    TestRunner::new(config).run(&proptest::collection::vec(event(), 1..200), |events| {
        let mut world = World::new(defect);
        events.into_iter().try_for_each(|event| world.play(event))
    })
}

#[test]
fn no_mark_passes_what_becomes_visible_later_or_was_not_delivered() {
    if let Err(error) = play(Defect::None) {
        panic!("{error}");
    }
}

#[test]
fn what_is_left_out_is_found() {
    for defect in [Defect::FenceNotRead, Defect::FloorNotRaised, Defect::VouchedTooEarly] {
        assert!(play(defect).is_err(), "{defect:?}");
    }
}

/// One that is declared dead while it beats promises nothing that its heir does not see.
#[test]
fn a_beat_and_a_claim_wait_for_each_other() {
    let (all, database) = ([true; SHARDS], PROCESSES);
    let schedule = [
        Event::Claim(0, 0, all, false),
        Event::DeliverAgain(0, 0),
        Event::Beat(0),
        Event::Claim(1, 0, all, false),
        Event::Clock(database, 10_000),
        Event::Beat(0),
        Event::Beat(0),
        Event::Mark(0),
        Event::Hear(0),
        Event::Begin(1, 0),
        Event::Commit(1),
    ];
    for (defect, is_found) in [(Defect::None, false), (Defect::BeatNotWaitedFor, true)] {
        let mut world = World::new(defect);
        assert_eq!(schedule.into_iter().try_for_each(|event| world.play(event)).is_err(), is_found, "{defect:?}");
    }
}
