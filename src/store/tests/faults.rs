//! Writes that fail at every possible place: nothing acknowledged is lost, and nothing is written thereafter.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use super::support::*;
use crate::clock::ManualClock;
use crate::model::*;
use crate::store::backend::memory::MemoryBackend;
use crate::store::backend::{Backend, CommitMark, Op, Space, Visit};
use crate::store::engine::dedup_filter::DedupFilter;
use crate::store::engine::shared::{Recovered, Start};
use crate::store::engine::{Engine, EngineSettings};
use crate::store::repair::verify::{self, Verified};
use crate::store::*;

const SETTINGS: EngineSettings = EngineSettings { retention_days: 30, gather: std::time::Duration::ZERO };

/// A backend over shared memory whose writes fail from the `fail_from`th on, like a disk that goes away.
#[derive(Clone)]
struct Failing {
    inner: Arc<MemoryBackend>,
    mark: Arc<Mutex<CommitMark>>,
    writes: Arc<AtomicU64>,
    fail_from: u64,
    error: StoreError,
    /// The disk that was full is not any more.
    has_room: Arc<AtomicBool>,
    /// Hears that the mark was made durable.
    synced: Option<mpsc::Sender<()>>,
}

impl Failing {
    fn new(fail_from: u64) -> Self {
        let error = StoreError::Unavailable("disk went away".into());
        Self {
            inner: Arc::default(),
            mark: Arc::default(),
            writes: Arc::default(),
            fail_from,
            error,
            has_room: Arc::default(),
            synced: None,
        }
    }

    /// The same disk, repaired.
    fn repaired(&self) -> Self {
        Self { writes: Arc::default(), fail_from: u64::MAX, ..self.clone() }
    }

    fn write(&self) -> Result<(), StoreError> {
        let failed = self.writes.fetch_add(1, Ordering::SeqCst) + 1 >= self.fail_from && !self.has_room.load(Ordering::SeqCst);
        if failed { Err(self.error.clone()) } else { Ok(()) }
    }

    /// What opening does: check, then start.
    fn start(&self, clock: &Arc<ManualClock>) -> Result<Engine, StoreError> {
        let dedup_filter = DedupFilter::new(1 << 12);
        let Verified { commit, message_id, permanent } = verify::verify(self, *self.mark.lock().unwrap(), &dedup_filter)?;
        Ok(Engine::start(Arc::new(self.clone()), clock.clone(), SETTINGS, Start { commit, message_id, permanent, dedup_filter }, None))
    }
}

impl Backend for Failing {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(space, key)
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], backwards: bool, visit: Visit<'_>) -> Result<(), StoreError> {
        self.inner.scan(space, from, to, backwards, visit)
    }

    fn commit(&self, space: Space, ops: Vec<Op>) -> Result<(), StoreError> {
        self.write()?;
        self.inner.commit(space, ops)
    }

    fn write_mark(&self, mark: CommitMark) -> Result<(), StoreError> {
        self.write()?;
        *self.mark.lock().unwrap() = mark;
        Ok(())
    }

    fn sync_mark(&self) -> Result<(), StoreError> {
        if let Some(synced) = &self.synced {
            synced.send(()).unwrap();
        }
        Ok(())
    }

    fn periods(&self) -> Vec<u64> {
        self.inner.periods()
    }

    fn create_period(&self, period: u64) -> Result<(), StoreError> {
        self.write()?;
        self.inner.create_period(period)
    }

    fn drop_period(&self, period: u64) -> Result<(), StoreError> {
        self.write()?;
        self.inner.drop_period(period)
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What was acknowledged: conversation, seq, text.
type Acked = Vec<(Conversation, u64, String)>;

/// Sends, rows, a removal and a sweep over several periods; what was acknowledged, and how the removal ended.
fn work(store: &Engine, clock: &ManualClock) -> (Acked, bool) {
    let mut acked = Acked::new();
    for week in 0..7u32 {
        for n in 0..3 {
            let conversation = if n == 2 { room("r", 1) } else { group(&format!("g-{n}")) };
            let text = format!("{week}-{n}");
            let append = text_of(&conversation, "alice", Some(&text), &text, NOW_MS);
            if let Ok(appended) = wait(|done| store.append(append, done)) {
                acked.push((conversation, appended.message.seq, text));
            }
        }
        let user = UserProfile::new(user("alice"), week.to_string());
        // Fails where the disk does.
        drop(wait(|done| store.apply(vec![RowWrite::PutUser(user)], done)));
        clock.advance(WEEK);
    }
    let removed = wait(|done| store.remove(room("r", 1), done)).is_ok();
    while store.sweep(NOW_MS + 7 * 7 * 86_400_000) == Ok(true) {}
    (acked, removed)
}

#[test]
fn a_crash_at_any_write_loses_nothing_acknowledged_and_leaves_nothing_half_done() {
    let mut fail_from = 1;
    loop {
        let (backend, clock) = (Failing::new(fail_from), Arc::new(ManualClock::at(NOW_MS)));
        let engine = backend.start(&clock).unwrap();
        let (acked, removed) = work(&engine, &clock);
        let all_worked = engine.writable().is_ok();
        drop(engine.close());

        let engine = backend.repaired().start(&clock).unwrap_or_else(|error| panic!("write {fail_from}: {error}"));
        // A removal and a sweep cut short go on by themselves; another sweep waits for them.
        while engine.sweep(NOW_MS + 7 * 7 * 86_400_000).unwrap() {}
        let kept_from_week = 3;
        for (conversation, seq, text) in &acked {
            let read = engine.read(conversation, page(Anchor::Seq(seq - 1), false, 1)).unwrap().messages;
            let is_removed = *conversation == room("r", 1) && (removed || read.is_empty());
            let is_old = text.split('-').next().unwrap().parse::<u32>().unwrap() < kept_from_week;
            if is_removed || is_old {
                continue;
            }
            assert_eq!(read[0].content.body, Body::Text(text.clone()), "write {fail_from}");
            let again = text_of(conversation, "alice", Some(text), text, NOW_MS);
            if text.starts_with('6') {
                assert!(wait(|done| engine.append(again, done)).unwrap().duplicate, "write {fail_from}: {text}");
            }
        }
        for n in 0..2 {
            let next = text_of(&group(&format!("g-{n}")), "bob", None, "next", NOW_MS);
            let stored = wait(|done| engine.append(next, done)).unwrap().message.seq;
            let last = acked.iter().filter(|(conversation, ..)| *conversation == group(&format!("g-{n}"))).map(|(_, seq, _)| *seq).max();
            // The write that failed may have reached the disk.
            assert!((last.unwrap_or(0)..last.unwrap_or(0) + 2).contains(&(stored - 1)), "write {fail_from}: {stored}");
        }
        drop(engine.close());
        let verified = verify::verify(&backend, *backend.mark.lock().unwrap(), &DedupFilter::new(8));
        assert!(verified.is_ok(), "write {fail_from}: {verified:?}");
        if all_worked {
            assert!(fail_from > 60, "it writes that often");
            return;
        }
        fail_from += 1;
    }
}

#[test]
fn after_a_failed_write_every_later_one_is_refused_and_reads_go_on() {
    let (backend, clock) = (Failing::new(11), Arc::new(ManualClock::at(NOW_MS)));
    let engine = backend.start(&clock).unwrap();
    let mut last = 0;
    let failed = loop {
        let append = text_of(&group("g"), "alice", None, "hi", NOW_MS);
        match wait(|done| engine.append(append, done)) {
            Ok(appended) => last = appended.message.seq,
            Err(error) => break error,
        }
    };
    assert!(last > 0);
    assert_eq!(failed, StoreError::Unavailable("disk went away".into()));
    assert_eq!(engine.writable(), Err(failed.clone()));
    let append = text_of(&group("h"), "alice", None, "hi", NOW_MS);
    assert_eq!(wait(|done| engine.append(append, done)).unwrap_err(), failed);
    assert_eq!(wait(|done| engine.apply(vec![RowWrite::DeleteRoom(RoomId::trusted("r"))], done)).unwrap_err(), failed);
    assert_eq!(wait(|done| engine.remove(group("g"), done)).unwrap_err(), failed);
    assert_eq!(engine.sweep(NOW_MS), Err(failed));
    assert_eq!(engine.head(&group("g")), Ok(last));
    assert_eq!(engine.read(&group("g"), page(Anchor::End, true, 100)).unwrap().messages.len() as u64, last);
}

/// A write that reached the database but not the disk's platter must not be shown: it may be gone after power loss.
#[test]
fn readers_see_nothing_that_was_not_acknowledged() {
    let (backend, clock) = (Failing::new(u64::MAX), Arc::new(ManualClock::at(NOW_MS)));
    let engine = backend.start(&clock).unwrap();
    let first = text_of(&group("g"), "alice", Some("l-1"), "hi", NOW_MS);
    wait(|done| engine.append(first, done)).unwrap();
    let writes = backend.writes.load(Ordering::SeqCst);
    drop(engine.close());
    // The batch goes in, the mark after it fails: as if the flush had failed.
    let failing = Failing { writes: Arc::new(AtomicU64::new(writes)), fail_from: writes + 2, ..backend };
    let engine = failing.start(&clock).unwrap();
    for (local_id, conversation) in [("l-2", group("g")), ("l-3", group("new"))] {
        let append = text_of(&conversation, "alice", Some(local_id), "hi", NOW_MS);
        assert!(wait(|done| engine.append(append, done)).is_err());
    }
    assert_eq!(engine.last_commit(), 1);
    assert_eq!(engine.head(&group("g")), Ok(1));
    assert_eq!(engine.head(&group("new")), Ok(0));
    assert_eq!(engine.read(&group("g"), page(Anchor::End, true, 9)).unwrap().messages.len(), 1);
    assert!(engine.find(&group("g"), &user("alice"), &LocalMessageId::trusted("l-2")).unwrap().is_none());
    assert!(engine.find(&group("g"), &user("alice"), &LocalMessageId::trusted("l-1")).unwrap().is_some());
}

#[test]
fn a_callback_that_panics_or_drops_the_store_harms_nobody() {
    let (backend, clock) = (Failing::new(u64::MAX), Arc::new(ManualClock::at(NOW_MS)));
    let engine = Arc::new(backend.start(&clock).unwrap());
    let append = || text_of(&group("g"), "alice", None, "hi", NOW_MS);
    engine.append(append(), Box::new(|_| std::panic::resume_unwind(Box::new("a host's bug"))));
    assert_eq!(wait(|done| engine.append(append(), done)).unwrap().message.seq, 2);
    let (sender, receiver) = mpsc::channel();
    let last = Mutex::new(Some(Arc::clone(&engine)));
    let gate = Arc::new(std::sync::Barrier::new(2));
    let wait_for_drop = Arc::clone(&gate);
    engine.append(
        append(),
        Box::new(move |outcome| {
            wait_for_drop.wait();
            drop(last.lock().unwrap().take());
            sender.send(outcome.is_ok()).unwrap();
        }),
    );
    drop(engine);
    gate.wait();
    assert_eq!(receiver.recv(), Ok(true));
}

/// Whatever page a database loses, the check at open must see it.
#[test]
fn any_record_that_vanished_is_noticed() {
    let (backend, clock) = (Failing::new(u64::MAX), Arc::new(ManualClock::at(NOW_MS)));
    let engine = backend.start(&clock).unwrap();
    for n in 0..8 {
        let local_id = n.to_string();
        let append = text_of(&group(["g", "h"][n % 2]), "alice", (n % 4 > 0).then_some(&*local_id), "hi", NOW_MS);
        wait(|done| engine.append(append, done)).unwrap();
    }
    wait(|done| engine.apply(vec![RowWrite::PutUser(UserProfile::new(user("alice"), String::new()))], done)).unwrap();
    drop(engine.close());
    let check = || verify::verify(&backend, *backend.mark.lock().unwrap(), &DedupFilter::new(8));
    let mut tried = 0;
    for space in backend.periods().into_iter().map(Space::Period).chain([Space::Permanent]) {
        let mut records = Vec::new();
        let mut keep = |key: &[u8], value: &[u8]| {
            records.push((key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        };
        backend.scan(space, &[], &[crate::store::format::key::RESERVED], false, &mut keep).unwrap();
        for (key, value) in records {
            backend.inner.commit(space, vec![Op::Delete(key.clone())]).unwrap();
            assert!(matches!(check(), Err(StoreError::Damaged(_))), "{space:?} {key:?}");
            backend.inner.commit(space, vec![Op::Put(key, value)]).unwrap();
            tried += 1;
        }
    }
    assert!(tried > 18, "{tried}");
    assert!(check().is_ok());
}

/// Starts an engine over a disk that is full from a write on, until it is said to have room.
fn start_on_full(backend: &Failing, clock: &Arc<ManualClock>) -> Engine {
    let check = |backend: &Failing, filter: &DedupFilter| verify::verify(backend, *backend.mark.lock().unwrap(), filter);
    let dedup_filter = DedupFilter::new(1 << 12);
    let Verified { commit, message_id, permanent } = check(backend, &dedup_filter).unwrap();
    let again = backend.clone();
    let recover = move |filter: &DedupFilter| {
        if !again.has_room.load(Ordering::SeqCst) {
            return Err(again.error.clone());
        }
        check(&again, filter).map(|Verified { commit, message_id, permanent }| Recovered { commit, message_id, permanent })
    };
    let start = Start { commit, message_id, permanent, dedup_filter };
    Engine::start(Arc::new(backend.clone()), clock.clone(), SETTINGS, start, Some(Box::new(recover)))
}

/// Whichever write meets the full disk: what was refused is stored by its retry, once, and nothing has to be started again.
#[test]
fn after_a_full_disk_writes_go_on_behind_the_handle_and_a_refused_send_is_stored_once() {
    let full = StoreError::Full("no room".into());
    let (mut fail_from, mut found) = (1, 0);
    loop {
        let backend = Failing { error: full.clone(), ..Failing::new(fail_from) };
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let engine = start_on_full(&backend, &clock);
        let send = |n: u64| {
            let text = n.to_string();
            wait(|done| engine.append(text_of(&group("g"), "alice", Some(&text), &text, NOW_MS), done))
        };
        let mut refused = Vec::new();
        for n in 0..6 {
            match send(n) {
                Ok(_) => assert!(refused.is_empty(), "write {fail_from}"),
                Err(error) => refused.push((n, error)),
            }
            clock.advance(WEEK);
        }
        assert!(refused.iter().all(|(_, error)| *error == full), "write {fail_from}: {refused:?}");
        let kept = 6 - refused.len() as u64;
        assert_eq!(engine.head(&group("g")), Ok(kept), "reading goes on, and shows what was acknowledged");
        if !refused.is_empty() {
            assert_eq!(engine.writable(), Err(full.clone()));
            backend.has_room.store(true, Ordering::SeqCst);
            // The writer looks behind each that it refuses, once in two seconds.
            while wait(|done| engine.apply(Vec::new(), done)).is_err() {
                clock.advance(std::time::Duration::from_secs(2));
            }
        }
        for (n, _) in &refused {
            let stored = send(*n).unwrap_or_else(|error| panic!("write {fail_from}, message {n}: {error}"));
            found += u64::from(stored.duplicate);
            assert_eq!(stored.message.seq, n + 1, "write {fail_from}");
            assert!(send(*n).unwrap().duplicate);
        }
        assert_eq!(engine.writable(), Ok(()));
        assert_eq!(engine.close(), Ok(()));
        let verified = verify::verify(&backend, *backend.mark.lock().unwrap(), &DedupFilter::new(8));
        assert_eq!(verified.unwrap().commit, 6, "write {fail_from}");
        if refused.is_empty() {
            assert!(fail_from > 20 && found > 3, "it writes that often, and some had reached the disk: {fail_from}, {found}");
            return;
        }
        fail_from += 1;
    }
}

/// What the system shows may not be on the disk: only a new start can tell.
#[test]
fn after_a_failed_sync_nothing_is_written_until_a_new_start_and_closing_says_so() {
    let unsynced = StoreError::Unsynced("i/o error".into());
    let backend = Failing { error: unsynced.clone(), ..Failing::new(5) };
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let engine = start_on_full(&backend, &clock);
    let send = || wait(|done| engine.append(text_of(&group("g"), "alice", None, "hi", NOW_MS), done));
    while send().is_ok() {}
    backend.has_room.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        clock.advance(std::time::Duration::from_secs(60));
        assert_eq!(send().unwrap_err(), unsynced);
    }
    assert_eq!(engine.close(), Err(unsynced));
}

/// Also of what is no batch of jobs: a removal writes marks of its own.
#[test]
fn whatever_wrote_the_mark_it_is_durable_a_moment_later() {
    let (synced, heard) = mpsc::channel();
    let (backend, clock) = (Failing { synced: Some(synced), ..Failing::new(u64::MAX) }, Arc::new(ManualClock::at(NOW_MS)));
    let engine = backend.start(&clock).unwrap();
    let in_time = || heard.recv_timeout(PATIENCE).expect("the mark was never made durable");
    wait(|done| engine.append(text_of(&room("r", 1), "alice", None, "hi", NOW_MS), done)).unwrap();
    // Where the period began, and after the append.
    in_time();
    in_time();
    wait(|done| engine.remove(room("r", 1), done)).unwrap();
    in_time();
}
