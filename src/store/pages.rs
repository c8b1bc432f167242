//! Files of records: what a backup keeps of a store, and how it is read again.
//!
//! One form for two uses: the records of a space as they were scanned, and the batches that were committed meanwhile.
//!
//! ```text
//! file  := MAGIC event*
//! event := 'S' space          what follows belongs to this space: 0 for permanent, 1 and the period's number
//!        | 'P' u32 u32 key value
//!        | 'D' u32 key
//!        | 'C' u64 | 'X' u64   a period was made, or deleted
//! ```
//! Numbers are big-endian. Whole files carry a SHA-256 in the manifest; each record has its own checksum besides.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::table::{Op, Space};
use crate::model::hex;
use crate::private_files::create_private;

const MAGIC: &[u8; 16] = b"tidings records1";
/// Longest key and value that are believed, bytes. A combine's children are the largest value: 64 MiB of limits.
const KEY_BYTES_MAX: u32 = 1 << 16;
const VALUE_BYTES_MAX: u32 = 1 << 28;

/// A file of a backup, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CopiedFile {
    /// Its path below the backup's folder, with slashes.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}

/// Writes one file of records.
pub(super) struct RecordWriter {
    out: BufWriter<File>,
    sum: Sha256,
    bytes: u64,
    space: Option<Space>,
}

impl RecordWriter {
    /// A new file, which only its owner may read.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let out = BufWriter::with_capacity(64 << 10, create_private(path)?);
        let mut writer = Self { out, sum: Sha256::new(), bytes: 0, space: None };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn write_length(&mut self, length: usize) -> io::Result<()> {
        let length = u32::try_from(length).map_err(|_| io::Error::other("a record is too large"))?;
        self.write(&length.to_be_bytes())
    }

    fn enter(&mut self, space: Space) -> io::Result<()> {
        if self.space == Some(space) {
            return Ok(());
        }
        self.space = Some(space);
        self.write(b"S")?;
        match space {
            Space::Permanent => self.write(&[0]),
            Space::Period(period) => {
                self.write(&[1])?;
                self.write(&period.to_be_bytes())
            }
        }
    }

    /// A record of a space.
    pub(super) fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.enter(space)?;
        self.write(b"P")?;
        self.write_length(key.len())?;
        self.write_length(value.len())?;
        self.write(key)?;
        self.write(value)
    }

    /// A batch of a space.
    pub(super) fn batch(&mut self, space: Space, ops: &[Op]) -> io::Result<()> {
        for op in ops {
            match op {
                Op::Put(key, value) => self.put(space, key, value)?,
                Op::Delete(key) => {
                    self.enter(space)?;
                    self.write(b"D")?;
                    self.write_length(key.len())?;
                    self.write(key)?;
                }
            }
        }
        Ok(())
    }

    /// A period was made.
    pub(super) fn made(&mut self, period: u64) -> io::Result<()> {
        self.write(b"C")?;
        self.write(&period.to_be_bytes())
    }

    /// A period was deleted.
    pub(super) fn dropped(&mut self, period: u64) -> io::Result<()> {
        self.write(b"X")?;
        self.write(&period.to_be_bytes())
    }

    /// Hands what was written so far to the disk, so that the end does not hand over all at once.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_data()
    }

    /// Makes the file durable.
    pub(super) fn finish(mut self, name: String) -> io::Result<CopiedFile> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        Ok(CopiedFile { name, bytes: self.bytes, sha256: hex(&self.sum.finalize()) })
    }
}

/// What a file of records says.
pub(super) enum Event {
    Change(Space, Op),
    Made(u64),
    Dropped(u64),
}

/// Reads one file of records.
pub(super) struct RecordReader {
    from: BufReader<File>,
    space: Space,
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl RecordReader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut from = BufReader::with_capacity(256 << 10, File::open(path)?);
        let mut magic = [0; MAGIC.len()];
        from.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(malformed("it is not a file of records"));
        }
        Ok(Self { from, space: Space::Permanent })
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.from.read_exact(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn length(&mut self, max: u32) -> io::Result<usize> {
        let mut bytes = [0; 4];
        self.from.read_exact(&mut bytes)?;
        let length = u32::from_be_bytes(bytes);
        if length > max {
            return Err(malformed("a record is too large"));
        }
        usize::try_from(length).map_err(io::Error::other)
    }

    fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next event; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Event>> {
        loop {
            let mut tag = [0];
            if self.from.read(&mut tag)? == 0 {
                return Ok(None);
            }
            match tag[0] {
                b'S' => {
                    self.from.read_exact(&mut tag)?;
                    self.space = match tag[0] {
                        0 => Space::Permanent,
                        1 => Space::Period(self.number()?),
                        _ => return Err(malformed("there is no such space")),
                    };
                }
                b'P' => {
                    let (key, value) = (self.length(KEY_BYTES_MAX)?, self.length(VALUE_BYTES_MAX)?);
                    let (key, value) = (self.bytes(key)?, self.bytes(value)?);
                    return Ok(Some(Event::Change(self.space, Op::Put(key, value))));
                }
                b'D' => {
                    let key = self.length(KEY_BYTES_MAX)?;
                    let key = self.bytes(key)?;
                    return Ok(Some(Event::Change(self.space, Op::Delete(key))));
                }
                b'C' => return Ok(Some(Event::Made(self.number()?))),
                b'X' => return Ok(Some(Event::Dropped(self.number()?))),
                _ => return Err(malformed("there is no such event")),
            }
        }
    }
}
