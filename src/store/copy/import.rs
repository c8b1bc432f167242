//! A store made of exported lines: see [`export`](super::export).

use std::io::BufRead;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::export::VERSION;
use super::store_builder::StoreBuilder;
use crate::model::Message;
use crate::store::backend::open::SledOptions;
use crate::store::backend::store_dir::FORMAT;
use crate::store::backend::{Op, Space};
use crate::store::error::OpenError;
use crate::store::format::key::{self, META};
use crate::store::format::key_parts;
use crate::store::format::record::{self, PeriodMeta};
use crate::store::format::record_kind::RecordKind;
use crate::store::repair::inspect::{StoreReport, check_made};

/// One line; what its key is made of is in the rest.
#[derive(Deserialize)]
struct Line {
    week: Option<u64>,
    kind: String,
    commit: Option<u64>,
    value: Box<RawValue>,
}

/// Exported lines as they are read, with their numbers.
struct Lines<'a> {
    from: &'a mut dyn BufRead,
    read: &'a mut dyn FnMut(u64),
    /// Of the store that is made.
    path: String,
    number: u64,
    text: String,
}

impl Lines<'_> {
    /// Reads the next line into `text`; false at the end.
    fn advance(&mut self) -> Result<bool, OpenError> {
        self.text.clear();
        self.number += 1;
        let bytes = self.from.read_line(&mut self.text).map_err(|error| self.wrong(error.to_string()))?;
        (self.read)(bytes as u64);
        Ok(bytes > 0)
    }

    /// Says which line is wrong, and why.
    fn wrong(&self, what: String) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), reason: format!("line {}: {what}", self.number) }
    }

    /// Checks the first line.
    fn check_head(&mut self) -> Result<(), OpenError> {
        self.advance()?;
        let head: Value = serde_json::from_str(&self.text).unwrap_or_default();
        if head["tidings"] != "export" || head["version"] != VERSION {
            return Err(self.wrong(format!("expected {{\"tidings\":\"export\",\"version\":{VERSION},…}}")));
        }
        let format = head["format"].as_u64().and_then(|format| u32::try_from(format).ok()).unwrap_or(u32::MAX);
        if format > FORMAT {
            return Err(OpenError::NewerFormat { path: self.path.clone(), found: format, known: FORMAT });
        }
        Ok(())
    }
}

/// Makes a store of exported lines, in a folder where nothing is, and checks all of it. `read` is told how many bytes
/// were read just now. Blocks.
///
/// # Errors
/// [`OpenError`]: [`OpenError::Damaged`] names the line, or what does not hold together; [`OpenError::NewerFormat`].
pub fn import(options: &SledOptions, from: &mut dyn BufRead, read: &mut dyn FnMut(u64)) -> Result<StoreReport, OpenError> {
    let mut lines = Lines { from, read, path: options.path.display().to_string(), number: 0, text: String::new() };
    lines.check_head()?;
    let mut builder = StoreBuilder::begin(options)?;
    while lines.advance()? {
        if lines.text.trim().is_empty() {
            continue;
        }
        let (space, key, value) = record_of(&lines.text).map_err(|what| lines.wrong(what))?;
        if let Space::Period(period) = space
            && key == META
        {
            builder.create_period(period)?;
        }
        builder.change(space, Op::Put(key, value))?;
    }
    builder.recount()?;
    let mark = builder.counted_mark()?;
    builder.finish(mark)?;
    check_made(options)
}

/// Returns the space, key and record that a line says; `Err` says what is wrong with it.
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
            let counters: PeriodMeta = serde_json::from_str(payload).map_err(|error| format!("value: {error}"))?;
            record::encode(&key, &counters)
        }
        _ => {
            let value: &RawValue = &line.value;
            record::encode(&key, &value)
        }
    };
    Ok((space, key, value))
}
