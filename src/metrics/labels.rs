//! The labels of the metrics, and the one way to register a metric.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::registry::{Metric, Registry};

use crate::model::{MessageClass, Priority};

/// Registers a metric under its name and its help text, and returns it.
pub(super) fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ClassLabel {
    pub(super) class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CodeLabel {
    pub(super) code: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    pub(super) reason: &'static str,
}

/// Why the broker cut a socket that has no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketCut {
    /// It was the oldest without a login, and a newer one needed its place.
    GaveWay,
    /// It came when there was no place, and none was left in time.
    NoPlace,
    /// It asked for nothing, or its request never got whole.
    NoRequest,
    /// Its body came more slowly than the pace, or not within the deadline.
    SlowBody,
    /// It took nothing of its answer.
    SlowReader,
}

impl SocketCut {
    pub(super) const ALL: [Self; 5] = [Self::GaveWay, Self::NoPlace, Self::NoRequest, Self::SlowBody, Self::SlowReader];

    /// Returns what the reason is called among the metrics and in the log.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::GaveWay => "gave_way",
            Self::NoPlace => "no_place",
            Self::NoRequest => "no_request",
            Self::SlowBody => "slow_body",
            Self::SlowReader => "slow_reader",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabel {
    pub(super) kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DropLabel {
    pub(super) class: &'static str,
    pub(super) priority: &'static str,
    pub(super) reason: &'static str,
}

/// Returns what a class is called.
pub(crate) fn class_label(class: MessageClass) -> &'static str {
    match class {
        MessageClass::Storable => "storable",
        MessageClass::Command => "command",
        MessageClass::Barrage => "barrage",
    }
}

pub(super) fn priority_label(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
    }
}
