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

use std::io::Write;
use std::ops::ControlFlow;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::store::backend::open::SledOptions;
use crate::store::backend::store_dir::{FORMAT, StoreDir};
use crate::store::backend::working_copy::WorkingCopy;
use crate::store::backend::{Backend, Space, Visit, try_visit};
use crate::store::error::{OpenError, StoreError};
use crate::store::format::key::RESERVED;
use crate::store::format::record_kind::RecordKind;
use crate::store::format::{key_parts, record};

/// The version of the lines.
pub(crate) const VERSION: u64 = 1;

/// How many lines were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Records.
    pub records: u64,
    /// Of these, messages.
    pub messages: u64,
}

/// Writes a store that nobody serves as lines, from a copy of it, and changes nothing of the store. `wrote` is told how many bytes were written just now. Blocks.
///
/// # Errors
/// [`OpenError`]; [`OpenError::Io`] also for what is written to.
pub fn export(options: &SledOptions, out: &mut dyn Write, wrote: &mut dyn FnMut(u64)) -> Result<LineCounts, OpenError> {
    let dir = StoreDir::new(options.path.clone());
    let copy = WorkingCopy::open(&dir, options)?;
    let format = dir.read_format()?.unwrap_or(FORMAT);
    let head = json!({"tidings": "export", "version": VERSION, "format": format, "commit": copy.mark.commit});
    export_all(copy.backend(), &head, out, wrote).map_err(|error| copy.error(error))
}

fn export_all(backend: &dyn Backend, head: &Value, out: &mut dyn Write, wrote: &mut dyn FnMut(u64)) -> Result<LineCounts, StoreError> {
    let mut lines = LineCounts::default();
    writeln!(out, "{head}").map_err(StoreError::refused)?;
    let spaces = std::iter::once(Space::Permanent).chain(backend.periods().into_iter().map(Space::Period));
    for space in spaces {
        let scan = |visit: Visit<'_>| backend.scan(space, &[], &[RESERVED], false, visit);
        try_visit(scan, |key, value| {
            let line = line_of(space, key, value)?;
            wrote(line.len() as u64 + 1);
            lines.records += 1;
            lines.messages += u64::from(RecordKind::of(key) == Some(RecordKind::Message));
            writeln!(out, "{line}").map_err(StoreError::refused)?;
            Ok(ControlFlow::Continue(()))
        })?;
    }
    out.flush().map_err(StoreError::refused)?;
    Ok(lines)
}

fn line_of(space: Space, key: &[u8], value: &[u8]) -> Result<String, StoreError> {
    let kind = RecordKind::of(key).ok_or_else(|| StoreError::Damaged("a record of unknown kind".into()))?;
    let mut head = Map::new();
    if let Space::Period(period) = space {
        head.insert("week".into(), period.into());
    }
    head.insert("kind".into(), kind.label().into());
    key_parts::split(kind, key, &mut head).ok_or_else(|| StoreError::Damaged(format!("the key of a {kind:?} record cannot be read")))?;
    let payload = if kind == RecordKind::Message {
        let (message, envelope) = record::decode_message(key, value)?;
        head.insert("commit".into(), envelope.commit.into());
        serde_json::to_string(&*message).map_err(|error| StoreError::Damaged(error.to_string()))?
    } else {
        record::decode::<Box<RawValue>>(key, value)?.get().to_owned()
    };
    let head = Value::Object(head).to_string();
    Ok(format!("{},\"value\":{payload}}}", head.strip_suffix('}').unwrap_or(&head)))
}
