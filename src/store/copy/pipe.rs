//! Lines from one store into another, without a file in between.

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::lines::LineCounts;
use crate::store::error::OpenError;

/// Bytes handed over at once.
const BLOCK_BYTES: usize = 64 << 10;
/// Blocks that wait to be read, at most.
const BLOCKS_MAX: usize = 16;

/// Lets one side write lines on a thread of its own, and the other read them. Returns what both say. Blocks.
///
/// What is read ends only where the writing side ended well. If it fails, the reading side meets an error where the lines break off,
/// so that it makes no store of a part.
///
/// # Errors
/// Those of the side that failed first.
pub fn pipe<T>(
    export: impl FnOnce(&mut dyn Write) -> Result<LineCounts, OpenError> + Send,
    import: impl FnOnce(&mut dyn BufRead) -> Result<T, OpenError>,
) -> Result<(LineCounts, T), OpenError> {
    let (sender, blocks) = sync_channel(BLOCKS_MAX);
    thread::scope(|scope| {
        let exporting = scope.spawn(move || {
            let mut writer = PipeWriter { blocks: sender, block: Vec::with_capacity(BLOCK_BYTES) };
            let lines = export(&mut writer)?;
            // A reader that is gone says itself why.
            drop(writer.end());
            Ok(lines)
        });
        let mut reader = PipeReader { blocks, block: Vec::new(), read: 0, state: Reading::Open };
        let imported = import(&mut reader);
        let broke_off = reader.state == Reading::BrokeOff;
        // Ends a writer that nobody reads from any more.
        drop(reader);
        let exported = exporting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (exported, imported) {
            (Ok(lines), Ok(made)) => Ok((lines, made)),
            (Err(error), _) if broke_off => Err(error),
            (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
        }
    })
}

/// What is handed over; an empty block is the end.
type Block = Vec<u8>;

struct PipeWriter {
    blocks: SyncSender<Block>,
    block: Block,
}

impl PipeWriter {
    fn hand_over(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK_BYTES));
        self.blocks.send(block).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }

    /// Says that this was all.
    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.hand_over()
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK_BYTES {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() { Ok(()) } else { self.hand_over() }
    }
}

/// How far a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Open,
    Ended,
    BrokeOff,
}

struct PipeReader {
    blocks: Receiver<Block>,
    block: Block,
    /// How much of the block is read.
    read: usize,
    state: Reading,
}

impl BufRead for PipeReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.block.len() && self.state == Reading::Open {
            (self.block, self.read) = match self.blocks.recv() {
                Ok(block) => (block, 0),
                Err(_) => {
                    self.state = Reading::BrokeOff;
                    (Vec::new(), 0)
                }
            };
            if self.state == Reading::Open && self.block.is_empty() {
                self.state = Reading::Ended;
            }
        }
        if self.state == Reading::BrokeOff {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the lines break off"));
        }
        Ok(&self.block[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read += count;
    }
}

impl Read for PipeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(reason: &str) -> OpenError {
        OpenError::Io { path: "here".into(), reason: reason.into() }
    }

    fn counts(records: u64) -> LineCounts {
        LineCounts { records, messages: 0 }
    }

    #[test]
    fn what_one_side_writes_the_other_reads_to_the_end() {
        let export = |out: &mut dyn Write| {
            (0..100_000).for_each(|n| writeln!(out, "{n}").unwrap());
            Ok(counts(100_000))
        };
        let import = |from: &mut dyn BufRead| Ok(from.lines().map(|line| line.unwrap().parse::<u64>().unwrap()).sum::<u64>());
        assert_eq!(pipe(export, import), Ok((counts(100_000), 4_999_950_000)));
        assert_eq!(pipe(|_| Ok(counts(0)), |from| Ok(from.lines().count())), Ok((counts(0), 0)));
    }

    #[test]
    fn lines_that_break_off_are_no_end() {
        let export = |out: &mut dyn Write| {
            writeln!(out, "one").unwrap();
            Err(failed("the export"))
        };
        let import = |from: &mut dyn BufRead| {
            let mut text = String::new();
            from.read_to_string(&mut text).map_err(|error| failed(&error.to_string()))
        };
        assert_eq!(pipe(export, import), Err(failed("the export")));
    }

    #[test]
    fn whoever_reads_no_more_ends_the_writer_and_is_heard() {
        let export = |out: &mut dyn Write| {
            loop {
                out.write_all(&[b'x'; 1000]).map_err(|error| failed(&error.to_string()))?;
            }
        };
        assert_eq!(pipe(export, |_| Err::<(), _>(failed("the import"))), Err(failed("the import")));
    }
}
