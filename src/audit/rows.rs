//! The log as rows beside a store that brokers share.

use std::io;
use std::sync::Arc;

use super::{Entry, Log};
use crate::store::{AuditRow, SharedState};

/// What an entry is taken to weigh where the log is bounded in bytes. Our choice: about what a line of the file has.
const ENTRY_BYTES: u64 = 128;

/// The log of brokers that share a store.
pub(super) struct RowLog {
    shared: Arc<dyn SharedState>,
    rows_max: u64,
}

impl RowLog {
    /// `bytes_max`: of one file, of which there would be two.
    pub(super) fn new(shared: Arc<dyn SharedState>, bytes_max: u64) -> Self {
        Self { shared, rows_max: (2 * bytes_max / ENTRY_BYTES).max(1) }
    }
}

impl Log for RowLog {
    fn append(&mut self, entries: Vec<Entry>) -> usize {
        let count = entries.len();
        let rows = entries.into_iter().map(|Entry { id, time, who, action, target, status }| AuditRow {
            id,
            at_ms: time,
            who,
            action,
            target,
            status,
        });
        match self.shared.add_audit(rows.collect(), self.rows_max) {
            Ok(()) => 0,
            Err(error) => {
                tracing::error!(%error, "entries of the audit log could not be written");
                count
            }
        }
    }
}

/// Returns the newest entries first, at most `limit`, below the id `before`.
pub(super) fn page(shared: &dyn SharedState, before: Option<u64>, limit: usize) -> io::Result<Vec<Entry>> {
    let rows = shared.audit(before, limit).map_err(io::Error::other)?;
    let entries =
        rows.into_iter().map(|AuditRow { id, at_ms, who, action, target, status }| Entry { id, time: at_ms, who, action, target, status });
    Ok(entries.collect())
}
