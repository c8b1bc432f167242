//! The payload of a client's close frame, and whether RFC 6455 allows it.

use super::GuardError;

/// A close frame whose mask and payload are arriving. Its payload is 125 bytes at most: the guard refuses a longer one.
#[derive(Debug, Default)]
pub(super) struct CloseFrame {
    mask: Vec<u8>,
    /// Unmasked.
    payload: Vec<u8>,
}

impl CloseFrame {
    /// Takes the next byte of the mask; four of them come before the payload.
    pub(super) fn mask(&mut self, byte: u8) {
        self.mask.push(byte);
    }

    /// Takes the next bytes of the payload, as they were sent.
    pub(super) fn extend(&mut self, masked: &[u8]) {
        for byte in masked {
            let mask = self.mask.get(self.payload.len() % 4).copied().unwrap_or_default();
            self.payload.push(byte ^ mask);
        }
    }

    /// Judges the whole payload.
    ///
    /// # Errors
    /// [`GuardError::Protocol`] for half a code or one that may not be sent, [`GuardError::CloseNotUtf8`] for words that
    /// are not UTF-8.
    pub(super) fn check(self) -> Result<(), GuardError> {
        let (code, reason) = match self.payload.as_slice() {
            [] => return Ok(()),
            [_] => return Err(GuardError::Protocol("close frame has half a code")),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !may_be_sent(code) {
            return Err(GuardError::Protocol("close code may not be sent"));
        }
        std::str::from_utf8(reason).map(|_| ()).map_err(|_| GuardError::CloseNotUtf8)
    }
}

/// Says whether a close frame may carry this code: one that is registered and not reserved for what no frame says, or one
/// for libraries and programs. Source: RFC 6455, 7.4, and the registry it names.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(payload: &[u8]) -> Result<(), GuardError> {
        let mask = [0xde, 0xad, 0xbe, 0xef];
        let masked: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        let mut close = CloseFrame::default();
        mask.into_iter().for_each(|byte| close.mask(byte));
        masked.chunks(3).for_each(|chunk| close.extend(chunk));
        close.check()
    }

    #[test]
    fn a_code_that_may_be_sent_passes_and_others_do_not() {
        assert_eq!(verdict(b""), Ok(()));
        assert_eq!(verdict(&[3]), Err(GuardError::Protocol("close frame has half a code")));
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(verdict(&u16::to_be_bytes(code)), Ok(()), "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
            assert_eq!(verdict(&u16::to_be_bytes(code)), Err(GuardError::Protocol("close code may not be sent")), "{code}");
        }
    }

    #[test]
    fn its_words_must_be_utf8() {
        assert_eq!(verdict(&[&[3, 232], "größe".as_bytes()].concat()), Ok(()));
        assert_eq!(verdict(&[3, 232, 0xc3]), Err(GuardError::CloseNotUtf8));
    }
}
