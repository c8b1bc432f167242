//! Frames as RFC 6455 has them and as it does not: a table of Autobahn's cases 1 to 7, against the broker's own socket code
//! with an echo in the session's place. `tests/autobahn/README.md` says how to run the suite itself against the same.
#![allow(clippy::cast_possible_truncation)]

use std::net::SocketAddr;

use tidings::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::soon;
use crate::support::World;

const FIN: u8 = 0x80;
const CONTINUE: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;
const TOO_LONG: u16 = 4504;
const BINARY_FRAME: u16 = 4505;

const FRAME_BYTES_MAX: usize = 1 << 20;

fn settings(config: &mut Config) {
    config.server.frame_bytes_max = FRAME_BYTES_MAX;
}

/// Returns a masked frame with the shortest form of its length.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    let mask = [0xde, 0xad, 0xbe, 0xef];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Returns the head of a frame that says it is masked, without the mask.
fn head(first: u8, bytes: u64) -> Vec<u8> {
    match bytes {
        0..=125 => vec![first, 0x80 | bytes as u8],
        126..=0xffff => [&[first, 0x80 | 126], &(bytes as u16).to_be_bytes()[..]].concat(),
        _ => [&[first, 0x80 | 127], &bytes.to_be_bytes()[..]].concat(),
    }
}

fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, payload.as_ref())
}

fn ping(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | PING, payload.as_ref())
}

fn close(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason.as_ref()].concat())
}

/// Returns a text in fragments of these lengths; what is left is the last.
fn fragments(payload: &[u8], lengths: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let (mut rest, mut opcode, mut frames) = (payload, TEXT, Vec::new());
    for length in lengths {
        let (fragment, after) = rest.split_at(length.min(rest.len()));
        frames.push(frame(opcode, fragment));
        (rest, opcode) = (after, CONTINUE);
    }
    frames.push(frame(FIN | opcode, rest));
    frames
}

/// What a client writes, and what comes of it.
#[derive(Debug, Default)]
struct Case {
    name: String,
    written: Vec<u8>,
    texts: Vec<Vec<u8>>,
    pongs: Vec<Vec<u8>>,
    code: u16,
}

impl Case {
    fn new(name: impl Into<String>, frames: impl IntoIterator<Item = Vec<u8>>, code: u16) -> Self {
        Self { name: name.into(), written: frames.into_iter().collect::<Vec<_>>().concat(), code, ..Self::default() }
    }

    /// The same with a close behind it, which is answered.
    fn good(name: impl Into<String>, frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut case = Self::new(name, frames, NORMAL);
        case.written.extend(close(NORMAL, ""));
        case
    }

    fn says(mut self, text: impl AsRef<[u8]>) -> Self {
        self.texts.push(text.as_ref().to_vec());
        self
    }

    fn pongs(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.pongs.push(payload.as_ref().to_vec());
        self
    }

    /// Writes in pieces of so many bytes, and compares all that comes until the broker ends the connection.
    async fn run(&self, address: SocketAddr, piece: usize) {
        let mut stream = upgraded(address, "/echo").await;
        let (mut reader, mut writer) = stream.split();
        let writing = async {
            for piece in self.written.chunks(piece) {
                // Whoever is refused early may be cut off.
                if writer.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        let what = format!("{} in pieces of {piece}", self.name);
        let ((), (texts, pongs, code)) = soon(&what, async { tokio::join!(writing, heard(&mut reader)) }).await;
        assert_eq!(texts.len(), self.texts.len(), "{what}: texts that came back");
        assert!(texts == self.texts, "{what}: other texts came back");
        assert_eq!(pongs, self.pongs, "{what}: pongs");
        assert_eq!(code, Some(self.code), "{what}: close code");
    }
}

async fn upgraded(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(soon("an upgrade", stream.read_u8()).await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

/// Reads to the close frame; returns texts, pongs and the code.
async fn heard(reader: &mut (impl AsyncReadExt + Unpin)) -> (Vec<Vec<u8>>, Vec<Vec<u8>>, Option<u16>) {
    let (mut texts, mut pongs) = (Vec::new(), Vec::new());
    loop {
        match next_frame(reader).await {
            Some((opcode, payload)) => match opcode {
                CLOSE => return (texts, pongs, payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
                PONG => pongs.push(payload),
                _ => texts.push(payload),
            },
            None => return (texts, pongs, None),
        }
    }
}

async fn next_frame(reader: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, Vec<u8>)> {
    let opcode = reader.read_u8().await.ok()? & 0xf;
    let bytes = match reader.read_u8().await.ok()? {
        126 => reader.read_u16().await.ok()?.into(),
        127 => reader.read_u64().await.ok()?,
        bytes => bytes.into(),
    };
    let mut payload = vec![0; bytes as usize];
    reader.read_exact(&mut payload).await.ok()?;
    Some((opcode, payload))
}

/// 1: what is framed is what comes back.
fn framing() -> Vec<Case> {
    let lengths = [0, 125, 126, 127, 128, 65_535, 65_536];
    let texts = lengths.into_iter().enumerate().map(|(n, length)| {
        let payload = vec![b'*'; length];
        Case::good(format!("1.1.{}", n + 1), [text(&payload)]).says(payload)
    });
    let binary = lengths.into_iter().enumerate();
    let binary = binary.map(|(n, length)| Case::new(format!("1.2.{}", n + 1), [frame(FIN | BINARY, &vec![0xfe; length])], BINARY_FRAME));
    texts.chain(binary).collect()
}

/// 2: pings and pongs.
fn pings() -> Vec<Case> {
    let odd = [0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];
    let ten = (0..10).map(|n| ping(format!("payload-{n}")));
    let mut ten = Case::good("2.10, 2.11", ten);
    ten.pongs = (0..10).map(|n| format!("payload-{n}").into_bytes()).collect();
    vec![
        Case::good("2.1", [ping("")]).pongs(""),
        Case::good("2.2", [ping("Hello, world!")]).pongs("Hello, world!"),
        Case::good("2.3", [ping(odd)]).pongs(odd),
        Case::good("2.4, 2.6", [ping([0xfe; 125])]).pongs([0xfe; 125]),
        Case::new("2.5", [ping([0xfe; 126])], PROTOCOL_ERROR),
        Case::good("2.7", [frame(FIN | PONG, b"")]),
        Case::good("2.8", [frame(FIN | PONG, b"unsolicited")]),
        Case::good("2.9", [frame(FIN | PONG, b"unsolicited"), ping("payload")]).pongs("payload"),
        ten,
    ]
}

/// 3 and 4: reserved bits, reserved opcodes; and no mask, which the suite does not try.
fn reserved() -> Vec<Case> {
    let hello = "Hello, world!";
    let bits = |bits: u8, opcode: u8| frame(FIN | bits << 4 | opcode, hello.as_bytes());
    let mut cases = vec![
        Case::new("3.1", [bits(1, TEXT)], PROTOCOL_ERROR),
        Case::new("3.2, 3.3", [text(hello), bits(2, TEXT), ping("")], PROTOCOL_ERROR).says(hello),
        Case::new("3.4", [text(hello), bits(3, TEXT), ping("")], PROTOCOL_ERROR).says(hello),
        Case::new("3.5", [bits(5, BINARY)], PROTOCOL_ERROR),
        Case::new("3.6", [bits(6, PING)], PROTOCOL_ERROR),
        Case::new("3.7", [bits(7, CLOSE)], PROTOCOL_ERROR),
        Case::new("no mask", [vec![FIN | TEXT, 2, b'h', b'i']], PROTOCOL_ERROR),
        Case::new("a ping without mask", [text(hello), vec![FIN | PING, 0]], PROTOCOL_ERROR).says(hello),
    ];
    for (group, opcodes) in [("4.1", 3..=7u8), ("4.2", 11..=15)] {
        for (n, opcode) in opcodes.enumerate() {
            let payload = if n % 2 == 0 { "" } else { hello };
            cases.push(Case::new(format!("{group}.{}", n + 1), [frame(FIN | opcode, payload.as_bytes())], PROTOCOL_ERROR));
            let later = Case::new(
                format!("{group}.{} behind a text", n + 1),
                [text(hello), frame(FIN | opcode, payload.as_bytes()), ping("")],
                PROTOCOL_ERROR,
            );
            cases.push(later.says(hello));
        }
    }
    cases
}

/// 5: fragments.
fn fragmentation() -> Vec<Case> {
    let (one, two) = ("fragment1", "fragment2");
    let both = [one, two].concat();
    let (first, last) = (|| frame(TEXT, one.as_bytes()), || frame(FIN | CONTINUE, two.as_bytes()));
    let stray = |first: u8| frame(first, b"non-continuation payload");
    let mut cases = vec![
        Case::new("5.1", [frame(PING, one.as_bytes()), last()], PROTOCOL_ERROR),
        Case::new("5.2", [frame(PONG, one.as_bytes()), last()], PROTOCOL_ERROR),
        Case::good("5.3, 5.4, 5.5", [first(), last()]).says(&both),
        Case::good("5.6, 5.7, 5.8", [first(), ping("ping"), last()]).says(&both).pongs("ping"),
        Case::new("5.9, 5.10, 5.11", [stray(FIN | CONTINUE), text("Hello, world!")], PROTOCOL_ERROR),
        Case::new("5.12, 5.13, 5.14", [stray(CONTINUE), text("Hello, world!")], PROTOCOL_ERROR),
        Case::new("5.15", [first(), last(), stray(CONTINUE), text("Hello, world!")], PROTOCOL_ERROR).says(&both),
        Case::new("5.16", [stray(CONTINUE), first(), last()], PROTOCOL_ERROR),
        Case::new("5.17", [stray(FIN | CONTINUE), first(), last()], PROTOCOL_ERROR),
        Case::new("5.18", [first(), frame(FIN | TEXT, two.as_bytes())], PROTOCOL_ERROR),
        Case::new("5.18 with a fragment", [first(), frame(TEXT, two.as_bytes())], PROTOCOL_ERROR),
        Case::new("binary in fragments", [frame(BINARY, one.as_bytes()), last()], BINARY_FRAME),
    ];
    let part = |n: u32| frame(if n == 1 { TEXT } else { CONTINUE }, format!("fragment{n}").as_bytes());
    let frames = [part(1), part(2), ping("pongme 1!"), part(3), part(4), ping("pongme 2!"), frame(FIN | CONTINUE, b"fragment5")];
    let whole = "fragment1fragment2fragment3fragment4fragment5";
    cases.push(Case::good("5.19, 5.20", frames).says(whole).pongs("pongme 1!").pongs("pongme 2!"));
    cases
}

const GREETING: &str = "Hello-µ@ßöäüàá-UTF-8!!";

/// 6.1 to 6.5, and those of what follows whose text is one: UTF-8 that is whole, however it is cut.
fn good_utf8() -> Vec<Case> {
    let mut cases = vec![
        Case::good("6.1.1", [text("")]).says(""),
        Case::good("6.1.2", fragments(b"", [0, 0])).says(""),
        Case::good("6.1.3", [frame(TEXT, b""), frame(CONTINUE, b"middle frame payload"), frame(FIN | CONTINUE, b"")])
            .says("middle frame payload"),
        Case::good("6.2.2", fragments(GREETING.as_bytes(), [12])).says(GREETING),
    ];
    let boundaries =
        ["\u{0}", "\u{80}", "\u{800}", "\u{10000}", "\u{7f}", "\u{7ff}", "\u{ffff}", "\u{10ffff}", "\u{d7ff}", "\u{e000}", "\u{fffd}"];
    let planes = (0..=16u32).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]).filter_map(char::from_u32);
    let texts = [GREETING, "κόσμε", "a", "\u{fffe}\u{feff}"].map(str::to_owned);
    for text_of in texts.into_iter().chain(boundaries.map(str::to_owned)).chain(planes.map(String::from)) {
        let bytes = text_of.as_bytes();
        cases.push(Case::good(format!("6.2.1, 6.5 to 6.23: {text_of:?}"), [text(bytes)]).says(bytes));
        cases.push(Case::good(format!("6.2.3, 6.2.4: {text_of:?} byte by byte"), fragments(bytes, vec![1; bytes.len()])).says(bytes));
    }
    cases
}

/// 6.3, 6.4 and the rest: what is no UTF-8 ends the connection, as soon as the fragment is there that shows it.
fn bad_utf8() -> Vec<Case> {
    let (start, bad, end) = (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", b"\xf4\x90\x80\x80", b"edited");
    let surrogate = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited";
    let sequences: [&[u8]; 24] = [
        surrogate,
        b"\x80",
        b"\xbf",
        b"\x80\xbf\x80",
        b"\xc0\x20",
        b"\xe0\x20\xef\x20",
        b"\xf0\x20",
        b"\xc0",
        b"\xe0\x80",
        b"\xf0\x80\x80",
        b"\xf8\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfe",
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xc1\xbf",
        b"\xed\xbf\xbf",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xf4\x90\x80\x80",
    ];
    let mut cases: Vec<Case> = Vec::new();
    for sequence in sequences {
        cases.push(Case::new(format!("6.3.1, 6.6 to 6.21: {sequence:02x?}"), [text(sequence)], NOT_UTF8));
        let cut = fragments(sequence, vec![1; sequence.len()]);
        cases.push(Case::new(format!("6.3.2: {sequence:02x?} byte by byte"), cut, NOT_UTF8));
    }
    // The last fragment is never sent.
    cases.push(Case::new("6.4.1, 6.4.3", [frame(TEXT, start), frame(CONTINUE, bad)], NOT_UTF8));
    cases.push(Case::new(
        "6.4.2, 6.4.4",
        [frame(TEXT, &[&start[..], &bad[..2]].concat()), frame(CONTINUE, &[bad[2], bad[3]]), frame(CONTINUE, end)],
        NOT_UTF8,
    ));
    cases
}

/// 7: closes.
fn closes() -> Vec<Case> {
    let hello = "Hello World!";
    let (one, two) = (frame(TEXT, b"fragment1"), frame(FIN | CONTINUE, b"fragment2"));
    let long = vec![b'*'; 256 * 1024];
    let raw = |payload: &[u8]| frame(FIN | CLOSE, payload);
    let mut cases = vec![
        Case::good("7.1.1", [text(hello)]).says(hello),
        Case::new("7.1.2", [close(NORMAL, ""), close(NORMAL, "")], NORMAL),
        Case::new("7.1.3", [close(NORMAL, ""), ping("")], NORMAL),
        Case::new("7.1.4", [close(NORMAL, ""), text(hello)], NORMAL),
        Case::new("7.1.5", [one, close(NORMAL, ""), two], NORMAL),
        Case::new("7.1.6", [text(&long), close(NORMAL, ""), ping("")], NORMAL).says(&long),
        Case::new("7.3.1", [raw(b"")], NORMAL),
        Case::new("7.3.2", [raw(b"a")], PROTOCOL_ERROR),
        Case::new("7.3.3", [close(NORMAL, "")], NORMAL),
        Case::new("7.3.4", [close(NORMAL, hello)], NORMAL),
        Case::new("7.3.5", [close(NORMAL, [b'*'; 123])], NORMAL),
        Case::new("7.3.6", [close(NORMAL, [b'*'; 124])], PROTOCOL_ERROR),
        Case::new("7.5.1", [close(NORMAL, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited")], NOT_UTF8),
    ];
    let good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    cases.extend(good.into_iter().enumerate().map(|(n, code)| Case::new(format!("7.7.{}: {code}", n + 1), [close(code, "")], code)));
    let bad = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535];
    cases.extend(bad.into_iter().map(|code| Case::new(format!("7.9, 7.13: {code}"), [close(code, "")], PROTOCOL_ERROR)));
    cases
}

/// What this broker's limits say, beside the suite.
fn limits() -> Vec<Case> {
    let above = |bytes: u64| [head(FIN | TEXT, bytes), vec![0; 4]].concat();
    let pieces = std::iter::once(frame(TEXT, b"a")).chain((0..70).map(|_| frame(CONTINUE, b"a")));
    vec![
        Case::new("one byte above the limit", [text("before"), above(FRAME_BYTES_MAX as u64 + 1)], TOO_LONG).says("before"),
        Case::new("the largest that a setting could allow", [above(16_777_216)], TOO_LONG),
        Case::new("one byte above it", [text("before"), above(16_777_217)], TOO_BIG).says("before"),
        Case::new("2^63 and more", [above(u64::MAX)], TOO_BIG),
        Case::new("a control frame of 2^40", [[head(FIN | PING, 1 << 40), vec![0; 4]].concat()], PROTOCOL_ERROR),
        Case::new("too many fragments", pieces, TOO_LONG),
    ]
}

#[tokio::test]
async fn autobahns_cases_one_to_seven_end_as_they_should() {
    let world = World::builder().config(settings).echoing().start();
    let cases = [framing(), pings(), reserved(), fragmentation(), good_utf8(), bad_utf8(), closes(), limits()];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    for case in &cases {
        case.run(world.address(), usize::MAX).await;
        case.run(world.address(), if case.written.len() > 10_000 { 997 } else { 1 }).await;
    }
    assert!(cases.len() > 200, "{} cases", cases.len());
}

/// Serves the echo for the suite itself at the address in `TIDINGS_ECHO`, until it is stopped.
#[tokio::test]
#[ignore = "serves until it is stopped: see tests/autobahn/README.md"]
async fn serve_the_echo() {
    let address = std::env::var("TIDINGS_ECHO").expect("TIDINGS_ECHO is an address such as 127.0.0.1:9001").parse().unwrap();
    let world = World::builder().config(settings).config(|config| {
        config.server.listen = address;
        config.server.control_frames_per_second_max = 1_000;
    });
    let _world = world.echoing().start();
    std::future::pending().await
}
