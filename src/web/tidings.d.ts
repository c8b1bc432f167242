// Types of the Tidings client. Names and members are the vendor's; what is ours is marked so.

export declare enum ZIMBlacklistChangeAction { Added = 0, Removed = 1 }
export declare enum ZIMCXHandleType { Generic = 1, PhoneNumber = 2, EmailAddress = 3 }
export declare enum ZIMCallInvitationMode { Unknown = -1, General = 0, Advanced = 1 }
export declare enum ZIMCallState { Unknown = -1, Started = 1, Ended = 2 }
export declare enum ZIMCallUserState {
  Unknown = -1, Inviting = 0, Accepted = 1, Rejected = 2, Cancelled = 3, Offline = 4, Received = 5, Timeout = 6, Quit = 7, Ended = 8,
  NotYetReceived = 9, BeCancelled = 10,
}
export declare enum ZIMConnectionEvent {
  Success = 0, ActiveLogin = 1, LoginTimeout = 2, LoginInterrupted = 3, KickedOut = 4, TokenExpired = 5, Unregistered = 6,
}
export declare enum ZIMConnectionState { Disconnected = 0, Connecting = 1, Connected = 2, Reconnecting = 3 }
export declare enum ZIMConversationEvent { Added = 0, Updated = 1, Disabled = 2, Deleted = 3 }
export declare enum ZIMConversationNotificationStatus { Notify = 1, DoNotDisturb = 2 }
export declare enum ZIMConversationType { Unknown = -1, Peer = 0, Room = 1, Group = 2, CommunityChannel = 3 }
export declare enum ZIMFriendApplicationListChangeAction { Added = 0, Deleted = 1 }
export declare enum ZIMFriendApplicationState { Unknown = -1, Waiting = 1, Accepted = 2, Rejected = 3, Expired = 4, Disabled = 5 }
export declare enum ZIMFriendApplicationType { Unknown = -1, None = 0, Received = 1, Sent = 2, Both = 3 }
export declare enum ZIMFriendDeleteType { Both = 0, Single = 1 }
export declare enum ZIMFriendListChangeAction { Added = 0, Deleted = 1 }
export declare enum ZIMFriendRelationCheckType { Both = 0, Single = 1 }
export declare enum ZIMGeofencingType { None = 0, Include = 1, Exclude = 2 }
export declare enum ZIMGroupAttributesUpdateAction { Set = 0, Delete = 1 }
export declare enum ZIMGroupEvent { Unknown = -1, Created = 1, Dismissed = 2, Joined = 3, Invited = 4, Left = 5, KickedOut = 6 }
export declare enum ZIMGroupMemberEvent { Unknown = -1, Joined = 1, Left = 2, KickedOut = 4, Invited = 5 }
export declare enum ZIMGroupMemberState { Quit = 0, Enter = 1 }
export declare enum ZIMGroupMessageNotificationStatus { Notify = 1, Disturb = 2 }
export declare enum ZIMGroupMuteMode { None = 0, Normal = 1, All = 2, Custom = 3 }
export declare enum ZIMGroupState { Quit = 0, Enter = 1 }
export declare enum ZIMMessageDeleteType { MessageListDeleted = 0, ConversationAllMessagesDeleted = 1, AllConversationMessagesDeleted = 2 }
export declare enum ZIMMessageDirection { Send = 0, Receive = 1 }
export declare enum ZIMMessageMentionedType { Unknown = 0, MentionMe = 1, MentionAll = 2, MentionAllAndMe = 3 }
export declare enum ZIMMessageOrder { Descending = 0, Ascending = 1 }
export declare enum ZIMMessagePriority { Low = 1, Medium = 2, High = 3 }
export declare enum ZIMMessageReceiptStatus { Unknown = -1, None = 0, Processing = 1, Done = 2, Expired = 3, Failed = 4 }
export declare enum ZIMMessageRevokeStatus {
  Unknown = -1, SelfRevoke = 0, SystemRevoke = 1, ServiceAPIRevoke = 2, ServerAPIRevoke = 2, GroupAdminRevoke = 3, GroupOwnerRevoke = 4,
  AuditRejectRevoke = 5,
}
export declare enum ZIMMessageSentStatus { Sending = 0, Success = 1, Failed = 2 }
export declare enum ZIMMessageType {
  Unknown = 0, Text = 1, Command = 2, Multiple = 10, Image = 11, File = 12, Audio = 13, Video = 14, Barrage = 20, System = 30,
  Revoke = 31, Tips = 32, Combine = 100, Custom = 200,
}
export declare enum ZIMMessagePinStatus { NotPinned = 0, Pinned = 1, Updated = 2 }
export declare enum ZIMMessageRepliedInfoState { Normal = 0, Deleted = 1, NotFound = 2 }
export declare enum ZIMTipsMessageEvent {
  Unknown = 0, GroupCreated = 1, GroupDismissed = 2, GroupJoined = 3, GroupInvited = 4, GroupLeft = 5, GroupKickedOut = 6,
}
export declare enum ZIMUserOnlineStatus { Online = 0, Offline = 1, Logout = 2, Unknown = 99 }
export declare enum ZIMRevokeType { Unknown = -1, TwoWay = 0, OneWay = 1 }
export declare enum ZIMRoomAttributesUpdateAction { Set = 0, Delete = 1 }
export declare enum ZIMRoomEvent {
  Success = 0, NetworkInterrupted = 1, NetworkDisconnected = 2, RoomNotExist = 3, ActiveCreate = 4, CreateFailed = 5, ActiveEnter = 6,
  EnterFailed = 7, KickedOut = 8, ConnectTimeout = 9, KickedOutByOtherDevice = 10, ActiveSwitch = 11, SwitchFailed = 12,
}
export declare enum ZIMRoomState { Disconnected = 0, Connecting = 1, Connected = 2 }
export declare enum ZIMUserRelationType {
  Unknown = 0, SingleNo = 1, SingleHave = 2, BothAllNo = 3, BothSelfHave = 4, BothOtherHave = 5, BothAllHave = 6,
}

/** What every rejected promise carries. `code` is one of the vendor's error numbers. */
export declare class ZIMError extends Error {
  code: number;
  message: string;
  /** Ours: the broker could not do it now, but may later. */
  temporary?: boolean;
  /** Ours: when waiting this long helps. */
  retryAfterMs?: number;
}

export interface ZIMAppConfig {
  appID: number;
  /** Ours: base address of the broker, http(s) or ws(s); else `globalThis.TIDINGS_SERVER`, else the page's origin. */
  server?: string;
  /** Ours: the SDK version this program was written for; newer features are kept from it. Default 2.14.0. */
  sdkVersion?: string;
  /** Ours: a WebSocket class, where the runtime has none of its own. */
  WebSocket?: new (url: string) => unknown;
  /** Ours: names this device of the user, at most 64 bytes; else one per browser tab or client. */
  deviceID?: string;
  /** Ours: the longest pause between two attempts to reconnect, milliseconds. Default 15000. */
  reconnectMaxMs?: number;
}

export interface ZIMLoginConfig {
  userName: string;
  token: string;
  isOfflineLogin: boolean;
}

export interface ZIMLogConfig {
  logLevel: string;
}

export interface ZIMUserInfo {
  userID: string;
  userName: string;
  userAvatarUrl: string;
}

export interface ZIMUserFullInfo {
  baseInfo: ZIMUserInfo;
  extendedData: string;
}

export interface ZIMErrorUserInfo {
  userID: string;
  reason: number;
}

export interface ZIMUsersInfoQueryConfig {
  isQueryFromServer: boolean;
}

export interface ZIMMessageReactionUserInfo {
  userID: string;
}

export interface ZIMMessageReaction {
  conversationID: string;
  conversationType: ZIMConversationType;
  messageID: string;
  reactionType: string;
  isSelfIncluded: boolean;
  totalCount: number;
  /** As `totalCount`: each user counts once per reaction. */
  sumCount?: number;
  /** Five at most; `queryMessageReactionUserList` has all. */
  userList: ZIMMessageReactionUserInfo[];
}

/** What a message quotes. */
export interface ZIMMessageRepliedInfo {
  state: ZIMMessageRepliedInfoState;
  messageInfo: { type: ZIMMessageType; message?: string; subType?: number; searchedContent?: string; title?: string; summary?: string };
  senderUserID: string;
  sentTime: number;
  messageID: string;
  messageSeq: number;
}

/** What the program fills in to send. */
export interface ZIMMessageBase {
  type: ZIMMessageType;
  message: string | Uint8Array;
  extendedData?: string;
  localExtendedData?: string;
  mentionedUserIDs?: string[];
  isMentionAll?: boolean;
  /** Custom messages. */
  subType?: number;
  /** Custom messages. */
  searchedContent?: string;
  /** Combined messages, 20 bytes. */
  title?: string;
  /** Combined messages, 100 bytes. */
  summary?: string;
  /** Combined messages: what was sent before and is to be passed on as one. */
  messageList?: ZIMMessage[];
}

export interface ZIMMediaMessageBase {
  type: ZIMMessageType;
  extendedData?: string;
  localExtendedData?: string;
  mentionedUserIDs?: string[];
  isMentionAll?: boolean;
  /** A File or Blob, bytes, or in Node a path. */
  fileLocalPath?: any;
  /** A file elsewhere; wins over `fileLocalPath`. */
  fileDownloadUrl?: string;
  thumbnailDownloadUrl?: string;
  largeImageDownloadUrl?: string;
  videoFirstFrameDownloadUrl?: string;
  fileName?: string;
  /** Seconds; required with audio, 300 at most. */
  audioDuration?: number;
  /** Seconds; required with video. */
  videoDuration?: number;
}

/** A message that is on its way, was sent, or was received. */
export interface ZIMMessage extends ZIMMessageBase {
  localMessageID: string;
  messageID: string;
  senderUserID: string;
  timestamp: number;
  conversationID: string;
  conversationType: ZIMConversationType;
  direction: ZIMMessageDirection;
  sentStatus: ZIMMessageSentStatus;
  orderKey: number;
  conversationSeq: number;
  /** The later name of `conversationSeq`. */
  messageSeq: number;
  /** Ours: what the sender asked for. */
  priority: ZIMMessagePriority;
  isUserInserted: boolean;
  isBroadcastMessage: boolean;
  isServerMessage: boolean;
  receiptStatus: ZIMMessageReceiptStatus;
  reactions: ZIMMessageReaction[];
  extendedData: string;
  localExtendedData: string;
  mentionedUserIDs: string[];
  isMentionAll: boolean;
  /** Of an answer: what it answers. */
  repliedInfo?: ZIMMessageRepliedInfo;
  /** Of the first message of a tree of answers: how many there are. */
  rootRepliedCount?: number;
  editorUserID?: string;
  editedTime?: number;
  pinnedUserID?: string;
  pinnedTime?: number;
}

/** An image, a file, audio or video. URLs of kept files bear a token that is good for a while. */
export interface ZIMMediaMessage extends ZIMMessage {
  type: ZIMMessageType.Image | ZIMMessageType.File | ZIMMessageType.Audio | ZIMMessageType.Video;
  fileLocalPath: any;
  fileDownloadUrl: string;
  fileName: string;
  fileSize: number;
  fileUID: string;
}

export interface ZIMImageMessage extends ZIMMediaMessage {
  type: ZIMMessageType.Image;
  thumbnailDownloadUrl: string;
  largeImageDownloadUrl: string;
  originalImageWidth: number;
  originalImageHeight: number;
  thumbnailWidth: number;
  thumbnailHeight: number;
  largeImageWidth: number;
  largeImageHeight: number;
}

export interface ZIMFileMessage extends ZIMMediaMessage {
  type: ZIMMessageType.File;
}

export interface ZIMAudioMessage extends ZIMMediaMessage {
  type: ZIMMessageType.Audio;
  audioDuration: number;
}

export interface ZIMVideoMessage extends ZIMMediaMessage {
  type: ZIMMessageType.Video;
  videoDuration: number;
  videoFirstFrameDownloadUrl: string;
  videoFirstFrameWidth: number;
  videoFirstFrameHeight: number;
}

export interface ZIMMediaFileDownloadedResult {
  message: ZIMMediaMessage;
  fileType: number;
  file: Blob;
}

export interface ZIMRevokeMessage extends ZIMMessage {
  type: ZIMMessageType.Revoke;
  revokeType: ZIMRevokeType;
  revokeStatus: ZIMMessageRevokeStatus;
  revokeTimestamp: number;
  operatedUserID: string;
  revokeExtendedData: string;
  originalMessageType: ZIMMessageType;
  originalTextMessageContent: string;
}

export interface ZIMCombineMessage extends ZIMMessage {
  type: ZIMMessageType.Combine;
  title: string;
  summary: string;
  combineID: string;
  /** Empty until `queryCombineMessageDetail`. */
  messageList: ZIMMessage[];
}

export interface ZIMTipsMessage extends ZIMMessage {
  type: ZIMMessageType.Tips;
  event: ZIMTipsMessageEvent;
  operatedUser: ZIMUserInfo;
  targetUserList: ZIMUserInfo[];
  changeInfo?: { type: number; groupNewOwner?: { userID: string; userName: string; memberNickname: string; memberRole: number } };
}

/** An entry of the list: a peer conversation or a group. */
export interface ZIMConversation {
  conversationID: string;
  conversationName: string;
  conversationAlias: string;
  conversationAvatarUrl: string;
  type: ZIMConversationType;
  unreadMessageCount: number;
  /** Larger is newer. */
  orderKey: number;
  notificationStatus: ZIMConversationNotificationStatus;
  isPinned: boolean;
  pinnedTime?: number;
  /** This device's own. */
  draft: string;
  lastMessage?: ZIMMessage;
  mentionedInfoList: ZIMMessageMentionedInfo[];
  /** Of a group one is not in any more. */
  isDisabled?: boolean;
}

export interface ZIMMessageMentionedInfo {
  type: ZIMMessageMentionedType;
  fromUserID: string;
  messageID: string;
  messageSeq: number;
}

export interface ZIMConversationChangeInfo {
  event: ZIMConversationEvent;
  conversation: ZIMConversation;
}

export interface ZIMConversationQueryConfig {
  count: number;
  /** The last one already held, or a part of it: its `conversationID` and `type`, or its `orderKey`. */
  nextConversation?: Partial<ZIMConversation> | null;
}

export interface ZIMConversationBaseResult {
  conversationID: string;
  conversationType: ZIMConversationType;
}

export interface ZIMMessageDeleteConfig {
  /** False: on this device only. */
  isAlsoDeleteServerMessage: boolean;
}

export interface ZIMConversationDeleteConfig {
  /** False: on this device only. */
  isAlsoDeleteServerConversation: boolean;
}

export interface ZIMMessageReceiptInfo {
  conversationID: string;
  conversationType: ZIMConversationType;
  messageID: string;
  status: ZIMMessageReceiptStatus;
  readMemberCount: number;
  unreadMemberCount: number;
  isSelfOperated: boolean;
  readTime: number;
}

export interface ZIMGroupMessageReceiptMemberListQueriedResult {
  groupID: string;
  nextFlag: number;
  userList: ZIMGroupMemberInfo[];
}

export interface ZIMMessageSearchConfig {
  /** Five at most; all must be found. */
  keywords: string[];
  senderUserIDs?: string[];
  messageTypes?: ZIMMessageType[];
  subMessageTypes?: number[];
  /** Unix milliseconds. */
  startTime?: number;
  endTime?: number;
  order?: ZIMMessageOrder;
  count: number;
  nextMessage?: Partial<ZIMMessage> | null;
}

export interface ZIMConversationSearchConfig extends Omit<ZIMMessageSearchConfig, 'order' | 'count' | 'nextMessage'> {
  totalConversationCount: number;
  conversationMessageCount: number;
  nextFlag?: number;
}

export interface ZIMConversationSearchInfo {
  conversationID: string;
  conversationType: ZIMConversationType;
  totalMessageCount: number;
  messageList: ZIMMessage[];
}

export interface ZIMUserStatus {
  userID: string;
  onlineStatus: ZIMUserOnlineStatus;
  onlinePlatforms: number[];
  customStatus: string;
  customStatusExpiredTime: number;
  lastUpdateTime: number;
  lastOnlineStatusUpdateTime: number;
  lastCustomStatusUpdateTime: number;
}

export interface ZIMTextMessage extends ZIMMessage {
  type: ZIMMessageType.Text;
  message: string;
}

export interface ZIMCommandMessage extends ZIMMessage {
  type: ZIMMessageType.Command;
  message: Uint8Array;
}

export interface ZIMBarrageMessage extends ZIMMessage {
  type: ZIMMessageType.Barrage;
  message: string;
}

export interface ZIMCustomMessage extends ZIMMessage {
  type: ZIMMessageType.Custom;
  message: string;
  subType: number;
  searchedContent: string;
}

export interface ZIMMessageSendConfig {
  priority: ZIMMessagePriority;
  /** The sender wants to know who has read it. */
  hasReceipt?: boolean;
  isNotifyMentionedUsers?: boolean;
  /** It counts nowhere as unread. */
  disableUnreadMessageCount?: boolean;
}

export interface ZIMMessageSendNotification {
  onMessageAttached: (message: ZIMMessage) => void;
  /** Bytes of the file so far; rises, and ends with `currentFileSize` equal to `totalFileSize`. */
  onMediaUploadingProgress?: (message: ZIMMediaMessage, currentFileSize: number, totalFileSize: number) => void;
}

export interface ZIMMediaMessageSendNotification extends ZIMMessageSendNotification {
  onMediaUploadingProgress: (message: ZIMMediaMessage, currentFileSize: number, totalFileSize: number) => void;
}

export interface ZIMMessageSentResult {
  message: ZIMMessage;
}

export interface ZIMMessageQueryConfig {
  count: number;
  reverse: boolean;
  /** The anchor, not part of the page: a message, or a copy that still has its `conversationSeq` or `orderKey`. */
  nextMessage?: Partial<ZIMMessage> | null;
}

export interface ZIMMessageQueriedResult {
  conversationID: string;
  conversationType: ZIMConversationType;
  /** Oldest first. */
  messageList: ZIMMessage[];
}

export interface ZIMMessageSentStatusChangeInfo {
  status: ZIMMessageSentStatus;
  reason?: string;
  message: ZIMMessage;
}

export interface ZIMMessageReceivedInfo {
  isOfflineMessage: boolean;
}

export interface ZIMTokenRenewedResult {
  token: string;
}

export interface ZIMUsersInfoQueriedResult {
  userList: ZIMUserFullInfo[];
  errorUserList: ZIMErrorUserInfo[];
}

export interface ZIMRoomInfo {
  roomID: string;
  roomName: string;
}

export interface ZIMRoomFullInfo {
  baseInfo: ZIMRoomInfo;
}

export interface ZIMRoomMemberInfo extends ZIMUserInfo {}

export interface ZIMRoomAdvancedConfig {
  roomAttributes?: Record<string, string>;
  roomDestroyDelayTime?: number;
}

export interface ZIMRoomMemberQueryConfig {
  count: number;
  nextFlag: string;
}

export interface ZIMRoomEnteredResult {
  roomInfo: ZIMRoomFullInfo;
}

export type ZIMRoomCreatedResult = ZIMRoomEnteredResult;
export type ZIMRoomJoinedResult = ZIMRoomEnteredResult;

export interface ZIMRoomLeftResult {
  roomID: string;
}

export interface ZIMRoomMemberQueriedResult {
  roomID: string;
  memberList: ZIMUserInfo[];
  nextFlag: string;
}

export interface ZIMRoomMembersQueriedResult {
  roomID: string;
  memberList: ZIMRoomMemberInfo[];
  errorUserList: ZIMErrorUserInfo[];
}

export interface ZIMRoomOnlineMemberCountQueriedResult {
  roomID: string;
  count: number;
}

export interface ZIMGroupInfo {
  groupID: string;
  groupName: string;
  groupAvatarUrl: string;
}

export interface ZIMGroupMuteInfo {
  mode: ZIMGroupMuteMode;
  expiredTime: number;
  roles: number[];
}

export interface ZIMGroup {
  baseInfo: ZIMGroupInfo;
  notificationStatus: ZIMGroupMessageNotificationStatus;
}

export interface ZIMGroupFullInfo extends ZIMGroup {
  groupNotice: string;
  groupAttributes: Record<string, string>;
  mutedInfo: ZIMGroupMuteInfo;
}

export interface ZIMGroupMemberInfo extends ZIMUserInfo {
  memberNickname: string;
  /** 1 owner, 3 member. */
  memberRole: number;
  muteExpiredTime: number;
}

export interface ZIMGroupOperatedInfo {
  userID: string;
  userName: string;
  memberNickname: string;
  memberRole: number;
}

export interface ZIMGroupAdvancedConfig {
  groupNotice: string;
  groupAttributes: Record<string, string>;
}

export interface ZIMGroupMemberQueryConfig {
  count: number;
  nextFlag: number;
}

export interface ZIMGroupCreatedResult {
  groupInfo: ZIMGroupFullInfo;
  userList: ZIMGroupMemberInfo[];
  errorUserList: ZIMErrorUserInfo[];
}

export interface ZIMGroupJoinedResult {
  groupInfo: ZIMGroupFullInfo;
}

export type ZIMGroupInfoQueriedResult = ZIMGroupJoinedResult;

export interface ZIMGroupLeftResult {
  groupID: string;
}

export type ZIMGroupDismissedResult = ZIMGroupLeftResult;

export interface ZIMGroupListQueriedResult {
  groupList: ZIMGroup[];
}

export interface ZIMGroupUsersInvitedResult {
  groupID: string;
  userList: ZIMGroupMemberInfo[];
  errorUserList: ZIMErrorUserInfo[];
}

export interface ZIMGroupMemberKickedResult {
  groupID: string;
  kickedUserIDs: string[];
  errorUserList: ZIMErrorUserInfo[];
}

export interface ZIMGroupMemberListQueriedResult {
  groupID: string;
  nextFlag: number;
  userList: ZIMGroupMemberInfo[];
}

export interface ZIMGroupMemberCountQueriedResult {
  groupID: string;
  count: number;
}

export interface ZIMEventOfReceiveConversationMessageResult {
  messageList: ZIMMessage[];
  fromConversationID: string;
}

export interface ZIMEventOfConversationMessageReceivedResult extends ZIMEventOfReceiveConversationMessageResult {
  info: ZIMMessageReceivedInfo;
}

export interface ZIMEventOfRoomMemberChangedResult {
  roomID: string;
  memberList: ZIMUserInfo[];
}

/** Event name → what its listener gets. */
export interface ZIMEventData {
  error: { code: number; message: string };
  connectionStateChanged: { state: ZIMConnectionState; event: ZIMConnectionEvent; extendedData: string };
  tokenWillExpire: { second: number };
  messageSentStatusChanged: { infos: ZIMMessageSentStatusChangeInfo[] };
  receivePeerMessage: ZIMEventOfReceiveConversationMessageResult;
  receiveGroupMessage: ZIMEventOfReceiveConversationMessageResult;
  receiveRoomMessage: ZIMEventOfReceiveConversationMessageResult;
  peerMessageReceived: ZIMEventOfConversationMessageReceivedResult;
  groupMessageReceived: ZIMEventOfConversationMessageReceivedResult;
  roomMessageReceived: ZIMEventOfConversationMessageReceivedResult;
  roomStateChanged: { roomID: string; state: ZIMRoomState; event: ZIMRoomEvent; extendedData: string };
  roomMemberJoined: ZIMEventOfRoomMemberChangedResult;
  roomMemberLeft: ZIMEventOfRoomMemberChangedResult;
  groupStateChanged: {
    state: ZIMGroupState;
    event: ZIMGroupEvent;
    groupInfo: ZIMGroupFullInfo;
    operatedInfo: ZIMGroupOperatedInfo;
  };
  groupMemberStateChanged: {
    groupID: string;
    state: ZIMGroupMemberState;
    event: ZIMGroupMemberEvent;
    userList: ZIMGroupMemberInfo[];
    operatedInfo: ZIMGroupOperatedInfo;
  };
  conversationChanged: { infoList: ZIMConversationChangeInfo[] };
  conversationTotalUnreadMessageCountUpdated: { totalUnreadMessageCount: number };
  conversationsAllDeleted: { count: number };
  conversationMessageReceiptChanged: { infos: ZIMMessageReceiptInfo[] };
  messageDeleted: {
    conversationID: string;
    conversationType: ZIMConversationType;
    isDeleteConversationAllMessage: boolean;
    messageList: ZIMMessage[];
    messageDeleteType: ZIMMessageDeleteType;
  };
  messageRevokeReceived: { messageList: ZIMRevokeMessage[] };
  messageEdited: { messageList: ZIMMessage[] };
  messageReceiptChanged: { infos: ZIMMessageReceiptInfo[] };
  messageReactionsChanged: {
    reactions: ZIMMessageReaction[];
    changeInfoList: {
      message: ZIMMessage;
      userChangeInfoList: { userID: string; reactionType: string; action: number; sumCount: number }[];
    }[];
  };
  messageRepliedInfoChanged: { messageList: ZIMMessage[] };
  messageRepliedCountChanged: {
    infos: { conversationID: string; conversationType: ZIMConversationType; messageID: string; count: number }[];
  };
  messagePinStatusChanged: { infos: { pinStatus: ZIMMessagePinStatus; message: ZIMMessage }[] };
  userInfoUpdated: { info: ZIMUserFullInfo };
  userStatusUpdated: { userStatusList: ZIMUserStatus[] };
  /** Ours: how many messages were dropped for this session since the last such event, by class. */
  /** Sent to everyone online: one message, in no conversation, not kept. */
  broadcastMessageReceived: { message: ZIMMessage };
  /** Our addition: too much was missed to be replayed after a reconnect; ask for history. */
  resyncRequired: Record<string, never>;
  barrageDropped: { low: number; medium: number; high: number; command: number };
}

export type ZIMEventHandler = { [K in keyof ZIMEventData]: (zim: ZIM, data: ZIMEventData[K]) => void };

export declare class ZIM {
  private constructor();

  /** The program's one client, or null when there is one already. */
  static create(appConfig: ZIMAppConfig | number): ZIM | null;
  static getInstance(): ZIM | null;
  static getVersion(): string;
  static setGeofencingConfig(areaList: number[], type: ZIMGeofencingType): boolean;
  static setAdvancedConfig(key: string, value: string): void;
  /** Ours: a client of its own, whatever others there are. */
  static createInstance(appConfig: ZIMAppConfig | number): ZIM;

  setLogConfig(config: ZIMLogConfig): void;
  destroy(): void;
  /** One listener per event: a later one takes the place of an earlier. */
  on<K extends keyof ZIMEventHandler>(type: K, listener: ZIMEventHandler[K]): void;
  on(type: string, listener: (zim: ZIM, data: any) => void): void;
  off(type: string): void;

  login(userID: string, config: Partial<ZIMLoginConfig>): Promise<void>;
  /** As before 2.13. */
  login(userInfo: { userID: string; userName?: string }, token: string): Promise<void>;
  logout(): Promise<void>;
  renewToken(token: string): Promise<ZIMTokenRenewedResult>;
  queryUsersInfo(userIDs: string[], config: ZIMUsersInfoQueryConfig): Promise<ZIMUsersInfoQueriedResult>;

  /** Any kind. A file goes up first; a lost connection is gone on from. */
  sendMessage(
    message: ZIMMessageBase | ZIMMediaMessageBase,
    toConversationID: string,
    conversationType: ZIMConversationType,
    config?: ZIMMessageSendConfig,
    notification?: ZIMMessageSendNotification | ((message: ZIMMessage) => void),
  ): Promise<ZIMMessageSentResult>;
  /** The older name of `sendMessage` for media. */
  sendMediaMessage(
    message: ZIMMediaMessageBase,
    toConversationID: string,
    conversationType: ZIMConversationType,
    config: ZIMMessageSendConfig,
    notification?: ZIMMediaMessageSendNotification,
  ): Promise<ZIMMessageSentResult>;
  /** Gives up a message whose file is on its way; its send rejects with 6000206. */
  cancelSendingMessage(message: ZIMMessage, config?: object): Promise<void>;
  /** The bytes of a file: 1 original, 2 large image, 3 thumbnail, 4 first picture of a video. */
  downloadMediaFile(
    message: ZIMMediaMessage,
    fileType?: 1 | 2 | 3 | 4,
    config?: object,
    onProgress?: (message: ZIMMediaMessage, currentFileSize: number, totalFileSize: number) => void,
  ): Promise<ZIMMediaFileDownloadedResult>;
  /** Ours: writes new tokens into the URLs of a message held for long. */
  refreshMediaUrls<T extends ZIMMessage>(message: T): T;
  /** Answers a message, in its conversation. */
  replyMessage(
    message: ZIMMessageBase | ZIMMediaMessageBase,
    toOriginalMessage: Partial<ZIMMessage>,
    config?: ZIMMessageSendConfig,
    notification?: ZIMMessageSendNotification | ((message: ZIMMessage) => void),
  ): Promise<ZIMMessageSentResult>;
  queryMessageRepliedList(
    message: Partial<ZIMMessage>,
    config: { count: number; nextFlag: number },
  ): Promise<{
    messageList: ZIMMessage[];
    nextFlag: number;
    rootRepliedInfo: { state: ZIMMessageRepliedInfoState; message?: ZIMMessage; senderUserID: string; sentTime: number; repliedCount: number };
  }>;
  /** Fills `messageList` of the message given. */
  queryCombineMessageDetail(message: Partial<ZIMCombineMessage>): Promise<{ message: ZIMCombineMessage }>;
  /** The message given becomes the revoke message that stands in its place. */
  revokeMessage(message: Partial<ZIMMessage>, config?: { revokeExtendedData?: string }): Promise<{ message: ZIMRevokeMessage }>;
  editMessage(message: ZIMMessage, config?: object): Promise<{ message: ZIMMessage }>;
  pinMessage(message: Partial<ZIMMessage>, isPinned: boolean, config?: { disableAutoReplace: boolean }): Promise<void>;
  queryPinnedMessageList(conversationID: string, conversationType: ZIMConversationType): Promise<{ messageList: ZIMMessage[] }>;
  addMessageReaction(reactionType: string, message: Partial<ZIMMessage>): Promise<{ reaction: ZIMMessageReaction }>;
  deleteMessageReaction(reactionType: string, message: Partial<ZIMMessage>): Promise<{ reaction: ZIMMessageReaction }>;
  queryMessageReactionUserList(
    message: ZIMMessage,
    config: { reactionType: string; count: number; nextFlag: number },
  ): Promise<{ totalCount: number; nextFlag: number; reactionType: string; userList: ZIMMessageReactionUserInfo[]; message: ZIMMessage }>;
  sendMessageReceiptsRead(
    messageList: Partial<ZIMMessage>[],
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationBaseResult & { errorMessageIDs: string[] }>;
  sendConversationMessageReceiptRead(conversationID: string, conversationType: ZIMConversationType): Promise<ZIMConversationBaseResult>;
  queryMessageReceiptsInfo(
    messageList: Partial<ZIMMessage>[],
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<{ infos: ZIMMessageReceiptInfo[]; errorMessageIDs: string[] }>;
  queryGroupMessageReceiptReadMemberList(
    message: Partial<ZIMMessage>,
    groupID: string,
    config: { count: number; nextFlag: number },
  ): Promise<ZIMGroupMessageReceiptMemberListQueriedResult>;
  queryGroupMessageReceiptUnreadMemberList(
    message: Partial<ZIMMessage>,
    groupID: string,
    config: { count: number; nextFlag: number },
  ): Promise<ZIMGroupMessageReceiptMemberListQueriedResult>;
  queryMessages(
    messageSeqs: number[],
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMMessageQueriedResult>;
  deleteMessages(
    messageList: Partial<ZIMMessage>[],
    conversationID: string,
    conversationType: ZIMConversationType,
    config: ZIMMessageDeleteConfig,
  ): Promise<ZIMConversationBaseResult>;
  deleteAllMessage(
    conversationID: string,
    conversationType: ZIMConversationType,
    config: ZIMMessageDeleteConfig,
  ): Promise<ZIMConversationBaseResult>;
  deleteAllConversationMessages(config: ZIMMessageDeleteConfig): Promise<void>;
  /** On this device only. */
  insertMessageToLocalDB(
    message: ZIMMessageBase,
    conversationID: string,
    conversationType: ZIMConversationType,
    senderUserID: string,
  ): Promise<{ message: ZIMMessage }>;
  /** On this device only, 128 KiB. */
  updateMessageLocalExtendedData(localExtendedData: string, message: ZIMMessage): Promise<{ message: ZIMMessage }>;

  queryConversation(conversationID: string, conversationType: ZIMConversationType): Promise<{ conversation: ZIMConversation }>;
  queryConversationList(config: ZIMConversationQueryConfig): Promise<{ conversationList: ZIMConversation[] }>;
  queryConversationPinnedList(config: ZIMConversationQueryConfig): Promise<{ conversationList: ZIMConversation[] }>;
  updateConversationPinnedState(
    isPinned: boolean,
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationBaseResult>;
  setConversationNotificationStatus(
    status: ZIMConversationNotificationStatus,
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationBaseResult>;
  /** On this device only. */
  setConversationDraft(draft: string, conversationID: string, conversationType: ZIMConversationType): Promise<ZIMConversationBaseResult>;
  deleteConversation(
    conversationID: string,
    conversationType: ZIMConversationType,
    config?: ZIMConversationDeleteConfig,
  ): Promise<ZIMConversationBaseResult>;
  deleteAllConversations(config?: ZIMConversationDeleteConfig): Promise<void>;
  clearConversationUnreadMessageCount(
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationBaseResult>;
  clearConversationTotalUnreadMessageCount(): Promise<void>;
  queryConversationTotalUnreadMessageCount(config?: object): Promise<{ totalUnreadMessageCount: number }>;

  searchLocalMessages(
    conversationID: string,
    conversationType: ZIMConversationType,
    config: ZIMMessageSearchConfig,
  ): Promise<ZIMMessageQueriedResult & { nextMessage?: ZIMMessage }>;
  searchGlobalLocalMessages(config: ZIMMessageSearchConfig): Promise<{ messageList: ZIMMessage[]; nextMessage?: ZIMMessage }>;
  searchLocalConversations(
    config: ZIMConversationSearchConfig,
  ): Promise<{ conversationSearchInfoList: ZIMConversationSearchInfo[]; nextFlag: number }>;

  updateUserName(userName: string): Promise<{ userName: string }>;
  updateUserAvatarUrl(userAvatarUrl: string): Promise<{ userAvatarUrl: string }>;
  updateUserExtendedData(extendedData: string): Promise<{ extendedData: string }>;
  queryUsersStatus(userIDs: string[]): Promise<{ userStatusList: ZIMUserStatus[]; errorUserList: ZIMErrorUserInfo[] }>;
  /** `subscriptionDuration` in minutes. */
  subscribeUsersStatus(userIDs: string[], config: { subscriptionDuration: number }): Promise<{ errorUserList: ZIMErrorUserInfo[] }>;
  unsubscribeUsersStatus(userIDs: string[]): Promise<{ errorUserList: ZIMErrorUserInfo[] }>;
  querySubscribedUserStatusList(config?: {
    userIDs?: string[];
  }): Promise<{ userStatusSubscriptionList: { userStatus: ZIMUserStatus; subscribeExpiredTime: number }[] }>;

  queryHistoryMessage(
    conversationID: string,
    conversationType: ZIMConversationType,
    config: ZIMMessageQueryConfig,
  ): Promise<ZIMMessageQueriedResult>;

  createRoom(roomInfo: ZIMRoomInfo, config?: ZIMRoomAdvancedConfig): Promise<ZIMRoomCreatedResult>;
  enterRoom(roomInfo: ZIMRoomInfo, config?: ZIMRoomAdvancedConfig): Promise<ZIMRoomEnteredResult>;
  joinRoom(roomID: string): Promise<ZIMRoomJoinedResult>;
  leaveRoom(roomID: string): Promise<ZIMRoomLeftResult>;
  queryRoomMemberList(roomID: string, config: ZIMRoomMemberQueryConfig): Promise<ZIMRoomMemberQueriedResult>;
  queryRoomMembers(userIDs: string[], roomID: string): Promise<ZIMRoomMembersQueriedResult>;
  queryRoomOnlineMemberCount(roomID: string): Promise<ZIMRoomOnlineMemberCountQueriedResult>;

  createGroup(
    groupInfo: Partial<ZIMGroupInfo>,
    userIDs: string[],
    config?: Partial<ZIMGroupAdvancedConfig>,
  ): Promise<ZIMGroupCreatedResult>;
  joinGroup(groupID: string): Promise<ZIMGroupJoinedResult>;
  leaveGroup(groupID: string): Promise<ZIMGroupLeftResult>;
  dismissGroup(groupID: string): Promise<ZIMGroupDismissedResult>;
  inviteUsersIntoGroup(userIDs: string[], groupID: string): Promise<ZIMGroupUsersInvitedResult>;
  kickGroupMembers(userIDs: string[], groupID: string): Promise<ZIMGroupMemberKickedResult>;
  queryGroupList(): Promise<ZIMGroupListQueriedResult>;
  queryGroupInfo(groupID: string): Promise<ZIMGroupInfoQueriedResult>;
  queryGroupMemberList(groupID: string, config: ZIMGroupMemberQueryConfig): Promise<ZIMGroupMemberListQueriedResult>;
  queryGroupMemberCount(groupID: string): Promise<ZIMGroupMemberCountQueriedResult>;

  /** The vendor's further methods are there and reject with 6000013 until the broker answers them. */
  [later: string]: any;
}

export default ZIM;
