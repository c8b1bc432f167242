//! A broker to test against, and those who talk to it.

mod backend;
mod client;
mod fetch;
mod held_store;
#[cfg(feature = "cluster")]
mod nodes;
mod sink;
pub(crate) mod vendor;
mod world;

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::model::{Body, GroupId, Limits, LocalMessageId};
use tidings::{Draft, Event, Subscription, Target, UserId};

pub(crate) use backend::{call, problem};
pub(crate) use client::{Client, Login, To, WireError, is_of_the_list};
pub(crate) use fetch::{Answer, fetch, fetch_bytes, until_ready_says};
pub(crate) use held_store::HeldStore;
pub(crate) use sink::{Call, HOOK_SECRET, PERSISTENT_HOOK, Reply, Sink};
pub(crate) use world::{World, WorldBuilder};

/// How long anything may take to arrive. Far more than it needs: two cores run several tests at a time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Where a clock that is moved by hand begins: 2024-11-22T10:06:40Z.
pub(crate) const T0: u64 = 1_732_270_000_000;

/// Returns the order key of the first message accepted at a moment: milliseconds since 2024, with room for 2048 in
/// each.
pub(crate) fn order_key_at(wall_ms: u64) -> u64 {
    (wall_ms - 1_704_067_200_000) << 11
}

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// Waits for something that tells nobody when it happens, by looking at it.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    soon(what, async {
        while !is_so() {
            look.tick().await;
        }
    })
    .await;
}

/// Returns the next event of the host for which `wanted` returns true.
pub(crate) async fn heard(events: &mut Subscription, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
    soon(what, async {
        loop {
            let event = events.next().await.expect("the broker is there");
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
}

/// Waits until the host is told that a session of this user ended.
pub(crate) async fn session_ended(events: &mut Subscription, user: &str) {
    heard(events, "the end of a session", |event| matches!(event, Event::SessionEnded { user: whose, .. } if whose.as_str() == user)).await;
}

/// Waits until the host is told that a room ended.
pub(crate) async fn room_destroyed(events: &mut Subscription, room: &str) {
    heard(events, "the end of a room", |event| matches!(event, Event::RoomDestroyed(id) if id.as_str() == room)).await;
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse("userID", id, &Limits::default()).unwrap()
}

pub(crate) fn peer_target(id: &str) -> Target {
    Target::Peer(user(id))
}

pub(crate) fn group_target(id: &str) -> Target {
    Target::Group(GroupId::parse("groupID", id, &Limits::default()).unwrap())
}

/// Returns a text with the id by which its retry is recognised.
pub(crate) fn text_draft(local_id: &str, content: &str) -> Draft {
    let mut draft = Draft::of(Body::Text(content.to_owned()));
    draft.local_id = Some(LocalMessageId::parse("localMessageID", local_id).unwrap());
    draft
}

pub(crate) fn text(content: &str) -> Value {
    json!({"type": 1, "message": content})
}

/// Returns the strings of an array's field, in order.
pub(crate) fn pluck(list: &Value, field: &str) -> Vec<String> {
    let one = |value: &Value| match &value[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    list.as_array().unwrap_or_else(|| panic!("not a list: {list}")).iter().map(one).collect()
}

/// Returns the names of an object's fields, sorted.
pub(crate) fn fields(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap_or_else(|| panic!("not an object: {object}")).keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Returns the number in a message's field.
pub(crate) fn number(object: &Value, field: &str) -> u64 {
    object[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {object}"))
}
