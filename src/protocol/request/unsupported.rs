//! Operations of the vendor's clients that this broker does not answer: 6000013 instead of "unknown op".
//! src/web/docs/coming-from-zim.md lists them under "What is not there".

/// Sorted, for binary search.
const LATER: &[&str] = &[
    "acceptFriendApplication",
    "acceptGroupInviteApplication",
    "acceptGroupJoinApplication",
    "addFriend",
    "addUsersToBlacklist",
    "beginRoomAttributesBatchOperation",
    "callAccept",
    "callCancel",
    "callEnd",
    "callInvite",
    "callJoin",
    "callQuit",
    "callReject",
    "callingInvite",
    "cancelSendingMessage",
    "checkFriendsRelation",
    "checkUserIsInBlacklist",
    "deleteFriends",
    "deleteMessageAllReactions",
    "insertMessageToLocalDB",
    "queryBlacklist",
    "queryCallInvitationList",
    "queryFriendApplicationList",
    "queryFriendList",
    "queryFriendsInfo",
    "queryGroupApplicationList",
    "querySelfUserInfo",
    "rejectFriendApplication",
    "rejectGroupInviteApplication",
    "rejectGroupJoinApplication",
    "removeUsersFromBlacklist",
    "searchLocalFriends",
    "sendFriendApplication",
    "sendGroupInviteApplications",
    "sendGroupJoinApplication",
    "sendMediaMessage",
    "setConversationDraft",
    "updateFriendAlias",
    "updateFriendAttributes",
    "updateGroupAlias",
    "updateMessageLocalExtendedData",
    "updateUserBadge",
    "updateUserCustomStatus",
    "updateUserOfflinePushRule",
];

/// Returns whether the vendor's clients know an operation of this name.
pub(super) fn is_known_elsewhere(op: &str) -> bool {
    LATER.binary_search(&op).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_holds_nothing_that_is_built() {
        assert!(LATER.is_sorted());
        assert!(!is_known_elsewhere("sendMessage"));
        assert!(is_known_elsewhere("callInvite"));
    }
}
