//! Files that messages carry: taken in, handed out, collected. What is done to bytes is `crate::media`'s; here it is decided
//! who may, how much, and for how long.
//!
//! | survives a crash | |
//! |---|---|
//! | a file whose record is in the message store | yes, whole: the record is written after its bytes are durable |
//! | an upload under way | no: its temporary file is deleted at the next start, and its client begins anew |
//! | bytes without a record | no: deleted at the next start |
//!
//! Which messages carry a file is written with each message, in its period, and goes with it. Nothing counts references:
//! who may read a file, and whether it is still needed, is looked up in those rows and in the messages themselves.

pub(crate) mod access;
mod ledger;
mod sweep;
pub(crate) mod uploads;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use self::ledger::Ledger;
pub(crate) use self::sweep::{collect, keep_tidy};
use crate::auth::MediaTokens;
use crate::config::Config;
use crate::media::{DynMediaStore, MediaOptions, Spool};
use crate::model::{FileUid, Refusal, UserId};
use crate::store::{Store, StoreError};

/// How long a file that a message is about to carry is safe from being collected. A message is stored in far less.
const SPOKEN_FOR: Duration = Duration::from_secs(600);

/// Parts of uploads written and hashed at a time. One: they share what one thread and one queue of the disk carry, some
/// hundreds of megabytes a second, and leave the rest to those who chat.
const WRITES_MAX: usize = 1;

/// Records read at a time.
const PAGE: usize = 256;

/// Everything about files that the broker's parts share.
pub(crate) struct MediaDesk {
    pub(crate) store: Arc<dyn DynMediaStore>,
    pub(crate) tokens: MediaTokens,
    incoming: PathBuf,
    probes: Semaphore,
    writes: Semaphore,
    ledger: Mutex<Ledger>,
}

impl fmt::Debug for MediaDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaDesk").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}

impl MediaDesk {
    /// Deletes what uploads before this start left, and adds up what is kept. Blocks.
    ///
    /// # Errors
    /// Those of the message store.
    pub(crate) fn open(
        config: &Config,
        store: Arc<dyn DynMediaStore>,
        messages: &dyn Store,
        tokens: MediaTokens,
    ) -> Result<Self, StoreError> {
        let incoming = config.incoming_dir();
        match Spool::sweep(&incoming) {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "deleted what unfinished uploads left"),
            Err(error) => tracing::warn!(%error, "what unfinished uploads left could not be deleted"),
        }
        let mut ledger = Ledger::default();
        let mut last = None;
        loop {
            let records = messages.media_after(last, PAGE)?;
            let Some(newest) = records.last() else { break };
            last = Some(newest.file);
            records.iter().for_each(|record| ledger.keep(&record.owner, record.bytes_kept()));
        }
        Ok(Self {
            store,
            tokens,
            incoming,
            probes: Semaphore::new(config.media.probes_max),
            writes: Semaphore::new(WRITES_MAX),
            ledger: Mutex::new(ledger),
        })
    }

    /// What pictures are made, by the configuration of now.
    fn options(config: &Config) -> MediaOptions {
        let media = &config.media;
        MediaOptions { pixels_max: media.pixels_max, large_pixels: media.large_pixels, thumbnail_pixels: media.thumbnail_pixels }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message is about to carry this file: it is not collected for a while.
    ///
    /// # Errors
    /// [`Refusal::FileMissing`]: it is being deleted.
    pub(crate) fn speak_for(&self, file: FileUid, now: Duration) -> Result<(), Refusal> {
        if self.ledger().speak_for(file, now + SPOKEN_FOR) { Ok(()) } else { Err(Refusal::FileMissing) }
    }

    /// Uploads that are not complete.
    pub(crate) fn under_way(&self) -> Vec<Arc<uploads::Upload>> {
        self.ledger().all().cloned().collect()
    }

    /// Bytes kept and promised in all, and uploads under way.
    pub(crate) fn figures(&self) -> (u64, usize) {
        let ledger = self.ledger();
        (ledger.bytes(), ledger.unfinished())
    }
}

/// What a session is given for the URLs of files: the token, and for how many seconds it is good.
pub(crate) fn url_token(context: &crate::actors::context::BrokerContext, user: &UserId, session_ends_ms: u64) -> (String, u64) {
    let now_ms = context.clock.wall_ms();
    let ends_ms = now_ms.saturating_add(context.config().media.token_seconds * 1000).min(session_ends_ms);
    (context.media.tokens.issue(user, ends_ms), ends_ms.saturating_sub(now_ms) / 1000)
}
