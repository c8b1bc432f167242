//! A WebSocket below a host's own actix-web server. The only file that names actix-web-actors.
//!
//! Such a server keeps the socket, so the reading is its request body and the writing its response body: a stream
//! that takes from the connection's outbox. When a socket is stuck, both stand still, and the reaper frees it through the
//! handle noted at connect. The broker's own server hands the socket over instead: see [`wire`](super::wire).

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::Stream;
use futures_util::task::AtomicWaker;
use futures_util::{StreamExt, future};

use super::admission::admit;
use super::encoder::{Encoded, FrameEncoder};
use super::inbound::{PongSink, Pongs, Reader};
use super::tracked::{SocketHandle, TrackedSocket};
use crate::actors::connection::{Connection, Socket};
use crate::actors::session::Session;
use crate::broker::Broker;

/// Answers `GET /ws`.
pub(in crate::http) async fn connect(broker: web::Data<Broker>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let context = &broker.context;
    let client = match admit(context, request.headers(), request.peer_addr(), request.conn_data::<TrackedSocket>()) {
        Ok(client) => client,
        Err(refused) => return *refused,
    };
    let mut response = match actix_web_actors::ws::handshake(&request) {
        Ok(response) => response,
        Err(error) => return actix_web::ResponseError::error_response(&error),
    };
    let socket = request.conn_data::<TrackedSocket>().and_then(|connection| connection.socket.clone());
    if socket.is_none() {
        context.eviction_degraded.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    let socket = socket.map(|socket| Box::new(HostedSocket { socket, client }) as Box<dyn Socket>);
    let connection = context.open_connection(socket);
    let pong = Arc::new(PongSlot::default());
    let writer = ResponseBody { connection: connection.clone(), pong: pong.clone(), encoder: FrameEncoder::default(), done: false };
    actix::spawn(read(Reader::<_, Session>::new(broker.actors.clone(), connection, pong), payload));
    response.streaming(writer)
}

/// A host's socket, and whose it is.
#[derive(Debug)]
struct HostedSocket {
    socket: SocketHandle,
    client: Option<IpAddr>,
}

impl Socket for HostedSocket {
    fn abort(&self) {
        self.socket.abort();
    }

    fn client(&self) -> Option<IpAddr> {
        self.client
    }
}

async fn read(mut reader: Reader<Arc<PongSlot>>, mut payload: web::Payload) {
    while let Some(Ok(chunk)) = payload.next().await {
        let read = match reader.receive(&chunk) {
            Ok(()) => reader.dispatch_frames().await,
            Err(end) => Err(end),
        };
        if let Err(end) = read {
            if reader.close_with(&end) {
                // What still comes is not looked at; the reaper cuts the socket if it does not end by itself.
                payload.take_while(|chunk| future::ready(chunk.is_ok())).for_each(|_| future::ready(())).await;
            }
            break;
        }
    }
    reader.leave().await;
}

#[derive(Debug, Default)]
struct PongSlot {
    pongs: Mutex<Option<Pongs>>,
    writer: AtomicWaker,
}

impl PongSink for Arc<PongSlot> {
    fn queue(&self, payload: Bytes) {
        self.pongs.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().push(payload);
        self.writer.wake();
    }
}

impl PongSlot {
    fn poll(&self, cx: &Context<'_>) -> Option<Pongs> {
        self.writer.register(cx.waker());
        self.pongs.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The response body: what the session is sent.
struct ResponseBody {
    connection: Arc<Connection>,
    pong: Arc<PongSlot>,
    encoder: FrameEncoder,
    done: bool,
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        let encoded = std::task::ready!(this.encoder.poll_encode(cx, &this.connection.outbox, this.pong.poll(cx)));
        if matches!(encoded, Encoded::Closed) {
            this.done = true;
            this.connection.finish();
        }
        Poll::Ready(Some(Ok(this.encoder.take())))
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // The server dropped the response: nobody will read what waits.
        self.connection.finish();
        self.connection.outbox.discard(1006, "connection lost");
    }
}
