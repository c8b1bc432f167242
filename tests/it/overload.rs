//! More than the broker can deliver: what may be lost is counted, what may not be lost arrives.
//!
//! The full run, with 50 stalled members, 200 healthy ones and 20,000 barrages:
//! `TIDINGS_FULL=1 cargo test --test it overload -- --nocapture`
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, interval_at, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::hostile::{Line, Listener, MIB, Program, Running, Speaker, Watch, alone, heard, message_to, request, soon};

/// Barrages a second, at most, and how many are sent at once.
const PACE: usize = 1_000;
const BUNCH: usize = 10;
/// After this long nothing more comes to a member.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// What every member is told to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Gathering,
    Talking,
    /// Say nothing more, and wait for your answers.
    Quiet,
    /// So many texts were acknowledged, over everyone; so many barrages you have read or were told are dropped.
    Wanted {
        texts: u64,
        barrages: u64,
    },
}

/// A member who reads what comes and says something now and then.
struct Member {
    name: String,
    speaker: Speaker,
    listener: Listener,
    next_id: u64,
    under_way: usize,
    said: u64,
    /// The places of all texts, its own included.
    texts: BTreeSet<u64>,
    barrages: u64,
    /// The drops that `barrageDropped` told.
    dropped: u64,
    slowest: Duration,
    asked_at: Instant,
}

impl Member {
    fn new(name: &str, line: Line) -> Self {
        let (speaker, listener) = line.split();
        Self {
            name: name.to_owned(),
            speaker,
            listener,
            next_id: 1_000,
            under_way: 0,
            said: 0,
            texts: BTreeSet::new(),
            barrages: 0,
            dropped: 0,
            slowest: Duration::ZERO,
            asked_at: Instant::now(),
        }
    }

    /// Takes part until it has every text that was acknowledged to anyone.
    async fn take_part(mut self, every: Duration, offset: Duration, mut stage: watch::Receiver<Stage>, tell: watch::Sender<u64>) -> Self {
        let mut turn = interval_at(tokio::time::Instant::now() + offset, every);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = *stage.borrow();
            if now == Stage::Quiet && self.under_way == 0 {
                tell.send_replace(self.said);
            }
            let (texts, barrages) = (self.texts.len() as u64, self.barrages + self.dropped);
            if matches!(now, Stage::Wanted { texts: t, barrages: b } if texts >= t && barrages >= b) {
                return self;
            }
            tokio::select! {
                _ = turn.tick(), if now == Stage::Talking && self.under_way == 0 => self.say().await,
                text = timeout(SILENCE_MAX, heard(&mut self.listener)) => {
                    // The test says what is missing.
                    let Ok(text) = text else { return self };
                    let text = text.unwrap_or_else(|| panic!("{} reads, and was disconnected", self.name));
                    self.take(&text);
                }
                _ = stage.changed() => {}
            }
        }
    }

    async fn say(&mut self) {
        self.next_id += 1;
        self.under_way += 1;
        self.asked_at = Instant::now();
        let text = json!({"type": 1, "message": "do you hear me?", "localMessageID": format!("{}-{}", self.name, self.next_id)});
        self.speaker.send(Message::text(request(self.next_id, "sendMessage", &message_to("hall", 1, &text)))).await.unwrap();
    }

    fn take(&mut self, text: &str) {
        // A frame of barrages holds nothing else, and there is too much of them to read it all.
        let barrages = text.matches("\"type\":20").count() as u64;
        self.barrages += barrages;
        if barrages > 0 {
            return;
        }
        let frame: Value = serde_json::from_str(text).unwrap();
        if !frame["id"].is_null() {
            assert!(frame["error"].is_null(), "{} was refused: {frame}", self.name);
            self.under_way -= 1;
            self.said += 1;
            self.slowest = self.slowest.max(self.asked_at.elapsed());
            self.have(&frame["result"]["message"]);
        }
        if frame["event"] == "barrageDropped" {
            self.dropped += ["low", "medium", "high"].map(|class| frame["data"][class].as_u64().unwrap()).iter().sum::<u64>();
        }
        for message in frame["data"]["messageList"].as_array().into_iter().flatten() {
            self.have(message);
        }
    }

    fn have(&mut self, message: &Value) {
        let seq = message["messageSeq"].as_u64().unwrap_or_else(|| panic!("no place: {message}"));
        assert!(self.texts.insert(seq), "{} was given {seq} twice", self.name);
    }
}

/// A room and those in it.
struct Hall {
    stage: watch::Sender<Stage>,
    members: JoinSet<Member>,
    said: Vec<watch::Receiver<u64>>,
}

impl Hall {
    fn new() -> Self {
        Self { stage: watch::Sender::default(), members: JoinSet::new(), said: Vec::new() }
    }

    /// Makes `count` members, each saying something every so often, spread over that time.
    async fn fill(&mut self, program: &Program, running: &Running, count: u32, every: Duration) {
        for n in 0..count {
            let name = format!("member{n}");
            let member = Member::new(&name, entered(Line::login(program, running.address, &name).await).await);
            let (tell, said) = watch::channel(u64::MAX);
            self.said.push(said);
            self.members.spawn(member.take_part(every, every * n / count, self.stage.subscribe(), tell));
        }
    }

    /// Says that all are there: from now on a text is for everyone.
    fn open(&self) {
        self.stage.send_replace(Stage::Talking);
    }

    /// Makes everyone fall silent and wait for all texts and for so many barrages, read or told as dropped, and ends
    /// them.
    async fn end(mut self, barrages: u64) -> (u64, Vec<Member>) {
        self.stage.send_replace(Stage::Quiet);
        let mut all = 0;
        for said in &mut self.said {
            all += *soon("a member's last answer", said.wait_for(|said| *said != u64::MAX)).await.unwrap();
        }
        self.stage.send_replace(Stage::Wanted { texts: all, barrages });
        let members = soon("every text at every member", self.members.join_all()).await;
        for member in &members {
            assert!(member.texts.iter().copied().eq(1..=all), "{} lacks texts or has others: {:?}", member.name, member.texts);
            let (read, told) = (member.barrages, member.dropped);
            assert_eq!(read + told, barrages, "{}: {read} barrages read, {told} told as dropped", member.name);
        }
        (all, members)
    }
}

async fn entered(mut line: Line) -> Line {
    line.ok("enterRoom", json!({"roomInfo": {"roomID": "hall"}})).await;
    line
}

/// Sends barrages, `PACE` a second at most; ends when each was answered without a refusal.
fn flood(line: Line, barrages: usize, bytes: usize) -> JoinHandle<Duration> {
    let (mut speaker, mut listener) = line.split();
    let args = message_to("hall", 1, &json!({"type": 20, "message": "~".repeat(bytes)}));
    let began = Instant::now();
    tokio::spawn(async move {
        let answered = async {
            let mut answers = 0;
            while answers < barrages {
                let text = heard(&mut listener).await.expect("a flooder that reads stays connected");
                if text.starts_with("{\"id\"") {
                    assert!(!text.contains("\"error\""), "a barrage was refused: {text}");
                    answers += 1;
                }
            }
        };
        let sent = async {
            let mut turn = interval(Duration::from_secs(1) / (PACE / BUNCH) as u32);
            for first in (1_000..1_000 + barrages).step_by(BUNCH) {
                turn.tick().await;
                for id in first..first + BUNCH {
                    speaker.feed(Message::text(request(id as u64, "sendMessage", &args))).await.unwrap();
                }
                speaker.flush().await.unwrap();
            }
        };
        tokio::join!(answered, sent);
        began.elapsed()
    })
}

/// Returns the barrages the metrics count as dropped for this reason; for any reason when it is empty.
async fn dropped(running: &Running, reason: &str) -> u64 {
    running.metrics().await.sum("tidings_messages_dropped_total", &["class=\"barrage\"", &format!("reason=\"{reason}")])
}

#[tokio::test]
async fn members_that_stop_reading_cost_their_outbox_and_go_while_the_others_lose_nothing() {
    let _alone = alone().await;
    let full = std::env::var_os("TIDINGS_FULL").is_some();
    let (stalled, healthy, barrages, stalled_seconds) = if full { (50, 200, 20_000, "20") } else { (20, 60, 4_000, "5") };
    let program = Program::with(&[("shed.stalled_seconds", stalled_seconds)]);
    let running = program.run().await;
    let mut hall = Hall::new();
    hall.fill(&program, &running, healthy, Duration::from_secs(1)).await;
    let flooder = entered(Line::login(&program, running.address, "flooder").await).await;
    let mut deaf = Vec::new();
    for n in 0..stalled {
        let line = Line::login_narrow(&program, running.address, &format!("deaf{n}")).await;
        // Kept open, and not read from here on.
        deaf.push(entered(line).await);
    }

    hall.open();
    let watch = Watch::on(running.pid());
    let began = Instant::now();
    let flood = flood(flooder, barrages, 4096);
    let left = async {
        while running.metrics().await.sum("tidings_sessions", &[]) > u64::from(healthy) + 1 {
            sleep(Duration::from_millis(250)).await;
        }
        began.elapsed()
    };
    let gone_after = timeout(Duration::from_secs(45), left).await.expect("who does not read is gone within 45 s");
    let flooded = timeout(Duration::from_secs(90), flood).await.expect("the flood ends").unwrap();
    let (texts, members) = hall.end(barrages as u64 - dropped(&running, "mailbox_full").await).await;

    let metrics = running.metrics().await;
    let dropped = dropped(&running, "").await;
    let delivered: u64 = members.iter().map(|member| member.barrages).sum();
    let slowest = members.iter().map(|member| member.slowest).max().unwrap_or_default();
    let growth = watch.growth();
    println!(
        "{stalled} stalled, gone after {gone_after:.1?}; {barrages} barrages in {flooded:.1?}: {delivered} read, {dropped} dropped; \
         {texts} texts at each of {healthy}, slowest answer {slowest:.0?}; memory +{} MiB",
        growth / MIB
    );
    let config = tidings::Config::default().shed;
    let outboxes = stalled * (config.outbox_lossy_bytes + config.outbox_reliable_bytes) as u64;
    assert!(growth <= outboxes + 64 * MIB, "memory grew by {growth} bytes");
    assert_eq!(metrics.sum("tidings_sessions_closed_total", &["slow"]), stalled, "closed as slow");
    // Much less than half of the flood fits into an outbox and the kernel's buffers.
    assert!(dropped >= stalled * barrages as u64 / 4, "{dropped} drops are counted");
    assert!(delivered > 0, "healthy members saw barrages");
}

#[tokio::test]
async fn a_thousand_barrages_a_second_are_read_or_counted_and_no_text_is_lost() {
    const MEMBERS: u32 = 8;
    const BARRAGES: usize = 1_000;
    let _alone = alone().await;
    // Little enough that the room sheds, whatever the speed of this machine.
    let program = Program::with(&[("shed.room_barrages_per_second", "300"), ("shed.room_barrages_burst", "300")]);
    let running = program.run().await;
    let mut hall = Hall::new();
    hall.fill(&program, &running, MEMBERS, Duration::from_millis(100)).await;
    let flooder = entered(Line::login(&program, running.address, "flooder").await).await;
    hall.open();
    let flooded = soon("the answers to all barrages", flood(flooder, BARRAGES, 200)).await.unwrap();
    // This drop happens before the room knows of it, so no member is told.
    let (sent, by_mailbox) = (BARRAGES as u64, dropped(&running, "mailbox_full").await);
    let (texts, members) = hall.end(sent - by_mailbox).await;

    let by_room = dropped(&running, "over_budget").await + dropped(&running, "unfair").await;
    let by_outbox = dropped(&running, "outbox_full").await;
    println!(
        "{BARRAGES} barrages in {flooded:.1?}: {by_room} dropped by the room, {by_outbox} by outboxes, {by_mailbox} by the mailbox; {texts} texts"
    );
    let read: u64 = members.iter().map(|member| member.barrages).sum();
    let each = u64::from(MEMBERS);
    assert_eq!(read + by_outbox + each * (by_room + by_mailbox), each * sent, "sent = read + counted drops");
    assert!(by_room > 0, "the room sheds above its budget");
    assert_eq!(running.metrics().await.sum("tidings_operations_refused_total", &[]), 0, "nothing was refused");
}
