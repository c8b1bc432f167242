//! A user's list of conversations, and what is deleted or read in one.

use serde_json::{Map, Value, json};

use super::call::{Call, Outcome, Success, failed, fields, partly};
use super::codes::Fault;
use super::input::Input;
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{Refusal, Target, UserId};
use crate::protocol::result::conversation::Conversations;
use crate::protocol::{EntryAnchorArgs, EntryFilter, ListRequest, RawJson, Request, listed_target};

/// Conversations of one page, when nothing is asked for. Source: ZIM server API reference, `QueryConversationList`.
const PAGE: i64 = 100;
/// The most conversations of one page. Source: the same.
const PAGE_MAX: i64 = 500;
/// The most conversations that are listed at all: the latest. Source: the same.
const LISTED_MAX: usize = 1_000;
/// The most conversations that one call silences. Source: ZIM server API reference, `SilenceConvNotification`.
const SILENCED_MAX: usize = 10;
/// The most conversations that one call pins. Source: ZIM server API reference, `ConvPinned`.
const PINNED_MAX: usize = 20;
/// The most users, and the most conversations of one of them, that one call marks. Source: ZIM server API reference, `SetConvMark`.
const MARKED_MAX: usize = 100;

/// Reads `ConvId` and `ConvType`.
fn target(call: &Call<'_>, from: &Input) -> Result<Target, Fault> {
    conversation(call, from.text("ConvId")?, from.number("ConvType")?)
}

fn conversation(call: &Call<'_>, id: &str, kind: i64) -> Result<Target, Fault> {
    Ok(listed_target(id, kind, &call.broker.config().limits)?)
}

async fn run(call: &Call<'_>, user: &UserId, request: ListRequest) -> Result<(), Refusal> {
    call.run(OnBehalfOf::User(user.clone()), Request::List(request)).await.map(drop)
}

/// Lists conversations in the order of their last change: `Next` counts those that were told, and `Limit` may change.
pub(super) async fn list(call: &Call<'_>) -> Outcome {
    let user = call.operator().await?;
    let limit = match call.input.maybe_number("Limit")?.unwrap_or(PAGE) {
        asked if asked <= 0 => PAGE,
        asked => asked.min(PAGE_MAX),
    };
    let (limit, skipped) = (usize::try_from(limit).unwrap_or(1), usize::try_from(call.next()?).unwrap_or(usize::MAX));
    let mut entries = newest(call, &user).await?;
    // The oldest change first.
    entries.sort_by_key(|entry| entry["orderKey"].as_u64());
    let list: Vec<Value> = entries.iter().skip(skipped).take(limit).map(entry).collect();
    let end = skipped.saturating_add(list.len());
    let next = if end < entries.len() { end } else { 0 };
    Ok(fields([("Next", next.into()), ("ConvList", list.into())]).into())
}

/// Returns the latest conversations of a user, in the wire's words.
async fn newest(call: &Call<'_>, user: &UserId) -> Result<Vec<Value>, Fault> {
    let limits = &call.broker.config().limits;
    let (mut entries, mut after): (Vec<Value>, Option<EntryAnchorArgs>) = (Vec::new(), None);
    while entries.len() < LISTED_MAX {
        let count = limits.conversation_page_max;
        let after_it = after.take().map(|anchor| anchor.check(limits)).transpose()?;
        let wanted = Request::List(ListRequest::List { count, after: after_it, filter: EntryFilter::default() });
        let page: Conversations = call.run(OnBehalfOf::User(user.clone()), wanted).await?.try_into()?;
        let list = page.conversation_list;
        after = list.last().and_then(RawJson::read);
        let is_last = list.len() < count && !page.more;
        entries.extend(list.iter().filter_map(RawJson::read::<Value>));
        if is_last || after.is_none() {
            break;
        }
    }
    entries.truncate(LISTED_MAX);
    Ok(entries)
}

/// Returns an entry in the vendor's words.
fn entry(entry: &Value) -> Value {
    let flag = |name: &str| u8::from(entry[name].as_bool().unwrap_or(false));
    json!({
        "ConvId": entry["conversationID"], "ConvType": entry["type"],
        "UpdateTime": entry["lastMessage"]["timestamp"].as_u64().unwrap_or(0),
        "UnreadCount": entry["unreadMessageCount"].as_u64().unwrap_or(0), "IsPinned": flag("isPinned"),
        "IsSilenced": u8::from(entry["notificationStatus"] == 2),
        "Marks": entry["marks"].as_array().cloned().unwrap_or_default(),
    })
}

pub(super) async fn silence(call: &Call<'_>) -> Outcome {
    let user = call.operator().await?;
    let kind = call.input.number("ConvType")?;
    let ids = call.input.texts("ConvIds")?;
    call.count("ConvIds", ids.len(), SILENCED_MAX)?;
    let muted = call.input.flag("Enable")?;
    let targets = ids.iter().map(|id| conversation(call, id, kind)).collect::<Result<Vec<_>, _>>()?;
    each(call, &user, targets, |target| ListRequest::Mute { target, muted }).await
}

pub(super) async fn pin(call: &Call<'_>) -> Outcome {
    let user = call.operator().await?;
    let list = call.input.objects("ConvList")?;
    call.count("ConvList", list.len(), PINNED_MAX)?;
    let pinned = call.input.flag("PinnedType")?;
    let targets = list.iter().map(|one| target(call, one)).collect::<Result<Vec<_>, _>>()?;
    each(call, &user, targets, |target| ListRequest::Pin { target, pinned }).await
}

/// Changes entries one after the other. Our choice: `ErrorList` names those of which it could not be done, and it fails only when
/// that is all of them.
async fn each(call: &Call<'_>, user: &UserId, targets: Vec<Target>, change: impl Fn(Target) -> ListRequest) -> Outcome {
    let (mut errors, mut first, count) = (Vec::new(), None, targets.len());
    for target in targets {
        let (id, kind) = (target.id().to_owned(), target.kind().number());
        if let Err(refusal) = run(call, user, change(target)).await {
            let fault = Fault::from(refusal);
            errors.push(json!({"ConvId": id, "ConvType": kind, "SubCode": fault.code}));
            first.get_or_insert(fault);
        }
    }
    let failures = errors.len();
    let lists = fields([("ErrorList", errors.into())]);
    match first {
        Some(fault) if failures == count => Err(fault.with(lists)),
        _ => Ok(lists.into()),
    }
}

/// Marks conversations of many users; `MarkContent` is the mark.
pub(super) async fn mark(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let users = call.input.objects("ConvMarkInfoList")?;
    call.count("ConvMarkInfoList", users.len(), MARKED_MAX)?;
    let (mut errors, mut done) = (Vec::new(), 0);
    for one in &users {
        let id = one.text("UserId")?;
        match marks_of(call, one, id).await {
            Ok(()) => done += 1,
            Err(fault) => errors.push(failed(id, fault.code)),
        }
    }
    partly("ErrorList", errors, done, Map::new())
}

async fn marks_of(call: &Call<'_>, one: &Input, id: &str) -> Result<(), Fault> {
    let user = call.user_id("UserId", id)?;
    let set = one.flag("Action")?;
    let mut marked = 0;
    for (name, kind) in [("SetMarkC2c", 0), ("SetMarkGroup", 2)] {
        let conversations = one.object(name)?;
        let entries = conversations.entries();
        if entries.len() > MARKED_MAX {
            return Err(one.wrong(name, &format!("has {} entries, the limit is {MARKED_MAX}", entries.len())));
        }
        for (id, info) in entries {
            let mark = info.number("MarkContent")?;
            let mark = u32::try_from(mark).map_err(|_| info.wrong("MarkContent", &format!("is {mark}, and no mark")))?;
            let request = ListRequest::Mark { mark, set, targets: vec![conversation(call, &id, kind)?] };
            let outcome = call.run(OnBehalfOf::User(user.clone()), Request::List(request)).await?;
            let is_failed = serde_json::to_value(&outcome).map(|outcome| outcome["failedConversationInfos"] != json!([]));
            if is_failed.unwrap_or(true) {
                return Err(info.wrong("MarkContent", "could not be set: the user has no such conversation"));
            }
            marked += 1;
        }
    }
    if marked == 0 { Err(one.wrong("SetMarkC2c", "is empty, and so is SetMarkGroup")) } else { Ok(()) }
}

pub(super) async fn delete(call: &Call<'_>) -> Outcome {
    let user = call.operator().await?;
    let target = target(call, &call.input)?;
    run(call, &user, ListRequest::Hide { target }).await?;
    Ok(Success::default())
}

pub(super) async fn clear_unread(call: &Call<'_>) -> Outcome {
    let user = call.operator().await?;
    let target = target(call, &call.input)?;
    run(call, &user, ListRequest::Read { target }).await?;
    Ok(Success::default())
}

/// Deletes all messages of a conversation for `FromUserId`; the other keeps theirs.
pub(super) async fn clear_peer(call: &Call<'_>) -> Outcome {
    let user = call.operator().await?;
    let other = call.user_id("ToUserId", call.input.text("ToUserId")?)?;
    run(call, &user, ListRequest::Clear { target: Target::Peer(other) }).await?;
    Ok(Success::default())
}

pub(super) async fn clear_group(call: &Call<'_>) -> Outcome {
    let user = call.operator().await?;
    let group = call.group()?;
    run(call, &user, ListRequest::Clear { target: Target::Group(group) }).await?;
    Ok(Success::default())
}
