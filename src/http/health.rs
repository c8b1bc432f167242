//! Whether it lives, whether it takes work, and what it counted.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::head::read;
use super::private::{is_shown, not_here};
use super::problem::problem;
use crate::broker::Broker;
use crate::metrics::plain_text;
use crate::protocol::code_of;

/// Mounts all of it.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.route("/healthz", read(alive))
        .route("/readyz", read(ready))
        .route("/metrics", read(metrics))
        .route("/metrics/dashboard.json", read(dashboard))
        .route("/metrics/alerts.yml", read(alerts));
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

/// Answers with the metrics: as `OpenMetrics` to who asks for that, as Prometheus does; else in Prometheus's older text format.
async fn metrics(broker: web::Data<Broker>, request: HttpRequest) -> HttpResponse {
    if !is_shown(&broker, &request) {
        return not_here();
    }
    let accepted = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    let open_metrics = broker.metrics_text();
    let mut response = HttpResponse::Ok();
    response.insert_header((header::VARY, "accept"));
    if accepted.into_iter().any(|accepted| accepted.contains("application/openmetrics-text")) {
        return response.content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(open_metrics);
    }
    response.content_type("text/plain; version=0.0.4; charset=utf-8").body(plain_text(&open_metrics))
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
