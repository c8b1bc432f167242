//! HEAD, wherever GET is: the same answer without its content. Source: RFC 9110, 9.3.2.

use std::convert::Infallible;

use actix_web::body::{BodySize, BoxBody, MessageBody, SizedStream};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::guard::fn_guard;
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, FromRequest, Handler, Responder, Route, web};
use bytes::Bytes;
use futures_util::stream;

/// Returns a route that is read.
pub(super) fn read<F, Args>(handler: F) -> Route
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let is_read = fn_guard(|context| matches!(context.head().method, Method::GET | Method::HEAD));
    web::route().guard(is_read).to(handler).wrap(from_fn(keep_content))
}

/// Keeps to itself what HEAD does not ask for.
async fn keep_content(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_head = request.method() == Method::HEAD;
    let response = next.call(request).await?;
    Ok(if is_head { response.map_body(|_, body| without_content(&body)) } else { response })
}

/// Returns a body of the same length that is not sent. What has no length, and perhaps no end, has no body.
pub(super) fn without_content(body: &BoxBody) -> BoxBody {
    match body.size() {
        BodySize::Sized(length) => BoxBody::new(SizedStream::new(length, stream::empty::<Result<Bytes, Infallible>>())),
        BodySize::None | BodySize::Stream => BoxBody::new(()),
    }
}
