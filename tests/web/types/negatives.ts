// What `compat.ts` must not let pass: each line here breaks one thing, and the compiler has to refuse it. Should it not, the
// expectation stands there without an error, which is one.

import type * as Ours from '../../../src/web/tidings.js';
import { none } from './compat.js';
import type { FailingEnums, FailingEvents, FailingListeners, FailingMethods, FailingStatics } from './compat.js';

type With<Base, Changed> = Omit<Base, keyof Changed> & Changed;
type Method<Changed> = FailingMethods<With<Ours.ZIM, Changed>>;
type Event<Changed> = FailingEvents<With<Ours.ZIMEventData, Changed>>;

// Nothing broken: `With` itself is not what fails.
none<Method<{}>>();
none<Event<{}>>();

// A method is missing.
// @ts-expect-error
none<FailingMethods<Omit<Ours.ZIM, 'queryGroupInfo'>>>();
// A result lacks a field.
// @ts-expect-error
none<Method<{ queryRoomOnlineMemberCount(roomID: string): Promise<{ roomID: string }> }>>();
// A field has another type.
// @ts-expect-error
none<Method<{ queryRoomOnlineMemberCount(roomID: string): Promise<{ roomID: string; count: string }> }>>();
// A field may be missing.
// @ts-expect-error
none<Method<{ queryRoomOnlineMemberCount(roomID: string): Promise<{ roomID: string; count?: number }> }>>();
// A field is missing three levels down.
type Shallow = { conversation: With<Ours.ZIMConversation, { lastMessage?: Omit<Ours.ZIMMessage, 'reactions'> }> };
// @ts-expect-error
none<Method<{ queryConversation(id: string, type: Ours.ZIMConversationType): Promise<Shallow> }>>();
// An enum in the place of another.
type OtherStatus = With<Ours.ZIMConversation, { notificationStatus: Ours.ZIMMessagePriority }>;
// @ts-expect-error
none<Method<{ queryConversation(id: string, type: Ours.ZIMConversationType): Promise<{ conversation: OtherStatus }> }>>();
// No promise.
// @ts-expect-error
none<Method<{ joinGroup(groupID: string): Ours.ZIMGroupJoinedResult }>>();
// A parameter takes less than the vendor's, also where TypeScript would compare a method's parameters both ways round.
// @ts-expect-error
none<Method<{ joinGroup(groupID: 'a' | 'b'): Promise<Ours.ZIMGroupJoinedResult> }>>();
type Demanding = Ours.ZIMMessageDeleteConfig & { reason: string };
// @ts-expect-error
none<Method<{ deleteAllConversationMessages(config: Demanding): Promise<void> }>>();
// One parameter more.
// @ts-expect-error
none<Method<{ joinGroup(groupID: string, reason: string): Promise<Ours.ZIMGroupJoinedResult> }>>();
// A callback is given less than the vendor's.
type Attached = { onMessageAttached: (message: Pick<Ours.ZIMMessage, 'type'>) => void };
type Send = Parameters<Ours.ZIM['sendMessage']>;
type Deaf = (message: Send[0], to: Send[1], type: Send[2], config: Send[3], notification?: Attached) => Promise<Ours.ZIMMessageSentResult>;
// @ts-expect-error
none<Method<{ sendMessage: Deaf }>>();
// Anything at all is not the vendor's method.
// @ts-expect-error
none<Method<{ joinGroup: any }>>();

// An event is missing, lacks a field, has a field of another type.
// @ts-expect-error
none<FailingEvents<Omit<Ours.ZIMEventData, 'roomMemberLeft'>>>();
// @ts-expect-error
none<Event<{ roomMemberLeft: { memberList: Ours.ZIMUserInfo[] } }>>();
// @ts-expect-error
none<Event<{ receivePeerMessage: { messageList: Omit<Ours.ZIMMessage, 'orderKey'>[]; fromConversationID: string } }>>();
// @ts-expect-error
none<Event<{ tokenWillExpire: { second: string } }>>();
// A listener would have to know more than the vendor's does.
type Listeners = With<Ours.ZIMEventHandler, { tokenWillExpire: (zim: Ours.ZIM, data: { minute: number }) => void }>;
// @ts-expect-error
none<FailingListeners<Listeners>>();

// Statics.
// @ts-expect-error
none<FailingStatics<With<typeof Ours.ZIM, { getVersion: () => number }>>>();
// @ts-expect-error
none<FailingStatics<With<typeof Ours.ZIM, { create: (config: Ours.ZIMAppConfig & { server: string }) => Ours.ZIM | null }>>>();

// An enum lacks a member, has another number.
type Enums = Pick<typeof Ours, keyof typeof Ours>;
// @ts-expect-error
none<FailingEnums<With<Enums, { ZIMGroupState: { Quit: 0 } }>>>();
// @ts-expect-error
none<FailingEnums<With<Enums, { ZIMGroupState: { Quit: 0; Enter: 2 } }>>>();
