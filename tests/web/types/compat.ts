// Our types stand in for those of the vendor's npm package 2.14.0, method by method and event by event. Nothing here runs: it
// compiles, or the test fails and names the member. `adopt.ts` explains how types with enums in them are compared.

import type * as Ours from '../../../src/web/tidings.js';
import type * as Vendor from 'zego-zim-web';
import type { Adopt, AdoptAll, EnumName, Same } from './adopt.js';

/** Tier D: there, and answering 6000013. Everything that is not named here is checked. */
export type LaterMethod =
  | 'setLogConfig'
  | 'callInvite' | 'callCancel' | 'callAccept' | 'callReject' | 'callQuit' | 'callEnd' | 'callJoin' | 'callingInvite'
  | 'queryCallInvitationList'
  | 'addFriend' | 'sendFriendApplication' | 'deleteFriends' | 'checkFriendsRelation' | 'updateFriendAlias' | 'updateFriendAttributes'
  | 'acceptFriendApplication' | 'rejectFriendApplication' | 'queryFriendsInfo' | 'queryFriendList' | 'queryFriendApplicationList'
  | 'searchLocalFriends'
  | 'addUsersToBlacklist' | 'removeUsersFromBlacklist' | 'checkUserIsInBlacklist' | 'queryBlacklist';
export type LaterEvent =
  | 'callInvitationCreated' | 'callInvitationReceived' | 'callInvitationCancelled' | 'callInvitationTimeout' | 'callInvitationEnded'
  | 'callUserStateChanged'
  | 'friendListChanged' | 'friendInfoUpdated' | 'friendApplicationListChanged' | 'friendApplicationUpdated' | 'blacklistChanged';
type LaterStatic = 'setGeofencingConfig';

type Method = Exclude<keyof Vendor.ZIM, LaterMethod>;
type Event = Exclude<keyof Vendor.ZIMEventHandler, LaterEvent>;
type Static = Exclude<keyof typeof Vendor.ZIM, LaterStatic | 'prototype'>;

/**
 * Whether a function of ours can be called wherever the vendor's is. The target is a function type made anew: as the method it was,
 * TypeScript would compare its parameters both ways round, and let narrower ones pass.
 */
export type StandsIn<Our, Their> = Their extends (...given: infer Given) => infer Result
  ? Our extends (...given: AdoptAll<Given>) => Adopt<Result> ? true : false
  : false;

/** The names for which it does not hold: none, when all is well; the compiler's message lists them. */
type Failing<Checks> = { [Name in keyof Checks]: Checks[Name] extends true ? never : Name }[keyof Checks];
export const none = <Name extends never>(..._: Name[]): void => {};

// Generic over the event; their listeners are what `Event` is about.
type Generic = 'on' | 'off';

export type FailingMethods<Our> = Failing<{
  [Name in Exclude<Method, Generic>]: Name extends keyof Our ? StandsIn<Our[Name], Vendor.ZIM[Name]> : false;
}>;

export type FailingStatics<Our> = Failing<{
  [Name in Static]: Name extends keyof Our ? StandsIn<Our[Name], (typeof Vendor.ZIM)[Name]> : false;
}>;

/** Events whose payload lacks something that the vendor's has. */
type Payload<Name extends Event> = Adopt<Parameters<Vendor.ZIMEventHandler[Name]>[1]>;
export type FailingEvents<Our> = Failing<{
  [Name in Event]: Name extends keyof Our ? (Our[Name] extends Payload<Name> ? true : false) : false;
}>;

/** Events for which a listener as the vendor types it is not one of ours. */
export type FailingListeners<Our> = Failing<{
  [Name in Event]: Name extends keyof Our ? (((zim: Ours.ZIM, data: Payload<Name>) => void) extends Our[Name] ? true : false) : false;
}>;

/** Enums that lack one of the vendor's members, or have it with another number. */
export type FailingEnums<Our> = Failing<{
  [Name in Exclude<EnumName, 'ZIMErrorCode'>]: Name extends keyof Our ? IsNone<FailingMembers<Our[Name], (typeof Vendor)[Name]>> : false;
}>;
type FailingMembers<Our, Their> = Failing<{
  [Member in keyof Their]: Member extends keyof Our ? Same<NumberOf<Our[Member]>, NumberOf<Their[Member]>> : false;
}>;
type NumberOf<Member> = Member extends number ? (`${Member}` extends `${infer N extends number}` ? N : never) : never;
type IsNone<T> = [T] extends [never] ? true : false;

none<FailingMethods<Ours.ZIM>>();
none<FailingStatics<typeof Ours.ZIM>>();
none<FailingEvents<Ours.ZIMEventData>>();
none<FailingListeners<Ours.ZIMEventHandler>>();
none<FailingEnums<typeof Ours>>();
none<Exclude<Event, Parameters<Ours.ZIM['on']>[0]>>();
none<Exclude<Event, Parameters<Ours.ZIM['off']>[0]>>();

// Tier D is there, too.
none<Exclude<LaterMethod, keyof Ours.ZIM>>();
none<Exclude<LaterEvent, keyof Ours.ZIMEventData>>();
none<Exclude<LaterStatic, keyof typeof Ours.ZIM>>();
// And its lists name nothing that the vendor's class does not have.
none<Exclude<LaterMethod, keyof Vendor.ZIM>>();
none<Exclude<LaterEvent, keyof Vendor.ZIMEventHandler>>();
none<Exclude<LaterStatic, keyof typeof Vendor.ZIM>>();
