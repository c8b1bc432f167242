//! Events about users.

use serde::Serialize;

use super::Event;
use crate::model::UserProfile;
use crate::protocol::result::user::{UserFull, UserStatus, user_full};

/// The user changed its own name, picture or data, at another device.
#[derive(Debug, Serialize)]
pub(crate) struct UserInfoUpdated {
    info: UserFull,
}

impl UserInfoUpdated {
    /// Says all that is known of the user now.
    pub(crate) fn new(profile: &UserProfile) -> Self {
        Self { info: user_full(profile) }
    }
}

impl Event for UserInfoUpdated {
    fn name(&self) -> &'static str {
        "userInfoUpdated"
    }
}

/// A user that the receiver follows came or went.
#[derive(Debug, Serialize)]
pub(crate) struct UserStatusUpdated {
    #[serde(rename = "userStatusList")]
    user_status_list: [UserStatus; 1],
}

impl UserStatusUpdated {
    /// Says what its status is now.
    pub(crate) fn new(status: UserStatus) -> Self {
        Self { user_status_list: [status] }
    }
}

impl Event for UserStatusUpdated {
    fn name(&self) -> &'static str {
        "userStatusUpdated"
    }
}
