//! Where a message that may be lost is lost: the one place that counts it.
//!
//! A barrage or command that is dropped before its conversation could hand it out was not accepted: its sender is answered
//! as if it had been, because delivery of such messages is not promised, but nobody else hears of it and the host is not
//! told. What an outbox dropped was accepted, and is lost for one session. Either way the loss is counted by class, priority
//! and reason, and told to the clients it happened to.

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
