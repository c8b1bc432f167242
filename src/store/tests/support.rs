//! What the store's tests share: a store that can be restarted, and writes that wait for their outcome.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tempfile::TempDir;

use crate::clock::ManualClock;
use crate::model::{Conversation, Draft, GroupId, LocalMessageId, Message, Priority, RoomId, UserId};
use crate::store::{
    Anchor, Append, Appended, Done, MemoryStore, OpenError, Page, RowWrite, SINGLE_NODE_EPOCH, SledOptions, SledStore, Store, StoreError,
};

/// 2026-01-04, three days into a period.
pub(crate) const NOW_MS: u64 = 1_767_484_800_000;
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static IDS: AtomicU64 = AtomicU64::new(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackendKind {
    Memory,
    Sled,
}

/// A store, its clock and its folder.
pub(crate) struct World {
    pub kind: BackendKind,
    pub clock: Arc<ManualClock>,
    pub folder: TempDir,
    pub store: Arc<dyn Store>,
}

impl World {
    pub(crate) fn new(kind: BackendKind) -> Self {
        let (clock, folder) = (Arc::new(ManualClock::at(NOW_MS)), tempfile::tempdir().unwrap());
        let store: Arc<dyn Store> = match kind {
            BackendKind::Memory => Arc::new(MemoryStore::new(clock.clone())),
            BackendKind::Sled => Arc::new(SledStore::open(options(&folder), clock.clone()).unwrap()),
        };
        Self { kind, clock, folder, store }
    }

    pub(crate) fn sled() -> Self {
        Self::new(BackendKind::Sled)
    }

    /// Closes and opens again; a memory store, which would be empty, goes on.
    pub(crate) fn restart(&mut self) {
        if self.kind == BackendKind::Sled {
            drop(self.store.close());
            self.store = Arc::new(self.open().unwrap());
        }
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

fn options(folder: &TempDir) -> SledOptions {
    SledOptions {
        cache_bytes: 8 << 20,
        ballast_bytes: 0,
        seen_bytes: 64 << 10,
        lock_wait: Duration::from_millis(200),
        ..SledOptions::new(folder.path().join("store"))
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
        mod memory {
            $(#[test] fn $name() { super::$name($crate::store::tests::support::World::new($crate::store::tests::support::BackendKind::Memory)); })*
        }
        mod sled {
            $(#[test] fn $name() { super::$name($crate::store::tests::support::World::new($crate::store::tests::support::BackendKind::Sled)); })*
        }
    };
}
pub(crate) use contract;
