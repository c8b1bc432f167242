//! What only a store in a database must keep: who may write, how questions are answered, what it counts.

use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::support::*;
use crate::clock::SystemClock;
use crate::store::postgres::hot_questions;
use crate::store::*;

fn database_of(url: &str) -> &str {
    url.rsplit_once("dbname=").unwrap().1
}

/// Time goes on by itself: beats are watched.
fn options(url: &str) -> PostgresOptions {
    PostgresOptions { patience: Duration::from_secs(8), time: StampTime::Database, ..postgres_options(url) }
}

fn open(url: &str) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(options(url), Arc::new(SystemClock::new()))
}

#[test]
fn one_that_lives_keeps_the_store_and_one_that_closed_lets_it_go() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let first = open(&url).unwrap();
    let impatient = PostgresOptions { patience: Duration::from_secs(2), ..options(&url) };
    let refused = PostgresStore::open(impatient, Arc::new(SystemClock::new())).err().unwrap();
    assert!(matches!(&refused, OpenError::InUse { path } if path.contains("by tidings")), "{refused}");
    first.close().unwrap();
    let second = open(&url).unwrap();
    second.close().unwrap();
}

#[test]
fn whoever_lost_the_store_writes_nothing_more_and_says_so() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let first = open(&url).unwrap();
    let stored = wait(|done| first.append(text_of(&group("g"), "alice", Some("l"), "hi", NOW_MS), done)).unwrap();
    let losing = first.losing();
    assert!(!*losing.borrow());
    // As if another had taken over while this process stood still.
    cluster.sql(database_of(&url), "UPDATE tidings.owners SET boot = NULL, epoch = epoch + 1");
    let refused = wait(|done| first.append(text_of(&group("g"), "alice", None, "late", NOW_MS), done));
    assert_eq!(refused.unwrap_err(), StoreError::Fenced);
    assert!(*losing.borrow());
    assert_eq!(wait(|done| first.apply(vec![], done)).unwrap_err(), StoreError::Fenced);
    assert_eq!(first.writable(), Err(StoreError::Fenced));
    assert_eq!(first.close(), Err(StoreError::Fenced));
    let heir = open(&url).unwrap();
    assert!(heir.last_commit() >= stored.commit, "the heir begins above all that was committed");
    let next = wait(|done| heir.append(text_of(&group("g"), "alice", None, "next", NOW_MS), done)).unwrap();
    assert_eq!(next.message.seq, 2);
    assert!(next.commit > stored.commit);
    let again = wait(|done| heir.append(text_of(&group("g"), "alice", Some("l"), "hi", NOW_MS), done)).unwrap();
    assert_eq!((again.duplicate, again.commit), (true, stored.commit));
}

#[test]
fn a_head_that_moved_behind_its_back_is_looked_at_again() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let store = open(&url).unwrap();
    wait(|done| store.append(text_of(&group("g"), "alice", None, "one", NOW_MS), done)).unwrap();
    // Nobody does this; were it done, no seq may be given twice.
    cluster.sql(database_of(&url), "UPDATE tidings.conversations SET seq = 5, order_key = order_key + 9");
    let next = wait(|done| store.append(text_of(&group("g"), "alice", None, "two", NOW_MS), done)).unwrap();
    assert_eq!(next.message.seq, 6);
    let stats = store.database().unwrap();
    assert_eq!(stats.errors, [("22012".to_owned(), 1)]);
    assert!(stats.commits >= 3 && stats.commit_time > Duration::ZERO, "{stats:?}");
}

#[test]
fn who_reads_for_long_holds_up_no_message() {
    let Some(cluster) = Cluster::shared() else { return };
    let world = World::postgres().unwrap();
    let database = database_of(&world.url).to_owned();
    let days = || cluster.sql(&database, "SELECT count(*) FROM tidings.partitions('retries_d')").parse::<u32>().unwrap();
    world.say(&group("g"), "one");
    let before = days();
    let reading = {
        let database = database.clone();
        std::thread::spawn(move || {
            let long = "BEGIN; LOCK TABLE tidings.retries, tidings.messages IN ACCESS SHARE MODE; SELECT pg_sleep(4); COMMIT";
            cluster.sql(&database, long)
        })
    };
    let held = "SELECT count(*) FROM pg_locks WHERE relation = 'tidings.messages'::regclass AND mode = 'AccessShareLock'";
    while cluster.sql(&database, held) == "0" {}
    for _ in 0..2 {
        // A day begins, and then another: there are partitions for both.
        world.clock.advance(Duration::from_secs(86_400));
        world.say(&group("g"), "at night");
    }
    assert_eq!(days(), before, "nothing can be made while somebody reads");
    assert!(!reading.is_finished(), "no message waited for the reader");
    reading.join().unwrap();
    world.clock.advance(Duration::from_secs(60));
    world.say(&group("g"), "later");
    assert_eq!(days(), before + 2);
}

#[test]
fn no_question_that_is_asked_all_the_time_looks_at_every_message() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    open(&url).unwrap().close().unwrap();
    let database = database_of(&url);
    // A hundred groups of 600 messages, of which one user is in all, over three weeks.
    cluster.sql(
        database,
        "SET search_path = tidings;
         SELECT make_week(w) FROM generate_series(2870, 2872) w;
         INSERT INTO conversations (conv, shard, kind, one, seq, order_key, stamp, message_id)
            SELECT n, 0, 2, 'g' || n, 600, s, s, n * 601
            FROM generate_series(1, 100) n, LATERAL (SELECT ((2870::int8 * 604800000 - 1704067200000) << 11) + 3000000000000 s) x;
         INSERT INTO groups SELECT 'g' || n, 'G', false, '{\"info\":{\"avatar_url\":\"\"}}' FROM generate_series(1, 100) n;
         INSERT INTO group_members SELECT 'g' || n, 'u1', 3, 1, '', '{\"first_seq\":1,\"joined_seq\":0}' FROM generate_series(1, 100) n;
         INSERT INTO messages (conv, seq, stamp, id, order_key, at_ms, kind, priority, flags, mentions_all, sender, content)
            SELECT c, q, s, c * 601 + q, s, 0, 1, 2, 0, false, 'u2', '{}' FROM generate_series(1, 100) c, generate_series(1, 600) q,
                LATERAL (SELECT ((2870::int8 * 604800000 - 1704067200000) << 11) + q * 3000000000000 / 600 s) x;
         ANALYZE",
    );
    for (name, text, parameters) in hot_questions() {
        let explained = format!(
            "SET search_path = tidings; SET plan_cache_mode = force_generic_plan; SET jit = off;
             PREPARE q AS {text}; EXPLAIN (COSTS OFF) EXECUTE q({parameters})"
        );
        let plan = cluster.sql(database, &explained);
        // An empty partition may be looked at as it likes; those with messages are of weeks 2870 to 2872.
        assert!(!plan.contains("Seq Scan on messages_w287"), "{name}:\n{plan}");
    }
}

#[test]
fn what_the_documentation_asks_the_tables_is_answered() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let store = open(&url).unwrap();
    wait(|done| store.append(text_of(&group("crowd"), "alice", None, "hi", NOW_MS), done)).unwrap();
    let page = include_str!("../../web/docs/postgres.md");
    let questions: Vec<&str> = page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(questions.len(), 5);
    let answers: Vec<String> = questions.into_iter().map(|question| cluster.sql(database_of(&url), question)).collect();
    assert!(answers[0].ends_with("|1"), "{answers:?}");
    assert!(answers[2].ends_with("|alice|hi"), "{answers:?}");
}

/// Sends the `n`th message of a crowd: seven conversations, each message twice, the second time right behind or far behind.
fn send_crowd(store: &PostgresStore, ns: &[usize]) -> Vec<Result<Appended, StoreError>> {
    let (done, outcomes) = std::sync::mpsc::channel();
    for (at, n) in ns.iter().enumerate() {
        let append = text_of(&group(&format!("g{}", n % 7)), "alice", Some(&format!("l{n}")), &format!("m{n}"), NOW_MS + *n as u64);
        let done = done.clone();
        store.append(append, Box::new(move |outcome| done.send((at, outcome)).unwrap()));
    }
    let mut all: Vec<_> = outcomes.iter().take(ns.len()).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Looks that each conversation has each of its messages once, in one order, without a gap.
fn look_at_crowd(store: &PostgresStore, count: usize) {
    let mut found = std::collections::BTreeSet::new();
    for n in 0..7 {
        let page = Page { anchor: Anchor::Seq(0), backwards: false, count: count + 1, bytes_max: usize::MAX, first_seq: 0, viewer: None };
        let messages = store.read(&group(&format!("g{n}")), page).unwrap().messages;
        for (at, message) in messages.iter().enumerate() {
            assert_eq!(message.seq, at as u64 + 1);
            assert!(found.insert(message.local_id.clone().unwrap().to_string()), "{message:?} is there twice");
        }
        assert!(messages.windows(2).all(|pair| pair[0].order_key < pair[1].order_key && pair[0].id <= pair[1].id));
    }
    assert_eq!(found.len(), count);
}

/// Thousands wait, so that batches are planned while others are on their way.
#[test]
fn what_is_planned_while_a_batch_is_on_its_way_keeps_order_and_knows_retries() {
    let Some(cluster) = Cluster::shared() else { return };
    let store = open(&cluster.database()).unwrap();
    const COUNT: usize = 3_000;
    // Each right behind itself, and all of them once more.
    let ns: Vec<usize> = (0..COUNT).flat_map(|n| [n, n]).chain(0..COUNT).collect();
    let outcomes: Vec<Appended> = send_crowd(&store, &ns).into_iter().map(Result::unwrap).collect();
    let mut first = std::collections::HashMap::new();
    for (n, appended) in ns.iter().zip(&outcomes) {
        let place = (appended.message.seq, appended.commit);
        assert_eq!(appended.duplicate, first.contains_key(n), "{n}");
        assert_eq!(*first.entry(n).or_insert(place), place, "{n}");
    }
    look_at_crowd(&store, COUNT);
    assert_eq!(store.stats().duplicates, 2 * COUNT as u64);
    store.close().unwrap();
}

/// The connection breaks again and again while thousands wait: what has no answer is sent again, and all of it is there once.
#[test]
#[expect(clippy::disallowed_methods, reason = "breaks come when they come")]
fn what_is_planned_while_a_batch_is_on_its_way_goes_with_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let store = open(&url).unwrap();
    const COUNT: usize = 20_000;
    let database = database_of(&url);
    let mut left: Vec<usize> = (0..COUNT).collect();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..6 {
                if stopped.recv_timeout(Duration::from_millis(120)) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
                let end = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND query LIKE '%COMMIT%'"
                );
                cluster.sql("postgres", &end);
            }
        });
        for _ in 0..100 {
            let outcomes = send_crowd(&store, &left);
            left = std::mem::take(&mut left).into_iter().zip(outcomes).filter_map(|(n, outcome)| outcome.is_err().then_some(n)).collect();
            if left.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(stop);
    });
    assert!(left.is_empty(), "{} are not stored", left.len());
    look_at_crowd(&store, COUNT);
    drop(store.close());
}
