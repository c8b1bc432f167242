//! Time, and everything between the nodes: the database's answers, the bus, sockets, faults.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::bus::Faults;
use super::client::{Client, Request, Told};
use super::database::Database;
use super::node::{Answer, Call, Effect, Env, Frame, Node};
use super::random::Random;
use super::{CONVERSATIONS, Defect, PLACES, SHARDS, USERS, is_member, shard_of};
use crate::cluster::link::{Batch, LossyBatch};

/// Faults happen until then; what follows is for getting well.
pub(super) const QUIET_FROM: u64 = 12_000;
/// Nobody sends anything new from then on.
pub(super) const SILENT_FROM: u64 = QUIET_FROM + 10_000;
const TICK: u64 = 10;

pub(super) enum Event {
    Tick(usize),
    Start(usize),
    End(usize, i64),
    Reach(usize, i64, Call),
    Commit(usize, i64, u64),
    Node(usize, i64, Input),
    Told { socket: u64, told: Told },
    Client(usize),
    Barrage,
    Fault,
}

/// What a node handles.
pub(super) enum Input {
    Answer(Answer),
    Batch(Batch),
    Lossy(LossyBatch),
    Request(u64, Request),
    Disconnected(u64),
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) random: Random,
    pub(super) database: Database,
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) clients: Vec<Client>,
    pub(super) faults: Faults,
    defect: Option<Defect>,
    frames: Vec<Frame>,
    marked: Vec<u64>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    next_event: u64,
    /// Which client has a socket to whom.
    pub(super) sockets: BTreeMap<u64, (usize, usize, i64)>,
    pub(super) next_socket: u64,
    /// Until when the database does not answer a place.
    stalled: [u64; PLACES],
    /// What came to a process while it was paused.
    backlogs: [Vec<(i64, Input)>; PLACES],
    /// When what was asked last by the writer, and by the control connection, reaches the database.
    reaches: [[u64; 2]; PLACES],
}

impl World {
    pub(super) fn new(seed: u64, defect: Option<Defect>) -> Self {
        let clients = (0..USERS + 2).map(|n| Client::new(n % USERS, u8::from(n == USERS), n)).collect();
        let mut world = Self {
            now: 0,
            random: Random::new(seed),
            database: Database::new(CONVERSATIONS, defect),
            nodes: (0..PLACES).map(|_| None).collect(),
            clients,
            faults: Faults::default(),
            defect,
            frames: Vec::new(),
            marked: vec![0; usize::from(SHARDS)],
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            sockets: BTreeMap::new(),
            next_socket: 1,
            stalled: [0; PLACES],
            backlogs: Default::default(),
            reaches: [[0; 2]; PLACES],
        };
        for place in 0..PLACES {
            let at = world.random.below(500);
            world.at(at, Event::Start(place));
            world.at(at, Event::Tick(place));
        }
        (0..world.clients.len()).for_each(|client| world.at(500, Event::Client(client)));
        world.at(800, Event::Barrage);
        world.at(1000, Event::Fault);
        world
    }

    pub(super) fn at(&mut self, time: u64, event: Event) {
        self.queue.push(Reverse((time, self.next_event)));
        self.events.insert(self.next_event, event);
        self.next_event += 1;
    }

    pub(super) fn soon(&mut self, least: u64, greatest: u64, event: Event) {
        let time = self.now + self.random.between(least, greatest);
        self.at(time, event);
    }

    pub(super) fn run_until(&mut self, end: u64) {
        while let Some(Reverse((time, number))) = self.queue.peek().copied() {
            if time > end {
                break;
            }
            self.queue.pop();
            self.now = time;
            if let Some(event) = self.events.remove(&number) {
                self.play(event);
            }
        }
        self.now = end;
    }

    fn play(&mut self, event: Event) {
        match event {
            Event::Tick(place) => {
                if self.nodes[place].as_ref().is_some_and(|node| node.paused_until <= self.now) {
                    for (boot, input) in std::mem::take(&mut self.backlogs[place]) {
                        if self.nodes[place].as_ref().is_some_and(|node| node.boot == boot) {
                            self.handle(place, input);
                        }
                    }
                    let hears_itself = !self.faults.cut.contains(&place);
                    let now = self.now;
                    self.with(place, |node, env| {
                        if hears_itself {
                            node.bus_at = now;
                        }
                        node.tick(env);
                    });
                }
                self.at(self.now + TICK, Event::Tick(place));
            }
            Event::Start(place) => self.start(place),
            Event::End(place, boot) => self.end(place, boot),
            Event::Reach(place, boot, call) => self.reach(place, boot, call),
            Event::Commit(place, boot, transaction) => self.commit(place, boot, transaction),
            Event::Node(place, boot, input) => self.input(place, boot, input),
            Event::Told { socket, told } => self.tell(socket, told),
            Event::Client(client) => self.client(client),
            Event::Barrage => {
                let place = self.random.index(PLACES);
                for _ in 0..self.random.below(5) {
                    self.say(place);
                }
                if self.now < SILENT_FROM {
                    self.soon(20, 60, Event::Barrage);
                }
            }
            Event::Fault => self.fault(),
        }
    }

    /// A member at a place says something in the room, if there is one.
    pub(super) fn say(&mut self, place: usize) {
        if self.nodes[place].as_ref().is_some_and(|node| node.members() > 0 && node.paused_until <= self.now) {
            self.with(place, |node, env| node.say(env));
        }
    }

    fn start(&mut self, place: usize) {
        if self.nodes[place].is_none() {
            let registered = self.database.register(&format!("node-{place}"));
            let offset = i64::try_from(self.random.below(10_000)).unwrap() - 5000;
            self.nodes[place] = Some(Node::new(place, registered, offset, self.now, self.defect));
        }
    }

    /// Lets a node handle something, and does what comes of it.
    pub(super) fn with(&mut self, place: usize, action: impl FnOnce(&mut Node, &mut Env<'_>)) {
        let Some(mut node) = self.nodes[place].take() else { return };
        let Self { frames, marked, now, .. } = self;
        let mut env = Env { now: *now, frames, marked, out: Vec::new() };
        action(&mut node, &mut env);
        let (out, boot) = (env.out, node.boot);
        self.nodes[place] = Some(node);
        for effect in out {
            match effect {
                Effect::Ask(call) => self.ask(place, boot, call),
                Effect::Tell { socket, told } => self.at(self.now + 1, Event::Told { socket, told }),
                Effect::Send(batch) => {
                    for (after, to) in self.arrivals(place, batch.to) {
                        self.at(self.now + after, Event::Node(to, batch.to, Input::Batch(batch.clone())));
                    }
                }
                Effect::SendLossy(batch) => {
                    for (after, to) in self.arrivals(place, batch.to) {
                        self.at(self.now + after, Event::Node(to, batch.to, Input::Lossy(batch.clone())));
                    }
                }
                Effect::Dead => self.end(place, boot),
            }
        }
    }

    fn arrivals(&mut self, from: usize, boot: i64) -> Vec<(u64, usize)> {
        let to = self.nodes.iter().flatten().find(|node| node.boot == boot).map(|node| node.place);
        let Some(to) = to else { return Vec::new() };
        self.faults.arrivals(from, to, &mut self.random).into_iter().map(|after| (after, to)).collect()
    }

    /// A process ends, by itself or not; its sockets are closed, which is heard sooner or later; another begins.
    fn end(&mut self, place: usize, boot: i64) {
        if self.nodes[place].take_if(|node| node.boot == boot).is_some() {
            let of = |(_, (_, _, at)): &(&u64, &(usize, usize, i64))| *at == boot;
            let sockets: Vec<u64> = self.sockets.iter().filter(of).map(|(socket, _)| *socket).collect();
            for socket in sockets {
                self.soon(1, 1500, Event::Told { socket, told: Told::Closed { is_displaced: false } });
            }
            self.backlogs[place].clear();
            self.soon(100, 2500, Event::Start(place));
        }
    }

    fn input(&mut self, place: usize, boot: i64, input: Input) {
        let Some(node) = self.nodes[place].as_ref().filter(|node| node.boot == boot) else { return };
        if node.paused_until > self.now || !self.backlogs[place].is_empty() {
            self.backlogs[place].push((boot, input));
        } else {
            self.handle(place, input);
        }
    }

    fn handle(&mut self, place: usize, input: Input) {
        self.with(place, |node, env| match input {
            Input::Answer(answer) => node.answer(answer, env),
            Input::Batch(batch) => node.arrive(batch, env),
            Input::Lossy(batch) => node.arrive_lossy(batch, env),
            Input::Request(socket, request) => node.request(socket, request, env),
            Input::Disconnected(socket) => node.disconnected(socket, env),
        });
    }

    /// Sends a question on its way: those of one connection stay in order.
    fn ask(&mut self, place: usize, boot: i64, call: Call) {
        let mut time = (self.now + self.random.between(1, 3)).max(self.stalled[place]);
        if matches!(call, Call::After { .. } | Call::Missed { .. }) && self.now < QUIET_FROM && self.random.chance(200) {
            // Page by page.
            time += self.random.below(2000);
        }
        let connection = match call {
            Call::Append(_) | Call::Heads(_) => Some(0),
            Call::After { .. } | Call::Missed { .. } => None,
            _ => Some(1),
        };
        if let Some(connection) = connection {
            time = time.max(self.reaches[place][connection]);
            self.reaches[place][connection] = time;
        }
        self.at(time, Event::Reach(place, boot, call));
    }

    fn done(&mut self, place: usize, boot: i64, answer: Answer) {
        let mut time = (self.now + self.random.between(1, 3)).max(self.stalled[place]);
        if matches!(answer, Answer::After { .. } | Answer::Missed { .. }) && self.now < QUIET_FROM && self.random.chance(200) {
            time += self.random.below(2000);
        }
        self.at(time, Event::Node(place, boot, Input::Answer(answer)));
    }

    fn reach(&mut self, place: usize, boot: i64, call: Call) {
        let answer = match call {
            Call::Beat { delivered, mark_max } => Answer::Beat { holds_slot: self.database.beat(boot, delivered, mark_max), mark_max },
            Call::View => Answer::View(self.database.view()),
            Call::Append(messages) => match self.database.begin(boot, messages) {
                None => Answer::Fenced,
                Some(transaction) => {
                    // A COMMIT may wait for a replica, longer than any statement may take.
                    let takes = if self.now < QUIET_FROM && self.random.chance(15) { 6000 } else { 4 };
                    return self.soon(1, takes, Event::Commit(place, boot, transaction));
                }
            },
            Call::Claim { shards, dead, last } => {
                let random = &mut self.random;
                let taken = self.database.claim(boot, last, &shards, &dead, || random.chance(500));
                let of: Vec<u16> = taken.iter().flatten().map(|one| one.shard).collect();
                Answer::Claimed(taken, self.database.heads(&of))
            }
            Call::Release { shards, last, delivered } => {
                if self.database.is_locked(boot, &shards) {
                    let again = Call::Release { shards, last, delivered };
                    return self.soon(1, 2, Event::Reach(place, boot, again));
                }
                self.database.release(boot, &shards, last, &delivered);
                Answer::Released(shards)
            }
            Call::Drain(draining) => {
                self.database.drain(boot, draining);
                Answer::Done
            }
            Call::After { stamps, targets } => {
                let messages = self.database.after(|conversation| stamps.get(&shard_of(conversation)).copied());
                Answer::After { stamps, targets, messages }
            }
            Call::Missed { connection, user, after } => {
                let messages = self.database.after(|conversation| is_member(conversation, user).then_some(after));
                Answer::Missed { connection, messages }
            }
            Call::Heads(shards) => Answer::Heads(self.database.heads(&shards)),
        };
        self.look_at_shown();
        self.done(place, boot, answer);
    }

    fn commit(&mut self, place: usize, boot: i64, transaction: u64) {
        let is_cut = self.now < QUIET_FROM && self.random.chance(10);
        if is_cut && self.random.chance(500) {
            self.database.abort(transaction);
        }
        let is_committed = self.database.commit(transaction);
        self.look_at_shown();
        self.done(place, boot, if is_committed && !is_cut { Answer::Appended } else { Answer::Unknown });
    }

    /// The rule of all cursors.
    fn look_at_shown(&mut self) {
        for message in std::mem::take(&mut self.database.shown) {
            let marked = self.marked[usize::from(shard_of(message.conversation))];
            assert!(message.stamp > marked, "{message:?} becomes visible behind a mark at {marked}, at {} ms", self.now);
        }
    }

    fn fault(&mut self) {
        if self.now >= QUIET_FROM {
            self.faults = Faults::default();
            self.stalled = [0; PLACES];
            return;
        }
        let place = self.random.index(PLACES);
        let boot = self.nodes[place].as_ref().map_or(0, |node| node.boot);
        match self.random.below(10) {
            0 => self.end(place, boot),
            1 | 2 => {
                let until = self.now + self.random.between(50, 6000);
                self.nodes[place].iter_mut().for_each(|node| node.paused_until = node.paused_until.max(until));
            }
            3 => self.stalled[place] = self.now + self.random.between(100, 5000),
            4 => self.stalled = [self.now + self.random.between(100, 5000); PLACES],
            5 | 6 => self.faults.worsen(&mut self.random),
            7 => self.faults = Faults::default(),
            8 => {
                let offset = i64::try_from(self.random.below(10_000)).unwrap() - 5000;
                self.nodes[place].iter_mut().for_each(|node| node.offset = offset);
            }
            // A planned stop: it gives its shards away first.
            _ => {
                self.database.drain(boot, true);
                self.soon(300, 4000, Event::End(place, boot));
            }
        }
        let next = (self.now + self.random.between(100, 1500)).min(QUIET_FROM);
        self.at(next, Event::Fault);
    }
}
