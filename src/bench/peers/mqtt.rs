//! MQTT 3.1.1 as far as the bench needs it: connect, subscribe, publish with quality of service 1, acknowledge.

use super::packet::{AckOf, PeerPacket, Role, packet_id};
use crate::bench::frame::NotAFrame;

/// Longest packet that is believed.
const PACKET_BYTES_MAX: usize = 1 << 20;
/// Bytes of a remaining length at most, by the standard.
const LENGTH_BYTES_MAX: usize = 4;

/// Returns what is written when a connection opens.
pub(super) fn hello(role: &Role, number: u32, stored: bool) -> Vec<u8> {
    // With a clean session nothing is kept for a receiver; stored messages need one that is kept.
    let clean = if stored && *role != Role::Publisher { 0 } else { 2 };
    let mut body = Vec::new();
    put_text(&mut body, "MQTT");
    // Level 4 is 3.1.1; keep-alive 0 means that nothing need be sent.
    body.extend([4, clean, 0, 0]);
    put_text(&mut body, &format!("bench-{number}"));
    let mut out = Vec::new();
    put_packet(&mut out, 0x10, &body);
    if let Role::Receiver(topic) = role {
        let mut body = vec![0, 1];
        put_text(&mut body, topic);
        body.push(u8::from(stored));
        put_packet(&mut out, 0x82, &body);
    }
    out
}

/// Appends one message that is to be acknowledged (quality of service 1).
pub(super) fn put_publish(out: &mut Vec<u8>, topic: &str, number: u32, text: &str) {
    let mut body = Vec::with_capacity(text.len() + 16);
    put_text(&mut body, topic);
    body.extend(packet_id(number).to_be_bytes());
    body.extend(text.as_bytes());
    put_packet(out, 0x32, &body);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    out.extend(text.as_bytes());
}

fn put_packet(out: &mut Vec<u8>, head: u8, body: &[u8]) {
    out.push(head);
    put_length(out, body.len());
    out.extend(body);
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        if length == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Returns a remaining length and how many bytes it takes, if it is whole.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, NotAFrame> {
    let mut length = 0;
    for (n, byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return if length <= PACKET_BYTES_MAX { Ok(Some((length, n + 1))) } else { Err(NotAFrame) };
        }
    }
    if bytes.len() < LENGTH_BYTES_MAX { Ok(None) } else { Err(NotAFrame) }
}

/// Returns the first packet and its length, if it is whole; `owed` is given the acknowledgement it asks for.
pub(super) fn first<'a>(bytes: &'a [u8], replies: &mut Vec<u8>) -> Result<Option<(PeerPacket<'a>, usize)>, NotAFrame> {
    let Some((head, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((length, taken)) = length(rest)? else { return Ok(None) };
    let end = 1 + taken + length;
    let Some(body) = bytes.get(1 + taken..end) else { return Ok(None) };
    let packet = match (head >> 4, body) {
        // CONNACK, SUBACK: their last byte says whether.
        (2, [_, 0]) | (9, [_, _, 0..=2]) => PeerPacket::Other,
        (3, _) => {
            let (topic, rest) = body.split_first_chunk::<2>().ok_or(NotAFrame)?;
            let mut payload = rest.get(usize::from(u16::from_be_bytes(*topic))..).ok_or(NotAFrame)?;
            if head & 0x06 != 0 {
                let (id, rest) = payload.split_first_chunk::<2>().ok_or(NotAFrame)?;
                replies.extend([0x40, 2]);
                replies.extend(id);
                payload = rest;
            }
            PeerPacket::Message(payload)
        }
        (4, [high, low]) => PeerPacket::Ack { to: AckOf::Packet(u16::from_be_bytes([*high, *low])), accepted: true },
        _ => return Err(NotAFrame),
    };
    Ok(Some((packet, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remaining_length_comes_back_at_each_of_its_widths() {
        for (wanted, width) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (PACKET_BYTES_MAX, 3)] {
            let mut bytes = Vec::new();
            put_length(&mut bytes, wanted);
            assert_eq!(bytes.len(), width);
            assert_eq!(length(&bytes), Ok(Some((wanted, width))));
            assert_eq!(length(&bytes[..width - 1]), Ok(None));
        }
        assert_eq!(length(&[0xff, 0xff, 0xff, 0xff, 0x01]), Err(NotAFrame));
        assert_eq!(length(&[0xff, 0xff, 0xff, 0x7f]), Err(NotAFrame));
    }

    #[test]
    fn packets_are_found_wherever_the_stream_is_cut() {
        let mut stream = vec![0x20, 2, 0, 0, 0x90, 3, 0, 1, 1];
        put_publish(&mut stream, "bench.3", 70_000, &"x".repeat(200));
        stream.extend([0x40, 2, 0x12, 0x34]);
        let replies = [0x40, 2, 17, 113];
        assert_eq!(packet_id(70_000).to_be_bytes(), replies[2..]);
        let wanted = ["other", "other", &"x".repeat(200), "packet 4660 true"].map(str::to_owned);
        super::super::tests::cut_anywhere(&stream, first, &wanted, &replies);
    }

    #[test]
    fn a_refusal_ends_the_connection() {
        for refused in [[0x20, 2, 0, 5].as_slice(), &[0x90, 3, 0, 1, 0x80], &[0x30, 1, 0], &[0xf0, 0]] {
            assert_eq!(first(refused, &mut Vec::new()), Err(NotAFrame), "{refused:?}");
        }
    }
}
