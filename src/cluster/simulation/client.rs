//! A user's program: it connects, sends, reads, resumes by its cursor, and goes elsewhere when nobody answers.

use std::collections::{BTreeMap, BTreeSet};

use super::database::{Identity, Message};

/// What a client tells its node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request {
    Login { user: usize, device: u8, cursor: u64 },
    Send { conversation: usize, local: u64 },
}

/// What a node tells a client.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    LoggedIn,
    Message(Message),
    /// Everything up to this stamp was told.
    Cursor(u64),
    Stored {
        conversation: usize,
        local: u64,
        seq: u64,
    },
    Refused,
    Closed {
        is_displaced: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Until when.
    Away(u64),
    /// To which boot, by which socket, since when without a login.
    Connecting {
        boot: i64,
        socket: u64,
        since: u64,
    },
    Live {
        boot: i64,
        socket: u64,
    },
    /// Another login took its place.
    Displaced(u64),
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) user: usize,
    pub(super) device: u8,
    pub(super) state: State,
    pub(super) cursor: u64,
    pub(super) seen: BTreeSet<Identity>,
    /// The greatest seq of each conversation: what is new comes in order.
    newest: BTreeMap<usize, u64>,
    /// What waits for an answer, and since when.
    pub(super) sending: Option<(usize, u64, u64)>,
    pub(super) next_local: u64,
    pub(super) stored: BTreeMap<Identity, u64>,
}

impl Client {
    pub(super) fn new(user: usize, device: u8, number: usize) -> Self {
        let state = State::Away(0);
        // Two clients of one user never send the same.
        let next_local = number as u64 * 1_000_000;
        Self {
            user,
            device,
            state,
            cursor: 0,
            seen: BTreeSet::new(),
            newest: BTreeMap::new(),
            sending: None,
            next_local,
            stored: BTreeMap::new(),
        }
    }

    /// Hears something by a socket; what comes by an old one is nothing. Returns whether it lost its connection.
    pub(super) fn hear(&mut self, by: u64, told: Told, now: u64) -> bool {
        let (boot, socket) = match self.state {
            State::Connecting { boot, socket, .. } | State::Live { boot, socket } if socket == by => (boot, socket),
            _ => return false,
        };
        match told {
            Told::LoggedIn => self.state = State::Live { boot, socket },
            Told::Message(message) => {
                let newest = self.newest.entry(message.conversation).or_insert(0);
                if self.seen.insert(message.identity()) {
                    assert!(message.seq > *newest, "{message:?} comes first after seq {newest} did");
                    *newest = message.seq;
                }
            }
            Told::Cursor(stamp) => self.cursor = self.cursor.max(stamp),
            Told::Stored { conversation, local, seq } => {
                self.stored.insert((conversation, self.user, local), seq);
                if self.sending.is_some_and(|(_, sending, _)| sending == local) {
                    self.sending = None;
                }
            }
            // It is sent again when its time is over.
            Told::Refused => {}
            Told::Closed { is_displaced } => {
                self.state = if is_displaced { State::Displaced(now) } else { State::Away(now) };
                return true;
            }
        }
        false
    }
}
