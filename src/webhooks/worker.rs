//! The thread that writes events down and tells them.
//!
//! One thread with a runtime of its own: a slow disk or a slow backend holds up neither actors nor sockets. A turn is:
//! take in, hand to the system, start what is due; forcing to disk happens beside it, at most every `webhooks.sync_ms`.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinHandle, JoinSet};
use tokio::time::sleep;

use super::body::{Stamp, Vendor, parcel};
use super::deliverer::{Teller, Told as Outcome};
use super::event_queue::{Incoming, Inlet};
use super::spool::{Fate, Spool};
use super::{DeadLetter, WebhookError, WebhookState};
use crate::clock::Clock;
use crate::config::WhenFull;
use crate::hooks::Event;
use crate::metrics::{Metrics, Told};
use crate::store::{Since, Store};

/// Events taken in at a turn, so that deliveries have theirs.
const TURN: usize = 1_024;

/// How often deadlines are looked at while something waits: the clock may be one that a test moves.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often they are while nothing does, for the age of dead letters.
const LOOK_IDLE: Duration = Duration::from_secs(10);

/// How long the disk is left alone after it refused.
const DISK_PAUSE_MS: u64 = 1_000;

/// What the handle asks for.
pub(super) enum Command {
    DeadLetters {
        after: u64,
        limit: usize,
        reply: oneshot::Sender<Result<Vec<DeadLetter>, WebhookError>>,
    },
    Resend {
        number: u64,
        reply: oneshot::Sender<Result<bool, WebhookError>>,
    },
    Discard {
        number: u64,
        reply: oneshot::Sender<Result<bool, WebhookError>>,
    },
    /// Writes everything down and ends. `commit`: the store's last.
    Stop {
        commit: u64,
        reply: oneshot::Sender<()>,
    },
}

/// See the module's documentation.
pub(super) struct Worker {
    pub(super) spool: Spool,
    pub(super) inlet: Arc<Inlet>,
    pub(super) teller: Arc<Teller>,
    pub(super) vendor: Option<Vendor>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) state: Arc<Mutex<WebhookState>>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) deliveries_max: usize,
    pub(super) retry_most_ms: u64,
    pub(super) when_full: WhenFull,
    pub(super) sync_ms: u64,
    /// Messages are among what is told.
    pub(super) following: bool,
    /// Makes the ids of this run different from those of any other.
    pub(super) tag: String,
}

/// What a run keeps beside the worker's parts.
#[derive(Default)]
struct Turn {
    telling: JoinSet<(u64, Outcome)>,
    /// Which event a task tells.
    seqs: HashMap<Id, u64>,
    syncing: Option<JoinHandle<io::Result<()>>>,
    synced_at: Duration,
    /// Nobody is called before then.
    hold_until_ms: u64,
    /// The disk is left alone until then.
    disk_until_ms: u64,
    /// Events were dropped, and nobody was told since.
    dropping: bool,
}

impl Worker {
    /// Runs until told to stop, or until every handle is gone; who waits for the end, if anyone.
    pub(super) async fn run(mut self) -> Option<oneshot::Sender<()>> {
        let mut turn = Turn::default();
        loop {
            self.take_in(&mut turn, TURN);
            self.write(&mut turn);
            self.tell_due(&mut turn);
            self.sync(&mut turn);
            self.publish();
            let pause = self.pause(&turn);
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Stop { commit, reply }) => {
                        self.end(turn, commit).await;
                        return Some(reply);
                    }
                    Some(command) => self.obey(command),
                    None => {
                        self.end(turn, 0).await;
                        return None;
                    }
                },
                Some(told) = turn.telling.join_next_with_id() => self.hear(&mut turn, told),
                synced = synced(&mut turn.syncing) => self.after_sync(&mut turn, synced),
                () = self.inlet.woken(), if !self.is_held_up(&turn) => {}
                () = sleep(pause) => {
                    self.spool.prune(self.clock.wall_ms());
                }
            }
        }
    }

    /// Queues what the store holds beyond the last commit that the queue knows of: what was durable at the end of a run and
    /// had not come this far. Not what happened while messages were not told.
    ///
    /// # Errors
    /// In words.
    pub(super) fn catch_up(&mut self, store: &dyn Store) -> Result<(), String> {
        let (mark, last) = (self.spool.mark(), store.last_commit());
        if self.following && mark.following && mark.commit < last {
            let mut missed = Vec::new();
            for conversation in store.written_after(mark.commit).map_err(|error| error.to_string())? {
                let since = Since { commit: mark.commit, first_seq: 1, count_max: usize::MAX, bytes_max: usize::MAX, viewer: None };
                missed.extend(store.since(&conversation, since).map_err(|error| error.to_string())?.messages);
            }
            missed.sort_by_key(|(commit, _)| *commit);
            if !missed.is_empty() {
                tracing::info!(messages = missed.len(), "messages are queued for the webhooks that the last run did not come to");
            }
            for (_, message) in missed {
                let stamp = self.stamp(message.timestamp_ms);
                if let Some(parcel) = parcel(&Event::MessageAccepted(message), stamp, self.vendor.as_ref()) {
                    self.metrics.webhook_told(Told::Queued);
                    self.spool.put(&parcel, self.clock.wall_ms());
                }
            }
        }
        self.spool.set_mark(last, self.following);
        self.spool.write().map_err(|error| error.to_string())
    }

    /// Whether nothing more is taken in for now.
    fn is_held_up(&self, turn: &Turn) -> bool {
        self.clock.wall_ms() < turn.disk_until_ms || (self.when_full == WhenFull::Refuse && self.spool.is_full())
    }

    fn pause(&self, turn: &Turn) -> Duration {
        if !self.is_held_up(turn) && self.inlet.len() > 0 {
            return Duration::ZERO;
        }
        let due_in = self.spool.next_due().map(|due| Duration::from_millis(due.saturating_sub(self.clock.wall_ms())));
        match due_in {
            Some(due_in) if !due_in.is_zero() => due_in.min(LOOK_EVERY),
            // Something is due, and has to wait for those under way, or because the backend asked for it.
            Some(_) => LOOK_EVERY,
            None if self.inlet.len() > 0 => LOOK_EVERY,
            None => LOOK_IDLE.min(Duration::from_millis(self.sync_ms.max(1) * 2)),
        }
    }

    fn take_in(&mut self, turn: &mut Turn, count: usize) {
        if self.is_held_up(turn) {
            return;
        }
        let refuses = self.when_full == WhenFull::Refuse;
        // Who refuses drops nothing: what does not fit stays where it is.
        let count = if refuses { count.min(self.spool.room()) } else { count };
        for Incoming { event, commit, at_ms } in self.inlet.take(count) {
            if self.spool.is_full() && !refuses {
                self.metrics.webhook_told(Told::Dropped);
                if !std::mem::replace(&mut turn.dropping, true) {
                    tracing::error!("the webhook queue on disk is full; new events are dropped until there is room");
                }
            } else {
                turn.dropping = false;
                let stamp = self.stamp(at_ms);
                if let Some(parcel) = parcel(&event, stamp, self.vendor.as_ref()) {
                    self.metrics.webhook_told(Told::Queued);
                    self.spool.put(&parcel, self.clock.wall_ms());
                }
            }
            if commit > 0 {
                self.spool.set_mark(commit, self.following);
            }
        }
    }

    fn stamp(&self, at_ms: u64) -> Stamp {
        let seq = self.spool.next_seq();
        Stamp { id: format!("evt_{}_{seq}", self.tag), at_ms, nonce: format!("{}{seq}", self.tag) }
    }

    fn write(&mut self, turn: &mut Turn) {
        let now_ms = self.clock.wall_ms();
        if now_ms < turn.disk_until_ms {
            return;
        }
        if let Err(error) = self.spool.write() {
            tracing::error!(%error, "the webhook queue cannot be written; what happens meanwhile waits in memory");
            turn.disk_until_ms = now_ms.saturating_add(DISK_PAUSE_MS);
            self.note_error(format!("the queue cannot be written: {error}"));
        }
    }

    fn sync(&mut self, turn: &mut Turn) {
        let now = self.clock.elapsed();
        let is_due = now.saturating_sub(turn.synced_at) >= Duration::from_millis(self.sync_ms);
        if turn.syncing.is_some() || !is_due {
            return;
        }
        match self.spool.take_dirty() {
            Ok(files) if files.is_empty() => {}
            Ok(files) => {
                turn.synced_at = now;
                turn.syncing = Some(tokio::task::spawn_blocking(move || sync_all(&files)));
            }
            Err(error) => self.note_error(format!("the queue cannot be forced to disk: {error}")),
        }
    }

    fn after_sync(&mut self, turn: &mut Turn, synced: io::Result<()>) {
        turn.syncing = None;
        if let Err(error) = synced {
            tracing::error!(%error, "the webhook queue cannot be forced to disk");
            self.spool.still_dirty();
            self.note_error(format!("the queue cannot be forced to disk: {error}"));
        }
    }

    fn tell_due(&mut self, turn: &mut Turn) {
        let now_ms = self.clock.wall_ms();
        while turn.telling.len() < self.deliveries_max && now_ms >= turn.hold_until_ms {
            let Some(due) = self.spool.next(now_ms) else { return };
            let (teller, seq) = (self.teller.clone(), due.seq);
            let task = turn.telling.spawn(async move { (seq, teller.tell(&due.parcel).await) });
            turn.seqs.insert(task.id(), seq);
        }
    }

    fn hear(&mut self, turn: &mut Turn, told: Result<(Id, (u64, Outcome)), tokio::task::JoinError>) {
        let (id, outcome) = match told {
            Ok((id, (_, outcome))) => (id, outcome),
            Err(error) => {
                let failed = Outcome::Failed { error: "the delivery broke off".into(), retry_after_ms: None, is_busy: false };
                (error.id(), failed)
            }
        };
        let Some(seq) = turn.seqs.remove(&id) else { return };
        let now_ms = self.clock.wall_ms();
        match outcome {
            Outcome::Accepted => {
                self.metrics.webhook_told(Told::Delivered);
                self.with_state(|state| state.delivered += 1);
                self.spool.delivered(seq);
            }
            Outcome::Failed { error, retry_after_ms, is_busy } => {
                self.metrics.webhook_told(Told::Failed);
                if let Some(pause_ms) = retry_after_ms.filter(|_| is_busy) {
                    turn.hold_until_ms = turn.hold_until_ms.max(now_ms.saturating_add(pause_ms.min(self.retry_most_ms)));
                }
                tracing::debug!(error, "a webhook delivery failed");
                let fate = self.spool.failed(seq, &error, now_ms, dice(), retry_after_ms);
                if matches!(fate, Ok(Fate::Dead)) {
                    self.metrics.webhook_told(Told::Dead);
                    tracing::warn!(error, "an event was given up after its last attempt; it is a dead letter now");
                }
                if let Err(error) = fate {
                    tracing::error!(%error, "a dead letter cannot be written; its event is tried once more");
                }
                self.with_state(|state| state.failed += 1);
                self.note_error(error);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now_ms = self.clock.wall_ms();
        let io = |error: io::Error| WebhookError::Disk(error.to_string());
        // Whoever asked may be gone; what was asked for is done all the same.
        match command {
            Command::DeadLetters { after, limit, reply } => {
                let letters = self.spool.dead_letters(after, limit).map_err(io);
                let letters = letters.map(|letters| letters.into_iter().map(DeadLetter::from).collect());
                let _heard_or_gone = reply.send(letters).is_ok();
            }
            Command::Resend { number, reply } => {
                let resent = self.spool.resend(number, now_ms).map_err(io);
                if resent == Ok(true) {
                    self.metrics.webhook_told(Told::Resent);
                }
                self.publish();
                let _heard_or_gone = reply.send(resent).is_ok();
            }
            Command::Discard { number, reply } => {
                let discarded = self.spool.discard(number);
                if discarded {
                    self.metrics.webhook_told(Told::Discarded);
                }
                self.publish();
                let _heard_or_gone = reply.send(self.spool.write().map(|()| discarded).map_err(io)).is_ok();
            }
            Command::Stop { .. } => {}
        }
    }

    /// Writes down what is there. What is under way is cut: it is told again by the next run, under its id.
    async fn end(mut self, mut turn: Turn, commit: u64) {
        turn.telling.abort_all();
        turn.disk_until_ms = 0;
        if let Some(syncing) = turn.syncing.take() {
            // Forced once more below.
            let _done_or_broken = syncing.await.is_ok();
            self.spool.still_dirty();
        }
        self.when_full = WhenFull::Drop;
        while self.inlet.len() > 0 && turn.disk_until_ms == 0 {
            self.take_in(&mut turn, TURN);
            self.write(&mut turn);
        }
        if commit > 0 && self.inlet.len() == 0 && turn.disk_until_ms == 0 {
            self.spool.set_mark(commit, self.following);
        }
        let ended = self.spool.write().and_then(|()| self.spool.take_dirty()).and_then(|files| sync_all(&files));
        if let Err(error) = ended {
            tracing::error!(%error, "the webhook queue could not be written at the end");
        }
        self.publish();
    }

    fn with_state(&self, change: impl FnOnce(&mut WebhookState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn note_error(&self, error: String) {
        let now_ms = self.clock.wall_ms();
        self.with_state(|state| state.last_error = Some((now_ms, error)));
    }

    fn publish(&self) {
        let (queued, queue_bytes, oldest_ms) = self.spool.waiting();
        let (dead, given_up) = (self.spool.dead_count(), self.spool.given_up());
        self.with_state(|state| {
            (state.queued, state.queue_bytes, state.oldest_ms) = (queued, queue_bytes, oldest_ms);
            (state.dead, state.given_up) = (dead, given_up);
            state.dropped = self.metrics.webhook_total(Told::Dropped);
        });
        self.metrics.webhook_queue(queued, queue_bytes, dead, oldest_ms.unwrap_or(0));
    }
}

fn sync_all(files: &[File]) -> io::Result<()> {
    files.iter().try_for_each(File::sync_data)
}

async fn synced(syncing: &mut Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match syncing {
        Some(running) => running.await.unwrap_or_else(|error| Err(io::Error::other(error))),
        None => std::future::pending().await,
    }
}

/// A throw for the jitter; without randomness the longest pause.
fn dice() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}
