//! What a user has: settings of its list of conversations, its groups, and tokens to log in with.

use actix_web::{get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Body, BrokerHandle, UserPath};
use super::response::{ApiResult, Problems, done, json, secret};
use super::schemas::numbers;
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::auth::IssueError;
use crate::broker::Broker;
use crate::model::{Invalid, Refusal, Target, UserId};
use crate::protocol::result::group::GroupList;
use crate::protocol::{GroupRequest, ListRequest, Request, listed_target};

/// The most marks of one call. Our choice: as many as a conversation may have with the vendor.
const MARKS_MAX: usize = 20;

/// One conversation of a user's list, and what of it is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListPatch {
    /// The other user, or the group.
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    #[schema(schema_with = numbers::listed_type)]
    conversation_type: u8,
    /// Whether it stands before the others.
    #[serde(default)]
    is_pinned: Option<bool>,
    /// 1: the user is told of messages; 2: it is not.
    #[serde(default)]
    #[schema(schema_with = numbers::notification_status)]
    notification_status: Option<u8>,
    /// Marks that it gets; at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    set_marks: Vec<u32>,
    /// Marks that it loses; at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    delete_marks: Vec<u32>,
    /// True: nothing in it counts as unread any more.
    #[serde(default)]
    is_read: bool,
    /// True: it leaves the list, until something new is said in it.
    #[serde(default)]
    is_deleted: bool,
}

impl ListPatch {
    /// Returns the changes, in order. What is before one that is refused is carried out.
    fn changes(&self, target: &Target) -> Result<Vec<ListRequest>, Invalid> {
        for (field, marks) in [("setMarks", &self.set_marks), ("deleteMarks", &self.delete_marks)] {
            if marks.len() > MARKS_MAX {
                return Err(Invalid::too_many(field, marks.len(), MARKS_MAX));
            }
        }
        let mut changes = Vec::new();
        changes.extend(self.is_pinned.map(|pinned| ListRequest::Pin { target: target.clone(), pinned }));
        changes.extend(match self.notification_status {
            None => None,
            Some(status @ (1 | 2)) => Some(ListRequest::Mute { target: target.clone(), muted: status == 2 }),
            Some(other) => return Err(Invalid::out_of_range("notificationStatus", other.into(), 1, 2)),
        });
        for (marks, set) in [(&self.set_marks, true), (&self.delete_marks, false)] {
            changes.extend(marks.iter().map(|mark| ListRequest::Mark { mark: *mark, set, targets: vec![target.clone()] }));
        }
        changes.extend(self.is_read.then(|| ListRequest::Read { target: target.clone() }));
        changes.extend(self.is_deleted.then(|| ListRequest::Hide { target: target.clone() }));
        if changes.is_empty() { Err(Invalid::new("body", "names nothing that is changed")) } else { Ok(changes) }
    }
}

/// Changes how a conversation stands in a user's list. The user's devices hear of it.
#[utoipa::path(tag = "users", request_body = ListPatch, security(("key" = ["users:write"])), params(UserPath),
    responses((status = 200, description = "It is done.", body = Object), Problems))]
#[patch("/users/{userID}/conversations")]
pub(super) async fn change_conversation(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<UserPath>,
    Body(call): Body<ListPatch>,
) -> ApiResult {
    let user = path.user(&broker)?;
    let target = listed_target(&call.conversation_id, call.conversation_type.into(), &broker.config().limits)?;
    for change in call.changes(&target)? {
        broker.call(OnBehalfOf::User(user.clone()), Request::List(change)).await?;
    }
    done()
}

/// A group that a user is in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupOfUser {
    /// Which.
    #[serde(rename = "groupID")]
    group_id: String,
    /// What it is called.
    group_name: String,
    /// Passed through, never fetched.
    group_avatar_url: String,
}

/// A user's groups.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupsOfUser {
    group_list: Vec<GroupOfUser>,
}

/// Every group that a user is in: at most `limits.groups_per_user_max`.
#[utoipa::path(tag = "users", security(("key" = ["groups:read"])), params(UserPath),
    responses((status = 200, description = "All of them.", body = GroupsOfUser), Problems))]
#[get("/users/{userID}/groups")]
pub(super) async fn list_user_groups(BrokerHandle(broker): BrokerHandle, path: web::Path<UserPath>) -> ApiResult {
    let user = path.user(&broker)?;
    let groups: GroupList = broker.call_for(OnBehalfOf::User(user), Request::Group(GroupRequest::QueryList)).await?;
    let group = |base: &crate::protocol::result::group::GroupBase| GroupOfUser {
        group_id: base.group_id.to_string(),
        group_name: base.group_name.clone(),
        group_avatar_url: base.group_avatar_url.clone(),
    };
    json(&GroupsOfUser { group_list: groups.bases().map(group).collect() })
}

/// For how long a token is good, and of which format it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewToken {
    /// Seconds; left out: `auth.token_ttl_seconds_default`.
    #[serde(default)]
    #[schema(minimum = 30)]
    ttl_seconds: Option<u64>,
    /// `jwt`, or `token04` as the vendor's (at most 24 days, and only with `auth.token04_secret`); left out: `jwt`.
    #[serde(default)]
    format: Option<String>,
}

/// A token to log in with.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    /// Given to the user's client over a safe way, and kept nowhere here.
    token: String,
    /// Until when it is good, Unix milliseconds.
    expire_time: u64,
}

/// The shortest lifetime, seconds: with less left nobody may log in.
const TTL_SECONDS_MIN: u64 = 30;

/// Makes a token with which a client logs in as a user, who need not be known yet. It is shown this once: an Idempotency-Key does not
/// bring it back. A program of its own that logs users in refuses
/// what it does not know; then this is refused.
#[utoipa::path(tag = "users", request_body = NewToken, security(("key" = ["tokens:write"])), params(UserPath),
    responses((status = 200, description = "The token.", body = Token), Problems))]
#[post("/users/{userID}/tokens")]
pub(super) async fn issue_token(BrokerHandle(broker): BrokerHandle, path: web::Path<UserPath>, Body(call): Body<NewToken>) -> ApiResult {
    let token = token_of(&broker, &path.user(&broker)?, &call)?;
    Ok(secret(&token))
}

fn token_of(broker: &Broker, user: &UserId, call: &NewToken) -> Result<Token, Refusal> {
    if broker.context.is_system(user) {
        return Err(Invalid::new("userID", "is the server's own user, whom nobody logs in as").into());
    }
    let Some(tokens) = &broker.tokens else {
        return Err(Refusal::Unsupported("tokens: who logs in is decided by the program around the broker".to_owned()));
    };
    let ttl_seconds = call.ttl_seconds.unwrap_or(broker.config().auth.token_ttl_seconds_default);
    if ttl_seconds < TTL_SECONDS_MIN {
        return Err(Invalid::new("ttlSeconds", format!("is {ttl_seconds}, the least is {TTL_SECONDS_MIN}")).into());
    }
    let issued = match call.format.as_deref().unwrap_or("jwt") {
        "jwt" => tokens.issue_jwt(user, ttl_seconds),
        "token04" => tokens.issue_token04(user, ttl_seconds),
        other => return Err(Invalid::new("format", format!("is {other:?}, it must be \"jwt\" or \"token04\"")).into()),
    };
    let token = issued.map_err(|error| match error {
        IssueError::LifetimeTooLong { .. } => Refusal::from(Invalid::new("ttlSeconds", format!("is too long: {error}"))),
        IssueError::Token04Off => Invalid::new("format", format!("is \"token04\", but {error}")).into(),
        IssueError::Random(_) => Refusal::StoreUnavailable(error.to_string()),
    })?;
    let expire_time = broker.context.clock.wall_ms().saturating_add(ttl_seconds.saturating_mul(1000));
    Ok(Token { token, expire_time })
}
