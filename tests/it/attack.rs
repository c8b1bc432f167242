//! Attacks that no client of ours makes, against the real route: memory stays flat, the right code closes, others do
//! not notice.
//!
//! In each test a healthy pair chats all the while.
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{MutexGuard, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::hostile::{Line, MIB, Program, Running, Watch, alone, message_to, request, soon};
use crate::support::is_of_the_list;

pub(crate) const FIN: u8 = 0x80;
const CONTINUE: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;
const LOGIN_TIMEOUT: u16 = 4502;
const MALFORMED: u16 = 4503;
const TOO_LONG: u16 = 4504;
const BINARY_FRAME: u16 = 4505;

/// Attackers of each kind at a time.
const GANG: usize = 4;
/// What one attacker may write; without a guard all of it would be kept.
const WRITTEN_MAX: u64 = 64 * MIB;
const GROWTH_MAX: u64 = 8 * MIB;
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A broker, and two who chat while it is attacked.
struct Siege {
    program: Program,
    running: Running,
    watch: Watch,
    stop: watch::Sender<bool>,
    chat: JoinHandle<(u64, Duration)>,
    attackers: AtomicU32,
    _alone: MutexGuard<'static, ()>,
}

impl Siege {
    async fn begin(settings: &[(&str, &str)]) -> Self {
        let alone = alone().await;
        // In memory: the answers' times are to be the broker's, not those of a disk that others use.
        let own = [("store.engine", "memory"), ("rate.sends_per_second", "1000"), ("rate.burst", "1000")];
        let program = Program::with(&[&own[..], settings].concat());
        let running = program.run().await;
        // Whatever the first connections make the program load is not the attackers' doing.
        for n in 0..2 * GANG {
            Line::login(&program, running.address, &format!("early{n}")).await;
        }
        let alice = Line::login(&program, running.address, "alice").await;
        let bob = Line::login(&program, running.address, "bob").await;
        let (stop, stopping) = watch::channel(false);
        let chat = tokio::spawn(chat(alice, bob, stopping));
        sleep(Duration::from_millis(300)).await;
        let watch = Watch::on(running.pid());
        Self { program, running, watch, stop, chat, attackers: AtomicU32::new(0), _alone: alone }
    }

    /// Returns a connection that has, or has not, logged in as this user.
    async fn attacker(&self, user: Option<&str>) -> Raw {
        let mut raw = Raw::upgrade(self.running.address).await;
        if let Some(user) = user {
            let login = request(1, "login", &json!({"userID": user, "token": self.program.token(user)}));
            raw.writer.write_all(&frame(FIN | TEXT, login.as_bytes())).await.unwrap();
            let answer = raw.reader.next().await.expect("an answer to the login");
            assert!(String::from_utf8(answer.1).unwrap().contains("sessionID"));
        }
        raw
    }

    /// Lets `gang` attackers before and as many after login write `first` once and `then` for ever; each is closed with
    /// `code`.
    async fn storm(&self, gang: usize, what: &str, code: u16, first: &[u8], then: &[u8]) {
        let mut storm = JoinSet::new();
        for n in 0..2 * gang {
            let user = format!("mallory{}", self.attackers.fetch_add(1, Ordering::Relaxed));
            let raw = self.attacker((n < gang).then_some(&user)).await;
            storm.spawn(raw.write_until_cut(first.to_vec(), then.to_vec()));
        }
        for (closed, written) in soon(what, storm.join_all()).await {
            assert_eq!(closed, Some(code), "{what}: closed after {written} bytes");
        }
        println!("{what}: memory +{} KiB", self.watch.growth() / 1024);
    }

    async fn end(self) {
        self.stop.send(true).unwrap();
        let (messages, slowest) = soon("the end of the chat", self.chat).await.unwrap();
        let growth = self.watch.growth();
        println!("memory +{} KiB; {messages} healthy messages, slowest answer {slowest:.0?}", growth / 1024);
        assert!(growth <= GROWTH_MAX, "memory grew by {growth} bytes");
        assert!(slowest <= ANSWER_MAX, "a healthy client waited {slowest:?}");
    }
}

/// Lets one say something and the other hear it, until told to stop. Returns how much was said, and the longest wait
/// for an answer.
async fn chat(mut alice: Line, mut bob: Line, stop: watch::Receiver<bool>) -> (u64, Duration) {
    let (mut said, mut slowest) = (0, Duration::ZERO);
    while !*stop.borrow() {
        said += 1;
        let asked = Instant::now();
        alice.ok("sendMessage", message_to("bob", 0, &json!({"type": 1, "message": format!("number {said}")}))).await;
        slowest = slowest.max(asked.elapsed());
        let event = loop {
            let event = soon("a message at a healthy client", bob.next()).await.expect("bob stays connected");
            if !is_of_the_list(&event) {
                break event;
            }
        };
        assert_eq!(event["data"]["messageList"][0]["message"], format!("number {said}"));
        sleep(Duration::from_millis(20)).await;
    }
    (said, slowest)
}

/// Returns the head of a masked frame that claims `bytes` of payload.
fn header(first: u8, bytes: u64) -> Vec<u8> {
    let mut header = vec![first];
    match bytes {
        0..=125 => header.push(0x80 | bytes as u8),
        126..=0xffff => {
            header.push(0x80 | 126);
            header.extend((bytes as u16).to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend(bytes.to_be_bytes());
        }
    }
    // A mask of zeros leaves the payload as it is.
    header.extend([0; 4]);
    header
}

pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&header(first, payload.len() as u64), payload].concat()
}

/// A WebSocket of which every byte is ours.
struct Raw {
    reader: Frames,
    writer: OwnedWriteHalf,
}

impl Raw {
    async fn upgrade(address: SocketAddr) -> Self {
        let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        writer.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(soon("an upgrade", reader.read_u8()).await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Self { reader: Frames(reader), writer }
    }

    /// Writes `first` and then `then` again and again, until the broker cuts the connection; returns the code it closed
    /// with, and how much was written.
    async fn write_until_cut(self, first: Vec<u8>, then: Vec<u8>) -> (Option<u16>, u64) {
        let Self { mut reader, mut writer } = self;
        let writing = async {
            let mut written = 0;
            let mut next = &first;
            while writer.write_all(next).await.is_ok() {
                written += next.len() as u64;
                next = &then;
                if next.is_empty() || written >= WRITTEN_MAX {
                    break;
                }
                // One thread plays attackers and healthy clients alike.
                tokio::task::yield_now().await;
            }
            written
        };
        tokio::join!(reader.closed(), writing)
    }
}

/// What the broker writes, frame by frame.
struct Frames(OwnedReadHalf);

impl Frames {
    /// Returns opcode and payload; `None` at the end.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let opcode = self.0.read_u8().await.ok()? & 0xf;
        let bytes = match self.0.read_u8().await.ok()? {
            126 => self.0.read_u16().await.ok()?.into(),
            127 => self.0.read_u64().await.ok()?,
            bytes => bytes.into(),
        };
        let mut payload = vec![0; bytes as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((opcode, payload))
    }

    /// Reads until the broker ends the connection; returns the code it closed with.
    async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some((opcode, payload)) = self.next().await {
            if opcode == CLOSE {
                code = Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
        code
    }

    async fn text(&mut self) -> Value {
        loop {
            let (opcode, payload) = soon("a text", self.next()).await.expect("the connection stands");
            if opcode == TEXT {
                return serde_json::from_slice(&payload).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn endless_frames_are_cut_with_4504_or_1009_and_cost_no_memory() {
    let siege = Siege::begin(&[]).await;
    siege.storm(GANG, "a claim of 2^40 bytes", TOO_BIG, &header(FIN | TEXT, 1 << 40), &[b'a'; 65_536]).await;
    siege.storm(GANG, "empty pongs", TOO_LONG, &[], &frame(FIN | PONG, b"").repeat(1_000)).await;
    siege.storm(GANG, "full pings", TOO_LONG, &[], &frame(FIN | PING, &[b'p'; 125]).repeat(100)).await;
    siege.storm(GANG, "empty fragments", TOO_LONG, &frame(TEXT, b""), &frame(CONTINUE, b"").repeat(1_000)).await;
    siege.storm(GANG, "large fragments", TOO_LONG, &frame(TEXT, b"a"), &frame(CONTINUE, &[b'a'; 4_000])).await;
    siege.storm(GANG, "a text of 300 KiB", TOO_LONG, &frame(FIN | TEXT, &[b'a'; 300 * 1024]), b"").await;
    siege.end().await;
}

#[tokio::test]
async fn frames_against_the_rules_are_cut_with_1002_or_1007_and_binary_with_4505() {
    let siege = Siege::begin(&[]).await;
    let junk = vec![b'a'; 65_536];
    let offences = [
        ("an unmasked frame", PROTOCOL_ERROR, [&[FIN | TEXT, 125][..], &[b'a'; 125]].concat()),
        ("a reserved bit", PROTOCOL_ERROR, frame(FIN | 0x40 | TEXT, b"{}")),
        ("a reserved opcode", PROTOCOL_ERROR, frame(FIN | 0xb, b"")),
        ("a ping of 2^40 bytes", PROTOCOL_ERROR, header(FIN | PING, 1 << 40)),
        ("a continuation of nothing", PROTOCOL_ERROR, frame(FIN | CONTINUE, b"a")),
        ("text that is not UTF-8", NOT_UTF8, frame(FIN | TEXT, &[0xff; 100])),
        ("a binary frame", BINARY_FRAME, frame(FIN | BINARY, b"a")),
    ];
    // At once, because each waits for the reaper, which looks once a second; but few, because each that floods keeps
    // its own buffers until then.
    join_all(offences.iter().map(|(what, code, first)| siege.storm(1, what, *code, first, &junk))).await;
    siege.end().await;
}

#[tokio::test]
async fn who_does_not_log_in_is_closed_with_4502_however_busy_it_looks() {
    let siege = Siege::begin(&[("server.login_timeout_seconds", "2")]).await;
    let login = frame(FIN | TEXT, request(1, "login", &json!({"userID": "mallory", "token": "x".repeat(400)})).as_bytes());
    let wrong = frame(FIN | TEXT, request(1, "login", &json!({"userID": "mallory", "token": "wrong"})).as_bytes());
    // Nothing; a login that never gets whole; pings of both kinds; one wrong token after another.
    let ping = frame(FIN | TEXT, request(1, "ping", &json!({})).as_bytes());
    let drips: [Vec<Vec<u8>>; 5] =
        [vec![], login.chunks(1).map(<[u8]>::to_vec).collect(), vec![ping; 200], vec![frame(FIN | PING, b"x"); 200], vec![wrong; 200]];
    let began = Instant::now();
    let mut slow = JoinSet::new();
    for drip in drips {
        let Raw { mut reader, mut writer } = siege.attacker(None).await;
        slow.spawn(async move {
            let dripping = async {
                for piece in drip {
                    if writer.write_all(&piece).await.is_err() {
                        break;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
                std::future::pending().await
            };
            tokio::select! {
                code = reader.closed() => (code, began.elapsed()),
                () = dripping => unreachable!("it never ends"),
            }
        });
    }
    for (code, after) in soon("the login deadline", slow.join_all()).await {
        assert_eq!(code, Some(LOGIN_TIMEOUT));
        assert!(after >= Duration::from_millis(1_900) && after < Duration::from_secs(8), "closed after {after:?}");
    }
    siege.end().await;
}

#[tokio::test]
async fn json_of_any_depth_is_answered_and_the_tenth_malformed_frame_closes_with_4503() {
    let siege = Siege::begin(&[]).await;
    for user in [Some("mallory"), None] {
        // 4 KiB are allowed before login, 256 KiB after.
        let depth = if user.is_some() { 100_000 } else { 1_500 };
        let mut raw = siege.attacker(user).await;
        let nested = format!(r#"{{"id":7,"op":"ping","args":{{"unknown":{}1{}}}}}"#, "[".repeat(depth), "]".repeat(depth));
        raw.writer.write_all(&frame(FIN | TEXT, nested.as_bytes())).await.unwrap();
        let answer = raw.reader.text().await;
        assert!(answer["result"]["serverTime"].is_u64() || answer["error"]["code"] == 6_000_001, "{answer}");
        let malformed_before = u32::from(answer["id"].is_null());
        for _ in malformed_before..10 {
            raw.writer.write_all(&frame(FIN | TEXT, "[{\"a\":".repeat(depth / 3).as_bytes())).await.unwrap();
        }
        for _ in malformed_before..10 {
            let answer = raw.reader.text().await;
            assert!(answer["id"].is_null() && answer["error"]["code"] == 6_000_001, "{answer}");
        }
        assert_eq!(soon("the close", raw.reader.closed()).await, Some(MALFORMED));
    }
    siege.end().await;
}

#[tokio::test]
async fn a_head_without_end_is_refused_and_a_slow_one_times_out() {
    let siege = Siege::begin(&[("server.request_head_seconds", "2")]).await;
    let endless: [(&str, String, usize); 4] = [
        ("GET /ws HTTP/1.1\r\n", format!("X-More: {}\r\n", "a".repeat(4_000)), 0),
        ("GET /ws HTTP/1.1\r\nX-Long: ", "a".repeat(4_000), 0),
        ("GET /", "a".repeat(4_000), 0),
        ("GET /ws HTTP/1.1\r\n", "X-Slow: a\r\n".to_owned(), 200),
    ];
    let mut floods = JoinSet::new();
    for (first, then, pause_ms) in endless.iter().cycle().take(endless.len() * GANG).cloned() {
        let (mut reader, mut writer) = TcpStream::connect(siege.running.address).await.unwrap().into_split();
        floods.spawn(async move {
            let writing = async {
                let mut written = first.len();
                if writer.write_all(first.as_bytes()).await.is_err() {
                    return written;
                }
                while written < WRITTEN_MAX as usize && writer.write_all(then.as_bytes()).await.is_ok() {
                    written += then.len();
                    sleep(Duration::from_millis(pause_ms as u64)).await;
                }
                written
            };
            let ended = async {
                let mut answer = Vec::new();
                let _refused_or_cut = reader.read_to_end(&mut answer).await;
                String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
            };
            soon(first, async { tokio::join!(writing, ended) }).await
        });
    }
    let ended = floods.join_all().await;
    assert!(ended.iter().all(|(_, answer)| answer.is_empty() || answer.starts_with("HTTP/1.1 4")), "{ended:?}");
    println!("at most this much of a head was taken, and the answer: {:?}", ended.iter().max().unwrap());
    siege.end().await;
}

#[tokio::test]
async fn five_hundred_connections_opened_and_dropped_leave_nothing() {
    let siege = Siege::begin(&[]).await;
    let before = siege.running.metrics().await.sum("tidings_connections", &[]);
    for wave in 0..10 {
        let mut open = Vec::new();
        for n in 0..50 {
            match n % 3 {
                0 => drop(TcpStream::connect(siege.running.address).await.unwrap()),
                1 => open.push(siege.attacker(None).await),
                _ => open.push(siege.attacker(Some(&format!("passing{}", wave * 50 + n))).await),
            }
        }
    }
    siege.running.until("every dropped connection has ended", |metrics| metrics.sum("tidings_connections", &[]) <= before).await;
    siege.end().await;
}

#[tokio::test]
async fn questions_without_end_whose_answers_nobody_reads_cost_one_outbox() {
    let small = [("shed.outbox_reliable_bytes", "1048576"), ("server.requests_in_flight_max", "16"), ("shed.stalled_seconds", "3")];
    let siege = Siege::begin(&small).await;
    let mut raw = siege.attacker(Some("mallory")).await;
    for id in 2..5 {
        let note = json!({"type": 1, "message": "x".repeat(10_000)});
        raw.writer.write_all(&frame(FIN | TEXT, request(id, "sendMessage", &message_to("alice", 0, &note)).as_bytes())).await.unwrap();
        raw.reader.text().await;
    }
    let ask = json!({"conversationID": "alice", "conversationType": 0, "config": {"count": 100, "reverse": true}});
    let question = frame(FIN | TEXT, request(20, "queryHistoryMessage", &ask).as_bytes());
    let asking = async {
        let mut asked = 0;
        while asked < 200_000 && raw.writer.write_all(&question).await.is_ok() {
            asked += 1;
        }
        asked
    };
    let asked = soon("the last question", asking).await;
    siege.running.until("who never reads is closed as slow", |metrics| metrics.sum("tidings_sessions_closed_total", &["slow"]) == 1).await;
    println!("{asked} questions were taken");
    siege.end().await;
}
