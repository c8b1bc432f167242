//! A user's list of conversations, in one question.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{Reader, deleted_by};
use crate::model::{Conversation, MentionKind, UserId};
use crate::store::coarse::{LastMessage, Listed, MENTIONS_MAX, Mentioned, VisiblePart};
use crate::store::error::StoreError;
use crate::store::format::rows::{EntryRecord, Tail};
use crate::store::postgres::message_row::{COLUMNS, from_json, message_at};
use crate::store::postgres::place::{Columns, conversation_at, number, unsigned};

/// Everything a user has a part in, or of it the conversations of two `$5` and `$6` and the groups `$7`: those of two, the groups it is
/// in, those it left.
fn places_text(of_some: bool) -> String {
    let some = |condition: &'static str| if of_some { condition } else { "" };
    let of_peers = some(
        "AND e.conv = ANY(ARRAY(SELECT n.conv FROM unnest($5::text[], $6::text[]) x(one, other)
             JOIN conversations n ON n.one = x.one AND n.other = x.other AND n.kind = 0 AND n.incarnation = 0))",
    );
    let of_groups = some("AND m.group_id = ANY($7::text[])");
    let of_left_groups = some("AND f.group_id = ANY($7::text[])");
    let of_entry = "e.record, e.pinned_ms, e.read_stamp, e.read_seq, e.cleared_seq, e.order_key_min, e.deletes";
    format!(
        "SELECT c.conv, c.kind, c.one, c.other, c.incarnation, c.seq, c.order_key, c.stamp, {of_entry}, e.other_id,
                1::int8 first_seq, 0::int8 joined_seq, NULL::int8 end_seq, 0::int8 left_ms
         FROM entries e JOIN conversations c ON c.conv = e.conv
         WHERE e.user_id = $1 AND e.kind = 0 AND c.seq > 0 {of_peers}
         UNION ALL
         SELECT c.conv, 2::int2, m.group_id, '', 0::int8, coalesce(c.seq, 0), coalesce(c.order_key, 0), coalesce(c.stamp, 0),
                {of_entry}, m.group_id, (m.record->>'first_seq')::int8, (m.record->>'joined_seq')::int8, NULL, 0
         FROM group_members m LEFT JOIN conversations c ON c.one = m.group_id AND c.other = '' AND c.kind = 2 AND c.incarnation = 0
         LEFT JOIN entries e ON e.user_id = $1 AND e.conv = c.conv WHERE m.user_id = $1 {of_groups}
         UNION ALL
         SELECT c.conv, 2::int2, f.group_id, '', 0::int8, coalesce(c.seq, 0), coalesce(c.order_key, 0), coalesce(c.stamp, 0),
                {of_entry}, f.group_id, f.first_seq, 0, f.last_seq, f.left_ms
         FROM former_members f LEFT JOIN conversations c ON c.one = f.group_id AND c.other = '' AND c.kind = 2 AND c.incarnation = 0
         LEFT JOIN entries e ON e.user_id = $1 AND e.conv = c.conv WHERE f.user_id = $1 {of_left_groups}"
    )
}

/// Where a conversation ends is told as of `$4`, the last commit that this process was told of: what is newer is about to be told live,
/// and must not be known before. Of few conversations there is anything newer; `earlier` is looked for in those alone: seq, order key
/// and stamp of the last message that was told of.
///
/// The page is cut first; names are looked up, and what is unread is counted, for what is on it. `read_stamp` keeps each count to the
/// weeks that matter.
pub(in crate::store::postgres) fn list_text() -> String {
    text_of(&places_text(false))
}

/// The same of some conversations.
pub(in crate::store::postgres) fn listed_text() -> String {
    text_of(&places_text(true))
}

fn text_of(places: &str) -> String {
    let deleted = deleted_by("$1");
    format!(
        "WITH place AS MATERIALIZED (
            SELECT *, coalesce(pinned_ms, 0) > 0 pinned,
                   greatest(order_key, CASE WHEN seq > 0 THEN coalesce(order_key_min, 0) END) place_key
            FROM (SELECT conv, kind, one, other, incarnation, record, pinned_ms, read_stamp, read_seq, cleared_seq, order_key_min, deletes,
                         other_id, first_seq, joined_seq, end_seq, left_ms, coalesce(earlier[1], seq) seq,
                         coalesce(earlier[2], order_key) order_key, coalesce(earlier[3], stamp) stamp
                  FROM (SELECT *, CASE WHEN stamp > $4 THEN coalesce(
                            (SELECT ARRAY[m.seq, m.order_key, m.stamp] FROM messages m WHERE m.conv = y.conv AND m.stamp <= $4
                             ORDER BY m.seq DESC LIMIT 1), ARRAY[0, 0, stamp]) END earlier
                        FROM ({places}) y) x) p
            WHERE kind <> 0 OR seq > 0
            ORDER BY pinned DESC, place_key DESC, kind, one, other
            LIMIT $2)
        SELECT p.kind, p.one, p.other, p.incarnation, p.seq, p.order_key, p.stamp, p.record::text, coalesce(u.name, g.name, ''),
               coalesce(u.avatar_url, g.record->'info'->>'avatar_url', ''), p.first_seq, p.joined_seq, p.end_seq, p.left_ms,
               unread.count, unread.mentions::text,
               CASE WHEN p.end_seq < p.seq THEN (SELECT m.order_key FROM messages m WHERE m.conv = p.conv AND m.seq = p.end_seq) END
        FROM (SELECT *, greatest(coalesce(read_seq, 0), coalesce(cleared_seq, 0), joined_seq, first_seq - 1) read_to FROM place) p
        LEFT JOIN users u ON p.kind = 0 AND u.user_id = p.other_id
        LEFT JOIN groups g ON p.kind = 2 AND g.group_id = p.other_id
        LEFT JOIN LATERAL (
            SELECT count(*) FILTER (WHERE m.sender <> $1 AND m.flags & 2 = 0) count,
                   json_agg(json_build_array(m.seq, m.id, m.sender, m.mentions_all, coalesce($1 = ANY(m.mentions), false)) ORDER BY m.seq)
                       FILTER (WHERE (m.mentions_all OR $1 = ANY(m.mentions)) AND m.sender <> $1 AND m.flags & 4 = 0) mentions
            FROM messages m
            WHERE p.end_seq IS NULL AND p.seq > p.read_to AND m.conv = p.conv AND m.seq > greatest(p.read_to, p.seq - $3)
              AND m.seq <= p.seq AND m.stamp > coalesce(p.read_stamp, 0) AND m.stamp <= p.stamp
              AND NOT (coalesce(p.deletes, false) AND {deleted})
        ) unread ON true
        ORDER BY p.pinned DESC, p.place_key DESC, p.kind, p.one, p.other"
    )
}

/// Returns a user's list.
pub(in crate::store::postgres) async fn list(
    reader: Reader,
    user: UserId,
    conversations_max: usize,
    unread_max: u64,
) -> Result<Vec<Listed>, StoreError> {
    let connection = reader.connection().await?;
    let told = number(reader.state.told_of_all());
    let (count, unread) = (number(conversations_max as u64), number(unread_max));
    let rows = connection.rows(&list_text(), &[&user.as_str(), &count, &unread, &told]).await?;
    rows.iter().map(|row| listed_at(row, unread_max)).collect()
}

/// Returns some conversations of a user's list.
pub(in crate::store::postgres) async fn listed(
    reader: Reader,
    user: UserId,
    conversations: Vec<Conversation>,
    unread_max: u64,
) -> Result<Vec<Option<Listed>>, StoreError> {
    let (mut ones, mut others, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for conversation in &conversations {
        match conversation {
            Conversation::Peer(one, other) => {
                ones.push(one.as_str());
                others.push(other.as_str());
            }
            Conversation::Group(group) => groups.push(group.as_str()),
            Conversation::Room(..) => {}
        }
    }
    let connection = reader.connection().await?;
    let told = number(reader.state.told_of_all());
    let params: [&(dyn ToSql + Sync); 7] = [&user.as_str(), &i64::MAX, &number(unread_max), &told, &ones, &others, &groups];
    let rows = connection.rows(&listed_text(), &params).await?;
    let found = rows.iter().map(|row| listed_at(row, unread_max).map(|listed| (listed.conversation.clone(), listed)));
    let found: HashMap<Conversation, Listed> = found.collect::<Result<_, _>>()?;
    Ok(conversations.iter().map(|conversation| found.get(conversation).cloned()).collect())
}

fn listed_at(row: &Row, unread_max: u64) -> Result<Listed, StoreError> {
    let record: Option<&str> = row.get(7);
    let record: EntryRecord = record.map(|json| from_json(json, "an entry")).transpose()?.unwrap_or_default();
    let record = EntryRecord { read_seq: record.read_seq.max(unsigned(row.get(11))), ..record };
    let end_seq: Option<u64> = row.get::<_, Option<i64>>(12).map(unsigned);
    let [seq, order_key, commit] = [4, 5, 6].map(|at| unsigned(row.get(at)));
    let tail = (seq > 0).then(|| match end_seq.filter(|end| *end < seq) {
        Some(end) => Tail { seq: end, order_key: row.get::<_, Option<i64>>(16).map_or(0, unsigned), commit },
        None => Tail { seq, order_key, commit },
    });
    let mentions: Option<&str> = row.get(15);
    Ok(Listed {
        conversation: conversation_at(row, 0)?,
        record,
        name: row.get(8),
        avatar_url: row.get(9),
        first_seq: unsigned(row.get(10)),
        end_seq,
        left_ms: unsigned(row.get(13)),
        tail,
        unread: row.get::<_, Option<i64>>(14).map_or(0, unsigned).min(unread_max),
        mentions: mentions.map(mentioned).transpose()?.unwrap_or_default(),
    })
}

fn mentioned(json: &str) -> Result<Vec<Mentioned>, StoreError> {
    let all: Vec<(u64, u64, String, bool, bool)> = from_json(json, "mentions")?;
    let newest = &all[all.len().saturating_sub(MENTIONS_MAX)..];
    Ok(newest
        .iter()
        .map(|(seq, message_id, from, all, by_name)| Mentioned {
            kind: match (by_name, all) {
                (true, true) => MentionKind::AllAndMe,
                (true, false) => MentionKind::Me,
                (false, _) => MentionKind::All,
            },
            from: UserId::trusted(from),
            message_id: *message_id,
            seq: *seq,
        })
        .collect())
}

/// Where the whole conversation is seen, the last message is the head's: one week. Elsewhere it is looked for.
pub(in crate::store::postgres) fn last_messages_text() -> String {
    let deleted = deleted_by("$1");
    format!(
        "WITH part AS MATERIALIZED (
            SELECT x.*, c.conv, c.seq tail, c.stamp, c.pins FROM unnest($2::int8[], $3::int2[], $4::text[], $5::text[], $6::int8[],
                $7::int8[], $8::int8[], $9::bool[]) x(at, kind, one, other, incarnation, first_seq, end_seq, deletes)
            JOIN conversations c ON c.one = x.one AND c.other = x.other AND c.kind = x.kind AND c.incarnation = x.incarnation)
        SELECT p.at, p.pins::text, {COLUMNS} FROM part p JOIN messages m ON m.conv = p.conv AND m.seq = p.tail AND m.stamp = p.stamp
        WHERE NOT p.deletes AND p.end_seq >= p.tail AND p.first_seq <= p.tail AND p.stamp <= $10
        UNION ALL
        SELECT p.at, p.pins::text, {COLUMNS} FROM part p JOIN LATERAL (
            SELECT * FROM messages m WHERE m.conv = p.conv AND m.seq >= p.first_seq AND m.seq <= least(p.end_seq, p.tail) AND m.stamp <= least(p.stamp, $10)
              AND NOT (p.deletes AND {deleted})
            ORDER BY m.seq DESC LIMIT 1) m ON true
        WHERE p.deletes OR p.end_seq < p.tail OR p.stamp > $10"
    )
}

/// Returns the last message of each part.
pub(in crate::store::postgres) async fn last_messages(
    reader: Reader,
    user: UserId,
    parts: Vec<VisiblePart>,
) -> Result<Vec<Option<LastMessage>>, StoreError> {
    let Columns { kinds, ones, others, incarnations } = Columns::of(parts.iter().map(|part| &part.conversation));
    let ats: Vec<i64> = (0..parts.len() as u64).map(number).collect();
    let firsts: Vec<i64> = parts.iter().map(|part| number(part.first_seq)).collect();
    let ends: Vec<i64> = parts.iter().map(|part| number(part.end_seq.unwrap_or(u64::MAX))).collect();
    let deletes: Vec<bool> = parts.iter().map(|part| part.deletes).collect();
    let user = user.as_str();
    let told = number(reader.state.told_of_all());
    let params: [&(dyn ToSql + Sync); 10] = [&user, &ats, &kinds, &ones, &others, &incarnations, &firsts, &ends, &deletes, &told];
    let rows = reader.connection().await?.rows(&last_messages_text(), &params).await?;
    let mut found: Vec<Option<LastMessage>> = vec![None; parts.len()];
    for row in rows {
        let at = usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX);
        let (Some(part), Some(place)) = (parts.get(at), found.get_mut(at)) else { continue };
        let stored = message_at(&row, 2, &part.conversation)?;
        *place = Some(LastMessage { message: stored.message, pins: from_json(row.get(1), "pins")? });
    }
    Ok(found)
}
