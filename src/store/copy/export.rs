//! Everything in a store as lines of JSON, and a store of such lines.
//!
//! ```text
//! {"tidings":"export","version":1,"format":4,"commit":17}                                      the first line
//! {"week":2922,"kind":"message","group":"g","seq":3,"commit":17,"value":{…}}                    one record a line
//! ```
//! A line says in which week's database a record lies (none: the permanent one), its kind, what its key is made of, and
//! its value as it is stored. A conversation is `"peer":["alice","bob"]` (ascending), `"room":"r","incarnation":1` or
//! `"group":"g"`. Ids, seqs, times and order keys are kept. LineCounts may be left out or changed as long as the whole holds
//! together: what is imported is checked like any store.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::model::Message;
use crate::store::backend::open::{SledOptions, open_alone, open_error};
use crate::store::backend::store_dir::{FORMAT, StoreDir};
use crate::store::backend::{Backend, Op, Space};
use crate::store::format::key;
use crate::store::format::key::{META, RESERVED, RecordKind};
use crate::store::format::key_parts;
use crate::store::format::record;
use crate::store::format::record::PeriodMeta;
use crate::store::repair::inspect::{StoreBuilder, StoreReport};
use crate::store::{OpenError, StoreError};

/// The version of the lines.
const VERSION: u64 = 1;

/// How many lines were written or read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Records.
    pub records: u64,
    /// Of these, messages.
    pub messages: u64,
}

/// Writes a store that nobody serves, and changes nothing of it. Blocks.
///
/// # Errors
/// [`OpenError`]; [`OpenError::Io`] also for what is written to.
pub fn export(options: &SledOptions, out: &mut dyn Write, wrote: &mut dyn FnMut(u64)) -> Result<LineCounts, OpenError> {
    let dir = StoreDir::new(options.path.clone());
    let (backend, mark) = open_alone(&dir, options)?;
    let format = dir.read_format()?.unwrap_or(FORMAT);
    let outcome = (|| {
        let mut lines = LineCounts::default();
        let io = |error: std::io::Error| StoreError::Unavailable(error.to_string());
        writeln!(out, "{}", json!({"tidings": "export", "version": VERSION, "format": format, "commit": mark.commit})).map_err(io)?;
        let spaces = std::iter::once(Space::Permanent).chain(backend.periods().into_iter().map(Space::Period));
        for space in spaces {
            export_space(&backend, space, out, &mut lines, wrote)?;
        }
        out.flush().map_err(io)?;
        Ok(lines)
    })();
    backend.close();
    outcome.map_err(|error| open_error(&dir, error))
}

fn export_space(
    backend: &dyn Backend,
    space: Space,
    out: &mut dyn Write,
    lines: &mut LineCounts,
    wrote: &mut dyn FnMut(u64),
) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    backend.scan(space, &[], &[RESERVED], false, &mut |key, value| {
        let written = line_of(space, key, value).and_then(|line| {
            wrote(line.len() as u64 + 1);
            lines.records += 1;
            lines.messages += u64::from(RecordKind::of(key) == Some(RecordKind::Message));
            writeln!(out, "{line}").map_err(|error| StoreError::Unavailable(error.to_string()))
        });
        outcome = written;
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
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

/// One line; what its key is made of is in the rest.
#[derive(Deserialize)]
struct Line {
    week: Option<u64>,
    kind: String,
    commit: Option<u64>,
    value: Box<RawValue>,
}

/// Makes a store of exported lines, in a folder where nothing is, and checks all of it. `read` is told how many bytes
/// were read just now. Blocks.
///
/// # Errors
/// [`OpenError`]: [`OpenError::Damaged`] names the line, or what does not hold together; [`OpenError::NewerFormat`].
pub fn import(options: &SledOptions, from: &mut dyn BufRead, read: &mut dyn FnMut(u64)) -> Result<StoreReport, OpenError> {
    let path = options.path.display().to_string();
    let wrong = |number: u64, what: String| OpenError::Damaged { path: path.clone(), reason: format!("line {number}: {what}") };
    let mut text = String::new();
    let mut number = 0;
    let mut next = |text: &mut String| {
        text.clear();
        number += 1;
        let bytes = from.read_line(text).map_err(|error| wrong(number, error.to_string()))?;
        read(bytes as u64);
        Ok::<_, OpenError>((bytes > 0).then_some(number))
    };
    next(&mut text)?;
    let head: Value = serde_json::from_str(&text).unwrap_or_default();
    if head["tidings"] != "export" || head["version"] != VERSION {
        return Err(wrong(1, format!("expected {{\"tidings\":\"export\",\"version\":{VERSION},…}}")));
    }
    let format = head["format"].as_u64().and_then(|format| u32::try_from(format).ok()).unwrap_or(u32::MAX);
    if format > FORMAT {
        return Err(OpenError::NewerFormat { path: path.clone(), found: format, known: FORMAT });
    }
    let mut maker = StoreBuilder::begin(options)?;
    while let Some(number) = next(&mut text)? {
        if text.trim().is_empty() {
            continue;
        }
        let (space, key, value) = record_of(&text).map_err(|what| wrong(number, what))?;
        if let Space::Period(period) = space
            && key == META
        {
            maker.make_period(period)?;
        }
        maker.change(space, Op::Put(key, value))?;
    }
    maker.count()?;
    let mark = maker.counted_mark()?;
    maker.finish(mark)
}

fn record_of(text: &str) -> Result<(Space, Vec<u8>, Vec<u8>), String> {
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let rest: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let space = line.week.map_or(Space::Permanent, Space::Period);
    let kind = RecordKind::of_label(&line.kind).ok_or_else(|| format!("kind is {:?}, there is no such", line.kind))?;
    let key = key_parts::join(kind, &rest)?;
    let payload = line.value.get();
    let value = match kind {
        RecordKind::Message => {
            let message: Message = serde_json::from_str(payload).map_err(|error| format!("value: {error}"))?;
            if key::message(&message.conversation, message.seq) != key {
                return Err("value says another conversation or seq than its line".to_owned());
            }
            record::encode_message(&key, &message, line.commit.ok_or("commit is missing")?)
        }
        RecordKind::Meta if line.week.is_some() => {
            let meta: PeriodMeta = serde_json::from_str(payload).map_err(|error| format!("value: {error}"))?;
            record::encode(&key, &meta)
        }
        _ => {
            let value: &RawValue = &line.value;
            record::encode(&key, &value)
        }
    };
    Ok((space, key, value))
}
