//! TLS of the broker's own server: the certificate in use, how it is replaced while sessions go on, and the handshake.
//!
//! A new pair of files takes effect for the next handshake; sessions keep the keys they agreed on. A pair that is no good
//! (half written, not of one key, no PEM) is logged and counted, and the one in use stays.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::rt::task::JoinHandle;
use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::not_after;
use crate::actors::context::BrokerContext;
use crate::clock::Clock;
use crate::config::{self, Config, TlsVersion};
use crate::metrics::Metrics;

/// A file of certificates or a key is some kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The first byte of a TLS connection: a handshake record. Source: RFC 8446, 5.1.
const HANDSHAKE: u8 = 22;

/// The answer to whoever speaks HTTP where TLS is spoken.
const PLAIN_HTTP_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 42\r\nConnection: close\r\n\r\n\
    This port speaks TLS: use https:// or wss\n";

/// Why a pair of files is not used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The system's reason.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is no PEM, or holds nothing of what it should.
    #[error("{} holds no {what} in PEM form", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
    },
    /// The two do not go together, or the key is of a kind that is not known.
    #[error("{} and {} cannot be used together: {source}", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// The versions cannot be had.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// What both files held when they were looked at last, good or not.
type LastRead = Option<(Vec<u8>, Vec<u8>)>;

/// What TLS needs of the program around it.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<dyn Clock>,
    /// Returns the configuration as it is now.
    pub(super) config: Arc<dyn Fn() -> Arc<Config> + Send + Sync>,
}

impl Surroundings {
    /// Those of a broker.
    pub(super) fn of(context: &Arc<BrokerContext>) -> Self {
        let now = context.clone();
        Self { metrics: context.metrics.clone(), clock: context.clock.clone(), config: Arc::new(move || now.config()) }
    }
}

/// The pair of files, and the certificate made of the last good one.
pub(super) struct Certificates {
    around: Surroundings,
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    last_read: Mutex<LastRead>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Certificates {
    fn open(around: Surroundings, tls: &config::Tls) -> Result<Self, TlsError> {
        let (certificate, key) = (tls.certificate.clone(), tls.key.clone());
        let bytes = (read(&certificate)?, read(&key)?);
        let current = certified(&certificate, &bytes.0, &key, &bytes.1)?;
        let certificates = Self { around, certificate, key, current: ArcSwap::from_pointee(current), last_read: Mutex::new(Some(bytes)) };
        certificates.report_expiry();
        Ok(certificates)
    }

    /// Reads the files and takes a pair that is new and good; with `again`, also one that was read before. Blocks.
    pub(super) fn reload(&self, again: bool) {
        let outcome = (|| {
            let bytes = (read(&self.certificate)?, read(&self.key)?);
            let mut last_read = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
            if !again && last_read.as_ref() == Some(&bytes) {
                return Ok(None);
            }
            let certified = certified(&self.certificate, &bytes.0, &self.key, &bytes.1);
            *last_read = Some(bytes);
            certified.map(Some)
        })();
        match outcome {
            Ok(None) => {}
            Ok(Some(certified)) => {
                self.current.store(Arc::new(certified));
                self.around.metrics.tls_loaded(true);
                tracing::info!(certificate = %self.certificate.display(), "certificate loaded; it is used from the next connection on");
                self.report_expiry();
            }
            Err(error) => {
                self.around.metrics.tls_loaded(false);
                tracing::error!(%error, "the new certificate is not used, the one before stays");
            }
        }
    }

    fn report_expiry(&self) {
        let until = self.current.load().cert.first().and_then(|certificate| not_after(certificate));
        self.around.metrics.tls_good_until(until.unwrap_or(0));
        let now = self.around.clock.wall_ms() / 1_000;
        match until {
            None => tracing::warn!(certificate = %self.certificate.display(), "until when the certificate is good cannot be read"),
            Some(until) if until < now => tracing::warn!(certificate = %self.certificate.display(), "the certificate has expired"),
            Some(_) => {}
        }
    }
}

/// Reads the certificate and key that a configuration names, and returns the last second in which the certificate is good, Unix time;
/// none when that cannot be read of it. Blocks.
///
/// # Errors
/// [`TlsError`]: a server with this configuration would not start.
pub fn certificate_end(tls: &config::Tls) -> Result<Option<u64>, TlsError> {
    let pair = certified(&tls.certificate, &read(&tls.certificate)?, &tls.key, &read(&tls.key)?)?;
    Ok(pair.cert.first().and_then(|certificate| not_after(certificate)))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn certified(certificate: &Path, chain: &[u8], key: &Path, secret: &[u8]) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain).filter_map(Result::ok).collect();
    if chain.is_empty() {
        return Err(TlsError::Empty { path: certificate.to_owned(), what: "certificate" });
    }
    let secret = PrivateKeyDer::from_pem_slice(secret).map_err(|_| TlsError::Empty { path: key.to_owned(), what: "private key" })?;
    CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(|source| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}

/// What a listening server needs to speak TLS.
#[derive(Clone)]
pub(super) struct Tls {
    around: Surroundings,
    acceptor: TlsAcceptor,
    certificates: Arc<Certificates>,
}

impl Tls {
    /// Reads the files the configuration names; `None` when it names none.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(super) fn open(around: Surroundings) -> Result<Option<Self>, TlsError> {
        let config = (around.config)();
        if config.tls.certificate.as_os_str().is_empty() {
            return Ok(None);
        }
        let certificates = Arc::new(Certificates::open(around.clone(), &config.tls)?);
        let versions: &[_] = match config.tls.min_version {
            TlsVersion::Tls12 => &[&version::TLS13, &version::TLS12],
            TlsVersion::Tls13 => &[&version::TLS13],
        };
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { around, acceptor: TlsAcceptor::from(Arc::new(server)), certificates }))
    }

    /// Reads the files now, also when they did not change.
    pub(super) fn reload(&self) {
        self.certificates.reload(true);
    }

    /// Reads the files every `tls.check_seconds`, until the task is ended.
    pub(super) fn watch(&self) -> JoinHandle<()> {
        let tls = self.clone();
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs((tls.around.config)().tls.check_seconds)).await;
                let certificates = tls.certificates.clone();
                if let Err(error) = tokio::task::spawn_blocking(move || certificates.reload(false)).await {
                    tracing::error!(%error, "looking at the certificate ended unexpectedly");
                }
            }
        })
    }

    /// Shakes hands, for as long as that may take.
    ///
    /// # Errors
    /// It failed or took too long; the connection is to be dropped.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let deadline = Duration::from_secs((self.around.config)().tls.handshake_seconds);
        let outcome = tokio::time::timeout(deadline, self.handshake(stream)).await;
        let (label, outcome) = match outcome {
            Ok(Ok(stream)) => ("done", Ok(stream)),
            Ok(Err(error)) => ("failed", Err(error)),
            Err(_) => ("timeout", Err(io::ErrorKind::TimedOut.into())),
        };
        self.around.metrics.tls_handshake(label);
        if let Err(error) = &outcome {
            tracing::debug!(%error, outcome = label, "no TLS session");
        }
        outcome
    }

    async fn handshake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE && first[0].is_ascii_uppercase() {
            // Someone speaks plain HTTP. One attempt: a new socket takes a line.
            stream.writable().now_or_never();
            if let Err(error) = stream.try_write(PLAIN_HTTP_ANSWER) {
                tracing::trace!(%error, "who speaks HTTP could not be told");
            }
            // What is unread at the close would reset the connection before the answer is read.
            let mut unread = [0; 4096];
            while stream.try_read(&mut unread).is_ok_and(|count| count > 0) {}
            return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP on a TLS port"));
        }
        self.acceptor.accept(stream).await
    }
}
