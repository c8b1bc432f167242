//! NATS core as the bus: the only file that knows its client.
//!
//! `JetStream` is not used. What bit while this was tried, with a server 2.9: a client that is cut off takes what is published, up to
//! its capacity, then makes the publisher wait without an error, and may lose all of it; a subscription that nobody reads in time
//! drops silently; a server that was stopped is noticed by pings alone, since its machine still accepts connections.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::rustls::pki_types::pem::PemObject as _;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::rustls::{ClientConfig, RootCertStore, crypto};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tracing::{info, warn};

use super::bus::{Bus, BusError};
use crate::clock::Clock;

/// A server that does not answer two of these is taken for gone. With one second for a new connection a stopped server was left
/// 3.3 s after its stop; with the client's own settings it took 7.6 s and more.
const PING_EVERY: Duration = Duration::from_millis(800);
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Between two tries to connect: between half of it and all of it, so that nodes do not come all at once.
const RECONNECT_AFTER: Duration = Duration::from_millis(200);
/// How long one looks at a server.
const LOOK_MAX: Duration = Duration::from_secs(3);
/// What waits in the client to be sent; batches of 512 KiB at most.
const OUTGOING_MAX: usize = 64;
/// What waits in the client to be taken. Batches: a burst of all peers of a large cluster fits many times over.
const INCOMING_MAX: usize = 65_536;

/// Where the servers are and who we are to them.
#[derive(Clone, Default)]
pub(crate) struct NatsOptions {
    /// `nats://host:4222` or `tls://host:4222`, also with `user:password@`; all of one NATS cluster.
    pub(crate) servers: Vec<String>,
    /// What a NATS server shows as the connection's name.
    pub(crate) name: String,
    /// A file with a user's token and key, as `nsc` writes it.
    pub(crate) credentials: Option<PathBuf>,
    /// The authorities (PEM) of the servers' certificates, instead of the machine's.
    pub(crate) tls_ca: Option<PathBuf>,
    /// A certificate and its key (PEM), for servers that ask for one.
    pub(crate) tls_client: Option<(PathBuf, PathBuf)>,
}

impl fmt::Debug for NatsOptions {
    /// Without the servers: passwords may be in their addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A connection to NATS. Two are needed: a flood of lossy frames must not delay the reliable ones.
#[derive(Debug)]
pub(crate) struct Nats {
    options: NatsOptions,
    client: OnceLock<Client>,
    heard: Arc<Heard>,
}

impl Nats {
    /// Takes the settings; nothing is connected before [`open`](Bus::open).
    pub(crate) fn new(options: NatsOptions) -> Self {
        Self { options, client: OnceLock::new(), heard: Arc::default() }
    }

    /// Returns the servers' addresses, and how one connects to them.
    async fn settings(&self) -> Result<(Vec<ServerAddr>, ConnectOptions), BusError> {
        let NatsOptions { servers, name, credentials, .. } = &self.options;
        // Which one is enough to find it, and shows no password.
        let unreadable_address = |n: usize, error: &dyn fmt::Display| BusError::Settings(format!("address {} of NATS: {error}", n + 1));
        let address = |(n, server): (usize, &String)| server.parse::<ServerAddr>().map_err(|error| unreadable_address(n, &error));
        let servers = servers.iter().enumerate().map(address).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(BusError::Settings("no NATS server is named".into()));
        }
        let mut options = ConnectOptions::new()
            .name(name)
            .ping_interval(PING_EVERY)
            .connection_timeout(CONNECT_MAX)
            .tls_client_config(tls(&self.options)?);
        // The client reads servers and ports in addresses, and no names.
        if let Some(server) = servers.iter().find(|server| server.has_user_pass()) {
            let of = |text: Option<&str>| text.map(decoded);
            options = match (of(server.username()), of(server.password())) {
                (Some(user), Some(password)) => options.user_and_password(user, password),
                (Some(token), None) => options.token(token),
                (None, _) => options,
            };
        }
        if let Some(path) = credentials {
            options = options.credentials_file(path).await.map_err(|error| unreadable(path, &error))?;
        }
        Ok((servers, options))
    }

    async fn connect(&self) -> Result<Client, BusError> {
        let (servers, options) = self.settings().await?;
        let heard = self.heard.clone();
        let options = options
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(reconnect_after)
            .client_capacity(OUTGOING_MAX)
            .subscription_capacity(INCOMING_MAX)
            .event_callback(move |event| {
                heard.note(&event);
                std::future::ready(())
            });
        options.connect(servers).await.map_err(|error| BusError::Settings(error.to_string()))
    }

    /// Looks at each server alone.
    ///
    /// # Errors
    /// [`BusError::Settings`]; a server that does not answer is none.
    pub(crate) async fn report(&self, clock: &dyn Clock) -> Result<Vec<BusServer>, BusError> {
        let (servers, options) = self.settings().await?;
        let mut report = Vec::new();
        for (number, server) in (1..).zip(servers) {
            let looked_at = tokio::time::timeout(LOOK_MAX, look_at(server, options.clone(), clock)).await;
            let state = looked_at.unwrap_or_else(|_| Err(format!("no answer within {} s", LOOK_MAX.as_secs())));
            report.push(BusServer { number, state });
        }
        Ok(report)
    }

    fn client(&self) -> Result<&Client, BusError> {
        self.client.get().ok_or(BusError::Closed)
    }
}

impl Bus for Nats {
    fn open(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async {
            let client = self.connect().await?;
            // A second time changes nothing: the first connection goes on.
            self.client.get_or_init(|| client);
            Ok(())
        })
    }

    fn publish<'a>(&'a self, subject: &'a str, payload: Bytes) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move {
            let bytes = payload.len();
            let published = self.client()?.publish(subject.to_owned(), payload).await;
            published.map_err(|error| BusError::Refused { bytes, reason: error.to_string() })
        })
    }

    fn subscribe<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<BoxStream<'static, Bytes>, BusError>> {
        Box::pin(async move {
            let subscribed = self.client()?.subscribe(subject.to_owned()).await;
            let messages = subscribed.map_err(|error| BusError::Refused { bytes: 0, reason: error.to_string() })?;
            Ok(messages.map(|message| message.payload).boxed())
        })
    }

    fn is_connected(&self) -> bool {
        self.client.get().is_some_and(|client| client.connection_state() == State::Connected)
    }

    fn overruns(&self) -> u64 {
        self.heard.overruns.load(Ordering::Relaxed)
    }
}

/// A server of the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusServer {
    /// Which of the addresses in `cluster.nats`, from 1.
    pub number: usize,
    /// What it says of itself, or in words why it does not.
    pub state: Result<BusServerState, String>,
}

/// What a server of the bus says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusServerState {
    /// Its version.
    pub version: String,
    /// How many bytes it takes at once.
    pub payload_bytes_max: u64,
    /// How long it takes to answer, microseconds.
    pub round_trip_us: u64,
}

async fn look_at(server: ServerAddr, options: ConnectOptions, clock: &dyn Clock) -> Result<BusServerState, String> {
    let client = options.connect(server).await.map_err(|error| error.to_string())?;
    // The first answer comes with what a new connection takes.
    client.flush().await.map_err(|error| error.to_string())?;
    let began = clock.elapsed();
    client.flush().await.map_err(|error| error.to_string())?;
    let round_trip_us = u64::try_from((clock.elapsed() - began).as_micros()).unwrap_or(u64::MAX);
    let about = client.server_info();
    Ok(BusServerState { version: about.version, payload_bytes_max: about.max_payload as u64, round_trip_us })
}

/// What a connection told of itself.
#[derive(Debug, Default)]
struct Heard {
    overruns: AtomicU64,
    last: Mutex<String>,
}

impl Heard {
    /// Says what happened. A payload that was thrown away is one event each: these are only counted.
    fn note(&self, event: &Event) {
        match event {
            Event::SlowConsumer(_) => {
                self.overruns.fetch_add(1, Ordering::Relaxed);
            }
            Event::Connected => {
                self.last.lock().unwrap_or_else(PoisonError::into_inner).clear();
                info!("connected to NATS");
            }
            event => self.warn(&event.to_string()),
        }
    }

    /// Says something once: whoever is not let in is told so five times a second.
    fn warn(&self, event: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != event {
            event.clone_into(&mut last);
            warn!(event, "NATS");
        }
    }
}

/// Takes `%` and two hexadecimal digits for the byte that they stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = others.get(..2).and_then(|code| std::str::from_utf8(code).ok()).and_then(|code| u8::from_str_radix(code, 16).ok());
        let byte = code.filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The number of tries says nothing: a server that is reached and lets nobody in counts as none.
fn reconnect_after(_: usize) -> Duration {
    let mut chance = [u8::MAX];
    // Without chance all nodes wait for the longest: that is no error.
    getrandom::fill(&mut chance).ok();
    RECONNECT_AFTER / 2 + RECONNECT_AFTER / 2 * u32::from(chance[0]) / 255
}

/// Returns how a server's certificate is looked at. Which library does the arithmetic is said here: two of them may be compiled in.
fn tls(options: &NatsOptions) -> Result<ClientConfig, BusError> {
    let settings = |error: &dyn std::fmt::Display| BusError::Settings(format!("TLS to NATS: {error}"));
    let mut roots = RootCertStore::empty();
    match &options.tls_ca {
        Some(path) => roots.add_parsable_certificates(certificates(path)?),
        None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| settings(&error))?
        .with_root_certificates(roots);
    let Some((certificate, key)) = &options.tls_client else { return Ok(config.with_no_client_auth()) };
    let key_read = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    config.with_client_auth_cert(certificates(certificate)?, key_read).map_err(|error| settings(&error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BusError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| unreadable(path, &error))?;
    if read.is_empty() {
        return Err(BusError::Settings(format!("{}: no certificate is in it", path.display())));
    }
    Ok(read)
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> BusError {
    BusError::Settings(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_no_address_may_hold_are_written_as_numbers() {
        for (written, read) in [("plain", "plain"), ("p%40ss%3a", "p@ss:"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%C3%A4", "ä")] {
            assert_eq!(decoded(written), read);
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        let options = NatsOptions { servers: vec!["nats://me:secret@host".into()], ..NatsOptions::default() };
        assert!(!format!("{:?}", Nats::new(options)).contains("secret"));
    }
}
