//! Whether what is in the database holds together: what `tidings store check` says of it.

use serde::Serialize;
use tokio_postgres::{Client, Error};

use super::options::PostgresOptions;
use super::place::unsigned;
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

/// What must not be found: what it is called, and a question that names each.
const MISTAKES: [(&str, &str); 5] = [
    (
        "a gap or a repeated seq",
        "SELECT format('conversation %s: %s messages from %s to %s', conv, count(*), min(m.seq), max(m.seq))
         FROM messages m JOIN conversations c USING (conv) WHERE m.seq > c.whole_from GROUP BY conv
         HAVING count(*) <> max(m.seq) - min(m.seq) + 1 OR count(DISTINCT m.seq) <> count(*)",
    ),
    (
        "a head that is not the last message",
        "SELECT format('conversation %s: head %s, last message %s', c.conv, c.seq, m.seq) FROM conversations c
         JOIN LATERAL (SELECT seq, stamp, order_key FROM messages WHERE conv = c.conv ORDER BY seq DESC LIMIT 1) m ON true
         WHERE (c.seq, c.stamp, c.order_key) <> (m.seq, m.stamp, m.order_key) AND c.seq > c.whole_from",
    ),
    (
        "an order key or a stamp that does not rise",
        "SELECT format('conversation %s: at %s', conv, seq) FROM (
             SELECT conv, seq, order_key, stamp, lag(order_key) OVER w before, lag(stamp) OVER w stamp_before
             FROM messages WINDOW w AS (PARTITION BY conv ORDER BY seq)) x
         WHERE order_key <= before OR stamp <= stamp_before",
    ),
    (
        "a retry that leads nowhere",
        "SELECT format('conversation %s: %s of %s', r.conv, r.local_id, r.sender) FROM retries r JOIN conversations c USING (conv)
         WHERE r.stamp >= (SELECT coalesce(min(stamp), 0) FROM messages)
           AND NOT EXISTS (SELECT FROM messages m WHERE m.conv = r.conv AND m.seq = r.seq AND m.stamp = r.stamp)",
    ),
    (
        "a combined message whose list is gone",
        "SELECT format('conversation %s: message %s', m.conv, m.seq) FROM messages m
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
        problems.extend(rows.iter().map(|row| format!("{what}: {}", row.get::<_, &str>(0))));
    }
    Ok(DatabaseCheck { counts, problems })
}
