//! Hands accepted messages to many outboxes: encodes once, loops, decides nothing.

use std::collections::HashSet;
use std::sync::Arc;

use bytestring::ByteString;

use super::batch::Item;
use crate::actors::connection::outbox::{Dropped, Lossy};
use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::context::BrokerContext;
use crate::actors::runtime::watermark::PendingDelivery;
use crate::metrics::Metrics;
use crate::model::{Body, MessageClass, Priority};
use crate::protocol::event::{self, Event};
use crate::protocol::{ClientLevel, Info, message_event};
use crate::rate::DropReason;

/// What the members of a conversation are told a batch by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub(crate) event: &'static str,
    pub(crate) from: &'a str,
}

/// Sends each item to every connection but the one it came from. Stored messages keep their order.
pub(crate) fn fan_out<'a>(
    context: &BrokerContext,
    envelope: Envelope<'_>,
    items: &[Item],
    connections: impl Iterator<Item = &'a Arc<Connection>> + Clone,
) {
    let plane = |wanted: Plane| items.iter().filter(move |item| Plane::of(&item.message.body, item.message.priority) == wanted);
    for kind in Plane::ALL {
        let gathered: Vec<&Item> = plane(kind).collect();
        if !gathered.is_empty() {
            fan_out_plane(context, envelope, kind, &gathered, connections.clone());
        }
    }
}

/// Messages that share a frame: they are shed together or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plane {
    Reliable,
    Lossy(Lossy),
}

impl Plane {
    const ALL: [Self; 5] = [
        Self::Reliable,
        Self::Lossy(Lossy::Command),
        Self::Lossy(Lossy::Barrage(Priority::High)),
        Self::Lossy(Lossy::Barrage(Priority::Medium)),
        Self::Lossy(Lossy::Barrage(Priority::Low)),
    ];

    fn of(body: &Body, priority: Priority) -> Self {
        match body.class() {
            MessageClass::Storable => Self::Reliable,
            MessageClass::Command => Self::Lossy(Lossy::Command),
            MessageClass::Barrage => Self::Lossy(Lossy::Barrage(priority)),
        }
    }
}

fn fan_out_plane<'a>(
    context: &BrokerContext,
    envelope: Envelope<'_>,
    plane: Plane,
    items: &[&Item],
    connections: impl Iterator<Item = &'a Arc<Connection>>,
) {
    let origins: HashSet<ConnectionId> = items.iter().filter_map(|item| item.origin).collect();
    // Handed over with this very loop; on the actors' thread nobody looks in between.
    items.iter().filter_map(|item| item.pending.as_ref()).for_each(PendingDelivery::done);
    let oldest = items.iter().map(|item| item.commit).filter(|commit| *commit > 0).min();
    let mark = context.watermark.mark();
    let cursor = oldest.map(|_| mark);
    let mut shared: [Option<Frame>; ClientLevel::ALL.len()] = [const { None }; ClientLevel::ALL.len()];
    let mut delivered = 0;
    for connection in connections {
        let level = connection.level();
        let live_from_commit = connection.live_from_commit();
        let own;
        let frame = if origins.contains(&connection.id) || oldest.is_some_and(|oldest| oldest.min(mark) <= live_from_commit) {
            let wanted = |item: &&&Item| item.origin != Some(connection.id) && (item.commit == 0 || item.commit > live_from_commit);
            own = Frame::of(envelope, items.iter().filter(wanted), level, cursor.map(|_| context.watermark.mark_after(live_from_commit)));
            &own
        } else {
            shared[level.index()].get_or_insert_with(|| Frame::of(envelope, items.iter(), level, cursor))
        };
        let Some(text) = &frame.text else { continue };
        match plane {
            Plane::Reliable => {
                // Closed: the session is ending and will find the message in history.
                let _queued_or_closed = connection.outbox.push(text.clone());
            }
            Plane::Lossy(class) => {
                count_dropped(&context.metrics, connection.outbox.push_lossy(class, text.clone(), frame.messages), DropReason::OutboxFull)
            }
        }
        delivered += u64::from(frame.messages);
    }
    context.metrics.delivered(delivered);
}

struct Frame {
    text: Option<ByteString>,
    messages: u32,
}

impl Frame {
    fn of<'a, 'b: 'a>(envelope: Envelope<'_>, items: impl Iterator<Item = &'a &'b Item>, level: ClientLevel, cursor: Option<u64>) -> Self {
        let visible: Vec<&ByteString> = items.filter_map(|item| item.encoded.of(level)).collect();
        let messages = u32::try_from(visible.len()).unwrap_or(u32::MAX);
        Self { text: message_event(envelope.event, envelope.from, visible.into_iter(), Info { cursor, offline: false }), messages }
    }
}

/// Counts what an outbox shed.
pub(crate) fn count_dropped(metrics: &Metrics, dropped: Dropped, reason: DropReason) {
    for (priority, count) in Priority::ALL.into_iter().zip(dropped.barrage) {
        metrics.dropped(MessageClass::Barrage, priority, reason.label(), u64::from(count));
    }
    metrics.dropped(MessageClass::Command, Priority::Low, reason.label(), u64::from(dropped.command));
}

/// Sends one event that must not be lost to some connections; encoded once.
pub(crate) fn announce<'a>(event: &impl Event, connections: impl Iterator<Item = &'a Arc<Connection>>) {
    let mut frame: Option<ByteString> = None;
    for connection in connections {
        let text = frame.get_or_insert_with(|| event::encode(event));
        let _queued_or_closed = connection.outbox.push(text.clone());
    }
}
