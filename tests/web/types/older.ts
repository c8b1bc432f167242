// Forms older than the vendor's types of 2.14, members newer than them, and what is ours. Compiled with our import alone.

import ZIM, { ZIMConversationType, ZIMError, ZIMMessageType, ZIMTipsMessageEvent, ZIMUserOnlineStatus } from '../../../src/web/tidings.js';
import type { ZIMEventData, ZIMMediaMessage, ZIMMessage, ZIMTipsMessage } from '../../../src/web/tidings.js';

declare const token: string;
declare const bytes: Uint8Array;

// Before 2.13.
export const zim = ZIM.create(1) ?? ZIM.getInstance();
ZIM.create({ appID: 1 });
zim.login({ userID: 'ann', userName: 'Ann' }, token).then(() => zim.logout());
zim.login({ userID: 'ann' }, token);
zim.queryConversationList({ count: 20, nextConversation: null });
zim.queryHistoryMessage('bob', 0, { count: 20, reverse: true, nextMessage: null });
zim.sendMessage({ type: 1, message: 'hello' }, 'bob', 0, { priority: 1 }, (message) => message.localMessageID);
zim.sendMessage({ type: 1, message: 'hello' }, 'bob', 0);
zim.deleteConversation('bob', 0);
zim.createGroup({ groupName: 'G' }, []);
zim.enterRoom({ roomID: 'r' });

// After 2.14.
export async function later(message: ZIMMessage): Promise<void> {
  await zim.replyMessage({ type: 1, message: 'yes' }, message, { priority: 1 }, { onMessageAttached: (sent) => sent.repliedInfo?.state });
  await zim.editMessage({ ...message, message: 'no' });
  await zim.pinMessage(message, true, { disableAutoReplace: true });
  await zim.queryMessages([message.messageSeq ?? 1], 'bob', 0);
  await zim.switchRoom('a', { roomID: 'b', roomName: '' }, true);
  const { roomIDs } = await zim.leaveAllRoom();
  const { failedConversationInfos } = await zim.setConversationMark(1, true, [{ conversationID: roomIDs[0], conversationType: 0 }]);
  await zim.queryConversationList({ count: 10 }, { marks: [1], conversationTypes: [ZIMConversationType.Peer] });
  const { unreadMessageCount } = await zim.queryConversationTotalUnreadMessageCount({ marks: [failedConversationInfos.length] });
  await zim.updateGroupJoinMode(1, String(unreadMessageCount));
  const { userStatusList } = await zim.queryUsersStatus(['bob']);
  if (userStatusList[0].onlineStatus === ZIMUserOnlineStatus.Online) await zim.subscribeUsersStatus(['bob'], { subscriptionDuration: 60 });
}
zim.on('peerMessageReceived', (_zim, { messageList, info }) => !info.isOfflineMessage && messageList.length);
zim.on('groupMessageReceived', (_zim, { messageList }) => {
  for (const message of messageList) {
    if (message.type === ZIMMessageType.Tips && (message as ZIMTipsMessage).event === ZIMTipsMessageEvent.GroupJoined) return;
  }
});
zim.on('groupVerifyInfoUpdated', (_zim, { verifyInfo }) => verifyInfo.joinMode === 2);

// Ours.
export const other: ZIM = ZIM.createInstance({
  appID: 1, server: 'http://localhost:8080', sdkVersion: '2.10.0', deviceID: 'tv', reconnectMaxMs: 5000,
});
const servers: readonly string[] = ['https://a.example.com', 'wss://b.example.com/ws', '127.0.0.1:7080'];
export const either: ZIM = ZIM.createInstance({ appID: 1, server: servers });
zim.sendMessage({ type: ZIMMessageType.Combine, title: 'Notes', summary: 'two', messageList: [] }, 'bob', 0, { priority: 1 });
zim.sendMessage({ type: 12, fileLocalPath: bytes, fileName: 'a.bin' }, 'bob', 0);
zim.sendMediaMessage({ type: 11, fileLocalPath: '/tmp/a.png' }, 'bob', 0);
zim.sendPeerMessage({ type: 1, message: 'hi' }, 'bob', { priority: 1 });
zim.sendRoomMessage({ type: 20, message: 'hi' }, 'r');
zim.sendGroupMessage({ type: 1, message: 'hi' }, 'g', { priority: 1 }, () => {});
zim.on('resyncRequired', () => zim.queryConversationList({ count: 100 }));
zim.on('roomMembersCounted', (_zim, { roomID, joinedCount, leftCount, memberCount }) => console.log(roomID, joinedCount - leftCount, memberCount));
zim.on('mentionReceived', (_zim, { message }) => console.log(message.conversationID, message.mentionedUserIDs));
zim.on('barrageDropped', (_zim, { low, roomID }) => console.log(low + 1, roomID));
export async function ours(message: ZIMMediaMessage): Promise<string> {
  const { file } = await zim.downloadMediaFile(message, 3);
  try {
    return zim.refreshMediaUrls(message).fileDownloadUrl + (await file.text());
  } catch (error) {
    if (!(error instanceof ZIMError)) throw error;
    return `${error.code} ${error.retryAfterMs ?? 0} ${error.stack}`;
  }
}
export type Payload = ZIMEventData['barrageDropped'];

// Mistakes are still mistakes.
// @ts-expect-error
zim.on('receivePeerMesage', () => {});
// @ts-expect-error
zim.on('tokenWillExpire', (_zim, { minutes }) => minutes);
// @ts-expect-error
zim.sendMesage({ type: 1, message: '' }, 'bob', 0);
// @ts-expect-error
zim.sendMessage({ type: 1, message: 5 }, 'bob', 0);
// @ts-expect-error
zim.queryHistoryMessage('bob', 0, { reverse: true });
// @ts-expect-error
new ZIM();
