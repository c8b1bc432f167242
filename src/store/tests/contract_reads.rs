//! The rules of [`crate::store::Store`] about what is read and kept, held against every engine. See also `contract`.

use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::support::*;
use crate::clock::Clock;
use crate::model::*;
use crate::store::*;

contract!(
    every_page_size_and_direction_gives_the_same_list,
    what_came_after_a_commit_is_read_once_and_in_order,
    who_talked_is_listed_on_both_sides,
    pages_stop_at_their_first_seq_and_their_size,
    large_messages_come_back_whole,
    removing_takes_one_conversation_and_no_other,
    a_large_removal_lets_appends_through,
    rows_come_back_as_they_were_written,
    periods_hide_nothing,
    a_sweep_deletes_what_is_too_old_and_keeps_the_place,
    local_ids_are_known_for_a_day_across_periods,
    local_ids_leave_the_filter_with_their_period,
);

fn by_pages(store: &dyn Store, conversation: &Conversation, count: usize, backwards: bool, by_key: bool) -> Vec<u64> {
    let (mut seqs, mut anchor) = (Vec::new(), Anchor::End);
    loop {
        let messages = store.read(conversation, page(anchor, backwards, count)).unwrap().messages;
        assert!(messages.len() <= count);
        assert!(messages.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq), "ascending whatever the direction");
        let edge = if backwards { messages.first() } else { messages.last() };
        let Some(edge) = edge else { break };
        anchor = if by_key { Anchor::OrderKey(edge.order_key) } else { Anchor::Seq(edge.seq) };
        let read = messages.iter().map(|message| message.seq);
        if backwards { seqs.extend(read.rev()) } else { seqs.extend(read) }
    }
    if backwards {
        seqs.reverse();
    }
    seqs
}

fn what_came_after_a_commit_is_read_once_and_in_order(world: World) {
    const COUNT: u64 = 30;
    let mut commits = Vec::new();
    for n in 0..COUNT {
        world.clock.set_wall_ms(NOW_MS + n / 10 * 7 * 86_400_000);
        let now_ms = world.clock.wall_ms();
        commits.push(world.append(text_of(&group("g"), "alice", None, &n.to_string(), now_ms)).unwrap().commit);
        world.append(text_of(&group("neighbour"), "alice", None, "x", now_ms)).unwrap();
    }
    let written_after = |commit| world.store.written_after(commit).unwrap().into_iter().collect::<std::collections::HashSet<_>>();
    assert_eq!(written_after(0), [group("g"), group("neighbour")].into());
    assert_eq!(written_after(*commits.last().unwrap()), [group("neighbour")].into());
    assert_eq!(written_after(world.store.last_commit()), [].into());
    let since = |commit, first_seq, count_max, bytes_max| {
        let read = world.store.since(&group("g"), Since { commit, first_seq, count_max, bytes_max, viewer: None }).unwrap();
        assert!(read.messages.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1.seq + 1 == pair[1].1.seq));
        (read.messages.iter().map(|(commit, _)| *commit).collect::<Vec<_>>(), read.cut)
    };
    for at in 0..commits.len() {
        // From a commit of this conversation and from the neighbour's after it.
        assert_eq!(since(commits[at], 0, 100, usize::MAX), (commits[at + 1..].to_vec(), false));
        assert_eq!(since(commits[at] + 1, 0, 100, usize::MAX), (commits[at + 1..].to_vec(), false));
    }
    assert_eq!(since(0, 28, 100, usize::MAX), (commits[27..].to_vec(), false), "nothing before a member's first");
    assert_eq!(since(commits[19], 0, 10, usize::MAX), (commits[20..].to_vec(), false), "as many as allowed is not too many");
    assert_eq!(since(commits[18], 0, 10, usize::MAX), (commits[20..].to_vec(), true));
    let (few, cut) = since(0, 0, 100, 1_000);
    assert!(cut && !few.is_empty() && few.len() < 10 && commits.ends_with(&few), "{few:?}");
}

fn who_talked_is_listed_on_both_sides(world: World) {
    let peers = |user: &str| {
        let mut peers: Vec<String> = world.store.peers_of(&UserId::trusted(user)).unwrap().iter().map(UserId::to_string).collect();
        peers.sort();
        peers
    };
    assert_eq!(peers("alice"), [""; 0]);
    for (from, to) in [("alice", "bob"), ("bob", "alice"), ("carol", "alice"), ("alice2", "bob")] {
        let conversation = Conversation::peer(&UserId::trusted(from), &UserId::trusted(to));
        world.append(text_of(&conversation, from, None, "x", NOW_MS)).unwrap();
    }
    world.append(text_of(&group("g"), "dave", None, "x", NOW_MS)).unwrap();
    assert_eq!(peers("alice"), ["bob", "carol"]);
    assert_eq!(peers("bob"), ["alice", "alice2"]);
    assert_eq!(peers("dave"), [""; 0]);
}

fn every_page_size_and_direction_gives_the_same_list(world: World) {
    const COUNT: u64 = 45;
    for n in 0..COUNT {
        // Three periods, and bursts within a millisecond.
        world.clock.set_wall_ms(NOW_MS + n / 15 * 7 * 86_400_000);
        let now_ms = world.clock.wall_ms() + n / 4;
        world.append(text_of(&group("g"), "alice", None, &n.to_string(), now_ms)).unwrap();
        world.append(text_of(&group("neighbour"), "alice", None, "x", now_ms)).unwrap();
    }
    let expected: Vec<u64> = (1..=COUNT).collect();
    let mut runner = TestRunner::new(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() });
    let ways = (1..60usize, any::<bool>(), any::<bool>());
    runner
        .run(&ways, |(count, backwards, by_key)| {
            prop_assert_eq!(&by_pages(&*world.store, &group("g"), count, backwards, by_key), &expected);
            Ok(())
        })
        .unwrap();
    let keys: Vec<u64> = world.all(&group("g")).iter().map(|message| message.order_key).collect();
    let anywhere = (0..keys.len(), -1i64..=1, any::<bool>());
    runner
        .run(&anywhere, |(at, beside, backwards)| {
            let anchor = keys[at].saturating_add_signed(beside);
            let read = world.store.read(&group("g"), page(Anchor::OrderKey(anchor), backwards, 3)).unwrap().messages;
            let wanted = keys.iter().copied().filter(|key| if backwards { *key < anchor } else { *key > anchor });
            let wanted: Vec<u64> = if backwards {
                let mut last: Vec<u64> = wanted.rev().take(3).collect();
                last.reverse();
                last
            } else {
                wanted.take(3).collect()
            };
            prop_assert_eq!(read.iter().map(|message| message.order_key).collect::<Vec<_>>(), wanted);
            Ok(())
        })
        .unwrap();
}

fn pages_stop_at_their_first_seq_and_their_size(world: World) {
    for _ in 0..10 {
        world.say(&group("g"), &"x".repeat(1000));
    }
    let read = |page: Page| {
        let read = world.store.read(&group("g"), page).unwrap();
        (read.messages.iter().map(|message| message.seq).collect::<Vec<_>>(), read.cut)
    };
    let from_4 = || Page { first_seq: 4, ..page(Anchor::End, true, 100) };
    assert_eq!(read(from_4()), ((4..=10).collect(), false));
    assert_eq!(read(Page { backwards: false, ..from_4() }), ((4..=10).collect(), false));
    assert_eq!(read(Page { anchor: Anchor::Seq(6), ..from_4() }), (vec![4, 5], false));
    assert_eq!(read(Page { anchor: Anchor::Seq(3), ..from_4() }), (vec![], false));
    assert_eq!(read(Page { first_seq: 99, ..from_4() }), (vec![], false));
    // Three thousand bytes of content and some of envelope: two fit, or three.
    let small = || Page { bytes_max: 3900, ..page(Anchor::End, true, 100) };
    assert_eq!(read(small()), (vec![8, 9, 10], true));
    assert_eq!(read(Page { backwards: false, ..small() }), (vec![1, 2, 3], true));
    assert_eq!(read(Page { bytes_max: 0, ..small() }), (vec![10], true), "one at least");
    assert_eq!(read(Page { count: 3, ..small() }), (vec![8, 9, 10], false), "cut by count is no cut");
    assert_eq!(read(Page { anchor: Anchor::Seq(3), ..small() }), (vec![1, 2], false), "the end is no cut");
    assert_eq!(read(page(Anchor::End, true, 0)), (vec![], false));
    assert_eq!(world.store.head(&group("g")), Ok(10));
    assert_eq!(world.store.head(&group("nobody")), Ok(0));
    assert_eq!(world.all(&group("nobody")), []);
}

fn large_messages_come_back_whole(mut world: World) {
    // As JSON six bytes for each: far above what sled keeps in line.
    let large = "\u{0}".repeat(32_768);
    for n in 0..30 {
        world.append(text_of(&group("g"), "alice", Some(&format!("l-{n}")), &large, NOW_MS)).unwrap();
        world.say(&group("g"), "small");
    }
    world.restart();
    let read = world.all(&group("g"));
    assert_eq!(read.len(), 60);
    assert!(read.iter().step_by(2).all(|message| message.content.body == Body::Text(large.clone())));
    world.remove(&group("g")).unwrap();
    world.restart();
    assert_eq!(world.all(&group("g")), []);
}

fn removing_takes_one_conversation_and_no_other(mut world: World) {
    let kept = [room("r", 2), room("r1", 1), room("", 1), group("r")];
    for n in 0..2 {
        for conversation in kept.iter().chain([&room("r", 1)]) {
            let local_id = format!("l-{n}-{conversation:?}").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            world.append(text_of(conversation, "alice", Some(&local_id), "hi", NOW_MS)).unwrap();
        }
        world.clock.advance(WEEK);
    }
    world.remove(&room("r", 1)).unwrap();
    for _ in 0..2 {
        assert_eq!(world.all(&room("r", 1)), []);
        assert_eq!(world.store.head(&room("r", 1)), Ok(0));
        for conversation in &kept {
            assert_eq!(world.seqs(conversation), [1, 2], "{conversation:?}");
        }
        world.restart();
    }
    assert_eq!(world.remove(&room("never", 1)), Ok(()));
    // Its local ids went with it.
    let gone = LocalMessageId::trusted("l-1-Room-RoomId--r----1-");
    assert_eq!(world.store.find(&room("r", 1), &user("alice"), &gone).unwrap().map(|found| found.message.seq), None);
}

fn a_large_removal_lets_appends_through(world: World) {
    let (sender, receiver) = mpsc::channel();
    for n in 0..2000 {
        let sender = sender.clone();
        let append = text_of(&room("big", 1), "alice", Some(&format!("l-{n}")), "hi", NOW_MS);
        world.store.append(append, Box::new(move |outcome| sender.send(outcome.is_ok()).unwrap()));
    }
    assert!(receiver.iter().take(2000).all(|ok| ok));
    let (sender, order) = mpsc::channel();
    let removed = sender.clone();
    world.store.remove(room("big", 1), Box::new(move |outcome| removed.send(("remove", outcome.is_ok())).unwrap()));
    let append = text_of(&group("g"), "alice", None, "hi", NOW_MS);
    world.store.append(append, Box::new(move |outcome| sender.send(("append", outcome.is_ok())).unwrap()));
    let order: Vec<_> = order.iter().collect();
    assert_eq!(order, [("append", true), ("remove", true)]);
    assert_eq!(world.all(&room("big", 1)), []);
}

fn rows_come_back_as_they_were_written(mut world: World) {
    let profile = |name: &str| UserProfile::new(user("alice"), name.into());
    let room_record = |id: &str| RoomRecord {
        id: RoomId::trusted(id),
        incarnation: 7,
        name: "R".into(),
        destroy_delay_seconds: 3,
        attributes: [("k".to_owned(), RoomAttribute { value: "v".into(), owner: user("alice"), until_left: true })].into(),
        made_by: Some(user("alice")),
        members_attributes: [(user("bob"), MemberAttributes::default())].into(),
    };
    let info = |name: &str| GroupInfo {
        id: GroupId::trusted("g"),
        name: name.into(),
        avatar_url: String::new(),
        notice: "n".repeat(9000),
        attributes: [("k".to_owned(), "v".to_owned())].into(),
        mute: GroupMute { mode: MuteMode::Custom, until: MutedUntil::FOREVER, roles: vec![101] },
        verify: GroupVerify::default(),
        created_ms: 5,
        members_max: 9,
        muted_outside: [(user("dave"), MutedUntil::FOREVER)].into(),
    };
    let member = |id: &str, first_seq: u64| GroupMember::new(user(id), GroupRole::Member, 1, first_seq, 0);
    let (g, h) = (GroupId::trusted("g"), GroupId::trusted("h"));
    world.apply(vec![RowWrite::PutUser(profile("one")), RowWrite::PutUser(profile("two"))]).unwrap();
    world
        .apply(vec![
            RowWrite::PutRoom(room_record("r")),
            RowWrite::PutRoom(room_record("s")),
            RowWrite::PutGroup(GroupRecord { info: info("G"), dismissed: false }),
            RowWrite::PutMember(g.clone(), member("alice", 1)),
            RowWrite::PutMember(g.clone(), member("bob", 2)),
            RowWrite::PutMember(h.clone(), member("alice", 3)),
            RowWrite::PutMember(g.clone(), member("carol", 4)),
            RowWrite::DeleteMember(g.clone(), user("carol")),
        ])
        .unwrap();
    for _ in 0..2 {
        assert_eq!(world.store.user(&user("alice")).unwrap().unwrap().name, "two");
        assert_eq!(world.store.user(&user("bob")), Ok(None));
        assert_eq!(world.store.room(&RoomId::trusted("r")), Ok(Some(room_record("r"))));
        assert_eq!(world.store.rooms().unwrap().len(), 2);
        assert_eq!(world.store.group(&g), Ok(Some(GroupRecord { info: info("G"), dismissed: false })));
        assert_eq!(world.store.group_members(&g), Ok(vec![member("alice", 1), member("bob", 2)]));
        assert_eq!(world.store.group_members(&h), Ok(vec![member("alice", 3)]));
        assert_eq!(world.store.groups_of(&user("alice")), Ok(vec![g.clone(), h.clone()]));
        assert_eq!(world.store.groups_of(&user("carol")), Ok(vec![]));
        world.restart();
    }
    world
        .apply(vec![
            RowWrite::DeleteRoom(RoomId::trusted("r")),
            RowWrite::DeleteRoom(RoomId::trusted("never")),
            RowWrite::DeleteMember(g.clone(), user("alice")),
            RowWrite::PutGroup(GroupRecord { info: info("short"), dismissed: true }),
        ])
        .unwrap();
    world.restart();
    assert_eq!(world.store.room(&RoomId::trusted("r")), Ok(None));
    assert_eq!(world.store.rooms(), Ok(vec![room_record("s")]));
    assert!(world.store.group(&g).unwrap().unwrap().dismissed);
    assert_eq!(world.store.group_members(&g), Ok(vec![member("bob", 2)]));
    assert_eq!(world.store.groups_of(&user("alice")), Ok(vec![h]));
}

fn periods_hide_nothing(mut world: World) {
    for week in 0..4u64 {
        for n in 0..3 {
            let local_id = format!("l-{week}-{n}");
            let append = text_of(&group("g"), "alice", Some(&local_id), "hi", world.clock.wall_ms());
            assert_eq!(world.append(append).unwrap().message.seq, week * 3 + n + 1);
        }
        if week == 1 {
            world.say(&group("old"), "hi");
        }
        // The clock steps back at a period's begin: what was begun goes on.
        world.clock.advance(WEEK);
        world.say(&group("edge"), "hi");
        world.clock.set_wall_ms(world.clock.wall_ms() - 86_400_000 * 3);
        world.say(&group("edge"), "hi");
        world.clock.set_wall_ms(world.clock.wall_ms() + 86_400_000 * 3);
        world.restart();
    }
    assert!(world.seqs(&group("g")).into_iter().eq(1..=12));
    assert!(world.seqs(&group("edge")).into_iter().eq(1..=8));
    assert_eq!(world.store.head(&group("old")), Ok(1));
    assert_eq!(world.say(&group("old"), "hi").message.seq, 2);
    assert_eq!(world.nth(world.store.last_commit()), 22);
}

fn a_sweep_deletes_what_is_too_old_and_keeps_the_place(mut world: World) {
    for _ in 0..7 {
        world.say(&group("g"), "hi");
        if world.clock.wall_ms() == NOW_MS {
            (0..600).for_each(|n| drop(world.say(&group(&format!("once-{n}")), "hi")));
        }
        world.clock.advance(WEEK);
    }
    world.sweep(world.clock.wall_ms());
    world.restart();
    let kept = world.seqs(&group("g"));
    // 30 days before the seventh week's end: the first three weeks lie wholly before it.
    assert!(kept.iter().copied().eq(4..=7), "{kept:?}");
    assert_eq!(world.store.head(&group("once-599")), Ok(1));
    assert_eq!(world.all(&group("once-599")), []);
    assert_eq!(world.say(&group("once-599"), "again").message.seq, 2);
    world.sweep(world.clock.wall_ms());
    assert_eq!(world.seqs(&group("once-599")), [2]);
    // However long ago: the newest period stays, and so does the count.
    world.sweep(u64::MAX);
    world.restart();
    let newest = world.say(&group("g"), "hi");
    assert_eq!((newest.message.seq, world.store.last_commit()), (8, newest.commit));
    if world.counts_commits() {
        assert_eq!(newest.commit, 609);
    }
}

fn local_ids_are_known_for_a_day_across_periods(mut world: World) {
    let send = |world: &World| text_of(&group("g"), "alice", Some("l"), "hi", world.clock.wall_ms());
    world.append(send(&world)).unwrap();
    for _ in 0..14 {
        world.clock.advance(Duration::from_secs(12 * 60 * 60));
        world.say(&group("other"), "moves the period on");
        assert!(world.append(send(&world)).unwrap().duplicate);
        world.restart();
        assert!(world.store.may_know(&group("g"), &user("alice"), &LocalMessageId::trusted("l")));
    }
}

fn local_ids_leave_the_filter_with_their_period(world: World) {
    let known = |n: u32| world.store.may_know(&group("g"), &user("alice"), &LocalMessageId::trusted(&format!("l-{n}")));
    (0..3).for_each(|n| {
        world.append(text_of(&group("g"), "alice", Some(&format!("l-{n}")), "hi", NOW_MS)).unwrap();
        world.clock.advance(WEEK);
    });
    // The one sent next week is the third: what the first period held is forgotten.
    assert_eq!([known(0), known(1), known(2)], [false, true, true]);
}
