//! The requests that were taken and are not answered yet: a shutdown waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests(Arc<AtomicUsize>);

/// One of them; it is open until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenRequest(Arc<AtomicUsize>);

impl OpenRequests {
    /// Counts one more. Whoever takes a request opens it before it looks whether the broker drains: so the drain, which
    /// says so before it counts, either sees the request or is seen by it.
    pub(crate) fn open(&self) -> OpenRequest {
        self.0.fetch_add(1, Ordering::SeqCst);
        OpenRequest(self.0.clone())
    }

    /// Returns how many are open.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
