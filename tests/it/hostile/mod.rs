//! The real program as a child process, and connections that treat it badly: they die with it, write what no client
//! writes, or never read.
//!
//! A broker inside this process could neither be killed nor have its memory told from the tests' own.
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

pub(crate) mod attackers;
mod combines;
mod connections;
#[cfg(feature = "bench")]
mod frames;
pub(crate) mod healthy;
mod measure;
mod media;
mod quotas;
mod sight;

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::auth::Tokens;
use tidings::clock::SystemClock;
use tidings::config::Config;
use tidings::model::{Limits, UserId};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) use self::measure::{MIB, Watch, bytes_below, resident};

/// How long anything may take. Far more than it needs: two cores may be shared with a compiler.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One hostile test at a time: each measures times and memory, and is itself a load on the others.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// What signs the tokens of the tests.
const SECRET: &str = "the secret of the hostile tests";

/// `SplitMix64`: reproducible from its seed, and good enough to choose with.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One of `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll() % (high - low + 1)
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.roll().is_multiple_of(chances)
    }
}

/// A data directory and settings; the program may run on it again and again.
pub(crate) struct Program {
    folder: TempDir,
    /// Where its data lies, if not in the folder.
    data: Option<std::path::PathBuf>,
    settings: Vec<(String, String)>,
    tokens: Tokens,
    binary: std::sync::Mutex<std::path::PathBuf>,
}

impl Program {
    /// Sets these settings over the defaults, each as `section.key`.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let mut config = Config::default();
        config.auth.secret = SECRET.to_owned();
        let (tokens, _) = Tokens::open(&config, Arc::new(SystemClock::new())).unwrap();
        // What a group says of itself has tests of its own; the others count what users say.
        let own = [
            ("auth.secret", config.auth.secret.as_str()),
            ("log.filter", "info"),
            ("server.metrics_public", "true"),
            ("group.tips", "false"),
        ];
        let variable = |(key, value): &(&str, &str)| (format!("TIDINGS_{}", key.replace('.', "__").to_uppercase()), (*value).to_owned());
        let settings = own.iter().chain(settings).map(variable).collect();
        Self {
            folder: tempfile::tempdir().unwrap(),
            data: None,
            settings,
            tokens,
            binary: std::sync::Mutex::new(env!("CARGO_BIN_EXE_tidings").into()),
        }
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.tokens.issue_jwt(&UserId::parse("userID", user, &Limits::default()).unwrap(), 86_400).unwrap()
    }

    /// Leaves a setting to the file, or its default.
    pub(crate) fn unset(mut self, key: &str) -> Self {
        let unset = format!("TIDINGS_{}", key.replace('.', "__").to_uppercase());
        self.settings.retain(|(variable, _)| *variable != unset);
        self
    }

    /// Leaves it without a configured secret, as whoever tries it out does. The one it would make is there already, so that tokens
    /// can be made here, too.
    pub(crate) fn demo(self) -> Self {
        std::fs::DirBuilder::new().mode(0o700).create(self.data()).unwrap();
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(self.data().join("secret")).unwrap();
        file.write_all(SECRET.as_bytes()).unwrap();
        self.unset("auth.secret")
    }

    /// Gives the process an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Keeps its data elsewhere than in the folder.
    pub(crate) fn keeping_data_in(mut self, data: &std::path::Path) -> Self {
        self.data = Some(data.to_owned());
        self
    }

    /// Is another build of the program from its next start on.
    #[cfg(feature = "cluster")]
    pub(crate) fn becomes(&self, binary: &std::path::Path) {
        binary.clone_into(&mut self.binary.lock().unwrap());
    }

    /// Writes the file of settings that the process finds where it runs.
    pub(crate) fn settings(&self, text: &str) {
        std::fs::write(self.folder.path().join("tidings.toml"), text).unwrap();
    }

    /// Returns the folder the process runs in.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Returns the folder it keeps its data in.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.data.clone().unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// Returns a command of the program over these settings and this data, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&*self.binary.lock().unwrap());
        // Elsewhere, so that neither a tidings.toml nor variables of the developer's have a say.
        command.args(arguments).current_dir(self.folder.path());
        for (variable, _) in std::env::vars_os().filter(|(variable, _)| variable.to_string_lossy().starts_with("TIDINGS_")) {
            command.env_remove(variable);
        }
        command.envs(self.settings.iter().cloned()).env("TIDINGS_SERVER__DATA_DIR", self.data());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts the process, and does not wait until it listens. Killed when dropped.
    pub(crate) fn spawn(&self) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        self.command(&["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap()
    }

    /// Starts the process and waits until it listens.
    pub(crate) async fn run(&self) -> Running {
        let mut child = self.spawn();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listens = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, address)) = line.strip_prefix("listening on ").and_then(|url| url.split_once("://")) {
                    return address.parse().unwrap();
                }
            }
            panic!("the program ended instead of listening:\n{}", self.log())
        };
        let address = soon("the program's first words", listens).await;
        Running { child, address }
    }

    /// Waits until the program has logged a message with these words, and returns the fields of that line.
    pub(crate) async fn logged(&self, words: &str) -> Value {
        let look = async {
            loop {
                let log = self.log();
                let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                if let Some(line) = lines.find(|line| line["message"].as_str().is_some_and(|said| said.contains(words))) {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(&format!("{words:?} in the log"), look).await
    }

    /// Returns the last lines the program logged, over all its runs.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

/// A process that listens. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Ends the process as `kill -9` does.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the program runs")
    }

    /// Sends a signal, such as `HUP`.
    pub(crate) async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().await.unwrap();
        assert!(sent.success(), "no signal {name}");
    }

    /// Waits until the process has ended by itself; returns whether it succeeded.
    pub(crate) async fn ended(self) -> bool {
        self.exit_code().await == Some(0)
    }

    /// Waits until the process has ended by itself; returns its exit code.
    pub(crate) async fn exit_code(mut self) -> Option<i32> {
        soon("the program's end", self.child.wait()).await.unwrap().code()
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        let asked = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        };
        Metrics(soon("the metrics", asked).await)
    }

    /// Scrapes the metrics until they are as wanted.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&Metrics) -> bool) {
        let reached = async {
            while !so(&self.metrics().await) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        soon(what, reached).await;
    }
}

/// A scrape.
pub(crate) struct Metrics(String);

impl Metrics {
    /// Returns the sum of the samples whose name and labels contain all of `parts`; 0 without one.
    pub(crate) fn sum(&self, name: &str, parts: &[&str]) -> u64 {
        let samples = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        let named = samples.filter(|(sample, _)| sample.split('{').next() == Some(name) && parts.iter().all(|part| sample.contains(part)));
        named.map(|(_, value)| value.parse::<f64>().unwrap() as u64).sum()
    }
}

pub(crate) fn request(id: u64, op: &str, args: &Value) -> String {
    json!({"id": id, "op": op, "args": args}).to_string()
}

/// Returns the arguments of `sendMessage`; `kind` is 0 peer, 1 room, 2 group.
pub(crate) fn message_to(conversation: &str, kind: u8, message: &Value) -> Value {
    json!({"message": message, "toConversationID": conversation, "conversationType": kind})
}

/// The sending half of a connection that was split.
pub(crate) type Speaker = SplitSink<WebSocketStream<TcpStream>, Message>;
/// The other half.
pub(crate) type Listener = SplitStream<WebSocketStream<TcpStream>>;

/// Returns the next text; `None` once the connection is gone.
pub(crate) async fn heard(listener: &mut Listener) -> Option<Utf8Bytes> {
    loop {
        match listener.next().await? {
            Ok(Message::Text(text)) => return Some(text),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// A well-behaved client whose connection may end at any time.
pub(crate) struct Line {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
    /// Frames that came while a reply was awaited.
    aside: VecDeque<Value>,
}

impl Line {
    /// Connects and logs in.
    pub(crate) async fn login(program: &Program, address: SocketAddr, user: &str) -> Self {
        let connected = TcpStream::connect(address).await.unwrap();
        Self::over(connected, program, address, user).await
    }

    /// Connects over a socket for which the kernel keeps little.
    pub(crate) async fn login_narrow(program: &Program, address: SocketAddr, user: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let connected = socket.connect(address).await.unwrap();
        Self::over(connected, program, address, user).await
    }

    /// The same to a broker that may be gone, or go meanwhile, or refuse.
    pub(crate) async fn try_login(program: &Program, address: SocketAddr, user: &str) -> Result<Self, ()> {
        Self::try_resume(program, address, user, None).await.map(|(line, _)| line)
    }

    /// The same with a cursor; returns what the login answers, too.
    pub(crate) async fn try_resume(program: &Program, address: SocketAddr, user: &str, cursor: Option<&str>) -> Result<(Self, Value), ()> {
        let stream = TcpStream::connect(address).await.map_err(drop)?;
        let (socket, _) = client_async(format!("ws://{address}/ws"), stream).await.map_err(drop)?;
        let mut line = Self { socket, next_id: 1, aside: VecDeque::new() };
        let mut login = json!({"userID": user, "token": program.token(user), "deviceID": "only"});
        if let Some(cursor) = cursor {
            login["resumeFrom"] = json!(cursor);
        }
        let id = line.send("login", &login).await.ok_or(())?;
        while let Some(mut frame) = line.read().await {
            if frame["id"] == id {
                let result = frame["result"].take();
                return if result.is_null() { Err(()) } else { Ok((line, result)) };
            }
        }
        Err(())
    }

    /// Reads until the connection ends; returns the close code, if there was one.
    #[cfg(feature = "postgres")]
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        while let Some(Ok(message)) = self.socket.next().await {
            if let Message::Close(frame) = message {
                return frame.map(|frame| frame.code.into());
            }
        }
        None
    }

    async fn over(stream: TcpStream, program: &Program, address: SocketAddr, user: &str) -> Self {
        let opened = soon("a WebSocket", client_async(format!("ws://{address}/ws"), stream)).await;
        let mut line = Self { socket: opened.unwrap().0, next_id: 1, aside: VecDeque::new() };
        line.ok("login", json!({"userID": user, "token": program.token(user), "deviceID": "only"})).await;
        line
    }

    /// Sends a request; returns its id, or `None` when the connection is gone.
    pub(crate) async fn send(&mut self, op: &str, args: &Value) -> Option<u64> {
        let id = self.next_id;
        self.next_id += 1;
        self.socket.send(Message::text(request(id, op, args))).await.ok().map(|()| id)
    }

    /// Returns the next frame; `None` once the connection is gone.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        if let Some(frame) = self.aside.pop_front() {
            return Some(frame);
        }
        self.read().await
    }

    async fn read(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Makes a request that succeeds; frames before its reply stay for [`Line::next`].
    pub(crate) async fn ok(&mut self, op: &str, args: Value) -> Value {
        self.ask(op, args).await.unwrap_or_else(|rest| panic!("{op} was refused: {rest}"))
    }

    /// Makes a request; returns its result or its error. Frames before its reply stay for [`Line::next`].
    pub(crate) async fn ask(&mut self, op: &str, args: Value) -> Result<Value, Value> {
        let answered = async {
            let id = self.send(op, &args).await?;
            loop {
                match self.read().await? {
                    mut frame if frame["id"] == id => return Some((frame["result"].take(), frame)),
                    frame => self.aside.push_back(frame),
                }
            }
        };
        let answer = soon(op, answered).await;
        let (result, mut rest) = answer.unwrap_or_else(|| panic!("connection lost in {op}"));
        if result.is_null() { Err(rest["error"].take()) } else { Ok(result) }
    }

    pub(crate) fn split(self) -> (Speaker, Listener) {
        assert!(self.aside.iter().all(|frame| !frame["data"]["messageList"].is_array()), "a message would be overlooked");
        self.socket.split()
    }
}
