//! Whether what is in the database holds together: what `tidings store check` says of it.

use serde::Serialize;
use tokio_postgres::{Client, Error};

use super::options::PostgresOptions;
use super::place::{conversation_at, unsigned};
use super::status::ask;
use crate::store::error::OpenError;

/// At most so many problems of a kind are named.
const NAMED_MAX: i64 = 20;

/// What is in a store, and what does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseCheck {
    /// Rows by table.
    pub counts: Vec<(String, u64)>,
    /// What is wrong, one line each; empty: nothing is.
    pub problems: Vec<String>,
}

/// What must not be found: what it is called, and a question that names each: kind, one, other, incarnation and number of its
/// conversation, and what is wrong with it.
const MISTAKES: [(&str, &str); 5] = [
    (
        "a gap or a repeated seq",
        "SELECT kind, one, other, incarnation, conv, said FROM conversations JOIN (
             SELECT conv, format('%s messages from %s to %s', count(*), min(m.seq), max(m.seq)) said
             FROM messages m JOIN conversations c USING (conv) WHERE m.seq > c.whole_from GROUP BY conv
             HAVING count(*) <> max(m.seq) - min(m.seq) + 1 OR count(DISTINCT m.seq) <> count(*)) x USING (conv)",
    ),
    (
        "a head that is not the last message",
        "SELECT c.kind, c.one, c.other, c.incarnation, c.conv, format('head %s, last message %s', c.seq, m.seq) FROM conversations c
         JOIN LATERAL (SELECT seq, stamp, order_key FROM messages WHERE conv = c.conv ORDER BY seq DESC LIMIT 1) m ON true
         WHERE (c.seq, c.stamp, c.order_key) <> (m.seq, m.stamp, m.order_key) AND c.seq > c.whole_from",
    ),
    (
        "an order key or a stamp that does not rise",
        "SELECT c.kind, c.one, c.other, c.incarnation, c.conv, format('at message %s', x.seq) FROM (
             SELECT conv, seq, order_key, stamp, lag(order_key) OVER w before, lag(stamp) OVER w stamp_before
             FROM messages WINDOW w AS (PARTITION BY conv ORDER BY seq)) x JOIN conversations c USING (conv)
         WHERE x.order_key <= before OR x.stamp <= stamp_before",
    ),
    (
        "a retry that leads nowhere",
        "SELECT c.kind, c.one, c.other, c.incarnation, c.conv, format('%s of %s', r.local_id, r.sender) FROM retries r JOIN conversations c USING (conv)
         WHERE r.stamp >= (SELECT coalesce(min(stamp), 0) FROM messages)
           AND NOT EXISTS (SELECT FROM messages m WHERE m.conv = r.conv AND m.seq = r.seq AND m.stamp = r.stamp)",
    ),
    (
        "a combined message whose list is gone",
        "SELECT c.kind, c.one, c.other, c.incarnation, c.conv, format('message %s', m.seq) FROM messages m JOIN conversations c USING (conv)
         WHERE m.kind = 100 AND NOT EXISTS (SELECT FROM lists l WHERE l.list = (m.content->'body'->'Combine'->'held'->>'list')::uuid)",
    ),
];

/// Counts and checks everything. Reads all messages; changes nothing. Blocks, perhaps for minutes.
///
/// # Errors
/// [`OpenError::Io`]: the database cannot be reached, or holds no store.
pub fn check_database(options: &PostgresOptions) -> Result<DatabaseCheck, OpenError> {
    ask(options, |client| async move {
        // One view of all tables, and as long as it takes.
        client.batch_execute("SET statement_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let found = look_over(&client).await?;
        client.batch_execute("COMMIT").await?;
        Ok(found)
    })
}

/// The same in a transaction that has begun.
pub(super) async fn look_over(client: &Client) -> Result<DatabaseCheck, Error> {
    let mut counts = Vec::new();
    for table in ["users", "groups", "group_members", "rooms", "conversations", "messages", "retries", "lists", "media"] {
        let row = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?;
        counts.push((table.to_owned(), unsigned(row.get(0))));
    }
    let mut problems = Vec::new();
    for (what, question) in MISTAKES {
        let rows = client.query(&format!("{question} LIMIT {NAMED_MAX}"), &[]).await?;
        problems.extend(rows.iter().map(|row| {
            let conversation = conversation_at(row, 0).map_or_else(|error| error.to_string(), |conversation| conversation.to_string());
            format!("{what}: {conversation} (conv {}): {}", row.get::<_, i64>(4), row.get::<_, &str>(5))
        }));
    }
    Ok(DatabaseCheck { counts, problems })
}
