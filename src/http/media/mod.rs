//! Files over HTTP. Source: design 5.3, 7.
//!
//! | route | who | |
//! |---|---|---|
//! | `POST /media/uploads` | a user | a whole file: raw, or the field `file` of a form |
//! | `GET /media/uploads/{fileUID}` | its owner | what is known of a complete file |
//! | `/media/tus`, `/media/tus/{fileUID}` | a user, its owner | the same in parts that can be resumed (tus 1.0) |
//! | `PUT /media/{fileUID}/frame` | its owner | the first picture of a video |
//! | `GET /media/{fileUID}/{rendition}` | who sees a message that carries it | `original`, `large`, `thumbnail`, `frame` |
//!
//! Whoever may not have a file is told what someone is told who asks for one that is not there: 404, 6000211.

mod caller;
mod pacer;
mod serve;
mod tus;
mod uploads;

use actix_cors::Cors;
use actix_web::dev::RequestHead;
use actix_web::http::header::{AsHeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::origin;
use super::problem::problem;
use crate::actors::core::Core;
use crate::broker::Broker;
use crate::model::Refusal;
use crate::protocol::code_of;

pub(super) fn configure(broker: &Broker, app: &mut web::ServiceConfig) {
    app.service(
        web::scope("/media")
            .wrap(cors(broker))
            .route("/uploads", web::post().to(uploads::upload))
            .route("/uploads/{file}", web::get().to(uploads::info))
            .service(web::resource("/tus").route(web::post().to(tus::create)).route(web::method(Method::OPTIONS).to(tus::options)))
            .service(web::resource("/tus/{file}").route(web::route().to(tus::resource)))
            .route("/{file}/frame", web::put().to(uploads::frame))
            .route("/{file}/{rendition}", web::get().to(serve::file))
            .route("/{file}/{rendition}", web::head().to(serve::file)),
    );
}

/// Pages of the configured origins may use all of it.
fn cors(broker: &Broker) -> Cors {
    let core = broker.core.clone();
    let allowed = move |origin: &HeaderValue, head: &RequestHead| {
        let host = head.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        origin.to_str().is_ok_and(|origin| origin::allowed(Some(origin), host, &core.config().server.origins))
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

/// A header's text.
fn text(request: &HttpRequest, name: impl AsHeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

/// The answer to what is not done.
fn refusal_response(core: &Core, refusal: &Refusal) -> HttpResponse {
    core.metrics.refused(code_of(refusal));
    let status = match refusal {
        Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
        Refusal::TokenInvalid | Refusal::TokenExpired | Refusal::NotLoggedIn => StatusCode::UNAUTHORIZED,
        Refusal::FileMissing => StatusCode::NOT_FOUND,
        Refusal::FileSize { .. } | Refusal::FilePixels { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::FileType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::FileDuration { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::FileServer(_) => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = problem(status, code_of(refusal), &refusal.to_string());
    let mut add = |name, value| drop(response.headers_mut().insert(name, HeaderValue::from_static(value)));
    match status {
        StatusCode::UNAUTHORIZED => add(header::WWW_AUTHENTICATE, "Bearer"),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => add(header::RETRY_AFTER, "1"),
        _ => {}
    }
    response
}
