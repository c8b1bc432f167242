//! What waits for one session, outside any actor's mailbox.
//!
//! Every actor that has something for a session pushes it here, room and group fan-out included: one short lock, no
//! actor hop.
//! The session's writer drains it. Two parts:
//! - **reliable** (replies, events with stored messages, control): bounded in frames and bytes. Overflow means a slow
//!   consumer: the outbox closes with [`SLOW`] and gives its memory back at once; the client resumes from its cursor.
//! - **lossy** (barrage, command): four rings under one byte cap. Overflow evicts the oldest of the lowest class, and
//!   every message that goes this way is counted, by class.
//!
//! The liveness of a session is judged from outside through [`Outbox::last_progress`], because a socket that is not read
//! freezes its writer.

mod lossy;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytestring::ByteString;

use crate::clock::Clock;
use crate::protocol::CloseCode;

use lossy::{Rings, dropped_one, give_back};

pub(crate) use lossy::{Dropped, Dropped64, Lossy};

/// Close code of a consumer that does not keep up: its client reconnects and resumes.
const SLOW: u16 = CloseCode::Slow.number();

/// How much may wait for one session. Zero frames or bytes mean that nothing may.
///
/// `reliable_bytes_max` must hold the largest frame the broker sends, or that frame alone closes the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutboxLimits {
    /// The bytes of replies, stored messages and control.
    pub reliable_bytes_max: usize,
    /// The frames of the same.
    pub reliable_frames_max: usize,
    /// The bytes of barrage and command together; each frame counts at least
    /// [`LOSSY_FRAME_BYTES_MIN`](lossy::LOSSY_FRAME_BYTES_MIN).
    pub lossy_bytes_max: usize,
}

/// Whether a frame was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Push {
    /// The frame will be delivered, unless the session ends first.
    Queued,
    /// It will not be delivered: the outbox is closed, perhaps by this very push.
    Closed,
    /// It will not be delivered: it may be lost, and what waits already is of higher classes.
    Dropped,
}

/// What a call of [`Outbox::poll_drain`] took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drain {
    /// At least one frame was taken.
    Frames,
    /// Nothing is left and nothing will come: close the connection with this.
    Closed {
        /// The number in the close frame, see [`CloseCode`].
        code: u16,
        /// The reason, for people.
        reason: &'static str,
    },
}

/// When and why an outbox was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    /// The number in the close frame, see [`CloseCode`].
    pub code: u16,
    /// The reason, for people.
    pub reason: &'static str,
    /// The clock's `elapsed` at that moment.
    pub at: Duration,
}

/// What every push and every drain touches stands first and together: in a large room each outbox is cold when its
/// turn comes, and a line of memory costs more than the work done on it.
#[derive(Default)]
#[repr(C)]
struct State {
    /// Present only while the drain sleeps, so that a flood wakes it once and not per message.
    sleeper: Option<Waker>,
    last_progress: Duration,
    reliable_bytes: usize,
    /// Whether the close was handed to the drain: nothing waits any more.
    close_taken: bool,
    closed: Option<Box<Closed>>,
    lossy: Rings,
    reliable: VecDeque<ByteString>,
    /// Present while other frames must leave first: see [`Outbox::hold`].
    held: Option<VecDeque<ByteString>>,
    dropped_since: Dropped,
    dropped_total: Dropped64,
}

impl State {
    fn waiting_frames(&self) -> usize {
        self.reliable.len() + self.lossy.frames()
    }

    /// Returns whether there is anything the drain has not taken: frames, or the close itself.
    fn is_waiting(&self) -> bool {
        self.waiting_frames() > 0 || (self.closed.is_some() && !self.close_taken)
    }

    /// Restarts the reader's time when the first frame arrives: it does not count while nothing waits.
    fn arriving(&mut self, clock: &dyn Clock) {
        if !self.is_waiting() {
            self.last_progress = clock.elapsed();
        }
    }

    fn count(&mut self, dropped: Dropped) {
        if !dropped.is_empty() {
            self.dropped_total.add(dropped);
            self.dropped_since.add(dropped);
        }
    }

    fn drop_all(&mut self) {
        self.reliable = VecDeque::new();
        self.held = None;
        self.reliable_bytes = 0;
        let dropped = self.lossy.clear();
        self.count(dropped);
    }

    fn close(&mut self, code: u16, reason: &'static str, clock: &dyn Clock) {
        if self.closed.is_none() {
            self.arriving(clock);
            self.closed = Some(Box::new(Closed { code, reason, at: clock.elapsed() }));
        }
    }

    /// Moves up to `bytes_max` bytes, at least one frame, into `out`; returns how many frames.
    fn take(&mut self, bytes_max: usize, out: &mut Vec<ByteString>) -> usize {
        let (mut frames, mut bytes) = (0, 0usize);
        while let Some(front) = self.reliable.front() {
            if frames > 0 && bytes.saturating_add(front.len()) > bytes_max {
                return frames;
            }
            let Some(frame) = self.reliable.pop_front() else { break };
            frames += 1;
            bytes += frame.len();
            self.reliable_bytes -= frame.len();
            out.push(frame);
        }
        give_back(&mut self.reliable);
        while let Some(frame) = self.lossy.pop_within(if frames == 0 { usize::MAX } else { bytes_max.saturating_sub(bytes) }) {
            frames += 1;
            bytes += frame.len();
            out.push(frame);
        }
        frames
    }
}

/// The way to the outbox of a connection of another node, where limits, order and loss are decided.
pub(crate) trait FarOutbox: fmt::Debug + Send + Sync {
    /// Puts a frame on its way that must not be lost while the connection lives. `stored`: it carries stored messages, and its node
    /// adds the cursor.
    fn push(&self, frame: ByteString, stored: bool) -> Push;

    /// Puts a frame of so many messages on its way that may be lost; returns what was lost already.
    fn push_lossy(&self, class: Lossy, frame: ByteString, messages: u32) -> (Push, Dropped);

    /// Closes it.
    fn close(&self, code: u16);
}

/// The frames that wait for one session. Shared; each call takes one short lock and never waits for the reader.
pub(crate) struct Outbox {
    limits: OutboxLimits,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Set when this stands in for one of another node.
    far: Option<Box<dyn FarOutbox>>,
}

impl Outbox {
    /// Makes one that stands in for that of a connection of another node.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn far(far: Box<dyn FarOutbox>, clock: Arc<dyn Clock>) -> Self {
        let limits = OutboxLimits { reliable_bytes_max: 0, reliable_frames_max: 0, lossy_bytes_max: 0 };
        Self { far: Some(far), ..Self::new(limits, clock) }
    }

    /// Adds a frame that carries stored messages as [`Outbox::push`] does. Of a connection of another node it has no cursor yet.
    pub(crate) fn push_stored(&self, frame: ByteString) -> Push {
        match &self.far {
            Some(far) => far.push(frame, true),
            None => self.push(frame),
        }
    }

    /// Makes an empty, open outbox.
    #[must_use]
    pub(crate) fn new(limits: OutboxLimits, clock: Arc<dyn Clock>) -> Self {
        let state = State { last_progress: clock.elapsed(), ..State::default() };
        Self { limits, clock, state: Mutex::new(state), far: None }
    }

    /// Adds a frame that must not be lost while the session lives.
    ///
    /// When it does not fit, the outbox closes with [`SLOW`] and drops all its frames.
    pub(crate) fn push(&self, frame: ByteString) -> Push {
        if let Some(far) = &self.far {
            return far.push(frame, false);
        }
        let mut state = self.lock();
        let push = self.add(&mut state, frame);
        wake(state);
        push
    }

    /// Adds a frame as [`Outbox::push`] does, and leaves the writer asleep: the frame leaves with the next one, or after
    /// [`Outbox::wake_writer`]. So two frames cost one write to the socket.
    pub(crate) fn push_quietly(&self, frame: ByteString) -> Push {
        if let Some(far) = &self.far {
            return far.push(frame, false);
        }
        let mut state = self.lock();
        let push = self.add(&mut state, frame);
        if push == Push::Closed {
            wake(state);
        }
        push
    }

    /// Wakes the writer if frames wait for it.
    pub(crate) fn wake_writer(&self) {
        let state = self.lock();
        if state.waiting_frames() > 0 {
            wake(state);
        }
    }

    fn add(&self, state: &mut State, frame: ByteString) -> Push {
        if state.closed.is_some() {
            return Push::Closed;
        }
        let bytes = state.reliable_bytes.saturating_add(frame.len());
        let frames = state.reliable.len() + state.held.as_ref().map_or(0, VecDeque::len);
        let fits = bytes <= self.limits.reliable_bytes_max && frames < self.limits.reliable_frames_max;
        if fits {
            state.arriving(&*self.clock);
            state.reliable_bytes = bytes;
            state.held.as_mut().unwrap_or(&mut state.reliable).push_back(frame);
            return Push::Queued;
        }
        state.close(SLOW, "slow consumer", &*self.clock);
        state.drop_all();
        Push::Closed
    }

    /// Keeps back every reliable frame pushed from now on, so that the frames given to [`Outbox::release`] leave before
    /// them. Frames kept back count like those that wait. Lossy frames go on: they have no order with stored messages.
    pub(crate) fn hold(&self) {
        self.lock().held.get_or_insert_default();
    }

    /// Adds frames and behind them all that were kept back since [`Outbox::hold`].
    ///
    /// When they do not fit together, the outbox closes with [`SLOW`] as in [`Outbox::push`].
    pub(crate) fn release(&self, first: Vec<ByteString>) -> Push {
        let mut state = self.lock();
        if state.closed.is_some() {
            return Push::Closed;
        }
        let held = state.held.take().unwrap_or_default();
        // Those kept back are in the sum already.
        let bytes = first.iter().fold(state.reliable_bytes, |sum, frame| sum.saturating_add(frame.len()));
        let frames = state.reliable.len() + first.len() + held.len();
        let fits = bytes <= self.limits.reliable_bytes_max && frames <= self.limits.reliable_frames_max;
        if fits {
            state.arriving(&*self.clock);
            state.reliable_bytes = bytes;
            state.reliable.extend(first);
            state.reliable.extend(held);
        } else {
            state.close(SLOW, "slow consumer", &*self.clock);
            state.drop_all();
        }
        wake(state);
        if fits { Push::Queued } else { Push::Closed }
    }

    /// Adds a frame of `messages` messages that may be lost, and returns what was lost for it, itself included.
    ///
    /// A frame that would not fit even with all lower and equal classes gone is dropped alone. On a closed outbox the
    /// frame is dropped and counted.
    pub(crate) fn push_lossy(&self, class: Lossy, frame: ByteString, messages: u32) -> (Push, Dropped) {
        if let Some(far) = &self.far {
            return far.push_lossy(class, frame, messages);
        }
        let mut state = self.lock();
        let (push, dropped) = if state.closed.is_some() {
            (Push::Closed, dropped_one(class, messages))
        } else {
            state.arriving(&*self.clock);
            state.lossy.push(class, frame, messages, self.limits.lossy_bytes_max)
        };
        state.count(dropped);
        if state.lossy.frames() > 0 {
            wake(state);
        }
        (push, dropped)
    }

    /// Refuses new frames; those that wait are still delivered, then the connection closes with `code`. The first close
    /// wins.
    pub(crate) fn close(&self, code: u16, reason: &'static str) {
        if let Some(far) = &self.far {
            return far.close(code);
        }
        let mut state = self.lock();
        state.close(code, reason, &*self.clock);
        wake(state);
    }

    /// Closes and drops what waits: for a connection that is gone, or whose reader is given up. The first close's code
    /// stays.
    pub(crate) fn discard(&self, code: u16, reason: &'static str) {
        let mut state = self.lock();
        state.close(code, reason, &*self.clock);
        state.drop_all();
        wake(state);
    }

    /// Moves frames that wait into `out`, up to `bytes_max` bytes but at least one frame: reliable frames first, then
    /// commands, then barrages from high to low. [`Drain::Closed`] comes when nothing is left, and again on each call.
    ///
    /// One drain per outbox: `Pending` keeps the waker of the last caller only.
    pub(crate) fn poll_drain(&self, cx: &mut Context<'_>, bytes_max: usize, out: &mut Vec<ByteString>) -> Poll<Drain> {
        // Whoever polls is awake. A waker's drop may run foreign code: declared before the lock, it goes after it.
        let _stale;
        let mut state = self.lock();
        _stale = state.sleeper.take();
        if state.take(bytes_max, out) > 0 {
            state.last_progress = self.clock.elapsed();
            return Poll::Ready(Drain::Frames);
        }
        if let Some(Closed { code, reason, .. }) = state.closed.as_deref().copied() {
            state.close_taken = true;
            return Poll::Ready(Drain::Closed { code, reason });
        }
        // Emptiness was checked under the lock that every push takes, so no push falls between it and this line.
        state.sleeper = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Returns the bytes that wait now; a lossy frame counts at least
    /// [`LOSSY_FRAME_BYTES_MIN`](lossy::LOSSY_FRAME_BYTES_MIN).
    #[must_use]
    pub(crate) fn waiting_bytes(&self) -> usize {
        let state = self.lock();
        state.reliable_bytes + state.lossy.bytes()
    }

    /// Returns how many frames wait now.
    #[must_use]
    pub(crate) fn waiting_frames(&self) -> usize {
        self.lock().waiting_frames()
    }

    /// Returns how many messages were dropped since the outbox was made.
    #[must_use]
    pub(crate) fn dropped_total(&self) -> Dropped64 {
        self.lock().dropped_total
    }

    /// Counts messages dropped elsewhere on this session's account, so that its client is told of them.
    pub(crate) fn note_dropped(&self, dropped: Dropped) {
        self.lock().count(dropped);
    }

    /// Returns how many messages were dropped since the last call; `None` if there were none. For the event that tells
    /// the client.
    #[must_use]
    pub(crate) fn take_dropped_since_last(&self) -> Option<Dropped> {
        let dropped = mem::take(&mut self.lock().dropped_since);
        (!dropped.is_empty()).then_some(dropped)
    }

    /// Returns when the drain last took a frame, or the outbox was last empty, whichever is later, as the clock's
    /// `elapsed`. While nothing waits that is now. A close that was not taken yet counts as waiting.
    #[must_use]
    pub(crate) fn last_progress(&self) -> Duration {
        let state = self.lock();
        if state.is_waiting() { state.last_progress } else { self.clock.elapsed() }
    }

    /// Returns whether it was closed; frames may still wait.
    #[must_use]
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    /// Returns when and why it was closed, if it was.
    #[must_use]
    pub(crate) fn closed(&self) -> Option<Closed> {
        self.lock().closed.as_deref().copied()
    }

    /// Locks the state. Every critical section leaves it whole, so a panic elsewhere under the lock does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the drain if it sleeps, after the lock is given back.
fn wake(mut state: MutexGuard<'_, State>) {
    let sleeper = state.sleeper.take();
    drop(state);
    if let Some(waker) = sleeper {
        waker.wake();
    }
}

impl fmt::Debug for Outbox {
    /// Writes sizes only: the frames are users' messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Outbox")
            .field("waiting_frames", &state.waiting_frames())
            .field("reliable_bytes", &state.reliable_bytes)
            .field("lossy_bytes", &state.lossy.bytes())
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}
