//! The end of an import: rows that wait get their stamps and go to where they stay, and everything is looked at.

use tokio_postgres::Client;

use super::CopyError;
use super::line_row::Greatest;
use crate::model::order_key::EPOCH_MS;
use crate::model::{Body, Child, Content, FileUid, Held};
use crate::store::error::StoreError;
use crate::store::postgres::check::{DatabaseCheck, look_over};
use crate::store::postgres::message_row::{from_json, json};
use crate::store::postgres::place::{conversation_at, number, unsigned};
use crate::store::postgres::stamp::{DAY_MS, RETRY_DAYS, WEEK_MS};

/// Combined messages of format 4 that are brought to this one at once.
const OLD_LISTS: usize = 64;

/// Gives stamps: `s = max(the one before + 1, base)`, which is `n + max(base - n)` over all up to the nth. See [`copy`](super).
const STAMPS: &str = "
    CREATE TEMP TABLE new_stamps ON COMMIT DROP AS
        SELECT conv, seq, commit, is_change, n + max(base - n) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) AS stamp FROM (
            SELECT x.*, row_number() OVER (ORDER BY commit, is_change, conv, seq) n FROM (
                SELECT conv, seq, commit, base, false is_change FROM new_messages
                UNION ALL SELECT conv, seq, commit, base, true FROM new_changes) x) y;
    CREATE TEMP TABLE new_places ON COMMIT DROP AS SELECT conv, seq, stamp FROM new_stamps WHERE NOT is_change;
    ANALYZE new_stamps; ANALYZE new_places; ANALYZE new_messages; ANALYZE new_heads; ANALYZE new_entries; ANALYZE new_retries;
    ANALYZE new_notes; ANALYZE new_uses; ANALYZE new_deletions; ANALYZE conversations;";

const MESSAGES: &str = "
    INSERT INTO messages (conv, seq, stamp, id, order_key, at_ms, kind, priority, flags, mentions_all, sender, local_id, mentions, words,
            content, state)
        SELECT conv, seq, p.stamp, m.id, m.order_key, m.at_ms, m.kind, m.priority, m.flags, m.mentions_all <> 0, m.sender, m.local_id,
            CASE WHEN m.mentions IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(m.mentions::json)) END, m.words,
            m.content::json, m.state::json
        FROM new_messages m JOIN new_places p USING (conv, seq);
    INSERT INTO changes (conv, stamp, seq, kind)
        SELECT c.conv, s.stamp, c.seq, c.kind FROM new_changes c JOIN new_stamps s ON s.conv = c.conv AND s.commit = c.commit AND s.is_change
        WHERE EXISTS (SELECT FROM new_places p WHERE p.conv = c.conv AND p.seq = c.seq);
    INSERT INTO reactions (conv, seq, stamp, reaction, user_id, at_ms)
        SELECT conv, seq, stamp, reaction, user_id, at_ms FROM new_notes JOIN new_places USING (conv, seq) WHERE reaction IS NOT NULL
        ON CONFLICT DO NOTHING;
    INSERT INTO receipts (conv, seq, stamp, user_id, at_ms)
        SELECT conv, seq, stamp, user_id, at_ms FROM new_notes JOIN new_places USING (conv, seq) WHERE reaction IS NULL
        ON CONFLICT DO NOTHING;
    INSERT INTO replies (conv, root_seq, seq, stamp)
        SELECT conv, root_seq, seq, stamp FROM new_replies JOIN new_places USING (conv, seq) ON CONFLICT DO NOTHING;
    INSERT INTO deletions (user_id, conv, seq, stamp)
        SELECT user_id, conv, seq, stamp FROM new_deletions JOIN new_places USING (conv, seq) ON CONFLICT DO NOTHING;
    INSERT INTO media_uses (file, conv, seq, stamp)
        SELECT file::uuid, conv, seq, stamp FROM new_uses JOIN new_places USING (conv, seq) ON CONFLICT DO NOTHING;";

/// A message that was taken back holds no list, and a list that nobody holds is none.
const LISTS: &str = "
    DELETE FROM media_uses u USING new_lists l WHERE u.file = l.list::uuid
        AND NOT EXISTS (SELECT FROM messages m WHERE m.conv = u.conv AND m.seq = u.seq AND m.stamp = u.stamp AND m.kind = 100);
    INSERT INTO lists (list, stamp, children)
        SELECT DISTINCT ON (u.file) u.file, u.stamp, l.children::json FROM new_lists l JOIN media_uses u ON u.file = l.list::uuid
        ORDER BY u.file, u.stamp;";

/// Of what lies in several weeks the newest counts, and of heads the greatest. A conversation without a message that is kept keeps
/// the number of its last commit.
const CONVERSATIONS: &str = "
    UPDATE conversations c SET seq = h.seq, order_key = h.order_key, whole_from = h.whole_from, stamp = coalesce(p.stamp, h.commit),
            message_id = coalesce(m.id, 0), changed = coalesce(x.stamp, 0), pins = coalesce(i.pins, '[]')::json
        FROM (SELECT DISTINCT ON (conv) * FROM new_heads ORDER BY conv, seq DESC, week DESC) h
        LEFT JOIN new_places p USING (conv, seq)
        LEFT JOIN (SELECT conv, max(id) id FROM new_messages GROUP BY conv) m USING (conv)
        LEFT JOIN (SELECT conv, max(stamp) stamp FROM changes GROUP BY conv) x USING (conv)
        LEFT JOIN (SELECT DISTINCT ON (conv) conv, pins FROM new_pins ORDER BY conv, week DESC) i USING (conv)
        WHERE c.conv = h.conv;
    INSERT INTO entries (user_id, conv, kind, other_id, read_seq, read_stamp, pinned_ms, record)
        SELECT DISTINCT ON (e.user_id, e.conv) e.user_id, e.conv, e.kind, e.other_id, e.read_seq,
            CASE WHEN e.read_seq >= c.seq THEN c.stamp ELSE coalesce(p.stamp, 0) END, e.pinned_ms, e.record::json
        FROM new_entries e JOIN conversations c USING (conv) LEFT JOIN new_places p ON p.conv = e.conv AND p.seq = e.read_seq
        ORDER BY e.user_id, e.conv, e.week DESC;
    INSERT INTO entries (user_id, conv, kind, other_id)
        SELECT one, conv, 0, other FROM conversations WHERE kind = 0 AND seq > 0
        UNION ALL SELECT other, conv, 0, one FROM conversations WHERE kind = 0 AND seq > 0
        ON CONFLICT DO NOTHING;
    INSERT INTO followings (user_id, record)
        SELECT DISTINCT ON (user_id) user_id, record::json FROM new_followings ORDER BY user_id, week DESC;";

/// Moves everything to where it stays, lets go of the store that `boot` owns, and checks it. The caller commits.
pub(super) async fn settle(client: &Client, boot: i64, greatest: Greatest) -> Result<DatabaseCheck, CopyError> {
    let twice = "SELECT kind, one, other, incarnation, x.seq FROM (
                     SELECT conv, seq FROM new_messages GROUP BY conv, seq HAVING count(*) > 1 LIMIT 1) x JOIN conversations USING (conv)";
    if let Some(row) = client.query_opt(twice, &[]).await? {
        let (conversation, seq) = (conversation_at(&row, 0)?, row.get::<_, i64>(4));
        return Err(StoreError::Damaged(format!("message {seq} of {conversation} is there twice")).into());
    }
    hold_old_lists(client).await?;
    client.batch_execute(STAMPS).await?;
    let week = periods_at("stamp", WEEK_MS);
    client.batch_execute(&format!("SELECT make_week(week) FROM (SELECT DISTINCT {week} week FROM new_stamps) x")).await?;
    for text in [MESSAGES, LISTS, CONVERSATIONS] {
        client.batch_execute(text).await?;
    }
    keep_retries(client).await?;
    let (commit, message_id) = (number(greatest.commit), number(greatest.message_id));
    let id_of_all = "UPDATE conversations SET message_id = greatest(message_id, $1)
        WHERE conv = (SELECT conv FROM conversations ORDER BY message_id DESC, conv LIMIT 1)";
    client.execute(id_of_all, &[&message_id]).await?;
    let floor = "UPDATE owners SET boot = NULL,
        floor_stamp = greatest(floor_stamp, $1, (SELECT max(stamp) FROM new_stamps), (SELECT max(stamp) FROM conversations))";
    client.execute(floor, &[&commit]).await?;
    client.execute("DELETE FROM nodes WHERE boot = $1", &[&boot]).await?;
    client.batch_execute("ANALYZE messages; ANALYZE retries; ANALYZE entries; ANALYZE conversations; ANALYZE media_uses").await?;
    let found = look_over(client).await?;
    if found.problems.is_empty() { Ok(found) } else { Err(StoreError::Damaged(found.problems.join("; ")).into()) }
}

/// Returns how many periods of that length lie between 1970 and a stamp.
fn periods_at(stamp: &str, length_ms: u64) -> String {
    format!("(({stamp} >> 11) + {EPOCH_MS}) / {length_ms}")
}

/// Keeps the local ids by which a retry is recognised: those of the days before the newest message in which one is looked for.
async fn keep_retries(client: &Client) -> Result<(), CopyError> {
    let text = format!(
        "CREATE TEMP TABLE new_days ON COMMIT DROP AS
            SELECT r.conv, r.sender, r.local_id, r.seq, r.content, p.stamp, ({day})::int4 AS day
            FROM new_retries r JOIN new_places p USING (conv, seq)
            WHERE {day} >= (SELECT {newest} FROM new_stamps) - {days};
         SELECT make_day(day) FROM (SELECT DISTINCT day FROM new_days) x;
         INSERT INTO retries (conv, sender, local_id, day, seq, stamp, content)
            SELECT conv, sender, local_id, day, seq, stamp, decode(content, 'hex') FROM new_days ON CONFLICT DO NOTHING",
        day = periods_at("p.stamp", DAY_MS),
        newest = periods_at("max(stamp)", DAY_MS),
        days = RETRY_DAYS + 1,
    );
    Ok(client.batch_execute(&text).await?)
}

/// Makes lists of what combined messages of format 4 held, whose children lay beside them.
async fn hold_old_lists(client: &Client) -> Result<(), CopyError> {
    let none = client.query_one("SELECT NOT EXISTS (SELECT FROM new_children)", &[]).await?;
    if none.get(0) {
        return Ok(());
    }
    client.batch_execute("CREATE INDEX ON new_messages (conv, seq); CREATE INDEX ON new_children (conv, seq)").await?;
    let text = format!(
        "SELECT conv, seq, m.id, m.content, c.children FROM new_children c JOIN new_messages m USING (conv, seq)
         WHERE (conv, seq) > ($1, $2) ORDER BY conv, seq LIMIT {OLD_LISTS}"
    );
    let mut after = (0i64, 0i64);
    loop {
        let rows = client.query(&text, &[&after.0, &after.1]).await?;
        for row in &rows {
            after = (row.get(0), row.get(1));
            let (list, mut content) = (FileUid::from_bits(unsigned(row.get(2)).into()), from_json::<Content>(row.get(3), "a message")?);
            let children: Vec<Child> = from_json(row.get(4), "a list of combined messages")?;
            let Body::Combine(combine) = &mut content.body else { continue };
            if combine.held.is_some() {
                continue;
            }
            combine.held = Some(Box::new(Held::of(list, Vec::new(), &children)));
            let (name, content, children) = (list.to_string(), json(&content), json(&children));
            client.execute("UPDATE new_messages SET content = $3 WHERE conv = $1 AND seq = $2", &[&after.0, &after.1, &content]).await?;
            client.execute("INSERT INTO new_lists VALUES ($1, $2)", &[&name, &children]).await?;
            client.execute("INSERT INTO new_uses (conv, seq, file) VALUES ($1, $2, $3)", &[&after.0, &after.1, &name]).await?;
        }
        if rows.len() < OLD_LISTS {
            return Ok(());
        }
    }
}
