//! Users: made known, changed, and whether they are online.

use serde_json::{Map, Value, json};

use super::call::{Call, Outcome, failed, fields, partly};
use super::codes::{Fault, code};
use super::input::Input;
use crate::actors::connection::status::OnlineStatus;
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{Limits, Refusal};
use crate::protocol::{Request, UserRequest};

/// The most users of one call. Source: ZIM server API reference, `UserRegister`, `QueryUserOnlineState`.
const USERS_MAX: usize = 100;

pub(super) async fn register(call: &Call<'_>) -> Outcome {
    let users = call.input.objects("UserInfo")?;
    call.count("UserInfo", users.len(), USERS_MAX)?;
    let (mut errors, mut done) = (Vec::new(), 0);
    for user in users {
        match register_one(call, &user).await {
            Ok(()) => done += 1,
            Err(fault) if fault.code == code::BUSY => return Err(fault),
            Err(fault) => {
                let mut error = failed(user.text_or_empty("UserId").unwrap_or_default(), fault.code);
                error["SubMessage"] = fault.message.into();
                errors.push(error);
            }
        }
    }
    partly("ErrorList", errors, done, Map::new())
}

async fn register_one(call: &Call<'_>, user: &Input) -> Result<(), Fault> {
    let limits = &call.broker.config().limits;
    let id = call.user_id(&user.name("UserId"), user.text("UserId")?)?;
    let (name, avatar) = (user.text_or_empty("UserName")?, user.text_or_empty("UserAvatar")?);
    for (field, value, max, number) in [
        ("UserName", name, limits.user_name_bytes_max, code::NAME_LONG),
        ("UserAvatar", avatar, limits.avatar_url_bytes_max, code::AVATAR_LONG),
    ] {
        if value.len() > max {
            return Err(Fault::new(number, format!("{field} is {} bytes, the limit is {max}", value.len())));
        }
    }
    if call.is_known(&id).await? {
        return Err(Fault::new(code::USER_EXISTS, format!("user {id} is registered already")));
    }
    call.broker.register(&id, name).await?;
    if !avatar.is_empty() {
        call.run(OnBehalfOf::User(id), Request::User(UserRequest::avatar_url(avatar.to_owned(), limits)?)).await?;
    }
    Ok(())
}

pub(super) async fn online(call: &Call<'_>) -> Outcome {
    let ids = call.user_ids("UserId", USERS_MAX)?;
    let (mut list, mut errors): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for id in ids {
        let user = call.user_id("UserId", &id)?;
        let status = if call.is_known(&user).await? { call.broker.context.status_of(&user).online } else { OnlineStatus::Logout };
        match status {
            OnlineStatus::Online => list.push(json!({"UserId": id, "Status": "Online"})),
            OnlineStatus::Offline => list.push(json!({"UserId": id, "Status": "Offline"})),
            OnlineStatus::Logout => errors.push(failed(&id, code::USER_UNKNOWN)),
        }
    }
    let count = list.len();
    partly("ErrorList", errors, count, fields([("Result", list.into())]))
}

/// Changes what is named of each user; the rest stays.
pub(super) async fn modify(call: &Call<'_>) -> Outcome {
    let users = call.input.objects("UserInfo")?;
    call.count("UserInfo", users.len(), USERS_MAX)?;
    let (mut errors, mut done) = (Vec::new(), 0);
    for user in users {
        match modify_one(call, &user).await {
            Ok(()) => done += 1,
            Err(fault) if fault.code == code::BUSY => return Err(fault),
            Err(fault) => {
                let mut error = failed(user.text_or_empty("UserId").unwrap_or_default(), fault.code);
                error["SubMessage"] = fault.message.into();
                errors.push(error);
            }
        }
    }
    partly("ErrorList", errors, done, Map::new())
}

/// Makes a change of a text.
type TextChange = fn(String, &Limits) -> Result<UserRequest, Refusal>;

async fn modify_one(call: &Call<'_>, user: &Input) -> Result<(), Fault> {
    let limits = &call.broker.config().limits;
    let id = call.user_id(&user.name("UserId"), user.text("UserId")?)?;
    let changes: [(&str, TextChange, u32); 3] = [
        ("UserName", UserRequest::name, code::NAME_LONG),
        ("UserAvatar", UserRequest::avatar_url, code::AVATAR_LONG),
        ("Extra", UserRequest::extended_data, code::INVALID),
    ];
    if !changes.iter().any(|(name, ..)| user.has(name)) {
        return Err(user.wrong("UserName", "is missing, and so are UserAvatar and Extra"));
    }
    let mut wanted = Vec::new();
    for (name, change, number) in changes {
        if let Some(value) = user.maybe_text(name)? {
            wanted.push(change(value.to_owned(), limits).map_err(|refusal| Fault::new(number, refusal.to_string()))?);
        }
    }
    for change in wanted {
        call.run(OnBehalfOf::User(id.clone()), Request::User(change)).await?;
    }
    Ok(())
}

/// Tells what is known of users.
pub(super) async fn infos(call: &Call<'_>) -> Outcome {
    // The page says UserIds, its neighbours UserId.
    let field = if call.input.has("UserIds") { "UserIds" } else { "UserId" };
    let ids = call.user_ids(field, USERS_MAX)?;
    let (mut list, mut errors): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for id in ids {
        match call.broker.users().get(&call.user_id(field, &id)?).await? {
            Some(user) => list.push(json!({
                "UserId": user.id, "UserName": user.name, "UserAvatar": user.avatar_url, "Extra": user.extended_data,
            })),
            None => errors.push(failed(&id, code::USER_UNKNOWN)),
        }
    }
    let count = list.len();
    partly("ErrorList", errors, count, fields([("Result", list.into())]))
}
