//! Records by key and by range, decoded.

use std::ops::ControlFlow;

use serde::de::DeserializeOwned;

use crate::store::backend::{Backend, Space, try_visit};
use crate::store::error::StoreError;
use crate::store::format::key::KeyRange;
use crate::store::format::record;

/// Returns the record of a key, decoded.
pub(crate) fn row<T: DeserializeOwned>(backend: &dyn Backend, space: Space, key: &[u8]) -> Result<Option<T>, StoreError> {
    backend.get(space, key)?.map(|value| record::decode(key, &value)).transpose()
}

/// Scans with a visitor that may fail.
pub(crate) fn try_scan(
    backend: &dyn Backend,
    space: Space,
    (from, to): (&[u8], &[u8]),
    backwards: bool,
    visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    try_visit(|visit| backend.scan(space, from, to, backwards, visit), visit)
}

/// Visits a range in every period, the oldest first.
pub(crate) fn for_each_in_periods(
    backend: &dyn Backend,
    (from, to): &KeyRange,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for period in backend.periods() {
        try_scan(backend, Space::Period(period), (from, to), false, |key, value| visit(key, value).map(ControlFlow::Continue))?;
    }
    Ok(())
}

/// Returns all records of a range of the permanent space, each made of its key and value.
pub(crate) fn rows<T>(
    backend: &dyn Backend,
    (from, to): KeyRange,
    make: impl Fn(&[u8], &[u8]) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::new();
    try_scan(backend, Space::Permanent, (&from, &to), false, |key, value| {
        rows.push(make(key, value)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

/// Returns the first records of a range of the permanent space, at most `count_max`.
pub(crate) fn first_rows<T: DeserializeOwned>(backend: &dyn Backend, (from, to): KeyRange, count_max: usize) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::new();
    try_scan(backend, Space::Permanent, (&from, &to), false, |key, value| {
        if rows.len() == count_max {
            return Ok(ControlFlow::Break(()));
        }
        rows.push(record::decode(key, value)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

/// Returns the record of whichever period has it, the newest first.
pub(crate) fn newest<T: DeserializeOwned>(backend: &dyn Backend, key: &[u8]) -> Result<Option<T>, StoreError> {
    for period in backend.periods().into_iter().rev() {
        if let Some(found) = row(backend, Space::Period(period), key)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Returns a record that is written to the current period and outlives it: the newest period's, else the permanent one, else
/// the default.
pub(crate) fn newest_or_permanent<T: DeserializeOwned + Default>(backend: &dyn Backend, key: &[u8]) -> Result<T, StoreError> {
    match newest(backend, key)? {
        Some(found) => Ok(found),
        None => Ok(row(backend, Space::Permanent, key)?.unwrap_or_default()),
    }
}
