//! What operations on the session itself answer.

use serde::Serialize;

use crate::model::{RoomId, SessionId, UserId};

/// The answer to `ping`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pong {
    /// Unix milliseconds.
    pub(crate) server_time: u64,
}

/// The answer to `renewToken`.
#[derive(Debug, Serialize)]
pub(crate) struct TokenRenewed {
    /// The token that is valid from now on.
    pub(crate) token: String,
}

/// A token for the URLs of files, by itself the answer to `renewMediaToken`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MediaToken {
    media_token: String,
    media_token_seconds: u64,
}

impl MediaToken {
    /// Gives out a token that is good for so many seconds.
    pub(crate) fn new((media_token, media_token_seconds): (String, u64)) -> Self {
        Self { media_token, media_token_seconds }
    }
}

/// The answer to `login`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginResult<'a> {
    /// The commit up to which the client has everything, once it has read the frames that follow the answer.
    #[serde(serialize_with = "as_text")]
    pub(crate) cursor: u64,
    /// How often the client is asked to ping.
    pub(crate) heartbeat_seconds: u64,
    /// For the URLs of files.
    #[serde(flatten)]
    pub(crate) media_token: MediaToken,
    /// Whether the client must ask for history, because what it missed is too much, or unknown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) resync: bool,
    /// The rooms in which the device has its place.
    pub(crate) rooms: &'a [RoomId],
    /// Unix milliseconds.
    pub(crate) server_time: u64,
    /// Names the session.
    #[serde(rename = "sessionID")]
    pub(crate) session_id: &'a SessionId,
    /// The user who logged in.
    #[serde(rename = "userID")]
    pub(crate) user_id: &'a UserId,
    /// Its name, as it is kept from now on.
    pub(crate) user_name: &'a str,
}

/// Writes a number as text, because numbers above 2^53 lose digits in JavaScript.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's serialize_with passes a reference")]
fn as_text<S: serde::Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_login_is_one_flat_object_and_says_resync_only_when_it_is_needed() {
        let (user, session) = (UserId::trusted("ann"), SessionId::trusted("s1"));
        let login = |resync| LoginResult {
            cursor: 17,
            heartbeat_seconds: 30,
            media_token: MediaToken::new(("t".into(), 60)),
            resync,
            rooms: &[],
            server_time: 5,
            session_id: &session,
            user_id: &user,
            user_name: "Ann",
        };
        let wanted = json!({
            "userID": "ann", "userName": "Ann", "sessionID": "s1", "serverTime": 5, "heartbeatSeconds": 30, "cursor": "17", "rooms": [],
            "mediaToken": "t", "mediaTokenSeconds": 60,
        });
        assert_eq!(serde_json::to_value(login(false)).unwrap(), wanted);
        assert_eq!(serde_json::to_value(login(true)).unwrap()["resync"], true);
    }
}
