//! Events as they happen, as a stream.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::broker::Broker;
use crate::hooks::Event;
use crate::http::api::caller::note_reading;
use crate::http::api::input::BrokerHandle;
use crate::http::api::response::{ApiResult, Problems};
use crate::http::api::schemas::numbers;
use crate::http::console::ConsoleCaller;
use crate::model::{Conversation, Message};
use crate::protocol::{code_of, encode_for_host};

/// Which messages are told.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Only what this user sends or gets in a conversation of two.
    #[serde(rename = "userID")]
    user_id: Option<String>,
    /// Only of this room or group, or with this user.
    #[serde(rename = "conversationID")]
    conversation_id: Option<String>,
    /// 0 peer, 1 room, 2 group.
    #[serde(rename = "conversationType")]
    #[param(schema_with = numbers::conversation_type)]
    conversation_type: Option<u8>,
    /// Only this kind of message.
    #[param(schema_with = numbers::message_type)]
    r#type: Option<u16>,
    /// Ends after so many seconds; left out: when the caller hangs up.
    #[param(maximum = 3600)]
    seconds: Option<u32>,
}

impl EventsQuery {
    fn wants(&self, message: &Message) -> bool {
        let (kind, ids) = match &message.conversation {
            Conversation::Peer(one, other) => (0, [one.as_str(), other.as_str()]),
            Conversation::Room(room, _) => (1, [room.as_str(); 2]),
            Conversation::Group(group) => (2, [group.as_str(); 2]),
        };
        let of_user = |user: &String| message.sender.as_str() == user || kind == 0 && ids.contains(&user.as_str());
        self.user_id.as_ref().is_none_or(of_user)
            && self.conversation_id.as_ref().is_none_or(|id| ids.contains(&id.as_str()))
            && self.conversation_type.is_none_or(|wanted| wanted == kind)
            && self.r#type.is_none_or(|wanted| wanted == message.content.body.kind().number())
    }

    fn is_of_messages(&self) -> bool {
        self.user_id.is_some() || self.conversation_id.is_some() || self.conversation_type.is_some() || self.r#type.is_some()
    }

    /// The event as JSON, if it is asked for.
    fn told(&self, event: &Event) -> Option<Value> {
        let of_message = |name: &str, message: &Message| {
            let wire = encode_for_host(message).filter(|_| self.wants(message))?;
            Some(json!({"event": name, "message": serde_json::from_str::<Value>(&wire).ok()?}))
        };
        let said = match event {
            Event::MessageAccepted(message) => return of_message("message", message),
            Event::MessageRefused { message, refusal } => {
                let mut said = of_message("messageRefused", message)?;
                said["code"] = code_of(refusal).into();
                said["reason"] = refusal.to_string().into();
                return Some(said);
            }
            Event::MessageRevoked { message, .. } => return of_message("messageRevoked", message),
            Event::MessageEdited { message, .. } => return of_message("messageEdited", message),
            Event::Lagged { missed } => return Some(json!({"event": "missed", "count": missed})),
            _ if self.is_of_messages() => return None,
            Event::SessionStarted { user, session } => json!({"event": "sessionStarted", "userID": user, "sessionID": session}),
            Event::SessionEnded { user, session } => json!({"event": "sessionEnded", "userID": user, "sessionID": session}),
            Event::RoomCreated(room) => json!({"event": "roomCreated", "roomID": room}),
            Event::RoomDestroyed(room) => json!({"event": "roomDestroyed", "roomID": room}),
            Event::RoomEntered { room, user } => json!({"event": "roomEntered", "roomID": room, "userID": user}),
            Event::RoomLeft { room, user, kicked } => json!({"event": "roomLeft", "roomID": room, "userID": user, "kicked": kicked}),
            Event::GroupCreated { group, owner, users } => {
                json!({"event": "groupCreated", "groupID": group, "userIDs": users, "operatorUserID": owner})
            }
            Event::GroupJoined { group, users, by } => {
                json!({"event": "groupJoined", "groupID": group, "userIDs": users, "operatorUserID": by})
            }
            Event::GroupLeft { group, user } => json!({"event": "groupLeft", "groupID": group, "userIDs": [user], "operatorUserID": user}),
            Event::GroupKicked { group, users, by } => {
                json!({"event": "groupKicked", "groupID": group, "userIDs": users, "operatorUserID": by})
            }
            Event::GroupDismissed { group, by } => json!({"event": "groupDismissed", "groupID": group, "operatorUserID": by}),
        };
        Some(said)
    }
}

/// How often something is said when nothing happens: proxies close what is silent.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// How often a stream looks whether the broker goes down, which does not wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(250);

async fn going_down(broker: &Broker) {
    while broker.context.accepting().is_ok() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What happens from now on, as server-sent events: messages as they are accepted, sessions and rooms as they come and go.
///
/// Who does not read fast enough is told how much it missed.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])), params(EventsQuery),
    responses((status = 200, description = "One `data:` line of JSON per event.", body = String, content_type = "text/event-stream"), Problems))]
#[get("/events")]
pub(in crate::http::api) async fn stream_events(
    BrokerHandle(broker): BrokerHandle,
    request: HttpRequest,
    query: web::Query<EventsQuery>,
) -> ApiResult {
    let query = query.into_inner();
    note_reading(
        &request,
        query.user_id.as_deref(),
        query.conversation_id.as_deref().map(|id| (id, query.conversation_type.unwrap_or(u8::MAX))),
    );
    let ends = query.seconds.map(|seconds| tokio::time::Instant::now() + Duration::from_secs(seconds.min(3600).into()));
    let far = tokio::time::Instant::now() + Duration::from_secs(365 * 24 * 60 * 60);
    let until = ends.unwrap_or(far);
    // What a console hears ends with its session; a key's stream goes on.
    let console = request.extensions().get::<ConsoleCaller>().cloned();
    let may_hear = move |broker: &Broker| console.as_ref().is_none_or(|caller| caller.is_signed_in(broker));
    let begin = (broker.subscribe(), query, true);
    let lines = futures_util::stream::unfold(begin, move |(mut events, query, first)| {
        let (broker, may_hear) = (broker.clone(), may_hear.clone());
        async move {
            if first {
                return Some((Ok::<_, actix_web::Error>(Bytes::from_static(b": hello\n\n")), (events, query, false)));
            }
            loop {
                tokio::select! {
                    event = events.next() => {
                        let event = event?;
                        if !may_hear(&broker) {
                            return None;
                        }
                        let told = query.told(&event);
                        if let Some(told) = told {
                            return Some((Ok(Bytes::from(format!("data: {told}\n\n"))), (events, query, false)));
                        }
                    }
                    () = tokio::time::sleep(SIGN_OF_LIFE) => {
                        return may_hear(&broker).then(|| (Ok(Bytes::from_static(b": still here\n\n")), (events, query, false)));
                    }
                    () = tokio::time::sleep_until(until) => return None,
                    () = going_down(&broker) => return None,
                }
            }
        }
    });
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"));
    Ok(response.streaming(lines))
}
