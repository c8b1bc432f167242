//! One call over HTTP/1.1, to an address that was looked at.
//!
//! The name is resolved here, each address is held against [`super::address`], and the connection goes to that very
//! address: between the check and the call nobody can give another answer. Redirects are not followed, so there is no
//! second address to check. An answer's body is read up to 64 KiB, a picture up to 8 MiB, its head up to 64 KiB.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::is_public;
use crate::clock::Clock;

/// Most bytes of an answer's body.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// How long a connection may wait for its next call. Shorter than most servers wait, and than most names change.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// Connections that wait.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// Why there is no answer. No text holds the URL, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum CallError {
    #[error("{0} cannot be resolved: {1}")]
    Name(String, String),
    #[error("{0} has no address that may be called (webhooks.allow_private_addresses is off)")]
    Forbidden(String),
    #[error("cannot connect to {0}: {1}")]
    Connect(String, String),
    #[error("TLS with {0} failed: {1}")]
    Tls(String, String),
    #[error("{0} did not answer: {1}")]
    Broken(String, String),
    #[error("{0} took too long")]
    TimedOut(String),
    #[error("the answer is larger than {0} bytes")]
    TooLong(usize),
}

/// The head of an answer, and what its body is read from.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    /// As it came.
    pub(super) retry_after: Option<String>,
    body: Incoming,
    sender: SendRequest<Full<Bytes>>,
    client: &'a Client,
}

impl Answer<'_> {
    /// Reads the body, for so long at most; then the connection may carry another call.
    ///
    /// # Errors
    /// [`CallError`]: it is not there in time, is too long, or breaks off; the connection is closed.
    pub(super) async fn read(self, wait: Duration) -> Result<Bytes, CallError> {
        self.read_up_to(wait, ANSWER_BYTES_MAX).await
    }

    /// Reads a body of so many bytes at most.
    ///
    /// # Errors
    /// As [`Answer::read`].
    pub(super) async fn read_up_to(self, wait: Duration, bytes_max: usize) -> Result<Bytes, CallError> {
        match timeout(wait, Limited::new(self.body, bytes_max).collect()).await {
            Err(_) => Err(CallError::TimedOut("the answer's body".into())),
            Ok(Ok(body)) => {
                self.client.keep(self.sender);
                Ok(body.to_bytes())
            }
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(CallError::TooLong(bytes_max)),
            Ok(Err(error)) => Err(CallError::Broken(self.client.host(), error.to_string())),
        }
    }
}

/// Where to call.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    authority: String,
    path: String,
    is_tls: bool,
}

impl Endpoint {
    fn parse(url: &str) -> Result<Self, String> {
        let uri: hyper::Uri = url.parse().map_err(|error| format!("is no URL: {error}"))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("must begin with http:// or https://".into()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err("must name a host, and no user".into());
        }
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() != authority.host() => return Err("has a port that is none".into()),
            None if is_tls => 443,
            None => 80,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { host, port, authority: authority.as_str().to_owned(), path, is_tls })
    }
}

struct Idle {
    sender: SendRequest<Full<Bytes>>,
    since: Duration,
}

/// How calls are made, whoever is called.
pub(super) struct CallOptions {
    pub(super) allow_private: bool,
    pub(super) connect_timeout: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

/// Calls one URL.
pub(super) struct Client {
    endpoint: Endpoint,
    tls: Option<TlsConnector>,
    options: CallOptions,
    idle: Mutex<Vec<Idle>>,
}

impl Client {
    /// Returns a caller of this URL. Reads certificates for `https`: those of `ca_file`, or the system's.
    ///
    /// # Errors
    /// What is wrong with the URL, or that there is no certificate.
    pub(super) fn new(url: &str, ca_file: &str, options: CallOptions) -> Result<Self, String> {
        let endpoint = Endpoint::parse(url)?;
        let tls = if endpoint.is_tls { Some(TlsConnector::from(tls(ca_file)?)) } else { None };
        Ok(Self { endpoint, tls, options, idle: Mutex::default() })
    }

    /// Posts JSON and waits for the head of the answer. The caller bounds the time; dropped, the call is cut.
    ///
    /// # Errors
    /// [`CallError`] when there is no answer.
    pub(super) async fn post(&self, headers: &[(&'static str, String)], body: &Bytes) -> Result<Answer<'_>, CallError> {
        if let Some(sender) = self.take_idle().await {
            match self.exchange(sender, headers, body).await {
                // It was closed while it waited. What the backend got of it, if anything, it knows by its id.
                Err(CallError::Broken(..)) => {}
                other => return other,
            }
        }
        let sender = self.connect().await?;
        self.exchange(sender, headers, body).await
    }

    async fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let now = self.options.clock.elapsed();
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let mut sender = idle.sender;
            if now.saturating_sub(idle.since) < IDLE_MAX && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn keep(&self, sender: SendRequest<Full<Bytes>>) {
        let since = self.options.clock.elapsed();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS_MAX && !sender.is_closed() {
            idle.push(Idle { sender, since });
        }
    }

    fn host(&self) -> String {
        self.endpoint.host.clone()
    }

    /// Returns host and port of what is called; a path may hold a secret.
    pub(super) fn authority(&self) -> &str {
        &self.endpoint.authority
    }

    async fn exchange(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        headers: &[(&'static str, String)],
        body: &Bytes,
    ) -> Result<Answer<'_>, CallError> {
        let broken = |error: &dyn std::fmt::Display| CallError::Broken(self.host(), error.to_string());
        let mut request = Request::post(&self.endpoint.path)
            .header(HOST, &self.endpoint.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("tidings/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body.clone())).map_err(|error| broken(&error))?;
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Answer { status, retry_after, body: response.into_body(), sender, client: self })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, CallError> {
        match timeout(self.options.connect_timeout, self.connect_slowly()).await {
            Ok(connected) => connected,
            Err(_) => Err(CallError::TimedOut(format!("connecting to {}", self.host()))),
        }
    }

    async fn connect_slowly(&self) -> Result<SendRequest<Full<Bytes>>, CallError> {
        let stream = self.connect_tcp().await?;
        // A call is small and waited for.
        let _works_without = stream.set_nodelay(true).is_ok();
        let Some(connector) = &self.tls else { return self.handshake(stream).await };
        let failed = |error: &dyn std::fmt::Display| CallError::Tls(self.host(), error.to_string());
        let name = ServerName::try_from(self.host()).map_err(|error| failed(&error))?;
        let stream = connector.connect(name, stream).await.map_err(|error| failed(&error))?;
        self.handshake(stream).await
    }

    async fn handshake<S>(&self, stream: S) -> Result<SendRequest<Full<Bytes>>, CallError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let made = Builder::new().max_buf_size(ANSWER_BYTES_MAX).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|error| CallError::Broken(self.host(), error.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a webhook connection ended");
            }
        });
        Ok(sender)
    }

    async fn connect_tcp(&self) -> Result<TcpStream, CallError> {
        let mut last = None;
        for address in self.addresses().await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error.to_string()),
            }
        }
        Err(CallError::Connect(self.host(), last.unwrap_or_else(|| "it has no address".into())))
    }

    /// Returns the addresses that may be called.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, CallError> {
        let (host, port) = (&self.endpoint.host, self.endpoint.port);
        let all: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let found = tokio::net::lookup_host((host.as_str(), port)).await;
                found.map_err(|error| CallError::Name(self.host(), error.to_string()))?.collect()
            }
        };
        let may_be_called = |address: &SocketAddr| self.options.allow_private || is_public(address.ip());
        let allowed: Vec<SocketAddr> = all.into_iter().filter(may_be_called).take(ADDRESSES_MAX).collect();
        if allowed.is_empty() { Err(CallError::Forbidden(self.host())) } else { Ok(allowed) }
    }
}

/// With the certificates of a file, or the system's: an operator who runs a certificate authority of its own has told the
/// system so already, and what is built in would age with the program.
fn tls(ca_file: &str) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    if ca_file.is_empty() {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
    } else {
        let read = |error: &dyn std::fmt::Display| format!("webhooks.ca_file {ca_file} cannot be read: {error}");
        for certificate in CertificateDer::pem_file_iter(Path::new(ca_file)).map_err(|error| read(&error))? {
            let certificate = certificate.map_err(|error| read(&error))?;
            roots.add(certificate).map_err(|error| read(&error))?;
        }
    }
    if roots.is_empty() {
        return Err("needs certificates for https, and the system trusts none: install them, or set webhooks.ca_file".into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let endpoint = |host: &str, port, authority: &str, path: &str, is_tls| {
            Ok(Endpoint { host: host.into(), port, authority: authority.into(), path: path.into(), is_tls })
        };
        assert_eq!(Endpoint::parse("http://localhost:81/a?b=c"), endpoint("localhost", 81, "localhost:81", "/a?b=c", false));
        assert_eq!(Endpoint::parse("https://example.com"), endpoint("example.com", 443, "example.com", "/", true));
        assert_eq!(Endpoint::parse("http://[::1]/x"), endpoint("::1", 80, "[::1]", "/x", false));
        for bad in ["ftp://a/", "/path", "http://u@host/", "http://:80/", "http://a:99999/"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn what_a_name_resolves_to_is_held_against_the_rule() {
        let client = |url: &str, allow_private| {
            let clock = Arc::new(crate::clock::SystemClock::new());
            Client::new(url, "", CallOptions { allow_private, connect_timeout: Duration::from_secs(1), clock }).unwrap()
        };
        // Names, and the ways of writing an address that a system's resolver understands.
        for url in [
            "http://localhost:1/",
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "http://[::ffff:127.0.0.1]:1/",
            "http://127.1:1/",
            "http://2130706433:1/",
        ] {
            let error = client(url, false).post(&[], &Bytes::new()).await.err().unwrap();
            assert!(matches!(error, CallError::Forbidden(_) | CallError::Name(..)), "{url}: {error}");
        }
        assert_eq!(client("http://127.0.0.1:1/", false).addresses().await, Err(CallError::Forbidden("127.0.0.1".into())));
        assert!(client("http://localhost:1/", true).addresses().await.is_ok());
    }
}
