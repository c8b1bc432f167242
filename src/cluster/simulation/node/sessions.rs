//! Its sessions: logins told to all, one rule for who has to go, cursors.

use super::{Call, Defect, Effect, Env, Frame, Identity, Message, Node, Own, Request, Sender, Session, Stage, Told};
use crate::cluster::simulation::{DEVICES_MAX, is_member};

impl Node {
    pub(in crate::cluster::simulation) fn request(&mut self, socket: u64, request: Request, env: &mut Env<'_>) {
        match request {
            Request::Login { user, device, cursor } => self.login(socket, Session { user, device, is_live: false }, cursor, env),
            Request::Send { conversation, local } => {
                let Some((connection, user)) = self.by_socket(socket) else { return };
                self.route((conversation, user, local), connection, env);
            }
        }
    }

    fn by_socket(&self, socket: u64) -> Option<(u64, usize)> {
        self.sessions.iter().find(|(_, own)| own.socket == socket).map(|(connection, own)| (*connection, own.session.user))
    }

    fn route(&mut self, identity: Identity, connection: u64, env: &mut Env<'_>) {
        match self.owner_of(identity.0) {
            Some(owner) if owner == self.boot => self.publish(identity, Sender::Here(connection), env),
            Some(owner) => _ = self.send(owner, Frame::Publish { connection, identity }, env),
            None => self.tell_stored(connection, identity, None, env),
        }
    }

    fn login(&mut self, socket: u64, session: Session, cursor: u64, env: &mut Env<'_>) {
        let knows_all = self.cursor().is_some() && self.peers.values().all(|peer| peer.ready);
        if !knows_all || self.is_draining {
            env.out.push(Effect::Tell { socket, told: Told::Closed { is_displaced: false } });
            return;
        }
        let connection = self.next_connection(env.now);
        let waits = self.peers.keys().copied().collect();
        let own = Own { session, socket, stage: Stage::Waits, waits, cursor, early: Vec::new() };
        self.sessions.insert(connection, own);
        self.send_all(&Frame::Login { connection, user: session.user, device: session.device }, env);
        self.go_on(connection, env);
    }

    /// Its clock's time and its slot, but above every number it knows.
    fn next_connection(&mut self, now: u64) -> u64 {
        let own = self.newest_own;
        let known = if self.defect == Some(Defect::ConnectionByClock) { own } else { own.max(self.newest_connection) };
        let time = (self.clock(now) >> 11).max((known >> 10) + 1);
        self.newest_own = time << 10 | u64::from(self.slot);
        self.newest_own
    }

    /// Notes that a node knows of a login, or that it is gone and needs not.
    pub(super) fn heard_of_login(&mut self, from: i64, connection: Option<u64>, env: &mut Env<'_>) {
        let of = self.sessions.keys().copied().filter(|one| connection.is_none_or(|connection| connection == *one));
        for connection in of.collect::<Vec<_>>() {
            if let Some(own) = self.sessions.get_mut(&connection) {
                own.waits.remove(&from);
            }
            self.go_on(connection, env);
        }
    }

    fn go_on(&mut self, connection: u64, env: &mut Env<'_>) {
        let Some(own) = self.sessions.get_mut(&connection) else { return };
        if own.waits.is_empty() && own.stage == Stage::Waits {
            own.stage = Stage::Reads;
            env.out.push(Effect::Ask(Call::Missed { connection, user: own.session.user, after: own.cursor }));
        }
    }

    pub(super) fn go_live(&mut self, connection: u64, missed: &[Message], env: &mut Env<'_>) {
        let Some(own) = self.sessions.get_mut(&connection) else { return };
        own.stage = Stage::Live;
        own.session.is_live = true;
        let user = own.session.user;
        let early = std::mem::take(&mut own.early);
        let told = std::iter::once(Told::LoggedIn).chain(missed.iter().chain(&early).map(|message| Told::Message(*message)));
        env.out.extend(told.map(|told| Effect::Tell { socket: own.socket, told }));
        self.send_all(&Frame::Live { connection }, env);
        self.displace(user, env);
    }

    /// Gives a message to the sessions that read it.
    pub(super) fn deliver_here(&mut self, message: Message, env: &mut Env<'_>) {
        for own in self.sessions.values_mut().filter(|own| is_member(message.conversation, own.session.user)) {
            if own.stage == Stage::Live {
                env.out.push(Effect::Tell { socket: own.socket, told: Told::Message(message) });
            } else {
                own.early.push(message);
            }
        }
    }

    pub(super) fn take_mark(&mut self, shards: &[u16], stamp: u64, env: &mut Env<'_>) {
        for shard in shards.iter().map(|shard| usize::from(*shard)) {
            self.marks[shard] = self.marks[shard].max(Some(stamp));
            env.marked[shard] = env.marked[shard].max(stamp);
        }
    }

    pub(super) fn tell_cursors(&mut self, env: &mut Env<'_>) {
        let Some(cursor) = self.cursor() else { return };
        for own in self.sessions.values_mut().filter(|own| own.stage == Stage::Live && own.cursor < cursor) {
            own.cursor = cursor;
            env.out.push(Effect::Tell { socket: own.socket, told: Told::Cursor(cursor) });
        }
    }

    /// Puts out those of its own sessions of a user that have to go: by the same rule as everybody else.
    pub(super) fn displace(&mut self, user: usize, env: &mut Env<'_>) {
        let elsewhere = self.peers.values().flat_map(|peer| peer.presence.iter().map(|(connection, session)| (*connection, *session)));
        let here = self.sessions.iter().map(|(connection, own)| (*connection, own.session));
        let elsewhere = elsewhere.filter(|_| self.defect != Some(Defect::SeatNotDisplaced));
        let all = here.chain(elsewhere).filter(|(_, session)| session.user == user).collect();
        for connection in displaced(all) {
            self.close(connection, true, env);
        }
    }

    pub(in crate::cluster::simulation) fn disconnected(&mut self, socket: u64, env: &mut Env<'_>) {
        if let Some((connection, _)) = self.by_socket(socket) {
            self.close(connection, false, env);
        }
    }

    fn close(&mut self, connection: u64, is_displaced: bool, env: &mut Env<'_>) {
        if let Some(own) = self.sessions.remove(&connection) {
            env.out.push(Effect::Tell { socket: own.socket, told: Told::Closed { is_displaced } });
            self.send_all(&Frame::Gone { connection }, env);
        }
    }

    pub(super) fn close_all(&mut self, env: &mut Env<'_>) {
        for connection in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.close(connection, false, env);
        }
    }
}

/// Of one user's sessions those that have to go: all but the newest of a device, and the oldest of too many devices. Those whose login
/// did not go through yet put out none.
pub(in crate::cluster::simulation) fn displaced(mut all: Vec<(u64, Session)>) -> Vec<u64> {
    all.sort_unstable_by_key(|(connection, _)| std::cmp::Reverse(*connection));
    let mut kept: Vec<u8> = Vec::new();
    let mut gone = Vec::new();
    for (connection, session) in all {
        if kept.contains(&session.device) || kept.len() >= DEVICES_MAX {
            gone.push(connection);
        } else if session.is_live {
            kept.push(session.device);
        }
    }
    gone
}
