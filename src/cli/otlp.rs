//! Spans of requests to a collector, by OTLP over HTTP in binary form. Only in the program: a library emits spans, and whoever
//! embeds it decides where they go.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tidings::config::Log;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use super::failure::Failure;

/// How long the collector may take for one delivery. Meanwhile spans wait, and beyond some thousands are dropped.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the layer that collects spans, and what sends them; `None` when nobody wants them.
///
/// # Errors
/// The address cannot be used.
#[expect(clippy::type_complexity, reason = "said once")]
pub(super) fn start<S>(log: &Log) -> Result<Option<(Box<dyn Layer<S> + Send + Sync>, SdkTracerProvider)>, Failure>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    if log.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&log.otlp_endpoint)
        .with_timeout(TIMEOUT)
        .build()
        .map_err(|error| Failure::Usage(format!("log.otlp_endpoint is {:?}: {error}", log.otlp_endpoint)))?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(1.0 / f64::from(log.otlp_one_in)))))
        .with_resource(Resource::builder().with_service_name("tidings").with_attribute(version).build())
        .build();
    let spans = Targets::new().with_target("tidings::trace", LevelFilter::DEBUG);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tidings")).with_location(false).with_threads(false);
    Ok(Some((layer.with_filter(spans).boxed(), provider)))
}
