//! Where messages and the rows of users, groups and rooms are kept.
//!
//! [`Store`] is cut above sequencing and dedup and below the actors: an engine gives each message its place,
//! recognises retries and decides how many appends share one disk flush; an actor only says what it wants kept.
//! So a replicated log can take the place of the embedded engine without an actor knowing.
//!
//! Writes never block the caller: they are handed to the engine, and `done` is called on the engine's thread
//! when the outcome is durable (or refused). Reads block and belong on a thread that may wait.
//!
//! # Rules an engine keeps
//! - `done(Ok(..))` only after the write survives power loss (`fdatasync` or better).
//! - Appends are carried out in the order of the calls to `append`; `done` is called in that order, too.
//! - `seq` of a conversation is 1, 2, 3 … without gaps, `order_key` increases strictly:
//!   `max(last + 1, (ms since 2024-01-01) << 11)`, also across restarts and clock steps back.
//! - Message, dedup entry and conversation head become durable together or not at all.
//! - The same `(sender, local_id)` is stored once for at least 24 hours; with equal content the first result
//!   is given again, with other content [`StoreError::OtherContent`].
//! - After a failed write every later write fails with [`StoreError::Unavailable`]; reads go on.

mod backup;
#[cfg(test)]
mod backup_tests;
mod chores;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod contract_reads;
#[cfg(test)]
mod contract_rows;
#[cfg(test)]
mod damage;
mod directory;
mod engine;
mod export;
#[cfg(test)]
mod faults;
mod heads;
mod inspect;
mod key;
mod mark;
mod memory;
mod open;
mod pages;
mod parts;
mod plan;
mod reader;
mod record;
mod rows;
mod salvage;
mod seen;
mod sled;
mod table;
#[cfg(test)]
mod testing;
mod verify;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use crate::model::{
    Body, Child, Conversation, FileUid, GroupId, GroupInfo, GroupMember, LocalMessageId, MediaRecord, Mentions, Message, Priority,
    RoomAttribute, RoomId, Terms, UserId, UserProfile,
};

pub use self::backup::{Pace, StoreCopy};
pub use self::export::{Lines, export, import};
pub use self::inspect::{Glance, StoreReport, check, glance, restore};
pub use self::memory::MemoryStore;
pub use self::pages::CopiedFile;
pub use self::rows::{ChangeKind, EntryRecord, FormerMember, Note, NoteRecord, Pin, Revision, Tail};
pub use self::sled::{SledOptions, SledStore};

/// Called once when a write's outcome is certain: on the engine's thread, or, when the store is closed already, on the
/// caller's. Must not block.
pub type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Owner epoch of a broker that runs alone. Appends with a lesser epoch than the conversation has seen are refused.
pub const SINGLE_NODE_EPOCH: u64 = 1;

/// Why a store refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk refused a write, is full, or the store is closed. Reads may still work; a retry helps after repair.
    #[error("{0}")]
    Unavailable(String),
    /// The local id was used for other content. Do not retry.
    #[error("local id was used before for other content")]
    OtherContent,
    /// The message that was to be changed is not kept any more. Do not retry.
    #[error("the message is not kept any more")]
    Gone,
    /// A later owner wrote to this conversation. Do not retry.
    #[error("conversation has a later owner")]
    Fenced,
    /// What was read is not what was written. Do not retry.
    #[error("store is damaged: {0}")]
    Damaged(String),
}

/// Why a store cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process holds it.
    #[error("store {path} is in use by another process")]
    InUse {
        /// The store's directory.
        path: String,
    },
    /// Acknowledged data is missing or altered.
    #[error("store {path} is damaged: {reason}")]
    Damaged {
        /// The store's directory.
        path: String,
        /// What was found.
        reason: String,
    },
    /// It was written by a later version.
    #[error("store {path} has format {found}, this version reads up to {known}")]
    NewerFormat {
        /// The store's directory.
        path: String,
        /// The format found.
        found: u32,
        /// The newest format this version reads.
        known: u32,
    },
    /// A store is to be made where something is already.
    #[error("store {path} is not empty; one is made only where nothing is")]
    NotEmpty {
        /// The store's directory.
        path: String,
    },
    /// The file system refuses.
    #[error("store {path}: {reason}")]
    Io {
        /// The store's directory.
        path: String,
        /// The system's words.
        reason: String,
    },
}

/// A message that wants its place.
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
    /// The key under which a retry is recognised.
    pub local_id: Option<LocalMessageId>,
    /// The sender's wish under load.
    pub priority: Priority,
    /// Travels with the message.
    pub extended_data: String,
    /// Whom it reminds.
    pub mentions: Mentions,
    /// What it says. What a combine holds is kept beside the message.
    pub body: Body,
    /// What its sender asks for besides.
    pub terms: Terms,
    /// What the sender asked for, where something else is stored in its place. A retry is compared with it.
    pub asked: Option<Asked>,
    /// The time of acceptance, Unix milliseconds.
    pub now_ms: u64,
}

/// What a sender asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What it said.
    pub body: Body,
    /// What travelled with it.
    pub extended_data: String,
    /// Whom it reminded.
    pub mentions: Mentions,
    /// What it asked for besides.
    pub terms: Terms,
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

/// A room that exists. Source: design 7, rooms.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RoomRecord {
    /// Its id.
    pub id: RoomId,
    /// Which life of the id this is: part of [`Conversation::Room`].
    pub incarnation: u64,
    /// Its name.
    pub name: String,
    /// How long it stands empty, seconds.
    pub destroy_delay_seconds: u64,
    /// What its members agreed on.
    #[serde(default)]
    pub attributes: BTreeMap<String, RoomAttribute>,
}

/// A group, or the memory of one: ids of dismissed groups are not used again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GroupRecord {
    /// What it is called.
    pub info: GroupInfo,
    /// Dismissed by its owner, or left by its last member.
    pub dismissed: bool,
}

/// One change of a row. A list of them is durable together or not at all.
#[derive(Debug, Clone)]
pub enum RowWrite {
    /// Insert or replace.
    PutUser(UserProfile),
    /// Insert or replace.
    PutRoom(RoomRecord),
    /// Remove the row; the messages go by [`Store::remove`].
    DeleteRoom(RoomId),
    /// Insert or replace.
    PutGroup(GroupRecord),
    /// Insert or replace, in the group's list and in the user's.
    PutMember(GroupId, GroupMember),
    /// Remove from the group's list and from the user's.
    DeleteMember(GroupId, UserId),
    /// Remove from the group's list; the user's keeps what it may still see: from this seq to the last so far. Nothing,
    /// where there is none.
    PutFormer(GroupId, UserId, u64),
    /// Insert or replace.
    PutEntry(UserId, Conversation, EntryRecord),
    /// Insert or replace: the file is complete.
    PutMedia(MediaRecord),
    /// Remove the row; the bytes go by themselves.
    DeleteMedia(FileUid),
    /// Replaces whose comings and goings a user follows, and until when each, Unix milliseconds.
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

/// See the module's documentation for the rules an engine keeps.
pub trait Store: Send + Sync + 'static {
    /// Gives a message its place and keeps it. Never blocks; the caller bounds how many are under way.
    fn append(&self, append: Append, done: Done<Appended>);

    /// Changes rows. Never blocks. Row writes and appends are carried out in the order of the calls.
    fn apply(&self, rows: Vec<RowWrite>, done: Done<()>);

    /// Changes one stored message; the outcome is the commit of the change. Never blocks. Carried out in order with
    /// appends and row writes.
    fn revise(&self, revision: Revision, done: Done<u64>);

    /// Deletes every message of a conversation that will not be written again, its head, and its local ids. Never
    /// blocks. Done in small steps between appends; readers may see it half done. Once begun it goes on by itself
    /// after a crash or a close, so that losing `done` does not lose the removal.
    fn remove(&self, conversation: Conversation, done: Done<()>);

    /// Whether `(sender, local_id)` may have been stored. No I/O. False is certain; true wants [`Store::find`].
    fn may_know(&self, sender: &UserId, local_id: &LocalMessageId) -> bool;

    /// The first result of `(sender, local_id)`, if it is durable. One that is still on its way is recognised by
    /// [`Store::append`].
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn find(&self, sender: &UserId, local_id: &LocalMessageId) -> Result<Option<Appended>, StoreError>;

    /// A page of a conversation.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn read(&self, conversation: &Conversation, page: Page) -> Result<PageRead, StoreError>;

    /// What was stored in a conversation after a commit.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn since(&self, conversation: &Conversation, since: Since) -> Result<SinceRead, StoreError>;

    /// Every conversation that was written to after a commit, in no particular order. Looks at all there are: for a start.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn written_after(&self, commit: u64) -> Result<Vec<Conversation>, StoreError>;

    /// Everyone this user has a conversation with, in no particular order. One whose first message is on its way may
    /// be among them already.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn peers_of(&self, user: &UserId) -> Result<Vec<UserId>, StoreError>;

    /// Where a conversation ends; none when nothing was ever stored in it. One that is being written may be told as
    /// it was before.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn tail(&self, conversation: &Conversation) -> Result<Option<Tail>, StoreError>;

    /// One message, if it is kept.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn message(&self, conversation: &Conversation, seq: u64) -> Result<Option<Arc<Message>>, StoreError>;

    /// The seq of the message with this id, if it is kept. Ids rise with seqs.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn seq_of(&self, conversation: &Conversation, id: u64) -> Result<Option<u64>, StoreError>;

    /// What a combined message holds; empty when it is none, or not kept any more.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn children(&self, conversation: &Conversation, seq: u64) -> Result<Vec<Child>, StoreError>;

    /// The notes on a message, receipts last, each kind by name.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn notes(&self, conversation: &Conversation, seq: u64) -> Result<Vec<(Note, NoteRecord)>, StoreError>;

    /// The pinned messages of a conversation, the one pinned first first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn pins(&self, conversation: &Conversation) -> Result<Vec<Pin>, StoreError>;

    /// The seqs of the answers below a message, ascending.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn replies(&self, conversation: &Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError>;

    /// What was done to which messages after a commit, each pair once, the latest change last; at most `count_max`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn changes(&self, conversation: &Conversation, after: u64, count_max: usize) -> Result<Vec<(u64, ChangeKind)>, StoreError>;

    /// What a user made of a conversation.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn entry(&self, user: &UserId, conversation: &Conversation) -> Result<EntryRecord, StoreError>;

    /// What a user made of its conversations, where it made anything of them.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn entries_of(&self, user: &UserId) -> Result<Vec<(Conversation, EntryRecord)>, StoreError>;

    /// Whose comings and goings a user follows, and until when each.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn following(&self, user: &UserId) -> Result<Vec<(UserId, u64)>, StoreError>;

    /// The groups a user was in and is not any more.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn former_groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, FormerMember)>, StoreError>;

    /// A kept file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn media(&self, file: FileUid) -> Result<Option<MediaRecord>, StoreError>;

    /// Kept files after one, by name, at most `count_max`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn media_after(&self, file: Option<FileUid>, count_max: usize) -> Result<Vec<MediaRecord>, StoreError>;

    /// The places of messages that were stored with a file, at most `count_max`. The message may be gone since, or say
    /// something else by now.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn media_uses(&self, file: FileUid, count_max: usize) -> Result<Vec<(Conversation, u64)>, StoreError>;

    /// The last seq of a conversation; 0 when nothing was ever stored in it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn head(&self, conversation: &Conversation) -> Result<u64, StoreError>;

    /// A user's row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn user(&self, user: &UserId) -> Result<Option<UserProfile>, StoreError>;

    /// Users after one, in the order of their ids, at most `count_max`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn users_after(&self, user: Option<&UserId>, count_max: usize) -> Result<Vec<UserProfile>, StoreError>;

    /// Groups after one, dismissed ones too, in the same order, at most `count_max`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn groups_after(&self, group: Option<&GroupId>, count_max: usize) -> Result<Vec<GroupRecord>, StoreError>;

    /// A room's row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError>;

    /// Every room's row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn rooms(&self) -> Result<Vec<RoomRecord>, StoreError>;

    /// A group's row, dismissed or not.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn group(&self, group: &GroupId) -> Result<Option<GroupRecord>, StoreError>;

    /// A group's members, in no particular order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn group_members(&self, group: &GroupId) -> Result<Vec<GroupMember>, StoreError>;

    /// A member of a group.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn group_member(&self, group: &GroupId, user: &UserId) -> Result<Option<GroupMember>, StoreError>;

    /// The groups a user is in.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    fn groups_of(&self, user: &UserId) -> Result<Vec<GroupId>, StoreError>;

    /// The commit of the last append that is durable.
    fn last_commit(&self) -> u64;

    /// The greatest message id ever stored; ids made after a restart begin above it.
    fn last_message_id(&self) -> u64;

    /// Deletes what is older than the retention, between appends. Blocks, perhaps for seconds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn sweep(&self, now_ms: u64) -> Result<(), StoreError>;

    /// Copies everything into an empty folder while writes go on, as files of records with their checksums. Every
    /// message acknowledged before the end of the copy is in it, with all that was written beside it: see
    /// [`StoreCopy::commit`]. One at a time. Blocks, perhaps for minutes, and keeps to its pace.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the folder cannot be written, the store stopped, another backup is under way, or
    /// this store cannot be copied; [`StoreError::Damaged`]: a record does not match its checksum.
    fn backup(&self, folder: &Path, pace: Pace<'_>) -> Result<StoreCopy, StoreError> {
        let (_, _) = (folder, pace);
        Err(StoreError::Unavailable("this kind of store cannot be copied while it is open".into()))
    }

    /// `Err` with the reason once the store stopped accepting writes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn writable(&self) -> Result<(), StoreError>;

    /// What was counted.
    fn stats(&self) -> StoreStats;

    /// Carries out what is waiting, flushes, and releases the files. Blocks. Later writes are refused, and reads too.
    /// A removal that would take longer than 2 s is left to the next open.
    fn close(&self);
}
