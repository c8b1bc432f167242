//! How a connection to another broker is opened: its greeting, its subscription, what must be there before.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Packets;
use super::packet::{PeerPacket, ROOM, Role, topic_of};
use super::program::{Peer, Program};
use super::{mqtt, nats, redis};
use crate::bench::connection::{Connection, Inbound};
use crate::bench::error::BenchError;
use crate::bench::frame::Held;
use crate::bench::message::Subscription;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

impl Peer {
    /// Opens the connection of one member: who hears nothing publishes, everyone else receives.
    pub(in crate::bench) async fn open(
        self,
        address: SocketAddr,
        number: u32,
        subscription: Subscription,
    ) -> Result<Connection, BenchError> {
        let role = match subscription {
            Subscription::Nothing => Role::Publisher,
            Subscription::Room => Role::Receiver(ROOM.to_owned()),
            Subscription::Peer(sender) => Role::Receiver(topic_of(sender)),
        };
        // Two where the server speaks first, or where connecting and subscribing are answered apart.
        let (hello, answers) = match self.program {
            Program::Mosquitto => (mqtt::hello(&role, number, self.stored), if role == Role::Publisher { 1 } else { 2 }),
            Program::Nats => (nats::hello(&role, number, self.stored), 2),
            Program::Redis => (redis::hello(&role, self.stored), 1),
        };
        let mut socket = self.connect(address).await?;
        let mut packets = Packets { peer: self, held: Held::default() };
        self.ask(&mut socket, &mut packets, &hello, answers).await?;
        if let (Self { program: Program::Redis, stored: true }, Role::Receiver(topic)) = (self, &role) {
            let mut wait = Vec::new();
            redis::put_wait(&mut wait, topic.as_bytes(), b"0");
            socket.write_all(&wait).await.map_err(|error| self.failed(error))?;
        }
        let (read, write) = socket.into_split();
        Ok(Connection { read, inbound: Inbound::Peer(packets), write })
    }

    /// Makes what must be there before anyone of `all` comes.
    pub(in crate::bench) async fn prepare(self, address: SocketAddr, all: &[Subscription]) -> Result<(), BenchError> {
        if self != (Self { program: Program::Nats, stored: true }) {
            return Ok(());
        }
        let mut socket = self.connect(address).await?;
        let mut packets = Packets { peer: self, held: Held::default() };
        let senders = all.iter().filter_map(|one| if let Subscription::Peer(sender) = one { Some(topic_of(*sender)) } else { None });
        let topics: Vec<String> = senders.collect();
        self.ask(&mut socket, &mut packets, &nats::hello(&Role::Publisher, 0, true), 2).await?;
        self.ask(&mut socket, &mut packets, &nats::make_stream(&topics), 1 + topics.len()).await
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
