//! The tables: made at the first start, brought forward at a later one, never back.
//!
//! Each file under `migrations/` is one step and is never edited once it was released: its checksum is compared. All processes that
//! start at once take turns by an advisory lock; each step is one transaction.

use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, Transaction};

use super::connect::{Database, refused};
use super::options::PostgresOptions;
use super::place::shard_of;
use crate::model::{Conversation, RoomId, hex};
use crate::store::error::OpenError;

/// All steps; the version is the position, from 1.
const STEPS: [&str; 3] =
    [include_str!("migrations/0001_tables.sql"), include_str!("migrations/0002_shards.sql"), include_str!("migrations/0003_alone.sql")];
/// With this version the shard of a room hangs on its id alone.
const SHARDS_OF_ROOMS: i32 = 2;
/// Names the advisory lock of those who migrate: "tidings" in letters.
pub(super) const LOCK: i64 = 0x0074_6964_696e_6773;
/// The version of the tables that this program writes.
pub(crate) const VERSION: u32 = 3;
const _: () = assert!(STEPS.len() == VERSION as usize, "a step is missing, or the version");

/// Connects and brings the tables forward. `place` names the database in errors.
pub(super) async fn bring_forward(options: &PostgresOptions, database: &Database, place: &str) -> Result<Client, OpenError> {
    let mut client = database.connect_local().await.map_err(|error| refused(place, &error))?;
    let shards = i16::try_from(options.shards.clamp(1, 1024)).unwrap_or(1024);
    migrate(&mut client, place, shards).await?;
    Ok(client)
}

async fn migrate(client: &mut Client, place: &str, shards: i16) -> Result<(), OpenError> {
    let failed = |error| refused(place, &error);
    require_version(client, place).await?;
    // Other processes may be at it; they need as long as they need.
    client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await.map_err(failed)?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(failed)?;
    let outcome = run_steps(client, place, shards).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.map_err(failed)?;
    client.batch_execute("RESET statement_timeout; RESET lock_timeout").await.map_err(failed)?;
    outcome
}

/// Refuses a server that is too old, or one that only reads.
async fn require_version(client: &Client, place: &str) -> Result<(), OpenError> {
    let failed = |error| refused(place, &error);
    let row = client.query_one("SELECT current_setting('server_version_num')::int, pg_is_in_recovery()", &[]).await.map_err(failed)?;
    let (version, only_reads): (i32, bool) = (row.get(0), row.get(1));
    if version < 150_000 {
        let reason = format!("PostgreSQL {} is too old, 15 or later is needed", version / 10_000);
        return Err(OpenError::Io { path: place.to_owned(), reason });
    }
    if only_reads {
        let reason = "this server is a replica that only reads; name the primary, or add target_session_attrs=read-write".to_owned();
        return Err(OpenError::Io { path: place.to_owned(), reason });
    }
    Ok(())
}

async fn run_steps(client: &mut Client, place: &str, shards: i16) -> Result<(), OpenError> {
    let failed = |error| refused(place, &error);
    client
        .batch_execute(
            "CREATE SCHEMA IF NOT EXISTS tidings;
             CREATE TABLE IF NOT EXISTS tidings.migrations
               (version int PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())",
        )
        .await
        .map_err(failed)?;
    let applied = client.query("SELECT version, checksum FROM tidings.migrations ORDER BY version", &[]).await.map_err(failed)?;
    let newest = applied.last().map_or(0, |row| row.get::<_, i32>(0));
    if u32::try_from(newest).unwrap_or(0) > VERSION {
        return Err(OpenError::NewerFormat { path: place.to_owned(), found: u32::try_from(newest).unwrap_or(0), known: VERSION });
    }
    for row in &applied {
        let (version, checksum): (i32, String) = (row.get(0), row.get(1));
        let step = usize::try_from(version - 1).ok().and_then(|at| STEPS.get(at));
        if step.is_none_or(|step| checksum_of(step) != checksum) {
            let reason = format!("migration {version} in the database is not the one of this program");
            return Err(OpenError::Damaged { path: place.to_owned(), reason });
        }
    }
    for (at, step) in STEPS.iter().enumerate().skip(applied.len()) {
        let version = i32::try_from(at + 1).unwrap_or(i32::MAX);
        let transaction = client.transaction().await.map_err(failed)?;
        transaction.batch_execute(step).await.map_err(failed)?;
        if version == SHARDS_OF_ROOMS {
            move_rooms(&transaction).await.map_err(failed)?;
        }
        let row = "INSERT INTO tidings.migrations (version, checksum) VALUES ($1, $2)";
        transaction.execute(row, &[&version, &checksum_of(step)]).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        tracing::info!(version, "the tables in the database are of this version now");
    }
    found(client, shards).await.map_err(failed)
}

/// Writes down the shards of the rooms' conversations anew. What they were before matters to nobody: one process owned all.
async fn move_rooms(transaction: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    let Some(store) = transaction.query_opt("SELECT shards FROM store", &[]).await? else { return Ok(()) };
    let rows = transaction.query("SELECT DISTINCT one FROM conversations WHERE kind = 1", &[]).await?;
    let (mut rooms, mut shards) = (Vec::new(), Vec::new());
    for row in rows {
        let room = RoomId::trusted(row.get(0));
        shards.push(shard_of(&Conversation::Room(room.clone(), 0), store.get(0)));
        rooms.push(room.to_string());
    }
    let text =
        "UPDATE conversations c SET shard = x.shard FROM unnest($1::text[], $2::int2[]) x(room, shard) WHERE c.kind = 1 AND c.one = x.room";
    transaction.execute(text, &[&rooms, &shards]).await?;
    Ok(())
}

/// Writes the identity of the store and the rows of its shards, once.
async fn found(client: &Client, shards: i16) -> Result<(), tokio_postgres::Error> {
    client.execute("INSERT INTO store (shards) VALUES ($1) ON CONFLICT DO NOTHING", &[&shards]).await?;
    client.execute("INSERT INTO owners (shard) SELECT generate_series(0, shards - 1)::int2 FROM store ON CONFLICT DO NOTHING", &[]).await?;
    Ok(())
}

fn checksum_of(step: &str) -> String {
    hex(&Sha256::digest(step.as_bytes()))
}
