//! Files, and users who want more than their share of them: of uploads, of the disk, of each other's.

mod access;
mod forms;
mod pictures;
mod uploads;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::media::tus::Tus;
use crate::support::{World, soon};

/// `file` in base64.
const FILE: &str = "ZmlsZQ==";

/// A request whose body is sent bit by bit.
struct Slow(TcpStream);

impl Slow {
    async fn begin(world: &World, head: &str) -> Self {
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        stream.write_all(format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        Self(stream)
    }

    /// Begins to write a part of a resumable upload.
    async fn patch(world: &World, tus: &Tus<'_>, place: &str, offset: usize, length: usize) -> Self {
        let head = format!(
            "PATCH {place} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nAuthorization: {}\r\nUpload-Offset: {offset}\r\n\
             Content-Type: application/offset+octet-stream\r\nContent-Length: {length}",
            tus.token
        );
        Self::begin(world, &head).await
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Returns the status and the whole answer.
    async fn answer(mut self) -> (u16, String) {
        let mut answer = Vec::new();
        soon("an answer", self.0.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (status.parse().unwrap(), answer)
    }
}

/// Returns what a metric says now.
fn gauge(world: &World, name: &str) -> u64 {
    let text = world.broker.metrics_text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// Waits until the broker has so many bytes of an upload.
async fn until_at(tus: &Tus<'_>, place: &str, offset: usize) {
    let reached = async {
        while tus.offset(place).await != offset.to_string() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the bytes to arrive", reached).await;
}
