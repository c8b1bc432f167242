//! What a group is called and who is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{GroupId, Invalid, Limits, UserId};

/// Source: spec 2.7, `GroupFullInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInfo {
    /// Its id.
    pub id: GroupId,
    /// Its name; may be empty.
    pub name: String,
    /// Passed through, never fetched.
    pub avatar_url: String,
    /// What its creator wants every member to read.
    pub notice: String,
    /// The application's own key-value pairs.
    pub attributes: BTreeMap<String, String>,
}

/// The optional part of createGroup. Source: spec 2.5, `GroupAdvancedConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupAdvanced {
    /// See [`GroupInfo::notice`].
    pub notice: String,
    /// See [`GroupInfo::attributes`].
    pub attributes: BTreeMap<String, String>,
}

impl GroupInfo {
    /// Checks a new group's fields; the id is checked or made by the caller.
    ///
    /// # Errors
    /// [`Invalid`] naming the field.
    pub fn parse(id: GroupId, name: String, avatar_url: String, advanced: GroupAdvanced, limits: &Limits) -> Result<Self, Invalid> {
        let lengths = [
            ("groupInfo.groupName", name.len(), limits.group_name_bytes_max),
            ("groupInfo.groupAvatarUrl", avatar_url.len(), limits.avatar_url_bytes_max),
            ("config.groupNotice", advanced.notice.len(), limits.group_notice_bytes_max),
        ];
        for (field, bytes, bytes_max) in lengths {
            if bytes > bytes_max {
                return Err(Invalid::too_long(field, bytes, bytes_max));
            }
        }
        if advanced.attributes.len() > limits.group_attributes_max {
            return Err(Invalid::too_many("config.groupAttributes", advanced.attributes.len(), limits.group_attributes_max));
        }
        for (key, value) in &advanced.attributes {
            if key.is_empty() || key.len() > limits.group_attribute_key_bytes_max {
                return Err(Invalid::new(
                    "config.groupAttributes",
                    format!("has a key of {} bytes, the range is 1 to {}", key.len(), limits.group_attribute_key_bytes_max),
                ));
            }
            if value.len() > limits.group_attribute_value_bytes_max {
                return Err(Invalid::too_long(
                    format!("config.groupAttributes.{key}"),
                    value.len(),
                    limits.group_attribute_value_bytes_max,
                ));
            }
        }
        Ok(Self { id, name, avatar_url, notice: advanced.notice, attributes: advanced.attributes })
    }
}

/// What a member may do. Source: spec 2.7, roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupRole {
    /// 1
    Owner,
    /// 3
    Member,
}

impl GroupRole {
    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Owner => 1,
            Self::Member => 3,
        }
    }
}

/// One member's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// Who.
    pub user: UserId,
    /// What this member may do.
    pub role: GroupRole,
    /// Rank by time of joining: when the owner leaves, the least becomes owner.
    pub joined: u64,
    /// The first message this member may read. Source: spec Q36.
    pub first_seq: u64,
    /// The last message before this member came: what counts as unread begins after it.
    #[serde(default)]
    pub joined_seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_limit_holds_at_its_edge() {
        let limits = Limits::default();
        let parse = |name: usize, avatar: usize, notice: usize, pairs: usize, key: usize, value: usize| {
            let attributes = (0..pairs).map(|n| (format!("{n}{}", "k".repeat(key - 1)), "v".repeat(value))).collect();
            let advanced = GroupAdvanced { notice: "n".repeat(notice), attributes };
            GroupInfo::parse(GroupId::trusted("g"), "n".repeat(name), "a".repeat(avatar), advanced, &limits)
        };
        assert!(parse(100, 500, 300, 10, 16, 1024).is_ok());
        assert!(parse(101, 0, 0, 0, 1, 0).is_err());
        assert!(parse(0, 501, 0, 0, 1, 0).is_err());
        assert!(parse(0, 0, 301, 0, 1, 0).is_err());
        assert!(parse(0, 0, 0, 11, 2, 0).is_err());
        assert!(parse(0, 0, 0, 1, 17, 0).is_err());
        assert!(parse(0, 0, 0, 1, 1, 1025).is_err());
    }
}
