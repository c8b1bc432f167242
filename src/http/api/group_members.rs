//! Who is in a group. Members see what the server does as done by the owner.

use actix_web::{get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::group_calls::{as_owner, ask, change, for_good};
use super::input::{Body, BrokerHandle, GroupPath, MemberPath, PageQuery, encode_cursor, number_cursor};
use super::response::{ApiResult, Problems, json};
use super::schemas::{ErrorUser, GroupMember, UserIds};
use crate::broker::Broker;
use crate::model::{GroupId, UserId};
use crate::protocol::result::group as results;
use crate::protocol::{GroupRequest, group_changes as changes, some_users};

/// A page of members.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupMembers {
    #[schema(value_type = Vec<GroupMember>)]
    member_list: Vec<results::GroupMemberWire>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

async fn members_page(broker: &Broker, group: GroupId, page: &PageQuery, muted: bool) -> ApiResult {
    let count = page.limit(broker, broker.config().limits.group_member_page_max)?;
    let next = number_cursor(page.cursor()?)?.unwrap_or(0);
    let list: results::GroupMembers = ask(broker, GroupRequest::QueryMemberList { group, count, next, muted }).await?.try_into()?;
    let next_cursor = Some(list.next_flag).filter(|next| *next > 0).map(|next| encode_cursor(&next.to_string()));
    json(&GroupMembers { member_list: list.user_list, next_cursor })
}

/// Who is in a group, in the order of their coming.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(GroupPath, PageQuery),
    responses((status = 200, description = "A page.", body = GroupMembers), Problems))]
#[get("/groups/{groupID}/members")]
pub(super) async fn list_group_members(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<GroupPath>,
    page: web::Query<PageQuery>,
) -> ApiResult {
    members_page(&broker, path.group(&broker)?, &page, false).await
}

/// Who may not speak now.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(GroupPath, PageQuery),
    responses((status = 200, description = "A page.", body = GroupMembers), Problems))]
#[get("/groups/{groupID}/muted-members")]
pub(super) async fn list_muted_members(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<GroupPath>,
    page: web::Query<PageQuery>,
) -> ApiResult {
    members_page(&broker, path.group(&broker)?, &page, true).await
}

/// Who came in, and who did not.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct Added {
    #[schema(rename = "groupID")]
    group_id: String,
    user_list: Vec<GroupMember>,
    error_user_list: Vec<ErrorUser>,
}

/// Takes users into a group, as its owner invites them; at most 100.
#[utoipa::path(tag = "groups", request_body = UserIds, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "Who is in now, and who is not.", body = Added), Problems))]
#[post("/groups/{groupID}/members")]
pub(super) async fn add_group_members(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<GroupPath>,
    Body(call): Body<UserIds>,
) -> ApiResult {
    let (group, limits) = (path.group(&broker)?, &broker.config().limits);
    let users = some_users("userIDs", &call.user_ids, limits.group_invite_max, limits)?;
    json(&as_owner(&broker, &group, GroupRequest::Invite { group: group.clone(), users }).await?)
}

/// Who was put out, and who was not.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct GroupKicked {
    #[schema(rename = "groupID")]
    group_id: String,
    #[schema(rename = "kickedUserIDs")]
    kicked_user_ids: Vec<String>,
    error_user_list: Vec<ErrorUser>,
}

/// Puts members out of a group; at most 50.
#[utoipa::path(tag = "groups", request_body = UserIds, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "Who is out now, and who is not.", body = GroupKicked), Problems))]
#[post("/groups/{groupID}/kick")]
pub(super) async fn kick_group_members(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<GroupPath>,
    Body(call): Body<UserIds>,
) -> ApiResult {
    let (group, limits) = (path.group(&broker)?, &broker.config().limits);
    let users = some_users("userIDs", &call.user_ids, limits.group_kick_max, limits)?;
    json(&as_owner(&broker, &group, GroupRequest::Kick { group: group.clone(), users }).await?)
}

/// A member.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct OneMember {
    #[schema(rename = "groupID")]
    group_id: String,
    user_info: GroupMember,
}

async fn member_now(broker: &Broker, group: GroupId, user: UserId) -> ApiResult {
    json(&ask(broker, GroupRequest::QueryMember { group, user }).await?)
}

/// One member of a group.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(MemberPath),
    responses((status = 200, description = "The member.", body = OneMember), Problems))]
#[get("/groups/{groupID}/members/{userID}")]
pub(super) async fn get_group_member(BrokerHandle(broker): BrokerHandle, path: web::Path<MemberPath>) -> ApiResult {
    member_now(&broker, path.group(&broker)?, path.user(&broker)?).await
}

/// What of a member is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberPatch {
    /// 2 admin, 3 member, 101 and above the application's own.
    #[serde(default)]
    role: Option<u32>,
    /// What it is called in this group; at most 100 bytes.
    #[serde(default)]
    nickname: Option<String>,
}

/// Changes a member's role and nickname.
#[utoipa::path(tag = "groups", request_body = MemberPatch, security(("key" = ["groups:write"])), params(MemberPath),
    responses((status = 200, description = "The member as it is now.", body = OneMember), Problems))]
#[patch("/groups/{groupID}/members/{userID}")]
pub(super) async fn change_group_member(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<MemberPath>,
    Body(call): Body<MemberPatch>,
) -> ApiResult {
    let (group, user) = (path.group(&broker)?, path.user(&broker)?);
    if let Some(role) = call.role {
        change(&broker, &group, changes::role(user.clone(), role.into())?).await?;
    }
    if let Some(nickname) = call.nickname {
        change(&broker, &group, changes::nickname(user.clone(), nickname, &broker.config().limits)?).await?;
    }
    member_now(&broker, group, user).await
}

/// Who is muted, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MuteMembers {
    /// At most 100.
    #[serde(rename = "userIDs")]
    #[schema(min_items = 1, max_items = 100)]
    user_ids: Vec<String>,
    /// false: they may speak again.
    is_mute: bool,
    /// Seconds, at most 604,800; -1 for good.
    #[serde(default = "for_good")]
    #[schema(minimum = -1, maximum = 604_800)]
    duration: i64,
}

/// Who is muted now, or is not any more, and of whom it was not done.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct MembersMuted {
    #[schema(rename = "groupID")]
    group_id: String,
    is_mute: bool,
    /// Seconds; -1 for good.
    duration: i64,
    #[schema(rename = "mutedUserIDs")]
    muted_user_ids: Vec<String>,
    error_user_list: Vec<ErrorUser>,
}

/// Mutes members, or lets them speak again.
#[utoipa::path(tag = "groups", request_body = MuteMembers, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "Of whom it was done, and of whom not.", body = MembersMuted), Problems))]
#[post("/groups/{groupID}/mute-members")]
pub(super) async fn mute_group_members(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<GroupPath>,
    Body(call): Body<MuteMembers>,
) -> ApiResult {
    let (group, limits) = (path.group(&broker)?, &broker.config().limits);
    let mute = match call.is_mute {
        true => changes::mute_members(&call.user_ids, call.duration, limits)?,
        false => changes::unmute_members(&call.user_ids, limits)?,
    };
    json(&change(&broker, &group, mute).await?)
}
