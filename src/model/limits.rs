//! Every number a client can run into, in one place: section `[limits]` of `config.toml`.

use serde::{Deserialize, Serialize};

use super::{AttributeLimits, AttributeOwner};

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
    /// A combined message's title. Source: spec 2.1, 20 bytes.
    pub combine_title_bytes_max: usize,
    /// A combined message's summary. Source: spec 2.1, 100 bytes.
    pub combine_summary_bytes_max: usize,
    /// Messages in a combined one, nested ones counted. Source: spec Q31, 1000.
    pub combine_children_max: usize,
    /// A combined message with all in it. Source: spec Q31, 10 MB. What comes in one frame is bounded by the frame, too.
    pub combine_bytes_max: usize,
    /// Combined messages one in another. Our choice: 8, because each costs the reader a call.
    pub combine_depth_max: usize,
    /// An image file. Source: spec S6, 10 MB.
    pub image_bytes_max: u64,
    /// A file of any type. Source: spec S7, 100 MB.
    pub file_bytes_max: u64,
    /// An audio file. Source: spec S8, 6 MB.
    pub audio_bytes_max: u64,
    /// How long an audio file plays, seconds. Source: spec S8, 300.
    pub audio_seconds_max: u64,
    /// A video file. Source: spec S9, 100 MB.
    pub video_bytes_max: u64,
    /// A file's name. Source: ecosystem 5.6, 255 bytes.
    pub file_name_bytes_max: usize,
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
    /// Attributes of a room. Source: spec Q38, 20.
    pub room_attributes_max: usize,
    /// A room attribute's key. Source: spec limits table, 16 bytes.
    pub room_attribute_key_bytes_max: usize,
    /// A room attribute's value. Source: spec limits table, 1024 bytes.
    pub room_attribute_value_bytes_max: usize,
    /// Keys and values of a room's attributes together. Source: spec limits table, 5120 bytes.
    pub room_attributes_bytes_max: usize,
    /// Members of one room that have attributes. Source: spec limits table, 500.
    pub room_attributed_members_max: usize,
    /// Attributes of one member of a room. Source: spec limits table, 30.
    pub room_member_attributes_max: usize,
    /// The key of a member's attribute. Source: spec limits table, 8 bytes.
    pub room_member_attribute_key_bytes_max: usize,
    /// The value of a member's attribute. Source: spec limits table, 64 bytes.
    pub room_member_attribute_value_bytes_max: usize,
    /// Keys and values of one member's attributes together. Source: spec limits table, 144 bytes.
    pub room_member_attributes_bytes_max: usize,
    /// Users of one call about members' attributes, and entries on a page of them. Source: spec limits table, 100.
    pub room_member_attributes_page_max: usize,
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
    /// A member's nickname in a group, characters. Source: spec limits table, 100.
    pub group_nickname_chars_max: usize,
    /// Roles that one `muteGroup` lists. Source: spec limits table, 20.
    pub group_mute_roles_max: usize,
    /// The longest mute of a group, seconds. Source: spec limits table, 2592000.
    pub group_mute_seconds_max: u64,
    /// Users of one `muteGroupMembers`. Source: spec limits table, 100.
    pub group_mute_members_max: usize,
    /// The longest mute of a member, seconds. Source: spec limits table, 604800.
    pub group_member_mute_seconds_max: u64,
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
    /// Conversations in a user's list. Source: spec 3.5, 1000.
    pub conversations_max: usize,
    /// How high an unread count goes. Our choice: 9999, because each is looked at when its user logs in.
    pub unread_max: u64,
    /// Pinned conversations. Source: spec 3.5, 100.
    pub pinned_conversations_max: usize,
    /// A page of the conversation list. Our choice: 100, as of history.
    pub conversation_page_max: usize,
    /// Messages named in one `deleteMessages`. Our choice: 100, as the vendor's later deletion for everyone.
    pub delete_messages_max: usize,
    /// Seqs in one `queryMessages`. Source: spec 3.4, 10.
    pub query_messages_max: usize,
    /// How long a message may be taken back, seconds. Source: spec 3.9, 2 minutes, 24 hours at most.
    pub revoke_seconds: u64,
    /// What a revoker says. Source: spec 2.5, 200 bytes.
    pub revoke_extended_data_bytes_max: usize,
    /// How long a message may be edited, seconds. Source: spec 3.2, 24 hours.
    pub edit_seconds: u64,
    /// How long a message takes reactions, seconds. Source: spec 3.9, 7 days.
    pub reaction_seconds: u64,
    /// A reaction. Source: spec 3.9, 32 bytes.
    pub reaction_bytes_max: usize,
    /// Kinds of reactions to one message. Source: spec 3.9, 100.
    pub reactions_max: usize,
    /// A page of `queryMessageReactionUserList` and of the lists of readers. Source: spec 3.8, 3.9, 100.
    pub note_page_max: usize,
    /// Messages in one `sendMessageReceiptsRead` or `queryMessageReceiptsInfo`. Source: spec 3.8, 10.
    pub receipts_max: usize,
    /// Pinned messages of one conversation. Source: spec 3.9, 10.
    pub pinned_messages_max: usize,
    /// A user's `extendedData`. Our choice: 1024, as a message's.
    pub user_extended_data_bytes_max: usize,
    /// Users whose status one user follows. Our choice: 1000, as groups.
    pub status_subscriptions_max: usize,
    /// Users in one call about statuses. Source: spec 3.1, 100.
    pub status_query_max: usize,
    /// The longest subscription to a status, minutes. Our choice: 43200, thirty days.
    pub status_subscription_minutes_max: u64,
    /// Keywords of one search. Source: spec 3.9, 5.
    pub search_keywords_max: usize,
    /// Messages that one search looks at. Our choice: 50000, some tenth of a second.
    pub search_messages_max: usize,
    /// A page of found messages or conversations. Our choice: 100, as of history.
    pub search_page_max: usize,
    /// Marks of one conversation. Source: spec limits table, 60.
    pub marks_max: usize,
    /// Conversations with one mark. Source: spec limits table, 1000.
    pub marked_conversations_max: usize,
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
            combine_title_bytes_max: 20,
            combine_summary_bytes_max: 100,
            combine_children_max: 1000,
            combine_bytes_max: 10 * 1024 * 1024,
            combine_depth_max: 8,
            image_bytes_max: 10 * 1024 * 1024,
            file_bytes_max: 100 * 1024 * 1024,
            audio_bytes_max: 6 * 1024 * 1024,
            audio_seconds_max: 300,
            video_bytes_max: 100 * 1024 * 1024,
            file_name_bytes_max: 255,
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
            room_attributes_max: 20,
            room_attribute_key_bytes_max: 16,
            room_attribute_value_bytes_max: 1024,
            room_attributes_bytes_max: 5120,
            room_attributed_members_max: 500,
            room_member_attributes_max: 30,
            room_member_attribute_key_bytes_max: 8,
            room_member_attribute_value_bytes_max: 64,
            room_member_attributes_bytes_max: 144,
            room_member_attributes_page_max: 100,
            group_id_bytes_max: 32,
            group_name_bytes_max: 100,
            group_notice_bytes_max: 300,
            avatar_url_bytes_max: 500,
            group_members_max: 500,
            groups_per_user_max: 1000,
            group_invite_max: 100,
            group_kick_max: 50,
            group_member_page_max: 100,
            group_nickname_chars_max: 100,
            group_mute_roles_max: 20,
            group_mute_seconds_max: 2_592_000,
            group_mute_members_max: 100,
            group_member_mute_seconds_max: 604_800,
            group_attributes_max: 10,
            group_attribute_key_bytes_max: 16,
            group_attribute_value_bytes_max: 1024,
            history_page_max: 100,
            user_query_max: 10,
            conversations_max: 1000,
            unread_max: 9999,
            pinned_conversations_max: 100,
            conversation_page_max: 100,
            delete_messages_max: 100,
            query_messages_max: 10,
            revoke_seconds: 120,
            revoke_extended_data_bytes_max: 200,
            edit_seconds: 24 * 60 * 60,
            reaction_seconds: 7 * 24 * 60 * 60,
            reaction_bytes_max: 32,
            reactions_max: 100,
            note_page_max: 100,
            receipts_max: 10,
            pinned_messages_max: 10,
            user_extended_data_bytes_max: 1024,
            status_subscriptions_max: 1000,
            status_query_max: 100,
            status_subscription_minutes_max: 43_200,
            search_keywords_max: 5,
            search_messages_max: 50_000,
            search_page_max: 100,
            marks_max: 60,
            marked_conversations_max: 1000,
        }
    }
}

impl Limits {
    /// Of a group.
    #[must_use]
    pub fn group_attributes(&self) -> AttributeLimits {
        AttributeLimits {
            owner: AttributeOwner::Group,
            count_max: self.group_attributes_max,
            key_bytes_max: self.group_attribute_key_bytes_max,
            value_bytes_max: self.group_attribute_value_bytes_max,
            total_bytes_max: usize::MAX,
        }
    }

    /// Of a room.
    #[must_use]
    pub fn room_attributes(&self) -> AttributeLimits {
        AttributeLimits {
            owner: AttributeOwner::Room,
            count_max: self.room_attributes_max,
            key_bytes_max: self.room_attribute_key_bytes_max,
            value_bytes_max: self.room_attribute_value_bytes_max,
            total_bytes_max: self.room_attributes_bytes_max,
        }
    }

    /// Of one member of a room.
    #[must_use]
    pub fn room_member_attributes(&self) -> AttributeLimits {
        AttributeLimits {
            owner: AttributeOwner::RoomMember,
            count_max: self.room_member_attributes_max,
            key_bytes_max: self.room_member_attribute_key_bytes_max,
            value_bytes_max: self.room_member_attribute_value_bytes_max,
            total_bytes_max: self.room_member_attributes_bytes_max,
        }
    }
}
