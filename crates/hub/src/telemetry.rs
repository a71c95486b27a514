//! What the hub tells whoever runs it: lines on standard error, and traces to a collector.
//!
//! Promises: neither holds a secret, and neither names a person: spans carry ids, names of integrations and systems, and
//! routes, never paths. Without a collector nothing is sent and nothing is kept for it. A collector that does not
//! answer costs the spans, and no request waits for it.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{
    environment::Environment,
    failure::{Failure, Result},
};

/// How long a collector is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent to a collector; dropped, it sends what is left.
pub struct Telemetry(Option<SdkTracerProvider>);

/// Logs what the environment wants, as lines of text or of JSON, and sends traces by OTLP (HTTP, protobuf) to the
/// collector that it names.
///
/// # Errors
/// `traces-unsendable` when the collector's address is none.
pub fn start(environment: &Environment) -> Result<Telemetry> {
    let provider = match &environment.collector {
        Some(collector) => Some(exporting(collector)?),
        None => None,
    };
    let wanted = environment.log.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if environment.log_json { lines.json().boxed() } else { lines.boxed() };
    let traces = provider.as_ref().map(|provider| {
        // Our own spans only: what sends them would trace itself otherwise.
        let ours = Targets::new().with_target("bailiwick", LevelFilter::INFO);
        tracing_opentelemetry::layer().with_tracer(provider.tracer("bailiwick")).with_filter(ours)
    });
    // A second subscriber in one process is refused; the first goes on.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces).try_init();
    Ok(Telemetry(provider))
}

fn exporting(collector: &str) -> Result<SdkTracerProvider> {
    let address = format!("{}/v1/traces", collector.trim_end_matches('/'));
    let unsendable = |why: &dyn std::error::Error| {
        Failure::usage("traces-unsendable", format!("traces cannot be sent to `{address}`")).because(why)
    };
    reqwest::Url::parse(&address).map_err(|error| unsendable(&error))?;
    let exporter = SpanExporter::builder().with_http().with_endpoint(&address).with_timeout(PATIENCE).build();
    let exporter = exporter.map_err(|error| unsendable(&error))?;
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder_empty().with_service_name("bailiwick").with_attribute(version).build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
