//! WebSocket framing as a client needs it, and no more: masked text out, headers parsed in.
//!
//! Hand-made because the load generator shares its cores with what it measures: a general client validates UTF-8,
//! copies each message and wakes a task per frame. This one looks at two to ten bytes per frame and hands out slices.

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A whole text message.
    Text(&'a [u8]),
    /// The other side ends it, with this code.
    Close(u16),
    /// Ping, pong: a broker under test sends none that needs an answer.
    Control,
}

/// The stream is not what a server may send: fragmented, masked, binary or absurdly long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAFrame;

/// Longest frame that is believed. Our choice: the largest `server.frame_bytes_max` and its header.
const FRAME_BYTES_MAX: u64 = (16 << 20) + 16;

/// Appends one masked text frame.
pub(super) fn put_text(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    put_header(out, payload.len(), 0x80);
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Appends one text frame as a server sends it.
pub(super) fn put_plain(out: &mut Vec<u8>, payload: &[u8]) {
    put_header(out, payload.len(), 0);
    out.extend_from_slice(payload);
}

fn put_header(out: &mut Vec<u8>, length: usize, mask_bit: u8) {
    out.push(0x81);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(mask_bit | short),
        (_, Ok(medium)) => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// What came of a stream and is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<u8>);

impl Held {
    /// `first` takes what is whole from the beginning of the bytes and says how long it was.
    pub(super) fn feed(&mut self, chunk: &[u8], mut first: impl FnMut(&[u8]) -> Result<Option<usize>, NotAFrame>) -> Result<(), NotAFrame> {
        let mut take_whole = |bytes: &[u8]| {
            let mut at = 0;
            while let Some(length) = first(&bytes[at..])? {
                at += length;
            }
            Ok(at)
        };
        if self.0.is_empty() {
            let taken = take_whole(chunk)?;
            self.0.extend_from_slice(&chunk[taken..]);
            return Ok(());
        }
        self.0.extend_from_slice(chunk);
        let taken = take_whole(&self.0)?;
        if taken == self.0.len() {
            // Ten thousand idle connections must not keep what their largest frame needed.
            self.0 = Vec::new();
        } else {
            self.0.drain(..taken);
        }
        Ok(())
    }
}

/// Takes frames out of a stream of chunks; keeps what is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Frames(Held);

impl Frames {
    /// Hands each frame that is whole now to `each`.
    pub(super) fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), NotAFrame> {
        self.0.feed(chunk, |bytes| {
            Ok(first(bytes)?.map(|(frame, length)| {
                each(frame);
                length
            }))
        })
    }
}

/// Returns the first frame and its length with header, if it is whole.
fn first(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, NotAFrame> {
    let &[head, short, ref rest @ ..] = bytes else { return Ok(None) };
    let (header, length) = match short {
        0..=125 => (2, u64::from(short)),
        126 => match rest.first_chunk::<2>() {
            Some(length) => (4, u64::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (10, u64::from_be_bytes(*length)),
            None => return Ok(None),
        },
        // A server must not mask.
        _ => return Err(NotAFrame),
    };
    if length > FRAME_BYTES_MAX {
        return Err(NotAFrame);
    }
    let end = header + usize::try_from(length).map_err(|_| NotAFrame)?;
    let Some(payload) = bytes.get(header..end) else { return Ok(None) };
    let frame = match head {
        0x81 => Frame::Text(payload),
        0x88 => Frame::Close(payload.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code))),
        0x89 | 0x8a => Frame::Control,
        _ => return Err(NotAFrame),
    };
    Ok(Some((frame, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut frames, mut texts) = (Frames::default(), Vec::new());
        for chunk in chunks {
            frames
                .feed(chunk, |frame| {
                    if let Frame::Text(text) = frame {
                        texts.push(text.to_vec())
                    }
                })
                .unwrap();
        }
        assert!(frames.0.0.is_empty());
        texts
    }

    #[test]
    fn frames_of_every_length_arrive_whole_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];
        let mut stream = Vec::new();
        lengths.iter().for_each(|length| put_plain(&mut stream, &vec![b'x'; *length]));
        for size in [1, 2, 3, 7, 125, 4096, stream.len()] {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(texts(&chunks).iter().map(Vec::len).collect::<Vec<_>>(), lengths, "cut at {size}");
        }
    }

    #[test]
    fn what_goes_out_is_masked() {
        let mut out = Vec::new();
        put_text(&mut out, b"hello", [1, 2, 3, 4]);
        assert_eq!(out, [0x81, 0x85, 1, 2, 3, 4, b'h' ^ 1, b'e' ^ 2, b'l' ^ 3, b'l' ^ 4, b'o' ^ 1]);
    }

    #[test]
    fn a_close_says_why_and_what_no_server_may_send_is_an_error() {
        let mut seen = Vec::new();
        Frames::default().feed(&[0x88, 2, 0x0f, 0xa1, 0x88, 0], |frame| seen.push(format!("{frame:?}"))).unwrap();
        assert_eq!(seen, ["Close(4001)", "Close(1005)"]);
        for wrong in [[0x81, 0x80], [0x82, 0], [0x01, 0]] {
            assert_eq!(Frames::default().feed(&wrong, |_| ()), Err(NotAFrame), "{wrong:?}");
        }
        assert_eq!(Frames::default().feed(&[0x81, 127, 255, 0, 0, 0, 0, 0, 0, 0], |_| ()), Err(NotAFrame));
    }
}
