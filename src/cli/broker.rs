//! Talking to a running broker, with TLS or without: as much of it as the commands need.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tidings::config::Config;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::failure::Failure;
use super::trust;

/// How long a connection and an answer that takes no work may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A connection, with TLS or without.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// Makes what carries a command that talks.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?)
}

/// The address of a running broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BrokerUrl {
    /// Host and port, as the header `Host` says it.
    pub(super) host: String,
    /// What its paths begin with; empty, or a slash and more.
    pub(super) prefix: String,
    /// Whether it speaks TLS.
    pub(super) has_tls: bool,
    /// The certificate that the settings name: whoever shows it is the broker, whatever its name.
    certificate: PathBuf,
}

impl BrokerUrl {
    /// Reads `--url`, or takes the address the settings say the broker listens at.
    pub(super) fn of(url: Option<&str>, config: &Config) -> Result<Self, Failure> {
        let certificate = config.tls.certificate.clone();
        let Some(url) = url else {
            let mut address = config.server.listen;
            if address.ip().is_unspecified() {
                address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
            }
            let has_tls = !certificate.as_os_str().is_empty();
            return Ok(Self { host: address.to_string(), prefix: String::new(), has_tls, certificate });
        };
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let has_tls = match scheme {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(Failure::Usage(format!("--url is {url:?}, expected http://HOST:PORT or https://HOST:PORT"))),
        };
        let (host, prefix) = rest.split_once('/').map_or((rest, ""), |(host, prefix)| (host, prefix.trim_end_matches('/')));
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:{}", if has_tls { 443 } else { 80 }) };
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Ok(Self { host, prefix, has_tls, certificate })
    }

    /// Makes the failure that nobody can be reached there.
    pub(super) fn unreachable(&self, reason: impl ToString) -> Failure {
        Failure::Unreachable { host: self.host.clone(), reason: reason.to_string() }
    }

    async fn resolve(&self) -> Result<SocketAddr, Failure> {
        let mut found = tokio::net::lookup_host(&self.host).await.map_err(|error| self.unreachable(error))?;
        found.next().ok_or_else(|| self.unreachable("there is no such address"))
    }

    /// Connects, and shakes hands where TLS is spoken.
    pub(super) async fn connect(&self) -> Result<Box<dyn Duplex>, Failure> {
        let connecting = async {
            let stream = TcpStream::connect(self.resolve().await?).await.map_err(|error| self.unreachable(error))?;
            if !self.has_tls {
                return Ok(Box::new(stream) as Box<dyn Duplex>);
            }
            let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
            let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).map_err(|error| self.unreachable(error))?;
            let connector = TlsConnector::from(trust::client(&self.certificate)?);
            let stream = connector.connect(name, stream).await.map_err(|error| self.unreachable(format!("TLS: {error}")))?;
            Ok(Box::new(stream) as Box<dyn Duplex>)
        };
        timeout(PATIENCE, connecting).await.unwrap_or_else(|_| Err(self.unreachable("no answer")))
    }

    /// Makes one request and returns status and body of the answer, which may take as long as `patience`. Blocks.
    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<(u16, String), Failure> {
        let asked = async {
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(self.connect().await?)).await.map_err(|error| self.unreachable(error))?;
            let carried = tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(format!("{}{path}", self.prefix))
                .header(HOST, &self.host)
                .header(CONTENT_TYPE, "application/json");
            let request = match key {
                Some(key) => request.header(AUTHORIZATION, format!("Bearer {key}")),
                None => request,
            };
            let body = Full::new(Bytes::from(body.map(ToString::to_string).unwrap_or_default()));
            let request = request.body(body).map_err(|error| Failure::Usage(error.to_string()))?;
            let answer = async {
                let answer = sender.send_request(request).await.map_err(|error| self.unreachable(error))?;
                let status = answer.status().as_u16();
                let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| self.unreachable(error))?;
                Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
            };
            let answer = timeout(patience, answer).await.unwrap_or_else(|_| Err(self.unreachable("no answer")));
            carried.abort();
            answer
        };
        runtime()?.block_on(asked)
    }
}

/// Makes a failure of an answer that refuses.
pub(super) fn api_error(status: u16, body: &str) -> Failure {
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let detail = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("no reason given");
    anyhow::anyhow!("the broker answered {status}: {detail}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_where_the_url_says_or_where_the_broker_listens() {
        let mut config = Config::default();
        let place = |host: &str, prefix: &str, has_tls: bool| BrokerUrl {
            host: host.into(),
            prefix: prefix.into(),
            has_tls,
            certificate: if has_tls { "chain.pem".into() } else { PathBuf::new() },
        };
        assert_eq!(BrokerUrl::of(None, &config).unwrap(), place("127.0.0.1:7080", "", false));
        config.server.listen = "0.0.0.0:80".parse().unwrap();
        assert_eq!(BrokerUrl::of(None, &config).unwrap(), place("127.0.0.1:80", "", false));
        assert_eq!(BrokerUrl::of(Some("http://h:1/im/"), &config).unwrap(), place("h:1", "/im", false));
        assert_eq!(BrokerUrl::of(Some("ws://[::1]:7080"), &config).unwrap(), place("[::1]:7080", "", false));
        assert_eq!(BrokerUrl::of(Some("http://h"), &config).unwrap(), place("h:80", "", false));
        config.tls.certificate = "chain.pem".into();
        assert_eq!(BrokerUrl::of(None, &config).unwrap(), place("127.0.0.1:80", "", true));
        assert_eq!(BrokerUrl::of(Some("https://h"), &config).unwrap(), place("h:443", "", true));
        assert_eq!(BrokerUrl::of(Some("wss://h:7/im"), &config).unwrap(), place("h:7", "/im", true));
        for other in ["h:7080", "ftp://h", ""] {
            assert!(matches!(BrokerUrl::of(Some(other), &config), Err(Failure::Usage(_))), "{other}");
        }
    }
}
