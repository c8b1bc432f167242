use super::*;
use crate::actors::files::upload::{Announced, UploadTerms};
use crate::media::Spool;
use crate::model::MediaKind;

fn config() -> Media {
    Media {
        user_bytes_max: 100,
        total_bytes_max: 150,
        unfinished_bytes_per_user_max: 100,
        unfinished_bytes_max: 150,
        uploads_per_user_max: 2,
        uploads_max: 3,
        unbegun_seconds: 60,
        unfinished_seconds: 600,
        ..crate::config::Config::default().media
    }
}

fn upload(file: u128, user: &str, announced: Announced, is_resumable: bool) -> Arc<Upload> {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::create(folder.path(), "a").unwrap();
    let terms = UploadTerms {
        owner: UserId::trusted(user),
        kind: MediaKind::File,
        name: String::new(),
        announced,
        is_resumable,
        keeps_original: false,
    };
    // Each began a second after the one before.
    Arc::new(Upload::new(spool, FileUid::from_bits(file), terms, 1000, Duration::from_secs(u64::try_from(file).unwrap())))
}

/// Begins one that nobody can make give way.
fn begin(quota: &mut Quota, file: u128, user: &str, bytes: u64) -> Result<(), Refusal> {
    quota.begin(upload(file, user, Announced::Exactly(bytes), false), &config()).map(drop)
}

/// Begins one that waits for its parts; returns those that give way to it.
fn begin_idle(quota: &mut Quota, file: u128, user: &str, bytes: u64, config: &Media) -> Result<Vec<u128>, Refusal> {
    let gave_way = quota.begin(upload(file, user, Announced::Exactly(bytes), true), config)?;
    Ok(gave_way.iter().map(|upload| u128::from_be_bytes(upload.file.to_bytes())).collect())
}

#[test]
fn quotas_hold_at_their_edges_and_what_ends_gives_back() {
    let mut quota = Quota::default();
    assert!(begin(&mut quota, 1, "alice", 100).is_ok());
    assert!(matches!(begin(&mut quota, 2, "alice", 1), Err(Refusal::RateLimited { .. })));
    assert!(begin(&mut quota, 3, "bob", 50).is_ok());
    assert!(matches!(begin(&mut quota, 4, "carol", 1), Err(Refusal::Busy(_))));
    assert!(quota.end(FileUid::from_bits(1), 40).is_some());
    assert_eq!(quota.bytes(), 90);
    assert!(
        matches!(begin(&mut quota, 5, "alice", 61), Err(Refusal::FileServer(reason)) if reason.contains("101 bytes") && reason.contains("user_bytes_max is 100"))
    );
    assert!(begin(&mut quota, 5, "alice", 60).is_ok());
    quota.release(&UserId::trusted("alice"), 40);
    assert_eq!(quota.bytes(), 110);
    let large = begin(&mut quota, 6, "carol", 101);
    assert!(matches!(large, Err(Refusal::FileServer(reason)) if reason.contains("unfinished_bytes_per_user_max is 100")));
}

#[test]
fn uploads_are_counted_per_user_and_in_all() {
    let mut quota = Quota::default();
    for (file, user) in [(1, "a"), (2, "a")] {
        assert!(begin(&mut quota, file, user, 1).is_ok());
    }
    assert!(matches!(begin(&mut quota, 3, "a", 1), Err(Refusal::RateLimited { .. })));
    assert!(begin(&mut quota, 4, "b", 1).is_ok());
    assert!(matches!(begin(&mut quota, 5, "c", 1), Err(Refusal::Busy(_))));
}

#[test]
fn the_oldest_idle_upload_gives_way_and_one_that_is_written_does_not() {
    let (mut quota, config) = (Quota::default(), config());
    assert_eq!(begin_idle(&mut quota, 1, "a", 1, &config).unwrap(), []);
    assert_eq!(begin_idle(&mut quota, 2, "a", 1, &config).unwrap(), []);
    let written = quota.find(FileUid::from_bits(1)).unwrap();
    let pen = written.writer.try_lock().unwrap();
    assert_eq!(begin_idle(&mut quota, 3, "a", 1, &config).unwrap(), [2], "of one's own");
    drop(pen);
    assert_eq!(begin_idle(&mut quota, 4, "b", 1, &config).unwrap(), []);
    assert_eq!(begin_idle(&mut quota, 5, "c", 1, &config).unwrap(), [1], "of all");
    // By what was announced, one by one and no more than needed; none where it would be in vain.
    assert_eq!(begin_idle(&mut quota, 6, "c", 99, &config).unwrap(), [3]);
    assert!(begin_idle(&mut quota, 7, "b", 101, &config).is_err());
    assert_eq!((quota.unfinished(), quota.bytes()), (3, 101));
    assert_eq!(begin_idle(&mut quota, 8, "d", 50, &config).unwrap(), [4]);
    assert_eq!((quota.unfinished(), quota.bytes()), (3, 150));
}

#[test]
fn one_of_unknown_length_grows_by_steps_while_there_is_room() {
    let (mut quota, config) = (Quota::default(), Media { user_bytes_max: 700, total_bytes_max: 1000, ..config() });
    let config = Media { unfinished_bytes_per_user_max: 700, unfinished_bytes_max: 1000, ..config };
    let growing = upload(1, "a", Announced::AtMost(10), false);
    quota.begin(growing.clone(), &config).unwrap();
    assert_eq!((quota.grow(&growing, 10, &config).unwrap().len(), quota.bytes()), (0, 10));
    // A step is more than there is: it gets what it needs.
    assert_eq!((quota.grow(&growing, 11, &config).unwrap().len(), quota.bytes()), (0, 11));
    assert_eq!(begin_idle(&mut quota, 2, "b", 500, &config).unwrap(), []);
    assert_eq!(quota.grow(&growing, 600, &config).unwrap().len(), 1, "an idle one gives way");
    assert!(matches!(quota.grow(&growing, 701, &config), Err(Refusal::FileServer(_))));
    assert_eq!(quota.bytes(), 600);
    assert!(quota.give_up(growing.file).is_some());
    assert_eq!((quota.grow(&growing, 601, &config).unwrap_err(), quota.bytes()), (Refusal::FileMissing, 0));
}

#[test]
fn one_without_a_byte_is_given_up_after_a_minute_and_one_that_is_complete_never() {
    let (mut quota, config) = (Quota::default(), config());
    for file in [1, 2, 3] {
        assert_eq!(begin_idle(&mut quota, file, &format!("u{file}"), 1, &config).unwrap(), []);
    }
    quota.find(FileUid::from_bits(2)).unwrap().touch(Duration::from_secs(2));
    assert!(quota.complete(FileUid::from_bits(3)) && !quota.complete(FileUid::from_bits(3)));
    let stale = |quota: &mut Quota, seconds| quota.give_up_stale(Duration::from_secs(seconds), &config).len();
    assert_eq!([stale(&mut quota, 60), stale(&mut quota, 61), stale(&mut quota, 601), stale(&mut quota, 602)], [0, 1, 0, 1]);
    assert!(quota.give_up(FileUid::from_bits(3)).is_none(), "it is being checked");
    assert!(!quota.complete(FileUid::from_bits(1)), "it was given up");
}

#[test]
fn a_file_is_either_about_to_be_sent_or_about_to_be_deleted() {
    let mut quota = Quota::default();
    let (file, second) = (FileUid::from_bits(1), Duration::from_secs(1));
    assert!(quota.pin(file, second));
    assert!(!quota.mark_for_deletion(file));
    quota.forget_pinned(second);
    assert!(quota.mark_for_deletion(file));
    assert!(!quota.pin(file, second));
    quota.unmark(file);
    assert!(quota.pin(file, second));
}
