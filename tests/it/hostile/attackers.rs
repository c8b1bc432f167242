//! Those who do harm, each in one way, as fast as the broker lets them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::{Line, Program, heard, message_to, request};

/// Where the broker is, and how to be one of its users.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) program: Arc<Program>,
    pub(crate) address: SocketAddr,
}

impl Target {
    pub(crate) async fn login(&self, user: &str) -> Line {
        Line::login(&self.program, self.address, user).await
    }

    /// Makes the head of a request with a body of so many bytes.
    pub(crate) fn head(&self, request: &str, bytes: usize) -> Vec<u8> {
        let host = self.address;
        format!("{request} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n").into_bytes()
    }

    /// Makes the head of a request by a user; `more` are further lines.
    pub(crate) fn head_of(&self, user: &str, request: &str, more: &str) -> Vec<u8> {
        let token = self.program.token(user);
        let host = self.address;
        format!("{request} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{more}\r\n\r\n").into_bytes()
    }

    /// Makes the head of an upgrade to a WebSocket.
    pub(crate) fn upgrade(&self) -> Vec<u8> {
        format!(
            "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.address
        )
        .into_bytes()
    }
}

/// An attack, until told to end.
#[derive(Default)]
pub(crate) struct Attack {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    done: Arc<AtomicU64>,
    /// Connections that are held and not read.
    held: Vec<Line>,
}

impl Attack {
    /// Repeats `step` without pause, or as fast as the broker answers.
    pub(crate) fn repeat<F>(&mut self, mut step: impl FnMut(u64) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let (stop, done) = (self.stop.clone(), self.done.clone());
        self.tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                step(done.fetch_add(1, Ordering::Relaxed)).await;
            }
        }));
    }

    /// Lets someone who is logged in make one request after the other, whatever the answers are.
    pub(crate) fn ask(&mut self, line: Line, mut asked: impl FnMut(u64) -> (&'static str, serde_json::Value) + Send + 'static) {
        let line = Arc::new(Mutex::new(line));
        self.repeat(move |n| {
            let (line, (op, args)) = (line.clone(), asked(n));
            async move { drop(line.lock().await.ask(op, args).await) }
        });
    }

    /// Ends it; returns how many attempts there were.
    pub(crate) async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.abort();
            let gave_up = task.await.is_err_and(|ended| ended.is_panic());
            assert!(!gave_up, "an attacker gave up: the attack was weaker than it says");
        }
        self.done.load(Ordering::Relaxed)
    }
}

/// Sends raw bytes, and holds the socket for a while or until the broker ends it.
pub(crate) async fn hold(address: SocketAddr, bytes: Vec<u8>, how_long: Duration) {
    drop(tokio::time::timeout(how_long, press(address, bytes, Vec::new(), 0)).await);
}

/// Writes `begin` and then, again and again, `more`; reads nothing until nothing more can be written. Returns once the broker
/// ended the connection.
pub(crate) async fn press(address: SocketAddr, begin: Vec<u8>, more: Vec<u8>, times: usize) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    let written = async {
        stream.write_all(&begin).await?;
        for _ in 0..times {
            stream.write_all(&more).await?;
        }
        std::io::Result::Ok(())
    };
    let _written_or_cut = written.await.is_ok();
    let mut answer = [0; 4096];
    while stream.read(&mut answer).await.is_ok_and(|count| count > 0) {}
}

pub(crate) fn stalled_bodies(attack: &mut Attack, at: &Target) {
    for path in ["/demo/token", "/console/session", "/api/v1/broadcasts", "/media"] {
        for _ in 0..40 {
            let at = at.clone();
            attack.repeat(move |_| {
                let begun = [&at.head(&format!("POST {path}"), 4_000)[..], b"{"].concat();
                hold(at.address, begun, Duration::from_secs(3))
            });
        }
    }
}

pub(crate) fn idle_sockets(attack: &mut Attack, at: &Target) {
    let address = at.address;
    for _ in 0..300 {
        attack.repeat(move |_| hold(address, b"GET / HT".to_vec(), Duration::from_secs(3)));
    }
}

/// Frames that no client writes, over a WebSocket that never logs in.
pub(crate) fn broken_frames(attack: &mut Attack, at: &Target) {
    let frames: [&[u8]; 5] = [
        &[0x81, 0x05, b'h', b'e', b'l', b'l', b'o'],
        &[0xc1, 0x80, 0, 0, 0, 0],
        &[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        &[0x82, 0x81, 0, 0, 0, 0, 1],
        &[0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0],
    ];
    for _ in 0..8 {
        let at = at.clone();
        attack.repeat(move |n| hold(at.address, [&at.upgrade(), frames[n as usize % frames.len()]].concat(), Duration::from_secs(1)));
    }
}

/// Resumable uploads that are announced and never begun.
pub(crate) fn empty_uploads(attack: &mut Attack, at: &Target, users: usize) {
    for n in 0..users {
        let head =
            at.head_of(&format!("uploader-{n}"), "POST /media/tus", "Tus-Resumable: 1.0.0\r\nUpload-Length: 1000000\r\nContent-Length: 0");
        let address = at.address;
        attack.repeat(move |_| hold(address, head.clone(), Duration::from_secs(1)));
    }
}

pub(crate) async fn searches(attack: &mut Attack, at: &Target, users: usize) {
    for n in 0..users {
        let line = at.login(&format!("searcher-{n}")).await;
        attack.ask(line, |_| ("searchGlobalLocalMessages", json!({"config": {"keywords": ["a"], "count": 100}})));
    }
}

/// Members of a room that never read, and some who flood it.
pub(crate) async fn stalled_readers(attack: &mut Attack, at: &Target) {
    for n in 0..50 {
        let mut line = Line::login_narrow(&at.program, at.address, &format!("stalled-{n}")).await;
        line.ok("enterRoom", json!({"roomInfo": {"roomID": "misery", "roomName": ""}})).await;
        attack.held.push(line);
    }
    let mut flooders = Vec::new();
    for n in 0..4 {
        let mut line = at.login(&format!("flooder-{n}")).await;
        line.ok("enterRoom", json!({"roomInfo": {"roomID": "misery", "roomName": ""}})).await;
        flooders.push(line);
    }
    for line in flooders {
        let (speaker, mut listener) = line.split();
        attack.tasks.push(tokio::spawn(async move { while heard(&mut listener).await.is_some() {} }));
        let speaker = Arc::new(Mutex::new(speaker));
        attack.repeat(move |n| {
            let speaker = speaker.clone();
            async move {
                let barrage = json!({"type": 20, "message": "b".repeat(4000), "localMessageID": format!("b-{n}")});
                let frame = request(n + 10, "sendMessage", &message_to("misery", 1, &barrage));
                drop(speaker.lock().await.send(Message::text(frame)).await);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }
}
