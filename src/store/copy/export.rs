//! Everything in a store as lines of JSON. [`import`](super::import) makes a store of them.
//!
//! ```text
//! {"tidings":"export","version":1,"format":4,"commit":17}                                      the first line
//! {"week":2922,"kind":"message","group":"g","seq":3,"commit":17,"value":{…}}                    one record a line
//! ```
//! A line says in which week's database a record lies (none: the permanent one), its kind, what its key is made of, and
//! its value as it is stored. A conversation is `"peer":["alice","bob"]` (ascending), `"room":"r","incarnation":1` or
//! `"group":"g"`. Ids, seqs, times and order keys are kept. Lines may be left out or changed as long as the whole holds
//! together: what is imported is checked like any store.
//!
//! The lines of a store in a database are the same; what is different in them is told at `postgres::copy`.

use std::io::Write;
use std::ops::ControlFlow;

use serde_json::value::RawValue;

use super::lines::{LineCounts, LineWriter};
use crate::store::backend::open::SledOptions;
use crate::store::backend::store_dir::{FORMAT, StoreDir};
use crate::store::backend::working_copy::WorkingCopy;
use crate::store::backend::{Backend, Space, Visit, try_visit};
use crate::store::error::{OpenError, StoreError};
use crate::store::format::key::RESERVED;
use crate::store::format::record;
use crate::store::format::record_kind::RecordKind;

/// Writes a store that nobody serves as lines, from a copy of it, and changes nothing of the store. `wrote` is told how many bytes were written just now. Blocks.
///
/// # Errors
/// [`OpenError`]; [`OpenError::Io`] also for what is written to.
pub fn export(options: &SledOptions, out: &mut dyn Write, wrote: &mut dyn FnMut(u64)) -> Result<LineCounts, OpenError> {
    let dir = StoreDir::new(options.path.clone());
    let copy = WorkingCopy::open(&dir, options)?;
    let format = dir.read_format()?.unwrap_or(FORMAT);
    let written = LineWriter::begin(out, wrote, format, copy.mark.commit).and_then(|lines| export_all(copy.backend(), lines));
    written.map_err(|error| copy.error(error))
}

fn export_all(backend: &dyn Backend, mut lines: LineWriter<'_>) -> Result<LineCounts, StoreError> {
    let spaces = std::iter::once(Space::Permanent).chain(backend.periods().into_iter().map(Space::Period));
    for space in spaces {
        let scan = |visit: Visit<'_>| backend.scan(space, &[], &[RESERVED], false, visit);
        try_visit(scan, |key, value| write(&mut lines, space, key, value).map(ControlFlow::Continue))?;
    }
    lines.end()
}

fn write(lines: &mut LineWriter<'_>, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let week = match space {
        Space::Permanent => None,
        Space::Period(period) => Some(period),
    };
    if RecordKind::of(key) == Some(RecordKind::Message) {
        let (message, envelope) = record::decode_message(key, value)?;
        let json = serde_json::to_string(&*message).map_err(|error| StoreError::Damaged(error.to_string()))?;
        return lines.write(week, key, Some(envelope.commit), &json);
    }
    lines.write(week, key, None, record::decode::<Box<RawValue>>(key, value)?.get())
}
