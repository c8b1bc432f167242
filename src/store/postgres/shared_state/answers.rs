//! Answers of the server API that are given again.

use crate::store::error::StoreError;
use crate::store::postgres::place::{number, unsigned};
use crate::store::postgres::read::Reader;
use crate::store::shared_state::KeptAnswer;

const FIND: &str = "SELECT fingerprint, status, content_type, body, ends_ms FROM answers WHERE caller = $1 AND key = $2 AND ends_ms > $3";
const KEEP: &str = "INSERT INTO answers (caller, key, fingerprint, status, content_type, body, ends_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (caller, key) DO UPDATE SET fingerprint = excluded.fingerprint,
        status = excluded.status, content_type = excluded.content_type, body = excluded.body, ends_ms = excluded.ends_ms";
const FORGET_ENDED: &str = "DELETE FROM answers WHERE ends_ms <= $1";
const FORGET_BEYOND: &str = "DELETE FROM answers WHERE ends_ms <= (SELECT ends_ms FROM answers ORDER BY ends_ms DESC OFFSET $1 LIMIT 1)";

pub(super) async fn find(reader: &Reader, caller: String, key: String, now_ms: u64) -> Result<Option<KeptAnswer>, StoreError> {
    let row = reader.connection().await?.row(FIND, &[&caller, &key, &number(now_ms)]).await?;
    Ok(row.map(|row| KeptAnswer {
        caller,
        key,
        fingerprint: row.get(0),
        status: u16::try_from(row.get::<_, i16>(1)).unwrap_or(500),
        content_type: row.get(2),
        body: row.get(3),
        ends_ms: unsigned(row.get(4)),
    }))
}

pub(super) async fn keep(reader: &Reader, answer: &KeptAnswer, now_ms: u64, count_max: usize) -> Result<(), StoreError> {
    let KeptAnswer { caller, key, fingerprint, status, content_type, body, ends_ms } = answer;
    let status = i16::try_from(*status).unwrap_or(i16::MAX);
    let connection = reader.connection().await?;
    connection.rows(KEEP, &[caller, key, fingerprint, &status, content_type, body, &number(*ends_ms)]).await?;
    connection.rows(FORGET_ENDED, &[&number(now_ms)]).await?;
    connection.rows(FORGET_BEYOND, &[&number(count_max as u64)]).await?;
    Ok(())
}
