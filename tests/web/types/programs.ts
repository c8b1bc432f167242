// Programs as they are written against the vendor's types of 2.14: `types.test.mjs` compiles this file with our import, and once
// more with the vendor's in its place, so that nothing here leans on us.

import { ZIM } from '../../../src/web/tidings.js';
import { ZIMConversationType, ZIMMessagePriority, ZIMMessageType, ZIMConnectionState, ZIMRoomEvent } from '../../../src/web/tidings.js';
import type {
  ZIMAppConfig, ZIMAudioMessage, ZIMCallInviteConfig, ZIMCombineMessage, ZIMCommandMessage, ZIMConversation, ZIMCustomMessage, ZIMError,
  ZIMEventHandler, ZIMEventOfConversationChangedResult, ZIMEventOfReceiveConversationMessageResult, ZIMFriendInfo, ZIMGroupAdvancedConfig,
  ZIMGroupFullInfo, ZIMGroupMemberInfo, ZIMImageMessage, ZIMLoginConfig, ZIMMediaMessage, ZIMMediaMessageBase,
  ZIMMediaMessageSendNotification, ZIMMessage, ZIMMessageBase, ZIMMessageQueryConfig, ZIMMessageSearchConfig, ZIMMessageSendConfig,
  ZIMMessageSendNotification, ZIMPushConfig, ZIMRevokeMessage, ZIMRoomAdvancedConfig, ZIMTextMessage, ZIMUserFullInfo, ZIMVideoMessage,
} from '../../../src/web/tidings.js';

// ---- start, as the vendor's page does

export async function start(token: string): Promise<ZIM> {
  const appConfig: ZIMAppConfig = { appID: 1 };
  ZIM.create(appConfig);
  const same: ZIM = ZIM.getInstance();
  const zim = ZIM.getInstance();
  same.setLogConfig({ logLevel: 'error' });
  const version: string = ZIM.getVersion();
  const config: ZIMLoginConfig = { userName: 'Ann', token, isOfflineLogin: false };
  await zim.login('ann', config);
  const again = { userName: '', token: version, isOfflineLogin: false };
  zim.login('ann', again).then(() => {}).catch((error: ZIMError) => error.code === 6000111);
  zim.logout();
  return zim;
}

// ---- listeners, with types inferred and written out

export function listen(zim: ZIM): void {
  zim.on('error', (_zim, errorInfo: ZIMError) => console.log('error', errorInfo.code, errorInfo.message));
  zim.on('connectionStateChanged', (zim, { state, event, extendedData }) => {
    if (state === ZIMConnectionState.Disconnected && event === 4) zim.destroy();
    JSON.parse(extendedData);
  });
  zim.on('tokenWillExpire', function (zim, { second }) {
    if (second < 30) zim.renewToken('').then(({ token }) => token.length);
  });
  zim.on('receivePeerMessage', (_zim: ZIM, data: ZIMEventOfReceiveConversationMessageResult) => data.messageList.forEach(show));
  zim.on('receiveRoomMessage', (_zim, { messageList, fromConversationID }) => console.log(messageList[0].message, fromConversationID));
  const group: ZIMEventHandler['receiveGroupMessage'] = (_zim, { messageList }) => messageList.sort((a, b) => a.orderKey - b.orderKey);
  zim.on('receiveGroupMessage', group);
  zim.on('conversationChanged', (_zim, { infoList }: ZIMEventOfConversationChangedResult) => {
    for (const { conversation, event } of infoList) if (event === 1) conversation.mentionedInfoList?.map((info) => info.fromUserID);
  });
  zim.on('messageSentStatusChanged', (_zim, { infos }) => infos.forEach(({ message, status }) => (message.sentStatus = status)));
  zim.on('roomStateChanged', (_zim, { roomID, state, event }) => event === ZIMRoomEvent.KickedOut && console.log(roomID, state));
  zim.on('groupMemberStateChanged', (_zim, { userList, operatedInfo }) => console.log(userList[0]?.memberRole, operatedInfo.userID));
  zim.on('roomMemberAttributesUpdated', (_zim, { infos, operatedInfo }) => {
    console.log(infos[0].attributesInfo.attributes, operatedInfo.userID);
  });
  zim.on('callInvitationReceived', (_zim, data) => console.log(data.callID, data.inviter, data.timeout));
  zim.on('friendListChanged', (_zim, data) => data.friendList.length);
  zim.off('receivePeerMessage');
}

// ---- drafts of every kind

export async function send(zim: ZIM, file: File): Promise<void> {
  const toConversationID = 'bob';
  const conversationType = 0;
  const config = { priority: 1 };
  const notification = { onMessageAttached: function (message: ZIMMessage) { message.localMessageID; } };

  const text = { type: 1, message: 'hello', extendedData: 'more' };
  zim.sendMessage(text, toConversationID, conversationType, config, notification)
    .then(function ({ message }) { message.messageID; })
    .catch(function (err) { err.code; });
  const bytes = new Uint8Array(Array.from('{}').map((char) => char.charCodeAt(0)));
  await zim.sendMessage({ type: 2, message: bytes }, toConversationID, conversationType, config);
  await zim.sendMessage({ type: 20, message: 'on screen' }, 'room', ZIMConversationType.Room, { priority: ZIMMessagePriority.Low });

  const custom = { type: 200, message: '{}', subType: 100, searchedContent: 'poll' } as ZIMCustomMessage;
  await zim.sendMessage(custom, 'group', ZIMConversationType.Group, config, notification);
  const base: ZIMMessageBase = { type: ZIMMessageType.Text, message: '@all', mentionedUserIDs: ['cat'], isMentionAll: true };
  const push: ZIMPushConfig = { title: 'news', content: 'read', payload: '', resourcesID: '', enableBadge: true, badgeIncrement: 1 };
  const whole: ZIMMessageSendConfig = { priority: 3, hasReceipt: true, isNotifyMentionedUsers: true, pushConfig: push };
  const attached: ZIMMessageSendNotification = { onMessageAttached: show };
  const { message } = await zim.sendMessage(base, 'group', 2, whole, attached);
  const combine = { type: 100, title: 'Notes', summary: 'two', messageList: [message] } as unknown as ZIMCombineMessage;
  const sent = await zim.sendMessage(combine, 'bob', 0, config);
  (await zim.queryCombineMessageDetail(sent.message as ZIMCombineMessage)).message.messageList.forEach(show);

  const progress: ZIMMediaMessageSendNotification = {
    onMessageAttached: (message: ZIMMediaMessage) => message.fileName,
    onMediaUploadingProgress: (_message, currentFileSize, totalFileSize) => currentFileSize / totalFileSize,
  };
  const image: ZIMMediaMessageBase = { fileLocalPath: file, type: 11 };
  const done = await zim.sendMediaMessage(image, toConversationID, conversationType, config, progress);
  const local: File = done.message.fileLocalPath;
  const { fileDownloadUrl, fileUID } = done.message;
  await zim.sendMediaMessage({ fileDownloadUrl, type: 12 }, toConversationID, 2, config, progress);
  await zim.sendMediaMessage({ fileLocalPath: local, type: ZIMMessageType.Audio, audioDuration: 3 }, fileUID, 1, config);
  await zim.sendMediaMessage({ fileLocalPath: file, type: 14, videoDuration: 4 }, toConversationID, 0, config);
  await zim.insertMessageToLocalDB(text, 'bob', 0, 'ann');
  await zim.updateMessageLocalExtendedData('mine', message);
}

// ---- messages read by kind, built, and turned into JSON and back

export function show(message: ZIMMessage): string {
  switch (message.type) {
    case ZIMMessageType.Text: return (message as ZIMTextMessage).message;
    case ZIMMessageType.Command: return String.fromCharCode(...(message as ZIMCommandMessage).message);
    case ZIMMessageType.Image: return (message as ZIMImageMessage).thumbnailDownloadUrl;
    case ZIMMessageType.Audio: return `${(message as ZIMAudioMessage).audioDuration} s`;
    case ZIMMessageType.Video: return (message as ZIMVideoMessage).videoFirstFrameDownloadUrl;
    case ZIMMessageType.Revoke: return (message as ZIMRevokeMessage).originalTextMessageContent;
    default: return JSON.stringify(message);
  }
}

export const pending: ZIMMessage = {
  type: 1, message: 'on its way', localMessageID: 'l', messageID: '', senderUserID: 'ann', timestamp: 0, conversationID: 'bob',
  conversationType: 0, direction: 0, sentStatus: 0, orderKey: 0, conversationSeq: 0, isUserInserted: false, isBroadcastMessage: false,
  isServerMessage: false, receiptStatus: 0, reactions: [],
};
export const copy: ZIMMessage = JSON.parse(JSON.stringify(pending));
export const byConversation = new Map<ZIMConversationType, ZIMConversation[]>();
export const nameOf: Record<ZIMConversationType.Peer | ZIMConversationType.Group, string> = {
  [ZIMConversationType.Peer]: 'peer', [ZIMConversationType.Group]: 'group',
};
export const kinds: ZIMMessageType[] = [ZIMMessageType.Text, ZIMMessageType.Image, 200];

// ---- conversations, history, changes, search

export async function read(zim: ZIM): Promise<void> {
  const { conversationList } = await zim.queryConversationList({ count: 20 });
  const last: ZIMConversation = conversationList[conversationList.length - 1];
  await zim.queryConversationList({ count: 20, nextConversation: last });
  const { conversation } = await zim.queryConversation('bob', 0);
  const draft: string = conversation.draft + conversation.conversationAlias;
  await zim.setConversationDraft(draft, 'bob', 0);
  await zim.setConversationNotificationStatus(2, 'g', 2);
  await zim.updateConversationPinnedState(true, 'bob', 0);
  await zim.clearConversationUnreadMessageCount('bob', 0);
  await zim.deleteConversation('bob', 0, { isAlsoDeleteServerConversation: true });

  const config: ZIMMessageQueryConfig = { count: 30, reverse: true };
  const { messageList } = await zim.queryHistoryMessage('bob', 0, config);
  config.nextMessage = messageList[0];
  await zim.queryHistoryMessage('bob', 0, config);
  await zim.deleteMessages(messageList, 'bob', 0, { isAlsoDeleteServerMessage: true });
  const { message } = await zim.revokeMessage(messageList[0], { revokeExtendedData: 'typo' });
  const by: string = message.operatedUserID;
  const { reaction } = await zim.addMessageReaction('+1', messageList[0]);
  const page = { reactionType: reaction.reactionType, count: 10, nextFlag: 0 };
  const { userList } = await zim.queryMessageReactionUserList(messageList[0], page);
  await zim.sendMessageReceiptsRead(messageList, by, userList.length);
  const search: ZIMMessageSearchConfig = {
    keywords: ['a'], senderUserIDs: [], messageTypes: kinds, subMessageTypes: [], startTime: 0, endTime: 0, order: 0, count: 10,
  };
  search.senderUserIDs.push('bob');
  const found = await zim.searchLocalMessages('bob', 0, search);
  if (found.nextMessage) search.nextMessage = found.nextMessage;
}

// ---- rooms, groups, users

export async function gather(zim: ZIM): Promise<void> {
  const advanced: ZIMRoomAdvancedConfig = { roomAttributes: { a: '1' }, roomDestroyDelayTime: 60 };
  const { roomInfo } = await zim.enterRoom({ roomID: 'r', roomName: 'R' }, advanced);
  const { memberList, nextFlag } = await zim.queryRoomMemberList(roomInfo.baseInfo.roomID, { count: 100, nextFlag: '' });
  console.log(memberList[0].userName, nextFlag.length);
  const flags = { isForce: true, isUpdateOwner: false, isDeleteAfterOwnerLeft: false };
  zim.beginRoomAttributesBatchOperation('r', flags);
  zim.setRoomAttributes({ a: '2' }, 'r', flags);
  zim.deleteRoomAttributes(['b'], 'r', { isForce: true });
  await zim.endRoomAttributesBatchOperation('r');
  const { infos } = await zim.setRoomMembersAttributes({ lv: '3' }, ['ann'], 'r', { isDeleteAfterOwnerLeft: true });
  infos.map(({ attributesInfo, errorKeys }) => [attributesInfo.userID, ...errorKeys]);

  const config: ZIMGroupAdvancedConfig = { groupNotice: '', groupAttributes: {} };
  const created = await zim.createGroup({ groupID: '', groupName: 'G', groupAvatarUrl: '' }, ['bob'], config);
  const info: ZIMGroupFullInfo = created.groupInfo;
  const members: ZIMGroupMemberInfo[] = (await zim.queryGroupMemberList(info.baseInfo.groupID, { count: 100, nextFlag: 0 })).userList;
  await zim.muteGroup(true, 'g', { mode: 1, duration: 60, roles: [] });
  await zim.muteGroupMembers(true, members.map(({ userID }) => userID), 'g', { duration: 60 });
  await zim.setGroupMemberRole(2, 'bob', 'g');
  const { userList, errorUserList } = await zim.queryUsersInfo(['bob'], { isQueryFromServer: true });
  const full: ZIMUserFullInfo | undefined = userList[0];
  console.log(full?.baseInfo.userAvatarUrl, errorUserList[0]?.reason);
}

// ---- what is answered with 6000013

export async function call(zim: ZIM): Promise<void> {
  const config: ZIMCallInviteConfig = { mode: 0, timeout: 60, extendedData: '' };
  const { callID, errorUserList } = await zim.callInvite(['bob'], config);
  await zim.callAccept(callID, { extendedData: errorUserList.join() });
  const { friendList } = await zim.queryFriendList({ count: 10 });
  const names = friendList.map((friend: ZIMFriendInfo) => friend.friendAlias);
  await zim.checkUserIsInBlacklist(names[0]);
}
