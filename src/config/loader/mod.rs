//! From the sources to a [`Config`]: each source is laid over the one before, key by key, and each value is checked
//! where it comes in, so that an error can say which source is wrong.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use toml::{Table, Value};

use crate::config::suggest::suggestion;
use crate::config::{Config, ConfigError, DEFAULTS_TOML, ranges};

/// Other names of a key, accepted from every source.
const ALIASES: &[(&str, &str)] = &[("store.data_dir", "server.data_dir")];

const FILE_DEFAULT: &str = "tidings.toml";
const ENV_PREFIX: &str = "TIDINGS_";
const ENV_FILE: &str = "TIDINGS_CONFIG";

/// Where settings come from besides the compiled-in defaults. Each later one wins: file, environment, overrides.
#[derive(Clone, Default)]
pub struct Loader {
    /// The file named on the command line; it must exist. Else `TIDINGS_CONFIG` of `env`, which must exist too; else
    /// `tidings.toml` in `cwd`, if there is one.
    pub file: Option<PathBuf>,
    /// The environment as name and value. Names other than `TIDINGS_CONFIG` and `TIDINGS_SECTION__KEY` are ignored.
    pub env: Vec<(String, String)>,
    /// Flags, as a key's path and its value: `("server.listen", "127.0.0.1:0")`.
    pub overrides: Vec<(String, String)>,
    /// Relative names of files are taken from here; empty is the process's own working directory.
    pub cwd: PathBuf,
}

impl fmt::Debug for Loader {
    /// Leaves values out: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.overrides.iter().map(|(key, _)| key).collect();
        f.debug_struct("Loader").field("file", &self.file).field("overrides", &names).field("cwd", &self.cwd).finish_non_exhaustive()
    }
}

impl Loader {
    /// Reads every source and checks the result.
    ///
    /// Whole numbers, `true`/`false`, texts and comma-separated lists in `env` and `overrides` are read as the type
    /// of the key's default. An empty text is a value (`auth.secret`), not an absence.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read, an unknown key, a value of the wrong type or out of its range,
    /// and settings that do not go together.
    pub fn load(&self) -> Result<Config, ConfigError> {
        self.merge()?.finish()
    }

    /// Returns every setting by its key, with where its value comes from. Secrets are masked.
    ///
    /// # Errors
    /// Those of [`Loader::load`].
    pub fn explain(&self) -> Result<Vec<Setting>, ConfigError> {
        let merge = self.merge()?;
        let settings = merge.settings();
        merge.finish().map(|_| settings)
    }

    /// Returns the variables of the environment that are no settings and would be with one underscore more, each with the name that
    /// was meant: `TIDINGS_SERVER_LISTEN` and `TIDINGS_SERVER__LISTEN`.
    #[must_use]
    pub fn misspelled_variables(&self) -> Vec<(String, String)> {
        let known = Merge::new();
        let meant = |name: &str| {
            let underscores = name.match_indices('_').map(|(at, _)| at).skip(1);
            let mut longer = underscores.map(|at| format!("{}_{}", &name[..at], &name[at..]));
            longer.find(|longer| key_of_variable(longer).is_some_and(|key| known.merged.contains_key(resolve(&key))))
        };
        let of_us = self.env.iter().filter(|(name, _)| name.starts_with(ENV_PREFIX) && name != ENV_FILE);
        let found = of_us.filter(|(name, _)| key_of_variable(name).is_none_or(|key| !known.merged.contains_key(resolve(&key))));
        found.filter_map(|(name, _)| Some((name.clone(), meant(name)?))).collect()
    }

    fn merge(&self) -> Result<Merge, ConfigError> {
        let mut merge = Merge::new();
        if let Some((path, text)) = self.read_file()? {
            merge.add_file(&path, &text)?;
        }
        merge.next_source();
        for (name, value) in &self.env {
            if let Some(key) = key_of_variable(name) {
                merge.add_text(&key, value, name)?;
            }
        }
        merge.next_source();
        for (key, value) in &self.overrides {
            merge.add_text(key, value, "command line")?;
        }
        Ok(merge)
    }

    /// Returns the file [`Loader::load`] reads, whether named or found; `None` when there is none.
    #[must_use]
    pub fn file_in_use(&self) -> Option<PathBuf> {
        let named = self.named_file();
        named.or_else(|| Some(self.cwd.join(FILE_DEFAULT)).filter(|path| path.exists()))
    }

    fn named_file(&self) -> Option<PathBuf> {
        let from_env = || self.env.iter().find(|(name, value)| name == ENV_FILE && !value.is_empty());
        let name = self.file.clone().or_else(|| from_env().map(|(_, value)| PathBuf::from(value)))?;
        Some(self.cwd.join(name))
    }

    fn read_file(&self) -> Result<Option<(PathBuf, String)>, ConfigError> {
        let (path, must_exist) = match self.named_file() {
            Some(path) => (path, true),
            None => (self.cwd.join(FILE_DEFAULT), false),
        };
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path, text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => Ok(None),
            Err(source) => Err(ConfigError::Read { path, source }),
        }
    }
}

/// `TIDINGS_SERVER__LISTEN` is `server.listen`, `TIDINGS_STORE__POSTGRES__URL` is `store.postgres.url`; `None` for a name that is not a setting.
fn key_of_variable(name: &str) -> Option<String> {
    let (section, key) = name.strip_prefix(ENV_PREFIX)?.split_once("__")?;
    let is_upper = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    (is_upper && !section.is_empty() && !key.is_empty()).then(|| format!("{section}.{}", key.replace("__", ".")).to_ascii_lowercase())
}

/// One setting and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// Its value; `"***"` for a secret that is set.
    pub value: serde_json::Value,
    /// `default`, the file, the environment variable, or `command line`.
    pub origin: String,
}

/// The settings so far.
struct Merge {
    merged: BTreeMap<String, Value>,
    /// Where each that is not a default comes from.
    origins: BTreeMap<String, String>,
    /// Keys that the current source has set, with the spelling it used.
    spelled: BTreeMap<String, String>,
}

impl Merge {
    fn new() -> Self {
        let mut merged = BTreeMap::new();
        // A test parses the text; were it broken, no key would be known and `finish` would say so.
        let defaults: Table = DEFAULTS_TOML.parse().unwrap_or_default();
        for (section, keys) in defaults {
            merged.extend(flattened(&section, keys.as_table().cloned().unwrap_or_default(), &|_| true));
        }
        Self { merged, origins: BTreeMap::new(), spelled: BTreeMap::new() }
    }

    fn next_source(&mut self) {
        self.spelled.clear();
    }

    fn add_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let file: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count()),
            message: first_line(error.message()),
        })?;
        let origin = path.display().to_string();
        for (section, keys) in file {
            let is_section = self.is_section(&section);
            match keys {
                Value::Table(keys) => {
                    for (key, value) in flattened(&section, keys, &|key| self.is_section(key)) {
                        self.add(&key, value, &origin)?;
                    }
                }
                value if is_section => {
                    let value = ranges::shown(&section, &value);
                    return Err(ConfigError::Value { key: section, value, expected: "a section".to_owned(), origin });
                }
                _ => return Err(self.unknown(&section, &origin)),
            }
        }
        Ok(())
    }

    fn is_section(&self, path: &str) -> bool {
        self.merged.keys().any(|known| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Reads `text` as the type of the key's default.
    fn add_text(&mut self, key: &str, text: &str, origin: &str) -> Result<(), ConfigError> {
        let default = self.merged.get(resolve(key)).ok_or_else(|| self.unknown(key, origin))?;
        let value = match default {
            Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
            Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
            Value::Array(_) => Some(list(text)),
            _ => None,
        };
        // What cannot be read as its type goes on as text, and is refused with the rest.
        self.add(key, value.unwrap_or_else(|| Value::String(text.to_owned())), origin)
    }

    fn add(&mut self, key: &str, value: Value, origin: &str) -> Result<(), ConfigError> {
        let target = resolve(key);
        let default = self.merged.get(target).ok_or_else(|| self.unknown(key, origin))?;
        let value = in_numbers(target, value);
        if !default.same_type(&value) || !ranges::is_allowed(target, &value) {
            return Err(ConfigError::Value {
                key: key.to_owned(),
                value: ranges::shown(target, &value),
                expected: ranges::expected(target, default),
                origin: origin.to_owned(),
            });
        }
        let earlier = self.spelled.insert(target.to_owned(), key.to_owned());
        if let Some(earlier) = earlier.filter(|earlier| earlier != key && *default != value) {
            return Err(ConfigError::Conflict(format!("{key} and {earlier} are one setting, given twice ({origin})")));
        }
        self.merged.insert(target.to_owned(), value);
        self.origins.insert(target.to_owned(), origin.to_owned());
        Ok(())
    }

    fn unknown(&self, key: &str, origin: &str) -> ConfigError {
        ConfigError::Unknown {
            key: key.escape_debug().take(100).collect(),
            origin: origin.to_owned(),
            suggestion: suggestion(key, self.merged.keys().map(String::as_str)),
        }
    }

    fn settings(&self) -> Vec<Setting> {
        let one = |(key, value): (&String, &Value)| {
            let is_hidden = ranges::is_secret(key) && value.as_str() != Some("");
            let value = if is_hidden { "***".into() } else { serde_json::to_value(value).unwrap_or_default() };
            Setting { key: key.clone(), value, origin: self.origins.get(key).map_or_else(|| "default".to_owned(), Clone::clone) }
        };
        self.merged.iter().map(one).collect()
    }

    fn finish(self) -> Result<Config, ConfigError> {
        let mut sections = Table::new();
        for (key, value) in self.merged {
            put(&mut sections, &key, value);
        }
        // Types and ranges were checked above, so what is left is a mistake in the table of ranges.
        let config: Config = sections.try_into().map_err(|error: toml::de::Error| ConfigError::Conflict(first_line(error.message())))?;
        config.validate()?;
        Ok(config)
    }
}

/// Writes the one name of an address that needs no looking up as its number.
fn in_numbers(key: &str, value: Value) -> Value {
    match (key, value) {
        ("server.listen" | "server.private_listen", Value::String(text)) => match text.strip_prefix("localhost:") {
            Some(port) => Value::String(format!("{}:{port}", Ipv4Addr::LOCALHOST)),
            None => Value::String(text),
        },
        (_, value) => value,
    }
}

/// Returns every key of a section with its path, also of the sections inside of it.
fn flattened(section: &str, keys: Table, is_section: &dyn Fn(&str) -> bool) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (name, value) in keys {
        let key = format!("{section}.{name}");
        match value {
            Value::Table(inner) if is_section(&key) => flat.extend(flattened(&key, inner, is_section)),
            value => flat.push((key, value)),
        }
    }
    flat
}

/// Puts a value where its path says.
fn put(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(table.insert(path.to_owned(), value)),
        Some((section, rest)) => {
            let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(keys) = section {
                put(keys, rest, value);
            }
        }
    }
}

fn resolve(key: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == key).map_or(key, |(_, target)| target)
}

fn list(text: &str) -> Value {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    Value::Array(entries.map(|entry| Value::String(entry.to_owned())).collect())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
