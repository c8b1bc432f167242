//! Uploads: several writers of one, and more of them than there is room for.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::{FILE, Slow, gauge, until_at};
use crate::media::tus::Tus;
use crate::support::{World, until};

#[tokio::test]
async fn who_is_wrong_about_the_offset_is_told_so_and_the_writer_goes_on() {
    let world = World::start();
    let tus = Tus::of(&world, "alice");
    let place = tus.create(1000, FILE).await;
    let mut writer = Slow::patch(&world, &tus, &place, 0, 1000).await;
    writer.send(&[1; 400]).await;
    until_at(&tus, &place, 400).await;
    for wrong in [0, 399, 401, 1000] {
        let stale = tus.patch(&place, wrong, &[], b"stale").await;
        assert_eq!(stale.status, 409, "at {wrong}: {}", stale.body);
        assert!(stale.body.contains("has 400 bytes"), "{}", stale.body);
    }
    writer.send(&[1; 600]).await;
    let (status, answer) = writer.answer().await;
    assert_eq!(status, 204, "{answer}");
    assert_eq!(tus.offset(&place).await, "1000");
}

#[tokio::test]
async fn of_several_writers_one_wins_and_the_others_are_told() {
    let world = World::start();
    let tus = Tus::of(&world, "alice");
    let place = tus.create(1000, FILE).await;
    let mut writers = Vec::new();
    for _ in 0..6 {
        writers.push(Slow::patch(&world, &tus, &place, 0, 1000).await);
    }
    // Each sends as long as it is let.
    let mut answers = Vec::new();
    for writer in writers {
        answers.push(tokio::spawn(async move {
            let mut writer = writer;
            for _ in 0..10 {
                let _sent_or_refused = writer.0.write_all(&[1; 100]).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            writer.answer().await
        }));
    }
    let mut statuses = Vec::new();
    for answer in answers {
        statuses.push(answer.await.unwrap().0);
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 204, "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| [409, 423].contains(status)), "{statuses:?}");
    assert_eq!(tus.offset(&place).await, "1000");
}

#[tokio::test]
async fn who_comes_back_takes_the_place_of_its_own_silent_connection() {
    let world = World::builder().config(|config| config.media.stalled_seconds = 300).start();
    let tus = Tus::of(&world, "alice");
    let place = tus.create(1000, FILE).await;
    let mut silent = Slow::patch(&world, &tus, &place, 0, 1000).await;
    silent.send(&[1; 400]).await;
    until_at(&tus, &place, 400).await;
    let answer = tus.patch(&place, 400, &[], &[1; 600]).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    assert_eq!(silent.answer().await.0, 423, "and it is told");
    assert_eq!(tus.offset(&place).await, "1000");
}

#[tokio::test]
async fn uploads_without_a_byte_block_nobody_and_die_after_a_minute() {
    let world = World::builder()
        .frozen()
        .config(|config| {
            config.media.uploads_per_user_max = 4;
            config.media.uploads_max = 8;
        })
        .start();
    let mut places = Vec::new();
    for user in ["mallory", "mallet"] {
        for _ in 0..6 {
            let tus = Tus::of(&world, user);
            places.push((user, tus.create(100, FILE).await));
            world.advance(Duration::from_millis(1));
        }
    }
    assert_eq!(gauge(&world, "tidings_uploads_unfinished"), 8, "the oldest of its own gave way to each");
    let alice = Tus::of(&world, "alice");
    let place = alice.create(100, FILE).await;
    assert_eq!(alice.patch(&place, 0, &[], &[1; 60]).await.status, 204);
    assert_eq!(gauge(&world, "tidings_uploads_unfinished"), 8, "the oldest of all gave way to hers");
    let mallory = Tus::of(&world, "mallory");
    for (n, (user, place)) in places.iter().enumerate().filter(|(_, (user, _))| *user == "mallory") {
        let gone = [404, 200][usize::from(n >= 3)];
        assert_eq!(mallory.ask(&format!("HEAD {place}"), &[], b"").await.status, gone, "the {n}th of {user}");
    }
    world.advance(Duration::from_secs(61));
    until("those without a byte to die", || gauge(&world, "tidings_uploads_unfinished") == 1).await;
    assert_eq!(alice.offset(&place).await, "60", "one that began goes on");
    assert_eq!(alice.patch(&place, 60, &[], &[1; 40]).await.status, 204);
    assert_eq!(gauge(&world, "tidings_media_bytes"), 100);
}

#[tokio::test]
async fn what_is_announced_is_counted_for_one_user_and_for_all() {
    let world = World::builder()
        .config(|config| {
            config.media.unfinished_bytes_per_user_max = 1000;
            config.media.unfinished_bytes_max = 1500;
        })
        .start();
    let (alice, bob) = (Tus::of(&world, "alice"), Tus::of(&world, "bob"));
    let first = alice.create(600, FILE).await;
    let mut writer = Slow::patch(&world, &alice, &first, 0, 600).await;
    writer.send(&[1; 10]).await;
    until_at(&alice, &first, 10).await;
    alice.create(400, FILE).await;
    // The one that is being written stays; the idle one gives way.
    alice.create(400, FILE).await;
    assert_eq!(gauge(&world, "tidings_media_bytes"), 1000);
    let answer = alice.ask("POST /media/tus", &[("Upload-Length", "401")], b"").await;
    assert_eq!((answer.status, answer.header("Retry-After")), (429, "1"), "{}", answer.body);
    let answer = alice.ask("POST /media/tus", &[("Upload-Length", "1001")], b"").await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (507, Some(6_000_212)));
    assert!(answer.body.contains("1001 bytes") && answer.body.contains("unfinished_bytes_per_user_max is 1000"), "{}", answer.body);
    // Of all: alice's idle one goes, her writer does not.
    bob.create(900, FILE).await;
    assert_eq!(gauge(&world, "tidings_media_bytes"), 1500);
    let answer = bob.ask("POST /media/tus", &[("Upload-Length", "901")], b"").await;
    assert_eq!((answer.status, answer.header("Retry-After")), (503, "1"), "{}", answer.body);
    // An empty one is decided at once, and holds nothing.
    let answer = bob.ask("POST /media/tus", &[("Upload-Length", "0")], b"").await;
    assert_eq!((answer.status, gauge(&world, "tidings_media_bytes")), (201, 1500));
    writer.send(&[1; 590]).await;
    assert_eq!(writer.answer().await.0, 204);
}
