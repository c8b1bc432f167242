//! Journals of what waits to be told. One broker writes them: the one that owns the store, which each write makes sure of. Where
//! several work at a time each has its own, named after it, and whoever lives takes over what the dead left.

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

/// Journals of the dead are locked first: whoever comes second finds them gone. A process that holds no slot writes no more.
static ADOPT: LazyLock<String> = LazyLock::new(|| adopt_text(Sql::Fence));
/// The same where several processes write the store.
static ADOPT_AMONG_MANY: LazyLock<String> = LazyLock::new(|| adopt_text(Sql::FenceOfMany));

fn adopt_text(fence: Sql) -> String {
    let fence = fence.text();
    format!(
        "WITH fence(is_own) AS MATERIALIZED ({fence}),
         orphaned AS MATERIALIZED (SELECT journal FROM journal_marks, fence WHERE is_own = 1 AND journal <> $4
             AND (journal = $3 OR starts_with(journal, $3 || '@'))
             AND NOT EXISTS (SELECT FROM slots WHERE slots.boot::text = split_part(journal, '@', 2))
             ORDER BY journal FOR UPDATE OF journal_marks),
         adopted AS MATERIALIZED (SELECT r.journal, r.seq, row_number() OVER (ORDER BY r.journal, r.seq) - 1 AS n
             FROM journal_records r JOIN orphaned o ON o.journal = r.journal ORDER BY r.journal, r.seq LIMIT $6),
         moved AS (UPDATE journal_records r SET journal = $4, seq = $5 + n FROM adopted a
             WHERE r.journal = a.journal AND r.seq = a.seq RETURNING 1),
         mark AS (INSERT INTO journal_marks (journal, next_seq, commit, following)
             SELECT $4::text, $5::int8 + count(*), 0, false FROM adopted HAVING count(*) > 0
             ON CONFLICT (journal) DO UPDATE SET next_seq = excluded.next_seq),
         emptied AS (DELETE FROM journal_marks m USING orphaned o WHERE m.journal = o.journal AND (SELECT count(*) FROM adopted) < $6)
         SELECT count(*) FROM moved"
    )
}

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

pub(super) async fn adopt(
    reader: &Reader,
    (kind, into): (&str, &str),
    (from_seq, count_max): (u64, u64),
    (shards, boot): (&[i16], i64),
) -> Result<u64, StoreError> {
    let (from_seq, count_max) = (number(from_seq), number(count_max));
    let text = if reader.state.own.is_some() { &ADOPT_AMONG_MANY } else { &ADOPT };
    let row = reader.connection().await?.row(text, &[&shards, &boot, &kind, &into, &from_seq, &count_max]).await?;
    Ok(row.map_or(0, |row| unsigned(row.get(0))))
}
