//! How many rooms and groups there are, counted seldom enough to cost next to nothing.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::model::Refusal;
use crate::store::PlaceCounts;

/// How long a count is good for, at least.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// A count that took a second is good for so many: of the time, at most this part goes into counting.
const GOOD_FOR_TIMES_TAKEN: u32 = 50;

#[derive(Debug, Clone, Copy)]
struct Counted {
    counts: PlaceCounts,
    /// By the monotonic clock.
    until: Duration,
}

/// The last count. Whoever asks while one is under way waits for it.
#[derive(Debug, Default)]
pub(super) struct PlaceCounter(Mutex<Option<Counted>>);

impl PlaceCounter {
    /// Returns the last count while it is good, or what `count` finds now.
    ///
    /// # Errors
    /// Those of `count`; the next question counts again.
    pub(super) async fn counts(
        &self,
        clock: &dyn Clock,
        count: impl Future<Output = Result<PlaceCounts, Refusal>>,
    ) -> Result<PlaceCounts, Refusal> {
        let mut counted = self.0.lock().await;
        let began = clock.elapsed();
        if let Some(Counted { counts, until }) = *counted
            && began < until
        {
            return Ok(counts);
        }
        let counts = count.await?;
        let ended = clock.elapsed();
        let took = ended.saturating_sub(began);
        *counted = Some(Counted { counts, until: ended.saturating_add(GOOD_FOR.max(took.saturating_mul(GOOD_FOR_TIMES_TAKEN))) });
        Ok(counts)
    }
}
