//! Which user keeps how many bytes, which uploads are under way, and which files may not be deleted or sent. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::uploads::Upload;
use crate::config::Media;
use crate::model::{FileUid, Refusal, UserId};

/// The accounts of all files.
#[derive(Default)]
pub(super) struct Ledger {
    /// The bytes of each user: those of kept files, and those its uploads may grow to.
    of: HashMap<UserId, u64>,
    total: u64,
    unfinished: HashMap<FileUid, Arc<Upload>>,
    /// The files that a message is about to carry, and until when they may not be deleted.
    spoken_for: HashMap<FileUid, Duration>,
    /// The files that are being deleted.
    condemned: HashSet<FileUid>,
}

impl Ledger {
    pub(super) fn bytes(&self) -> u64 {
        self.total
    }

    pub(super) fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// Adds bytes to what is kept for a user.
    pub(super) fn keep(&mut self, user: &UserId, bytes: u64) {
        *self.of.entry(user.clone()).or_default() += bytes;
        self.total += bytes;
    }

    /// Subtracts bytes from what is kept for a user.
    pub(super) fn release(&mut self, user: &UserId, bytes: u64) {
        self.total = self.total.saturating_sub(bytes);
        if let Some(kept) = self.of.get_mut(user) {
            *kept = kept.saturating_sub(bytes);
            if *kept == 0 {
                self.of.remove(user);
            }
        }
    }

    /// Begins an upload; the bytes it may grow to count from now on.
    pub(super) fn begin(&mut self, upload: Arc<Upload>, config: &Media) -> Result<(), Refusal> {
        let (user, bytes) = (&upload.owner, upload.promised);
        if self.unfinished.len() >= config.uploads_max {
            return Err(Refusal::Busy("as many uploads as may be are under way"));
        }
        if self.unfinished.values().filter(|other| other.owner == *user).count() >= config.uploads_per_user_max {
            return Err(Refusal::RateLimited { retry_after_ms: 1000 });
        }
        let kept = self.of.get(user).copied().unwrap_or_default();
        if kept + bytes > config.user_bytes_max {
            return Err(Refusal::FileServer(format!("{kept} bytes are kept for this user, the limit is {}", config.user_bytes_max)));
        }
        if self.total + bytes > config.total_bytes_max {
            return Err(Refusal::FileServer("media.total_bytes_max is reached".into()));
        }
        self.keep(&upload.owner, bytes);
        self.unfinished.insert(upload.file, upload);
        Ok(())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Upload>> {
        self.unfinished.values()
    }

    pub(super) fn find(&self, file: FileUid) -> Option<Arc<Upload>> {
        self.unfinished.get(&file).cloned()
    }

    /// Ends an upload, of which `kept` bytes stay.
    pub(super) fn end(&mut self, file: FileUid, kept: u64) {
        if let Some(upload) = self.unfinished.remove(&file) {
            self.release(&upload.owner, upload.promised);
            self.keep(&upload.owner, kept);
        }
    }

    /// Returns the uploads that did not grow for `after`.
    pub(super) fn given_up(&self, now: Duration, after: Duration) -> Vec<FileUid> {
        let given_up = self.unfinished.values().filter(|upload| now.saturating_sub(upload.touched()) >= after && !upload.is_ending());
        given_up.map(|upload| upload.file).collect()
    }

    /// Keeps a file from being deleted until then. Returns false when it is being deleted.
    pub(super) fn speak_for(&mut self, file: FileUid, until: Duration) -> bool {
        if self.condemned.contains(&file) {
            return false;
        }
        self.spoken_for.insert(file, until);
        true
    }

    /// Drops protections that have expired.
    pub(super) fn forget_spoken_for(&mut self, now: Duration) {
        self.spoken_for.retain(|_, until| *until > now);
    }

    /// Marks a file for deletion: no message may carry it any more. Returns false when one is about to.
    pub(super) fn condemn(&mut self, file: FileUid) -> bool {
        !self.spoken_for.contains_key(&file) && !self.unfinished.contains_key(&file) && self.condemned.insert(file)
    }

    /// Takes the mark for deletion off: the file is gone, or stays after all.
    pub(super) fn absolve(&mut self, file: FileUid) {
        self.condemned.remove(&file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MediaKind;

    fn config() -> Media {
        Media {
            user_bytes_max: 100,
            total_bytes_max: 150,
            uploads_per_user_max: 2,
            uploads_max: 3,
            ..crate::config::Config::default().media
        }
    }

    fn begin(ledger: &mut Ledger, file: u128, user: &str, bytes: u64) -> Result<(), Refusal> {
        let folder = tempfile::tempdir().unwrap();
        let upload = Upload::for_test(folder.path(), FileUid::from_bits(file), UserId::trusted(user), MediaKind::File, bytes);
        ledger.begin(Arc::new(upload), &config())
    }

    #[test]
    fn quotas_hold_at_their_edges_and_what_ends_gives_back() {
        let mut ledger = Ledger::default();
        assert!(begin(&mut ledger, 1, "alice", 100).is_ok());
        assert!(matches!(begin(&mut ledger, 2, "alice", 1), Err(Refusal::FileServer(_))));
        assert!(begin(&mut ledger, 3, "bob", 50).is_ok());
        assert!(matches!(begin(&mut ledger, 4, "carol", 1), Err(Refusal::FileServer(reason)) if reason.contains("total")));
        ledger.end(FileUid::from_bits(1), 40);
        assert_eq!(ledger.bytes(), 90);
        assert!(begin(&mut ledger, 5, "alice", 60).is_ok());
        ledger.release(&UserId::trusted("alice"), 40);
        assert_eq!(ledger.bytes(), 110);
    }

    #[test]
    fn uploads_are_counted_per_user_and_in_all() {
        let mut ledger = Ledger::default();
        for (file, user) in [(1, "a"), (2, "a")] {
            assert!(begin(&mut ledger, file, user, 1).is_ok());
        }
        assert!(matches!(begin(&mut ledger, 3, "a", 1), Err(Refusal::RateLimited { .. })));
        assert!(begin(&mut ledger, 4, "b", 1).is_ok());
        assert!(matches!(begin(&mut ledger, 5, "c", 1), Err(Refusal::Busy(_))));
    }

    #[test]
    fn a_file_is_either_about_to_be_sent_or_about_to_be_deleted() {
        let mut ledger = Ledger::default();
        let (file, second) = (FileUid::from_bits(1), Duration::from_secs(1));
        assert!(ledger.speak_for(file, second));
        assert!(!ledger.condemn(file));
        ledger.forget_spoken_for(second);
        assert!(ledger.condemn(file));
        assert!(!ledger.speak_for(file, second));
        ledger.absolve(file);
        assert!(ledger.speak_for(file, second));
    }
}
