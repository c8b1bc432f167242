//! Other brokers, to compare with: what each is told, how it is started, and small clients for their protocols.
//!
//! Each is installed or not; nothing is fetched. A client here is a client of the pool like any other: it finds the same
//! marker in the same number of bytes and reads into the same buffer; only the framing is the peer's own.
//!
//! ```text
//! start ─► child on a loopback port, its folder    client::read ─► Packets::feed ─► mqtt | nats | redis ─► PeerPacket
//! ```

mod mqtt;
mod nats;
mod open;
pub(super) mod packet;
pub(super) mod program;
mod redis;
pub(super) mod start;

use self::packet::PeerPacket;
use self::program::{Peer, Program};
use super::frame::{Held, NotAFrame};

impl Peer {
    /// Appends one message to a topic: the `number`th of its sender.
    pub(super) fn put_publish(self, out: &mut Vec<u8>, sender: u32, number: u32, topic: &str, text: &str) {
        match self.program {
            Program::Mosquitto => mqtt::put_publish(out, topic, number, text),
            Program::Nats => nats::put_publish(out, topic, self.stored.then_some((sender, number)), text),
            Program::Redis => redis::put_publish(out, topic, self.stored, text),
        }
    }
}

/// Takes a peer's packets out of a stream of chunks; keeps what is not whole yet.
#[derive(Debug)]
pub(super) struct Packets {
    pub(in crate::bench) peer: Peer,
    pub(in crate::bench) held: Held,
}

impl Packets {
    /// Hands everything that is whole now to `each`; `owed` is given what must be written back.
    pub(super) fn feed(&mut self, chunk: &[u8], replies: &mut Vec<u8>, mut each: impl FnMut(PeerPacket<'_>)) -> Result<(), NotAFrame> {
        let program = self.peer.program;
        self.held.feed(chunk, |bytes| {
            let found = match program {
                Program::Mosquitto => mqtt::first(bytes, replies)?,
                Program::Nats => nats::first(bytes, replies)?,
                Program::Redis => redis::first(bytes, replies)?,
            };
            Ok(found.map(|(packet, length)| {
                each(packet);
                length
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::packet::AckOf;

    type First = for<'a> fn(&'a [u8], &mut Vec<u8>) -> Result<Option<(PeerPacket<'a>, usize)>, NotAFrame>;

    fn label(packet: &PeerPacket<'_>) -> String {
        match packet {
            PeerPacket::Message(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            PeerPacket::Ack { to: AckOf::Next, accepted } => format!("next {accepted}"),
            PeerPacket::Ack { to: AckOf::Number(number), accepted } => format!("number {number} {accepted}"),
            PeerPacket::Ack { to: AckOf::Packet(id), accepted } => format!("packet {id} {accepted}"),
            PeerPacket::Other => "other".to_owned(),
        }
    }

    /// Feeds a stream cut in two at each byte, and byte by byte.
    pub(super) fn cut_anywhere(stream: &[u8], first: First, wanted: &[String], wanted_owed: &[u8]) {
        let feed = |chunks: &[&[u8]]| {
            let (mut held, mut replies, mut packet) = (Held::default(), Vec::new(), Vec::new());
            for chunk in chunks {
                let fed = held.feed(chunk, |bytes| {
                    Ok(first(bytes, &mut replies)?.map(|(one, length)| {
                        packet.push(label(&one));
                        length
                    }))
                });
                assert_eq!(fed, Ok(()));
            }
            assert_eq!((packet.as_slice(), replies.as_slice()), (wanted, wanted_owed), "{:?}", chunks.first().map(|chunk| chunk.len()));
        };
        for cut in 0..=stream.len() {
            feed(&[&stream[..cut], &stream[cut..]]);
        }
        feed(&stream.chunks(1).collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_finds_its_message() {
        assert!(AckOf::Next.fits(3) && AckOf::Number(3).fits(3) && !AckOf::Number(3).fits(4));
        assert!(AckOf::Packet(1).fits(1) && AckOf::Packet(1).fits(65_536) && !AckOf::Packet(1).fits(2));
        assert!(AckOf::Packet(65_535).fits(65_535));
    }
}
