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

/// What is known of a call when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// Nothing: carry it out, then say how it ended by [`KeptAnswers::end`].
    None,
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

    /// Begins a call. `fingerprint` is a hash of everything it says. What is told but [`Earlier::None`] ends it.
    ///
    /// # Errors
    /// [`Refusal`]: whether it was carried out before cannot be found out now.
    pub(crate) async fn begin(
        &self,
        name: &IdempotencyKey,
        fingerprint: [u8; 32],
        clock: &dyn Clock,
        bounds: AnswerBounds,
    ) -> Result<Earlier, Refusal> {
        let earlier = self.cache.begin(name, fingerprint, clock.elapsed(), bounds);
        let (Earlier::None, Some(shared)) = (&earlier, &self.shared) else { return Ok(earlier) };
        // Whoever goes away in the middle leaves nothing under way.
        let mut claim = Claim { cache: &self.cache, name: Some(name) };
        let (shared, (caller, key), now_ms) = (shared.clone(), name.clone(), clock.wall_ms());
        match in_background(move || shared.answer(&caller, &key, now_ms)).await? {
            None => {
                claim.name = None;
                Ok(Earlier::None)
            }
            Some(kept) if kept.fingerprint != fingerprint => Ok(Earlier::Mismatch),
            Some(KeptAnswer { status, content_type, body, .. }) => Ok(Earlier::Answered(CachedResponse { status, content_type, body })),
        }
    }

    /// Ends a call, with a response to give again.
    pub(crate) async fn keep(
        &self,
        name: &IdempotencyKey,
        fingerprint: [u8; 32],
        response: CachedResponse,
        clock: &dyn Clock,
        (max, keep): AnswerBounds,
    ) {
        self.cache.end(name, Some(response.clone()));
        let Some(shared) = self.shared.clone() else { return };
        let ((caller, key), CachedResponse { status, content_type, body }) = (name.clone(), response);
        let now_ms = clock.wall_ms();
        let ends_ms = now_ms.saturating_add(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
        let answer = KeptAnswer { caller, key, fingerprint: fingerprint.to_vec(), status, content_type, body, ends_ms };
        if let Err(refusal) = in_background(move || shared.keep_answer(answer, now_ms, max)).await {
            tracing::warn!(%refusal, "an answer is kept in memory alone: a broker that takes over would carry the call out again");
        }
    }

    /// Ends a call in a way that a repetition may change.
    pub(crate) fn end(&self, name: &IdempotencyKey) {
        self.cache.end(name, None);
    }
}

/// A call that began, and ends with this.
struct Claim<'a> {
    cache: &'a IdempotencyCache,
    name: Option<&'a IdempotencyKey>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name {
            self.cache.end(name, None);
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
    /// Begins a call. `fingerprint` is a hash of everything it says; the bounds are how many calls are remembered, and for how long.
    fn begin(&self, name: &IdempotencyKey, fingerprint: [u8; 32], now: Duration, (max, keep): (usize, Duration)) -> Earlier {
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
