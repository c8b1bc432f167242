//! Puts the fragments of a text message together, within the message limit; neither the codec nor its adapter does.

use actix_http::ws::{Frame, Item};
use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// Why the connection is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(super) enum ReassembleError {
    /// A message is longer than allowed.
    #[error("message is {bytes} bytes, the limit is {bytes_max}")]
    TooLong {
        /// Its length so far.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The protocol is text only.
    #[error("binary frames are not supported")]
    Binary,
    /// A text message must be UTF-8. Source: RFC 6455, 8.1.
    #[error("text message is not utf-8")]
    NotUtf8,
    /// Fragments out of place.
    #[error("{0}")]
    Protocol(&'static str),
}

/// What a frame gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Assembled {
    /// A whole text message, valid UTF-8.
    Message(Bytes),
    /// A fragment; more must come.
    Partial,
    /// A ping, pong or close, which may come between fragments: for the caller to answer.
    Control(Frame),
}

/// The fragments of the message that is arriving.
#[derive(Debug)]
pub(super) struct Reassembler {
    message_bytes_max: usize,
    parts: Option<Parts>,
}

/// The text that came so far.
#[derive(Debug, Default)]
struct Parts {
    text: BytesMut,
    /// Bytes of whole characters; what follows may be the beginning of one.
    checked: usize,
}

impl Parts {
    /// Appends a fragment. Characters may be cut anywhere between two of them.
    fn extended(mut self, fragment: &[u8]) -> Result<Self, ReassembleError> {
        self.text.extend_from_slice(fragment);
        match std::str::from_utf8(&self.text[self.checked..]) {
            Ok(rest) => self.checked += rest.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(ReassembleError::NotUtf8),
        }
        Ok(self)
    }

    /// Makes the message of all fragments, unless it ends within a character.
    fn finish(self) -> Result<Assembled, ReassembleError> {
        match self.checked == self.text.len() {
            true => Ok(Assembled::Message(self.text.freeze())),
            false => Err(ReassembleError::NotUtf8),
        }
    }
}

impl Reassembler {
    /// Makes a reassembler for a connection of which no frame was read yet.
    #[must_use]
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, parts: None }
    }

    /// Sets another limit from the next frame on.
    pub(super) fn set_limit(&mut self, message_bytes_max: usize) {
        self.message_bytes_max = message_bytes_max;
    }

    /// Takes the next frame of the connection.
    ///
    /// # Errors
    /// [`ReassembleError`]; what had arrived of the message is dropped.
    pub(super) fn take(&mut self, frame: Frame) -> Result<Assembled, ReassembleError> {
        match frame {
            Frame::Text(text) => {
                if self.parts.take().is_some() {
                    return Err(ReassembleError::Protocol("new message inside a fragmented one"));
                }
                self.check_length(text.len())?;
                whole(text)
            }
            Frame::Continuation(Item::FirstText(text)) => {
                if self.parts.take().is_some() {
                    return Err(ReassembleError::Protocol("new message inside a fragmented one"));
                }
                self.check_length(text.len())?;
                self.parts = Some(Parts::default().extended(&text)?);
                Ok(Assembled::Partial)
            }
            Frame::Continuation(Item::Continue(text)) => {
                self.parts = Some(self.extended(&text)?);
                Ok(Assembled::Partial)
            }
            Frame::Continuation(Item::Last(text)) => self.extended(&text).and_then(Parts::finish),
            Frame::Binary(_) | Frame::Continuation(Item::FirstBinary(_)) => {
                self.parts = None;
                Err(ReassembleError::Binary)
            }
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) => Ok(Assembled::Control(frame)),
        }
    }

    fn extended(&mut self, text: &Bytes) -> Result<Parts, ReassembleError> {
        let parts = self.parts.take().ok_or(ReassembleError::Protocol("continuation without a start"))?;
        self.check_length(parts.text.len().saturating_add(text.len()))?;
        parts.extended(text)
    }

    fn check_length(&self, bytes: usize) -> Result<(), ReassembleError> {
        let bytes_max = self.message_bytes_max;
        if bytes > bytes_max { Err(ReassembleError::TooLong { bytes, bytes_max }) } else { Ok(()) }
    }
}

/// Checks the text of a message in one frame.
fn whole(text: Bytes) -> Result<Assembled, ReassembleError> {
    match std::str::from_utf8(&text) {
        Ok(_) => Ok(Assembled::Message(text)),
        Err(_) => Err(ReassembleError::NotUtf8),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8]) -> Frame {
        Frame::Text(Bytes::copy_from_slice(bytes))
    }

    fn first(bytes: &[u8]) -> Frame {
        Frame::Continuation(Item::FirstText(Bytes::copy_from_slice(bytes)))
    }

    fn middle(bytes: &[u8]) -> Frame {
        Frame::Continuation(Item::Continue(Bytes::copy_from_slice(bytes)))
    }

    fn last(bytes: &[u8]) -> Frame {
        Frame::Continuation(Item::Last(Bytes::copy_from_slice(bytes)))
    }

    fn message(bytes: &'static str) -> Result<Assembled, ReassembleError> {
        Ok(Assembled::Message(Bytes::from_static(bytes.as_bytes())))
    }

    #[test]
    fn fragments_become_one_message_with_control_frames_between_them() {
        let mut reassembler = Reassembler::new(10);
        assert_eq!(reassembler.take(text(b"hi")), message("hi"));
        assert_eq!(reassembler.take(first(b"a")), Ok(Assembled::Partial));
        let ping = || Frame::Ping(Bytes::from_static(b"p"));
        assert_eq!(reassembler.take(ping()), Ok(Assembled::Control(ping())));
        assert_eq!(reassembler.take(middle(b"")), Ok(Assembled::Partial));
        assert_eq!(reassembler.take(middle(b"bc")), Ok(Assembled::Partial));
        assert_eq!(reassembler.take(Frame::Close(None)), Ok(Assembled::Control(Frame::Close(None))));
        assert_eq!(reassembler.take(last(b"d")), message("abcd"));
        assert_eq!(reassembler.take(text(b"")), message(""));
    }

    #[test]
    fn a_message_of_the_limit_passes_and_one_byte_more_does_not() {
        let mut reassembler = Reassembler::new(4);
        let too_long = Err(ReassembleError::TooLong { bytes: 5, bytes_max: 4 });
        assert_eq!(reassembler.take(text(b"abcd")), message("abcd"));
        assert_eq!(reassembler.take(text(b"abcde")), too_long);
        assert_eq!(reassembler.take(first(b"abcde")), too_long);
        assert_eq!(reassembler.take(first(b"ab")), Ok(Assembled::Partial));
        assert_eq!(reassembler.take(last(b"cd")), message("abcd"));
        assert_eq!(reassembler.take(first(b"abcd")), Ok(Assembled::Partial));
        assert_eq!(reassembler.take(middle(b"e")), too_long);
        assert_eq!(reassembler.take(last(b"")), Err(ReassembleError::Protocol("continuation without a start")));
        reassembler.set_limit(5);
        assert_eq!(reassembler.take(text(b"abcde")), message("abcde"));
    }

    #[test]
    fn fragments_out_of_place_and_binary_are_refused() {
        let mut reassembler = Reassembler::new(10);
        for frame in [middle(b"a"), last(b"a")] {
            assert_eq!(reassembler.take(frame), Err(ReassembleError::Protocol("continuation without a start")));
        }
        for frame in [text(b"b"), first(b"b")] {
            assert_eq!(reassembler.take(first(b"a")), Ok(Assembled::Partial));
            assert_eq!(reassembler.take(frame), Err(ReassembleError::Protocol("new message inside a fragmented one")));
        }
        let bytes = || Bytes::from_static(b"b");
        for frame in [Frame::Binary(bytes()), Frame::Continuation(Item::FirstBinary(bytes()))] {
            assert_eq!(reassembler.take(frame), Err(ReassembleError::Binary));
        }
    }

    #[test]
    fn text_must_be_utf8_as_a_whole_and_may_be_cut_within_a_character() {
        let mut reassembler = Reassembler::new(10);
        assert_eq!(reassembler.take(text(b"\xff")), Err(ReassembleError::NotUtf8));
        assert_eq!(reassembler.take(first("é".as_bytes().split_at(1).0)), Ok(Assembled::Partial));
        assert_eq!(reassembler.take(last("é".as_bytes().split_at(1).1)), message("é"));
        assert_eq!(reassembler.take(first(b"\xc3")), Ok(Assembled::Partial));
        assert_eq!(reassembler.take(last(b"")), Err(ReassembleError::NotUtf8));
        assert_eq!(reassembler.take(text("é".as_bytes())), message("é"));
        assert_eq!(reassembler.take(first("é\u{20ac}".as_bytes().split_at(3).0)), Ok(Assembled::Partial));
        assert_eq!(reassembler.take(middle(b"\xff")), Err(ReassembleError::NotUtf8), "without waiting for the last");
    }

    proptest! {
        #[test]
        fn a_message_is_the_same_however_it_is_cut(whole in "\\PC{0,40}", cuts in prop::collection::vec(0usize..200, 1..6)) {
            let bytes = whole.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut reassembler = Reassembler::new(bytes.len());
            prop_assert_eq!(reassembler.take(first(&bytes[..cuts[0]])), Ok(Assembled::Partial));
            for pair in cuts.windows(2) {
                prop_assert_eq!(reassembler.take(middle(&bytes[pair[0]..pair[1]])), Ok(Assembled::Partial));
            }
            let end = reassembler.take(last(&bytes[cuts[cuts.len() - 1]..]));
            prop_assert_eq!(end, Ok(Assembled::Message(Bytes::copy_from_slice(bytes))));
        }
    }
}
