//! Between batches: partitions ahead of time, removals in small steps, retention.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use crate::store::postgres::connect::innermost;
use crate::store::postgres::stamp::{DAY_MS, RETRY_DAYS, WEEK_MS, day_of, week_of};

/// Rows of one step of a removal.
const STEP_ROWS: i64 = 1000;
/// The tables whose rows go with a conversation, with what names a row there besides it.
const OF_CONVERSATION: [(&str, &str); 7] = [
    ("messages", "seq"),
    ("retries", "sender, local_id, day"),
    ("changes", "stamp"),
    ("reactions", "seq, reaction, user_id"),
    ("receipts", "seq, user_id"),
    ("replies", "root_seq, seq"),
    ("media_uses", "file, seq"),
];
/// Partitions are made this many weeks and days ahead.
const AHEAD: u8 = 2;
/// How long making partitions ahead of time may hold up a batch, milliseconds, and how often it is tried. Whoever reads the tables in one
/// long transaction, as an export or `pg_dump` does, lets none be made.
const AHEAD_LOCK_MS: u32 = 200;
const AHEAD_EVERY: Duration = Duration::from_secs(60);

/// Up to where there are partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Made {
    week: i64,
    day: i32,
    /// When those ahead were tried last and could not be made, by the monotonic clock.
    tried: Option<Duration>,
}

impl Made {
    /// Returns whether a stamp of now has its partitions, and those so many weeks and days ahead of it.
    fn covers(&self, stamp: u64, ahead: u8) -> bool {
        week_of(stamp) + i64::from(ahead) <= self.week && day_of(stamp) + i32::from(ahead) <= self.day
    }
}

/// Makes the partitions of a stamp, if need be, and those ahead, if that can be. `now`: of the monotonic clock.
pub(super) async fn keep_ahead(client: &Client, made: &mut Made, stamp: u64, now: Duration) -> Result<(), Error> {
    if made.covers(stamp, AHEAD) {
        return Ok(());
    }
    if !made.covers(stamp, 0) {
        *made = make_partitions(client, stamp).await?;
        return Ok(());
    }
    if made.tried.is_none_or(|tried| now.saturating_sub(tried) >= AHEAD_EVERY) {
        match make_within(client, stamp, &format!("SET LOCAL lock_timeout = {AHEAD_LOCK_MS};")).await {
            Ok(all) => *made = all,
            Err(error) if error.is_closed() => return Err(error),
            Err(error) => {
                made.tried = Some(now);
                tracing::warn!(error = innermost(&error), "partitions ahead of time wait: somebody reads the tables for long");
            }
        }
    }
    Ok(())
}

/// So often, and with such pauses, something is tried at the start.
const FIRST_TRIES: u32 = 50;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Tries of something at the start, while other processes that start may be in the way: one makes tables, the others read them.
#[derive(Default)]
pub(super) struct FirstTries(u32);

impl FirstTries {
    /// Returns whether it is to be tried again after an error, when it is time for that.
    pub(super) async fn again(&mut self, error: &Error) -> bool {
        self.0 += 1;
        let again = is_in_the_way(error) && self.0 < FIRST_TRIES;
        if again {
            tokio::time::sleep(FIRST_PAUSE).await;
        }
        again
    }
}

/// Returns whether another process had the same in hand.
fn is_in_the_way(error: &Error) -> bool {
    matches!(error.code(), Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE))
}

/// Makes the partitions around a stamp. All processes take turns.
pub(super) async fn make_partitions(client: &Client, stamp: u64) -> Result<Made, Error> {
    let mut tries = FirstTries::default();
    loop {
        match make_within(client, stamp, "").await {
            Err(error) if tries.again(&error).await => {}
            outcome => return outcome,
        }
    }
}

/// The same with settings of the transaction.
async fn make_within(client: &Client, stamp: u64, settings: &str) -> Result<Made, Error> {
    let made = Made { week: week_of(stamp) + i64::from(AHEAD), day: day_of(stamp) + i32::from(AHEAD), tried: None };
    let outcome = client
        .batch_execute(&format!(
            "BEGIN; {settings} SELECT pg_advisory_xact_lock({lock});
             SELECT make_week(w) FROM generate_series({from_week}, {to_week}) w;
             SELECT make_day(d::int4) FROM generate_series({from_day}, {to_day}) d; COMMIT",
            lock = crate::store::postgres::migrate::LOCK,
            from_week = week_of(stamp),
            to_week = made.week,
            from_day = day_of(stamp),
            to_day = made.day,
        ))
        .await;
    if outcome.as_ref().is_err_and(|error| !error.is_closed()) {
        // The connection is the writer's, and would stay in the transaction that failed.
        client.batch_execute("ROLLBACK").await?;
    }
    outcome.map(|()| made)
}

/// Removes the next part of a conversation; returns whether it is all gone now.
pub(super) async fn remove_some(client: &Client, conv: i64) -> Result<bool, Error> {
    for (table, columns) in OF_CONVERSATION {
        let text = format!(
            "DELETE FROM {table} WHERE conv = $1 AND ({columns}) IN (SELECT {columns} FROM {table} WHERE conv = $1 LIMIT {STEP_ROWS})"
        );
        if client.execute(&text, &[&conv]).await? > 0 {
            return Ok(false);
        }
    }
    drop_lists(client).await?;
    client
        .execute(
            "WITH gone AS (DELETE FROM conversations WHERE conv = $1 RETURNING kind),
                  ends AS (DELETE FROM entries WHERE conv = $1 AND EXISTS (SELECT FROM gone WHERE kind <> 1)),
                  hidden AS (DELETE FROM deletions WHERE conv = $1 AND EXISTS (SELECT FROM gone WHERE kind <> 1))
             DELETE FROM removals WHERE conv = $1",
            &[&conv],
        )
        .await?;
    Ok(true)
}

/// Deletes lists that no message holds.
async fn drop_lists(client: &Client) -> Result<(), Error> {
    client.execute("SELECT drop_lists()", &[]).await?;
    Ok(())
}

/// Returns the conversations whose removal was begun and not ended, each with its shard. `among`: in these shards; none: in all.
pub(super) async fn unfinished(client: &Client, among: Option<&[i16]>) -> Result<Vec<(i64, i16)>, Error> {
    let text = "SELECT r.conv, coalesce(c.shard, 0::int2) FROM removals r LEFT JOIN conversations c USING (conv)
        WHERE $1::int2[] IS NULL OR c.shard = ANY($1) ORDER BY r.begun_at";
    Ok(client.query(text, &[&among]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Deletes the oldest week that has messages, if the one after it began before the retention did; returns whether there was one. The
/// next one's beginning counts, as with every other engine: what was stored while a clock stood wrong is kept as long as what came
/// when it was set right. The week of the newest message stays. It waits for readers, on a connection of its own and not for long.
pub(super) async fn sweep(client: &Client, now_ms: u64, retention_days: u64, newest_stamp: u64) -> Result<bool, Error> {
    drop_days(client, now_ms, newest_stamp).await?;
    let kept_from_ms = now_ms.saturating_sub(retention_days.saturating_mul(DAY_MS));
    let mut oldest = None;
    for row in client.query("SELECT partitions('messages_w')", &[]).await? {
        let week: i64 = row.get(0);
        let begins_ms = u64::try_from(week).unwrap_or(0).saturating_mul(WEEK_MS);
        if week > week_of(newest_stamp) || begins_ms >= kept_from_ms {
            return Ok(false);
        }
        let text = format!("SELECT EXISTS (SELECT FROM messages_w{week})");
        let has_messages: bool = client.query_one(&text, &[]).await?.get(0);
        match oldest {
            None if has_messages => oldest = Some(week),
            // Nothing was ever said in it, or all of it is removed.
            None => drop(client.execute("SELECT drop_week($1)", &[&week]).await?),
            Some(oldest) if has_messages => {
                client.execute("SELECT drop_week($1)", &[&oldest]).await?;
                drop_lists(client).await?;
                return Ok(true);
            }
            Some(_) => {}
        }
    }
    Ok(false)
}

/// Deletes the days in which no retry is looked for any more.
async fn drop_days(client: &Client, now_ms: u64, newest_stamp: u64) -> Result<(), Error> {
    let today = i32::try_from((now_ms / DAY_MS).min(i32::MAX as u64)).unwrap_or(i32::MAX).min(day_of(newest_stamp));
    for row in client.query("SELECT partitions('retries_d')", &[]).await? {
        let day = i32::try_from(row.get::<_, i64>(0)).unwrap_or(i32::MAX);
        if day < today - RETRY_DAYS - 1 {
            client.execute("SELECT drop_day($1)", &[&day]).await?;
        }
    }
    Ok(())
}
