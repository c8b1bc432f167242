//! A journal beside a store that brokers share. What was put lately is kept in memory, too, so that it need not be asked for when it
//! is told; the oldest of it, because that is told first.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::{Journal, Note, Visit};
use crate::store::{JournalChanges, JournalMark, JournalRow, SharedState};

/// Payloads that are kept in memory, bytes.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// Records that are asked for at once.
const PAGE: usize = 200;
/// Records that are taken over at once. Our choice: far beyond what a queue may hold; what is left is taken the next time.
const ADOPTED_MAX: u64 = 1 << 20;

#[derive(Debug, Clone)]
struct Record {
    bytes: usize,
    note: Option<Note>,
    /// Always there until it is written.
    payload: Option<Vec<u8>>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct SharedJournal {
    shared: Arc<dyn SharedState>,
    /// What it is for: the same for every broker.
    kind: String,
    /// The kind, and which broker's.
    name: String,
    records: BTreeMap<u64, Record>,
    bytes: u64,
    kept_bytes: usize,
    position: JournalMark,
    /// Records put down, noted on and crossed out that are not written yet.
    put: BTreeSet<u64>,
    noted: BTreeSet<u64>,
    gone: BTreeSet<u64>,
    is_moved: bool,
    /// Seqs at which records may stand that were taken over without this broker hearing of it.
    unheard: BTreeSet<u64>,
}

impl SharedJournal {
    /// `node`: which of several brokers that work at the same time this one is.
    pub(super) fn open(shared: Arc<dyn SharedState>, (kind, node): (&str, Option<i64>), visit: Visit<'_>) -> io::Result<Self> {
        let name = node.map_or_else(|| kind.to_owned(), |node| format!("{kind}@{node}"));
        let position = shared.journal(&name).map_err(io::Error::other)?.unwrap_or(JournalMark { next_seq: 1, ..JournalMark::default() });
        let mut journal = Self {
            shared,
            kind: kind.to_owned(),
            name,
            records: BTreeMap::new(),
            bytes: 0,
            kept_bytes: 0,
            position,
            put: BTreeSet::new(),
            noted: BTreeSet::new(),
            gone: BTreeSet::new(),
            is_moved: false,
            unheard: BTreeSet::new(),
        };
        journal.load(1, u64::MAX, visit)?;
        Ok(journal)
    }

    /// Reads what stands at these seqs.
    fn load(&mut self, from: u64, before: u64, visit: Visit<'_>) -> io::Result<()> {
        let mut after = from.saturating_sub(1);
        loop {
            let page = self.shared.journal_rows(&self.name, after, PAGE).map_err(io::Error::other)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            for JournalRow { seq, payload, note } in page {
                if seq >= before {
                    return Ok(());
                }
                let note = note.and_then(|note| note.try_into().ok());
                visit(seq, &payload, note);
                self.add(seq, payload, note);
                self.forget_payload_beyond_bound(seq);
            }
        }
    }

    fn add(&mut self, seq: u64, payload: Vec<u8>, note: Option<Note>) {
        self.remove(seq);
        self.bytes += payload.len() as u64;
        self.kept_bytes += payload.len();
        self.records.insert(seq, Record { bytes: payload.len(), note, payload: Some(payload) });
    }

    fn remove(&mut self, seq: u64) -> bool {
        let Some(record) = self.records.remove(&seq) else { return false };
        self.bytes -= record.bytes as u64;
        self.kept_bytes -= record.payload.map_or(0, |payload| payload.len());
        true
    }

    fn forget_payload_beyond_bound(&mut self, seq: u64) {
        if self.kept_bytes > KEPT_BYTES_MAX
            && let Some(payload) = self.records.get_mut(&seq).and_then(|record| record.payload.take())
        {
            self.kept_bytes -= payload.len();
        }
    }

    /// Returns what is not written yet.
    fn changes(&self) -> JournalChanges {
        let row = |seq: &u64| {
            let Record { note, payload, .. } = self.records.get(seq)?;
            Some(JournalRow { seq: *seq, payload: payload.clone()?, note: note.map(Vec::from) })
        };
        let note = |seq: &u64| Some((*seq, self.records.get(seq)?.note?.to_vec()));
        JournalChanges {
            put: self.put.iter().filter_map(row).collect(),
            noted: self.noted.iter().filter_map(note).collect(),
            gone: self.gone.iter().copied().collect(),
        }
    }
}

impl Journal for SharedJournal {
    fn put_as(&mut self, seq: u64, payload: &[u8]) {
        self.position.next_seq = self.position.next_seq.max(seq + 1);
        self.add(seq, payload.to_vec(), None);
        self.put.insert(seq);
        self.gone.remove(&seq);
        self.noted.remove(&seq);
    }

    fn note(&mut self, seq: u64, note: Note) {
        if let Some(record) = self.records.get_mut(&seq) {
            record.note = Some(note);
            if !self.put.contains(&seq) {
                self.noted.insert(seq);
            }
        }
    }

    fn delete(&mut self, seq: u64) -> bool {
        let was_there = self.remove(seq);
        if was_there {
            self.noted.remove(&seq);
            self.put.remove(&seq);
            // Also of one that was put just now: it may stand in the place of another.
            self.gone.insert(seq);
        }
        was_there
    }

    fn position(&self) -> JournalMark {
        self.position
    }

    fn set_position(&mut self, commit: u64, following: bool) {
        if (self.position.commit, self.position.following) != (commit, following) {
            (self.position.commit, self.position.following, self.is_moved) = (commit, following, true);
        }
    }

    fn begin_at(&mut self, seq: u64) {
        self.position.next_seq = self.position.next_seq.max(seq);
    }

    fn adopt(&mut self, visit: Visit<'_>) -> io::Result<()> {
        while let Some(from) = self.unheard.first().copied() {
            self.load(from, from.saturating_add(ADOPTED_MAX), visit)?;
            self.unheard.remove(&from);
        }
        let from = self.position.next_seq;
        // Nothing of this journal's own ever stands where it may be that others' does.
        self.position.next_seq = from.saturating_add(ADOPTED_MAX);
        match self.shared.adopt_journals(&self.kind, &self.name, from, ADOPTED_MAX).map_err(io::Error::other) {
            Ok(0) => {
                self.position.next_seq = from;
                Ok(())
            }
            Ok(count) => {
                self.position.next_seq = from.saturating_add(count);
                self.unheard.insert(from);
                self.load(from, self.position.next_seq, visit)?;
                self.unheard.remove(&from);
                Ok(())
            }
            Err(error) => {
                self.unheard.insert(from);
                Err(error)
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if !self.is_moved && self.put.is_empty() && self.noted.is_empty() && self.gone.is_empty() {
            return Ok(());
        }
        self.shared.write_journal(&self.name, self.changes(), self.position).map_err(io::Error::other)?;
        for seq in std::mem::take(&mut self.put) {
            self.forget_payload_beyond_bound(seq);
        }
        (self.noted, self.gone, self.is_moved) = (BTreeSet::new(), BTreeSet::new(), false);
        Ok(())
    }

    fn read(&mut self, seq: u64) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no record {seq}"));
        let record = self.records.get(&seq).ok_or_else(missing)?;
        if let Some(payload) = &record.payload {
            return Ok(payload.clone());
        }
        let found = self.shared.journal_rows(&self.name, seq - 1, 1).map_err(io::Error::other)?;
        found.into_iter().find(|row| row.seq == seq).map(|row| row.payload).ok_or_else(missing)
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn len(&self) -> usize {
        self.records.len()
    }
}
