//! What comes back of a damaged store when its losses are accepted, and what is said of the rest.

use std::fs;
use std::path::{Path, PathBuf};

use super::damage::{Dice, SENDS, copy, files, is_whole, written};
use super::support::*;
use crate::model::*;
use crate::store::backend::log_file::keep_torn_segments;
use crate::store::backend::log_segment::{SEGMENT_BYTES, walk};
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

const MESSAGES: u64 = 700;
const CONVERSATIONS: u64 = 7;

/// A closed store of one period with many messages; opened again in between, so that there are snapshots.
fn full() -> World {
    let mut world = World::sled();
    for n in 0..MESSAGES {
        if n % 250 == 249 {
            world.restart();
        }
        let text = "x".repeat((n * 37 % 600) as usize);
        let conversation = group(&format!("g-{}", n % CONVERSATIONS));
        world.append(text_of(&conversation, "alice", Some(&format!("l-{n}")), &text, NOW_MS)).unwrap();
    }
    drop(world.store.close());
    world
}

fn period_db(path: &Path) -> PathBuf {
    files(path).into_iter().find(|path| path.ends_with("db") && !path.parent().unwrap().ends_with("permanent")).unwrap()
}

/// The length of what is written; files end in empty space.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// Returns where the last frame of a log ends.
fn end_of_log(bytes: &[u8]) -> usize {
    let segments = bytes.chunks(SEGMENT_BYTES).zip(0..).map(|(bytes, number)| (walk(bytes), number * SEGMENT_BYTES));
    let (last, at) = segments.max_by_key(|(segment, _)| segment.number).unwrap();
    at + last.frames.last().unwrap().body.end
}

/// Returns how many messages are there, each as it was said.
fn count(store: &SledStore) -> u64 {
    let mut found = 0;
    for g in 0..CONVERSATIONS {
        for message in store.read(&group(&format!("g-{g}")), page(Anchor::End, false, usize::MAX)).unwrap().messages {
            let n = (message.seq - 1) * CONVERSATIONS + g;
            assert_eq!(message.content.body, Body::Text("x".repeat((n * 37 % 600) as usize)));
            found += 1;
        }
    }
    found
}

/// Returns how many messages are missing behind the last one found of each conversation.
fn missing_at_ends(store: &SledStore) -> u64 {
    let found = (0..CONVERSATIONS).map(|g| store.read(&group(&format!("g-{g}")), page(Anchor::End, true, 1)).unwrap().messages);
    found.map(|last| MESSAGES / CONVERSATIONS - last.first().map_or(0, |message| message.seq)).sum()
}

#[expect(clippy::print_stdout, reason = "how much comes back is what a longer run is for")]
fn print(counts: &[u64], refused: u64) {
    println!("{refused} of {} refused, then {counts:?}", counts.len());
}

/// Damages copies of a store, accepts the losses of those that are refused, and returns how many messages each has then.
fn counts_after(world: &World, rounds: usize, mut alter: impl FnMut(&mut Vec<u8>)) -> Vec<u64> {
    let (mut counts, mut refused) = (Vec::new(), 0);
    for round in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        copy(&world.options().path, &path);
        let db = period_db(&path);
        let mut bytes = fs::read(&db).unwrap();
        alter(&mut bytes);
        fs::write(&db, bytes).unwrap();
        let options = SledOptions { path, ..world.options() };
        // What a first attempt to open it changes must not cost more.
        if round % 2 == 0 {
            drop(SledStore::open(options.clone(), world.clock.clone()));
        }
        let store = SledStore::open(SledOptions { accept_data_loss: true, ..options.clone() }, world.clock.clone()).unwrap();
        let found = count(&store);
        if let Some(losses) = store.accepted_losses() {
            refused += 1;
            let missing = MESSAGES - found;
            assert_eq!(losses.messages_kept, found);
            // Between two that are there each is missed. Behind the last one of a conversation only its local id and the
            // conversation's head tell of a message, which were written with it, so that one damaged block may hold all three.
            let least = missing - missing_at_ends(&store);
            assert!((least..=missing).contains(&losses.messages_lost), "{missing}, {least} at least: {losses}");
            assert!(losses.newest_lost <= missing, "{missing}: {losses}");
        } else {
            assert_eq!(found, MESSAGES);
        }
        drop(store.close());
        assert_eq!(count(&SledStore::open(options.clone(), world.clock.clone()).unwrap()), found);
        assert!(!files(&options.path).iter().any(|file| is_torn(file)));
        counts.push(found);
    }
    counts.sort_unstable();
    print(&counts, refused);
    assert!(refused > 0);
    counts
}

/// A generator of its own for each test, and another one for each seed that is asked for.
fn dice(number: u64) -> Dice {
    let seed: u64 = std::env::var("TIDINGS_DAMAGE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    Dice(number ^ seed)
}

fn is_torn(file: &Path) -> bool {
    file.file_name().unwrap().to_str().unwrap().starts_with("torn")
}

fn rounds() -> usize {
    std::env::var("TIDINGS_DAMAGE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

#[test]
fn one_flipped_bit_costs_no_message() {
    let (world, mut dice) = (full(), dice(0x666c_6970));
    let counts = counts_after(&world, rounds(), |bytes| {
        let at = dice.below(used(bytes));
        bytes[at] ^= 1 << dice.below(8);
    });
    assert_eq!(counts[0], MESSAGES, "{counts:?}");
}

#[test]
fn one_flipped_bit_costs_no_row() {
    let (world, mut dice) = (written(), dice(0x726f_7773));
    let mut refused = 0;
    for round in 0..rounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        copy(&world.options().path, &path);
        let db = path.join("permanent/db");
        let mut bytes = fs::read(&db).unwrap();
        let at = dice.below(used(&bytes));
        bytes[at] ^= 1 << dice.below(8);
        fs::write(&db, bytes).unwrap();
        let options = SledOptions { path, accept_data_loss: true, ..world.options() };
        let store = SledStore::open(options, world.clock.clone()).unwrap();
        refused += u32::from(store.accepted_losses().is_some());
        let members = store.group_members(&GroupId::trusted("g-0")).unwrap().len() as u64;
        assert_eq!(members, SENDS / 4, "round {round}, at {at}");
        assert!(store.accepted_losses().is_none_or(|losses| losses.messages_lost == 0));
    }
    assert!(refused > 0);
}

/// What sled takes for the end of the log, where it overwrites what it cannot read.
#[test]
fn a_flipped_bit_in_the_last_frames_costs_no_message() {
    let (world, mut dice) = (full(), dice(0x6c61_7374));
    let counts = counts_after(&world, rounds(), |bytes| {
        let at = end_of_log(bytes) - 1 - dice.below(2000);
        bytes[at] ^= 1 << dice.below(8);
    });
    assert_eq!(counts[0], MESSAGES, "{counts:?}");
}

#[test]
fn a_flipped_bit_where_a_segment_begins_costs_no_message() {
    let (world, mut dice) = (full(), dice(0x6865_6164));
    let counts = counts_after(&world, rounds() / 2, |bytes| {
        let segment = dice.below(used(bytes).div_ceil(512 << 10));
        bytes[segment * (512 << 10) + dice.below(20)] ^= 1 << dice.below(8);
    });
    assert_eq!(counts[0], MESSAGES, "{counts:?}");
}

#[test]
fn a_zeroed_block_costs_few_messages() {
    let (world, mut dice) = (full(), dice(0x7a65_726f));
    let counts = counts_after(&world, rounds() / 2, |bytes| {
        let block = dice.below(used(bytes).div_ceil(4096)) * 4096;
        let end = (block + 4096).min(bytes.len());
        bytes[block..end].fill(0);
    });
    assert!(counts[0] >= MESSAGES * 95 / 100, "{counts:?}");
}

#[test]
fn a_cut_costs_what_was_behind_it() {
    let (world, mut dice) = (full(), dice(0x6375_7421));
    counts_after(&world, rounds() / 2, |bytes| {
        let used = used(bytes);
        bytes.truncate(used - dice.below(used / 20));
    })
    .into_iter()
    .for_each(|count| assert!(count >= MESSAGES * 75 / 100, "{count}"));
}

/// Every record but counters and heads, which say that losses were accepted.
fn lines(options: &SledOptions) -> Vec<String> {
    let mut lines = Vec::new();
    export(options, &mut lines, &mut |_| {}).unwrap();
    let text = String::from_utf8(lines).unwrap();
    let is_kept =
        |line: &&str| !["export", "\"kind\":\"counters\"", "\"kind\":\"head\"", "\"kind\":\"week\""].iter().any(|not| line.contains(not));
    text.lines().filter(is_kept).map(str::to_owned).collect()
}

fn revise(world: &World, message: Message, logged: ChangeKind) {
    let (conversation, seq) = (message.conversation.clone(), message.seq);
    let message = Some(std::sync::Arc::new(message));
    let revision = Revision { conversation, seq, message, notes: Vec::new(), pins: None, logged: Some(logged) };
    wait(|done| world.store.revise(revision, done)).unwrap();
}

fn revoked(message: &Message) -> Message {
    let stamp = ActorAt { by: user("alice"), at_ms: 1 };
    let revoked = Revoked { stamp, revoked_as: RevokedAs::Sender, extended_data: String::new(), kind: 1, text: String::new() };
    Message { content: Content::of(Body::Revoke(revoked)), ..message.clone() }
}

fn remove_mark(world: &World) {
    fs::remove_file(world.options().path.join("commit.mark")).unwrap();
}

/// Rows that come and go, messages that are edited, taken back and removed, records of many pieces, two periods.
fn lively() -> World {
    let mut world = World::sled();
    for n in 0..400u64 {
        let group = GroupId::trusted("g-1");
        world.apply(vec![RowWrite::PutUser(UserProfile::new(user(&format!("u-{n}")), "n".repeat((n * 37 % 200) as usize)))]).unwrap();
        let member = GroupMember::new(user(&format!("u-{n}")), GroupRole::Member, n, 1, 0);
        world.apply(vec![RowWrite::PutMember(group.clone(), member)]).unwrap();
        let room_id = RoomId::trusted(&format!("r-{}", n % 9));
        let row = RoomRecord {
            id: room_id.clone(),
            incarnation: 1,
            name: "r".into(),
            destroy_delay_seconds: 0,
            attributes: Default::default(),
            made_by: None,
            members_attributes: Default::default(),
        };
        world.apply(vec![RowWrite::PutRoom(row)]).unwrap();
        let text = "y".repeat(if n % 50 == 0 { 30_000 } else { (n % 700) as usize });
        world.say(&room(room_id.as_str(), 1), &text);
        let said = world.say(&Conversation::Group(group.clone()), &text);
        match n % 7 {
            0 => revise(&world, revoked(&said.message), ChangeKind::Revoked),
            1 => {
                revise(&world, Message { content: Content::of(Body::Text("edited".into())), ..(*said.message).clone() }, ChangeKind::Edited)
            }
            2 => world.apply(vec![RowWrite::DeleteMember(group, user(&format!("u-{}", n / 2)))]).unwrap(),
            3 if n % 9 < 3 => {
                world.remove(&room(room_id.as_str(), 1)).unwrap();
                world.apply(vec![RowWrite::DeleteRoom(room_id)]).unwrap();
            }
            4 if n % 60 == 4 => world.restart(),
            _ => {}
        }
        if n == 200 {
            world.clock.advance(WEEK);
        }
    }
    for n in [0, 1, 2] {
        let room_id = format!("r-{n}");
        world.remove(&room(&room_id, 1)).unwrap();
        world.apply(vec![RowWrite::DeleteRoom(RoomId::trusted(&room_id))]).unwrap();
    }
    drop(world.store.close());
    world
}

#[test]
fn what_was_deleted_or_replaced_does_not_come_back() {
    let world = lively();
    let before = lines(&world.options());
    remove_mark(&world);
    let store = accept(&world);
    assert_eq!(store.accepted_losses().unwrap().messages_lost, 0);
    drop(store);
    let after = lines(&world.options());
    let gone: Vec<_> = before.iter().filter(|line| !after.contains(line)).take(3).collect();
    let came: Vec<_> = after.iter().filter(|line| !before.contains(line)).take(3).collect();
    assert!(before == after, "gone: {gone:?}, came: {came:?}");
}

/// Alters every place of every database where these bytes are, by two bits: one alone would be mended.
fn alter_all(world: &World, what: &[u8]) {
    let mut altered = 0;
    for db in files(&world.options().path).into_iter().filter(|path| path.ends_with("db")) {
        let mut bytes = fs::read(&db).unwrap();
        let places: Vec<usize> = bytes.windows(what.len()).enumerate().filter(|(_, window)| *window == what).map(|(at, _)| at).collect();
        altered += places.len();
        places.into_iter().for_each(|at| bytes[at] ^= 3);
        fs::write(&db, bytes).unwrap();
    }
    assert!(altered > 0);
}

#[test]
fn what_was_taken_back_does_not_come_back_where_that_is_what_was_damaged() {
    let world = World::sled();
    let g = group("g");
    (0..10).for_each(|n| drop(world.say(&g, &format!("secret {n}"))));
    let said = world.all(&g)[4].clone();
    revise(&world, revoked(&said), ChangeKind::Revoked);
    drop(world.store.close());
    alter_all(&world, b"\"Revoke\"");
    remove_mark(&world);
    let store = accept(&world);
    let seqs = store.read(&g, page(Anchor::End, false, 100)).unwrap().messages.iter().map(|message| message.seq).collect::<Vec<_>>();
    assert_eq!(seqs, [1, 2, 3, 4, 6, 7, 8, 9, 10]);
    let losses = store.accepted_losses().unwrap();
    let lost = ConversationLoss { conversation: g, lost: 1, first_seq: 5, last_seq: 5 };
    assert_eq!((losses.messages_lost, &losses.conversations), (1, &vec![lost]));
    assert!(losses.to_string().contains("group g: 1 of the messages from 5 to 5"), "{losses}");
}

#[test]
fn a_room_without_a_row_does_not_come_back() {
    let world = World::sled();
    let row = RoomRecord {
        id: RoomId::trusted("r"),
        incarnation: 2,
        name: "r".into(),
        destroy_delay_seconds: 0,
        attributes: Default::default(),
        made_by: None,
        members_attributes: Default::default(),
    };
    world.apply(vec![RowWrite::PutRoom(row)]).unwrap();
    (1..4).for_each(|incarnation| drop(world.say(&room("r", incarnation), "hi")));
    drop(world.store.close());
    remove_mark(&world);
    let store = accept(&world);
    let counts = [1, 2, 3].map(|n| store.read(&room("r", n), page(Anchor::End, false, 9)).unwrap().messages.len());
    assert_eq!((counts, store.accepted_losses().unwrap().messages_lost), ([0, 1, 0], 0));
}

#[test]
fn an_undamaged_log_is_not_called_torn() {
    let torn = |path: &Path| {
        files(path).into_iter().filter(|file| file.ends_with("db")).for_each(|db| keep_torn_segments(db.parent().unwrap()).unwrap());
        files(path).iter().any(|file| is_torn(file))
    };
    assert!(!torn(&lively().options().path));
    let world = full();
    assert!(!torn(&world.options().path));
    // As a killed process leaves it.
    let world = World::sled();
    for n in 0..600 {
        world.say(&group("g"), &"x".repeat(n * 97 % 4000));
        if n % 30 == 0 {
            let folder = tempfile::tempdir().unwrap();
            copy(&world.options().path, folder.path());
            assert!(!torn(folder.path()), "{n}");
        }
    }
}
