//! What only the sled store has: files, which may be cut, altered, held by others or taken from a later version.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::*;
use crate::clock::Clock;
use crate::model::*;
use crate::store::backend::commit_mark::{CommitMarkFile, FoundMark, find};
use crate::store::backend::sled::Table;
use crate::store::backend::{CommitMark, Op};
use crate::store::format::key;
use crate::store::*;

pub(crate) const GROUPS: u64 = 4;
pub(crate) const SENDS: u64 = 240;

/// A closed store over two periods with sends, retries and rows.
pub(crate) fn written() -> World {
    let world = World::sled();
    for n in 0..SENDS {
        if n == SENDS / 2 {
            world.clock.advance(WEEK);
        }
        let text = "x".repeat((n * 37 % 900) as usize);
        let conversation = group(&format!("g-{}", n % GROUPS));
        world.append(text_of(&conversation, "alice", Some(&format!("l-{n}")), &text, world.clock.wall_ms())).unwrap();
        let member = GroupMember::new(user(&format!("u-{n}")), GroupRole::Member, n, 1, 0);
        if n % 4 == 0 {
            world.apply(vec![RowWrite::PutMember(GroupId::trusted("g-0"), member)]).unwrap();
        }
    }
    drop(world.store.close());
    world
}

/// Whether all that was acknowledged is there.
pub(crate) fn is_whole(store: &SledStore) -> bool {
    let sends = (0..SENDS).all(|n| {
        let found = store.find(&group(&format!("g-{}", n % GROUPS)), &user("alice"), &LocalMessageId::trusted(&format!("l-{n}")));
        matches!(found, Ok(Some(found)) if found.message.seq == n / GROUPS + 1 && found.commit == n + 1)
    });
    let pages = (0..GROUPS).all(|g| {
        let read = store.read(&group(&format!("g-{g}")), page(Anchor::End, false, usize::MAX));
        matches!(read, Ok(read) if read.messages.iter().map(|message| message.seq).eq(1..=SENDS / GROUPS))
    });
    let members = store.group_members(&GroupId::trusted("g-0")).is_ok_and(|members| members.len() as u64 == SENDS / 4);
    sends && pages && members && store.last_commit() == SENDS
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, target) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if entry.is_dir() { copy(&entry, &target) } else { assert!(fs::copy(&entry, &target).is_ok()) }
    }
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A small generator with a seed, so that a failure can be repeated.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

/// Alters one file at one place: a flipped bit, a cut end, a block of zeroes.
pub(crate) fn damage(folder: &Path, dice: &mut Dice) -> String {
    let files: Vec<PathBuf> = files(folder).into_iter().filter(|path| !path.ends_with("lock")).collect();
    let databases: Vec<&PathBuf> = files.iter().filter(|path| path.ends_with("db")).collect();
    let path = if dice.below(5) > 0 { databases[dice.below(databases.len())] } else { &files[dice.below(files.len())] };
    let mut bytes = fs::read(path).unwrap();
    // Files end in empty space: aim at what is written.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let at = dice.below(used);
    let what = match dice.below(3) {
        0 if !bytes.is_empty() => {
            bytes[at] ^= 1 << dice.below(8);
            "flipped"
        }
        1 => {
            bytes.truncate(at);
            "cut"
        }
        _ => {
            let end = (at + 512).min(bytes.len());
            bytes[at..end].fill(0);
            "zeroed"
        }
    };
    fs::write(path, bytes).unwrap();
    format!("{} {what} at {at}", path.strip_prefix(folder).unwrap().display())
}

#[test]
fn damage_is_refused_or_harmless_and_can_be_accepted() {
    let rounds: u64 = std::env::var("TIDINGS_DAMAGE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    let seed = std::env::var("TIDINGS_DAMAGE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x7469_6469_6e67_7331);
    let world = written();
    let mut dice = Dice(seed);
    let (mut refused, mut harmless) = (0, 0);
    for round in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        copy(&world.options().path, &path);
        let what = damage(&path, &mut dice);
        let options = SledOptions { path: path.clone(), ..world.options() };
        match SledStore::open(options.clone(), world.clock.clone()) {
            Err(OpenError::Damaged { .. } | OpenError::NewerFormat { .. }) => refused += 1,
            Err(other) => panic!("round {round} of seed {seed}: {what}: {other}"),
            Ok(store) => {
                assert!(is_whole(&store), "round {round} of seed {seed}: {what}: opened, and something is gone");
                harmless += 1;
                continue;
            }
        }
        let accepted = SledStore::open(SledOptions { accept_data_loss: true, ..options.clone() }, world.clock.clone());
        let store = match accepted {
            Ok(store) => store,
            Err(OpenError::NewerFormat { .. }) => continue,
            Err(error) => panic!("round {round} of seed {seed}: {what}: accepting: {error}"),
        };
        assert!(fs::read_dir(folder.path()).unwrap().count() >= 2, "copied aside");
        // It works, goes on above what was acknowledged, and later opens do not complain.
        let stored = wait(|done| store.append(text_of(&group("g-1"), "bob", None, "on", world.clock.wall_ms()), done)).unwrap();
        assert!(stored.commit > SENDS, "round {round} of seed {seed}: {what}");
        assert!(store.read(&group("g-1"), page(Anchor::End, true, 100)).is_ok());
        drop(store.close());
        let again = SledStore::open(options, world.clock.clone());
        assert!(again.is_ok(), "round {round} of seed {seed}: {what}: again: {again:?}");
    }
    // Most places in a file matter.
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
}

#[test]
fn a_store_behind_its_mark_is_refused_with_both_numbers() {
    let world = written();
    let path = world.options().path.join("commit.mark");
    let FoundMark::Mark(mark) = find(&path).unwrap() else { panic!("no mark") };
    assert_eq!(mark.commit, SENDS);
    let bad = [CommitMark { commit: SENDS + 1, ..mark }, CommitMark { rows: mark.rows + 1, ..mark }];
    for (bad, numbers) in bad.into_iter().zip([(SENDS, SENDS + 1), (mark.rows, mark.rows + 1)]) {
        CommitMarkFile::create(&path, bad).unwrap();
        let Err(OpenError::Damaged { reason, .. }) = world.open() else { panic!("opened") };
        assert!(reason.contains(&numbers.0.to_string()) && reason.contains(&numbers.1.to_string()), "{reason}");
    }
    // A mark behind is what a crash between the two writes leaves.
    CommitMarkFile::create(&path, CommitMark { commit: SENDS - 1, rows: mark.rows - 1 }).unwrap();
    assert!(is_whole(&world.open().unwrap()));
    fs::remove_file(&path).unwrap();
    assert!(matches!(world.open(), Err(OpenError::Damaged { .. })));
}

#[test]
fn missing_parts_are_refused() {
    for part in ["permanent", "format", "permanent/db"] {
        let world = written();
        let path = world.options().path.join(part);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        let opened = world.open();
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{part}: {opened:?}");
    }
    let world = written();
    let periods: Vec<PathBuf> = files(&world.options().path).into_iter().filter(|path| path.ends_with("db")).collect();
    assert_eq!(periods.len(), 3);
    for period in periods.iter().filter(|path| !path.parent().unwrap().ends_with("permanent")) {
        let (folder, aside) = (period.parent().unwrap(), world.folder.path().join("aside"));
        fs::rename(folder, &aside).unwrap();
        assert!(matches!(world.open(), Err(OpenError::Damaged { reason, .. }) if reason.contains("is missing")));
        fs::rename(&aside, folder).unwrap();
    }
    assert!(is_whole(&world.open().unwrap()));
}

#[test]
fn accepting_losses_of_an_undamaged_store_changes_nothing() {
    let world = written();
    let options = SledOptions { accept_data_loss: true, ..world.options() };
    let store = SledStore::open(options, world.clock.clone()).unwrap();
    assert!(is_whole(&store));
    assert_eq!(fs::read_dir(world.folder.path()).unwrap().count(), 1, "no copy");
}

#[test]
fn accepting_keeps_what_can_be_read_and_the_copy_is_what_was_found() {
    let world = written();
    let path = world.options().path;
    let period = world.clock.wall_ms() / (7 * 86_400_000);
    fs::remove_dir_all(path.join(format!("period-{period}"))).unwrap();
    let options = SledOptions { accept_data_loss: true, ..world.options() };
    let store = SledStore::open(options, world.clock.clone()).unwrap();
    let kept = store.read(&group("g-1"), page(Anchor::End, false, 1000)).unwrap().messages;
    assert!(kept.iter().map(|message| message.seq).eq(1..=SENDS / GROUPS / 2));
    assert!(store.find(&group("g-1"), &user("alice"), &LocalMessageId::trusted("l-1")).unwrap().is_some());
    let (last, its_place) = (LocalMessageId::trusted(&format!("l-{}", SENDS - 1)), group(&format!("g-{}", (SENDS - 1) % GROUPS)));
    assert!(store.find(&its_place, &user("alice"), &last).unwrap().is_none());
    assert_eq!(store.group_members(&GroupId::trusted("g-0")).unwrap().len() as u64, SENDS / 4);
    assert_eq!(store.last_commit(), SENDS, "commits are not used twice");
    let copy = world.folder.path().join(format!("store.damaged-{}", world.clock.wall_ms()));
    assert!(copy.join("permanent/db").exists() && copy.join("commit.mark").exists());
}

#[test]
fn a_store_in_use_is_refused_after_waiting() {
    let world = World::sled();
    assert!(matches!(world.open(), Err(OpenError::InUse { .. })));
    drop(world.store.close());
    world.open().unwrap();
}

#[test]
fn a_later_format_is_refused() {
    let world = written();
    fs::write(world.options().path.join("format"), "99\n").unwrap();
    assert!(matches!(world.open(), Err(OpenError::NewerFormat { found: 99, .. })));
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt;
    let world = written();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = world.options().path;
    assert_eq!(mode(&path), 0o700);
    drop(world.open().unwrap());
    for file in files(&path).iter().filter(|file| !file.file_name().unwrap().to_str().unwrap().starts_with("snap")) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        assert_eq!(mode(file.parent().unwrap()), 0o700, "{}", file.display());
    }
}

/// sled writes large tree nodes to files that it never syncs.
#[test]
fn nothing_is_kept_where_it_would_not_be_synced() {
    let world = World::sled();
    for n in 0..150 {
        let text = "\u{1}".repeat(if n % 3 == 0 { 32_768 } else { 4000 + n });
        world.append(text_of(&group("g"), "alice", Some(&format!("l-{n}")), &text, NOW_MS)).unwrap();
    }
    let many: Vec<RowWrite> = (0..2000).map(|n| RowWrite::PutUser(UserProfile::new(user(&n.to_string()), "n".repeat(256)))).collect();
    world.apply(many).unwrap();
    assert_eq!(blobs(&world), Vec::<PathBuf>::new());
    world.remove(&group("g")).unwrap();
    (0..100).for_each(|n| drop(world.say(&group("g"), &"x".repeat(n * 50))));
    drop(world.store.close());
    assert_eq!(blobs(&world), Vec::<PathBuf>::new());
}

fn blobs(world: &World) -> Vec<PathBuf> {
    files(&world.options().path).into_iter().filter(|file| file.parent().unwrap().ends_with("blobs")).collect()
}

#[test]
fn one_bad_record_costs_one_message() {
    let world = written();
    let period = world.options().path.join(format!("period-{}", world.clock.wall_ms() / (7 * 86_400_000)));
    let table = Table::open(&period, 1 << 20).unwrap();
    let last = SENDS / GROUPS;
    let key = key::message(&group("g-1"), last - 3);
    table.commit(vec![Op::Put(key, b"not a record".to_vec())]).unwrap();
    drop(table.close());
    let Err(OpenError::Damaged { reason, .. }) = world.open() else { panic!("opened") };
    assert!(reason.contains(&format!("message {}", last - 3)), "{reason}");
    drop(SledStore::open(SledOptions { accept_data_loss: true, ..world.options() }, world.clock.clone()).unwrap());
    let store = world.open().unwrap();
    let read = store.read(&group("g-1"), page(Anchor::End, true, 5)).unwrap().messages;
    assert!(read.iter().map(|message| message.seq).eq([last - 5, last - 4, last - 2, last - 1, last]));
    assert_eq!(store.read(&group("g-2"), page(Anchor::End, true, 1000)).unwrap().messages.len() as u64, last);
    let next = wait(|done| store.append(text_of(&group("g-1"), "bob", None, "on", world.clock.wall_ms()), done)).unwrap();
    assert_eq!((next.message.seq, next.commit), (last + 1, SENDS + 1));
}
