//! The on-disk format of a sled store, on one page: invariants, layouts, writing, reading, recovery.
//!
//! # Invariants
//! What holds in every store that opens:
//! - What was acknowledged is there: the databases hold every commit up to the one in `commit.mark`.
//! - A conversation's messages in a period are gapless, from the first one kept to its head. Only where losses were accepted
//!   may some be missing, up to the head's `whole_from`.
//! - In a period there are as many dedup entries as messages with a local id.
//! - A space holds as many records as its counters say.
//! - Every record matches its checksum, which covers its key.
//!
//! # The directory
//! ```text
//! <dir>/lock           held while the store is open; empty
//! <dir>/format         the format's number in digits and a line feed; written last when a store is made
//! <dir>/commit.mark    what was made durable last
//! <dir>/time           a time known to be right, Unix milliseconds in digits and a line feed; may be missing
//! <dir>/ballast        room that is given up where there is none to open the store; holds nothing
//! <dir>/unsynced       there while files may hold what the disk does not; empty
//! <dir>/permanent/     one sled database: the permanent space
//! <dir>/period-<n>/    one sled database per period that is kept; n = Unix milliseconds / 604,800,000 (a week)
//! <dir>/period-<n>.gone/           a period on its way out
//! <dir>/<database>/torn.<n>        segments of a damaged log as they were before sled opened it, among them all from the nth
//!                      on; gone once the store is found whole
//! <dir>.format-<n>/                a copy of a store of format n, taken before it was brought to this one
//! <dir>.damaged-<milliseconds>/    a copy of a damaged store, taken before its losses were accepted
//! ```
//! A database is one ordered set of keys. Messages lie in periods, so that retention deletes whole databases: sled reuses the
//! space of deleted records but never gives it back. What outlives messages lies in the permanent space.
//!
//! Formats: 1 has messages, dedup entries, heads and rows. 2 adds entries, notes, changes, answers, children and pins; 3 adds
//! kept files and their uses; 4 adds roles and changes of groups and attributes of rooms; 5 adds lists that several combined
//! messages hold; 6 adds dedup entries of each conversation (`j`), where a sender's local id belonged to all of them (`d`). An older
//! store is one without these, so it is brought to this format by writing the new number; entries `d` that are there count for the
//! conversation that they name, and no more are written.
//!
//! # Keys
//! Numbers are big-endian. The order of keys is the order in which they are read.
//! ```text
//! id           := u16 length, UTF-8
//! conversation := 0 id id               a peer conversation: both users, the lesser first
//!               | 1 id u64              a room and its incarnation
//!               | 2 id                  a group
//! note         := 'r' UTF-8             a receipt: who
//!               | 'e' id UTF-8          a reaction, who
//! file         := 16 bytes              a fileUID
//! ```
//! | first byte | rest | value | where |
//! |---|---|---|---|
//! | 0 | | counters | each space |
//! | `a` | file | [`MediaRecord`](crate::model::MediaRecord) | permanent |
//! | `b` | conversation, u64 seq | children of a combined message of format 4 or before: list of [`Child`](crate::model::Child) | period |
//! | `c` | id user, UTF-8 other | `null`: the user has a conversation with the other | permanent |
//! | `d` | id sender, UTF-8 local id | [`SenderDedupEntry`](record::SenderDedupEntry), of format 5 or before | period |
//! | `e` | id user, conversation | [`EntryRecord`](rows::EntryRecord) | period; carried on |
//! | `f` | UTF-8 user | list of users followed, each with a time | period; carried on |
//! | `g` | UTF-8 group | [`GroupRecord`](rows::GroupRecord) | permanent |
//! | `h` | conversation | [`Head`](record::Head) | period; carried on |
//! | `i` | conversation | list of [`Pin`](rows::Pin) | period; carried on |
//! | `j` | id sender, id local id, conversation | [`DedupEntry`](record::DedupEntry) | period |
//! | `k` | conversation, u64 seq, note | [`NoteRecord`](rows::NoteRecord) | period |
//! | `l` | conversation, u64 commit | seq and [`ChangeKind`](rows::ChangeKind) | period |
//! | `m` | conversation, u64 seq | commit, order key, flags, [`Message`](crate::model::Message) | period |
//! | `n` | id group, UTF-8 user | [`GroupMember`](crate::model::GroupMember) | permanent |
//! | `o` | file | what combined messages hold: list of [`Child`](crate::model::Child) | period |
//! | `p` | u64 period | [`PeriodRow`](record::PeriodRow) | permanent |
//! | `q` | conversation, u64 root seq, u64 seq | commit of the answer | period |
//! | `r` | UTF-8 room | [`RoomRecord`](rows::RoomRecord) | permanent |
//! | `u` | UTF-8 user | [`UserProfile`](crate::model::UserProfile) | permanent |
//! | `w` | id user, UTF-8 group | `null`: a member; [`FormerMember`](rows::FormerMember) | permanent |
//! | `x` | conversation | `null`: its removal has begun | permanent |
//! | `y` | file, conversation, u64 seq | `null`: the message was stored with the file, or with the list | period |
//! | `z` | id user, conversation, u64 seq | `null`: the user deleted the message for itself | period |
//!
//! "Carried on": written to the current period; the newest period that has it counts, then the permanent space, to which it
//! is copied when its period is deleted. What else belongs to a message lies in the message's period and goes with it.
//!
//! A combined message names the list it holds ([`Held`](crate::model::Held)); who passes it on names the same. The list lies
//! in each period that has such a message, once; it goes with the last of them, or with the period. Its name is made of the id
//! of the first message that held it, and where it is held is written down as for a file.
//!
//! # Records
//! ```text
//! record  := u8 version = 1, u32 crc32, payload      the checksum is over version, key and payload
//! payload := JSON                                    of every kind but messages
//!          | u64 commit, u64 order key, u8 flags, JSON      of messages; flags: 1 with a local id, else 0
//! ```
//! What a scan decides by lies before a message's JSON, so most records are passed over unread. The key takes part in the
//! checksum: a record that turns up in another's place is damage, too. A field that was added later has a default; records
//! are never rewritten for a new version.
//!
//! sled keeps a record cut into pieces of 4,096 bytes, since it puts larger tree nodes into files that it never syncs:
//! ```text
//! key                      → u16 number of further pieces, the first piece
//! 0xFF key u16 number      → a further piece, numbered from 0
//! ```
//! Keys of the engine begin below [`key::RESERVED`].
//!
//! # The mark
//! ```text
//! commit.mark := slot, zeroes to 4,096, slot, zeroes to 8,192
//! slot        := "TDM1", u64 turn, u64 commit, u64 rows, u32 crc32 over the 28 bytes before
//! ```
//! Slots lie on disk blocks of their own, and the greater turn counts. A mark is written after each commit and synced when 64 of
//! them have come or nothing comes for 100 ms, when a period begins, and at the end; until then the marks that follow go to the
//! same slot. So it survives a killed process exactly, and in a power loss whatever tears the slot that is written leaves the
//! other, which is durable and at most 64 commits older.
//!
//! # Writing
//! One thread writes. A batch is up to 256 jobs, or 4 MiB of bodies, and becomes durable in this order:
//! 1. changes of the permanent space, as one sled batch with its counters, flushed and `fdatasync`ed;
//! 2. changes of older periods (an edited message, a note on it), each period likewise;
//! 3. the current period: messages, dedup entries, what lies beside them, each conversation's head once, counters;
//! 4. the mark, which is not waited for.
//!
//! Only then are callers told. sled applies a batch whole or not at all, so message, dedup entry and head are there together.
//! The mark comes last: a crash before it leaves the databases ahead of it, which is allowed; behind it would be damage. That sled
//! lost the newest commits is so noticed after any kill, and after a power loss down to the last 64.
//!
//! The first write of a week begins a period: its database is made, then it is listed (`p`), with the last commit of the
//! period before it noted there. A period that is not listed and was never written to, or cannot even be opened, is what a crash
//! or a full disk left; it is deleted, if the list holds as many batches of rows as the mark says.
//!
//! Work that is too long for a batch notes first that it has begun: a removal by its record `x`, the deletion of a period by
//! `dropping` in its record `p`. Each step is a batch of its own; the last one takes the note away.
//!
//! # Reading
//! A record that is carried on is looked up from the newest period to the oldest, then in the permanent space. A page scans
//! one range of `m` keys per period. Readers leave out messages and heads of commits after the last durable one: a batch is
//! visible in sled a moment before it survives power loss.
//!
//! A local id is looked up in its conversation, in the current period and the one before it, so a retry is recognised for a week at
//! least. Before that a filter in memory is asked, which is filled at open from the dedup entries of these two.
//!
//! # A disk that refuses
//! Free room is looked at before anything is opened: sled that meets a full disk while it opens leaves files that it cannot read
//! the next time. Where there is too little, the ballast is deleted; where there is none, nothing is opened.
//!
//! A write that fails because the disk is full is refused, and so is every later one, until there is room: then the databases are
//! closed, opened and checked again behind the handle. What of the failed batch had reached the disk is there, whole or not at
//! all, and a retry of it is a duplicate. Any other failed write leaves the note `unsynced`, because the system may show what the
//! disk does not hold: nothing is written until the next start, which writes every file again and syncs it before it believes what
//! it reads.
//!
//! # Recovery
//! Opening takes the lock, reads format and mark, deletes snapshots that sled did not finish, opens the databases that `p`
//! lists, and checks the invariants: of the permanent space and the last two periods all records, of older periods the last
//! commit. What does not hold is [`OpenError::Damaged`](crate::store::OpenError::Damaged), and nothing is repaired. sled may
//! lose the end of a damaged file without a word; the mark and the counters show it.
//!
//! sled writes when it opens a database: over what lies behind the first damaged place of its log, too. These segments are
//! copied first, into `torn.<n>`, and the store is read whole before the copy goes. Tools that only look open a copy of the
//! store.
//!
//! When the owner accepts losses, the store is copied aside, and every database is written anew from the records that match
//! their checksums. They are looked for in three ways:
//! 1. The log of the database is read from its end to its beginning, without sled, frame by frame. A record stands there with
//!    its key, when it was written and each time its page was. The newest word on a key counts: a record, its removal, or a
//!    page that would hold it and does not. So neither what was deleted nor what was replaced comes back, unless the word
//!    that did it is what was damaged.
//! 2. Damaged frames are taken apart all the same, and searched for messages byte by byte: a message's JSON gives its key.
//!    What is found there counts if its checksum, which covers the key, proves it, and if nothing newer is known. A record in
//!    several pieces whose pieces are not all found is lost.
//! 3. Of keys on which the log says nothing, what sled finds counts. Where sled refuses, it is tried without its snapshots.
//!
//! Then these records are made to agree: heads move up to the last message found and note by `whole_from` that some before
//! may be missing, dedup entries are made from messages, memberships from members, `p` from the databases that are there.
//! A message of which only what it said before it was taken back is found goes, if the change that says so is there. Messages of
//! rooms go whose row, with this incarnation, is not there: nobody could come to them any more. Commits go on above the
//! greatest ever acknowledged. How many messages of which conversations are missing follows from heads, dedup entries and gaps,
//! and is told.
//!
//! After opening, removals and deletions that had begun go on.

pub(crate) mod key;
pub(crate) mod key_parts;
pub(crate) mod record;
pub(crate) mod record_kind;
pub(crate) mod rows;
#[cfg(test)]
mod tests;
