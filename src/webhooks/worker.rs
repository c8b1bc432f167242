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

use super::body::{EventMeta, Vendor, envelope_of};
use super::deliverer::{Deliverer, DeliveryOutcome};
use super::event_queue::{EventQueue, Incoming};
use super::spool::{AfterFailure, Spool};
use super::state::{DeadLetter, WebhookError, WebhookState};
use crate::clock::Clock;
use crate::clock::guard::ClockGuard;
use crate::config::WhenFull;
use crate::hooks::{Event, EventDetails};
use crate::metrics::{Metrics, WebhookOutcome};
use crate::store::{Since, Store};

/// Events taken in at a turn, so that deliveries have theirs.
const EVENTS_PER_TURN: usize = 1_024;

/// How often deadlines are looked at while something waits: the clock may be one that a test moves.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often they are while nothing does, for the age of dead letters.
const LOOK_IDLE: Duration = Duration::from_secs(10);

/// How often one looks for what brokers left that are gone. Our choice: a moment beside the retries of a backend that is away.
const ADOPT_EVERY: Duration = Duration::from_secs(3);

/// How often it is said that webhooks fail.
const WARN_EVERY: Duration = Duration::from_secs(600);
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
    pub(super) event_queue: Arc<EventQueue>,
    pub(super) deliverer: Arc<Deliverer>,
    pub(super) vendor: Option<Vendor>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clock_guard: Arc<ClockGuard>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) state: Arc<Mutex<WebhookState>>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) deliveries_max: usize,
    pub(super) retry_most_ms: u64,
    pub(super) when_full: WhenFull,
    pub(super) sync_ms: u64,
    /// Messages are among what is told, and this broker tells those that a run of it did not come to. Of several that work at the
    /// same time the one that takes a shard over does.
    pub(super) following: bool,
    /// Other brokers work at the same time: what those left that are gone is told by whoever comes first.
    pub(super) is_one_of_many: bool,
    /// Makes the ids of this run different from those of any other.
    pub(super) tag: String,
}

/// What a run keeps beside the worker's parts.
#[derive(Default)]
struct RunState {
    deliveries: JoinSet<(u64, DeliveryOutcome)>,
    /// Which event a task tells.
    seqs: HashMap<Id, u64>,
    syncing: Option<JoinHandle<io::Result<()>>>,
    synced_at: Duration,
    adopted_at: Duration,
    /// Nobody is called before then.
    hold_until_ms: u64,
    /// The disk is left alone until then.
    disk_until_ms: u64,
    /// Events were dropped, and nobody was told since.
    dropping: bool,
    /// When it was last said that webhooks fail.
    warned_at: Option<Duration>,
}

impl Worker {
    /// Runs until told to stop, or until every handle is gone; who waits for the end, if anyone.
    pub(super) async fn run(mut self) -> Option<oneshot::Sender<()>> {
        let mut run = RunState::default();
        loop {
            self.queue_new_events(&mut run, EVENTS_PER_TURN);
            self.write(&mut run);
            self.adopt(&mut run);
            self.start_due_deliveries(&mut run);
            self.sync(&mut run);
            self.publish();
            let pause = self.pause(&run);
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Stop { commit, reply }) => {
                        self.end(run, commit).await;
                        return Some(reply);
                    }
                    Some(command) => self.handle_command(command),
                    None => {
                        self.end(run, 0).await;
                        return None;
                    }
                },
                Some(told) = run.deliveries.join_next_with_id() => self.record_outcome(&mut run, told),
                synced = synced(&mut run.syncing) => self.after_sync(&mut run, synced),
                () = self.event_queue.woken(), if !self.is_blocked(&run) => {}
                () = sleep(pause) => {
                    self.spool.prune(self.clock_guard.deletion_time().ok());
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
        let (mark, last) = (self.spool.position(), store.last_commit());
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
                let meta = self.meta(message.timestamp_ms);
                if let Some(envelope) = envelope_of(&Event::MessageAccepted(message), &EventDetails::Nothing, meta, self.vendor.as_ref()) {
                    self.metrics.count_webhook(WebhookOutcome::Queued);
                    self.spool.put(&envelope, self.clock.wall_ms());
                }
            }
        }
        self.spool.set_position(last, self.following);
        self.spool.write().map_err(|error| error.to_string())
    }

    /// Returns whether nothing more is taken in for now.
    fn is_blocked(&self, run: &RunState) -> bool {
        self.clock.wall_ms() < run.disk_until_ms || (self.when_full == WhenFull::Refuse && self.spool.is_full())
    }

    fn pause(&self, run: &RunState) -> Duration {
        if !self.is_blocked(run) && self.event_queue.len() > 0 {
            return Duration::ZERO;
        }
        let due_in = self.spool.next_due().map(|due| Duration::from_millis(due.saturating_sub(self.clock.wall_ms())));
        match due_in {
            Some(due_in) if !due_in.is_zero() => due_in.min(LOOK_EVERY),
            // Something is due, and has to wait for those under way, or because the backend asked for it.
            Some(_) => LOOK_EVERY,
            None if self.event_queue.len() > 0 => LOOK_EVERY,
            None if self.is_one_of_many => ADOPT_EVERY.min(Duration::from_millis(self.sync_ms.max(1) * 2)),
            None => LOOK_IDLE.min(Duration::from_millis(self.sync_ms.max(1) * 2)),
        }
    }

    fn queue_new_events(&mut self, run: &mut RunState, count: usize) {
        if self.is_blocked(run) {
            return;
        }
        let refuses = self.when_full == WhenFull::Refuse;
        // Who refuses drops nothing: what does not fit stays where it is.
        let count = if refuses { count.min(self.spool.room()) } else { count };
        for Incoming { event, details, commit, at_ms } in self.event_queue.take(count) {
            if self.spool.is_full() && !refuses {
                self.metrics.count_webhook(WebhookOutcome::Dropped);
                if !std::mem::replace(&mut run.dropping, true) {
                    tracing::error!("the webhook queue on disk is full; new events are dropped until there is room");
                }
            } else {
                run.dropping = false;
                let meta = self.meta(at_ms);
                if let Some(envelope) = envelope_of(&event, &details, meta, self.vendor.as_ref()) {
                    self.metrics.count_webhook(WebhookOutcome::Queued);
                    self.spool.put(&envelope, self.clock.wall_ms());
                }
            }
            if commit > 0 {
                self.spool.set_position(commit, self.following);
            }
        }
    }

    fn meta(&self, at_ms: u64) -> EventMeta {
        let seq = self.spool.next_seq();
        EventMeta { id: format!("evt_{}_{seq}", self.tag), at_ms, nonce: format!("{}{seq}", self.tag) }
    }

    fn write(&mut self, run: &mut RunState) {
        let now_ms = self.clock.wall_ms();
        if now_ms < run.disk_until_ms {
            return;
        }
        match self.spool.write() {
            Ok(()) => self.event_queue.written(),
            Err(error) => {
                tracing::error!(%error, "the webhook queue cannot be written; what happens meanwhile waits in memory");
                run.disk_until_ms = now_ms.saturating_add(DISK_PAUSE_MS);
                self.note_error(format!("the queue cannot be written: {error}"));
            }
        }
    }

    /// Takes over what brokers left that are gone.
    fn adopt(&mut self, run: &mut RunState) {
        let now = self.clock.elapsed();
        if !self.is_one_of_many || now.saturating_sub(run.adopted_at) < ADOPT_EVERY {
            return;
        }
        run.adopted_at = now;
        match self.spool.adopt(self.clock.wall_ms()) {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "events are told that brokers left which are gone"),
            Err(error) => tracing::debug!(%error, "what brokers left that are gone cannot be looked for"),
        }
    }

    fn sync(&mut self, run: &mut RunState) {
        let now = self.clock.elapsed();
        let is_due = now.saturating_sub(run.synced_at) >= Duration::from_millis(self.sync_ms);
        if run.syncing.is_some() || !is_due {
            return;
        }
        match self.spool.take_dirty() {
            Ok(files) if files.is_empty() => {}
            Ok(files) => {
                run.synced_at = now;
                run.syncing = Some(tokio::task::spawn_blocking(move || sync_all(&files)));
            }
            Err(error) => self.note_error(format!("the queue cannot be forced to disk: {error}")),
        }
    }

    fn after_sync(&mut self, run: &mut RunState, synced: io::Result<()>) {
        run.syncing = None;
        if let Err(error) = synced {
            tracing::error!(%error, "the webhook queue cannot be forced to disk");
            self.spool.still_dirty();
            self.note_error(format!("the queue cannot be forced to disk: {error}"));
        }
    }

    fn start_due_deliveries(&mut self, run: &mut RunState) {
        let now_ms = self.clock.wall_ms();
        while run.deliveries.len() < self.deliveries_max && now_ms >= run.hold_until_ms {
            let Some(due) = self.spool.next(now_ms) else { return };
            let (deliverer, seq) = (self.deliverer.clone(), due.seq);
            let task = run.deliveries.spawn(async move { (seq, deliverer.deliver(&due.envelope).await) });
            run.seqs.insert(task.id(), seq);
        }
    }

    fn record_outcome(&mut self, run: &mut RunState, told: Result<(Id, (u64, DeliveryOutcome)), tokio::task::JoinError>) {
        let (id, outcome) = match told {
            Ok((id, (_, outcome))) => (id, outcome),
            Err(error) => {
                let failed = DeliveryOutcome::Failed { error: "the delivery broke off".into(), retry_after_ms: None, is_busy: false };
                (error.id(), failed)
            }
        };
        let Some(seq) = run.seqs.remove(&id) else { return };
        let now_ms = self.clock.wall_ms();
        match outcome {
            DeliveryOutcome::Accepted => {
                self.metrics.count_webhook(WebhookOutcome::Delivered);
                self.with_state(|state| state.delivered += 1);
                self.spool.delivered(seq);
            }
            DeliveryOutcome::Failed { error, retry_after_ms, is_busy } => {
                self.metrics.count_webhook(WebhookOutcome::Failed);
                if let Some(pause_ms) = retry_after_ms.filter(|_| is_busy) {
                    run.hold_until_ms = run.hold_until_ms.max(now_ms.saturating_add(pause_ms.min(self.retry_most_ms)));
                }
                tracing::debug!(error, "a webhook delivery failed");
                let endpoint = self.deliverer.client.authority();
                let now = self.clock.elapsed();
                if run.warned_at.is_none_or(|at| now.saturating_sub(at) >= WARN_EVERY) {
                    run.warned_at = Some(now);
                    tracing::warn!(endpoint, error, "webhooks fail; they are tried again, and this is said every ten minutes at most");
                }
                let after = self.spool.failed(seq, &error, now_ms, jitter(), retry_after_ms);
                if matches!(after, Ok(AfterFailure::DeadLetter)) {
                    self.metrics.count_webhook(WebhookOutcome::Dead);
                    tracing::warn!(error, "an event was given up after its last attempt; it is a dead letter now");
                }
                if let Err(error) = after {
                    tracing::error!(%error, "a dead letter cannot be written; its event is tried once more");
                }
                self.with_state(|state| state.failed += 1);
                self.note_error(error);
            }
        }
    }

    fn handle_command(&mut self, command: Command) {
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
                    self.metrics.count_webhook(WebhookOutcome::Resent);
                }
                self.publish();
                let _heard_or_gone = reply.send(resent).is_ok();
            }
            Command::Discard { number, reply } => {
                let discarded = self.spool.discard(number);
                if discarded {
                    self.metrics.count_webhook(WebhookOutcome::Discarded);
                }
                self.publish();
                let _heard_or_gone = reply.send(self.spool.write().map(|()| discarded).map_err(io)).is_ok();
            }
            Command::Stop { .. } => {}
        }
    }

    /// Writes down what is there. What is under way is cut: it is told again by the next run, under its id.
    async fn end(mut self, mut run: RunState, commit: u64) {
        run.deliveries.abort_all();
        run.disk_until_ms = 0;
        if let Some(syncing) = run.syncing.take() {
            // Forced once more below.
            let _done_or_broken = syncing.await.is_ok();
            self.spool.still_dirty();
        }
        self.when_full = WhenFull::Drop;
        while self.event_queue.len() > 0 && run.disk_until_ms == 0 {
            self.queue_new_events(&mut run, EVENTS_PER_TURN);
            self.write(&mut run);
        }
        if commit > 0 && self.event_queue.len() == 0 && run.disk_until_ms == 0 {
            self.spool.set_position(commit, self.following);
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
            state.dropped = self.metrics.webhook_total(WebhookOutcome::Dropped);
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

/// Returns a throw for the jitter; without randomness the longest pause.
fn jitter() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}
