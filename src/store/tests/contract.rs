//! The rules of [`crate::store::Store`] about writing, held against every engine. See also `contract_reads`.

use std::sync::mpsc;

use super::support::*;
use crate::clock::Clock;
use crate::model::*;
use crate::store::*;

contract!(
    appends_from_many_threads_get_gapless_seqs_and_answers_in_order,
    order_keys_rise_across_restarts_and_clock_steps_back,
    a_retry_gets_the_first_result,
    a_retry_in_the_same_batch_gets_the_first_result,
    a_local_id_belongs_to_its_sender_in_its_conversation,
    one_local_id_in_several_conversations_of_a_batch_is_several_messages,
    two_threads_with_one_local_id_store_once,
    find_gives_the_first_result_and_may_know_has_no_false_negatives,
    after_close_writes_are_refused,
    counters_count,
);

mod epochs {
    use super::*;

    embedded_contract!(a_later_owner_fences_an_earlier_one);
}

fn appends_from_many_threads_get_gapless_seqs_and_answers_in_order(mut world: World) {
    const THREADS: usize = 4;
    const EACH: usize = 100;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let world = &world;
            scope.spawn(move || {
                let (sender, receiver) = mpsc::channel();
                for n in 0..EACH {
                    let sender = sender.clone();
                    let conversation = if n % 2 == 0 { group("shared") } else { group(&format!("own-{thread}")) };
                    let append = text_of(&conversation, "alice", None, &n.to_string(), NOW_MS);
                    world.store.append(append, Box::new(move |outcome| sender.send((n, outcome.unwrap())).unwrap()));
                }
                let answers: Vec<_> = receiver.iter().take(EACH).collect();
                assert!(answers.iter().map(|(n, _)| *n).eq(0..EACH), "in the order of the calls");
                assert!(answers.windows(2).all(|pair| pair[0].1.commit < pair[1].1.commit));
            });
        }
    });
    for _ in 0..2 {
        assert_eq!(world.nth(world.store.last_commit()), (THREADS * EACH) as u64);
        assert!(world.seqs(&group("shared")).into_iter().eq(1..=(THREADS * EACH / 2) as u64));
        for thread in 0..THREADS {
            assert!(world.seqs(&group(&format!("own-{thread}"))).into_iter().eq(1..=(EACH / 2) as u64));
        }
        world.restart();
    }
}

fn order_keys_rise_across_restarts_and_clock_steps_back(mut world: World) {
    let mut last = 0;
    let steps: [i64; 8] = [0, 0, 5000, -3_600_000, 1, -86_400_000 * 20, 0, 60_000];
    for (n, step) in steps.into_iter().enumerate() {
        world.clock.set_wall_ms(world.clock.wall_ms().saturating_add_signed(step));
        for _ in 0..3 {
            let append = text_of(&group("g"), "alice", None, "hi", world.clock.wall_ms());
            let stored = world.append(append).unwrap().message;
            assert!(stored.order_key > last, "step {n}");
            assert!(stored.order_key < 1 << 53);
            last = stored.order_key;
        }
        world.restart();
    }
    assert!(world.seqs(&group("g")).into_iter().eq(1..=24));
    // The clock caught up: order keys follow it again.
    let later = NOW_MS + 3_600_000;
    let stored = world.append(text_of(&group("g"), "alice", None, "hi", later)).unwrap().message;
    assert_eq!(stored.order_key, (later - 1_704_067_200_000) << 11);
}

fn a_retry_gets_the_first_result(mut world: World) {
    let send = |text: &str| text_of(&group("g"), "alice", Some("l-1"), text, NOW_MS);
    let first = world.append(send("hi")).unwrap();
    assert!(!first.duplicate);
    for _ in 0..3 {
        let mut retry = Append { now_ms: NOW_MS + 9000, ..send("hi") };
        retry.draft.priority = Priority::High;
        let again = world.append(retry).unwrap();
        assert!(again.duplicate);
        assert_eq!((&again.message, again.commit), (&first.message, first.commit));
        assert_eq!(world.append(send("other")).unwrap_err(), StoreError::OtherContent);
        let mut other_data = send("hi");
        other_data.draft.content.extended_data = "x".into();
        assert_eq!(world.append(other_data).unwrap_err(), StoreError::OtherContent);
        world.restart();
    }
    assert_eq!(world.seqs(&group("g")), [1]);
    assert_eq!(world.nth(world.store.last_commit()), 1);
}

fn a_retry_in_the_same_batch_gets_the_first_result(world: World) {
    let (sender, receiver) = mpsc::channel();
    // While the first is on its way to disk the others gather to one batch.
    for text in ["a", "b", "b", "c"] {
        let sender = sender.clone();
        let local_id = if text == "a" { "l-a" } else { "l-b" };
        let append = text_of(&group("g"), "alice", Some(local_id), text, NOW_MS);
        world.store.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
    }
    let answers: Vec<_> = receiver.iter().take(4).collect();
    let (first, again) = (answers[1].clone().unwrap(), answers[2].clone().unwrap());
    assert!(!first.duplicate && again.duplicate);
    assert_eq!((first.message, first.commit), (again.message, again.commit));
    assert_eq!(answers[3].clone().unwrap_err(), StoreError::OtherContent);
    assert_eq!(world.seqs(&group("g")), [1, 2]);
}

fn a_local_id_belongs_to_its_sender_in_its_conversation(mut world: World) {
    let pair = Conversation::peer(&user("alice"), &user("bob"));
    let sent = [(group("g"), "hi"), (group("h"), "hi"), (group("i"), "other"), (room("r", 1), "hi"), (room("r", 2), "hi"), (pair, "hi")];
    for (place, text) in &sent {
        assert!(!world.append(text_of(place, "alice", Some("l"), text, NOW_MS)).unwrap().duplicate, "{place:?}");
        assert!(!world.append(text_of(place, "bob", Some("l"), text, NOW_MS)).unwrap().duplicate, "{place:?}");
    }
    for _ in 0..2 {
        for (n, (place, text)) in sent.iter().enumerate() {
            let again = world.append(text_of(place, "alice", Some("l"), text, NOW_MS)).unwrap();
            assert_eq!((again.duplicate, world.nth(again.commit), again.message.seq), (true, 2 * n as u64 + 1, 1), "{place:?}");
            assert_eq!(world.append(text_of(place, "alice", Some("l"), "else", NOW_MS)).unwrap_err(), StoreError::OtherContent);
            let found = world.store.find(place, &user("alice"), &LocalMessageId::trusted("l")).unwrap().unwrap();
            assert_eq!((found.message.conversation.clone(), found.commit), (place.clone(), again.commit));
            assert_eq!(world.seqs(place), [1, 2], "{place:?}");
        }
        assert!(world.store.find(&group("j"), &user("alice"), &LocalMessageId::trusted("l")).unwrap().is_none());
        world.restart();
    }
}

fn one_local_id_in_several_conversations_of_a_batch_is_several_messages(world: World) {
    let (sender, receiver) = mpsc::channel();
    // While the first is on its way to disk the others gather to one batch.
    for (place, text) in [("g", "a"), ("h", "a"), ("i", "b"), ("h", "a"), ("i", "a")] {
        let sender = sender.clone();
        let append = text_of(&group(place), "alice", Some("l"), text, NOW_MS);
        world.store.append(append, Box::new(move |outcome| sender.send(outcome.map(|stored| stored.duplicate)).unwrap()));
    }
    let answers: Vec<_> = receiver.iter().take(5).collect();
    assert_eq!(answers, [Ok(false), Ok(false), Ok(false), Ok(true), Err(StoreError::OtherContent)]);
}

fn two_threads_with_one_local_id_store_once(world: World) {
    const SENDS: usize = 200;
    let stored: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (sender, receiver) = mpsc::channel();
                    for n in 0..SENDS {
                        let sender = sender.clone();
                        let append = text_of(&group("g"), "alice", Some(&format!("l-{n}")), "hi", NOW_MS);
                        world.store.append(append, Box::new(move |outcome| sender.send(outcome.unwrap()).unwrap()));
                    }
                    receiver.iter().take(SENDS).filter(|appended| !appended.duplicate).count() as u64
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(stored.iter().sum::<u64>(), SENDS as u64);
    assert!(world.seqs(&group("g")).into_iter().eq(1..=SENDS as u64));
}

fn find_gives_the_first_result_and_may_know_has_no_false_negatives(mut world: World) {
    let id = |n: usize| LocalMessageId::trusted(&format!("l-{n}"));
    for n in 0..50 {
        let append = text_of(&group("g"), "alice", Some(id(n).as_str()), &n.to_string(), NOW_MS);
        let (sender, receiver) = mpsc::channel();
        world.store.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
        assert!(world.store.may_know(&group("g"), &user("alice"), &id(n)), "right behind the append");
        receiver.recv().unwrap().unwrap();
    }
    for _ in 0..2 {
        for n in 0..50 {
            assert!(world.store.may_know(&group("g"), &user("alice"), &id(n)));
            let found = world.store.find(&group("g"), &user("alice"), &id(n)).unwrap().unwrap();
            assert_eq!((found.message.seq, world.nth(found.commit)), (n as u64 + 1, n as u64 + 1));
            assert!(found.duplicate);
        }
        assert!(world.store.find(&group("g"), &user("alice"), &id(50)).unwrap().is_none());
        assert!(world.store.find(&group("g"), &user("bob"), &id(1)).unwrap().is_none());
        assert!((100..200).filter(|n| world.store.may_know(&group("g"), &user("alice"), &id(*n))).count() < 5);
        world.restart();
    }
}

/// Reads all pages from an end, by one of the two kinds of anchor.
fn a_later_owner_fences_an_earlier_one(mut world: World) {
    let by = |epoch: u64| Append { epoch, ..text_of(&group("g"), "alice", None, "hi", NOW_MS) };
    world.append(by(1)).unwrap();
    world.append(by(3)).unwrap();
    assert_eq!(world.append(by(2)).unwrap_err(), StoreError::Fenced);
    world.restart();
    assert_eq!(world.append(by(1)).unwrap_err(), StoreError::Fenced);
    world.append(by(3)).unwrap();
    assert_eq!(world.append(Append { epoch: 1, conversation: group("h"), ..by(1) }).unwrap().message.seq, 1);
    assert_eq!(world.seqs(&group("g")), [1, 2, 3]);
}

fn after_close_writes_are_refused(world: World) {
    world.say(&group("g"), "hi");
    let last = text_of(&group("g"), "alice", None, "queued", NOW_MS);
    let (sender, receiver) = mpsc::channel();
    world.store.append(last, Box::new(move |outcome| sender.send(outcome).unwrap()));
    assert_eq!(world.store.writable(), Ok(()));
    drop(world.store.close());
    drop(world.store.close());
    assert!(receiver.try_recv().unwrap().is_ok(), "what was queued is carried out");
    let refused = text_of(&group("g"), "alice", None, "hi", NOW_MS);
    assert!(matches!(world.append(refused), Err(StoreError::Unavailable(_))));
    assert!(matches!(world.apply(vec![]), Err(StoreError::Unavailable(_))));
    assert!(matches!(world.remove(&group("g")), Err(StoreError::Unavailable(_))));
    assert!(matches!(world.store.sweep(NOW_MS), Err(StoreError::Unavailable(_))));
    assert!(matches!(world.store.writable(), Err(StoreError::Unavailable(_))));
    assert!(matches!(world.store.head(&group("g")), Err(StoreError::Unavailable(_))));
}

fn counters_count(mut world: World) {
    for n in 0..5 {
        world.append(text_of(&group("g"), "alice", Some(&n.to_string()), "hi", NOW_MS)).unwrap();
    }
    world.append(text_of(&group("g"), "alice", Some("0"), "hi", NOW_MS)).unwrap();
    world.apply(vec![RowWrite::DeleteRoom(RoomId::trusted("r"))]).unwrap();
    let stats = world.store.stats();
    assert_eq!((stats.appended, stats.duplicates, stats.flushes, stats.waiting), (5, 1, 6, 0));
    let big = Append { id: u64::MAX / 2, ..text_of(&group("g"), "alice", None, "hi", NOW_MS) };
    world.append(big).unwrap();
    world.say(&group("g"), "hi");
    world.restart();
    assert_eq!(world.store.last_message_id(), u64::MAX / 2);
    assert_eq!(world.nth(world.store.last_commit()), 7);
}
