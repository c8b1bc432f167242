//! The bare loops: what a socket write costs without a broker around it.
//!
//! Run as a child process like the broker (`tidings bench-floor`), and measured alike. One thread, no login, no JSON:
//! every text frame that comes in goes to every other connection as one frame, then its sender gets `{"id":N}`.
//! [`BaselineMode::Each`] writes each message to each socket by itself, [`BaselineMode::Shared`] gathers for 2 ms and writes
//! one buffer to each socket. A full socket is waited for, so nothing is lost and nothing is shed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::error::BenchError;
use super::frame::put_plain;
use super::marker::MARKER_BYTES;

/// How long [`BaselineMode::Shared`] gathers. Our choice: 2 ms, which nobody sees and which gathers a flood into few writes.
const GATHER: Duration = Duration::from_millis(2);
/// Messages between readers and the loop. Publishers wait for their acknowledgements, so few are ever there.
const WAITING_MAX: usize = 4_096;

/// How a bare loop writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaselineMode {
    /// One write per message and socket.
    Each,
    /// One write per socket for what came within 2 ms.
    Shared,
}

impl BaselineMode {
    /// Returns what it is called on the command line and in reports.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Shared => "shared",
        }
    }
}

type Sockets = Arc<Mutex<Vec<(u64, Arc<OwnedWriteHalf>)>>>;

struct Published {
    origin: u64,
    text: Vec<u8>,
}

/// Serves on a loopback port of the system's choice until the process is ended; `announce` is told the address.
///
/// # Errors
/// [`BenchError`] when there is no runtime or no port to have.
pub fn serve_baseline(mode: BaselineMode, announce: impl FnOnce(SocketAddr)) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| BenchError::io("cannot make a runtime", error))?;
    runtime.block_on(async {
        let listening = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listening.map_err(|error| BenchError::io("cannot listen", error))?;
        announce(listener.local_addr().map_err(|error| BenchError::io("cannot listen", error))?);
        let sockets = Sockets::default();
        let (publish, published) = mpsc::channel(WAITING_MAX);
        tokio::spawn(spread(mode, sockets.clone(), published));
        let mut number = 0;
        loop {
            if let Ok((socket, _)) = listener.accept().await {
                number += 1;
                tokio::spawn(serve_one(number, socket, sockets.clone(), publish.clone()));
            }
        }
    })
}

async fn serve_one(number: u64, mut socket: TcpStream, sockets: Sockets, publish: mpsc::Sender<Published>) {
    if socket.set_nodelay(true).is_err() || upgrade(&mut socket).await.is_none() {
        return;
    }
    let (read, write) = socket.into_split();
    lock(&sockets).push((number, Arc::new(write)));
    // Ends with the connection, whichever way that ends.
    let _ended = pass_on(number, read, publish).await;
    lock(&sockets).retain(|(other, _)| *other != number);
}

fn lock(sockets: &Sockets) -> std::sync::MutexGuard<'_, Vec<(u64, Arc<OwnedWriteHalf>)>> {
    sockets.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn upgrade(socket: &mut TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 4_096 || socket.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    // Our own client knows what it talks to and does not look at the accept key.
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    socket.write_all(answer).await.ok()
}

/// Takes masked text frames of less than 64 KiB, which is all that the bench sends.
async fn pass_on(number: u64, mut read: OwnedReadHalf, publish: mpsc::Sender<Published>) -> std::io::Result<()> {
    let mut mask = [0_u8; 4];
    loop {
        let _opcode = read.read_u8().await?;
        let length = match read.read_u8().await? & 0x7f {
            126 => usize::from(read.read_u16().await?),
            127 => return Ok(()),
            short => usize::from(short),
        };
        read.read_exact(&mut mask).await?;
        let mut text = vec![0; length];
        read.read_exact(&mut text).await?;
        text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        if publish.send(Published { origin: number, text }).await.is_err() {
            return Ok(());
        }
    }
}

async fn spread(mode: BaselineMode, sockets: Sockets, mut published: mpsc::Receiver<Published>) {
    while let Some(first) = published.recv().await {
        let mut gathered = vec![first];
        if mode == BaselineMode::Shared {
            tokio::time::sleep(GATHER).await;
            while let Ok(more) = published.try_recv() {
                gathered.push(more);
            }
        }
        let members = lock(&sockets).clone();
        let mut shared = Vec::new();
        gathered.iter().for_each(|message| put_plain(&mut shared, &message.text));
        for (number, socket) in &members {
            if gathered.iter().any(|message| message.origin == *number) {
                let mut own = Vec::new();
                gathered.iter().filter(|message| message.origin != *number).for_each(|message| put_plain(&mut own, &message.text));
                write(socket, &own).await;
            } else {
                write(socket, &shared).await;
            }
        }
        for message in &gathered {
            let Some((_, socket)) = members.iter().find(|(number, _)| *number == message.origin) else { continue };
            // The publisher's number stands at a fixed place of the marker and is its request's id here.
            let id = message.text.get(8..18.min(MARKER_BYTES)).unwrap_or_default();
            let mut acknowledgement = Vec::new();
            put_plain(&mut acknowledgement, &[b"{\"id\":".as_slice(), id, b"}"].concat());
            write(socket, &acknowledgement).await;
        }
    }
}

async fn write(socket: &OwnedWriteHalf, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if socket.writable().await.is_err() {
                    return;
                }
            }
            // Gone; its reader takes it off the list.
            Err(_) => return,
        }
    }
}
