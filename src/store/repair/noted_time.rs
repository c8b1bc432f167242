//! The time that a store noted as right, from outside: also while a broker serves it.

use std::path::Path;

use crate::store::backend::store_dir::StoreDir;
use crate::store::error::OpenError;

/// Returns the time that was noted last as right, Unix milliseconds; none: none was.
///
/// # Errors
/// [`OpenError::Io`].
pub fn noted_time(path: &Path) -> Result<Option<u64>, OpenError> {
    let dir = StoreDir::new(path.to_owned());
    dir.noted_time().map_err(|error| dir.io(&error))
}

/// Notes that a time is right, Unix milliseconds: an operator says so. A broker that doubts its clock looks once a minute.
///
/// # Errors
/// [`OpenError::Io`]: there is no store, or it cannot be written.
pub fn note_time(path: &Path, now_ms: u64) -> Result<(), OpenError> {
    let dir = StoreDir::new(path.to_owned());
    if !dir.is_there() {
        return Err(dir.missing());
    }
    dir.note_time(now_ms).map_err(|error| dir.io(&error))
}
