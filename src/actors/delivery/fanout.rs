//! Hands accepted messages to many outboxes: encodes once per class of readers, loops, decides nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytestring::ByteString;

use super::batch::Item;
use super::drops;
use super::written::InFlight;
use crate::actors::connection::outbox::{Lossy, Push};
use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::context::BrokerContext;
use crate::actors::runtime::watermark::PendingDelivery;
use crate::model::{Body, MessageClass, Priority};
use crate::protocol::event::{self, Event};
use crate::protocol::{ClientLevel, Envelope, Info, message_event};
use crate::rate::DropReason;

/// The receivers of a batch: connections, and the first message of the conversation that the user of each sees.
#[derive(Clone, Copy)]
pub(crate) struct Audience<'a, I> {
    pub(crate) connections: I,
    /// Called only while an answer is among the messages.
    pub(crate) first_seq_of: &'a dyn Fn(&Connection) -> u64,
}

impl<I> Audience<'static, I> {
    /// Makes an audience that sees the whole conversation.
    pub(crate) fn of_all(connections: I) -> Self {
        Self { connections, first_seq_of: &|_| 1 }
    }
}

/// Sends each item to every connection but the one it came from. Stored messages keep their order. The frames are those of a
/// batch.
pub(crate) fn fan_out<'a, I>(context: &BrokerContext, items: &[Item], audience: &Audience<'_, I>, batch: &Arc<InFlight>)
where
    I: Iterator<Item = &'a Arc<Connection>> + Clone,
{
    let plane =
        |wanted: Plane| items.iter().filter(move |item| Plane::of(&item.live.message.content.body, item.live.message.priority) == wanted);
    for kind in Plane::ALL {
        let gathered: Vec<&Item> = plane(kind).collect();
        if !gathered.is_empty() {
            fan_out_plane(context, kind, &gathered, audience, batch);
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

fn fan_out_plane<'a, I>(context: &BrokerContext, plane: Plane, items: &[&Item], audience: &Audience<'_, I>, batch: &Arc<InFlight>)
where
    I: Iterator<Item = &'a Arc<Connection>> + Clone,
{
    let origins: HashSet<ConnectionId> = items.iter().filter_map(|item| item.origin).collect();
    // They are handed over by this very loop; on the actors' thread nobody looks in between.
    items.iter().filter_map(|item| item.pending.as_ref()).for_each(PendingDelivery::done);
    // All of a batch leave in one event: a peer conversation hands over each sender's run by itself.
    let Some(envelope) = items.first().map(|item| Envelope::of(&item.live.message)) else { return };
    let oldest = items.iter().map(|item| item.commit).filter(|commit| *commit > 0).min();
    let mark = context.watermark.mark();
    let cursor = oldest.map(|_| context.cursor_or(|| mark));
    let mut quoted: Vec<u64> = items.iter().filter_map(|item| item.live.quoted_seq()).collect();
    quoted.sort_unstable();
    let (mut shared, mut far) = (SharedFrames::default(), SharedFrames::default());
    let mut queued = 0;
    for connection in audience.connections.clone() {
        let level = connection.level();
        let live_from = connection.live_from_commit();
        let first_seq = if quoted.is_empty() { 1 } else { (audience.first_seq_of)(connection) };
        let own;
        let frame = if origins.contains(&connection.id) || oldest.is_some_and(|oldest| oldest.min(mark) <= live_from) {
            let wanted = |item: &&&Item| item.origin != Some(connection.id) && (item.commit == 0 || item.commit > live_from);
            let cursor = cursor.filter(|_| connection.node().is_none()).map(|_| context.cursor_after(live_from));
            own = Frame::of(envelope, items.iter().filter(wanted), (first_seq, level, cursor), batch);
            &own
        } else {
            // Of the quotes, those before the reader's first message are hidden: their number is its class.
            let hidden = quoted.partition_point(|seq| *seq < first_seq);
            // How far a session of another node has everything is known there.
            let (frames, cursor) = if connection.node().is_none() { (&mut shared, cursor) } else { (&mut far, None) };
            frames.of(hidden, level, || Frame::of(envelope, items.iter(), (first_seq, level, cursor), batch))
        };
        let Some(text) = &frame.text else { continue };
        queued += u64::from(frame.push(text, plane, connection, context));
    }
    context.metrics.delivered(queued);
}

/// The frames by the class of their readers; those who see everything, which is nearly all, need no look-up.
#[derive(Default)]
struct SharedFrames {
    seeing_all: [Option<Frame>; ClientLevel::ALL.len()],
    others: HashMap<(usize, ClientLevel), Frame>,
}

impl SharedFrames {
    fn of(&mut self, hidden: usize, level: ClientLevel, make: impl FnOnce() -> Frame) -> &Frame {
        if hidden == 0 {
            self.seeing_all[level.index()].get_or_insert_with(make)
        } else {
            self.others.entry((hidden, level)).or_insert_with(make)
        }
    }
}

struct Frame {
    text: Option<ByteString>,
    messages: u32,
}

impl Frame {
    fn of<'a, 'b: 'a>(
        envelope: Envelope<'_>,
        items: impl Iterator<Item = &'a &'b Item>,
        (first_seq, level, cursor): (u64, ClientLevel, Option<u64>),
        batch: &Arc<InFlight>,
    ) -> Self {
        let visible: Vec<&ByteString> = items.filter_map(|item| item.live.encoded(first_seq, level)).collect();
        let messages = u32::try_from(visible.len()).unwrap_or(u32::MAX);
        let text = message_event(envelope, visible.into_iter(), Info { cursor, offline: false });
        Self { text: text.map(|text| batch.frame(text)), messages }
    }

    /// Puts a frame into an outbox; returns how many messages were queued.
    fn push(&self, text: &ByteString, plane: Plane, connection: &Connection, context: &BrokerContext) -> u32 {
        let push = match plane {
            // Closed: the session is ending and will find the message in history.
            Plane::Reliable => connection.outbox.push_stored(text.clone()),
            Plane::Lossy(class) => {
                let (push, dropped) = connection.outbox.push_lossy(class, text.clone(), self.messages);
                if !dropped.is_empty() {
                    drops::count(&context.metrics, dropped, DropReason::OutboxFull);
                }
                push
            }
        };
        if push == Push::Queued { self.messages } else { 0 }
    }
}

/// Sends one event that must not be lost to some connections, encoded once.
pub(crate) fn announce<'a>(event: &impl Event, connections: impl Iterator<Item = &'a Arc<Connection>>) {
    let mut frame: Option<ByteString> = None;
    for connection in connections {
        let text = frame.get_or_insert_with(|| event::encode(event));
        let _queued_or_closed = connection.outbox.push(text.clone());
    }
}
