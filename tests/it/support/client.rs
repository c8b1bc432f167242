//! A WebSocket client that remembers everything that arrived.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::PATIENCE;

/// An `error` of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireError {
    pub(crate) code: u32,
    pub(crate) message: String,
    pub(crate) temporary: bool,
    pub(crate) retry_after_ms: Option<u64>,
}

/// What a login says. Empty texts are left out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) name: &'a str,
    pub(crate) device: &'a str,
    pub(crate) version: &'a str,
    pub(crate) resume: &'a str,
}

impl Login<'_> {
    pub(crate) fn args(&self, token: &str) -> Value {
        let mut args = json!({"userID": self.user, "token": token});
        for (field, value) in
            [("userName", self.name), ("deviceID", self.device), ("sdkVersion", self.version), ("resumeFrom", self.resume)]
        {
            if !value.is_empty() {
                args[field] = value.into();
            }
        }
        args
    }
}

/// Returns whether a frame says how the list of conversations follows what happened.
pub(crate) fn is_of_the_list(frame: &Value) -> bool {
    ["conversationChanged", "conversationTotalUnreadMessageCountUpdated"].iter().any(|event| frame["event"] == *event)
}

/// A conversation as a client names it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum To<'a> {
    Peer(&'a str),
    Room(&'a str),
    Group(&'a str),
}

impl<'a> To<'a> {
    fn parts(self) -> (&'a str, u8) {
        match self {
            Self::Peer(id) => (id, 0),
            Self::Room(id) => (id, 1),
            Self::Group(id) => (id, 2),
        }
    }

    /// Returns the arguments of `sendMessage`.
    pub(crate) fn args(self, message: &Value) -> Value {
        let (id, kind) = self.parts();
        json!({"message": message, "toConversationID": id, "conversationType": kind})
    }
}

/// Bytes both ways: a socket, or TLS over one.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// One connection.
pub(crate) struct Client {
    socket: WebSocketStream<Box<dyn Duplex>>,
    next_id: u64,
    /// Frames nobody has asked for yet.
    unread: VecDeque<Value>,
    /// What the last login answered.
    pub(crate) hello: Value,
    /// Everything that arrived, for a failure's text.
    log: Vec<String>,
}

impl Client {
    /// Asks for a WebSocket with more headers; otherwise returns the status and the body of the refusal.
    pub(crate) async fn try_connect(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, (u16, String)> {
        Self::over(TcpStream::connect(address).await.unwrap(), "/ws", headers).await
    }

    /// The same over a socket of the test's own, at any path.
    pub(crate) async fn over(stream: TcpStream, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, (u16, String)> {
        let host = stream.peer_addr().unwrap();
        Self::over_any(Box::new(stream), host, path, headers).await
    }

    /// The same over anything.
    pub(crate) async fn over_any(
        stream: Box<dyn Duplex>,
        host: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, String)> {
        let mut request = format!("ws://{host}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio::time::timeout(PATIENCE, client_async(request, stream)).await.expect("an answer to the handshake") {
            Ok((socket, _)) => Ok(Self { socket, next_id: 1, unread: VecDeque::new(), hello: Value::Null, log: Vec::new() }),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                let body = response.body().as_deref().map(|body| String::from_utf8_lossy(body).into_owned());
                Err((response.status().as_u16(), body.unwrap_or_default()))
            }
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    /// Logs in and keeps the answer in `hello`.
    pub(crate) async fn login(&mut self, token: &str, login: Login<'_>) {
        self.hello = self.ok("login", login.args(token)).await;
        assert_eq!(self.hello["userID"], login.user);
    }

    /// Sends any WebSocket message.
    pub(crate) async fn raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends a request without waiting; `reply` gets the answer.
    pub(crate) async fn request(&mut self, op: &str, args: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.raw(Message::text(json!({"id": id, "op": op, "args": args}).to_string())).await;
        id
    }

    pub(crate) async fn reply(&mut self, id: u64) -> Result<Value, WireError> {
        self.reply_as(&format!("the reply {id}"), id).await
    }

    /// Makes a call that is named when it fails.
    pub(crate) async fn call_as(&mut self, what: &str, op: &str, args: Value) -> Result<Value, WireError> {
        let id = self.request(op, args).await;
        self.reply_as(what, id).await
    }

    async fn reply_as(&mut self, what: &str, id: u64) -> Result<Value, WireError> {
        let frame = self.frame(what, |frame| frame["id"] == id).await;
        match frame.get("error") {
            Some(error) => Err(serde_json::from_value(error.clone()).unwrap()),
            None => Ok(frame["result"].clone()),
        }
    }

    pub(crate) async fn call(&mut self, op: &str, args: Value) -> Result<Value, WireError> {
        let id = self.request(op, args).await;
        self.reply(id).await
    }

    /// Makes a call that succeeds.
    pub(crate) async fn ok(&mut self, op: &str, args: Value) -> Value {
        match self.call(op, args).await {
            Ok(result) => result,
            Err(error) => panic!("{op} was refused: {error:?}"),
        }
    }

    /// Makes a call that is refused.
    pub(crate) async fn refused(&mut self, op: &str, args: Value) -> WireError {
        match self.call(op, args).await {
            Ok(result) => panic!("{op} was not refused: {result}"),
            Err(error) => error,
        }
    }

    /// Returns the number a call is refused with.
    pub(crate) async fn code(&mut self, op: &str, args: Value) -> u32 {
        self.refused(op, args).await.code
    }

    /// Sends a message; returns the result's `message`.
    pub(crate) async fn send(&mut self, to: To<'_>, message: Value) -> Result<Value, WireError> {
        self.call("sendMessage", to.args(&message)).await.map(|mut result| result["message"].take())
    }

    /// Sends a text that is accepted.
    pub(crate) async fn say(&mut self, to: To<'_>, content: &str) -> Value {
        self.send(to, super::text(content)).await.unwrap()
    }

    /// Asks for a page of history; returns the whole result.
    pub(crate) async fn history(&mut self, to: To<'_>, config: Value) -> Result<Value, WireError> {
        let (id, kind) = to.parts();
        self.call("queryHistoryMessage", json!({"conversationID": id, "conversationType": kind, "config": config})).await
    }

    /// Returns the newest messages, up to a hundred.
    pub(crate) async fn newest(&mut self, to: To<'_>) -> Vec<Value> {
        let page = self.history(to, json!({"count": 100, "reverse": true})).await.unwrap();
        page["messageList"].as_array().unwrap().clone()
    }

    /// Returns the data of the next event of that name; others stay unread.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let mut frame = self.frame(&format!("the event {name}"), |frame| frame["event"] == name).await;
        frame["data"].take()
    }

    /// Returns the next `count` messages, whatever events they come in, and fails if the same frame has more.
    pub(crate) async fn messages(&mut self, count: usize) -> Vec<Value> {
        let mut messages: Vec<Value> = Vec::new();
        while messages.len() < count {
            let what = format!("message {} of {count}", messages.len() + 1);
            let frame = self.frame(&what, |frame| frame["data"]["messageList"].is_array()).await;
            messages.extend(frame["data"]["messageList"].as_array().unwrap().iter().cloned());
        }
        assert_eq!(messages.len(), count, "more messages than expected: {messages:?}");
        messages
    }

    /// Returns the next messages' `message` fields.
    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        super::pluck(&Value::Array(self.messages(count).await), "message")
    }

    /// Takes an unread frame, if there is one that is wanted.
    pub(crate) fn take_unread(&mut self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let position = self.unread.iter().position(wanted)?;
        self.unread.remove(position)
    }

    /// Forgets the frames that arrived so far.
    pub(crate) fn forget_unread(&mut self) {
        self.unread.clear();
        self.log.clear();
    }

    /// Forgets their text, too.
    pub(crate) fn forget_log(&mut self) {
        self.log.clear();
    }

    /// Checks that nothing has arrived that the test did not ask for, except how the list of conversations follows.
    /// Sound only after something that must come later was seen.
    pub(crate) fn assert_nothing_unread(&self) {
        let unexpected: Vec<_> = self.unread.iter().filter(|frame| !is_of_the_list(frame)).collect();
        assert!(unexpected.is_empty(), "unexpected: {unexpected:?}");
    }

    /// Returns the code and the words the broker closes with.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next("the close").await {
                Some(Message::Close(Some(close))) => return (close.code.into(), close.reason.to_string()),
                Some(_) => {}
                None => self.fail("the close"),
            }
        }
    }

    /// Waits until the connection is over, with a close frame or without; what comes before is remembered.
    pub(crate) async fn ended(&mut self) {
        while self.next("the end of the connection").await.is_some() {}
    }

    /// Returns the payload of the next pong.
    pub(crate) async fn pong(&mut self) -> Vec<u8> {
        loop {
            match self.next("the pong").await {
                Some(Message::Pong(payload)) => return payload.to_vec(),
                Some(_) => {}
                None => self.fail("the pong"),
            }
        }
    }

    /// Returns the first frame, unread or to come, that is wanted.
    pub(crate) async fn frame(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(frame) = self.take_unread(&wanted) {
            return frame;
        }
        loop {
            match self.next(what).await {
                Some(Message::Text(_)) => {
                    if self.unread.back().is_some_and(&wanted) {
                        return self.unread.pop_back().unwrap();
                    }
                }
                Some(Message::Close(_)) | None => self.fail(what),
                Some(_) => {}
            }
        }
    }

    /// Reads one message off the socket; texts become unread frames. Returns `None` at the end.
    async fn next(&mut self, what: &str) -> Option<Message> {
        let read = match tokio::time::timeout(PATIENCE, self.socket.next()).await {
            Ok(read) => read?,
            Err(_) => self.fail(what),
        };
        let message = match read {
            Ok(message) => message,
            Err(error) => {
                self.log.push(format!("error: {error}"));
                return None;
            }
        };
        self.log.push(message.to_string().chars().take(300).collect());
        if let Message::Text(text) = &message {
            let frame: Value = serde_json::from_str(text).unwrap();
            assert_eq!(inexact(&frame), None, "JavaScript does not count so far: {frame}");
            self.unread.push_back(frame);
        }
        Some(message)
    }

    fn fail(&self, what: &str) -> ! {
        let arrived = self.log.iter().map(|line| format!("\n  {line}")).collect::<String>();
        panic!("{what} did not arrive; what did:{arrived}")
    }
}

/// Returns a whole number that JavaScript would round.
fn inexact(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_i64().map(i64::unsigned_abs).or(number.as_u64()).filter(|number| *number >= 1 << 53),
        Value::Array(values) => values.iter().find_map(inexact),
        Value::Object(fields) => fields.values().find_map(inexact),
        _ => None,
    }
}
