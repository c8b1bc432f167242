//! What must hold when everything is well again.
//!
//! - Each conversation's seqs are gapless, its stamps rise, and no message is in it twice.
//! - What was acknowledged is stored, under the seq that was told.
//! - Every session that lives has been given every stored message of its conversations.
//! - Of one user there are sessions as the rule allows, and no node has one whose client is not there.
//! - Each shard has an owner that lives, and whoever sends is answered.
//! - Each barrage was delivered or counted where it went; a room whose members keep to their shares loses none.
//! - No message became visible behind a mark: [`World`] looks at each.

use std::collections::{BTreeMap, BTreeSet};

use super::client::State;
use super::node::{BUDGET, Session, displaced};
use super::world::{QUIET_FROM, SILENT_FROM, World};
use super::{CONVERSATIONS, Defect, PLACES, USERS, is_member};

/// What happened in a schedule, so that one sees that much did.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) stored: u64,
    pub(super) boots: u64,
    pub(super) claims: u64,
    /// By links that lived to the end.
    pub(super) resent: u64,
    pub(super) losses: u64,
    pub(super) displaced: u64,
    pub(super) shed: u64,
}

impl Tally {
    fn of(world: &World) -> Self {
        let view = world.database.view();
        let displaced = world.clients.iter().filter(|client| matches!(client.state, State::Displaced(_))).count() as u64;
        let stored = world.database.messages.iter().map(|messages| messages.len() as u64).sum();
        let mut tally = Self { stored, boots: view.nodes.len() as u64, claims: view.epochs.iter().sum(), displaced, ..Self::default() };
        for node in world.nodes.iter().flatten() {
            tally.shed += node.room.ledger.shed + node.room.ledger.home_shed;
            for (sent, received) in node.peers.values().map(|peer| peer.link.counts()) {
                tally.resent += sent.resent;
                tally.losses += received.losses;
            }
        }
        tally
    }

    pub(super) fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.boots += other.boots;
        self.claims += other.claims;
        self.resent += other.resent;
        self.losses += other.losses;
        self.displaced += other.displaced;
        self.shed += other.shed;
    }
}

/// Plays a schedule and looks at its end; panics with what is wrong.
pub(super) fn play(seed: u64, defect: Option<Defect>) -> Tally {
    let mut world = World::new(seed, defect);
    world.run_until(SILENT_FROM + 1000);
    rooms_lose_nothing_within_their_shares(&mut world);
    world.run_until(SILENT_FROM + 4500);
    assert!(world.now > QUIET_FROM);
    conversations_are_whole(&world);
    what_was_acknowledged_is_stored(&world);
    sessions_are_as_the_rule_allows(&world);
    readers_have_everything(&world);
    everything_is_owned(&world);
    barrages_are_counted(&mut world);
    Tally::of(&world)
}

fn conversations_are_whole(world: &World) {
    for messages in &world.database.messages {
        let identities: BTreeSet<_> = messages.iter().map(|message| message.identity()).collect();
        assert_eq!(identities.len(), messages.len(), "stored twice: {messages:?}");
        for (n, message) in messages.iter().enumerate() {
            assert_eq!(message.seq, n as u64 + 1, "{messages:?}");
        }
        assert!(messages.windows(2).all(|pair| pair[0].stamp < pair[1].stamp), "stamps do not rise: {messages:?}");
    }
}

fn what_was_acknowledged_is_stored(world: &World) {
    let stored: BTreeMap<_, _> = world.database.messages.iter().flatten().map(|message| (message.identity(), message.seq)).collect();
    for (identity, seq) in world.clients.iter().flat_map(|client| &client.stored) {
        assert_eq!(stored.get(identity), Some(seq), "{identity:?} was acknowledged");
    }
}

fn sessions_are_as_the_rule_allows(world: &World) {
    let all = || world.nodes.iter().flatten().flat_map(|node| &node.sessions);
    for user in 0..USERS {
        let of: Vec<(u64, Session)> = all().filter(|(_, own)| own.session.user == user).map(|(c, own)| (*c, own.session)).collect();
        assert!(displaced(of.clone()).is_empty(), "user {user} has {of:?}");
        assert!(!of.is_empty(), "nobody of user {user} is in: who came last was put out by a session that ended");
    }
    let live = |client: &super::client::Client| match client.state {
        State::Live { socket, .. } => Some(socket),
        State::Away(_) | State::Connecting { .. } | State::Displaced(_) => None,
    };
    let by_clients: BTreeSet<u64> = world.clients.iter().filter_map(live).collect();
    let by_nodes: BTreeSet<u64> = all().map(|(_, own)| own.socket).collect();
    assert_eq!(by_clients, by_nodes, "sockets that clients and nodes know");
}

fn readers_have_everything(world: &World) {
    for (number, client) in world.clients.iter().enumerate() {
        match client.state {
            State::Live { .. } => {}
            State::Displaced(_) => continue,
            State::Away(_) | State::Connecting { .. } => panic!("client {number} does not get in: {:?}", client.state),
        }
        assert!(client.sending.is_none(), "client {number} gets no answer: {:?}", client.sending);
        let reads = (0..CONVERSATIONS).filter(|conversation| is_member(*conversation, client.user));
        for message in reads.flat_map(|conversation| &world.database.messages[conversation]) {
            assert!(client.seen.contains(&message.identity()), "client {number} with cursor {} misses {message:?}", client.cursor);
        }
    }
}

fn everything_is_owned(world: &World) {
    let living: Vec<i64> = world.nodes.iter().flatten().map(|node| node.boot).collect();
    for (shard, owner) in (0..).zip(world.database.view().owners) {
        assert!(owner.is_some_and(|owner| living.contains(&owner)), "shard {shard} is of {owner:?}, there are {living:?}");
        let believers = world.nodes.iter().flatten().filter(|node| node.owns(shard)).count();
        assert_eq!(believers, 1, "who believes to own {shard}");
    }
}

/// Each leaf says what its members' part of the budget is, in one second.
fn rooms_lose_nothing_within_their_shares(world: &mut World) {
    let lost = |world: &World| -> u64 { world.nodes.iter().flatten().map(|node| node.room.ledger.shed + node.room.ledger.home_shed).sum() };
    world.run_until((world.now / 1000 + 1) * 1000);
    let before = lost(world);
    let members = |world: &World, place: usize| world.nodes[place].as_ref().map_or(0, |node| node.members());
    let total: u64 = (0..PLACES).map(|place| members(world, place)).sum();
    for place in 0..PLACES {
        for _ in 0..(BUDGET * members(world, place)).checked_div(total).unwrap_or(0) {
            world.say(place);
        }
    }
    world.run_until(world.now + 500);
    assert_eq!(lost(world), before, "barrages within the budget were dropped");
}

fn barrages_are_counted(world: &mut World) {
    // What was lost last is seen by what comes next.
    for place in 0..PLACES {
        let peers: Vec<i64> = world.nodes[place].iter().flat_map(|node| node.peers.keys().copied()).collect();
        for peer in peers {
            world.with(place, |node, env| assert!(node.send_lossy(peer, true, env)));
        }
    }
    world.run_until(world.now + 100);
    for node in world.nodes.iter().flatten() {
        let ledger = node.room.ledger;
        assert_eq!(ledger.said, ledger.shed + ledger.passed, "{ledger:?}");
        assert_eq!(ledger.home_heard, ledger.home_shed + ledger.home_passed, "{ledger:?}");
        for other in world.nodes.iter().flatten().filter(|other| other.boot != node.boot) {
            let (sender, receiver) = (&node.peers[&other.boot], &other.peers[&node.boot]);
            let counts = receiver.lossy_in.counts(&receiver.lossy);
            assert_eq!(sender.lossy.sent(), counts.received + counts.missing, "{counts:?}");
        }
    }
}
