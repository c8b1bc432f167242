//! Operations on the user itself, and on the presence of others. Their arguments: `src/protocol/PROTOCOL.md`, "Users".

use serde::{Deserialize, Serialize};

use super::args::{read, user_list};
use crate::model::{Invalid, Limits, Refusal, UserId, UserProfile};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum UserRequest {
    Name(String),
    AvatarUrl(String),
    ExtendedData(String),
    Statuses(Vec<UserId>),
    Follow {
        users: Vec<UserId>,
        minutes: u64,
    },
    Unfollow(Vec<UserId>),
    /// Empty: all of them.
    Following(Vec<UserId>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileArgs {
    user_name: Option<String>,
    user_avatar_url: Option<String>,
    extended_data: Option<String>,
}

#[derive(Deserialize)]
struct StatusArgs {
    #[serde(rename = "userIDs", default)]
    user_ids: Vec<String>,
    config: Option<StatusConfigArgs>,
}

#[derive(Deserialize)]
struct StatusConfigArgs {
    #[serde(rename = "subscriptionDuration")]
    subscription_duration: Option<i64>,
    #[serde(rename = "userIDs", default)]
    user_ids: Vec<String>,
}

fn given(field: &str, value: Option<String>) -> Result<String, Invalid> {
    value.ok_or_else(|| Invalid::new(field, "is missing"))
}

fn short(field: &str, value: String, bytes_max: usize) -> Result<String, Invalid> {
    if value.len() > bytes_max { Err(Invalid::too_long(field, value.len(), bytes_max)) } else { Ok(value) }
}

impl UserRequest {
    /// Changes one's name.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the argument of `updateUserName`.
    pub(crate) fn name(name: String, limits: &Limits) -> Result<Self, Refusal> {
        UserProfile::check_name(&name, limits)?;
        Ok(Self::Name(name))
    }

    /// Changes one's avatar.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the argument of `updateUserAvatarUrl`.
    pub(crate) fn avatar_url(url: String, limits: &Limits) -> Result<Self, Refusal> {
        Ok(Self::AvatarUrl(short("userAvatarUrl", url, limits.avatar_url_bytes_max)?))
    }

    /// Changes what the application keeps of oneself.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the argument of `updateUserExtendedData`.
    pub(crate) fn extended_data(data: String, limits: &Limits) -> Result<Self, Refusal> {
        Ok(Self::ExtendedData(short("extendedData", data, limits.user_extended_data_bytes_max)?))
    }

    /// Reads an operation on users; returns `None` for other operations.
    pub(super) fn decode(op: &str, args: &str, limits: &Limits) -> Result<Option<Self>, Refusal> {
        let profile = || read::<ProfileArgs>(args);
        let users = |args: &StatusArgs| -> Result<Vec<UserId>, Refusal> {
            match user_list("userIDs", &args.user_ids, limits.status_query_max, limits)? {
                users if users.is_empty() => Err(Invalid::new("userIDs", "is empty").into()),
                users => Ok(users),
            }
        };
        Ok(Some(match op {
            "updateUserName" => Self::name(given("userName", profile()?.user_name)?, limits)?,
            "updateUserAvatarUrl" => Self::avatar_url(given("userAvatarUrl", profile()?.user_avatar_url)?, limits)?,
            "updateUserExtendedData" => Self::extended_data(given("extendedData", profile()?.extended_data)?, limits)?,
            "queryUsersStatus" => Self::Statuses(users(&read(args)?)?),
            "subscribeUsersStatus" => {
                let args: StatusArgs = read(args)?;
                let max = limits.status_subscription_minutes_max;
                let minutes = args.config.as_ref().and_then(|config| config.subscription_duration).unwrap_or(0);
                match u64::try_from(minutes) {
                    Ok(minutes) if (1..=max).contains(&minutes) => Self::Follow { users: users(&args)?, minutes },
                    _ => {
                        let max = i64::try_from(max).unwrap_or(i64::MAX);
                        return Err(Invalid::out_of_range("config.subscriptionDuration", minutes, 1, max).into());
                    }
                }
            }
            "unsubscribeUsersStatus" => Self::Unfollow(users(&read(args)?)?),
            "querySubscribedUserStatusList" => {
                let args: StatusArgs = read(args)?;
                let ids = args.config.map(|config| config.user_ids).unwrap_or_default();
                Self::Following(user_list("config.userIDs", &ids, limits.status_query_max, limits)?)
            }
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_limit_holds_at_its_edge() {
        let limits = Limits::default();
        let ok = |op: &str, args: serde_json::Value| UserRequest::decode(op, &args.to_string(), &limits).is_ok();
        assert!(ok("updateUserName", json!({"userName": "n".repeat(256)})) && !ok("updateUserName", json!({"userName": "n".repeat(257)})));
        assert!(ok("updateUserAvatarUrl", json!({"userAvatarUrl": "n".repeat(500)})));
        assert!(!ok("updateUserAvatarUrl", json!({"userAvatarUrl": "n".repeat(501)})));
        assert!(ok("updateUserExtendedData", json!({"extendedData": "n".repeat(1024)})));
        assert!(!ok("updateUserExtendedData", json!({"extendedData": "n".repeat(1025)})));
        let users = |count: usize| (0..count).map(|n| format!("u{n}")).collect::<Vec<_>>();
        assert!(ok("queryUsersStatus", json!({"userIDs": users(100)})) && !ok("queryUsersStatus", json!({"userIDs": users(101)})));
        assert!(!ok("queryUsersStatus", json!({"userIDs": []})));
        let follow = |minutes: i64| ok("subscribeUsersStatus", json!({"userIDs": ["a"], "config": {"subscriptionDuration": minutes}}));
        assert!(follow(1) && follow(43_200) && !follow(0) && !follow(43_201) && !follow(-1));
        assert!(ok("querySubscribedUserStatusList", json!({"config": {"userIDs": []}})));
    }
}
