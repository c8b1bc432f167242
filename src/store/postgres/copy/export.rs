//! Everything in a database as lines: one transaction reads it all as it is at one moment, page by page.

use std::io::Write;

use tokio_postgres::Client;

use super::export_week::write_week;
use super::pages::{LIVE, NAMED, each_row, file_at, head_at};
use super::{CopyError, require_tables};
use crate::model::{GroupId, RoomId, UserId};
use crate::store::backend::store_dir::FORMAT;
use crate::store::copy::lines::{LineCounts, LineWriter};
use crate::store::error::OpenError;
use crate::store::format::key::{self, META};
use crate::store::format::record::{PeriodMeta, PeriodRow, PermanentMeta};
use crate::store::format::rows::FormerMember;
use crate::store::postgres::connect::{Database, shown};
use crate::store::postgres::message_row::json;
use crate::store::postgres::options::PostgresOptions;
use crate::store::postgres::place::{conversation_at, unsigned};
use crate::store::postgres::stamp::week_of;
use crate::store::postgres::wait::own_runtime;

/// A broker that was heard within this time may serve the store.
const HEARD: &str = "10 seconds";
/// The partitioned tables, which may lose no part while they are read.
const PARTITIONED: &str = "messages, changes, reactions, receipts, replies, deletions, media_uses, retries";

/// Writes a store in a database as lines. It may be served meanwhile: what is written is the store as it was at one moment. `wrote`
/// is told how many bytes were written just now. Blocks.
///
/// # Errors
/// [`OpenError`]; [`OpenError::Io`] also for what is written to.
pub fn export_database(options: &PostgresOptions, out: &mut dyn Write, wrote: &mut dyn FnMut(u64)) -> Result<LineCounts, OpenError> {
    on_a_connection(options, async |client, place| {
        require_tables(client, place).await?;
        // The lock comes before the first look, which decides what is seen.
        client
            .batch_execute(&format!(
                "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
                 BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE {PARTITIONED} IN ACCESS SHARE MODE"
            ))
            .await?;
        let lines = write_all(client, out, wrote).await?;
        client.batch_execute("COMMIT").await?;
        Ok(lines)
    })
}

/// Refuses a store that a broker serves. Blocks.
///
/// # Errors
/// [`OpenError::InUse`] names the broker; [`OpenError::Io`]: the database cannot be reached, or holds no store.
pub fn require_unserved(options: &PostgresOptions) -> Result<(), OpenError> {
    on_a_connection(options, async |client, place| {
        require_tables(client, place).await?;
        let text = format!(
            "SELECT n.node, n.address FROM nodes n WHERE n.beat_at > clock_timestamp() - interval '{HEARD}'
             AND (EXISTS (SELECT FROM owners o WHERE o.boot = n.boot) OR EXISTS (SELECT FROM slots s WHERE s.boot = n.boot)) LIMIT 1"
        );
        match client.query_opt(&text, &[]).await? {
            Some(row) => {
                let (node, address): (&str, &str) = (row.get(0), row.get(1));
                Err(OpenError::InUse { path: format!("{place} (by {node} {address})") }.into())
            }
            None => Ok(()),
        }
    })
}

/// Does something over a connection of its own.
fn on_a_connection<T>(options: &PostgresOptions, work: impl AsyncFnOnce(&Client, &str) -> Result<T, CopyError>) -> Result<T, OpenError> {
    let place = shown(&options.url);
    let database = Database::of(options)?;
    let runtime = own_runtime(&place)?;
    let outcome = runtime.block_on(async { work(&database.connect().await?, &place).await });
    runtime.shutdown_background();
    outcome.map_err(|error| error.at(&place))
}

async fn write_all(client: &Client, out: &mut dyn Write, wrote: &mut dyn FnMut(u64)) -> Result<LineCounts, CopyError> {
    let greatest = Greatest::read(client).await?;
    let weeks = weeks(client, greatest).await?;
    let mut lines = LineWriter::begin(out, wrote, FORMAT, greatest.commit)?;
    lines.write(None, META, None, &json(&PermanentMeta::default()))?;
    write_people(client, &mut lines).await?;
    write_conversations(client, &mut lines).await?;
    let newest = weeks.last().map(|(week, _)| *week);
    for (week, counters) in &weeks {
        // Of the last one it is not known yet, as in a store where that one goes on.
        let commit = if newest == Some(*week) { 0 } else { counters.commit };
        lines.write(None, &key::period(*week), None, &json(&PeriodRow { dropping: false, commit }))?;
    }
    for (week, counters) in weeks {
        lines.write(Some(week), META, None, &json(&counters))?;
        write_week(client, &mut lines, week).await?;
    }
    Ok(lines.end()?)
}

/// What later numbers must be above.
#[derive(Debug, Clone, Copy)]
struct Greatest {
    commit: u64,
    message_id: u64,
}

impl Greatest {
    /// Reads what a take-over would begin above. What was removed meanwhile had stamps, too, which were handed out: none of them is
    /// after the database's time.
    async fn read(client: &Client) -> Result<Self, CopyError> {
        let row = client
            .query_one(
                "SELECT greatest(coalesce(max(greatest(stamp, changed)), 0), (SELECT coalesce(max(greatest(safe_stamp, mark_max)), 0) FROM nodes),
                        (SELECT coalesce(max(floor_stamp), 0) FROM owners), stamp_of(clock_timestamp())),
                    coalesce(max(message_id), 0) FROM conversations",
                &[],
            )
            .await?;
        Ok(Self { commit: unsigned(row.get(0)), message_id: unsigned(row.get(1)) })
    }
}

/// Returns the weeks that have messages, each with its counters; the last one's are those of the store. Without a message there is
/// one all the same: the counters must be somewhere.
async fn weeks(client: &Client, greatest: Greatest) -> Result<Vec<(u64, PeriodMeta)>, CopyError> {
    let (mut weeks, mut message_id) = (Vec::new(), 0);
    for row in client.query("SELECT partitions('messages_w')", &[]).await? {
        let week: i64 = row.get(0);
        let row = client.query_one(&format!("SELECT max(stamp), max(id) FROM messages_w{week}"), &[]).await?;
        if let (Some(commit), Some(id)) = (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1)) {
            message_id = unsigned(id).max(message_id);
            weeks.push((unsigned(week), PeriodMeta { commit: unsigned(commit), message_id, entries: 0 }));
        }
    }
    if weeks.is_empty() {
        weeks.push((unsigned(week_of(greatest.commit)), PeriodMeta::default()));
    }
    if let Some((_, counters)) = weeks.last_mut() {
        counters.commit = counters.commit.max(greatest.commit);
        counters.message_id = counters.message_id.max(greatest.message_id);
    }
    Ok(weeks)
}

/// Writes users, groups, rooms and files.
async fn write_people(client: &Client, lines: &mut LineWriter<'_>) -> Result<(), CopyError> {
    each_row(client, "SELECT file::text, record::text FROM media ORDER BY file", |row| {
        let file = file_at(row, 0)?;
        lines.write(None, &key::media(file), None, row.get(1))
    })
    .await?;
    each_row(client, "SELECT user_id, record::text FROM followings ORDER BY user_id", |row| {
        lines.write(None, &key::following(&UserId::trusted(row.get(0))), None, row.get(1))
    })
    .await?;
    each_row(client, "SELECT group_id, record::text FROM groups ORDER BY group_id", |row| {
        lines.write(None, &key::group(&GroupId::trusted(row.get(0))), None, row.get(1))
    })
    .await?;
    each_row(client, "SELECT group_id, user_id, record::text FROM group_members ORDER BY group_id, user_id", |row| {
        let (group, user) = (GroupId::trusted(row.get(0)), UserId::trusted(row.get(1)));
        lines.write(None, &key::membership(&user, &group), None, "null")?;
        lines.write(None, &key::member(&group, &user), None, row.get(2))
    })
    .await?;
    let former = "SELECT user_id, group_id, first_seq, last_seq, left_ms FROM former_members ORDER BY user_id, group_id";
    each_row(client, former, |row| {
        let (user, group) = (UserId::trusted(row.get(0)), GroupId::trusted(row.get(1)));
        let [first_seq, last_seq, left_ms] = [2, 3, 4].map(|at| unsigned(row.get(at)));
        let former = FormerMember { first_seq, last_seq, left_ms };
        lines.write(None, &key::membership(&user, &group), None, &json(&former))
    })
    .await?;
    each_row(client, "SELECT room_id, record::text FROM rooms ORDER BY room_id", |row| {
        lines.write(None, &key::room(&RoomId::trusted(row.get(0))), None, row.get(1))
    })
    .await?;
    each_row(client, "SELECT user_id, record::text FROM users ORDER BY user_id", |row| {
        lines.write(None, &key::user(&UserId::trusted(row.get(0))), None, row.get(1))
    })
    .await
}

/// Writes what is kept of conversations without regard to weeks.
async fn write_conversations(client: &Client, lines: &mut LineWriter<'_>) -> Result<(), CopyError> {
    let peers = format!("SELECT c.one, c.other FROM conversations c WHERE c.kind = 0 AND c.seq > 0 AND {LIVE} ORDER BY c.conv");
    each_row(client, &peers, |row| {
        let (one, other) = (UserId::trusted(row.get(0)), UserId::trusted(row.get(1)));
        lines.write(None, &key::peer(&one, &other), None, "null")?;
        if one == other { Ok(()) } else { lines.write(None, &key::peer(&other, &one), None, "null") }
    })
    .await?;
    let entries = format!(
        "SELECT {NAMED}, e.user_id, e.record::text FROM entries e JOIN conversations c USING (conv)
         WHERE e.record IS NOT NULL ORDER BY e.user_id, e.conv"
    );
    each_row(client, &entries, |row| {
        let entry_key = key::entry(&UserId::trusted(row.get(4)), &conversation_at(row, 0)?);
        lines.write(None, &entry_key, None, row.get(5))
    })
    .await?;
    let pins = format!(
        "SELECT {NAMED}, c.pins::text FROM conversations c
         WHERE c.pins::text <> '[]' AND {LIVE} ORDER BY c.conv"
    );
    each_row(client, &pins, |row| lines.write(None, &key::pins(&conversation_at(row, 0)?), None, row.get(4))).await?;
    let ended = format!(
        "SELECT {NAMED}, c.seq, c.order_key, c.stamp, c.whole_from FROM conversations c
         WHERE c.seq > 0 AND {LIVE} AND NOT EXISTS (SELECT FROM messages m WHERE m.conv = c.conv) ORDER BY c.conv"
    );
    each_row(client, &ended, |row| {
        let conversation = conversation_at(row, 0)?;
        lines.write(None, &key::head(&conversation), None, &json(&head_at(row)))
    })
    .await
}
