//! A small file beside the database that says what was made durable last.
//!
//! sled can lose the newest records of a damaged file without a word; this file cannot lose its
//! newest entry that way: two slots on disk sectors of their own, each with a checksum. A mark is written after each
//! commit, and so survives a killed process at once; it is synced a little later, so that a commit waits for the disk once
//! and not twice. Until then the marks that follow go to the same slot. Whatever tears it leaves the other, which is durable
//! and older by 64 commits at most, or by what came within a moment.

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
    /// Where the next mark goes: the other slot holds one that is durable.
    slot: u64,
    /// The slot holds a mark that is not durable.
    unsynced: bool,
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

/// Reads the slots that are whole, each with its turn and its number, without changing the file; none: there is no file.
fn read(path: &Path) -> io::Result<Option<Vec<(u64, u64, CommitMark)>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let slots = [(0, 0), (1, STRIDE_BYTES)].into_iter();
    let whole = |(slot, at): (u64, usize)| decode(bytes.get(at..at + SLOT_BYTES)?).map(|(turn, mark)| (turn, slot, mark));
    Ok(Some(slots.filter_map(whole).collect()))
}

/// Finds the newest mark in the file.
pub(crate) fn find(path: &Path) -> io::Result<FoundMark> {
    Ok(match read(path)? {
        None => FoundMark::Nothing,
        Some(slots) => match slots.into_iter().max_by_key(|(turn, ..)| *turn) {
            None => FoundMark::Unreadable,
            Some((_, _, mark)) => FoundMark::Mark(mark),
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
        let mut made = Self { file, turn: 0, slot: 0, unsynced: false };
        for _ in 0..2 {
            made.write(mark)?;
            made.sync()?;
        }
        Ok(made)
    }

    /// Opens an existing file for writing; the older slot is written first.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let newest = read(path)?.unwrap_or_default().into_iter().max_by_key(|(turn, _, _)| *turn);
        let (turn, slot) = newest.map_or((0, 0), |(turn, slot, _)| (turn, 1 - slot));
        let file = OpenOptions::new().write(true).open(path)?;
        // Whatever the last run left: the slot that is kept must be durable before the other is written.
        file.sync_data()?;
        Ok(Self { file, turn, slot, unsynced: false })
    }

    /// Writes a mark. Until it is synced, the next one goes to the same slot: a torn one leaves the other, which is durable.
    pub(crate) fn write(&mut self, mark: CommitMark) -> io::Result<()> {
        let turn = self.turn + 1;
        self.unsynced = true;
        self.file.seek(SeekFrom::Start(self.slot * STRIDE_BYTES as u64))?;
        self.file.write_all(&encode(turn, mark))?;
        self.turn = turn;
        Ok(())
    }

    /// Makes the last mark durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.file.sync_data()?;
            (self.slot, self.unsynced) = (1 - self.slot, false);
        }
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
    fn the_newest_mark_counts_and_a_torn_one_leaves_the_last_that_is_durable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("commit.mark");
        assert!(matches!(find(&path).unwrap(), FoundMark::Nothing));
        let mark = |commit| CommitMark { commit, rows: 2 * commit };
        let mut file = CommitMarkFile::create(&path, CommitMark::default()).unwrap();
        for commit in 1..10 {
            file.write(mark(commit)).unwrap();
            assert_eq!(found(&path), Some(mark(commit)));
            file.sync().unwrap();
        }
        let mut file = CommitMarkFile::open(&path).unwrap();
        let durable = std::fs::read(&path).unwrap();
        for commit in 10..14 {
            file.write(mark(commit)).unwrap();
            assert_eq!(found(&path), Some(mark(commit)), "it survives the process at once");
        }
        // Without a sync between them all went to one slot: the other is as it was.
        let whole = std::fs::read(&path).unwrap();
        let changed: Vec<usize> =
            [0, STRIDE_BYTES].into_iter().filter(|at| whole[*at..*at + SLOT_BYTES] != durable[*at..*at + SLOT_BYTES]).collect();
        let [at] = changed[..] else { panic!("{changed:?}") };
        for cut in 0..SLOT_BYTES {
            // A write that stopped after `cut` bytes, in a power loss.
            let mut torn = whole.clone();
            torn[at + cut..at + SLOT_BYTES].fill(0xA5);
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(found(&path), Some(mark(9)), "cut at {cut}");
        }
        let mut both = whole;
        both[0] ^= 1;
        both[STRIDE_BYTES] ^= 1;
        std::fs::write(&path, &both).unwrap();
        assert!(matches!(find(&path).unwrap(), FoundMark::Unreadable));
    }
}
