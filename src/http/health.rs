//! Whether it lives, whether it takes work, and what it counted.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::private::{is_shown, not_here};
use super::problem::problem;
use crate::broker::Broker;
use crate::protocol::code_of;

/// Mounts all of it.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.route("/healthz", web::get().to(alive))
        .route("/readyz", web::get().to(ready))
        .route("/metrics", web::get().to(metrics))
        .route("/metrics/dashboard.json", web::get().to(dashboard))
        .route("/metrics/alerts.yml", web::get().to(alerts));
}

/// What says that the process lives.
pub(super) fn life() -> Value {
    json!({"status": "alive", "version": env!("CARGO_PKG_VERSION")})
}

/// Answers that the process lives.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(life())
}

/// Answers whether new work is taken and can be kept; 503 while draining or when the disk refuses.
async fn ready(broker: web::Data<Broker>) -> HttpResponse {
    match broker.ready() {
        Ok(()) => match broker.clock_doubt() {
            None => HttpResponse::Ok().json(json!({"status": "ready"})),
            Some(doubt) => HttpResponse::Ok().json(json!({"status": "ready", "detail": doubt.to_string()})),
        },
        Err(refusal) => problem(StatusCode::SERVICE_UNAVAILABLE, code_of(&refusal), &refusal.to_string()),
    }
}

/// Answers with the metrics, as Prometheus reads them.
async fn metrics(broker: web::Data<Broker>, request: HttpRequest) -> HttpResponse {
    if !is_shown(&broker, &request) {
        return not_here();
    }
    HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(broker.metrics_text())
}

/// Answers with a dashboard of the metrics, to be imported into Grafana.
async fn dashboard(broker: web::Data<Broker>, request: HttpRequest) -> HttpResponse {
    if !is_shown(&broker, &request) {
        return not_here();
    }
    HttpResponse::Ok().content_type("application/json").body(include_str!("../web/ops/dashboard.json"))
}

/// Answers with rules by which Prometheus raises an alarm.
async fn alerts(broker: web::Data<Broker>, request: HttpRequest) -> HttpResponse {
    if !is_shown(&broker, &request) {
        return not_here();
    }
    HttpResponse::Ok().content_type("application/yaml").body(include_str!("../web/ops/alerts.yml"))
}
