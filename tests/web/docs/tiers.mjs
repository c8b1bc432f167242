// The vendor's methods and events, in the order of need: A in the page, B linked from it, C the rest of the SDK, D what a
// chat can do without. What of them is answered is read from the client and the broker, not kept here.

const words = (text) => text.trim().split(/\s+/);

export const METHODS = {
  A: words(`
    create on off login logout sendMessage sendMediaMessage queryConversation queryConversationList
    clearConversationUnreadMessageCount clearConversationTotalUnreadMessageCount
  `),
  B: words(`
    renewToken queryUsersInfo queryCombineMessageDetail queryHistoryMessage deleteMessages deleteAllMessage
    deleteAllConversationMessages deleteConversation createRoom enterRoom joinRoom leaveRoom queryRoomMemberList
    queryRoomMembers queryRoomOnlineMemberCount queryRoomAllAttributes setRoomAttributes deleteRoomAttributes
    beginRoomAttributesBatchOperation endRoomAttributesBatchOperation setRoomMembersAttributes queryRoomMembersAttributes
    queryRoomMemberAttributesList createGroup joinGroup leaveGroup dismissGroup queryGroupList queryGroupInfo
    queryGroupMemberList queryGroupMemberCount queryGroupMemberInfo inviteUsersIntoGroup kickGroupMembers transferGroupOwner
    updateGroupName updateGroupNotice updateGroupAvatarUrl setGroupAttributes deleteGroupAttributes queryGroupAttributes
    queryGroupAllAttributes
  `),
  C: words(`
    getVersion getInstance destroy updateUserName updateUserAvatarUrl updateUserExtendedData queryUsersStatus
    subscribeUsersStatus unsubscribeUsersStatus querySubscribedUserStatusList insertMessageToLocalDB
    updateMessageLocalExtendedData editMessage replyMessage queryMessageRepliedList queryMessages queryConversationPinnedList
    updateConversationPinnedState deleteAllConversations queryConversationTotalUnreadMessageCount
    setConversationNotificationStatus setConversationDraft setConversationMark switchRoom leaveAllRoom setGroupMemberRole
    setGroupMemberNickname updateGroupJoinMode updateGroupInviteMode updateGroupBeInviteMode muteGroup muteGroupMembers
    queryGroupMemberMutedList searchLocalGroups searchLocalGroupMembers sendMessageReceiptsRead
    sendConversationMessageReceiptRead queryMessageReceiptsInfo queryGroupMessageReceiptReadMemberList
    queryGroupMessageReceiptUnreadMemberList revokeMessage addMessageReaction deleteMessageReaction
    queryMessageReactionUserList pinMessage queryPinnedMessageList searchLocalMessages searchGlobalLocalMessages
    searchLocalConversations
  `),
  D: words(`
    setGeofencingConfig setAdvancedConfig setLogConfig uploadLog callExperimentalAPI querySelfUserInfo
    updateUserOfflinePushRule updateUserCustomStatus updateUserBadge cancelSendingMessage updateGroupAlias
    sendGroupJoinApplication acceptGroupJoinApplication rejectGroupJoinApplication sendGroupInviteApplications
    acceptGroupInviteApplication rejectGroupInviteApplication queryGroupApplicationList deleteMessageAllReactions callInvite
    callCancel callAccept callReject callingInvite callJoin callQuit callEnd queryCallInvitationList addFriend
    sendFriendApplication deleteFriends checkFriendsRelation updateFriendAlias updateFriendAttributes acceptFriendApplication
    rejectFriendApplication queryFriendsInfo queryFriendList queryFriendApplicationList searchLocalFriends addUsersToBlacklist
    removeUsersFromBlacklist checkUserIsInBlacklist queryBlacklist
  `),
};

export const EVENTS = {
  A: words(`
    error connectionStateChanged conversationChanged conversationTotalUnreadMessageCountUpdated receivePeerMessage
    receiveRoomMessage receiveGroupMessage broadcastMessageReceived messageSentStatusChanged
  `),
  B: words(`
    tokenWillExpire messageDeleted roomStateChanged roomMemberJoined roomMemberLeft roomAttributesUpdated
    roomAttributesBatchUpdated roomMemberAttributesUpdated groupStateChanged groupNameUpdated groupAvatarUrlUpdated
    groupNoticeUpdated groupAttributesUpdated groupMemberStateChanged groupMemberInfoUpdated
  `),
  C: words(`
    userInfoUpdated userStatusUpdated conversationMessageReceiptChanged conversationsAllDeleted conversationSyncStateChanged
    peerMessageReceived roomMessageReceived groupMessageReceived messageReceiptChanged messageRevokeReceived
    messageReactionsChanged messageRepliedInfoChanged messageRepliedCountChanged messageEdited messagePinStatusChanged
    groupMutedInfoUpdated groupVerifyInfoUpdated
  `),
  D: words(`
    experimentalEventReceived userRuleUpdated groupAliasUpdated groupApplicationListChanged groupApplicationUpdated
    callInvitationCreated callInvitationReceived callInvitationCancelled callInvitationEnded callInvitationRejected
    callInvitationAccepted callInvitationTimeout callInviteesAnsweredTimeout callUserStateChanged friendListChanged
    friendInfoUpdated friendApplicationListChanged friendApplicationUpdated blacklistChanged
  `),
};
