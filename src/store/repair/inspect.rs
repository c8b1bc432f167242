//! A store that nobody serves, looked at as a whole; and any store, looked at from outside.

use std::collections::BTreeMap;
use std::path::Path;

use super::verify::{self, RecordCounts};
use crate::store::backend::commit_mark::{self, FoundMark};
use crate::store::backend::open::{SledOptions, open_alone, open_error};
use crate::store::backend::store_dir::{FORMAT, StoreDir};
use crate::store::backend::working_copy::WorkingCopy;
use crate::store::backend::{Backend, CommitMark};
use crate::store::engine::dedup_filter::DedupFilter;
use crate::store::error::{OpenError, StoreError};
use crate::store::format::record_kind::RecordKind;

/// What a whole store holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreReport {
    /// The format it is in.
    pub format: u32,
    /// The last append's commit.
    pub commit: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// The weeks it has databases for, counted from 1970.
    pub weeks: Vec<u64>,
    /// How many records of each kind.
    pub counts: BTreeMap<&'static str, u64>,
}

/// Reads and checks everything in a store that nobody serves. It reads a copy in the system's temporary folder, and changes
/// nothing of the store: no byte of a file, no time, no name. Blocks.
///
/// # Errors
/// [`OpenError`]: [`OpenError::Damaged`] names what is wrong; [`OpenError::Io`] also where the copy has no room.
pub fn check(options: &SledOptions) -> Result<StoreReport, OpenError> {
    let dir = StoreDir::new(options.path.clone());
    let copy = WorkingCopy::open(&dir, options)?;
    let format = dir.read_format()?.unwrap_or(FORMAT);
    report(copy.backend(), copy.mark, format).map_err(|error| copy.error(error))
}

/// Reads and checks everything in a store that was made just now. It is opened where it lies, so it need not fit on the disk
/// twice.
pub(crate) fn check_made(options: &SledOptions) -> Result<StoreReport, OpenError> {
    let dir = StoreDir::new(options.path.clone());
    let (backend, mark) = open_alone(&dir, options)?;
    let report = report(&backend, mark, FORMAT);
    drop(backend.close());
    report.map_err(|error| open_error(&dir, error))
}

fn report(backend: &dyn Backend, mark: CommitMark, format: u32) -> Result<StoreReport, StoreError> {
    let mut counts = RecordCounts::new();
    let verified = verify::verify_all(backend, mark, &DedupFilter::new(8), &mut counts)?;
    let weeks = backend.periods();
    let counts = counts.into_iter().filter(|(kind, _)| !matches!(kind, RecordKind::Meta | RecordKind::Period));
    let counts = counts.map(|(kind, count)| (kind.plural(), count)).collect();
    Ok(StoreReport { format, commit: verified.commit, message_id: verified.message_id, weeks, counts })
}

/// What can be told of a store without opening it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreSummary {
    /// The format it says it has; none: there is no store.
    pub format: Option<u32>,
    /// The newest format this version reads.
    pub known: u32,
    /// The last commit its mark speaks of.
    pub commit: Option<u64>,
    /// Whether a process holds it.
    pub in_use: bool,
    /// Why it would not open, as far as that can be seen.
    pub problem: Option<String>,
}

/// Looks at a store from outside, whether it is in use or not, and changes nothing.
#[must_use]
pub fn summary(path: &Path) -> StoreSummary {
    let dir = StoreDir::new(path.to_owned());
    let none = StoreSummary { known: FORMAT, ..StoreSummary::default() };
    if !dir.is_there() {
        return none;
    }
    let commit = match commit_mark::find(&dir.mark()) {
        Ok(FoundMark::Mark(mark)) => Some(mark.commit),
        _ => None,
    };
    let mut summary = StoreSummary { commit, in_use: dir.is_locked(), ..none };
    match dir.read_format() {
        Ok(Some(format)) => summary.format = Some(format),
        Ok(None) => summary.problem = Some(dir.damaged("format is missing").to_string()),
        Err(error) => summary.problem = Some(error.to_string()),
    }
    if commit.is_none() {
        summary.problem.get_or_insert_with(|| dir.damaged("commit.mark is missing or cannot be read").to_string());
    }
    summary
}
