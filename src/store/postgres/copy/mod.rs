//! A store in a database as exported lines, and a store in a database made of lines. How lines are made up is told at
//! `store::copy::export`; they are the same for every engine.
//!
//! # Commits and stamps
//! A commit is a small number in a sled store: 1, 2, 3 … In a database it is a stamp, which is a time. Cursors, which clients hold on
//! to, are such numbers, and whoever comes with one is sent all that has a greater number. So each mapping has to give no commit a
//! lesser number than it had, and to keep the order:
//! - On the way into a database the commits of messages and changes, in their order, get stamps that rise strictly: each is
//!   `max(the one before + 1, base)`. The base of a message is its time of acceptance, held within the week in which it lay, so that
//!   retention deletes it when it would have. Where the commit is a stamp of that week or a later one, the commit itself is the base:
//!   stamps that came out of a database go back into one as they were. The base is never less than the commit. A change has no
//!   time of its own and follows what was committed before it.
//! - A cursor of a sled store is therefore an early one: its bearer is sent everything that is kept, up to the bounds of a resume,
//!   and misses nothing.
//! - On the way out stamps are commits as they are. A sled store needs commits to rise and no more, and counts on from the greatest.
//!   Cursors of the database stay exactly right.
//! - The greatest number that was ever handed out is in the counters of the last week, as a sled store has it, and in
//!   `owners.floor_stamp`. It counts even where its message is gone. A database forgets it with its message, because its next stamp
//!   is a later time anyway: its lines count on from the time of the export. The greatest message id that is known goes the same way.
//!
//! # What is different in the lines of a database
//! - Entries, followings and pins lie in the permanent space, each once, and empty pins are left out. So do heads of conversations of
//!   which no message is kept; each other head lies in the weeks in which its conversation has messages, and nowhere else.
//! - Heads have the epoch 1, counters no number of records or batches: an import counts.
//! - Under local ids that no engine looks for any more, of a week before the newest message, stands what the message says now.
//! - A list is named by the messages that hold it and not by those that were taken back. A combined message of format 4 holds a list
//!   like any other, and local ids of format 5 are those of this one.
//! - What belongs to a message that is not there is left out, and so is a conversation whose removal has begun.
//! - Reactions are without NUL characters.

mod export;
mod export_week;
mod import;
mod line_row;
mod pages;
mod settle;
mod staging;

use tokio_postgres::{Client, Error};

pub use self::export::{export_database, require_unserved};
pub use self::import::import_database;
use super::connect::refused;
use super::migrate;
use crate::store::error::{OpenError, StoreError};

/// Why a copy failed.
enum CopyError {
    /// The database refuses, or is gone.
    Database(Error),
    /// What is in it cannot be read, or what is written to refuses.
    Store(StoreError),
    Open(OpenError),
}

impl From<Error> for CopyError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for CopyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<OpenError> for CopyError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl CopyError {
    /// Returns it for who asked for the copy. `place`: see [`shown`](super::connect::shown).
    fn at(self, place: &str) -> OpenError {
        let path = place.to_owned();
        match self {
            Self::Database(error) => refused(place, &error),
            Self::Store(StoreError::Damaged(reason)) => OpenError::Damaged { path, reason },
            Self::Store(error) => OpenError::Io { path, reason: error.to_string() },
            Self::Open(error) => error,
        }
    }
}

/// Refuses a database without a store, or with one of another version.
async fn require_tables(client: &Client, place: &str) -> Result<(), CopyError> {
    let io = |reason: &str| CopyError::Open(OpenError::Io { path: place.to_owned(), reason: reason.to_owned() });
    let row = client.query_one("SELECT to_regclass('tidings.migrations') IS NOT NULL", &[]).await?;
    if !row.get::<_, bool>(0) {
        return Err(io("there is no store"));
    }
    let row = client.query_one("SELECT coalesce(max(version), 0) FROM tidings.migrations", &[]).await?;
    let found = u32::try_from(row.get::<_, i32>(0)).unwrap_or(0);
    match found.cmp(&migrate::VERSION) {
        std::cmp::Ordering::Less => Err(io("its tables are of an older version: start a broker of this one first")),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(OpenError::NewerFormat { path: place.to_owned(), found, known: migrate::VERSION }.into()),
    }
}
