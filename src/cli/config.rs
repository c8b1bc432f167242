//! `tidings config`: what the settings are, and where each comes from.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidings::clock::{Clock as _, SystemClock};
use tidings::config::{DEFAULTS_TOML, Setting};

use super::certificate::{Standing, standing};
use super::failure::Failure;
use super::logs;
use super::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether the settings can be used; exit code 78 and the first mistake if not.
    Check(ShowArguments),
    /// Print the documented defaults: a settings file to begin with.
    Default,
    /// Print every setting in use and where its value comes from; secrets are masked.
    Show(ShowArguments),
}

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    settings: Settings,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Default => {
            super::output::write_out(format_args!("{DEFAULTS_TOML}"));
            Ok(())
        }
        ConfigCommand::Check(arguments) => check(arguments),
        ConfigCommand::Show(arguments) => show(arguments),
    }
}

fn check(arguments: &ShowArguments) -> Result<(), Failure> {
    let loader = arguments.settings.loader(Vec::new())?;
    let file = loader.file_in_use().map(|path| path.display().to_string());
    let checked = loader.load().map_err(Failure::from).and_then(|config| {
        logs::read(&config.log.filter)?;
        standing(&config, SystemClock::new().wall_ms())
    });
    let misspelled = loader.misspelled_variables();
    if arguments.json {
        let error = checked.as_ref().err().map(ToString::to_string);
        let certificate = checked.as_ref().ok().and_then(|standing| standing.as_ref()).map(Standing::text);
        let ignored: Vec<_> = misspelled.iter().map(|(name, meant)| json!({"name": name, "meant": meant})).collect();
        say!(
            "{}",
            json!({"valid": error.is_none(), "file": file, "error": error, "certificate": certificate, "ignoredVariables": ignored})
        );
    } else if let Ok(standing) = &checked {
        say!("the settings are valid ({})", file.as_deref().unwrap_or("no file, only defaults and the environment"));
        if let Some(standing) = standing {
            say!("the certificate is {}", standing.text());
        }
        for (name, meant) in misspelled {
            eprintln!("tidings: {name} is no setting and does nothing: {meant} is one");
        }
    }
    checked.map(drop)
}

fn show(arguments: &ShowArguments) -> Result<(), Failure> {
    let settings = arguments.settings.loader(Vec::new())?.explain()?;
    if arguments.json {
        let all: serde_json::Map<String, Value> =
            settings.into_iter().map(|Setting { key, value, origin }| (key, json!({"value": value, "origin": origin}))).collect();
        say!("{}", Value::Object(all));
        return Ok(());
    }
    let mut section = String::new();
    for Setting { key, value, origin } in settings {
        let (its_section, name) = key.split_once('.').unwrap_or(("", &key));
        if section != its_section {
            say!("{}[{its_section}]", if section.is_empty() { "" } else { "\n" });
            its_section.clone_into(&mut section);
        }
        // TOML and JSON write texts, numbers, switches and lists of texts alike.
        say!("{:<60} # {origin}", format!("{name} = {value}"));
    }
    Ok(())
}
