//! What the real program says when it starts, and to whom: a person at a terminal, a script, a log that is kept.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::hostile::Program;
use crate::support::soon;

#[tokio::test]
async fn one_line_of_the_log_says_what_started_and_no_link_leaves_the_terminal() {
    let program = Program::with(&[("server.private_listen", "localhost:0")]).demo().variable("TIDINGS_SERVER_LISTEN", "0.0.0.0:80");
    let mut child = program.spawn();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = soon("its first words", lines.next_line()).await.unwrap().unwrap();
    let url = said.strip_prefix("listening on ").unwrap_or_else(|| panic!("links are for a terminal: {said}"));
    let started = program.logged("started").await;
    assert_eq!((&started["level"], &started["version"]), (&json!("INFO"), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!((&started["address"], &started["engine"]), (&json!(url), &json!("sled")));
    assert_eq!((&started["data"], &started["pid"]), (&json!(program.data()), &json!(child.id())));
    assert!(started["private"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{started}");
    program.logged("console reset --data-dir").await;
    let meant = program.logged("TIDINGS_SERVER__LISTEN is one").await;
    assert_eq!((&meant["level"], &meant["variable"]), (&json!("WARN"), &json!("TIDINGS_SERVER_LISTEN")));
    child.kill().await.unwrap();
    assert_eq!(soon("its last words", lines.next_line()).await.unwrap(), None);
    for secret in ["#setup=", "#demo="] {
        assert!(!program.log().contains(secret), "{}", program.log());
    }
}

#[tokio::test]
async fn what_holds_the_store_is_named_while_it_is_waited_for() {
    let program = Program::with(&[]);
    let running = program.run().await;
    let mut second = program.spawn();
    let waits = program.logged("another process holds the store").await;
    assert_eq!((&waits["level"], &waits["pid"]), (&json!("WARN"), &json!(running.pid().to_string())));
    assert_eq!(soon("the second's end", second.wait()).await.unwrap().code(), Some(75));
}

#[tokio::test]
async fn a_filter_that_is_none_is_refused() {
    let program = Program::with(&[("log.filter", "tidings=loud")]);
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["config", "check"]] {
        let ended = soon("its end", program.command(command).output()).await.unwrap();
        let err = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.code() == Some(78) && err.contains("log.filter is \"tidings=loud\""), "{command:?}: {err}");
    }
}

#[tokio::test]
async fn webhooks_that_fail_are_warned_of_once_in_a_while() {
    let program = Program::with(&[
        ("webhooks.url", "http://127.0.0.1:9/secret-path"),
        ("webhooks.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("webhooks.events", "user.login"),
        ("webhooks.retry_first_ms", "100"),
        ("webhooks.allow_private_addresses", "true"),
    ]);
    let running = program.run().await;
    for user in ["alice", "bob"] {
        let url = format!("http://{}", running.address);
        let token = program.token(user);
        let listened = program.command(&["tail", "--user", user, "--url", &url, "--token", &token, "--seconds", "1"]).output();
        assert!(soon("who listens", listened).await.unwrap().status.success());
    }
    let warned = program.logged("webhooks fail").await;
    assert_eq!((&warned["level"], &warned["endpoint"]), (&json!("WARN"), &json!("127.0.0.1:9")));
    assert!(warned["error"].as_str().is_some_and(|error| !error.is_empty()), "{warned}");
    let log = program.log();
    assert_eq!(log.matches("webhooks fail").count(), 1, "{log}");
    assert!(!log.contains("secret-path"), "{log}");
}

#[tokio::test]
async fn a_person_at_a_terminal_is_shown_the_links() {
    let program = Program::with(&[]).demo();
    // What `script` runs has a terminal of its own.
    let line = format!("{} serve --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_tidings"));
    let mut command = tokio::process::Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("TIDINGS_SERVER__DATA_DIR", program.data()).current_dir(program.folder());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("listening on ") {
        said += &soon("the box", lines.next_line()).await.unwrap().unwrap_or_else(|| panic!("{said}"));
        said.push('\n');
    }
    for link in ["│ open    http://127.0.0.1:", "/#demo=", "/console#setup="] {
        assert!(said.contains(link), "{link} is not in {said}");
    }
}

#[tokio::test]
async fn who_speaks_tls_to_a_plain_port_is_noted_with_a_hint() {
    let program = Program::with(&[("log.filter", "debug")]);
    let running = program.run().await;
    let mut stream = tokio::net::TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x00\x05hello\r\n\r\n").await.unwrap();
    let noted = program.logged("a TLS handshake came").await;
    assert_eq!(noted["level"], "DEBUG");
}
