//! A gate between a broker and a server: while it is shut nothing passes in either direction, and nobody is told, as where a network is
//! parted.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What PostgreSQL calls its socket.
const SOCKET: &str = ".s.PGSQL.5432";

/// Ends with its connections when it is dropped.
pub(super) struct Gate {
    is_open: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Returns when the gate is open; never when its owner is gone.
async fn open(is_open: &mut watch::Receiver<bool>) {
    if is_open.wait_for(|is_open| *is_open).await.is_err() {
        std::future::pending().await
    }
}

/// Copies while the gate is open.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut is_open: watch::Receiver<bool>) -> io::Result<()> {
    let mut some = vec![0; 64 << 10];
    loop {
        open(&mut is_open).await;
        let count = from.read(&mut some).await?;
        // What was read while it was being shut waits, as what is sent again does.
        open(&mut is_open).await;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&some[..count]).await?;
    }
}

async fn join(one: impl AsyncRead + AsyncWrite, other: impl AsyncRead + AsyncWrite, is_open: watch::Receiver<bool>) {
    let ((from_one, to_one), (from_other, to_other)) = (tokio::io::split(one), tokio::io::split(other));
    let ways = (pass(from_one, to_other, is_open.clone()), pass(from_other, to_one, is_open));
    // Whichever way ends, the connection does.
    tokio::select! {
        _ = ways.0 => {}
        _ = ways.1 => {}
    }
}

impl Gate {
    /// Makes one to a server on loopback; returns its own address besides.
    pub(super) async fn to_port(port: u16) -> (Self, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, opens) = watch::channel(true);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let mut opens = opens.clone();
                connections.spawn(async move {
                    open(&mut opens).await;
                    if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                        join(client, server, opens).await;
                    }
                });
            }
        });
        (Self { is_open, serving }, address)
    }

    /// Makes one to PostgreSQL, whose socket is in a folder; returns the folder of its own socket besides.
    pub(super) fn to_postgres(folder: &Path) -> (Self, TempDir) {
        let (own, target): (TempDir, PathBuf) = (tempfile::tempdir().unwrap(), folder.join(SOCKET));
        let listener = UnixListener::bind(own.path().join(SOCKET)).unwrap();
        let (is_open, opens) = watch::channel(true);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (mut opens, target) = (opens.clone(), target.clone());
                connections.spawn(async move {
                    open(&mut opens).await;
                    if let Ok(server) = UnixStream::connect(target).await {
                        join(client, server, opens).await;
                    }
                });
            }
        });
        (Self { is_open, serving }, own)
    }

    /// Lets nothing pass any more, or everything that waited.
    pub(super) fn set_open(&self, is_open: bool) {
        self.is_open.send_replace(is_open);
    }
}
