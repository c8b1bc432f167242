//! Where messages and the rows of users, groups and rooms are kept.
//!
//! [`Store`] is cut above sequencing and dedup and below the actors: an engine gives each message its place,
//! recognises retries and decides how many appends share one disk flush; an actor only says what it wants kept.
//! So a replicated log can take the place of the embedded engine without an actor knowing.
//!
//! Writes never block the caller: they are handed to the engine, and `done` is called on the engine's thread
//! when the outcome is durable (or refused). Reads block and belong on a thread that may wait.
//!
//! # Rules an engine keeps
//! - `done(Ok(..))` only after the write survives power loss (`fdatasync` or better).
//! - Appends are carried out in the order of the calls to `append`; `done` is called in that order, too.
//! - `seq` of a conversation is 1, 2, 3 … without gaps, `order_key` increases strictly:
//!   `max(last + 1, (ms since 2024-01-01) << 11)`, also across restarts and clock steps back.
//! - Message, dedup entry and conversation head become durable together or not at all.
//! - The same `(conversation, sender, local_id)` is stored once for at least 24 hours; with equal content the first result
//!   is given again, with other content [`StoreError::OtherContent`]. In another conversation it is another message.
//! - After a failed write every later write fails, too; reads go on. Of a full disk ([`StoreError::Full`]) it recovers by itself.
//!
//! # Where what is
//! A folder uses only those above it.
//!
//! | | |
//! |---|---|
//! | `error`, `types`, `shared_state`, `shards`, `traits`, `coarse/` | what callers see; questions about many conversations, and loops that answer them |
//! | `format/` | keys and records: the whole on-disk format is told in `format/mod.rs` |
//! | `backend/` | places that keep bytes: sled and memory, the store's directory, the mark |
//! | `engine/` | the rules above: the writer's thread, batches, retries, reads, long work in small steps |
//! | `repair/` | the check at open, and making a damaged store openable |
//! | `copy/` | backups of a store that is open, exported lines, stores made of either, and a pipe between two stores |
//! | `postgres/` | the store in PostgreSQL: its own writer, reads and tables (feature `postgres`) |
//! | `embedded` | the two stores: an engine over memory, an engine over sled |

mod backend;
mod coarse;
mod copy;
mod embedded;
mod engine;
mod error;
mod format;
#[cfg(feature = "postgres")]
mod heartbeats;
#[cfg(feature = "postgres")]
pub(in crate::store) mod postgres;
mod repair;
mod shards;
mod shared_state;
mod speaks;
#[cfg(test)]
mod tests;
mod traits;
mod types;

pub use self::backend::open::SledOptions;
pub(crate) use self::backend::room::free_space;
pub use self::coarse::{
    ChangedPart, ConversationQuery, Found, FoundConversations, FoundMessage, FoundPart, LastMessage, Listed, LookedAt, MENTIONS_MAX,
    Mentioned, Missed, MissedPart, MissedQuery, Overview, SearchQuery, VisiblePart,
};
pub use self::copy::export::export;
pub use self::copy::import::import;
pub use self::copy::lines::LineCounts;
pub use self::copy::pipe::pipe;
pub use self::copy::restore::restore;
pub use self::embedded::{MemoryStore, SledStore};
pub use self::error::{OpenError, StoreError};
pub use self::format::rows::{
    ChangeKind, EntryRecord, FormerMember, GroupRecord, MemberAttributes, Note, NoteRecord, Pin, Revision, RoomRecord, Tail,
};
#[cfg(feature = "cluster")]
pub(crate) use self::heartbeats::Heartbeats;
#[cfg(feature = "postgres")]
pub use self::postgres::{
    ActiveNode, ClusterStatus, DatabaseCheck, DatabaseReport, NodeStatus, PostgresDocuments, PostgresOptions, PostgresStore, StampTime,
    Standby, check_database, cluster_status, database_report, drain_node, export_database, import_database, require_unserved,
};
pub use self::repair::inspect::{StoreReport, StoreSummary, check, summary};
pub use self::repair::losses::{AcceptedLosses, ConversationLoss};
pub use self::repair::noted_time::{note_time, noted_time};
pub use self::shards::{Claimed, NodeRow, SharedShards, StampedMessages, View};
pub use self::shared_state::{AuditRow, JournalChanges, JournalMark, JournalRow, KeptAnswer, SharedState};
pub use self::speaks::{SPEAKS, Speaks};
pub use self::traits::{Maintenance, MessageLog, Rows};
pub use self::types::{
    Anchor, Append, Appended, CopiedFile, DatabaseStats, Done, Pace, Page, PageRead, PlaceCounts, RowWrite, SINGLE_NODE_EPOCH, Since,
    SinceRead, StoreCopy, StoreStats,
};

/// A store: messages, rows, what is asked about many of them, and their upkeep. Whatever is all four is one. See the module's
/// documentation for the rules it keeps.
///
/// # Errors
/// The one rule for all methods of the four: a read fails with [`StoreError::Damaged`] when a record does not match its
/// checksum, and with [`StoreError::Unavailable`] when the disk refuses or the store is closed. A write says how it ended by
/// its `done`: with the errors of [`StoreError`] that its own text names, and with [`StoreError::Unavailable`] from the first
/// failed write on.
pub trait Store: MessageLog + Rows + Overview + Maintenance {}

impl<T: MessageLog + Rows + Overview + Maintenance> Store for T {}
