//! Answers to calls of the server API that are given again. They are in memory, and, where brokers share a store, beside it: the one
//! that takes over gives them, too.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::model::Refusal;
use crate::store::{KeptAnswer, SharedState, StoreError};

/// The caller's name, and the `Idempotency-Key` it sent.
pub(crate) type IdempotencyKey = (String, String);

/// A response that is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedResponse {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// What is known of a call that came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// It is under way.
    InProgress,
    /// The same name came with another call.
    Mismatch,
    /// It was carried out and answered so.
    Answered(CachedResponse),
}

/// How many answers are kept, and for how long.
pub(crate) type AnswerBounds = (usize, Duration);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct KeptAnswers {
    cache: IdempotencyCache,
    shared: Option<Arc<dyn SharedState>>,
}

impl KeptAnswers {
    pub(super) fn new(shared: Option<Arc<dyn SharedState>>) -> Self {
        Self { cache: IdempotencyCache::default(), shared }
    }

    /// Begins a call that did not come before. `fingerprint` is a hash of everything it says.
    ///
    /// # Errors
    /// [`Refusal`]: whether it was carried out before cannot be found out now.
    pub(crate) async fn begin(
        &self,
        name: IdempotencyKey,
        fingerprint: [u8; 32],
        clock: &dyn Clock,
        bounds: AnswerBounds,
    ) -> Result<Result<PendingCall<'_>, Earlier>, Refusal> {
        if let Some(earlier) = self.cache.begin(&name, fingerprint, clock.elapsed(), bounds) {
            return Ok(Err(earlier));
        }
        let pending = PendingCall { answers: self, name, fingerprint, is_open: true };
        let Some(shared) = self.shared.clone() else { return Ok(Ok(pending)) };
        let ((caller, key), now_ms) = (pending.name.clone(), clock.wall_ms());
        Ok(match in_background(move || shared.answer(&caller, &key, now_ms)).await? {
            None => Ok(pending),
            Some(kept) if kept.fingerprint != fingerprint => Err(Earlier::Mismatch),
            Some(KeptAnswer { status, content_type, body, .. }) => Err(Earlier::Answered(CachedResponse { status, content_type, body })),
        })
    }
}

/// A call that is being carried out. Dropped before its end, as with its connection, it may have been carried out or not: the next
/// call of its key finds out.
pub(crate) struct PendingCall<'a> {
    answers: &'a KeptAnswers,
    name: IdempotencyKey,
    fingerprint: [u8; 32],
    is_open: bool,
}

impl PendingCall<'_> {
    /// Ends the call, with a response to give again.
    pub(crate) async fn keep(mut self, response: CachedResponse, clock: &dyn Clock, (max, keep): AnswerBounds) {
        self.is_open = false;
        self.answers.cache.end(&self.name, Some(response.clone()));
        let Some(shared) = self.answers.shared.clone() else { return };
        let ((caller, key), CachedResponse { status, content_type, body }) = (self.name.clone(), response);
        let now_ms = clock.wall_ms();
        let ends_ms = now_ms.saturating_add(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
        let answer = KeptAnswer { caller, key, fingerprint: self.fingerprint.to_vec(), status, content_type, body, ends_ms };
        if let Err(refusal) = in_background(move || shared.keep_answer(answer, now_ms, max)).await {
            tracing::warn!(%refusal, "an answer is kept in memory alone: a broker that takes over would carry the call out again");
        }
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.answers.cache.end(&self.name, None);
        }
    }
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Busy("the broker is shutting down"))?;
    done.map_err(Refusal::from)
}

#[derive(Debug)]
struct Call {
    fingerprint: [u8; 32],
    began: Duration,
    answer: Option<CachedResponse>,
}

/// Remembers the responses of calls that may be repeated. It is bounded: the oldest are forgotten.
#[derive(Debug, Default)]
struct IdempotencyCache {
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    by_name: HashMap<IdempotencyKey, Call>,
    /// Oldest first, with when each began.
    order: VecDeque<(Duration, IdempotencyKey)>,
}

impl IdempotencyCache {
    /// Begins a call, unless it came before. `fingerprint` is a hash of everything it says.
    fn begin(&self, name: &IdempotencyKey, fingerprint: [u8; 32], now: Duration, (max, keep): AnswerBounds) -> Option<Earlier> {
        let Calls { by_name: calls, order } = &mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        while order.front().is_some_and(|(began, _)| order.len() > max || *began + keep <= now) {
            if let Some((began, oldest)) = order.pop_front()
                && calls.get(&oldest).is_some_and(|call| call.began == began)
            {
                calls.remove(&oldest);
            }
        }
        match calls.get(name) {
            Some(call) if call.fingerprint != fingerprint => Some(Earlier::Mismatch),
            Some(Call { answer: Some(answer), .. }) => Some(Earlier::Answered(answer.clone())),
            Some(_) => Some(Earlier::InProgress),
            None => {
                calls.insert(name.clone(), Call { fingerprint, began: now, answer: None });
                order.push_back((now, name.clone()));
                None
            }
        }
    }

    /// Ends a call, with a response to give again or, in a way that a repetition may change, with `None`.
    fn end(&self, name: &IdempotencyKey, answer: Option<CachedResponse>) {
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
        assert_eq!(cache.begin(&name("a"), [1; 32], at(0), BOUNDS), None);
        assert_eq!(cache.begin(&name("a"), [1; 32], at(0), BOUNDS), Some(Earlier::InProgress));
        cache.end(&name("a"), Some(answer()));
        assert_eq!(cache.begin(&name("a"), [1; 32], at(59), BOUNDS), Some(Earlier::Answered(answer())));
        assert_eq!(cache.begin(&name("a"), [2; 32], at(59), BOUNDS), Some(Earlier::Mismatch));
        assert_eq!(cache.begin(&("other".into(), "a".into()), [2; 32], at(59), BOUNDS), None);
        assert_eq!(cache.begin(&name("a"), [2; 32], at(60), BOUNDS), None, "forgotten");
    }

    #[test]
    fn a_failed_call_may_be_repeated_and_the_oldest_is_forgotten_first() {
        let cache = IdempotencyCache::default();
        for key in ["a", "b", "c", "d"] {
            assert_eq!(cache.begin(&name(key), [1; 32], Duration::ZERO, BOUNDS), None);
        }
        assert_eq!(cache.begin(&name("a"), [1; 32], Duration::ZERO, BOUNDS), None);
        cache.end(&name("d"), None);
        assert_eq!(cache.begin(&name("d"), [2; 32], Duration::ZERO, BOUNDS), None);
    }
}
