//! A store made of a backup's copy.

use std::io;
use std::path::Path;

use super::record_file::{RecordEvent, RecordReader};
use super::store_builder::StoreBuilder;
use crate::store::backend::open::SledOptions;
use crate::store::backend::store_dir::FORMAT;
use crate::store::backend::{CommitMark, Op};
use crate::store::error::OpenError;
use crate::store::format::record;
use crate::store::repair::inspect::{StoreReport, check_made};
use crate::store::types::StoreCopy;

/// Makes a store of a copy, in a folder where nothing is, and checks all of it. `copied` is told how many bytes were
/// read just now. Blocks.
///
/// # Errors
/// [`OpenError`]: [`OpenError::NewerFormat`] of a copy of a later version; [`OpenError::Damaged`] when what the copy says
/// does not hold together, naming the file.
pub fn restore(copy: &StoreCopy, from: &Path, options: &SledOptions, copied: &mut dyn FnMut(u64)) -> Result<StoreReport, OpenError> {
    if copy.format > FORMAT {
        return Err(OpenError::NewerFormat { path: from.display().to_string(), found: copy.format, known: FORMAT });
    }
    let mut builder = StoreBuilder::begin(options)?;
    for file in &copy.files {
        read_file(&mut builder, &from.join(&file.name), copied)?;
    }
    // Listed periods without a record of their own have no file of records but must be there.
    for file in &copy.files {
        if let Some(period) = file.name.strip_prefix("period-").and_then(|number| number.parse().ok()) {
            builder.create_listed_period(period)?;
        }
    }
    builder.finish(CommitMark { commit: copy.commit, rows: copy.rows })?;
    check_made(options)
}

/// Carries out what one file of records says.
fn read_file(builder: &mut StoreBuilder<'_>, path: &Path, copied: &mut dyn FnMut(u64)) -> Result<(), OpenError> {
    let unread = |error: io::Error| OpenError::Damaged { path: path.display().to_string(), reason: error.to_string() };
    let mut events = RecordReader::open(path).map_err(unread)?;
    while let Some(event) = events.next().map_err(unread)? {
        match event {
            RecordEvent::PeriodCreated(period) => builder.create_period(period)?,
            RecordEvent::PeriodDropped(period) => builder.drop_period(period)?,
            RecordEvent::Change(space, op) => {
                if let Op::Put(key, value) = &op {
                    record::check(key, value).map_err(|error| unread(io::Error::other(error.to_string())))?;
                    copied((key.len() + value.len()) as u64);
                }
                builder.change(space, op)?;
            }
        }
    }
    Ok(())
}
