//! What the clients do, and their sockets.

use super::client::{Request, State, Told};
use super::world::{Event, Input, QUIET_FROM, SILENT_FROM, World};
use super::{CONVERSATIONS, PLACES, is_member};

impl World {
    pub(super) fn tell(&mut self, socket: u64, told: Told) {
        let Some((client, ..)) = self.sockets.get(&socket).copied() else { return };
        if self.clients[client].hear(socket, told, self.now) || matches!(told, Told::Closed { .. }) {
            self.sockets.remove(&socket);
        }
    }

    pub(super) fn client(&mut self, number: usize) {
        let now = self.now;
        match self.clients[number].state {
            State::Away(until) if until <= now => self.connect(number),
            State::Connecting { socket, since, .. } if now > since + 4000 => self.hang_up(number, socket),
            State::Live { socket, .. } => self.act(number, socket),
            State::Displaced(at) if now < QUIET_FROM && now > at + 2000 => self.clients[number].state = State::Away(now),
            State::Away(_) | State::Connecting { .. } | State::Displaced(_) => {}
        }
        self.soon(50, 250, Event::Client(number));
    }

    fn connect(&mut self, number: usize) {
        let place = self.random.index(PLACES);
        let Some(boot) = self.nodes[place].as_ref().map(|node| node.boot) else { return };
        let socket = self.next_socket;
        self.next_socket += 1;
        self.sockets.insert(socket, (number, place, boot));
        let client = &mut self.clients[number];
        client.state = State::Connecting { boot, socket, since: self.now };
        let login = Request::Login { user: client.user, device: client.device, cursor: client.cursor };
        self.at(self.now + 1, Event::Node(place, boot, Input::Request(socket, login)));
    }

    fn hang_up(&mut self, number: usize, socket: u64) {
        if let Some((_, place, boot)) = self.sockets.remove(&socket) {
            self.at(self.now + 1, Event::Node(place, boot, Input::Disconnected(socket)));
        }
        let wait = self.random.below(500);
        self.clients[number].state = State::Away(self.now + wait);
    }

    /// Sends something new, or again, or leaves.
    fn act(&mut self, number: usize, socket: u64) {
        let Some((_, place, boot)) = self.sockets.get(&socket).copied() else { return };
        let now = self.now;
        if now < QUIET_FROM && self.random.chance(15) {
            return self.hang_up(number, socket);
        }
        let client = &mut self.clients[number];
        let (conversation, local) = match client.sending {
            // Whoever does not answer for so long is left.
            Some((_, _, since)) if now > since + 8000 => {
                client.sending = client.sending.map(|(conversation, local, _)| (conversation, local, now));
                return self.hang_up(number, socket);
            }
            Some((conversation, local, _)) if self.random.chance(350) => (conversation, local),
            None if now < SILENT_FROM && self.random.chance(800) => {
                let conversation = self.random.index(CONVERSATIONS);
                if !is_member(conversation, client.user) {
                    return;
                }
                client.next_local += 1;
                client.sending = Some((conversation, client.next_local, now));
                (conversation, client.next_local)
            }
            _ => return,
        };
        self.at(now + 1, Event::Node(place, boot, Input::Request(socket, Request::Send { conversation, local })));
    }
}
