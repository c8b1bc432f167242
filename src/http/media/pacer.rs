//! How fast a body must come. Only the time spent waiting for the client counts, so that a slow disk is not held against it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};

use crate::clock::Clock;
use crate::config::Media;

/// Why no more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum BodyError {
    /// The client went away, or what it sends is not HTTP.
    Cut,
    /// It comes too slowly.
    Slow,
}

/// A body whose pace is watched.
pub(super) type PacedBody = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>>>>;

/// Measures how fast one body comes.
#[derive(Debug)]
pub(in crate::http) struct UploadPacer {
    clock: Arc<dyn Clock>,
    window: Duration,
    /// Within one window.
    bytes_min: u64,
    waited: Duration,
    bytes: u64,
}

/// Returns a body that fails once it comes too slowly.
pub(super) fn paced<S, E>(body: S, config: &Media, clock: Arc<dyn Clock>) -> PacedBody
where
    S: Stream<Item = Result<Bytes, E>> + Unpin + 'static,
    E: 'static,
{
    let pacer = UploadPacer::of(config.stalled_seconds, config.bytes_per_second_min, clock);
    Box::pin(stream::try_unfold((pacer, body), async |(mut pacer, mut body)| {
        let next = pacer.next(&mut body).await?;
        Ok(next.map(|chunk| (chunk, (pacer, body))))
    }))
}

impl UploadPacer {
    /// Makes one for a body that has to bring so many bytes per second on average over each window of so many seconds.
    pub(in crate::http) fn of(window_seconds: u64, bytes_per_second_min: u64, clock: Arc<dyn Clock>) -> Self {
        let bytes_min = bytes_per_second_min * window_seconds;
        Self { clock, window: Duration::from_secs(window_seconds), bytes_min, waited: Duration::ZERO, bytes: 0 }
    }

    /// Waits for the next bytes; `None` at the end.
    pub(in crate::http) async fn next<S, E>(&mut self, body: &mut S) -> Result<Option<Bytes>, BodyError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        loop {
            let since = self.clock.elapsed();
            let arrived = tokio::time::timeout(self.window.saturating_sub(self.waited), body.next()).await;
            self.waited += self.clock.elapsed().saturating_sub(since);
            match arrived {
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => return Err(BodyError::Cut),
                Ok(Some(Ok(chunk))) => {
                    self.bytes += chunk.len() as u64;
                    if self.waited >= self.window {
                        self.judge()?;
                    }
                    return Ok(Some(chunk));
                }
                Err(_) => self.judge()?,
            }
        }
    }

    fn judge(&mut self) -> Result<(), BodyError> {
        if self.bytes < self.bytes_min {
            return Err(BodyError::Slow);
        }
        (self.bytes, self.waited) = (0, Duration::ZERO);
        Ok(())
    }
}
