//! Rules a newcomer can rely on, held by reading the sources: which layer may name which, and where a dependency stays.

use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may name of this crate: design 4.1, with `clock` and `private_files` as bases of their own.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("private_files", &[]),
    ("metrics", &["model"]),
    ("protocol", &["model"]),
    ("config", &["model"]),
    ("hooks", &["model"]),
    ("auth", &["model", "config", "clock", "private_files"]),
    ("audit", &["private_files"]),
    ("console", &["config", "clock", "private_files"]),
    ("rate", &["model", "metrics", "config", "clock"]),
    ("store", &["model", "metrics", "clock", "private_files"]),
    ("media", &["model", "metrics", "private_files"]),
    ("webhooks", &["model", "clock", "private_files", "metrics", "protocol", "config", "hooks", "store"]),
    ("backup", &["model", "private_files", "store"]),
    ("actors", &["model", "clock", "metrics", "protocol", "config", "hooks", "auth", "rate", "store", "media"]),
    (
        "broker",
        &[
            "model", "clock", "metrics", "protocol", "config", "hooks", "auth", "audit", "console", "rate", "store", "media", "backup",
            "actors", "webhooks",
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

/// The program around the library: it sees what every user of the library sees.
const PROGRAM: &[&str] = &["main", "cli"];

/// Bound of a source file; most stay below 400.
const LINES_MAX: usize = 600;
const LINES_USUAL: usize = 400;

struct Source {
    /// Below `src/`, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// `actors` of `actors/room.rs`, `clock` of `clock.rs`.
    fn layer(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The lines that are not comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Where the code contains one of these.
    fn named(&self, needles: &[&str]) -> Vec<String> {
        let hit = |line: &str| needles.iter().any(|needle| contains_path(line, needle));
        self.code().filter(|(_, line)| hit(line)).map(|(n, line)| format!("{}:{n}: {}", self.path, line.trim())).collect()
    }
}

/// Whether a line names this path: not as a part of a longer word, and not below `self::`, `super::` or a crate.
fn contains_path(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + needle.len()..].chars().next();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(|c| is_word(c) || c == ':') && (!needle.ends_with(is_word) || !after.is_some_and(is_word))
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, skip: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if skip.iter().any(|skipped| name == *skipped) {
            continue;
        }
        // A link may lead anywhere; what it leads to is not the repository's.
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            walk(&entry.path(), skip, found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&root().join("src"), &["web"], &mut paths);
    let rust = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| Source {
        path: path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().replace('\\', "/"),
        text: fs::read_to_string(path).unwrap(),
    })
    .collect()
}

/// The layers a line names: `crate::actors::…` and `crate::{actors::…, clock}`.
fn layers_named(line: &str) -> Vec<String> {
    let first = |path: &str| path.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default().to_owned();
    let mut named = Vec::new();
    for (at, prefix) in line.match_indices("crate::") {
        let rest = &line[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => named.extend(list.split(',').map(first).filter(|name| !name.is_empty())),
            None => named.push(first(rest)),
        }
    }
    named
}

#[test]
fn a_layer_names_only_those_above_it() {
    let mut wrong = Vec::new();
    for source in sources() {
        let layer = source.layer();
        if layer == "lib" || PROGRAM.contains(&layer) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            wrong.push(format!("{} belongs to no layer: add it to design 4.1 and here", source.path));
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
        (&["clap", "tracing_subscriber", "anyhow"], &|path| path == "main.rs" || path.starts_with("cli/")),
        (&["hyper", "hyper_util", "http_body_util"], &|path| path == "webhooks/client.rs"),
        (&["prometheus_client"], &|path| path.starts_with("metrics/")),
        (&["rustls", "tokio_rustls"], &|path| ["http/tls.rs", "http/socket/stream.rs", "webhooks/client.rs"].contains(&path)),
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

/// Promise P9.
#[test]
fn the_systems_clock_is_read_in_one_file() {
    let clocks = ["Instant::now", "SystemTime::now", "std::time::Instant::now", "std::time::SystemTime::now"];
    let is_test = |path: &str| path.ends_with("tests.rs");
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| source.path != "clock.rs" && !is_test(&source.path))
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
        let keys = keys.as_table().unwrap().keys();
        unread.extend(keys.filter(|key| !is_read(key)).map(|key| format!("{section}.{key}")));
    }
    assert!(unread.is_empty(), "nothing reads {unread:?}");
}
