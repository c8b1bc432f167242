//! What callers hand to a store and get from it. What is kept as it is lies in `format::rows`.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::error::StoreError;
use super::format::rows::{EntryRecord, GroupRecord, RoomRecord};
use crate::model::{Content, Conversation, Draft, FileUid, GroupId, GroupMember, MediaRecord, Message, RoomId, UserId, UserProfile};

/// Called once when a write's outcome is certain: on the engine's thread, or, when the store is closed already, on the
/// caller's. Must not block.
pub type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Owner epoch of a broker that runs alone. Appends with a lesser epoch than the conversation has seen are refused.
pub const SINGLE_NODE_EPOCH: u64 = 1;

/// A draft that wants its place.
#[derive(Debug, Clone)]
pub struct Append {
    /// Where it belongs.
    pub conversation: Conversation,
    /// The writer's claim to the conversation: [`SINGLE_NODE_EPOCH`] for a broker that runs alone.
    pub epoch: u64,
    /// Unique in this broker and increasing; made by the caller.
    pub id: u64,
    /// Who sent it.
    pub sender: UserId,
    /// What it says, how urgent it is, and the key under which a retry is recognised. The children of a combined message are
    /// kept beside it.
    pub draft: Draft,
    /// What the sender asked for, where something else is stored in its place. A retry is compared with it.
    pub asked: Option<Content>,
    /// The time of acceptance, Unix milliseconds.
    pub now_ms: u64,
}

/// A message in its place.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The message as stored; of a retry, as stored the first time.
    pub message: Arc<Message>,
    /// The commit that made it durable; increases by one per append over the whole store.
    pub commit: u64,
    /// Whether this was a retry of what is stored already.
    pub duplicate: bool,
}

/// Where a page begins, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The page's direction decides: the oldest or the newest end.
    End,
    /// Next to this seq.
    Seq(u64),
    /// Next to this order key.
    OrderKey(u64),
}

/// Which part of a conversation to read.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where to begin.
    pub anchor: Anchor,
    /// True: older than the anchor. False: newer.
    pub backwards: bool,
    /// Most messages to return.
    pub count: usize,
    /// Stop (after at least one message) before they exceed this many bytes, as stored: JSON and some 20 bytes each.
    pub bytes_max: usize,
    /// Nothing before this seq: a member's first.
    pub first_seq: u64,
    /// Leave out what this user deleted for itself.
    pub viewer: Option<UserId>,
}

/// Messages, ascending by seq.
#[derive(Debug, Clone, Default)]
pub struct PageRead {
    /// Ascending by seq, whatever the direction.
    pub messages: Vec<Arc<Message>>,
    /// The page was cut by size: more would have fitted its count.
    pub cut: bool,
}

/// Which messages of a conversation came later.
#[derive(Debug, Clone)]
pub struct Since {
    /// Messages of this commit and before it are not wanted.
    pub commit: u64,
    /// Nothing before this seq: a member's first.
    pub first_seq: u64,
    /// Most messages to return.
    pub count_max: usize,
    /// Most bytes, as stored: JSON and some 20 bytes each.
    pub bytes_max: usize,
    /// Leave out what this user deleted for itself.
    pub viewer: Option<UserId>,
}

/// Messages with their commits, ascending by both.
#[derive(Debug, Clone, Default)]
pub struct SinceRead {
    /// The newest of them, when there are too many.
    pub messages: Vec<(u64, Arc<Message>)>,
    /// There were more than `count_max` or `bytes_max`.
    pub cut: bool,
}

/// One change of a row. A list of them is durable together or not at all.
#[derive(Debug, Clone)]
pub enum RowWrite {
    /// Inserts or replaces.
    PutUser(UserProfile),
    /// Inserts or replaces.
    PutRoom(RoomRecord),
    /// Removes the row; the messages go by [`MessageLog::remove`](super::MessageLog::remove).
    DeleteRoom(RoomId),
    /// Inserts or replaces.
    PutGroup(GroupRecord),
    /// Inserts or replaces, in the group's list and in the user's.
    PutMember(GroupId, GroupMember),
    /// Removes from the group's list and from the user's.
    DeleteMember(GroupId, UserId),
    /// Removes from the group's list; the user's keeps what it may still see: from this seq to the last so far. Where that
    /// is nothing, the user's list loses the group, too. The time of leaving follows, Unix milliseconds.
    PutFormer(GroupId, UserId, u64, u64),
    /// Inserts or replaces.
    PutEntry(UserId, Conversation, EntryRecord),
    /// Inserts or replaces: the file is complete.
    PutMedia(MediaRecord),
    /// Removes the row; the bytes go by themselves.
    DeleteMedia(FileUid),
    /// Replaces whose presence a user follows, and until when each, Unix milliseconds.
    PutFollowing(UserId, Vec<(UserId, u64)>),
    /// Hides messages from one user, by seq. Those not kept any more are passed over.
    Delete(UserId, Conversation, Vec<u64>),
}

/// What the engine counted since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Messages made durable.
    pub appended: u64,
    /// Retries recognised.
    pub duplicates: u64,
    /// Flushes to disk, each for one or many appends.
    pub flushes: u64,
    /// Appends and row writes waiting for the engine.
    pub waiting: u64,
}

/// How many rooms and groups there are, whether anybody speaks in them or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaceCounts {
    /// Rooms.
    pub rooms: u64,
    /// Groups that are not dismissed.
    pub groups: u64,
}

/// What a store's database is asked and how it answers. Counters run from the opening.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct DatabaseStats {
    /// Connections for reading.
    pub connections: u64,
    /// Of these, in use.
    pub connections_busy: u64,
    /// Reads that wait for one.
    pub reads_waiting: u64,
    /// Questions asked.
    pub reads: u64,
    /// The time they took.
    pub read_time: Duration,
    /// Transactions of the writer.
    pub commits: u64,
    /// The time they took.
    pub commit_time: Duration,
    /// Connections the writer made again.
    pub reconnects: u64,
    /// Errors by SQLSTATE; `connection` where there was no answer.
    pub errors: Vec<(String, u64)>,
}

/// How fast a backup may read, and who follows it.
pub struct Pace<'a> {
    /// Bytes per second, at most; 0: as fast as it goes.
    pub bytes_per_second: u64,
    /// Told how many bytes were copied just now; `Break` ends the backup with an error.
    pub watch: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
}

impl std::fmt::Debug for Pace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("bytes_per_second", &self.bytes_per_second).finish_non_exhaustive()
    }
}

impl Pace<'_> {
    /// Waits for as long as so many bytes may take. Blocks.
    ///
    /// # Errors
    /// [`io::ErrorKind::Interrupted`]: whoever watches wants it to end.
    pub(crate) fn spend(&mut self, bytes: u64) -> io::Result<()> {
        if (self.watch)(bytes).is_break() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "it was given up"));
        }
        if let Some(micros) = bytes.saturating_mul(1_000_000).checked_div(self.bytes_per_second) {
            pause(Duration::from_micros(micros));
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a backup has a thread of its own and leaves time to others")]
fn pause(time: Duration) {
    thread::sleep(time);
}

/// A store's part of a backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreCopy {
    /// The format of its records.
    pub format: u32,
    /// The mark: every message acknowledged with this commit or before it is in the copy, none after it.
    pub commit: u64,
    /// The number of batches of rows.
    pub rows: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// Messages in it, as counted on the way; what is removed meanwhile may be counted or not.
    pub messages: u64,
    /// Scanned records, in the order they are to be read; the changes last.
    pub files: Vec<CopiedFile>,
}

/// A file of a backup, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CopiedFile {
    /// Its path below the backup's folder, with slashes.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}
