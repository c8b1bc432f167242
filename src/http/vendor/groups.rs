//! Groups: what the server does to one is done in its owner's name. `FromUserId` must be registered, and need not be inside:
//! so the vendor has it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Call, Outcome, Success, errors_of, fields};
use super::codes::{Fault, code, code_of};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::model::{GroupChange, Limits, Refusal, UserId};
use crate::protocol::group_changes::{self as changes, MuteArgs};
use crate::protocol::result::group::{GroupCreated, GroupDescribed, GroupMemberWire, GroupUpdated};
use crate::protocol::{GroupRequest, NewGroupArgs, NewGroupConfigArgs, NewGroupInfoArgs, Request};
use crate::store::Store;

/// The most members that a group may begin with. Source: ZIM server API reference, `CreateGroup`.
const FIRST_MEMBERS_MAX: usize = 100;
/// The most groups of one page. Source: ZIM server API reference, `QueryAppGroupList`.
const PAGE_MAX: usize = 10_000;
/// Groups read from the store at a time.
const READ_AT_ONCE: usize = 1_000;

pub(super) async fn create(call: &Call<'_>) -> Outcome {
    let owner = call.user_id("GroupOwner", call.input.text("GroupOwner")?)?;
    if !call.is_known(&owner).await? {
        return Err(Fault::new(code::OWNER_MISSING, format!("GroupOwner {owner} is not registered")));
    }
    if call.input.maybe_number("CreateGroupTime")?.unwrap_or(0) != 0 {
        return Err(call.input.wrong("CreateGroupTime", "is given: a group begins when it is made"));
    }
    let mut users = call.input.texts("UserId")?;
    users.retain(|user| user != owner.as_str());
    if users.len() > FIRST_MEMBERS_MAX {
        return Err(Fault::new(code::GROUP_FULL, format!("UserId has {} entries, the limit is {FIRST_MEMBERS_MAX}", users.len())));
    }
    let group_attributes = pairs(call)?;
    let text = |name| call.input.text_or_empty(name).map(ToOwned::to_owned);
    let (group_id, group_name, group_avatar_url) = (text("GroupId")?, text("GroupName")?, text("GroupAvatar")?);
    let config = NewGroupConfigArgs { group_notice: text("GroupNotice")?, group_attributes, ..NewGroupConfigArgs::default() };
    let group_info = NewGroupInfoArgs { group_id, group_name, group_avatar_url };
    let group = NewGroupArgs { group_info, user_ids: users, config: Some(config) };
    let request = Request::Group(group.check(&call.broker.config().limits)?);
    let made: Box<GroupCreated> = call.run(OnBehalfOf::User(owner), request).await?.try_into()?;
    let one = |member: &GroupMemberWire| json!({"UserId": member.user.user_id, "UserName": member.user.user_name});
    let members: Vec<Value> = made.user_list.iter().map(one).collect();
    let group = made.group_info.base_info.group_id.as_str().into();
    let errors = errors_of(&made.error_user_list);
    Ok(fields([("GroupId", group), ("Members", members.into()), ("ErrorUsers", errors.into())]).into())
}

/// Reads `Attributes`.
fn pairs(call: &Call<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let list = call.input.objects("Attributes")?;
    list.iter().map(|pair| Ok((pair.text("Key")?.to_owned(), pair.text_or_empty("Value")?.to_owned()))).collect()
}

pub(super) async fn dismiss(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    call.as_owner(&group, GroupRequest::Dismiss { group: group.clone() }).await?;
    Ok(Success::default())
}

/// Makes a change of a text.
type TextChange = fn(String, &Limits) -> Result<GroupChange, Refusal>;

/// Changes what is named, which may be empty; the rest stays. Source: ZIM server API reference, `UpdateGroupData`.
pub(super) async fn update(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let changes: [(&str, TextChange); 3] =
        [("GroupName", changes::name), ("GroupNotice", changes::notice), ("GroupAvatar", changes::avatar_url)];
    if !changes.iter().any(|(name, ..)| call.input.has(name)) {
        return Err(Fault::invalid("GroupName", "is missing, and so are GroupNotice and GroupAvatar"));
    }
    for (name, change) in changes {
        if let Some(value) = call.input.maybe_text(name)? {
            call.change_group(&group, change(value.to_owned(), &call.broker.config().limits)?).await?;
        }
    }
    Ok(Success::default())
}

pub(super) async fn change_attributes(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let pairs = pairs(call)?;
    if pairs.is_empty() {
        return Err(call.input.wrong("Attributes", "is empty"));
    }
    let change = match call.input.maybe_number("Action")?.unwrap_or(0) {
        0 => changes::set_attributes(pairs.clone(), &call.broker.config().limits)?,
        1 => changes::delete_attributes(pairs.keys().cloned().collect())?,
        other => return Err(call.input.wrong("Action", &format!("is {other}, it must be 0 or 1"))),
    };
    let failed = |keys: Vec<&str>| -> Value { keys.into_iter().map(|key| json!({"Key": key, "Reason": "there is no such key"})).collect() };
    let updated: Box<GroupUpdated> = match call.change_group(&group, change).await {
        Ok(answer) => answer.try_into()?,
        Err(refusal @ Refusal::GroupAttributeMissing(_)) => {
            let keys = failed(pairs.keys().map(String::as_str).collect());
            return Err(Fault::from(refusal).with(fields([("FailKeys", keys)])));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let missing: Vec<&str> = updated.error_keys().iter().map(String::as_str).collect();
    let changed: Vec<Value> =
        pairs.iter().filter(|(key, _)| !missing.contains(&key.as_str())).map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(fields([("FailKeys", failed(missing)), ("Attributes", json!({"Attributes": changed}))]).into())
}

pub(super) async fn info(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let described: Box<GroupDescribed> = call.ask(Request::Group(GroupRequest::QueryInfo { group })).await?.try_into()?;
    let info = described.group_info;
    let attributes: Vec<Value> = info.group_attributes.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let (mute, verify) = (&info.muted_info, &info.verify_info);
    let forbidden: Value = match mute.mode {
        1 => json!([3]),
        3 => json!(mute.roles),
        _ => json!([]),
    };
    let limit = json!({
        "MemberCountLimit": info.max_member_count, "JoinMode": verify.join_mode, "InviteMode": verify.invite_mode,
        "BeInvitedMode": verify.be_invite_mode,
    });
    Ok(fields([
        ("GroupId", info.base_info.group_id.as_str().into()),
        ("GroupName", info.base_info.group_name.into()),
        ("GroupAvatar", info.base_info.group_avatar_url.into()),
        ("GroupNotice", info.group_notice.into()),
        ("GroupCreateTime", info.create_time.into()),
        ("GroupAttributes", attributes.into()),
        ("IsAllForbid", (mute.mode == 2).into()),
        ("ForbidList", forbidden),
        ("ForbidExpireTime", mute.expired_time.into()),
        ("LimitInfo", limit),
    ])
    .into())
}

/// Lists groups: `Next` counts pages, and `Limit` must stay the same. Source: ZIM server API reference, `QueryAppGroupList`.
pub(super) async fn list(call: &Call<'_>) -> Outcome {
    let limit = call.limit(PAGE_MAX)?;
    let page = usize::try_from(call.next()?).unwrap_or(usize::MAX);
    let groups = all_groups(call.broker).await?;
    let skipped = page.saturating_mul(limit);
    let some: Vec<Value> = groups.iter().skip(skipped).take(limit).map(|(id, name)| json!({"GroupId": id, "GroupName": name})).collect();
    let next = if skipped.saturating_add(limit) < groups.len() { page + 1 } else { 0 };
    Ok(fields([("TotalCount", groups.len().into()), ("Next", next.into()), ("GroupIdList", some.into())]).into())
}

/// Returns ids and names of all groups, in the order of their ids.
async fn all_groups(broker: &Broker) -> Result<Vec<(String, String)>, Refusal> {
    let read = |store: &dyn Store| {
        let (mut groups, mut after) = (Vec::new(), None);
        loop {
            let page = store.groups_after(after.as_ref(), READ_AT_ONCE)?;
            let Some(last) = page.last() else { return Ok(groups) };
            after = Some(last.info.id.clone());
            let there = page.into_iter().filter(|record| !record.dismissed);
            groups.extend(there.map(|record| (record.info.id.to_string(), record.info.name)));
        }
    };
    broker.read(read).await
}

pub(super) async fn transfer(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let successor: UserId = call.user_id("NewOwner", call.input.text("NewOwner")?)?;
    let moved = call.change_group(&group, GroupChange::Transfer(successor)).await;
    moved.map_err(|refusal| match code_of(&refusal) {
        code::USER_UNKNOWN => Fault::new(code::NOT_IN_GROUP, refusal.to_string()),
        _ => refusal.into(),
    })?;
    Ok(Success::default())
}

/// Mutes a group, or lets it speak again. Source: ZIM server API reference, `MuteGroup`.
pub(super) async fn mute(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let duration = call.input.maybe_number("Duration")?.unwrap_or(0);
    let all = call.input.flag("IsAllMuted")?;
    let roles = call.input.numbers("MuteRoleList")?;
    let (mode, roles) = match (duration, all) {
        (0, _) => {
            call.change_group(&group, changes::unmute()).await?;
            return Ok(Success::default());
        }
        (_, true) => (2, Vec::new()),
        (_, false) if roles.is_empty() => return Err(call.input.wrong("MuteRoleList", "is empty, and IsAllMuted is not true")),
        (_, false) => (3, roles),
    };
    let mute = changes::mute(MuteArgs { mode, duration, roles }, &call.broker.config().limits)?;
    call.change_group(&group, mute).await?;
    Ok(Success::default())
}
