//! What does the broker carry, and what does a delivery cost beside a bare socket loop?
//!
//! `cargo bench --bench load -- --quick` is `tidings bench --quick`, built as benches are: the broker under test and the
//! bare loops are child processes of the `tidings` program that cargo built for this.

#![allow(missing_docs, clippy::print_stderr)]

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    // Cargo adds `--bench`, which says nothing here.
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--bench");
    match Command::new(env!("CARGO_BIN_EXE_tidings")).arg("bench").args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tidings could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
