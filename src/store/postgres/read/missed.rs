//! What a user missed in all its conversations, in one question each.

use super::{Reader, deleted_by};
use crate::model::{Conversation, UserId};
use crate::store::coarse::{ChangedPart, Missed, MissedPart, MissedQuery};
use crate::store::error::StoreError;
use crate::store::postgres::message_row::{COLUMNS, change_of, message_at};
use crate::store::postgres::place::{conversation_at, number, unsigned};

/// The conversations of a user that were written to, or changed, after a stamp; `$1` the user, `$2` the stamp.
fn places(moved: &str) -> String {
    format!(
        "SELECT c.conv, c.kind, c.one, c.other, c.incarnation, 1::int8 first_seq, e.cleared_seq, e.deletes
         FROM entries e JOIN conversations c ON c.conv = e.conv WHERE e.user_id = $1 AND e.kind = 0 AND c.{moved} > $2
         UNION ALL
         SELECT c.conv, c.kind, c.one, c.other, c.incarnation, (m.record->>'first_seq')::int8, e.cleared_seq, e.deletes
         FROM group_members m JOIN conversations c ON c.one = m.group_id AND c.other = '' AND c.kind = 2 AND c.incarnation = 0
         LEFT JOIN entries e ON e.user_id = $1 AND e.conv = c.conv WHERE m.user_id = $1 AND c.{moved} > $2"
    )
}

pub(in crate::store::postgres) fn missed_text() -> String {
    let (places, deleted) = (places("stamp"), deleted_by("$1"));
    format!(
        "WITH place AS MATERIALIZED ({places}
            UNION ALL SELECT c.conv, c.kind, c.one, c.other, c.incarnation, 1::int8, NULL, NULL
            FROM rooms r JOIN conversations c ON c.one = r.room_id AND c.other = '' AND c.kind = 1 AND c.incarnation = r.incarnation
            WHERE r.room_id = ANY($3::text[]) AND c.stamp > $2)
        SELECT p.kind, p.one, p.other, p.incarnation, greatest(p.first_seq, coalesce(p.cleared_seq, 0) + 1), {COLUMNS}
        FROM place p JOIN messages m ON m.conv = p.conv AND m.seq >= greatest(p.first_seq, coalesce(p.cleared_seq, 0) + 1)
        WHERE m.stamp > $2 AND m.stamp <= $4 AND m.at_ms >= $5
          AND NOT (coalesce(p.deletes, false) AND {deleted})
        ORDER BY p.conv, m.seq LIMIT $6"
    )
}

/// Returns what was stored after a stamp.
pub(in crate::store::postgres) async fn missed(reader: Reader, user: UserId, query: MissedQuery) -> Result<Missed, StoreError> {
    let rooms: Vec<&str> = query.rooms.iter().map(crate::model::RoomId::as_str).collect();
    let (after, up_to, since_ms) = (number(query.after), number(query.up_to), number(query.since_ms));
    // One more than is wanted, to know whether there is more.
    let count = number(query.count_max as u64).saturating_add(1);
    let connection = reader.connection().await?;
    let rows = connection.rows(&missed_text(), &[&user.as_str(), &after, &rooms, &up_to, &since_ms, &count]).await?;
    let mut missed = Missed { parts: Vec::new(), cut: rows.len() > query.count_max };
    let mut bytes = 0;
    for row in rows.iter().take(query.count_max) {
        let (conversation, first_seq) = (conversation_at(row, 0)?, unsigned(row.get(4)));
        let stored = message_at(row, 5, &conversation)?;
        bytes += stored.bytes;
        if bytes > query.bytes_max {
            missed.cut = true;
            break;
        }
        match missed.parts.last_mut().filter(|part| part.conversation == conversation) {
            Some(part) => part.messages.push((stored.stamp, stored.message)),
            None => missed.parts.push(MissedPart { conversation, first_seq, messages: vec![(stored.stamp, stored.message)] }),
        }
    }
    Ok(missed)
}

pub(in crate::store::postgres) fn changed_text() -> String {
    let places = places("changed");
    format!(
        "WITH place AS MATERIALIZED ({places})
        SELECT p.kind, p.one, p.other, p.incarnation, p.first_seq, x.kind, {COLUMNS}
        FROM place p JOIN LATERAL (
            SELECT seq, kind, max(stamp) latest FROM changes WHERE conv = p.conv AND stamp > $2 GROUP BY seq, kind ORDER BY latest DESC LIMIT $3
        ) x ON x.seq >= p.first_seq
        JOIN messages m ON m.conv = p.conv AND m.seq = x.seq
        ORDER BY p.conv, x.latest"
    )
}

/// Returns what was done to messages after a stamp.
pub(in crate::store::postgres) async fn changed(
    reader: Reader,
    user: UserId,
    after: u64,
    count_max: usize,
) -> Result<Vec<ChangedPart>, StoreError> {
    let connection = reader.connection().await?;
    let rows = connection.rows(&changed_text(), &[&user.as_str(), &number(after), &number(count_max as u64)]).await?;
    let mut parts: Vec<ChangedPart> = Vec::new();
    for row in &rows {
        let conversation: Conversation = conversation_at(row, 0)?;
        let change = (change_of(row.get(5))?, message_at(row, 6, &conversation)?.message);
        match parts.last_mut().filter(|part| part.conversation == conversation) {
            Some(part) => part.changes.push(change),
            None => parts.push(ChangedPart { conversation, first_seq: unsigned(row.get(4)), changes: vec![change] }),
        }
    }
    Ok(parts)
}
