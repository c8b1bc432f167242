//! Which other brokers there are, and the two ways each is used.

/// Someone else's broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Program {
    Mosquitto,
    Nats,
    Redis,
}

impl Program {
    pub(in crate::bench) const ALL: [Self; 3] = [Self::Mosquitto, Self::Nats, Self::Redis];

    /// Returns what it is called as a program, as a package and in reports.
    pub(in crate::bench) fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::Nats => "nats-server",
            Self::Redis => "redis-server",
        }
    }
}

/// A program and the way it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) struct Peer {
    pub(in crate::bench) program: Program,
    /// Messages go to its files before or after they are answered, as it does that.
    pub(in crate::bench) stored: bool,
}
