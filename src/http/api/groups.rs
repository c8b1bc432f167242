//! Groups: what the server does to one is done in its owner's name, and members see it so.

use std::collections::BTreeMap;

use actix_web::{delete, get, patch, post, put, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::response::{ApiResult, ApiError, Problems, done, json, raw};
use super::input::{Body, GroupPath, BrokerHandle, MemberPath, PageQuery, encode_cursor, maybe_object, number_cursor, page_of};
use super::schemas::{AttributesPatch, ErrorUser, Group, GroupMember, GroupSettings, UserIds};
use crate::actors::errand::As;
use crate::broker::Broker;
use crate::model::{GroupId, Invalid, UserId};

/// Carries out an operation in the name of the group's owner.
async fn as_owner(broker: &Broker, group: &GroupId, op: &str, mut args: Value) -> Result<String, ApiError> {
    args["groupID"] = group.as_str().into();
    Ok(broker.run(As::OwnerOf(group.clone()), op, &args).await?)
}

async fn ask(broker: &Broker, group: &GroupId, op: &str, mut args: Value) -> Result<Value, ApiError> {
    args["groupID"] = group.as_str().into();
    Ok(serde_json::from_str(&broker.run(As::System, op, &args).await?).unwrap_or_default())
}

/// A group to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewGroup {
    /// Its owner, a known user.
    #[serde(rename = "ownerUserID")]
    #[schema(example = "alice")]
    owner_user_id: String,
    /// 1 to 32 bytes, not beginning with #; left out: the broker makes one.
    #[serde(rename = "groupID", default)]
    group_id: String,
    /// At most 50 bytes.
    #[serde(default)]
    group_name: String,
    /// At most 500 bytes.
    #[serde(default)]
    group_avatar_url: String,
    /// Its first members beside the owner; at most 100.
    #[serde(rename = "userIDs", default)]
    #[schema(max_items = 100)]
    user_ids: Vec<String>,
    /// The rest.
    #[serde(default, deserialize_with = "maybe_object")]
    config: Option<GroupSettings>,
}

/// A group that was made.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct Created {
    group_info: GroupInfo,
    user_list: Vec<GroupMember>,
    /// Those who are not in it, and why.
    error_user_list: Vec<ErrorUser>,
}

/// Who may not speak in a group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct Muted {
    /// 0 nobody, 1 members and the application's roles, 2 everyone, 3 these roles.
    mode: u8,
    /// Until when, Unix milliseconds; -1 for good.
    expired_time: i64,
    roles: Vec<u32>,
}

/// How one comes into a group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct Verify {
    /// 0 anyone joins, 1 by application, 2 nobody.
    join_mode: u8,
    /// 0 everyone invites, 1 owner and admins.
    invite_mode: u8,
    /// 0 who is invited is in, 1 must agree.
    be_invite_mode: u8,
}

/// Everything about a group but who is in it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct GroupInfo {
    base_info: GroupBase,
    group_notice: String,
    group_attributes: BTreeMap<String, String>,
    /// Unix milliseconds.
    create_time: u64,
    /// 0: as many as the configuration allows.
    max_member_count: u32,
    muted_info: Muted,
    verify_info: Verify,
    /// Of a member: 1 told of messages, 2 not. Always 1 here.
    notification_status: u8,
}

/// What a group is called.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct GroupBase {
    #[schema(rename = "groupID")]
    group_id: String,
    group_name: String,
    group_avatar_url: String,
}

/// Makes a group.
#[utoipa::path(tag = "groups", request_body = NewGroup, security(("key" = ["groups:write"])),
    responses((status = 200, description = "The group.", body = Created), Problems))]
#[post("/groups")]
pub(super) async fn create_group(BrokerHandle(broker): BrokerHandle, Body(call): Body<NewGroup>) -> ApiResult {
    let owner = UserId::parse("ownerUserID", &call.owner_user_id, &broker.config().limits)?;
    let info = json!({"groupID": call.group_id, "groupName": call.group_name, "groupAvatarUrl": call.group_avatar_url});
    let args = json!({"groupInfo": info, "userIDs": call.user_ids, "config": call.config.unwrap_or_default()});
    raw(broker.run(As::User(owner), "createGroup", &args).await?)
}

/// A page of groups.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Groups {
    group_list: Vec<Group>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Every group there is, in the order of their ids.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(PageQuery),
    responses((status = 200, description = "A page.", body = Groups), Problems))]
#[get("/groups")]
pub(super) async fn list_groups(BrokerHandle(broker): BrokerHandle, page: web::Query<PageQuery>) -> ApiResult {
    let limit = page.limit(&broker, usize::MAX)?;
    let after = page.cursor()?.map(|after| GroupId::trusted(&after));
    let (groups, more) = page_of(broker.groups().list(after.as_ref(), limit + 1).await?, limit);
    let next_cursor = groups.last().filter(|_| more).map(|(last, _)| encode_cursor(last.id.as_str()));
    json(&Groups { group_list: groups.iter().map(Group::of).collect(), next_cursor })
}

/// A group with how many are in it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct GroupNow {
    group_info: GroupInfo,
    #[schema(rename = "ownerUserID")]
    owner_user_id: String,
    member_count: u32,
}

async fn now(broker: &Broker, group: &GroupId) -> ApiResult {
    let mut answer = ask(broker, group, "queryGroupInfo", json!({})).await?;
    answer["memberCount"] = ask(broker, group, "queryGroupMemberCount", json!({})).await?["count"].take();
    answer["ownerUserID"] = broker.groups().owner(group).await?.as_str().into();
    json(&answer)
}

/// One group.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(GroupPath),
    responses((status = 200, description = "The group.", body = GroupNow), Problems))]
#[get("/groups/{groupID}")]
pub(super) async fn get_group(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>) -> ApiResult {
    now(&broker, &path.group(&broker)?).await
}

/// What of a group is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GroupPatch {
    /// At most 50 bytes.
    #[serde(default)]
    group_name: Option<String>,
    /// At most 300 bytes.
    #[serde(default)]
    group_notice: Option<String>,
    /// At most 500 bytes.
    #[serde(default)]
    group_avatar_url: Option<String>,
    /// 0 anyone joins, 1 by application, 2 nobody.
    #[serde(default)]
    #[schema(maximum = 2)]
    join_mode: Option<u8>,
    /// 0 everyone invites, 1 owner and admins.
    #[serde(default)]
    #[schema(maximum = 1)]
    invite_mode: Option<u8>,
    /// 0 who is invited is in, 1 must agree.
    #[serde(default)]
    #[schema(maximum = 1)]
    be_invite_mode: Option<u8>,
}

/// Changes a group; one thing after the other, in the order in which they stand here.
#[utoipa::path(tag = "groups", request_body = GroupPatch, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "The group as it is now.", body = GroupNow), Problems))]
#[patch("/groups/{groupID}")]
pub(super) async fn change_group(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, Body(call): Body<GroupPatch>) -> ApiResult {
    let group = path.group(&broker)?;
    let changes = [
        ("updateGroupName", "groupName", call.group_name.map(Value::from)),
        ("updateGroupNotice", "groupNotice", call.group_notice.map(Value::from)),
        ("updateGroupAvatarUrl", "groupAvatarUrl", call.group_avatar_url.map(Value::from)),
        ("updateGroupJoinMode", "mode", call.join_mode.map(Value::from)),
        ("updateGroupInviteMode", "mode", call.invite_mode.map(Value::from)),
        ("updateGroupBeInviteMode", "mode", call.be_invite_mode.map(Value::from)),
    ];
    for (op, field, value) in changes {
        if let Some(value) = value {
            as_owner(&broker, &group, op, json!({field: value})).await?;
        }
    }
    now(&broker, &group).await
}

/// Ends a group for all its members; its id is not used again.
#[utoipa::path(tag = "groups", security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "It is gone.", body = Object), Problems))]
#[delete("/groups/{groupID}")]
pub(super) async fn dismiss_group(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>) -> ApiResult {
    as_owner(&broker, &path.group(&broker)?, "dismissGroup", json!({})).await?;
    done()
}

/// A page of members.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct GroupMembers {
    member_list: Vec<GroupMember>,
    /// Where the next page begins; not there at the end.
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

async fn members_page(broker: &Broker, group: &GroupId, page: &PageQuery, op: &str) -> ApiResult {
    let limit = page.limit(broker, broker.config().limits.group_member_page_max)?;
    let next = number_cursor(page.cursor()?)?.unwrap_or(0);
    let mut list = ask(broker, group, op, json!({"config": {"count": limit, "nextFlag": next}})).await?;
    let members = if list["userList"].is_array() { list["userList"].take() } else { list["userInfoList"].take() };
    let mut answer = json!({"memberList": members});
    if let Some(next) = list["nextFlag"].as_u64().filter(|next| *next > 0) {
        answer["nextCursor"] = encode_cursor(&next.to_string()).into();
    }
    json(&answer)
}

/// Who is in a group, in the order of their coming.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(GroupPath, PageQuery),
    responses((status = 200, description = "A page.", body = GroupMembers), Problems))]
#[get("/groups/{groupID}/members")]
pub(super) async fn list_group_members(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, page: web::Query<PageQuery>) -> ApiResult {
    members_page(&broker, &path.group(&broker)?, &page, "queryGroupMemberList").await
}

/// Who may not speak now.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(GroupPath, PageQuery),
    responses((status = 200, description = "A page.", body = GroupMembers), Problems))]
#[get("/groups/{groupID}/muted-members")]
pub(super) async fn list_muted_members(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, page: web::Query<PageQuery>) -> ApiResult {
    members_page(&broker, &path.group(&broker)?, &page, "queryGroupMemberMutedList").await
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
pub(super) async fn add_group_members(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, Body(call): Body<UserIds>) -> ApiResult {
    raw(as_owner(&broker, &path.group(&broker)?, "inviteUsersIntoGroup", json!({"userIDs": call.user_ids})).await?)
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
pub(super) async fn kick_group_members(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, Body(call): Body<UserIds>) -> ApiResult {
    raw(as_owner(&broker, &path.group(&broker)?, "kickGroupMembers", json!({"userIDs": call.user_ids})).await?)
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

async fn member_now(broker: &Broker, group: &GroupId, user: &UserId) -> ApiResult {
    json(&ask(broker, group, "queryGroupMemberInfo", json!({"userID": user})).await?)
}

/// One member of a group.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(MemberPath),
    responses((status = 200, description = "The member.", body = OneMember), Problems))]
#[get("/groups/{groupID}/members/{userID}")]
pub(super) async fn get_group_member(BrokerHandle(broker): BrokerHandle, path: web::Path<MemberPath>) -> ApiResult {
    member_now(&broker, &path.group(&broker)?, &path.user(&broker)?).await
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
pub(super) async fn change_group_member(BrokerHandle(broker): BrokerHandle, path: web::Path<MemberPath>, Body(call): Body<MemberPatch>) -> ApiResult {
    let (group, user) = (path.group(&broker)?, path.user(&broker)?);
    if let Some(role) = call.role {
        as_owner(&broker, &group, "setGroupMemberRole", json!({"forUserID": user, "role": role})).await?;
    }
    if let Some(nickname) = call.nickname {
        as_owner(&broker, &group, "setGroupMemberNickname", json!({"forUserID": user, "nickname": nickname})).await?;
    }
    member_now(&broker, &group, &user).await
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

fn for_good() -> i64 {
    -1
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
pub(super) async fn mute_group_members(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, Body(call): Body<MuteMembers>) -> ApiResult {
    let args = json!({"userIDs": call.user_ids, "isMute": call.is_mute, "config": {"duration": call.duration}});
    raw(as_owner(&broker, &path.group(&broker)?, "muteGroupMembers", args).await?)
}

/// Whom a group mutes, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mute {
    /// 1 members and the application's roles, 2 everyone, 3 these roles.
    #[schema(minimum = 1, maximum = 3)]
    mode: u8,
    /// Seconds, at most 2,592,000; -1 for good.
    #[serde(default = "for_good")]
    #[schema(minimum = -1, maximum = 2_592_000)]
    duration: i64,
    /// With mode 3; at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    roles: Vec<u32>,
}

/// Whether a group is muted.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct GroupMuted {
    #[schema(rename = "groupID")]
    group_id: String,
    is_mute: bool,
    muted_info: Muted,
}

/// Mutes a group.
#[utoipa::path(tag = "groups", request_body = Mute, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "It is muted.", body = GroupMuted), Problems))]
#[put("/groups/{groupID}/mute")]
pub(super) async fn mute_group(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, Body(call): Body<Mute>) -> ApiResult {
    let config = json!({"mode": call.mode, "duration": call.duration, "roles": call.roles});
    raw(as_owner(&broker, &path.group(&broker)?, "muteGroup", json!({"isMute": true, "config": config})).await?)
}

/// Lets a group speak again.
#[utoipa::path(tag = "groups", security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "It may speak.", body = GroupMuted), Problems))]
#[delete("/groups/{groupID}/mute")]
pub(super) async fn unmute_group(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>) -> ApiResult {
    raw(as_owner(&broker, &path.group(&broker)?, "muteGroup", json!({"isMute": false})).await?)
}

/// A group's attributes.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct GroupAttributes {
    #[schema(rename = "groupID")]
    group_id: String,
    group_attributes: BTreeMap<String, String>,
}

/// A group's attributes.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(GroupPath),
    responses((status = 200, description = "Keys and values.", body = GroupAttributes), Problems))]
#[get("/groups/{groupID}/attributes")]
pub(super) async fn get_group_attributes(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>) -> ApiResult {
    json(&ask(&broker, &path.group(&broker)?, "queryGroupAllAttributes", json!({})).await?)
}

/// Sets, then deletes attributes of a group.
#[utoipa::path(tag = "groups", request_body = AttributesPatch, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "As they are now.", body = GroupAttributes), Problems))]
#[patch("/groups/{groupID}/attributes")]
pub(super) async fn change_group_attributes(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, Body(call): Body<AttributesPatch>) -> ApiResult {
    let group = path.group(&broker)?;
    if call.set.is_empty() && call.delete.is_empty() {
        return Err(Invalid::new("body", "has neither set nor delete").into());
    }
    if !call.set.is_empty() {
        as_owner(&broker, &group, "setGroupAttributes", json!({"groupAttributes": call.set})).await?;
    }
    if !call.delete.is_empty() {
        as_owner(&broker, &group, "deleteGroupAttributes", json!({"keys": call.delete})).await?;
    }
    json(&ask(&broker, &group, "queryGroupAllAttributes", json!({})).await?)
}

/// Who is to own a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOwner {
    /// A member.
    #[serde(rename = "userID")]
    user_id: String,
}

/// Gives a group to another of its members.
#[utoipa::path(tag = "groups", request_body = NewOwner, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "The group as it is now.", body = GroupNow), Problems))]
#[put("/groups/{groupID}/owner")]
pub(super) async fn transfer_group(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>, Body(call): Body<NewOwner>) -> ApiResult {
    let group = path.group(&broker)?;
    as_owner(&broker, &group, "transferGroupOwner", json!({"toUserID": call.user_id})).await?;
    now(&broker, &group).await
}
