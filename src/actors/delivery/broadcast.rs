//! One event for many connections, encoded once per class of readers.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use bytestring::ByteString;

use crate::actors::connection::{Connection, ConnectionId};

/// A connection that a conversation delivers to, with the first message its user sees.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) connection: Arc<Connection>,
    pub(crate) first_seq: u64,
}

impl Listener {
    /// Makes listeners that see the whole conversation.
    pub(crate) fn to_all<'a>(connections: impl Iterator<Item = &'a Arc<Connection>>) -> Vec<Self> {
        connections.map(|connection| Self { connection: connection.clone(), first_seq: 1 }).collect()
    }
}

/// Sends each listener but one the frame of its class. `class_of` returns none for a listener that is not told,
/// `encode` none when a class sees nothing of it.
pub(crate) fn broadcast<C: Eq + Hash>(
    listeners: &[Listener],
    but: Option<ConnectionId>,
    class_of: impl Fn(&Listener) -> Option<C>,
    encode: impl Fn(&C) -> Option<ByteString>,
) {
    let mut frames: HashMap<C, Option<ByteString>> = HashMap::new();
    for listener in listeners.iter().filter(|listener| Some(listener.connection.id) != but) {
        let Some(class) = class_of(listener) else { continue };
        let frame = match frames.get(&class) {
            Some(frame) => frame.clone(),
            None => {
                let frame = encode(&class);
                frames.insert(class, frame.clone());
                frame
            }
        };
        if let Some(frame) = frame {
            let _queued_or_closed = listener.connection.outbox.push(frame);
        }
    }
}
