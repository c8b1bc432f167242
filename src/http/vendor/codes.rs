//! What a call in the vendor's shape ends with when it is not carried out. Source: ZIM server API reference, "Return codes".

use serde_json::{Map, Value};

use crate::model::{AttributeFault, AttributeOwner, Invalid, Refusal};

/// The vendor's numbers, where the broker has a use for them.
pub(super) mod code {
    /// Try later.
    pub(in super::super) const BUSY: u32 = 1;
    /// Overloaded.
    pub(in super::super) const OVERLOAD: u32 = 7;
    pub(in super::super) const APP_ID: u32 = 100_000_001;
    pub(in super::super) const NO_TIMESTAMP: u32 = 100_000_002;
    pub(in super::super) const TIMESTAMP: u32 = 100_000_003;
    pub(in super::super) const EXPIRED: u32 = 100_000_004;
    pub(in super::super) const SIGNATURE: u32 = 100_000_005;
    pub(in super::super) const NO_ACTION: u32 = 100_000_006;
    pub(in super::super) const ACTION: u32 = 100_000_007;
    pub(in super::super) const NO_NONCE: u32 = 100_000_008;
    pub(in super::super) const NO_SIGNATURE: u32 = 100_000_009;
    pub(in super::super) const BODY: u32 = 100_000_012;
    pub(in super::super) const NO_VERSION: u32 = 100_000_013;
    pub(in super::super) const VERSION: u32 = 100_000_014;
    /// Our choice for what the vendor has no number for.
    pub(in super::super) const GENERAL: u32 = 660_000_001;
    pub(in super::super) const INVALID: u32 = 660_000_002;
    pub(in super::super) const TOO_MANY_USERS: u32 = 660_000_011;
    pub(in super::super) const USER_ID_LONG: u32 = 660_000_012;
    pub(in super::super) const MESSAGE_MISSING: u32 = 660_000_022;
    pub(in super::super) const REVOKED: u32 = 660_000_023;
    pub(in super::super) const TOO_LATE: u32 = 660_000_024;
    pub(in super::super) const NOT_BASE64: u32 = 660_000_025;
    pub(in super::super) const NOT_THE_SENDER: u32 = 660_000_026;
    pub(in super::super) const ROOM_NOT_KEPT: u32 = 660_000_027;
    pub(in super::super) const USER_UNKNOWN: u32 = 660_200_001;
    pub(in super::super) const ROOM_MISSING: u32 = 660_300_001;
    pub(in super::super) const NOT_IN_THIS_ROOM: u32 = 660_300_002;
    pub(in super::super) const APP_RATE: u32 = 660_300_005;
    pub(in super::super) const PLACE_RATE: u32 = 660_300_006;
    pub(in super::super) const ROOM_EMPTY: u32 = 660_300_008;
    pub(in super::super) const NOT_IN_ROOM: u32 = 660_300_012;
    pub(in super::super) const ROOM_RECEIPT: u32 = 660_300_013;
    pub(in super::super) const ROOM_EXISTS: u32 = 660_300_014;
    pub(in super::super) const TOO_LARGE: u32 = 660_400_001;
    pub(in super::super) const OPERATOR: u32 = 660_500_002;
    pub(in super::super) const BROADCAST_RATE: u32 = 660_500_003;
    pub(in super::super) const GROUP_MISSING: u32 = 660_600_001;
    pub(in super::super) const MEMBERS_RATE: u32 = 660_600_004;
    pub(in super::super) const KICK_RATE: u32 = 660_600_005;
    pub(in super::super) const GROUPS_RATE: u32 = 660_600_007;
    pub(in super::super) const NOT_A_MEMBER: u32 = 660_600_008;
    pub(in super::super) const CREATE_RATE: u32 = 660_600_010;
    pub(in super::super) const GROUP_EXISTS: u32 = 660_600_011;
    pub(in super::super) const OWNER_MISSING: u32 = 660_600_013;
    pub(in super::super) const GROUP_FULL: u32 = 660_600_016;
    pub(in super::super) const ATTRIBUTES: u32 = 660_600_019;
    pub(in super::super) const ATTRIBUTE_LONG: u32 = 660_600_020;
    pub(in super::super) const NOT_IN_GROUP: u32 = 660_600_024;
    pub(in super::super) const TO_ONESELF: u32 = 660_600_030;
    pub(in super::super) const NO_AUTHORITY: u32 = 660_600_032;
    pub(in super::super) const ALL_FAILED: u32 = 660_600_033;
    pub(in super::super) const REGISTER_RATE: u32 = 660_700_001;
    pub(in super::super) const USER_EXISTS: u32 = 660_700_002;
    pub(in super::super) const NAME_LONG: u32 = 660_700_006;
    pub(in super::super) const AVATAR_LONG: u32 = 660_700_007;
}

/// A call that was not carried out.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: u32,
    pub(super) message: String,
    /// What stands beside them in the answer: lists of what failed.
    pub(super) fields: Map<String, Value>,
}

impl Fault {
    pub(super) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: Map::new() }
    }

    /// Makes the fault of a parameter that cannot be right.
    pub(super) fn invalid(field: &str, reason: &str) -> Self {
        Self::new(code::INVALID, format!("{field} {reason}"))
    }

    pub(super) fn with(self, fields: Map<String, Value>) -> Self {
        Self { fields, ..self }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::Invalid(invalid) => Self::new(code_of(&refusal), format!("{} {}", vendor_field(&invalid.field), invalid.reason)),
            _ => Self::new(code_of(&refusal), refusal.to_string()),
        }
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        Refusal::from(invalid).into()
    }
}

/// Returns what the vendor calls an argument of the wire protocol.
fn vendor_field(field: &str) -> &str {
    match field {
        "message.message" => "MessageBody.Message",
        "message.extendedData" => "MessageBody.ExtendedData",
        "message.mentionedUserIDs" => "MentionedUserIds",
        "message.subType" => "SubMsgType",
        "message.searchedContent" => "SearchedContent",
        "message.type" => "MessageType",
        "config.priority" => "Priority",
        "config.revokeExtendedData" => "Payload",
        "config.duration" => "Duration",
        "config.roles" => "MuteRoleList",
        "room.roomID" => "RoomId",
        "room.roomName" => "RoomName",
        "roomDestroyDelayTime" => "DestroyDelayTime",
        "groupInfo.groupID" => "GroupId",
        "groupInfo.groupName" | "groupName" => "GroupName",
        "groupInfo.groupAvatarUrl" | "groupAvatarUrl" => "GroupAvatar",
        "config.groupNotice" | "groupNotice" => "GroupNotice",
        "nickname" => "Nickname",
        other => other,
    }
}

/// Returns the vendor's number of a refusal.
pub(super) fn code_of(refusal: &Refusal) -> u32 {
    use Refusal as R;
    match refusal {
        R::Invalid(Invalid { field, .. }) if field == "toConversationID" => code::TO_ONESELF,
        R::Invalid(Invalid { field, reason }) if field.starts_with("message.") && reason.contains(" bytes, the limit is ") => {
            code::TOO_LARGE
        }
        R::RateLimited { .. } => code::APP_RATE,
        R::Busy(_) | R::StoreUnavailable(_) | R::FileServer(_) => code::BUSY,
        R::UserMissing(_) => code::USER_UNKNOWN,
        R::MessageMissing => code::MESSAGE_MISSING,
        R::RevokedAlready => code::REVOKED,
        R::RevokeTooLate { .. } => code::TOO_LATE,
        R::NotTheSender => code::NOT_THE_SENDER,
        R::NoReceipt(_) => code::ROOM_RECEIPT,
        R::RoomMissing(_) => code::ROOM_MISSING,
        R::NotInRoom(_) => code::NOT_IN_ROOM,
        R::NoneInRoom => code::NOT_IN_THIS_ROOM,
        R::RoomExists(_) => code::ROOM_EXISTS,
        R::GroupMissing(_) => code::GROUP_MISSING,
        R::GroupExists(_) | R::GroupDismissed(_) => code::GROUP_EXISTS,
        R::GroupFull { .. } => code::GROUP_FULL,
        R::NotInGroup(_) => code::NOT_IN_GROUP,
        R::NoAuthority | R::Stranger(_) => code::NO_AUTHORITY,
        R::KickFailed => code::ALL_FAILED,
        R::Attributes { owner: AttributeOwner::Group, fault: AttributeFault::Count { .. } | AttributeFault::Total { .. } } => {
            code::ATTRIBUTES
        }
        R::Attributes { owner: AttributeOwner::Group, .. } => code::ATTRIBUTE_LONG,
        R::Invalid(_) | R::Attributes { .. } | R::Unsupported(_) | R::GroupAttributeMissing(_) => code::INVALID,
        _ => code::GENERAL,
    }
}
