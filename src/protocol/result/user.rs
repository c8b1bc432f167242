//! What operations on users answer, and how a user is described.

use serde::{Deserialize, Serialize};

use crate::model::{OnlineStatus, Refusal, UserId, UserProfile};
use crate::protocol::code_of;

/// Describes a user in short. Source: ZIM API reference, `ZIMUserInfo`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UserWire {
    #[serde(rename = "userAvatarUrl")]
    pub(crate) user_avatar_url: String,
    #[serde(rename = "userID")]
    pub(crate) user_id: UserId,
    #[serde(rename = "userName")]
    pub(crate) user_name: String,
}

pub(crate) fn user_wire(profile: &UserProfile) -> UserWire {
    UserWire { user_id: profile.id.clone(), user_name: profile.name.clone(), user_avatar_url: profile.avatar_url.clone() }
}

/// Describes a user in full. Source: ZIM API reference, `ZIMUserFullInfo`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserFull {
    base_info: UserWire,
    extended_data: String,
}

pub(crate) fn user_full(profile: &UserProfile) -> UserFull {
    UserFull { base_info: user_wire(profile), extended_data: profile.extended_data.clone() }
}

/// A user of whom an operation was refused. Source: ZIM API reference, `ZIMErrorUserInfo`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorUser {
    pub(crate) reason: u32,
    #[serde(rename = "userID")]
    pub(crate) user_id: UserId,
}

pub(crate) fn error_users(failed: &[(UserId, Refusal)]) -> Vec<ErrorUser> {
    failed.iter().map(|(user, refusal)| ErrorUser { reason: code_of(refusal), user_id: user.clone() }).collect()
}

fn unknown_users(users: &[UserId]) -> Vec<ErrorUser> {
    let reason = |user: &UserId| code_of(&Refusal::UserMissing(user.to_string()));
    users.iter().map(|user| ErrorUser { reason: reason(user), user_id: user.clone() }).collect()
}

/// The answer to `queryUsersInfo`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsersInfo {
    error_user_list: Vec<ErrorUser>,
    user_list: Vec<UserFull>,
}

impl UsersInfo {
    /// Describes the users that were found, and lists those that were not.
    pub(crate) fn new(found: &[(UserId, Option<UserProfile>)]) -> Self {
        let unknown: Vec<UserId> = found.iter().filter(|(_, profile)| profile.is_none()).map(|(user, _)| user.clone()).collect();
        let known = found.iter().filter_map(|(_, profile)| profile.as_ref());
        Self { error_user_list: unknown_users(&unknown), user_list: known.map(user_full).collect() }
    }
}

/// The answer to `updateUserName`, `updateUserAvatarUrl` and `updateUserExtendedData`: what was changed, as it is now.
#[derive(Debug, Serialize)]
pub(crate) enum ProfileChanged {
    #[serde(rename = "userName")]
    Name(String),
    #[serde(rename = "userAvatarUrl")]
    AvatarUrl(String),
    #[serde(rename = "extendedData")]
    ExtendedData(String),
}

/// Whether a user is online, and since when. Platforms and custom statuses are not kept. Source: ZIM API reference,
/// `ZIMUserStatus`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserStatus {
    custom_status: &'static str,
    custom_status_expired_time: u64,
    last_custom_status_update_time: u64,
    last_online_status_update_time: u64,
    last_update_time: u64,
    online_platforms: [u8; 0],
    online_status: u8,
    #[serde(rename = "userID")]
    user_id: UserId,
}

impl UserStatus {
    /// Describes a status and since when it lasts, Unix milliseconds; 0 when that is not known.
    pub(crate) fn new(user: &UserId, online: OnlineStatus, since_ms: u64) -> Self {
        Self {
            custom_status: "",
            custom_status_expired_time: 0,
            last_custom_status_update_time: 0,
            last_online_status_update_time: since_ms,
            last_update_time: since_ms,
            online_platforms: [],
            online_status: online.number(),
            user_id: user.clone(),
        }
    }
}

/// The answer to `queryUsersStatus`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserStatuses {
    error_user_list: Vec<ErrorUser>,
    user_status_list: Vec<UserStatus>,
}

impl UserStatuses {
    /// Gives the statuses of users, and lists those that do not exist.
    pub(crate) fn new(user_status_list: Vec<UserStatus>, unknown: &[UserId]) -> Self {
        Self { error_user_list: unknown_users(unknown), user_status_list }
    }
}

/// The answer to `subscribeUsersStatus` and `unsubscribeUsersStatus`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionChanged {
    error_user_list: Vec<ErrorUser>,
}

impl SubscriptionChanged {
    /// Lists the users that do not exist.
    pub(crate) fn new(unknown: &[UserId]) -> Self {
        Self { error_user_list: unknown_users(unknown) }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    subscribe_expired_time: u64,
    user_status: UserStatus,
}

/// The answer to `querySubscribedUserStatusList`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscriptions {
    user_status_subscription_list: Vec<Subscription>,
}

impl Subscriptions {
    /// Gives the statuses of the users that are followed, each with the time until which it is, Unix milliseconds.
    pub(crate) fn new(followed: impl Iterator<Item = (UserStatus, u64)>) -> Self {
        let subscription = |(user_status, subscribe_expired_time)| Subscription { subscribe_expired_time, user_status };
        Self { user_status_subscription_list: followed.map(subscription).collect() }
    }
}
