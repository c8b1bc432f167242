//! The lines of an export as they are written and read, whatever store they are of: see [`export`](super::export).

use std::io::{BufRead, Write};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::store::backend::store_dir::FORMAT;
use crate::store::error::{OpenError, StoreError};
use crate::store::format::key_parts;
use crate::store::format::record_kind::RecordKind;

/// The version of the lines.
const VERSION: u64 = 1;

/// How many lines were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Records.
    pub records: u64,
    /// Of these, messages.
    pub messages: u64,
}

/// Writes lines, and counts them.
pub(crate) struct LineWriter<'a> {
    out: &'a mut dyn Write,
    /// Told how many bytes were written just now.
    wrote: &'a mut dyn FnMut(u64),
    lines: LineCounts,
}

impl<'a> LineWriter<'a> {
    /// Writes the first line: the format of the records, and the last commit.
    pub(crate) fn begin(out: &'a mut dyn Write, wrote: &'a mut dyn FnMut(u64), format: u32, commit: u64) -> Result<Self, StoreError> {
        let head = json!({"tidings": "export", "version": VERSION, "format": format, "commit": commit});
        writeln!(out, "{head}").map_err(StoreError::refused)?;
        Ok(Self { out, wrote, lines: LineCounts::default() })
    }

    /// Writes a record: in which week's database it lies, its key, of a message its commit, and its value as JSON.
    pub(crate) fn write(&mut self, week: Option<u64>, key: &[u8], commit: Option<u64>, value: &str) -> Result<(), StoreError> {
        let kind = RecordKind::of(key).ok_or_else(|| StoreError::Damaged("a record of unknown kind".into()))?;
        let mut head = Map::new();
        if let Some(week) = week {
            head.insert("week".into(), week.into());
        }
        head.insert("kind".into(), kind.label().into());
        key_parts::split(kind, key, &mut head)
            .ok_or_else(|| StoreError::Damaged(format!("the key of a {kind:?} record cannot be read")))?;
        if let Some(commit) = commit {
            head.insert("commit".into(), commit.into());
        }
        let head = Value::Object(head).to_string();
        let line = format!("{},\"value\":{value}}}\n", head.strip_suffix('}').unwrap_or(&head));
        (self.wrote)(line.len() as u64);
        self.lines.records += 1;
        self.lines.messages += u64::from(kind == RecordKind::Message);
        self.out.write_all(line.as_bytes()).map_err(StoreError::refused)
    }

    /// Hands on what is not written yet.
    pub(crate) fn end(self) -> Result<LineCounts, StoreError> {
        self.out.flush().map_err(StoreError::refused)?;
        Ok(self.lines)
    }
}

/// A record's line.
pub(crate) struct Line {
    /// In which week's database it lies; none: in the permanent one.
    pub week: Option<u64>,
    /// What it is.
    pub kind: RecordKind,
    /// The commit of a message; what else has one has it in its key or value.
    pub commit: Option<u64>,
    /// What its key is made of.
    pub parts: Map<String, Value>,
    /// Its value.
    pub value: Box<RawValue>,
}

impl Line {
    fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Members {
            week: Option<u64>,
            kind: String,
            value: Box<RawValue>,
            #[serde(flatten)]
            parts: Map<String, Value>,
        }
        let Members { week, kind, value, parts } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let kind = RecordKind::of_label(&kind).ok_or_else(|| format!("kind is {kind:?}, there is no such"))?;
        let commit = parts.get("commit").and_then(Value::as_u64);
        Ok(Self { week, kind, commit, parts, value })
    }

    /// Reads its value.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_str(self.value.get()).map_err(|error| format!("value: {error}"))
    }
}

/// Reads lines, and knows their numbers.
pub(crate) struct LineReader<'a> {
    from: &'a mut dyn BufRead,
    /// Told how many bytes were read just now.
    read: &'a mut dyn FnMut(u64),
    /// Of the store that is made.
    place: String,
    number: u64,
    text: String,
}

impl<'a> LineReader<'a> {
    /// Reads and checks the first line. `place`: of the store that is made, for errors.
    pub(crate) fn begin(from: &'a mut dyn BufRead, read: &'a mut dyn FnMut(u64), place: String) -> Result<Self, OpenError> {
        let mut lines = Self { from, read, place, number: 0, text: String::new() };
        lines.advance()?;
        let head: Value = serde_json::from_str(&lines.text).unwrap_or_default();
        if head["tidings"] != "export" || head["version"] != VERSION {
            return Err(lines.wrong(&format!("expected {{\"tidings\":\"export\",\"version\":{VERSION},…}}")));
        }
        let format = head["format"].as_u64().and_then(|format| u32::try_from(format).ok()).unwrap_or(u32::MAX);
        if format > FORMAT {
            return Err(OpenError::NewerFormat { path: lines.place, found: format, known: FORMAT });
        }
        Ok(lines)
    }

    /// Reads the next line into `text`; false at the end.
    fn advance(&mut self) -> Result<bool, OpenError> {
        self.text.clear();
        self.number += 1;
        let bytes = self.from.read_line(&mut self.text).map_err(|error| self.wrong(&error.to_string()))?;
        (self.read)(bytes as u64);
        Ok(bytes > 0)
    }

    /// Returns the next record's line, and makes something of it; none at the end. What is wrong with it is said with its number.
    pub(crate) fn next<T>(&mut self, make: impl FnOnce(Line) -> Result<T, String>) -> Result<Option<T>, OpenError> {
        while self.advance()? {
            if !self.text.trim().is_empty() {
                return Line::parse(&self.text).and_then(make).map(Some).map_err(|what| self.wrong(&what));
            }
        }
        Ok(None)
    }

    /// Returns how long the last line was.
    #[cfg(feature = "postgres")]
    pub(crate) fn last_bytes(&self) -> usize {
        self.text.len()
    }

    fn wrong(&self, what: &str) -> OpenError {
        OpenError::Damaged { path: self.place.clone(), reason: format!("line {}: {what}", self.number) }
    }
}
