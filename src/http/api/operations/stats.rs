//! The figures of the moment.

use actix_web::get;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::api::input::BrokerHandle;
use crate::http::api::response::{ApiResult, Problems, json};
use crate::metrics::class_label;

/// The figures of a moment. Counters run from the start of the broker.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct Stats {
    /// Unix milliseconds.
    time: u64,
    /// Since the start of the broker.
    uptime_seconds: u64,
    version: String,
    connections: u64,
    sessions: u64,
    users_online: u64,
    /// Rooms there are, of all brokers that share the store, as of a moment ago; not there while the store does not answer.
    rooms: Option<u64>,
    /// Groups there are, of all brokers that share the store, as of a moment ago; not there while the store does not answer.
    groups: Option<u64>,
    /// Conversations of two, rooms and groups that are in this broker's memory now, because something happened in them.
    at_work: Object,
    /// Messages accepted since the start: storable, command, barrage.
    accepted: Object,
    /// Messages put into outboxes.
    delivered: u64,
    /// Messages that were shed, by class, priority and reason.
    dropped: Vec<Object>,
    /// What is shed because the broker is behind: 0 nothing to 4 commands.
    pressure: u8,
    /// What waits.
    queues: Object,
    /// How long messages took to be on disk since the start: how many within so many seconds.
    append_seconds: Vec<Object>,
    /// What the store did.
    store: Object,
    /// Files.
    media: Object,
}

/// An object whose fields are told in words.
#[derive(ToSchema)]
#[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct Object(Value);

/// The figures of this moment.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Figures.", body = Stats), Problems))]
#[get("/stats")]
pub(in crate::http::api) async fn get_stats(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let stats = broker.stats();
    let context = &broker.context;
    let dropped: Vec<Value> = stats
        .dropped
        .iter()
        .map(|drops| {
            json!({
                "class": class_label(drops.class), "priority": drops.priority.number(), "reason": drops.reason.label(), "messages": drops.messages,
            })
        })
        .collect();
    let outboxes = context.connections.all().iter().map(|link| link.outbox.waiting_bytes()).sum::<usize>();
    let (media_bytes, uploads) = context.media.figures();
    let [storable, command, barrage] = stats.accepted;
    let mut told = json!({
        "time": context.clock.wall_ms(), "uptimeSeconds": context.clock.elapsed().as_secs(), "version": env!("CARGO_PKG_VERSION"),
        "connections": stats.connections, "sessions": stats.sessions, "usersOnline": stats.users_online,
        "atWork": {"peers": stats.peers, "rooms": stats.rooms, "groups": stats.groups},
        "accepted": {"storable": storable, "command": command, "barrage": barrage},
        "delivered": stats.delivered, "dropped": dropped, "pressure": stats.pressure.number(),
        "queues": {"storeWaiting": stats.store.waiting, "appendsInFlight": context.archive.in_flight(), "outboxBytes": outboxes},
        "appendSeconds": append_seconds(&broker.metrics_text()),
        "store": {
            "appended": stats.store.appended, "duplicates": stats.store.duplicates, "flushes": stats.store.flushes,
            "waiting": stats.store.waiting,
        },
        "media": {"bytes": media_bytes, "uploads": uploads},
    });
    // The other figures are wanted most when the store does not answer.
    if let Ok(places) = broker.place_counts().await {
        (told["rooms"], told["groups"]) = (places.rooms.into(), places.groups.into());
    }
    json(&told)
}

/// The buckets of the exposition: how many appends took at most so many seconds.
fn append_seconds(metrics: &str) -> Vec<Value> {
    let buckets = metrics.lines().filter_map(|line| {
        let (bound, rest) = line.strip_prefix("tidings_append_seconds_bucket{le=\"")?.split_once("\"} ")?;
        let count: u64 = rest.split_whitespace().next()?.parse().ok()?;
        Some(json!({"le": bound.parse::<f64>().ok().filter(|bound| bound.is_finite()), "count": count}))
    });
    buckets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buckets_of_the_exposition_are_read() {
        let text = "# TYPE\ntidings_append_seconds_bucket{le=\"0.001\"} 3\ntidings_append_seconds_bucket{le=\"+Inf\"} 4\nother 1\n";
        assert_eq!(append_seconds(text), [json!({"le": 0.001, "count": 3}), json!({"le": null, "count": 4})]);
    }
}
