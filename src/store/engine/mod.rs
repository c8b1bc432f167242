//! Everything that is not the disk: the handle that callers hold, and what it shares with the writer's thread.
//!
//! Callers queue jobs; [`self::writer`] carries them out on a thread of its own; reads go to the backend directly.

pub(crate) mod batch_plan;
pub(crate) mod dedup_filter;
pub(crate) mod head_cache;
pub(crate) mod maintenance;
pub(crate) mod read;
pub(crate) mod writer;

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use self::dedup_filter::DedupFilter;
use self::writer::Writer;
use crate::clock::Clock;
use crate::model::{Child, Conversation, FileUid, GroupId, GroupMember, LocalMessageId, MediaRecord, Message, RoomId, UserId, UserProfile};
use crate::store::backend::Backend;
use crate::store::copy::backup::{ObserverRequest, Pace, StoreCopy};
use crate::store::format::key;
use crate::store::format::record;
use crate::store::format::record::PermanentMeta;
use crate::store::{
    Append, Appended, ChangeKind, Done, EntryRecord, FormerMember, GroupRecord, Note, NoteRecord, Page, PageRead, Pin, Revision,
    RoomRecord, RowWrite, Since, SinceRead, Store, StoreError, StoreStats, Tail,
};

/// The name of the writer's thread.
const THREAD_NAME: &str = "tidings-store";

/// What the writer is asked to do.
pub(crate) enum Job {
    Append(Box<AppendJob>),
    Rows(Vec<RowWrite>, Done<()>),
    Revise(Box<Revision>, Done<u64>),
    Remove(Conversation, Done<()>),
    Sweep(u64, SyncSender<Result<(), StoreError>>),
    Backup(ObserverRequest),
}

/// An append with what the caller's thread could work out for the writer's.
pub(crate) struct AppendJob {
    pub append: Append,
    /// Under this local id nothing was ever stored: no need to look.
    pub certainly_new: bool,
    /// See [`record::content`]; only used with a local id.
    pub content: (u64, u64),
    pub done: Done<Appended>,
}

/// Where the engine begins.
pub(crate) struct Start {
    /// The last append's commit.
    pub commit: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// The permanent space's counters.
    pub permanent: PermanentMeta,
    /// Knows the local ids of the last two periods.
    pub dedup_filter: DedupFilter,
}

/// What callers and the writer share.
pub(crate) struct Shared {
    pub backend: Box<dyn Backend>,
    pub clock: Arc<dyn Clock>,
    pub retention_days: u64,
    pub dedup_filter: DedupFilter,
    /// The last durable commit: readers see nothing after it.
    pub commit: AtomicU64,
    pub message_id: AtomicU64,
    pub appended: AtomicU64,
    pub duplicates: AtomicU64,
    pub flushes: AtomicU64,
    waiting: AtomicU64,
    /// Why no write is accepted any more.
    broken: OnceLock<StoreError>,
}

impl Shared {
    /// Refuses every later write. The first reason stays.
    pub(crate) fn stop_writes(&self, error: &StoreError) {
        let reason = StoreError::Unavailable(match error {
            StoreError::Unavailable(reason) => reason.clone(),
            other => other.to_string(),
        });
        if self.broken.set(reason).is_ok() {
            tracing::error!(%error, "store stopped accepting writes");
        }
    }

    /// `Err` once it stopped accepting writes.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        self.broken.get().cloned().map_or(Ok(()), Err)
    }

    /// Tells a caller the outcome. A callback that panics must not end the writer.
    pub(crate) fn finish<T>(&self, done: Done<T>, result: Result<T, StoreError>) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if panic::catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("a callback given to the store panicked");
        }
    }
}

/// The handle. See [`Store`] for the rules it keeps.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    /// None once closed.
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

fn closed() -> StoreError {
    StoreError::Unavailable("store is closed".into())
}

impl Engine {
    /// Starts the writer. If its thread cannot be started, the store is read-only and says so.
    pub(crate) fn start(backend: Box<dyn Backend>, clock: Arc<dyn Clock>, retention_days: u64, start: Start) -> Self {
        let shared = Arc::new(Shared {
            backend,
            clock,
            retention_days,
            dedup_filter: start.dedup_filter,
            commit: AtomicU64::new(start.commit),
            message_id: AtomicU64::new(start.message_id),
            appended: AtomicU64::default(),
            duplicates: AtomicU64::default(),
            flushes: AtomicU64::default(),
            waiting: AtomicU64::default(),
            broken: OnceLock::new(),
        });
        let (sender, receiver): (_, Receiver<Job>) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), start.permanent);
        let (jobs, thread) = match thread::Builder::new().name(THREAD_NAME.into()).spawn(move || writer.run(&receiver)) {
            Ok(thread) => (Some(sender), Some(thread)),
            Err(error) => {
                shared.stop_writes(&StoreError::Unavailable(format!("cannot start the store's thread: {error}")));
                (None, None)
            }
        };
        Self { shared, jobs: Mutex::new(jobs), thread: Mutex::new(thread) }
    }

    fn jobs(&self) -> MutexGuard<'_, Option<Sender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, or hands it back with the reason.
    fn queue(&self, jobs: &Option<Sender<Job>>, job: Job) -> Result<(), (Job, StoreError)> {
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        match jobs {
            Some(jobs) => jobs.send(job).map_err(|failed| (failed.0, closed())),
            None => Err((job, self.shared.writable().err().unwrap_or_else(closed))),
        }
    }

    fn backend(&self) -> &dyn Backend {
        &*self.shared.backend
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Queues a job and waits for its answer.
    pub(crate) fn ask<T>(&self, job: Job, answer: &Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        let queued = self.queue(&self.jobs(), job).map_err(|(_, error)| error);
        let outcome = queued.and_then(|()| answer.recv().unwrap_or_else(|_| Err(closed())));
        self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
        outcome
    }

    /// Carries out what is queued, stops the writer, releases the backend.
    fn close(&self) {
        // The writer ends when the queue is empty and nobody can add to it.
        drop(self.jobs().take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            if thread.thread().id() == thread::current().id() {
                // The last handle was dropped inside a callback: the writer ends, and closes, by itself.
                return;
            }
            if thread.join().is_err() {
                tracing::error!("the store's thread panicked");
            }
        }
        self.shared.backend.close();
    }

    fn row<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        read::row(self.backend(), crate::store::backend::Space::Permanent, key)
    }
}

/// A store that is an engine over some backend: [`Store`] follows.
pub(crate) trait Engined: Send + Sync + 'static {
    /// The engine.
    fn engine(&self) -> &Engine;
}

impl Engined for Engine {
    fn engine(&self) -> &Engine {
        self
    }
}

impl<T: Engined> Store for T {
    fn append(&self, append: Append, done: Done<Appended>) {
        let engine = self.engine();
        let content = if append.local_id.is_some() { record::content(&append) } else { (0, 0) };
        // One lock over asking and queueing: of two sends under one local id the first in the queue is the new one.
        let jobs = engine.jobs();
        let certainly_new = match &append.local_id {
            Some(local_id) => !engine.shared.dedup_filter.insert(append.sender.as_str(), local_id.as_str()),
            None => true,
        };
        let job = Job::Append(Box::new(AppendJob { append, certainly_new, content, done }));
        let queued = engine.queue(&jobs, job);
        drop(jobs);
        if let Err((Job::Append(job), error)) = queued {
            engine.shared.finish(job.done, Err(error));
        }
    }

    fn apply(&self, rows: Vec<RowWrite>, done: Done<()>) {
        let engine = self.engine();
        let queued = engine.queue(&engine.jobs(), Job::Rows(rows, done));
        if let Err((Job::Rows(_, done), error)) = queued {
            engine.shared.finish(done, Err(error));
        }
    }

    fn revise(&self, revision: Revision, done: Done<u64>) {
        let engine = self.engine();
        let queued = engine.queue(&engine.jobs(), Job::Revise(Box::new(revision), done));
        if let Err((Job::Revise(_, done), error)) = queued {
            engine.shared.finish(done, Err(error));
        }
    }

    fn remove(&self, conversation: Conversation, done: Done<()>) {
        let engine = self.engine();
        let queued = engine.queue(&engine.jobs(), Job::Remove(conversation, done));
        if let Err((Job::Remove(_, done), error)) = queued {
            engine.shared.finish(done, Err(error));
        }
    }

    fn may_know(&self, sender: &UserId, local_id: &LocalMessageId) -> bool {
        self.engine().shared.dedup_filter.contains(sender.as_str(), local_id.as_str())
    }

    fn find(&self, sender: &UserId, local_id: &LocalMessageId) -> Result<Option<Appended>, StoreError> {
        let found = read::find(self.engine().backend(), self.last_commit(), sender, local_id)?;
        Ok(found.map(|found| Appended { message: found.message, commit: found.commit, duplicate: true }))
    }

    fn read(&self, conversation: &Conversation, page: Page) -> Result<PageRead, StoreError> {
        read::read(self.engine().backend(), self.last_commit(), conversation, page)
    }

    fn since(&self, conversation: &Conversation, since: Since) -> Result<SinceRead, StoreError> {
        read::since(self.engine().backend(), self.last_commit(), conversation, since)
    }

    fn written_after(&self, commit: u64) -> Result<Vec<Conversation>, StoreError> {
        read::written_after(self.engine().backend(), commit)
    }

    fn peers_of(&self, user: &UserId) -> Result<Vec<UserId>, StoreError> {
        read::rows(self.engine().backend(), key::peers(user), |key, value| {
            record::check(key, value)?;
            key::split_peer(key).ok_or_else(|| StoreError::Damaged("a peer's key cannot be read".into()))
        })
    }

    fn tail(&self, conversation: &Conversation) -> Result<Option<Tail>, StoreError> {
        read::tail(self.engine().backend(), self.last_commit(), conversation)
    }

    fn message(&self, conversation: &Conversation, seq: u64) -> Result<Option<Arc<Message>>, StoreError> {
        let placed = read::locate_message(self.engine().backend(), conversation, seq)?;
        Ok(placed.filter(|placed| placed.envelope.commit <= self.last_commit()).map(|placed| placed.message))
    }

    fn seq_of(&self, conversation: &Conversation, id: u64) -> Result<Option<u64>, StoreError> {
        read::seq_of(self.engine().backend(), self.last_commit(), conversation, id)
    }

    fn children(&self, conversation: &Conversation, seq: u64) -> Result<Vec<Child>, StoreError> {
        Ok(read::newest_record(self.engine().backend(), &key::children(conversation, seq))?.unwrap_or_default())
    }

    fn notes(&self, conversation: &Conversation, seq: u64) -> Result<Vec<(Note, NoteRecord)>, StoreError> {
        read::notes(self.engine().backend(), conversation, seq)
    }

    fn pins(&self, conversation: &Conversation) -> Result<Vec<Pin>, StoreError> {
        read::newest_or_permanent(self.engine().backend(), &key::pins(conversation))
    }

    fn replies(&self, conversation: &Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError> {
        read::replies(self.engine().backend(), self.last_commit(), conversation, root_seq)
    }

    fn changes(&self, conversation: &Conversation, after: u64, count_max: usize) -> Result<Vec<(u64, ChangeKind)>, StoreError> {
        read::changes(self.engine().backend(), conversation, (after, self.last_commit()), count_max)
    }

    fn entry(&self, user: &UserId, conversation: &Conversation) -> Result<EntryRecord, StoreError> {
        read::entry(self.engine().backend(), user, conversation)
    }

    fn entries_of(&self, user: &UserId) -> Result<Vec<(Conversation, EntryRecord)>, StoreError> {
        read::entries_of(self.engine().backend(), user)
    }

    fn following(&self, user: &UserId) -> Result<Vec<(UserId, u64)>, StoreError> {
        read::newest_or_permanent(self.engine().backend(), &key::following(user))
    }

    fn former_groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, FormerMember)>, StoreError> {
        let groups = read::rows(self.engine().backend(), key::memberships(user), |key, value| {
            let former: Option<FormerMember> = record::decode(key, value)?;
            Ok(former.and_then(|former| Some((key::split_membership(key)?, former))))
        })?;
        Ok(groups.into_iter().flatten().collect())
    }

    fn media(&self, file: FileUid) -> Result<Option<MediaRecord>, StoreError> {
        self.engine().row(&key::media(file))
    }

    fn media_after(&self, file: Option<FileUid>, count_max: usize) -> Result<Vec<MediaRecord>, StoreError> {
        read::some_rows(self.engine().backend(), key::media_after(file), count_max)
    }

    fn media_uses(&self, file: FileUid, count_max: usize) -> Result<Vec<(Conversation, u64)>, StoreError> {
        read::media_uses(self.engine().backend(), file, count_max)
    }

    fn head(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        read::last_seq(self.engine().backend(), self.last_commit(), conversation)
    }

    fn user(&self, user: &UserId) -> Result<Option<UserProfile>, StoreError> {
        self.engine().row(&key::user(user))
    }

    fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        self.engine().row(&key::room(room))
    }

    fn users_after(&self, user: Option<&UserId>, count_max: usize) -> Result<Vec<UserProfile>, StoreError> {
        read::some_rows(self.engine().backend(), key::users_after(user), count_max)
    }

    fn groups_after(&self, group: Option<&GroupId>, count_max: usize) -> Result<Vec<GroupRecord>, StoreError> {
        read::some_rows(self.engine().backend(), key::groups_after(group), count_max)
    }

    fn rooms(&self) -> Result<Vec<RoomRecord>, StoreError> {
        read::rows(self.engine().backend(), key::rooms(), record::decode)
    }

    fn group(&self, group: &GroupId) -> Result<Option<GroupRecord>, StoreError> {
        self.engine().row(&key::group(group))
    }

    fn group_members(&self, group: &GroupId) -> Result<Vec<GroupMember>, StoreError> {
        read::rows(self.engine().backend(), key::members(group), record::decode)
    }

    fn group_member(&self, group: &GroupId, user: &UserId) -> Result<Option<GroupMember>, StoreError> {
        self.engine().row(&key::member(group, user))
    }

    fn groups_of(&self, user: &UserId) -> Result<Vec<GroupId>, StoreError> {
        let groups = read::rows(self.engine().backend(), key::memberships(user), |key, value| {
            let former: Option<FormerMember> = record::decode(key, value)?;
            let group = key::split_membership(key).ok_or_else(|| StoreError::Damaged("a membership's key cannot be read".into()))?;
            Ok(former.is_none().then_some(group))
        })?;
        Ok(groups.into_iter().flatten().collect())
    }

    fn last_commit(&self) -> u64 {
        self.engine().shared.commit.load(Ordering::Acquire)
    }

    fn last_message_id(&self) -> u64 {
        self.engine().shared.message_id.load(Ordering::Acquire)
    }

    fn sweep(&self, now_ms: u64) -> Result<(), StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.engine().ask(Job::Sweep(now_ms, sender), &receiver)
    }

    fn backup(&self, folder: &Path, mut pace: Pace<'_>) -> Result<StoreCopy, StoreError> {
        self.engine().copy_to(folder, &mut pace)
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.engine().shared.writable()?;
        let open = self.engine().jobs().is_some();
        if open { Ok(()) } else { Err(closed()) }
    }

    fn stats(&self) -> StoreStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            appended: count(&self.engine().shared.appended),
            duplicates: count(&self.engine().shared.duplicates),
            flushes: count(&self.engine().shared.flushes),
            waiting: count(&self.engine().shared.waiting),
        }
    }

    fn close(&self) {
        self.engine().close();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
