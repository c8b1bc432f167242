//! A clock that is wrong deletes nothing. Source: config.toml, `history.clock_jump_max_hours`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidings::Draft;
use tidings::clock::{Clock as _, ManualClock};
use tidings::store::{note_time, noted_time};

use crate::support::{T0, To, World, fetch, peer_target, pluck, soon, until, user};

const DAY_MS: u64 = 86_400_000;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Returns how many weeks of messages there are.
fn weeks(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder.join("store")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().starts_with("period-")).count()
}

fn world(folder: &Path, now_ms: u64) -> (World, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(now_ms));
    (World::builder().no_rates().clock(clock.clone()).folder(folder).start(), clock)
}

/// Sends one message a week; returns when it stopped.
async fn seven_weeks(folder: &Path) -> u64 {
    let (world, clock) = world(folder, T0);
    let (alice, bob) = (user("alice"), user("bob"));
    for user in [&alice, &bob] {
        world.broker.register(user, "").await.unwrap();
    }
    for week in 0..7 {
        world.broker.send(&alice, &peer_target("bob"), Draft::text(format!("week {week}"))).await.unwrap();
        clock.advance(WEEK);
    }
    let stopped_ms = clock.wall_ms();
    world.stop().await;
    assert_eq!(noted_time(&folder.join("store")), Ok(Some(stopped_ms)));
    assert_eq!(weeks(folder), 7);
    stopped_ms
}

/// Starts, lets the broker have its turn, and stops it again; returns what bob reads and what /readyz says.
async fn one_start(folder: &Path, now_ms: u64) -> (Vec<String>, Value) {
    let (world, _) = world(folder, now_ms);
    let mut bob = world.client("bob").await;
    let texts = pluck(&Value::Array(bob.newest(To::Peer("alice")).await), "message");
    let ready = fetch(world.address(), "GET /readyz", &[], "").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    drop(bob);
    world.stop().await;
    (texts, ready.json())
}

#[tokio::test]
async fn one_start_with_a_clock_sixty_days_ahead_deletes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let stopped_ms = seven_weeks(folder.path()).await;
    // Twice: what the first of them stored is no agreement.
    for _ in 0..2 {
        let (texts, ready) = one_start(folder.path(), stopped_ms + 60 * DAY_MS).await;
        assert_eq!(texts.len(), 7, "{texts:?}");
        let detail = ready["detail"].as_str().unwrap();
        assert!(detail.contains("1440 hours after") && detail.contains("accept-clock"), "{detail}");
        assert_eq!(weeks(folder.path()), 7);
        assert_eq!(noted_time(&folder.path().join("store")), Ok(Some(stopped_ms)));
    }
    let (_, ready) = one_start(folder.path(), stopped_ms - 60 * DAY_MS).await;
    assert!(ready["detail"].as_str().unwrap().contains("1440 hours before"), "{ready}");
}

#[tokio::test]
async fn a_right_clock_deletes_one_week_and_an_operator_can_say_that_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let stopped_ms = seven_weeks(folder.path()).await;
    let (right, _) = world(folder.path(), stopped_ms + DAY_MS);
    until("the oldest week to go", || weeks(folder.path()) == 6).await;
    let ready = fetch(right.address(), "GET /readyz", &[], "").await;
    assert!(ready.json()["detail"].is_null(), "{ready:?}");
    right.stop().await;
    assert_eq!(weeks(folder.path()), 6, "one in 24 hours of running");

    let later_ms = stopped_ms + 200 * DAY_MS;
    assert!(one_start(folder.path(), later_ms).await.1["detail"].is_string());
    note_time(&folder.path().join("store"), later_ms).unwrap();
    let (right, _) = world(folder.path(), later_ms);
    until("the next week to go", || weeks(folder.path()) == 5).await;
    soon("the stop", right.stop()).await;
}

/// They are as old as when the clock was set right, whatever it said when they were stored.
#[tokio::test]
async fn what_was_stored_while_the_clock_stood_years_behind_is_kept_once_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let (behind, _) = world(folder.path(), T0 - 3000 * DAY_MS);
    behind.broker.register(&user("bob"), "").await.unwrap();
    let send = async |world: &World| drop(world.client("alice").await.say(To::Peer("bob"), "hi").await);
    send(&behind).await;
    behind.stop().await;
    let (now, _) = world(folder.path(), T0);
    assert!(now.broker.clock_doubt().is_some());
    send(&now).await;
    now.stop().await;
    note_time(&folder.path().join("store"), T0).unwrap();
    let (right, _) = world(folder.path(), T0 + DAY_MS);
    assert_eq!(right.broker.clock_doubt(), None);
    send(&right).await;
    right.stop().await;
    assert_eq!(weeks(folder.path()), 2, "both are kept");
}
