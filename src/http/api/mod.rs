//! The server API, `/api/v1`: what backends ask of the broker.
//!
//! ```text
//! call ─ middleware (route? key? scope? rate? answered before?) ─ handler ─ broker: in a user's name, an owner's, or the server's
//! ```
//! The OpenAPI document is made from the handlers, and the middleware reads from it what each route needs: what is not
//! documented is not served. Nothing here decides who may do what to whom; the actors do, as for clients.

mod caller;
mod document;
mod group_calls;
mod group_members;
mod groups;
mod idempotency;
mod input;
mod messages;
mod middleware;
mod notes;
mod operations;
mod response;
mod rooms;
mod schemas;
mod user_lists;
mod users;

use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};

use self::document::PREFIX;
use self::middleware::RouteScopes;
use crate::broker::Broker;

/// Mounts its description alone.
pub(super) fn configure_document(app: &mut web::ServiceConfig) {
    app.service(web::scope(PREFIX).service(document::get_openapi));
}

/// Mounts the server API, unless it is switched off.
pub(super) fn configure(broker: &Broker, app: &mut web::ServiceConfig) {
    if !broker.config().api.enabled {
        return;
    }
    let scope = web::scope(PREFIX)
        .app_data(web::Data::new(RouteScopes::of_document()))
        .configure(input::configure)
        .configure(document::serve)
        .default_service(web::to(HttpResponse::NotFound))
        .wrap(from_fn(middleware::authorize));
    app.service(scope);
}
