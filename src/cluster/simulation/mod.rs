//! Whole clusters in one thread: seeds decide who crashes, sleeps, is cut off, whose clock is wrong, and what the bus does.
//!
//! Placement, watching and links are the real ones. The database is a stand-in that does what `store::postgres` does ([`database`]);
//! the layer above is a model of what the actors do with both ([`node`]). So a schedule tries the protocol, ten thousand of them in the
//! time of one with processes.
//!
//! What must hold is said in [`check`]. `TIDINGS_SIM_SCHEDULES` says how many schedules are tried, `TIDINGS_SIM_SEED` plays one again.
//! Each [`Defect`] breaks one rule on purpose: a simulation that does not find it proves nothing.

mod bus;
mod check;
mod client;
mod database;
mod node;
mod random;
mod sockets;
mod tests;
mod world;

use std::time::Duration;

use super::link::LinkLimits;

/// Nodes at a time; each runs in a place of its own, boot after boot.
const PLACES: usize = 3;
const SHARDS: u16 = 6;
/// The shard of the room.
const ROOM_SHARD: u16 = 5;
const CONVERSATIONS: usize = 8;
const USERS: usize = 4;
const DEVICES_MAX: usize = 2;

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    /// A transaction commits whoever owns its shards.
    FenceNotRead,
    /// The ring holds a few frames, and nobody is told what fell out of it.
    RingTooShort,
    /// A shard is let go of while messages of it are on their way, which are acknowledged all the same.
    LateRelease,
    /// A room's budget stays where its members were.
    ShareNotReturned,
    /// A login elsewhere puts nobody out.
    SeatNotDisplaced,
    /// An heir says that everything was delivered before it delivered it again.
    HeirVouchesEarly,
    /// A node vouches for more than it wrote down that it would, so that an heir cannot know.
    MarkNotWritten,
    /// An owner vouches to a node from the beginning, without what it may have missed.
    HelloNotAwaited,
    /// What is stored while older messages are delivered again goes at once.
    NotHeld,
    /// The number of a connection is that of a clock alone.
    ConnectionByClock,
}

fn shard_of(conversation: usize) -> u16 {
    u16::try_from(conversation).unwrap() % SHARDS
}

/// Who reads a conversation: two or three users each.
fn is_member(conversation: usize, user: usize) -> bool {
    user == conversation % USERS
        || user == (conversation + 1) % USERS
        || (conversation.is_multiple_of(3) && user == (conversation + 2) % USERS)
}

/// Small, so that a ring overflows now and then.
fn limits() -> LinkLimits {
    LinkLimits {
        ring_bytes_max: 4500,
        batch_bytes_max: 1500,
        window_bytes_max: 3000,
        lossy_bytes_max: 3000,
        ack_after: Duration::from_millis(20),
        resend_after: Duration::from_millis(200),
        resend_after_max: Duration::from_secs(1),
        again_after: Duration::from_millis(100),
        hello_after: Duration::from_secs(1),
    }
}
