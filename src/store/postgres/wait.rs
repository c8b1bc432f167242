//! Waiting for work on the store's own runtime, from threads that may: also from inside of another runtime, which a runtime itself
//! does not allow.

use std::sync::mpsc;

use tokio::runtime::{Builder, Handle, Runtime};

use super::connect::refused;
use crate::store::error::OpenError;

/// Returns what the work gives; none: the runtime ended before. Blocks.
pub(super) fn wait_on<T: Send + 'static>(runtime: &Handle, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (sender, answer) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        if sender.send(work.await).is_err() {
            tracing::debug!("nobody waits for the database's answer any more");
        }
    });
    answer.recv().ok()
}

/// Makes a runtime for one question; whoever has it shuts it down.
pub(super) fn own_runtime(place: &str) -> Result<Runtime, OpenError> {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|error| refused(place, &error))
}

/// Waits for work on a runtime of its own, which ends with it. Blocks.
pub(super) fn wait_alone<T: Send + 'static>(
    place: &str,
    work: impl Future<Output = Result<T, OpenError>> + Send + 'static,
) -> Result<T, OpenError> {
    let runtime = own_runtime(place)?;
    let answer = wait_to_open(runtime.handle(), work);
    runtime.shutdown_background();
    answer
}

/// The same while a store opens.
pub(super) fn wait_to_open<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = Result<T, OpenError>> + Send + 'static,
) -> Result<T, OpenError> {
    let gone = || OpenError::Io { path: "postgres".into(), reason: "the store's threads ended".into() };
    wait_on(runtime, work).unwrap_or_else(|| Err(gone()))
}
