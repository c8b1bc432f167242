//! What is asked of a store, in four parts; the fourth is [`Overview`](super::Overview).

use std::path::Path;
use std::sync::Arc;

use super::error::StoreError;
use super::format::rows::{ChangeKind, EntryRecord, FormerMember, GroupRecord, Note, NoteRecord, Pin, Revision, RoomRecord, Tail};
use super::shards::SharedShards;
use super::shared_state::SharedState;
use super::types::{Append, Appended, DatabaseStats, Done, Pace, Page, PageRead, RowWrite, Since, SinceRead, StoreCopy, StoreStats};
use crate::model::{Child, Conversation, FileUid, GroupId, GroupMember, LocalMessageId, MediaRecord, Message, RoomId, UserId, UserProfile};

/// Messages, and what users did to them. Errors: see [`Store`](super::Store).
#[expect(clippy::missing_errors_doc, reason = "the rule is stated once, at `Store`")]
pub trait MessageLog: Send + Sync + 'static {
    /// Gives a message its place and keeps it. Never blocks; the caller bounds how many are under way. Refused with
    /// [`StoreError::OtherContent`] or [`StoreError::Fenced`].
    fn append(&self, append: Append, done: Done<Appended>);

    /// Changes one stored message; the outcome is the commit of the change. Never blocks. Carried out in order with
    /// appends and row writes. Refused with [`StoreError::Gone`].
    fn revise(&self, revision: Revision, done: Done<u64>);

    /// Deletes every message of a conversation that will not be written again, its head, and its local ids. Never
    /// blocks. Done in small steps between appends; readers may see it half done. Once begun it goes on by itself
    /// after a crash or a close, so that losing `done` does not lose the removal.
    fn remove(&self, conversation: Conversation, done: Done<()>);

    /// Returns whether `(conversation, sender, local_id)` may have been stored. No I/O. False is certain; true wants
    /// [`MessageLog::find`].
    fn may_know(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> bool;

    /// Returns the first result of `(conversation, sender, local_id)`, if it is durable. One that is still on its way is
    /// recognised by [`MessageLog::append`].
    fn find(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> Result<Option<Appended>, StoreError>;

    /// Reads a page of a conversation.
    fn read(&self, conversation: &Conversation, page: Page) -> Result<PageRead, StoreError>;

    /// Reads what was stored in a conversation after a commit.
    fn since(&self, conversation: &Conversation, since: Since) -> Result<SinceRead, StoreError>;

    /// Returns every conversation that was written to after a commit, in no particular order. Looks at all there are: for
    /// a start.
    fn written_after(&self, commit: u64) -> Result<Vec<Conversation>, StoreError>;

    /// Returns everyone this user has a conversation with, in no particular order. One whose first message is on its way
    /// may be among them already.
    fn peers_of(&self, user: &UserId) -> Result<Vec<UserId>, StoreError>;

    /// Returns the last seq of a conversation; 0 when nothing was ever stored in it.
    fn head(&self, conversation: &Conversation) -> Result<u64, StoreError>;

    /// Returns where a conversation ends; none when nothing was ever stored in it. One that is being written may be told
    /// as it was before.
    fn tail(&self, conversation: &Conversation) -> Result<Option<Tail>, StoreError>;

    /// Returns one message, if it is kept.
    fn message(&self, conversation: &Conversation, seq: u64) -> Result<Option<Arc<Message>>, StoreError>;

    /// Returns the seq of the message with this id, if it is kept. Ids rise with seqs.
    fn seq_of(&self, conversation: &Conversation, id: u64) -> Result<Option<u64>, StoreError>;

    /// Returns the children of a combined message; empty when it is none, or not kept any more.
    fn children(&self, conversation: &Conversation, seq: u64) -> Result<Vec<Child>, StoreError>;

    /// Returns about how many bytes [`MessageLog::children`] reads, without reading them; 0 where it returns nothing.
    fn children_bytes(&self, conversation: &Conversation, seq: u64) -> Result<usize, StoreError>;

    /// Returns the notes on a message, receipts last, each kind by name.
    fn notes(&self, conversation: &Conversation, seq: u64) -> Result<Vec<(Note, NoteRecord)>, StoreError>;

    /// Returns the pinned messages of a conversation, the one pinned first first.
    fn pins(&self, conversation: &Conversation) -> Result<Vec<Pin>, StoreError>;

    /// Returns the seqs of the answers below a message, ascending.
    fn replies(&self, conversation: &Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError>;

    /// Returns what was done to which messages after a commit, each pair once, the latest change last; at most
    /// `count_max`.
    fn changes(&self, conversation: &Conversation, after: u64, count_max: usize) -> Result<Vec<(u64, ChangeKind)>, StoreError>;

    /// Returns the places of messages that were stored with a file, at most `count_max`. The message may be gone since, or
    /// say something else by now.
    fn media_uses(&self, file: FileUid, count_max: usize) -> Result<Vec<(Conversation, u64)>, StoreError>;

    /// Returns the commit of the last append that is durable.
    fn last_commit(&self) -> u64;

    /// Returns the greatest message id ever stored; ids made after a restart begin above it.
    fn last_message_id(&self) -> u64;
}

/// Users, rooms, groups, files, and what users made of their conversations. Errors: see [`Store`](super::Store).
#[expect(clippy::missing_errors_doc, reason = "the rule is stated once, at `Store`")]
pub trait Rows: Send + Sync + 'static {
    /// Changes rows, all or none. Never blocks. Row writes and appends are carried out in the order of the calls.
    fn apply(&self, rows: Vec<RowWrite>, done: Done<()>);

    /// Returns what a user made of a conversation; the default where it made nothing of it.
    fn entry(&self, user: &UserId, conversation: &Conversation) -> Result<EntryRecord, StoreError>;

    /// Returns what a user made of its conversations, where it made anything of them.
    fn entries_of(&self, user: &UserId) -> Result<Vec<(Conversation, EntryRecord)>, StoreError>;

    /// Returns whose presence a user follows, and until when each, Unix milliseconds.
    fn following(&self, user: &UserId) -> Result<Vec<(UserId, u64)>, StoreError>;

    /// Returns a user's row.
    fn user(&self, user: &UserId) -> Result<Option<UserProfile>, StoreError>;

    /// Returns users after one, in the order of their ids, at most `count_max`.
    fn users_after(&self, user: Option<&UserId>, count_max: usize) -> Result<Vec<UserProfile>, StoreError>;

    /// Returns a room's row.
    fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError>;

    /// Returns every room's row.
    fn rooms(&self) -> Result<Vec<RoomRecord>, StoreError>;

    /// Returns a group's row, dismissed or not.
    fn group(&self, group: &GroupId) -> Result<Option<GroupRecord>, StoreError>;

    /// Returns groups after one, dismissed ones too, in the order of their ids, at most `count_max`.
    fn groups_after(&self, group: Option<&GroupId>, count_max: usize) -> Result<Vec<GroupRecord>, StoreError>;

    /// Returns a group's members, in no particular order.
    fn group_members(&self, group: &GroupId) -> Result<Vec<GroupMember>, StoreError>;

    /// Returns a member of a group.
    fn group_member(&self, group: &GroupId, user: &UserId) -> Result<Option<GroupMember>, StoreError>;

    /// Returns the groups a user is in.
    fn groups_of(&self, user: &UserId) -> Result<Vec<GroupId>, StoreError>;

    /// Returns the groups a user was in and is not any more, where it may still see something of them.
    fn former_groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, FormerMember)>, StoreError>;

    /// Returns a kept file's row.
    fn media(&self, file: FileUid) -> Result<Option<MediaRecord>, StoreError>;

    /// Returns the rows of kept files after one, by name, at most `count_max`.
    fn media_after(&self, file: Option<FileUid>, count_max: usize) -> Result<Vec<MediaRecord>, StoreError>;
}

/// Retention, copies, and whether the store works at all. Errors: see [`Store`](super::Store).
#[expect(clippy::missing_errors_doc, reason = "the rule is stated once, at `Store`")]
pub trait Maintenance: Send + Sync + 'static {
    /// Deletes the oldest stretch of messages, if all of it is older than the retention at a time, Unix milliseconds; returns
    /// whether there was one. Between appends. Blocks, perhaps for seconds.
    ///
    /// The time must not come from an unchecked clock: what a wrong one deletes is gone. The broker compares the calendar
    /// with [`Maintenance::noted_time`] first, and sweeps once a day at most.
    fn sweep(&self, now_ms: u64) -> Result<bool, StoreError>;

    /// Returns the newest time that was noted as right; none: no time was noted, or this store does not keep it.
    fn noted_time(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Notes that a time is right, Unix milliseconds. Blocks.
    fn note_time(&self, now_ms: u64) -> Result<(), StoreError> {
        let _ = now_ms;
        Ok(())
    }

    /// Copies everything into an empty folder while writes go on, as files of records with their checksums. Every
    /// message acknowledged before the end of the copy is in it, with all that was written beside it: see
    /// [`StoreCopy::commit`]. One at a time. Blocks, perhaps for minutes, and keeps to its pace.
    ///
    /// Fails with [`StoreError::Unavailable`], too, when the folder cannot be written, another backup is under way, or this
    /// store cannot be copied.
    fn backup(&self, folder: &Path, pace: Pace<'_>) -> Result<StoreCopy, StoreError> {
        let (_, _) = (folder, pace);
        Err(StoreError::Unavailable("this kind of store cannot be copied while it is open".into()))
    }

    /// Returns `Err` with the reason once the store stopped accepting writes.
    fn writable(&self) -> Result<(), StoreError>;

    /// Returns what was counted.
    fn stats(&self) -> StoreStats;

    /// Returns what was counted of the database behind it; none: there is none.
    fn database(&self) -> Option<DatabaseStats> {
        None
    }

    /// Returns what the brokers that share this store keep beside messages; none: one broker has the store to itself.
    fn shared_state(&self) -> Option<Arc<dyn SharedState>> {
        None
    }

    /// Returns the shards of a store that several processes write at a time; none: this one has it to itself.
    fn shards(&self) -> Option<Arc<dyn SharedShards>> {
        None
    }

    /// Returns whether work that one process does for all is this one's: of those that share the store, one leads it.
    ///
    /// # Errors
    /// Those of [`SharedShards::leads`].
    fn leads(&self, work: &str) -> Result<bool, StoreError> {
        self.shards().map_or(Ok(true), |shards| shards.leads(work))
    }

    /// Carries out what is waiting, flushes, and releases the files. Blocks. Later writes are refused, and reads too.
    /// A removal that would take longer than 2 s is left to the next open. Only the first call says what failed: that writes were
    /// not accepted at the end, or that the last flush failed. What was acknowledged is kept all the same.
    fn close(&self) -> Result<(), StoreError>;
}
