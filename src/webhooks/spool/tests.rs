//! Nothing lost, nothing under another id, order within a line; across ends of the program at any moment.

use std::path::Path;

use super::*;

const BACKOFF: Backoff = Backoff { attempts_max: 2, first_ms: 100, most_ms: 1_000 };
const BOUNDS: Bounds = Bounds { queue_bytes_max: 1 << 20, queue_events_max: 5, dead_letters_max: 2, dead_letters_days: 1 };

fn open(folder: &Path, now_ms: u64) -> Spool {
    Spool::open(&JournalPlace::Folder(folder.to_owned()), BOUNDS, BACKOFF, now_ms).unwrap()
}

fn envelope(id: &str, line: &str) -> Envelope {
    Envelope {
        id: id.into(),
        event: "message.sent".into(),
        line: line.into(),
        at_ms: 7,
        body: Bytes::from(format!("{{\"n\":\"{id}\"}}\n")),
    }
}

/// Gives up what is due first.
fn kill(spool: &mut Spool, now_ms: u64) -> String {
    for _ in 0..BACKOFF.attempts_max {
        let due = spool.next(now_ms).unwrap();
        if spool.failed(due.seq, "503", now_ms, 0, None).unwrap() == AfterFailure::DeadLetter {
            return due.envelope.id;
        }
    }
    panic!("still alive");
}

#[test]
fn attempts_and_their_times_outlive_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 0);
    spool.put(&envelope("a", "l"), 0);
    spool.put(&envelope("b", "l"), 0);
    let due = spool.next(0).unwrap();
    assert_eq!(due.envelope, envelope("a", "l"));
    assert!(spool.next(0).is_none(), "b waits for a");
    assert_eq!(spool.failed(due.seq, "503", 50, 100, None).unwrap(), AfterFailure::Retry);
    spool.write().unwrap();
    drop(spool);
    let mut spool = open(folder.path(), 60);
    assert!(spool.next(149).is_none());
    assert_eq!(spool.next_due(), Some(150));
    let due = spool.next(150).unwrap();
    assert_eq!(due.envelope.id, "a");
    assert_eq!(spool.failed(due.seq, "503", 150, 0, None).unwrap(), AfterFailure::DeadLetter, "the second attempt was the last");
    assert_eq!(spool.next(150).unwrap().envelope.id, "b");
}

#[test]
fn a_clock_that_was_set_back_delays_by_no_more_than_the_longest_pause() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1_000_000);
    spool.put(&envelope("a", "l"), 1_000_000);
    let due = spool.next(1_000_000).unwrap();
    spool.failed(due.seq, "503", 1_000_000, 100, None).unwrap();
    spool.write().unwrap();
    drop(spool);
    assert_eq!(open(folder.path(), 5).next_due(), Some(1_005));
}

#[test]
fn what_was_under_way_at_the_end_is_told_again_under_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 0);
    spool.put(&envelope("a", "l"), 0);
    spool.put(&envelope("b", "m"), 0);
    let (first, second) = (spool.next(0).unwrap(), spool.next(0).unwrap());
    spool.delivered(second.seq);
    spool.write().unwrap();
    drop(spool);
    let mut spool = open(folder.path(), 0);
    assert_eq!(spool.next(0).unwrap().envelope, first.envelope);
    assert!(spool.next(0).is_none());
}

#[test]
fn dead_letters_are_listed_sent_again_and_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 0);
    spool.put(&envelope("a", "l"), 0);
    spool.put(&envelope("b", "l"), 0);
    assert_eq!((kill(&mut spool, 10), kill(&mut spool, 20)), ("a".into(), "b".into()));
    spool.write().unwrap();
    drop(spool);
    let mut spool = open(folder.path(), 30);
    assert!(spool.next(u64::MAX).is_none());
    let letters = spool.dead_letters(0, 10).unwrap();
    let failure = |at_ms| LastFailure { at_ms, attempts: 2, error: "503".into() };
    assert_eq!(letters, [(1, envelope("a", "l"), failure(10)), (2, envelope("b", "l"), failure(20))]);
    assert_eq!(spool.dead_letters(1, 10).unwrap().len(), 1);
    assert!(spool.resend(1, 30).unwrap() && !spool.resend(1, 30).unwrap());
    assert!(spool.discard(2) && !spool.discard(2));
    spool.write().unwrap();
    drop(spool);
    let mut spool = open(folder.path(), 40);
    assert_eq!(spool.dead_count(), 0);
    let due = spool.next(40).unwrap();
    assert_eq!((due.envelope.id.as_str(), due.seq), ("a", 3), "the same id, another place");
}

#[test]
fn dead_letters_are_bounded_in_number_and_age_and_what_is_given_up_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 0);
    for id in ["a", "b", "c"] {
        spool.put(&envelope(id, "l"), 0);
        kill(&mut spool, 10);
    }
    let ids = |spool: &mut Spool| spool.dead_letters(0, 10).unwrap().into_iter().map(|(_, envelope, _)| envelope.id).collect::<Vec<_>>();
    assert_eq!((ids(&mut spool), spool.given_up()), (vec!["b".to_owned(), "c".to_owned()], 1));
    assert_eq!((spool.prune(None), spool.prune(Some(10 + DAY_MS)), spool.prune(Some(11 + DAY_MS))), (0, 0, 2));
    assert_eq!((spool.dead_count(), spool.given_up()), (0, 3));
}

#[test]
fn it_is_full_at_its_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 0);
    for n in 0..5 {
        assert!(!spool.is_full(), "{n}");
        spool.put(&envelope("a", "l"), 0);
    }
    assert!(spool.is_full());
    let due = spool.next(0).unwrap();
    spool.delivered(due.seq);
    assert!(!spool.is_full());
    spool.put(&Envelope { body: Bytes::from(vec![b'x'; 1 << 20]), ..envelope("big", "l") }, 0);
    assert_eq!(spool.waiting().0, 5);
    assert!(spool.is_full());
}

/// A dead letter is on disk before the queue forgets it: an end in between must not tell it twice over as two events.
#[test]
fn an_end_between_burial_and_crossing_out_leaves_one_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 0);
    spool.put(&envelope("a", "l"), 0);
    spool.queue.write().unwrap();
    let due = spool.next(0).unwrap();
    spool.write_dead_letter(due.seq, 2, "503", 0).unwrap();
    drop(spool);
    let mut spool = open(folder.path(), 0);
    assert_eq!((spool.dead_count(), spool.waiting().0), (1, 0));
    assert!(spool.next(u64::MAX).is_none());
}
