//! Coming in and going out.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::caller::{authenticate, check_origin, who};
use super::cookie;
use crate::broker::Broker;
use crate::console::{NotLetIn, Opened};
use crate::http::audit::note;
use crate::http::body::{self, Sender};
use crate::http::client_address;
use crate::http::problem::problem;
use crate::http::socket::tracked::TrackedSocket;
use crate::model::Refusal;
use crate::protocol::code_of;

const SESSION: &str = "/console/session";
const SETUP: &str = "/console/setup";

/// Body of a request, bytes: a password of the longest kind with every character escaped.
const BODY_BYTES_MAX: usize = 8 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetUp {
    token: String,
    password: String,
}

pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.service(web::resource(SESSION).route(web::route().to(session))).service(web::resource(SETUP).route(web::post().to(set_up)));
}

async fn session(broker: web::Data<Broker>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let mut response = match *request.method() {
        Method::GET | Method::HEAD => state(&broker, &request),
        Method::POST => log_in(&broker, &request, payload).await,
        Method::DELETE => log_out(&broker, &request),
        _ => problem(StatusCode::METHOD_NOT_ALLOWED, 6_000_001, "the path takes GET, POST and DELETE"),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers with what the page has to show first. A page that is loaded anew learns its CSRF token here; no other site's page can read it.
fn state(broker: &Broker, request: &HttpRequest) -> HttpResponse {
    let is_set_up = match broker.console.is_set_up() {
        Ok(is_set_up) => is_set_up,
        Err(error) => return problem(StatusCode::SERVICE_UNAVAILABLE, 6_000_007, &error.to_string()),
    };
    let settings = &broker.config().console;
    let seen = cookie::ids_of(request).iter().find_map(|id| broker.console.find(settings, id));
    let csrf = seen.map(|seen| seen.csrf);
    HttpResponse::Ok().json(json!({"isSetUp": is_set_up, "isSignedIn": csrf.is_some(), "csrf": csrf, "version": env!("CARGO_PKG_VERSION")}))
}

async fn log_in(broker: &Broker, request: &HttpRequest, payload: web::Payload) -> HttpResponse {
    let call: LogIn = match read(broker, request, payload).await {
        Ok(call) => call,
        Err(response) => return *response,
    };
    let Some(address) = client_address::of_request(broker, request) else { return no_address() };
    let settings = &broker.config().console;
    let outcome = broker.console.log_in(settings, address, &call.password).await;
    come_in(broker, request, "console.login", SESSION, outcome)
}

async fn set_up(broker: web::Data<Broker>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let call: SetUp = match read(&broker, &request, payload).await {
        Ok(call) => call,
        Err(response) => return *response,
    };
    let Some(address) = client_address::of_request(&broker, &request) else { return no_address() };
    let settings = &broker.config().console;
    let outcome = broker.console.set_up(settings, address, &call.token, &call.password).await;
    come_in(&broker, &request, "console.setup", SETUP, outcome)
}

fn come_in(broker: &Broker, request: &HttpRequest, action: &str, route: &str, outcome: Result<Opened, NotLetIn>) -> HttpResponse {
    let response = match outcome {
        Ok(Opened { id, csrf }) => {
            if let Some(connection) = request.conn_data::<TrackedSocket>() {
                connection.mark_authenticated();
            }
            HttpResponse::Ok()
                .insert_header(cookie::give(broker, request, route, &id))
                .insert_header((CACHE_CONTROL, "no-store"))
                .json(json!({"csrf": csrf}))
        }
        Err(refused) => not_let_in(&refused),
    };
    note(broker, &who(broker, request), action, "", response.status());
    response
}

fn log_out(broker: &Broker, request: &HttpRequest) -> HttpResponse {
    let gone = || HttpResponse::Ok().insert_header(cookie::take(broker, request, SESSION)).json(json!({}));
    match authenticate(broker, request) {
        Some(Ok(caller)) => {
            broker.console.log_out(&caller.session);
            note(broker, &caller.who, "console.logout", "", StatusCode::OK);
            gone()
        }
        Some(Err(response)) if response.status() == StatusCode::FORBIDDEN => *response,
        // It has ended by itself.
        Some(Err(_)) | None => gone(),
    }
}

fn not_let_in(refused: &NotLetIn) -> HttpResponse {
    let (status, code) = match refused {
        NotLetIn::Wrong | NotLetIn::Link => (StatusCode::UNAUTHORIZED, 6_000_103),
        NotLetIn::NotSetUp => (StatusCode::CONFLICT, 6_000_541),
        NotLetIn::Unfit { .. } => (StatusCode::BAD_REQUEST, 6_000_001),
        NotLetIn::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, code_of(&Refusal::RateLimited { retry_after_ms: 0 })),
        NotLetIn::Failed(_) => (StatusCode::SERVICE_UNAVAILABLE, 6_000_007),
    };
    let mut response = problem(status, code, &refused.to_string());
    if let NotLetIn::TooMany { after } = refused {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(u64::try_from(after.as_millis().div_ceil(1000)).unwrap_or(60)));
    }
    response
}

/// Reads JSON of a page of this host. What a form of another site's page could send is not taken.
async fn read<T: DeserializeOwned>(broker: &Broker, request: &HttpRequest, payload: web::Payload) -> Result<T, Box<HttpResponse>> {
    if let Err(why) = check_origin(broker, request) {
        return Err(Box::new(problem(StatusCode::FORBIDDEN, 6_000_541, why)));
    }
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(Box::new(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, 6_000_001, "the body is not application/json")));
    }
    let body =
        body::read(broker, request, payload, Sender::Stranger, BODY_BYTES_MAX).await.map_err(|refused| Box::new(refused.answer()))?;
    serde_json::from_slice(&body.bytes).map_err(|error| {
        // Of what was sent nothing is said: it is a password.
        let detail = format!("body is not understood at line {} column {}", error.line(), error.column());
        Box::new(problem(StatusCode::BAD_REQUEST, 6_000_001, &detail))
    })
}

fn no_address() -> HttpResponse {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, 6_000_007, "the connection has no address");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
