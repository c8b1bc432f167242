//! The layer between nodes: who lives, who should own what, and what one node tells another.
//!
//! ```text
//!   actors of this node                                  actors of another
//!     │ send            ▲ receive                          ▲
//!     ▼                 │                                  │
//!   Links ── Link ──► Bus (NATS, twice: reliable, lossy) ──► Links
//!              ring, numbers, acknowledgements
//! ```
//!
//! It knows no actors, and carries bytes of which it does not know what they mean. Of the store it knows the types by which the
//! database says who is there and who owns what.
//!
//! | module | what is in it |
//! |---|---|
//! | [`life`] | who lives, by watching heartbeats |
//! | [`placement`] | who should own which shard, and the next step there; pure |
//! | [`bus`], [`nats`] | what carries bytes: subjects, at most once; the one for a cluster |
//! | [`link`] | reliable frames between two boots over such a bus, and lossy ones; pure, with time given |
//! | [`links`] | the links of a node to all others, run on a thread of their own |
//! | `loopback`, `simulation` | for tests: a bus in one process; whole clusters by seeds |
//!
//! # What it promises
//! - Reliable payloads come once and in order, or [`LinkHandler::lost`](links::LinkHandler::lost) is called where some are missing.
//! - What [`Links::acked`](links::Links::acked) says was given to the handler at the other end.
//! - Lossy payloads never come behind newer ones; each that does not come is counted at one end.
//! - Sending never waits. What waits is bounded: per peer 8 MiB reliable, 2 MiB lossy.
//!
//! # What whoever uses it must keep
//! Most of these were found by a schedule of the simulation that lost something without them; `simulation/node/` does as they say.
//! - Peers are whoever holds a slot by the database's word, dead or not: what was delivered to every node would leave one out that comes
//!   back. A login is told to all of them, and answered by all, before messages are read.
//! - The first frame of a link says who is at its node, and up to where the node knows each shard. Before it came an owner vouches to
//!   that node for nothing and notes nothing as delivered to all; then it reads what was stored after that, and delivers it.
//! - What is stored while an heir delivers again waits until it has, per node.
//! - Whose frames were lost closes its sessions, and asks the other end for its first frame anew.
//! - A connection's number is above all that the node knows of, nobody logs in before each peer's first frame came, and only a login
//!   that went through puts out others: else a ghost elsewhere, or a login that was given up, puts out who has just come.
//! - A node that the bus does not answer closes its sessions and drains: others can own its shards, it cannot.
//! - A leaf takes its share of a room from the home it knows, and the home answers each count with a share.
//!
//! # Ways through it
//! **A frame.** [`links`] `send` → `link/sender` push → `links/run` write → `link/sender` take → `link/wire` encode → bus publish. At the
//! other end: `links/run` listen, receive → `link/receiver` receive → the handler; the acknowledgement rides on whatever goes back, or
//! goes alone after 20 ms.
//!
//! **A frame that the bus lost.** The next batch, or a hello within a second, says how far was sent; `link/receiver` `ask_again` → back
//! at the sender `acknowledge`, `go_back`. Where nothing comes any more: `link/sender` tick, after 200 ms, then ever more rarely.
//!
//! **A node that dies.** Its heartbeat stands still: [`life`] look, by every other node for itself → [`placement`] steps → whoever
//! should own its shards claims them from the database, which alone decides.

pub(crate) mod bus;
pub(crate) mod life;
pub(crate) mod link;
pub(crate) mod links;
#[cfg(test)]
pub(crate) mod loopback;
pub(crate) mod nats;
#[cfg(test)]
#[path = "../../tests/support/nats.rs"]
#[expect(dead_code, clippy::print_stderr, reason = "its program alone is used here, and it says loudly what it skips")]
mod nats_server;
pub(crate) mod placement;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
