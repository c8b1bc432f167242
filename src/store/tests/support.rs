//! What the store's tests share: a store that can be restarted, and writes that wait for their outcome.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tempfile::TempDir;

use crate::clock::ManualClock;
use crate::model::{
    Conversation, Draft, FileUid, GroupId, LocalMessageId, MediaKind, MediaRecord, Message, Pixels, Priority, RoomId, UserId,
};
use crate::store::{
    Anchor, Append, Appended, Done, MemoryStore, OpenError, Page, RowWrite, SINGLE_NODE_EPOCH, SledOptions, SledStore, Store, StoreError,
};
#[cfg(feature = "postgres")]
use crate::store::{PostgresOptions, PostgresStore, StampTime};

/// 2026-01-04, three days into a period.
pub(crate) const NOW_MS: u64 = 1_767_484_800_000;
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static IDS: AtomicU64 = AtomicU64::new(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackendKind {
    Memory,
    Sled,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// A store, its clock and its folder.
pub(crate) struct World {
    pub kind: BackendKind,
    pub clock: Arc<ManualClock>,
    pub folder: TempDir,
    pub store: Arc<dyn Store>,
    /// Where the database is, if it is in one.
    #[cfg(feature = "postgres")]
    pub url: String,
}

impl World {
    pub(crate) fn new(kind: BackendKind) -> Self {
        let (clock, folder) = (Arc::new(ManualClock::at(NOW_MS)), tempfile::tempdir().unwrap());
        let store: Arc<dyn Store> = match kind {
            BackendKind::Memory => Arc::new(MemoryStore::new(clock.clone())),
            BackendKind::Sled => Arc::new(SledStore::open(options(&folder), clock.clone()).unwrap()),
            #[cfg(feature = "postgres")]
            BackendKind::Postgres => return Self::postgres().expect("PostgreSQL is installed"),
        };
        Self {
            kind,
            clock,
            folder,
            store,
            #[cfg(feature = "postgres")]
            url: String::new(),
        }
    }

    /// A store in a database of its own; none where PostgreSQL is not installed.
    #[cfg(feature = "postgres")]
    pub(crate) fn postgres() -> Option<Self> {
        let url = super::cluster::Cluster::shared()?.database();
        let (clock, folder) = (Arc::new(ManualClock::at(NOW_MS)), tempfile::tempdir().unwrap());
        let store = Arc::new(PostgresStore::open(postgres_options(&url), clock.clone()).unwrap());
        Some(Self { kind: BackendKind::Postgres, clock, folder, store, url })
    }

    pub(crate) fn sled() -> Self {
        Self::new(BackendKind::Sled)
    }

    /// Closes and opens again; a memory store, which would be empty, goes on.
    pub(crate) fn restart(&mut self) {
        match self.kind {
            BackendKind::Memory => {}
            BackendKind::Sled => {
                drop(self.store.close());
                self.store = Arc::new(self.open().unwrap());
            }
            #[cfg(feature = "postgres")]
            BackendKind::Postgres => {
                drop(self.store.close());
                self.store = Arc::new(PostgresStore::open(postgres_options(&self.url), self.clock.clone()).unwrap());
            }
        }
    }

    /// Returns whether commits are 1, 2, 3 … also of what is gone by now.
    pub(crate) fn counts_commits(&self) -> bool {
        matches!(self.kind, BackendKind::Memory | BackendKind::Sled)
    }

    /// Returns which commit of the whole store one is, from 1. An engine may know commits by numbers that rise and have gaps.
    pub(crate) fn nth(&self, commit: u64) -> u64 {
        #[cfg(feature = "postgres")]
        if self.kind == BackendKind::Postgres {
            let database = self.url.rsplit_once("dbname=").unwrap().1;
            let stamps = "SELECT stamp FROM tidings.messages UNION SELECT stamp FROM tidings.changes";
            let count = format!("SELECT count(*) FROM ({stamps}) s WHERE stamp <= {commit}");
            return super::cluster::Cluster::shared().unwrap().sql(database, &count).parse().unwrap();
        }
        commit
    }

    pub(crate) fn options(&self) -> SledOptions {
        options(&self.folder)
    }

    pub(crate) fn open(&self) -> Result<SledStore, OpenError> {
        SledStore::open(self.options(), self.clock.clone())
    }

    pub(crate) fn append(&self, append: Append) -> Result<Appended, StoreError> {
        wait(|done| self.store.append(append, done))
    }

    /// Sends a text without a local id.
    pub(crate) fn say(&self, conversation: &Conversation, text: &str) -> Appended {
        self.append(text_of(conversation, "alice", None, text, NOW_MS)).unwrap()
    }

    pub(crate) fn apply(&self, rows: Vec<RowWrite>) -> Result<(), StoreError> {
        wait(|done| self.store.apply(rows, done))
    }

    /// Deletes every period that is too old.
    pub(crate) fn sweep(&self, now_ms: u64) {
        while self.store.sweep(now_ms).unwrap() {}
    }

    pub(crate) fn remove(&self, conversation: &Conversation) -> Result<(), StoreError> {
        wait(|done| self.store.remove(conversation.clone(), done))
    }

    /// Everything in a conversation, oldest first.
    pub(crate) fn all(&self, conversation: &Conversation) -> Vec<Arc<Message>> {
        self.store.read(conversation, page(Anchor::End, false, usize::MAX)).unwrap().messages
    }

    pub(crate) fn seqs(&self, conversation: &Conversation) -> Vec<u64> {
        self.all(conversation).iter().map(|message| message.seq).collect()
    }
}

#[cfg(feature = "postgres")]
pub(crate) fn postgres_options(url: &str) -> PostgresOptions {
    PostgresOptions {
        connections_max: 4,
        seen_bytes: 64 << 10,
        shards: 8,
        lease: Duration::from_secs(1),
        time: StampTime::Own,
        ..PostgresOptions::new(url)
    }
}

fn options(folder: &TempDir) -> SledOptions {
    SledOptions {
        cache_bytes: 8 << 20,
        ballast_bytes: 0,
        seen_bytes: 64 << 10,
        lock_wait: Duration::from_millis(200),
        ..SledOptions::new(folder.path().join("store"))
    }
}

/// Returns the row of a file that is kept.
pub(crate) fn kept_file(bits: u128, owner: UserId) -> MediaRecord {
    MediaRecord {
        file: FileUid::from_bits(bits),
        owner,
        kind: MediaKind::File,
        name: "n".into(),
        bytes: 1,
        bytes_uploaded: 0,
        sha256: "5a".into(),
        mime: "x/y".into(),
        codec: String::new(),
        created_ms: 1,
        duration_ms: None,
        original: Pixels::default(),
        large: Pixels::default(),
        thumbnail: Pixels::default(),
        frame: Pixels::default(),
        large_bytes: 0,
        thumbnail_bytes: 0,
        frame_bytes: 0,
    }
}

/// Waits for the outcome of a write.
pub(crate) fn wait<T: Send + 'static>(write: impl FnOnce(Done<T>)) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::channel();
    write(Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv_timeout(PATIENCE).expect("the store never answered")
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::trusted(id)
}

pub(crate) fn group(id: &str) -> Conversation {
    Conversation::Group(GroupId::trusted(id))
}

pub(crate) fn room(id: &str, incarnation: u64) -> Conversation {
    Conversation::Room(RoomId::trusted(id), incarnation)
}

pub(crate) fn page(anchor: Anchor, backwards: bool, count: usize) -> Page {
    Page { anchor, backwards, count, bytes_max: usize::MAX, first_seq: 0, viewer: None }
}

pub(crate) fn text_of(conversation: &Conversation, sender: &str, local_id: Option<&str>, text: &str, now_ms: u64) -> Append {
    Append {
        conversation: conversation.clone(),
        epoch: SINGLE_NODE_EPOCH,
        id: IDS.fetch_add(1, Ordering::SeqCst),
        sender: user(sender),
        draft: Draft { local_id: local_id.map(LocalMessageId::trusted), priority: Priority::Medium, ..Draft::text(text) },
        asked: None,
        now_ms,
    }
}

/// Makes each function named a test per engine.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        $crate::store::tests::support::embedded_contract!($($name),*);
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[test] fn $name() { $crate::store::tests::support::World::postgres().map(super::$name).unwrap_or_default() })*
        }
    };
}
pub(crate) use contract;

/// Makes each function named a test per embedded engine.
macro_rules! embedded_contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $name() { super::$name($crate::store::tests::support::World::new($crate::store::tests::support::BackendKind::Memory)); })*
        }
        mod sled {
            $(#[test] fn $name() { super::$name($crate::store::tests::support::World::new($crate::store::tests::support::BackendKind::Sled)); })*
        }
    };
}
pub(crate) use embedded_contract;
