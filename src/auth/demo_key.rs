//! The key that opens demo tokens: made at each start, so that a link to the page is good until the next.

use std::fmt;
use std::path::Path;

use subtle::ConstantTimeEq as _;

use super::secret::{SecretError, failed, random_text};
use crate::private_files::{make_folder, replace_private};

/// Name of the file in the data directory.
const FILE: &str = "demo-key";

/// What the demo page must show to get a token for anyone. `Debug` masks it.
#[derive(Clone, PartialEq, Eq)]
pub struct DemoKey(String);

impl fmt::Debug for DemoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DemoKey(***)")
    }
}

impl DemoKey {
    /// Makes a new key and writes it into the file `demo-key` of a data directory, mode 600, in place of the last one.
    ///
    /// # Errors
    /// [`SecretError`]: the file cannot be written, or the system gives no random bytes.
    pub fn make(data_dir: &Path) -> Result<Self, SecretError> {
        let key = random_text()?;
        make_folder(data_dir).map_err(failed("create", data_dir))?;
        replace_private(data_dir, FILE, format!("{key}\n").as_bytes()).map_err(failed("write", &data_dir.join(FILE)))?;
        Ok(Self(key))
    }

    /// Returns the key itself: 43 letters, digits, `-` and `_`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether `shown` is this key. Takes as long for any text of its length.
    #[must_use]
    pub fn is(&self, shown: &str) -> bool {
        bool::from(self.0.as_bytes().ct_eq(shown.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_start_has_a_key_of_its_own_in_a_private_file() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        let first = DemoKey::make(&data_dir).unwrap();
        let second = DemoKey::make(&data_dir).unwrap();
        assert_ne!(first, second);
        assert!(second.is(second.as_str()) && !second.is(first.as_str()) && !second.is("") && !second.is(&second.as_str()[1..]));
        assert_eq!(fs::read_to_string(data_dir.join(FILE)).unwrap().trim(), second.as_str());
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1, "no draft is left");
        assert_eq!(format!("{second:?}"), "DemoKey(***)");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(data_dir.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
