//! RESP 2 as far as the bench needs it: SUBSCRIBE and PUBLISH, XADD and XREAD.

use super::packet::{AckOf, PeerPacket, Role};
use crate::bench::frame::NotAFrame;
use crate::bench::marker::digits;

/// Longest line, string and array that are believed.
const LINE_BYTES_MAX: usize = 4_096;
const STRING_BYTES_MAX: u64 = 1 << 20;
const ITEMS_MAX: u64 = 1 << 20;

/// Returns what is written when a connection opens and has one answer.
pub(super) fn hello(role: &Role, stored: bool) -> Vec<u8> {
    let mut out = Vec::new();
    match (role, stored) {
        (Role::Receiver(topic), false) => put_command(&mut out, &[b"SUBSCRIBE", topic.as_bytes()]),
        (Role::Receiver(_), true) | (Role::Publisher, _) => put_command(&mut out, &[b"PING"]),
    }
    out
}

/// What a receiver of stored messages writes then, and after each answer again.
pub(super) fn put_wait(out: &mut Vec<u8>, topic: &[u8], after: &[u8]) {
    put_command(out, &[b"XREAD", b"BLOCK", b"0", b"STREAMS", topic, after]);
}

/// Appends one message; the server answers each in turn.
pub(super) fn put_publish(out: &mut Vec<u8>, topic: &str, stored: bool, text: &str) {
    let topic = topic.as_bytes();
    if stored {
        put_command(out, &[b"XADD", topic, b"*", b"m", text.as_bytes()]);
    } else {
        put_command(out, &[b"PUBLISH", topic, text.as_bytes()]);
    }
}

fn put_command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend(format!("*{}\r\n", words.len()).into_bytes());
    for word in words {
        out.extend(format!("${}\r\n", word.len()).into_bytes());
        out.extend(*word);
        out.extend(b"\r\n");
    }
}

/// Returns the first value and its length, if it is whole; `owed` is given the next question of a receiver.
pub(super) fn first<'a>(bytes: &'a [u8], replies: &mut Vec<u8>) -> Result<Option<(PeerPacket<'a>, usize)>, NotAFrame> {
    let (mut word, mut newest) = (None, [None; 3]);
    let leaf = |leaf: &'a [u8]| {
        word = word.or(Some(leaf));
        newest = [newest[1], newest[2], Some(leaf)];
    };
    let Some(end) = walk(bytes, leaf)? else { return Ok(None) };
    let packet = match (bytes[0], word) {
        (b'*', Some(b"message")) => PeerPacket::Message(&bytes[..end]),
        (b'*', Some(b"subscribe")) => PeerPacket::Other,
        (b'*', Some(topic)) => {
            // The last entry ends with its id, its field's name and the field's value.
            put_wait(replies, topic, newest[0].ok_or(NotAFrame)?);
            PeerPacket::Message(&bytes[..end])
        }
        (b'*', None) => return Err(NotAFrame),
        (kind, _) => PeerPacket::Ack { to: AckOf::Next, accepted: kind != b'-' },
    };
    Ok(Some((packet, end)))
}

/// Shows everything that is no array in its order; where the value ends, if it is whole. Allocates nothing: this is
/// done for each delivery, on cores that are shared with the server.
fn walk<'a>(bytes: &'a [u8], mut leaf: impl FnMut(&'a [u8])) -> Result<Option<usize>, NotAFrame> {
    let (mut at, mut due) = (0, 1_u64);
    while due > 0 {
        let rest = &bytes[at..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return if rest.len() > LINE_BYTES_MAX { Err(NotAFrame) } else { Ok(None) };
        };
        let (kind, line) = rest[..end].strip_suffix(b"\r").and_then(<[u8]>::split_first).ok_or(NotAFrame)?;
        at += end + 1;
        due -= 1;
        match kind {
            b'+' | b'-' | b':' => leaf(line),
            b'$' | b'*' if line == b"-1" => leaf(b""),
            b'*' => due += digits(line).filter(|items| due + items <= ITEMS_MAX).ok_or(NotAFrame)?,
            b'$' => {
                let length = digits(line).filter(|length| *length <= STRING_BYTES_MAX).ok_or(NotAFrame)?;
                let end = at + usize::try_from(length).map_err(|_| NotAFrame)?;
                let Some(tail) = bytes.get(end..end + 2) else { return Ok(None) };
                if tail != b"\r\n" {
                    return Err(NotAFrame);
                }
                leaf(&bytes[at..end]);
                at = end + 2;
            }
            _ => return Err(NotAFrame),
        }
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_wherever_the_stream_is_cut() {
        let subscribed = "*3\r\n$9\r\nsubscribe\r\n$5\r\nbench\r\n:1\r\n";
        let message = "*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$4\r\na\r\nb\r\n";
        let entry = |id: &str| format!("*2\r\n$3\r\n{id}\r\n*2\r\n$1\r\nm\r\n$2\r\nhi\r\n");
        let read = format!("*1\r\n*2\r\n$5\r\nbench\r\n*2\r\n{}{}", entry("1-0"), entry("1-1"));
        let stream = format!("{subscribed}{message}+PONG\r\n:5\r\n$3\r\n1-0\r\n-ERR no\r\n{read}");
        let wanted = ["other", message, "next true", "next true", "next true", "next false", &read].map(str::to_owned);
        let mut replies = Vec::new();
        put_wait(&mut replies, b"bench", b"1-1");
        super::super::tests::cut_anywhere(stream.as_bytes(), first, &wanted, &replies);
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        let long = vec![b'+'; LINE_BYTES_MAX + 1];
        for wrong in [b"x\r\n".as_slice(), b"\r\n", b"+a\n", b"$x\r\n", b"$1\r\nabc", b"*9999999999\r\n", b"*0\r\n", &long] {
            assert_eq!(first(wrong, &mut Vec::new()), Err(NotAFrame), "{:?}", String::from_utf8_lossy(wrong));
        }
    }
}
