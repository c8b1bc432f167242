//! Those who do nothing but talk, while others attack: what they see is what an attack costs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, SinkExt as _};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{Line, Listener, PATIENCE, Program, Speaker, heard, message_to, request};

/// Each healthy client says something so often.
const PACE: Duration = Duration::from_millis(500);

/// What the healthy ones saw in one phase.
#[derive(Default)]
pub(crate) struct Seen {
    late: Vec<Duration>,
    pub(crate) twice: u64,
}

impl Seen {
    /// Returns the time from when a message was due until it arrived that one in a hundred exceeds.
    pub(crate) fn p99(&self) -> Duration {
        let mut late = self.late.clone();
        late.sort_unstable();
        late.get((late.len().max(1) - 1) * 99 / 100).copied().unwrap_or_default()
    }
}

/// What all of them share: when each message was due, and what became of it.
struct Board {
    began: Instant,
    sent: AtomicU64,
    seen: Mutex<(HashMap<String, u32>, Seen)>,
    disconnected: AtomicU64,
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

/// Pairs of clients that talk to each other, and stay connected whatever happens around them.
pub(crate) struct Healthy {
    board: Arc<Board>,
    /// Each with whom it talks to.
    speakers: Vec<(Speaker, String)>,
    listeners: Vec<JoinHandle<()>>,
}

async fn listen(mut listener: Listener, board: Arc<Board>) {
    while let Some(text) = heard(&mut listener).await {
        let frame: Value = serde_json::from_str(&text).unwrap();
        for message in frame["data"]["messageList"].as_array().into_iter().flatten() {
            board.note(message["message"].as_str().unwrap_or_default());
        }
    }
    board.disconnected.fetch_add(1, Ordering::Relaxed);
}

impl Healthy {
    /// Logs so many clients in, an even number.
    pub(crate) async fn gather(program: &Program, address: SocketAddr, clients: usize) -> Self {
        let board = Board { began: Instant::now(), sent: AtomicU64::new(0), seen: Mutex::default(), disconnected: AtomicU64::new(0) };
        let mut healthy = Self { board: Arc::new(board), speakers: Vec::new(), listeners: Vec::new() };
        for n in 0..clients / 2 {
            let names = [format!("left-{n}"), format!("right-{n}")];
            for (name, partner) in names.iter().zip(names.iter().rev()) {
                let (speaker, listener) = Line::login(program, address, name).await.split();
                healthy.speakers.push((speaker, partner.clone()));
                healthy.listeners.push(tokio::spawn(listen(listener, healthy.board.clone())));
            }
        }
        healthy
    }

    /// Lets each speak at its pace for so long, and waits until all of it has arrived, or for as long as anything may take.
    pub(crate) async fn talk(&mut self, how_long: Duration) -> Seen {
        let (board, clients) = (&self.board, self.speakers.len() as u32);
        let until = board.began.elapsed() + how_long;
        let speaking = self.speakers.iter_mut().zip(0..).map(|((speaker, partner), n)| async move {
            let mut due = board.began.elapsed() + PACE * n / clients;
            while due < until {
                tokio::time::sleep(due.saturating_sub(board.began.elapsed())).await;
                let id = format!("{}-{n}", due.as_micros());
                let said = json!({"type": 1, "message": format!("{} {n}", due.as_micros()), "localMessageID": id});
                let frame = request(1_000_000 + u64::from(n), "sendMessage", &message_to(partner, 0, &said));
                if speaker.send(Message::text(frame)).await.is_ok() {
                    board.sent.fetch_add(1, Ordering::Relaxed);
                }
                due += PACE;
            }
        });
        futures_util::future::join_all(speaking).await;
        let all = async {
            while board.received() < board.sent.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _arrived_or_lost = timeout(PATIENCE, all).await.is_ok();
        std::mem::take(&mut board.seen.lock().unwrap().1)
    }

    pub(crate) fn sent(&self) -> u64 {
        self.board.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn received(&self) -> u64 {
        self.board.received()
    }

    pub(crate) fn disconnected(&self) -> u64 {
        self.board.disconnected.load(Ordering::Relaxed)
    }
}

impl Drop for Healthy {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

/// What became of those who came anew.
#[derive(Default)]
pub(crate) struct Newcomers {
    pub(crate) slowest: Duration,
    /// Those who were refused, or waited for longer than anything may take.
    pub(crate) turned_away: u64,
}

impl Newcomers {
    /// Lets one come after the other, for so long.
    pub(crate) async fn come(how_long: Duration, mut comes: impl AsyncFnMut(u64)) -> Self {
        let (began, mut newcomers) = (Instant::now(), Self::default());
        for n in 0.. {
            if began.elapsed() >= how_long {
                break;
            }
            let asked = Instant::now();
            let came = timeout(PATIENCE, AssertUnwindSafe(comes(n)).catch_unwind()).await;
            newcomers.slowest = newcomers.slowest.max(asked.elapsed());
            newcomers.turned_away += u64::from(!matches!(came, Ok(Ok(()))));
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        newcomers
    }
}
