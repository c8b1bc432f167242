//! Who may send how much, and what is shed when it is too much.
//!
//! Two different answers to load:
//! - [`SendGate`] **refuses**: each user has a quota per class of stored or command messages, and is told when to retry.
//! - [`BarrageBudget`] **drops**: barrage has no quota per user; each room admits what it can carry, lowest priority
//!   refused first, and fairly between senders. When the broker itself is behind, [`PressureGauge`] says which priorities
//!   no room admits. Every drop has a [`DropReason`].
//!
//! `governor` is named in `send_gate.rs` and `call_gate.rs` alone, and none of its types leaves this module.

mod byte_budget;
mod call_gate;
mod keyed_cap;
mod once;
pub(crate) mod pressure;
mod room_size;
pub(crate) mod send_gate;
pub(crate) mod shed;

pub(crate) use byte_budget::{ByteBudget, Reservation};
pub(crate) use call_gate::{CallGate, RollingCap};
pub(crate) use keyed_cap::KeyedCap;
pub(crate) use once::OnceInAWhile;
pub use pressure::Pressure;
pub(crate) use pressure::{PressureGauge, Reading};
pub(crate) use room_size::{Allowance, RoomSize};
pub(crate) use send_gate::{GateQuota, QuotaClass, Quotas, RetryAfter, SendGate};
pub(crate) use shed::BarrageBudget;

/// Why a droppable message was dropped. With its class and priority this is one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The room's barrage budget has nothing left for this priority.
    OverBudget,
    /// The sender had its fair share of a budget that is getting short.
    Unfair,
    /// The receiving session's outbox is full: the receiver is slow.
    OutboxFull,
    /// The owner of the conversation has no time: its mailbox is full.
    MailboxFull,
    /// The broker itself is behind.
    Overloaded,
    /// The receiving session ended before the message left.
    SessionClosed,
    /// The way to the receiver's node has no room.
    Link,
}

impl DropReason {
    /// All of them, so that a metric exists before the first drop.
    pub const ALL: [Self; 7] =
        [Self::OverBudget, Self::Unfair, Self::OutboxFull, Self::MailboxFull, Self::Overloaded, Self::SessionClosed, Self::Link];

    /// Returns the value of the metric's label `reason`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::OverBudget => "over_budget",
            Self::Unfair => "unfair",
            Self::OutboxFull => "outbox_full",
            Self::MailboxFull => "mailbox_full",
            Self::Overloaded => "overloaded",
            Self::SessionClosed => "session_closed",
            Self::Link => "link",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DropReason;

    #[test]
    fn every_drop_reason_has_a_label_of_its_own() {
        let mut labels = DropReason::ALL.map(DropReason::label).to_vec();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), DropReason::ALL.len());
    }
}
