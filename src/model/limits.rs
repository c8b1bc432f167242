//! Every number a client can run into, in one place: section `[limits]` of `config.toml`.

use serde::{Deserialize, Serialize};

/// Sizes are UTF-8 bytes of the decoded value, counts are entries, KB is 1024 bytes (spec Q3).
/// The defaults are those of `config.toml`; a test holds the two together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// A text message, 1 to 262144. Source: spec S1, 32 KB.
    pub text_bytes_max: usize,
    /// A command's decoded bytes, 1 to 65536. Source: spec S4, 5 KB.
    pub command_bytes_max: usize,
    /// A barrage, 1 to 65536. Source: spec S5, 5 KB.
    pub barrage_bytes_max: usize,
    /// A custom message's `message`, 1 to 262144. Source: spec Q8, as text.
    pub custom_bytes_max: usize,
    /// A custom message's largest `subType`. Source: spec S40, 200.
    pub custom_sub_type_max: u16,
    /// A custom message's `searchedContent`. Source: spec S40, 64 bytes.
    pub searched_content_bytes_max: usize,
    /// Users one message names. Source: spec S46.
    pub mentions_max: usize,
    /// A message's `extendedData`. Source: spec limits table, 1 KB.
    pub extended_data_bytes_max: usize,
    /// A user id. Source: spec limits table, 32 bytes.
    pub user_id_bytes_max: usize,
    /// A user's name. Source: spec limits table, 256 bytes.
    pub user_name_bytes_max: usize,
    /// A room id. Source: spec Q38, 128 bytes.
    pub room_id_bytes_max: usize,
    /// A room's name. Source: spec limits table, 64 bytes.
    pub room_name_bytes_max: usize,
    /// Rooms one user may be in at a time. Source: spec limits table, 5.
    pub rooms_per_user_max: usize,
    /// Members of one room. Our choice: 20000, because the largest measured room has 10000.
    pub room_members_max: usize,
    /// The longest `roomDestroyDelayTime`, seconds. Source: spec limits table, 10800.
    pub room_destroy_delay_seconds_max: u64,
    /// A page of `queryRoomMemberList`. Source: spec limits table, 500.
    pub room_member_page_max: usize,
    /// Users per `queryRoomMembers`. Source: spec limits table, 10.
    pub room_member_query_max: usize,
    /// A group id. Source: spec limits table, 32 bytes.
    pub group_id_bytes_max: usize,
    /// A group's name. Source: spec Q38, 100 bytes.
    pub group_name_bytes_max: usize,
    /// A group's notice. Source: spec limits table, 300 bytes.
    pub group_notice_bytes_max: usize,
    /// An avatar URL of a user or group. Source: spec limits table, 500 bytes.
    pub avatar_url_bytes_max: usize,
    /// Members of one group. Source: spec limits table, 500.
    pub group_members_max: usize,
    /// Groups one user may be in. Source: spec limits table, 1000.
    pub groups_per_user_max: usize,
    /// Users named in createGroup and inviteUsersIntoGroup. Source: spec limits table, 100.
    pub group_invite_max: usize,
    /// Users named in kickGroupMembers. Source: spec limits table, 50.
    pub group_kick_max: usize,
    /// A page of `queryGroupMemberList`. Source: spec limits table, 100.
    pub group_member_page_max: usize,
    /// Attributes of a group. Source: spec limits table, 10.
    pub group_attributes_max: usize,
    /// A group attribute's key. Source: spec limits table, 16 bytes.
    pub group_attribute_key_bytes_max: usize,
    /// A group attribute's value. Source: spec limits table, 1024 bytes.
    pub group_attribute_value_bytes_max: usize,
    /// Messages per history page. Source: design, threats: 100.
    pub history_page_max: usize,
    /// User ids per `queryUsersInfo` and per 10 s. Source: spec limits table, 10.
    pub user_query_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes_max: 32 * 1024,
            command_bytes_max: 5 * 1024,
            barrage_bytes_max: 5 * 1024,
            custom_bytes_max: 32 * 1024,
            custom_sub_type_max: 200,
            searched_content_bytes_max: 64,
            mentions_max: 50,
            extended_data_bytes_max: 1024,
            user_id_bytes_max: 32,
            user_name_bytes_max: 256,
            room_id_bytes_max: 128,
            room_name_bytes_max: 64,
            rooms_per_user_max: 5,
            room_members_max: 20_000,
            room_destroy_delay_seconds_max: 10_800,
            room_member_page_max: 500,
            room_member_query_max: 10,
            group_id_bytes_max: 32,
            group_name_bytes_max: 100,
            group_notice_bytes_max: 300,
            avatar_url_bytes_max: 500,
            group_members_max: 500,
            groups_per_user_max: 1000,
            group_invite_max: 100,
            group_kick_max: 50,
            group_member_page_max: 100,
            group_attributes_max: 10,
            group_attribute_key_bytes_max: 16,
            group_attribute_value_bytes_max: 1024,
            history_page_max: 100,
            user_query_max: 10,
        }
    }
}
