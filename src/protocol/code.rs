//! The numbers of refusals and closes. Source: ZIM API reference, "Error codes", for refusals; `PROTOCOL.md`, "Close
//! codes", for closes.

use crate::model::{AttributeFault, AttributeOwner, Refusal};

/// Returns the vendor's error number of a refusal. The only place that knows these numbers.
#[must_use]
pub fn code_of(refusal: &Refusal) -> u32 {
    match refusal {
        Refusal::Invalid(_) => 6_000_001,
        Refusal::RateLimited { .. } => 6_000_005,
        Refusal::Busy(_) | Refusal::StoreUnavailable(_) => 6_000_007,
        Refusal::UserQueryLimit(_) => 6_000_012,
        Refusal::Unsupported(_) => 6_000_013,
        Refusal::TokenInvalid | Refusal::TokenTooLong { .. } => 6_000_103,
        Refusal::TokenExpired => 6_000_106,
        Refusal::TokenTooShort { .. } => 6_000_108,
        Refusal::AlreadyLoggedIn => 6_000_111,
        Refusal::NotLoggedIn => 6_000_121,
        // The vendor has no number for users that are not let in; this one says that there is something about the userID.
        Refusal::Banned(_) => 6_000_124,
        Refusal::UserMissing(_) => 6_000_204,
        // The vendor has no number for a message that is not there.
        Refusal::MessageMissing => 6_000_001,
        Refusal::FileMissing => 6_000_211,
        Refusal::FileServer(_) => 6_000_212,
        Refusal::FileType(_) => 6_000_213,
        Refusal::FileSize { .. } | Refusal::FilePixels { .. } => 6_000_214,
        Refusal::FileDuration { .. } => 6_000_215,
        Refusal::NoReceipt(_) => 6_000_277,
        Refusal::RevokeTooLate { .. } => 6_000_278,
        Refusal::RevokedAlready => 6_000_279,
        Refusal::ReactionExists(_) => 6_000_280,
        Refusal::TooManyReceipts { .. } => 6_000_282,
        Refusal::NotTheSender => 6_000_285,
        Refusal::EditTooLate { .. } => 6_000_286,
        Refusal::TooManyPinnedMessages { .. } => 6_000_287,
        Refusal::Rejected(_) => 6_000_230,
        Refusal::Muted(_) => 6_000_231,
        Refusal::RoomFull { .. } => 6_000_304,
        Refusal::NoneInRoom => 6_000_311,
        Refusal::NotInRoom(_) => 6_000_321,
        Refusal::RoomMissing(_) => 6_000_322,
        Refusal::RoomExists(_) => 6_000_323,
        Refusal::TooManyRooms { .. } => 6_000_325,
        Refusal::NoAttributeChanged => 6_000_331,
        Refusal::Attributes { owner, fault } => attribute_code(*owner, fault),
        Refusal::TooManyWithAttributes { .. } => 6_000_357,
        Refusal::KickFailed => 6_000_507,
        Refusal::NotInGroup(_) => 6_000_521,
        Refusal::AlreadyInGroup(_) => 6_000_522,
        Refusal::GroupMissing(_) => 6_000_523,
        Refusal::GroupExists(_) => 6_000_524,
        Refusal::GroupFull { .. } => 6_000_525,
        Refusal::GroupAttributeMissing(_) => 6_000_526,
        Refusal::GroupDismissed(_) => 6_000_527,
        Refusal::NoAuthority | Refusal::Stranger(_) => 6_000_541,
        Refusal::JoinForbidden(_) => 6_000_542,
        Refusal::JoinNeedsApplication(_) => 6_000_543,
        Refusal::InviteNeedsConsent(_) => 6_000_544,
        Refusal::ConversationMissing(_) => 6_000_603,
        Refusal::TooManyPinned { .. } => 6_000_604,
    }
}

/// Returns the number of an attribute that was refused. Too many attributes of one member have no number of the
/// vendor's, so they get the general one.
fn attribute_code(owner: AttributeOwner, fault: &AttributeFault) -> u32 {
    use AttributeFault::{Count, Key, Total, Value};
    match (owner, fault) {
        (AttributeOwner::Room, Count { .. }) => 6_000_334,
        (AttributeOwner::Room, Key { .. }) => 6_000_335,
        (AttributeOwner::Room, Value { .. }) => 6_000_336,
        (AttributeOwner::Room, Total { .. }) => 6_000_337,
        (AttributeOwner::RoomMember, Count { .. }) => 6_000_350,
        (AttributeOwner::RoomMember, Total { .. }) => 6_000_351,
        (AttributeOwner::RoomMember, Key { .. }) => 6_000_352,
        (AttributeOwner::RoomMember, Value { .. }) => 6_000_353,
        (AttributeOwner::Group, Count { .. }) => 6_000_531,
        (AttributeOwner::Group, Key { .. }) => 6_000_532,
        (AttributeOwner::Group, Value { .. }) => 6_000_533,
        (AttributeOwner::Group, Total { .. }) => 6_000_534,
    }
}

/// Why the broker ends a session. After 4000–4499 a client reconnects and resumes, after any other it does not. Numbers
/// below 4000 are those of RFC 6455, for what breaks its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 1002: a frame that RFC 6455 does not allow a client to send.
    ProtocolError,
    /// 1007: text that is not UTF-8.
    NotUtf8,
    /// 1009: a frame above 16,777,216 bytes.
    TooBig,
    /// 4000: the broker is going down.
    Shutdown,
    /// 4001: the session did not read in time.
    Slow,
    /// 4002: the client fell silent.
    Heartbeat,
    /// 4500: another session took this one's place.
    Kicked,
    /// 4501: the token ran out.
    TokenExpired,
    /// 4502: no login in time.
    LoginTimeout,
    /// 4503: too many messages that could not be understood.
    Malformed,
    /// 4504: a frame or message over its limit.
    TooLong,
    /// 4505: a binary frame.
    Binary,
    /// 4506: the client logged out. Our choice: a code of its own, so that a client never takes it for a loss.
    Logout,
}

impl CloseCode {
    /// Returns the number in the close frame.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::ProtocolError => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
            Self::Shutdown => 4000,
            Self::Slow => 4001,
            Self::Heartbeat => 4002,
            Self::Kicked => 4500,
            Self::TokenExpired => 4501,
            Self::LoginTimeout => 4502,
            Self::Malformed => 4503,
            Self::TooLong => 4504,
            Self::Binary => 4505,
            Self::Logout => 4506,
        }
    }

    /// Returns the words in the close frame, which are also the label in the metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ProtocolError => "protocol_error",
            Self::NotUtf8 => "not_utf8",
            Self::TooBig => "too_big",
            Self::Shutdown => "shutdown",
            Self::Slow => "slow",
            Self::Heartbeat => "heartbeat",
            Self::Kicked => "kicked",
            Self::TokenExpired => "token_expired",
            Self::LoginTimeout => "login_timeout",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Binary => "binary",
            Self::Logout => "logout",
        }
    }
}
