//! A file on its way in: what has arrived of it, and who writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::media::Spool;
use crate::model::{FileUid, MediaKind, Refusal, UserId};

/// An upload that is not complete.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) file: FileUid,
    pub(crate) owner: UserId,
    pub(crate) kind: MediaKind,
    pub(crate) name: String,
    /// Its length, if it was announced; else the most it may become.
    pub(crate) promised: u64,
    pub(in crate::actors) spool: Arc<Mutex<Spool>>,
    /// Held by whoever writes.
    pub(in crate::actors) writer: Arc<tokio::sync::Mutex<()>>,
    /// Someone else wants to write.
    pub(in crate::actors) wanted: Notify,
    /// When it last grew.
    pub(in crate::actors) touched: Mutex<Duration>,
    /// It is complete and being checked.
    pub(in crate::actors) ending: AtomicBool,
}

impl Upload {
    pub(in crate::actors) fn new(
        spool: Spool,
        file: FileUid,
        owner: UserId,
        kind: MediaKind,
        name: String,
        promised: u64,
        now: Duration,
    ) -> Self {
        Self {
            file,
            owner,
            kind,
            name,
            promised,
            spool: Arc::new(Mutex::new(spool)),
            writer: Arc::default(),
            wanted: Notify::new(),
            touched: Mutex::new(now),
            ending: AtomicBool::new(false),
        }
    }

    #[cfg(test)]
    pub(in crate::actors) fn for_test(folder: &std::path::Path, file: FileUid, owner: UserId, kind: MediaKind, promised: u64) -> Self {
        let spool = Spool::create(folder, &file.to_string()).unwrap();
        Self::new(spool, file, owner, kind, String::new(), promised, Duration::ZERO)
    }

    pub(in crate::actors) fn touched(&self) -> Duration {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is complete and being checked: nothing of it changes any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    pub(in crate::actors) fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it is by now.
    pub(crate) async fn length(self: &Arc<Self>) -> u64 {
        // Not on this thread: a write may be under way.
        let upload = self.clone();
        blocking(move || Ok(upload.spool().bytes())).await.unwrap_or_default()
    }

    /// Completes when someone else wants to write.
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
