//! Groups: what the server does to one is done in its owner's name. `FromUserId` must be registered, and need not be inside:
//! so the vendor has it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Call, Outcome, Success, errors_of, fields};
use super::codes::{Fault, code, code_of};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::model::{Refusal, UserId};
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
    let attributes = pairs(call)?;
    let info = json!({
        "groupID": call.input.text_or_empty("GroupId")?, "groupName": call.input.text_or_empty("GroupName")?,
        "groupAvatarUrl": call.input.text_or_empty("GroupAvatar")?,
    });
    let config = json!({"groupNotice": call.input.text_or_empty("GroupNotice")?, "groupAttributes": attributes});
    let args = json!({"groupInfo": info, "userIDs": users, "config": config});
    let made = call.run(OnBehalfOf::User(owner), "createGroup", &args).await?;
    let list = made["userList"].as_array().into_iter().flatten();
    let members: Vec<Value> = list.map(|user| json!({"UserId": user["userID"], "UserName": user["userName"]})).collect();
    let group = made["groupInfo"]["baseInfo"]["groupID"].clone();
    let errors = errors_of(&made["errorUserList"]);
    Ok(fields([("GroupId", group), ("Members", members.into()), ("ErrorUsers", errors.into())]).into())
}

/// Reads `Attributes`.
fn pairs(call: &Call<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let list = call.input.objects("Attributes")?;
    list.iter().map(|pair| Ok((pair.text("Key")?.to_owned(), pair.text_or_empty("Value")?.to_owned()))).collect()
}

pub(super) async fn dismiss(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    call.as_owner(&call.group()?, "dismissGroup", json!({})).await?;
    Ok(Success::default())
}

/// Changes what is named, which may be empty; the rest stays. Source: ZIM server API reference, `UpdateGroupData`.
pub(super) async fn update(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let changes = [
        ("GroupName", "updateGroupName", "groupName"),
        ("GroupNotice", "updateGroupNotice", "groupNotice"),
        ("GroupAvatar", "updateGroupAvatarUrl", "groupAvatarUrl"),
    ];
    if !changes.iter().any(|(name, ..)| call.input.has(name)) {
        return Err(Fault::invalid("GroupName", "is missing, and so are GroupNotice and GroupAvatar"));
    }
    for (name, op, field) in changes {
        if let Some(value) = call.input.maybe_text(name)? {
            call.as_owner(&group, op, json!({field: value})).await?;
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
    let (op, args) = match call.input.maybe_number("Action")?.unwrap_or(0) {
        0 => ("setGroupAttributes", json!({"groupAttributes": pairs})),
        1 => ("deleteGroupAttributes", json!({"keys": pairs.keys().collect::<Vec<_>>()})),
        other => return Err(call.input.wrong("Action", &format!("is {other}, it must be 0 or 1"))),
    };
    let failed = |keys: Vec<&str>| -> Value { keys.into_iter().map(|key| json!({"Key": key, "Reason": "there is no such key"})).collect() };
    let answer = match call.as_owner(&group, op, args).await {
        Ok(answer) => answer,
        Err(refusal @ Refusal::GroupAttributeMissing(_)) => {
            let keys = failed(pairs.keys().map(String::as_str).collect());
            return Err(Fault::from(refusal).with(fields([("FailKeys", keys)])));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let missing: Vec<&str> = answer["errorKeys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let changed: Vec<Value> =
        pairs.iter().filter(|(key, _)| !missing.contains(&key.as_str())).map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(fields([("FailKeys", failed(missing)), ("Attributes", json!({"Attributes": changed}))]).into())
}

pub(super) async fn info(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let info = call.ask_group(&group, "queryGroupInfo", json!({})).await?["groupInfo"].take();
    let pairs = info["groupAttributes"].as_object().into_iter().flatten();
    let attributes: Vec<Value> = pairs.map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let (mute, verify) = (&info["mutedInfo"], &info["verifyInfo"]);
    let forbidden: Value = match mute["mode"].as_u64() {
        Some(1) => json!([3]),
        Some(3) => mute["roles"].clone(),
        _ => json!([]),
    };
    let limit = json!({
        "MemberCountLimit": info["maxMemberCount"], "JoinMode": verify["joinMode"], "InviteMode": verify["inviteMode"],
        "BeInvitedMode": verify["beInviteMode"],
    });
    Ok(fields([
        ("GroupId", group.as_str().into()),
        ("GroupName", info["baseInfo"]["groupName"].clone()),
        ("GroupAvatar", info["baseInfo"]["groupAvatarUrl"].clone()),
        ("GroupNotice", info["groupNotice"].clone()),
        ("GroupCreateTime", info["createTime"].clone()),
        ("GroupAttributes", attributes.into()),
        ("IsAllForbid", (mute["mode"] == 2).into()),
        ("ForbidList", forbidden),
        ("ForbidExpireTime", mute["expiredTime"].clone()),
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
    let moved = call.as_owner(&group, "transferGroupOwner", json!({"toUserID": successor})).await;
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
    let args = match (duration, all) {
        (0, _) => json!({"isMute": false}),
        (_, true) => json!({"isMute": true, "config": {"mode": 2, "duration": duration}}),
        (_, false) if roles.is_empty() => return Err(call.input.wrong("MuteRoleList", "is empty, and IsAllMuted is not true")),
        (_, false) => json!({"isMute": true, "config": {"mode": 3, "duration": duration, "roles": roles}}),
    };
    call.as_owner(&group, "muteGroup", args).await?;
    Ok(Success::default())
}
