//! What lies beside messages: notes, pins, answers, changes, uses of files, lists.

use super::messages::message;
use super::{CONV, Reader};
use crate::model::{Body, Child, Conversation, FileUid, Held, UserId, child_at};
use crate::store::error::StoreError;
use crate::store::format::rows::{ChangeKind, Note, NoteRecord, Pin};
use crate::store::postgres::message_row::{change_of, from_json};
use crate::store::postgres::place::{conversation_at, number, unsigned};

pub(in crate::store::postgres) fn notes_text() -> String {
    format!(
        "SELECT reaction, user_id, at_ms FROM reactions WHERE conv = {CONV} AND seq = $5
         UNION ALL SELECT NULL, user_id, at_ms FROM receipts WHERE conv = {CONV} AND seq = $5
         ORDER BY 1 NULLS LAST, 2"
    )
}

/// Returns the notes on a message, receipts last, each kind by name.
pub(in crate::store::postgres) async fn notes(
    reader: Reader,
    conversation: Conversation,
    seq: u64,
) -> Result<Vec<(Note, NoteRecord)>, StoreError> {
    let connection = reader.connection().await?;
    let rows = connection.rows_of(&conversation, &notes_text(), &[&number(seq)]).await?;
    let note = |row: tokio_postgres::Row| {
        let user = UserId::trusted(row.get(1));
        let note = match row.get::<_, Option<String>>(0) {
            Some(reaction) => Note::Reaction(reaction, user),
            None => Note::Receipt(user),
        };
        (note, NoteRecord { at_ms: unsigned(row.get(2)) })
    };
    Ok(rows.into_iter().map(note).collect())
}

/// Returns the pinned messages of a conversation.
pub(in crate::store::postgres) async fn pins(reader: Reader, conversation: Conversation) -> Result<Vec<Pin>, StoreError> {
    let connection = reader.connection().await?;
    let text = "SELECT pins::text FROM conversations WHERE kind = $1 AND one = $2 AND other = $3 AND incarnation = $4";
    let row = connection.row_of(&conversation, text, &[]).await?;
    row.map_or(Ok(Vec::new()), |row| from_json(row.get(0), "pins"))
}

pub(in crate::store::postgres) fn replies_text() -> String {
    format!("SELECT seq FROM replies WHERE conv = {CONV} AND root_seq = $5 ORDER BY seq")
}

/// Returns the seqs of the answers below a message, ascending.
pub(in crate::store::postgres) async fn replies(reader: Reader, conversation: Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError> {
    let connection = reader.connection().await?;
    let rows = connection.rows_of(&conversation, &replies_text(), &[&number(root_seq)]).await?;
    Ok(rows.iter().map(|row| unsigned(row.get(0))).collect())
}

/// Returns what was done to which messages after a stamp, each pair once, the latest last.
pub(in crate::store::postgres) async fn changes(
    reader: Reader,
    conversation: Conversation,
    after: u64,
    count_max: usize,
) -> Result<Vec<(u64, ChangeKind)>, StoreError> {
    let connection = reader.connection().await?;
    let text =
        format!("SELECT seq, kind, max(stamp) FROM changes WHERE conv = {CONV} AND stamp > $5 GROUP BY seq, kind ORDER BY 3 DESC LIMIT $6");
    let rows = connection.rows_of(&conversation, &text, &[&number(after), &number(count_max as u64)]).await?;
    rows.iter().rev().map(|row| Ok((unsigned(row.get(0)), change_of(row.get(1))?))).collect()
}

/// Returns where a file was stored with a message, the newest first.
pub(in crate::store::postgres) async fn media_uses(
    reader: Reader,
    file: FileUid,
    count_max: usize,
) -> Result<Vec<(Conversation, u64)>, StoreError> {
    let connection = reader.connection().await?;
    let text = "SELECT c.kind, c.one, c.other, c.incarnation, u.seq FROM
        (SELECT conv, seq, stamp FROM media_uses WHERE file = $1::text::uuid ORDER BY stamp DESC LIMIT $2) u
        JOIN conversations c USING (conv) ORDER BY u.stamp DESC";
    let rows = connection.rows(text, &[&file.to_string(), &number(count_max as u64)]).await?;
    rows.iter().map(|row| Ok((conversation_at(row, 0)?, unsigned(row.get(4))))).collect()
}

/// Returns what a message holds, if it is a combined one that is kept.
async fn held(reader: &Reader, conversation: Conversation, seq: u64) -> Result<Option<Box<Held>>, StoreError> {
    let stored = message(reader.clone(), conversation, seq).await?;
    Ok(stored.and_then(|stored| match &stored.message.content.body {
        Body::Combine(combine) => combine.held.clone(),
        _ => None,
    }))
}

/// Returns the children of a combined message.
pub(in crate::store::postgres) async fn children(reader: Reader, conversation: Conversation, seq: u64) -> Result<Vec<Child>, StoreError> {
    let Some(held) = held(&reader, conversation, seq).await? else { return Ok(Vec::new()) };
    let connection = reader.connection().await?;
    let row = connection.row("SELECT children::text FROM lists WHERE list = $1::text::uuid", &[&held.list.to_string()]).await?;
    let list: Option<Vec<Child>> = row.map(|row| from_json(row.get(0), "a list of combined messages")).transpose()?;
    Ok(list.and_then(|list| child_at(list, &held.path)).unwrap_or_default())
}

/// Returns about how many bytes [`children`] reads.
pub(in crate::store::postgres) async fn children_bytes(reader: Reader, conversation: Conversation, seq: u64) -> Result<usize, StoreError> {
    let Some(held) = held(&reader, conversation, seq).await? else { return Ok(0) };
    let connection = reader.connection().await?;
    let text = "SELECT octet_length(children::text)::int8 FROM lists WHERE list = $1::text::uuid";
    let row = connection.row(text, &[&held.list.to_string()]).await?;
    Ok(row.map_or(0, |row| usize::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
}
