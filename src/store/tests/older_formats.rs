//! Stores of older formats are opened as they are, brought to this version's, and say what they said before.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;

use super::support::*;
use crate::clock::Clock as _;
use crate::model::*;
use crate::store::backend::Op;
use crate::store::backend::sled::Table;
use crate::store::backend::store_dir::FORMAT;
use crate::store::format::key;
use crate::store::format::record::{self, DedupEntry, SenderDedupEntry};
use crate::store::format::record_kind::RecordKind;
use crate::store::*;

/// The database of the period of a time, of a store that is closed.
fn table(world: &World, at_ms: u64) -> Table {
    Table::open(&world.options().path.join(format!("period-{}", at_ms / (7 * 86_400_000))), 1 << 20).unwrap()
}

#[test]
fn a_store_of_the_format_before_is_opened_and_brought_to_this_one() {
    let mut world = World::sled();
    world.say(&group("g"), "hi");
    let format = world.options().path.join("format");
    drop(world.store.close());
    fs::write(&format, "1\n").unwrap();
    world.restart();
    assert_eq!(world.seqs(&group("g")), [1]);
    assert_eq!(fs::read_to_string(format).unwrap(), format!("{FORMAT}\n"));
}

/// Until format 4 the children of a combined message lay beside it, under its own place.
#[test]
fn a_combined_message_of_the_format_before_is_read() {
    let mut world = World::sled();
    let child = Child { id: 1, sender: user("bob"), timestamp_ms: 1, extended_data: String::new(), body: Body::Text("in".into()) };
    let combine = Combine { children: vec![child.clone()], ..Combine::copy_of("t".into(), "s".into(), String::new()) };
    let append = Append { draft: Draft::of(Body::Combine(combine)), ..text_of(&group("g"), "alice", None, "", world.clock.wall_ms()) };
    let list = key::held_list(FileUid::from_bits(append.id.into()));
    let Appended { message, commit, .. } = world.append(append).unwrap();
    drop(world.store.close());
    let mut before = (*message).clone();
    let Body::Combine(combine) = &mut before.content.body else { panic!("{message:?}") };
    combine.held = None;
    let (message_key, children_key) = (key::message(&group("g"), 1), key::children(&group("g"), 1));
    let table = table(&world, world.clock.wall_ms());
    let ops = vec![
        Op::Put(message_key.clone(), record::encode_message(&message_key, &before, commit)),
        Op::Put(children_key.clone(), record::encode(&children_key, &vec![child.clone()])),
        Op::Delete(list),
    ];
    table.commit(ops).unwrap();
    drop(table.close());
    fs::write(world.options().path.join("format"), "4\n").unwrap();
    for _ in 0..2 {
        world.restart();
        assert_eq!(world.store.children(&group("g"), 1), Ok(vec![child.clone()]));
        assert!(world.store.children_bytes(&group("g"), 1).unwrap() > 50);
    }
}

/// Closes a store and makes it what format 5 would have written: a sender's local id led to one place in all conversations.
fn make_format_5(world: &World, periods: &[u64]) {
    drop(world.store.close());
    for at_ms in periods {
        let table = table(world, *at_ms);
        let mut ops = Vec::new();
        let read = table.scan(&[RecordKind::Dedup.byte()], &[RecordKind::Dedup.byte() + 1], false, &mut |dedup_key, value| {
            let DedupEntry { seq, digest } = record::decode(dedup_key, value).unwrap();
            let (sender, local_id, conversation) = key::split_dedup(dedup_key).unwrap();
            let older_key = key::sender_dedup(&user(sender), &LocalMessageId::trusted(local_id));
            let older = record::encode(&older_key, &SenderDedupEntry { conversation, seq, digest });
            ops.extend([Op::Delete(dedup_key.to_vec()), Op::Put(older_key, older)]);
            ControlFlow::Continue(())
        });
        read.unwrap();
        assert!(!ops.is_empty());
        table.commit(ops).unwrap();
        drop(table.close());
    }
    fs::write(world.options().path.join("format"), "5\n").unwrap();
}

/// Where something was sent before the upgrade, in two weeks, each under local ids of its own.
fn places() -> [Conversation; 3] {
    [group("g"), room("r", 1), Conversation::peer(&user("alice"), &user("bob"))]
}

fn sent(n: usize, week: u64) -> Append {
    text_of(&places()[n], "alice", Some(&format!("l-{n}-{week}")), "hi", NOW_MS)
}

fn written_by_format_5() -> World {
    let world = World::sled();
    let mut periods = Vec::new();
    for week in 0..2 {
        periods.push(world.clock.wall_ms());
        for n in 0..places().len() {
            assert!(!world.append(sent(n, week)).unwrap().duplicate);
        }
        if week == 0 {
            world.clock.advance(WEEK);
        }
    }
    make_format_5(&world, &periods);
    world
}

/// Retries of before the upgrade are answered with the first result; the same id elsewhere is a new message.
fn knows_its_retries(world: &World) {
    for week in 0..2 {
        for (n, place) in places().iter().enumerate() {
            let again = world.append(sent(n, week)).unwrap();
            assert_eq!((again.duplicate, again.message.seq), (true, week + 1), "{place:?}");
            let other = Append { draft: Draft { local_id: sent(n, week).draft.local_id, ..Draft::text("other") }, ..sent(n, week) };
            assert_eq!(world.append(other).unwrap_err(), StoreError::OtherContent, "{place:?}");
            assert_eq!(world.seqs(place), [1, 2], "{place:?}");
        }
    }
}

#[test]
fn retries_of_before_the_upgrade_are_known_in_their_conversation_and_free_in_others() {
    let mut world = written_by_format_5();
    assert_eq!(check(&world.options()).unwrap().counts["localIDs"], 6);
    world.restart();
    for round in 0..2 {
        knows_its_retries(&world);
        for n in 0..places().len() {
            let elsewhere = Append { conversation: group("elsewhere"), ..sent(n, 0) };
            assert_eq!(world.append(elsewhere).unwrap().duplicate, round > 0);
        }
        world.restart();
    }
    world.remove(&places()[1]).unwrap();
    for week in 0..2 {
        assert!(!world.append(sent(1, week)).unwrap().duplicate, "its local ids went with it");
    }
    drop(world.store.close());
    let report = check(&world.options()).unwrap();
    assert_eq!((report.format, report.counts["localIDs"], report.counts["retryKeys"]), (FORMAT, 4, 5));
    assert_eq!(report.counts["messages"], 9);
}

#[test]
fn retry_keys_of_both_formats_survive_an_export() {
    let mut world = written_by_format_5();
    world.restart();
    for n in 0..places().len() {
        world.append(Append { conversation: group("elsewhere"), ..sent(n, 1) }).unwrap();
    }
    drop(world.store.close());
    let mut lines = Vec::new();
    export(&world.options(), &mut lines, &mut |_| {}).unwrap();
    let made = SledOptions { path: world.folder.path().join("imported"), ..world.options() };
    assert_eq!(import(&made, &mut &lines[..], &mut |_| {}).unwrap(), check(&world.options()).unwrap());
    fs::remove_dir_all(world.options().path).unwrap();
    fs::rename(&made.path, world.options().path).unwrap();
    world.restart();
    knows_its_retries(&world);
    assert!((0..places().len()).all(|n| world.append(Append { conversation: group("elsewhere"), ..sent(n, 1) }).unwrap().duplicate));
}

#[test]
fn retry_keys_of_both_formats_survive_accepted_losses() {
    let mut world = written_by_format_5();
    world.restart();
    let row = RoomRecord {
        id: RoomId::trusted("r"),
        incarnation: 1,
        name: "r".into(),
        destroy_delay_seconds: 0,
        attributes: BTreeMap::new(),
        made_by: None,
        members_attributes: BTreeMap::new(),
    };
    world.apply(vec![RowWrite::PutRoom(row)]).unwrap();
    for n in 0..places().len() {
        world.append(Append { conversation: group("elsewhere"), ..sent(n, 1) }).unwrap();
    }
    drop(world.store.close());
    fs::remove_file(world.options().path.join("commit.mark")).unwrap();
    let damaged = world.open();
    assert!(matches!(damaged, Err(OpenError::Damaged { .. })));
    let accepted = SledStore::open(SledOptions { accept_data_loss: true, ..world.options() }, world.clock.clone()).unwrap();
    let losses = accepted.accepted_losses().unwrap();
    assert_eq!((losses.messages_kept, losses.messages_lost), (9, 0), "{losses}");
    drop(accepted.close());
    let report = check(&world.options()).unwrap();
    assert_eq!((report.counts["localIDs"], report.counts["retryKeys"]), (6, 3));
    world.restart();
    knows_its_retries(&world);
    assert!((0..places().len()).all(|n| world.append(Append { conversation: group("elsewhere"), ..sent(n, 1) }).unwrap().duplicate));
}
