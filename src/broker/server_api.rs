//! What calls of backends share: keys, quotas, answers that were given before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::auth::ApiKeyRing;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::Refusal;
use crate::rate::{CallGate, GateQuota, RollingCap};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What one broker keeps of the server API from call to call.
#[derive(Debug)]
pub(crate) struct ServerApiState {
    pub(crate) keys: ApiKeyRing,
    pub(crate) calls: CallGate,
    pub(crate) idempotency: IdempotencyCache,
    broadcasts_of_second: RollingCap,
    broadcasts_of_day: RollingCap,
}

impl ServerApiState {
    pub(super) fn new(config: &Config, clock: &Arc<dyn Clock>) -> Self {
        Self {
            keys: ApiKeyRing::new(&config.server.data_dir),
            calls: CallGate::new(calls(config), clock.clone()),
            idempotency: IdempotencyCache::default(),
            broadcasts_of_second: RollingCap::new(SECOND),
            broadcasts_of_day: RollingCap::new(DAY),
        }
    }

    /// Takes the quotas of another configuration.
    pub(super) fn reconfigure(&self, config: &Config) {
        self.calls.set(calls(config));
    }

    /// Takes one broadcast from both quotas. Source: ZIM server API reference, `SendMessageToAllUsers`.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    pub(crate) fn charge_broadcast(&self, config: &Config, now: Duration) -> Result<(), Refusal> {
        // The second's first: what is taken from it in vain comes back soon.
        let refused = |retry: crate::rate::RetryAfter| Refusal::RateLimited { retry_after_ms: retry.ms };
        self.broadcasts_of_second.check(now, config.api.broadcasts_per_second).map_err(refused)?;
        self.broadcasts_of_day.check(now, config.api.broadcasts_per_day).map_err(refused)
    }
}

fn calls(config: &Config) -> GateQuota {
    GateQuota::per_second(config.api.requests_per_second, config.api.requests_burst)
}

/// The caller's name, and the `Idempotency-Key` it sent.
pub(crate) type IdempotencyKey = (String, String);

/// A response that is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedResponse {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// What is known of a call when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// Nothing: carry it out, then say how it ended by [`IdempotencyCache::end`].
    None,
    /// It is under way.
    InProgress,
    /// The same name came with another call.
    Mismatch,
    /// It was carried out and answered so.
    Answered(CachedResponse),
}

#[derive(Debug)]
struct Call {
    fingerprint: [u8; 32],
    began: Duration,
    answer: Option<CachedResponse>,
}

/// Remembers the responses of calls that may be repeated. It is bounded: the oldest are forgotten.
#[derive(Debug, Default)]
pub(crate) struct IdempotencyCache {
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    by_name: HashMap<IdempotencyKey, Call>,
    /// Oldest first, with when each began.
    order: VecDeque<(Duration, IdempotencyKey)>,
}

impl IdempotencyCache {
    /// Begins a call. `fingerprint` is a hash of everything it says; the bounds are how many calls are remembered, and for how long.
    pub(crate) fn begin(&self, name: &IdempotencyKey, fingerprint: [u8; 32], now: Duration, (max, keep): (usize, Duration)) -> Earlier {
        let Calls { by_name: calls, order } = &mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        while order.front().is_some_and(|(began, _)| order.len() > max || *began + keep <= now) {
            if let Some((began, oldest)) = order.pop_front()
                && calls.get(&oldest).is_some_and(|call| call.began == began)
            {
                calls.remove(&oldest);
            }
        }
        match calls.get(name) {
            Some(call) if call.fingerprint != fingerprint => Earlier::Mismatch,
            Some(Call { answer: Some(answer), .. }) => Earlier::Answered(answer.clone()),
            Some(_) => Earlier::InProgress,
            None => {
                calls.insert(name.clone(), Call { fingerprint, began: now, answer: None });
                order.push_back((now, name.clone()));
                Earlier::None
            }
        }
    }

    /// Ends a call, with a response to give again or, in a way that a repetition may change, with `None`.
    pub(crate) fn end(&self, name: &IdempotencyKey, answer: Option<CachedResponse>) {
        let calls = &mut self.calls.lock().unwrap_or_else(PoisonError::into_inner).by_name;
        match answer {
            Some(answer) => {
                if let Some(call) = calls.get_mut(name) {
                    call.answer = Some(answer);
                }
            }
            None => {
                calls.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: (usize, Duration) = (2, Duration::from_secs(60));

    fn name(key: &str) -> IdempotencyKey {
        ("backend".into(), key.into())
    }

    fn answer() -> CachedResponse {
        CachedResponse { status: 200, content_type: "application/json".into(), body: b"{}".to_vec() }
    }

    #[test]
    fn an_answer_is_given_again_for_the_same_call_only() {
        let cache = IdempotencyCache::default();
        let at = Duration::from_secs;
        assert_eq!(cache.begin(&name("a"), [1; 32], at(0), BOUNDS), Earlier::None);
        assert_eq!(cache.begin(&name("a"), [1; 32], at(0), BOUNDS), Earlier::InProgress);
        cache.end(&name("a"), Some(answer()));
        assert_eq!(cache.begin(&name("a"), [1; 32], at(59), BOUNDS), Earlier::Answered(answer()));
        assert_eq!(cache.begin(&name("a"), [2; 32], at(59), BOUNDS), Earlier::Mismatch);
        assert_eq!(cache.begin(&("other".into(), "a".into()), [2; 32], at(59), BOUNDS), Earlier::None);
        assert_eq!(cache.begin(&name("a"), [2; 32], at(60), BOUNDS), Earlier::None, "forgotten");
    }

    #[test]
    fn a_failed_call_may_be_repeated_and_the_oldest_is_forgotten_first() {
        let cache = IdempotencyCache::default();
        for key in ["a", "b", "c", "d"] {
            assert_eq!(cache.begin(&name(key), [1; 32], Duration::ZERO, BOUNDS), Earlier::None);
        }
        assert_eq!(cache.begin(&name("a"), [1; 32], Duration::ZERO, BOUNDS), Earlier::None);
        cache.end(&name("d"), None);
        assert_eq!(cache.begin(&name("d"), [2; 32], Duration::ZERO, BOUNDS), Earlier::None);
    }
}
