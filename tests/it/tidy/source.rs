//! The sources as the rules read them: files, the lines that are code, and what each imports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Source {
    /// Below `src/`, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// `actors` of `actors/room.rs`, `clock` of `clock.rs`.
    pub(super) fn layer(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The lines that are not comments, with their numbers.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Where the code contains one of these.
    pub(super) fn named(&self, needles: &[&str]) -> Vec<String> {
        let hit = |line: &str| needles.iter().any(|needle| contains_path(line, needle));
        self.code().filter(|(_, line)| hit(line)).map(|(n, line)| format!("{}:{n}: {}", self.path, line.trim())).collect()
    }
}

/// Whether a line names this path: not as a part of a longer word, and not below `self::`, `super::` or a crate.
pub(super) fn contains_path(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + needle.len()..].chars().next();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(|c| is_word(c) || c == ':') && (!needle.ends_with(is_word) || !after.is_some_and(is_word))
    })
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn walk(folder: &Path, skip: &[&str], found: &mut Vec<PathBuf>) {
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

pub(super) fn sources() -> Vec<Source> {
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
pub(super) fn layers_named(line: &str) -> Vec<String> {
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

/// The names that `use` lines and paths give a module from outside it, resolved to `a::b::c` below the crate.
pub(super) fn imports(source: &Source) -> Vec<(usize, Vec<String>)> {
    let parts: Vec<String> = source.path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let is_mod = parts.last().is_some_and(|last| last == "mod" || last == "lib");
    let module = if is_mod { &parts[..parts.len() - 1] } else { &parts[..] };
    let code = outside_tests(&source.text);
    let mut found = Vec::new();
    let starts = code.match_indices("crate::").chain(code.match_indices("super::")).chain(code.match_indices("self::"));
    for (at, _) in starts {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        for path in tree(&code[at..]) {
            let (mut base, mut rest) = (Vec::new(), path.as_slice());
            match rest.first().map(String::as_str) {
                Some("crate") => rest = &rest[1..],
                Some("self") => {
                    base = module.to_vec();
                    rest = &rest[1..];
                }
                _ => {
                    base = module.to_vec();
                    while rest.first().is_some_and(|segment| segment == "super") {
                        base.pop();
                        rest = &rest[1..];
                    }
                }
            }
            base.extend(rest.iter().cloned());
            found.push((line, base));
        }
    }
    found
}

/// The paths of a `use` tree or of one inline path, segment by segment.
pub(super) fn tree(text: &str) -> Vec<Vec<String>> {
    fn go(text: &str, at: &mut usize, prefix: &[String], found: &mut Vec<Vec<String>>) {
        let mut path = prefix.to_vec();
        loop {
            let rest = &text[*at..];
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !word.is_empty() {
                *at += word.len();
                path.push(word);
            } else if rest.starts_with('{') {
                *at += 1;
                while !text[*at..].starts_with('}') && *at < text.len() {
                    let skipped = text[*at..].len() - text[*at..].trim_start_matches([',', ' ', '\n']).len();
                    *at += skipped;
                    if !text[*at..].starts_with('}') {
                        let before = *at;
                        go(text, at, &path, found);
                        *at = (*at).max(before + 1);
                        let to_next = text[*at..].find([',', '}']).unwrap_or(0);
                        *at += to_next;
                    }
                }
                *at += 1;
                return;
            }
            if !text[*at..].starts_with("::") {
                break;
            }
            *at += 2;
        }
        found.push(path);
    }
    let mut found = Vec::new();
    go(text, &mut 0, &[], &mut found);
    found
}

/// The code of a file without comments and without its test modules.
pub(super) fn outside_tests(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
    let lines = code.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

/// The sets of nodes that lead back to themselves.
pub(super) fn circles(arrows: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let reach = |from: usize| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(node) = next.pop() {
            next.extend(arrows[node].iter().filter(|to| seen.insert(**to)));
        }
        seen
    };
    let reached: Vec<BTreeSet<usize>> = (0..arrows.len()).map(reach).collect();
    let mut circles: Vec<Vec<usize>> = Vec::new();
    for node in 0..arrows.len() {
        let circle: Vec<usize> = reached[node].iter().copied().filter(|other| reached[*other].contains(&node)).collect();
        if !circle.is_empty() && circles.iter().all(|known| !known.contains(&node)) {
            circles.push(circle);
        }
    }
    circles
}

/// The string literals of some code, without escapes.
pub(super) fn strings(code: &str) -> Vec<String> {
    code.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}
