//! What is noted of requests. See [`crate::audit`].

use actix_web::http::StatusCode;

use crate::broker::Broker;

/// Notes that someone did something, or tried. Never waits; time is the broker's clock.
///
/// `who`: a key's name, or [`ConsoleCaller::who`](super::console::ConsoleCaller). `action`: `console.login`, or method and
/// path pattern. `target`: what it was done to, perhaps empty.
pub(super) fn note(broker: &Broker, who: &str, action: &str, target: &str, status: StatusCode) {
    broker.audit.note(broker.context.clock.wall_ms(), who, action, target, status.as_u16());
}
