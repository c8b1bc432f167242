//! What an operator looks at: figures, sessions, uploads, storage, settings, events as they happen.

use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, get, post, web};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::response::{ApiResult, Problems, done, json};
use super::input::{BrokerHandle, PageQuery, encode_cursor, number_cursor};
use super::schemas::Session;
use crate::broker::Broker;
use crate::hooks::Event;
use crate::http::console::ConsoleCaller;
use crate::http::problem::problem;
use crate::metrics::class_label;
use crate::model::{Conversation, Message, Refusal};
use crate::protocol::{Dress, Variant, encode_dressed};

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
    /// Conversations of two, rooms and groups at work now.
    peers: u64,
    rooms: u64,
    groups: u64,
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
pub(super) async fn get_stats(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let stats = broker.stats();
    let core = &broker.core;
    let dropped: Vec<Value> = stats
        .dropped
        .iter()
        .map(|drops| {
            json!({
                "class": class_label(drops.class), "priority": drops.priority.number(), "reason": drops.reason.label(), "messages": drops.messages,
            })
        })
        .collect();
    let outboxes = core.links.all().iter().map(|link| link.outbox.waiting_bytes()).sum::<usize>();
    let (media_bytes, uploads) = core.media.figures();
    let [storable, command, barrage] = stats.accepted;
    json(&json!({
        "time": core.clock.wall_ms(), "uptimeSeconds": core.clock.elapsed().as_secs(), "version": env!("CARGO_PKG_VERSION"),
        "connections": stats.connections, "sessions": stats.sessions, "usersOnline": stats.users_online,
        "peers": stats.peers, "rooms": stats.rooms, "groups": stats.groups,
        "accepted": {"storable": storable, "command": command, "barrage": barrage},
        "delivered": stats.delivered, "dropped": dropped, "pressure": stats.pressure.number(),
        "queues": {"storeWaiting": stats.store.waiting, "appendsInFlight": core.archive.in_flight(), "outboxBytes": outboxes},
        "appendSeconds": append_seconds(&broker.metrics_text()),
        "store": {
            "appended": stats.store.appended, "duplicates": stats.store.duplicates, "flushes": stats.store.flushes,
            "waiting": stats.store.waiting,
        },
        "media": {"bytes": media_bytes, "uploads": uploads},
    }))
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

/// A page of sessions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sessions {
    session_list: Vec<Session>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Every session that is logged in, in the order of their beginning.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])), params(PageQuery),
    responses((status = 200, description = "A page.", body = Sessions), Problems))]
#[get("/sessions")]
pub(super) async fn list_sessions(BrokerHandle(broker): BrokerHandle, page: web::Query<PageQuery>) -> ApiResult {
    let (limit, now_ms) = (page.limit(&broker, usize::MAX)?, broker.core.clock.wall_ms());
    let skip = usize::try_from(number_cursor(page.cursor()?)?.unwrap_or(0)).unwrap_or(usize::MAX);
    let all = broker.users().sessions(None);
    let some: Vec<Session> = all.iter().skip(skip).take(limit).map(|session| Session::of(session, now_ms)).collect();
    let reached = skip.saturating_add(some.len());
    let next_cursor = (reached < all.len()).then(|| encode_cursor(&reached.to_string()));
    json(&Sessions { session_list: some, next_cursor })
}

/// `{sessionID}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SessionPath {
    /// The session.
    #[serde(rename = "sessionID")]
    #[param(min_length = 1)]
    session_id: String,
}

/// Ends one session; it does not come back by itself.
#[utoipa::path(tag = "operations", security(("key" = ["ops:write"])), params(SessionPath),
    responses((status = 200, description = "It is ending.", body = std::collections::BTreeMap<String, serde_json::Value>), Problems))]
#[post("/sessions/{sessionID}/kick")]
pub(super) async fn kick_session(BrokerHandle(broker): BrokerHandle, path: web::Path<SessionPath>) -> ApiResult {
    let users = broker.users();
    let session = users.sessions(None).into_iter().find(|session| session.session.as_str() == path.session_id);
    let Some(session) = session else {
        return Ok(problem(StatusCode::NOT_FOUND, 6_000_001, &format!("there is no session {}", path.session_id)));
    };
    users.kick(&session.user, Some(&session.session)).await?;
    done()
}

/// Which messages are told.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Only what this user sends or gets in a conversation of two.
    #[serde(rename = "userID")]
    user_id: Option<String>,
    /// Only of this room or group, or with this user.
    #[serde(rename = "conversationID")]
    conversation_id: Option<String>,
    /// 0 peer, 1 room, 2 group.
    #[serde(rename = "conversationType")]
    #[param(minimum = 0, maximum = 2)]
    conversation_type: Option<u8>,
    /// Only this kind of message.
    r#type: Option<u16>,
    /// Ends after so many seconds; left out: when the caller hangs up.
    #[param(maximum = 3600)]
    seconds: Option<u32>,
}

impl EventsQuery {
    fn wants(&self, message: &Message) -> bool {
        let (kind, ids) = match &message.conversation {
            Conversation::Peer(one, other) => (0, [one.as_str(), other.as_str()]),
            Conversation::Room(room, _) => (1, [room.as_str(); 2]),
            Conversation::Group(group) => (2, [group.as_str(); 2]),
        };
        let of_user = |user: &String| message.sender.as_str() == user || kind == 0 && ids.contains(&user.as_str());
        self.user_id.as_ref().is_none_or(of_user)
            && self.conversation_id.as_ref().is_none_or(|id| ids.contains(&id.as_str()))
            && self.conversation_type.is_none_or(|wanted| wanted == kind)
            && self.r#type.is_none_or(|wanted| wanted == message.body.kind().number())
    }

    fn is_of_messages(&self) -> bool {
        self.user_id.is_some() || self.conversation_id.is_some() || self.conversation_type.is_some() || self.r#type.is_some()
    }

    /// The event as JSON, if it is asked for.
    fn told(&self, event: &Event) -> Option<Value> {
        let of_message = |name: &str, message: &Message| {
            let dress = Dress { alone: true, ..Dress::default() };
            let wire = encode_dressed(message, &dress, Variant::Full).filter(|_| self.wants(message))?;
            Some(json!({"event": name, "message": serde_json::from_str::<Value>(&wire).ok()?}))
        };
        let said = match event {
            Event::MessageAccepted(message) => return of_message("message", message),
            Event::MessageRevoked { message, .. } => return of_message("messageRevoked", message),
            Event::MessageEdited { message, .. } => return of_message("messageEdited", message),
            Event::Lagged { missed } => return Some(json!({"event": "missed", "count": missed})),
            _ if self.is_of_messages() => return None,
            Event::SessionStarted { user, session } => json!({"event": "sessionStarted", "userID": user, "sessionID": session}),
            Event::SessionEnded { user, session } => json!({"event": "sessionEnded", "userID": user, "sessionID": session}),
            Event::RoomCreated(room) => json!({"event": "roomCreated", "roomID": room}),
            Event::RoomDestroyed(room) => json!({"event": "roomDestroyed", "roomID": room}),
            Event::RoomEntered { room, user } => json!({"event": "roomEntered", "roomID": room, "userID": user}),
            Event::RoomLeft { room, user, kicked } => json!({"event": "roomLeft", "roomID": room, "userID": user, "kicked": kicked}),
            Event::GroupCreated { group, owner, users } => {
                json!({"event": "groupCreated", "groupID": group, "userIDs": users, "operatorUserID": owner})
            }
            Event::GroupJoined { group, users, by } => {
                json!({"event": "groupJoined", "groupID": group, "userIDs": users, "operatorUserID": by})
            }
            Event::GroupLeft { group, user } => json!({"event": "groupLeft", "groupID": group, "userIDs": [user], "operatorUserID": user}),
            Event::GroupKicked { group, users, by } => {
                json!({"event": "groupKicked", "groupID": group, "userIDs": users, "operatorUserID": by})
            }
            Event::GroupDismissed { group, by } => json!({"event": "groupDismissed", "groupID": group, "operatorUserID": by}),
        };
        Some(said)
    }
}

/// How often something is said when nothing happens: proxies close what is silent.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// How often a stream looks whether the broker goes down, which does not wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(250);

async fn going_down(broker: &Broker) {
    while broker.core.accepting().is_ok() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What happens from now on, as server-sent events: messages as they are accepted, sessions and rooms as they come and go.
///
/// Who does not read fast enough is told how much it missed.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])), params(EventsQuery),
    responses((status = 200, description = "One `data:` line of JSON per event.", body = String, content_type = "text/event-stream"), Problems))]
#[get("/events")]
pub(super) async fn stream_events(BrokerHandle(broker): BrokerHandle, request: HttpRequest, query: web::Query<EventsQuery>) -> ApiResult {
    let query = query.into_inner();
    let ends = query.seconds.map(|seconds| tokio::time::Instant::now() + Duration::from_secs(seconds.min(3600).into()));
    let far = tokio::time::Instant::now() + Duration::from_secs(365 * 24 * 60 * 60);
    let until = ends.unwrap_or(far);
    // What a console hears ends with its session; a key's stream goes on.
    let console = request.extensions().get::<ConsoleCaller>().cloned();
    let may_hear = move |broker: &Broker| console.as_ref().is_none_or(|caller| caller.is_signed_in(broker));
    let begin = (broker.subscribe(), query, true);
    let lines = futures_util::stream::unfold(begin, move |(mut events, query, first)| {
        let (broker, may_hear) = (broker.clone(), may_hear.clone());
        async move {
            if first {
                return Some((Ok::<_, actix_web::Error>(Bytes::from_static(b": hello\n\n")), (events, query, false)));
            }
            loop {
                tokio::select! {
                    event = events.next() => {
                        let event = event?;
                        if !may_hear(&broker) {
                            return None;
                        }
                        let told = query.told(&event);
                        if let Some(told) = told {
                            return Some((Ok(Bytes::from(format!("data: {told}\n\n"))), (events, query, false)));
                        }
                    }
                    () = tokio::time::sleep(SIGN_OF_LIFE) => {
                        return may_hear(&broker).then(|| (Ok(Bytes::from_static(b": still here\n\n")), (events, query, false)));
                    }
                    () = tokio::time::sleep_until(until) => return None,
                    () = going_down(&broker) => return None,
                }
            }
        }
    });
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"));
    Ok(response.streaming(lines))
}

/// What goes up now.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Uploads that are not complete.", body = std::collections::BTreeMap<String, serde_json::Value>), Problems))]
#[get("/uploads")]
pub(super) async fn list_uploads(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let mut list = Vec::new();
    for upload in broker.core.media.under_way() {
        let bytes = upload.length().await;
        list.push(json!({
                "fileUID": upload.file.to_string(), "userID": upload.owner, "kind": upload.kind.message_kind().number(),
                "fileName": upload.name, "bytesPromised": upload.promised, "bytes": bytes,
        }));
    }
    json(&json!({"uploadList": list}))
}

/// What is on the disk.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Storage {
    /// Where.
    data_dir: String,
    /// Messages and all that belongs to them, bytes.
    store_bytes: u64,
    /// Files, bytes; of a bucket, what the broker put there.
    media_bytes: u64,
    /// The store's parts, each with its bytes.
    partitions: Vec<Partition>,
}

/// One part of the store.
#[derive(Serialize, ToSchema)]
pub(super) struct Partition {
    name: String,
    bytes: u64,
}

fn bytes_below(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return std::fs::metadata(path).map_or(0, |about| about.len()) };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
            // What goes away while it is looked at counts nothing.
            _ => entry.metadata().map_or(0, |about| about.len()),
        })
        .sum()
}

fn partitions(store: &Path) -> Vec<Partition> {
    let names = std::fs::read_dir(store).into_iter().flatten().flatten();
    let mut parts: Vec<Partition> = names
        .map(|entry| Partition { name: entry.file_name().to_string_lossy().into_owned(), bytes: bytes_below(&entry.path()) })
        .collect();
    parts.sort_by(|one, other| one.name.cmp(&other.name));
    parts
}

/// What is on the disk.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Bytes.", body = Storage), Problems))]
#[get("/storage")]
pub(super) async fn get_storage(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let config = broker.config();
    let store: PathBuf = config.store_dir();
    let partitions = web::block(move || partitions(&store)).await.map_err(|_| Refusal::Busy("the broker is shutting down"))?;
    let (media_bytes, _) = broker.core.media.figures();
    json(&Storage {
        data_dir: config.server.data_dir.display().to_string(),
        store_bytes: partitions.iter().map(|part| part.bytes).sum(),
        media_bytes,
        partitions,
    })
}

/// Every setting the broker runs with; secrets are masked.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "By section and key.", body = std::collections::BTreeMap<String, serde_json::Value>), Problems))]
#[get("/config")]
pub(super) async fn get_config(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    json(&json!({"config": shown(&broker)}))
}

/// Secrets are left out by their own rule; that one is set is all that is said of it.
fn shown(broker: &Broker) -> Value {
    let config = broker.config();
    let mut shown = serde_json::to_value(&*config).unwrap_or_default();
    for (key, secret) in config.secrets() {
        if let Some((section, name)) = key.split_once('.') {
            shown[section][name] = if secret.is_empty() { "" } else { "***" }.into();
        }
    }
    shown["vendor_api"]["server_secret"] = if config.vendor_api.server_secret.is_empty() { "" } else { "***" }.into();
    shown
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
