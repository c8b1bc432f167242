//! Those who go on when their broker dies: one sends again until it is answered, one resumes by its cursor.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use crate::bench::error::BenchError;
use crate::bench::handshake::{Account, Handshake};
use crate::bench::marker;
use crate::bench::marker::{LoadClass, Marker};
use crate::bench::stats::Latency;
use crate::bench::tally::BenchClock;

/// Before a client tries again what failed or was refused for the time being. Our choice: shorter than what a person notices, so
/// that it adds nothing to what is measured.
const PAUSE: Duration = Duration::from_millis(20);
const PAYLOAD_BYTES: usize = 200;

/// Who someone is, and where brokers are; the first is where it begins.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) account: Account,
    pub(super) at: usize,
    pub(super) addresses: Arc<Vec<SocketAddr>>,
    pub(super) clock: Arc<BenchClock>,
}

impl Person {
    /// Connects where it was or, if that fails, at the next broker, until one lets it in.
    async fn connect(&mut self, cursor: &mut Option<String>, resyncs: &mut u64) -> Handshake {
        loop {
            let come = async {
                let mut handshake = Handshake::open(self.addresses[self.at], false).await?;
                handshake.keep_events();
                let answer = handshake.resume(&self.account, cursor.as_deref()).await?;
                Ok::<_, BenchError>((handshake, answer))
            };
            match come.await {
                Ok((handshake, answer)) => {
                    *resyncs += u64::from(cursor.is_some() && answer["resync"] == true);
                    *cursor = answer["cursor"].as_str().map(str::to_owned).or(cursor.take());
                    return handshake;
                }
                Err(error) => {
                    tracing::debug!(%error, user = self.account.user, "not let in; the next broker is tried");
                    self.at = (self.at + 1) % self.addresses.len();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// What a sender does.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) number: u32,
    pub(super) to: String,
    /// When its first message is due, and how far apart the others are, microseconds.
    pub(super) first_us: u64,
    pub(super) every_us: u64,
    pub(super) until_us: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Talked {
    pub(super) acknowledged: Vec<u32>,
    /// Of each acknowledgement: when the message was sent that it answers, when it came.
    pub(super) answers: Vec<(u64, u64)>,
    pub(super) latency: Latency,
    pub(super) sent_again: u64,
}

/// Sends one message after the other, each at its time or as soon as the one before is acknowledged.
pub(super) async fn send(mut person: Person, plan: Plan) -> Result<Talked, BenchError> {
    let (mut talked, mut cursor, mut resyncs) = (Talked::default(), None, 0);
    let mut line = Some(person.connect(&mut cursor, &mut resyncs).await);
    for number in 1_u32.. {
        let meant_us = plan.first_us + u64::from(number - 1) * plan.every_us;
        if meant_us >= plan.until_us {
            break;
        }
        let now = person.clock.now();
        tokio::time::sleep(Duration::from_micros(meant_us.saturating_sub(now))).await;
        let text = Marker { sender: plan.number, number, meant_us, kind: LoadClass::Storable }.text(PAYLOAD_BYTES);
        let message = json!({"type": 1, "message": text, "localMessageID": format!("f{}-{number}", plan.number)});
        let ask = json!({"message": message, "toConversationID": plan.to, "conversationType": 0, "config": {"priority": 1}});
        loop {
            let mut there = match line.take() {
                Some(there) => there,
                None => person.connect(&mut cursor, &mut resyncs).await,
            };
            let sent_us = person.clock.now();
            // A connection that ended is left for another one.
            let Ok(answer) = there.request("sendMessage", &ask).await else {
                talked.sent_again += 1;
                continue;
            };
            line = Some(there);
            let Some(error) = answer.get("error") else {
                let now = person.clock.now();
                talked.acknowledged.push(number);
                talked.answers.push((sent_us, now));
                talked.latency.record(now.saturating_sub(meant_us));
                break;
            };
            if error["temporary"] != true {
                return Err(BenchError::Subject(format!("a message was refused for good: {error}")));
            }
            talked.sent_again += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(talked)
}

/// What a reader has seen of its sender.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) numbers: BTreeSet<u32>,
    pub(super) latency: Latency,
    pub(super) resyncs: u64,
}

/// Reads until it is told to stop, and resumes wherever it is let in.
pub(super) async fn read(mut person: Person, seen: Arc<Mutex<Seen>>, mut stop: watch::Receiver<bool>) {
    let mut cursor = None;
    let reading = async {
        loop {
            let mut resyncs = 0;
            let mut line = person.connect(&mut cursor, &mut resyncs).await;
            seen.lock().unwrap_or_else(PoisonError::into_inner).resyncs += resyncs;
            while let Ok(event) = line.event().await {
                let now = person.clock.now();
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                take(&event, now, &mut seen, &mut cursor);
            }
        }
    };
    tokio::select! {
        () = reading => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

fn take(event: &[u8], now_us: u64, seen: &mut Seen, cursor: &mut Option<String>) {
    if !event.starts_with(br#"{"event":"receivePeerMessage""#) {
        return;
    }
    marker::each(event, |marker, _| {
        if seen.numbers.insert(marker.number) {
            seen.latency.record(now_us.saturating_sub(marker.meant_us));
        }
    });
    let event: serde_json::Value = serde_json::from_slice(event).unwrap_or_default();
    if let Some(later) = event["data"]["cursor"].as_str() {
        *cursor = Some(later.to_owned());
    }
}
