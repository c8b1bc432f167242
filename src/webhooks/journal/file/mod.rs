//! A journal on disk. Nothing written is ever changed.
//!
//! ```text
//! folder/00000000000000000007.log   "TDWH" version 0 0 0, then records:
//!   length u32 | CRC-32 of what follows u32 | kind u8 | seq u64 | payload       little-endian
//! kinds: 1 put (payload: the record), 2 note (12 bytes of the caller's), 3 gone, 4 mark (seq: the greatest so far)
//! ```
//! Our choice: a journal of its own and not the embedded store, because the store's thread must not wait for a backend's
//! queue, and because a queue is only appended to and crossed out, which costs one sequential write per turn here.
//!
//! A segment goes when all of it is crossed out and none older is left: what crosses out a record is always in the same
//! segment or a later one. What is left in the oldest is copied to the end first, when it is little or the journal holds four
//! times what is left in all: so a few records that stay do not hold the disk. A torn end is cut off; a record that does not
//! fit its checksum is passed over, counted and logged.

mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use self::record::{FRAME, GONE, HEADER, MARK, NOTE, PUT, frame, length_of, parse};
use super::{Journal, Note, Visit};
use crate::private_files::{make_folder, restrict, sync_names};
use crate::store::JournalMark;

#[derive(Debug, Clone, Copy)]
struct RecordPlace {
    segment: u64,
    offset: u64,
    length: u32,
    note: Option<Note>,
}

#[derive(Debug, Default)]
struct Segment {
    bytes: u64,
    live: u64,
    live_bytes: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::webhooks) struct FileJournal {
    folder: PathBuf,
    segment_bytes: u64,
    segments: BTreeMap<u64, Segment>,
    /// Of all segments.
    bytes: u64,
    live_bytes: u64,
    places: BTreeMap<u64, RecordPlace>,
    current: u64,
    file: File,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    dirty: bool,
    position: JournalMark,
    damaged: u64,
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.log"))
}

fn mark_payload(mark: JournalMark) -> [u8; 9] {
    let mut payload = [0; 9];
    payload[..8].copy_from_slice(&mark.commit.to_le_bytes());
    payload[8] = u8::from(mark.following);
    payload
}

impl FileJournal {
    /// Reads what is there; `visit` is shown each record that is left, in the order of seqs, with its note.
    ///
    /// # Errors
    /// The system's; a segment of another format.
    pub(in crate::webhooks) fn open(folder: &Path, segment_bytes: u64, visit: Visit<'_>) -> io::Result<Self> {
        make_folder(folder)?;
        let mut numbers: Vec<u64> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number: Option<u64> = name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|number| number.parse().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        let current = numbers.last().copied().unwrap_or(1);
        let file = OpenOptions::new().read(true).append(true).create(true).open(segment_path(folder, current))?;
        restrict(&segment_path(folder, current))?;
        let mut journal = Self {
            folder: folder.to_owned(),
            segment_bytes,
            segments: BTreeMap::new(),
            bytes: 0,
            live_bytes: 0,
            places: BTreeMap::new(),
            current,
            file,
            buffer: Vec::new(),
            dirty: true,
            position: JournalMark { next_seq: 1, ..JournalMark::default() },
            damaged: 0,
        };
        for number in numbers {
            journal.load(number)?;
        }
        if journal.segments.get(&current).is_none_or(|segment| segment.bytes == 0) {
            journal.begin_segment(current)?;
        }
        sync_names(folder)?;
        for seq in journal.places.keys().copied().collect::<Vec<_>>() {
            let payload = journal.read(seq)?;
            visit(seq, &payload, journal.places.get(&seq).and_then(|place| place.note));
        }
        Ok(journal)
    }

    fn load(&mut self, number: u64) -> io::Result<()> {
        let path = segment_path(&self.folder, number);
        let bytes = fs::read(&path)?;
        self.segments.insert(number, Segment::default());
        let is_last = number == self.current;
        if bytes.len() < HEADER.len() && is_last {
            // Cut off while it was begun.
            self.file.set_len(0)?;
            return Ok(());
        }
        if bytes.get(..HEADER.len()) != Some(&HEADER[..]) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is not a segment of format 1", path.display())));
        }
        let mut at = HEADER.len();
        while at < bytes.len() {
            let Some((kind, seq, payload)) = parse(&bytes[at..]) else {
                let behind = length_of(&bytes[at..]).map(|length| at + 8 + length).filter(|behind| *behind <= bytes.len());
                match behind {
                    // Something behind it is whole, so it was not torn: it was damaged later.
                    Some(behind) if parse(&bytes[behind..]).is_some() => {
                        self.note_damage(&path, at);
                        at = behind;
                        continue;
                    }
                    _ if is_last => self.file.set_len(u64::try_from(at).unwrap_or(u64::MAX))?,
                    _ => self.note_damage(&path, at),
                }
                break;
            };
            self.take(number, at, kind, seq, payload);
            at += FRAME + payload.len();
        }
        let kept = if is_last { at } else { bytes.len() };
        self.grow(number, u64::try_from(kept).unwrap_or(u64::MAX));
        Ok(())
    }

    fn note_damage(&mut self, path: &Path, at: usize) {
        self.damaged += 1;
        tracing::error!(path = %path.display(), at, "a record of the webhook queue is damaged and was passed over");
    }

    fn segment(&mut self, number: u64) -> &mut Segment {
        self.segments.entry(number).or_default()
    }

    fn grow(&mut self, number: u64, by: u64) {
        self.segment(number).bytes += by;
        self.bytes += by;
    }

    fn take(&mut self, number: u64, at: usize, kind: u8, seq: u64, payload: &[u8]) {
        match kind {
            PUT => {
                self.position.next_seq = self.position.next_seq.max(seq + 1);
                let note = self.forget(seq).and_then(|place| place.note);
                let (offset, length) = (u64::try_from(at).unwrap_or(u64::MAX), u32::try_from(payload.len()).unwrap_or(u32::MAX));
                self.place(seq, RecordPlace { segment: number, offset, length, note });
            }
            NOTE => {
                if let (Some(place), Ok(note)) = (self.places.get_mut(&seq), Note::try_from(payload)) {
                    place.note = Some(note);
                }
            }
            GONE => {
                self.forget(seq);
            }
            MARK => {
                self.position.next_seq = self.position.next_seq.max(seq);
                if let Some((commit, following)) = payload.split_at_checked(8) {
                    self.position.commit = u64::from_le_bytes(commit.try_into().unwrap_or_default());
                    self.position.following = following.first() == Some(&1);
                }
            }
            // Of a later version, which then says so in the header; nothing writes it today.
            _ => {}
        }
    }

    fn place(&mut self, seq: u64, place: RecordPlace) {
        let segment = self.segment(place.segment);
        segment.live += 1;
        segment.live_bytes += u64::from(place.length) + FRAME as u64;
        self.live_bytes += u64::from(place.length) + FRAME as u64;
        self.places.insert(seq, place);
    }

    fn forget(&mut self, seq: u64) -> Option<RecordPlace> {
        let place = self.places.remove(&seq)?;
        let segment = self.segment(place.segment);
        segment.live -= 1;
        segment.live_bytes -= u64::from(place.length) + FRAME as u64;
        self.live_bytes -= u64::from(place.length) + FRAME as u64;
        Some(place)
    }

    /// Makes a segment the current one. Failed, the current one stays, and grows.
    fn begin_segment(&mut self, number: u64) -> io::Result<()> {
        let path = segment_path(&self.folder, number);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        restrict(&path)?;
        file.set_len(0)?;
        let mut first = HEADER.to_vec();
        first.extend(frame(MARK, self.position.next_seq, &mark_payload(self.position)));
        file.write_all(&first)?;
        sync_names(&self.folder)?;
        (self.file, self.current, self.dirty) = (file, number, true);
        self.grow(number, u64::try_from(first.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn add(&mut self, kind: u8, seq: u64, payload: &[u8]) -> u64 {
        let offset = self.segment(self.current).bytes + u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        self.buffer.extend(frame(kind, seq, payload));
        offset
    }

    fn move_on(&mut self, number: u64) -> io::Result<()> {
        let staying: Vec<u64> = self.places.iter().filter(|(_, place)| place.segment == number).map(|(seq, _)| *seq).collect();
        for seq in staying {
            let note = self.places.get(&seq).and_then(|place| place.note);
            match self.read(seq) {
                Ok(payload) => self.put_as(seq, &payload),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.delete(seq);
                    self.note_damage(&segment_path(&self.folder, number), 0);
                }
                Err(error) => return Err(error),
            }
            if let Some(note) = note {
                self.note(seq, note);
            }
        }
        self.write()?;
        self.file.sync_data()
    }
}

impl Journal for FileJournal {
    fn put_as(&mut self, seq: u64, payload: &[u8]) {
        self.position.next_seq = self.position.next_seq.max(seq + 1);
        let offset = self.add(PUT, seq, payload);
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.forget(seq);
        self.place(seq, RecordPlace { segment: self.current, offset, length, note: None });
    }

    fn note(&mut self, seq: u64, note: Note) {
        if let Some(place) = self.places.get_mut(&seq) {
            place.note = Some(note);
            self.add(NOTE, seq, &note);
        }
    }

    fn delete(&mut self, seq: u64) -> bool {
        let was_there = self.forget(seq).is_some();
        if was_there {
            self.add(GONE, seq, &[]);
        }
        was_there
    }

    fn position(&self) -> JournalMark {
        self.position
    }

    fn set_position(&mut self, commit: u64, following: bool) {
        if (self.position.commit, self.position.following) != (commit, following) {
            (self.position.commit, self.position.following) = (commit, following);
            self.add(MARK, self.position.next_seq, &mark_payload(self.position));
        }
    }

    fn begin_at(&mut self, seq: u64) {
        self.position.next_seq = self.position.next_seq.max(seq);
    }

    fn write(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let whole = self.segment(self.current).bytes;
        if let Err(error) = self.file.write_all(&self.buffer) {
            // Half a record must not be followed by others.
            self.file.set_len(whole)?;
            return Err(error);
        }
        self.dirty = true;
        self.grow(self.current, u64::try_from(self.buffer.len()).unwrap_or(u64::MAX));
        self.buffer.clear();
        if self.segment(self.current).bytes >= self.segment_bytes {
            self.file.sync_data()?;
            self.begin_segment(self.current + 1)?;
        }
        Ok(())
    }

    fn take_dirty(&mut self) -> io::Result<Option<File>> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(None);
        }
        self.file.try_clone().map(Some)
    }

    fn still_dirty(&mut self) {
        self.dirty = true;
    }

    fn read(&mut self, seq: u64) -> io::Result<Vec<u8>> {
        self.write()?;
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no record {seq}"));
        let place = self.places.get(&seq).ok_or_else(missing)?;
        let mut file = File::open(segment_path(&self.folder, place.segment))?;
        file.seek(SeekFrom::Start(place.offset))?;
        let mut record = vec![0; FRAME + usize::try_from(place.length).unwrap_or(0)];
        file.read_exact(&mut record)?;
        match parse(&record) {
            Some((PUT, found, payload)) if found == seq => Ok(payload.to_vec()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("record {seq} is damaged"))),
        }
    }

    fn reclaim(&mut self) -> io::Result<()> {
        while let Some((number, segment)) = self.segments.first_key_value().filter(|(number, _)| **number != self.current) {
            let number = *number;
            if segment.live > 0 {
                // Even one that is half full holds all that is done behind it.
                let is_sparse = self.bytes > 4 * (self.live_bytes + self.segment_bytes);
                if segment.live_bytes * 4 > segment.bytes && !is_sparse {
                    return Ok(());
                }
                self.move_on(number)?;
            }
            match fs::remove_file(segment_path(&self.folder, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.bytes -= self.segments.remove(&number).map_or(0, |segment| segment.bytes),
            }
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.bytes + u64::try_from(self.buffer.len()).unwrap_or(0)
    }

    fn len(&self) -> usize {
        self.places.len()
    }

    fn damaged(&self) -> u64 {
        self.damaged
    }
}
