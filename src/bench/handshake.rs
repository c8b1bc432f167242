//! Coming in: upgrade, login, room. One question at a time, with JSON read in full; the hot path is in [`super::client`].

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::connection::{Connection, Inbound};
use super::error::BenchError;
use super::frame::{Frame, Frames, put_text};

/// How long an answer may take while ten thousand others come in too.
const PATIENCE: Duration = Duration::from_secs(60);
/// Receive buffer of a reader that stands still; the kernel may make it larger.
const NARROW_BYTES: u32 = 4_096;

/// Who logs in.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) user: String,
    pub(super) token: String,
}

/// A connection that is asked one thing at a time.
#[derive(Debug)]
pub(super) struct Handshake {
    socket: TcpStream,
    frames: Frames,
    replies: VecDeque<Value>,
    /// What is not an answer, of a connection that wants it.
    events: Option<VecDeque<Vec<u8>>>,
    asked: u64,
}

impl Handshake {
    /// Connects and upgrades. `narrow`: with the smallest receive buffer, for a reader that will stand still.
    pub(super) async fn open(address: SocketAddr, narrow: bool) -> Result<Self, BenchError> {
        let failed = |error| BenchError::io(format!("cannot connect to {address}"), error);
        let mut socket = if narrow {
            // Megabytes in the kernel would hide for half a minute that nobody reads.
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
            socket.set_recv_buffer_size(NARROW_BYTES).map_err(failed)?;
            socket.connect(address).await.map_err(failed)?
        } else {
            TcpStream::connect(address).await.map_err(failed)?
        };
        socket.set_nodelay(true).map_err(failed)?;
        let upgrade = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.write_all(upgrade.as_bytes()).await.map_err(failed)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            // One byte at a time: nothing behind the head may be taken.
            head.push(
                tokio::time::timeout(PATIENCE, socket.read_u8()).await.map_err(|_| BenchError::Silent("the upgrade"))?.map_err(failed)?,
            );
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            let line = String::from_utf8_lossy(&head);
            return Err(BenchError::Subject(format!("no WebSocket at {address}: {}", line.lines().next().unwrap_or_default())));
        }
        Ok(Self { socket, frames: Frames::default(), replies: VecDeque::new(), events: None, asked: 0 })
    }

    pub(super) async fn login(&mut self, account: &Account) -> Result<(), BenchError> {
        self.resume(account, None).await.map(drop)
    }

    /// Logs in, and goes on where a cursor says; returns what the broker answers.
    pub(super) async fn resume(&mut self, account: &Account, cursor: Option<&str>) -> Result<Value, BenchError> {
        let Account { user, token } = account;
        let mut args = json!({"userID": user, "userName": user, "token": token, "deviceID": "bench"});
        if let Some(cursor) = cursor {
            args["resumeFrom"] = cursor.into();
        }
        self.ask("login", &args).await
    }

    /// From now on what is not an answer is kept for [`Self::event`].
    pub(super) fn keep_events(&mut self) {
        self.events.get_or_insert_default();
    }

    /// Returns the next event.
    pub(super) async fn event(&mut self) -> Result<Vec<u8>, BenchError> {
        loop {
            if let Some(event) = self.events.as_mut().and_then(VecDeque::pop_front) {
                return Ok(event);
            }
            self.read().await?;
        }
    }

    /// Enters a room and makes it when there is none.
    pub(super) async fn enter(&mut self, room: &str) -> Result<(), BenchError> {
        self.ask("enterRoom", &json!({"roomInfo": {"roomID": room}})).await.map(drop)
    }

    /// Makes a group of the one who is logged in and `users`, so many invited at a time.
    pub(super) async fn make_group(&mut self, group: &str, users: &[String], at_a_time: usize) -> Result<(), BenchError> {
        self.ask("createGroup", &json!({"groupInfo": {"groupID": group, "groupName": group}, "userIDs": []})).await?;
        for users in users.chunks(at_a_time) {
            self.ask("inviteUsersIntoGroup", &json!({"groupID": group, "userIDs": users})).await?;
        }
        Ok(())
    }

    /// Asks for something that is to be granted; returns the result.
    pub(super) async fn ask(&mut self, op: &'static str, args: &Value) -> Result<Value, BenchError> {
        let mut answer = self.request(op, args).await?;
        match answer.get("error") {
            None => Ok(answer["result"].take()),
            Some(error) => Err(BenchError::Subject(format!("{op} was refused: {error}"))),
        }
    }

    /// Asks for something; returns the whole answer.
    pub(super) async fn request(&mut self, op: &'static str, args: &Value) -> Result<Value, BenchError> {
        self.asked += 1;
        let id = self.asked;
        let mut frame = Vec::new();
        put_text(&mut frame, json!({"id": id, "op": op, "args": args}).to_string().as_bytes(), [9, 7, 5, 3]);
        self.socket.write_all(&frame).await.map_err(|error| BenchError::io(op, error))?;
        tokio::time::timeout(PATIENCE, self.answer(id)).await.map_err(|_| BenchError::Silent(op))?
    }

    /// Returns the answer to `id`.
    async fn answer(&mut self, id: u64) -> Result<Value, BenchError> {
        loop {
            while let Some(reply) = self.replies.pop_front() {
                if reply["id"] == id {
                    return Ok(reply);
                }
            }
            self.read().await?;
        }
    }

    /// Reads what is there; events, if nobody wants them, are other people's arrivals.
    async fn read(&mut self) -> Result<(), BenchError> {
        let mut chunk = vec![0; 16 * 1024];
        let read = self.socket.read(&mut chunk).await.map_err(|error| BenchError::io("reading", error))?;
        if read == 0 {
            return Err(BenchError::Subject("the connection ended while something was due".into()));
        }
        let (replies, events) = (&mut self.replies, &mut self.events);
        let mut closed = None;
        let fed = self.frames.feed(&chunk[..read], |frame| match frame {
            Frame::Text(text) if text.starts_with(br#"{"id""#) => replies.extend(serde_json::from_slice(text).ok()),
            Frame::Text(text) => {
                if let Some(events) = events {
                    events.push_back(text.to_vec());
                }
            }
            Frame::Control => {}
            Frame::Close(code) => closed = Some(code),
        });
        fed.map_err(|_| BenchError::Subject("what arrived is not a server's WebSocket frame".into()))?;
        match closed {
            Some(code) => Err(BenchError::Subject(format!("closed with {code} while something was due"))),
            None => Ok(()),
        }
    }

    pub(super) fn into_connection(self) -> Connection {
        let (read, write) = self.socket.into_split();
        Connection { read, inbound: Inbound::WebSocket(self.frames), write }
    }
}
