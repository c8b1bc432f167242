//! `tidings completions` and `tidings man`: what a package installs beside the program.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// Write a page per command into this folder; without it the first page goes to standard output.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(arguments: &CompletionsArguments, command: &mut Command) {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, command, "tidings", &mut script);
    super::output::write_out(format_args!("{}", String::from_utf8_lossy(&script)));
}

pub(super) fn man(arguments: &ManArguments, command: Command) -> Result<(), Failure> {
    let Some(dir) = &arguments.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(anyhow::Error::from)?;
        super::output::write_out(format_args!("{}", String::from_utf8_lossy(&page)));
        return Ok(());
    };
    let failed = |error: io::Error| anyhow::anyhow!("cannot write {}: {error}", dir.display());
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command, dir).map_err(failed)?;
    Ok(())
}
