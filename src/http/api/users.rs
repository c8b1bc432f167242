//! Users: known, online, kept out; their lists of conversations.

use std::time::Duration;

use actix_web::{delete, get, patch, post, put, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::input::{Body, BrokerHandle, PageQuery, UserPath, decode_place, encode_cursor, encode_place, page_of};
use super::response::{ApiResult, Problems, done, json};
use super::schemas::{Conversation, ErrorUser, Session, User, UserBan, UserIds, UserNow, numbers};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{Invalid, Limits, Refusal, UserId, UserProfile};
use crate::protocol::result::conversation as results;
use crate::protocol::{EntryAnchorArgs, EntryFilter, ListRequest, RawJson, Request, UserRequest, code_of};

/// The most users of one call. Source: ZIM server API reference, `UserRegister`, `QueryUserOnlineState`.
const USERS_MAX: usize = 100;
const REASON_BYTES_MAX: usize = 256;

/// A user to be known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewUser {
    /// 1 to 32 bytes of letters, digits and punctuation.
    #[serde(rename = "userID")]
    #[schema(min_length = 1, max_length = 32, pattern = r"^[A-Za-z0-9!#$%&()+:;<=.>?@\[\]^_{}|~-]+$", example = "carol")]
    user_id: String,
    /// Shown to others; at most 256 bytes.
    #[serde(default)]
    user_name: String,
}

/// Users to be known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Register {
    /// At most 100.
    #[schema(min_items = 1, max_items = 100)]
    users: Vec<NewUser>,
}

/// Makes users known who have not logged in yet, so that others can write to them. Known ones stay as they are.
#[utoipa::path(tag = "users", request_body = Register, security(("key" = ["users:write"])),
    responses((status = 200, description = "They are known.", body = Object), Problems))]
#[post("/users")]
pub(super) async fn register_users(BrokerHandle(broker): BrokerHandle, Body(call): Body<Register>) -> ApiResult {
    let count = call.users.len();
    if count == 0 || count > USERS_MAX {
        return Err(Invalid::new("users", format!("has {count} entries, the range is 1 to {USERS_MAX}")).into());
    }
    let limits = broker.config().limits.clone();
    let mut users = Vec::with_capacity(count);
    for (n, user) in call.users.iter().enumerate() {
        UserProfile::check_name(&user.user_name, &limits)?;
        users.push((UserId::parse(&format!("users[{n}].userID"), &user.user_id, &limits)?, &user.user_name));
    }
    for (user, name) in users {
        broker.register(&user, name).await?;
    }
    done()
}

/// A page of users.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Users {
    user_list: Vec<User>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Every known user, in the order of their ids.
#[utoipa::path(tag = "users", security(("key" = ["users:read"])), params(PageQuery),
    responses((status = 200, description = "A page.", body = Users), Problems))]
#[get("/users")]
pub(super) async fn list_users(BrokerHandle(broker): BrokerHandle, page: web::Query<PageQuery>) -> ApiResult {
    let (limit, now_ms) = (page.limit(&broker, usize::MAX)?, broker.context.clock.wall_ms());
    let after = page.cursor()?.map(|after| UserId::trusted(&after));
    let (users, more) = page_of(broker.users().list(after.as_ref(), limit + 1).await?, limit);
    let next_cursor = users.last().filter(|_| more).map(|last| encode_cursor(last.id.as_str()));
    json(&Users { user_list: users.iter().map(|user| User::of(user, now_ms)).collect(), next_cursor })
}

/// What is known of a user, and whether it is online.
#[utoipa::path(tag = "users", security(("key" = ["users:read"])), params(UserPath),
    responses((status = 200, description = "The user.", body = UserNow), Problems))]
#[get("/users/{userID}")]
pub(super) async fn get_user(BrokerHandle(broker): BrokerHandle, path: web::Path<UserPath>) -> ApiResult {
    let user = path.user(&broker)?;
    let profile = broker.users().get(&user).await?.ok_or_else(|| Refusal::UserMissing(user.to_string()))?;
    json(&UserNow::of(&broker, &profile))
}

/// What of a user is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UserPatch {
    /// At most 256 bytes.
    #[serde(default)]
    user_name: Option<String>,
    /// At most 500 bytes.
    #[serde(default)]
    user_avatar_url: Option<String>,
    /// The application's own.
    #[serde(default)]
    user_extended_data: Option<String>,
}

impl UserPatch {
    /// Returns the changes, in order. What is before one that is refused is carried out.
    fn changes(self, limits: &Limits) -> Vec<Result<UserRequest, Refusal>> {
        let changes = [
            self.user_name.map(|name| UserRequest::name(name, limits)),
            self.user_avatar_url.map(|url| UserRequest::avatar_url(url, limits)),
            self.user_extended_data.map(|data| UserRequest::extended_data(data, limits)),
        ];
        changes.into_iter().flatten().collect()
    }
}

/// Changes what others see of a user. Its own devices hear of it.
#[utoipa::path(tag = "users", request_body = UserPatch, security(("key" = ["users:write"])), params(UserPath),
    responses((status = 200, description = "The user as it is now.", body = UserNow), Problems))]
#[patch("/users/{userID}")]
pub(super) async fn change_user(BrokerHandle(broker): BrokerHandle, path: web::Path<UserPath>, Body(call): Body<UserPatch>) -> ApiResult {
    let user = path.user(&broker)?;
    for one in call.changes(&broker.config().limits) {
        broker.call(OnBehalfOf::User(user.clone()), Request::User(one?)).await?;
    }
    let profile = broker.users().get(&user).await?.ok_or_else(|| Refusal::UserMissing(user.to_string()))?;
    json(&UserNow::of(&broker, &profile))
}

/// Who is online.
#[derive(ToSchema)]
#[schema(as = Presence, rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct UserStatuses {
    user_status_list: Vec<UserStatus>,
    error_user_list: Vec<ErrorUser>,
}

/// Whether one user is online.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct UserStatus {
    #[schema(rename = "userID")]
    user_id: String,
    /// 0 online, 1 offline.
    #[schema(schema_with = numbers::online_status)]
    online_status: u8,
    /// When it last came or went, Unix milliseconds; 0: not since the broker's start.
    last_update_time: u64,
}

/// Whether users are online; at most 100.
#[utoipa::path(tag = "users", request_body = UserIds, security(("key" = ["users:read"])),
    responses((status = 200, description = "Each user that is known, and those that are not.", body = UserStatuses), Problems))]
#[post("/presence")]
pub(super) async fn query_presence(BrokerHandle(broker): BrokerHandle, Body(call): Body<UserIds>) -> ApiResult {
    let count = call.user_ids.len();
    if count == 0 || count > USERS_MAX {
        return Err(Invalid::new("userIDs", format!("has {count} entries, the range is 1 to {USERS_MAX}")).into());
    }
    let limits = broker.config().limits.clone();
    let parse = |(n, id): (usize, &String)| UserId::parse(&format!("userIDs[{n}]"), id, &limits);
    let wanted: Vec<UserId> = call.user_ids.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
    let found = broker
        .read(move |store| {
            let found = store.users(&wanted)?;
            Ok(found.into_iter().map(|profile| profile.is_some()).zip(wanted).collect::<Vec<_>>())
        })
        .await?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (is_known, user) in found {
        if is_known {
            let (online, since_ms) = broker.users().online(&user);
            known.push(json!({"userID": user, "onlineStatus": u8::from(!online), "lastUpdateTime": since_ms}));
        } else {
            unknown.push(json!({"userID": user, "reason": code_of(&Refusal::UserMissing(String::new()))}));
        }
    }
    json(&json!({"userStatusList": known, "errorUserList": unknown}))
}

/// A page of a user's list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversations {
    #[schema(value_type = Vec<Conversation>)]
    conversation_list: Vec<RawJson>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// A user's list of conversations, as the user sees it: pinned ones first, then the latest.
#[utoipa::path(tag = "users", security(("key" = ["messages:read"])), params(UserPath, PageQuery),
    responses((status = 200, description = "A page.", body = Conversations), Problems))]
#[get("/users/{userID}/conversations")]
pub(super) async fn list_conversations(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<UserPath>,
    page: web::Query<PageQuery>,
) -> ApiResult {
    let user = path.user(&broker)?;
    let limits = &broker.config().limits;
    let count = page.limit(&broker, limits.conversation_page_max)?;
    let place: Option<EntryAnchorArgs> = page.cursor.as_deref().map(decode_place).transpose()?;
    let after = place.map(|place| place.check(limits)).transpose()?;
    let request = ListRequest::List { count, after, filter: EntryFilter::default() };
    let list: results::Conversations = broker.call_for(OnBehalfOf::User(user), Request::List(request)).await?;
    let entries = list.conversation_list;
    let last = entries.last().filter(|_| entries.len() == count).and_then(RawJson::read::<EntryAnchorArgs>);
    json(&Conversations { next_cursor: last.as_ref().and_then(encode_place), conversation_list: entries })
}

/// A user's sessions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserSessions {
    session_list: Vec<Session>,
}

/// A user's sessions.
#[utoipa::path(tag = "users", security(("key" = ["users:read"])), params(UserPath),
    responses((status = 200, description = "In the order of their beginning.", body = UserSessions), Problems))]
#[get("/users/{userID}/sessions")]
pub(super) async fn list_user_sessions(BrokerHandle(broker): BrokerHandle, path: web::Path<UserPath>) -> ApiResult {
    let (user, now_ms) = (path.user(&broker)?, broker.context.clock.wall_ms());
    let sessions = broker.users().sessions(Some(&user));
    json(&UserSessions { session_list: sessions.iter().map(|session| Session::of(session, now_ms)).collect() })
}

/// How many sessions ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionsEnded {
    /// Sessions there were.
    session_count: usize,
}

/// Ends a user's sessions; they do not come back by themselves, but the user may log in again.
#[utoipa::path(tag = "users", security(("key" = ["users:write"])), params(UserPath),
    responses((status = 200, description = "How many there were.", body = SessionsEnded), Problems))]
#[post("/users/{userID}/kick")]
pub(super) async fn kick_user(BrokerHandle(broker): BrokerHandle, path: web::Path<UserPath>) -> ApiResult {
    let user = path.user(&broker)?;
    json(&SessionsEnded { session_count: broker.users().kick(&user, None).await? })
}

/// For how long, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BanTerms {
    /// For operators; at most 256 bytes.
    #[serde(default)]
    reason: String,
    /// 0: for good.
    #[serde(default)]
    #[schema(maximum = 315_360_000)]
    duration_seconds: u32,
}

/// A ban that holds.
#[derive(Serialize, ToSchema)]
pub(super) struct Banned {
    ban: UserBan,
}

/// Keeps a user out and ends its sessions. Logging in is refused with 6000124 from now on.
#[utoipa::path(tag = "users", request_body = BanTerms, security(("key" = ["users:write"])), params(UserPath),
    responses((status = 200, description = "The ban.", body = Banned), Problems))]
#[put("/users/{userID}/ban")]
pub(super) async fn ban_user(BrokerHandle(broker): BrokerHandle, path: web::Path<UserPath>, Body(call): Body<BanTerms>) -> ApiResult {
    let user = path.user(&broker)?;
    if broker.context.is_system(&user) {
        return Err(Invalid::new("userID", "is the server's own user, whom nobody logs in as").into());
    }
    if call.reason.len() > REASON_BYTES_MAX {
        return Err(Invalid::too_long("reason", call.reason.len(), REASON_BYTES_MAX).into());
    }
    if call.duration_seconds > 315_360_000 {
        return Err(Invalid::out_of_range("durationSeconds", call.duration_seconds.into(), 0, 315_360_000).into());
    }
    let lasting = Some(call.duration_seconds).filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.into()));
    let ban = broker.users().ban(&user, lasting, &call.reason).await?;
    json(&Banned { ban: UserBan::of(user.as_str(), &ban) })
}

/// Lets a user in again.
#[utoipa::path(tag = "users", security(("key" = ["users:write"])), params(UserPath),
    responses((status = 200, description = "It may log in.", body = Object), Problems))]
#[delete("/users/{userID}/ban")]
pub(super) async fn unban_user(BrokerHandle(broker): BrokerHandle, path: web::Path<UserPath>) -> ApiResult {
    broker.users().unban(&path.user(&broker)?).await?;
    done()
}

/// A page of bans.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bans {
    ban_list: Vec<UserBan>,
    /// Where the next page begins; not there at the end. A page may be empty and yet not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Users looked at for one page of bans: there is no list of the banned alone.
const LOOKED_AT_MAX: usize = 10_000;

/// Every user that is kept out, in the order of their ids.
#[utoipa::path(tag = "users", security(("key" = ["users:read"])), params(PageQuery),
    responses((status = 200, description = "A page.", body = Bans), Problems))]
#[get("/bans")]
pub(super) async fn list_bans(BrokerHandle(broker): BrokerHandle, page: web::Query<PageQuery>) -> ApiResult {
    let (limit, now_ms) = (page.limit(&broker, usize::MAX)?, broker.context.clock.wall_ms());
    let mut after = page.cursor()?.map(|after| UserId::trusted(&after));
    let (mut ban_list, mut looked_at, mut at_end) = (Vec::new(), 0, false);
    while ban_list.len() < limit && looked_at < LOOKED_AT_MAX && !at_end {
        let users = broker.users().list(after.as_ref(), 1_000).await?;
        at_end = users.len() < 1_000;
        for user in users {
            looked_at += 1;
            let ban = user.ban.as_ref().filter(|ban| ban.holds(now_ms));
            ban_list.extend(ban.map(|ban| UserBan::of(user.id.as_str(), ban)));
            after = Some(user.id);
            if ban_list.len() == limit {
                at_end = false;
                break;
            }
        }
    }
    let next_cursor = after.filter(|_| !at_end).map(|after| encode_cursor(after.as_str()));
    json(&Bans { ban_list, next_cursor })
}
