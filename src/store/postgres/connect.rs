//! Connections: address, TLS, and the settings that each one has.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::options::PostgresOptions;
use crate::store::error::OpenError;

/// What each connection keeps to, whatever the role's own settings are. No statement may hang, no client that stopped may hold a
/// lock, plans are made once, and an answer means that it is on disk.
const SETTINGS: &str = "-c search_path=tidings -c statement_timeout=5000 -c lock_timeout=2000 \
    -c idle_in_transaction_session_timeout=2000 -c plan_cache_mode=force_generic_plan -c jit=off -c synchronous_commit=on \
    -c client_min_messages=warning";
/// How long making a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// A connection that is silent for so long is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
/// How long what was sent may go without an acknowledgement of the network.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// How the database is reached.
#[derive(Clone)]
pub(super) struct Database {
    config: Config,
    tls: MakeRustlsConnect,
}

impl Database {
    /// Reads address and certificates. Nothing is connected.
    pub(super) fn of(options: &PostgresOptions) -> Result<Self, OpenError> {
        let refused = |reason: String| OpenError::Io { path: shown(&options.url), reason };
        let mut config = Config::from_str(&options.url).map_err(|error| refused(format!("store.postgres.url: {}", innermost(&error))))?;
        config.application_name(format!("tidings {}", options.node));
        config.connect_timeout(CONNECT_MAX);
        config.keepalives_idle(KEEPALIVE_IDLE);
        config.tcp_user_timeout(UNACKNOWLEDGED_MAX);
        let settings = config.get_options().map_or_else(|| SETTINGS.to_owned(), |given| format!("{SETTINGS} {given}"));
        config.options(settings);
        let roots = roots(options.tls_ca.as_deref()).map_err(refused)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config, tls: MakeRustlsConnect::new(tls) })
    }

    /// Makes a connection of its own, which ends when the client is dropped.
    pub(super) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = innermost(&error), "a connection to the database ended");
            }
        });
        Ok(client)
    }

    /// Makes a connection for what need not be on another machine's disk to be true: heartbeats, claims, marks. It does not wait for
    /// a synchronous replica that is away.
    pub(super) async fn connect_local(&self) -> Result<Client, tokio_postgres::Error> {
        let client = self.connect().await?;
        client.batch_execute("SET synchronous_commit = local").await?;
        Ok(client)
    }

    /// Makes a pool of connections, which are made when they are first needed.
    pub(super) fn pool(&self, connections_max: usize) -> Result<Pool, OpenError> {
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), manager_config);
        let timeout = Some(CONNECT_MAX);
        Pool::builder(manager)
            .max_size(connections_max)
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .create_timeout(timeout)
            .wait_timeout(timeout)
            .recycle_timeout(timeout)
            .build()
            .map_err(|error| OpenError::Io { path: "store.postgres.connections_max".into(), reason: error.to_string() })
    }
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            let certificates = CertificateDer::pem_file_iter(file).map_err(|error| format!("{}: {error}", file.display()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| format!("{}: {error}", file.display()))?;
                roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
            }
        }
        // A system without authorities: a database that wants no TLS is reached all the same.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(roots)
}

/// Returns an address as it may be shown: host, port and database, without who and the password.
pub(crate) fn shown(url: &str) -> String {
    let Ok(config) = Config::from_str(url) else { return "postgres (unreadable address)".into() };
    let host = config.get_hosts().first().map_or_else(
        || "localhost".to_owned(),
        |host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
        },
    );
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("postgres://{host}:{port}/{}", config.get_dbname().unwrap_or_default())
}

/// Returns that a database refuses, or cannot be reached. `place`: see [`shown`].
pub(super) fn refused(place: &str, error: &dyn std::error::Error) -> OpenError {
    OpenError::Io { path: place.to_owned(), reason: innermost(error) }
}

/// Returns what went wrong in the words of whatever failed first: the driver's own say little.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(shown("postgres://me:secret@db.example:5433/chat?sslmode=require"), "postgres://db.example:5433/chat");
        assert_eq!(shown("host=/run/pg user=me password=secret dbname=chat"), "postgres:///run/pg:5432/chat");
        assert!(!shown("nonsense secret").contains("secret"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = Database::of(&PostgresOptions::new("host=a port=none")).err().unwrap().to_string();
        assert!(error.contains("store.postgres.url"), "{error}");
        let options = PostgresOptions { tls_ca: Some("/nowhere/ca.pem".into()), ..PostgresOptions::new("postgres://localhost/x") };
        assert!(Database::of(&options).err().unwrap().to_string().contains("/nowhere/ca.pem"));
    }
}
