//! HTTP as far as the tests need it: one request, one answer, the connection closed.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::soon;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// A header's value; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends `METHOD /path` with these headers; `Host` is the address unless one is given.
pub(crate) async fn fetch(address: SocketAddr, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    fetch_bytes(address, request, headers, body.as_bytes()).await
}

/// The same with any body.
pub(crate) async fn fetch_bytes(address: SocketAddr, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("{request} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let answer = async {
        let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
        let sending = async {
            writer.write_all(format!("{head}\r\n").as_bytes()).await?;
            writer.write_all(body).await
        };
        let mut answer = Vec::new();
        // Whoever is refused early may be cut off while it still sends.
        let (_sent_or_refused, _read) = tokio::join!(sending, reader.read_to_end(&mut answer));
        answer
    };
    let answer = soon("an HTTP answer", answer).await;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
    let (head, bytes) = (String::from_utf8_lossy(&answer[..end]).into_owned(), answer[end + 4..].to_vec());
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Answer { status, head, body: String::from_utf8_lossy(&bytes).into_owned(), bytes }
}

/// Waits until `/readyz` answers with a status, and returns that answer: nobody is told when the broker looks at the disk.
pub(crate) async fn until_ready_says(address: SocketAddr, status: u16) -> Answer {
    let look = async {
        loop {
            let answer = fetch(address, "GET /readyz", &[], "").await;
            if answer.status == status {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon(&format!("/readyz to answer {status}"), look).await
}
