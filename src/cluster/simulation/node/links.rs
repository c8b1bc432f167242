//! Its links: what comes by them, and what goes.

use std::time::Duration;

use bytes::Bytes;

use super::{BTreeMap, BTreeSet, Batch, Call, Defect, Effect, Env, Frame, Link, LossyBatch, LossyReceiver, LossySender, Node, PeerState};
use super::{Session, VecDeque};
use crate::cluster::link::LinkLimits;
use crate::cluster::simulation::limits;

impl Node {
    fn limits(&self) -> LinkLimits {
        let ring_bytes_max = if self.defect == Some(Defect::RingTooShort) { 700 } else { limits().ring_bytes_max };
        LinkLimits { ring_bytes_max, ..limits() }
    }

    /// Opens links to all who hold a slot.
    pub(super) fn set_peers(&mut self, env: &mut Env<'_>) {
        let holders = self.view.nodes.iter().filter(|node| node.slot.is_some() && node.boot != self.boot);
        let holders: BTreeSet<i64> = holders.map(|node| node.boot).collect();
        let gone: Vec<i64> = self.peers.keys().filter(|boot| !holders.contains(boot)).copied().collect();
        for boot in gone {
            self.peers.remove(&boot);
            self.room.counts.remove(&boot);
            self.heard_of_login(boot, None, env);
        }
        for boot in holders {
            if self.peers.contains_key(&boot) {
                continue;
            }
            self.openings += 1;
            let (opening, limits) = (self.openings, self.limits());
            let peer = PeerState {
                link: Link::new(self.boot, boot, opening, limits, Duration::from_millis(env.now)),
                lossy: LossySender::new(self.boot, boot, opening, limits),
                lossy_in: LossyReceiver::default(),
                ready: false,
                presence: BTreeMap::new(),
                vouched: BTreeSet::new(),
                marks: VecDeque::new(),
                delivered: 0,
            };
            self.peers.insert(boot, peer);
            self.hello(boot, env);
        }
    }

    fn hello(&mut self, to: i64, env: &mut Env<'_>) {
        let sessions = self.sessions.iter().map(|(connection, own)| (*connection, own.session)).collect();
        self.send(to, Frame::Hello { sessions, marks: self.marks.clone() }, env);
        self.room.told = None;
        self.room.told_shares.remove(&to);
    }

    pub(super) fn send(&mut self, to: i64, frame: Frame, env: &mut Env<'_>) -> Option<u64> {
        let peer = self.peers.get_mut(&to)?;
        Some(peer.link.push(payload(frame, env)))
    }

    pub(super) fn send_all(&mut self, frame: &Frame, env: &mut Env<'_>) {
        for boot in self.peers.keys().copied().collect::<Vec<_>>() {
            self.send(boot, frame.clone(), env);
        }
    }

    pub(in crate::cluster::simulation) fn send_lossy(&mut self, to: i64, is_copy: bool, env: &mut Env<'_>) -> bool {
        self.peers.get_mut(&to).is_some_and(|peer| peer.lossy.push(payload(Frame::Barrage { is_copy }, env)))
    }

    /// Puts on the bus what waits for it.
    pub(super) fn pump(&mut self, env: &mut Env<'_>) {
        let now = Duration::from_millis(env.now);
        for peer in self.peers.values_mut() {
            while let Some(batch) = peer.link.outgoing(now) {
                env.out.push(Effect::Send(batch));
            }
            while let Some(batch) = peer.lossy.outgoing() {
                env.out.push(Effect::SendLossy(batch));
            }
        }
    }

    pub(in crate::cluster::simulation) fn arrive(&mut self, batch: Batch, env: &mut Env<'_>) {
        let from = batch.from;
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let received = peer.link.receive(batch, Duration::from_millis(env.now));
        if received.lost && self.defect != Some(Defect::RingTooShort) {
            self.close_all(env);
            self.send(from, Frame::Again, env);
            self.room.told = None;
        }
        for payload in received.payloads {
            let frame = env.frames[index(&payload)].clone();
            self.hear(from, frame, env);
        }
    }

    pub(in crate::cluster::simulation) fn arrive_lossy(&mut self, batch: LossyBatch, env: &mut Env<'_>) {
        let from = batch.from;
        let Some(peer) = self.peers.get_mut(&from) else { return };
        for payload in peer.lossy_in.receive(batch) {
            match env.frames[index(&payload)] {
                Frame::Barrage { is_copy: true } => self.room.ledger.copies_heard += 1,
                _ => self.hear_barrage(env),
            }
        }
    }

    fn hear(&mut self, from: i64, frame: Frame, env: &mut Env<'_>) {
        match frame {
            Frame::Hello { sessions, marks } => self.hear_hello(from, sessions, &marks, env),
            Frame::Again => self.hello(from, env),
            Frame::Login { connection, user, device } => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.presence.insert(connection, Session { user, device, is_live: false });
                }
                self.newest_connection = self.newest_connection.max(connection);
                self.send(from, Frame::Known { connection }, env);
            }
            Frame::Known { connection } => self.heard_of_login(from, Some(connection), env),
            Frame::Live { connection } => {
                let peer = self.peers.get_mut(&from);
                if let Some(session) = peer.and_then(|peer| peer.presence.get_mut(&connection)) {
                    session.is_live = true;
                    let user = session.user;
                    self.displace(user, env);
                }
            }
            Frame::Gone { connection } => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.presence.remove(&connection);
                }
            }
            Frame::Publish { connection, identity } => self.publish(identity, super::Sender::At(from, connection), env),
            Frame::Stored { connection, identity, seq } => self.tell_stored(connection, identity, seq, env),
            Frame::Deliver(message) => self.deliver_here(message, env),
            Frame::Mark { stamp, shards } => self.take_mark(&shards, stamp, env),
            Frame::Count(members) => self.count(from, members),
            Frame::Share(share) => self.take_share(from, share),
            Frame::Barrage { .. } => {}
        }
    }

    fn hear_hello(&mut self, from: i64, sessions: Vec<(u64, Session)>, marks: &[Option<u64>], env: &mut Env<'_>) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let was_ready = std::mem::replace(&mut peer.ready, true);
        peer.presence = sessions.into_iter().collect();
        let newest = peer.presence.keys().copied().max().unwrap_or(0);
        let users: BTreeSet<usize> = peer.presence.values().map(|session| session.user).collect();
        self.newest_connection = self.newest_connection.max(newest);
        users.into_iter().for_each(|user| self.displace(user, env));
        if self.defect == Some(Defect::HelloNotAwaited) {
            self.peers.get_mut(&from).into_iter().for_each(|peer| peer.vouched.extend(self.shards.keys()));
        } else if !was_ready && !self.shards.is_empty() {
            // Without a mark it has no session either that could miss something.
            let stamps = self.shards.keys().map(|shard| (*shard, marks[usize::from(*shard)].unwrap_or(u64::MAX))).collect();
            env.out.push(Effect::Ask(Call::After { stamps, targets: vec![Some(from)] }));
        }
    }
}

fn payload(frame: Frame, env: &mut Env<'_>) -> Bytes {
    env.frames.push(frame);
    let mut payload = vec![0; 40];
    payload[..4].copy_from_slice(&u32::try_from(env.frames.len() - 1).unwrap().to_be_bytes());
    Bytes::from(payload)
}

fn index(payload: &[u8]) -> usize {
    u32::from_be_bytes(payload[..4].try_into().unwrap()) as usize
}
