//! What comes back of a damaged store when its losses are accepted, and what is said of the rest.

use std::fs;
use std::path::PathBuf;

use super::damage::{files, is_whole, written};
use super::support::*;
use crate::store::*;

fn databases(world: &World) -> Vec<PathBuf> {
    let databases = files(&world.options().path).into_iter().filter(|path| path.ends_with("db"));
    databases.map(|path| path.parent().unwrap().to_owned()).collect()
}

fn accept(world: &World) -> SledStore {
    SledStore::open(SledOptions { accept_data_loss: true, ..world.options() }, world.clock.clone()).unwrap()
}

#[test]
fn an_unfinished_snapshot_is_not_taken_for_one() {
    for bytes in [&b""[..], b"half of a snapshot"] {
        let world = written();
        for folder in databases(&world) {
            fs::write(folder.join("snap.0000000000000000.generating"), bytes).unwrap();
            fs::write(folder.join("snap.7FFFFFFFFFFFFFFF.generating"), bytes).unwrap();
        }
        assert!(is_whole(&world.open().unwrap()));
        assert!(!files(&world.options().path).iter().any(|path| path.to_str().unwrap().ends_with(".generating")));
    }
}

#[test]
fn a_snapshot_of_garbage_costs_nothing() {
    let world = written();
    for folder in databases(&world) {
        fs::write(folder.join("snap.7FFFFFFFFFFFFFFF"), [0xA5; 100]).unwrap();
    }
    assert!(matches!(world.open(), Err(OpenError::Damaged { .. })));
    assert!(is_whole(&accept(&world)));
    assert!(is_whole(&world.open().unwrap()));
}
