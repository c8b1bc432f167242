//! Groups: what the server does to one is done in its owner's name, and members see it so.

use std::collections::BTreeMap;

use actix_web::{delete, get, patch, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::group_calls::{as_owner, ask, change, for_good};
use super::input::{Body, BrokerHandle, GroupPath, PageQuery, encode_cursor, maybe_object, page_of};
use super::response::{ApiResult, Problems, done, json};
use super::schemas::{AttributesPatch, ErrorUser, Group, GroupMember, GroupSettings, numbers};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::model::{GroupChange, GroupId, Invalid, Limits, Refusal, UserId};
use crate::protocol::group_changes::{self as changes, MuteArgs};
use crate::protocol::result::group as results;
use crate::protocol::{GroupRequest, NewGroupArgs, NewGroupInfoArgs, Request};

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
    #[schema(schema_with = numbers::mute_mode)]
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
    #[schema(schema_with = numbers::join_mode)]
    join_mode: u8,
    /// 0 everyone invites, 1 owner and admins.
    #[schema(schema_with = numbers::invite_mode)]
    invite_mode: u8,
    /// 0 who is invited is in, 1 must agree.
    #[schema(schema_with = numbers::be_invite_mode)]
    be_invite_mode: u8,
}

/// Everything about a group but who is in it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct GroupInfo {
    base_info: GroupBase,
    /// Always empty: nobody has a name of its own for a group yet.
    group_alias: String,
    group_notice: String,
    group_attributes: BTreeMap<String, String>,
    /// Unix milliseconds.
    create_time: u64,
    /// 0: as many as the configuration allows.
    max_member_count: u32,
    muted_info: Muted,
    verify_info: Verify,
    /// Of a member: 1 told of messages, 2 not. Always 1 here.
    #[schema(schema_with = numbers::notification_status)]
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
    let limits = &broker.config().limits;
    let owner = UserId::parse("ownerUserID", &call.owner_user_id, limits)?;
    let (group_id, group_name, group_avatar_url) = (call.group_id, call.group_name, call.group_avatar_url);
    let group_info = NewGroupInfoArgs { group_id, group_name, group_avatar_url };
    let group = NewGroupArgs { group_info, user_ids: call.user_ids, config: call.config.map(Into::into) };
    json(&broker.call(OnBehalfOf::User(owner), Request::Group(group.check(limits)?)).await?)
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupNow {
    #[schema(value_type = GroupInfo)]
    group_info: results::GroupFull,
    #[serde(rename = "ownerUserID")]
    #[schema(value_type = String)]
    owner_user_id: UserId,
    #[schema(value_type = u32)]
    member_count: usize,
}

async fn now(broker: &Broker, group: &GroupId) -> ApiResult {
    let described: Box<results::GroupDescribed> = ask(broker, GroupRequest::QueryInfo { group: group.clone() }).await?.try_into()?;
    let members: results::GroupMemberCount = ask(broker, GroupRequest::QueryMemberCount { group: group.clone() }).await?.try_into()?;
    let owner_user_id = broker.groups().owner(group).await?;
    json(&GroupNow { group_info: described.group_info, owner_user_id, member_count: members.count })
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
    #[schema(schema_with = numbers::join_mode)]
    join_mode: Option<u8>,
    /// 0 everyone invites, 1 owner and admins.
    #[serde(default)]
    #[schema(schema_with = numbers::invite_mode)]
    invite_mode: Option<u8>,
    /// 0 who is invited is in, 1 must agree.
    #[serde(default)]
    #[schema(schema_with = numbers::be_invite_mode)]
    be_invite_mode: Option<u8>,
}

impl GroupPatch {
    /// Returns the changes, in order. What is before one that is refused is carried out.
    fn changes(self, limits: &Limits) -> Vec<Result<GroupChange, Refusal>> {
        let mode = |mode: Option<u8>, change: fn(i64) -> Result<GroupChange, Invalid>| mode.map(|mode| Ok(change(mode.into())?));
        let changes = [
            self.group_name.map(|name| changes::name(name, limits)),
            self.group_notice.map(|notice| changes::notice(notice, limits)),
            self.group_avatar_url.map(|url| changes::avatar_url(url, limits)),
            mode(self.join_mode, changes::join_mode),
            mode(self.invite_mode, changes::invite_mode),
            mode(self.be_invite_mode, changes::be_invite_mode),
        ];
        changes.into_iter().flatten().collect()
    }
}

/// Changes a group; one thing after the other, in the order in which they stand here.
#[utoipa::path(tag = "groups", request_body = GroupPatch, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "The group as it is now.", body = GroupNow), Problems))]
#[patch("/groups/{groupID}")]
pub(super) async fn change_group(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<GroupPath>,
    Body(call): Body<GroupPatch>,
) -> ApiResult {
    let group = path.group(&broker)?;
    for one in call.changes(&broker.config().limits) {
        change(&broker, &group, one?).await?;
    }
    now(&broker, &group).await
}

/// Ends a group for all its members; its id is not used again.
#[utoipa::path(tag = "groups", security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "It is gone.", body = Object), Problems))]
#[delete("/groups/{groupID}")]
pub(super) async fn dismiss_group(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>) -> ApiResult {
    let group = path.group(&broker)?;
    as_owner(&broker, &group, GroupRequest::Dismiss { group: group.clone() }).await?;
    done()
}

/// Whom a group mutes, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mute {
    /// 1 members and the application's roles, 2 everyone, 3 these roles.
    #[schema(schema_with = numbers::mute_target)]
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
    let group = path.group(&broker)?;
    let roles = call.roles.into_iter().map(i64::from).collect();
    let mute = changes::mute(MuteArgs { mode: call.mode.into(), duration: call.duration, roles }, &broker.config().limits)?;
    json(&change(&broker, &group, mute).await?)
}

/// Lets a group speak again.
#[utoipa::path(tag = "groups", security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "It may speak.", body = GroupMuted), Problems))]
#[delete("/groups/{groupID}/mute")]
pub(super) async fn unmute_group(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>) -> ApiResult {
    json(&change(&broker, &path.group(&broker)?, changes::unmute()).await?)
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

async fn attributes_now(broker: &Broker, group: GroupId) -> ApiResult {
    json(&ask(broker, GroupRequest::QueryAttributes { group, keys: None }).await?)
}

/// A group's attributes.
#[utoipa::path(tag = "groups", security(("key" = ["groups:read"])), params(GroupPath),
    responses((status = 200, description = "Keys and values.", body = GroupAttributes), Problems))]
#[get("/groups/{groupID}/attributes")]
pub(super) async fn get_group_attributes(BrokerHandle(broker): BrokerHandle, path: web::Path<GroupPath>) -> ApiResult {
    attributes_now(&broker, path.group(&broker)?).await
}

/// Sets, then deletes attributes of a group.
#[utoipa::path(tag = "groups", request_body = AttributesPatch, security(("key" = ["groups:write"])), params(GroupPath),
    responses((status = 200, description = "As they are now.", body = GroupAttributes), Problems))]
#[patch("/groups/{groupID}/attributes")]
pub(super) async fn change_group_attributes(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<GroupPath>,
    Body(call): Body<AttributesPatch>,
) -> ApiResult {
    let group = path.group(&broker)?;
    if call.set.is_empty() && call.delete.is_empty() {
        return Err(Invalid::new("body", "has neither set nor delete").into());
    }
    if !call.set.is_empty() {
        change(&broker, &group, changes::set_attributes(call.set, &broker.config().limits)?).await?;
    }
    if !call.delete.is_empty() {
        change(&broker, &group, changes::delete_attributes(call.delete)?).await?;
    }
    attributes_now(&broker, group).await
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
pub(super) async fn transfer_group(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<GroupPath>,
    Body(call): Body<NewOwner>,
) -> ApiResult {
    let group = path.group(&broker)?;
    let successor = UserId::parse("toUserID", &call.user_id, &broker.config().limits)?;
    change(&broker, &group, GroupChange::Transfer(successor)).await?;
    now(&broker, &group).await
}
