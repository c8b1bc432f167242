//! Sources, their order, and what each error says.

use std::fs;

use super::*;
use crate::config::{LogFormat, StoreEngine};

/// Returns a loader in an empty folder, which lives as long as the first value.
fn loader() -> (tempfile::TempDir, Loader) {
    let dir = tempfile::tempdir().unwrap();
    let cwd = dir.path().to_owned();
    (dir, Loader { cwd, ..Loader::default() })
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let (dir, loader) = loader();
    fs::write(dir.path().join("tidings.toml"), text).unwrap();
    loader.load()
}

fn from_env(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (_dir, mut loader) = loader();
    loader.env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    loader.load()
}

fn refused(result: Result<Config, ConfigError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn without_any_source_the_defaults_hold() {
    let (_dir, loader) = loader();
    assert_eq!(loader.load().unwrap(), Config::default());
    assert_eq!(loader.file_in_use(), None);
    let from_own_text = from_file(DEFAULTS_TOML).unwrap();
    assert_eq!(from_own_text, Config::default());
}

#[test]
fn each_source_wins_over_the_one_before_key_by_key() {
    let (dir, mut loader) = loader();
    fs::write(
        dir.path().join("tidings.toml"),
        "[rate]\nburst = 11\nsends_per_second = 12\ncommands_burst = 13\n[store]\nengine = \"memory\"\n",
    )
    .unwrap();
    loader.env = vec![("TIDINGS_RATE__SENDS_PER_SECOND".into(), "21".into()), ("TIDINGS_RATE__COMMANDS_BURST".into(), " 22 ".into())];
    loader.overrides = vec![("rate.commands_burst".into(), "33".into())];
    let config = loader.load().unwrap();
    assert_eq!((config.rate.burst, config.rate.sends_per_second, config.rate.commands_burst), (11, 21, 33));
    assert_eq!(config.rate.commands_per_second, 10);
    assert_eq!(config.store.engine, StoreEngine::Memory);
}

#[test]
fn the_file_is_the_flags_else_the_variables_else_the_one_in_the_folder() {
    let (dir, mut loader) = loader();
    for (name, burst) in [("tidings.toml", 1), ("variable.toml", 2), ("flag.toml", 3)] {
        fs::write(dir.path().join(name), format!("[rate]\nburst = {burst}\n")).unwrap();
    }
    assert_eq!(loader.load().unwrap().rate.burst, 1);
    assert_eq!(loader.file_in_use(), Some(dir.path().join("tidings.toml")));
    loader.env = vec![("TIDINGS_CONFIG".into(), "variable.toml".into())];
    assert_eq!(loader.load().unwrap().rate.burst, 2);
    loader.file = Some("flag.toml".into());
    assert_eq!(loader.load().unwrap().rate.burst, 3);
    loader.file = Some("absent.toml".into());
    let text = refused(loader.load());
    assert!(text.contains("cannot read the settings file") && text.contains("absent.toml"), "{text}");
    loader.file = None;
    loader.env = vec![("TIDINGS_CONFIG".into(), String::new())];
    assert_eq!(loader.load().unwrap().rate.burst, 1);
}

#[test]
fn a_variable_is_read_as_the_type_of_its_default() {
    let config = from_env(&[
        ("TIDINGS_SERVER__LISTEN", "127.0.0.1:0"),
        ("TIDINGS_STORE__CACHE_BYTES", "1048576"),
        ("TIDINGS_USERS__MUST_EXIST", "false"),
        ("TIDINGS_SERVER__ORIGINS", "https://a.example, http://b.example:8080"),
        ("TIDINGS_LOG__FORMAT", "json"),
        ("TIDINGS_AUTH__SECRET", "12345678901234567890"),
        ("TIDINGS_LIMITS__CUSTOM_SUB_TYPE_MAX", "0"),
    ])
    .unwrap();
    assert_eq!(config.server.listen.port(), 0);
    assert_eq!(config.store.cache_bytes, 1_048_576);
    assert!(!config.users.must_exist);
    assert_eq!(config.server.origins, ["https://a.example", "http://b.example:8080"]);
    assert_eq!(config.log.format, LogFormat::Json);
    // All digits, and a text nevertheless.
    assert_eq!(config.auth.secret, "12345678901234567890");
    assert_eq!(config.limits.custom_sub_type_max, 0);
    assert!(from_env(&[("TIDINGS_SERVER__ORIGINS", "")]).unwrap().server.origins.is_empty());
}

#[test]
fn only_names_of_the_documented_form_count() {
    let others = [
        ("TIDINGS_PORT_7080_TCP", "tcp://10.0.0.1:7080"),
        ("TIDINGS_", "x"),
        ("TIDINGS___LISTEN", "x"),
        ("TIDINGS_SERVER__", "x"),
        ("tidings_server__listen", "x"),
        ("TIDINGS_server__listen", "x"),
        ("OTHER_SERVER__LISTEN", "x"),
        ("PATH", "/bin"),
    ];
    assert_eq!(from_env(&others).unwrap(), Config::default());
    let text = refused(from_env(&[("TIDINGS_SERVER__LISTE", "x")]));
    assert_eq!(text, "unknown setting server.liste (TIDINGS_SERVER__LISTE), did you mean server.listen?");
    assert!(refused(from_env(&[("TIDINGS_KAFKA__TOPIC", "x")])).starts_with("unknown setting kafka.topic"));
}

#[test]
fn the_data_directory_has_two_names() {
    assert_eq!(from_env(&[("TIDINGS_STORE__DATA_DIR", "/a")]).unwrap().server.data_dir, Path::new("/a"));
    assert_eq!(from_env(&[("TIDINGS_SERVER__DATA_DIR", "/b")]).unwrap().store_dir(), Path::new("/b/store"));
    let text = refused(from_file("[server]\ndata_dir = \"/a\"\n[store]\ndata_dir = \"/b\"\n"));
    assert!(text.starts_with("store.data_dir and server.data_dir are one setting, given twice"), "{text}");
    from_file("[server]\ndata_dir = \"/a\"\n[store]\ndata_dir = \"/a\"\n").unwrap();
    let (_dir, mut loader) = loader();
    loader.env = vec![("TIDINGS_STORE__DATA_DIR".into(), "/a".into())];
    loader.overrides = vec![("server.data_dir".into(), "/b".into())];
    assert_eq!(loader.load().unwrap().server.data_dir, Path::new("/b"));
}

#[test]
fn each_number_is_accepted_at_both_ends_of_its_range_and_refused_beyond() {
    for (key, (min, max)) in ranges::RANGES {
        for (number, is_inside) in [(*min, true), (*max, true), (min - 1, false), (max + 1, false)] {
            let mut merge = Merge::new();
            let result = merge.add_text(key, &number.to_string(), "test");
            assert_eq!(result.is_ok(), is_inside, "{key} = {number}");
            if let Err(error) = result {
                let wanted = format!("{key} is {number}, expected an integer in the range {min} to {max} (test)");
                assert_eq!(error.to_string(), wanted);
                continue;
            }
            // The field's type holds the whole range; relations between keys are another matter.
            let finished = merge.finish();
            assert!(matches!(finished, Ok(_) | Err(ConfigError::Conflict(_))), "{key} = {number}: {finished:?}");
            if let Err(ConfigError::Conflict(text)) = finished {
                let relations = [
                    "server.frame_bytes",
                    "shed.outbox_reliable_bytes",
                    "users.system",
                    "rate.invites_per_minute",
                    "actors.combine_bytes_in_flight_max",
                ];
                assert!(relations.iter().any(|relation| text.starts_with(relation)), "{key} = {number}: {text}");
            }
        }
    }
}

#[test]
fn a_wrong_type_names_key_value_and_what_is_expected() {
    let cases = [
        ("[rate]\nburst = \"ten\"", "rate.burst is \"ten\", expected an integer in the range 1 to 100000"),
        ("[rate]\nburst = 1.5", "rate.burst is 1.5, expected an integer"),
        ("[users]\nmust_exist = 1", "users.must_exist is 1, expected true or false"),
        ("[server]\nlisten = \"localhost\"", "server.listen is \"localhost\", expected an IP address or localhost, and a port"),
        ("[server]\nlisten = 7080", "server.listen is 7080, expected an IP address or localhost, and a port"),
        ("[server]\norigins = \"*\"", "server.origins is \"*\", expected a list"),
        ("[server]\norigins = [1]", "server.origins is [1], expected a list"),
        ("[store]\nengine = \"rocks\"", "store.engine is \"rocks\", expected \"sled\", \"memory\" or \"postgres\""),
        ("[store.postgres]\nurl = 5", "store.postgres.url is of type integer, expected an address"),
        ("[store.postgres]\nconnections_max = 0", "store.postgres.connections_max is 0, expected an integer in the range 1 to 1000"),
        ("[store.postgres]\nurls = 5", "unknown setting store.postgres.urls"),
        ("[store]\npostgres = 5", "unknown setting store.postgres"),
        ("[log]\nformat = \"JSON\"", "log.format is \"JSON\", expected \"auto\", \"text\" or \"json\""),
        ("[rate.burst]\na = 1", "rate.burst is a section, expected an integer"),
        ("rate = 3", "rate is 3, expected a section"),
        ("[server]\nliste = 1", "unknown setting server.liste"),
        ("listen = 1", "unknown setting listen"),
        ("[kafka]\ntopic = 1", "unknown setting kafka.topic"),
    ];
    for (file, wanted) in cases {
        let text = refused(from_file(file));
        assert!(text.starts_with(wanted), "{file}: {text}");
        assert!(text.contains("tidings.toml)"), "{text}");
    }
    let text = refused(from_env(&[("TIDINGS_RATE__BURST", "99999999999999999999")]));
    assert!(text.starts_with("rate.burst is \"99999999999999999999\", expected an integer in the range"), "{text}");
    assert!(text.ends_with("(TIDINGS_RATE__BURST)"), "{text}");
    let long = refused(from_env(&[("TIDINGS_STORE__ENGINE", &"x".repeat(5000))]));
    assert!(long.len() < 200, "{long}");
}

#[test]
fn a_secret_never_shows_in_an_error() {
    let texts = [
        refused(from_file("[auth]\nsecret = \"hunter2hunter\"")),
        refused(from_file("[auth]\nsecret = 482913")),
        refused(from_file("[auth]\ntoken04_secret = [\"hunter2\"]")),
        refused(from_env(&[("TIDINGS_AUTH__TOKEN04_SECRET", "hunter2")])),
        refused(from_file("[auth]\nsecret = \"hunter2")),
        refused(from_file("[auth]\nsecret = hunter2")),
    ];
    for text in texts {
        assert!(!text.contains("hunter2") && !text.contains("482913"), "{text}");
    }
    let (_dir, mut loader) = loader();
    loader.overrides = vec![("auth.secret".into(), "hunter2".into())];
    loader.env = vec![("TIDINGS_AUTH__SECRET".into(), "hunter2".into())];
    assert!(!format!("{loader:?}").contains("hunter2"));
}

#[test]
fn broken_toml_names_the_line() {
    let text = refused(from_file("[rate]\nburst = 1\nburst 2\n"));
    assert!(text.contains("tidings.toml line 3: "), "{text}");
}

#[test]
fn a_setting_of_a_section_in_a_section_comes_from_file_and_environment_and_is_never_shown() {
    let config = from_file("[store]\nengine = \"postgres\"\n[store.postgres]\nurl = \"postgres://me:hunter2@db/chat\"").unwrap();
    assert_eq!(config.store.postgres.url, "postgres://me:hunter2@db/chat");
    assert!(!format!("{config:?}{}", serde_json::to_string(&config).unwrap()).contains("hunter2"));
    let (_dir, mut loader) = loader();
    loader.env = vec![("TIDINGS_STORE__POSTGRES__URL".into(), "host=db".into()), ("TIDINGS_STORE__ENGINE".into(), "postgres".into())];
    assert_eq!(loader.load().unwrap().store.postgres.url, "host=db");
    let shown = loader.explain().unwrap();
    assert!(shown.iter().any(|setting| setting.key == "store.postgres.url" && setting.value == "***"));
    assert!(refused(from_file("[store]\nengine = \"postgres\"")).contains("store.postgres.url is empty"));
}

#[test]
fn a_flag_that_opens_the_network_needs_a_secret() {
    let (_dir, mut loader) = loader();
    loader.overrides = vec![("server.listen".into(), "0.0.0.0:7080".into())];
    assert!(refused(loader.load()).contains("auth.secret is empty"));
    loader.env = vec![("TIDINGS_AUTH__SECRET".into(), "a long enough secret".into())];
    assert!(!loader.load().unwrap().is_loopback());
}

#[test]
fn localhost_is_an_address() {
    let config = from_env(&[("TIDINGS_SERVER__LISTEN", "localhost:7090"), ("TIDINGS_SERVER__PRIVATE_LISTEN", "localhost:0")]).unwrap();
    assert_eq!((config.server.listen.to_string(), config.server.private_listen.as_str()), ("127.0.0.1:7090".to_owned(), "127.0.0.1:0"));
    let text = refused(from_env(&[("TIDINGS_SERVER__LISTEN", "localhost:high")]));
    assert!(text.contains("127.0.0.1:high") && text.contains("localhost"), "{text}");
}

#[test]
fn a_variable_that_lacks_an_underscore_is_named_with_what_was_meant() {
    let variables = [
        "TIDINGS_SERVER_LISTEN",
        "TIDINGS_STORE_POSTGRES__URL",
        "TIDINGS_SERVER__LISTEN",
        "TIDINGS_CONFIG",
        "TIDINGS_API_KEY",
        "TIDINGS_TEST_NODES",
        "PATH_SERVER_LISTEN",
    ];
    let env = variables.map(|name| (name.to_owned(), "x".to_owned())).into();
    let found = Loader { env, ..Loader::default() }.misspelled_variables();
    let meant = [("TIDINGS_SERVER_LISTEN", "TIDINGS_SERVER__LISTEN"), ("TIDINGS_STORE_POSTGRES__URL", "TIDINGS_STORE__POSTGRES__URL")];
    assert_eq!(found, meant.map(|(name, meant)| (name.to_owned(), meant.to_owned())));
}
