//! Journals of what waits to be told. One broker writes them: the one that owns the store, which each write makes sure of.

use std::sync::LazyLock;

use crate::store::error::StoreError;
use crate::store::postgres::place::{number, unsigned};
use crate::store::postgres::read::Reader;
use crate::store::postgres::writer::sql::Sql;
use crate::store::shared_state::{JournalChanges, JournalMark, JournalRow};

const MARK: &str = "SELECT next_seq, commit, following FROM journal_marks WHERE journal = $1";
const ROWS: &str = "SELECT seq, payload, note FROM journal_records WHERE journal = $1 AND seq > $2 ORDER BY seq LIMIT $3";
/// All or nothing behind the fence, which raises.
static WRITE: LazyLock<String> = LazyLock::new(|| write_text(Sql::Fence));
/// The same where several processes write the store.
static WRITE_AMONG_MANY: LazyLock<String> = LazyLock::new(|| write_text(Sql::FenceOfMany));

fn write_text(fence: Sql) -> String {
    let fence = fence.text();
    format!(
        "WITH fence(is_own) AS MATERIALIZED ({fence}),
         gone AS (DELETE FROM journal_records WHERE journal = $3 AND seq = ANY($4::int8[])),
         put AS (INSERT INTO journal_records (journal, seq, payload, note)
             SELECT $3, s, p, n FROM unnest($5::int8[], $6::bytea[], $7::bytea[]) x(s, p, n)
             ON CONFLICT (journal, seq) DO UPDATE SET payload = excluded.payload, note = excluded.note),
         noted AS (UPDATE journal_records r SET note = x.n FROM unnest($8::int8[], $9::bytea[]) x(s, n)
             WHERE r.journal = $3 AND r.seq = x.s)
         INSERT INTO journal_marks (journal, next_seq, commit, following)
             SELECT $3::text, $10::int8, $11::int8, $12::bool FROM fence WHERE is_own = 1
         ON CONFLICT (journal) DO UPDATE SET next_seq = excluded.next_seq, commit = excluded.commit, following = excluded.following"
    )
}

pub(super) async fn mark(reader: &Reader, name: &str) -> Result<Option<JournalMark>, StoreError> {
    let row = reader.connection().await?.row(MARK, &[&name]).await?;
    Ok(row.map(|row| JournalMark { next_seq: unsigned(row.get(0)), commit: unsigned(row.get(1)), following: row.get(2) }))
}

pub(super) async fn rows(reader: &Reader, name: &str, after: u64, count_max: usize) -> Result<Vec<JournalRow>, StoreError> {
    let rows = reader.connection().await?.rows(ROWS, &[&name, &number(after), &number(count_max as u64)]).await?;
    Ok(rows.iter().map(|row| JournalRow { seq: unsigned(row.get(0)), payload: row.get(1), note: row.get(2) }).collect())
}

pub(super) async fn write(
    reader: &Reader,
    name: &str,
    changes: &JournalChanges,
    mark: JournalMark,
    (shards, boot): (&[i16], i64),
) -> Result<(), StoreError> {
    let JournalChanges { put, noted, gone } = changes;
    let gone: Vec<i64> = gone.iter().copied().map(number).collect();
    let put_seqs: Vec<i64> = put.iter().map(|row| number(row.seq)).collect();
    let payloads: Vec<&[u8]> = put.iter().map(|row| row.payload.as_slice()).collect();
    let notes: Vec<Option<&[u8]>> = put.iter().map(|row| row.note.as_deref()).collect();
    let noted_seqs: Vec<i64> = noted.iter().map(|(seq, _)| number(*seq)).collect();
    let noted: Vec<&[u8]> = noted.iter().map(|(_, note)| note.as_slice()).collect();
    let JournalMark { next_seq, commit, following } = mark;
    let (next_seq, commit) = (number(next_seq), number(commit));
    let connection = reader.connection().await?;
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 12] =
        [&shards, &boot, &name, &gone, &put_seqs, &payloads, &notes, &noted_seqs, &noted, &next_seq, &commit, &following];
    let text = if reader.state.own.is_some() { &WRITE_AMONG_MANY } else { &WRITE };
    connection.rows(text, &params).await?;
    Ok(())
}
