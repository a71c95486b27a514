//! The environment, read once at the start; everything else gets it as values.
//!
//! Absent on purpose: any other place that reads a variable, and any secret: only names of files.

use std::path::PathBuf;

/// What the environment says that matters to the program.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `BAILIWICK_PROFILE`: the profile file.
    pub profile: Option<PathBuf>,
    /// `BAILIWICK_KEY_FILE`: the file with the key that seals credentials.
    pub key_file: Option<PathBuf>,
    /// `BAILIWICK_LOG`: what to log, as in `info` or `bailiwick_engine=debug`.
    pub log: Option<String>,
    /// `BAILIWICK_LOG_FORMAT`: `json` for programs; text otherwise.
    pub log_json: bool,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: where traces are sent, the root of an OTLP collector.
    pub collector: Option<String>,
    /// `BAILIWICK_URL`: under which address browsers reach the hub.
    pub url: Option<String>,
    /// `BAILIWICK_ISSUER`: the provider that operators sign in by.
    pub issuer: Option<String>,
    /// `BAILIWICK_CLIENT_ID`: who the hub is for the provider.
    pub client_id: Option<String>,
    /// `BAILIWICK_CLIENT_SECRET_FILE`: the file with the hub's secret for the provider.
    pub client_secret_file: Option<PathBuf>,
    /// The folder for configuration of this user.
    pub config_home: Option<PathBuf>,
    /// `USER`: what to call the first operator.
    pub user: Option<String>,
    /// `NO_COLOR`: no colours, whatever the terminal can do.
    pub no_color: bool,
}

impl Environment {
    /// Reads it.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn read() -> Self {
        let path = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let text = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        Self {
            profile: path("BAILIWICK_PROFILE"),
            key_file: path("BAILIWICK_KEY_FILE"),
            log: text("BAILIWICK_LOG"),
            log_json: text("BAILIWICK_LOG_FORMAT").is_some_and(|format| format == "json"),
            collector: text("OTEL_EXPORTER_OTLP_ENDPOINT"),
            url: text("BAILIWICK_URL"),
            issuer: text("BAILIWICK_ISSUER"),
            client_id: text("BAILIWICK_CLIENT_ID"),
            client_secret_file: path("BAILIWICK_CLIENT_SECRET_FILE"),
            config_home: path("XDG_CONFIG_HOME").or_else(|| path("HOME").map(|home| home.join(".config"))),
            user: text("USER"),
            no_color: text("NO_COLOR").is_some(),
        }
    }
}
