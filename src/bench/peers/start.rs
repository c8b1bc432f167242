//! How the other brokers are started: the configuration of each in full, so that a reader can do the same.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::program::{Peer, Program};
use crate::bench::error::BenchError;
use crate::bench::process::{Folder, Server};

/// Where servers are on systems whose users don't have it in their PATH.
const ALSO: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// A program that is there.
#[derive(Debug)]
pub(in crate::bench) struct Installed {
    program: Program,
    path: PathBuf,
    version: String,
}

impl Installed {
    /// Returns the program, or the line that says what to do about it.
    pub(in crate::bench) fn find(program: Program) -> Result<Self, String> {
        let name = program.name();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(ALSO.map(PathBuf::from));
        let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
        let path = found.ok_or_else(|| format!("not installed: {name} (apt install {name})"))?;
        let ask = if program == Program::Mosquitto { "-h" } else { "--version" };
        let said = Command::new(&path).arg(ask).stdin(Stdio::null()).output().map(|output| output.stdout).unwrap_or_default();
        let version = String::from_utf8_lossy(&said).lines().next().unwrap_or("of unknown version").trim().to_owned();
        Ok(Self { program, path, version })
    }

    /// Starts it in a folder of its own; what it was told is a line for the report.
    pub(in crate::bench) async fn start(&self, stored: bool, within: &Path) -> Result<(Server, String), BenchError> {
        let peer = Peer { program: self.program, stored };
        let folder = Folder::new(within)?;
        let address = free_port()?;
        let (arguments, conf) = peer.configuration(address.port());
        let file = peer.program.conf_file();
        fs::write(folder.0.join(file), &conf).map_err(|error| BenchError::io(format!("cannot write {file}"), error))?;
        let line = format!(
            "{}: {} {}, with {file}: {}",
            self.version,
            self.path.display(),
            arguments.join(" "),
            conf.lines().collect::<Vec<_>>().join("; ")
        );
        Ok((Server::start_at(&self.path, &arguments, address, folder).await?, line))
    }
}

/// Returns a loopback port that nobody has. Someone may take it before our child does; then that one fails to start.
pub(in crate::bench) fn free_port() -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map_err(|error| BenchError::io("no port to have", error))
}

impl Program {
    fn conf_file(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto.conf",
            Self::Nats => "nats.conf",
            Self::Redis => "redis.conf",
        }
    }
}

impl Peer {
    /// Arguments, and what stands in the configuration file. Limits that would drop or hang up are lifted where they
    /// can be; everything else is the program's own default.
    fn configuration(self, port: u16) -> (Vec<String>, String) {
        let file = self.program.conf_file();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self.program {
            Program::Mosquitto => {
                // Started by root it would become another user, who may not write into our folder.
                let stored =
                    if self.stored { "persistence true\npersistence_location ./\nautosave_interval 1\n" } else { "persistence false\n" };
                let conf = format!(
                    "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nset_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 0\nlog_type error\n{stored}"
                );
                (words(&["-c", file]), conf)
            }
            Program::Nats => {
                let conf = format!("listen: 127.0.0.1:{port}\nping_interval: \"10m\"\n");
                (if self.stored { words(&["-c", file, "-js", "-sd", "js"]) } else { words(&["-c", file]) }, conf)
            }
            Program::Redis => {
                let stored =
                    if self.stored { "appendonly yes\nappendfsync everysec\nauto-aof-rewrite-percentage 0\n" } else { "appendonly no\n" };
                let conf = format!(
                    "bind 127.0.0.1\nport {port}\ndaemonize no\nsave \"\"\nclient-output-buffer-limit pubsub 0 0 0\nloglevel warning\n{stored}"
                );
                (words(&[file]), conf)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listens_on_loopback_only_and_stores_when_it_is_to() {
        for program in Program::ALL {
            let label = |stored| Peer { program, stored }.configuration(4_321);
            let (arguments, conf) = label(false);
            assert!(conf.contains("127.0.0.1") && conf.contains("4321"), "{conf}");
            assert!(arguments.iter().any(|argument| argument == program.conf_file()));
            assert_ne!(label(true), (arguments, conf));
        }
    }
}
