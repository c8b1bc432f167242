//! Calls in the vendor's shape, `/?Action=SendPeerMessage&AppId=…&Signature=…`: a backend written for the vendor changes only
//! its host name. Source: ZIM server API reference.
//!
//! ```text
//! call ─ signed? in time? not before? ─ within its rate? ─ action ─ broker: in a user's name, an owner's, or the server's
//! ```
//! `VENDOR_API.md` beside this file says of each action what it does here and where that differs. Off by default: who switches
//! it on names a secret.

mod actions;
mod body;
mod call;
mod codes;
mod conversations;
mod form;
mod group_members;
mod groups;
mod history;
mod input;
mod messages;
mod rooms;
mod sent;
mod signature;
mod users;

use actix_web::dev::Payload;
use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use self::call::{Call, Outcome};
use self::codes::{Fault, code};
use self::input::Input;
use crate::broker::Broker;
use crate::http::body::{self as request_body, Sender};
use crate::http::socket::tracked::TrackedSocket;

/// Mounts the calls at the broker's root, if they are switched on. A request that names no action is not theirs.
pub(super) fn configure(broker: &Broker, app: &mut web::ServiceConfig) {
    if !broker.config().vendor_api.enabled {
        return;
    }
    for path in ["/", ""] {
        let resource = web::resource(path).guard(fn_guard(names_an_action));
        app.service(resource.route(web::get().to(answer)).route(web::post().to(answer)));
    }
}

fn names_an_action(request: &GuardContext<'_>) -> bool {
    let query = request.head().uri.query().unwrap_or_default();
    query.split('&').any(|pair| pair.split('=').next() == Some("Action"))
}

/// Answers with status 200 whatever comes of the call, as the vendor does; `Code` says what it was.
async fn answer(broker: web::Data<Broker>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let (code, message, mut reply) = match carry_out(&broker, &request, payload.into_inner()).await {
        Ok(done) => (0, done.message(), done.fields),
        Err(fault) => (fault.code, fault.message, fault.fields),
    };
    reply.insert("Code".into(), code.into());
    reply.insert("Message".into(), message.into());
    reply.insert("RequestId".into(), broker.context.ids.next().to_string().into());
    HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(Value::Object(reply))
}

async fn carry_out(broker: &Broker, request: &HttpRequest, payload: Payload) -> Outcome {
    let query = request.query_string();
    let pairs = form::pairs(query)?;
    let signed = signature::Signed::read(&pairs, query)?;
    signed.check_caller(broker)?;
    // What is signed with the body can only be checked with it; whoever signed no more than the query is known before.
    let sender = if signed.covers_body(broker) { Sender::Stranger } else { Sender::Known };
    if sender == Sender::Known {
        signed.check(broker, &[])?;
        mark_authenticated(request);
    }
    let body = request_body::read(broker, request, payload, sender, broker.config().api.body_bytes_max).await;
    let body = body.map_err(|refused| Fault::new(code::BODY, refused.to_string()))?.bytes;
    if sender == Sender::Stranger {
        signed.check(broker, &body)?;
        mark_authenticated(request);
    }
    let name = signed.action;
    let action = actions::Action::named(name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        Fault::new(code::ACTION, format!("Action is {shown:?}, which is not supported"))
    })?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let call = Call { broker, input: Input::of_call(&pairs, content_type, &body)? };
    action.charge(&call)?;
    action.run(&call).await
}

fn mark_authenticated(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<TrackedSocket>() {
        connection.mark_authenticated();
    }
}
