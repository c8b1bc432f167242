//! The engine as [`Rows`].

use super::Engine;
use super::job::Job;
use super::read::{beside, records};
use crate::model::{Conversation, FileUid, GroupId, GroupMember, MediaRecord, RoomId, UserId, UserProfile};
use crate::store::backend::Space;
use crate::store::coarse::Overview;
use crate::store::error::StoreError;
use crate::store::format::rows::{EntryRecord, FormerMember, GroupRecord, RoomRecord};
use crate::store::format::{key, record};
use crate::store::traits::Rows;
use crate::store::types::{Done, RowWrite};

impl Engine {
    fn row<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        records::row(self.backend(), Space::Permanent, key)
    }

    /// Returns every group of a user's list, and what it may still see of those it left.
    fn memberships(&self, user: &UserId) -> Result<Vec<(GroupId, Option<FormerMember>)>, StoreError> {
        records::rows(self.backend(), key::memberships(user), |key, value| {
            let former: Option<FormerMember> = record::decode(key, value)?;
            let group = key::split_membership(key).ok_or_else(|| StoreError::Damaged("a membership's key cannot be read".into()))?;
            Ok((group, former))
        })
    }
}

/// The loops do: each read costs microseconds here.
impl<T: AsRef<Engine> + Send + Sync + 'static> Overview for T {}

impl<T: AsRef<Engine> + Send + Sync + 'static> Rows for T {
    fn apply(&self, rows: Vec<RowWrite>, done: Done<()>) {
        self.as_ref().submit(Job::Rows(rows, done));
    }

    fn entry(&self, user: &UserId, conversation: &Conversation) -> Result<EntryRecord, StoreError> {
        records::newest_or_permanent(self.as_ref().backend(), &key::entry(user, conversation))
    }

    fn entries_of(&self, user: &UserId) -> Result<Vec<(Conversation, EntryRecord)>, StoreError> {
        beside::entries_of(self.as_ref().backend(), user)
    }

    fn following(&self, user: &UserId) -> Result<Vec<(UserId, u64)>, StoreError> {
        records::newest_or_permanent(self.as_ref().backend(), &key::following(user))
    }

    fn user(&self, user: &UserId) -> Result<Option<UserProfile>, StoreError> {
        self.as_ref().row(&key::user(user))
    }

    fn users_after(&self, user: Option<&UserId>, count_max: usize) -> Result<Vec<UserProfile>, StoreError> {
        records::first_rows(self.as_ref().backend(), key::users_after(user), count_max)
    }

    fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        self.as_ref().row(&key::room(room))
    }

    fn rooms(&self) -> Result<Vec<RoomRecord>, StoreError> {
        records::rows(self.as_ref().backend(), key::rooms(), record::decode)
    }

    fn group(&self, group: &GroupId) -> Result<Option<GroupRecord>, StoreError> {
        self.as_ref().row(&key::group(group))
    }

    fn groups_after(&self, group: Option<&GroupId>, count_max: usize) -> Result<Vec<GroupRecord>, StoreError> {
        records::first_rows(self.as_ref().backend(), key::groups_after(group), count_max)
    }

    fn group_members(&self, group: &GroupId) -> Result<Vec<GroupMember>, StoreError> {
        records::rows(self.as_ref().backend(), key::members(group), record::decode)
    }

    fn group_member(&self, group: &GroupId, user: &UserId) -> Result<Option<GroupMember>, StoreError> {
        self.as_ref().row(&key::member(group, user))
    }

    fn groups_of(&self, user: &UserId) -> Result<Vec<GroupId>, StoreError> {
        let memberships = self.as_ref().memberships(user)?;
        Ok(memberships.into_iter().filter_map(|(group, former)| former.is_none().then_some(group)).collect())
    }

    fn former_groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, FormerMember)>, StoreError> {
        let memberships = self.as_ref().memberships(user)?;
        Ok(memberships.into_iter().filter_map(|(group, former)| former.map(|former| (group, former))).collect())
    }

    fn media(&self, file: FileUid) -> Result<Option<MediaRecord>, StoreError> {
        self.as_ref().row(&key::media(file))
    }

    fn media_after(&self, file: Option<FileUid>, count_max: usize) -> Result<Vec<MediaRecord>, StoreError> {
        records::first_rows(self.as_ref().backend(), key::media_after(file), count_max)
    }
}
