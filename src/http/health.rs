//! Whether it lives, whether it takes work, and what it counted.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::problem::problem;
use crate::broker::Broker;
use crate::protocol::code_of;

/// Answers that the process lives.
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive", "version": env!("CARGO_PKG_VERSION")}))
}

/// Answers whether new work is taken and can be kept; 503 while draining or when the disk refuses.
pub(super) async fn ready(broker: web::Data<Broker>) -> HttpResponse {
    match broker.ready() {
        Ok(()) => match broker.clock_doubt() {
            None => HttpResponse::Ok().json(json!({"status": "ready"})),
            Some(doubt) => HttpResponse::Ok().json(json!({"status": "ready", "detail": doubt.to_string()})),
        },
        Err(refusal) => problem(StatusCode::SERVICE_UNAVAILABLE, code_of(&refusal), &refusal.to_string()),
    }
}

/// Answers with the metrics, as Prometheus reads them.
pub(super) async fn metrics(broker: web::Data<Broker>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(broker.metrics_text())
}

/// Answers with a dashboard of the metrics, to be imported into Grafana.
pub(super) async fn dashboard() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(include_str!("../web/ops/dashboard.json"))
}

/// Answers with rules by which Prometheus raises an alarm.
pub(super) async fn alerts() -> HttpResponse {
    HttpResponse::Ok().content_type("application/yaml").body(include_str!("../web/ops/alerts.yml"))
}
