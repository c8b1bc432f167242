//! The key of JWT tokens: configured, or made once and kept in the data directory.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::config::Config;
use crate::private_files::{create_private, make_folder, sync_names};

/// Name of the file in the data directory. Beside the store, and never inside it: an export of messages holds no key.
const FILE: &str = "secret";
const RANDOM_BYTES: usize = 32;
const BYTES_MIN: usize = 16;
const BYTES_MAX: usize = 1024;

/// A key. `Debug` masks it, and nothing else prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Where the key comes from; a generated one serves loopback only (the configuration sees to it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretSource {
    /// `auth.secret`.
    Configured,
    /// The file `secret` in the data directory.
    Generated,
}

/// Why there is no key. The program does not start without one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file or its folder cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read`, `create` or `write`.
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file holds no key of 16 to 1024 bytes: emptied, or something else.
    #[error("{} holds {bytes} bytes, a secret has 16 to 1024; remove the file to have a new one made", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// What it holds, counted to 1025 at most.
        bytes: usize,
    },
    /// Others may read it, so it may be known to them.
    #[error("{} has mode {mode:o} and may be known to other users; remove it to have a new one made, or set mode 600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system gives no random bytes.
    #[error("no random bytes from the system: {0}")]
    Random(String),
}

impl Secret {
    /// Takes a key as it is. The caller sees to its length: below 16 bytes it can be guessed.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the key itself, for signing.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `auth.secret`, or, when that is empty, the key kept in `server.data_dir`, which is made if there is none.
    ///
    /// # Errors
    /// [`SecretError`] for the file of the kept key; a configured one cannot fail.
    pub fn open(config: &Config) -> Result<(Self, SecretSource), SecretError> {
        if config.auth.secret.is_empty() {
            return Ok((Self::keep(&config.server.data_dir)?, SecretSource::Generated));
        }
        Ok((Self::from_bytes(config.auth.secret.as_bytes()), SecretSource::Configured))
    }

    /// `auth.secret` or, when that is empty, the key kept in `server.data_dir`; none when there is neither.
    ///
    /// # Errors
    /// [`SecretError`] for the file of the kept key.
    pub fn find(config: &Config) -> Result<Option<Self>, SecretError> {
        if config.auth.secret.is_empty() {
            return read(&config.server.data_dir.join(FILE));
        }
        Ok(Some(Self::from_bytes(config.auth.secret.as_bytes())))
    }

    /// Returns whether a broker has made its key in a data directory.
    #[must_use]
    pub fn is_kept_in(data_dir: &Path) -> bool {
        data_dir.join(FILE).exists()
    }

    /// Reads the key of a data directory, or makes it. Of two processes that make one at a time both get the first.
    fn keep(data_dir: &Path) -> Result<Self, SecretError> {
        let path = data_dir.join(FILE);
        if let Some(secret) = read(&path)? {
            return Ok(secret);
        }
        make_folder(data_dir).map_err(failed("create", data_dir))?;
        let secret = generate()?;
        if write_new(data_dir, &path, &secret)? {
            return Ok(secret);
        }
        let not_found = || SecretError::Io { action: "read", path: path.clone(), source: io::ErrorKind::NotFound.into() };
        read(&path)?.ok_or_else(not_found)
    }
}

/// Makes a key. It is text, and its bytes are the key: copied into `auth.secret` it goes on to check the same tokens.
fn generate() -> Result<Secret, SecretError> {
    Ok(Secret::from_bytes(random_text()?))
}

/// Returns 32 random bytes as 43 letters, digits, `-` and `_`.
pub(super) fn random_text() -> Result<String, SecretError> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| SecretError::Random(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

pub(super) fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> SecretError + 'a {
    move |source| SecretError::Io { action, path: path.to_owned(), source }
}

/// `None` if there is no such file.
fn read(path: &Path) -> Result<Option<Secret>, SecretError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    check_mode(&file, path)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    let key = bytes.trim_ascii();
    if !(BYTES_MIN..=BYTES_MAX).contains(&key.len()) {
        return Err(SecretError::Length { path: path.to_owned(), bytes: key.len() });
    }
    Ok(Some(Secret::from_bytes(key)))
}

#[cfg(unix)]
fn check_mode(file: &File, path: &Path) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(failed("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(SecretError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_file: &File, _path: &Path) -> Result<(), SecretError> {
    Ok(())
}

/// Writes the file whole or not at all, and only if there is none yet; `false` if there is.
///
/// A link appears with its content in place, where a file opened under its final name could be read half written.
fn write_new(data_dir: &Path, path: &Path, secret: &Secret) -> Result<bool, SecretError> {
    let draft = data_dir.join(format!(".{FILE}.{}", random_text()?));
    let linked = write_private(&draft, &secret.0).and_then(|()| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    });
    // A draft that stays behind is private and never read.
    if let Err(error) = fs::remove_file(&draft) {
        tracing::trace!(%error, "no draft of the secret to remove");
    }
    let is_new = linked.map_err(failed("write", path))?;
    // Without it the name could be gone after a power cut, and with it every token made meanwhile.
    sync_names(data_dir).map_err(failed("write", data_dir))?;
    Ok(is_new)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_private(path)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_in(dir: &Path) -> Config {
        let mut config = Config::default();
        config.server.data_dir = dir.join("data");
        config
    }

    #[test]
    fn a_configured_secret_is_used_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config_in(dir.path());
        config.auth.secret = "a configured secret".into();
        let (secret, source) = Secret::open(&config).unwrap();
        assert_eq!((secret.as_bytes(), source), (b"a configured secret".as_slice(), SecretSource::Configured));
        assert!(!config.server.data_dir.exists());
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }

    #[test]
    fn a_made_secret_is_kept_and_each_directory_has_its_own() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (secret, source) = Secret::open(&config_in(one.path())).unwrap();
        assert_eq!(source, SecretSource::Generated);
        assert_eq!(secret.as_bytes().len(), 43);
        assert_eq!(Secret::open(&config_in(one.path())).unwrap().0, secret);
        assert_ne!(Secret::open(&config_in(two.path())).unwrap().0, secret);
        let names: Vec<_> = fs::read_dir(one.path().join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [FILE], "no draft is left");
    }

    #[test]
    fn a_made_secret_can_be_moved_into_the_settings() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config_in(dir.path());
        let (made, _) = Secret::open(&config).unwrap();
        config.auth.secret = fs::read_to_string(config.server.data_dir.join(FILE)).unwrap().trim().to_owned();
        config.validate().unwrap();
        assert_eq!(Secret::open(&config).unwrap().0, made);
    }

    #[cfg(unix)]
    #[test]
    fn file_and_directory_are_private_and_an_exposed_file_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let config = config_in(dir.path());
        Secret::open(&config).unwrap();
        let file = config.server.data_dir.join(FILE);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&config.server.data_dir)), (0o600, 0o700));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let text = Secret::open(&config).unwrap_err().to_string();
        assert!(text.contains("has mode 640"), "{text}");
    }

    #[test]
    fn a_file_without_a_secret_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let config = config_in(dir.path());
        Secret::open(&config).unwrap();
        let file = config.server.data_dir.join(FILE);
        for (content, bytes) in [(String::new(), 0), ("short\n".into(), 5), ("x".repeat(5000), 1025)] {
            fs::write(&file, &content).unwrap();
            let refused = Secret::open(&config).unwrap_err();
            assert!(matches!(refused, SecretError::Length { bytes: b, .. } if b == bytes), "{refused}");
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
    }

    #[test]
    fn of_many_that_make_one_at_a_time_all_get_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let config = config_in(dir.path());
        let made: Vec<Secret> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Secret::open(&config).unwrap().0)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|secret| *secret == made[0]));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("data"), "a file in the way").unwrap();
        let text = Secret::open(&config_in(dir.path())).unwrap_err().to_string();
        assert!(text.starts_with("cannot ") && text.contains("data"), "{text}");
    }
}
