//! Everything at once: healthy clients talk while others stall, break frames, hold bodies back, flood sockets, uploads and searches.
//!
//! `TIDINGS_FULL=1 cargo test --test it hostile_misery -- --nocapture` runs a minute and prints a table; else some seconds.
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::hostile::{Line, Listener, MIB, Program, Speaker, Watch, alone, heard, message_to, request, resident, soon};

const HEALTHY: usize = 200;
/// Each healthy client says something so often.
const PACE: Duration = Duration::from_millis(500);
const SETTINGS: [(&str, &str); 5] = [
    ("server.connections_per_address_max", "100000"),
    ("rate.sends_per_second", "1000"),
    ("rate.burst", "1000"),
    ("store.ballast_bytes", "0"),
    ("shed.room_barrages_per_second", "2000"),
];

/// What the healthy ones saw in one phase.
#[derive(Default)]
struct Seen {
    late: Vec<Duration>,
    twice: u64,
}

impl Seen {
    fn p99(&self) -> Duration {
        let mut late = self.late.clone();
        late.sort_unstable();
        late.get((late.len().max(1) - 1) * 99 / 100).copied().unwrap_or_default()
    }
}

/// A pair of clients that talk to each other, and stay connected whatever happens around them.
struct Pair {
    speakers: Vec<(Speaker, String)>,
    listeners: Vec<JoinHandle<()>>,
}

/// What all pairs share: when each message was due, and what became of it.
struct Board {
    began: Instant,
    sent: AtomicU64,
    seen: std::sync::Mutex<(HashMap<String, u32>, Seen)>,
    lost_connections: AtomicU64,
}

impl Board {
    fn note(&self, text: &str) {
        let Some(due_us) = text.split(' ').next().and_then(|due| due.parse::<u64>().ok()) else { return };
        let late = self.began.elapsed().saturating_sub(Duration::from_micros(due_us));
        let mut seen = self.seen.lock().unwrap();
        let count = seen.0.entry(text.to_owned()).or_default();
        *count += 1;
        if *count > 1 {
            seen.1.twice += 1;
        } else {
            seen.1.late.push(late);
        }
    }

    fn received(&self) -> u64 {
        self.seen.lock().unwrap().0.len() as u64
    }
}

async fn listen(mut listener: Listener, board: Arc<Board>) {
    while let Some(text) = heard(&mut listener).await {
        let frame: Value = serde_json::from_str(&text).unwrap();
        for message in frame["data"]["messageList"].as_array().into_iter().flatten() {
            board.note(message["message"].as_str().unwrap_or_default());
        }
    }
    board.lost_connections.fetch_add(1, Ordering::Relaxed);
}

async fn pair(program: &Program, address: SocketAddr, n: usize, board: &Arc<Board>) -> Pair {
    let names = [format!("left-{n}"), format!("right-{n}")];
    let (mut speakers, mut listeners) = (Vec::new(), Vec::new());
    for (name, partner) in names.iter().zip(names.iter().rev()) {
        let (speaker, listener) = Line::login(program, address, name).await.split();
        speakers.push((speaker, partner.clone()));
        listeners.push(tokio::spawn(listen(listener, board.clone())));
    }
    Pair { speakers, listeners }
}

/// Lets every healthy client speak at its pace for so long, and waits until all of it has arrived.
async fn talk(pairs: &mut [Pair], board: &Arc<Board>, how_long: Duration) -> Seen {
    let until = board.began.elapsed() + how_long;
    let speaking = pairs.iter_mut().flat_map(|pair| &mut pair.speakers).enumerate().map(|(n, (speaker, partner))| {
        let board = board.clone();
        async move {
            let mut due = board.began.elapsed() + PACE * n as u32 / HEALTHY as u32;
            while due < until {
                tokio::time::sleep(due.saturating_sub(board.began.elapsed())).await;
                let said =
                    json!({"type": 1, "message": format!("{} {n}", due.as_micros()), "localMessageID": format!("{}-{n}", due.as_micros())});
                let frame = request(1_000_000 + n as u64, "sendMessage", &message_to(partner, 0, &said));
                if speaker.send(Message::text(frame)).await.is_ok() {
                    board.sent.fetch_add(1, Ordering::Relaxed);
                }
                due += PACE;
            }
        }
    });
    futures_util::future::join_all(speaking).await;
    let all = async {
        while board.received() < board.sent.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the last message's arrival", all).await;
    std::mem::take(&mut board.seen.lock().unwrap().1)
}

/// Those who do harm, until told to end.
struct Attack {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    done: Arc<AtomicU64>,
}

impl Attack {
    fn new() -> Self {
        Self { stop: Arc::default(), tasks: Vec::new(), done: Arc::default() }
    }

    /// Repeats `step` without pause, or as fast as the broker answers.
    fn repeat<F>(&mut self, mut step: impl FnMut(u64) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let (stop, done) = (self.stop.clone(), self.done.clone());
        self.tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let n = done.fetch_add(1, Ordering::Relaxed);
                if tokio::time::timeout(Duration::from_secs(5), step(n)).await.is_err() {
                    tokio::task::yield_now().await;
                }
            }
        }));
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.abort();
            drop(task.await);
        }
        self.done.load(Ordering::Relaxed)
    }
}

/// Sends raw bytes, and holds the socket for a while or until the broker ends it.
async fn hold(address: SocketAddr, bytes: Vec<u8>, how_long: Duration) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    if stream.write_all(&bytes).await.is_ok() {
        let mut answer = [0; 1024];
        let held = tokio::time::timeout(how_long, async { while stream.read(&mut answer).await.is_ok_and(|count| count > 0) {} });
        drop(held.await);
    }
}

fn stalled_bodies(attack: &mut Attack, address: SocketAddr) {
    for path in ["/demo/token", "/console/session", "/api/v1/broadcasts", "/media"] {
        for _ in 0..40 {
            attack.repeat(move |_| {
                let head =
                    format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{{");
                hold(address, head.into_bytes(), Duration::from_secs(3))
            });
        }
    }
}

fn idle_sockets(attack: &mut Attack, address: SocketAddr) {
    for _ in 0..300 {
        attack.repeat(move |_| hold(address, b"GET / HT".to_vec(), Duration::from_secs(3)));
    }
}

/// Frames that no client writes, over a WebSocket that never logs in.
fn broken_frames(attack: &mut Attack, address: SocketAddr) {
    let frames: [&[u8]; 5] = [
        &[0x81, 0x05, b'h', b'e', b'l', b'l', b'o'],
        &[0xc1, 0x80, 0, 0, 0, 0],
        &[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        &[0x82, 0x81, 0, 0, 0, 0, 1],
        &[0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0],
    ];
    for _ in 0..8 {
        attack.repeat(move |n| {
            let head = format!(
                "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            hold(address, [head.as_bytes(), frames[n as usize % frames.len()]].concat(), Duration::from_secs(1))
        });
    }
}

fn uploads(attack: &mut Attack, program: &Program, address: SocketAddr) {
    for n in 0..16 {
        let token = program.token(&format!("uploader-{n}"));
        attack.repeat(move |_| {
            let head = format!(
                "POST /media/tus HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nTus-Resumable: 1.0.0\r\n\
                 Upload-Length: 1000000\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            hold(address, head.into_bytes(), Duration::from_secs(1))
        });
    }
}

async fn searches(attack: &mut Attack, program: &Program, address: SocketAddr) {
    for n in 0..8 {
        let line = Line::login(program, address, &format!("searcher-{n}")).await;
        let line = Arc::new(tokio::sync::Mutex::new(line));
        attack.repeat(move |_| {
            let line = line.clone();
            async move {
                let args = json!({"config": {"keywords": ["a"], "count": 100}});
                drop(line.lock().await.ask("searchGlobalLocalMessages", args).await);
            }
        });
    }
}

/// Members of a room that never read, and some who flood it.
async fn stalled_readers(attack: &mut Attack, program: &Program, address: SocketAddr) -> Vec<Line> {
    let mut readers = Vec::new();
    for n in 0..50 {
        let mut line = Line::login_narrow(program, address, &format!("stalled-{n}")).await;
        line.ok("enterRoom", json!({"roomInfo": {"roomID": "misery", "roomName": ""}})).await;
        readers.push(line);
    }
    for n in 0..4 {
        let mut line = Line::login(program, address, &format!("flooder-{n}")).await;
        line.ok("enterRoom", json!({"roomInfo": {"roomID": "misery", "roomName": ""}})).await;
        let (speaker, mut listener) = line.split();
        attack.tasks.push(tokio::spawn(async move { while heard(&mut listener).await.is_some() {} }));
        let speaker = Arc::new(tokio::sync::Mutex::new(speaker));
        attack.repeat(move |n| {
            let speaker = speaker.clone();
            async move {
                let barrage = json!({"type": 20, "message": "b".repeat(4000), "localMessageID": format!("b-{n}")});
                drop(speaker.lock().await.send(Message::text(request(n + 10, "sendMessage", &message_to("misery", 1, &barrage)))).await);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }
    readers
}

/// Logs new people in, one after the other, for so long; returns the slowest.
async fn newcomers(program: &Program, address: SocketAddr, how_long: Duration) -> Duration {
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    for n in 0.. {
        if began.elapsed() >= how_long {
            break;
        }
        let asked = Instant::now();
        drop(soon("a newcomer's login", Line::login(program, address, &format!("newcomer-{n}"))).await);
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_clients_lose_nothing_while_everything_is_attacked_at_once() {
    let _alone = alone().await;
    let is_long = std::env::var_os("TIDINGS_FULL").is_some();
    let how_long = Duration::from_secs(if is_long { 60 } else { 6 });
    let program = Program::with(&SETTINGS);
    let running = program.run().await;
    let address = running.address;
    let board = Arc::new(Board {
        began: Instant::now(),
        sent: AtomicU64::new(0),
        seen: std::sync::Mutex::default(),
        lost_connections: AtomicU64::new(0),
    });
    let mut pairs = Vec::new();
    for n in 0..HEALTHY / 2 {
        pairs.push(pair(&program, address, n, &board).await);
    }
    let quiet = talk(&mut pairs, &board, how_long / 2).await;
    let (before, watch) = (resident(running.pid()), Watch::on(running.pid()));

    let mut attack = Attack::new();
    let stalled = stalled_readers(&mut attack, &program, address).await;
    searches(&mut attack, &program, address).await;
    stalled_bodies(&mut attack, address);
    idle_sockets(&mut attack, address);
    broken_frames(&mut attack, address);
    uploads(&mut attack, &program, address);
    let (seen, slowest_login) = tokio::join!(talk(&mut pairs, &board, how_long), newcomers(&program, address, how_long));
    let attempts = attack.end().await;
    drop(stalled);

    let given_back = async {
        while resident(running.pid()) > before + 64 * MIB {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), given_back).await.expect("within a minute the memory is within 64 MiB of what it was");

    let (sent, received, lost_connections) =
        (board.sent.load(Ordering::Relaxed), board.received(), board.lost_connections.load(Ordering::Relaxed));
    println!(
        "{HEALTHY} healthy clients: {sent} sent, {received} received, {} twice, {lost_connections} disconnected; p99 {:.1?} quiet, {:.1?} under \
         attack; slowest login {slowest_login:.1?}; {attempts} attempts; memory {} MiB, at most +{} MiB",
        seen.twice + quiet.twice,
        quiet.p99(),
        seen.p99(),
        before >> 20,
        watch.growth() >> 20,
    );
    assert_eq!((received, seen.twice + quiet.twice, lost_connections), (sent, 0, 0), "nothing is lost, twice, or cut off");
    if is_long {
        assert!(seen.p99() <= (quiet.p99() * 3).max(Duration::from_millis(150)), "p99 {:?}", seen.p99());
    }
    for pair in pairs {
        pair.listeners.iter().for_each(JoinHandle::abort);
    }
}
