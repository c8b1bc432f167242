//! The two stores that are built in: an engine over memory, and an engine over sled.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::backend::Backend as _;
use super::backend::log_file;
use super::backend::memory::MemoryBackend;
use super::backend::open::{FormatPolicy, SledOptions, open_backend, open_error, open_files};
use super::backend::room::{free_space, lay_in_ballast, needed};
use super::backend::sled_backend::SledBackend;
use super::backend::store_dir::StoreDir;
use super::copy::backup;
use super::engine::dedup_filter::DedupFilter;
use super::engine::shared::{Recover, Recovered, Start};
use super::engine::{Engine, EngineSettings};
use super::error::{OpenError, StoreError};
use super::format::record::PermanentMeta;
use super::repair::losses::AcceptedLosses;
use super::repair::salvage;
use super::repair::verify::{self, Verified};
use super::traits::Maintenance;
use super::types::{Pace, StoreCopy, StoreStats};
use crate::clock::Clock;

/// The memory store's filter of local ids, bytes per generation: enough for a test or a small host.
const MEMORY_FILTER_BYTES: usize = 256 << 10;
/// How long the memory store keeps what is swept.
const MEMORY_RETENTION_DAYS: u64 = 30;

/// Keeps all rules of [`Store`](super::Store) but durability: for tests, and for hosts that keep nothing. Gone when dropped;
/// keeps 30 days once swept.
pub struct MemoryStore {
    engine: Engine,
}

impl MemoryStore {
    /// Returns an empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let dedup_filter = DedupFilter::new(MEMORY_FILTER_BYTES);
        let start = Start { commit: 0, message_id: 0, permanent: PermanentMeta::default(), dedup_filter };
        let backend = Arc::new(MemoryBackend::default());
        Self {
            engine: Engine::start(
                backend,
                clock,
                EngineSettings { retention_days: MEMORY_RETENTION_DAYS, gather: Duration::ZERO },
                start,
                None,
            ),
        }
    }
}

/// Keeps all rules of [`Store`](super::Store) on a local disk.
pub struct SledStore {
    engine: Engine,
    losses: Option<AcceptedLosses>,
}

impl SledStore {
    /// Opens a store, or makes one, and checks that what was acknowledged is there. Blocks.
    ///
    /// # Errors
    /// [`OpenError`]; of a damaged store nothing is lost by the attempt.
    pub fn open(options: SledOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let dir = StoreDir::new(options.path.clone());
        let lock = dir.lock(options.lock_wait)?;
        let mut losses = None;
        let opened = match open_checked(&dir, &options, lock) {
            Err((OpenError::Damaged { reason, .. }, Some(lock))) if options.accept_data_loss => {
                let copy = dir.copy_aside(clock.wall_ms()).map_err(|error| dir.io(&error))?;
                tracing::warn!(reason, copy = %copy.display(), "store is damaged; opening it with what can be read");
                losses = Some(salvage::salvage(&dir, &options, copy, clock.wall_ms())?);
                open_checked(&dir, &options, lock)
            }
            other => other,
        };
        let (backend, start) = opened.map_err(|(error, _)| error)?;
        lay_in_ballast(&dir, options.ballast_bytes);
        dir.sign();
        if let Some(losses) = &losses {
            losses.to_string().lines().for_each(|line| tracing::warn!("{line}"));
        }
        let settings = EngineSettings { retention_days: options.retention_days, gather: options.gather };
        let backend = Arc::new(backend);
        let recover = recover(Arc::clone(&backend), dir, options);
        Ok(Self { engine: Engine::start(backend, clock, settings, start, Some(recover)), losses })
    }

    /// Returns what was lost when this store was opened, if it was damaged and its losses were accepted.
    #[must_use]
    pub fn accepted_losses(&self) -> Option<&AcceptedLosses> {
        self.losses.as_ref()
    }
}

/// Returns how a store is opened again behind a broker that goes on, once there is room on the disk.
fn recover(backend: Arc<SledBackend>, dir: StoreDir, options: SledOptions) -> Recover {
    Box::new(move |dedup_filter| {
        let (free, needed) = (free_space(&dir.root).map_err(StoreError::refused)?, needed(&dir).map_err(StoreError::refused)?);
        if free < needed {
            return Err(StoreError::Full(format!("{free} bytes are free, {needed} are needed to open the store again")));
        }
        let open = || open_files(&dir, &options, FormatPolicy::Keep).map_err(|error| StoreError::Unavailable(error.to_string()));
        let mark = backend.reopen(open)?;
        let Verified { commit, message_id, permanent } = verify::verify(&*backend, mark, dedup_filter)?;
        Ok(Recovered { commit, message_id, permanent })
    })
}

/// A checked backend and where the engine begins. A failed attempt hands the lock back, unless it is lost with what held it.
type Checked = Result<(SledBackend, Start), (OpenError, Option<File>)>;

fn open_checked(dir: &StoreDir, options: &SledOptions, lock: File) -> Checked {
    let opened = open_backend(dir, options, FormatPolicy::Upgrade, lock);
    let (backend, mark) = opened.map_err(|(error, lock)| (error, Some(lock)))?;
    let dedup_filter = DedupFilter::new(options.seen_bytes);
    let folders: Vec<PathBuf> = backend.periods().into_iter().map(|period| dir.period(period)).chain([dir.permanent()]).collect();
    let is_torn = folders.iter().any(|folder| log_file::has_torn_segments(folder).unwrap_or(true));
    let verified = if is_torn {
        verify::verify_all(&backend, mark, &dedup_filter, &mut verify::RecordCounts::new())
    } else {
        verify::verify(&backend, mark, &dedup_filter)
    };
    match verified {
        Ok(Verified { commit, message_id, permanent }) => {
            if let Err(error) = folders.iter().try_for_each(|folder| log_file::forget_torn_segments(folder)) {
                tracing::warn!(%error, "segments that were kept of a damaged log could not be deleted");
            }
            Ok((backend, Start { commit, message_id, permanent, dedup_filter }))
        }
        Err(error) => {
            let lock = backend.take_lock();
            drop(backend.close());
            Err((open_error(dir, error), lock))
        }
    }
}

impl AsRef<Engine> for MemoryStore {
    fn as_ref(&self) -> &Engine {
        &self.engine
    }
}

impl AsRef<Engine> for SledStore {
    fn as_ref(&self) -> &Engine {
        &self.engine
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore").finish_non_exhaustive()
    }
}

impl<T: AsRef<Engine> + Send + Sync + 'static> Maintenance for T {
    fn sweep(&self, now_ms: u64) -> Result<bool, StoreError> {
        self.as_ref().sweep(now_ms)
    }

    fn noted_time(&self) -> Result<Option<u64>, StoreError> {
        self.as_ref().backend().noted_time()
    }

    fn note_time(&self, now_ms: u64) -> Result<(), StoreError> {
        self.as_ref().backend().note_time(now_ms)
    }

    fn backup(&self, folder: &Path, mut pace: Pace<'_>) -> Result<StoreCopy, StoreError> {
        backup::copy(self.as_ref(), folder, &mut pace)
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.as_ref().writable()
    }

    fn stats(&self) -> StoreStats {
        self.as_ref().stats()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.as_ref().close()
    }
}
