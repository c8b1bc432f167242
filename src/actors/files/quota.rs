//! Which user keeps how many bytes, which uploads are under way, and which files may not be deleted or sent. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::upload::Upload;
use crate::config::Media;
use crate::model::{FileUid, Refusal, UserId};

/// The accounts of all files.
#[derive(Default)]
pub(in crate::actors) struct Quota {
    /// Bytes of each user, kept and promised.
    of: HashMap<UserId, u64>,
    total: u64,
    unfinished: HashMap<FileUid, Arc<Upload>>,
    /// Files that a message is about to carry, and until when they are safe.
    pinned: HashMap<FileUid, Duration>,
    /// Files that are being deleted.
    marked: HashSet<FileUid>,
}

impl Quota {
    pub(in crate::actors) fn bytes(&self) -> u64 {
        self.total
    }

    pub(in crate::actors) fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// So many bytes more are kept for a user.
    pub(in crate::actors) fn keep(&mut self, user: &UserId, bytes: u64) {
        *self.of.entry(user.clone()).or_default() += bytes;
        self.total += bytes;
    }

    /// So many bytes are not kept any more.
    pub(in crate::actors) fn release(&mut self, user: &UserId, bytes: u64) {
        self.total = self.total.saturating_sub(bytes);
        if let Some(kept) = self.of.get_mut(user) {
            *kept = kept.saturating_sub(bytes);
            if *kept == 0 {
                self.of.remove(user);
            }
        }
    }

    /// An upload begins; what it may grow to counts from now on.
    pub(in crate::actors) fn begin(&mut self, upload: Arc<Upload>, config: &Media) -> Result<(), Refusal> {
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

    pub(in crate::actors) fn all(&self) -> impl Iterator<Item = &Arc<Upload>> {
        self.unfinished.values()
    }

    pub(in crate::actors) fn find(&self, file: FileUid) -> Option<Arc<Upload>> {
        self.unfinished.get(&file).cloned()
    }

    /// An upload ends; `kept` bytes of it stay.
    pub(in crate::actors) fn end(&mut self, file: FileUid, kept: u64) {
        if let Some(upload) = self.unfinished.remove(&file) {
            self.release(&upload.owner, upload.promised);
            self.keep(&upload.owner, kept);
        }
    }

    /// Uploads that nobody went on with since.
    pub(in crate::actors) fn given_up(&self, now: Duration, after: Duration) -> Vec<FileUid> {
        let given_up = self.unfinished.values().filter(|upload| now.saturating_sub(upload.touched()) >= after && !upload.is_ending());
        given_up.map(|upload| upload.file).collect()
    }

    /// False: it is being deleted.
    pub(in crate::actors) fn pin(&mut self, file: FileUid, until: Duration) -> bool {
        if self.marked.contains(&file) {
            return false;
        }
        self.pinned.insert(file, until);
        true
    }

    /// Forgets what was spoken for long enough ago.
    pub(in crate::actors) fn forget_pinned(&mut self, now: Duration) {
        self.pinned.retain(|_, until| *until > now);
    }

    /// From now on no message may carry it; false: one is about to.
    pub(in crate::actors) fn mark_for_deletion(&mut self, file: FileUid) -> bool {
        !self.pinned.contains_key(&file) && !self.unfinished.contains_key(&file) && self.marked.insert(file)
    }

    /// It is gone, or stays after all.
    pub(in crate::actors) fn unmark(&mut self, file: FileUid) {
        self.marked.remove(&file);
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

    fn begin(quota: &mut Quota, file: u128, user: &str, bytes: u64) -> Result<(), Refusal> {
        let folder = tempfile::tempdir().unwrap();
        let upload = Upload::for_test(folder.path(), FileUid::from_bits(file), UserId::trusted(user), MediaKind::File, bytes);
        quota.begin(Arc::new(upload), &config())
    }

    #[test]
    fn quotas_hold_at_their_edges_and_what_ends_gives_back() {
        let mut quota = Quota::default();
        assert!(begin(&mut quota, 1, "alice", 100).is_ok());
        assert!(matches!(begin(&mut quota, 2, "alice", 1), Err(Refusal::FileServer(_))));
        assert!(begin(&mut quota, 3, "bob", 50).is_ok());
        assert!(matches!(begin(&mut quota, 4, "carol", 1), Err(Refusal::FileServer(reason)) if reason.contains("total")));
        quota.end(FileUid::from_bits(1), 40);
        assert_eq!(quota.bytes(), 90);
        assert!(begin(&mut quota, 5, "alice", 60).is_ok());
        quota.release(&UserId::trusted("alice"), 40);
        assert_eq!(quota.bytes(), 110);
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
}
