//! Copies of stores that are written to meanwhile, and stores made of copies and of exported lines.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::support::*;
use crate::clock::Clock as _;
use crate::model::*;
use crate::store::backend::store_dir::{FORMAT, StoreDir};
use crate::store::format::key;
use crate::store::*;

pub(super) const PEOPLE: u64 = 5;

embedded_contract!(
    what_is_written_during_a_copy_is_in_it_whole,
    periods_that_begin_and_end_during_a_copy_are_as_they_were_at_its_end,
    a_removal_during_a_copy_is_carried_out_in_it_too,
    a_second_copy_is_refused_and_the_first_goes_on,
    a_copy_that_is_given_up_leaves_the_store_as_it_was,
);

fn profile(n: u64, name: &str) -> UserProfile {
    UserProfile::new(user(&format!("u-{n}")), name.to_owned())
}

/// A busy moment: messages, a changed message with notes and a pin, rows, entries, a deletion.
pub(super) fn write(world: &World, n: u64) {
    let now_ms = world.clock.wall_ms();
    let (one, other) = (format!("u-{}", n % PEOPLE), format!("u-{}", (n + 1) % PEOPLE));
    let crowd = group(&format!("g-{}", n % 3));
    let pair = Conversation::peer(&user(&one), &user(&other));
    for conversation in [&crowd, &pair, &room("r", 1)] {
        // Some span several of sled's pieces.
        let text = format!("{n} {}", "x".repeat(if n.is_multiple_of(7) { 9_000 } else { 20 }));
        world.append(text_of(conversation, &one, Some(&format!("l-{n}-{conversation:?}")), &text, now_ms)).unwrap();
    }
    let seq = world.store.head(&crowd).unwrap();
    let mut message = (*world.store.message(&crowd, seq).unwrap().unwrap()).clone();
    message.content.body = Body::Text(format!("{n} edited"));
    let revision = Revision {
        conversation: crowd.clone(),
        seq,
        message: Some(Arc::new(message)),
        notes: vec![
            (Note::Receipt(user(&other)), Some(NoteRecord { at_ms: n })),
            (Note::Reaction("+1".into(), user(&other)), Some(NoteRecord { at_ms: n })),
        ],
        pins: Some(vec![Pin { seq, stamp: crate::model::ActorAt { by: user(&one), at_ms: n } }]),
        logged: Some(ChangeKind::Edited),
    };
    wait(|done| world.store.revise(revision, done)).unwrap();
    let member = GroupMember::new(user(&one), GroupRole::Member, n, 1, 0);
    let group_id = GroupId::trusted(&format!("g-{}", n % 3));
    let mut rows = vec![
        RowWrite::PutUser(profile(n % PEOPLE, &n.to_string())),
        RowWrite::PutMember(group_id.clone(), member),
        RowWrite::PutEntry(user(&other), pair.clone(), EntryRecord { read_seq: n, ..EntryRecord::default() }),
        RowWrite::Delete(user(&other), crowd.clone(), vec![seq]),
        RowWrite::PutFollowing(user(&one), vec![(user(&other), n)]),
    ];
    if n.is_multiple_of(4) {
        rows.push(RowWrite::PutFormer(group_id, user(&one), 1, 1));
    }
    world.apply(rows).unwrap();
}

/// Copies, and lets `meanwhile` happen between two steps of it, so many times at most.
fn copy(world: &World, to: &Path, mut meanwhile: impl FnMut(u64)) -> Result<StoreCopy, StoreError> {
    fs::create_dir_all(to).unwrap();
    let mut step = 0;
    let mut watch = |_| {
        step += 1;
        meanwhile(step);
        ControlFlow::Continue(())
    };
    world.store.backup(to, Pace { bytes_per_second: 0, watch: &mut watch })
}

fn restored(world: &World, copy: &StoreCopy, from: &Path) -> (SledOptions, StoreReport) {
    let options = SledOptions { path: world.folder.path().join("restored"), ..world.options() };
    let report = restore(copy, from, &options, &mut |_| {}).unwrap();
    (options, report)
}

pub(super) fn exported(options: &SledOptions) -> String {
    let mut out = Vec::new();
    export(options, &mut out, &mut |_| {}).unwrap();
    String::from_utf8(out).unwrap()
}

/// Everything that can be asked of a store, of those who took part.
fn all_of(store: &dyn Store) -> String {
    let mut said = Vec::new();
    let mut conversations: Vec<Conversation> = (0..3).map(|n| group(&format!("g-{n}"))).collect();
    conversations.extend((0..PEOPLE).map(|n| Conversation::peer(&user(&format!("u-{n}")), &user(&format!("u-{}", (n + 1) % PEOPLE)))));
    conversations.push(room("r", 1));
    for conversation in &conversations {
        let messages = store.read(conversation, page(Anchor::End, false, usize::MAX)).unwrap().messages;
        said.push(format!("{:?} {:?} {:?}", store.tail(conversation), store.pins(conversation), store.changes(conversation, 0, 10_000)));
        for message in messages {
            said.push(format!("{message:?} {:?}", store.notes(conversation, message.seq)));
            if let Some(local_id) = &message.local_id {
                said.push(format!("{:?}", store.find(conversation, &message.sender, local_id).unwrap().map(|found| found.commit)));
            }
        }
    }
    for n in 0..PEOPLE {
        let user = user(&format!("u-{n}"));
        said.push(format!("{:?} {:?} {:?}", store.user(&user), store.entries_of(&user), store.following(&user)));
        said.push(format!("{:?} {:?} {:?}", store.groups_of(&user), store.former_groups_of(&user), store.peers_of(&user)));
    }
    said.push(format!("{:?}", (0..3).map(|n| store.group_members(&GroupId::trusted(&format!("g-{n}")))).collect::<Vec<_>>()));
    said.push(format!("{} {}", store.last_commit(), store.last_message_id()));
    said.join("\n")
}

/// The restored store says what the copied one says, byte for byte where that can be compared.
fn is_the_same(world: &World, copy: &StoreCopy, from: &Path) {
    let (options, report) = restored(world, copy, from);
    assert_eq!((report.commit, report.message_id), (copy.commit, copy.message_id));
    let opened = SledStore::open(options.clone(), world.clock.clone()).unwrap();
    assert_eq!(all_of(&*world.store), all_of(&opened));
    drop(opened.close());
    if world.kind == BackendKind::Sled {
        drop(world.store.close());
        assert_eq!(exported(&world.options()), exported(&options));
    }
}

fn what_is_written_during_a_copy_is_in_it_whole(world: World) {
    for n in 0..60 {
        write(&world, n);
    }
    let written = AtomicU64::new(0);
    let folder = world.folder.path().join("copy");
    let copy = copy(&world, &folder, |step| {
        write(&world, 100 + step);
        written.fetch_add(1, Ordering::SeqCst);
    })
    .unwrap();
    let written = written.into_inner();
    assert!(written >= 2, "something was written between the steps");
    assert_eq!(copy.commit, world.store.last_commit(), "all of it was acknowledged before the mark");
    assert_eq!(copy.messages, 3 * (60 + written));
    is_the_same(&world, &copy, &folder);
}

fn periods_that_begin_and_end_during_a_copy_are_as_they_were_at_its_end(mut world: World) {
    for n in 0..6 {
        write(&world, n);
        world.clock.advance(WEEK);
    }
    world.restart();
    let folder = world.folder.path().join("copy");
    let copy = copy(&world, &folder, |step| {
        write(&world, 100 + step);
        world.clock.advance(WEEK);
        world.sweep(world.clock.wall_ms());
    })
    .unwrap();
    let first = copy.files.iter().find(|file| file.name.starts_with("period-")).unwrap();
    assert!(first.bytes > 1_000, "the oldest was copied before it was deleted");
    is_the_same(&world, &copy, &folder);
}

fn a_removal_during_a_copy_is_carried_out_in_it_too(world: World) {
    for n in 0..40 {
        write(&world, n);
    }
    let folder = world.folder.path().join("copy");
    let copy = copy(&world, &folder, |step| {
        if step == 2 {
            world.remove(&room("r", 1)).unwrap();
        }
    })
    .unwrap();
    assert!(world.all(&room("r", 1)).is_empty());
    is_the_same(&world, &copy, &folder);
}

fn a_second_copy_is_refused_and_the_first_goes_on(world: World) {
    write(&world, 1);
    let second = world.folder.path().join("second");
    let folder = world.folder.path().join("copy");
    let copied = copy(&world, &folder, |step| {
        if step == 1 {
            let refused = copy(&world, &second, |_| {}).unwrap_err();
            assert_eq!(refused, StoreError::Unavailable("another backup is under way".into()));
            write(&world, 2);
        }
    })
    .unwrap();
    is_the_same(&world, &copied, &folder);
}

fn a_copy_that_is_given_up_leaves_the_store_as_it_was(world: World) {
    write(&world, 1);
    let given_up = world.folder.path().join("given-up");
    fs::create_dir_all(&given_up).unwrap();
    let mut watch = |_| ControlFlow::Break(());
    let error = world.store.backup(&given_up, Pace { bytes_per_second: 0, watch: &mut watch }).unwrap_err();
    assert!(error.to_string().contains("given up"), "{error}");
    write(&world, 2);
    let folder = world.folder.path().join("copy");
    let copied = copy(&world, &folder, |_| {}).unwrap();
    is_the_same(&world, &copied, &folder);
}

#[test]
fn a_folder_that_cannot_be_written_ends_the_copy_and_not_the_store() {
    let world = World::sled();
    write(&world, 1);
    let missing = world.folder.path().join("missing");
    let error = world.store.backup(&missing, Pace { bytes_per_second: 0, watch: &mut |_| ControlFlow::Continue(()) }).unwrap_err();
    assert!(error.to_string().contains("cannot be written"), "{error}");
    write(&world, 2);
    assert_eq!(world.store.writable(), Ok(()));
}

#[test]
fn a_damaged_record_is_found_by_a_check_and_named() {
    let world = World::sled();
    write(&world, 1);
    drop(world.store.close());
    let table = crate::store::backend::sled::Table::open(&world.options().path.join("permanent"), 1 << 20).unwrap();
    table.commit(vec![crate::store::backend::Op::Put(key::user(&user("u-1")), b"\x01not a record".to_vec())]).unwrap();
    drop(table.close());
    let report = check(&world.options()).unwrap_err();
    assert!(matches!(&report, OpenError::Damaged { reason, .. } if reason.contains("user u-1 ")), "{report}");
}

#[test]
fn a_damaged_copy_is_refused_and_the_file_is_named() {
    let world = World::sled();
    for n in 0..5 {
        write(&world, n);
    }
    let folder = world.folder.path().join("copy");
    let copied = copy(&world, &folder, |step| write(&world, 10 + step)).unwrap();
    for file in &copied.files {
        let path = folder.join(&file.name);
        let whole = fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut bad = whole.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            let target = tempfile::tempdir().unwrap();
            let options = SledOptions { path: target.path().join("store"), ..world.options() };
            let refused = restore(&copied, &folder, &options, &mut |_| {}).unwrap_err();
            assert!(matches!(refused, OpenError::Damaged { .. }), "{} at {at}: {refused}", file.name);
        }
        fs::write(&path, whole).unwrap();
    }
    restored(&world, &copied, &folder);
}

#[test]
fn a_copy_of_a_later_format_is_refused() {
    let world = World::sled();
    write(&world, 1);
    let folder = world.folder.path().join("copy");
    let copied = copy(&world, &folder, |_| {}).unwrap();
    let later = StoreCopy { format: FORMAT + 1, ..copied };
    let options = SledOptions { path: world.folder.path().join("restored"), ..world.options() };
    let refused = restore(&later, &folder, &options, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, OpenError::NewerFormat { known: FORMAT, .. }), "{refused}");
    assert!(!options.path.exists());
}

#[test]
fn exported_lines_make_the_same_store_again() {
    let world = World::sled();
    for n in 0..20 {
        write(&world, n);
        if n.is_multiple_of(5) {
            world.clock.advance(WEEK);
        }
    }
    world.sweep(world.clock.wall_ms() + 20 * 86_400_000);
    let said = all_of(&*world.store);
    drop(world.store.close());
    let lines = exported(&world.options());
    let options = SledOptions { path: world.folder.path().join("imported"), ..world.options() };
    let report = import(&options, &mut lines.as_bytes(), &mut |_| {}).unwrap();
    assert_eq!(report, check(&world.options()).unwrap());
    assert_eq!(exported(&options), lines);
    let opened = SledStore::open(options.clone(), world.clock.clone()).unwrap();
    assert_eq!(all_of(&opened), said);
    drop(opened.close());
    let refused = import(&options, &mut lines.as_bytes(), &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
}

#[test]
fn lines_that_do_not_hold_together_are_refused_by_number_or_by_what_is_missing() {
    let world = World::sled();
    for n in 0..3 {
        write(&world, n);
    }
    drop(world.store.close());
    let lines = exported(&world.options());
    let import_of = |text: &str| {
        let target = tempfile::tempdir().unwrap();
        let options = SledOptions { path: target.path().join("store"), ..world.options() };
        import(&options, &mut text.as_bytes(), &mut |_| {}).map_err(|error| error.to_string())
    };
    assert!(import_of("").unwrap_err().contains("line 1"));
    assert!(import_of(&lines.replacen("\"version\":1", "\"version\":2", 1)).unwrap_err().contains("line 1"));
    let second = lines.lines().nth(1).unwrap();
    assert!(import_of(&lines.replacen(second, "{", 1)).unwrap_err().contains("line 2"));
    let message = lines.lines().find(|line| line.contains("\"kind\":\"message\"")).unwrap();
    assert!(import_of(&lines.replacen(&format!("{message}\n"), "", 1)).is_err(), "a message that is missing is noticed");
    let user = lines.lines().find(|line| line.contains("\"kind\":\"user\"")).unwrap();
    import_of(&lines.replacen(&format!("{user}\n"), "", 1)).unwrap();
    import_of(&lines).unwrap();
}

#[test]
fn a_store_of_an_older_format_is_copied_before_it_is_changed() {
    let mut world = World::sled();
    write(&world, 1);
    let said = all_of(&*world.store);
    drop(world.store.close());
    let path = world.options().path;
    fs::write(path.join("format"), "3\n").unwrap();
    // A check does not change it.
    assert_eq!(check(&world.options()).unwrap().format, 3);
    assert_eq!(StoreDir::new(path.clone()).read_format(), Ok(Some(3)));
    world.restart();
    assert_eq!(all_of(&*world.store), said);
    assert_eq!(StoreDir::new(path.clone()).read_format(), Ok(Some(FORMAT)));
    let aside = path.with_file_name("store.format-3");
    assert_eq!(fs::read_to_string(aside.join("format")).unwrap(), "3\n");
    let report = check(&SledOptions { path: aside, ..world.options() }).unwrap();
    assert_eq!(report.counts["messages"], 3);
}

#[test]
fn a_check_finds_no_store_where_there_is_none_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let options = SledOptions::new(folder.path().join("store"));
    assert!(check(&options).unwrap_err().to_string().contains("there is no store"));
    assert!(!options.path.exists());
}
