//! A message encoded for everyone, and many messages as one event frame.

use std::fmt::Write as _;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::{MessageView, encode_view};
use crate::model::{Conversation, Message};
use crate::protocol::ClientLevel;

/// A message encoded for every level that differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Encoded {
    full: ByteString,
    /// Only for messages that some clients see differently; equal texts share their bytes.
    older: Option<Box<[Option<ByteString>; OLDER]>>,
}

/// The levels below the newest.
const OLDER: usize = ClientLevel::ALL.len() - 1;

impl Encoded {
    /// Encodes once per level that differs for this message.
    pub(crate) fn new(message: &Message) -> Self {
        Self::of_view(message, &MessageView::default())
    }

    /// Encodes the message with what its readers see beside it.
    pub(crate) fn of_view(message: &Message, view: &MessageView) -> Self {
        let full = encode_view(message, view, ClientLevel::Since2_15).expect("the newest clients see every kind");
        let differs = !ClientLevel::Legacy.knows(&message.content.body)
            || !message.content.mentions.is_none()
            || message.content.options.reply.is_some();
        let older = differs.then(|| {
            let mut above: Option<ByteString> = Some(full.clone());
            let mut older = [const { None }; OLDER];
            for (slot, level) in older.iter_mut().zip(ClientLevel::ALL).rev() {
                let text = encode_view(message, view, level);
                if text != above {
                    above = text;
                }
                slot.clone_from(&above);
            }
            Box::new(older)
        });
        Self { full, older }
    }

    /// Returns what clients of a level see, if anything.
    pub(crate) fn of(&self, level: ClientLevel) -> Option<&ByteString> {
        match self.older.as_ref().and_then(|older| older.get(level.index())) {
            Some(older) => older.as_ref(),
            None => Some(&self.full),
        }
    }
}

/// What an event says besides its messages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Info {
    /// The cursor: every commit up to it that concerns the receiver was handed over with this event or before it.
    pub(crate) cursor: Option<u64>,
    /// Sent while the receiver was away.
    pub(crate) offline: bool,
}

/// The event that delivers messages of one conversation, and the conversation as their receivers name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    event: &'static str,
    from: &'a str,
}

impl<'a> Envelope<'a> {
    /// Returns the envelope of a message; every other message of the same sender, room or group has the same.
    pub(crate) fn of(message: &'a Message) -> Self {
        let (event, from) = match &message.conversation {
            Conversation::Peer(..) => ("receivePeerMessage", message.sender.as_str()),
            Conversation::Room(room, _) => ("receiveRoomMessage", room.as_str()),
            Conversation::Group(group) => ("receiveGroupMessage", group.as_str()),
        };
        Self { event, from }
    }
}

/// Encodes one event frame for several messages of one conversation, oldest first.
pub(crate) fn message_event<'a>(envelope: Envelope<'_>, messages: impl Iterator<Item = &'a ByteString>, info: Info) -> Option<ByteString> {
    let mut messages = messages.peekable();
    messages.peek()?;
    let mut frame = String::with_capacity(512);
    frame.push_str("{\"event\":\"");
    frame.push_str(envelope.event);
    frame.push_str("\",\"data\":{\"messageList\":[");
    for (n, message) in messages.enumerate() {
        if n > 0 {
            frame.push(',');
        }
        frame.push_str(message);
    }
    frame.push_str("],\"fromConversationID\":");
    // Ids consist of characters that JSON leaves alone, except these two.
    frame.push_str(&serde_json::to_string(envelope.from).expect("a string always serializes"));
    write!(frame, ",\"info\":{{\"isOfflineMessage\":{}}}", info.offline).expect("writing to a String cannot fail");
    if let Some(commit) = info.cursor {
        write!(frame, ",\"cursor\":\"{commit}\"").expect("writing to a String cannot fail");
    }
    frame.push_str("}}");
    Some(frame.into())
}

/// Adds the cursor to an event that [`message_event`] made without one.
#[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
pub(crate) fn with_cursor(event: &str, commit: u64) -> ByteString {
    let open = event.strip_suffix("}}").unwrap_or(event);
    format!("{open},\"cursor\":\"{commit}\"}}}}").into()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::{Conversation, Draft, GroupId, UserId};
    use crate::protocol::encode_message;

    fn message(text: &str) -> Message {
        let group = Conversation::Group(GroupId::trusted("g"));
        Message { seq: 7, ..Draft::text(text).into_message(42, UserId::trusted("alice"), group, 99, 1_732_270_000_000) }
    }

    #[test]
    fn a_cursor_that_is_added_later_stands_where_it_would_have_stood() {
        let text = encode_message(&message("1"), ClientLevel::Since2_15).unwrap();
        let of = |cursor| message_event(Envelope::of(&message("1")), [&text].into_iter(), Info { cursor, offline: false }).unwrap();
        assert_eq!(with_cursor(&of(None), 42), of(Some(42)));
    }

    #[test]
    fn an_event_holds_its_messages_in_order_and_nothing_makes_no_event() {
        let one = encode_message(&message("1"), ClientLevel::Since2_15).unwrap();
        let two = encode_message(&message("2"), ClientLevel::Since2_15).unwrap();
        let frame =
            message_event(Envelope::of(&message("1")), [&one, &two].into_iter(), Info { cursor: Some(17), offline: false }).unwrap();
        let event: Value = serde_json::from_str(&frame).unwrap();
        assert_eq!(event["event"], "receiveGroupMessage");
        assert_eq!(event["data"]["messageList"][1]["message"], "2");
        assert_eq!(event["data"]["fromConversationID"], "g");
        assert_eq!(event["data"]["cursor"], "17");
        assert_eq!(message_event(Envelope::of(&message("1")), [].into_iter(), Info::default()), None);
    }
}
