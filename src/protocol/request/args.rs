//! The shapes of arguments on the wire, and how each becomes checked values.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{HistoryQuery, Login};
use crate::model::{ConversationKind, DeviceId, GroupId, Invalid, Limits, Refusal, RoomId, SdkVersion, Target, UserId, UserProfile};
use crate::protocol::whole_numbers::with_whole_numbers;

pub(super) fn read<T: DeserializeOwned>(args: &str) -> Result<T, Invalid> {
    read_object(args, "args")
}

/// Reads an object; `whole` names it in an error that no single field causes.
pub(crate) fn read_object<T: DeserializeOwned>(args: &str, whole: &str) -> Result<T, Invalid> {
    // serde would also fill a struct from an array, by position.
    if !args.trim_start().starts_with('{') {
        return Err(Invalid::new(whole, "is not an object"));
    }
    match read_as_it_is(args, whole) {
        Err(invalid) => match with_whole_numbers(args) {
            Some(args) => read_as_it_is(&args, whole),
            None => Err(invalid),
        },
        read => read,
    }
}

fn read_as_it_is<T: DeserializeOwned>(args: &str, whole: &str) -> Result<T, Invalid> {
    let deserializer = &mut serde_json::Deserializer::from_str(args);
    let value = serde_path_to_error::deserialize(&mut *deserializer).map_err(|error| {
        let field = match error.path().to_string() {
            path if path == "." || path == "?" => whole.to_owned(),
            path => path,
        };
        Invalid::new(field, format!("is not understood: {}", error.into_inner()))
    })?;
    deserializer.end().map_err(|error| Invalid::new(whole, format!("is not understood: {error}")))?;
    Ok(value)
}

pub(super) fn count(field: &str, value: i64, max: usize) -> Result<usize, Invalid> {
    match usize::try_from(value) {
        Ok(count) if (1..=max).contains(&count) => Ok(count),
        _ => Err(Invalid::out_of_range(field, value, 1, i64::try_from(max).unwrap_or(i64::MAX))),
    }
}

/// Reads checked ids in the order given, each once.
pub(crate) fn user_list(field: &str, ids: &[String], max: usize, limits: &Limits) -> Result<Vec<UserId>, Invalid> {
    if ids.len() > max {
        return Err(Invalid::too_many(field, ids.len(), max));
    }
    let mut users: Vec<UserId> = Vec::with_capacity(ids.len());
    for (n, id) in ids.iter().enumerate() {
        let user = UserId::parse(&format!("{field}[{n}]"), id, limits)?;
        if !users.contains(&user) {
            users.push(user);
        }
    }
    Ok(users)
}

/// Checks the same of a list that names someone.
///
/// # Errors
/// [`Invalid`] naming the list or the entry.
pub(crate) fn some_users(field: &str, ids: &[String], max: usize, limits: &Limits) -> Result<Vec<UserId>, Invalid> {
    if ids.is_empty() {
        return Err(Invalid::new(field, "is empty"));
    }
    user_list(field, ids, max, limits)
}

pub(super) fn room_id(args: &str, limits: &Limits) -> Result<RoomId, Invalid> {
    RoomId::parse("roomID", &read::<RoomIdArgs>(args)?.room_id, limits)
}

pub(super) fn group_id(args: &str, limits: &Limits) -> Result<GroupId, Invalid> {
    GroupId::parse("groupID", &read::<GroupIdArgs>(args)?.group_id, limits)
}

pub(super) fn group_users(args: &str, max: usize, limits: &Limits) -> Result<(GroupId, Vec<UserId>), Invalid> {
    let args: GroupUsersArgs = read(args)?;
    Ok((GroupId::parse("groupID", &args.group_id, limits)?, some_users("userIDs", &args.user_ids, max, limits)?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginArgs {
    #[serde(rename = "userID")]
    user_id: String,
    #[serde(default)]
    user_name: String,
    token: String,
    #[serde(rename = "deviceID", default)]
    device_id: Option<String>,
    #[serde(default)]
    sdk_version: Option<String>,
    #[serde(default)]
    resume_from: Option<String>,
}

impl LoginArgs {
    pub(super) fn check(self, limits: &Limits) -> Result<Login, Refusal> {
        UserProfile::check_name(&self.user_name, limits)?;
        Ok(Login {
            user: UserId::parse("userID", &self.user_id, limits)?,
            name: self.user_name,
            token: self.token,
            device: self.device_id.filter(|id| !id.is_empty()).map(|id| DeviceId::parse("deviceID", &id)).transpose()?,
            resume_from: self.resume_from.filter(|cursor| !cursor.is_empty()).map(|cursor| parse_cursor(&cursor)).transpose()?,
            version: self.sdk_version.map_or(Ok(SdkVersion::NEWEST), |text| SdkVersion::parse(&text))?,
        })
    }
}

/// Reads a cursor that this broker gave out. Clients do not look into it.
fn parse_cursor(cursor: &str) -> Result<u64, Invalid> {
    cursor.parse().map_err(|_| Invalid::new("resumeFrom", "is not a cursor of this broker"))
}

#[derive(Deserialize)]
pub(super) struct TokenArgs {
    pub(super) token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryArgs {
    #[serde(rename = "conversationID")]
    conversation_id: String,
    conversation_type: i64,
    config: HistoryConfigArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HistoryConfigArgs {
    count: i64,
    #[serde(default)]
    reverse: bool,
    #[serde(default)]
    next_message: Option<AnchorArgs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnchorArgs {
    #[serde(default)]
    message_seq: Option<u64>,
    #[serde(default)]
    order_key: Option<u64>,
}

impl HistoryArgs {
    pub(super) fn check(self, limits: &Limits) -> Result<HistoryQuery, Refusal> {
        let kind = ConversationKind::from_number("conversationType", self.conversation_type)?;
        let anchor = self.config.next_message;
        if anchor.as_ref().is_some_and(|a| a.message_seq.is_none() && a.order_key.is_none()) {
            return Err(Invalid::new("config.nextMessage", "has neither messageSeq nor orderKey").into());
        }
        Ok(HistoryQuery {
            target: Target::parse("conversationID", kind, &self.conversation_id, limits)?,
            count: count("config.count", self.config.count, limits.history_page_max)?,
            backwards: self.config.reverse,
            anchor_seq: anchor.as_ref().and_then(|a| a.message_seq),
            anchor_order_key: anchor.and_then(|a| a.order_key),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct UsersArgs {
    #[serde(rename = "userIDs")]
    pub(super) user_ids: Vec<String>,
}

#[derive(Deserialize)]
struct RoomIdArgs {
    #[serde(rename = "roomID")]
    room_id: String,
}

#[derive(Deserialize)]
struct GroupIdArgs {
    #[serde(rename = "groupID")]
    group_id: String,
}

#[derive(Deserialize)]
struct GroupUsersArgs {
    #[serde(rename = "groupID")]
    group_id: String,
    #[serde(rename = "userIDs")]
    user_ids: Vec<String>,
}
