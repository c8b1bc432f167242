//! The real program, command by command: what it says, its JSON, its exit codes.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::hostile::Program;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["serve"],
    &["token"],
    &["key"],
    &["send"],
    &["tail"],
    &["doctor"],
    &["config"],
    &["config", "check"],
    &["config", "default"],
    &["config", "show"],
    &["store"],
    &["store", "check"],
    &["store", "export"],
    &["store", "import"],
    &["store", "convert"],
    &["store", "backup"],
    &["store", "restore"],
    &["completions"],
    &["man"],
];

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    for (variable, _) in std::env::vars_os().filter(|(variable, _)| variable.to_string_lossy().starts_with("TIDINGS_")) {
        command.env_remove(variable);
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Exit code, standard output, standard error.
fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("it ended by itself"), text(output.stdout), text(output.stderr))
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    told(command(folder).args(arguments).output().unwrap())
}

/// What a command says in JSON when it succeeds.
fn asked(folder: &Path, arguments: &[&str]) -> Value {
    let (code, out, err) = run(folder, arguments);
    assert_eq!(code, 0, "{arguments:?}: {out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
}

fn refused(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let (code, out, err) = run(folder, arguments);
    assert_ne!(code, 0, "{arguments:?}: {out}");
    // A warning may come before.
    assert!(err.lines().any(|line| line.starts_with("tidings: ") || line.starts_with("error: ")), "{arguments:?}: {err}");
    (code, err)
}

#[test]
fn every_command_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for path in COMMANDS {
        let (code, out, _) = run(folder.path(), &[path, &["--help"][..]].concat());
        assert_eq!(code, 0, "{path:?}");
        assert!(out.contains("Usage: tidings") && out.lines().count() > 5, "{path:?}: {out}");
        assert!(!out.contains('\x1b'), "no colours where nobody sees them");
    }
    let (_, out, _) = run(folder.path(), &["--help"]);
    for code in ["0 ", "1 ", "2 ", "65", "69", "73", "75", "78"] {
        assert!(out.lines().any(|line| line.starts_with(&format!("  {code}"))), "{code} is explained: {out}");
    }
    assert_eq!(refused(folder.path(), &["nonsense"]).0, 2);
    assert_eq!(refused(folder.path(), &["doctor", "--nonsense"]).0, 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "asking for help makes nothing");
}

#[test]
fn settings_are_checked_and_shown_with_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, defaults, _) = run(folder, &["config", "default"]);
    assert_eq!((code, defaults.as_str()), (0, include_str!("../../config.toml")));
    assert_eq!(
        asked(folder, &["config", "check", "--json"]),
        json!({"valid": true, "file": null, "error": null, "certificate": null, "ignoredVariables": []})
    );

    fs::write(folder.join("tidings.toml"), "[auth]\nsecret = \"a very secret text\"\n[room]\nhistory = false\n").unwrap();
    let mut show = command(folder);
    show.args(["config", "show", "--json", "--data-dir", "elsewhere"]).env("TIDINGS_BATCH__TICK_MS", "3");
    let (code, out, _) = told(show.output().unwrap());
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert!(!out.contains("very secret"), "{out}");
    assert_eq!(shown["auth.secret"]["value"], "***");
    assert!(shown["room.history"]["origin"].as_str().unwrap().ends_with("tidings.toml"));
    assert_eq!(shown["batch.tick_ms"], json!({"value": 3, "origin": "TIDINGS_BATCH__TICK_MS"}));
    assert_eq!(shown["server.data_dir"], json!({"value": "elsewhere", "origin": "command line"}));
    assert_eq!(shown["server.heartbeat_seconds"], json!({"value": 30, "origin": "default"}));
    let (_, out, _) = run(folder, &["config", "show"]);
    assert!(out.contains("[room]\n") && out.contains("secret = \"***\"") && !out.contains("very secret"), "{out}");

    fs::write(folder.join("tidings.toml"), "[server]\nheartbeat_seconds = 1\n").unwrap();
    let (code, out, err) = run(folder, &["config", "check", "--json"]);
    let checked: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &checked["valid"]), (78, &json!(false)));
    assert!(err.contains("5 to 300") && checked["error"].as_str().unwrap().contains("5 to 300"), "{err}");
    assert_eq!(refused(folder, &["config", "show"]).0, 78);
}

#[test]
fn completions_and_manual_come_from_the_same_source_as_the_help() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = run(folder, &["completions", shell]);
        assert!(code == 0 && out.contains("backup") && out.contains("doctor"), "{shell}");
    }
    assert_eq!(refused(folder, &["completions", "nonsense"]).0, 2);
    let (code, page, _) = run(folder, &["man"]);
    assert!(code == 0 && page.contains(".TH tidings 1") && page.contains("Exit codes"), "{page}");
    assert_eq!(run(folder, &["man", "--dir", "pages"]).0, 0);
    for page in ["tidings.1", "tidings-store-backup.1", "tidings-doctor.1"] {
        assert!(fs::read_to_string(folder.join("pages").join(page)).unwrap().contains(".SH"), "{page}");
    }
}

#[test]
fn the_doctor_says_what_is_wrong_and_fails_when_something_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let doctor = |address: &str, more: &[&str]| {
        let mut doctor = command(folder);
        doctor.args(["doctor", "--json"]).args(more).env("TIDINGS_SERVER__LISTEN", address);
        let (code, out, _) = told(doctor.output().unwrap());
        let said: Value = serde_json::from_str(&out).unwrap();
        let checks = said["checks"].as_array().unwrap().clone();
        let check = move |name: &str| checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone();
        (code, said["ok"].clone(), check)
    };
    let (code, ok, check) = doctor("127.0.0.1:0", &[]);
    assert_eq!((code, ok), (0, json!(true)));
    for name in ["configuration", "address", "metrics", "data directory", "disk", "fsync", "open files", "clock", "store", "port", "broker"]
    {
        assert_ne!(check(name)["status"], "fail", "{name}");
    }
    let (code, ok, check) = doctor("127.0.0.1:0", &["--running"]);
    assert_eq!((code, ok, &check("broker")["status"]), (1, json!(false), &json!("fail")));
    // Something listens there, and never answers like a broker.
    let answering = thread::spawn(move || {
        let (mut stream, _) = taken.accept().unwrap();
        stream.write_all(b"SSH-2.0 not HTTP\r\n").unwrap();
        drop(stream);
        taken
    });
    let (code, _, check) = doctor(&address, &[]);
    let _taken = answering.join().unwrap();
    assert_eq!((code, &check("port")["status"]), (1, &json!("fail")));

    fs::create_dir_all(folder.join("data/store")).unwrap();
    fs::write(folder.join("data/store/format"), "99\n").unwrap();
    let (code, _, check) = doctor("127.0.0.1:0", &[]);
    assert_eq!(code, 1);
    assert!(check("store")["detail"].as_str().unwrap().contains("format 99"), "{}", check("store"));
    fs::write(folder.join("tidings.toml"), "[server]\nheartbeat_second = 1\n").unwrap();
    let (code, _, check) = doctor("127.0.0.1:0", &[]);
    assert_eq!(code, 1);
    assert!(check("configuration")["detail"].as_str().unwrap().contains("did you mean server.heartbeat_seconds"));
    let (code, out, _) = run(folder, &["doctor"]);
    assert!(code == 1 && out.starts_with("FAIL  configuration"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_from_the_command_line_to_the_command_line_and_into_a_backup_and_back() {
    let program = Program::with(&[]);
    let running = program.run().await;
    let data = program.data();
    let folder = data.parent().unwrap().to_owned();
    let url = format!("http://{}", running.address);
    let (alice, bob) = (program.token("alice"), program.token("bob"));
    tokio::task::spawn_blocking(move || {
        let data = data.to_str().unwrap();
        let on = |arguments: &[&str]| [arguments, &["--data-dir", data][..]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let strs = |arguments: &[String]| run(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());

        // Both exist once they were here.
        let tail = ["tail", "--user", "bob", "--url", &url, "--token", &bob, "--json", "--count", "2"];
        let mut tail = command(&folder).args(tail).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut listening = [0; 16];
        tail.stderr.as_mut().unwrap().read_exact(&mut listening).unwrap();
        let send = |more: &[&str]| {
            let arguments = ["send", "--from", "alice", "--url", &url, "--token", &alice];
            run(&folder, &[&arguments[..], more].concat())
        };
        let (code, id, err) = send(&["--to", "bob", "--text", "hello"]);
        assert!(code == 0 && id.trim().parse::<u64>().is_ok(), "{id}{err}");
        let (code, sent, _) =
            send(&["--to", "bob", "--message", r#"{"type":200,"message":"{}","subType":7}"#, "--json", "--local-id", "l-1"]);
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!((code, &sent["type"], &sent["localMessageID"]), (0, &json!(200), &json!("l-1")));
        let (code, out, err) = told(tail.wait_with_output().unwrap());
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((code, lines.len()), (0, 2), "{err}");
        assert_eq!((&lines[0]["conversationID"], &lines[0]["message"]["message"]), (&json!("alice"), &json!("hello")));

        let (code, _, err) = send(&["--to", "nobody", "--text", "hello"]);
        assert!(code == 1 && err.contains("6000204"), "{err}");
        assert_eq!(send(&["--to", "bob"]).0, 2, "there is nothing to say");
        let wrong = ["send", "--from", "alice", "--to", "bob", "--text", "x", "--url", &url, "--token", "wrong"];
        let (code, err) = refused(&folder, &wrong);
        assert!(code == 1 && err.contains("6000103"), "{err}");
        let (code, err) =
            refused(&folder, &["send", "--from", "a", "--to", "b", "--text", "x", "--url", "http://127.0.0.1:9", "--token", "t"]);
        assert!(code == 69 && err.contains("127.0.0.1:9"), "{err}");
        let (code, _, err) = strs(&on(&["doctor", "--running", "--url", &url]));
        assert_eq!(code, 0, "{err}");
        for held in [&["store", "check"][..], &["store", "export"], &["store", "backup"]] {
            assert_eq!(strs(&on(held)).0, 75, "{held:?}");
        }
        let stopped = Command::new("kill").arg(running.pid().to_string()).status().unwrap();
        assert!(stopped.success());
        // The store is free once the process is gone.
        let mut free = strs(&on(&["store", "check", "--json"]));
        for _ in 0..50 {
            if free.0 != 75 {
                break;
            }
            free = strs(&on(&["store", "check", "--json"]));
        }
        let report: Value = serde_json::from_str(&free.1).unwrap_or_else(|_| panic!("{free:?}"));
        assert_eq!((&report["counts"]["messages"], &report["counts"]["users"]), (&json!(2), &json!(2)));
        store_commands(&folder, data);
    })
    .await
    .unwrap();
}

/// Of a stopped broker's data, in which are two messages.
fn store_commands(folder: &Path, data: &str) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    assert_eq!(run(folder, &["store", "export", "lines", "--data-dir", data]).0, 0);
    assert_eq!(refused(folder, &["store", "export", "lines", "--data-dir", data]).0, 73);
    let imported = asked(folder, &["store", "import", "lines", "--json", "--data-dir", "imported"]);
    assert_eq!(imported["counts"]["messages"], 2);
    let (_, again, _) = run(folder, &["store", "export", "-", "--data-dir", "imported"]);
    assert_eq!(again, fs::read_to_string(folder.join("lines")).unwrap());
    assert_eq!(refused(folder, &["store", "import", "lines", "--data-dir", "imported"]).0, 73);
    fs::write(folder.join("broken"), format!("{again}{{\n")).unwrap();
    let (code, err) = refused(folder, &["store", "import", "broken", "--data-dir", "other"]);
    assert!(code == 65 && err.contains(&format!("line {}", again.lines().count() + 1)), "{err}");

    let report = asked(folder, &["store", "backup", "one", "--json", "--data-dir", data]);
    assert_eq!((&report["name"], &report["messages"], &report["commit"]), (&json!("one"), &json!(2), &json!(2)));
    assert_eq!(refused(folder, &["store", "backup", "one", "--data-dir", data]).0, 73);
    assert_eq!(refused(folder, &["store", "backup", "../one", "--data-dir", data]).0, 2);
    assert_eq!(refused(folder, &["store", "backup", "--url", "http://127.0.0.1:9", "--data-dir", data]).0, 2, "no key");
    let one = format!("{data}/backups/one");
    assert_eq!(asked(folder, &["store", "check", "--backup", "one", "--json", "--data-dir", data])["store"]["commit"], 2);
    let restored = asked(folder, &["store", "restore", &one, "--json", "--data-dir", "restored"]);
    assert_eq!(restored["store"]["counts"]["messages"], 2);
    let (_, lines, _) = run(folder, &["store", "export", "--data-dir", "restored"]);
    assert_eq!(lines, again, "the same, record by record");
    let (code, err) = refused(folder, &["store", "restore", &one, "--data-dir", "restored"]);
    assert!(code == 73 && err.contains("not empty"), "{err}");
    assert_eq!(refused(folder, &["store", "restore", "none", "--data-dir", "new"]).0, 1);

    for file in ["manifest.json", "files", "store/permanent", "store/changes"] {
        let file = Path::new(&one).join(file);
        let whole = fs::read(&file).unwrap();
        let mut bad = whole.clone();
        if bad.is_empty() {
            bad.push(b'x')
        } else {
            bad[whole.len() / 2] ^= 1
        }
        fs::write(&file, bad).unwrap();
        let (code, err) = refused(folder, &["store", "restore", &one, "--data-dir", "new"]);
        assert!(code == 65 && err.contains(file.file_name().unwrap().to_str().unwrap()), "{err}");
        assert!(!folder.join("new/store").exists(), "nothing is left of it");
        fs::write(&file, whole).unwrap();
    }
    let manifest = Path::new(&one).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("\"version\": 1", "\"version\": 2", 1)).unwrap();
    let (code, err) = refused(folder, &["store", "restore", &one, "--data-dir", "new"]);
    assert!(code == 65 && err.contains("version 2, this version reads up to 1"), "{err}");
    fs::remove_file(&manifest).unwrap();
    let (code, err) = refused(folder, &["store", "restore", &one, "--data-dir", "new"]);
    assert!(code == 65 && err.contains("not finished"), "{err}");

    let format = folder.join("restored/store/format");
    fs::write(&format, "99\n").unwrap();
    for command in [&["store", "check"][..], &["store", "export"], &["store", "backup"], &["serve", "--listen", "127.0.0.1:0"]] {
        let (code, err) = refused(folder, &[command, &["--data-dir", "restored"]].concat());
        assert!(code == 65 && err.contains("has format 99, this version reads up to"), "{command:?}: {err}");
    }
    fs::write(&format, "4\n").unwrap();
    fs::remove_file(path("restored/store/commit.mark")).unwrap();
    let (code, err) = refused(folder, &["store", "check", "--data-dir", "restored"]);
    assert!(code == 65 && err.contains("commit.mark is missing"), "{err}");
    assert_eq!(refused(folder, &["store", "check", "--data-dir", "nowhere"]).0, 1);
    assert!(!folder.join("nowhere").exists());
}

#[test]
fn where_no_broker_ran_nothing_is_made_and_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for arguments in [
        &["token", "--user", "alice"][..],
        &["key", "new", "--name", "shop"],
        &["key", "list"],
        &["key", "rotate", "--name", "shop"],
        &["key", "revoke", "--name", "shop"],
        &["console", "reset"],
        &["send", "--from", "alice", "--to", "bob", "--text", "hello"],
        &["tail", "--user", "alice"],
    ] {
        let (code, err) = refused(folder, arguments);
        assert!(code == 66 && err.contains("./data") && err.contains("--data-dir"), "{arguments:?}: {code} {err}");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{arguments:?} made something");
    }
    let (code, err) = refused(folder, &["token", "--user", "alice", "--data-dir", "elsewhere"]);
    assert!(code == 66 && err.contains("elsewhere"), "{err}");
    // Whoever configures the secret needs no folder to make a token.
    let token = command(folder).args(["token", "--user", "alice"]).env("TIDINGS_AUTH__SECRET", "sixteen bytes or more").output();
    assert_eq!(told(token.unwrap()).0, 0);
}

#[test]
fn a_killed_backup_is_known_as_unfinished_and_the_store_is_none_the_worse() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A store of many lines, without a broker.
    let user = |n: u32| {
        let profile = json!({"id": format!("u{n}"), "name": "x".repeat(900), "avatar_url": "", "extended_data": ""});
        format!("{{\"kind\":\"user\",\"user\":\"u{n}\",\"value\":{profile}}}\n")
    };
    let lines =
        std::iter::once("{\"tidings\":\"export\",\"version\":1,\"format\":4,\"commit\":0}\n".to_owned()).chain((0..2_000).map(user));
    fs::write(folder.join("lines"), lines.collect::<String>()).unwrap();
    assert_eq!(asked(folder, &["store", "import", "lines", "--json"])["counts"]["users"], 2_000);
    let slow = ["store", "backup", "cut", "--bytes-per-second", "50000"];
    let mut backup = command(folder).args(slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = folder.join("data/backups/cut/store/permanent");
    let mut looks = 0;
    while fs::metadata(&begun).map_or(0, |about| about.len()) == 0 {
        looks += 1;
        assert!(looks < 10_000 && backup.try_wait().unwrap().is_none(), "it begins and does not end");
        thread::sleep(std::time::Duration::from_millis(1));
    }
    backup.kill().unwrap();
    backup.wait().unwrap();
    let (code, err) = refused(folder, &["store", "check", "--backup", "cut"]);
    assert!(code == 65 && err.contains("not finished"), "{err}");
    assert_eq!(refused(folder, &["store", "restore", "data/backups/cut", "--data-dir", "new"]).0, 65);
    assert_eq!(asked(folder, &["store", "check", "--json"])["counts"]["users"], 2_000);
    asked(folder, &["store", "backup", "whole", "--json"]);
    let restored = asked(folder, &["store", "restore", "data/backups/whole", "--json", "--data-dir", "new"]);
    assert_eq!(restored["store"]["counts"]["users"], 2_000);
}

#[test]
fn a_running_broker_is_asked_for_its_backup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ask = |answer: &'static str, more: &[&str]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut chunk = [0; 4096];
            while !request.ends_with(b"}") {
                let read = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let mut backup = command(folder);
        backup.args(["store", "backup", "nightly", "--url", &url]).args(more).env("TIDINGS_API_KEY", "tdk_1");
        (told(backup.output().unwrap()), served.join().unwrap())
    };
    let report = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"name\":\"nightly\",\"bytes\":5,\"messages\":3,\"commit\":4}";
    let ((code, out, _), request) = ask(report, &["--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["commit"].clone()), (0, json!(4)));
    assert!(request.starts_with("POST /api/v1/backups HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nauthorization: Bearer tdk_1\r\n") && request.ends_with("\r\n\r\n{\"name\":\"nightly\"}"), "{request}");
    let ((code, out, _), request) = ask(report, &["--key", "tdk_2"]);
    assert!(code == 0 && out.contains("3 messages up to commit 4") && request.contains("Bearer tdk_2"), "{out}");
    let problem = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n{\"detail\":\"the key lacks ops:write\",\"status\":403}";
    let ((code, _, err), _) = ask(problem, &[]);
    assert!(code == 1 && err.contains("403") && err.contains("ops:write"), "{err}");
}
