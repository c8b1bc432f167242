//! The one place that counts a message that was dropped.
//!
//! A barrage is accepted before it may be dropped: its sender is answered and the host told, whether it then reaches
//! everyone, some or nobody, because delivery of barrage is not promised. A command that finds the broker behind is refused.
//! Each loss is counted once, by class, priority and reason, and told to the clients it happened to: the members of the room
//! that had no budget for it, the sender whose room had no time for it, the session whose outbox was full.

use crate::actors::connection::outbox::Dropped;
use crate::metrics::Metrics;
use crate::model::{MessageClass, Priority};
use crate::rate::DropReason;

/// Counts what was dropped.
pub(crate) fn count(metrics: &Metrics, dropped: Dropped, reason: DropReason) {
    for (priority, count) in Priority::ALL.into_iter().zip(dropped.barrage) {
        metrics.dropped(MessageClass::Barrage, priority, reason.label(), u64::from(count));
    }
    metrics.dropped(MessageClass::Command, Priority::Low, reason.label(), u64::from(dropped.command));
}
