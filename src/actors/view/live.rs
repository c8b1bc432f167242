//! A message on its way to all who receive it live: encoded once per class of readers, whose bytes all of them share.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::actors::view::message::without_quote;
use crate::model::Message;
use crate::protocol::{ClientLevel, Encoded, MessageView, RawJson};

/// A message that was accepted, as its readers receive it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LiveMessage {
    pub(crate) message: Arc<Message>,
    whole: Encoded,
    /// Of an answer: the message it quotes, and its encoding for readers who may not see that.
    quote: Option<Box<Quote>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Quote {
    seq: u64,
    hidden: Encoded,
}

impl LiveMessage {
    /// Makes a message that answers none.
    pub(crate) fn new(message: Arc<Message>) -> Self {
        Self { whole: Encoded::new(&message), message, quote: None }
    }

    /// Makes an answer, with the message it answers if that is kept.
    pub(crate) fn answering(message: Arc<Message>, quoted: Option<Arc<Message>>) -> Self {
        let Some(reply) = message.content.options.reply else { return Self::new(message) };
        let quote_lost = quoted.is_none();
        let parts = MessageView { quoted, quote_lost, ..MessageView::default() };
        let hidden = Encoded::of_view(&message, &without_quote(&parts));
        Self { whole: Encoded::of_view(&message, &parts), quote: Some(Box::new(Quote { seq: reply.seq, hidden })), message }
    }

    /// Returns the seq of the message it quotes: users who see the conversation from a later one on are another class
    /// of readers.
    pub(crate) fn quoted_seq(&self) -> Option<u64> {
        self.quote.as_ref().map(|quote| quote.seq)
    }

    /// Returns the text for a reader who sees the conversation from `first_seq` on, if such a client sees it at all.
    pub(crate) fn encoded(&self, first_seq: u64, level: ClientLevel) -> Option<&bytestring::ByteString> {
        match &self.quote {
            Some(quote) if quote.seq < first_seq => quote.hidden.of(level),
            _ => self.whole.of(level),
        }
    }

    /// Returns the text for its sender, who could send it and therefore sees it.
    pub(crate) fn for_sender(&self, level: ClientLevel) -> Option<RawJson> {
        self.whole.of(level).or_else(|| self.whole.of(ClientLevel::NEWEST)).cloned().map(RawJson)
    }

    /// Returns how many bytes it takes in a frame.
    pub(crate) fn len(&self) -> usize {
        self.whole.of(ClientLevel::NEWEST).map_or(0, |text| text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Conversation, Draft, GroupId, ReplyTo, UserId};

    fn message(seq: u64, reply: Option<ReplyTo>) -> Arc<Message> {
        let mut draft = Draft::text(format!("text {seq}"));
        draft.content.options.reply = reply;
        let (alice, group) = (UserId::trusted("alice"), Conversation::Group(GroupId::trusted("g")));
        Arc::new(Message { seq, ..draft.into_message(seq, alice, group, seq, 1) })
    }

    #[test]
    fn a_quote_is_hidden_from_those_who_joined_after_the_quoted_message() {
        let live = LiveMessage::answering(message(9, Some(ReplyTo { seq: 3, id: 3, root_seq: 3 })), Some(message(3, None)));
        for level in [ClientLevel::NEWEST, ClientLevel::Since2_14] {
            assert!(live.encoded(3, level).unwrap().contains("text 3"));
            let hidden = live.encoded(4, level).unwrap();
            assert!(!hidden.contains("text 3") && hidden.contains("text 9") && hidden.contains("\"state\":2"), "{hidden}");
        }
        assert_eq!((live.quoted_seq(), LiveMessage::new(message(1, None)).quoted_seq()), (Some(3), None));
    }
}
