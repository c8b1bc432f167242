//! Spans of requests reach a collector, whole and without what was said.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::hostile::Program;
use crate::support::{Client, Login, To, soon};

/// Takes what is posted, answers 200 with an empty message, and passes the bodies on.
async fn collector() -> (String, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let (tell, posted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut read = Vec::new();
                while stream.read_buf(&mut read).await.is_ok_and(|count| count > 0) {
                    let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4) else { continue };
                    let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
                    assert!(head.starts_with("post /v1/traces ") && head.contains("application/x-protobuf"), "{head}");
                    let length: usize = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
                    if read.len() < end + length {
                        continue;
                    }
                    tell.send(read.drain(..end + length).skip(end).collect()).unwrap();
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
                        .await
                        .unwrap();
                }
            });
        }
    });
    (endpoint, posted)
}

#[tokio::test]
async fn a_message_is_traced_from_its_frame_to_its_readers() {
    let (endpoint, mut posted) = collector().await;
    let program = Program::with(&[("log.otlp_endpoint", &endpoint)]);
    let running = program.run().await;
    let mut clients = Vec::new();
    for user in ["alice", "bob"] {
        let mut client = Client::try_connect(running.address, &[]).await.unwrap_or_else(|refused| panic!("{refused:?}"));
        client.login(&program.token(user), Login { user, ..Login::default() }).await;
        clients.push(client);
    }
    clients[0].say(To::Peer("bob"), "a text that nobody may collect").await;
    clients[0].code("joinRoom", json!({"roomID": "nowhere"})).await;
    clients[1].texts(1).await;
    drop(clients);
    // What waits is sent at the end.
    running.signal("TERM").await;
    assert!(running.ended().await, "{}", program.log());
    let mut all = Vec::new();
    let wanted = ["tidings", "request", "sendMessage", "joinRoom", "conversation", "archive", "commit", "fan_out", "session.id", "code"];
    let holds = |all: &[u8], word: &str| all.windows(word.len()).any(|bytes| bytes == word.as_bytes());
    soon("the spans", async {
        while !wanted.iter().all(|word| holds(&all, word)) {
            all.extend(posted.recv().await.unwrap());
        }
    })
    .await;
    for secret in ["nobody may collect", program.token("alice").as_str(), "alice"] {
        assert!(!holds(&all, secret), "{secret} was sent");
    }
}
