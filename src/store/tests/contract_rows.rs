//! What every engine keeps beside the messages: entries, notes, changes, answers, children, pins. See `contract`.

use std::sync::Arc;

use super::support::{World, contract, group, kept_file, page, text_of, user, wait};
use crate::clock::Clock as _;
use crate::model::{
    ActorAt, Body, Child, Combine, Content, Conversation, Draft, FileUid, GroupId, GroupInfo, GroupMember, GroupMute, GroupRole,
    GroupVerify, Media, MediaKind, Message, ReplyTo, Revoked, RevokedAs, RoomId,
};
use crate::store::{
    Anchor, Append, ChangeKind, EntryRecord, FormerMember, GroupRecord, Note, NoteRecord, Pin, PlaceCounts, Revision, RoomRecord, RowWrite,
    StoreError,
};

const WEEK: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);

contract!(
    a_message_is_changed_in_its_place_and_the_change_is_told_to_who_was_away,
    notes_come_and_go_with_their_message,
    entries_and_what_outlives_a_period_are_carried_on,
    a_user_that_deleted_messages_does_not_see_them_and_others_do,
    who_left_keeps_what_it_saw_of_a_group,
    children_and_answers_are_found_where_they_belong,
    what_is_passed_on_is_kept_once_a_period_and_as_long_as_anyone_holds_it,
    rooms_and_groups_are_counted_as_there_are,
    files_last_and_their_uses_go_with_the_messages_that_carry_them,
);

fn append_of(conversation: &Conversation, sender: &str, body: Body) -> Append {
    Append { draft: Draft::of(body), ..text_of(conversation, sender, None, "", 0) }
}

fn revision(conversation: &Conversation, seq: u64) -> Revision {
    Revision { conversation: conversation.clone(), seq, message: None, notes: Vec::new(), pins: None, logged: None }
}

fn revise(world: &World, revision: Revision) -> Result<u64, StoreError> {
    wait(|done| world.store.revise(revision, done))
}

fn texts(messages: &[Arc<Message>]) -> Vec<String> {
    let text = |message: &Arc<Message>| if let Body::Text(text) = &message.content.body { text.clone() } else { String::new() };
    messages.iter().map(text).collect()
}

fn a_message_is_changed_in_its_place_and_the_change_is_told_to_who_was_away(mut world: World) {
    let g = group("g");
    let first = world.say(&g, "one");
    world.clock.advance(WEEK * 2);
    let last = world.say(&g, "two");
    let edited = Arc::new(Message { content: Content::of(Body::Text("uno".into())), ..(*first.message).clone() });
    let commit = revise(&world, Revision { message: Some(edited), logged: Some(ChangeKind::Edited), ..revision(&g, 1) }).unwrap();
    assert_eq!(commit, last.commit + 1);
    for _ in 0..2 {
        assert_eq!(texts(&world.all(&g)), ["uno", "two"]);
        assert_eq!(world.store.changes(&g, 0, 10), Ok(vec![(1, ChangeKind::Edited)]));
        assert_eq!(world.store.changes(&g, commit, 10), Ok(vec![]));
        assert_eq!(world.store.last_commit(), commit);
        assert_eq!(world.store.tail(&g).unwrap().unwrap().seq, 2);
        assert_eq!(world.store.seq_of(&g, first.message.id), Ok(Some(1)));
        assert_eq!(world.store.seq_of(&g, u64::MAX), Ok(None));
        world.restart();
    }
    assert_eq!(revise(&world, revision(&g, 9)), Err(StoreError::Gone));
    // A later message goes on counting, and what went with its period cannot be changed any more.
    assert_eq!(world.say(&g, "three").commit, commit + 1);
    world.clock.advance(WEEK);
    world.say(&g, "four");
    world.clock.advance(WEEK * 5);
    world.sweep(world.clock.wall_ms());
    assert_eq!(revise(&world, revision(&g, 1)), Err(StoreError::Gone));
}

fn rooms_and_groups_are_counted_as_there_are(mut world: World) {
    let counts = |rooms: u64, groups: u64| Ok(PlaceCounts { rooms, groups });
    assert_eq!(world.store.place_counts(), counts(0, 0));
    let room = |n: usize| RoomRecord {
        id: RoomId::trusted(&format!("r{n}")),
        incarnation: 1,
        name: String::new(),
        destroy_delay_seconds: 0,
        attributes: std::collections::BTreeMap::new(),
        made_by: None,
        members_attributes: std::collections::BTreeMap::new(),
    };
    let of_group = |n: usize, dismissed: bool| {
        let info = GroupInfo {
            id: GroupId::trusted(&format!("g{n:05}")),
            name: String::new(),
            avatar_url: String::new(),
            notice: String::new(),
            attributes: std::collections::BTreeMap::new(),
            mute: GroupMute::default(),
            verify: GroupVerify::default(),
            created_ms: 5,
            members_max: 9,
            muted_outside: std::collections::BTreeMap::new(),
        };
        RowWrite::PutGroup(GroupRecord { info, dismissed })
    };
    world.apply((0..3).map(|n| RowWrite::PutRoom(room(n))).collect()).unwrap();
    // More than are looked at in one step.
    world.apply((0..1_005).map(|n| of_group(n, n % 100 == 0)).collect()).unwrap();
    assert_eq!(world.store.place_counts(), counts(3, 994));
    world.apply(vec![RowWrite::DeleteRoom(RoomId::trusted("r1")), of_group(1, true), of_group(1_004, false)]).unwrap();
    for _ in 0..2 {
        assert_eq!(world.store.place_counts(), counts(2, 993));
        world.restart();
    }
}

fn notes_come_and_go_with_their_message(mut world: World) {
    let g = group("g");
    world.say(&g, "one");
    world.say(&g, "two");
    let note = |name: &str| Note::Reaction("+1".into(), user(name));
    let at = |at_ms: u64| Some(NoteRecord { at_ms });
    let notes = vec![(note("bob"), at(1)), (Note::Receipt(user("bob")), at(2))];
    revise(&world, Revision { notes, ..revision(&g, 1) }).unwrap();
    revise(&world, Revision { notes: vec![(note("carol"), at(3)), (note("bob"), None)], ..revision(&g, 1) }).unwrap();
    for _ in 0..2 {
        let kept = vec![(note("carol"), NoteRecord { at_ms: 3 }), (Note::Receipt(user("bob")), NoteRecord { at_ms: 2 })];
        assert_eq!(world.store.notes(&g, 1), Ok(kept));
        assert_eq!(world.store.notes(&g, 2), Ok(vec![]));
        world.restart();
    }
}

fn entries_and_what_outlives_a_period_are_carried_on(mut world: World) {
    let (g, alice) = (group("g"), user("alice"));
    let entry = |read_seq: u64| EntryRecord { read_seq, muted: true, ..EntryRecord::default() };
    let put = |world: &World, entry: EntryRecord| world.apply(vec![RowWrite::PutEntry(alice.clone(), g.clone(), entry)]).unwrap();
    let pins = vec![Pin { seq: 1, stamp: ActorAt { by: alice.clone(), at_ms: 5 } }];
    world.say(&g, "one");
    put(&world, entry(1));
    put(&world, entry(2));
    world.apply(vec![RowWrite::PutFollowing(alice.clone(), vec![(user("bob"), 9)])]).unwrap();
    revise(&world, Revision { pins: Some(pins.clone()), ..revision(&g, 1) }).unwrap();
    // Many, so that carrying them takes several steps.
    let many = (0..600).map(|n| RowWrite::PutEntry(user(&format!("u{n}")), g.clone(), entry(n))).collect();
    world.apply(many).unwrap();
    for week in 0..7 {
        world.clock.advance(WEEK);
        world.say(&g, "later");
        if week == 2 {
            world.apply(vec![RowWrite::PutEntry(user("u7"), g.clone(), entry(777))]).unwrap();
        }
    }
    world.sweep(world.clock.wall_ms());
    for _ in 0..2 {
        assert_eq!(world.store.entry(&alice, &g), Ok(entry(2)));
        assert_eq!(world.store.entries_of(&alice), Ok(vec![(g.clone(), entry(2))]));
        assert_eq!(world.store.entry(&user("u599"), &g), Ok(entry(599)));
        assert_eq!(world.store.entry(&user("u7"), &g), Ok(entry(777)), "the later one counts");
        assert_eq!(world.store.entry(&user("nobody"), &g), Ok(EntryRecord::default()));
        assert_eq!(world.store.following(&alice), Ok(vec![(user("bob"), 9)]));
        assert_eq!(world.store.pins(&g), Ok(pins.clone()));
        world.restart();
    }
}

fn a_user_that_deleted_messages_does_not_see_them_and_others_do(mut world: World) {
    let (g, bob) = (group("g"), user("bob"));
    for n in 1..=6 {
        world.say(&g, &n.to_string());
        if n == 3 {
            world.clock.advance(WEEK);
        }
    }
    world.apply(vec![RowWrite::Delete(bob.clone(), g.clone(), vec![2, 5, 99])]).unwrap();
    for _ in 0..2 {
        for (backwards, dedup_filter) in [(false, ["1", "3", "4"]), (true, ["3", "4", "6"])] {
            let mine = crate::store::Page { viewer: Some(bob.clone()), ..page(Anchor::End, backwards, 3) };
            assert_eq!(texts(&world.store.read(&g, mine).unwrap().messages), dedup_filter);
        }
        let since = crate::store::Since { commit: 0, first_seq: 1, count_max: 10, bytes_max: usize::MAX, viewer: Some(bob.clone()) };
        assert_eq!(world.store.since(&g, since).unwrap().messages.len(), 4);
        assert_eq!(world.all(&g).len(), 6);
        world.restart();
    }
}

fn who_left_keeps_what_it_saw_of_a_group(mut world: World) {
    let (id, alice, bob) = (GroupId::trusted("g"), user("alice"), user("bob"));
    let member = |name: &str| GroupMember::new(user(name), GroupRole::Member, 1, 1, 0);
    world.apply(vec![RowWrite::PutMember(id.clone(), member("alice")), RowWrite::PutMember(id.clone(), member("bob"))]).unwrap();
    world.apply(vec![RowWrite::PutFormer(id.clone(), bob.clone(), 1, 7)]).unwrap();
    assert_eq!(world.store.former_groups_of(&bob), Ok(vec![]), "there was nothing to see");
    world.say(&group("g"), "one");
    world.apply(vec![RowWrite::PutFormer(id.clone(), alice.clone(), 1, 7)]).unwrap();
    world.say(&group("g"), "two");
    for _ in 0..2 {
        assert_eq!(world.store.former_groups_of(&alice), Ok(vec![(id.clone(), FormerMember { first_seq: 1, last_seq: 1, left_ms: 7 })]));
        assert_eq!((world.store.groups_of(&alice), world.store.group_members(&id)), (Ok(vec![]), Ok(vec![])));
        world.restart();
    }
    world.apply(vec![RowWrite::PutMember(id.clone(), member("alice"))]).unwrap();
    assert_eq!((world.store.groups_of(&alice), world.store.former_groups_of(&alice)), (Ok(vec![id]), Ok(vec![])));
}

fn files_last_and_their_uses_go_with_the_messages_that_carry_them(mut world: World) {
    let file = |bits| FileUid::from_bits(bits);
    let record = |bits| kept_file(bits, user("alice"));
    world.apply((1..=3).map(|bits| RowWrite::PutMedia(record(bits))).collect()).unwrap();
    world.apply(vec![RowWrite::DeleteMedia(file(2))]).unwrap();
    let carrying = |bits| Body::Media(Box::new(Media::kept(MediaKind::File, file(bits), 0)));
    let (g, h) = (group("g"), group("h"));
    world.append(append_of(&g, "alice", carrying(1))).unwrap();
    world.clock.advance(WEEK);
    world.say(&group("elsewhere"), "begins the next week");
    world.clock.advance(WEEK * 5);
    // Inside a combined message, twice; it counts once.
    let child = Child { id: 1, sender: user("bob"), timestamp_ms: 1, extended_data: String::new(), body: carrying(1) };
    let combine = Combine {
        title: "t".into(),
        summary: "s".into(),
        children: vec![child.clone(), child],
        copied_from: String::new(),
        uploaded: None,
        held: None,
    };
    world.say(&h, "before");
    world.append(append_of(&h, "alice", Body::Combine(combine))).unwrap();
    for _ in 0..2 {
        assert_eq!(world.store.media(file(1)), Ok(Some(record(1))));
        assert_eq!(world.store.media(file(2)), Ok(None));
        assert_eq!(world.store.media_after(None, 10), Ok(vec![record(1), record(3)]));
        assert_eq!(world.store.media_after(Some(file(1)), 10), Ok(vec![record(3)]));
        assert_eq!(world.store.media_after(None, 1), Ok(vec![record(1)]));
        assert_eq!(world.store.media_uses(file(1), 10), Ok(vec![(h.clone(), 2), (g.clone(), 1)]));
        assert_eq!(world.store.media_uses(file(1), 1), Ok(vec![(h.clone(), 2)]));
        assert_eq!(world.store.media_uses(file(3), 10), Ok(vec![]));
        world.restart();
    }
    // The period of the first message goes, the file's row stays for whoever collects it.
    world.sweep(world.clock.wall_ms());
    assert_eq!(world.store.media_uses(file(1), 10), Ok(vec![(h, 2)]));
    assert_eq!(world.store.media(file(1)), Ok(Some(record(1))));
}

/// Returns a combined message that holds one text, and the same as it is passed on once it is stored.
fn combined(text: &str) -> Combine {
    let child = Child { id: 1, sender: user("bob"), timestamp_ms: 1, extended_data: String::new(), body: Body::Text(text.into()) };
    Combine { children: vec![child], ..Combine::copy_of("t".into(), "s".into(), String::new()) }
}

fn passed_on(message: &Message) -> Body {
    let Body::Combine(combine) = &message.content.body else { panic!("it is a combine") };
    assert!(combine.held.is_some() && combine.children.is_empty());
    Body::Combine(combine.clone())
}

fn take_back(world: &World, message: &Message) {
    let stamp = ActorAt { by: user("alice"), at_ms: 1 };
    let revoked = Revoked { stamp, revoked_as: RevokedAs::Sender, extended_data: String::new(), kind: 100, text: String::new() };
    let taken = Arc::new(Message { content: Content::of(Body::Revoke(revoked)), ..message.clone() });
    revise(world, Revision { message: Some(taken), logged: Some(ChangeKind::Revoked), ..revision(&message.conversation, message.seq) })
        .unwrap();
}

fn what_is_passed_on_is_kept_once_a_period_and_as_long_as_anyone_holds_it(mut world: World) {
    let (g, h, r) = (group("g"), group("h"), super::support::room("r", 1));
    let first = world.append(append_of(&r, "alice", Body::Combine(combined("held")))).unwrap().message;
    let second = world.append(append_of(&g, "bob", passed_on(&first))).unwrap().message;
    let third = world.append(append_of(&h, "bob", passed_on(&second))).unwrap().message;
    let held = combined("held").children;
    let bytes = world.store.children_bytes(&r, 1).unwrap();
    assert!((50..1000).contains(&bytes), "{bytes}");
    // It outlives the room it comes from, and who took it back.
    world.remove(&r).unwrap();
    take_back(&world, &second);
    for _ in 0..2 {
        assert_eq!(world.store.children(&r, 1), Ok(vec![]));
        assert_eq!(world.store.children(&g, 1), Ok(vec![]));
        assert_eq!(world.store.children(&h, 1), Ok(held.clone()));
        assert_eq!(world.store.children_bytes(&h, 1), Ok(bytes));
        world.restart();
    }
    // Into the next week it is copied once, and stays there when the first one goes.
    world.clock.advance(WEEK);
    let later = world.append(append_of(&g, "alice", passed_on(&third))).unwrap().message;
    let last = world.append(append_of(&h, "alice", passed_on(&third))).unwrap().message;
    world.clock.advance(WEEK * 6);
    world.say(&group("elsewhere"), "begins another week");
    world.sweep(world.clock.wall_ms());
    assert_eq!(world.store.children(&h, 1), Ok(vec![]));
    for _ in 0..2 {
        assert_eq!(world.store.children(&g, later.seq), Ok(held.clone()));
        assert_eq!(world.store.children(&h, last.seq), Ok(held.clone()));
        world.restart();
    }
    // With the last of them it goes, and who looked it up before comes too late.
    take_back(&world, &later);
    assert_eq!(world.store.children(&h, last.seq), Ok(held));
    take_back(&world, &last);
    world.say(&g, "a batch later");
    assert_eq!(world.append(append_of(&g, "bob", passed_on(&last))).unwrap_err(), StoreError::Gone);
    world.restart();
    assert_eq!(world.append(append_of(&g, "bob", passed_on(&last))).unwrap_err(), StoreError::Gone);
}

fn children_and_answers_are_found_where_they_belong(mut world: World) {
    let g = group("g");
    let child = Child { id: 1, sender: user("bob"), timestamp_ms: 1, extended_data: String::new(), body: Body::Text("in".into()) };
    let combine = Combine {
        title: "t".into(),
        summary: "s".into(),
        children: vec![child.clone()],
        copied_from: String::new(),
        uploaded: None,
        held: None,
    };
    world.append(append_of(&g, "alice", Body::Combine(combine))).unwrap();
    world.clock.advance(WEEK);
    for seq in [2, 3] {
        let mut answer = text_of(&g, "bob", None, &seq.to_string(), 0);
        answer.draft.content.options.reply = Some(ReplyTo { seq: 1, id: 1, root_seq: 1 });
        world.append(answer).unwrap();
    }
    for _ in 0..2 {
        let Body::Combine(kept) = &world.all(&g)[0].content.body else { panic!("it was a combine") };
        assert!(kept.children.is_empty(), "they are kept beside the message");
        assert_eq!(world.store.children(&g, 1), Ok(vec![child.clone()]));
        assert_eq!(world.store.children(&g, 2), Ok(vec![]));
        assert_eq!(world.store.replies(&g, 1), Ok(vec![2, 3]));
        world.restart();
    }
    let room = super::support::room("r", 1);
    let combine =
        Combine { title: "t".into(), summary: "s".into(), children: vec![child], copied_from: String::new(), uploaded: None, held: None };
    world.append(append_of(&room, "alice", Body::Combine(combine))).unwrap();
    world.remove(&room).unwrap();
    assert_eq!(world.store.children(&room, 1), Ok(vec![]));
    world.restart();
}
