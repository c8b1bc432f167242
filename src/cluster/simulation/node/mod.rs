//! A node as the layer above would build it: what it does with views, links, marks, logins. One process; time and answers come in.
//!
//! The rules that this tries. All but the first and the third were broken and found by a schedule; those two need a node that is
//! believed dead, comes back before anybody takes its slot, and owned something meanwhile.
//! - Peers are whoever holds a slot by the database's word, not whom one believes alive: what was delivered to *every* node would
//!   leave out one that comes back.
//! - A link begins with the presence of its node, and its marks. Before that came, its owner vouches to it for nothing; then it reads
//!   what was stored after those marks and delivers it.
//! - A login is answered by every holder of a slot, dead or not, before messages are read: an owner that does not know of the session
//!   would pass its cursor over a message that it did not send it.
//! - Whose frames are lost closes its sessions, and asks for the presence anew.
//! - What is stored while a heir still delivers again waits until it has: else it came before what is older.
//! - The number of a connection is above all that are known: by the clock alone a ghost on a node that is ahead would win. So nobody
//!   logs in before each peer's first frame came, and only a login that went through puts out others: one that was given up did,
//!   and took the place of the next.

mod links;
mod messages;
mod owner;
mod room;
mod sessions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::client::{Request, Told};
use super::database::{Heads, Identity, Message, Taken};
use super::{Defect, SHARDS, shard_of};
use crate::cluster::life::Watch;
use crate::cluster::link::{Batch, Link, LossyBatch, LossyReceiver, LossySender};
use crate::cluster::placement::{Step, steps};
use crate::store::View;

pub(super) use messages::{Answer, Call, Effect, Frame};
pub(super) use room::{BUDGET, Room};
pub(super) use sessions::displaced;

/// As `store::postgres` does; milliseconds.
const POLL: u64 = 250;
const BEAT: u64 = 500;
const LEASE: u64 = 3000;
const MARK: u64 = 50;
/// How far ahead of its clock a beat promises to vouch at most.
const PROMISE: u64 = 1000;
/// For how long a node goes on without the database or the bus.
const CUT_OFF_MAX: u64 = 3000;

/// What a node is given to handle something.
pub(super) struct Env<'a> {
    pub(super) now: u64,
    /// What the payloads of links stand for.
    pub(super) frames: &'a mut Vec<Frame>,
    /// The greatest stamp of each shard up to which any node believes to know everything.
    pub(super) marked: &'a mut Vec<u64>,
    pub(super) out: Vec<Effect>,
}

/// A session, at its own node or as another knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) user: usize,
    pub(super) device: u8,
    /// Whether its login went through: one that does not puts nobody out.
    pub(super) is_live: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Waits,
    Reads,
    Live,
}

/// A session of this node.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) session: Session,
    pub(super) socket: u64,
    pub(super) stage: Stage,
    /// Who has not answered yet.
    waits: BTreeSet<i64>,
    cursor: u64,
    /// What came before it was live.
    early: Vec<Message>,
}

#[derive(Debug)]
pub(super) struct PeerState {
    pub(super) link: Link,
    pub(super) lossy: LossySender,
    pub(super) lossy_in: LossyReceiver,
    /// Whether its presence came.
    ready: bool,
    presence: BTreeMap<u64, Session>,
    /// Shards of which it was sent everything that it may miss.
    vouched: BTreeSet<u16>,
    /// Marks on their way: number of the frame and stamp.
    marks: VecDeque<(u64, u64)>,
    delivered: u64,
}

/// Why a client's message waits: its request at this node, or at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Here(u64),
    At(i64, u64),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: usize,
    pub(super) boot: i64,
    slot: u16,
    defect: Option<Defect>,
    /// How far its wall clock is ahead, ms.
    pub(super) offset: i64,
    pub(super) paused_until: u64,
    view: View,
    dead: BTreeSet<i64>,
    watch: Watch,
    pub(super) peers: BTreeMap<i64, PeerState>,
    openings: u64,
    // As an owner.
    shards: BTreeMap<u16, Taken>,
    releasing: BTreeSet<u16>,
    let_go: BTreeSet<u16>,
    vouched: BTreeSet<u16>,
    is_claiming: bool,
    /// What waits until what is older was delivered again, and to whom it goes.
    held: Vec<(Option<i64>, Message)>,
    last: u64,
    mark_max: u64,
    noted: u64,
    heads: Heads,
    queue: Vec<Message>,
    in_flight: Vec<Message>,
    is_unknown: bool,
    waiting: BTreeMap<Identity, Vec<Sender>>,
    // As a node with sessions.
    marks: Vec<Option<u64>>,
    pub(super) sessions: BTreeMap<u64, Own>,
    /// The greatest number of a connection that it gave, and that it heard of.
    newest_own: u64,
    newest_connection: u64,
    pub(super) room: Room,
    // What is under way, and since when it is well.
    is_viewing: bool,
    is_beating: bool,
    next_view: u64,
    next_beat: u64,
    next_mark: u64,
    beaten_at: u64,
    pub(super) bus_at: u64,
    is_draining: bool,
}

impl Node {
    pub(super) fn new(place: usize, (boot, slot): (i64, u16), offset: i64, now: u64, defect: Option<Defect>) -> Self {
        Self {
            place,
            boot,
            slot,
            defect,
            offset,
            paused_until: 0,
            view: View::default(),
            dead: BTreeSet::new(),
            watch: Watch::default(),
            peers: BTreeMap::new(),
            openings: 0,
            shards: BTreeMap::new(),
            releasing: BTreeSet::new(),
            let_go: BTreeSet::new(),
            vouched: BTreeSet::new(),
            is_claiming: false,
            held: Vec::new(),
            last: 0,
            mark_max: 0,
            noted: 0,
            heads: Heads::default(),
            queue: Vec::new(),
            in_flight: Vec::new(),
            is_unknown: false,
            waiting: BTreeMap::new(),
            marks: vec![None; usize::from(SHARDS)],
            sessions: BTreeMap::new(),
            newest_own: 0,
            newest_connection: 0,
            room: Room::default(),
            is_viewing: false,
            is_beating: false,
            next_view: now,
            next_beat: now,
            next_mark: now,
            beaten_at: now,
            bus_at: now,
            is_draining: false,
        }
    }

    /// What it does by itself, every few milliseconds.
    pub(super) fn tick(&mut self, env: &mut Env<'_>) {
        if env.now >= self.next_beat && !self.is_beating {
            (self.next_beat, self.is_beating) = (env.now + BEAT, true);
            let mark_max = self.last.max(self.clock(env.now)) + (PROMISE << 11);
            let mark_max = if self.defect == Some(Defect::MarkNotWritten) { 0 } else { mark_max };
            env.out.push(Effect::Ask(Call::Beat { delivered: self.noted, mark_max }));
        }
        if env.now >= self.next_view && !self.is_viewing {
            (self.next_view, self.is_viewing) = (env.now + POLL, true);
            env.out.push(Effect::Ask(Call::View));
        }
        if env.now >= self.next_mark {
            self.next_mark = env.now + MARK;
            self.mark(env);
            self.tell_cursors(env);
            self.count_room(env);
        }
        self.mind_cuts(env);
        self.release(env);
        self.pump(env);
    }

    /// Whoever does not reach the database or the bus has nothing to say to its sessions, and should own nothing.
    fn mind_cuts(&mut self, env: &mut Env<'_>) {
        let is_cut = env.now > self.bus_at + CUT_OFF_MAX;
        if is_cut || env.now > self.beaten_at + CUT_OFF_MAX {
            self.close_all(env);
        }
        if is_cut != self.is_draining {
            self.is_draining = is_cut;
            env.out.push(Effect::Ask(Call::Drain(is_cut)));
        }
    }

    pub(super) fn answer(&mut self, answer: Answer, env: &mut Env<'_>) {
        match answer {
            Answer::Beat { holds_slot, mark_max } => {
                self.is_beating = false;
                self.beaten_at = env.now;
                self.mark_max = self.mark_max.max(mark_max);
                if self.defect == Some(Defect::MarkNotWritten) {
                    self.mark_max = u64::MAX;
                }
                if !holds_slot {
                    env.out.push(Effect::Dead);
                }
            }
            Answer::View(view) => self.look(view, env),
            Answer::Appended => self.appended(env),
            Answer::Unknown => {
                self.is_unknown = true;
                env.out.push(Effect::Ask(Call::Heads(self.shards.keys().copied().collect())));
            }
            Answer::Fenced => env.out.push(Effect::Dead),
            Answer::Claimed(taken, heads) => self.claimed(taken, heads, env),
            Answer::Released(shards) => {
                for shard in shards {
                    self.shards.remove(&shard);
                    self.releasing.remove(&shard);
                    self.let_go.remove(&shard);
                    self.vouched.remove(&shard);
                    self.held.retain(|(_, message)| shard_of(message.conversation) != shard);
                    self.peers.values_mut().for_each(|peer| _ = peer.vouched.remove(&shard));
                }
            }
            Answer::Done => {}
            Answer::After { stamps, targets, messages } => self.deliver_again(&stamps, &targets, &messages, env),
            Answer::Missed { connection, messages } => self.go_live(connection, &messages, env),
            Answer::Heads(heads) => self.settle(heads, env),
        }
    }

    fn look(&mut self, view: View, env: &mut Env<'_>) {
        self.is_viewing = false;
        self.dead = self.watch.look(&view.nodes, std::time::Duration::from_millis(env.now), std::time::Duration::from_millis(LEASE));
        self.dead.remove(&self.boot);
        self.view = view;
        if !self.view.nodes.iter().any(|node| node.boot == self.boot && node.slot.is_some()) {
            env.out.push(Effect::Dead);
            return;
        }
        self.set_peers(env);
        for step in steps(&self.view, self.boot, &self.dead) {
            match step {
                Step::Claim { shards, dead } => {
                    if !self.is_claiming && !self.is_draining {
                        self.is_claiming = true;
                        env.out.push(Effect::Ask(Call::Claim { shards, dead, last: self.last }));
                    }
                }
                Step::Release { shards, .. } => self.begin_release(&shards, env),
            }
        }
    }

    /// Stamps follow a clock that may be wrong.
    fn clock(&self, now: u64) -> u64 {
        ((now + 10_000).saturating_add_signed(self.offset)) << 11
    }

    pub(super) fn owns(&self, shard: u16) -> bool {
        self.shards.contains_key(&shard)
    }

    /// Whether it knows everything up to some stamp of every shard: before that no cursor can be said.
    pub(super) fn cursor(&self) -> Option<u64> {
        self.marks.iter().copied().min().flatten()
    }

    fn owner_of(&self, conversation: usize) -> Option<i64> {
        self.view.owners.get(usize::from(shard_of(conversation))).copied().flatten()
    }
}
