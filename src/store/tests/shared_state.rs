//! What brokers that share a store keep beside messages.

use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::support::*;
use crate::clock::SystemClock;
use crate::documents::Documents as _;
use crate::store::*;

fn open(url: &str) -> PostgresStore {
    let options = PostgresOptions { patience: Duration::from_secs(8), time: StampTime::Database, ..postgres_options(url) };
    PostgresStore::open(options, Arc::new(SystemClock::new())).unwrap()
}

fn shared(store: &PostgresStore) -> Arc<dyn SharedState> {
    store.shared_state().expect("the store is shared")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "nobody is told of a heartbeat")]
fn a_document_is_replaced_by_who_has_seen_the_present_one_and_the_next_owner_has_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let outside = PostgresDocuments::open(postgres_options(&url)).unwrap();
    assert_eq!((outside.read("d").unwrap(), outside.version("d")), (None, None));
    assert!(outside.replace("d", None, b"one").unwrap());
    let store = open(&url);
    let documents = shared(&store);
    assert_eq!(documents.read("d").unwrap().unwrap(), b"one", "known from the first moment on");
    let version = documents.version("d").unwrap();
    assert!(!documents.replace("d", None, b"two").unwrap());
    assert!(!documents.replace("d", Some(b"?"), b"two").unwrap());
    assert!(documents.replace("d", Some(b"one"), b"two").unwrap());
    assert_eq!(documents.read("d").unwrap().unwrap(), b"two");
    assert!(documents.version("d").unwrap() > version);
    // The command line changes it; the broker learns of it with a heartbeat.
    assert!(outside.replace("d", Some(b"two"), b"three").unwrap());
    let learned = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(20));
        documents.read("d").unwrap().unwrap()
    });
    assert!(learned.take(500).any(|content| content == b"three"));
    // Whoever was too late sees what is there now.
    assert!(outside.replace("d", Some(b"three"), b"four").unwrap());
    let refused = !documents.replace("d", Some(b"three"), b"five").unwrap();
    assert!(refused && documents.read("d").unwrap().unwrap() == b"four");
    store.close().unwrap();
    let heir = open(&url);
    assert_eq!(shared(&heir).read("d").unwrap().unwrap(), b"four");
    assert_eq!(outside.place("d").display().to_string(), "tidings.documents/d");
}

#[test]
fn the_audit_log_is_read_newest_first_and_keeps_so_many() {
    let Some(cluster) = Cluster::shared() else { return };
    let store = open(&cluster.database());
    let log = shared(&store);
    assert!(log.audit(None, 10).unwrap().is_empty());
    let row = |n: u64| AuditRow { id: 0, at_ms: n, who: "a".into(), action: "b\0".into(), target: format!("t{n}"), status: 200 };
    log.add_audit((1..=3).map(row).collect(), 100).unwrap();
    log.add_audit((4..=5).map(row).collect(), 100).unwrap();
    let page = log.audit(None, 2).unwrap();
    assert_eq!(page, [AuditRow { id: 5, action: "b".into(), ..row(5) }, AuditRow { id: 4, action: "b".into(), ..row(4) }]);
    let targets = |before| -> Vec<String> { log.audit(before, 10).unwrap().into_iter().map(|row| row.target).collect() };
    assert_eq!(targets(Some(4)), ["t3", "t2", "t1"]);
    log.add_audit(vec![row(6)], 4).unwrap();
    assert_eq!(targets(None), ["t6", "t5", "t4", "t3"]);
}

#[test]
fn answers_are_kept_until_their_time_is_over_and_so_many() {
    let Some(cluster) = Cluster::shared() else { return };
    let store = open(&cluster.database());
    let kept = shared(&store);
    let answer = |key: &str, ends_ms| KeptAnswer {
        caller: "backend".into(),
        key: key.into(),
        fingerprint: vec![7; 32],
        status: 201,
        content_type: "application/json".into(),
        body: b"{}\0".to_vec(),
        ends_ms,
    };
    kept.keep_answer(answer("a", 100), 0, 10).unwrap();
    assert_eq!(kept.answer("backend", "a", 99).unwrap(), Some(answer("a", 100)));
    assert_eq!((kept.answer("backend", "a", 100).unwrap(), kept.answer("other", "a", 0).unwrap()), (None, None));
    kept.keep_answer(answer("a", 300), 100, 10).unwrap();
    kept.keep_answer(answer("b", 301), 100, 10).unwrap();
    kept.keep_answer(answer("c", 302), 100, 2).unwrap();
    let there = |key: &str| kept.answer("backend", key, 150).unwrap().is_some();
    assert_eq!(["a", "b", "c"].map(there), [false, true, true]);
    kept.keep_answer(answer("d", 400), 301, 10).unwrap();
    assert_eq!(["b", "c"].map(|key| kept.answer("backend", key, 0).unwrap().is_some()), [false, true], "what ended is forgotten");
}

#[test]
fn a_journal_is_written_whole_by_who_owns_the_store_and_by_nobody_else() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let store = open(&url);
    let journal = shared(&store);
    assert_eq!(journal.journal("queue").unwrap(), None);
    let row = |seq: u64, note: Option<&[u8]>| JournalRow { seq, payload: seq.to_string().into_bytes(), note: note.map(<[u8]>::to_vec) };
    let mark = JournalMark { next_seq: 4, commit: 17, following: true };
    let put = JournalChanges { put: vec![row(1, None), row(2, Some(b"n")), row(3, None)], ..Default::default() };
    journal.write_journal("queue", put, mark).unwrap();
    assert_eq!(journal.journal("queue").unwrap(), Some(mark));
    assert_eq!(journal.journal_rows("queue", 0, 10).unwrap(), [row(1, None), row(2, Some(b"n")), row(3, None)]);
    let mark = JournalMark { next_seq: 5, commit: 18, following: false };
    let changes = JournalChanges { put: vec![row(4, None)], noted: vec![(2, b"m".to_vec()), (9, b"x".to_vec())], gone: vec![1, 8] };
    journal.write_journal("queue", changes, mark).unwrap();
    assert_eq!(journal.journal_rows("queue", 0, 2).unwrap(), [row(2, Some(b"m")), row(3, None)]);
    assert_eq!(journal.journal_rows("queue", 3, 10).unwrap(), [row(4, None)]);
    assert!(journal.journal_rows("dead", 0, 10).unwrap().is_empty());
    // As if another had taken over while this process stood still.
    let database = url.rsplit_once("dbname=").unwrap().1;
    cluster.sql(database, "UPDATE tidings.owners SET boot = NULL, epoch = epoch + 1");
    let late = JournalChanges { gone: vec![2, 3, 4], ..Default::default() };
    journal.write_journal("queue", late, JournalMark::default()).unwrap_err();
    drop(store.close());
    let heir = open(&url);
    assert_eq!(shared(&heir).journal("queue").unwrap(), Some(mark));
    assert_eq!(shared(&heir).journal_rows("queue", 0, 10).unwrap().len(), 3);
}
