//! Who may write: the claim, the heartbeat, the way out.
//!
//! One process owns every shard and writes; others stand by. `owners` says who it is, and every writing transaction begins with a
//! look at it that raises, so that a process which was paused and comes back is refused by the database, whatever it believes.
//! A heartbeat in `nodes` says that the owner lives. Another takes over when it has *watched* one beat stand still for the lease,
//! by its own monotonic clock, with the database answering all the while: a beat that is old proves nothing after the database
//! itself was away.

use std::time::Duration;

use tokio_postgres::{Client, Error, Row};

use super::options::PostgresOptions;
use super::place::{number, unsigned};
use crate::store::heartbeats::Heartbeats;
use crate::store::speaks::Speaks;

/// How often whoever stands by looks.
pub(super) const POLL: Duration = Duration::from_millis(250);
/// How often an owner says that it lives.
pub(super) const BEAT: Duration = Duration::from_millis(500);
/// How long a claim waits for what a dead process has under way.
pub(super) const LOCKS_WITHIN: &str = "SET LOCAL lock_timeout = '1s'";
/// Whoever takes the whole store, or a slot, is the only one who does.
pub(super) const LOCK_SLOTS: &str = "LOCK TABLE slots IN SHARE ROW EXCLUSIVE MODE";
/// How long a row is kept of a process that ended.
const FORGET_NODES: &str = "1 day";

/// A process that owns shards, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub boot: i64,
    /// None: its row is gone.
    pub node: Option<NodeRow>,
}

/// What a process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeRow {
    pub name: String,
    pub address: String,
    /// Microseconds since 1970, by the database's clock.
    pub beat_us: i64,
    /// The program's version.
    pub version: String,
    pub speaks: Speaks,
}

/// What was seen of the owners' heartbeats.
#[derive(Debug, Default)]
pub(super) struct Watch(Heartbeats);

impl Watch {
    /// Notes what the database says at a time of the monotonic clock; returns whether nobody who lives owns anything.
    pub(super) fn look(&mut self, owners: &[Owner], now: Duration, lease: Duration) -> bool {
        let beats = owners.iter().filter_map(|Owner { boot, node }| Some((*boot, node.as_ref()?.beat_us)));
        let dead = self.0.look(beats, now, lease);
        // A process whose row is gone was forgotten long after it ended.
        owners.iter().all(|Owner { boot, node }| node.is_none() || dead.contains(boot))
    }
}

/// Whose shards a process owns that has the store to itself: nothing in them is ever delivered again, see `owners.delivered`.
pub(super) const NEVER: i64 = 9_007_199_254_740_991;

/// Returns who owns any shard, or holds a slot.
pub(super) async fn owners(client: &Client) -> Result<Vec<Owner>, Error> {
    owners_among(client, "SELECT boot FROM owners UNION SELECT boot FROM slots").await
}

/// Returns who has the store to itself.
pub(super) async fn single_owners(client: &Client) -> Result<Vec<Owner>, Error> {
    owners_among(client, &format!("SELECT DISTINCT boot FROM owners WHERE delivered = {NEVER}")).await
}

/// Returns who shares the store with others.
pub(super) async fn sharers(client: &Client) -> Result<Vec<Owner>, Error> {
    owners_among(client, "SELECT boot FROM slots").await
}

/// Returns who shares the store with others and speaks nothing of this.
pub(super) async fn foreigners(client: &Client, own: Speaks) -> Result<Vec<Owner>, Error> {
    let Speaks { from, to } = own;
    owners_among(client, &format!("SELECT boot FROM slots JOIN nodes USING (boot) WHERE speaks_from > {to} OR speaks_to < {from}")).await
}

async fn owners_among(client: &Client, boots: &str) -> Result<Vec<Owner>, Error> {
    let text = format!(
        "SELECT o.boot, n.node, n.address, (extract(epoch FROM n.beat_at) * 1000000)::int8, n.version, n.speaks_from, n.speaks_to
         FROM ({boots}) o LEFT JOIN nodes n USING (boot) WHERE o.boot IS NOT NULL ORDER BY 1"
    );
    let rows = client.query(&text, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let node = row.get::<_, Option<String>>(1).map(|name| NodeRow {
                name,
                address: row.get(2),
                beat_us: row.get(3),
                version: row.get(4),
                speaks: speaks_of(row, 5),
            });
            Owner { boot: row.get(0), node }
        })
        .collect())
}

/// Reads what a process speaks from this column and the next.
pub(super) fn speaks_of(row: &Row, at: usize) -> Speaks {
    let version = |at: usize| u8::try_from(row.get::<_, i16>(at)).unwrap_or(0);
    Speaks { from: version(at), to: version(at + 1) }
}

/// Writes this process's row; returns the number by which the fence knows it.
pub(super) async fn register(client: &Client, options: &PostgresOptions) -> Result<i64, Error> {
    let forget = format!(
        "DELETE FROM nodes n WHERE beat_at < clock_timestamp() - interval '{FORGET_NODES}'
         AND NOT EXISTS (SELECT FROM owners o WHERE o.boot = n.boot)"
    );
    client.execute(&forget, &[]).await?;
    let row = client
        .query_one(
            "INSERT INTO nodes (node, address, version, speaks_from, speaks_to) VALUES ($1, $2, $3, $4, $5) RETURNING boot",
            &[&options.node, &options.address, &env!("CARGO_PKG_VERSION"), &i16::from(options.speaks.from), &i16::from(options.speaks.to)],
        )
        .await?;
    Ok(row.get(0))
}

/// What a claim gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// No stamp at or below it may be made.
    pub floor: u64,
    /// The greatest message id in the store.
    pub message_id: u64,
    /// How many shards there are.
    pub shards: i16,
}

/// Takes every shard from those who own it now and do not live, or from nobody; none: somebody else was faster. The connections
/// that the dead may still write by are ended first, so that the claim waits for no one. A slot that is held by anyone who lives is in
/// the way, too.
pub(super) async fn claim(client: &mut Client, boot: i64, dead: &[i64]) -> Result<Option<Claim>, Error> {
    end_connections(client, dead).await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCKS_WITHIN).await?;
    transaction.batch_execute(LOCK_SLOTS).await?;
    let gone = "UPDATE slots SET boot = NULL WHERE boot = ANY($1) OR NOT EXISTS (SELECT FROM nodes n WHERE n.boot = slots.boot)";
    transaction.execute(gone, &[&dead]).await?;
    let held: i64 = transaction.query_one("SELECT count(boot) FROM slots", &[]).await?.get(0);
    let shards: i16 = transaction.query_one("SELECT shards FROM store", &[]).await?.get(0);
    let taken = transaction
        .execute(
            "UPDATE owners SET boot = $1, epoch = epoch + 1 WHERE boot IS NULL OR boot = ANY($2) OR boot = $1
             OR NOT EXISTS (SELECT FROM nodes n WHERE n.boot = owners.boot)",
            &[&boot, &dead],
        )
        .await?;
    if held > 0 || taken != u64::try_from(shards).unwrap_or(0) {
        transaction.rollback().await?;
        return Ok(None);
    }
    // The rows of `owners` are locked: whatever the last owner began is committed or ended, and this statement sees it.
    let row = transaction
        .query_one(
            "SELECT coalesce(max(greatest(stamp, changed)), 0), coalesce(max(message_id), 0),
                    (SELECT coalesce(max(greatest(safe_stamp, mark_max)), 0) FROM nodes), (SELECT max(floor_stamp) FROM owners)
             FROM conversations",
            &[],
        )
        .await?;
    let floor = [0, 2, 3].into_iter().map(|at| row.get::<_, i64>(at)).max().unwrap_or(0);
    transaction.execute("UPDATE owners SET floor_stamp = $1, delivered = $2", &[&floor, &NEVER]).await?;
    transaction.commit().await?;
    // What was committed is what counts, not what was asked for.
    let owned: i64 = client.query_one("SELECT count(*) FROM owners WHERE boot = $1", &[&boot]).await?.get(0);
    if owned != i64::from(shards) {
        return Ok(None);
    }
    Ok(Some(Claim { floor: unsigned(floor), message_id: unsigned(row.get(1)), shards }))
}

/// Ends the writing connections of processes that do not live any more. A number may belong to someone else by now: only
/// connections of this program and this role are ended.
pub(super) async fn end_connections(client: &Client, boots: &[i64]) -> Result<(), Error> {
    client
        .execute(
            "SELECT pg_terminate_backend(a.pid) FROM nodes n JOIN pg_stat_activity a ON a.pid = ANY(n.backends || n.control)
             WHERE n.boot = ANY($1) AND a.usename = current_user AND a.application_name LIKE 'tidings %'
               AND a.backend_start <= n.beat_at",
            &[&boots],
        )
        .await?;
    Ok(())
}

/// What a heartbeat brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beat {
    /// The database's time, Unix milliseconds.
    pub database_ms: u64,
    /// Whether this process still owns every shard.
    pub owns_all: bool,
}

/// Says that this process lives, and up to which stamp everything it will ever write is committed.
pub(super) async fn beat(client: &Client, boot: i64, safe_stamp: u64) -> Result<Beat, Error> {
    let row = client
        .query_opt(
            "UPDATE nodes SET beat_at = clock_timestamp(), safe_stamp = greatest(safe_stamp, $2) WHERE boot = $1
             RETURNING (extract(epoch FROM clock_timestamp()) * 1000)::int8, NOT EXISTS (SELECT FROM owners WHERE boot IS DISTINCT FROM $1)",
            &[&boot, &number(safe_stamp)],
        )
        .await?;
    Ok(row.map_or(Beat { database_ms: 0, owns_all: false }, |row| Beat { database_ms: unsigned(row.get(0)), owns_all: row.get(1) }))
}

/// Writes down by which connection this process writes, so that an heir may end it.
pub(super) async fn note_backend(client: &Client, boot: i64) -> Result<(), Error> {
    client
        .batch_execute(&format!(
            "BEGIN; SET LOCAL synchronous_commit = local;
             UPDATE nodes SET backends = ARRAY[pg_backend_pid()], beat_at = clock_timestamp() WHERE boot = {boot}; COMMIT"
        ))
        .await
}

/// Lets go: whoever stands by takes over at once.
pub(super) async fn release(client: &Client, boot: i64) -> Result<(), Error> {
    client.execute("UPDATE owners SET boot = NULL WHERE boot = $1", &[&boot]).await?;
    client.execute("DELETE FROM nodes WHERE boot = $1", &[&boot]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    fn owner(boot: i64, beat_us: i64) -> Vec<Owner> {
        vec![Owner {
            boot,
            node: Some(NodeRow { name: "a".into(), address: String::new(), beat_us, version: String::new(), speaks: Speaks::default() }),
        }]
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_owner_is_dead_when_its_beat_was_watched_standing_still_for_the_lease() {
        let mut watch = Watch::default();
        for ms in (0..3000).step_by(250) {
            assert!(!watch.look(&owner(1, 7), at(ms), LEASE), "{ms}");
        }
        assert!(watch.look(&owner(1, 7), at(3000), LEASE));
        assert!(!watch.look(&owner(1, 8), at(3250), LEASE), "it beat again");
        assert!(!watch.look(&owner(1, 8), at(6000), LEASE), "nobody looked for a while");
    }

    #[test]
    fn an_old_beat_proves_nothing_after_the_database_was_away() {
        let mut watch = Watch::default();
        assert!(!watch.look(&owner(1, 7), at(0), LEASE));
        assert!(!watch.look(&owner(1, 7), at(10_000), LEASE), "it could not beat while the database was away");
        for ms in (10_250..13_000).step_by(250) {
            assert!(!watch.look(&owner(1, 7), at(ms), LEASE), "{ms}");
        }
        assert!(watch.look(&owner(1, 7), at(13_000), LEASE));
    }

    #[test]
    fn another_owner_is_watched_from_the_beginning() {
        let mut watch = Watch::default();
        for ms in (0..=2750).step_by(250) {
            assert!(!watch.look(&owner(1, 7), at(ms), LEASE));
        }
        assert!(!watch.look(&owner(2, 7), at(3000), LEASE));
    }

    #[test]
    fn nobody_and_the_forgotten_own_nothing() {
        let mut watch = Watch::default();
        assert!(watch.look(&[], at(0), LEASE));
        assert!(watch.look(&[Owner { boot: 1, node: None }], at(250), LEASE));
    }
}
