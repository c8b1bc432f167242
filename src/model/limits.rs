//! Every number a client can run into, in one place: section `[limits]` of `config.toml`.

use serde::{Deserialize, Serialize};

use super::{AttributeLimits, AttributeOwner};

/// One row per limit: what it bounds, its name, its type, its default. A struct and its `Default` written apart would name
/// each of them twice.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr,)*) => {
        /// The largest value of everything a client can make larger.
        ///
        /// Sizes are UTF-8 bytes of the decoded value, counts are entries, KB is 1024 bytes. The defaults are those of
        /// `config.toml`; a test holds the two together.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Limits {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }
    };
}

limits! {
    /// A text message, 1 to 262144. Source: ZIM guide "Send and receive messages": 32 KB.
    text_bytes_max: usize = 32 * 1024,
    /// A command's decoded bytes, 1 to 65536. Source: ZIM guide "Send and receive messages": 5 KB.
    command_bytes_max: usize = 5 * 1024,
    /// A barrage, 1 to 65536. Source: ZIM guide "Send and receive messages": 5 KB.
    barrage_bytes_max: usize = 5 * 1024,
    /// A custom message's `message`, 1 to 262144. Our choice: as a text, because the vendor states none.
    custom_bytes_max: usize = 32 * 1024,
    /// A custom message's largest `subType`. Source: ZIM guide "Send and receive messages": 200.
    custom_sub_type_max: u16 = 200,
    /// A custom message's `searchedContent`. Source: ZIM guide "Send and receive messages": 64 bytes.
    searched_content_bytes_max: usize = 64,
    /// Users one message names. Source: ZIM guide "Send and receive messages": 50.
    mentions_max: usize = 50,
    /// A combined message's title. Source: ZIM guide "Forward messages": 20 bytes.
    combine_title_bytes_max: usize = 20,
    /// A combined message's summary. Source: ZIM guide "Forward messages": 100 bytes.
    combine_summary_bytes_max: usize = 100,
    /// Messages in a combined one, nested ones counted. Our choice: 1000, because the vendor's "unlimited" cannot be kept.
    combine_children_max: usize = 1000,
    /// A combined message with all in it, the JSON it is uploaded as, and what of such messages is in memory for one user at a
    /// time. Our choice: 10 MB, as an image. What comes in one frame is bounded by the frame, too.
    combine_bytes_max: usize = 10 * 1024 * 1024,
    /// Bytes of messages and of what combined ones hold that are kept for one user within a day; 0: any. Our choice: 1 GiB, some
    /// 30,000 texts of the largest size.
    stored_bytes_per_user_per_day_max: u32 = 1 << 30,
    /// Combined messages one in another. Our choice: 8, because each costs the reader a call.
    combine_depth_max: usize = 8,
    /// An image file. Source: ZIM guide "Send and receive messages": 10 MB.
    image_bytes_max: u64 = 10 * 1024 * 1024,
    /// A file of any type. Source: ZIM guide "Send and receive messages": 100 MB.
    file_bytes_max: u64 = 100 * 1024 * 1024,
    /// An audio file. Source: ZIM guide "Send and receive messages": 6 MB.
    audio_bytes_max: u64 = 6 * 1024 * 1024,
    /// How long an audio file plays, seconds. Source: ZIM guide "Send and receive messages": 300.
    audio_seconds_max: u64 = 300,
    /// A video file. Source: ZIM guide "Send and receive messages": 100 MB.
    video_bytes_max: u64 = 100 * 1024 * 1024,
    /// A file's name. Our choice: 255 bytes, the longest that common file systems take.
    file_name_bytes_max: usize = 255,
    /// A message's `extendedData`. Source: ZIM guide "Send and receive messages": 1 KB.
    extended_data_bytes_max: usize = 1024,
    /// A user id. Source: ZIM API reference, `ZIMUserInfo`: 32 bytes.
    user_id_bytes_max: usize = 32,
    /// A user's name. Source: ZIM API reference, `updateUserName`: 256 bytes.
    user_name_bytes_max: usize = 256,
    /// A room id. Source: ZIM release notes, 2.13: 128 bytes. Our choice over the 32 of the server API, which is older.
    room_id_bytes_max: usize = 128,
    /// A room's name. Source: ZIM API reference, `ZIMRoomInfo`: 64 bytes.
    room_name_bytes_max: usize = 64,
    /// Rooms one user may be in at a time. Source: ZIM API reference, `enterRoom`: 5.
    rooms_per_user_max: usize = 5,
    /// Members of one room. Our choice: 20000, twice the largest room that the bench measures.
    room_members_max: usize = 20_000,
    /// The longest `roomDestroyDelayTime`, seconds. Source: ZIM API reference, `ZIMRoomAdvancedConfig`: 10800.
    room_destroy_delay_seconds_max: u64 = 10_800,
    /// A page of `queryRoomMemberList`. Source: ZIM API reference, `queryRoomMemberList`: 500.
    room_member_page_max: usize = 500,
    /// Users per `queryRoomMembers`. Source: ZIM API reference, `queryRoomMembers`: 10.
    room_member_query_max: usize = 10,
    /// Attributes of a room. Our choice: 20, as `setRoomAttributes` says; the page of error codes says 10.
    room_attributes_max: usize = 20,
    /// A room attribute's key. Source: ZIM API reference, `setRoomAttributes`: 16 bytes.
    room_attribute_key_bytes_max: usize = 16,
    /// A room attribute's value. Source: ZIM API reference, `setRoomAttributes`: 1024 bytes.
    room_attribute_value_bytes_max: usize = 1024,
    /// Keys and values of a room's attributes together. Source: ZIM API reference, `setRoomAttributes`: 5120 bytes.
    room_attributes_bytes_max: usize = 5120,
    /// Members of one room that have attributes. Source: ZIM API reference, `setRoomMembersAttributes`: 500.
    room_attributed_members_max: usize = 500,
    /// Attributes of one member of a room. Source: ZIM API reference, `setRoomMembersAttributes`: 30.
    room_member_attributes_max: usize = 30,
    /// The key of a member's attribute. Source: ZIM API reference, `setRoomMembersAttributes`: 8 bytes.
    room_member_attribute_key_bytes_max: usize = 8,
    /// The value of a member's attribute. Source: ZIM API reference, `setRoomMembersAttributes`: 64 bytes.
    room_member_attribute_value_bytes_max: usize = 64,
    /// Keys and values of one member's attributes together. Source: ZIM API reference, `setRoomMembersAttributes`: 144 bytes.
    room_member_attributes_bytes_max: usize = 144,
    /// Users of one call about members' attributes, and entries on a page of them.
    /// Source: ZIM API reference, `queryRoomMembersAttributes`: 100.
    room_member_attributes_page_max: usize = 100,
    /// A group id. Source: ZIM guide "Manage groups": 32 bytes.
    group_id_bytes_max: usize = 32,
    /// A group's name. Our choice: 100 bytes, as `updateGroupName` says; the guide says 50.
    group_name_bytes_max: usize = 100,
    /// A group's notice. Source: ZIM API reference, `updateGroupNotice`: 300 bytes.
    group_notice_bytes_max: usize = 300,
    /// An avatar URL of a user or group. Source: ZIM API reference, `updateUserAvatarUrl`: 500 bytes.
    avatar_url_bytes_max: usize = 500,
    /// Members of one group. Source: ZIM API reference, `createGroup`: 500.
    group_members_max: usize = 500,
    /// Groups one user may be in. Source: ZIM pricing page: 1000.
    groups_per_user_max: usize = 1000,
    /// Users named in `createGroup` and `inviteUsersIntoGroup`. Source: ZIM API reference, `inviteUsersIntoGroup`: 100.
    group_invite_max: usize = 100,
    /// Users named in `kickGroupMembers`. Source: ZIM server API, `KickoutGroupUser`: 50.
    group_kick_max: usize = 50,
    /// A page of `queryGroupMemberList`. Source: ZIM API reference, `queryGroupMemberList`: 100.
    group_member_page_max: usize = 100,
    /// A member's nickname in a group, characters. Source: ZIM API reference, `setGroupMemberNickname`: 100.
    group_nickname_chars_max: usize = 100,
    /// Roles that one `muteGroup` lists. Source: ZIM API reference, `muteGroup`: 20.
    group_mute_roles_max: usize = 20,
    /// The longest mute of a group, seconds. Source: ZIM API reference, `muteGroup`: 2592000, thirty days.
    group_mute_seconds_max: u64 = 2_592_000,
    /// Users of one `muteGroupMembers`. Source: ZIM API reference, `muteGroupMembers`: 100.
    group_mute_members_max: usize = 100,
    /// The longest mute of a member, seconds. Source: ZIM API reference, `muteGroupMembers`: 604800, a week.
    group_member_mute_seconds_max: u64 = 604_800,
    /// Attributes of a group. Source: ZIM API reference, `setGroupAttributes`: 10.
    group_attributes_max: usize = 10,
    /// A group attribute's key. Source: ZIM API reference, `setGroupAttributes`: 16 bytes.
    group_attribute_key_bytes_max: usize = 16,
    /// A group attribute's value. Source: ZIM API reference, `setGroupAttributes`: 1024 bytes.
    group_attribute_value_bytes_max: usize = 1024,
    /// Messages per history page. Our choice: 100, so that one request costs a bounded read and a bounded frame.
    history_page_max: usize = 100,
    /// User ids per `queryUsersInfo` and per 10 s. Source: ZIM API reference, `queryUsersInfo`: 10.
    user_query_max: usize = 10,
    /// Conversations in a user's list. Source: ZIM API reference, `queryConversationList`: 1000.
    conversations_max: usize = 1000,
    /// How high an unread count goes. Our choice: 9999, because each is looked at when its user logs in.
    unread_max: u64 = 9999,
    /// Pinned conversations. Source: ZIM API reference, `updateConversationPinnedState`: 100.
    pinned_conversations_max: usize = 100,
    /// A page of the conversation list. Our choice: 100, as of history.
    conversation_page_max: usize = 100,
    /// Messages named in one `deleteMessages`. Our choice: 100, as the vendor's later deletion for everyone.
    delete_messages_max: usize = 100,
    /// Seqs in one `queryMessages`. Source: ZIM API reference, `queryMessages`: 10.
    query_messages_max: usize = 10,
    /// How long a message may be taken back, seconds. Source: ZIM API reference, `revokeMessage`: 2 minutes, 24 hours at most.
    revoke_seconds: u64 = 120,
    /// What a revoker says. Source: ZIM API reference, `ZIMMessageRevokeConfig`: 200 bytes.
    revoke_extended_data_bytes_max: usize = 200,
    /// How long a message may be edited, seconds. Source: ZIM API reference, `editMessage`: 24 hours.
    edit_seconds: u64 = 24 * 60 * 60,
    /// How long a message takes reactions, seconds. Source: ZIM API reference, `addMessageReaction`: 7 days.
    reaction_seconds: u64 = 7 * 24 * 60 * 60,
    /// A reaction. Source: ZIM API reference, `addMessageReaction`: 32 bytes.
    reaction_bytes_max: usize = 32,
    /// Kinds of reactions to one message. Source: ZIM API reference, `addMessageReaction`: 100.
    reactions_max: usize = 100,
    /// A page of `queryMessageReactionUserList` and of the lists of readers.
    /// Source: ZIM API reference, `queryMessageReactionUserList`: 100.
    note_page_max: usize = 100,
    /// Messages in one `sendMessageReceiptsRead` or `queryMessageReceiptsInfo`.
    /// Source: ZIM API reference, `queryMessageReceiptsInfo`: 10.
    receipts_max: usize = 10,
    /// Pinned messages of one conversation. Source: ZIM API reference, `pinMessage`: 10.
    pinned_messages_max: usize = 10,
    /// A user's `extendedData`. Our choice: 1024, as a message's.
    user_extended_data_bytes_max: usize = 1024,
    /// Users whose status one user follows. Our choice: 1000, as groups.
    status_subscriptions_max: usize = 1000,
    /// Users in one call about statuses. Source: ZIM API reference, `queryUsersStatus`: 100.
    status_query_max: usize = 100,
    /// The longest subscription to a status, minutes. Our choice: 43200, thirty days.
    status_subscription_minutes_max: u64 = 43_200,
    /// Keywords of one search. Source: ZIM API reference, `searchLocalMessages`: 5.
    search_keywords_max: usize = 5,
    /// Messages that one search looks at. Our choice: 50000, some tenth of a second.
    search_messages_max: usize = 50_000,
    /// A page of found messages or conversations. Our choice: 100, as of history.
    search_page_max: usize = 100,
    /// Marks of one conversation. Source: ZIM API reference, `setConversationMark`: 60.
    marks_max: usize = 60,
    /// Conversations with one mark. Source: ZIM API reference, `setConversationMark`: 1000.
    marked_conversations_max: usize = 1000,
}

impl Limits {
    /// Returns the limits of a group's attributes.
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

    /// Returns the limits of a room's attributes.
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

    /// Returns the limits of the attributes of one member of a room.
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
