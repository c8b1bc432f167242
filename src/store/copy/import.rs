//! A store made of exported lines: see [`export`](super::export).

use std::io::BufRead;

use serde_json::value::RawValue;

use super::lines::{Line, LineReader};
use super::store_builder::StoreBuilder;
use crate::model::Message;
use crate::store::backend::open::SledOptions;
use crate::store::backend::{Op, Space};
use crate::store::error::OpenError;
use crate::store::format::key::{self, META};
use crate::store::format::key_parts;
use crate::store::format::record::{self, PeriodMeta};
use crate::store::format::record_kind::RecordKind;
use crate::store::repair::inspect::{StoreReport, check_made};

/// Makes a store of exported lines, in a folder where nothing is, and checks all of it. `read` is told how many bytes
/// were read just now. Blocks.
///
/// # Errors
/// [`OpenError`]: [`OpenError::Damaged`] names the line, or what does not hold together; [`OpenError::NewerFormat`].
pub fn import(options: &SledOptions, from: &mut dyn BufRead, read: &mut dyn FnMut(u64)) -> Result<StoreReport, OpenError> {
    let mut lines = LineReader::begin(from, read, options.path.display().to_string())?;
    let mut builder = StoreBuilder::begin(options)?;
    while let Some((space, key, value)) = lines.next(|line| record_of(&line))? {
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
fn record_of(line: &Line) -> Result<(Space, Vec<u8>, Vec<u8>), String> {
    let space = line.week.map_or(Space::Permanent, Space::Period);
    let key = key_parts::join(line.kind, &line.parts)?;
    let value = match line.kind {
        RecordKind::Message => {
            let message: Message = line.read()?;
            if key::message(&message.conversation, message.seq) != key {
                return Err("value says another conversation or seq than its line".to_owned());
            }
            record::encode_message(&key, &message, line.commit.ok_or("commit is missing")?)
        }
        RecordKind::Meta if line.week.is_some() => record::encode(&key, &line.read::<PeriodMeta>()?),
        _ => {
            let value: &RawValue = &line.value;
            record::encode(&key, &value)
        }
    };
    Ok((space, key, value))
}
