//! What a message under test carries in its text, and how it is found again without parsing JSON.
//!
//! ```text
//! #~00003:0000000042:000001234567:4#xxxxxxxxx
//!   who   which       meant for µs kind  padding to the wanted size
//! ```
//! Every field has its width, so a receiver looks for two bytes and reads the rest at fixed places: tens of
//! nanoseconds a message, where parsing the frame would cost a microsecond of the cores the broker needs.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Bytes of a marker; no message under test is shorter.
pub(super) const MARKER_BYTES: usize = 34;

static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"#~"));
static SEQ: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"messageSeq\":"));

/// What is promised to a message, as far as the bench tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoadClass {
    Low,
    Medium,
    High,
    Storable,
}

impl LoadClass {
    pub(super) const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Storable];

    pub(super) fn index(self) -> usize {
        self as usize
    }

    pub(super) fn label(self) -> &'static str {
        ["low", "medium", "high", "storable"][self.index()]
    }

    /// Returns the body's type number and the priority of the wire.
    pub(super) fn wire(self) -> (u8, u8) {
        match self {
            Self::Low => (20, 1),
            Self::Medium => (20, 2),
            Self::High => (20, 3),
            Self::Storable => (1, 1),
        }
    }
}

/// One message's marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    /// The member that sent it.
    pub(super) sender: u32,
    /// 1, 2, 3 … per sender.
    pub(super) number: u32,
    /// When it was to be sent, microseconds of the bench's clock. Not when it was: whoever measures from the late
    /// send forgives the delay that made it late (coordinated omission).
    pub(super) meant_us: u64,
    pub(super) kind: LoadClass,
}

impl Marker {
    /// Returns the text of a message of `size` bytes, at least [`MARKER_BYTES`].
    pub(super) fn text(&self, size: usize) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(size);
        let Self { sender, number, meant_us, kind } = self;
        write!(text, "#~{sender:05}:{number:010}:{meant_us:012}:{}#", kind.index()).expect("writing to a String cannot fail");
        text.extend(std::iter::repeat_n('x', size.saturating_sub(text.len())));
        text
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<MARKER_BYTES>()?;
        if [bytes[7], bytes[18], bytes[31]] != [b':'; 3] || bytes[33] != b'#' {
            return None;
        }
        let small = |at: std::ops::Range<usize>| u32::try_from(digits(&bytes[at])?).ok();
        let kind = LoadClass::ALL.get(usize::from(bytes[32].wrapping_sub(b'0')))?;
        Some(Self { sender: small(2..7)?, number: small(8..18)?, meant_us: digits(&bytes[19..31])?, kind: *kind })
    }
}

/// The markers of a frame in their order, and of each what follows it up to the next.
pub(super) fn each<'a>(frame: &'a [u8], mut take: impl FnMut(Marker, &'a [u8])) {
    let mut rest = frame;
    let Some(mut at) = MARK.find(rest) else { return };
    loop {
        rest = &rest[at..];
        let next = MARK.find(&rest[2..]).map(|found| found + 2);
        if let Some(marker) = Marker::read(rest) {
            take(marker, &rest[MARKER_BYTES..next.unwrap_or(rest.len())]);
        }
        match next {
            Some(found) => at = found,
            None => return,
        }
    }
}

/// Returns the `messageSeq` in what follows a marker.
pub(super) fn message_seq(after: &[u8]) -> Option<u64> {
    let at = SEQ.find(after)? + SEQ.needle().len();
    let length = after[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits(&after[at..at + length])
}

/// Returns a whole number of decimal digits and nothing else.
pub(super) fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 19 {
        return None;
    }
    bytes.iter().try_fold(0_u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_from_the_middle_of_a_frame() {
        let one = Marker { sender: 7, number: 42, meant_us: 1_234_567, kind: LoadClass::Storable };
        let two = Marker { sender: 99_999, number: u32::MAX, meant_us: 999_999_999_999, kind: LoadClass::Low };
        assert_eq!(one.text(100).len(), 100);
        assert_eq!(one.text(1).len(), MARKER_BYTES);
        let frame = format!(r#"{{"list":[{{"m":"{}","messageSeq":17}},{{"m":"{}"}}]}}"#, one.text(60), two.text(100));
        let mut seen = Vec::new();
        each(frame.as_bytes(), |marker, after| seen.push((marker, message_seq(after))));
        assert_eq!(seen, [(one, Some(17)), (two, None)]);
    }

    #[test]
    fn what_looks_like_a_stamp_and_is_none_is_passed_over() {
        for text in ["", "#~", "#~#~#~", "#~00001:0000000001:00000000000x:0#", "#~00001:0000000001:000000000001:7#"] {
            each(text.as_bytes(), |marker, _| panic!("{marker:?} in {text}"));
        }
    }
}
