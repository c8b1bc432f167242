//! Standard output.

/// `println!` for output that is piped into something which may stop reading, such as `head`.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::output::write_out(format_args!("{}\n", format_args!($($text)*))) };
}

/// Writes to standard output. Who stopped reading wants no more: the command ends, and that is no failure.
pub(super) fn write_out(text: std::fmt::Arguments<'_>) {
    if let Err(error) = std::io::Write::write_fmt(&mut std::io::stdout(), text) {
        std::process::exit(i32::from(error.kind() != std::io::ErrorKind::BrokenPipe));
    }
}
