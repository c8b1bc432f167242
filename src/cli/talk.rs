//! `tidings send` and `tidings tail`: a user of a running broker, on a terminal.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{ArgGroup, Args};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tidings::model::UserId;
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::broker::{BrokerUrl, Duplex, PATIENCE, runtime};
use super::failure::Failure;
use super::settings::Settings;
use super::token::tokens_of;

/// How long a token made for this one connection is good, seconds; tail renews nothing.
const TOKEN_SECONDS: u64 = 30 * 24 * 3600;
/// The number of a command, whose bytes travel as base64. Source: PROTOCOL.md.
const COMMAND: u16 = 2;

#[derive(Debug, Args)]
pub(super) struct Connect {
    #[command(flatten)]
    settings: Settings,
    /// The broker, such as <http://127.0.0.1:7080>; default: where server.listen says.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The user's token; default: one made with the data directory's secret.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The device to be; another device of the user may have to go for it (`users.devices_per_user_max`).
    #[arg(long, value_name = "ID", default_value = "command-line")]
    device: String,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["text", "message"]))]
pub(super) struct SendArguments {
    #[command(flatten)]
    connect: Connect,
    /// Who sends.
    #[arg(long, value_name = "USER")]
    from: String,
    /// Whom it is for: a user, or with --room or --group the id of one.
    #[arg(long, value_name = "ID")]
    to: String,
    /// It is for a room; the sender enters it.
    #[arg(long, conflicts_with = "group")]
    room: bool,
    /// It is for a group, in which the sender is.
    #[arg(long)]
    group: bool,
    /// What it says.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Its type: 1 text, 2 command (of the text's bytes), 20 barrage.
    #[arg(long = "type", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=200))]
    kind: u16,
    /// The whole message as JSON instead, such as '{"type":200,"message":"{}","subType":7}'.
    #[arg(long, value_name = "JSON", value_parser = object)]
    message: Option<Value>,
    /// The id by which a retry is known.
    #[arg(long, value_name = "ID")]
    local_id: Option<String>,
    /// 1 low, 2 medium, 3 high.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    priority: u8,
}

#[derive(Debug, Args)]
pub(super) struct TailArguments {
    #[command(flatten)]
    connect: Connect,
    /// Who listens: what reaches this user is printed.
    #[arg(long, value_name = "ID")]
    user: String,
    /// Rooms to enter, may be given several times.
    #[arg(long = "room", value_name = "ID")]
    rooms: Vec<String>,
    /// End after so many messages.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

fn object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("expected a JSON object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A user who is logged in.
struct Session {
    socket: WebSocketStream<Box<dyn Duplex>>,
    asked: u64,
    heartbeat: Duration,
    /// Events that came while an answer was awaited.
    events: Vec<Value>,
}

impl Session {
    async fn login(connect: &Connect, user: &str) -> Result<Self, Failure> {
        let config = connect.settings.load(Vec::new())?;
        let place = BrokerUrl::of(connect.url.as_deref(), &config)?;
        let token = match &connect.token {
            Some(token) => token.clone(),
            None => {
                let id = UserId::parse("user", user, &config.limits).map_err(|invalid| Failure::Usage(invalid.to_string()))?;
                let tokens = tokens_of(&config)?;
                tokens.issue_jwt(&id, TOKEN_SECONDS.min(tokens.lifetime_max_seconds())).map_err(anyhow::Error::from)?
            }
        };
        let stream = place.connect().await?;
        let scheme = if place.has_tls { "wss" } else { "ws" };
        let opened = timeout(PATIENCE, client_async(format!("{scheme}://{}{}/ws", place.host, place.prefix), stream)).await;
        let (socket, _) = opened.map_err(|_| place.unreachable("no answer"))?.map_err(|error| place.unreachable(error))?;
        let mut session = Self { socket, asked: 0, heartbeat: Duration::from_secs(30), events: Vec::new() };
        let hello = session.ask("login", json!({"userID": user, "token": token, "deviceID": connect.device})).await?;
        if let Some(seconds) = hello["heartbeatSeconds"].as_u64() {
            session.heartbeat = Duration::from_secs(seconds.max(1));
        }
        Ok(session)
    }

    async fn write(&mut self, op: &str, args: Value) -> Result<u64, Failure> {
        self.asked += 1;
        let frame = json!({"id": self.asked, "op": op, "args": args}).to_string();
        self.socket.send(Message::text(frame)).await.map_err(anyhow::Error::from)?;
        Ok(self.asked)
    }

    async fn next(&mut self) -> Result<Value, Failure> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).map_err(anyhow::Error::from)?),
                Some(Ok(Message::Close(Some(why)))) => {
                    return Err(anyhow::anyhow!("the broker closed the connection: {} {}", why.code, why.reason).into());
                }
                Some(Ok(Message::Close(None))) | None => return Err(anyhow::anyhow!("the broker closed the connection").into()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(anyhow::Error::from(error).into()),
            }
        }
    }

    async fn ask(&mut self, op: &'static str, args: Value) -> Result<Value, Failure> {
        let id = self.write(op, args).await?;
        let answer = async {
            loop {
                let mut frame = self.next().await?;
                if frame["id"] == id {
                    let error = &frame["error"];
                    if error.is_null() {
                        return Ok(frame["result"].take());
                    }
                    return Err(
                        anyhow::anyhow!("{op} was refused: {} ({})", error["message"].as_str().unwrap_or_default(), error["code"]).into()
                    );
                }
                if frame["event"].is_string() {
                    self.events.push(frame);
                }
            }
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer to {op}").into()))
    }

    /// Says good-bye; the broker would notice anyway.
    async fn close(mut self) {
        if self.socket.close(None).await.is_err() {
            tracing::debug!("the connection was gone already");
        }
    }
}

pub(super) fn send(arguments: &SendArguments) -> Result<(), Failure> {
    let mut message = match (&arguments.message, &arguments.text) {
        (Some(message), _) => message.clone(),
        (None, text) => {
            let text = text.as_deref().unwrap_or_default();
            let content = if arguments.kind == COMMAND { STANDARD.encode(text) } else { text.to_owned() };
            json!({"type": arguments.kind, "message": content})
        }
    };
    if let Some(local_id) = &arguments.local_id {
        message["localMessageID"] = local_id.as_str().into();
    }
    let conversation_type = if arguments.room {
        1
    } else if arguments.group {
        2
    } else {
        0
    };
    let sent = runtime()?.block_on(async {
        let mut session = Session::login(&arguments.connect, &arguments.from).await?;
        if arguments.room {
            session.ask("joinRoom", json!({"roomID": arguments.to})).await?;
        }
        let config = json!({"priority": arguments.priority});
        let args = json!({"message": message, "toConversationID": arguments.to, "conversationType": conversation_type, "config": config});
        let sent = session.ask("sendMessage", args).await;
        session.close().await;
        sent
    })?;
    if arguments.connect.json {
        say!("{}", sent["message"]);
    } else {
        say!("{}", sent["message"]["messageID"].as_str().unwrap_or_default());
    }
    Ok(())
}

pub(super) fn tail(arguments: &TailArguments) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let mut session = Session::login(&arguments.connect, &arguments.user).await?;
        for room in &arguments.rooms {
            session.ask("joinRoom", json!({"roomID": room})).await?;
        }
        eprintln!("listening as {}; Ctrl-C ends it", arguments.user);
        let mut left = arguments.count.unwrap_or(u64::MAX);
        let far = Duration::from_secs(100 * 365 * 24 * 3600);
        let end = sleep(arguments.seconds.map_or(far, Duration::from_secs));
        tokio::pin!(end);
        let mut beats = interval(session.heartbeat);
        let mut waiting = std::mem::take(&mut session.events);
        loop {
            for frame in waiting.drain(..) {
                for message in frame["data"]["messageList"].as_array().into_iter().flatten() {
                    if left == 0 {
                        break;
                    }
                    left -= 1;
                    print_message(&frame, message, arguments.connect.json);
                }
            }
            if left == 0 {
                break;
            }
            tokio::select! {
                frame = session.next() => waiting.push(frame?),
                _ = beats.tick() => drop(session.write("ping", json!({})).await?),
                () = &mut end => break,
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted.map_err(anyhow::Error::from)?;
                    break;
                }
            }
        }
        session.close().await;
        Ok(())
    })
}

fn print_message(frame: &Value, message: &Value, as_json: bool) {
    let event = frame["event"].as_str().unwrap_or_default();
    if as_json {
        say!("{}", json!({"event": event, "conversationID": frame["data"]["fromConversationID"], "message": message}));
        return;
    }
    let place = match event {
        "receiveRoomMessage" => "room ",
        "receiveGroupMessage" => "group ",
        _ => "",
    };
    let (from, to) = (message["senderUserID"].as_str().unwrap_or("?"), frame["data"]["fromConversationID"].as_str().unwrap_or("?"));
    let said = message["message"].as_str().map_or_else(|| message.to_string(), str::to_owned);
    // What others wrote must not steer the terminal.
    let said: String = said.chars().map(|c| if c.is_control() { '·' } else { c }).collect();
    if place.is_empty() { say!("{from}: {said}") } else { say!("{place}{to} {from}: {said}") }
}
