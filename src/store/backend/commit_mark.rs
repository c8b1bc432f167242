//! A small file beside the database that says what was made durable last.
//!
//! sled can lose the newest records of a damaged file without a word; this file cannot lose its
//! newest entry that way: two slots on disk sectors of their own, each with a checksum, written in turn. Whatever
//! tears the slot being written leaves the other, which is older by one batch.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::CommitMark;

const MAGIC: [u8; 4] = *b"TDM1";
const SLOT_BYTES: usize = 32;
/// Slots lie this far apart: no disk writes both at once.
const STRIDE_BYTES: usize = 4096;

/// The file, open for writing.
#[derive(Debug)]
pub(crate) struct CommitMarkFile {
    file: File,
    /// Of the slot that was written last.
    turn: u64,
}

/// What opening the file found.
#[derive(Debug)]
pub(crate) enum FoundMark {
    /// There is no such file.
    Nothing,
    /// It is there, and neither slot can be read.
    Unreadable,
    /// The newest slot that can be read.
    Mark(CommitMark),
}

fn encode(turn: u64, mark: CommitMark) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..4].copy_from_slice(&MAGIC);
    slot[4..12].copy_from_slice(&turn.to_be_bytes());
    slot[12..20].copy_from_slice(&mark.commit.to_be_bytes());
    slot[20..28].copy_from_slice(&mark.rows.to_be_bytes());
    let sum = crc32fast::hash(&slot[..28]);
    slot[28..].copy_from_slice(&sum.to_be_bytes());
    slot
}

/// Returns a slot's turn and mark; none: it is not whole.
fn decode(slot: &[u8]) -> Option<(u64, CommitMark)> {
    let slot: &[u8; SLOT_BYTES] = slot.try_into().ok()?;
    let number = |at: usize| slot[at..at + 8].iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    let (turn, mark) = (number(4), CommitMark { commit: number(12), rows: number(20) });
    (encode(turn, mark) == *slot).then_some((turn, mark))
}

/// Reads the slots that are whole, without changing the file; none: there is no file.
fn read(path: &Path) -> io::Result<Option<Vec<(u64, CommitMark)>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let slots = [0, STRIDE_BYTES].into_iter();
    Ok(Some(slots.filter_map(|at| decode(bytes.get(at..at + SLOT_BYTES)?)).collect()))
}

/// Finds the newest mark in the file.
pub(crate) fn find(path: &Path) -> io::Result<FoundMark> {
    Ok(match read(path)? {
        None => FoundMark::Nothing,
        Some(slots) => match slots.into_iter().max_by_key(|(turn, _)| *turn) {
            None => FoundMark::Unreadable,
            Some((_, mark)) => FoundMark::Mark(mark),
        },
    })
}

impl CommitMarkFile {
    /// Makes the file anew with both slots at `mark`, durable but for its name in the folder.
    pub(crate) fn create(path: &Path, mark: CommitMark) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        // All of its length now, so that no later write changes more than data.
        file.set_len(0)?;
        (&file).write_all(&[0; 2 * STRIDE_BYTES])?;
        file.sync_all()?;
        let mut made = Self { file, turn: 0 };
        made.write(mark)?;
        made.write(mark)?;
        Ok(made)
    }

    /// Opens an existing file for writing; the older slot is written first.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let turn = read(path)?.unwrap_or_default().into_iter().map(|(turn, _)| turn).max().unwrap_or(0);
        Ok(Self { file: OpenOptions::new().write(true).open(path)?, turn })
    }

    /// Writes the older slot and makes it durable.
    pub(crate) fn write(&mut self, mark: CommitMark) -> io::Result<()> {
        let turn = self.turn + 1;
        self.file.seek(SeekFrom::Start((turn % 2) * STRIDE_BYTES as u64))?;
        self.file.write_all(&encode(turn, mark))?;
        self.file.sync_data()?;
        self.turn = turn;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &Path) -> Option<CommitMark> {
        match find(path).unwrap() {
            FoundMark::Mark(mark) => Some(mark),
            FoundMark::Nothing | FoundMark::Unreadable => None,
        }
    }

    #[test]
    fn a_slot_is_laid_out_as_the_format_says() {
        let slot = encode(12, CommitMark { commit: 9, rows: 18 });
        let numbers = [12u64, 9, 18].map(u64::to_be_bytes).concat();
        assert_eq!(slot[..], [&b"TDM1"[..], &numbers, &0xE8AF_F975u32.to_be_bytes()].concat());
    }

    #[test]
    fn the_newest_slot_counts_and_a_torn_one_leaves_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("commit.mark");
        assert!(matches!(find(&path).unwrap(), FoundMark::Nothing));
        let mut file = CommitMarkFile::create(&path, CommitMark::default()).unwrap();
        for commit in 1..10 {
            file.write(CommitMark { commit, rows: 2 * commit }).unwrap();
            assert_eq!(found(&path), Some(CommitMark { commit, rows: 2 * commit }));
        }
        let mut file = CommitMarkFile::open(&path).unwrap();
        file.write(CommitMark { commit: 10, rows: 20 }).unwrap();
        assert_eq!(found(&path), Some(CommitMark { commit: 10, rows: 20 }));

        let whole = std::fs::read(&path).unwrap();
        for cut in 0..SLOT_BYTES {
            // Turn 12 lies in slot 0: a write of it that stopped after `cut` bytes.
            let mut torn = whole.clone();
            torn[cut..SLOT_BYTES].fill(0xA5);
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(found(&path), Some(CommitMark { commit: 9, rows: 18 }), "cut at {cut}");
        }
        let mut both = whole;
        both[0] ^= 1;
        both[STRIDE_BYTES] ^= 1;
        std::fs::write(&path, &both).unwrap();
        assert!(matches!(find(&path).unwrap(), FoundMark::Unreadable));
    }
}
