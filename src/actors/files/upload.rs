//! A file on its way in: what has arrived of it, and who writes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::media::Spool;
use crate::model::{FileUid, MediaKind, Refusal, UserId};

/// What is added when an upload outgrows what is set aside for it, bytes.
const STEP_BYTES: u64 = 1 << 20;

/// What is known of an upload's length before its first byte, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// This long.
    Exactly(u64),
    /// Not longer: a form of so many bytes carries it.
    AtMost(u64),
    Unknown,
}

impl Announced {
    /// Returns what is set aside for it at first, bytes.
    fn reserved(self, bytes_max: u64) -> u64 {
        match self {
            Self::Exactly(bytes) | Self::AtMost(bytes) => bytes.min(bytes_max),
            Self::Unknown => 0,
        }
    }
}

/// Whose a new upload is, and what is said of it.
#[derive(Debug)]
pub(crate) struct UploadTerms {
    pub(crate) owner: UserId,
    pub(crate) kind: MediaKind,
    /// What its owner calls it.
    pub(crate) name: String,
    pub(crate) announced: Announced,
    /// It waits for its next part when a connection is lost.
    pub(crate) is_resumable: bool,
    /// Its owner wants it kept as it came, with all that it says of its place.
    pub(crate) keeps_original: bool,
}

/// An upload that is not complete.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) file: FileUid,
    pub(crate) owner: UserId,
    pub(crate) kind: MediaKind,
    pub(crate) name: String,
    /// The most it may become: its length, if it was announced; else the limit of its kind.
    pub(crate) bytes_max: u64,
    pub(crate) keeps_original: bool,
    is_resumable: bool,
    /// Bytes set aside for it. Changed under the lock of the quota alone.
    pub(super) reserved: AtomicU64,
    pub(in crate::actors) spool: Arc<Mutex<Spool>>,
    /// Bytes on disk that count.
    settled: Arc<AtomicU64>,
    /// Bytes that came after them, and are written if the connection is lost now.
    pub(super) buffered: Arc<AtomicU64>,
    /// Held by whoever writes.
    pub(super) writer: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever waits for the writer to let go.
    pub(super) successor: tokio::sync::Mutex<()>,
    /// Someone waits, and the writer is silent: it shall let go.
    pub(super) wanted: Notify,
    /// Bytes came.
    pub(super) grew: Notify,
    /// When it last grew; at first, when it was created.
    touched: Mutex<Duration>,
    has_begun: AtomicBool,
    /// It is complete and being checked.
    pub(super) ending: AtomicBool,
}

impl Upload {
    /// `kind_bytes_max`: the limit of its kind, bytes.
    pub(in crate::actors) fn new(spool: Spool, file: FileUid, terms: UploadTerms, kind_bytes_max: u64, now: Duration) -> Self {
        let UploadTerms { owner, kind, name, announced, is_resumable, keeps_original } = terms;
        let bytes_max = if let Announced::Exactly(bytes) = announced { bytes } else { kind_bytes_max };
        Self {
            file,
            owner,
            kind,
            name,
            bytes_max,
            keeps_original,
            is_resumable,
            reserved: AtomicU64::new(announced.reserved(kind_bytes_max)),
            spool: Arc::new(Mutex::new(spool)),
            settled: Arc::default(),
            buffered: Arc::default(),
            writer: Arc::default(),
            successor: tokio::sync::Mutex::default(),
            wanted: Notify::new(),
            grew: Notify::new(),
            touched: Mutex::new(now),
            has_begun: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        }
    }

    /// Returns how many bytes are set aside for it.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed)
    }

    /// Returns how many bytes it must have set aside to grow to `bytes`.
    pub(super) fn next_step(&self, bytes: u64) -> u64 {
        bytes.max(self.reserved() + STEP_BYTES).min(self.bytes_max)
    }

    /// Returns when it last grew.
    pub(in crate::actors) fn touched(&self) -> Duration {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that bytes came.
    pub(super) fn touch(&self, now: Duration) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.has_begun.store(true, Ordering::Relaxed);
        self.grew.notify_waiters();
    }

    /// Returns whether any byte of it came.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Returns whether it is complete and being checked: nothing of it changes any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Returns whether nobody is at work on it: it waits for its next part, and may give way.
    pub(super) fn is_idle(&self) -> bool {
        self.is_resumable && !self.is_ending() && self.writer.try_lock().is_ok()
    }

    pub(in crate::actors) fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns where its next part begins: how much of it would be there if its connection were lost now, bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.settled.load(Ordering::SeqCst) + self.buffered.load(Ordering::SeqCst)
    }

    /// Works on its temporary file on a thread that may wait, and notes what counts of it then. `held` is kept until that is done,
    /// also when nobody waits for it any more.
    pub(super) async fn at_spool<T: Send + 'static>(
        &self,
        held: impl Send + 'static,
        work: impl FnOnce(&mut Spool) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (spool, settled, buffered) = (self.spool.clone(), self.settled.clone(), self.buffered.clone());
        blocking(move || {
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = work(&mut spool).map_err(disk);
            settled.store(spool.bytes_that_count(), Ordering::SeqCst);
            buffered.store(0, Ordering::SeqCst);
            drop(spool);
            drop(held);
            outcome
        })
        .await
    }

    /// Completes when someone else wants to write, and nothing came for a while.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

pub(in crate::actors) fn disk(error: impl ToString) -> Refusal {
    Refusal::FileServer(error.to_string())
}

/// Runs on a thread that may wait, to its end even when nobody waits for it any more.
pub(in crate::actors) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(disk(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_set_aside_and_more_comes_in_steps() {
        let folder = tempfile::tempdir().unwrap();
        let upload = |n: u8, announced| {
            let spool = Spool::create(folder.path(), &n.to_string()).unwrap();
            let owner = UserId::trusted("alice");
            let terms =
                UploadTerms { owner, kind: MediaKind::File, name: String::new(), announced, is_resumable: true, keeps_original: false };
            Upload::new(spool, FileUid::from_bits(n.into()), terms, 10 * STEP_BYTES, Duration::ZERO)
        };
        let of = |upload: &Upload| (upload.reserved(), upload.bytes_max);
        assert_eq!(of(&upload(1, Announced::Exactly(5))), (5, 5));
        assert_eq!(of(&upload(2, Announced::AtMost(200))), (200, 10 * STEP_BYTES));
        assert_eq!(of(&upload(3, Announced::AtMost(u64::MAX))), (10 * STEP_BYTES, 10 * STEP_BYTES));
        let unknown = upload(4, Announced::Unknown);
        assert_eq!(of(&unknown), (0, 10 * STEP_BYTES));
        assert_eq!(unknown.next_step(1), STEP_BYTES);
        assert_eq!(unknown.next_step(5 * STEP_BYTES), 5 * STEP_BYTES);
        assert_eq!(unknown.next_step(20 * STEP_BYTES), 10 * STEP_BYTES);
    }
}
