//! A store in a database made of exported lines, in one transaction: what fails leaves nothing.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Client;

use super::CopyError;
use super::line_row::{Greatest, take};
use super::settle::settle;
use super::staging::{Batch, Sender, WAITING};
use crate::clock::SystemClock;
use crate::store::copy::lines::LineReader;
use crate::store::error::OpenError;
use crate::store::postgres::check::DatabaseCheck;
use crate::store::postgres::connect::{innermost, shown};
use crate::store::postgres::options::PostgresOptions;
use crate::store::postgres::ownership;
use crate::store::postgres::standby::{Standby, within};

/// Lines of a batch.
const BATCH_LINES: usize = 2000;
/// A batch is sent when its lines reach this, bytes.
const BATCH_BYTES: usize = 4 << 20;
/// How much longer than an owner's lease it is waited for one that may have died.
const BESIDES_LEASE: Duration = Duration::from_secs(1);
/// Where there is a row in one of these, there is a store.
const TABLES: [&str; 11] =
    ["users", "followings", "groups", "group_members", "former_members", "rooms", "media", "conversations", "entries", "messages", "lists"];

/// Makes a store of exported lines in a database where none is, and checks all of it.
///
/// Tables are made first, if need be. No broker takes the store meanwhile. `read` is told how many bytes were read just now. Blocks.
///
/// # Errors
/// [`OpenError::NotEmpty`]: there is a store. [`OpenError::InUse`]: a broker owns it. [`OpenError::Damaged`] names the line, or what
/// does not hold together; [`OpenError::NewerFormat`]: of lines, or of the tables. Whatever it is, nothing is written then but empty
/// tables.
pub fn import_database(options: &PostgresOptions, from: &mut dyn BufRead, read: &mut dyn FnMut(u64)) -> Result<DatabaseCheck, OpenError> {
    let place = shown(&options.url);
    let mut lines = LineReader::begin(from, read, place.clone())?;
    let standby = Standby::join(options.clone(), Arc::new(SystemClock::new()))?;
    let imported = claim_and_load(&standby, &mut lines);
    // After a success it is gone already.
    if let Err(error) = standby.runtime.block_on(let_go(&standby)) {
        tracing::debug!(error = innermost(&error), "it was not said that the import ended");
    }
    standby.runtime.shutdown_background();
    imported
}

fn claim_and_load(standby: &Standby, lines: &mut LineReader<'_>) -> Result<DatabaseCheck, OpenError> {
    let place = &standby.place;
    let empty = standby.runtime.block_on(async { require_empty(&standby.database.connect().await?, place).await });
    empty.map_err(|error| error.at(place))?;
    let claim = standby.claim(within(standby.options.lease + BESIDES_LEASE))?;
    let loaded = standby.runtime.block_on(async {
        let client = standby.database.connect().await?;
        let loaded = load(&client, standby, claim.shards, lines).await;
        if loaded.is_err() {
            client.batch_execute("ROLLBACK").await?;
        }
        loaded
    });
    loaded.map_err(|error| error.at(place))
}

async fn let_go(standby: &Standby) -> Result<(), tokio_postgres::Error> {
    ownership::release(&standby.database.connect_local().await?, standby.boot).await
}

async fn require_empty(client: &Client, place: &str) -> Result<(), CopyError> {
    let any: Vec<String> = TABLES.iter().map(|table| format!("EXISTS (SELECT FROM {table})")).collect();
    let row = client.query_one(&format!("SELECT {}", any.join(" OR ")), &[]).await?;
    if row.get(0) { Err(OpenError::NotEmpty { path: place.to_owned() }.into()) } else { Ok(()) }
}

/// Reads all lines into the database.
async fn load(client: &Client, standby: &Standby, shards: i16, lines: &mut LineReader<'_>) -> Result<DatabaseCheck, CopyError> {
    client
        .batch_execute(
            "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
             SET plan_cache_mode = auto; SET work_mem = '64MB'; BEGIN",
        )
        .await?;
    // Nobody claims the store while these rows are locked.
    let owned = client.query("SELECT FROM owners WHERE boot = $1 FOR UPDATE", &[&standby.boot]).await?.len();
    if owned != usize::try_from(shards).unwrap_or(0) {
        return Err(OpenError::InUse { path: standby.place.clone() }.into());
    }
    require_empty(client, &standby.place).await?;
    client.batch_execute(WAITING).await?;
    let (mut sender, mut greatest, mut is_end) = (Sender::new(shards), Greatest::default(), false);
    while !is_end {
        let (mut batch, mut count, mut bytes) = (Batch::default(), 0, 0);
        while count < BATCH_LINES && bytes < BATCH_BYTES && !is_end {
            is_end = lines.next(|line| take(&line, &mut batch, &mut greatest))?.is_none();
            count += 1;
            bytes += lines.last_bytes();
        }
        sender.send(client, batch).await?;
    }
    let found = settle(client, standby.boot, greatest).await?;
    client.batch_execute("COMMIT").await?;
    Ok(found)
}
