//! Backups of a broker that goes on working.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;

use tokio::sync::oneshot;

use super::handle::Broker;
use crate::backup::{self, BackupError, BackupReport, Order};
use crate::config::MediaEngine;
use crate::store::Pace;

impl Broker {
    /// Copies everything into a folder that does not exist yet, while the broker goes on: every message acknowledged
    /// before this is called, and those until its mark, with files and keys. One at a time; it keeps to
    /// `store.backup_bytes_per_second`.
    ///
    /// # Errors
    /// [`BackupError`].
    ///
    /// # Cancel safety
    /// Dropping the future does not end the backup. A shutdown does.
    pub async fn backup(&self, folder: &Path) -> Result<BackupReport, BackupError> {
        let (context, config) = (self.context.clone(), self.config());
        let order = Order {
            folder: folder.to_owned(),
            data_dir: config.server.data_dir.clone(),
            media_dir: (config.media.store == MediaEngine::Disk).then(|| config.media_dir()),
            now_ms: context.clock.wall_ms(),
        };
        let bytes_per_second = config.store.backup_bytes_per_second;
        let (reply, outcome) = oneshot::channel();
        // A thread of its own: it takes minutes, and a runtime that ends waits for its own threads.
        let thread = thread::Builder::new().name("tidings-backup".into()).spawn(move || {
            let mut watch = |_| if context.draining.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            let taken = backup::take(&*context.store, &order, Pace { bytes_per_second, watch: &mut watch });
            match &taken {
                Ok(report) => tracing::info!(name = report.name, commit = report.commit, bytes = report.bytes, "backup taken"),
                Err(error) => tracing::warn!(%error, "a backup failed"),
            }
            if reply.send(taken).is_err() {
                tracing::debug!("nobody waits for the backup any more");
            }
        });
        let failed = |reason: String| BackupError::Io { path: folder.to_owned(), reason };
        thread.map_err(|error| failed(format!("cannot start a thread: {error}")))?;
        outcome.await.unwrap_or_else(|_| Err(failed("the backup ended early".to_owned())))
    }

    /// Does the same into the folder of backups, `store.backup_dir`, under a name, or under the time when none is given.
    ///
    /// # Errors
    /// [`BackupError`]; [`BackupError::Name`] for one that is not a name.
    pub async fn backup_as(&self, name: Option<&str>) -> Result<BackupReport, BackupError> {
        let name = name.map_or_else(|| backup::name_at(self.context.clock.wall_ms()), str::to_owned);
        backup::check_name(&name)?;
        self.backup(&self.config().backup_dir().join(name)).await
    }
}
