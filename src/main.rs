//! The `tidings` command: reads arguments, starts the library, prints what to do next.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks through its standard streams")]

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let said = failure.to_string();
            if !said.is_empty() {
                eprintln!("tidings: {said}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}
