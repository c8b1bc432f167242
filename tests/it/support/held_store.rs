//! A store whose appends wait until the test lets them go: a slow disk at the test's command.

use std::sync::{Arc, Mutex};

use tidings::clock::SystemClock;
use tidings::model::{
    Child, Conversation, FileUid, GroupId, GroupMember, LocalMessageId, MediaRecord, Message, RoomId, UserId, UserProfile,
};
use tidings::store::{
    Append, Appended, ChangeKind, Done, EntryRecord, FormerMember, GroupRecord, Maintenance, MemoryStore, MessageLog, Note, NoteRecord,
    Overview, Page, PageRead, Pin, Revision, RoomRecord, RowWrite, Rows, Since, SinceRead, StoreError, StoreStats, Tail,
};

type Waiting = Vec<(Append, Done<Appended>)>;

/// The test's handle of the store.
#[derive(Clone)]
pub(crate) struct HeldStore {
    below: Arc<MemoryStore>,
    /// `None` while appends pass at once.
    held: Arc<Mutex<Option<Waiting>>>,
    /// Stays open when a broker closes it: another may begin on it.
    kept: bool,
}

impl HeldStore {
    pub(crate) fn new() -> Self {
        Self { below: Arc::new(MemoryStore::new(Arc::new(SystemClock::new()))), held: Arc::default(), kept: false }
    }

    /// Makes a store that outlives its broker.
    pub(crate) fn kept() -> Self {
        Self { kept: true, ..Self::new() }
    }

    /// Makes appends wait from now on.
    pub(crate) fn hold(&self) {
        self.held.lock().unwrap().get_or_insert_default();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.held.lock().unwrap().as_ref().map_or(0, Vec::len)
    }

    /// Carries out the appends that wait, and makes no more wait.
    pub(crate) fn release(&self) {
        for (append, done) in self.held.lock().unwrap().take().unwrap_or_default() {
            self.below.append(append, done);
        }
    }
}

impl MessageLog for HeldStore {
    fn append(&self, append: Append, done: Done<Appended>) {
        match &mut *self.held.lock().unwrap() {
            Some(waiting) => waiting.push((append, done)),
            None => self.below.append(append, done),
        }
    }

    fn revise(&self, revision: Revision, done: Done<u64>) {
        self.below.revise(revision, done);
    }

    fn remove(&self, conversation: Conversation, done: Done<()>) {
        self.below.remove(conversation, done);
    }

    fn may_know(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> bool {
        self.below.may_know(conversation, sender, local_id)
    }

    fn find(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> Result<Option<Appended>, StoreError> {
        self.below.find(conversation, sender, local_id)
    }

    fn read(&self, conversation: &Conversation, page: Page) -> Result<PageRead, StoreError> {
        self.below.read(conversation, page)
    }

    fn since(&self, conversation: &Conversation, since: Since) -> Result<SinceRead, StoreError> {
        self.below.since(conversation, since)
    }

    fn written_after(&self, commit: u64) -> Result<Vec<Conversation>, StoreError> {
        self.below.written_after(commit)
    }

    fn peers_of(&self, user: &UserId) -> Result<Vec<UserId>, StoreError> {
        self.below.peers_of(user)
    }

    fn head(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        self.below.head(conversation)
    }

    fn tail(&self, conversation: &Conversation) -> Result<Option<Tail>, StoreError> {
        self.below.tail(conversation)
    }

    fn message(&self, conversation: &Conversation, seq: u64) -> Result<Option<Arc<Message>>, StoreError> {
        self.below.message(conversation, seq)
    }

    fn seq_of(&self, conversation: &Conversation, id: u64) -> Result<Option<u64>, StoreError> {
        self.below.seq_of(conversation, id)
    }

    fn children(&self, conversation: &Conversation, seq: u64) -> Result<Vec<Child>, StoreError> {
        self.below.children(conversation, seq)
    }

    fn children_bytes(&self, conversation: &Conversation, seq: u64) -> Result<usize, StoreError> {
        self.below.children_bytes(conversation, seq)
    }

    fn notes(&self, conversation: &Conversation, seq: u64) -> Result<Vec<(Note, NoteRecord)>, StoreError> {
        self.below.notes(conversation, seq)
    }

    fn pins(&self, conversation: &Conversation) -> Result<Vec<Pin>, StoreError> {
        self.below.pins(conversation)
    }

    fn replies(&self, conversation: &Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError> {
        self.below.replies(conversation, root_seq)
    }

    fn changes(&self, conversation: &Conversation, after: u64, count_max: usize) -> Result<Vec<(u64, ChangeKind)>, StoreError> {
        self.below.changes(conversation, after, count_max)
    }

    fn media_uses(&self, file: FileUid, count_max: usize) -> Result<Vec<(Conversation, u64)>, StoreError> {
        self.below.media_uses(file, count_max)
    }

    fn last_commit(&self) -> u64 {
        self.below.last_commit()
    }

    fn last_message_id(&self) -> u64 {
        self.below.last_message_id()
    }
}

impl Overview for HeldStore {}

impl Rows for HeldStore {
    fn apply(&self, rows: Vec<RowWrite>, done: Done<()>) {
        self.below.apply(rows, done);
    }

    fn entry(&self, user: &UserId, conversation: &Conversation) -> Result<EntryRecord, StoreError> {
        self.below.entry(user, conversation)
    }

    fn entries_of(&self, user: &UserId) -> Result<Vec<(Conversation, EntryRecord)>, StoreError> {
        self.below.entries_of(user)
    }

    fn following(&self, user: &UserId) -> Result<Vec<(UserId, u64)>, StoreError> {
        self.below.following(user)
    }

    fn user(&self, user: &UserId) -> Result<Option<UserProfile>, StoreError> {
        self.below.user(user)
    }

    fn users_after(&self, user: Option<&UserId>, count_max: usize) -> Result<Vec<UserProfile>, StoreError> {
        self.below.users_after(user, count_max)
    }

    fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        self.below.room(room)
    }

    fn rooms(&self) -> Result<Vec<RoomRecord>, StoreError> {
        self.below.rooms()
    }

    fn group(&self, group: &GroupId) -> Result<Option<GroupRecord>, StoreError> {
        self.below.group(group)
    }

    fn groups_after(&self, group: Option<&GroupId>, count_max: usize) -> Result<Vec<GroupRecord>, StoreError> {
        self.below.groups_after(group, count_max)
    }

    fn group_members(&self, group: &GroupId) -> Result<Vec<GroupMember>, StoreError> {
        self.below.group_members(group)
    }

    fn group_member(&self, group: &GroupId, user: &UserId) -> Result<Option<GroupMember>, StoreError> {
        self.below.group_member(group, user)
    }

    fn groups_of(&self, user: &UserId) -> Result<Vec<GroupId>, StoreError> {
        self.below.groups_of(user)
    }

    fn former_groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, FormerMember)>, StoreError> {
        self.below.former_groups_of(user)
    }

    fn media(&self, file: FileUid) -> Result<Option<MediaRecord>, StoreError> {
        self.below.media(file)
    }

    fn media_after(&self, file: Option<FileUid>, count_max: usize) -> Result<Vec<MediaRecord>, StoreError> {
        self.below.media_after(file, count_max)
    }
}

impl Maintenance for HeldStore {
    fn sweep(&self, now_ms: u64) -> Result<bool, StoreError> {
        self.below.sweep(now_ms)
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.below.writable()
    }

    fn stats(&self) -> StoreStats {
        self.below.stats()
    }

    fn close(&self) -> Result<(), StoreError> {
        if self.kept { Ok(()) } else { self.below.close() }
    }
}
