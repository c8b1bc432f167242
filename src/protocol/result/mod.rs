//! Frames out that are not messages: replies, errors, membership events, and the objects in them.

mod outcome;

pub(crate) use outcome::{Outcome, RawJson};

use std::collections::BTreeMap;

use bytestring::ByteString;
use serde::Serialize;

use crate::model::{GroupInfo, GroupMember, GroupMute, GroupVerify, Refusal, RoomInfo, UserId, UserProfile};
use crate::protocol::code_of;

fn to_frame(value: &impl Serialize) -> ByteString {
    serde_json::to_string(value).expect("wire objects have string keys and finite numbers").into()
}

#[derive(Serialize)]
struct ReplyFrame<'a, T> {
    id: u64,
    result: &'a T,
}

/// `{"id":…,"result":…}`
pub(crate) fn encode_reply(id: u64, result: &impl Serialize) -> ByteString {
    to_frame(&ReplyFrame { id, result })
}

/// The same around a result that is JSON already.
pub(crate) fn encode_reply_raw(id: u64, result: &str) -> ByteString {
    format!("{{\"id\":{id},\"result\":{result}}}").into()
}

#[derive(Serialize)]
struct ErrorFrame<'a> {
    id: Option<u64>,
    error: WireError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireError<'a> {
    code: u32,
    message: &'a str,
    temporary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// `{"id":…,"error":{…}}`
pub(crate) fn encode_error(id: Option<u64>, refusal: &Refusal) -> ByteString {
    let retry_after_ms = match refusal {
        Refusal::RateLimited { retry_after_ms } => Some(*retry_after_ms),
        _ => None,
    };
    let error = WireError { code: code_of(refusal), message: &refusal.to_string(), temporary: refusal.is_temporary(), retry_after_ms };
    to_frame(&ErrorFrame { id, error })
}

#[derive(Serialize)]
struct EventFrame<'a, T> {
    event: &'a str,
    data: &'a T,
}

/// `{"event":…,"data":…}`
pub(crate) fn encode_event(event: &str, data: &impl Serialize) -> ByteString {
    to_frame(&EventFrame { event, data })
}

/// Says that a page was cut by size.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn not_cut(cut: &bool) -> bool {
    !*cut
}

/// The frame of a page result that may have been cut.
#[derive(Debug, Serialize)]
pub(crate) struct PageCut {
    #[serde(skip_serializing_if = "not_cut")]
    pub(crate) more: bool,
}

/// Source: spec 2.7, `UserInfo`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UserWire {
    #[serde(rename = "userID")]
    user_id: String,
    #[serde(rename = "userName")]
    user_name: String,
    #[serde(rename = "userAvatarUrl")]
    user_avatar_url: String,
}

pub(crate) fn user_wire(profile: &UserProfile) -> UserWire {
    UserWire { user_id: profile.id.to_string(), user_name: profile.name.clone(), user_avatar_url: profile.avatar_url.clone() }
}

#[derive(Serialize)]
struct UserFull {
    #[serde(rename = "baseInfo")]
    base_info: UserWire,
    #[serde(rename = "extendedData")]
    extended_data: String,
}

pub(crate) fn user_full(profile: &UserProfile) -> impl Serialize + use<> {
    UserFull { base_info: user_wire(profile), extended_data: profile.extended_data.clone() }
}

#[derive(Serialize)]
struct ErrorUser {
    #[serde(rename = "userID")]
    user_id: String,
    reason: u32,
}

/// Source: spec 2.7, `ErrorUserInfo`.
pub(crate) fn error_users(failed: &[(UserId, Refusal)]) -> impl Serialize + use<> {
    failed.iter().map(|(user, refusal)| ErrorUser { user_id: user.to_string(), reason: code_of(refusal) }).collect::<Vec<_>>()
}

#[derive(Serialize)]
struct RoomFull {
    #[serde(rename = "baseInfo")]
    base_info: RoomBase,
}

#[derive(Serialize)]
struct RoomBase {
    #[serde(rename = "roomID")]
    room_id: String,
    #[serde(rename = "roomName")]
    room_name: String,
}

pub(crate) fn room_full(info: &RoomInfo) -> impl Serialize + use<> {
    RoomFull { base_info: RoomBase { room_id: info.id.to_string(), room_name: info.name.clone() } }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupFull {
    base_info: GroupBase,
    group_notice: String,
    group_attributes: BTreeMap<String, String>,
    notification_status: u8,
    muted_info: MutedInfo,
    create_time: u64,
    max_member_count: usize,
    verify_info: VerifyInfo,
}

#[derive(Debug, Serialize)]
pub(crate) struct GroupBase {
    #[serde(rename = "groupID")]
    group_id: String,
    #[serde(rename = "groupName")]
    group_name: String,
    #[serde(rename = "groupAvatarUrl")]
    group_avatar_url: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MutedInfo {
    mode: u8,
    expired_time: i64,
    roles: Vec<u32>,
}

/// Source: spec 2.7, `GroupMuteInfo`.
pub(crate) fn muted_info(mute: &GroupMute) -> MutedInfo {
    MutedInfo { mode: mute.mode.number(), expired_time: mute.until.0, roles: mute.roles.clone() }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyInfo {
    join_mode: u8,
    invite_mode: u8,
    be_invite_mode: u8,
}

/// Source: spec 2.9, `GroupVerifyInfo`.
pub(crate) fn verify_info(verify: GroupVerify) -> VerifyInfo {
    VerifyInfo { join_mode: verify.join.number(), invite_mode: verify.invite.number(), be_invite_mode: verify.be_invite.number() }
}

pub(crate) fn group_base(info: &GroupInfo) -> GroupBase {
    GroupBase { group_id: info.id.to_string(), group_name: info.name.clone(), group_avatar_url: info.avatar_url.clone() }
}

/// Source: spec 2.7, `GroupFullInfo`; `muted` is whether the reader does not want to be disturbed by it.
pub(crate) fn group_full(info: &GroupInfo, muted: bool) -> impl Serialize + use<> {
    GroupFull {
        base_info: group_base(info),
        group_notice: info.notice.clone(),
        group_attributes: info.attributes.clone(),
        notification_status: notification_status(muted),
        muted_info: muted_info(&info.mute),
        create_time: info.created_ms,
        max_member_count: info.members_max,
        verify_info: verify_info(info.verify),
    }
}

/// 1 notifies, 2 does not disturb.
fn notification_status(muted: bool) -> u8 {
    if muted { 2 } else { 1 }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupShort {
    base_info: GroupBase,
    notification_status: u8,
}

/// Source: spec 2.9, Group.
pub(crate) fn group_short(info: &GroupInfo, muted: bool) -> impl Serialize + use<> {
    GroupShort { base_info: group_base(info), notification_status: notification_status(muted) }
}

/// Source: spec 2.7, `GroupMemberInfo`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupMemberWire {
    #[serde(flatten)]
    user: UserWire,
    member_nickname: String,
    member_role: u32,
    mute_expired_time: i64,
}

pub(crate) fn group_member(member: &GroupMember, profile: &UserProfile) -> GroupMemberWire {
    GroupMemberWire {
        user: user_wire(profile),
        member_nickname: member.nickname.clone(),
        member_role: member.role.number(),
        mute_expired_time: member.muted.0,
    }
}

/// Who did it. Source: spec 2.7, `GroupOperatedInfo`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OperatedInfo {
    #[serde(rename = "userID")]
    pub(crate) user_id: String,
    #[serde(rename = "userName")]
    pub(crate) user_name: String,
    #[serde(rename = "memberNickname")]
    pub(crate) member_nickname: String,
    #[serde(rename = "memberRole")]
    pub(crate) member_role: u32,
}
