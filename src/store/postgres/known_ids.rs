//! Reads the local ids of the last days at the start.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::place::{conversation_at, number};
use super::stamp::{RETRY_DAYS, day_of};
use super::state::State;
use crate::model::{LocalMessageId, UserId};

/// Reads what was stored in the last days into the filter. Until that is done, and where it is too much, every local id is looked up.
pub(super) async fn load(client: Client, state: Arc<State>) -> Result<(), tokio_postgres::Error> {
    if read(&client, &state, None).await? {
        state.complete_filter();
    }
    Ok(())
}

/// Does the same for shards that were claimed, each with the number of the claim.
pub(super) async fn load_claimed(client: Client, state: Arc<State>, claims: Vec<(i16, u64)>) -> Result<(), tokio_postgres::Error> {
    let shards: Vec<i16> = claims.iter().map(|(shard, _)| *shard).collect();
    if read(&client, &state, Some(&shards)).await?
        && let Some(own) = &state.own
    {
        claims.into_iter().for_each(|(shard, claim)| own.know(shard, claim));
    }
    Ok(())
}

/// Reads local ids of some shards, or of all; returns whether all of them were read.
async fn read(client: &Client, state: &State, shards: Option<&[i16]>) -> Result<bool, tokio_postgres::Error> {
    let from = day_of(state.stamps.peek()) - RETRY_DAYS;
    let estimate: i64 = client
        .query_one(
            "SELECT coalesce(sum(c.reltuples), 0)::int8 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'retries'::regclass AND c.reltuples > 0",
            &[],
        )
        .await?
        .get(0);
    if estimate > number(state.filter.ids_max) {
        tracing::info!(estimate, "more local ids are kept than the filter holds (store.seen_bytes): each send looks for its own");
        return Ok(false);
    }
    let text = "SELECT c.kind, c.one, c.other, c.incarnation, r.sender, r.local_id FROM retries r JOIN conversations c USING (conv)
        WHERE r.day >= $1 AND ($2::int2[] IS NULL OR c.shard = ANY($2))";
    // All of it is read: it takes as long as it takes.
    client.batch_execute("SET statement_timeout = 0").await?;
    let params: [&(dyn ToSql + Sync); 2] = [&from, &shards];
    let mut rows = std::pin::pin!(client.query_raw(text, params).await?);
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        let Ok(conversation) = conversation_at(&row, 0) else { continue };
        state.filter.insert(&conversation, &UserId::trusted(row.get(4)), &LocalMessageId::trusted(row.get(5)));
        count += 1;
        if count > state.filter.ids_max {
            return Ok(false);
        }
    }
    Ok(true)
}
