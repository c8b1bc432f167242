//! Rules a newcomer can rely on, held by reading the sources: which layer may name which, and where a dependency stays.

mod source;

use std::collections::{BTreeSet, HashMap};
use std::fs;

use self::source::{Source, circles, imports, is_test_file, layers_named, outside_tests, root, sources, strings, tree, walk};

/// What each layer may name of this crate. `src/web/docs/inside.md` names them, in this order.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("private_files", &[]),
    ("documents", &["private_files"]),
    ("metrics", &["model"]),
    ("protocol", &["model"]),
    ("config", &["model"]),
    ("hooks", &["model"]),
    ("auth", &["model", "config", "clock", "private_files", "documents"]),
    ("console", &["config", "clock", "documents"]),
    ("rate", &["model", "metrics", "config", "clock"]),
    ("store", &["model", "metrics", "clock", "private_files", "documents"]),
    ("cluster", &["clock", "store"]),
    ("audit", &["private_files", "store"]),
    ("media", &["model", "metrics", "private_files"]),
    ("webhooks", &["model", "clock", "private_files", "metrics", "protocol", "config", "hooks", "store"]),
    ("backup", &["model", "private_files", "store"]),
    ("actors", &["model", "clock", "metrics", "protocol", "config", "hooks", "auth", "rate", "store", "cluster", "media"]),
    (
        "broker",
        &[
            "model",
            "clock",
            "documents",
            "metrics",
            "protocol",
            "config",
            "hooks",
            "auth",
            "audit",
            "console",
            "rate",
            "store",
            "cluster",
            "media",
            "backup",
            "actors",
            "webhooks",
        ],
    ),
    ("bench", &["model", "clock", "config", "auth", "broker"]),
    ("bench_support", &["model", "clock", "protocol", "rate", "media", "actors"]),
    (
        "http",
        &[
            "model", "clock", "metrics", "protocol", "config", "hooks", "auth", "audit", "console", "rate", "store", "media", "backup",
            "actors", "broker", "webhooks",
        ],
    ),
];

/// What each folder of `actors/` may import of the others: those above it. Files beside the folders stand in the list as they are.
const ACTORS: &[&[&str]] = &[
    &["runtime"],
    &["connection"],
    &["files"],
    &["disk", "load", "memory", "places", "standing"],
    &["nodes"],
    &["context"],
    &["view"],
    &["delivery"],
    &["media"],
    &["conversation"],
    &["room"],
    &["group"],
    &["user"],
    &["registries"],
    &["session"],
    &["maintenance"],
    &["remote"],
];

/// The program around the library: it sees what every user of the library sees.
const PROGRAM: &[&str] = &["main", "cli"];

/// Bound of a source file; most stay below 400.
const LINES_MAX: usize = 500;
const LINES_USUAL: usize = 400;

#[test]
fn a_layer_names_only_those_above_it() {
    let mut wrong = Vec::new();
    for source in sources() {
        let layer = source.layer();
        if layer == "lib" || PROGRAM.contains(&layer) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            wrong.push(format!("{} belongs to no layer: add it to src/web/docs/inside.md and here", source.path));
            continue;
        };
        for (n, line) in source.code() {
            for named in layers_named(line) {
                if named != layer && !allowed.contains(&named.as_str()) {
                    wrong.push(format!("{}:{n} names {named}, which {layer} may not", source.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_folder_of_the_actors_imports_only_those_above_it() {
    let rank = |name: &str| ACTORS.iter().position(|row| row.contains(&name));
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.layer() == "actors" && source.path != "actors/mod.rs") {
        let folder = source.path["actors/".len()..].split('/').next().unwrap().trim_end_matches(".rs");
        let Some(own) = rank(folder) else {
            wrong.push(format!("{} is in no folder of the list", source.path));
            continue;
        };
        if is_test_file(&source.path) {
            continue;
        }
        for (line, path) in imports(source) {
            let [layer, named, ..] = path.as_slice() else { continue };
            if layer == "actors" && named != folder && rank(named).is_some_and(|rank| rank >= own) {
                wrong.push(format!("{}:{line} names {}", source.path, path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file that needs what needs it cannot be read alone.
#[test]
fn no_module_imports_itself_in_a_circle() {
    let all: Vec<Source> = sources().into_iter().filter(|source| !is_test_file(&source.path)).collect();
    let module = |path: &str| path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
    let known: HashMap<String, usize> = all.iter().enumerate().map(|(n, source)| (module(&source.path), n)).collect();
    let target = |path: &[String]| (1..=path.len()).rev().find_map(|len| known.get(&path[..len].join("::")).copied());
    let arrows: Vec<BTreeSet<usize>> = all
        .iter()
        .enumerate()
        .map(|(n, source)| {
            let own = module(&source.path);
            // What a folder's face hands on, and what a file takes from its own folder's face, ties no two files.
            let is_kin = |other: usize| {
                let other = module(&all[other].path);
                other.starts_with(&format!("{own}::")) || own.starts_with(&format!("{other}::"))
            };
            let named = imports(source).into_iter().filter_map(|(_, path)| target(&path));
            named.filter(|other| *other != n && !is_kin(*other)).collect()
        })
        .collect();
    let circles = circles(&arrows);
    let named: Vec<Vec<&str>> = circles.iter().map(|circle| circle.iter().map(|n| all[*n].path.as_str()).collect()).collect();
    assert!(named.is_empty(), "these files import each other in circles: {named:#?}");
}

#[test]
fn the_check_for_circles_finds_one() {
    let arrows = |pairs: &[(usize, usize)]| {
        let mut arrows = vec![BTreeSet::new(); 5];
        pairs.iter().for_each(|(from, to)| assert!(arrows[*from].insert(*to)));
        arrows
    };
    assert!(circles(&arrows(&[(0, 1), (1, 2), (0, 2), (3, 0)])).is_empty());
    assert_eq!(circles(&arrows(&[(0, 1), (1, 2), (2, 0), (3, 0)])), [vec![0, 1, 2]]);
    let paths = tree("crate::{a::{b, c::D as E}, f}; and more");
    let paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["crate::a::b", "crate::a::c::D", "crate::f"]);
}

/// Visibility is decided in one place: who makes a view of a message anywhere else decides it a second time.
#[test]
fn only_the_view_module_makes_what_a_reader_sees() {
    let home = |path: &str| path.starts_with("actors/view/") || path.starts_with("protocol/");
    let makers = ["MessageView", "encode_view", "Encoded::new", "Encoded::of_view", "ReceiptInfo {"];
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| !home(&source.path) && source.path != "bench_support.rs")
        .flat_map(|source| source.named(&makers))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What travels is described in `protocol/`: elsewhere a shape would be a second description.
#[test]
fn actors_write_no_json_and_name_no_event() {
    let events: BTreeSet<String> = sources()
        .iter()
        .filter(|source| source.path.starts_with("protocol/event/") || source.path == "protocol/message/encoded.rs")
        .flat_map(|source| strings(&outside_tests(&source.text)))
        .filter(|text| text.len() > 8 && text.chars().all(char::is_alphanumeric) && text.contains(char::is_uppercase))
        .filter(|text| !text.ends_with("ID") && !text.ends_with("IDs"))
        .collect();
    assert!(events.contains("receiveRoomMessage") && events.contains("roomStateChanged"), "{events:?}");
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.layer() == "actors" && !is_test_file(&source.path)) {
        // What goes from one node to another is no wire shape: it is what the messages of actors are made of.
        if source.path == "actors/runtime/command.rs" {
            continue;
        }
        let code = outside_tests(&source.text);
        for (n, line) in code.lines().enumerate() {
            let json = ["json!", "serde_json", "{{\\\"", "\\\":"].iter().any(|shape| line.contains(shape));
            if json || strings(line).iter().any(|text| events.contains(text)) {
                wrong.push(format!("{}:{}: {}", source.path, n + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn functions_fit_on_a_screen() {
    const LINES: usize = 60;
    let mut long = Vec::new();
    for source in sources().iter().filter(|source| !is_test_file(&source.path)) {
        let code = source.text.split("\n#[cfg(test)]\nmod ").next().unwrap();
        let mut begun: Option<(usize, usize, &str)> = None;
        for (n, line) in code.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words = line.trim_start();
            let is_fn = [
                "fn ",
                "pub fn ",
                "pub(crate) fn ",
                "pub(super) fn ",
                "async fn ",
                "pub async fn ",
                "pub(crate) async fn ",
                "pub(super) async fn ",
            ]
            .iter()
            .any(|head| words.starts_with(head));
            if begun.is_none() && is_fn && !line.trim_end().ends_with(['}', ';']) {
                begun = Some((n, indent, line));
            } else if let Some((from, at, head)) = begun
                && indent == at
                && line.trim() == "}"
            {
                if n + 1 - from > LINES {
                    long.push(format!("{}:{} {} lines: {}", source.path, from + 1, n + 1 - from, head.trim()));
                }
                begun = None;
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_layers_are_in_order() {
    let mut above = Vec::new();
    for (layer, allowed) in LAYERS {
        for name in *allowed {
            assert!(above.contains(name), "{layer} may name {name}, which is not above it");
        }
        above.push(layer);
    }
}

/// Each of these crates can be replaced by changing the files named here.
#[test]
fn dependencies_stay_where_they_belong() {
    type Rule<'a> = (&'a [&'a str], &'a dyn Fn(&str) -> bool);
    let outside_store = |path: &str| !path.starts_with("store/");
    let rules: &[Rule<'_>] = &[
        (&["governor"], &|path| path.starts_with("rate/")),
        (&["argon2"], &|path| path == "console/mod.rs"),
        (&["actix_web_actors"], &|path| path == "http/socket/hosted.rs"),
        (&["actix_web", "actix_http"], &|path| path.starts_with("http/") || path == "main.rs" || path.starts_with("cli/")),
        (&["clap::", "tracing_subscriber", "anyhow"], &|path| path == "main.rs" || path.starts_with("cli/")),
        (&["hyper", "hyper_util", "http_body_util"], &|path| ["webhooks/client.rs", "cli/broker.rs"].contains(&path)),
        (&["prometheus_client"], &|path| path.starts_with("metrics/")),
        (&["rustls", "tokio_rustls"], &|path| {
            path == "cli/broker.rs"
                || ["http/tls.rs", "http/socket/stream.rs", "webhooks/client.rs", "cli/trust.rs", "store/postgres/connect.rs"]
                    .contains(&path)
        }),
        (&["tokio_postgres", "deadpool_postgres", "tokio_postgres_rustls"], &|path| path.starts_with("store/postgres/")),
        (&["async_nats"], &|path| path == "cluster/nats.rs"),
        (&["postcard"], &|path| ["cluster/link/wire.rs", "actors/remote/letter.rs"].contains(&path)),
        (&["sd_notify"], &|path| path == "cli/supervisor.rs"),
        (&["opentelemetry", "opentelemetry_sdk", "opentelemetry_otlp", "tracing_opentelemetry"], &|path| {
            path == "cli/otlp.rs" || path == "cli/logs.rs"
        }),
        (&["::sled", "use sled", "extern crate sled"], &|path| path == "store/backend/sled.rs"),
        // In `store/` this is the module of that name.
        (&["sled::"], &|path| !outside_store(path)),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for (names, at_home) in rules {
            if !at_home(&source.path) {
                wrong.extend(source.named(names));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// It ignores the bound of a mailbox.
#[test]
fn nothing_sends_past_a_mailbox() {
    let all = sources();
    let lines = all.iter().flat_map(|source| source.code().map(move |(n, line)| (&source.path, n, line)));
    let wrong: Vec<_> = lines.filter(|(_, _, line)| line.contains("do_send")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Time comes in from outside, so that every rule about it is tested without waiting.
#[test]
fn the_systems_clock_is_read_in_one_file() {
    let clocks = ["Instant::now", "SystemTime::now", "std::time::Instant::now", "std::time::SystemTime::now"];
    let is_test = |path: &str| path.ends_with("tests.rs");
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| source.path != "clock/mod.rs" && !is_test(&source.path))
        .flat_map(|source| source.named(&clocks))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn source_files_fit_a_readers_head() {
    let lengths: Vec<(usize, String)> = sources().into_iter().map(|source| (source.text.lines().count(), source.path)).collect();
    let too_long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > LINES_MAX).collect();
    assert!(too_long.is_empty(), "over {LINES_MAX} lines: {too_long:?}");
    let long = lengths.iter().filter(|(lines, _)| *lines > LINES_USUAL).count();
    assert!(long * 10 <= lengths.len(), "{long} of {} files are over {LINES_USUAL} lines", lengths.len());
}

/// A build must not reach out by itself, and mirrors are the reader's choice: `Cargo.lock` alone names its source.
#[test]
fn no_file_names_a_package_registrys_host() {
    let hosts = [["crates", ".io"], ["npmjs", ".org"], ["npmjs", ".com"], ["pypi", ".org"]].map(|parts| parts.concat());
    let mut paths = Vec::new();
    walk(root(), &["target", ".git", "node_modules", "data", "Cargo.lock"], &mut paths);
    let mut wrong = Vec::new();
    for path in paths {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        wrong.extend(hosts.iter().filter(|host| text.contains(*host)).map(|host| format!("{} names {host}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A setting that nothing reads is a promise that nothing keeps.
#[test]
fn every_setting_is_read_somewhere() {
    let config: toml::Table = fs::read_to_string(root().join("config.toml")).unwrap().parse().unwrap();
    let readers: Vec<Source> = sources().into_iter().filter(|source| source.layer() != "config").collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_read = |key: &str| {
        let access = format!(".{key}");
        let reads = |line: &str| line.match_indices(&access).any(|(at, _)| !line[at + access.len()..].starts_with(is_word));
        readers.iter().any(|source| source.code().any(|(_, line)| reads(line)))
    };
    let mut unread = Vec::new();
    for (section, keys) in &config {
        let keys = keys.as_table().unwrap();
        let inner = keys.values().filter_map(toml::Value::as_table).flat_map(toml::Table::keys);
        unread.extend(keys.keys().chain(inner).filter(|key| !is_read(key)).map(|key| format!("{section}.{key}")));
    }
    assert!(unread.is_empty(), "nothing reads {unread:?}");
}
