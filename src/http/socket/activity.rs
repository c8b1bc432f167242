//! What one socket does while the HTTP layer has it, as seen from outside: whether it was answered, whether it takes what is
//! written, and the way to cut it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Context;
use std::time::Duration;

use futures_util::task::AtomicWaker;

use crate::actors::connection::Socket;
use crate::clock::Clock;
use crate::metrics::SocketCut;

/// Stands for "no time" among milliseconds.
const NEVER: u64 = u64::MAX;

/// Begins an answer that is none yet. Source: RFC 9110, 15.2.
const INTERIM: &[u8] = b"HTTP/1.1 1";

/// Requests that may wait for their answer on one connection. The HTTP layer takes every request it finds in its buffer, and each
/// costs kilobytes, whatever its head has. Our choice: browsers and proxies send one at a time.
const UNANSWERED_MAX: usize = 2;

/// Shared by the socket's task, which notes, and those who judge.
#[derive(Debug)]
pub(in crate::http) struct Activity {
    clock: Arc<dyn Clock>,
    opened_ms: AtomicU64,
    /// When the socket last took bytes; `NEVER` before it did.
    written_ms: AtomicU64,
    /// Since when it takes none although some wait; `NEVER` while it takes them.
    blocked_ms: AtomicU64,
    written: AtomicU64,
    /// Bytes of bodies that the HTTP layer was given; at least `written` whenever a body begins.
    handed_on: AtomicU64,
    /// Heads of requests that were read, and not answered yet.
    unanswered: AtomicUsize,
    /// Someone reads the body of the newest request: what comes is that, and no head.
    reads_body: AtomicBool,
    is_answered: AtomicBool,
    is_authenticated: AtomicBool,
    is_cut: AtomicBool,
    /// The task that reads and writes the socket.
    owner: AtomicWaker,
    /// A body that waits until the socket took what was written before.
    body: AtomicWaker,
    /// How to cut it since it is a WebSocket, which another task owns.
    taken_over: OnceLock<Box<dyn Socket>>,
}

impl Activity {
    pub(in crate::http) fn new(clock: Arc<dyn Clock>) -> Self {
        let opened_ms = ms(clock.elapsed());
        Self {
            clock,
            opened_ms: AtomicU64::new(opened_ms),
            written_ms: AtomicU64::new(NEVER),
            blocked_ms: AtomicU64::new(NEVER),
            written: AtomicU64::new(0),
            handed_on: AtomicU64::new(0),
            unanswered: AtomicUsize::new(0),
            reads_body: AtomicBool::new(false),
            is_answered: AtomicBool::new(false),
            is_authenticated: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            owner: AtomicWaker::new(),
            body: AtomicWaker::new(),
            taken_over: OnceLock::new(),
        }
    }

    /// Begins its time: it waited for a place until now.
    pub(super) fn begin(&self) {
        self.opened_ms.store(ms(self.clock.elapsed()), Ordering::Relaxed);
    }

    /// Begins a body: what was written of heads is no credit for it.
    pub(in crate::http) fn begin_body(&self) {
        self.handed_on.fetch_max(self.written.load(Ordering::Acquire), Ordering::Relaxed);
    }

    /// Notes that the HTTP layer was given so many bytes of a body.
    pub(in crate::http) fn hand_on(&self, bytes: usize) {
        self.handed_on.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Returns how many bytes the HTTP layer has of bodies, of the ones before too, that the socket did not take yet.
    pub(in crate::http) fn ahead(&self) -> usize {
        let ahead = self.handed_on.load(Ordering::Relaxed).saturating_sub(self.written.load(Ordering::Acquire));
        usize::try_from(ahead).unwrap_or(usize::MAX)
    }

    /// Wakes the task of `cx` when the socket takes more.
    pub(in crate::http) fn wake_when_written(&self, cx: &Context<'_>) {
        self.body.register(cx.waker());
    }

    /// Returns what of the socket may be read now.
    pub(super) fn readable(&self) -> Readable {
        match self.reads_body.load(Ordering::Acquire) {
            true => Readable::Anything,
            false if self.unanswered.load(Ordering::Acquire) < UNANSWERED_MAX => Readable::OneHead,
            false => Readable::Nothing,
        }
    }

    /// Notes that the head of a request was read.
    pub(super) fn read_head(&self) {
        self.unanswered.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that the body of the newest request is wanted.
    pub(in crate::http) fn expect_body(&self) {
        self.reads_body.store(true, Ordering::Release);
        self.owner.wake();
    }

    /// Notes that the oldest request has its answer, which is to be written.
    pub(in crate::http) fn answer_one(&self) {
        self.reads_body.store(false, Ordering::Release);
        let one_less = |count: usize| count.checked_sub(1);
        let _none_was_open = self.unanswered.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).is_err();
        self.owner.wake();
    }

    /// Notes that the socket took these bytes.
    pub(in crate::http) fn wrote(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.written_ms.store(ms(self.clock.elapsed()), Ordering::Relaxed);
        self.blocked_ms.store(NEVER, Ordering::Relaxed);
        self.written.fetch_add(bytes.len() as u64, Ordering::Release);
        if !bytes.starts_with(INTERIM) {
            self.is_answered.store(true, Ordering::Relaxed);
        }
        self.body.wake();
    }

    /// Notes that bytes wait which the socket does not take.
    pub(super) fn blocked(&self) {
        let now = ms(self.clock.elapsed());
        let _blocked_before = self.blocked_ms.compare_exchange(NEVER, now, Ordering::Relaxed, Ordering::Relaxed).is_err();
    }

    /// Checks that the socket was not cut, and has its task woken if it is.
    ///
    /// # Errors
    /// It was cut.
    pub(super) fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        self.owner.register(cx.waker());
        if self.is_cut() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    /// Ends the connection, whatever its task waits for.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.owner.wake();
        self.body.wake();
        if let Some(socket) = self.taken_over.get() {
            socket.abort();
        }
    }

    /// Notes that it is a WebSocket from now on, which is not answered before it logs in.
    pub(super) fn take_over(&self, socket: Box<dyn Socket>) {
        self.is_answered.store(false, Ordering::Relaxed);
        let _first = self.taken_over.set(socket).is_ok();
    }

    /// Says whether it is a WebSocket: the reaper judges those.
    pub(super) fn is_websocket(&self) -> bool {
        self.taken_over.get().is_some()
    }

    /// Notes that whoever is at its other end proved who it is.
    pub(super) fn mark_authenticated(&self) {
        self.expect_body();
        self.is_authenticated.store(true, Ordering::Relaxed);
    }

    /// Says whether it got an answer, or its head at least.
    pub(super) fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Relaxed)
    }

    /// Returns for how long nothing was written to it; of one that was never written to, for how long it is open.
    pub(super) fn quiet_for(&self, now: Duration) -> Duration {
        let written_ms = Some(self.written_ms.load(Ordering::Relaxed)).filter(|at| *at != NEVER).unwrap_or(0);
        let since = written_ms.max(self.opened_ms.load(Ordering::Relaxed));
        now.saturating_sub(Duration::from_millis(since))
    }

    /// Returns for how long it is open.
    pub(super) fn open_for(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_millis(self.opened_ms.load(Ordering::Relaxed)))
    }

    /// Says why the socket is to be cut now, if it is.
    pub(super) fn overdue(&self, now: Duration, deadlines: &Deadlines) -> Option<SocketCut> {
        let blocked_ms = self.blocked_ms.load(Ordering::Relaxed);
        if blocked_ms != NEVER && now.saturating_sub(Duration::from_millis(blocked_ms)) >= deadlines.stalled {
            return Some(SocketCut::SlowReader);
        }
        let is_known = self.is_authenticated.load(Ordering::Relaxed);
        (!is_known && self.quiet_for(now) >= deadlines.unanswered).then_some(SocketCut::NoRequest)
    }
}

/// What of a socket may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readable {
    /// Nothing: too many requests wait for their answer.
    Nothing,
    /// Up to the end of one head.
    OneHead,
    Anything,
}

/// Finds where the heads of requests end: behind an empty line. The HTTP layer takes lines that end without a carriage return, too.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    is_line_begin: bool,
}

impl HeadScan {
    /// Looks at the next bytes of the socket. Returns how many of them belong to a head that ends in them.
    pub(super) fn end_of_head(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if self.is_line_begin => {
                    self.is_line_begin = false;
                    return Some(at + 1);
                }
                b'\n' => self.is_line_begin = true,
                b'\r' => {}
                _ => self.is_line_begin = false,
            }
        }
        None
    }
}

/// How long a socket may stand still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// Without taking anything of what waits for it.
    pub stalled: Duration,
    /// Without an answer, or anything more after it, unless its other end proved who it is.
    pub unanswered: Duration,
}

fn ms(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(NEVER - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const S: Duration = Duration::from_secs(1);
    const DEADLINES: Deadlines = Deadlines { stalled: Duration::from_secs(20), unanswered: Duration::from_secs(30) };

    fn activity() -> (Arc<ManualClock>, Activity) {
        let clock = Arc::new(ManualClock::at(0));
        (clock.clone(), Activity::new(clock))
    }

    #[test]
    fn who_asks_nothing_is_overdue_and_each_answer_starts_the_time_anew() {
        let (clock, activity) = activity();
        clock.advance(29 * S);
        assert_eq!(activity.overdue(clock.elapsed(), &DEADLINES), None);
        clock.advance(S);
        assert_eq!(activity.overdue(clock.elapsed(), &DEADLINES), Some(SocketCut::NoRequest));
        activity.wrote(b"HTTP/1.1 200 OK");
        assert_eq!(activity.overdue(clock.elapsed(), &DEADLINES), None);
        clock.advance(30 * S);
        assert_eq!(activity.overdue(clock.elapsed(), &DEADLINES), Some(SocketCut::NoRequest));
        activity.mark_authenticated();
        assert_eq!(activity.overdue(clock.elapsed(), &DEADLINES), None);
    }

    #[test]
    fn who_does_not_read_is_overdue_whoever_it_is() {
        let (clock, activity) = activity();
        activity.mark_authenticated();
        activity.blocked();
        clock.advance(10 * S);
        activity.blocked();
        clock.advance(10 * S);
        assert_eq!(activity.overdue(clock.elapsed(), &DEADLINES), Some(SocketCut::SlowReader));
        activity.wrote(b"a little");
        assert_eq!(activity.overdue(clock.elapsed(), &DEADLINES), None);
    }

    #[test]
    fn heads_are_found_however_they_are_cut_and_lines_end() {
        let stream = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\nHost: x\n\nGET";
        let mut scan = HeadScan::default();
        assert_eq!(scan.end_of_head(stream), Some(27));
        assert_eq!(scan.end_of_head(&stream[27..]), Some(24));
        assert_eq!(scan.end_of_head(&stream[51..]), None);
        let mut scan = HeadScan::default();
        let ends = stream.iter().enumerate().filter_map(|(at, byte)| scan.end_of_head(&[*byte]).map(|_| at + 1));
        assert_eq!(ends.collect::<Vec<_>>(), [27, 51]);
    }

    #[test]
    fn no_more_heads_are_read_than_may_wait_for_an_answer() {
        let (_, activity) = activity();
        for _ in 0..UNANSWERED_MAX {
            assert_eq!(activity.readable(), Readable::OneHead);
            activity.read_head();
        }
        assert_eq!(activity.readable(), Readable::Nothing);
        activity.expect_body();
        assert_eq!(activity.readable(), Readable::Anything);
        activity.answer_one();
        assert_eq!(activity.readable(), Readable::OneHead);
    }

    #[test]
    fn an_interim_answer_is_none() {
        let (_, activity) = activity();
        activity.wrote(b"HTTP/1.1 100 Continue\r\n\r\n");
        assert!(!activity.is_answered());
        activity.wrote(b"HTTP/1.1 404 Not Found\r\n");
        assert!(activity.is_answered());
    }
}
