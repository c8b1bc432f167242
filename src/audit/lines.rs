//! A file's lines from its end.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

const BLOCK: u64 = 64 * 1024;

/// Gives each line, the last one first, until `take` says no. The last is empty when the file ends with a line end.
pub(super) fn newest_first(mut file: File, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut begin = file.metadata()?.len();
    // What is read and not given yet: the end of a line whose beginning lies before `begin`.
    let mut rest: Vec<u8> = Vec::new();
    while begin > 0 {
        let size = begin.min(BLOCK);
        begin -= size;
        file.seek(SeekFrom::Start(begin))?;
        let mut block = Vec::new();
        file.by_ref().take(size).read_to_end(&mut block)?;
        block.append(&mut rest);
        let mut lines: Vec<&[u8]> = block.split(|byte| *byte == b'\n').collect();
        let first = lines.remove(0);
        for line in lines.into_iter().rev() {
            if !take(line) {
                return Ok(());
            }
        }
        rest = first.to_vec();
    }
    take(&rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_come_from_the_end_over_blocks_of_any_size() {
        let long = "x".repeat(70_000);
        for (text, expected) in [
            ("", vec![""]),
            ("one\n", vec!["", "one"]),
            ("one\ntwo", vec!["two", "one"]),
            (&format!("one\n{long}\nthree\n"), vec!["", "three", &long, "one"]),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let mut found = Vec::new();
            newest_first(file, |line| {
                found.push(String::from_utf8(line.to_vec()).unwrap());
                true
            })
            .unwrap();
            assert_eq!(found, expected);
        }
    }
}
