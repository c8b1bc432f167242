//! Groups: what the server does to one is done in its owner's name. `FromUserId` must be registered, and need not be inside:
//! so the vendor has it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Call, Outcome, Success, errors_of, fields};
use super::codes::{Fault, code, code_of};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::model::{GroupChange, Invalid, Limits, MuteMode, Refusal, UserId};
use crate::protocol::group_changes::{self as changes, MuteArgs};
use crate::protocol::result::group::{GroupCreated, GroupDescribed, GroupList, GroupMemberWire, GroupUpdated};
use crate::protocol::{GroupRequest, NewGroupArgs, NewGroupConfigArgs, NewGroupInfoArgs, Request};
use crate::store::{Store, StoreError};

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

/// Groups of one page of those that are muted. Source: ZIM server API reference, `FetchForbidGroupList`.
const MUTED_PAGE: usize = 10_000;

/// Lists the groups in which not everyone may speak: all muted (1), roles (2), or single members (3). Our choice: these numbers, in
/// the order in which the page names the kinds, and of a group to which more of them apply the first.
pub(super) async fn muted(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let skipped = usize::try_from(call.input.maybe_number("StartFlag")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let now_ms = call.broker.context.clock.wall_ms();
    let muted = call.broker.read(move |store| muted_groups(store, now_ms)).await?;
    let list: Vec<Value> =
        muted.iter().skip(skipped).take(MUTED_PAGE).map(|(id, kind)| json!({"GroupId": id, "ForbidType": kind})).collect();
    let end = skipped.saturating_add(list.len());
    let is_end = end >= muted.len();
    let next = if is_end { 0 } else { end };
    Ok(fields([("FetchEnd", u8::from(is_end).into()), ("NextFlag", next.into()), ("GroupList", list.into())]).into())
}

fn muted_groups(store: &dyn Store, now_ms: u64) -> Result<Vec<(String, u8)>, StoreError> {
    let (mut groups, mut after) = (Vec::new(), None);
    loop {
        let page = store.groups_after(after.as_ref(), READ_AT_ONCE)?;
        let Some(last) = page.last() else { return Ok(groups) };
        after = Some(last.info.id.clone());
        for record in page.into_iter().filter(|record| !record.dismissed) {
            let mute = &record.info.mute;
            let kind = match mute.mode {
                MuteMode::All if mute.until.lasts(now_ms) => Some(1),
                MuteMode::Normal | MuteMode::Custom if mute.until.lasts(now_ms) => Some(2),
                _ => {
                    let members = store.group_members(&record.info.id)?;
                    members.iter().any(|member| member.muted.lasts(now_ms)).then_some(3)
                }
            };
            groups.extend(kind.map(|kind| (record.info.id.to_string(), kind)));
        }
    }
}

/// Makes a change of a number.
type ModeChange = fn(i64) -> Result<GroupChange, Invalid>;

/// Changes how one comes into a group, and how many may; what is not named stays.
pub(super) async fn limit(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let modes: [(&str, ModeChange); 3] =
        [("JoinMode", changes::join_mode), ("InviteMode", changes::invite_mode), ("BeInvitedMode", changes::be_invite_mode)];
    let mut wanted = Vec::new();
    for (name, change) in modes {
        if call.input.has(name) {
            // Given without a value it is 0: so the vendor has it.
            let mode = call.input.maybe_number(name)?.unwrap_or(0);
            wanted.push(change(mode).map_err(|invalid| call.input.wrong(name, &invalid.reason))?);
        }
    }
    if call.input.has("MemberCountLimit") {
        let max = call.input.maybe_number("MemberCountLimit")?.unwrap_or(0);
        let most = call.broker.config().limits.group_members_max;
        let max = usize::try_from(max).ok().filter(|max| *max <= most);
        let max = max.ok_or_else(|| call.input.wrong("MemberCountLimit", &format!("is not from 0 to {most}")))?;
        wanted.push(GroupChange::MembersMax(max));
    }
    if wanted.is_empty() {
        return Err(call.input.wrong("JoinMode", "is missing, and so are InviteMode, BeInvitedMode and MemberCountLimit"));
    }
    for change in wanted {
        call.change_group(&group, change).await?;
    }
    Ok(Success::default())
}

/// Tells of the groups that a user is in.
pub(super) async fn of_user(call: &Call<'_>) -> Outcome {
    // The page says FromUserId; UserId is taken, too.
    let field = if call.input.has("FromUserId") { "FromUserId" } else { "UserId" };
    let user = call.user_id(field, call.input.text(field)?)?;
    if !call.is_known(&user).await? {
        return Err(Fault::new(code::USER_UNKNOWN, format!("{field} {user} is not registered")));
    }
    let limit = call.limit(PAGE_MAX)?;
    let skipped = usize::try_from(call.next()?).unwrap_or(usize::MAX);
    let groups: GroupList = call.run(OnBehalfOf::User(user), Request::Group(GroupRequest::QueryList)).await?.try_into()?;
    let all: Vec<Value> = groups
        .bases()
        .map(|group| json!({"GroupId": group.group_id, "GroupName": group.group_name, "GroupAvatar": group.group_avatar_url}))
        .collect();
    let list: Vec<Value> = all.iter().skip(skipped).take(limit).cloned().collect();
    let end = skipped.saturating_add(list.len());
    let next = if end < all.len() { end } else { 0 };
    Ok(fields([("TotalCount", all.len().into()), ("Next", next.into()), ("GroupList", list.into())]).into())
}
