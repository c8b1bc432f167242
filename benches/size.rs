//! What does a large store cost: memory, disk, the start after `kill -9`, and each read?
//!
//! ```sh
//! cargo bench --bench size                        # 5,000,000 messages in 20,000 conversations: some minutes, some GB in TMPDIR
//! cargo bench --bench size -- 200000 2000         # fewer
//! ```
//! One process fills the store, messages of 200 bytes over four weeks, and is killed; a second one opens it and reads. A quarter of the
//! conversations are one user's. Memory is what the system counts for the second process.

// It measures, and says what it measured.
#![allow(missing_docs, clippy::cast_possible_truncation, clippy::print_stdout, clippy::unwrap_used)]

mod large_store;

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;

use tidings::clock::{Clock, SystemClock};
use tidings::model::{Conversation, Draft};
use tidings::store::{Anchor, Append, Maintenance as _, MessageLog as _, Page, Rows as _, SINGLE_NODE_EPOCH, SledOptions, SledStore};

use self::large_store::{CONVERSATIONS, IN_FLIGHT, conversation, conversation_of_message, local_id, user};

const MESSAGES: u64 = 5_000_000;
const FOUR_WEEKS_MS: u64 = 28 * 86_400_000;
/// How often each read is measured.
const READS: u64 = 1000;
const FILL: &str = "fill";
const LOOK: &str = "look";

fn main() {
    let given: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize, default| given.get(at).map_or(default, |text| text.parse().unwrap());
    match given.first().map(String::as_str) {
        Some(FILL) => fill(Path::new(&given[1]), number(2, MESSAGES), number(3, CONVERSATIONS)),
        Some(LOOK) => look(Path::new(&given[1]), number(2, MESSAGES), number(3, CONVERSATIONS)),
        _ => measure(number(0, MESSAGES), number(1, CONVERSATIONS)),
    }
}

/// Runs the two processes one after the other.
fn measure(messages: u64, conversations: u64) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let part = |name: &str| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.arg(name).arg(&store).arg(messages.to_string()).arg(conversations.to_string());
        command
    };
    println!("{messages} messages of 200 bytes in {conversations} conversations over four weeks");
    let mut filling = part(FILL).stdout(Stdio::piped()).spawn().unwrap();
    for line in BufReader::new(filling.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "filled" {
            break;
        }
        println!("{line}");
    }
    filling.kill().unwrap();
    filling.wait().unwrap();
    let bytes = bytes_of(&store);
    println!("disk: {:.2} GiB, {} bytes per message", bytes as f64 / f64::from(1 << 30), bytes / messages);
    assert!(part(LOOK).status().unwrap().success(), "the store opens and has everything");
}

fn bytes_of(path: &Path) -> u64 {
    let metadata = fs::metadata(path).unwrap();
    if metadata.is_file() {
        return metadata.len();
    }
    fs::read_dir(path).unwrap().map(|entry| bytes_of(&entry.unwrap().path())).sum()
}

fn open(path: &Path, clock: &Arc<SystemClock>) -> SledStore {
    SledStore::open(SledOptions { retention_days: 3650, ..SledOptions::new(path) }, clock.clone()).unwrap()
}

fn fill(path: &Path, messages: u64, conversations: u64) {
    let clock = Arc::new(SystemClock::new());
    let store = open(path, &clock);
    let all: Vec<Conversation> = (0..conversations).map(conversation).collect();
    let (begin_ms, began) = (clock.wall_ms() - FOUR_WEEKS_MS, clock.elapsed());
    let (done, outcomes) = mpsc::channel();
    for n in 0..messages {
        let append = Append {
            conversation: all[conversation_of_message(n, conversations) as usize].clone(),
            epoch: SINGLE_NODE_EPOCH,
            id: n + 1,
            sender: user(0),
            draft: Draft { local_id: Some(local_id(n)), ..Draft::text("m".repeat(200)) },
            asked: None,
            now_ms: begin_ms + n * (FOUR_WEEKS_MS / messages),
        };
        let done = done.clone();
        store.append(append, Box::new(move |outcome| done.send(outcome.map(drop)).unwrap()));
        if n >= IN_FLIGHT {
            outcomes.recv().unwrap().unwrap();
        }
    }
    outcomes.iter().take(messages.min(IN_FLIGHT) as usize).for_each(Result::unwrap);
    let took = clock.elapsed() - began;
    println!("filled in {took:.1?}: {:.0} messages/s; resident {} MiB", messages as f64 / took.as_secs_f64(), resident_mib());
    println!("filled");
    std::io::stdout().flush().unwrap();
    // Killed here, with everything acknowledged and nothing closed.
    loop {
        std::thread::park();
    }
}

fn look(path: &Path, messages: u64, conversations: u64) {
    let clock = Arc::new(SystemClock::new());
    let began = clock.elapsed();
    let store = open(path, &clock);
    println!("open after kill -9: {:.2?}; resident {} MiB", clock.elapsed() - began, resident_mib());
    assert_eq!(store.last_message_id(), messages);

    let time = |name: &str, count: u64, read: &mut dyn FnMut(u64)| large_store::time(&clock, name, count, read);
    let newest = |count| Page { anchor: Anchor::End, backwards: true, count, bytes_max: usize::MAX, first_seq: 0, viewer: None };
    let each = (messages / conversations).min(100) as usize;
    time(&format!("history, the newest {each}"), READS, &mut |n| {
        let page = store.read(&conversation(n * 7_919 % conversations), newest(100)).unwrap();
        assert!(page.messages.len() >= each);
    });
    time("retry, stored before", READS, &mut |n| {
        let message = n * 104_729 % messages;
        let (id, place) = (local_id(message), conversation(conversation_of_message(message, conversations)));
        assert!(store.may_know(&place, &user(0), &id) && store.find(&place, &user(0), &id).unwrap().is_some());
    });
    time("retry, not stored", READS, &mut |n| {
        assert!(store.find(&conversation(n % conversations), &user(0), &local_id(messages + n)).unwrap().is_none());
    });
    let peers = store.peers_of(&user(0)).unwrap().len() as u64;
    assert_eq!(peers, conversations.div_ceil(4));
    time(&format!("list of {peers} conversations"), 5, &mut |_| {
        let entries = store.entries_of(&user(0)).unwrap().len();
        for peer in store.peers_of(&user(0)).unwrap() {
            let conversation = Conversation::peer(&user(0), &peer);
            let last = store.head(&conversation).unwrap();
            assert!(store.message(&conversation, last).unwrap().is_some(), "{entries} entries");
        }
    });
    println!("resident after reading {} MiB", resident_mib());
    store.close().unwrap();
}

/// Returns the process's memory as the system counts it; 0 where it does not say.
fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}
