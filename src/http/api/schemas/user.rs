//! Users, their sessions and conversations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::message::Message;
use super::numbers;
use crate::broker::{Broker, SessionSummary};
use crate::model::{Ban, UserProfile};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct User {
    /// Who.
    #[serde(rename = "userID")]
    user_id: String,
    /// Shown to others.
    user_name: String,
    /// Passed through, never fetched.
    user_avatar_url: String,
    /// The application's own.
    user_extended_data: String,
    /// Whether and why it may not log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ban: Option<UserBan>,
}

impl User {
    pub(in crate::http::api) fn of(profile: &UserProfile, now_ms: u64) -> Self {
        Self {
            user_id: profile.id.to_string(),
            user_name: profile.name.clone(),
            user_avatar_url: profile.avatar_url.clone(),
            user_extended_data: profile.extended_data.clone(),
            ban: profile.ban.as_ref().filter(|ban| ban.holds(now_ms)).map(|ban| UserBan::of(profile.id.as_str(), ban)),
        }
    }
}

/// That a user may not log in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct UserBan {
    /// Who.
    #[serde(rename = "userID")]
    user_id: String,
    /// For operators.
    reason: String,
    /// Since when, Unix milliseconds.
    create_time: u64,
    /// Until when, Unix milliseconds; 0: for good.
    end_time: u64,
}

impl UserBan {
    pub(in crate::http::api) fn of(user: &str, ban: &Ban) -> Self {
        Self { user_id: user.to_owned(), reason: ban.reason.clone(), create_time: ban.since_ms, end_time: ban.until_ms }
    }
}

/// A user with what is known of it at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct UserNow {
    #[serde(flatten)]
    user: User,
    /// 0 online, 1 offline.
    #[schema(schema_with = numbers::online_status)]
    online_status: u8,
    /// When it last came or went, Unix milliseconds; 0: not since the broker's start.
    last_update_time: u64,
    /// Its sessions.
    session_count: usize,
}

impl UserNow {
    pub(in crate::http::api) fn of(broker: &Broker, profile: &UserProfile) -> Self {
        let users = broker.users();
        let (online, last_update_time) = users.online(&profile.id);
        Self {
            user: User::of(profile, broker.context.clock.wall_ms()),
            online_status: u8::from(!online),
            last_update_time,
            session_count: users.sessions(Some(&profile.id)).len(),
        }
    }
}

/// A session that is logged in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct Session {
    /// Which.
    #[serde(rename = "sessionID")]
    session_id: String,
    /// Whose.
    #[serde(rename = "userID")]
    user_id: String,
    /// On which device.
    #[serde(rename = "deviceID")]
    device_id: String,
    /// When its connection began, Unix milliseconds.
    connect_time: u64,
    /// How long nothing came from it, milliseconds.
    silent_ms: u64,
    /// Bytes that wait to be read by it.
    outbox_bytes: usize,
    /// Messages that were dropped for it.
    dropped: u64,
}

impl Session {
    pub(in crate::http::api) fn of(session: &SessionSummary, now_ms: u64) -> Self {
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            session_id: session.session.to_string(),
            user_id: session.user.to_string(),
            device_id: session.device.to_string(),
            connect_time: now_ms.saturating_sub(ms(session.age)),
            silent_ms: ms(session.silent),
            outbox_bytes: session.outbox_bytes,
            dropped: session.dropped,
        }
    }
}

/// A user as others see it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(in crate::http::api) struct Member {
    /// Who.
    #[schema(rename = "userID")]
    user_id: String,
    /// Shown to others.
    user_name: String,
    /// Passed through, never fetched.
    user_avatar_url: String,
}

/// Someone of whom it was not done.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(in crate::http::api) struct ErrorUser {
    /// Who.
    #[schema(rename = "userID")]
    user_id: String,
    /// The number of the reason.
    reason: u32,
}

/// Users by name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::api) struct UserIds {
    /// Who.
    #[serde(rename = "userIDs")]
    #[schema(min_items = 1, max_items = 100)]
    pub(in crate::http::api) user_ids: Vec<String>,
}

/// A conversation in a user's list.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(in crate::http::api) struct Conversation {
    /// The other user, or the group.
    #[schema(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    #[schema(schema_with = numbers::listed_type)]
    r#type: u8,
    /// Its place in the list.
    order_key: u64,
    /// What it is called.
    #[schema(nullable = false)]
    conversation_name: Option<String>,
    /// Passed through, never fetched.
    #[schema(nullable = false)]
    conversation_avatar_url: Option<String>,
    /// How many messages the user has not read.
    #[schema(nullable = false)]
    unread_message_count: Option<u32>,
    /// 2: the user is not told of messages.
    #[schema(nullable = false)]
    notification_status: Option<u8>,
    /// It stands before the others.
    #[schema(nullable = false)]
    is_pinned: Option<bool>,
    /// Since when, Unix milliseconds.
    #[schema(nullable = false)]
    pinned_time: Option<u64>,
    /// Of a group: the user is not in it any more.
    #[schema(nullable = false)]
    is_disabled: Option<bool>,
    /// The latest.
    #[schema(nullable = false)]
    last_message: Option<Message>,
}
