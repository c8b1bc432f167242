//! What nodes tell each other, what they ask the database, and what comes of handling either.

use std::collections::BTreeMap;

use super::{Batch, Heads, Identity, LossyBatch, Message, Session, Taken, Told, View};

/// What goes from node to node, in order.
#[derive(Debug, Clone)]
pub(in crate::cluster::simulation) enum Frame {
    Hello {
        sessions: Vec<(u64, Session)>,
        marks: Vec<Option<u64>>,
    },
    /// Frames were lost: say hello again.
    Again,
    Login {
        connection: u64,
        user: usize,
        device: u8,
    },
    Known {
        connection: u64,
    },
    /// A login went through.
    Live {
        connection: u64,
    },
    Gone {
        connection: u64,
    },
    Publish {
        connection: u64,
        identity: Identity,
    },
    Stored {
        connection: u64,
        identity: Identity,
        seq: Option<u64>,
    },
    Deliver(Message),
    Mark {
        stamp: u64,
        shards: Vec<u16>,
    },
    /// How many members of the room are at the sender.
    Count(u64),
    /// What of the room's budget a leaf may pass.
    Share(u64),
    /// By a member; or what the home tells the members.
    Barrage {
        is_copy: bool,
    },
}

/// What a node asks the database.
#[derive(Debug, Clone)]
pub(in crate::cluster::simulation) enum Call {
    Beat {
        delivered: u64,
        mark_max: u64,
    },
    View,
    Append(Vec<Message>),
    Claim {
        shards: Vec<u16>,
        dead: Vec<i64>,
        last: u64,
    },
    Release {
        shards: Vec<u16>,
        last: u64,
        delivered: Vec<u64>,
    },
    Drain(bool),
    /// What was stored in shards after stamps, for these nodes; none: this one.
    After {
        stamps: BTreeMap<u16, u64>,
        targets: Vec<Option<i64>>,
    },
    /// What a login missed.
    Missed {
        connection: u64,
        user: usize,
        after: u64,
    },
    /// After a COMMIT of which nobody knows.
    Heads(Vec<u16>),
}

/// What it answers.
#[derive(Debug, Clone)]
pub(in crate::cluster::simulation) enum Answer {
    Beat { holds_slot: bool, mark_max: u64 },
    View(View),
    Appended,
    Unknown,
    Fenced,
    Claimed(Option<Vec<Taken>>, Heads),
    Released(Vec<u16>),
    Done,
    After { stamps: BTreeMap<u16, u64>, targets: Vec<Option<i64>>, messages: Vec<Message> },
    Missed { connection: u64, messages: Vec<Message> },
    Heads(Heads),
}

/// What comes of handling something.
#[derive(Debug)]
pub(in crate::cluster::simulation) enum Effect {
    Ask(Call),
    Tell {
        socket: u64,
        told: Told,
    },
    Send(Batch),
    SendLossy(LossyBatch),
    /// It was declared dead: it ends and starts anew.
    Dead,
}
