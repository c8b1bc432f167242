//! What is on disk after an end at any byte, after damage, and after a long time.

use super::*;

const SMALL: u64 = 4096;

type Records = Vec<(u64, Vec<u8>, Option<Note>)>;

fn open(folder: &Path) -> (FileJournal, Records) {
    let mut found = Records::new();
    let journal = FileJournal::open(folder, SMALL, &mut |seq, payload, note| found.push((seq, payload.to_vec(), note))).unwrap();
    (journal, found)
}

fn seqs(found: &Records) -> Vec<u64> {
    found.iter().map(|(seq, ..)| *seq).collect()
}

#[test]
fn what_was_put_noted_and_crossed_out_is_found_so_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, found) = open(folder.path());
    assert!(found.is_empty());
    assert_eq!((journal.put(b"one"), journal.put(b"two"), journal.put(b"three")), (1, 2, 3));
    journal.note(1, [7; 12]);
    assert!(journal.delete(2) && !journal.delete(2));
    journal.set_position(40, true);
    journal.write().unwrap();
    drop(journal);
    let (mut journal, found) = open(folder.path());
    assert_eq!(found, [(1, b"one".to_vec(), Some([7; 12])), (3, b"three".to_vec(), None)]);
    assert_eq!(journal.position(), JournalMark { next_seq: 4, commit: 40, following: true });
    assert_eq!(journal.put(b"four"), 4, "a seq is never used again");
    assert_eq!(journal.read(3).unwrap(), b"three");
}

/// The program ends in the middle of a write, at every possible byte.
#[test]
fn a_torn_end_costs_what_was_torn_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    let mut ends = Vec::new();
    for payload in [&b"first"[..], b"second", b"third"] {
        journal.put(payload);
        journal.write().unwrap();
        ends.push(journal.bytes());
    }
    drop(journal);
    let path = segment_path(folder.path(), 1);
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let (mut journal, found) = open(folder.path());
        let expected = ends.iter().filter(|end| **end <= cut as u64).count() as u64;
        assert_eq!(seqs(&found), (1..=expected).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(journal.damaged(), 0);
        journal.put(b"goes on");
        journal.write().unwrap();
        drop(journal);
        let (_, found) = open(folder.path());
        assert_eq!(found.last().unwrap().1, b"goes on", "cut at {cut}");
    }
}

#[test]
fn a_damaged_record_is_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    let before = journal.bytes();
    for payload in [&b"first"[..], b"second", b"third"] {
        journal.put(payload);
    }
    journal.write().unwrap();
    drop(journal);
    let path = segment_path(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    // In the payload of the second.
    let at = usize::try_from(before).unwrap() + FRAME + 5 + FRAME + 2;
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (journal, found) = open(folder.path());
    assert_eq!((seqs(&found), journal.damaged()), (vec![1, 3], 1));
}

#[test]
fn segments_that_are_done_go_and_what_stays_does_not_hold_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    let stays = journal.put(b"stays");
    journal.note(stays, [9; 12]);
    for round in 0..2_000u32 {
        let seq = journal.put(&[b'x'; 100]);
        journal.set_position(round.into(), true);
        journal.delete(seq);
        journal.write().unwrap();
        journal.reclaim().unwrap();
        assert!(journal.bytes() < 3 * SMALL, "{} bytes in round {round}", journal.bytes());
    }
    assert_eq!(journal.read(stays).unwrap(), b"stays");
    drop(journal);
    let (journal, found) = open(folder.path());
    assert_eq!(found, [(stays, b"stays".to_vec(), Some([9; 12]))]);
    assert_eq!(journal.position(), JournalMark { next_seq: 2_002, commit: 1_999, following: true });
    assert!(fs::read_dir(folder.path()).unwrap().count() <= 3);
}

#[test]
fn half_a_segment_that_stays_does_not_hold_what_is_done_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path());
    let staying: Vec<u64> = (0..30).map(|_| journal.put(&[b's'; 100])).collect();
    let mut most = 0;
    for _ in 0..5_000 {
        let seq = journal.put(&[b'x'; 100]);
        journal.delete(seq);
        journal.write().unwrap();
        journal.reclaim().unwrap();
        most = most.max(journal.bytes());
    }
    assert!(most < 4 * (30 * 117 + SMALL) + 2 * SMALL, "{most} bytes at most");
    let on_disk: u64 = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(on_disk, journal.bytes());
    drop(journal);
    let (journal, found) = open(folder.path());
    assert_eq!((seqs(&found), journal.bytes()), (staying, on_disk));
}

#[test]
fn a_later_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(segment_path(folder.path(), 1), b"TDWH\x02\0\0\0").unwrap();
    let error = FileJournal::open(folder.path(), SMALL, &mut |_, _, _| {}).unwrap_err();
    assert!(error.to_string().contains("not a segment of format 1"), "{error}");
}
