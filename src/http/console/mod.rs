//! Signing in to the console, and who asks by its session.
//!
//! | route | |
//! |---|---|
//! | `GET /console/session` | whether there is a password, and who is signed in |
//! | `POST /console/session` | sign in: `{password}` |
//! | `DELETE /console/session` | sign out |
//! | `POST /console/setup` | set the password by the link's token and sign in: `{token, password}` |
//!
//! The page itself is among the other pages; what it shows and does comes from the server API, which takes its session as it
//! takes a key. A session is a cookie that scripts cannot read and that no other site's page makes the browser send; whatever
//! is not only read needs the session's `X-Tidings-CSRF` as well, and no foreign `Origin`.

mod caller;
mod cookie;
mod routes;

use actix_web::web;

pub(super) use self::caller::{ConsoleCaller, authenticate};
use crate::broker::Broker;

pub(super) fn configure(broker: &Broker, app: &mut web::ServiceConfig) {
    if broker.config().console.enabled {
        routes::configure(app);
    }
}
