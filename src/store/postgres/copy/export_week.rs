//! What lies in the database of a week in a sled store: messages, and what belongs to them.

use tokio_postgres::{Client, Row};

use super::CopyError;
use super::pages::{LIVE, NAMED, each_large_row, each_row, file_at, head_at, place_at};
use crate::model::UserId;
use crate::store::copy::lines::LineWriter;
use crate::store::error::StoreError;
use crate::store::format::key;
use crate::store::format::record::{self, DedupEntry};
use crate::store::format::rows::{Note, NoteRecord};
use crate::store::postgres::message_row::{COLUMNS, change_of, json, message_at};
use crate::store::postgres::place::{conversation_at, unsigned};
use crate::store::postgres::stamp::week_begins;
use crate::store::postgres::writer::digest_of;

/// Writes everything of a week but its counters.
pub(super) async fn write_week(client: &Client, lines: &mut LineWriter<'_>, week: u64) -> Result<(), CopyError> {
    let (from, to) = (week_begins(week), week_begins(week + 1));
    let within = |table: &str| format!("{table}.stamp >= {from} AND {table}.stamp < {to}");
    write_heads(client, lines, week, &within("m")).await?;
    write_messages(client, lines, week, &within("m")).await?;
    write_notes(client, lines, week, &within("x")).await?;
    write_changes(client, lines, week, &within("m"), from).await?;
    let lists = format!(
        "SELECT l.list::text, l.children::text FROM lists l
         WHERE EXISTS (SELECT FROM media_uses x WHERE x.file = l.list AND {}) ORDER BY l.list",
        within("x")
    );
    each_large_row(client, &lists, |row| lines.write(Some(week), &key::held_list(file_at(row, 0)?), None, row.get(1))).await?;
    write_uses(client, lines, week, &within("x")).await
}

/// Writes each conversation's head as the week left it.
async fn write_heads(client: &Client, lines: &mut LineWriter<'_>, week: u64, within: &str) -> Result<(), CopyError> {
    // Where the loss of the last messages was accepted, the head is above those that are there.
    let lost = "c.whole_from > m.seq AND NOT EXISTS (SELECT FROM messages l WHERE l.conv = m.conv AND l.seq > m.seq)";
    let text = format!(
        "SELECT DISTINCT ON (m.conv) {NAMED}, CASE WHEN {lost} THEN c.seq ELSE m.seq END,
                CASE WHEN {lost} THEN c.order_key ELSE m.order_key END, m.stamp, c.whole_from
         FROM messages m JOIN conversations c USING (conv) WHERE {within} AND {LIVE} ORDER BY m.conv, m.seq DESC"
    );
    each_row(client, &text, |row| lines.write(Some(week), &key::head(&conversation_at(row, 0)?), None, &json(&head_at(row)))).await
}

/// Writes messages, and under which local ids they came.
async fn write_messages(client: &Client, lines: &mut LineWriter<'_>, week: u64, within: &str) -> Result<(), CopyError> {
    let text = format!(
        "SELECT {NAMED}, {COLUMNS}, r.content FROM messages m JOIN conversations c USING (conv)
         LEFT JOIN retries r ON r.conv = m.conv AND r.sender = m.sender AND r.local_id = m.local_id AND r.seq = m.seq AND r.stamp = m.stamp
         WHERE {within} AND {LIVE} ORDER BY m.conv, m.seq"
    );
    each_row(client, &text, |row| write_message(lines, week, row)).await
}

fn write_message(lines: &mut LineWriter<'_>, week: u64, row: &Row) -> Result<(), StoreError> {
    let conversation = conversation_at(row, 0)?;
    let stored = message_at(row, 4, &conversation)?;
    let message = &*stored.message;
    lines.write(Some(week), &key::message(&conversation, message.seq), Some(stored.stamp), &json(message))?;
    let Some(local_id) = &message.local_id else { return Ok(()) };
    // Of those that are not looked for any more it is not kept what they said first.
    let digest = row.get::<_, Option<&[u8]>>(14).map_or_else(|| record::digest_of(&conversation, &message.content), digest_of);
    let entry = DedupEntry { seq: message.seq, digest };
    lines.write(Some(week), &key::dedup(&conversation, &message.sender, local_id), None, &json(&entry))
}

async fn write_notes(client: &Client, lines: &mut LineWriter<'_>, week: u64, within: &str) -> Result<(), CopyError> {
    for (table, reaction, order) in [("reactions", "x.reaction", "x.reaction, x.user_id"), ("receipts", "NULL", "x.user_id")] {
        let text = format!(
            "SELECT {NAMED}, x.seq, {reaction}, x.user_id, x.at_ms FROM {table} x JOIN conversations c USING (conv)
             WHERE {within} AND {LIVE} ORDER BY x.conv, x.seq, {order}"
        );
        each_row(client, &text, |row| {
            let ((conversation, seq), user) = (place_at(row)?, UserId::trusted(row.get(6)));
            let note = match row.get::<_, Option<&str>>(5) {
                Some(reaction) => Note::Reaction(reaction.to_owned(), user),
                None => Note::Receipt(user),
            };
            let record = NoteRecord { at_ms: unsigned(row.get(7)) };
            lines.write(Some(week), &key::note(&conversation, seq, &note), None, &json(&record))
        })
        .await?;
    }
    Ok(())
}

/// Writes what was done to the week's messages, then or later.
async fn write_changes(client: &Client, lines: &mut LineWriter<'_>, week: u64, within: &str, from: u64) -> Result<(), CopyError> {
    let text = format!(
        "SELECT {NAMED}, x.seq, x.stamp, x.kind FROM changes x JOIN messages m ON m.conv = x.conv AND m.seq = x.seq
         JOIN conversations c ON c.conv = x.conv WHERE {within} AND x.stamp >= {from} AND {LIVE} ORDER BY x.conv, x.stamp"
    );
    each_row(client, &text, |row| {
        let (conversation, seq) = place_at(row)?;
        let change = (seq, change_of(row.get(6))?);
        lines.write(Some(week), &key::change(&conversation, unsigned(row.get(5))), None, &json(&change))
    })
    .await
}

/// Writes answers, uses of files and lists, and what users deleted for themselves.
async fn write_uses(client: &Client, lines: &mut LineWriter<'_>, week: u64, within: &str) -> Result<(), CopyError> {
    let of = |table: &str, columns: &str, order: &str| {
        format!(
            "SELECT {NAMED}, x.seq, {columns} FROM {table} x JOIN conversations c USING (conv) WHERE {within} AND {LIVE} ORDER BY {order}"
        )
    };
    each_row(client, &of("replies", "x.root_seq, x.stamp", "x.conv, x.root_seq, x.seq"), |row| {
        let (conversation, seq) = place_at(row)?;
        let commit = unsigned(row.get(6));
        lines.write(Some(week), &key::reply(&conversation, unsigned(row.get(5)), seq), None, &json(&commit))
    })
    .await?;
    each_row(client, &of("media_uses", "x.file::text", "x.file, x.conv, x.seq"), |row| {
        let (conversation, seq) = place_at(row)?;
        lines.write(Some(week), &key::media_use(file_at(row, 5)?, &conversation, seq), None, "null")
    })
    .await?;
    each_row(client, &of("deletions", "x.user_id", "x.user_id, x.conv, x.seq"), |row| {
        let (conversation, seq) = place_at(row)?;
        lines.write(Some(week), &key::deleted(&UserId::trusted(row.get(5)), &conversation, seq), None, "null")
    })
    .await
}
