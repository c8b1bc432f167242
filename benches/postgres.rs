//! What does a large store in PostgreSQL answer in, how much does it write, and what does gathering save?
//!
//! ```sh
//! cargo bench --features postgres --bench postgres                 # 1,000,000 messages in 20,000 conversations over 13 weeks
//! cargo bench --features postgres --bench postgres -- 100000 2000  # fewer
//! ```
//! A cluster of its own in a temporary folder, that waits for the disk. A quarter of the conversations are one user's, who has read all
//! but the last messages of each. How much is written stands beside plain prepared inserts of 256 rows in the same run, and what
//! gathering saves beside a store that commits each message as it comes.

// It measures, and says what it measured.
#![allow(missing_docs, clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::print_stdout, clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]

mod large_store;
#[allow(dead_code, clippy::print_stderr)]
#[path = "../tests/support/postgres.rs"]
mod postgres;

use std::env;
use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use tidings::clock::{Clock, ManualClock, SystemClock};
use tidings::model::{Conversation, Draft};
use tidings::store::{
    Anchor, Append, EntryRecord, Maintenance as _, MessageLog as _, MissedQuery, Overview as _, Page, PostgresOptions, PostgresStore,
    RowWrite, Rows as _, SINGLE_NODE_EPOCH, StampTime, StoreError, VisiblePart,
};
use tokio_postgres::NoTls;

use self::large_store::{CONVERSATIONS, IN_FLIGHT, conversation, conversation_of_message, local_id, user};
use self::postgres::Cluster;

const MESSAGES: u64 = 1_000_000;
const WEEKS_MS: u64 = 13 * 7 * 86_400_000;
/// 2026-01-01.
const BEGIN_MS: u64 = 1_767_225_600_000;
/// How often each read is measured.
const READS: u64 = 300;
/// Messages that are written to see how fast.
const WRITTEN: u64 = 200_000;
/// Rows of one plain insert.
const ROWS: usize = 256;
/// Messages a second where they come at a pace, and for how long.
const PACE: u64 = 3_000;
const PACED: Duration = Duration::from_secs(10);
/// What a server of one's own has.
const SETTINGS: &str =
    "-c listen_addresses= -c shared_buffers=512MB -c jit=off -c random_page_cost=1.1 -c max_wal_size=4GB -c wal_compression=lz4";

fn main() {
    let given: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (messages, conversations) = (given.first().copied().unwrap_or(MESSAGES), given.get(1).copied().unwrap_or(CONVERSATIONS));
    let Some(cluster) = Cluster::start_with(SETTINGS) else { return };
    large(&cluster, messages, conversations);
    saturated(&cluster);
    paced(&cluster);
}

fn append(n: u64, conversations: u64, now_ms: u64) -> Append {
    let place = conversation_of_message(n, conversations);
    Append {
        conversation: conversation(place),
        epoch: SINGLE_NODE_EPOCH,
        id: n + 1,
        sender: user(place + 1),
        draft: Draft { local_id: Some(local_id(n)), ..Draft::text("m".repeat(200)) },
        asked: None,
        now_ms,
    }
}

fn open(url: &str, time: StampTime, clock: Arc<dyn Clock>, gather: Duration) -> PostgresStore {
    PostgresStore::open(PostgresOptions { time, gather, retention_days: 3650, ..PostgresOptions::new(url) }, clock).unwrap()
}

/// Appends that are under way.
struct Flight {
    done: Sender<Result<(), StoreError>>,
    outcomes: Receiver<Result<(), StoreError>>,
    under_way: u64,
}

impl Flight {
    fn new() -> Self {
        let (done, outcomes) = mpsc::channel();
        Self { done, outcomes, under_way: 0 }
    }

    fn send(&mut self, store: &PostgresStore, append: Append) {
        let done = self.done.clone();
        store.append(append, Box::new(move |outcome| done.send(outcome.map(drop)).unwrap()));
        self.under_way += 1;
        if self.under_way >= IN_FLIGHT {
            self.land(1);
        }
    }

    fn land(&mut self, count: u64) {
        self.outcomes.iter().take(count as usize).for_each(Result::unwrap);
        self.under_way -= count;
    }

    fn land_all(&mut self) {
        self.land(self.under_way);
    }
}

/// Fills a store and reads it.
fn large(cluster: &Cluster, messages: u64, conversations: u64) {
    let clock = Arc::new(ManualClock::at(BEGIN_MS));
    let real = SystemClock::new();
    let store = open(&cluster.database(), StampTime::Own, clock.clone(), Duration::from_millis(2));
    let (mut flight, step_ms, began) = (Flight::new(), WEEKS_MS / messages, real.elapsed());
    let mine: Vec<Conversation> = (0..conversations).step_by(4).map(conversation).collect();
    for n in 0..messages {
        if n == messages * 24 / 25 {
            flight.land_all();
            read_all(&store, &mine);
        }
        flight.send(&store, append(n, conversations, clock.wall_ms()));
        clock.advance(Duration::from_millis(step_ms));
    }
    flight.land_all();
    let took = real.elapsed() - began;
    println!(
        "{messages} messages of 200 bytes in {conversations} conversations over 13 weeks, filled at {:.0}/s",
        messages as f64 / took.as_secs_f64()
    );
    println!("disk: {} bytes a message", cluster.sql("t0", "SELECT pg_database_size('t0')").parse::<u64>().unwrap() / messages);
    cluster.sql("t0", "VACUUM ANALYZE");
    read(&store, &real, &mine, conversations);
    store.close().unwrap();
}

/// Notes that the user has read everything so far.
fn read_all(store: &PostgresStore, mine: &[Conversation]) {
    for part in mine.chunks(500) {
        let rows = part.iter().map(|conversation| {
            let read_seq = store.head(conversation).unwrap();
            RowWrite::PutEntry(user(0), conversation.clone(), EntryRecord { read_seq, ..EntryRecord::default() })
        });
        let (done, outcome) = mpsc::channel();
        store.apply(rows.collect(), Box::new(move |applied| done.send(applied).unwrap()));
        outcome.recv().unwrap().unwrap();
    }
}

fn read(store: &PostgresStore, real: &SystemClock, mine: &[Conversation], conversations: u64) {
    let time = |name: &str, count: u64, read: &mut dyn FnMut(u64)| large_store::time(real, name, count, read);
    let me = user(0);
    time(&format!("first 100 of a list of {}, with unread and last messages", mine.len()), 50, &mut |_| {
        let listed = store.list(&me, 100, 999).unwrap();
        let part =
            |conversation: &Conversation| VisiblePart { conversation: conversation.clone(), first_seq: 1, end_seq: None, deletes: false };
        let parts: Vec<VisiblePart> = listed.iter().map(|listed| part(&listed.conversation)).collect();
        assert!(store.last_messages(&me, &parts).unwrap().iter().all(Option::is_some) && listed.iter().any(|listed| listed.unread > 0));
    });
    time("all of it", 10, &mut |_| assert_eq!(store.list(&me, usize::MAX, 999).unwrap().len(), mine.len()));
    time("one entry of it", READS, &mut |n| {
        assert!(store.listed(&me, &[mine[n as usize % mine.len()].clone()], 999).unwrap()[0].is_some());
    });
    time("history, the newest 30", READS, &mut |n| {
        let page = Page { anchor: Anchor::End, backwards: true, count: 30, bytes_max: usize::MAX, first_seq: 0, viewer: None };
        assert!(!store.read(&conversation(n * 7_919 % conversations), page).unwrap().messages.is_empty());
    });
    let last = store.last_commit();
    // Those of the last batch have stamps one after the other, a quarter of them are for this user.
    time("resume over all conversations, some 100 messages missed", 50, &mut |_| {
        let query = MissedQuery { rooms: vec![], after: last - 400, up_to: last, since_ms: 0, count_max: 1000, bytes_max: usize::MAX };
        assert!(!store.missed(&me, &query).unwrap().parts.is_empty());
    });
}

/// How many messages a second are written when many wait, beside plain inserts.
fn saturated(cluster: &Cluster) {
    let real = Arc::new(SystemClock::new());
    let url = cluster.database();
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    let store = open(&url, StampTime::Database, real.clone(), Duration::from_millis(2));
    for round in 0..3 {
        let (mut flight, began) = (Flight::new(), real.elapsed());
        for n in round * WRITTEN..(round + 1) * WRITTEN {
            flight.send(&store, append(n, 200, real.wall_ms()));
        }
        flight.land_all();
        ours.push(WRITTEN as f64 / (real.elapsed() - began).as_secs_f64());
        plain.push(plain_inserts(&url, &real, round));
    }
    store.close().unwrap();
    ours.sort_by(f64::total_cmp);
    plain.sort_by(f64::total_cmp);
    println!(
        "saturated: {:.0} messages/s, plain prepared inserts of {ROWS} rows: {:.0} rows/s, {:.2} of it",
        ours[1],
        plain[1],
        ours[1] / plain[1]
    );
}

/// Inserts the rows that messages have, and those by which a resend is recognised, into tables of the same shape: each batch two
/// prepared statements and a commit, nothing checked, nothing in an order, all values ready beforehand.
fn plain_inserts(url: &str, real: &SystemClock, round: u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let tables = "SET search_path = tidings; CREATE TABLE IF NOT EXISTS plain_messages (LIKE messages INCLUDING ALL);
            CREATE TABLE IF NOT EXISTS plain_retries (LIKE retries INCLUDING ALL)";
        client.batch_execute(tables).await.unwrap();
        let messages = "INSERT INTO plain_messages (conv, seq, stamp, id, order_key, at_ms, kind, priority, flags, mentions_all, sender,
                local_id, words, content)
            SELECT c, s, t, t, t, t, 1, 2, 0, false, u, l, w, j::json
            FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::text[]) x(c, s, t, u, l, w, j)";
        let retries = "INSERT INTO plain_retries (conv, sender, local_id, day, seq, stamp, content)
            SELECT c, u, l, 20000, s, t, '0123456789abcdef'
            FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::text[], $5::text[]) x(c, s, t, u, l)";
        let (messages, retries) = (client.prepare(messages).await.unwrap(), client.prepare(retries).await.unwrap());
        let (words, content) = ("m".repeat(200), format!("{{\"body\":{{\"Text\":\"{}\"}}}}", "m".repeat(200)));
        let batches = (round * WRITTEN..(round + 1) * WRITTEN).collect::<Vec<u64>>();
        let batches: Vec<_> = batches.chunks(ROWS).map(|rows| Batch::of(rows, &words, &content)).collect();
        let began = real.elapsed();
        for Batch { convs, seqs, stamps, senders, ids, words, contents } in &batches {
            client.batch_execute("BEGIN").await.unwrap();
            client.execute(&messages, &[convs, seqs, stamps, senders, ids, words, contents]).await.unwrap();
            client.execute(&retries, &[convs, seqs, stamps, senders, ids]).await.unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        }
        let rate = WRITTEN as f64 / (real.elapsed() - began).as_secs_f64();
        drop(client);
        connection.await.unwrap().unwrap();
        rate
    })
}

/// Values of some rows, by column.
struct Batch {
    convs: Vec<i64>,
    seqs: Vec<i64>,
    stamps: Vec<i64>,
    senders: Vec<String>,
    ids: Vec<String>,
    words: Vec<String>,
    contents: Vec<String>,
}

impl Batch {
    fn of(rows: &[u64], words: &str, content: &str) -> Self {
        let numbers = |number: fn(u64) -> u64| -> Vec<i64> { rows.iter().map(|n| number(*n) as i64).collect() };
        let texts = |text: &dyn Fn(u64) -> String| -> Vec<String> { rows.iter().map(|n| text(*n)).collect() };
        Self {
            convs: numbers(|n| n % 200),
            seqs: numbers(|n| n / 200),
            stamps: numbers(|n| n),
            senders: texts(&|n| format!("user-{}", n % 200)),
            ids: texts(&|n| format!("1732270000000-{n}")),
            words: texts(&|_| words.to_owned()),
            contents: texts(&|_| content.to_owned()),
        }
    }
}

/// What messages cost the database that come at a pace, gathered and not.
fn paced(cluster: &Cluster) {
    let mut costs = Vec::new();
    for gather in [Duration::from_millis(3), Duration::ZERO] {
        let real = Arc::new(SystemClock::new());
        let store = open(&cluster.database(), StampTime::Database, real.clone(), gather);
        let (mut flight, count) = (Flight::new(), PACE * PACED.as_secs());
        let (before, began) = (cpu_seconds(cluster), real.elapsed());
        for n in 0..count {
            let due = began + Duration::from_micros(n * 1_000_000 / PACE);
            std::thread::sleep(due.saturating_sub(real.elapsed()));
            flight.send(&store, append(n, 200, real.wall_ms()));
        }
        flight.land_all();
        let (took, spent) = (real.elapsed() - began, cpu_seconds(cluster) - before);
        let cost = spent / count as f64 * 1e6;
        println!("{PACE}/s, gathered for {gather:?}: {cost:.0} CPU s of the database per million, in {took:.1?}");
        costs.push(cost);
        store.close().unwrap();
    }
    println!("gathered: {:.2} of what commits cost that wait for nobody", costs[0] / costs[1]);
}

/// Returns the CPU time of the server's processes, those that ended included.
fn cpu_seconds(cluster: &Cluster) -> f64 {
    let ticks = |pid: u32, fields: &[usize]| -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let behind: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, behind)| behind).split_whitespace().collect();
        fields.iter().filter_map(|field| behind.get(*field)?.parse::<u64>().ok()).sum()
    };
    // utime and stime; of the first process those of its children that ended, too. Source: proc(5).
    let all = cluster.processes().into_iter().enumerate().map(|(n, pid)| ticks(pid, if n == 0 { &[11, 12, 13, 14] } else { &[11, 12] }));
    all.sum::<u64>() as f64 / 100.0
}
