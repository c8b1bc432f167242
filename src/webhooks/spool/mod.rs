//! What waits to be told, and what was given up: two journals and the order between them.
//!
//! Owned by the worker's thread alone. Time is the calendar's in milliseconds, because it must mean the same after a
//! restart; a clock set back delays a retry by no more than the longest pause.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash as _, Hasher as _};
use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::store::JournalMark;
use crate::webhooks::backoff::Backoff;
use crate::webhooks::journal::{Journal, JournalPlace, Note};
use crate::webhooks::schedule::DeliverySchedule;

const DAY_MS: u64 = 86_400_000;

/// Bytes of an error's text that are kept.
const ERROR_BYTES_MAX: usize = 300;

/// An event ready to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    /// The `webhook-id`: the same however often it is told.
    pub(super) id: String,
    /// `message.sent` and the like.
    pub(super) event: String,
    /// What it is in order with.
    pub(super) line: String,
    /// When it happened, Unix milliseconds.
    pub(super) at_ms: u64,
    pub(super) body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeHeader {
    id: String,
    event: String,
    line: String,
    at_ms: u64,
    // Named so since the first version of the file.
    #[serde(default, rename = "death", skip_serializing_if = "Option::is_none")]
    failure: Option<LastFailure>,
}

/// Why and when it was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastFailure {
    pub(super) at_ms: u64,
    pub(super) attempts: u32,
    pub(super) error: String,
}

#[derive(Debug, Clone, Copy)]
struct Queued {
    key: u64,
    attempts: u32,
    at_ms: u64,
}

/// How much there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) queue_bytes_max: u64,
    pub(super) queue_events_max: usize,
    pub(super) dead_letters_max: usize,
    pub(super) dead_letters_days: u64,
}

/// One to be told now.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) seq: u64,
    pub(super) envelope: Envelope,
}

/// What became of a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterFailure {
    Retry,
    DeadLetter,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Spool {
    queue: Box<dyn Journal>,
    dead: Box<dyn Journal>,
    bounds: Bounds,
    backoff: Backoff,
    queued: BTreeMap<u64, Queued>,
    schedule: DeliverySchedule,
    /// When each dead letter was given up.
    dead_since: BTreeMap<u64, u64>,
    given_up: u64,
}

fn pack(head: &EnvelopeHeader, body: &[u8]) -> Vec<u8> {
    let mut payload = serde_json::to_vec(head).expect("strings and numbers always serialize");
    payload.push(b'\n');
    payload.extend_from_slice(body);
    payload
}

fn unpack(payload: &[u8]) -> Option<(EnvelopeHeader, &[u8])> {
    let end = payload.iter().position(|byte| *byte == b'\n')?;
    Some((serde_json::from_slice(&payload[..end]).ok()?, &payload[end + 1..]))
}

fn damaged(seq: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("record {seq} cannot be read"))
}

fn key_of(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

fn note(attempts: u32, next_ms: u64) -> Note {
    let mut note = [0; 12];
    note[..4].copy_from_slice(&attempts.to_le_bytes());
    note[4..].copy_from_slice(&next_ms.to_le_bytes());
    note
}

fn read_note(note: Note) -> (u32, u64) {
    let (attempts, next_ms) = note.split_at(4);
    (u32::from_le_bytes(attempts.try_into().unwrap_or_default()), u64::from_le_bytes(next_ms.try_into().unwrap_or_default()))
}

impl Spool {
    /// Finds what was left.
    ///
    /// # Errors
    /// The system's, or the store's.
    pub(super) fn open(place: &JournalPlace, bounds: Bounds, backoff: Backoff, now_ms: u64) -> io::Result<Self> {
        let mut dead_since = BTreeMap::new();
        let mut dead = place.open("dead", &mut |seq, payload, _| {
            dead_since.insert(seq, unpack(payload).and_then(|(head, _)| head.failure).map_or(now_ms, |failure| failure.at_ms));
        })?;
        let (mut queued, mut schedule, mut unreadable) = (BTreeMap::new(), DeliverySchedule::default(), Vec::new());
        let mut queue = place.open("queue", &mut |seq, payload, noted| {
            let Some((head, _)) = unpack(payload).filter(|_| !dead_since.contains_key(&seq)) else { return unreadable.push(seq) };
            let (attempts, next_ms) = noted.map_or((0, 0), read_note);
            let key = key_of(&head.line);
            queued.insert(seq, Queued { key, attempts, at_ms: head.at_ms });
            schedule.push(key, seq, next_ms.min(now_ms.saturating_add(backoff.most_ms)));
        })?;
        // Given up just before the end, and not crossed out any more.
        for seq in unreadable {
            queue.delete(seq);
        }
        // Seqs of the two never mean different events.
        queue.begin_at(dead.position().next_seq);
        dead.begin_at(queue.position().next_seq);
        Ok(Self { queue, dead, bounds, backoff, queued, schedule, dead_since, given_up: 0 })
    }

    /// Takes over what brokers left that are gone; returns how many events.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn adopt(&mut self, now_ms: u64) -> io::Result<usize> {
        let mut count = 0;
        let Self { queue, dead, dead_since, queued, schedule, backoff, .. } = self;
        dead.begin_at(queue.position().next_seq);
        let adopted = dead.adopt(&mut |seq, payload, _| {
            dead_since.insert(seq, unpack(payload).and_then(|(head, _)| head.failure).map_or(now_ms, |failure| failure.at_ms));
            count += 1;
        });
        // Of the two no seq ever means two events, also if this went wrong.
        queue.begin_at(dead.position().next_seq);
        adopted?;
        let mut unreadable = Vec::new();
        queue.adopt(&mut |seq, payload, noted| {
            let Some((head, _)) = unpack(payload) else { return unreadable.push(seq) };
            let (attempts, next_ms) = noted.map_or((0, 0), read_note);
            let key = key_of(&head.line);
            queued.insert(seq, Queued { key, attempts, at_ms: head.at_ms });
            schedule.push(key, seq, next_ms.min(now_ms.saturating_add(backoff.most_ms)));
            count += 1;
        })?;
        for seq in unreadable {
            queue.delete(seq);
        }
        Ok(count)
    }

    /// Returns where the messages told so far end.
    pub(super) fn position(&self) -> JournalMark {
        self.queue.position()
    }

    /// Notes where they end.
    pub(super) fn set_position(&mut self, commit: u64, following: bool) {
        self.queue.set_position(commit, following);
    }

    /// Returns whether one more would be too many.
    pub(super) fn is_full(&self) -> bool {
        self.queued.len() >= self.bounds.queue_events_max || self.queue.bytes() >= self.bounds.queue_bytes_max
    }

    /// Returns how many more events there may be.
    pub(super) fn room(&self) -> usize {
        if self.is_full() { 0 } else { self.bounds.queue_events_max - self.queued.len() }
    }

    /// Queues an event.
    pub(super) fn put(&mut self, envelope: &Envelope, now_ms: u64) {
        let Envelope { id, event, line, at_ms, body } = envelope.clone();
        let key = key_of(&line);
        let seq = self.queue.put(&pack(&EnvelopeHeader { id, event, line, at_ms, failure: None }, &body));
        self.queued.insert(seq, Queued { key, attempts: 0, at_ms });
        self.schedule.push(key, seq, now_ms);
    }

    /// Returns the seq that the next event gets.
    pub(super) fn next_seq(&self) -> u64 {
        self.queue.position().next_seq
    }

    /// Returns the next to be told; under way from here on.
    pub(super) fn next(&mut self, now_ms: u64) -> Option<Due> {
        loop {
            let (key, seq) = self.schedule.next(now_ms)?;
            match self.envelope(seq) {
                Ok(envelope) => return Some(Due { seq, envelope }),
                Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound) => {
                    tracing::error!(%error, "an event in the webhook queue cannot be read and was given up");
                    self.given_up += 1;
                    self.delivered(seq);
                }
                Err(error) => {
                    tracing::warn!(%error, "the webhook queue cannot be read");
                    self.schedule.retry(key, now_ms.saturating_add(1_000));
                    return None;
                }
            }
        }
    }

    fn envelope(&mut self, seq: u64) -> io::Result<Envelope> {
        let payload = self.queue.read(seq)?;
        let (head, body) = unpack(&payload).ok_or_else(|| damaged(seq))?;
        Ok(Envelope { id: head.id, event: head.event, line: head.line, at_ms: head.at_ms, body: Bytes::copy_from_slice(body) })
    }

    /// Returns when the next is due that is not yet.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.schedule.next_due()
    }

    /// It arrived.
    pub(super) fn delivered(&mut self, seq: u64) {
        if let Some(queued) = self.queued.remove(&seq) {
            self.schedule.done(queued.key);
            self.queue.delete(seq);
        }
    }

    /// It did not. Dead letters are on disk before the queue forgets them.
    ///
    /// # Errors
    /// The system's: it is tried once more then.
    pub(super) fn failed(&mut self, seq: u64, error: &str, now_ms: u64, jitter: u64, asked_ms: Option<u64>) -> io::Result<AfterFailure> {
        let Some(queued) = self.queued.get_mut(&seq) else { return Ok(AfterFailure::Retry) };
        let (attempts, key) = (queued.attempts + 1, queued.key);
        if let Some(pause_ms) = self.backoff.pause_ms(attempts, jitter, asked_ms) {
            queued.attempts = attempts;
            let next_ms = now_ms.saturating_add(pause_ms);
            self.queue.note(seq, note(attempts, next_ms));
            self.schedule.retry(key, next_ms);
            return Ok(AfterFailure::Retry);
        }
        match self.write_dead_letter(seq, attempts, error, now_ms) {
            Ok(()) => {
                self.delivered(seq);
                self.prune(None);
                Ok(AfterFailure::DeadLetter)
            }
            Err(error) => {
                self.schedule.retry(key, now_ms.saturating_add(self.backoff.most_ms.min(1_000)));
                Err(error)
            }
        }
    }

    fn write_dead_letter(&mut self, seq: u64, attempts: u32, error: &str, now_ms: u64) -> io::Result<()> {
        let Envelope { id, event, line, at_ms, body } = self.envelope(seq)?;
        let cut = error.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= ERROR_BYTES_MAX).last().unwrap_or(0);
        let failure = LastFailure { at_ms: now_ms, attempts, error: error[..cut].to_owned() };
        self.dead.put_as(seq, &pack(&EnvelopeHeader { id, event, line, at_ms, failure: Some(failure) }, &body));
        self.dead_since.insert(seq, now_ms);
        self.dead.write()
    }

    /// Gives up dead letters that are too many or, at a time that may be believed, too old; returns how many.
    pub(super) fn prune(&mut self, now_ms: Option<u64>) -> u64 {
        let too_old = now_ms.map_or(0, |now_ms| now_ms.saturating_sub(self.bounds.dead_letters_days.saturating_mul(DAY_MS)));
        let mut pruned = 0;
        while let Some((seq, died_ms)) = self.dead_since.first_key_value().map(|(seq, at)| (*seq, *at)) {
            if self.dead_since.len() <= self.bounds.dead_letters_max && died_ms >= too_old {
                break;
            }
            self.discard(seq);
            pruned += 1;
        }
        self.given_up += pruned;
        pruned
    }

    /// Dead letters after a seq, the oldest first.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn dead_letters(&mut self, after: u64, limit: usize) -> io::Result<Vec<(u64, Envelope, LastFailure)>> {
        let seqs: Vec<u64> = self.dead_since.range(after.saturating_add(1)..).map(|(seq, _)| *seq).take(limit).collect();
        seqs.into_iter().map(|seq| self.dead_letter(seq).map(|(envelope, failure)| (seq, envelope, failure))).collect()
    }

    fn dead_letter(&mut self, seq: u64) -> io::Result<(Envelope, LastFailure)> {
        let payload = self.dead.read(seq)?;
        let (head, body) = unpack(&payload).ok_or_else(|| damaged(seq))?;
        let failure = head.failure.ok_or_else(|| damaged(seq))?;
        Ok((Envelope { id: head.id, event: head.event, line: head.line, at_ms: head.at_ms, body: Bytes::copy_from_slice(body) }, failure))
    }

    /// Puts a dead letter at the end of the queue, as one that was never tried; whether there was one.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn resend(&mut self, seq: u64, now_ms: u64) -> io::Result<bool> {
        if !self.dead_since.contains_key(&seq) {
            return Ok(false);
        }
        let (envelope, _) = self.dead_letter(seq)?;
        self.queue.begin_at(self.dead.position().next_seq);
        self.put(&envelope, now_ms);
        self.queue.write()?;
        Ok(self.discard(seq))
    }

    /// Gives a dead letter up; whether there was one.
    pub(super) fn discard(&mut self, seq: u64) -> bool {
        self.dead_since.remove(&seq);
        self.dead.delete(seq)
    }

    /// Hands everything to the system, and gives disk back.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn write(&mut self) -> io::Result<()> {
        // In this order: what the queue crosses out may be a dead letter now.
        self.dead.write()?;
        self.queue.write()?;
        self.dead.reclaim()?;
        self.queue.reclaim()
    }

    /// Returns the files to force to disk.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn take_dirty(&mut self) -> io::Result<Vec<File>> {
        Ok([self.dead.take_dirty()?, self.queue.take_dirty()?].into_iter().flatten().collect())
    }

    /// They could not be.
    pub(super) fn still_dirty(&mut self) {
        self.dead.still_dirty();
        self.queue.still_dirty();
    }

    /// Returns how many events wait, their bytes on disk, and when the oldest happened.
    pub(super) fn waiting(&self) -> (usize, u64, Option<u64>) {
        (self.queued.len(), self.queue.bytes(), self.queued.first_key_value().map(|(_, queued)| queued.at_ms))
    }

    /// Dead letters.
    pub(super) fn dead_count(&self) -> usize {
        self.dead.len()
    }

    /// Returns how many events nobody will ever be told: damaged, or dead letters beyond their bound.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up + self.queue.damaged() + self.dead.damaged()
    }
}

#[cfg(test)]
mod tests;
