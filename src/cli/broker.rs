//! Talking to a running broker over HTTP: as much of it as the commands need.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::Value;
use tidings::config::Config;

use super::failure::Failure;

/// How long a connection and an answer that takes no work may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// The address of a running broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BrokerUrl {
    /// Host and port, as the header `Host` says it.
    pub(super) host: String,
    /// What its paths begin with; empty, or a slash and more.
    pub(super) prefix: String,
}

impl BrokerUrl {
    /// Reads `--url`, or takes the address the settings say the broker listens at.
    pub(super) fn of(url: Option<&str>, config: &Config) -> Result<Self, Failure> {
        let Some(url) = url else {
            let mut address = config.server.listen;
            if address.ip().is_unspecified() {
                address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
            }
            return Ok(Self { host: address.to_string(), prefix: String::new() });
        };
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("ws://"));
        let rest = rest.ok_or_else(|| {
            Failure::Usage(format!(
                "--url is {url:?}, expected http://HOST:PORT (behind TLS: the broker's own plain port, or a tunnel to it)"
            ))
        })?;
        let (host, prefix) = rest.split_once('/').map_or((rest, ""), |(host, prefix)| (host, prefix.trim_end_matches('/')));
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:80") };
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Ok(Self { host, prefix })
    }

    pub(super) fn resolve(&self) -> Result<SocketAddr, Failure> {
        let unreachable = |reason: String| Failure::Unreachable { host: self.host.clone(), reason };
        let mut found = self.host.to_socket_addrs().map_err(|error| unreachable(error.to_string()))?;
        found.next().ok_or_else(|| unreachable("there is no such address".to_owned()))
    }

    /// Makes one request and returns status and body of the answer, which may take as long as `patience`.
    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<(u16, String), Failure> {
        let unreachable = |error: std::io::Error| Failure::Unreachable { host: self.host.clone(), reason: error.to_string() };
        let mut stream = TcpStream::connect_timeout(&self.resolve()?, PATIENCE).map_err(unreachable)?;
        stream.set_read_timeout(Some(patience)).map_err(unreachable)?;
        let body = body.map(ToString::to_string).unwrap_or_default();
        let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{key}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.prefix,
            self.host,
            body.len()
        );
        stream.write_all(request.as_bytes()).map_err(unreachable)?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(unreachable)?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| unreachable(std::io::Error::other("what answers does not speak HTTP")))?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        Ok((status, body.to_owned()))
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
        let place = |host: &str, prefix: &str| BrokerUrl { host: host.into(), prefix: prefix.into() };
        assert_eq!(BrokerUrl::of(None, &config).unwrap(), place("127.0.0.1:7080", ""));
        config.server.listen = "0.0.0.0:80".parse().unwrap();
        assert_eq!(BrokerUrl::of(None, &config).unwrap(), place("127.0.0.1:80", ""));
        assert_eq!(BrokerUrl::of(Some("http://h:1/im/"), &config).unwrap(), place("h:1", "/im"));
        assert_eq!(BrokerUrl::of(Some("ws://[::1]:7080"), &config).unwrap(), place("[::1]:7080", ""));
        assert_eq!(BrokerUrl::of(Some("http://h"), &config).unwrap(), place("h:80", ""));
        assert!(matches!(BrokerUrl::of(Some("https://h"), &config), Err(Failure::Usage(_))));
    }
}
