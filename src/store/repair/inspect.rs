//! A store that nobody serves: looked at as a whole, or made of what was kept of another one.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::verify::{self, RecordCounts};
use crate::private_files::sync_names;
use crate::store::backend::commit_mark;
use crate::store::backend::commit_mark::{CommitMarkFile, FoundMark};
use crate::store::backend::open::{SledOptions, open_alone, open_error, table_error};
use crate::store::backend::sled::Table;
use crate::store::backend::store_dir::{FORMAT, StoreDir};
use crate::store::backend::{Backend as _, CommitMark, Op, Space};
use crate::store::copy::record_file::{RecordEvent, RecordReader};
use crate::store::format::key;
use crate::store::format::key::{META, RESERVED, RecordKind};
use crate::store::format::record;
use crate::store::format::record::{PeriodMeta, PermanentMeta};
use crate::store::{OpenError, StoreCopy, StoreError};

/// Changes and bytes of one commit.
const CHUNK: usize = 4096;
const CHUNK_BYTES: usize = 4 << 20;

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

/// What people call the records of a kind.
fn name_of(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Meta => "counters",
        RecordKind::Media => "files",
        RecordKind::Children => "combinedContents",
        RecordKind::Peer => "peers",
        RecordKind::Dedup => "localIDs",
        RecordKind::Entry => "conversationEntries",
        RecordKind::Following => "statusSubscriptions",
        RecordKind::Group => "groups",
        RecordKind::Head => "conversationHeads",
        RecordKind::Pins => "pins",
        RecordKind::Note => "notes",
        RecordKind::Change => "changes",
        RecordKind::Message => "messages",
        RecordKind::Member => "groupMembers",
        RecordKind::Period => "weeks",
        RecordKind::Reply => "replies",
        RecordKind::Room => "rooms",
        RecordKind::User => "users",
        RecordKind::Membership => "memberships",
        RecordKind::Removal => "removals",
        RecordKind::MediaUse => "fileUses",
        RecordKind::Deleted => "deletions",
    }
}

/// Reads and checks everything in a store that nobody serves, and changes nothing of it. Blocks.
///
/// # Errors
/// [`OpenError`]: [`OpenError::Damaged`] names what is wrong.
pub fn check(options: &SledOptions) -> Result<StoreReport, OpenError> {
    let dir = StoreDir::new(options.path.clone());
    let (backend, mark) = open_alone(&dir, options)?;
    let mut tally = RecordCounts::new();
    let verified = verify::verify_all(&backend, mark, &mut tally);
    let weeks = backend.periods();
    backend.close();
    let verified = verified.map_err(|error| open_error(&dir, error))?;
    let format = dir.read_format()?.unwrap_or(FORMAT);
    let counts = tally.into_iter().filter(|(kind, _)| !matches!(kind, RecordKind::Meta | RecordKind::Period));
    let counts = counts.map(|(kind, count)| (name_of(kind), count)).collect();
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
    let mut seen = StoreSummary { commit, in_use: dir.is_locked(), ..none };
    match dir.read_format() {
        Ok(Some(format)) => seen.format = Some(format),
        Ok(None) => seen.problem = Some(dir.damaged("format is missing").to_string()),
        Err(error) => seen.problem = Some(error.to_string()),
    }
    if commit.is_none() {
        seen.problem.get_or_insert_with(|| dir.damaged("commit.mark is missing or cannot be read").to_string());
    }
    seen
}

/// A store in the making. Its format is written last: without it the rest is not a store yet.
pub(crate) struct StoreBuilder<'a> {
    dir: StoreDir,
    options: &'a SledOptions,
    tables: BTreeMap<u64, Table>,
    permanent: Table,
    space: Space,
    ops: Vec<Op>,
    bytes: usize,
    /// Held, never read.
    _lock: std::fs::File,
}

impl<'a> StoreBuilder<'a> {
    /// Begins in a folder where nothing is.
    pub(crate) fn begin(options: &'a SledOptions) -> Result<Self, OpenError> {
        let dir = StoreDir::new(options.path.clone());
        let io = |error: std::io::Error| dir.io(&error);
        if options.path.exists() && std::fs::read_dir(&options.path).map_err(io)?.next().is_some() {
            return Err(OpenError::NotEmpty { path: options.path.display().to_string() });
        }
        let lock = dir.lock(options.lock_wait)?;
        let permanent = open_table(&dir, options, "permanent", &dir.permanent())?;
        let (tables, ops) = (BTreeMap::new(), Vec::new());
        Ok(Self { dir, options, tables, permanent, space: Space::Permanent, ops, bytes: 0, _lock: lock })
    }

    fn store(&self, error: StoreError) -> OpenError {
        open_error(&self.dir, error)
    }

    pub(crate) fn make_period(&mut self, period: u64) -> Result<(), OpenError> {
        self.flush()?;
        if !self.tables.contains_key(&period) {
            let table = open_table(&self.dir, self.options, &format!("period-{period}"), &self.dir.period(period))?;
            self.tables.insert(period, table);
        }
        Ok(())
    }

    pub(crate) fn drop_period(&mut self, period: u64) -> Result<(), OpenError> {
        self.flush()?;
        if let Some(table) = self.tables.remove(&period) {
            table.close();
            self.dir.delete_period(period).map_err(|error| self.dir.io(&error))?;
        }
        Ok(())
    }

    pub(crate) fn change(&mut self, space: Space, op: Op) -> Result<(), OpenError> {
        if space != self.space {
            self.flush()?;
            self.space = space;
        }
        self.bytes += match &op {
            Op::Put(key, value) => key.len() + value.len(),
            Op::Delete(key) => key.len(),
        };
        self.ops.push(op);
        if self.ops.len() >= CHUNK || self.bytes >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), OpenError> {
        self.bytes = 0;
        let ops = std::mem::take(&mut self.ops);
        if ops.is_empty() {
            return Ok(());
        }
        if let Space::Period(period) = self.space
            && !self.tables.contains_key(&period)
        {
            self.make_period(period)?;
        }
        // In one batch the last of several changes of a key must win, and a deletion looks at what is there.
        for ops in apart(ops) {
            let table = match self.space {
                Space::Permanent => &self.permanent,
                Space::Period(period) => match self.tables.get(&period) {
                    Some(table) => table,
                    None => return Err(self.dir.damaged(format!("period-{period} is missing"))),
                },
            };
            table.commit(ops).map_err(|error| self.store(error))?;
        }
        Ok(())
    }

    /// Makes the counters fit what is there.
    pub(crate) fn count(&mut self) -> Result<(), OpenError> {
        self.flush()?;
        for table in self.tables.values() {
            let entries = count(table).map_err(|error| self.store(error))?;
            let meta: PeriodMeta = meta_of(table).map_err(|error| self.store(error))?;
            let record = record::encode(META, &PeriodMeta { entries, ..meta });
            table.commit(vec![Op::Put(META.to_vec(), record)]).map_err(|error| self.store(error))?;
        }
        let entries = count(&self.permanent).map_err(|error| self.store(error))?;
        let meta: PermanentMeta = meta_of(&self.permanent).map_err(|error| self.store(error))?;
        let record = record::encode(META, &PermanentMeta { entries, ..meta });
        self.permanent.commit(vec![Op::Put(META.to_vec(), record)]).map_err(|error| self.store(error))
    }

    /// What the store's counters say was committed last.
    pub(crate) fn counted_mark(&self) -> Result<CommitMark, OpenError> {
        let mut mark = CommitMark::default();
        for table in self.tables.values() {
            let meta: PeriodMeta = meta_of(table).map_err(|error| self.store(error))?;
            mark.commit = mark.commit.max(meta.commit);
        }
        let meta: PermanentMeta = meta_of(&self.permanent).map_err(|error| self.store(error))?;
        Ok(CommitMark { rows: meta.rows, ..mark })
    }

    /// Closes it, and makes it a store; then everything in it is checked.
    pub(crate) fn finish(mut self, mark: CommitMark) -> Result<StoreReport, OpenError> {
        self.flush()?;
        let Self { dir, options, tables, permanent, _lock: lock, .. } = self;
        tables.into_values().chain([permanent]).for_each(Table::close);
        let io = |error: std::io::Error| dir.io(&error);
        drop(CommitMarkFile::create(&dir.mark(), mark).map_err(io)?);
        sync_names(&dir.root).map_err(io)?;
        dir.write_format().map_err(io)?;
        drop(lock);
        check(options)
    }
}

/// Cuts a list of changes so that no part names a key twice.
fn apart(ops: Vec<Op>) -> Vec<Vec<Op>> {
    let (mut parts, mut keys) = (vec![Vec::new()], HashSet::new());
    for op in ops {
        let (Op::Put(key, _) | Op::Delete(key)) = &op;
        if !keys.insert(key.clone()) {
            keys = HashSet::from([key.clone()]);
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(op);
        }
    }
    parts
}

fn open_table(dir: &StoreDir, options: &SledOptions, name: &str, path: &Path) -> Result<Table, OpenError> {
    let table = Table::open(path, options.cache_bytes).map_err(|error| table_error(dir, name, error))?;
    sync_names(&dir.root).map_err(|error| dir.io(&error))?;
    Ok(table)
}

fn meta_of<T: serde::de::DeserializeOwned + Default>(table: &Table) -> Result<T, StoreError> {
    table.get(META)?.map_or_else(|| Ok(T::default()), |value| record::decode(META, &value))
}

fn count(table: &Table) -> Result<u64, StoreError> {
    let mut entries = 0;
    table.scan(&[], &[RESERVED], false, &mut |key, _| {
        entries += u64::from(key != META);
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

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
    let mut maker = StoreBuilder::begin(options)?;
    for file in &copy.files {
        let path: PathBuf = from.join(&file.name);
        let unread = |error: std::io::Error| OpenError::Damaged { path: path.display().to_string(), reason: error.to_string() };
        let mut events = RecordReader::open(&path).map_err(unread)?;
        while let Some(event) = events.next().map_err(unread)? {
            match event {
                RecordEvent::PeriodCreated(period) => maker.make_period(period)?,
                RecordEvent::PeriodDropped(period) => maker.drop_period(period)?,
                RecordEvent::Change(space, op) => {
                    if let Op::Put(key, value) = &op {
                        record::check(key, value).map_err(|error| unread(std::io::Error::other(error.to_string())))?;
                        copied((key.len() + value.len()) as u64);
                    }
                    maker.change(space, op)?;
                }
            }
        }
    }
    // Listed periods without a record of their own have no file of records but must be there.
    for file in &copy.files {
        if let Some(period) = file.name.strip_prefix("period-").and_then(|number| number.parse().ok()) {
            maker.keep_listed(period)?;
        }
    }
    maker.finish(CommitMark { commit: copy.commit, rows: copy.rows })
}

impl StoreBuilder<'_> {
    /// A period that the permanent space lists exists, if only as an empty database.
    fn keep_listed(&mut self, period: u64) -> Result<(), OpenError> {
        self.flush()?;
        let listed = self.permanent.get(&key::period(period)).map_err(|error| self.store(error))?.is_some();
        if listed { self.make_period(period) } else { Ok(()) }
    }
}
