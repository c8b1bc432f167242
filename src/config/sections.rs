//! The sections of `config.toml`, one struct each. Defaults, ranges and what happens at a limit stand there;
//! the ranges are enforced from one table, `ranges.rs`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[server]`: sockets, HTTP and the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address to listen on. Not loopback only with `auth.secret` set.
    pub listen: SocketAddr,
    /// Address of metrics and API description; empty means none.
    pub private_listen: String,
    /// Whether these are shown at `listen`, too.
    pub metrics_public: bool,
    /// Folder of everything kept on disk.
    pub data_dir: PathBuf,
    /// How often a client has to `ping`, seconds, 5 to 300. One and a half times of silence closes the session.
    pub heartbeat_seconds: u64,
    /// How long a connection may stay without a login, seconds, 1 to 300.
    pub login_timeout_seconds: u64,
    /// Largest WebSocket message, bytes, 4096 to 16 MiB.
    pub frame_bytes_max: usize,
    /// The same before login, bytes, 512 to 65536.
    pub frame_bytes_before_login_max: usize,
    /// Fragments of one WebSocket message, 1 to 1024.
    pub fragments_max: usize,
    /// WebSocket control frames of one connection per second, 1 to 1000.
    pub control_frames_per_second_max: u32,
    /// Malformed frames that close a session, 1 to 1000.
    pub malformed_frames_max: u32,
    /// Requests of one session without a reply yet, 1 to 1024.
    pub requests_in_flight_max: usize,
    /// Open connections, 1 to 1000000.
    pub connections_max: usize,
    /// Open connections without a login, 1 to 1000000.
    pub connections_unauthenticated_max: usize,
    /// Open connections of one client's address (of IPv6, of its /64), 1 to 1000000.
    pub connections_per_address_max: usize,
    /// Open connections of one client's address without a login, 1 to 1000000.
    pub connections_unauthenticated_per_address_max: usize,
    /// Addresses and networks of proxies whose forwarding headers count.
    pub trusted_proxies: Vec<String>,
    /// Origins that may open a WebSocket besides the own host; `*` is any.
    pub origins: Vec<String>,
    /// How long a stop waits for queues to drain, seconds, 0 to 600.
    pub shutdown_seconds: u64,
    /// Threads that serve sockets, 0 to 1024; 0 is the number of cores.
    pub http_workers: usize,
    /// How long the head of an HTTP request may take, seconds, 1 to 60.
    pub request_head_seconds: u64,
    /// How long the body of an HTTP request may take, seconds, 1 to 600; uploads have a pace of their own.
    pub request_body_seconds: u64,
    /// How fast it must come, bytes per second, 0 to 1 MiB.
    pub request_body_bytes_per_second_min: u64,
    /// What may be held of the bodies of all requests that nobody signed or sent a key with, bytes, 64 KiB to 1 GiB.
    pub unauthenticated_body_bytes_max: usize,
}

/// The oldest TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// 1.2 and 1.3.
    #[serde(rename = "1.2")]
    Tls12,
    /// 1.3 only.
    #[serde(rename = "1.3")]
    Tls13,
}

/// `[tls]`: HTTPS and WSS by the broker's own server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// File of the certificate and its chain, PEM; empty means plain HTTP.
    pub certificate: PathBuf,
    /// File of its private key, PEM.
    pub key: PathBuf,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// How often the files are looked at, seconds, 1 to 3600.
    pub check_seconds: u64,
    /// How long a handshake may take, seconds, 1 to 60.
    pub handshake_seconds: u64,
}

/// `[auth]`: the keys of user tokens. `Debug` masks the secrets and `Serialize` leaves them out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Key of HS256 tokens, 16 to 1024 bytes; empty means that one is made and kept in the data directory.
    #[serde(skip_serializing)]
    pub secret: String,
    /// Key of format-04 tokens, 32 bytes; empty turns them off.
    #[serde(skip_serializing)]
    pub token04_secret: String,
    /// The `app_id` of format-04 tokens.
    pub app_id: u32,
    /// Lifetime of tokens made on the command line, seconds, 1 to 31536000.
    pub token_ttl_seconds_default: u64,
    /// How far from now a token may end, seconds, 0 to 3153600000; 0 allows any.
    pub token_lifetime_max_seconds: u64,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mask = |value: &str| if value.is_empty() { "unset" } else { "***" };
        f.debug_struct("Auth")
            .field("secret", &mask(&self.secret))
            .field("token04_secret", &mask(&self.token04_secret))
            .field("app_id", &self.app_id)
            .field("token_ttl_seconds_default", &self.token_ttl_seconds_default)
            .field("token_lifetime_max_seconds", &self.token_lifetime_max_seconds)
            .finish()
    }
}

/// `[users]`: accounts and their devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// Whether the receiver of a peer message must exist.
    pub must_exist: bool,
    /// Whether a user whom a message names from outside its conversation is told of that message.
    pub mentioned_outside: bool,
    /// Devices of one user logged in at a time, 1 to 10; the oldest is kicked for one more.
    pub devices_per_user_max: usize,
    /// The user in whose name the server itself speaks; nobody can log in as it.
    pub system: String,
}

/// `[api]`: what backends may ask, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Whether `/api/v1` is served.
    pub enabled: bool,
    /// Calls of one key per second, 1 to 100000.
    pub requests_per_second: u32,
    /// Calls of one key at once, 1 to 100000.
    pub requests_burst: u32,
    /// Broadcasts per second, 1 to 1000.
    pub broadcasts_per_second: usize,
    /// Broadcasts within 24 hours, 1 to 1000000.
    pub broadcasts_per_day: usize,
    /// Body of one call, bytes, 1024 to 16 MiB.
    pub body_bytes_max: usize,
    /// Answers kept for calls with an `Idempotency-Key`, 1 to 1000000.
    pub idempotency_keys_max: usize,
    /// How long each is kept, seconds, 60 to 604800.
    pub idempotency_seconds: u64,
    /// Entries of one page of a list, 1 to 1000.
    pub page_max: usize,
}

/// `[console]`: the operator's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Whether it is served.
    pub enabled: bool,
    /// How long a session may not be used, seconds, 60 to 86400.
    pub session_idle_seconds: u64,
    /// How long a session lasts in all, seconds, 300 to 2592000.
    pub session_seconds: u64,
    /// Attempts to log in by one address per minute, 1 to 1000.
    pub attempts_per_minute: usize,
    /// Attempts to log in per minute in all, 1 to 10000.
    pub attempts_per_minute_in_all: usize,
    /// One file of the audit log, bytes, 65536 to 1 GiB.
    pub audit_bytes_max: u64,
}

/// How calls of `[vendor_api]` are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VendorSignature {
    /// MD5 of a few fields and the secret: the vendor's own.
    Md5,
    /// HMAC-SHA-256 of the whole call.
    HmacSha256,
    /// Either.
    Both,
}

/// `[vendor_api]`: calls in the vendor's shape. `Debug` masks the secret and `Serialize` leaves it out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorApi {
    /// Whether `/?Action=…` is served.
    pub enabled: bool,
    /// What calls are signed with, 16 to 1024 bytes; empty while it is off.
    #[serde(skip_serializing)]
    pub server_secret: String,
    /// How calls are signed.
    pub signature: VendorSignature,
    /// How far a call's time may be off, seconds, 1 to 3600.
    pub timestamp_tolerance_seconds: u64,
    /// Nonces that are remembered, 1000 to 10000000.
    pub nonces_max: usize,
    /// Calls of one action per second, 1 to 100000.
    pub calls_per_second: usize,
    /// Messages to groups, and messages to rooms, per second, 1 to 100000.
    pub group_and_room_messages_per_second: usize,
    /// Calls per second about members, owner or end of one group, 1 to 100000.
    pub changes_of_one_group_per_second: usize,
    /// Calls per second that ask who of some users is in one room, 1 to 100000.
    pub looks_into_one_room_per_second: usize,
    /// Calls per second for the list of all groups, 1 to 100000.
    pub group_lists_per_second: usize,
}

impl fmt::Debug for VendorApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.server_secret.is_empty() { "unset" } else { "***" };
        f.debug_struct("VendorApi")
            .field("enabled", &self.enabled)
            .field("server_secret", &secret)
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

/// `[room]`: what a room keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// Whether a living room keeps its messages.
    pub history: bool,
    /// How long a lost connection keeps its place, seconds, 0 to 3600.
    pub grace_seconds: u64,
    /// How many who come and go are told to a room's members by name, per second, 1 to 1000000.
    pub movements_per_second: u32,
    /// What a node may write for one room, bytes per second, 0 (as much as it can) to 1000 GiB.
    pub node_bytes_per_second: u64,
}

/// `[group]`: what is said in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Whether the broker says who came and went.
    pub tips: bool,
    /// Whether a new member sees what was said before it came.
    pub new_members_see_history: bool,
    /// Whether who shares no conversation with a user may bring it into a group.
    pub strangers_may_invite: bool,
}

/// `[rate]`: the quotas of one user, shared by its devices. Rates are per second, bursts are counts, each 1 to 100000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Storable messages per second.
    pub sends_per_second: u32,
    /// Storable messages at once after a pause.
    pub burst: u32,
    /// Commands per second.
    pub commands_per_second: u32,
    /// Commands at once after a pause.
    pub commands_burst: u32,
    /// Messages of high priority per second.
    pub high_priority_per_second: u32,
    /// Messages of high priority at once after a pause.
    pub high_priority_burst: u32,
    /// Other changes per second.
    pub changes_per_second: u32,
    /// Other changes at once after a pause.
    pub changes_burst: u32,
    /// Rooms entered, made and left, per minute.
    pub rooms_per_minute: u32,
    /// Groups made, joined, left and ended, per minute.
    pub groups_per_minute: u32,
    /// Users named in invitations, per minute, 1 to 1000000.
    pub invites_per_minute: u32,
    /// Searches per second.
    pub searches_per_second: u32,
}

/// `[shed]`: what may be dropped, and when a session is too slow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shed {
    /// Barrages that one room passes on per second, 1 to 1000000.
    pub room_barrages_per_second: u32,
    /// Barrages that one room passes on at once after a pause, 1 to 1000000.
    pub room_barrages_burst: u32,
    /// From when on the broker counts as behind, milliseconds, 10 to 60000.
    pub late_ms: u64,
    /// Lossy part of one session's outbox, bytes, 1024 to 1 GiB.
    pub outbox_lossy_bytes: usize,
    /// Reliable part of one session's outbox, bytes, 1024 to 1 GiB.
    pub outbox_reliable_bytes: usize,
    /// Reliable part of one session's outbox, frames, 1 to 1000000.
    pub outbox_reliable_frames: usize,
    /// How long a socket may take nothing while something waits, seconds, 1 to 3600.
    pub stalled_seconds: u64,
}

/// `[batch]`: how messages of a busy conversation share a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// How long a frame collects, milliseconds, 1 to 1000.
    pub tick_ms: u64,
    /// How long changes of a user's list collect, milliseconds, 1 to 1000.
    pub list_tick_ms: u64,
    /// Members of a large conversation per millisecond of its tick, 1 to 1000000.
    pub members_per_ms: u64,
    /// Messages in one frame, 1 to 10000.
    pub messages_max: usize,
    /// Bytes in one frame, 1024 to 16 MiB.
    pub bytes_max: usize,
}

/// `[actors]`: mailbox sizes (messages, 1 to 1048576) and idle times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actors {
    /// Messages waiting for a session.
    pub session_mailbox: usize,
    /// Messages waiting for a user.
    pub user_mailbox: usize,
    /// Messages waiting for a pair of users.
    pub peer_mailbox: usize,
    /// Messages waiting for a room.
    pub room_mailbox: usize,
    /// Messages waiting for a group.
    pub group_mailbox: usize,
    /// Requests waiting for the archive.
    pub archive_mailbox: usize,
    /// Messages given to the store and not on disk yet, 1 to 1048576.
    pub appends_in_flight_max: usize,
    /// Reads of the store at a time, 1 to 1024.
    pub reads_in_flight_max: usize,
    /// What of combined messages is in memory at a time, bytes, 1 to 16 GiB.
    pub combine_bytes_in_flight_max: usize,
    /// Items of conversations waiting for a user, 1 to 1048576.
    pub user_notices_max: usize,
    /// How long an actor stays without work, seconds, 1 to 86400.
    pub idle_seconds: u64,
}

/// `[history]`: how long messages live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// How long a message is kept, days, 1 to 3650.
    pub retention_days: u32,
    /// How far the clock may be from the newest time in the store without being doubted, hours, 1 to 87600.
    pub clock_jump_max_hours: u32,
    /// Messages replayed to a session that comes back, 1 to 4096.
    pub resume_messages_max: usize,
    /// How old a message may be that is replayed to a new session, days, 0 to 365.
    pub offline_days: u32,
}

/// What keeps the bytes of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaEngine {
    /// The folder `media` of the data directory.
    Disk,
    /// A bucket of an S3-compatible service.
    S3,
    /// Nothing: files are refused.
    None,
}

/// `[media]`: files that messages carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// What keeps the bytes.
    pub store: MediaEngine,
    /// The bucket, with [`MediaEngine::S3`].
    pub s3_bucket: String,
    /// The service's address; empty: the provider's.
    pub s3_endpoint: String,
    /// What the names of objects begin with.
    pub s3_prefix: String,
    /// Bytes kept for one user, 1 to 1 TiB.
    pub user_bytes_max: u64,
    /// Bytes kept in all, 1 to 1 PiB.
    pub total_bytes_max: u64,
    /// Unfinished uploads of one user, 1 to 1000.
    pub uploads_per_user_max: usize,
    /// Unfinished uploads in all, 1 to 100000.
    pub uploads_max: usize,
    /// Bytes announced for unfinished uploads of one user, 1 to 1 TiB.
    pub unfinished_bytes_per_user_max: u64,
    /// Bytes announced for unfinished uploads in all, 1 to 1 PiB.
    pub unfinished_bytes_max: u64,
    /// Bytes of all fields of a form but its file, 0 to 16 MiB.
    pub form_bytes_max: u64,
    /// How fast an upload must come, bytes per second, 0 to 1 MiB.
    pub bytes_per_second_min: u64,
    /// Over which time that is measured, seconds, 1 to 300.
    pub stalled_seconds: u64,
    /// How long an unfinished upload waits for its first byte, seconds, 1 to 604800.
    pub unbegun_seconds: u64,
    /// How long an unfinished upload waits for its next part, seconds, 1 to 604800.
    pub unfinished_seconds: u64,
    /// How long a file waits for its message, seconds, 60 to 2592000.
    pub unsent_seconds: u64,
    /// How long the token in a URL is good, seconds, 10 to 604800.
    pub token_seconds: u64,
    /// Pixels of an image, 1 to 1000000000.
    pub pixels_max: u64,
    /// Whether pictures and films are kept without what says where and with what they were made.
    pub strip_originals: bool,
    /// The shorter side of the image for the screen, pixels, 16 to 4096.
    pub large_pixels: u32,
    /// The shorter side of the image for lists, pixels, 16 to 1024.
    pub thumbnail_pixels: u32,
    /// Files looked at at a time, 1 to 64.
    pub probes_max: usize,
    /// How long an upload waits for the first picture of its video, milliseconds, 100 to 60000.
    pub first_frame_deadline_ms: u64,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

/// `[log]`: the log on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged, in the notation of `tracing`.
    pub filter: String,
    /// Where spans of requests go, by OTLP over HTTP; empty: nowhere.
    pub otlp_endpoint: String,
    /// Of how many requests one is traced, 1 to 1000000.
    pub otlp_one_in: u32,
}
