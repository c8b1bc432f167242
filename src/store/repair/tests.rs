//! What a log says where it is damaged, at many places of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::replay::replay;
use crate::store::backend::log_file::LogFiles;
use crate::store::tests::damage::{Dice, files, written};

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn read(folder: &Path) -> Records {
    let mut records = Records::new();
    let keep = &mut |key, record| {
        records.insert(key, record);
        Ok(())
    };
    replay(&LogFiles::open(folder).unwrap(), keep).unwrap();
    records
}

/// A copy of a database's log that is damaged again and again.
struct Log {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    whole: Records,
}

impl Log {
    fn copy(db: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = fs::read(db).unwrap();
        fs::write(folder.path().join("db"), &bytes).unwrap();
        let whole = read(folder.path());
        Self { folder, bytes, whole }
    }

    /// The length of what is written; the file ends in empty space.
    fn used(&self) -> usize {
        self.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    }

    fn damaged(&self, alter: impl FnOnce(&mut [u8])) -> Records {
        let mut bytes = self.bytes.clone();
        alter(&mut bytes);
        fs::write(self.folder.path().join("db"), bytes).unwrap();
        read(self.folder.path())
    }

    /// Returns how many records of the whole log are not there.
    fn lost(&self, records: &Records) -> usize {
        self.whole.keys().filter(|key| !records.contains_key(*key)).count()
    }
}

fn logs() -> Vec<Log> {
    let world = written();
    files(&world.options().path).iter().filter(|path| path.ends_with("db")).map(|db| Log::copy(db)).collect()
}

#[test]
fn one_flipped_bit_costs_nothing_wherever_it_is() {
    let mut dice = Dice(0x666c_6970_7321);
    for log in logs() {
        // A thousand places in each, and every one in the segment's header and the frame behind it.
        let places = (0..64).chain((64..log.used()).step_by(log.used() / 1000));
        for at in places {
            let bit = dice.below(8);
            let found = log.damaged(|bytes| bytes[at] ^= 1 << bit);
            assert!(found == log.whole, "bit {bit} at {at}: {} are lost", log.lost(&found));
        }
    }
}

/// Each record of a page stands in a link of its own, too, but for those that made sled write the page anew. So a few bytes,
/// which reach into two frames at most, cost two records at most, even where they lie in a page.
#[test]
fn a_few_bytes_cost_the_records_that_stand_only_there() {
    for log in logs() {
        for at in (0..log.used()).step_by(log.used() / 500) {
            let found = log.damaged(|bytes| bytes[at..].iter_mut().take(8).for_each(|byte| *byte = !*byte));
            assert!(log.lost(&found) <= 2, "at {at}: {} are lost", log.lost(&found));
        }
    }
}
