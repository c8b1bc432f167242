//! Who is in a group, and as what.

use serde_json::{Map, Value, json};

use super::call::{Call, Outcome, errors_of, failed, fields, partly};
use super::codes::{Fault, code};
use crate::model::{GroupId, Refusal};
use crate::protocol::result::group::{GroupInvited, GroupKicked, GroupMemberCount, GroupMembers, GroupUpdated};
use crate::protocol::{GroupRequest, Request, group_changes as changes, some_users};

/// The most users that one call takes in. Source: ZIM server API reference, `InviteUsersIntoGroup`.
const ADDED_MAX: usize = 100;
/// The most users that one call puts out. Source: ZIM server API reference, `KickoutGroupUser`.
const KICKED_MAX: usize = 50;
/// The most users that one call changes. Source: ZIM server API reference, `SetGroupMembersNickname`, `MuteGroupMembers`.
const CHANGED_MAX: usize = 20;
/// The longest reason, bytes. Our choice: as for rooms.
const REASON_BYTES_MAX: usize = 32;
/// The most members of one page. Source: ZIM server API reference, `QueryGroupMemberList`.
const PAGE_MAX: usize = 1_000;

pub(super) async fn list(call: &Call<'_>) -> Outcome {
    let group = call.group()?;
    let limit = call.limit(PAGE_MAX)?;
    let mut next = call.next()?;
    let asked = Request::Group(GroupRequest::QueryMemberCount { group: group.clone() });
    let GroupMemberCount { count: total, .. } = call.ask(asked).await?.try_into()?;
    let mut members = Vec::new();
    loop {
        let count = (limit - members.len()).min(call.broker.config().limits.group_member_page_max);
        let asked = Request::Group(GroupRequest::QueryMemberList { group: group.clone(), count, next, muted: false });
        let page: GroupMembers = call.ask(asked).await?.try_into()?;
        members.extend(page.user_list.iter().map(
            |member| json!({"UserId": member.user.user_id, "UserName": member.user.user_name, "UserNickName": member.member_nickname}),
        ));
        next = page.next_flag;
        if next == 0 || members.len() >= limit {
            break;
        }
    }
    Ok(fields([("TotalCount", total.into()), ("Next", next.into()), ("MemberList", members.into())]).into())
}

pub(super) async fn add(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let group = call.group()?;
    let mut users = Vec::new();
    for member in call.input.objects("GroupMemberInfos")? {
        if member.maybe_number("EnterGroupTime")?.unwrap_or(0) != 0 {
            return Err(member.wrong("EnterGroupTime", "is given: a member is in from now on"));
        }
        if member.flag("IsInvite")? {
            return Err(member.wrong("IsInvite", "is 1: nobody is asked, who is added is in"));
        }
        users.push(member.text("UserId")?.to_owned());
    }
    if users.is_empty() {
        users = call.input.texts("UserIds")?;
    }
    users.sort_unstable();
    users.dedup();
    users.retain(|user| user != from.as_str());
    call.count("UserIds", users.len(), ADDED_MAX)?;
    for user in &users {
        call.user_id("UserIds", user)?;
    }
    let limits = &call.broker.config().limits;
    let invited = some_users("userIDs", &users, limits.group_invite_max, limits)?;
    let added: GroupInvited = match call.as_owner(&group, GroupRequest::Invite { group: group.clone(), users: invited }).await {
        Ok(added) => added.try_into()?,
        Err(refusal @ (Refusal::UserMissing(_) | Refusal::GroupFull { .. })) => {
            let fault = Fault::from(refusal);
            let errors: Vec<Value> = users.iter().map(|user| failed(user, fault.code)).collect();
            return Err(fault.with(fields([("ErrorUsers", errors.into())])));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    partly("ErrorUsers", errors_of(&added.error_user_list), added.user_list.len(), Map::new())
}

pub(super) async fn kick(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let users = call.user_ids("UserId", KICKED_MAX)?;
    let reason = call.input.text_or_empty("CustomReason")?;
    if reason.len() > REASON_BYTES_MAX {
        return Err(call.input.wrong("CustomReason", &format!("is {} bytes, the limit is {REASON_BYTES_MAX}", reason.len())));
    }
    for user in &users {
        call.user_id("UserId", user)?;
    }
    let limits = &call.broker.config().limits;
    let members = some_users("userIDs", &users, limits.group_kick_max, limits)?;
    let kicked: GroupKicked = match call.as_owner(&group, GroupRequest::Kick { group: group.clone(), users: members }).await {
        Ok(kicked) => kicked.try_into()?,
        Err(Refusal::KickFailed | Refusal::NotInGroup(_)) => {
            let errors = users.iter().map(|user| failed(user, code::NOT_A_MEMBER)).collect();
            return partly("ErrorList", errors, 0, Map::new());
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let count = kicked.kicked_user_ids.len();
    let mut errors = errors_of(&kicked.error_user_list);
    for error in errors.iter_mut().filter(|error| error["SubCode"] == code::NOT_IN_GROUP) {
        error["SubCode"] = code::NOT_A_MEMBER.into();
    }
    let notes = if reason.is_empty() { Vec::new() } else { vec!["CustomReason: it is told to nobody".to_owned()] };
    Ok(partly("ErrorList", errors, count, Map::new())?.noting(notes))
}

pub(super) async fn nicknames(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let members = call.input.objects("UserIds")?;
    call.count("UserIds", members.len(), CHANGED_MAX)?;
    let (mut errors, mut done) = (Vec::new(), 0);
    for member in members {
        let (user, nickname) = (member.text("UserId")?, member.text_or_empty("Nickname")?);
        match nickname_of(call, &group, user, nickname).await {
            Ok(()) => done += 1,
            Err(fault) => errors.push(failed(user, fault.code)),
        }
    }
    partly("ErrorUsers", errors, done, Map::new())
}

async fn nickname_of(call: &Call<'_>, group: &GroupId, user: &str, nickname: &str) -> Result<(), Fault> {
    let user = call.user_id("UserId", user)?;
    call.change_group(group, changes::nickname(user, nickname.to_owned(), &call.broker.config().limits)?).await?;
    Ok(())
}

pub(super) async fn mute(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let users = call.user_ids("UserIds", CHANGED_MAX)?;
    for user in &users {
        call.user_id("UserIds", user)?;
    }
    let duration = call.input.maybe_number("Duration")?.unwrap_or(0);
    let limits = &call.broker.config().limits;
    let change = match duration {
        0 => changes::unmute_members(&users, limits)?,
        duration => changes::mute_members(&users, duration, limits)?,
    };
    match call.change_group(&group, change).await {
        Ok(muted) => {
            let muted: Box<GroupUpdated> = muted.try_into()?;
            let errors = errors_of(muted.error_users());
            let count = users.len().saturating_sub(errors.len());
            partly("ErrorUsers", errors, count, Map::new())
        }
        Err(refusal @ (Refusal::NotInGroup(_) | Refusal::NoAuthority)) => {
            let fault = Fault::from(refusal);
            let errors: Vec<Value> = users.iter().map(|user| failed(user, fault.code)).collect();
            let all = Fault::new(code::ALL_FAILED, "none of the users was muted or let speak: see ErrorUsers");
            Err(all.with(fields([("ErrorUsers", errors.into())])))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Gives members a role, 20 at most; one of them is `UserId` as a text.
pub(super) async fn role(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let group = call.group()?;
    let users = match call.input.maybe_text("UserId") {
        Ok(Some(user)) if !user.is_empty() => vec![user.to_owned()],
        _ => call.user_ids(if call.input.has("UserIds") { "UserIds" } else { "UserId" }, CHANGED_MAX)?,
    };
    let field = if call.input.has("MemberRole") { "MemberRole" } else { "Role" };
    let role = call.input.number(field)?;
    let (mut errors, mut done, mut first) = (Vec::new(), 0, None);
    for user in users {
        let change = changes::role(call.user_id("UserId", &user)?, role).map_err(|invalid| call.input.wrong(field, &invalid.reason))?;
        match call.change_group(&group, change).await {
            Ok(_) => done += 1,
            Err(refusal) => {
                let fault = Fault::from(refusal);
                errors.push(failed(&user, fault.code));
                first.get_or_insert(fault.message);
            }
        }
    }
    match (partly("ErrorList", errors, done, Map::new()), first) {
        (Err(fault), Some(message)) => Err(Fault { message, ..fault }),
        (outcome, _) => outcome,
    }
}
