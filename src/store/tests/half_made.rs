//! A week's database that a full or broken disk kept from being made: the next start is not refused for it.

use std::fs;

use super::support::*;
use crate::clock::Clock as _;
use crate::store::{OpenError, SledStore, StoreError};

/// Says something, and leaves what a failed attempt to begin the next week would.
fn with_half_made(fill: impl FnOnce(&std::path::Path)) -> (World, std::path::PathBuf) {
    let world = World::sled();
    world.say(&group("g"), "kept");
    assert_eq!(world.store.close(), Ok(()));
    let next = world.clock.wall_ms() / (7 * 86_400_000) + 1;
    let folder = world.options().path.join(format!("period-{next}"));
    fs::create_dir(&folder).unwrap();
    fill(&folder);
    (world, folder)
}

#[test]
fn whatever_is_left_of_a_week_that_was_never_listed_goes() {
    for (n, left) in [None, Some(("db", 0)), Some(("db", 700)), Some(("db", 600_000)), Some(("conf", 0))].into_iter().enumerate() {
        let fill =
            |folder: &std::path::Path| left.into_iter().for_each(|(name, bytes)| fs::write(folder.join(name), vec![0xA5; bytes]).unwrap());
        let (mut world, folder) = with_half_made(fill);
        world.restart();
        assert!(!folder.exists(), "{n}");
        assert_eq!(world.seqs(&group("g")), [1], "{n}");
        world.clock.advance(WEEK);
        assert_eq!(world.say(&group("g"), "next week").message.seq, 2, "{n}");
        world.restart();
        assert_eq!(world.seqs(&group("g")), [1, 2], "{n}");
    }
}

/// Then the list may have lost the week, and what is in it was acknowledged.
#[test]
fn a_week_that_is_not_listed_stays_when_the_list_is_not_whole() {
    let (world, folder) = with_half_made(|folder| fs::write(folder.join("db"), "x").unwrap());
    let mark = world.options().path.join("commit.mark");
    let mut more = crate::store::backend::commit_mark::CommitMarkFile::open(&mark).unwrap();
    more.write(crate::store::backend::CommitMark { commit: 1, rows: 99 }).unwrap();
    let refused = SledStore::open(world.options(), world.clock.clone()).unwrap_err();
    assert!(matches!(&refused, OpenError::Damaged { reason, .. } if reason.contains("list of periods")), "{refused}");
    assert!(folder.join("db").exists());
}

#[test]
fn beginning_a_week_on_a_path_that_cannot_be_made_is_an_error_of_the_disk_and_not_of_the_store() {
    let world = World::sled();
    world.say(&group("g"), "kept");
    world.clock.advance(WEEK);
    let next = world.clock.wall_ms() / (7 * 86_400_000);
    // Where the database's folder is to be made there is a file: the system refuses, as a broken disk does.
    fs::write(world.options().path.join(format!("period-{next}")), "").unwrap();
    let refused = world.append(text_of(&group("g"), "alice", None, "hi", 0)).unwrap_err();
    assert!(matches!(refused, StoreError::Unsynced(_)), "{refused:?}");
    assert_eq!(world.seqs(&group("g")), [1], "reading goes on");
}
