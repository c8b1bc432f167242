//! How messages are offered: so many under way, or so many a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::client::BenchClient;
use super::client_pool::ClientPool;
use super::message::TestMessage;

/// Publishers at work.
pub(super) type Work = Vec<JoinHandle<std::io::Result<()>>>;

/// A publisher and what it sends.
pub(super) type Offer = (Arc<BenchClient>, TestMessage);

/// Keeps `window` messages of each publisher under way. A closed loop: nothing was meant for a moment it was not sent
/// at, so its latencies say how long the queue is that the window makes.
pub(super) fn keep_full(
    pool: &ClientPool,
    publishers: &[Arc<BenchClient>],
    window: usize,
    message: &TestMessage,
    how_long: Duration,
) -> Work {
    let until = pool.clock.now() + micros(how_long);
    let work = publishers.iter().map(|publisher| {
        let (clock, client, message) = (pool.clock.clone(), publisher.clone(), message.clone());
        pool.spawn(publisher, async move {
            loop {
                client.wait_for_room_in(window).await;
                let now = clock.now();
                if now >= until {
                    return Ok(());
                }
                client.publish(&message, now).await?;
            }
        })
    });
    work.collect()
}

/// Offers `per_second` messages, the publishers in turn, at even distances and whatever the broker does meanwhile: an
/// open loop. Each is measured from when it was due.
pub(super) fn pace(pool: &ClientPool, publishers: &[Arc<BenchClient>], per_second: f64, message: &TestMessage, how_long: Duration) -> Work {
    pace_after(pool, Duration::ZERO, publishers, per_second, message, how_long)
}

/// Does the same, beginning a little later: several such loads side by side are not due at the same moments then.
pub(super) fn pace_after(
    pool: &ClientPool,
    delay: Duration,
    publishers: &[Arc<BenchClient>],
    per_second: f64,
    message: &TestMessage,
    how_long: Duration,
) -> Work {
    let offers: Vec<Offer> = publishers.iter().map(|publisher| (publisher.clone(), message.clone())).collect();
    pace_each(pool, delay, &offers, per_second, how_long)
}

/// Does the same with a message of each publisher's own.
pub(super) fn pace_each(pool: &ClientPool, delay: Duration, offers: &[Offer], per_second: f64, how_long: Duration) -> Work {
    let start = pool.clock.now() + micros(delay);
    let until = start + micros(how_long);
    let distance = 1e6 / per_second.max(0.001);
    let work = offers.iter().enumerate().map(|(turn, (publisher, message))| {
        let (clock, client, message) = (pool.clock.clone(), publisher.clone(), message.clone());
        let of = offers.len();
        pool.spawn(publisher, async move {
            for round in 0_usize.. {
                let due = start + whole((turn + round * of) as f64 * distance);
                if due >= until {
                    break;
                }
                // The timer wakes on whole milliseconds, late rather than early; what is due then goes out at once.
                let now = clock.now();
                if due > now {
                    tokio::time::sleep(Duration::from_micros(due - now)).await;
                }
                client.publish(&message, due).await?;
            }
            Ok(())
        })
    });
    work.collect()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX / 2)
}

/// Returns the whole number below.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times of a run are far below 2^53 µs and not negative")]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}
