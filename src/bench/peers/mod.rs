//! Other brokers, to compare with: what each is told, how it is started, and small clients for their protocols.
//!
//! Each is installed or not; nothing is fetched. A client here is a member of the pool like any other (`member`): the
//! same marker in the same number of bytes, the same reads into the same buffer; only the framing is the peer's own.
//!
//! ```text
//! start ─► child on a loopback port, its folder    member::read ─► Packets::feed ─► mqtt | nats | redis ─► PeerPacket
//! ```

mod mqtt;
mod nats;
mod redis;
mod start;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::BenchError;
use super::frame::{Held, NotAFrame};
use crate::bench::client::{Connection, Inbound, Subscription};

pub(super) use start::Installed;

/// Where everyone publishes and subscribes.
const TOPIC: &str = "bench";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Someone else's broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Mosquitto,
    Nats,
    Redis,
}

impl Program {
    pub(super) const ALL: [Self; 3] = [Self::Mosquitto, Self::Nats, Self::Redis];

    /// What it is called as a program, as a package and in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::Nats => "nats-server",
            Self::Redis => "redis-server",
        }
    }
}

/// A program and the way it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) program: Program,
    /// Messages go to its files before or after they are answered, as it does that.
    pub(super) stored: bool,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Publisher,
    Receiver,
}

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PeerPacket<'a> {
    /// Bytes with one or more messages in them.
    Message(&'a [u8]),
    /// Something published was taken, or not.
    Ack { to: AckOf, accepted: bool },
    /// Neither.
    Other,
}

/// What an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckOf {
    /// The oldest message without one.
    Next,
    /// The message of this number.
    Number(u32),
    /// The message whose number makes this MQTT packet identifier.
    Packet(u16),
}

impl AckOf {
    /// Whether it can be the answer to message `number`.
    pub(super) fn fits(self, number: u32) -> bool {
        match self {
            Self::Next => true,
            Self::Number(other) => number == other,
            Self::Packet(id) => mqtt::packet_id(number) == id,
        }
    }
}

impl Peer {
    /// Appends one message.
    pub(super) fn put_publish(self, out: &mut Vec<u8>, number: u32, text: &str) {
        match self.program {
            Program::Mosquitto => mqtt::put_publish(out, number, text),
            Program::Nats => nats::put_publish(out, number, self.stored, text),
            Program::Redis => redis::put_publish(out, self.stored, text),
        }
    }

    /// Opens the connection of one member: who hears nothing publishes, everyone else receives.
    pub(super) async fn open(self, address: SocketAddr, number: u32, subscription: Subscription) -> Result<Connection, BenchError> {
        let role = if subscription == Subscription::Nothing { Role::Publisher } else { Role::Receiver };
        // Two where the server speaks first, or where connecting and subscribing are answered apart.
        let (hello, answers) = match self.program {
            Program::Mosquitto => (mqtt::hello(role, number, self.stored), if role == Role::Receiver { 2 } else { 1 }),
            Program::Nats => (nats::hello(role, self.stored), 2),
            Program::Redis => (redis::hello(role, self.stored), 1),
        };
        let mut socket = self.connect(address).await?;
        let mut packets = Packets { peer: self, held: Held::default() };
        self.ask(&mut socket, &mut packets, &hello, answers).await?;
        if self == (Self { program: Program::Redis, stored: true }) && role == Role::Receiver {
            let mut wait = Vec::new();
            redis::put_wait(&mut wait, b"0");
            socket.write_all(&wait).await.map_err(|error| self.failed(error))?;
        }
        let (read, write) = socket.into_split();
        Ok(Connection { read, inbound: Inbound::Peer(packets), write })
    }

    /// Makes what must be there before anyone comes.
    pub(super) async fn prepare(self, address: SocketAddr) -> Result<(), BenchError> {
        if self != (Self { program: Program::Nats, stored: true }) {
            return Ok(());
        }
        let mut socket = self.connect(address).await?;
        let mut packets = Packets { peer: self, held: Held::default() };
        self.ask(&mut socket, &mut packets, &nats::hello(Role::Publisher, true), 2).await?;
        self.ask(&mut socket, &mut packets, &nats::make_stream(), 2).await
    }

    async fn connect(self, address: SocketAddr) -> Result<TcpStream, BenchError> {
        let socket = TcpStream::connect(address).await.map_err(|error| self.failed(error))?;
        socket.set_nodelay(true).map_err(|error| self.failed(error))?;
        Ok(socket)
    }

    /// Writes `question` and waits for as many packets.
    async fn ask(self, socket: &mut TcpStream, packets: &mut Packets, question: &[u8], answers: usize) -> Result<(), BenchError> {
        socket.write_all(question).await.map_err(|error| self.failed(error))?;
        let mut chunk = vec![0; 16 * 1024];
        let (mut come, mut refused) = (0, false);
        while come < answers {
            let reading = tokio::time::timeout(PATIENCE, socket.read(&mut chunk)).await;
            let read = reading.map_err(|_| BenchError::Silent("a peer's greeting"))?.map_err(|error| self.failed(error))?;
            let mut replies = Vec::new();
            let fed = packets.feed(&chunk[..read], &mut replies, |packet| {
                come += 1;
                refused |= matches!(packet, PeerPacket::Ack { accepted: false, .. });
            });
            if fed.is_err() || refused || read == 0 {
                let said = String::from_utf8_lossy(&chunk[..read.min(300)]).into_owned();
                return Err(BenchError::Subject(format!("{} does not let us in: {said:?}", self.program.name())));
            }
            socket.write_all(&replies).await.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn failed(self, error: std::io::Error) -> BenchError {
        BenchError::io(format!("a connection to {}", self.program.name()), error)
    }
}

/// Takes a peer's packets out of a stream of chunks; keeps what is not whole yet.
#[derive(Debug)]
pub(super) struct Packets {
    peer: Peer,
    held: Held,
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
