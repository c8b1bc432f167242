//! The store as [`Rows`].

use super::PostgresStore;
use super::read::rows::{self, FOLLOWINGS, GROUPS, MEDIA, ROOMS, USERS};
use super::writer::job::{Job, Waiting, Work};
use crate::model::{Conversation, FileUid, GroupId, GroupMember, MediaRecord, RoomId, UserId, UserProfile};
use crate::store::error::StoreError;
use crate::store::format::rows::{EntryRecord, FormerMember, GroupRecord, RoomRecord};
use crate::store::traits::Rows;
use crate::store::types::{Done, RowWrite};

impl Rows for PostgresStore {
    fn apply(&self, rows: Vec<RowWrite>, done: Done<()>) {
        self.queue.push(|_| Job::Write(Work::Rows(rows), Waiting::Rows(done)));
    }

    fn entry(&self, user: &UserId, conversation: &Conversation) -> Result<EntryRecord, StoreError> {
        self.reader.wait(|reader| rows::entry(reader, user.clone(), conversation.clone()))
    }

    fn entries_of(&self, user: &UserId) -> Result<Vec<(Conversation, EntryRecord)>, StoreError> {
        self.reader.wait(|reader| rows::entries_of(reader, user.clone()))
    }

    fn following(&self, user: &UserId) -> Result<Vec<(UserId, u64)>, StoreError> {
        Ok(self.reader.wait(|reader| rows::record(reader, FOLLOWINGS, user.to_string()))?.unwrap_or_default())
    }

    fn user(&self, user: &UserId) -> Result<Option<UserProfile>, StoreError> {
        self.reader.wait(|reader| rows::record(reader, USERS, user.to_string()))
    }

    fn users_after(&self, user: Option<&UserId>, count_max: usize) -> Result<Vec<UserProfile>, StoreError> {
        self.reader.wait(|reader| rows::records_after(reader, USERS, user.map(ToString::to_string), count_max))
    }

    fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        self.reader.wait(|reader| rows::record(reader, ROOMS, room.to_string()))
    }

    fn rooms(&self) -> Result<Vec<RoomRecord>, StoreError> {
        self.reader.wait(|reader| rows::records_after(reader, ROOMS, None, usize::MAX))
    }

    fn group(&self, group: &GroupId) -> Result<Option<GroupRecord>, StoreError> {
        self.reader.wait(|reader| rows::record(reader, GROUPS, group.to_string()))
    }

    fn groups_after(&self, group: Option<&GroupId>, count_max: usize) -> Result<Vec<GroupRecord>, StoreError> {
        self.reader.wait(|reader| rows::records_after(reader, GROUPS, group.map(ToString::to_string), count_max))
    }

    fn group_members(&self, group: &GroupId) -> Result<Vec<GroupMember>, StoreError> {
        let text = "SELECT record::text FROM group_members WHERE group_id = $1 ORDER BY user_id";
        self.reader.wait(|reader| rows::records_of(reader, text, vec![group.to_string()]))
    }

    fn group_member(&self, group: &GroupId, user: &UserId) -> Result<Option<GroupMember>, StoreError> {
        let text = "SELECT record::text FROM group_members WHERE group_id = $1 AND user_id = $2";
        let members: Vec<GroupMember> =
            self.reader.wait(|reader| rows::records_of(reader, text, vec![group.to_string(), user.to_string()]))?;
        Ok(members.into_iter().next())
    }

    fn groups_of(&self, user: &UserId) -> Result<Vec<GroupId>, StoreError> {
        self.reader.wait(|reader| rows::groups_of(reader, user.clone()))
    }

    fn former_groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, FormerMember)>, StoreError> {
        self.reader.wait(|reader| rows::former_groups_of(reader, user.clone()))
    }

    fn media(&self, file: FileUid) -> Result<Option<MediaRecord>, StoreError> {
        self.reader.wait(|reader| rows::record(reader, MEDIA, file.to_string()))
    }

    fn media_after(&self, file: Option<FileUid>, count_max: usize) -> Result<Vec<MediaRecord>, StoreError> {
        self.reader.wait(|reader| rows::records_after(reader, MEDIA, file.map(|file| file.to_string()), count_max))
    }
}
