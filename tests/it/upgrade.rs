//! Requests that ask for another protocol, on the broker's own server, which takes the socket over when it is the right
//! one (`src/http/socket/upgrade.rs`).

use std::net::SocketAddr;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::attack::{FIN, TEXT, frame};
use crate::hostile::request;
use crate::support::{World, soon};

/// What comes before the headers of a case.
const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Sends a request as it is; the status, headers and body of the answer. The connection may go on.
async fn exchange(stream: &mut TcpStream, request: &str, headers: &str) -> (u16, String, String) {
    let head = format!("{request} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", stream.peer_addr().unwrap());
    stream.write_all(head.as_bytes()).await.unwrap();
    let head = head_of(stream).await;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let headers = head.to_lowercase();
    let length = headers.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    soon("the body", stream.read_exact(&mut body)).await.unwrap();
    (status, headers, String::from_utf8(body).unwrap())
}

/// Reads up to the empty line and not a byte more.
async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("the head of an answer", stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// What `curl --http2` asks of a server whose abilities it does not know.
#[tokio::test]
async fn a_request_that_offers_http_2_is_answered_as_any_other() {
    let world = World::start();
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n";
    let (status, _, body) = exchange(&mut stream, "GET /healthz", offer).await;
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["status"], "alive");
}

#[tokio::test]
async fn a_websocket_is_at_its_own_path_only() {
    let world = World::start();
    for path in ["/nothing", "/ws/", "/WS", "/im/ws"] {
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        let (status, headers, body) = exchange(&mut stream, &format!("GET {path}"), &format!("{WEBSOCKET}{VERSION}{KEY}")).await;
        assert_eq!((status, body.as_str()), (404, ""), "{path}");
        is_over(stream, &headers).await;
    }
    assert_eq!(world.broker.stats().connections, 0);
}

#[tokio::test]
async fn a_bad_handshake_is_refused() {
    let world = World::start();
    for (what, request, headers, status) in [
        ("no key", "GET /ws", format!("{WEBSOCKET}{VERSION}"), 400),
        ("no version", "GET /ws", format!("{WEBSOCKET}{KEY}"), 400),
        ("another version", "GET /ws", format!("{WEBSOCKET}{KEY}Sec-WebSocket-Version: 12\r\n"), 426),
        ("no wish to upgrade", "GET /ws", format!("Upgrade: websocket\r\n{VERSION}{KEY}"), 400),
        ("a POST", "POST /ws", format!("{WEBSOCKET}{VERSION}{KEY}"), 405),
    ] {
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        let (answer, headers, _) = exchange(&mut stream, request, &headers).await;
        assert_eq!(answer, status, "{what}");
        is_over(stream, &headers).await;
    }
    assert_eq!(world.broker.stats().connections, 0);
}

/// The server ends the connection after this answer, and said so: the client does not send its next request into it.
async fn is_over(mut stream: TcpStream, headers: &str) {
    assert!(headers.contains("connection: close"), "{headers}");
    assert_eq!(soon("the end of the connection", stream.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn frames_behind_the_upgrade_request_are_answered() {
    let world = World::start();
    early_frames_are_answered(world.address(), "/ws").await;
}

/// A client may speak before it has read the answer to its handshake: request and frames travel together.
pub(crate) async fn early_frames_are_answered(address: SocketAddr, path: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{WEBSOCKET}{VERSION}{KEY}\r\n").into_bytes();
    for id in [1, 2] {
        bytes.extend(frame(FIN | TEXT, request(id, "ping", &json!({})).as_bytes()));
    }
    // Far less than a segment takes, in one write.
    stream.write_all(&bytes).await.unwrap();
    let answer = head_of(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    for id in [1, 2] {
        let text = soon("an answer to an early frame", socket.next()).await.unwrap().unwrap().into_text().unwrap();
        let reply: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(reply["id"], id, "{reply}");
        assert!(reply["result"]["serverTime"].is_u64(), "{reply}");
    }
}
