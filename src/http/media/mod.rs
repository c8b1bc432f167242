//! Files over HTTP.
//!
//! | route | who | |
//! |---|---|---|
//! | `POST /media/uploads` | a user | a whole file: raw, or the field `file` of a form, its only file |
//! | `GET /media/uploads/{fileUID}` | its owner | what is known of a complete file |
//! | `/media/tus`, `/media/tus/{fileUID}` | a user, its owner | the same in parts that can be resumed (tus 1.0) |
//! | `PUT /media/{fileUID}/frame` | its owner | the first picture of a video |
//! | `GET /media/{fileUID}/{rendition}` | who sees a message that carries it | `original`, `large`, `thumbnail`, `frame` |
//!
//! Whoever may not have a file is told what someone is told who asks for one that is not there: 404, 6000211.

mod caller;
mod form;
pub(super) mod pacer;
mod response;
mod serve;
mod tus;
mod uploads;

use actix_cors::Cors;
use actix_web::dev::RequestHead;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, header};
use actix_web::web;

use super::head::read;
use super::origin;
use crate::broker::Broker;

pub(super) fn configure(broker: &Broker, app: &mut web::ServiceConfig) {
    app.service(
        web::scope("/media")
            .wrap(cors(broker))
            .route("/uploads", web::post().to(uploads::upload))
            .route("/uploads/{file}", read(uploads::info))
            .service(web::resource("/tus").route(web::post().to(tus::create)).route(web::method(Method::OPTIONS).to(tus::options)))
            .service(web::resource("/tus/{file}").route(web::route().to(tus::resource)))
            .route("/{file}/frame", web::put().to(uploads::frame))
            .route("/{file}/{rendition}", read(serve::file)),
    );
}

/// Lets pages of the configured origins use all of it.
fn cors(broker: &Broker) -> Cors {
    let context = broker.context.clone();
    let allowed = move |origin: &HeaderValue, head: &RequestHead| {
        let host = head.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        origin.to_str().is_ok_and(|origin| origin::may_enter(&context, Some(origin), host))
    };
    Cors::default()
        .allowed_origin_fn(allowed)
        .block_on_origin_mismatch(false)
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allowed_headers(["authorization", "content-type", "content-disposition", "range", "if-range", "if-none-match"])
        .allowed_headers(["tus-resumable", "upload-length", "upload-metadata", "upload-offset", "upload-checksum"])
        .allowed_headers(["x-http-method-override", "x-requested-with"])
        .expose_headers(["location", "etag", "content-range", "content-disposition", "retry-after", "upload-expires"])
        .expose_headers(["tus-resumable", "tus-version", "tus-extension", "tus-max-size", "upload-length", "upload-offset"])
        .max_age(3600)
}
