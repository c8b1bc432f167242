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
mod group_members;
mod groups;
mod history;
mod input;
mod messages;
mod rooms;
mod signature;
mod users;

use actix_web::dev::Payload;
use actix_web::guard::{GuardContext, fn_guard};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use serde_json::Value;

use self::call::{Call, Outcome};
use self::codes::{Fault, code};
use self::input::Input;
use crate::broker::Broker;
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
    let pairs = input::pairs(query)?;
    let signed = signature::Signed::read(&pairs, query)?;
    signed.check_caller(broker)?;
    let body = read(payload, broker.config().api.body_bytes_max).await?;
    signed.check(broker, &body)?;
    if let Some(connection) = request.conn_data::<TrackedSocket>() {
        connection.mark_authenticated();
    }
    let name = signed.action;
    let action = actions::Action::named(name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        Fault::new(code::ACTION, format!("Action is {shown:?}, which is not supported"))
    })?;
    let call = Call { broker, input: Input::of_call(&pairs, &body)? };
    action.charge(&call)?;
    action.run(&call).await
}

async fn read(mut payload: Payload, bytes_max: usize) -> Result<BytesMut, Fault> {
    let mut body = BytesMut::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(|error| Fault::new(code::BODY, format!("the body cannot be read: {error}")))?;
        if body.len() + part.len() > bytes_max {
            return Err(Fault::new(code::BODY, format!("the body is longer than {bytes_max} bytes")));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}
