//! Who may use the console: one password, set by a link that works once; sessions with an end.
//!
//! ```text
//! no password ─ link (30 min, once) ─ set_up ─┐
//! password ─────────────────────────── log_in ┴─ session (idle, in all) ─ log_out
//! ```
//! Nothing here knows HTTP. A link of the first start is kept in memory as its hash; one made by `tidings console reset`, and
//! the password, are kept as hashes in the data directory.

mod attempts;
mod file;
mod random;
mod sessions;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tokio::sync::Semaphore;

use self::attempts::Attempts;
use self::file::{Content, LINK_LASTS, hash};
use self::random::{random, random_text};
use self::sessions::{Lasts, Sessions};
use crate::clock::Clock;
use crate::config::Console as Settings;
use crate::documents::DocumentVersion;

pub use self::file::{ConsoleError, ConsoleFile};
pub use self::random::RandomError;
pub(crate) use self::sessions::{LiveSession, Opened, SessionKey};

/// Characters of a password. Source: NIST SP 800-63B asks for 8; our choice, because one password opens everything.
const PASSWORD_CHARS_MIN: usize = 12;
/// Bytes of a password: more would only cost time.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// Passwords hashed at a time: each takes 19 MiB and a core.
const HASHED_MAX: usize = 2;
/// How long a broker may go on with what it knew of the file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why someone was not let in.
#[derive(Debug, Error)]
pub(crate) enum NotLetIn {
    /// It is not the password.
    #[error("that is not the password")]
    Wrong,
    /// There is none yet.
    #[error("no password is set yet: open the link that was printed at the start, or make one with `tidings console reset`")]
    NotSetUp,
    /// The link was used, is too old or was never made.
    #[error("the link was used, is older than 30 minutes, or is none of this broker's; `tidings console reset` makes a new one")]
    Link,
    /// The password is not fit to be one.
    #[error("password has {given}, the range is {PASSWORD_CHARS_MIN} characters to {PASSWORD_BYTES_MAX} bytes")]
    Unfit {
        /// Its length with the unit.
        given: String,
    },
    /// Too many attempts.
    #[error("too many attempts; try again in {} s", after.as_millis().div_ceil(1000))]
    TooMany {
        /// When the next may come.
        after: Duration,
    },
    /// The file or the hash could not be had.
    #[error("{0}")]
    Failed(String),
}

impl From<ConsoleError> for NotLetIn {
    fn from(error: ConsoleError) -> Self {
        tracing::error!(%error, "the console's file");
        Self::Failed(error.to_string())
    }
}

impl From<RandomError> for NotLetIn {
    fn from(error: RandomError) -> Self {
        Self::Failed(error.to_string())
    }
}

#[derive(Debug)]
struct Link {
    sha256: [u8; 32],
    ends: Duration,
}

#[derive(Debug, Default)]
struct Looked {
    at: Option<Duration>,
    version: Option<DocumentVersion>,
}

/// The console of one broker.
#[derive(Debug)]
pub(crate) struct Console {
    file: ConsoleFile,
    clock: Arc<dyn Clock>,
    sessions: Sessions,
    attempts: Attempts,
    /// The link of the first start.
    link: Mutex<Option<Link>>,
    looked: Mutex<Looked>,
    hashing: Semaphore,
    /// One at a time sets the password, so that a link works once.
    setting: tokio::sync::Mutex<()>,
}

impl Console {
    pub(crate) fn new(file: ConsoleFile, clock: Arc<dyn Clock>) -> Self {
        let looked = Mutex::new(Looked { at: None, version: file.version() });
        Self {
            file,
            clock,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            link: Mutex::default(),
            looked,
            hashing: Semaphore::new(HASHED_MAX),
            setting: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the token of a new link, if there is no password. The one before works no more.
    pub(crate) fn link(&self) -> Result<Option<String>, ConsoleError> {
        if self.file.read()?.password.is_some() {
            return Ok(None);
        }
        let token = random_text()?;
        *self.locked_link() = Some(Link { sha256: hash(&token), ends: self.clock.elapsed() + LINK_LASTS });
        Ok(Some(token))
    }

    /// Returns whether there is a password.
    pub(crate) fn is_set_up(&self) -> Result<bool, ConsoleError> {
        Ok(self.file.read()?.password.is_some())
    }

    /// Sets the password by a link and lets its bearer in. The link works no more.
    ///
    /// # Errors
    /// [`NotLetIn`]; the link goes on to work.
    pub(crate) async fn set_up(&self, settings: &Settings, address: IpAddr, token: &str, password: &str) -> Result<Opened, NotLetIn> {
        self.count(settings, address)?;
        let _one_at_a_time = self.setting.lock().await;
        self.check_link(token)?;
        check_password(password)?;
        let hashed = self.hashed(password).await?;
        let file = self.file.clone();
        self.in_background(move || Ok(file.write(&Content { password: Some(hashed), link: None })?)).await?;
        *self.locked_link() = None;
        self.sessions.close_all();
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).version = self.file.version();
        Ok(self.sessions.open(self.clock.elapsed(), lasts(settings))?)
    }

    /// Lets in whoever knows the password.
    ///
    /// # Errors
    /// [`NotLetIn`]. A wrong password takes as long as the right one.
    pub(crate) async fn log_in(&self, settings: &Settings, address: IpAddr, password: &str) -> Result<Opened, NotLetIn> {
        self.count(settings, address)?;
        let kept = self.file.read()?.password.ok_or(NotLetIn::NotSetUp)?;
        // What is too long to be one is looked at like any other, cut: it would only cost time.
        let given = password.as_bytes().get(..PASSWORD_BYTES_MAX + 1).unwrap_or(password.as_bytes()).to_vec();
        let is_right = self
            .in_background(move || {
                let kept = PasswordHash::new(&kept).map_err(|error| NotLetIn::Failed(format!("the kept hash: {error}")))?;
                Ok(Argon2::default().verify_password(&given, &kept).is_ok())
            })
            .await?;
        if !is_right {
            return Err(NotLetIn::Wrong);
        }
        Ok(self.sessions.open(self.clock.elapsed(), lasts(settings))?)
    }

    /// Returns the session of this id, if it holds; it counts as used.
    pub(crate) fn find(&self, settings: &Settings, id: &str) -> Option<LiveSession> {
        self.look();
        self.sessions.find(id, self.clock.elapsed(), lasts(settings))
    }

    /// Returns whether a session still holds; it does not count as used.
    pub(crate) fn holds(&self, settings: &Settings, key: &SessionKey) -> bool {
        self.look();
        self.sessions.holds(key, self.clock.elapsed(), lasts(settings))
    }

    pub(crate) fn log_out(&self, key: &SessionKey) {
        self.sessions.close(key);
    }

    fn locked_link(&self) -> std::sync::MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, settings: &Settings, address: IpAddr) -> Result<(), NotLetIn> {
        let (of_address, of_all) = (settings.attempts_per_minute, settings.attempts_per_minute_in_all);
        self.attempts.count(address, self.clock.elapsed(), of_address, of_all).map_err(|after| NotLetIn::TooMany { after })
    }

    fn check_link(&self, token: &str) -> Result<(), NotLetIn> {
        let given = hash(token);
        let is = |kept: &[u8; 32]| bool::from(kept.ct_eq(&given));
        let kept = self.file.read()?;
        let of_start = self.locked_link().as_ref().is_some_and(|link| is(&link.sha256) && self.clock.elapsed() < link.ends);
        let of_file = kept.link.is_some_and(|link| is(&link.sha256) && self.clock.wall_ms() < link.expire_time);
        if kept.password.is_none() && (of_start || of_file) { Ok(()) } else { Err(NotLetIn::Link) }
    }

    /// Sessions end with the password that began them, also when another process resets it.
    fn look(&self) {
        let now = self.clock.elapsed();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.at.is_some_and(|at| now < at + LOOK_EVERY) {
            return;
        }
        looked.at = Some(now);
        let version = self.file.version();
        if version != looked.version {
            looked.version = version;
            self.sessions.close_all();
        }
    }

    async fn hashed(&self, password: &str) -> Result<String, NotLetIn> {
        let (password, salt) = (password.as_bytes().to_vec(), random::<16>()?);
        let hashed = move || {
            let hashed: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(&password, &salt);
            hashed.map(|hash| hash.to_string()).map_err(|error| NotLetIn::Failed(format!("argon2: {error}")))
        };
        self.in_background(hashed).await
    }

    /// Off the threads that serve sockets, a few at a time. Those that wait are bounded by the attempts of a minute.
    async fn in_background<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, NotLetIn> + Send + 'static) -> Result<T, NotLetIn> {
        let _place = self.hashing.acquire().await.map_err(|_| NotLetIn::Failed("the broker is shutting down".into()))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| NotLetIn::Failed(error.to_string()))?
    }
}

fn lasts(settings: &Settings) -> Lasts {
    Lasts { idle: Duration::from_secs(settings.session_idle_seconds), in_all: Duration::from_secs(settings.session_seconds) }
}

fn check_password(password: &str) -> Result<(), NotLetIn> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        return Err(NotLetIn::Unfit { given: format!("{chars} characters") });
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(NotLetIn::Unfit { given: format!("{} bytes", password.len()) });
    }
    Ok(())
}
