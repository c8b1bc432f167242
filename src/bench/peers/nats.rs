//! The text protocol of NATS as far as the bench needs it, and of `JetStream` one stream with one consumer.

use super::packet::{AckOf, PeerPacket, Role};
use crate::bench::frame::NotAFrame;
use crate::bench::marker::digits;

/// Longest line that is believed: a server says of itself what it is in one.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// Longest message that is believed.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
/// Where `JetStream` answers publishers; the sender's number, a dot and the message's number follow.
const ANSWERS: &str = "_INBOX.bench.";
/// Where the stream's consumers push what was stored; the topic follows.
const STORED: &str = "stored.";

/// Returns what is written when a connection opens; the server answers the PING last.
pub(super) fn hello(role: &Role, number: u32, stored: bool) -> Vec<u8> {
    let subscription = match (role, stored) {
        (Role::Receiver(topic), false) => format!("SUB {topic} 1\r\n"),
        (Role::Receiver(topic), true) => format!("SUB {STORED}{topic} 1\r\n"),
        (Role::Publisher, false) => String::new(),
        (Role::Publisher, true) => format!("SUB {ANSWERS}{number}.* 1\r\n"),
    };
    format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\n{subscription}PING\r\n").into_bytes()
}

/// Asks for a stream in files, and for a consumer of each topic that is pushed everything in it; as many answers come.
pub(super) fn make_stream(topics: &[String]) -> Vec<u8> {
    let stream = r#"{"name":"bench","subjects":["bench.*"],"storage":"file","retention":"limits","num_replicas":1}"#;
    let mut out = Vec::new();
    put(&mut out, "$JS.API.STREAM.CREATE.bench", Some((0, 0)), stream);
    for (n, topic) in topics.iter().enumerate() {
        let consumer = format!(
            r#"{{"stream_name":"bench","config":{{"durable_name":"receiver-{n}","filter_subject":"{topic}","deliver_subject":"{STORED}{topic}","deliver_policy":"all","ack_policy":"none","replay_policy":"instant"}}}}"#
        );
        put(&mut out, &format!("$JS.API.CONSUMER.DURABLE.CREATE.bench.receiver-{n}"), Some((0, 0)), &consumer);
    }
    out
}

/// Appends one message and what makes the server say that it was taken: of a stored one, sender and number for the answer.
pub(super) fn put_publish(out: &mut Vec<u8>, topic: &str, stored: Option<(u32, u32)>, text: &str) {
    put(out, topic, stored, text);
    if stored.is_none() {
        out.extend(b"PING\r\n");
    }
}

fn put(out: &mut Vec<u8>, subject: &str, answer: Option<(u32, u32)>, text: &str) {
    let answer = answer.map_or(String::new(), |(sender, number)| format!(" {ANSWERS}{sender}.{number}"));
    out.extend(format!("PUB {subject}{answer} {}\r\n{text}\r\n", text.len()).into_bytes());
}

/// Returns the first line with what belongs to it, and its length, if it is whole; `owed` is given the PONG it asks for.
pub(super) fn first<'a>(bytes: &'a [u8], replies: &mut Vec<u8>) -> Result<Option<(PeerPacket<'a>, usize)>, NotAFrame> {
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return if bytes.len() > LINE_BYTES_MAX { Err(NotAFrame) } else { Ok(None) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(NotAFrame)?;
    let next = end + 1;
    let packet = match line {
        b"PONG" => PeerPacket::Ack { to: AckOf::Next, accepted: true },
        b"PING" => {
            replies.extend(b"PONG\r\n");
            PeerPacket::Other
        }
        _ if line.starts_with(b"INFO ") || line == b"+OK" => PeerPacket::Other,
        _ if line.starts_with(b"MSG ") => return message(bytes, &line[4..], next),
        // Errors too: the server hangs up after nearly all of them.
        _ => return Err(NotAFrame),
    };
    Ok(Some((packet, next)))
}

/// `subject sid [reply] length`, and behind the line as many bytes.
fn message<'a>(bytes: &'a [u8], head: &'a [u8], from: usize) -> Result<Option<(PeerPacket<'a>, usize)>, NotAFrame> {
    let mut words = head.split(|byte| *byte == b' ');
    let (subject, length) = words.next().zip(words.next_back()).ok_or(NotAFrame)?;
    let length = digits(length).filter(|length| *length <= MESSAGE_BYTES_MAX).ok_or(NotAFrame)?;
    let end = from + usize::try_from(length).map_err(|_| NotAFrame)?;
    let Some(tail) = bytes.get(end..end + 2) else { return Ok(None) };
    if tail != b"\r\n" {
        return Err(NotAFrame);
    }
    let payload = &bytes[from..end];
    let packet = match subject.strip_prefix(ANSWERS.as_bytes()) {
        None => PeerPacket::Message(payload),
        Some(answer) => {
            let number = answer.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
            let number = digits(number).and_then(|number| u32::try_from(number).ok()).ok_or(NotAFrame)?;
            PeerPacket::Ack { to: AckOf::Number(number), accepted: memchr::memmem::find(payload, b"\"error\"").is_none() }
        }
    };
    Ok(Some((packet, end + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_messages_are_found_wherever_the_stream_is_cut() {
        let stream =
            b"INFO {\"max_payload\":1048576}\r\nPONG\r\nPING\r\nMSG bench 1 5\r\na\r\nbc\r\nMSG stored.bench.1 1 $JS.ACK.x 0\r\n\r\n\
            MSG _INBOX.bench.4.17 1 9\r\n{\"seq\":1}\r\nMSG _INBOX.bench.4.18 1 12\r\n{\"error\":{}}\r\n";
        let wanted = ["other", "next true", "other", "a\r\nbc", "", "number 17 true", "number 18 false"].map(str::to_owned);
        super::super::tests::cut_anywhere(stream, first, &wanted, b"PONG\r\n");
    }

    #[test]
    fn what_is_published_reads_as_the_protocol_wants_it() {
        let mut out = Vec::new();
        put_publish(&mut out, "bench.7", Some((7, 3)), "abc");
        put_publish(&mut out, "bench.room", None, "d");
        assert_eq!(out, b"PUB bench.7 _INBOX.bench.7.3 3\r\nabc\r\nPUB bench.room 1\r\nd\r\nPING\r\n");
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        for wrong in [b"-ERR 'no'\r\n".as_slice(), b"PONG\n", b"MSG bench\r\n", b"MSG bench 1 x\r\n", b"MSG bench 1 1\r\nabc", &long] {
            assert_eq!(first(wrong, &mut Vec::new()), Err(NotAFrame));
        }
    }
}
