//! What backups are called.

use super::error::BackupError;

/// Longest name of a backup.
const NAME_BYTES_MAX: usize = 64;

/// Checks whether this can be the name of a backup.
///
/// # Errors
/// [`BackupError::Name`].
pub fn check_name(name: &str) -> Result<(), BackupError> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let fine = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_fine) && !name.starts_with('.');
    if fine { Ok(()) } else { Err(BackupError::Name(name.chars().take(100).collect())) }
}

/// Returns the name of a backup that was given none: the time in UTC, `20260104-000000`. `now_ms`: Unix milliseconds.
#[must_use]
pub fn name_at(now_ms: u64) -> String {
    let (days, seconds) = (now_ms / 86_400_000, now_ms / 1000 % 86_400);
    // Days since 0000-03-01, in eras of 400 years. Source: H. Hinnant, chrono-compatible low-level date algorithms.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_step_of_a_path() {
        for fine in ["a", "2026-11-23_daily.1", &"x".repeat(64)] {
            assert_eq!(check_name(fine), Ok(()), "{fine}");
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert!(matches!(check_name(bad), Err(BackupError::Name(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_name_tells_the_time() {
        for (seconds, name) in [
            (0, "19700101-000000"),
            (951_782_399, "20000228-235959"),
            (951_782_400, "20000229-000000"),
            (1_767_484_800, "20260104-000000"),
            (1_798_761_599, "20261231-235959"),
        ] {
            assert_eq!(name_at(seconds * 1000), name);
            assert_eq!(check_name(name), Ok(()));
        }
    }
}
