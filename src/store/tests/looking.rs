//! Tools that only look leave the store as it is: every byte, time, permission and name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::damage::{Dice, copy, damage, written};
use super::support::*;
use crate::store::backend::store_dir::StoreDir;
use crate::store::backend::working_copy::WorkingCopy;
use crate::store::*;

/// What can be seen of a file or a folder.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    changed: SystemTime,
    permissions: fs::Permissions,
    /// None: a folder.
    bytes: Option<Vec<u8>>,
}

fn see(path: &Path) -> Vec<Seen> {
    let about = fs::metadata(path).unwrap();
    let bytes = about.is_file().then(|| fs::read(path).unwrap());
    let seen = Seen { path: path.to_owned(), changed: about.modified().unwrap(), permissions: about.permissions(), bytes };
    let mut inside: Vec<PathBuf> = Vec::new();
    if about.is_dir() {
        inside.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
    }
    inside.sort();
    std::iter::once(seen).chain(inside.iter().flat_map(|path| see(path))).collect()
}

/// Looks in every way there is, and returns what the check and the export said.
fn look(options: &SledOptions) -> (Result<StoreReport, OpenError>, Result<LineCounts, OpenError>) {
    let before = see(&options.path);
    let checked = check(options);
    assert!(before == see(&options.path), "checked: {checked:?}");
    let exported = export(options, &mut io::sink(), &mut |_| {});
    assert!(before == see(&options.path), "exported: {exported:?}");
    let summary = summary(&options.path);
    assert!(before == see(&options.path), "summed up: {summary:?}");
    (checked, exported)
}

#[test]
fn a_healthy_store_stays_as_it_is() {
    let world = written();
    let (checked, exported) = look(&world.options());
    let (report, lines) = (checked.unwrap(), exported.unwrap());
    assert_eq!((report.counts["messages"], lines.messages), (240, 240));
    // Nor is a lock made where there is none, or a permission changed.
    let path = world.options().path;
    fs::remove_file(path.join("lock")).unwrap();
    let mut permissions = fs::metadata(path.join("permanent/db")).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path.join("permanent/db"), permissions).unwrap();
    assert!(look(&world.options()).0.is_ok());
}

#[test]
fn what_was_left_half_made_stays_as_it_is() {
    let world = written();
    let path = world.options().path;
    fs::write(path.join("permanent/snap.0000000000000000.generating"), b"").unwrap();
    fs::create_dir(path.join("period-7.gone")).unwrap();
    look(&world.options()).0.unwrap();
    assert!(path.join("period-7.gone").exists());
}

#[test]
fn a_damaged_store_stays_as_it_is_and_is_called_by_its_own_name() {
    let world = written();
    let mut dice = Dice(0x6c6f_6f6b);
    let mut damaged = 0;
    for _ in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        copy(&world.options().path, &path);
        let what = damage(&path, &mut dice);
        if let (Err(error), _) = look(&SledOptions { path: path.clone(), ..world.options() }) {
            damaged += 1;
            assert!(error.to_string().contains(&format!("store {} ", path.display())), "{what}: {error}");
        }
    }
    assert!(damaged > 0);
}

#[test]
fn a_store_in_use_is_refused_and_stays_as_it_is() {
    let world = World::sled();
    world.say(&group("g"), "hi");
    let (checked, exported) = look(&world.options());
    assert!(matches!(checked, Err(OpenError::InUse { .. })), "{checked:?}");
    assert!(matches!(exported, Err(OpenError::InUse { .. })), "{exported:?}");
}

#[test]
fn without_room_for_a_copy_it_says_where_how_much_and_what_to_do() {
    let world = written();
    let base = tempfile::tempdir().unwrap();
    let dir = StoreDir::new(world.options().path);
    let open = |free| WorkingCopy::open_below(base.path(), &dir, &world.options(), &move |_| Ok(free)).map(drop);
    let Err(OpenError::Io { path, reason }) = open(1000) else { panic!("opened") };
    let bytes: u64 = see(&dir.root).iter().filter_map(|seen| seen.bytes.as_ref()).map(|bytes| bytes.len() as u64).sum();
    let needed: u64 = reason.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(needed >= bytes, "{reason}");
    for named in [&*base.path().to_string_lossy(), "1000 bytes are free", "TMPDIR"] {
        assert!(reason.contains(named), "{reason}");
    }
    assert_eq!(path, dir.root.display().to_string());
    open(needed).unwrap();
    assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0, "nothing is left of a copy");
}
