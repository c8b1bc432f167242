//! What can be said of a shared store from outside, and of its database: for whoever operates it. Nothing is changed.

use std::time::Duration;

use serde::Serialize;
use tokio_postgres::Client;

use super::connect::{Database, refused, shown};
use super::options::PostgresOptions;
use super::place::unsigned;
use super::wait::wait_alone;
use crate::clock::{Clock, SystemClock};
use crate::store::error::OpenError;

/// The brokers that share a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Into how many parts the store is divided.
    pub shards: u64,
    /// How often another broker took over, all shards' counts summed up and divided by their number.
    pub epoch: u64,
    /// The brokers that were heard in the last day, the one that was heard last first.
    pub nodes: Vec<NodeStatus>,
}

/// A broker among those that share a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// What it is called.
    pub node: String,
    /// Where clients reach it; may be empty.
    pub address: String,
    /// The program's version.
    pub version: String,
    /// How many shards it owns; all of them: it is active, none: it stands by, or has ended.
    pub owns_shards: u64,
    /// The slot it holds among those that share the store at a time; none: it stands by, has ended, or has the store to itself.
    pub slot: Option<u16>,
    /// Whether it wants to own no shard any more.
    pub draining: bool,
    /// The shards it owns, ascending.
    pub shards: Vec<u16>,
    /// How far behind the database's time it was with delivering to all nodes when it was heard last, milliseconds; none: it holds no
    /// slot, or owns nothing.
    pub lag_ms: Option<u64>,
    /// When it was heard last, milliseconds ago by the database's clock.
    pub heard_ms_ago: u64,
    /// When it started, milliseconds ago.
    pub started_ms_ago: u64,
}

impl NodeStatus {
    /// Returns what it does: `active`, `draining`, `silent` (not heard for a lease, and what it owns is taken over), `standby` or `gone`.
    #[must_use]
    pub fn state(&self, lease_ms: u64) -> &'static str {
        match (self.owns_shards > 0 || self.slot.is_some(), self.heard_ms_ago > lease_ms) {
            (true, false) if self.draining => "draining",
            (true, false) => "active",
            (true, true) => "silent",
            (false, false) => "standby",
            (false, true) => "gone",
        }
    }
}

/// What a database is and how it is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseReport {
    /// Its address, without who and the password.
    pub place: String,
    /// Such as `15.8`.
    pub version: String,
    /// The number of the version, such as 150008.
    pub version_number: u64,
    /// The version of the tables; none: there are none yet.
    pub tables: Option<u64>,
    /// The setting `fsync`.
    pub fsync: String,
    /// The setting `full_page_writes`.
    pub full_page_writes: String,
    /// The setting `synchronous_standby_names`; may be empty.
    pub synchronous_standby_names: String,
    /// Replicas that are connected.
    pub replicas: u64,
    /// How far its clock is from this machine's, milliseconds; ahead is positive.
    pub clock_ahead_ms: i64,
    /// What a commit takes, microseconds: the middle one of nine.
    pub commit_us: u64,
}

/// Asks the database something, on a thread of its own. Blocks.
pub(super) fn ask<T, Q>(options: &PostgresOptions, question: impl FnOnce(Client) -> Q + Send + 'static) -> Result<T, OpenError>
where
    T: Send + 'static,
    Q: Future<Output = Result<T, tokio_postgres::Error>> + Send + 'static,
{
    let place = shown(&options.url);
    let database = Database::of(options)?;
    wait_alone(&place.clone(), async move {
        let asked = async { question(database.connect().await?).await };
        asked.await.map_err(|error| refused(&place, &error))
    })
}

/// Returns the brokers that share a store. Blocks.
///
/// # Errors
/// [`OpenError::Io`]: the database cannot be reached, or holds no store.
pub fn cluster_status(options: &PostgresOptions) -> Result<ClusterStatus, OpenError> {
    ask(options, |client| async move {
        let row = client.query_one("SELECT count(*), coalesce(sum(epoch) / greatest(count(*), 1), 0)::int8 FROM owners", &[]).await?;
        let rows = client
            .query(
                "SELECT n.node, n.address, n.version,
                        (extract(epoch FROM clock_timestamp() - n.beat_at) * 1000)::int8,
                        (extract(epoch FROM clock_timestamp() - n.started_at) * 1000)::int8, s.slot, n.draining,
                        (SELECT array_agg(o.shard ORDER BY o.shard) FROM owners o WHERE o.boot = n.boot),
                        (stamp_of(n.beat_at) - n.safe_stamp) >> 11
                 FROM nodes n LEFT JOIN slots s ON s.boot = n.boot ORDER BY n.beat_at DESC",
                &[],
            )
            .await?;
        let nodes = rows.iter().map(|row| {
            let whole = |shard: i16| u16::try_from(shard).unwrap_or(0);
            let slot = row.get::<_, Option<i16>>(5).map(whole);
            let shards: Vec<u16> = row.get::<_, Option<Vec<i16>>>(7).unwrap_or_default().into_iter().map(whole).collect();
            NodeStatus {
                node: row.get(0),
                address: row.get(1),
                version: row.get(2),
                owns_shards: shards.len() as u64,
                slot,
                draining: row.get(6),
                lag_ms: (slot.is_some() && !shards.is_empty()).then(|| unsigned(row.get(8))),
                shards,
                heard_ms_ago: unsigned(row.get(3)),
                started_ms_ago: unsigned(row.get(4)),
            }
        });
        Ok(ClusterStatus { shards: unsigned(row.get(0)), epoch: unsigned(row.get(1)), nodes: nodes.collect() })
    })
}

/// Says of a broker that works with others at the same time whether it is to hand over what it owns; returns whether there is one of
/// that name. Blocks.
///
/// # Errors
/// [`OpenError::Io`]: the database cannot be reached, or holds no store.
pub fn drain_node(options: &PostgresOptions, node: &str, drain: bool) -> Result<bool, OpenError> {
    let node = node.to_owned();
    ask(options, move |client| async move {
        let text = "UPDATE nodes n SET draining = $2 WHERE n.node = $1 AND EXISTS (SELECT FROM slots s WHERE s.boot = n.boot)";
        Ok(client.execute(text, &[&node, &drain]).await? > 0)
    })
}

/// Looks at a database and how it is set. Writes nothing that stays. Blocks.
///
/// # Errors
/// [`OpenError::Io`]: it cannot be reached.
pub fn database_report(options: &PostgresOptions) -> Result<DatabaseReport, OpenError> {
    let place = shown(&options.url);
    ask(options, |client| async move {
        let clock = SystemClock::new();
        let row = client
            .query_one(
                "SELECT current_setting('server_version'), current_setting('server_version_num')::int8, current_setting('fsync'),
                        current_setting('full_page_writes'), current_setting('synchronous_standby_names'),
                        (SELECT count(*) FROM pg_stat_replication), to_regclass('tidings.migrations') IS NOT NULL",
                &[],
            )
            .await?;
        let tables = if row.get(6) {
            let newest = client.query_one("SELECT coalesce(max(version), 0)::int8 FROM tidings.migrations", &[]).await?;
            Some(unsigned(newest.get(0)))
        } else {
            None
        };
        let asked = clock.wall_ms();
        let database_ms: i64 = client.query_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8", &[]).await?.get(0);
        let middle = asked.midpoint(clock.wall_ms());
        let commit = commit_time(&client, &clock).await?;
        Ok(DatabaseReport {
            place,
            version: row.get(0),
            version_number: unsigned(row.get(1)),
            tables,
            fsync: row.get(2),
            full_page_writes: row.get(3),
            synchronous_standby_names: row.get(4),
            replicas: unsigned(row.get(5)),
            clock_ahead_ms: database_ms.saturating_sub(i64::try_from(middle).unwrap_or(i64::MAX)),
            commit_us: u64::try_from(commit.as_micros()).unwrap_or(u64::MAX),
        })
    })
}

/// Measures what a commit takes: the middle one of nine, of a table that is gone with the connection's transaction.
async fn commit_time(client: &Client, clock: &dyn Clock) -> Result<Duration, tokio_postgres::Error> {
    let mut times = Vec::new();
    for _ in 0..9 {
        let began = clock.elapsed();
        // A message to nobody: it makes a record in the log, which is flushed like any other.
        client.batch_execute("BEGIN; SELECT pg_current_xact_id(), pg_logical_emit_message(true, 'tidings', ''); COMMIT").await?;
        times.push(clock.elapsed().saturating_sub(began));
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
