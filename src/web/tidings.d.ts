// Types of the Tidings client. Names, fields and signatures are the vendor's, as its SDK had them in 2.14, so that a
// program changes its import and nothing else; what came with a later version says so, what is ours says "Our choice".
//
//   enums           the vendor's numbers by name; numbers themselves are taken everywhere, too
//   errors          ZIMError
//   config          ZIMAppConfig, ZIMLoginConfig, ZIMPushConfig …
//   users           who they are, and whether they are there
//   messages        drafts and messages by kind; sending, history, search, changes, receipts
//   conversations   the list, its queries and changes
//   rooms, groups   members, attributes, roles, mutes
//   events          ZIMEventData: what each listener gets
//   tier D          calls, friends, blacklist: names only, so that programs compile
//   instance        ZIM: statics and methods; those of tier D come last and reject with 6000013
//
// Conventions. Times are Unix milliseconds, durations say their unit, lengths are bytes of UTF-8. "Since 2.17" names the vendor's
// release that brought a member; "newer than 2.14" is one of its types of 2.29 for which no source names the release. Fields later
// than 2.14 are optional, also where this client always fills them in: a program may build such objects itself. Every method but
// the statics, `on`, `off`, `setLogConfig`, `login` and `destroy` needs a login (else 6000121); bad arguments are 6000001; a busy
// or unreachable broker is 6000005, 6000007 or 6000104.
//
// Source: the vendor's ZIM API reference, in its entry of each name, and the ZIM guide "Send and receive messages" for what messages
// carry and how they are sent, received and listed.

// ---------------------------------------------------------------- runtime

/** A class of the runtime; `any` where the program's type libraries do not know it, so that neither "dom" nor Node's are needed. */
type Runtime<Name extends string> = typeof globalThis extends Record<Name, { prototype: infer Instance }> ? Instance : any;

/** Our choice: what a file is sent from. */
export type ZIMLocalFile = Runtime<'File'> | Runtime<'Blob'> | Uint8Array | string;

// ---------------------------------------------------------------- enums

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
  GroupInfoChanged = 7, GroupMemberInfoChanged = 8, GroupMessagePinned = 9,
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

/** Who may join a group: anyone, by application (which nobody can make yet), nobody. Since 2.15. */
export declare enum ZIMGroupJoinMode { Any = 0, Auth = 1, Forbid = 2 }
/** Who may invite: every member, owner and admins. Since 2.15. */
export declare enum ZIMGroupInviteMode { Any = 0, Admin = 1 }
/** Whether the invited must agree first, which they cannot be asked yet. Since 2.15. */
export declare enum ZIMGroupBeInviteMode { None = 0, Auth = 1 }
/** Newer than 2.14. */
export declare enum ZIMConversationPinnedFilter { All = 0, OnlyPinned = 1, OnlyUnpinned = 2 }
/** Since 2.21. */
export declare enum ZIMConversationSyncState { Started = 0, Finished = 1, Failed = 2 }
/** What a tips message tells of. Since 2.15. */
export declare enum ZIMTipsMessageChangeInfoType {
  Unknown = 0, GroupDataChanged = 1, GroupNoticeChanged = 2, GroupNameChanged = 3, GroupAvatarUrlChanged = 4, GroupMuteChanged = 5,
  GroupOwnerTransferred = 10, GroupMemberRoleChanged = 11, GroupMemberMuteChanged = 12, GroupMessagePinInfoChanged = 21,
}
/** The vendor's other newer enums are types only. 1 original, 2 large image, 3 thumbnail, 4 first picture of a video. Newer than 2.14. */
export type ZIMMediaFileType = 1 | 2 | 3 | 4;
/** 0 added, 1 deleted. Newer than 2.14. */
export type ZIMMessageReactionUserChangeAction = 0 | 1;
/**
 * 1 Windows, 2 iPhone, 3 Android, 4 macOS, 5 Linux, 6 web, 7 mini-program, 9 iPad, 10 OpenHarmony, 32 unknown. Newer than 2.14.
 */
export type ZIMPlatformType = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 9 | 10 | 32;

// ---------------------------------------------------------------- errors

/**
 * One of the vendor's error numbers. A number only: the vendor's module has no such object at run time, nor has this one.
 * Source: ZIM API reference, "Error codes".
 */
export type ZIMErrorCode = number;

/** `code` and `message`: what rejected promises carry and the event `error` brings. */
export interface ZIMError {
  /** One of the vendor's error numbers, such as 6000001 for a bad argument. */
  code: ZIMErrorCode;
  /** What is wrong, naming field, value and limit. */
  message: string;
  /** Our choice: the broker could not do it now, but may later. */
  temporary?: boolean;
  /** Our choice: trying again helps after this long, milliseconds. */
  retryAfterMs?: number;
}

/** Our choice: the class of every rejection, so that `instanceof` and stack traces work. */
export declare const ZIMError: {
  new (code: ZIMErrorCode, message: string, advice?: { temporary?: boolean; retryAfterMs?: number }): ZIMError & Error;
  readonly prototype: ZIMError & Error;
};

/** One user of several for whom it failed, and the error number. */
export interface ZIMErrorUserInfo {
  userID: string;
  /** An error number: 6000204 unknown, 6000522 in it already … */
  reason: number;
}

// ---------------------------------------------------------------- config

export interface ZIMAppConfig {
  /** The application's number; this broker serves whichever it is told, one. */
  appID: number;
  /**
   * Our choice: where the broker is: `https://im.example.com`, `wss://im.example.com/ws`, `127.0.0.1:7080`; or a list of such
   * addresses, as an array or a text with commas: the next one is tried at once where one fails, and there is a wait only after
   * all have. Else `globalThis.TIDINGS_SERVER`, else the page's origin. `create` throws 6000001 for what is no address.
   */
  server?: string | readonly string[];
  /** Our choice: the SDK version this program was written for; newer features are kept from it. Default: the newest whose kinds of messages this client shows; 2.14.0 where `create` is given a number only. */
  sdkVersion?: string;
  /** Our choice: a WebSocket class, where the runtime has none of its own. */
  WebSocket?: new (url: string) => unknown;
  /** Our choice: names this device of the user, at most 64 bytes; else one per browser tab or client. */
  deviceID?: string;
  /** Our choice: the longest pause between two attempts to reconnect, milliseconds. Default 15000. */
  reconnectMaxMs?: number;
  /**
   * Our choice: after so many milliseconds without an answer, counted from the end of its upload, a send has failed. Default 30000; 0:
   * never. If the message was stored all the same, `messageSentStatusChanged` says so later.
   */
  sendTimeoutMs?: number;
  /** Our choice: what the runtime offers beside the language, where it is not found by itself. */
  platform?: ZIMPlatform | ZIMMiniProgram;
  /** Our choice: how files are uploaded, unless a send says otherwise. */
  mediaConfig?: ZIMMediaConfig;
}

/** Our choice: parts of a platform; what is left out is the runtime's own. */
export interface ZIMPlatform {
  WebSocket?: new (url: string) => unknown;
  /** As browsers have it; of the options `method`, `headers`, `body` and `signal` are used. */
  fetch?(url: string, options?: object): Promise<unknown>;
  /** Sends a file that `fileLocalPath` names, as the field `file` of a multipart body; resolves as `fetch` does. */
  uploadFile?(
    url: string,
    options: { path: string; headers: Record<string, string>; progress(sent: number, total: number): void; signal: unknown },
  ): Promise<unknown>;
  /** Downloads to a temporary file. */
  downloadFile?(
    url: string,
    options: { headers: Record<string, string>; progress?(received: number, total: number): void },
  ): Promise<{ status: number; path: string }>;
  /** Keeps drafts and who was logged in here. */
  storage?: { getItem(key: string): string | null; setItem(key: string, value: string): void };
  randomBytes?(count: number): Uint8Array;
}

/** Our choice: the object of a mini program, such as `wx`, `uni`, `my` or `tt`. */
export interface ZIMMiniProgram {
  connectSocket(options: never): unknown;
  request(options: never): unknown;
}

/** Our choice: how the file of a message is uploaded. */
export interface ZIMMediaConfig {
  /** Pictures and films keep what they say of the place they were taken at and of the camera. Default false. */
  keepOriginal?: boolean;
}

export interface ZIMLoginConfig {
  /** At most 256 bytes; empty keeps the name the broker has. */
  userName: string;
  /** Made by the application's server; good for 24 days at most. */
  token: string;
  /**
   * Without waiting for a connection, where this device knows the user: drafts and notes are there, what is sent waits, and the session
   * comes up by itself. Else it is refused with 6000001. Since 2.13.
   */
  isOfflineLogin: boolean;
}

/** Taken and ignored. */
export interface ZIMLogConfig {
  logLevel: string;
}

/** Taken and ignored: iOS only. */
export interface ZIMVoIPConfig {
  iOSVoIPHandleType: ZIMCXHandleType;
  iOSVoIPHandleValue: string;
  iOSVoIPHasVideo: boolean;
}

/**
 * How receivers that are offline are told. A message keeps all of it but `voIPConfig`; this broker itself pushes to nobody. Each text has
 * at most 1024 bytes, `badgeIncrement` is 0 to 99.
 */
export interface ZIMPushConfig {
  title: string;
  content: string;
  payload?: string;
  resourcesID?: string;
  badgeIncrement?: number;
  enableBadge?: boolean;
  voIPConfig?: ZIMVoIPConfig;
}

// ---------------------------------------------------------------- users

export interface ZIMUserInfo {
  /** At most 32 bytes. */
  userID: string;
  userName: string;
  userAvatarUrl: string;
}

export interface ZIMUserFullInfo {
  baseInfo: ZIMUserInfo;
  /** As in `baseInfo`, where versions before 2.13 have it. */
  userAvatarUrl?: string;
  /** The application's own, see `updateUserExtendedData`. */
  extendedData: string;
}

export interface ZIMUsersInfoQueryConfig {
  /** Here it is always the broker that answers. */
  isQueryFromServer: boolean;
}

export interface ZIMTokenRenewedResult {
  token: string;
}

export interface ZIMUsersInfoQueriedResult {
  userList: ZIMUserFullInfo[];
  errorUserList: ZIMErrorUserInfo[];
}

export interface ZIMUserNameUpdatedResult {
  userName: string;
}

export interface ZIMUserAvatarUrlUpdatedResult {
  userAvatarUrl: string;
}

export interface ZIMUserExtendedDataUpdatedResult {
  extendedData: string;
}

/** Whether somebody is there. Since 2.18. */
export interface ZIMUserStatus {
  userID: string;
  onlineStatus: ZIMUserOnlineStatus;
  onlinePlatforms: ZIMPlatformType[];
  customStatus: string;
  customStatusExpiredTime: number;
  lastUpdateTime: number;
  lastOnlineStatusUpdateTime: number;
  lastCustomStatusUpdateTime: number;
}

/** Since 2.18. */
export interface ZIMUserStatusSubscription {
  userStatus: ZIMUserStatus;
  subscribeExpiredTime: number;
}

/** Since 2.18. */
export interface ZIMUserStatusSubscribeConfig {
  /** Minutes. */
  subscriptionDuration: number;
}

/** Since 2.18. */
export interface ZIMSubscribedUserStatusQueryConfig {
  /** None or an empty list asks for all. */
  userIDs?: string[];
}

/** Since 2.18. */
export interface ZIMUsersStatusQueriedResult {
  userStatusList: ZIMUserStatus[];
  errorUserList: ZIMErrorUserInfo[];
}

/** Since 2.18. */
export interface ZIMUsersStatusSubscribedResult {
  errorUserList: ZIMErrorUserInfo[];
}

/** Since 2.18. */
export interface ZIMUsersStatusUnsubscribedResult {
  errorUserList: ZIMErrorUserInfo[];
}

/** Since 2.18. */
export interface ZIMSubscribedUserStatusListQueriedResult {
  userStatusSubscriptionList: ZIMUserStatusSubscription[];
}

// ---------------------------------------------------------------- messages: drafts

/** What the program fills in to send text, command, barrage and custom messages. */
export interface ZIMMessageBase {
  type: ZIMMessageType;
  /**
   * Text: 1–32768 bytes. Command: a Uint8Array of 1–5120 bytes, carried byte by byte. Barrage: 1–5120 bytes, rooms only.
   * Custom: at most 32768 bytes, never looked into.
 */
  message: string | Uint8Array;
  /** At most 1024 bytes, for the receivers. */
  extendedData?: string;
  /** At most 128 KiB, for this device alone. Since 2.9. */
  localExtendedData?: string;
  /** At most 50, in the conversation or not. Since 2.14. */
  mentionedUserIDs?: string[];
  /** Everybody else in the conversation. Since 2.14. */
  isMentionAll?: boolean;
  /** Custom: an integer of 0–200. */
  subType?: number;
  /** Custom: what a search finds it by, at most 64 bytes. */
  searchedContent?: string;
}

/** What the program fills in to send a file: one here, or one elsewhere. */
export interface ZIMMediaMessageBase {
  /**
   * Image: JPG, PNG, BMP, TIFF, GIF, WebP, HEIC, at most 10 MB. File: anything, also nothing, 100 MB. Audio: MP3, M4A, Opus in
   * WebM or Ogg, 6 MB, 300 s. Video: MP4, MOV, 100 MB. Else 6000213, 6000214, 6000215.
 */
  type: ZIMMessageType.Image | ZIMMessageType.File | ZIMMessageType.Audio | ZIMMessageType.Video;
  extendedData?: string;
  localExtendedData?: string;
  mentionedUserIDs?: string[];
  isMentionAll?: boolean;
  fileLocalPath?: Runtime<'File'>;
  /** A file elsewhere: carried as it is, neither fetched nor checked; wins over `fileLocalPath`. */
  fileDownloadUrl?: string;
  /** Image elsewhere. */
  thumbnailDownloadUrl?: string;
  /** Image elsewhere. */
  largeImageDownloadUrl?: string;
  /** Video elsewhere. */
  videoFirstFrameDownloadUrl?: string;
  fileName?: string;
  /** Our choice: a file that the broker holds already is sent by its name. */
  fileUID?: string;
  /** Audio, required: seconds, at most 300; of programs up to 2.14 also the milliseconds that the file measures. */
  audioDuration?: number;
  /** Video, required: seconds. */
  videoDuration?: number;
}

/** Our choice: the type of what is sent as one combined message; with the vendor's it takes a cast. */
export interface ZIMCombineMessageBase {
  type: ZIMMessageType.Combine;
  /** At most 20 bytes. */
  title: string;
  /** At most 100 bytes. */
  summary: string;
  /** Sent or received before: text, files, custom and combined messages; 1000 in all, nested at most 8 deep. */
  messageList: ZIMMessage[];
  /** Our choice: passes on what is there already, without `messageList`. */
  combineID?: string;
  message?: string;
  extendedData?: string;
  localExtendedData?: string;
  mentionedUserIDs?: string[];
  isMentionAll?: boolean;
}

/** Our choice: what `sendMediaMessage` takes, the file also as a Blob, bytes, or in Node a path. */
export interface ZIMMediaMessageDraft extends Omit<ZIMMediaMessageBase, 'fileLocalPath'> {
  fileLocalPath?: ZIMLocalFile;
}

/** Our choice: the name of what `sendMessage` takes. */
export type ZIMMessageDraft = ZIMMessageBase | ZIMMediaMessageDraft | ZIMCombineMessageBase;

// ---------------------------------------------------------------- messages: as sent and received

/**
 * A message on its way, sent or received. `extendedData`, `localExtendedData`, `mentionedUserIDs` and `isMentionAll` are there, at
 * "", "", [] and false, when nothing was given.
 */
export interface ZIMMessage extends ZIMMessageBase {
  /** Stays from `onMessageAttached` to the end; a list on screen tells messages apart by it. */
  localMessageID: string;
  /** The broker's, "" until it accepts the message. */
  messageID: string;
  senderUserID: string;
  /** Milliseconds; the broker's once it accepted. Not for sorting. */
  timestamp: number;
  /** Of a peer conversation: the other user, on both sides. */
  conversationID: string;
  conversationType: ZIMConversationType;
  direction: ZIMMessageDirection;
  sentStatus: ZIMMessageSentStatus;
  /** Larger is newer. */
  orderKey: number;
  /** Counts a conversation's kept messages, without gaps. */
  conversationSeq: number;
  /** The later name of `conversationSeq`. Newer than 2.14. */
  messageSeq?: number;
  /** Our choice: what the sender asked for. */
  priority?: ZIMMessagePriority;
  /** Made by `insertMessageToLocalDB`. */
  isUserInserted: boolean;
  /** Sent to everyone online. */
  isBroadcastMessage: boolean;
  /** Sent by the application's server. */
  isServerMessage: boolean;
  receiptStatus: ZIMMessageReceiptStatus;
  reactions: ZIMMessageReaction[];
  /** Of an answer: what it answers. Since 2.17. */
  repliedInfo?: ZIMMessageRepliedInfo;
  /** Of the first message of a tree of answers: how many there are. Since 2.17. */
  rootRepliedCount?: number;
  /** Since 2.20. */
  editorUserID?: string;
  /** Milliseconds. Since 2.20. */
  editedTime?: number;
  /** Since 2.25. */
  pinnedUserID?: string;
  /** Milliseconds. Since 2.26. */
  pinnedTime?: number;
}

export interface ZIMTextMessage extends ZIMMessage {
  type: ZIMMessageType.Text;
  message: string;
}

/** Online only, kept nowhere; `message` is bytes. */
export interface ZIMCommandMessage extends ZIMMessage {
  type: ZIMMessageType.Command;
  message: Uint8Array;
}

/** Rooms only; may be dropped under load, and is kept nowhere. */
export interface ZIMBarrageMessage extends ZIMMessage {
  type: ZIMMessageType.Barrage;
  message: string;
}

/** Since 2.8; to programs below it: type 0, no content. */
export interface ZIMCustomMessage extends ZIMMessage {
  type: ZIMMessageType.Custom;
  message: string;
  subType: number;
  searchedContent: string;
}

/** Several messages passed on as one. Since 2.14. */
export interface ZIMCombineMessage extends ZIMMessage {
  type: ZIMMessageType.Combine;
  title: string;
  summary: string;
  combineID: string;
  /** Empty until `queryCombineMessageDetail`. */
  messageList: ZIMMessage[];
}

/** An image, a file, audio or video. URLs of kept files bear a token that is good for a while, see `refreshMediaUrls`. */
export interface ZIMMediaMessage extends ZIMMediaMessageBase, ZIMMessage {
  type: ZIMMessageType.Image | ZIMMessageType.File | ZIMMessageType.Audio | ZIMMessageType.Video;
  /** On the sender what was given, whatever that was; on receivers "". Typed as the vendor's. */
  fileLocalPath: Runtime<'File'>;
  fileDownloadUrl: string;
  fileName: string;
  /** Bytes. */
  fileSize: number;
  fileUID: string;
}

/** Widths and heights are pixels, as shown; 0 when not known. */
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
  /** Seconds. */
  audioDuration: number;
}

/** The first picture's size is there for H.264 and H.265, else 0. */
export interface ZIMVideoMessage extends ZIMMediaMessage {
  type: ZIMMessageType.Video;
  /** Seconds. */
  videoDuration: number;
  videoFirstFrameDownloadUrl: string;
  videoFirstFrameWidth: number;
  videoFirstFrameHeight: number;
}

/** Stands in the place of a message that was taken back, under its `messageID`. Since 2.5. */
export interface ZIMRevokeMessage extends ZIMMessage {
  type: ZIMMessageType.Revoke;
  message: string;
  /** 0: a message that was taken back is of no kind of the program's. */
  subType?: number;
  revokeType: ZIMRevokeType;
  revokeStatus: ZIMMessageRevokeStatus;
  /** Milliseconds. */
  revokeTimestamp: number;
  operatedUserID: string;
  revokeExtendedData: string;
  originalMessageType: ZIMMessageType;
  /** Of a text, else "". */
  originalTextMessageContent: string;
}

/** Tells of something done in a group; the broker makes it, when it is set to. Since 2.15. */
export interface ZIMTipsMessage extends ZIMMessage {
  type: ZIMMessageType.Tips;
  /** The vendor's later ones, too: 7 group changed, 8 member changed, 9 message pinned. */
  event: ZIMTipsMessageEvent;
  operatedUser: ZIMUserInfo;
  targetUserList: ZIMUserInfo[];
  changeInfo?: ZIMTipsMessageChangeInfo;
}

/** Since 2.15. */
export interface ZIMTipsMessageChangeInfo {
  type: ZIMTipsMessageChangeInfoType;
  /** Which changed: 1 name, 2 notice, 4 avatar, added up. */
  groupDataFlag?: number;
  groupName?: string;
  groupNotice?: string;
  groupAvatarUrl?: string;
  groupMutedInfo?: ZIMGroupMuteInfo;
  memberRole?: number;
  muteExpiredTime?: number;
  /** Since 2.23. */
  groupNewOwner?: ZIMGroupMemberSimpleInfo;
  isPinned?: boolean;
}

// ---------------------------------------------------------------- messages: sending, history, search

export interface ZIMMessageSendConfig {
  /** Which go first under load: 1 low, the default, 2 medium, 3 high. */
  priority: ZIMMessagePriority;
  /** The sender wants to know who has read it. Default false. Since 2.5. */
  hasReceipt?: boolean;
  /** Whether those it mentions are told so by push. Kept with the message. Default true. Since 2.14. */
  isNotifyMentionedUsers?: boolean;
  /** Kept with the message. */
  pushConfig?: ZIMPushConfig;
  /** It counts nowhere as unread. Default false. Since 2.23. */
  disableUnreadMessageCount?: boolean;
  /** Our choice: how its file is uploaded. */
  mediaConfig?: ZIMMediaConfig;
}

export interface ZIMMessageSendNotification {
  /** With the message object that will be completed, after the checks made here and before anything is sent. */
  onMessageAttached: (message: ZIMMessage) => void;
  /** As in `ZIMMediaMessageSendNotification`. Since 2.19. */
  onMediaUploadingProgress?: ZIMMediaUploadingProgress;
}

export interface ZIMMediaMessageSendNotification {
  onMessageAttached: (message: ZIMMediaMessage) => void;
  onMediaUploadingProgress: ZIMMediaUploadingProgress;
}

/** Bytes; rises, and ends with `currentFileSize` equal to `totalFileSize`. Not for files elsewhere, nor for empty ones. */
export type ZIMMediaUploadingProgress = (message: ZIMMediaMessage, currentFileSize: number, totalFileSize: number) => void;

export interface ZIMMessageSentResult {
  /** The object that was given, completed; a copy when it had been sent before. */
  message: ZIMMessage;
}

export interface ZIMMediaMessageSentResult {
  message: ZIMMediaMessage;
}

export interface ZIMMessageInsertedResult {
  message: ZIMMessage;
}

export interface ZIMMessageLocalExtendedDataUpdatedResult {
  message: ZIMMessage;
}

/** Since 2.20. */
export interface ZIMMessageEditedResult {
  message: ZIMMessage;
}

/** Our choice: `downloadMediaFile` is of the vendor's other platforms. */
export interface ZIMMediaFileDownloadedResult {
  message: ZIMMediaMessage;
  fileType: number;
  file: Runtime<'Blob'>;
}

export interface ZIMCombineMessageDetailQueriedResult {
  message: ZIMCombineMessage;
}

export interface ZIMMessageQueryConfig {
  /** 0 and more. */
  count: number;
  /** True: from the newest, or the anchor, back. False: from the oldest, or the anchor, on. */
  reverse: boolean;
  /** The anchor, not part of the page: a message, or a copy that still has its `conversationSeq` or `orderKey`. */
  nextMessage?: ZIMMessage;
}

export interface ZIMMessageQueriedResult {
  conversationID: string;
  conversationType: ZIMConversationType;
  /** Oldest first. */
  messageList: ZIMMessage[];
}

export interface ZIMMessageDeleteConfig {
  /** False: on this device only. True: on all of this user's. Nobody else's are deleted. */
  isAlsoDeleteServerMessage: boolean;
}

export interface ZIMMessageDeletedResult extends ZIMConversationBaseInfo {}

export interface ZIMMessageSentStatusChangeInfo {
  status: ZIMMessageSentStatus;
  /** Of a failure: why; else "". */
  reason?: string;
  message: ZIMMessage;
}

/** Since 2.18. */
export interface ZIMMessageReceivedInfo {
  /** Sent while this client was away. */
  isOfflineMessage: boolean;
}

/** Since 2.9. */
export interface ZIMMessageSearchConfig {
  /** 1–5; all must be found, in any case and width. */
  keywords: string[];
  /** Empty: anybody's. */
  senderUserIDs: string[];
  /** Empty: any. */
  messageTypes: ZIMMessageType[];
  /** Of custom messages; empty: any. */
  subMessageTypes: number[];
  /** Milliseconds; 0: no bound. */
  startTime: number;
  /** Milliseconds; 0: no bound. */
  endTime: number;
  /** 0 newest first. */
  order: ZIMMessageOrder;
  /** 0 and more. */
  count: number;
  /** From the answer before. */
  nextMessage?: ZIMMessage;
}

/** Since 2.9. */
export interface ZIMConversationSearchConfig {
  keywords: string[];
  senderUserIDs: string[];
  messageTypes: ZIMMessageType[];
  subMessageTypes: number[];
  startTime: number;
  endTime: number;
  /** How many conversations a page has. */
  totalConversationCount: number;
  /** How many messages of each. */
  conversationMessageCount: number;
  nextFlag?: number;
}

export interface ZIMConversationSearchInfo {
  conversationID: string;
  conversationType: ZIMConversationType;
  /** How many were found, shown or not. */
  totalMessageCount: number;
  messageList: ZIMMessage[];
}

export interface ZIMMessagesSearchedResult extends ZIMMessageQueriedResult {
  /** Where to go on; none: it was all. */
  nextMessage?: ZIMMessage;
}

export interface ZIMMessagesGlobalSearchedResult {
  messageList: ZIMMessage[];
  nextMessage?: ZIMMessage;
}

export interface ZIMConversationsSearchedResult {
  conversationSearchInfoList: ZIMConversationSearchInfo[];
  /** 0: it was all. */
  nextFlag?: number;
}

// ---------------------------------------------------------------- messages: after sending

export interface ZIMMessageRevokeConfig {
  /** At most 200 bytes, for the others. */
  revokeExtendedData?: string;
  /** Taken and ignored. */
  pushConfig?: ZIMPushConfig;
}

export interface ZIMMessageRevokedResult {
  message: ZIMRevokeMessage;
}

/** Since 2.10. */
export interface ZIMMessageReaction {
  conversationID: string;
  conversationType: ZIMConversationType;
  messageID: string;
  reactionType: string;
  isSelfIncluded: boolean;
  totalCount: number;
  /** As `totalCount`: each user counts once per reaction. Since 2.28. */
  sumCount?: number;
  /** Five at most; `queryMessageReactionUserList` has all. */
  userList: ZIMMessageReactionUserInfo[];
}

export interface ZIMMessageReactionUserInfo {
  userID: string;
}

export interface ZIMMessageReactionUserQueryConfig {
  reactionType: string;
  /** 0 and more. */
  count: number;
  /** 0, or from the answer before. */
  nextFlag: number;
}

export interface ZIMMessageReactionAddedResult {
  reaction: ZIMMessageReaction;
}

export interface ZIMMessageReactionDeletedResult {
  reaction: ZIMMessageReaction;
}

export interface ZIMMessageReactionUserListQueriedResult {
  totalCount: number;
  /** 0: it was all. */
  nextFlag: number;
  reactionType: string;
  userList: ZIMMessageReactionUserInfo[];
  message: ZIMMessage;
}

/** Newer than 2.14. */
export interface ZIMMessageReactionUserChangeInfo {
  userID: string;
  reactionType: string;
  action: ZIMMessageReactionUserChangeAction;
  sumCount: number;
}

/** Newer than 2.14. */
export interface ZIMMessageReactionChangeInfo {
  message: ZIMMessage;
  userChangeInfoList: ZIMMessageReactionUserChangeInfo[];
}

/** What a message quotes. Since 2.17. */
export interface ZIMMessageRepliedInfo {
  state: ZIMMessageRepliedInfoState;
  messageInfo: ZIMMessageLiteInfo;
  senderUserID: string;
  /** Milliseconds. */
  sentTime: number;
  messageID: string;
  messageSeq: number;
  /** The first message of the tree; "" and 0 where the broker does not say. */
  rootMessageID?: string;
  rootMessageSeq?: number;
}

/** A message's content in short; which fields there are goes by `type`. Since 2.17. */
export interface ZIMMessageLiteInfo {
  type: ZIMMessageType;
  message?: string;
  subType?: number;
  searchedContent?: string;
  title?: string;
  summary?: string;
  fileName?: string;
  fileSize?: number;
  fileDownloadUrl?: string;
  thumbnailDownloadUrl?: string;
  largeImageDownloadUrl?: string;
  originalImageWidth?: number;
  originalImageHeight?: number;
  largeImageWidth?: number;
  largeImageHeight?: number;
  thumbnailWidth?: number;
  thumbnailHeight?: number;
  audioDuration?: number;
  videoDuration?: number;
  videoFirstFrameDownloadUrl?: string;
  videoFirstFrameWidth?: number;
  videoFirstFrameHeight?: number;
}

/** Since 2.17. */
export interface ZIMMessageRepliedListQueryConfig {
  /** 0 and more. */
  count: number;
  /** 0, or from the answer before. */
  nextFlag: number;
}

/** Since 2.17. */
export interface ZIMMessageRootRepliedInfo {
  state: ZIMMessageRepliedInfoState;
  message?: ZIMMessage;
  senderUserID: string;
  sentTime: number;
  repliedCount: number;
}

/** Since 2.17. */
export interface ZIMMessageRepliedListQueriedResult {
  messageList: ZIMMessage[];
  /** 0: it was all. */
  nextFlag: number;
  rootRepliedInfo: ZIMMessageRootRepliedInfo;
}

/** Since 2.17. */
export interface ZIMMessageRootRepliedCountInfo {
  conversationID: string;
  conversationType: ZIMConversationType;
  messageID: string;
  count: number;
}

/** Since 2.25. */
export interface ZIMMessagePinConfig {
  /** True: the eleventh is refused with 6000287; false: the oldest gives way. */
  disableAutoReplace: boolean;
}

/** Since 2.25. */
export interface ZIMPinnedMessageListQueriedResult {
  /** The last pinned first. */
  messageList: ZIMMessage[];
}

/** Since 2.25. */
export interface ZIMMessagePinStatusChangeInfo {
  pinStatus: ZIMMessagePinStatus;
  message: ZIMMessage;
}

/** Who has read a message. Since 2.5. */
export interface ZIMMessageReceiptInfo {
  conversationID: string;
  conversationType: ZIMConversationType;
  messageID: string;
  status: ZIMMessageReceiptStatus;
  /** Of own messages; else 0. */
  readMemberCount: number;
  /** Of own messages; else 0. */
  unreadMemberCount: number;
  /** It was another device of this user that read it. */
  isSelfOperated: boolean;
  /** Milliseconds. Since 2.22. */
  readTime?: number;
}

export interface ZIMMessageReceiptsReadSentResult {
  conversationID: string;
  conversationType: ZIMConversationType;
  /** Those that could not be confirmed. */
  errorMessageIDs: string[];
}

export interface ZIMConversationMessageReceiptReadSentResult extends ZIMConversationBaseInfo {}

export interface ZIMMessageReceiptsInfoQueriedResult {
  infos: ZIMMessageReceiptInfo[];
  errorMessageIDs: string[];
}

export interface ZIMGroupMessageReceiptMemberQueryConfig {
  /** 0 and more. */
  count: number;
  /** 0, or from the answer before. */
  nextFlag: number;
}

export interface ZIMGroupMessageReceiptMemberListQueriedResult {
  groupID: string;
  /** 0: it was all. */
  nextFlag: number;
  userList: ZIMGroupMemberInfo[];
}

// ---------------------------------------------------------------- conversations

/** Names a conversation. Since 2.17. */
export interface ZIMConversationBaseInfo {
  conversationID: string;
  conversationType: ZIMConversationType;
}

/** Our choice: the earlier name of `ZIMConversationBaseInfo` in this file. */
export type ZIMConversationBaseResult = ZIMConversationBaseInfo;

/** An entry of the list: a peer conversation or a group, never a room. */
export interface ZIMConversation {
  conversationID: string;
  conversationName: string;
  conversationAlias: string;
  conversationAvatarUrl: string;
  type: ZIMConversationType;
  unreadMessageCount: number;
  /** Larger is newer. */
  orderKey: number;
  /** 2, do not disturb: it counts for itself and not in the total. */
  notificationStatus: ZIMConversationNotificationStatus;
  isPinned: boolean;
  /** This device's own. */
  draft: string;
  lastMessage?: ZIMMessage;
  /** By whom this user was mentioned since the unread count was cleared. Always there. */
  mentionedInfoList?: ZIMMessageMentionedInfo[];
  /** Milliseconds. Since 2.26. */
  pinnedTime?: number;
  /** Numbers the application chose, see `setConversationMark`. Since 2.17. */
  marks?: number[];
  /** Of a group this user is not in any more. */
  isDisabled?: boolean;
  /** Milliseconds: until when one may not write; 0: not muted. */
  mutedExpiredTime?: number;
}

export interface ZIMMessageMentionedInfo {
  type: ZIMMessageMentionedType;
  fromUserID: string;
  messageID: string;
  /** Newer than 2.14. */
  messageSeq?: number;
}

export interface ZIMConversationChangeInfo {
  event: ZIMConversationEvent;
  conversation: ZIMConversation;
}

export interface ZIMConversationQueryConfig {
  /** 0 and more. */
  count: number;
  /** The last one already held. */
  nextConversation?: ZIMConversation;
}

/** Which conversations a list has; what is left out or empty does not choose. Newer than 2.14. */
export interface ZIMConversationFilterOption {
  conversationTypes?: ZIMConversationType[];
  /** One of these is enough. */
  marks?: number[];
  isOnlyUnreadConversation?: boolean;
  /** Newer than 2.14. */
  pinnedFilter?: ZIMConversationPinnedFilter;
}

/** Since 2.17. */
export interface ZIMConversationTotalUnreadMessageCountQueryConfig {
  conversationTypes?: ZIMConversationType[];
  marks?: number[];
}

export interface ZIMConversationDeleteConfig {
  /** False: on this device only. */
  isAlsoDeleteServerConversation: boolean;
}

export interface ZIMConversationListQueriedResult {
  /** Pinned ones first, then by `orderKey`, the larger first. */
  conversationList: ZIMConversation[];
}

export interface ZIMConversationPinnedListQueriedResult {
  conversationList: ZIMConversation[];
}

export interface ZIMConversationQueriedResult {
  conversation: ZIMConversation;
}

export interface ZIMConversationDeletedResult extends ZIMConversationBaseInfo {}
export interface ZIMConversationNotificationStatusSetResult extends ZIMConversationBaseInfo {}
export interface ZIMConversationUnreadMessageCountClearedResult extends ZIMConversationBaseInfo {}
export interface ZIMConversationPinnedStateUpdatedResult extends ZIMConversationBaseInfo {}
export interface ZIMConversationDraftSetResult extends ZIMConversationBaseInfo {}

/** Since 2.17. */
export interface ZIMConversationTotalUnreadMessageCountQueriedResult {
  unreadMessageCount: number;
}

/** Since 2.17. */
export interface ZIMConversationMarkSetResult {
  failedConversationInfos: ZIMConversationBaseInfo[];
}

// ---------------------------------------------------------------- rooms

export interface ZIMRoomInfo {
  /** At most 128 bytes. */
  roomID: string;
  /** At most 64 bytes. */
  roomName: string;
}

export interface ZIMRoomFullInfo {
  baseInfo: ZIMRoomInfo;
}

export interface ZIMRoomMemberInfo {
  userID: string;
  userName: string;
  userAvatarUrl: string;
}

export interface ZIMRoomOperatedInfo {
  userID: string;
}

export interface ZIMRoomAdvancedConfig {
  /** At most 20; keys of 16 bytes, values of 1024, 5120 in all. */
  roomAttributes: Record<string, string>;
  /** Seconds that the empty room stays, 0–10800. */
  roomDestroyDelayTime: number;
}

export interface ZIMRoomMemberQueryConfig {
  /** 0 and more. */
  count: number;
  /** "", or from the answer before. */
  nextFlag: string;
}

export interface ZIMRoomCreatedResult {
  roomInfo: ZIMRoomFullInfo;
}

export interface ZIMRoomEnteredResult {
  roomInfo: ZIMRoomFullInfo;
}

export interface ZIMRoomJoinedResult {
  roomInfo: ZIMRoomFullInfo;
}

/** Since 2.18. */
export interface ZIMRoomSwitchedResult {
  roomInfo: ZIMRoomFullInfo;
}

export interface ZIMRoomLeftResult {
  roomID: string;
}

/** Since 2.15. */
export interface ZIMRoomAllLeftResult {
  roomIDs: string[];
}

export interface ZIMRoomMemberQueriedResult {
  roomID: string;
  memberList: ZIMUserInfo[];
  /** "": it was all. */
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

/** Since 1.3. */
export interface ZIMRoomAttributesSetConfig {
  /** Also keys that somebody else owns. Default false. */
  isForce: boolean;
  /** The keys become this user's. Default false. */
  isUpdateOwner: boolean;
  /** The keys go when their owner leaves. Default false. */
  isDeleteAfterOwnerLeft: boolean;
}

export interface ZIMRoomAttributesBatchOperationConfig {
  isForce: boolean;
  isUpdateOwner: boolean;
  isDeleteAfterOwnerLeft: boolean;
}

export interface ZIMRoomAttributesDeleteConfig {
  /** Also keys that somebody else owns. Default false. */
  isForce: boolean;
}

export interface ZIMRoomAttributesUpdateInfo {
  action: ZIMRoomAttributesUpdateAction;
  roomAttributes: Record<string, string>;
}

export interface ZIMRoomAttributesOperatedResult {
  roomID: string;
  /** Those of which it was not possible; all of them: 6000331. */
  errorKeys: string[];
}

export interface ZIMRoomAttributesQueriedResult {
  roomID: string;
  roomAttributes: Record<string, string>;
}

export interface ZIMRoomAttributesBatchOperatedResult {
  roomID: string;
}

export interface ZIMRoomMemberAttributesSetConfig {
  /** They go when the member leaves. Default true. */
  isDeleteAfterOwnerLeft: boolean;
}

export interface ZIMRoomMemberAttributesQueryConfig {
  /** 0 and more. */
  count: number;
  /** "", or from the answer before. */
  nextFlag: string;
}

export interface ZIMRoomMemberAttributesInfo {
  userID: string;
  attributes: Record<string, string>;
}

export interface ZIMRoomMemberAttributesOperatedInfo {
  attributesInfo: ZIMRoomMemberAttributesInfo;
  errorKeys: string[];
}

export interface ZIMRoomMemberAttributesUpdateInfo {
  attributesInfo: ZIMRoomMemberAttributesInfo;
}

export interface ZIMRoomMembersAttributesOperatedResult {
  roomID: string;
  infos: ZIMRoomMemberAttributesOperatedInfo[];
  /** Only their IDs, here. */
  errorUserList: string[];
}

export interface ZIMRoomMembersAttributesQueriedResult {
  roomID: string;
  infos: ZIMRoomMemberAttributesInfo[];
}

export interface ZIMRoomMemberAttributesListQueriedResult {
  roomID: string;
  infos: ZIMRoomMemberAttributesInfo[];
  /** "": it was all. */
  nextFlag: string;
}

// ---------------------------------------------------------------- groups

export interface ZIMGroupInfo {
  /** At most 32 bytes, not starting with "#"; "" lets the broker make one, which does. */
  groupID: string;
  /** At most 100 bytes. */
  groupName: string;
  /** At most 500 bytes. */
  groupAvatarUrl: string;
}

/** Who may not send. Since 2.14. */
export interface ZIMGroupMuteInfo {
  /** 0 nobody, 1 ordinary members, 2 all but the owner, 3 those of `roles`. */
  mode: ZIMGroupMuteMode;
  /** Milliseconds; −1: for ever; 0: not muted. */
  expiredTime: number;
  roles: number[];
}

/** Who may join and invite. Since 2.15. */
export interface ZIMGroupVerifyInfo {
  joinMode: ZIMGroupJoinMode;
  inviteMode: ZIMGroupInviteMode;
  beInviteMode: ZIMGroupBeInviteMode;
}

export interface ZIMGroup {
  baseInfo: ZIMGroupInfo;
  notificationStatus: ZIMGroupMessageNotificationStatus;
}

export interface ZIMGroupFullInfo {
  baseInfo: ZIMGroupInfo;
  /** At most 300 bytes. */
  groupNotice: string;
  /** At most 10; keys of 16 bytes, values of 1024. */
  groupAttributes: Record<string, string>;
  notificationStatus: ZIMGroupMessageNotificationStatus;
  mutedInfo: ZIMGroupMuteInfo;
  /** This user's own name for the group; there is none yet. Since 2.18. */
  groupAlias?: string;
  /** Milliseconds. Newer than 2.14. */
  createTime?: number;
  /** Newer than 2.14. */
  maxMemberCount?: number;
  /** Since 2.15. */
  verifyInfo?: ZIMGroupVerifyInfo;
}

/** Newer than 2.14. */
export interface ZIMGroupMemberSimpleInfo extends ZIMUserInfo {
  memberNickname: string;
  memberRole: number;
}

export interface ZIMGroupMemberInfo extends ZIMUserInfo {
  memberNickname: string;
  /** 1 owner, 2 admin, 3 member; others are the application's. */
  memberRole: number;
  /** Milliseconds; −1: for ever; 0: not muted. */
  muteExpiredTime: number;
  /** The user's picture, unless the group has another of this member. */
  memberAvatarUrl?: string;
  /** When and how the member came in; 0 where it is not known. Since 2.15. */
  groupEnterInfo?: ZIMGroupEnterInfo;
}

/** Since 2.15. */
export interface ZIMGroupEnterInfo {
  /** Milliseconds. */
  enterTime: number;
  enterType: number;
}

/** Who did it. */
export interface ZIMGroupOperatedInfo {
  userID: string;
  userName: string;
  memberNickname: string;
  memberRole: number;
  /** The same as a member, as in older programs. */
  operatedUserInfo?: ZIMGroupMemberInfo;
}

export interface ZIMGroupAttributesUpdateInfo {
  action: ZIMGroupAttributesUpdateAction;
  groupAttributes: Record<string, string>;
}

export interface ZIMGroupAdvancedConfig {
  groupNotice: string;
  groupAttributes: Record<string, string>;
  /** 0: the broker's limit. Newer than 2.14. */
  maxMemberCount?: number;
  /** Since 2.15. */
  joinMode?: ZIMGroupJoinMode;
  /** Since 2.15. */
  inviteMode?: ZIMGroupInviteMode;
  /** Since 2.15. */
  beInviteMode?: ZIMGroupBeInviteMode;
}

export interface ZIMGroupMemberQueryConfig {
  /** 0 and more. */
  count: number;
  /** 0, or from the answer before. */
  nextFlag: number;
}

export interface ZIMGroupMuteConfig {
  mode: ZIMGroupMuteMode;
  /** Seconds, at most 2592000; −1: for ever. */
  duration: number;
  /** With mode 3: at most 20. */
  roles: number[];
}

export interface ZIMGroupMemberMuteConfig {
  /** Seconds, at most 604800; −1: for ever. */
  duration: number;
}

/** Since 2.9. */
export interface ZIMGroupSearchConfig {
  /** 1–5; all must be found. */
  keywords: string[];
  isAlsoMatchGroupMemberUserName: boolean;
  isAlsoMatchGroupMemberNickname: boolean;
  count: number;
  nextFlag: number;
}

/** Since 2.9. */
export interface ZIMGroupMemberSearchConfig {
  keywords: string[];
  isAlsoMatchGroupMemberNickname: boolean;
  count: number;
  nextFlag: number;
}

export interface ZIMGroupSearchInfo {
  groupInfo: ZIMGroupInfo;
  /** The members that were found. */
  userList: ZIMGroupMemberInfo[];
}

export interface ZIMGroupCreatedResult {
  groupInfo: ZIMGroupFullInfo;
  userList: ZIMGroupMemberInfo[];
  errorUserList: ZIMErrorUserInfo[];
}

export interface ZIMGroupJoinedResult {
  groupInfo: ZIMGroupFullInfo;
}

export interface ZIMGroupInfoQueriedResult {
  groupInfo: ZIMGroupFullInfo;
}

export interface ZIMGroupLeftResult {
  groupID: string;
}

export interface ZIMGroupDismissedResult {
  groupID: string;
}

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
  /** 0: it was all. */
  nextFlag: number;
  userList: ZIMGroupMemberInfo[];
}

export interface ZIMGroupMemberCountQueriedResult {
  groupID: string;
  count: number;
}

export interface ZIMGroupMemberInfoQueriedResult {
  groupID: string;
  userInfo: ZIMGroupMemberInfo;
}

export interface ZIMGroupNameUpdatedResult {
  groupID: string;
  groupName: string;
}

export interface ZIMGroupNoticeUpdatedResult {
  groupID: string;
  groupNotice: string;
}

export interface ZIMGroupAvatarUrlUpdatedResult {
  groupID: string;
  groupAvatarUrl: string;
}

export interface ZIMGroupAttributesOperatedResult {
  groupID: string;
  errorKeys: string[];
}

export interface ZIMGroupAttributesQueriedResult {
  groupID: string;
  groupAttributes: Record<string, string>;
}

export interface ZIMGroupOwnerTransferredResult {
  groupID: string;
  toUserID: string;
}

export interface ZIMGroupMemberNicknameUpdatedResult {
  groupID: string;
  forUserID: string;
  nickname: string;
}

export interface ZIMGroupMemberRoleUpdatedResult {
  groupID: string;
  forUserID: string;
  role: number;
}

/** Since 2.15. */
export interface ZIMGroupJoinModeUpdatedResult {
  groupID: string;
  mode: ZIMGroupJoinMode;
}

/** Since 2.15. */
export interface ZIMGroupInviteModeUpdatedResult {
  groupID: string;
  mode: ZIMGroupInviteMode;
}

/** Since 2.15. */
export interface ZIMGroupBeInviteModeUpdatedResult {
  groupID: string;
  mode: ZIMGroupBeInviteMode;
}

export interface ZIMGroupMutedResult {
  groupID: string;
  isMute: boolean;
  mutedInfo: ZIMGroupMuteInfo;
}

export interface ZIMGroupMembersMutedResult {
  groupID: string;
  isMute: boolean;
  duration: number;
  mutedUserIDs: string[];
  errorUserList: ZIMErrorUserInfo[];
}

export interface ZIMGroupMemberMutedListQueriedResult {
  groupID: string;
  /** 0: it was all. */
  nextFlag: number;
  userList: ZIMGroupMemberInfo[];
}

export interface ZIMGroupsSearchedResult {
  /** 0: it was all. */
  nextFlag: number;
  groupSearchInfoList: ZIMGroupSearchInfo[];
}

export interface ZIMGroupMembersSearchedResult {
  groupID: string;
  /** 0: it was all. */
  nextFlag: number;
  userList: ZIMGroupMemberInfo[];
}

// ---------------------------------------------------------------- events: payloads

export interface ZIMEventOfConnectionStateChangedResult {
  state: ZIMConnectionState;
  event: ZIMConnectionEvent;
  /** JSON; "{}". */
  extendedData: string;
}

export interface ZIMEventOfTokenWillExpireResult {
  /** How many seconds the token is still good for. */
  second: number;
}

export interface ZIMEventOfUserInfoUpdatedResult {
  info: ZIMUserFullInfo;
}

/** Since 2.18. */
export interface ZIMEventOfUserStatusUpdatedResult {
  userStatusList: ZIMUserStatus[];
}

export interface ZIMEventOfConversationsAllDeletedResult {
  count: number;
}

export interface ZIMEventOfConversationChangedResult {
  infoList: ZIMConversationChangeInfo[];
}

export interface ZIMEventOfConversationTotalUnreadMessageCountUpdatedResult {
  totalUnreadMessageCount: number;
}

/** Since 2.21. */
export interface ZIMEventOfConversationSyncStateChangedResult {
  state: ZIMConversationSyncState;
}

export interface ZIMEventOfReceiveConversationMessageResult {
  /** Of one conversation, oldest first. */
  messageList: ZIMMessage[];
  /** The peer's userID, the groupID or the roomID. */
  fromConversationID: string;
}

/** Since 2.18. */
export interface ZIMEventOfConversationMessageReceivedResult extends ZIMEventOfReceiveConversationMessageResult {
  info: ZIMMessageReceivedInfo;
}

export interface ZIMEventOfBroadcastMessageReceivedResult {
  message: ZIMMessage;
}

export interface ZIMEventOfMessageSentStatusChangedResult {
  infos: ZIMMessageSentStatusChangeInfo[];
}

export interface ZIMEventOfMessageReceiptChangedResult {
  infos: ZIMMessageReceiptInfo[];
}

export interface ZIMEventOfMessageRevokeReceivedResult {
  messageList: ZIMRevokeMessage[];
}

export interface ZIMEventOfMessageReactionsChangedResult {
  reactions: ZIMMessageReaction[];
  /** Newer than 2.14. */
  changeInfoList?: ZIMMessageReactionChangeInfo[];
}

export interface ZIMEventOfMessageDeletedResult {
  conversationID: string;
  conversationType: ZIMConversationType;
  /** As `messageDeleteType` 1. */
  isDeleteConversationAllMessage: boolean;
  /** Empty with `messageDeleteType` 1 and 2. */
  messageList: ZIMMessage[];
  messageDeleteType: ZIMMessageDeleteType;
}

/** Since 2.17. */
export interface ZIMEventOfMessageListChangedResult {
  messageList: ZIMMessage[];
}

/** Since 2.17. */
export interface ZIMEventOfMessageRepliedCountChangedResult {
  infos: ZIMMessageRootRepliedCountInfo[];
}

/** Since 2.25. */
export interface ZIMEventOfMessagePinStatusChangedResult {
  infos: ZIMMessagePinStatusChangeInfo[];
}

export interface ZIMEventOfRoomStateChangedResult {
  roomID: string;
  state: ZIMRoomState;
  event: ZIMRoomEvent;
  /** JSON; "{}". */
  extendedData: string;
}

export interface ZIMEventOfRoomMemberChangedResult {
  roomID: string;
  memberList: ZIMUserInfo[];
}

export interface ZIMEventOfRoomAttributesUpdatedResult {
  roomID: string;
  infos: ZIMRoomAttributesUpdateInfo[];
}

export interface ZIMEventOfRoomMembersAttributesUpdatedResult {
  roomID: string;
  infos: ZIMRoomMemberAttributesUpdateInfo[];
  operatedInfo: ZIMRoomOperatedInfo;
}

export interface ZIMEventOfGroupStateChangedResult {
  state: ZIMGroupState;
  event: ZIMGroupEvent;
  groupInfo: ZIMGroupFullInfo;
  operatedInfo: ZIMGroupOperatedInfo;
}

export interface ZIMEventOfGroupNameUpdatedResult {
  groupID: string;
  groupName: string;
  operatedInfo: ZIMGroupOperatedInfo;
}

export interface ZIMEventOfGroupNoticeUpdatedResult {
  groupID: string;
  groupNotice: string;
  operatedInfo: ZIMGroupOperatedInfo;
}

export interface ZIMEventOfGroupAvatarUrlUpdatedResult {
  groupID: string;
  groupAvatarUrl: string;
  operatedInfo: ZIMGroupOperatedInfo;
}

export interface ZIMEventOfGroupAttributesUpdatedResult {
  groupID: string;
  infoList: ZIMGroupAttributesUpdateInfo[];
  operatedInfo: ZIMGroupOperatedInfo;
}

export interface ZIMEventOfGroupMutedInfoUpdatedResult {
  groupID: string;
  mutedInfo: ZIMGroupMuteInfo;
  operatedInfo: ZIMGroupOperatedInfo;
}

/** Since 2.15. */
export interface ZIMEventOfGroupVerifyInfoUpdatedResult {
  groupID: string;
  verifyInfo: ZIMGroupVerifyInfo;
  operatedInfo: ZIMGroupOperatedInfo;
}

export interface ZIMEventOfGroupMemberStateChangedResult {
  groupID: string;
  state: ZIMGroupMemberState;
  event: ZIMGroupMemberEvent;
  userList: ZIMGroupMemberInfo[];
  operatedInfo: ZIMGroupOperatedInfo;
}

export interface ZIMEventOfGroupMemberInfoUpdatedResult {
  groupID: string;
  userList: ZIMGroupMemberInfo[];
  operatedInfo: ZIMGroupOperatedInfo;
}

/**
 * Our choice: how many members came to a room and left it since the last such event, without having been told by name, and how many are
 * inside now.
 */
export interface ZIMEventOfRoomMembersCountedResult {
  roomID: string;
  joinedCount: number;
  leftCount: number;
  memberCount: number;
}

/** Our choice: how many messages were dropped under load since the last such event, by priority; commands apart. */
export interface ZIMEventOfBarrageDroppedResult {
  low: number;
  medium: number;
  high: number;
  command: number;
  /** What this room dropped for all its members; else what was dropped for this session. */
  roomID?: string;
}

/** A message names this user from a conversation that it is not in: `message.conversationID` is that conversation's. */
export interface ZIMEventOfMentionReceivedResult {
  message: ZIMMessage;
}

// ---------------------------------------------------------------- events

/** Event name → what its listener gets. */
export interface ZIMEventData {
  /** Something failed that no call asked for. */
  error: ZIMError;
  /** Source: ZIM guide "Send and receive messages". */
  connectionStateChanged: ZIMEventOfConnectionStateChangedResult;
  /** 30 s before the token ends, or at once; answer with `renewToken`. */
  tokenWillExpire: ZIMEventOfTokenWillExpireResult;

  /** Text, files, command and all else from a peer, while connected. */
  receivePeerMessage: ZIMEventOfReceiveConversationMessageResult;
  /** Source: ZIM guide "Send and receive messages". */
  receiveGroupMessage: ZIMEventOfReceiveConversationMessageResult;
  /** Source: ZIM guide "Send and receive messages". */
  receiveRoomMessage: ZIMEventOfReceiveConversationMessageResult;
  /** As `receivePeerMessage`, and at login also what came while away. Listen to one of the two. Since 2.18. */
  peerMessageReceived: ZIMEventOfConversationMessageReceivedResult;
  /** Since 2.18. */
  groupMessageReceived: ZIMEventOfConversationMessageReceivedResult;
  /** Since 2.18. */
  roomMessageReceived: ZIMEventOfConversationMessageReceivedResult;
  /** To everyone online: one message, in no conversation, not kept. Since 2.10. */
  broadcastMessageReceived: ZIMEventOfBroadcastMessageReceivedResult;
  /** Own messages: sending, then sent or failed. Since 2.6. */
  messageSentStatusChanged: ZIMEventOfMessageSentStatusChangedResult;
  /** To the sender, and to the reader's other devices. Since 2.5. */
  messageReceiptChanged: ZIMEventOfMessageReceiptChangedResult;
  /** The same for everything up to now; `messageID` is empty. Since 2.5. */
  conversationMessageReceiptChanged: ZIMEventOfMessageReceiptChangedResult;
  /** Each stands in the place of the message with its `messageID`. Since 2.5. */
  messageRevokeReceived: ZIMEventOfMessageRevokeReceivedResult;
  /** Since 2.10. */
  messageReactionsChanged: ZIMEventOfMessageReactionsChangedResult;
  /** By this user on another device. */
  messageDeleted: ZIMEventOfMessageDeletedResult;
  /** What these messages quote was changed. Since 2.17. */
  messageRepliedInfoChanged: ZIMEventOfMessageListChangedResult;
  /** Since 2.17. */
  messageRepliedCountChanged: ZIMEventOfMessageRepliedCountChangedResult;
  /** Since 2.20. */
  messageEdited: ZIMEventOfMessageListChangedResult;
  /** Since 2.25. */
  messagePinStatusChanged: ZIMEventOfMessagePinStatusChangedResult;

  /** New messages, counts, mentions, pins, drafts. */
  conversationChanged: ZIMEventOfConversationChangedResult;
  /** Without conversations that are not to disturb. */
  conversationTotalUnreadMessageCountUpdated: ZIMEventOfConversationTotalUnreadMessageCountUpdatedResult;
  /** By this user on another device. Since 2.12. */
  conversationsAllDeleted: ZIMEventOfConversationsAllDeletedResult;
  /** The list is asked for whenever it is wanted, so this does not happen. Since 2.21. */
  conversationSyncStateChanged: ZIMEventOfConversationSyncStateChangedResult;

  /** This user's own place in a room. */
  roomStateChanged: ZIMEventOfRoomStateChangedResult;
  /** Others, several at a time. */
  roomMemberJoined: ZIMEventOfRoomMemberChangedResult;
  roomMemberLeft: ZIMEventOfRoomMemberChangedResult;
  /** Our choice: of huge rooms, once a second at most, those who came and went beyond what is told by name. */
  roomMembersCounted: ZIMEventOfRoomMembersCountedResult;
  /** Also what there is, right after entering. Since 1.3. */
  roomAttributesUpdated: ZIMEventOfRoomAttributesUpdatedResult;
  /** Once per batch. Since 1.3. */
  roomAttributesBatchUpdated: ZIMEventOfRoomAttributesUpdatedResult;
  /** Since 2.4. */
  roomMemberAttributesUpdated: ZIMEventOfRoomMembersAttributesUpdatedResult;

  /** This user's own membership. */
  groupStateChanged: ZIMEventOfGroupStateChangedResult;
  groupNameUpdated: ZIMEventOfGroupNameUpdatedResult;
  groupNoticeUpdated: ZIMEventOfGroupNoticeUpdatedResult;
  /** Since 2.3. */
  groupAvatarUrlUpdated: ZIMEventOfGroupAvatarUrlUpdatedResult;
  groupAttributesUpdated: ZIMEventOfGroupAttributesUpdatedResult;
  /** Since 2.14. */
  groupMutedInfoUpdated: ZIMEventOfGroupMutedInfoUpdatedResult;
  /** Since 2.15. */
  groupVerifyInfoUpdated: ZIMEventOfGroupVerifyInfoUpdatedResult;
  /** Others joined, were invited, left or were removed. */
  groupMemberStateChanged: ZIMEventOfGroupMemberStateChangedResult;
  /** Role, nickname, mute. */
  groupMemberInfoUpdated: ZIMEventOfGroupMemberInfoUpdatedResult;

  /** This user's own, changed on another device. */
  userInfoUpdated: ZIMEventOfUserInfoUpdatedResult;
  /** Of users subscribed to. Since 2.18. */
  userStatusUpdated: ZIMEventOfUserStatusUpdatedResult;

  /** Our choice: too much was missed to be replayed after a reconnect; ask for history. */
  resyncRequired: Record<string, never>;
  /** Our choice: nothing is dropped without being told. */
  barrageDropped: ZIMEventOfBarrageDroppedResult;
  /** Our choice: who is named without being in the conversation sees that message and no more. */
  mentionReceived: ZIMEventOfMentionReceivedResult;

  // Tier D: these do not happen.
  callInvitationCreated: ZIMEventOfCallInvitationCreatedResult;
  callInvitationReceived: ZIMEventOfCallInvitationReceivedResult;
  callInvitationCancelled: ZIMEventOfCallInvitationCancelledResult;
  callInvitationAccepted: ZIMEventOfCallInvitationAcceptedResult;
  callInvitationRejected: ZIMEventOfCallInvitationRejectedResult;
  callInvitationTimeout: ZIMEventOfCallInvitationTimeoutResult;
  callInvitationEnded: ZIMEventOfCallInvitationEndedResult;
  callInviteesAnsweredTimeout: ZIMEventOfCallInviteesAnsweredTimeoutResult;
  callUserStateChanged: ZIMEventOfCallUserStateChangedResult;
  friendListChanged: ZIMEventOfFriendListChangedResult;
  friendInfoUpdated: ZIMEventOfFriendInfoUpdatedResult;
  friendApplicationListChanged: ZIMEventOfFriendApplicationListChangedResult;
  friendApplicationUpdated: ZIMEventOfFriendApplicationUpdatedResult;
  blacklistChanged: ZIMEventOfBlacklistChangedResult;
  userRuleUpdated: ZIMTierD;
  groupAliasUpdated: ZIMTierD;
  groupApplicationListChanged: ZIMTierD;
  groupApplicationUpdated: ZIMTierD;
  experimentalEventReceived: ZIMTierD;
}

/** Event name → its listener. */
export type ZIMEventHandler = { [Event in keyof ZIMEventData]: (zim: ZIM, data: ZIMEventData[Event]) => void };

// ---------------------------------------------------------------- tier D

/** An object of what this broker does not do: open, so that programs that build or read one compile. */
export type ZIMTierD = any;

export type ZIMCallUserInfo = ZIMTierD;
export type ZIMCallInfo = ZIMTierD;
export type ZIMCallInviteConfig = ZIMTierD;
export type ZIMCallCancelConfig = ZIMTierD;
export type ZIMCallAcceptConfig = ZIMTierD;
export type ZIMCallRejectConfig = ZIMTierD;
export type ZIMCallingInviteConfig = ZIMTierD;
export type ZIMCallQuitConfig = ZIMTierD;
export type ZIMCallJoinConfig = ZIMTierD;
export type ZIMCallEndConfig = ZIMTierD;
export type ZIMCallInvitationQueryConfig = ZIMTierD;
export type ZIMCallInvitationSentResult = ZIMTierD;
export type ZIMCallCancelSentResult = ZIMTierD;
export type ZIMCallAcceptanceSentResult = ZIMTierD;
export type ZIMCallRejectionSentResult = ZIMTierD;
export type ZIMCallingInvitationSentResult = ZIMTierD;
export type ZIMCallQuitSentResult = ZIMTierD;
export type ZIMCallJoinSentResult = ZIMTierD;
export type ZIMCallEndSentResult = ZIMTierD;
export type ZIMCallInvitationListQueriedResult = ZIMTierD;
export type ZIMFriendInfo = ZIMTierD;
export type ZIMFriendApplicationInfo = ZIMTierD;
export type ZIMFriendAddConfig = ZIMTierD;
export type ZIMFriendAddedResult = ZIMTierD;
export type ZIMFriendApplicationSendConfig = ZIMTierD;
export type ZIMFriendApplicationSentResult = ZIMTierD;
export type ZIMFriendDeleteConfig = ZIMTierD;
export type ZIMFriendsDeletedResult = ZIMTierD;
export type ZIMFriendRelationCheckConfig = ZIMTierD;
export type ZIMFriendRelationInfo = ZIMTierD;
export type ZIMFriendsRelationCheckedResult = ZIMTierD;
export type ZIMFriendAliasUpdatedResult = ZIMTierD;
export type ZIMFriendAttributesUpdatedResult = ZIMTierD;
export type ZIMFriendApplicationAcceptConfig = ZIMTierD;
export type ZIMFriendApplicationAcceptedResult = ZIMTierD;
export type ZIMFriendApplicationRejectConfig = ZIMTierD;
export type ZIMFriendApplicationRejectedResult = ZIMTierD;
export type ZIMFriendListQueryConfig = ZIMTierD;
export type ZIMFriendsInfoQueriedResult = ZIMTierD;
export type ZIMFriendListQueriedResult = ZIMTierD;
export type ZIMFriendApplicationListQueryConfig = ZIMTierD;
export type ZIMFriendApplicationListQueriedResult = ZIMTierD;
export type ZIMFriendsSearchConfig = ZIMTierD;
export type ZIMFriendsSearchedResult = ZIMTierD;
export type ZIMBlacklistUsersAddedResult = ZIMTierD;
export type ZIMBlacklistUsersRemovedResult = ZIMTierD;
export type ZIMBlacklistQueryConfig = ZIMTierD;
export type ZIMBlacklistQueriedResult = ZIMTierD;
export type ZIMBlacklistCheckedResult = ZIMTierD;
export type ZIMEventOfCallInvitationReceivedResult = ZIMTierD;
export type ZIMEventOfCallInvitationCreatedResult = ZIMTierD;
export type ZIMEventOfCallInvitationCancelledResult = ZIMTierD;
export type ZIMEventOfCallInvitationTimeoutResult = ZIMTierD;
export type ZIMEventOfCallInvitationEndedResult = ZIMTierD;
export type ZIMEventOfCallUserStateChangedResult = ZIMTierD;
export type ZIMEventOfCallInvitationAcceptedResult = ZIMTierD;
export type ZIMEventOfCallInvitationRejectedResult = ZIMTierD;
export type ZIMEventOfCallInviteesAnsweredTimeoutResult = ZIMTierD;
export type ZIMEventOfBlacklistChangedResult = ZIMTierD;
export type ZIMEventOfFriendListChangedResult = ZIMTierD;
export type ZIMEventOfFriendInfoUpdatedResult = ZIMTierD;
export type ZIMEventOfFriendApplicationListChangedResult = ZIMTierD;
export type ZIMEventOfFriendApplicationUpdatedResult = ZIMTierD;

// ---------------------------------------------------------------- instance

/** A config of which this client needs only some fields, and takes copies and parts as anchors. Our choice. */
type Loose<Config, Needed extends keyof Config = never> = Pick<Config, Needed> & {
  [Field in Exclude<keyof Config, Needed>]?: Field extends 'nextMessage'
    ? Partial<ZIMMessage> | null
    : Field extends 'nextConversation'
      ? Partial<ZIMConversation> | null
      : Config[Field];
};

/** What names a message: it, or a copy that has `messageID` or `messageSeq`, `conversationID` and `conversationType`. */
type MessageHandle = Partial<ZIMMessage>;

/** The vendor's class. */
export declare class ZIM {
  private constructor();

  // ---- statics

  /**
   * The program's one client, or null when there is one already. A bare number is the application's, as in older programs.
   * Since 1.1.
 */
  static create(appConfig: ZIMAppConfig | number): ZIM | null;
  /** The client that `create` made. Null before, though the vendor's type, and so this one, does not say it. Since 2.3. */
  static getInstance(): ZIM;
  /** The SDK version that is spoken: `sdkVersion` of `create`, else "2.18.1", or "2.14.0" where it was given a number only. Since 1.1. */
  static getVersion(): string;
  /** Does nothing and answers false: there is one broker, wherever it stands. Since 2.12. */
  static setGeofencingConfig(areaList: number[], type: ZIMGeofencingType): boolean;
  /** Does nothing. Newer than 2.14. */
  static setAdvancedConfig(key: string, value: string): void;
  /** Our choice: a client of its own, whatever others there are; several users in one program. */
  static createInstance(appConfig: ZIMAppConfig | number): ZIM;

  // ---- instance

  /** Ends the session, every listener and the client. Since 1.1. */
  destroy(): void;
  /** Does nothing. Since 1.1. */
  setLogConfig(config: ZIMLogConfig): void;
  /** Does nothing, and resolves: there is no log to upload. Since 1.2. */
  uploadLog(): Promise<void>;
  /** One listener per event: a later one takes the place of an earlier. Since 1.1. */
  on<Event extends keyof ZIMEventHandler>(type: Event, listener: ZIMEventHandler[Event]): void;
  /** Takes an event's listener away. Since 1.1. */
  off<Event extends keyof ZIMEventHandler>(type: Event): void;
  /** The form before 2.13. Since 1.1. */
  login(userInfo: { userID: string; userName?: string }, token?: string): Promise<void>;
  /**
   * Connects as a user, who exists from the first login on. A later login of the same user elsewhere ends this one. Called again
   * here for the same user it waits for the login that runs, or takes the new token.
   * Errors: 6000103 token invalid, 6000106 expired, 6000107 of another kind, 6000108 good for less than 30 s, 6000111 another user is
   * logged in here. Since 2.13.
 */
  login(userID: string, config: Loose<ZIMLoginConfig>): Promise<void>;
  /** Leaves every room and disconnects. The vendor's returns nothing to wait for. Since 1.1. */
  logout(): Promise<void>;
  /** Takes a new token before the old one ends, for this session and for coming back to it. Since 1.1. */
  renewToken(token: string): Promise<ZIMTokenRenewedResult>;

  // ---- users

  /**
   * Any number of users. Those that this client has seen are known, unless `isQueryFromServer`; the others are asked for in tens, and no
   * more than 10 in 10 s: else 6000012, and the next try asks for the rest. Unknown ones are in `errorUserList`. Since 2.3.
   */
  queryUsersInfo(userIDs: string[], config?: Loose<ZIMUsersInfoQueryConfig>): Promise<ZIMUsersInfoQueriedResult>;
  /** At most 256 bytes. Since 2.2. */
  updateUserName(userName: string): Promise<ZIMUserNameUpdatedResult>;
  /** At most 500 bytes. Since 2.3. */
  updateUserAvatarUrl(userAvatarUrl: string): Promise<ZIMUserAvatarUrlUpdatedResult>;
  /** At most 1024 bytes, for others to read by `queryUsersInfo`. Since 2.2. */
  updateUserExtendedData(extendedData: string): Promise<ZIMUserExtendedDataUpdatedResult>;
  /** Who is there; at most 100. Since 2.18. */
  queryUsersStatus(userIDs: string[]): Promise<ZIMUsersStatusQueriedResult>;
  /** Asks for `userStatusUpdated`, at most 100 at a time; outlives the session. Since 2.18. */
  subscribeUsersStatus(userIDs: string[], config: ZIMUserStatusSubscribeConfig): Promise<ZIMUsersStatusSubscribedResult>;
  /** Since 2.18. */
  unsubscribeUsersStatus(userIDs: string[]): Promise<ZIMUsersStatusUnsubscribedResult>;
  /** Since 2.18. */
  querySubscribedUserStatusList(config?: ZIMSubscribedUserStatusQueryConfig): Promise<ZIMSubscribedUserStatusListQueriedResult>;

  // ---- conversations

  /** Not in the list: 6000603. Since 2.8. */
  queryConversation(conversationID: string, conversationType: ZIMConversationType): Promise<ZIMConversationQueriedResult>;
  /** A page, pinned ones first, then the newest. Since 2.0; `option` is newer than 2.14. */
  queryConversationList(
    config: Loose<ZIMConversationQueryConfig, 'count'>,
    option?: ZIMConversationFilterOption,
  ): Promise<ZIMConversationListQueriedResult>;
  /** Since 2.8. */
  queryConversationPinnedList(config: Loose<ZIMConversationQueryConfig, 'count'>): Promise<ZIMConversationPinnedListQueriedResult>;
  /** At most 100 are pinned: 6000604. Since 2.8. */
  updateConversationPinnedState(
    isPinned: boolean,
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationPinnedStateUpdatedResult>;
  /** 1 notify, 2 do not disturb. Since 2.0, for peers since 2.14. */
  setConversationNotificationStatus(
    status: ZIMConversationNotificationStatus,
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationNotificationStatusSetResult>;
  /** On this device only; tells `conversationChanged`. Since 2.14. */
  setConversationDraft(
    draft: string,
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationDraftSetResult>;
  /** Takes it off the list; its messages stay, and the next one brings it back. Since 2.0. */
  deleteConversation(
    conversationID: string,
    conversationType: ZIMConversationType,
    config?: Loose<ZIMConversationDeleteConfig>,
  ): Promise<ZIMConversationDeletedResult>;
  /** Since 2.12. */
  deleteAllConversations(config?: Loose<ZIMConversationDeleteConfig>): Promise<void>;
  /** Its mentions with it, on all devices. Since 2.0. */
  clearConversationUnreadMessageCount(
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationUnreadMessageCountClearedResult>;
  /** Every conversation's. Since 2.12. */
  clearConversationTotalUnreadMessageCount(): Promise<void>;
  /** Since 2.17. */
  queryConversationTotalUnreadMessageCount(
    config?: ZIMConversationTotalUnreadMessageCountQueryConfig,
  ): Promise<ZIMConversationTotalUnreadMessageCountQueriedResult>;
  /** Puts a number on 1–100 conversations, or takes it off; 1000 conversations per mark. Since 2.17. */
  setConversationMark(
    markType: number,
    enable: boolean,
    conversationInfos: ZIMConversationBaseInfo[],
  ): Promise<ZIMConversationMarkSetResult>;

  // ---- messages: sending

  /**
   * Sends any kind, to a peer, a room or a group. The object given is completed and is what `onMessageAttached`, the events and the
   * promise hold; only one that was sent before, or is frozen, is copied first, and one that the program freezes meanwhile goes on as a
   * copy. It survives lost connections, and is never there twice; one that failed keeps its `localMessageID` when it is sent to the
   * same conversation again.
   * Errors: 6000204 no such user, 6000321 and 6000521 not in the room or group, 6000322 and 6000523 no such one, 6000231 muted,
   * 6000005 more than 10 a second, 6000013 a kind above one's version. Since 2.4.
 */
  sendMessage(
    message: ZIMMessageDraft,
    toConversationID: string,
    conversationType: ZIMConversationType,
    config?: Loose<ZIMMessageSendConfig>,
    notification?: Partial<ZIMMessageSendNotification> | ((message: ZIMMessage) => void),
  ): Promise<ZIMMessageSentResult>;
  /**
   * `sendMessage` to a user, as it was called before 2.4. Our choice: kept, because programs of that time are still about.
   * @deprecated Since 2.0; `sendMessage` since 2.4.
 */
  sendPeerMessage(
    message: ZIMMessageDraft,
    toUserID: string,
    config?: Loose<ZIMMessageSendConfig>,
    notification?: Partial<ZIMMessageSendNotification> | ((message: ZIMMessage) => void),
  ): Promise<ZIMMessageSentResult>;
  /**
   * `sendMessage` to a room, as it was called before 2.4. Our choice: kept, because programs of that time are still about.
   * @deprecated Since 2.0; `sendMessage` since 2.4.
 */
  sendRoomMessage(
    message: ZIMMessageDraft,
    toRoomID: string,
    config?: Loose<ZIMMessageSendConfig>,
    notification?: Partial<ZIMMessageSendNotification> | ((message: ZIMMessage) => void),
  ): Promise<ZIMMessageSentResult>;
  /**
   * `sendMessage` to a group, as it was called before 2.4. Our choice: kept, because programs of that time are still about.
   * @deprecated Since 2.0; `sendMessage` since 2.4.
 */
  sendGroupMessage(
    message: ZIMMessageDraft,
    toGroupID: string,
    config?: Loose<ZIMMessageSendConfig>,
    notification?: Partial<ZIMMessageSendNotification> | ((message: ZIMMessage) => void),
  ): Promise<ZIMMessageSentResult>;
  /**
   * The same for files. A file here goes up first; a lost connection is gone on from.
   * Errors: 6000211 no such file, 6000212 it could not be kept, 6000213 its format, 6000214 its size, 6000215 its duration.
   * Since 2.2; `sendMessage` takes files, too, since 2.19.
 */
  sendMediaMessage(
    message: ZIMMediaMessageDraft,
    toConversationID: string,
    conversationType: ZIMConversationType,
    config?: Loose<ZIMMessageSendConfig>,
    notification?: Partial<ZIMMediaMessageSendNotification> | ((message: ZIMMediaMessage) => void),
  ): Promise<ZIMMediaMessageSentResult>;
  /** Answers a message, in its conversation. Since 2.17. */
  replyMessage(
    message: ZIMMessageDraft,
    toOriginalMessage: MessageHandle,
    config?: Loose<ZIMMessageSendConfig>,
    notification?: Partial<ZIMMessageSendNotification> | ((message: ZIMMessage) => void),
  ): Promise<ZIMMessageSentResult>;
  /** The answers below a first message. Since 2.17. */
  queryMessageRepliedList(
    message: MessageHandle,
    config: Loose<ZIMMessageRepliedListQueryConfig, 'count'>,
  ): Promise<ZIMMessageRepliedListQueriedResult>;
  /** Gives up a message whose file is on its way: its send rejects with 6000206. Since 2.22. */
  cancelSendingMessage(message: MessageHandle, config?: object): Promise<void>;
  /** On this device only; nobody else ever sees it. Not command. Since 2.4. */
  insertMessageToLocalDB(
    message: ZIMMessageDraft,
    conversationID: string,
    conversationType: ZIMConversationType,
    senderUserID: string,
  ): Promise<ZIMMessageInsertedResult>;
  /** A note for this device only, at most 128 KiB. Since 2.9. */
  updateMessageLocalExtendedData(localExtendedData: string, message: MessageHandle): Promise<ZIMMessageLocalExtendedDataUpdatedResult>;
  /** Fills `messageList` of the message given. Since 2.14. */
  queryCombineMessageDetail(message: Partial<ZIMCombineMessage>): Promise<ZIMCombineMessageDetailQueriedResult>;
  /** Our choice: the bytes of a file, at most 200 MB; 1, the default, is the original. Errors: 6000217, 6000218, 6000219. */
  downloadMediaFile(
    message: Partial<ZIMMediaMessage>,
    fileType?: ZIMMediaFileType,
    config?: object,
    onProgress?: ZIMMediaUploadingProgress,
  ): Promise<ZIMMediaFileDownloadedResult>;
  /** Our choice: writes new tokens into the URLs of a message held for long. */
  refreshMediaUrls<Message extends Partial<ZIMMessage>>(message: Message): Message;

  // ---- messages: history and deletion

  /** A page, oldest first; of rooms, too. Command and barrage are never in it. Since 2.0. */
  queryHistoryMessage(
    conversationID: string,
    conversationType: ZIMConversationType,
    config: Loose<ZIMMessageQueryConfig, 'count'>,
  ): Promise<ZIMMessageQueriedResult>;
  /** 1–10 messages by their `messageSeq`. Since 2.19. */
  queryMessages(
    messageSeqs: number[],
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMMessageQueriedResult>;
  /** For this user alone; at most 100 at a time; not in rooms. Since 2.0. */
  deleteMessages(
    messageList: MessageHandle[],
    conversationID: string,
    conversationType: ZIMConversationType,
    config: Loose<ZIMMessageDeleteConfig>,
  ): Promise<ZIMMessageDeletedResult>;
  /** Since 2.0. */
  deleteAllMessage(
    conversationID: string,
    conversationType: ZIMConversationType,
    config: Loose<ZIMMessageDeleteConfig>,
  ): Promise<ZIMMessageDeletedResult>;
  /** Since 2.14. */
  deleteAllConversationMessages(config: Loose<ZIMMessageDeleteConfig>): Promise<void>;

  // ---- messages: receipts. Peers and groups only.

  /** At most 10, else 6000282: those received with `receiptStatus` 1. Since 2.5. */
  sendMessageReceiptsRead(
    messageList: MessageHandle[],
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMMessageReceiptsReadSentResult>;
  /** Everything a peer sent up to now. Since 2.5. */
  sendConversationMessageReceiptRead(
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMConversationMessageReceiptReadSentResult>;
  /** At most 10, else 6000282; others' messages count 0. Since 2.5. */
  queryMessageReceiptsInfo(
    messageList: MessageHandle[],
    conversationID: string,
    conversationType: ZIMConversationType,
  ): Promise<ZIMMessageReceiptsInfoQueriedResult>;
  /** Of an own message; else 6000277. Since 2.5. */
  queryGroupMessageReceiptReadMemberList(
    message: MessageHandle,
    groupID: string,
    config: Loose<ZIMGroupMessageReceiptMemberQueryConfig, 'count'>,
  ): Promise<ZIMGroupMessageReceiptMemberListQueriedResult>;
  /** Since 2.5. */
  queryGroupMessageReceiptUnreadMemberList(
    message: MessageHandle,
    groupID: string,
    config: Loose<ZIMGroupMessageReceiptMemberQueryConfig, 'count'>,
  ): Promise<ZIMGroupMessageReceiptMemberListQueriedResult>;

  // ---- messages: changes. Peers and groups only.

  /**
   * Takes a message back within 120 s; a group's owner any, at any time. The object given becomes the revoke message that stands in
   * its place. Errors: 6000278 too late, 6000279 twice, 6000541 another's. Since 2.5.
 */
  revokeMessage(message: MessageHandle, config?: ZIMMessageRevokeConfig): Promise<ZIMMessageRevokedResult>;
  /**
   * Own text and custom messages, within 24 h; `message` carries the new content.
   * Errors: 6000285 another's, 6000286 too late. Since 2.20.
 */
  editMessage(
    message: ZIMMessage,
    config?: object,
    notification?: Partial<ZIMMessageSendNotification>,
  ): Promise<ZIMMessageEditedResult>;
  /** At most 32 bytes, 100 kinds per message, within 7 days; once more: 6000280. Since 2.10. */
  addMessageReaction(reactionType: string, message: MessageHandle): Promise<ZIMMessageReactionAddedResult>;
  /** Since 2.10. */
  deleteMessageReaction(reactionType: string, message: MessageHandle): Promise<ZIMMessageReactionDeletedResult>;
  /** Since 2.10. */
  queryMessageReactionUserList(
    message: ZIMMessage,
    config: Loose<ZIMMessageReactionUserQueryConfig, 'reactionType' | 'count'>,
  ): Promise<ZIMMessageReactionUserListQueriedResult>;
  /** Ten per conversation. Since 2.25. */
  pinMessage(message: MessageHandle, isPinned: boolean, config?: ZIMMessagePinConfig): Promise<void>;
  /** Since 2.25. */
  queryPinnedMessageList(conversationID: string, conversationType: ZIMConversationType): Promise<ZIMPinnedMessageListQueriedResult>;

  // ---- search. What the broker keeps and this user may read, whatever the names say: our choice.

  /** Since 2.9. */
  searchLocalMessages(
    conversationID: string,
    conversationType: ZIMConversationType,
    config: Loose<ZIMMessageSearchConfig, 'keywords' | 'count'>,
  ): Promise<ZIMMessagesSearchedResult>;
  /** Since 2.9. */
  searchGlobalLocalMessages(config: Loose<ZIMMessageSearchConfig, 'keywords' | 'count'>): Promise<ZIMMessagesGlobalSearchedResult>;
  /** Since 2.9. */
  searchLocalConversations(
    config: Loose<ZIMConversationSearchConfig, 'keywords' | 'totalConversationCount' | 'conversationMessageCount'>,
  ): Promise<ZIMConversationsSearchedResult>;
  /** By name, and by members' names where asked. Since 2.9. */
  searchLocalGroups(config: Loose<ZIMGroupSearchConfig, 'keywords' | 'count'>): Promise<ZIMGroupsSearchedResult>;
  /** Since 2.9. */
  searchLocalGroupMembers(
    groupID: string,
    config: Loose<ZIMGroupMemberSearchConfig, 'keywords' | 'count'>,
  ): Promise<ZIMGroupMembersSearchedResult>;

  // ---- rooms. A user is in at most 5: 6000325.

  /** Makes a room and enters it. There already: 6000323. Since 1.3. */
  createRoom(roomInfo: Loose<ZIMRoomInfo, 'roomID'>, config?: Loose<ZIMRoomAdvancedConfig>): Promise<ZIMRoomCreatedResult>;
  /** Enters a room, and makes it where there is none. Since 2.1. */
  enterRoom(roomInfo: Loose<ZIMRoomInfo, 'roomID'>, config?: Loose<ZIMRoomAdvancedConfig>): Promise<ZIMRoomEnteredResult>;
  /** No such room: 6000322. Since 1.1. */
  joinRoom(roomID: string): Promise<ZIMRoomJoinedResult>;
  /** Leaves one room for another. Since 2.18. */
  switchRoom(
    fromRoomID: string,
    toRoomInfo: Loose<ZIMRoomInfo, 'roomID'>,
    isCreateWhenRoomNotExisted: boolean,
    config?: Loose<ZIMRoomAdvancedConfig>,
  ): Promise<ZIMRoomSwitchedResult>;
  /** The last one out ends the room, at once or after its delay. Resolves also for a room one is not in. Since 1.1. */
  leaveRoom(roomID: string): Promise<ZIMRoomLeftResult>;
  /** Since 2.15. */
  leaveAllRoom(): Promise<ZIMRoomAllLeftResult>;
  /** Since 1.1. */
  queryRoomMemberList(roomID: string, config: Loose<ZIMRoomMemberQueryConfig, 'count'>): Promise<ZIMRoomMemberQueriedResult>;
  /** 1–10 users; none of them there: 6000311. Since 2.8. */
  queryRoomMembers(userIDs: string[], roomID: string): Promise<ZIMRoomMembersQueriedResult>;
  /** Since 1.1. */
  queryRoomOnlineMemberCount(roomID: string): Promise<ZIMRoomOnlineMemberCountQueriedResult>;
  /** Since 1.3. */
  queryRoomAllAttributes(roomID: string): Promise<ZIMRoomAttributesQueriedResult>;
  /**
   * At most 20 keys of 16 bytes, values of 1024, 5120 in all. A key belongs to who set it; others need `isForce`.
   * Errors: 6000331 none could be set, 6000334–6000337 a limit. Since 1.3.
 */
  setRoomAttributes(
    roomAttributes: Record<string, string>,
    roomID: string,
    config?: Loose<ZIMRoomAttributesSetConfig>,
  ): Promise<ZIMRoomAttributesOperatedResult>;
  /** Since 1.3. */
  deleteRoomAttributes(
    keys: string[],
    roomID: string,
    config?: Loose<ZIMRoomAttributesDeleteConfig>,
  ): Promise<ZIMRoomAttributesOperatedResult>;
  /** From here on `setRoomAttributes` and `deleteRoomAttributes` of this room gather. Since 1.3. */
  beginRoomAttributesBatchOperation(roomID: string, config?: Loose<ZIMRoomAttributesBatchOperationConfig>): void;
  /** Does what was gathered, at once; the others hear `roomAttributesBatchUpdated`. Since 1.3. */
  endRoomAttributesBatchOperation(roomID: string): Promise<ZIMRoomAttributesBatchOperatedResult>;
  /**
   * Of members, oneself or others: at most 30 keys of 8 bytes, values of 64, 144 in all, of 500 members.
   * Errors: 6000351–6000353, 6000357 a limit. Since 2.4.
 */
  setRoomMembersAttributes(
    attributes: Record<string, string>,
    userIDs: string[],
    roomID: string,
    config?: Loose<ZIMRoomMemberAttributesSetConfig>,
  ): Promise<ZIMRoomMembersAttributesOperatedResult>;
  /** At most 100 users. Since 2.4. */
  queryRoomMembersAttributes(userIDs: string[], roomID: string): Promise<ZIMRoomMembersAttributesQueriedResult>;
  /** Since 2.4. */
  queryRoomMemberAttributesList(
    roomID: string,
    config: Loose<ZIMRoomMemberAttributesQueryConfig, 'count'>,
  ): Promise<ZIMRoomMemberAttributesListQueriedResult>;

  // ---- groups. No such group: 6000523; not in it: 6000521; not allowed: 6000541.

  /** With at most 100 users. There already: 6000524; the ID of one that was dismissed: 6000527. Since 2.0. */
  createGroup(
    groupInfo: Loose<ZIMGroupInfo>,
    userIDs: string[],
    config?: Loose<ZIMGroupAdvancedConfig>,
  ): Promise<ZIMGroupCreatedResult>;
  /** Who is in it already succeeds. Full: 6000525; 6000542 nobody may join, 6000543 only by approval. Since 2.0. */
  joinGroup(groupID: string): Promise<ZIMGroupJoinedResult>;
  /** The owner's place goes to the earliest member; the last one out ends the group. Since 2.0. */
  leaveGroup(groupID: string): Promise<ZIMGroupLeftResult>;
  /** The owner only. Since 2.0. */
  dismissGroup(groupID: string): Promise<ZIMGroupDismissedResult>;
  /** Since 2.0. */
  queryGroupList(): Promise<ZIMGroupListQueriedResult>;
  /** Since 2.0. */
  queryGroupInfo(groupID: string): Promise<ZIMGroupInfoQueriedResult>;
  /** Any member; at most 100 bytes. Since 2.0. */
  updateGroupName(groupName: string, groupID: string): Promise<ZIMGroupNameUpdatedResult>;
  /** Any member; at most 300 bytes. Since 2.0. */
  updateGroupNotice(groupNotice: string, groupID: string): Promise<ZIMGroupNoticeUpdatedResult>;
  /** Any member; at most 500 bytes. Since 2.3. */
  updateGroupAvatarUrl(groupAvatarUrl: string, groupID: string): Promise<ZIMGroupAvatarUrlUpdatedResult>;
  /** Owner and admins. Since 2.15. */
  updateGroupJoinMode(mode: ZIMGroupJoinMode, groupID: string): Promise<ZIMGroupJoinModeUpdatedResult>;
  /** Owner and admins. Since 2.15. */
  updateGroupInviteMode(mode: ZIMGroupInviteMode, groupID: string): Promise<ZIMGroupInviteModeUpdatedResult>;
  /** Owner and admins. Since 2.15. */
  updateGroupBeInviteMode(mode: ZIMGroupBeInviteMode, groupID: string): Promise<ZIMGroupBeInviteModeUpdatedResult>;
  /** At most 10 keys of 16 bytes, values of 1024: else 6000531–6000533. Since 2.0. */
  setGroupAttributes(groupAttributes: Record<string, string>, groupID: string): Promise<ZIMGroupAttributesOperatedResult>;
  /** No such key: 6000526. Since 2.0. */
  deleteGroupAttributes(keys: string[], groupID: string): Promise<ZIMGroupAttributesOperatedResult>;
  /** No such key: 6000526. Since 2.0. */
  queryGroupAttributes(keys: string[], groupID: string): Promise<ZIMGroupAttributesQueriedResult>;
  /** Since 2.0. */
  queryGroupAllAttributes(groupID: string): Promise<ZIMGroupAttributesQueriedResult>;
  /** At most 100 at a time; the others are in `errorUserList`. Since 2.0. */
  inviteUsersIntoGroup(userIDs: string[], groupID: string): Promise<ZIMGroupUsersInvitedResult>;
  /** Owner and admins; at most 50 at a time. None could be: 6000507. Since 2.0. */
  kickGroupMembers(userIDs: string[], groupID: string): Promise<ZIMGroupMemberKickedResult>;
  /** The owner only. Since 2.0. */
  transferGroupOwner(toUserID: string, groupID: string): Promise<ZIMGroupOwnerTransferredResult>;
  /** Since 2.0. */
  queryGroupMemberList(groupID: string, config: Loose<ZIMGroupMemberQueryConfig, 'count'>): Promise<ZIMGroupMemberListQueriedResult>;
  /** Since 2.2. */
  queryGroupMemberCount(groupID: string): Promise<ZIMGroupMemberCountQueriedResult>;
  /** Since 2.0. */
  queryGroupMemberInfo(userID: string, groupID: string): Promise<ZIMGroupMemberInfoQueriedResult>;
  /** One's own, and others' for owner and admins; at most 100 characters. Since 2.0. */
  setGroupMemberNickname(nickname: string, forUserID: string, groupID: string): Promise<ZIMGroupMemberNicknameUpdatedResult>;
  /** The owner only; 2 admin, 3 member, above 100 the application's. Since 2.0. */
  setGroupMemberRole(role: number, forUserID: string, groupID: string): Promise<ZIMGroupMemberRoleUpdatedResult>;
  /** Owner and admins; mode 2 the owner. The muted send nothing: 6000231. Since 2.14. */
  muteGroup(isMute: boolean, groupID: string, config: Loose<ZIMGroupMuteConfig>): Promise<ZIMGroupMutedResult>;
  /** Owner and admins; at most 100 at a time. Since 2.14. */
  muteGroupMembers(
    isMute: boolean,
    userIDs: string[],
    groupID: string,
    config: Loose<ZIMGroupMemberMuteConfig>,
  ): Promise<ZIMGroupMembersMutedResult>;
  /** Since 2.14. */
  queryGroupMemberMutedList(
    groupID: string,
    config: Loose<ZIMGroupMemberQueryConfig, 'count'>,
  ): Promise<ZIMGroupMemberMutedListQueriedResult>;

  // ---- tier D. Each of these rejects with 6000013.

  /** Rejects with 6000013, as all below it. */
  callExperimentalAPI(params: string): Promise<string>;
  querySelfUserInfo(): Promise<ZIMTierD>;
  updateUserOfflinePushRule(offlinePushRule: ZIMTierD): Promise<ZIMTierD>;
  updateUserCustomStatus(customStatus: string, config?: ZIMTierD): Promise<ZIMTierD>;
  updateUserBadge(badge: number): Promise<void>;
  deleteMessageAllReactions(message: MessageHandle): Promise<void>;

  callInvite(invitees: string[], config: ZIMCallInviteConfig): Promise<ZIMCallInvitationSentResult>;
  callCancel(invitees: string[], callID: string, config: ZIMCallCancelConfig): Promise<ZIMCallCancelSentResult>;
  callAccept(callID: string, config: ZIMCallAcceptConfig): Promise<ZIMCallAcceptanceSentResult>;
  callReject(callID: string, config: ZIMCallRejectConfig): Promise<ZIMCallRejectionSentResult>;
  callQuit(callID: string, config: ZIMCallQuitConfig): Promise<ZIMCallQuitSentResult>;
  callEnd(callID: string, config: ZIMCallEndConfig): Promise<ZIMCallEndSentResult>;
  callJoin(callID: string, config: ZIMCallJoinConfig): Promise<ZIMCallJoinSentResult>;
  callingInvite(invitees: string[], callID: string, config: ZIMCallingInviteConfig): Promise<ZIMCallingInvitationSentResult>;
  queryCallInvitationList(config: ZIMCallInvitationQueryConfig): Promise<ZIMCallInvitationListQueriedResult>;

  addFriend(userID: string, config: ZIMFriendAddConfig): Promise<ZIMFriendAddedResult>;
  sendFriendApplication(userID: string, config: ZIMFriendApplicationSendConfig): Promise<ZIMFriendApplicationSentResult>;
  acceptFriendApplication(userID: string, config: ZIMFriendApplicationAcceptConfig): Promise<ZIMFriendApplicationAcceptedResult>;
  rejectFriendApplication(userID: string, config: ZIMFriendApplicationRejectConfig): Promise<ZIMFriendApplicationRejectedResult>;
  deleteFriends(userIDs: string[], config: ZIMFriendDeleteConfig): Promise<ZIMFriendsDeletedResult>;
  checkFriendsRelation(userIDs: string[], config: ZIMFriendRelationCheckConfig): Promise<ZIMFriendsRelationCheckedResult>;
  updateFriendAlias(friendAlias: string, userID: string): Promise<ZIMFriendAliasUpdatedResult>;
  updateFriendAttributes(friendAttributes: Record<string, string>, userID: string): Promise<ZIMFriendAttributesUpdatedResult>;
  queryFriendsInfo(userIDs: string[]): Promise<ZIMFriendsInfoQueriedResult>;
  queryFriendList(config: ZIMFriendListQueryConfig): Promise<ZIMFriendListQueriedResult>;
  queryFriendApplicationList(config: ZIMFriendApplicationListQueryConfig): Promise<ZIMFriendApplicationListQueriedResult>;
  searchLocalFriends(config: ZIMFriendsSearchConfig): Promise<ZIMFriendsSearchedResult>;

  addUsersToBlacklist(userIDs: string[]): Promise<ZIMBlacklistUsersAddedResult>;
  removeUsersFromBlacklist(userIDs: string[]): Promise<ZIMBlacklistUsersRemovedResult>;
  checkUserIsInBlacklist(userID: string): Promise<ZIMBlacklistCheckedResult>;
  queryBlacklist(config: ZIMBlacklistQueryConfig): Promise<ZIMBlacklistQueriedResult>;

  updateGroupAlias(groupAlias: string, groupID: string): Promise<ZIMTierD>;
  sendGroupJoinApplication(groupID: string, config: ZIMTierD): Promise<ZIMTierD>;
  acceptGroupJoinApplication(userID: string, groupID: string, config: ZIMTierD): Promise<ZIMTierD>;
  rejectGroupJoinApplication(userID: string, groupID: string, config: ZIMTierD): Promise<ZIMTierD>;
  sendGroupInviteApplications(userIDs: string[], groupID: string, config: ZIMTierD): Promise<ZIMTierD>;
  acceptGroupInviteApplication(inviterUserID: string, groupID: string, config: ZIMTierD): Promise<ZIMTierD>;
  rejectGroupInviteApplication(inviterUserID: string, groupID: string, config: ZIMTierD): Promise<ZIMTierD>;
  queryGroupApplicationList(config: ZIMTierD): Promise<ZIMTierD>;
}

export default ZIM;
