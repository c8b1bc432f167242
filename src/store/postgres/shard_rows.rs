//! Several processes own shards of one store: what the database is asked for that. See `migrations/0002_shards.sql`.

use tokio_postgres::{Client, Error};

use super::ownership::{Claim, LOCK_SLOTS, LOCKS_WITHIN, NEVER, end_connections, speaks_of};
use super::place::{number, unsigned};
use crate::store::shards::{NodeRow, View};

/// What a slot is begun with.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotTaken {
    pub slot: u16,
    /// The greatest stamp in the store, and the greatest message id: what the slot's last holder wrote is at or below it.
    pub claim: Claim,
}

/// Takes a slot, unless somebody who lives has the store to itself: of the processes that had it, these are dead and lose their shards.
pub(super) async fn take_slot(client: &mut Client, boot: i64, dead: &[i64]) -> Result<Option<SlotTaken>, Error> {
    end_connections(client, dead).await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCKS_WITHIN).await?;
    transaction.batch_execute(LOCK_SLOTS).await?;
    let let_go = "UPDATE owners o SET boot = NULL, epoch = epoch + 1,
            floor_stamp = greatest(floor_stamp, (SELECT safe_stamp FROM nodes n WHERE n.boot = o.boot))
        WHERE delivered = $2 AND boot IS NOT NULL AND (boot = ANY($1) OR NOT EXISTS (SELECT FROM nodes n WHERE n.boot = o.boot))";
    transaction.execute(let_go, &[&dead, &NEVER]).await?;
    let single: i64 = transaction.query_one("SELECT count(boot) FROM owners WHERE delivered = $1", &[&NEVER]).await?.get(0);
    let take = "UPDATE slots SET boot = $1 WHERE slot = (SELECT min(slot) FROM slots s
        WHERE boot IS NULL OR NOT EXISTS (SELECT FROM nodes n WHERE n.boot = s.boot)) RETURNING slot, (SELECT shards FROM store)";
    let taken = if single > 0 { None } else { transaction.query_opt(take, &[&boot]).await? };
    let Some(taken) = taken else {
        transaction.rollback().await?;
        return Ok(None);
    };
    transaction.commit().await?;
    // Whoever held the slot before writes nothing any more.
    let text = "SELECT coalesce(max(greatest(stamp, changed)), 0), coalesce(max(message_id), 0) FROM conversations";
    let row = client.query_one(text, &[]).await?;
    let claim = Claim { floor: unsigned(row.get(0)), message_id: unsigned(row.get(1)), shards: taken.get(1) };
    Ok(Some(SlotTaken { slot: u16::try_from(taken.get::<_, i16>(0)).unwrap_or(0), claim }))
}

/// Who claims.
#[derive(Debug, Clone)]
pub(super) struct Claimant {
    pub boot: i64,
    /// The shards that it owns, as far as it knows.
    pub owned: Vec<i16>,
    /// The last stamp that it made or vouched for: what it notes above a floor, which is not below this, it notes knowing the shard.
    pub last: u64,
    /// Whether stamps follow the database's clock.
    pub by_database: bool,
}

/// A shard that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub shard: i16,
    /// Its next stamp is above this.
    pub floor: u64,
    /// Up to this stamp everything was delivered.
    pub delivered: u64,
    /// The greatest message id in it.
    pub message_id: u64,
}

/// A shard is there to be taken: of `$1`, by `$2`, from the dead `$3`, unless `$4` has it. What is owned and not known to be is of a claim
/// whose outcome was not heard.
const FREE: &str = "o.shard = ANY($1) AND (o.boot IS NULL OR o.boot = ANY($3) OR (o.boot = $2 AND NOT o.shard = ANY($4))
    OR NOT EXISTS (SELECT FROM nodes n WHERE n.boot = o.boot))";

/// Takes shards that are nobody's, or of these dead, who lose their slots; none: the claimant is dead itself. `sent` is called before
/// the commit, from when on an error says nothing of the outcome.
pub(super) async fn claim(
    client: &mut Client,
    claimant: &Claimant,
    shards: &[i16],
    dead: &[i64],
    sent: impl FnOnce() + Send,
) -> Result<Option<Vec<Taken>>, Error> {
    let Claimant { boot, owned, last, by_database } = claimant;
    let dead: Vec<i64> = dead.iter().copied().filter(|one| one != boot).collect();
    end_connections(client, &dead).await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCKS_WITHIN).await?;
    if transaction.query("SELECT FROM slots WHERE boot = $1 FOR SHARE", &[boot]).await?.is_empty() {
        transaction.rollback().await?;
        return Ok(None);
    }
    transaction.execute("UPDATE slots SET boot = NULL WHERE boot = ANY($1)", &[&dead]).await?;
    let free: Vec<i16> = {
        let text = format!("SELECT o.shard FROM owners o WHERE {FREE} ORDER BY o.shard");
        transaction.query(&text, &[&shards, boot, &dead, owned]).await?.iter().map(|row| row.get(0)).collect()
    };
    // Two statements: what waited for a lock must look at everything anew.
    transaction.execute("SELECT FROM owners WHERE shard = ANY($1) ORDER BY shard FOR UPDATE", &[&free]).await?;
    // Whoever owned a shard noted above its floor that all of it was delivered, or else nothing that is about it.
    let text = format!(
        "WITH found AS (SELECT conversations.shard, max(greatest(stamp, changed)) stamp, max(message_id) message_id FROM conversations
                WHERE conversations.shard = ANY($1) GROUP BY 1),
             free AS (SELECT o.shard, coalesce(f.message_id, 0) message_id,
                    greatest(o.floor_stamp, f.stamp, n.safe_stamp, n.mark_max, $5, CASE WHEN $6 THEN stamp_of(clock_timestamp()) END) floor,
                    CASE WHEN o.boot <> $2 AND o.delivered < {NEVER} AND n.safe_stamp > o.floor_stamp THEN n.safe_stamp
                         ELSE o.delivered END delivered
                FROM owners o LEFT JOIN nodes n ON n.boot = o.boot LEFT JOIN found f ON f.shard = o.shard WHERE {FREE})
         UPDATE owners SET boot = $2, epoch = epoch + 1, floor_stamp = free.floor, delivered = least(free.delivered, free.floor)
         FROM free WHERE owners.shard = free.shard RETURNING owners.shard, free.floor, owners.delivered, free.message_id"
    );
    let rows = transaction.query(&text, &[&free, boot, &dead, owned, &number(*last), by_database]).await?;
    sent();
    transaction.commit().await?;
    let mut taken: Vec<Taken> = rows
        .iter()
        .map(|row| {
            let [floor, delivered, message_id] = [1, 2, 3].map(|at| unsigned(row.get(at)));
            Taken { shard: row.get(0), floor, delivered, message_id }
        })
        .collect();
    taken.sort_unstable_by_key(|one| one.shard);
    Ok(Some(taken))
}

/// Lets go of what is owned and not known to be.
pub(super) async fn drop_unknown(client: &Client, boot: i64, owned: &[i16]) -> Result<(), Error> {
    client.execute("UPDATE owners SET boot = NULL WHERE boot = $1 AND NOT shard = ANY($2)", &[&boot, &owned]).await?;
    Ok(())
}

/// Lets go of shards. `last`: the last stamp that was made or vouched for.
pub(super) async fn release(client: &Client, boot: i64, shards: &[i16], last: u64, delivered: u64) -> Result<(), Error> {
    let text = "UPDATE owners SET boot = NULL, floor_stamp = greatest(floor_stamp, $3), delivered = $4 WHERE boot = $1 AND shard = ANY($2)";
    client.execute(text, &[&boot, &shards, &number(last), &number(delivered)]).await?;
    Ok(())
}

/// Lets go of everything. `delivered`: what was noted.
pub(super) async fn leave(client: &Client, boot: i64, last: u64, delivered: u64) -> Result<(), Error> {
    client
        .batch_execute(&format!(
            "BEGIN;
             UPDATE owners SET boot = NULL, floor_stamp = greatest(floor_stamp, {last}),
                delivered = CASE WHEN {delivered} > floor_stamp THEN {delivered} ELSE delivered END WHERE boot = {boot};
             UPDATE slots SET boot = NULL WHERE boot = {boot};
             DELETE FROM nodes WHERE boot = {boot};
             COMMIT"
        ))
        .await
}

/// Says that this process lives, what was delivered, and above which stamp it vouches for nothing; returns the database's time, Unix
/// milliseconds; none: it does not hold its slot any more. A claim that takes the slot is waited for, or waits: what is promised here
/// is promised to every heir.
pub(super) async fn beat(client: &Client, boot: i64, delivered: u64, mark_max: u64) -> Result<Option<u64>, Error> {
    let row = client
        .query_opt(
            "WITH held AS MATERIALIZED (SELECT FROM slots WHERE boot = $1 FOR SHARE)
             UPDATE nodes SET beat_at = clock_timestamp(), safe_stamp = greatest(safe_stamp, $2), mark_max = greatest(mark_max, $3)
             WHERE boot = $1 AND EXISTS (SELECT FROM held) RETURNING (extract(epoch FROM clock_timestamp()) * 1000)::int8",
            &[&boot, &number(delivered), &number(mark_max)],
        )
        .await?;
    Ok(row.map(|row| unsigned(row.get(0))))
}

/// Writes down by which connection this process claims and leads, so that an heir may end it.
pub(super) async fn note_control(client: &Client, boot: i64) -> Result<(), Error> {
    let text = "UPDATE nodes SET control = ARRAY[pg_backend_pid()], beat_at = clock_timestamp() WHERE boot = $1";
    client.execute(text, &[&boot]).await?;
    Ok(())
}

pub(super) async fn set_draining(client: &Client, boot: i64, draining: bool) -> Result<(), Error> {
    client.execute("UPDATE nodes SET draining = $2 WHERE boot = $1", &[&boot, &draining]).await?;
    Ok(())
}

pub(super) async fn set_alone(client: &Client, boot: i64, alone: bool) -> Result<(), Error> {
    client.execute("UPDATE nodes SET alone = $2 WHERE boot = $1", &[&boot, &alone]).await?;
    Ok(())
}

/// Returns who is there and who owns what.
pub(super) async fn view(client: &Client) -> Result<View, Error> {
    let rows = client
        .query(
            "SELECT o.boots, o.epochs, n.boot, s.slot, n.node, n.address, n.version, (extract(epoch FROM n.beat_at) * 1000000)::int8,
                    n.draining, n.speaks_from, n.speaks_to, n.alone
             FROM (SELECT array_agg(boot ORDER BY shard) boots, array_agg(epoch ORDER BY shard) epochs FROM owners) o
             LEFT JOIN (nodes n LEFT JOIN slots s ON s.boot = n.boot) ON n.beat_at > clock_timestamp() - interval '1 day'
             ORDER BY n.boot",
            &[],
        )
        .await?;
    let mut view = View::default();
    for row in &rows {
        if view.owners.is_empty() {
            view.owners = row.get::<_, Option<_>>(0).unwrap_or_default();
            view.epochs = row.get::<_, Option<Vec<i64>>>(1).unwrap_or_default().into_iter().map(unsigned).collect();
        }
        if let Some(boot) = row.get(2) {
            view.nodes.push(NodeRow {
                boot,
                slot: row.get::<_, Option<i16>>(3).and_then(|slot| u16::try_from(slot).ok()),
                name: row.get(4),
                address: row.get(5),
                version: row.get(6),
                beat_us: row.get(7),
                draining: row.get(8),
                speaks: speaks_of(row, 9),
                alone: row.get(11),
            });
        }
    }
    Ok(view)
}

/// Returns whether this connection holds a lock of that number; takes it, if it can be had.
pub(super) async fn leads(client: &Client, what: i32) -> Result<bool, Error> {
    let text = "SELECT CASE WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid = $1::int4::oid
            AND objid = $2::int4::oid AND objsubid = 2)
        THEN true ELSE pg_try_advisory_lock($1, $2) END";
    Ok(client.query_one(text, &[&LEADS, &what]).await?.get(0))
}

/// Names the locks of those who lead: "tidi" in letters.
const LEADS: i32 = 0x7469_6469;
