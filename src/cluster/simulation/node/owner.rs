//! As an owner: publishing, marks, claims, letting go.

use super::{BTreeMap, Call, Defect, Effect, Env, Frame, Heads, Identity, Message, Node, Sender, Taken, Told, shard_of};
use crate::cluster::simulation::is_member;

impl Node {
    /// Takes a message to store, or says that it does not.
    pub(super) fn publish(&mut self, identity: Identity, sender: Sender, env: &mut Env<'_>) {
        let (conversation, user, local) = identity;
        let shard = shard_of(conversation);
        let is_late = self.defect == Some(Defect::LateRelease) && self.releasing.contains(&shard);
        if !self.owns(shard) || (self.releasing.contains(&shard) && !is_late) || self.is_unknown {
            self.reply(sender, identity, None, env);
        } else if let Some(seq) = self.heads.known.get(&identity).copied() {
            self.reply(sender, identity, Some(seq), env);
        } else if let Some(waiting) = self.waiting.get_mut(&identity) {
            waiting.push(sender);
        } else {
            let seq = self.heads.seqs.entry(conversation).or_insert(0);
            *seq += 1;
            let seq = *seq;
            self.last = (self.last + 1).max(self.clock(env.now));
            self.queue.push(Message { stamp: self.last, conversation, seq, sender: user, local });
            self.waiting.insert(identity, vec![sender]);
            if is_late {
                self.reply(sender, identity, Some(seq), env);
            }
            self.flush(env);
        }
    }

    fn flush(&mut self, env: &mut Env<'_>) {
        if self.in_flight.is_empty() && !self.queue.is_empty() && !self.is_unknown {
            self.in_flight = std::mem::take(&mut self.queue);
            env.out.push(Effect::Ask(Call::Append(self.in_flight.clone())));
        }
    }

    pub(super) fn appended(&mut self, env: &mut Env<'_>) {
        for message in std::mem::take(&mut self.in_flight) {
            self.complete(message, env);
        }
        self.flush(env);
    }

    fn complete(&mut self, message: Message, env: &mut Env<'_>) {
        let identity = message.identity();
        self.heads.known.insert(identity, message.seq);
        self.deliver(message, env);
        for sender in self.waiting.remove(&identity).unwrap_or_default() {
            self.reply(sender, identity, Some(message.seq), env);
        }
    }

    /// Learns what became of a COMMIT that nobody answered. Nothing is said of what is not there: its sender tries again.
    pub(super) fn settle(&mut self, heads: Heads, env: &mut Env<'_>) {
        self.is_unknown = false;
        self.heads = heads;
        for message in std::mem::take(&mut self.in_flight) {
            if self.heads.known.contains_key(&message.identity()) {
                self.complete(message, env);
            }
        }
        self.queue.clear();
        self.waiting.clear();
    }

    fn reply(&mut self, sender: Sender, identity: Identity, seq: Option<u64>, env: &mut Env<'_>) {
        match sender {
            Sender::Here(connection) => self.tell_stored(connection, identity, seq, env),
            Sender::At(boot, connection) => _ = self.send(boot, Frame::Stored { connection, identity, seq }, env),
        }
    }

    pub(super) fn tell_stored(&mut self, connection: u64, (conversation, _, local): Identity, seq: Option<u64>, env: &mut Env<'_>) {
        let Some(own) = self.sessions.get(&connection) else { return };
        let told = seq.map_or(Told::Refused, |seq| Told::Stored { conversation, local, seq });
        env.out.push(Effect::Tell { socket: own.socket, told });
    }

    /// Puts a message on the links to all nodes that have sessions which read it.
    fn deliver(&mut self, message: Message, env: &mut Env<'_>) {
        let reads = |user: usize| is_member(message.conversation, user);
        let has_reader = |boot: &i64| self.peers[boot].presence.values().any(|session| reads(session.user));
        let shard = shard_of(message.conversation);
        for boot in self.peers.keys().copied().filter(has_reader).collect::<Vec<_>>() {
            if self.peers[&boot].vouched.contains(&shard) || self.defect == Some(Defect::NotHeld) {
                self.send(boot, Frame::Deliver(message), env);
            } else {
                self.held.push((Some(boot), message));
            }
        }
        if self.vouched.contains(&shard) || self.defect == Some(Defect::NotHeld) {
            self.deliver_here(message, env);
        } else {
            self.held.push((None, message));
        }
    }

    fn deliver_to(&mut self, target: Option<i64>, message: Message, env: &mut Env<'_>) {
        match target {
            Some(boot) => _ = self.send(boot, Frame::Deliver(message), env),
            None => self.deliver_here(message, env),
        }
    }

    /// Delivers what a node may miss of a shard; from then on it is vouched for.
    pub(super) fn deliver_again(&mut self, stamps: &BTreeMap<u16, u64>, targets: &[Option<i64>], messages: &[Message], env: &mut Env<'_>) {
        let shards: Vec<u16> = stamps.keys().copied().filter(|shard| self.owns(*shard)).collect();
        for target in targets {
            // What was stored meanwhile comes after it.
            let is_next = |(to, message): &mut (Option<i64>, Message)| to == target && shards.contains(&shard_of(message.conversation));
            let held: Vec<Message> = self.held.extract_if(.., is_next).map(|(_, message)| message).collect();
            for message in messages.iter().chain(&held) {
                self.deliver_to(*target, *message, env);
            }
            match target {
                Some(boot) => self.peers.get_mut(boot).into_iter().for_each(|peer| peer.vouched.extend(&shards)),
                None => self.vouched.extend(&shards),
            }
        }
    }

    /// A stamp up to which everything is committed and put on the links, and no more is made.
    fn safe(&mut self, now: u64) -> u64 {
        if let Some(first) = self.in_flight.iter().chain(&self.queue).map(|message| message.stamp).min() {
            return (first - 1).min(self.mark_max);
        }
        self.last = self.last.max(self.clock(now).min(self.mark_max));
        self.last.min(self.mark_max)
    }

    /// Says how far it is: to itself, to all others, and what of it was heard.
    pub(super) fn mark(&mut self, env: &mut Env<'_>) {
        let stamp = self.safe(env.now);
        let owned: Vec<u16> = self.shards.keys().copied().filter(|shard| !self.releasing.contains(shard)).collect();
        let here: Vec<u16> = owned.iter().copied().filter(|shard| self.vouched.contains(shard)).collect();
        let mut is_whole = here.len() == self.shards.len() && !self.is_claiming && !owned.is_empty();
        self.take_mark(&here, stamp, env);
        let mut delivered = stamp;
        for boot in self.peers.keys().copied().collect::<Vec<_>>() {
            let vouched = &self.peers[&boot].vouched;
            let shards: Vec<u16> = owned.iter().copied().filter(|shard| vouched.contains(shard)).collect();
            let is_all = is_whole && self.shards.keys().all(|shard| vouched.contains(shard));
            let number = if shards.is_empty() { None } else { self.send(boot, Frame::Mark { stamp, shards }, env) };
            let Some(peer) = self.peers.get_mut(&boot) else { continue };
            if let (Some(number), true) = (number, is_all) {
                peer.marks.push_back((number, stamp));
            }
            while peer.marks.front().is_some_and(|(number, _)| *number <= peer.link.acked()) {
                peer.delivered = peer.marks.pop_front().map_or(peer.delivered, |(_, stamp)| stamp);
            }
            is_whole &= is_all;
            delivered = delivered.min(peer.delivered);
        }
        if is_whole {
            self.noted = self.noted.max(delivered);
        }
    }

    pub(super) fn claimed(&mut self, taken: Option<Vec<Taken>>, heads: Heads, env: &mut Env<'_>) {
        self.is_claiming = false;
        let Some(taken) = taken else {
            env.out.push(Effect::Dead);
            return;
        };
        if taken.is_empty() {
            return;
        }
        self.heads.seqs.extend(heads.seqs);
        self.heads.known.extend(heads.known);
        for one in &taken {
            self.last = self.last.max(one.floor);
            self.shards.insert(one.shard, *one);
            if self.defect == Some(Defect::HeirVouchesEarly) {
                self.vouched.insert(one.shard);
                self.peers.values_mut().filter(|peer| peer.ready).for_each(|peer| _ = peer.vouched.insert(one.shard));
            }
        }
        if self.defect != Some(Defect::HeirVouchesEarly) {
            let stamps = taken.iter().map(|one| (one.shard, one.delivered)).collect();
            let ready = self.peers.iter().filter(|(_, peer)| peer.ready).map(|(boot, _)| Some(*boot));
            let targets = std::iter::once(None).chain(ready).collect();
            env.out.push(Effect::Ask(Call::After { stamps, targets }));
        }
    }

    /// From here on nothing is taken for these shards.
    pub(super) fn begin_release(&mut self, shards: &[u16], env: &mut Env<'_>) {
        let new: Vec<u16> = shards.iter().copied().filter(|shard| self.owns(*shard) && self.releasing.insert(*shard)).collect();
        if self.defect == Some(Defect::LateRelease) && !new.is_empty() {
            self.let_go(new, env);
        }
    }

    /// Lets go of what nothing is under way for any more.
    pub(super) fn release(&mut self, env: &mut Env<'_>) {
        if self.releasing.is_empty() || self.is_unknown || self.defect == Some(Defect::LateRelease) {
            return;
        }
        let busy = |shard: u16| self.in_flight.iter().chain(&self.queue).any(|message| shard_of(message.conversation) == shard);
        let free: Vec<u16> = self.releasing.iter().copied().filter(|shard| !busy(*shard) && !self.let_go.contains(shard)).collect();
        if !free.is_empty() {
            self.let_go(free, env);
        }
    }

    fn let_go(&mut self, shards: Vec<u16>, env: &mut Env<'_>) {
        let delivered = |shard: &u16| {
            let taken = self.shards[shard];
            if self.noted > taken.floor { self.noted } else { taken.delivered }
        };
        let delivered = shards.iter().map(delivered).collect();
        self.let_go.extend(&shards);
        env.out.push(Effect::Ask(Call::Release { shards, last: self.last, delivered }));
    }
}
