//! Users, groups, rooms, files, and what users made of their conversations.

use serde::de::DeserializeOwned;
use tokio_postgres::types::ToSql;

use super::Reader;
use crate::model::{Conversation, GroupId, UserId};
use crate::store::error::StoreError;
use crate::store::format::rows::{EntryRecord, FormerMember};
use crate::store::postgres::message_row::from_json;
use crate::store::postgres::place::{conversation_at, number, unsigned};

/// The records of a table, by its key.
pub(in crate::store::postgres) struct Table {
    name: &'static str,
    key: &'static str,
    /// How a text becomes a key.
    cast: &'static str,
    /// What lies before every key.
    least: &'static str,
}

const fn by_id(name: &'static str, key: &'static str) -> Table {
    Table { name, key, cast: "::text", least: "''" }
}

pub(in crate::store::postgres) const USERS: Table = by_id("users", "user_id");
pub(in crate::store::postgres) const FOLLOWINGS: Table = by_id("followings", "user_id");
pub(in crate::store::postgres) const GROUPS: Table = by_id("groups", "group_id");
pub(in crate::store::postgres) const ROOMS: Table = by_id("rooms", "room_id");
/// The nil uuid is nobody's: names are random bits.
pub(in crate::store::postgres) const MEDIA: Table =
    Table { name: "media", key: "file", cast: "::text::uuid", least: "'00000000-0000-0000-0000-000000000000'" };

/// Returns the record of a key.
pub(in crate::store::postgres) async fn record<T: DeserializeOwned>(
    reader: Reader,
    table: Table,
    key: String,
) -> Result<Option<T>, StoreError> {
    let Table { name, key: column, cast, .. } = table;
    let row = reader.connection().await?.row(&format!("SELECT record::text FROM {name} WHERE {column} = $1{cast}"), &[&key]).await?;
    row.map(|row| from_json(row.get(0), name)).transpose()
}

/// Returns the records after a key, in the order of the keys, at most `count_max`.
pub(in crate::store::postgres) async fn records_after<T: DeserializeOwned>(
    reader: Reader,
    table: Table,
    after: Option<String>,
    count_max: usize,
) -> Result<Vec<T>, StoreError> {
    let Table { name, key, cast, least } = table;
    let text = format!("SELECT record::text FROM {name} WHERE {key} > coalesce($1{cast}, {least}) ORDER BY {key} LIMIT $2");
    let rows = reader.connection().await?.rows(&text, &[&after, &number(count_max as u64)]).await?;
    rows.iter().map(|row| from_json(row.get(0), name)).collect()
}

/// Returns the records that a question gives in its first column.
pub(in crate::store::postgres) async fn records_of<T: DeserializeOwned>(
    reader: Reader,
    text: &'static str,
    params: Vec<String>,
) -> Result<Vec<T>, StoreError> {
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
    let rows = reader.connection().await?.rows(text, &params).await?;
    rows.iter().map(|row| from_json(row.get(0), "a record")).collect()
}

/// Returns everyone a user has a conversation with.
pub(in crate::store::postgres) async fn peers_of(reader: Reader, user: UserId) -> Result<Vec<UserId>, StoreError> {
    let text = "SELECT e.other_id FROM entries e JOIN conversations c ON c.conv = e.conv
        WHERE e.user_id = $1 AND e.kind = 0 AND c.seq > 0 ORDER BY e.other_id";
    let rows = reader.connection().await?.rows(text, &[&user.as_str()]).await?;
    Ok(rows.iter().map(|row| UserId::trusted(row.get(0))).collect())
}

/// Returns what a user made of a conversation.
pub(in crate::store::postgres) async fn entry(reader: Reader, user: UserId, conversation: Conversation) -> Result<EntryRecord, StoreError> {
    let text = format!("SELECT record::text FROM entries WHERE user_id = $5 AND conv = {} AND record IS NOT NULL", super::CONV);
    let row = reader.connection().await?.row_of(&conversation, &text, &[&user.as_str()]).await?;
    row.map_or(Ok(EntryRecord::default()), |row| from_json(row.get(0), "an entry"))
}

/// Returns what a user made of its conversations.
pub(in crate::store::postgres) async fn entries_of(reader: Reader, user: UserId) -> Result<Vec<(Conversation, EntryRecord)>, StoreError> {
    let text = "SELECT c.kind, c.one, c.other, c.incarnation, e.record::text FROM entries e JOIN conversations c USING (conv)
        WHERE e.user_id = $1 AND e.record IS NOT NULL";
    let rows = reader.connection().await?.rows(text, &[&user.as_str()]).await?;
    rows.iter().map(|row| Ok((conversation_at(row, 0)?, from_json(row.get(4), "an entry")?))).collect()
}

/// Returns the groups a user is in.
pub(in crate::store::postgres) async fn groups_of(reader: Reader, user: UserId) -> Result<Vec<GroupId>, StoreError> {
    let text = "SELECT group_id FROM group_members WHERE user_id = $1 ORDER BY group_id";
    let rows = reader.connection().await?.rows(text, &[&user.as_str()]).await?;
    Ok(rows.iter().map(|row| GroupId::trusted(row.get(0))).collect())
}

/// Returns the groups a user was in and is not any more.
pub(in crate::store::postgres) async fn former_groups_of(reader: Reader, user: UserId) -> Result<Vec<(GroupId, FormerMember)>, StoreError> {
    let text = "SELECT group_id, first_seq, last_seq, left_ms FROM former_members WHERE user_id = $1 ORDER BY group_id";
    let rows = reader.connection().await?.rows(text, &[&user.as_str()]).await?;
    let former = |row: &tokio_postgres::Row| {
        let [first_seq, last_seq, left_ms] = [1, 2, 3].map(|at| unsigned(row.get(at)));
        (GroupId::trusted(row.get(0)), FormerMember { first_seq, last_seq, left_ms })
    };
    Ok(rows.iter().map(former).collect())
}
