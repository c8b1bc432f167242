//! Takes a connection's socket over from the HTTP layer when the client asks for a WebSocket.
//!
//! A connection that stays in the HTTP layer keeps its two buffers and its state machine, 17 KiB, for as long as it
//! lives, and each write passes through it. So the broker's own server answers the upgrade itself and goes on with
//! the bare socket, once the HTTP layer has let go of it: see [`Handover`](super::handover::Handover). A WebSocket wanted from
//! another path is answered like any request there.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_codec::Framed;
use actix_http::body::BoxBody;
use actix_http::h1::{Codec, SendResponse};
use actix_http::ws::handshake;
use actix_http::{ConnectionType, HttpMessage as _, Method, Request, Response};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use actix_web::dev::ServiceResponse;

use super::admission::admit;
use super::shard::Shard;
use super::stream::{RawSocket, Stream};
use super::tracked::TrackedSocket;
use super::wire::{self, HandedOver, Wire};
use crate::actors::registries::Registries;
use crate::actors::session::Session;
use crate::broker::Broker;
use crate::http::paced_body::{PacedBody, WritesItself};

/// The path of the WebSocket. Source: PROTOCOL.md.
const PATH: &str = "/ws";

type UpgradeRequest = (Request, Framed<Stream, Codec>);

/// What answers an ordinary request.
type HttpResponder = dyn Fn(Request) -> Pin<Box<dyn Future<Output = Response<BoxBody>>>>;

/// What is at the other end of a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Sessions,
    #[cfg(feature = "bench")]
    Echo,
}

impl Route {
    fn of(path: &str, has_echo: bool) -> Option<Self> {
        match path {
            PATH => Some(Self::Sessions),
            #[cfg(feature = "bench")]
            super::echo::PATH if has_echo => Some(Self::Echo),
            _ => {
                let _only_with_the_bench = has_echo;
                None
            }
        }
    }
}

/// Answers every request for an upgrade; `app` makes what answers those that are not for the WebSocket. `has_echo` is for tests
/// of the socket code alone.
pub(in crate::http) fn upgrades<F>(
    broker: Broker,
    has_echo: bool,
    app: impl Fn(&Broker) -> F + 'static,
) -> impl ServiceFactory<UpgradeRequest, Config = (), Response = (), Error = actix_http::Error, InitError = ()>
where
    F: ServiceFactory<Request, Config = (), Response = ServiceResponse<BoxBody>, Error = actix_web::Error, InitError = ()> + 'static,
{
    fn_factory(move || {
        let (actors, app) = (broker.actors.clone(), app(&broker));
        async move {
            let shard = Shard::start(actors.context.clone());
            let service = app.new_service(()).await?;
            let responder: Rc<HttpResponder> = Rc::new(move |request| {
                let answered = service.call(request);
                Box::pin(async move { answered.await.map_or_else(|error| error.error_response().into(), Response::from) })
            });
            Ok(fn_service(move |(request, framed)| {
                let route = Route::of(Request::path(&request), has_echo);
                // Boxed: the HTTP layer keeps room for it inline in every connection.
                Box::pin(upgrade(actors.clone(), shard.clone(), route, responder.clone(), request, framed))
            }))
        }
    })
}

async fn upgrade(
    actors: Arc<Registries>,
    shard: Arc<Shard<Wire>>,
    route: Option<Route>,
    responder: Rc<HttpResponder>,
    mut request: Request,
    framed: Framed<Stream, Codec>,
) -> Result<(), actix_http::Error> {
    let is_head = request.method() == Method::HEAD;
    let response = if route.is_none() {
        request.extensions_mut().insert(WritesItself);
        responder(request).await
    } else {
        let admitted = admit(&actors.context, request.headers(), request.peer_addr(), request.conn_data::<TrackedSocket>());
        let client = match admitted {
            Ok(client) => client,
            Err(refused) => return answer(framed, (*refused).into(), is_head).await,
        };
        match handshake(request.head()) {
            Ok(mut response) => {
                let framed = SendResponse::new(framed, response.finish().drop_body()).await?;
                let handover = framed.io_ref().handover();
                // The buffers are given back; what they hold already is the first of the reading.
                let (socket, read_ahead) = into_raw(framed);
                // Kept for as long as the connection lives: it counts for its address.
                let connection = request.take_conn_data();
                drop(request);
                handover.go_on_with(async move {
                    let tracked = connection.as_ref().and_then(|data| data.get::<TrackedSocket>());
                    let handed_over = HandedOver { socket, read_ahead, tracked, client };
                    match route {
                        #[cfg(feature = "bench")]
                        Some(Route::Echo) => wire::serve::<super::echo::Echo>(actors, shard, handed_over).await,
                        _ => wire::serve::<Session>(actors, shard, handed_over).await,
                    }
                });
                return Ok(());
            }
            Err(refused) => refused.into(),
        }
    };
    answer(framed, response, is_head).await
}

/// Answers with something that is no WebSocket.
async fn answer(framed: Framed<Stream, Codec>, response: Response<BoxBody>, is_head: bool) -> Result<(), actix_http::Error> {
    let (mut head, body) = response.into_parts();
    // No other request follows: the HTTP layer has let go of the connection. The codec that read the request for an
    // upgrade would announce one.
    head.head_mut().set_connection_type(ConnectionType::Close);
    let framed = if is_head { framed } else { Framed::new(framed.into_parts().io, Codec::default()) };
    drop(SendResponse::new(framed, head.set_body(PacedBody::in_pieces(body))).await?);
    Ok(())
}

/// Returns the socket, and what came behind the request.
fn into_raw(framed: Framed<Stream, Codec>) -> (RawSocket, Vec<u8>) {
    let parts = framed.into_parts();
    let (socket, held) = parts.io.into_raw_socket();
    (socket, [&parts.read_buf[..], &held].concat())
}
