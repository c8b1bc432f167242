//! Several processes own shards of one store: who lives, who owns what, and how a shard goes from one to another.
//!
//! A *shard* is a fixed part of all conversations; a room's hangs on its id alone. A *slot* is a small number that a living process
//! holds; what belongs to no conversation is written behind it. Whoever is declared dead loses its slot and its shards: the database
//! refuses its next write, and it starts anew.
//!
//! # Stamps
//! Messages are known by stamps, which rise in each shard. Whoever reads the messages of several owners keeps a *mark* per shard:
//! all messages of it up to that stamp were heard. An owner takes [`SharedShards::safe_stamp`] first and [`SharedShards::owned`]
//! afterwards, and may say then that each of these shards is complete up to that stamp, except for one that was claimed and is not
//! delivered again yet: from [`Claimed::delivered`] on its last owner may not have told everybody.

use std::fmt::Debug;
use std::sync::Arc;

use super::error::StoreError;
use super::speaks::Speaks;
use crate::model::{Conversation, Message, RoomId};

/// A process among those that share a store, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// The number of this process: each start has its own, rising.
    pub boot: i64,
    /// The slot it holds; none: it stands by, was declared dead, or has the whole store to itself.
    pub slot: Option<u16>,
    /// What it is called in its configuration.
    pub name: String,
    /// Where clients reach it; may be empty.
    pub address: String,
    /// The program's version.
    pub version: String,
    /// What it speaks.
    pub speaks: Speaks,
    /// When it was heard last, microseconds since 1970 by the database's clock. An old one proves nothing: it is to be watched.
    pub beat_us: i64,
    /// Whether it wants to own no shard any more.
    pub draining: bool,
    /// Whether it hears nothing of the others and has no sessions: nobody waits for it.
    pub alone: bool,
}

/// Who is there and who owns what, as of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// All that were heard within a day, by boot.
    pub nodes: Vec<NodeRow>,
    /// The boot that owns each shard, by shard; none: nobody.
    pub owners: Vec<Option<i64>>,
    /// How often each shard was claimed, by shard.
    pub epochs: Vec<u64>,
}

/// A shard that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// Which one.
    pub shard: u16,
    /// Up to this stamp its last owner delivered everything; what was stored after it is to be delivered again.
    pub delivered: u64,
}

/// Messages with their stamps, in the order of these.
pub type StampedMessages = Vec<(u64, Arc<Message>)>;

/// The shards of a store that several processes share. All methods block; each but [`SharedShards::release`] is a short question on
/// a connection of its own, never behind what is waiting to be written.
///
/// # Errors
/// [`StoreError::Unavailable`]: the database does not answer, and nothing is known of the outcome; the call may be repeated.
/// [`StoreError::Fenced`]: this process was declared dead.
#[expect(clippy::missing_errors_doc, reason = "the rule is stated once, at the trait")]
pub trait SharedShards: Send + Sync + Debug {
    /// Returns the number of this process.
    fn boot(&self) -> i64;

    /// Returns the slot it holds, 0 to 1,023.
    fn slot(&self) -> u16;

    /// Returns into how many shards the store is divided.
    fn count(&self) -> u16;

    /// Returns the shard of a conversation: the same in every process and version; of a room by its id alone.
    fn shard_of(&self, conversation: &Conversation) -> u16;

    /// Returns the shard of a room, in each of its lives.
    fn shard_of_room(&self, room: &RoomId) -> u16 {
        self.shard_of(&Conversation::Room(room.clone(), 0))
    }

    /// Returns who is there and who owns what.
    fn view(&self) -> Result<View, StoreError>;

    /// Takes shards that are nobody's, or of these dead, who lose their slots; returns those that were taken. Their stamps begin above
    /// all that their last owner made or vouched for, and everything stored in them is known. One that somebody else took is left.
    fn claim(&self, shards: &[u16], dead: &[i64]) -> Result<Vec<Claimed>, StoreError>;

    /// Lets shards go, once everything is committed that was queued for them before. The caller queues nothing for them any more,
    /// and vouches for them no more. `delivered`: up to this stamp everything in these shards was delivered to every node; it is the heirs'
    /// [`Claimed::delivered`].
    fn release(&self, shards: &[u16], delivered: u64) -> Result<(), StoreError>;

    /// Says whether this process wants to own no shard any more, for all to see.
    fn set_draining(&self, draining: bool) -> Result<(), StoreError>;

    /// Says whether this process hears nothing of the others and has no sessions, so that nobody waits for it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the database does not answer.
    fn set_alone(&self, alone: bool) -> Result<(), StoreError>;

    /// Returns the shards it owns, ascending, without those it is letting go of.
    fn owned(&self) -> Vec<u16>;

    /// Returns a stamp up to which all stamps of this process are committed and their callers told; it makes no such any more. Never
    /// falls; rises while nothing is written, too.
    fn safe_stamp(&self) -> u64;

    /// Notes up to which stamp everything was delivered to every node, of all shards that this process owns: for the next heartbeats
    /// to write, and for its heirs. What the caller notes is a mark that every node acknowledged and that was for all shards owned: one
    /// of before a claim, or of before all was delivered again, says nothing of what was claimed. While a claim is under way nothing is
    /// noted.
    fn note_delivered(&self, stamp: u64);

    /// Returns messages of shards after a stamp, in the order of their stamps, about so many at most, and whether there are more. Those
    /// of one stamp are never parted: it goes on after the last one's.
    fn written_since(&self, shards: &[u16], stamp: u64, count_max: usize) -> Result<(StampedMessages, bool), StoreError>;

    /// Returns whether this process holds a lock of that name, which one holds at a time, until its connection ends; takes it, if it
    /// can be had.
    fn leads(&self, what: &str) -> Result<bool, StoreError>;
}
