//! Many users, groups and members at once.

use std::collections::HashMap;

use super::Reader;
use crate::model::{GroupId, GroupMember, UserId, UserProfile};
use crate::store::error::StoreError;
use crate::store::format::rows::{EntryRecord, GroupRecord};
use crate::store::postgres::message_row::from_json;
use crate::store::postgres::place::{number, unsigned};
use crate::store::types::PlaceCounts;

/// Returns the rows of users, in the order asked.
pub(in crate::store::postgres) async fn users(reader: Reader, users: Vec<UserId>) -> Result<Vec<Option<UserProfile>>, StoreError> {
    let ids: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let rows = reader.connection().await?.rows("SELECT user_id, record::text FROM users WHERE user_id = ANY($1)", &[&ids]).await?;
    let mut found: HashMap<&str, UserProfile> = HashMap::new();
    for row in &rows {
        found.insert(row.get(0), from_json(row.get(1), "a user")?);
    }
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

/// Returns the groups a user is in, each with what it made of it.
pub(in crate::store::postgres) async fn groups(reader: Reader, user: UserId) -> Result<Vec<(GroupRecord, EntryRecord)>, StoreError> {
    let text = "SELECT g.record::text, e.record::text FROM group_members m JOIN groups g ON g.group_id = m.group_id AND NOT g.dismissed
        LEFT JOIN conversations c ON c.one = m.group_id AND c.other = '' AND c.kind = 2 AND c.incarnation = 0
        LEFT JOIN entries e ON e.user_id = $1 AND e.conv = c.conv
        WHERE m.user_id = $1 ORDER BY m.group_id";
    let rows = reader.connection().await?.rows(text, &[&user.as_str()]).await?;
    let group = |row: &tokio_postgres::Row| {
        let entry: Option<&str> = row.get(1);
        Ok((from_json(row.get(0), "a group")?, entry.map(|json| from_json(json, "an entry")).transpose()?.unwrap_or_default()))
    };
    rows.iter().map(group).collect()
}

/// Returns how many rooms and groups there are.
pub(in crate::store::postgres) async fn place_counts(reader: Reader) -> Result<PlaceCounts, StoreError> {
    let text = "SELECT (SELECT count(*) FROM rooms), (SELECT count(*) FROM groups WHERE NOT dismissed)";
    let row = reader.connection().await?.row(text, &[]).await?;
    Ok(row.map_or_else(PlaceCounts::default, |row| PlaceCounts { rooms: unsigned(row.get(0)), groups: unsigned(row.get(1)) }))
}

/// Returns how many members groups have, in the order asked.
pub(in crate::store::postgres) async fn member_counts(reader: Reader, groups: Vec<GroupId>) -> Result<Vec<usize>, StoreError> {
    let ids: Vec<&str> = groups.iter().map(GroupId::as_str).collect();
    let text = "SELECT group_id, count(*) FROM group_members WHERE group_id = ANY($1) GROUP BY group_id";
    let rows = reader.connection().await?.rows(text, &[&ids]).await?;
    let counts: HashMap<&str, usize> = rows.iter().map(|row| (row.get(0), usize::try_from(row.get::<_, i64>(1)).unwrap_or(0))).collect();
    Ok(ids.iter().map(|id| counts.get(id).copied().unwrap_or(0)).collect())
}

/// Returns members of a group after one, each with its row. The page is cut before the rows are joined.
pub(in crate::store::postgres) async fn members(
    reader: Reader,
    group: GroupId,
    after: Option<UserId>,
    count_max: usize,
) -> Result<Vec<(GroupMember, Option<UserProfile>)>, StoreError> {
    let text = "WITH page AS MATERIALIZED (
            SELECT user_id, record FROM group_members WHERE group_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3)
        SELECT p.record::text, u.record::text FROM page p LEFT JOIN users u USING (user_id) ORDER BY user_id";
    let after = after.as_ref().map_or("", UserId::as_str);
    let rows = reader.connection().await?.rows(text, &[&group.as_str(), &after, &number(count_max as u64)]).await?;
    let member = |row: &tokio_postgres::Row| {
        let profile: Option<&str> = row.get(1);
        Ok((from_json(row.get(0), "a member")?, profile.map(|json| from_json(json, "a user")).transpose()?))
    };
    rows.iter().map(member).collect()
}
