//! Which user keeps how many bytes, which uploads are under way, and which files may not be deleted or sent. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::upload::Upload;
use crate::config::Media;
use crate::model::{FileUid, Refusal, UserId};

/// Whose uploads a bound is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    User,
    All,
}

impl Scope {
    fn covers(self, upload: &Upload, owner: &UserId) -> bool {
        self == Self::All || upload.owner == *owner
    }
}

/// Uploads under way, added up; `idle`: those that may give way.
#[derive(Debug, Default)]
struct Sum {
    count: u64,
    bytes: u64,
    idle: u64,
    idle_bytes: u64,
}

impl Sum {
    fn add(&mut self, upload: &Upload) {
        let bytes = upload.reserved();
        self.count += 1;
        self.bytes += bytes;
        if upload.is_idle() {
            self.idle += 1;
            self.idle_bytes += bytes;
        }
    }
}

/// What an upload wants of its bounds.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// Uploads more: one that begins.
    count: u64,
    /// Bytes more.
    bytes: u64,
    /// All bytes of it.
    whole: u64,
}

/// A bound, and what would be there after what an upload wants.
#[derive(Debug)]
struct Bound {
    /// The key of `[media]`.
    what: &'static str,
    scope: Scope,
    wanted: u64,
    /// How much of it may give way.
    idle: u64,
    most: u64,
    /// All bytes of the upload.
    whole: u64,
}

impl Bound {
    fn refusal(&self) -> Refusal {
        let Self { what, scope, wanted, most, whole, .. } = self;
        match (*what, scope) {
            // Kept files go for no upload.
            ("user_bytes_max" | "total_bytes_max", _) => {
                Refusal::FileServer(format!("{wanted} bytes would be kept, the limit media.{what} is {most}"))
            }
            (_, _) if whole > most && what.contains("bytes") => {
                Refusal::FileServer(format!("the upload is {whole} bytes, the limit media.{what} is {most}"))
            }
            (_, Scope::User) => Refusal::RateLimited { retry_after_ms: 1000 },
            (_, Scope::All) => Refusal::Busy("as many uploads as may be are under way"),
        }
    }
}

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

    /// An upload begins; what is set aside for it counts from now on. Returns those that give way to it.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], [`Refusal::Busy`], [`Refusal::FileServer`]: nothing gave way.
    pub(in crate::actors) fn begin(&mut self, upload: Arc<Upload>, config: &Media) -> Result<Vec<Arc<Upload>>, Refusal> {
        let (owner, bytes) = (&upload.owner, upload.reserved());
        let gave_way = self.make_room(owner, Wanted { count: 1, bytes, whole: bytes }, config)?;
        self.keep(owner, bytes);
        self.unfinished.insert(upload.file, upload);
        Ok(gave_way)
    }

    /// An upload grows to `bytes`; more is set aside for it if need be. Returns those that give way to it.
    ///
    /// # Errors
    /// [`Refusal::FileMissing`]: it was given up. Else as [`Quota::begin`].
    pub(super) fn grow(&mut self, upload: &Upload, bytes: u64, config: &Media) -> Result<Vec<Arc<Upload>>, Refusal> {
        if !self.unfinished.contains_key(&upload.file) {
            return Err(Refusal::FileMissing);
        }
        let reserved = upload.reserved();
        if bytes <= reserved {
            return Ok(Vec::new());
        }
        // Where a whole step is too much, what there is.
        let step = upload.next_step(bytes);
        let wanted = |to| Wanted { count: 0, bytes: to - reserved, whole: to };
        let (to, gave_way) = match self.make_room(&upload.owner, wanted(step), config) {
            Ok(gave_way) => (step, gave_way),
            Err(_) => (bytes, self.make_room(&upload.owner, wanted(bytes), config)?),
        };
        self.keep(&upload.owner, to - reserved);
        upload.reserved.store(to, Ordering::Relaxed);
        Ok(gave_way)
    }

    /// Makes the oldest idle uploads give way until there is room for what an upload wants.
    ///
    /// # Errors
    /// The refusal of a bound that would not hold if all of them gave way: none does.
    fn make_room(&mut self, owner: &UserId, upload: Wanted, config: &Media) -> Result<Vec<Arc<Upload>>, Refusal> {
        let mut gave_way = Vec::new();
        loop {
            let bounds = self.bounds(owner, upload, config);
            if let Some(bound) = bounds.iter().find(|bound| bound.wanted.saturating_sub(bound.idle) > bound.most) {
                return Err(bound.refusal());
            }
            let Some(bound) = bounds.iter().find(|bound| bound.wanted > bound.most) else { return Ok(gave_way) };
            let idle = self.unfinished.values().filter(|upload| bound.scope.covers(upload, owner) && upload.is_idle());
            let Some(file) = idle.min_by_key(|upload| upload.touched()).map(|upload| upload.file) else { return Err(bound.refusal()) };
            gave_way.extend(self.end(file, 0));
        }
    }

    /// Returns every bound that an upload of `owner` must keep to, with what would be there after it.
    fn bounds(&self, owner: &UserId, upload: Wanted, config: &Media) -> [Bound; 6] {
        let Wanted { count, bytes, whole } = upload;
        let of = |scope: Scope| {
            let mut sum = Sum::default();
            self.unfinished.values().filter(|upload| scope.covers(upload, owner)).for_each(|upload| sum.add(upload));
            sum
        };
        let (own, all) = (of(Scope::User), of(Scope::All));
        let kept = self.of.get(owner).copied().unwrap_or_default();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let bound = |what, scope, wanted, idle, most| Bound { what, scope, wanted, idle, most, whole };
        [
            bound("uploads_per_user_max", Scope::User, own.count + count, own.idle, number(config.uploads_per_user_max)),
            bound("uploads_max", Scope::All, all.count + count, all.idle, number(config.uploads_max)),
            bound("unfinished_bytes_per_user_max", Scope::User, own.bytes + bytes, own.idle_bytes, config.unfinished_bytes_per_user_max),
            bound("unfinished_bytes_max", Scope::All, all.bytes + bytes, all.idle_bytes, config.unfinished_bytes_max),
            bound("user_bytes_max", Scope::User, kept + bytes, own.idle_bytes, config.user_bytes_max),
            bound("total_bytes_max", Scope::All, self.total + bytes, all.idle_bytes, config.total_bytes_max),
        ]
    }

    pub(in crate::actors) fn all(&self) -> impl Iterator<Item = &Arc<Upload>> {
        self.unfinished.values()
    }

    pub(in crate::actors) fn find(&self, file: FileUid) -> Option<Arc<Upload>> {
        self.unfinished.get(&file).cloned()
    }

    /// An upload ends; `kept` bytes of it stay. Returns it, if it was under way.
    pub(in crate::actors) fn end(&mut self, file: FileUid, kept: u64) -> Option<Arc<Upload>> {
        let upload = self.unfinished.remove(&file)?;
        self.release(&upload.owner, upload.reserved());
        self.keep(&upload.owner, kept);
        Some(upload)
    }

    /// An upload ends, unless it is complete and being checked. Returns it, if it was under way.
    pub(in crate::actors) fn give_up(&mut self, file: FileUid) -> Option<Arc<Upload>> {
        if self.unfinished.get(&file)?.is_ending() { None } else { self.end(file, 0) }
    }

    /// An upload is complete; from now on nobody can give it up. False: it was given up before, or is being checked already.
    pub(in crate::actors) fn complete(&self, file: FileUid) -> bool {
        self.unfinished.get(&file).is_some_and(|upload| !upload.ending.swap(true, Ordering::SeqCst))
    }

    /// Ends uploads that wait for their first byte, or for their next part, for longer than they may. Returns them.
    pub(in crate::actors) fn give_up_stale(&mut self, now: Duration, config: &Media) -> Vec<Arc<Upload>> {
        let (unbegun, unfinished) = (Duration::from_secs(config.unbegun_seconds), Duration::from_secs(config.unfinished_seconds));
        let is_stale = |upload: &Upload| {
            let patience = if upload.has_begun() { unfinished } else { unbegun.min(unfinished) };
            now.saturating_sub(upload.touched()) >= patience && upload.is_idle()
        };
        let stale: Vec<_> = self.unfinished.values().filter(|upload| is_stale(upload)).map(|upload| upload.file).collect();
        stale.into_iter().filter_map(|file| self.end(file, 0)).collect()
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
mod tests;
