//! The audit log.

use crate::store::error::StoreError;
use crate::store::postgres::place::{number, unsigned, without_nul};
use crate::store::postgres::read::Reader;
use crate::store::shared_state::AuditRow;

const ADD: &str = "INSERT INTO audit (at_ms, who, action, target, status)
    SELECT a, w, c, t, s FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::int2[])
        WITH ORDINALITY x(a, w, c, t, s, n) ORDER BY n";
const FORGET: &str = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - $1";
const PAGE: &str = "SELECT id, at_ms, who, action, target, status FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2";

pub(super) async fn add(reader: &Reader, entries: &[AuditRow], rows_max: u64) -> Result<(), StoreError> {
    let times: Vec<i64> = entries.iter().map(|entry| number(entry.at_ms)).collect();
    let texts = |text: fn(&AuditRow) -> &String| -> Vec<String> { entries.iter().map(|entry| without_nul(text(entry))).collect() };
    let (who, actions, targets) = (texts(|entry| &entry.who), texts(|entry| &entry.action), texts(|entry| &entry.target));
    let statuses: Vec<i16> = entries.iter().map(|entry| i16::try_from(entry.status).unwrap_or(i16::MAX)).collect();
    let connection = reader.connection().await?;
    connection.rows(ADD, &[&times, &who, &actions, &targets, &statuses]).await?;
    connection.rows(FORGET, &[&number(rows_max)]).await?;
    Ok(())
}

pub(super) async fn page(reader: &Reader, before: Option<u64>, count_max: usize) -> Result<Vec<AuditRow>, StoreError> {
    let (before, count) = (before.map_or(i64::MAX, number), number(count_max as u64));
    let rows = reader.connection().await?.rows(PAGE, &[&before, &count]).await?;
    let entries = rows.iter().map(|row| AuditRow {
        id: unsigned(row.get(0)),
        at_ms: unsigned(row.get(1)),
        who: row.get(2),
        action: row.get(3),
        target: row.get(4),
        status: u16::try_from(row.get::<_, i16>(5)).unwrap_or(0),
    });
    Ok(entries.collect())
}
