//! How long a commit waits for company.
//!
//! Small commits are what a stored message costs: each forces the disk once, whatever it holds. While one commit runs the next
//! gathers by itself; that is enough when much comes. In between, when single messages come so fast that the writer would be busy
//! with one after the other, a commit waits a moment for more of them. It never does at low rates, and it stops doing it where
//! nobody comes: senders that wait for their answers before they go on send nothing meanwhile.

use std::time::Duration;

/// A commit of this many jobs does not begin to wait: most of what company would spare is spared already.
const JOBS_SMALL: usize = 8;
/// A wait ends when so many jobs are there.
pub(crate) const JOBS_ENOUGH: usize = 64;
/// The share of the time that the writer would be busy with single jobs, above which it pays to wait.
const BUSY_SHARE: f64 = 1.0 / 3.0;
/// What lies further back counts less: by a third after this time.
const MEMORY: Duration = Duration::from_millis(50);
/// After a pause of this many usual distances between two jobs nobody else is expected.
const PAUSE_JOBS: f64 = 2.0;
/// The shortest pause that ends a wait.
const PAUSE_MIN: Duration = Duration::from_micros(100);
/// So many waits in vain, one after the other, are followed by a rest.
const VAIN_MAX: u32 = 4;
/// Commits without a wait, until it is tried again.
const REST_COMMITS: u32 = 64;

/// How a commit waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// In all.
    pub total: Duration,
    /// For the next job.
    pub pause: Duration,
}

/// What the last commits tell. Times are those of the monotonic clock.
#[derive(Debug)]
pub(crate) struct Gather {
    longest: Duration,
    /// Jobs, and the time in which they came; both fade.
    jobs: f64,
    seconds: f64,
    /// What a commit takes, as a mean that follows.
    commit_seconds: f64,
    last_end: Option<Duration>,
    vain: u32,
    rest: u32,
}

impl Gather {
    /// Begins without experience. `longest`: no commit waits longer; zero: none waits.
    pub(crate) fn new(longest: Duration) -> Self {
        Self { longest, jobs: 0.0, seconds: 0.0, commit_seconds: 0.0, last_end: None, vain: 0, rest: 0 }
    }

    /// Returns how a commit waits that has so many jobs; none: it does not.
    pub(crate) fn wait(&mut self, jobs: usize) -> Option<Wait> {
        if self.longest.is_zero() || jobs >= JOBS_SMALL || self.seconds <= 0.0 {
            return None;
        }
        let per_second = self.jobs / self.seconds;
        if per_second * self.commit_seconds <= BUSY_SHARE {
            return None;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        let pause = Duration::from_secs_f64(PAUSE_JOBS / per_second).clamp(PAUSE_MIN, self.longest.max(PAUSE_MIN));
        Some(Wait { total: self.longest, pause })
    }

    /// Notes what a wait brought.
    pub(crate) fn waited(&mut self, gained: usize) {
        self.vain = if gained > 0 { 0 } else { self.vain + 1 };
        if self.vain >= VAIN_MAX {
            (self.vain, self.rest) = (0, REST_COMMITS);
        }
    }

    /// Notes a commit.
    pub(crate) fn committed(&mut self, jobs: usize, began: Duration, ended: Duration) {
        let took = ended.saturating_sub(began).as_secs_f64();
        self.commit_seconds = if self.commit_seconds > 0.0 { self.commit_seconds * 0.9 + took * 0.1 } else { took };
        if let Some(last_end) = self.last_end.replace(ended) {
            let since = ended.saturating_sub(last_end).as_secs_f64();
            let fade = (-since / MEMORY.as_secs_f64()).exp();
            #[expect(clippy::cast_precision_loss, reason = "a few hundred jobs")]
            let came = jobs as f64;
            self.jobs = self.jobs * fade + came;
            self.seconds = self.seconds * fade + since;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_millis(2);
    const COMMIT: Duration = Duration::from_micros(400);

    /// Commits of so many jobs, one after the other, at a rate; how the next would wait.
    fn after(per_second: u64, jobs: usize, longest: Duration) -> (Gather, Option<Wait>) {
        let mut gather = Gather::new(longest);
        let every = Duration::from_secs_f64(jobs as f64 / per_second as f64);
        for n in 1..200u32 {
            gather.committed(jobs, every * n, every * n + COMMIT);
        }
        let wait = gather.wait(1);
        (gather, wait)
    }

    #[test]
    fn nothing_waits_without_experience_at_low_rates_or_when_told_not_to() {
        assert_eq!(Gather::new(MAX).wait(1), None);
        assert_eq!(after(100, 1, MAX).1, None);
        assert_eq!(after(800, 1, MAX).1, None);
        assert_eq!(after(3_000, 2, Duration::ZERO).1, None);
    }

    #[test]
    fn single_messages_that_keep_the_writer_busy_wait_for_company_until_there_is_enough() {
        let (mut gather, wait) = after(3_000, 2, MAX);
        let wait = wait.unwrap();
        assert_eq!(wait.total, MAX);
        assert!(wait.pause > Duration::from_micros(500) && wait.pause < Duration::from_micros(800), "{wait:?}");
        assert!(gather.wait(JOBS_SMALL - 1).is_some());
        assert_eq!(gather.wait(JOBS_SMALL), None);
        // Larger commits take part of the load off: it goes on waiting all the same.
        assert!(after(3_000, 6, MAX).1.is_some());
    }

    #[test]
    fn the_pause_that_ends_a_wait_is_never_longer_than_the_wait() {
        let slow_disk = |per_second: u64| {
            let mut gather = Gather::new(MAX);
            let every = Duration::from_secs_f64(1.0 / per_second as f64);
            (1..200u32).for_each(|n| gather.committed(1, every * n, every * n + Duration::from_millis(20)));
            gather.wait(1).unwrap()
        };
        assert_eq!(slow_disk(50), Wait { total: MAX, pause: MAX });
        assert_eq!(slow_disk(1_000_000).pause, PAUSE_MIN);
    }

    #[test]
    fn where_nobody_comes_it_stops_and_tries_again_later() {
        let (mut gather, _) = after(3_000, 2, MAX);
        for _ in 0..VAIN_MAX {
            assert!(gather.wait(1).is_some());
            gather.waited(0);
        }
        for n in 0..REST_COMMITS {
            assert_eq!(gather.wait(1), None, "{n}");
        }
        assert!(gather.wait(1).is_some());
        gather.waited(3);
        (1..VAIN_MAX).for_each(|_| gather.waited(0));
        assert!(gather.wait(1).is_some(), "one that gained begins the count anew");
    }
}
