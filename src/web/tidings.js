// The Tidings client for browsers and Node: one module, nothing to install beside it.
//
//   ZIMError           the one error type
//   platforms          what the runtime offers beside the language: browsers, Node, React Native, and mini programs by their object
//   messages           what messages and conversations look like to the program and on the wire
//   Outgoing           a message on its way, of which the program may have frozen the object
//   LocalState         what this device keeps to itself: drafts, notes, what it hides, what it inserted and what failed
//   KnownConversations the conversations as the program knows them, and what a message that is being sent makes of them
//   Socket             one WebSocket: requests, replies, events, silence
//   Connection         keeps a session alive over one socket after the other: login, the next server, back-off, login again
//   SendQueue          what was sent and is not answered yet, in order, across lost connections
//   Rooms              the rooms this client is in, and what happens to them
//   MediaToken, Files  uploads and downloads over HTTP, and the token for them
//   ZIM                the vendor's class, on top of these
//   tables, enums      which methods are plain requests, which are not supported; the vendor's numbers
//
// The wire protocol is src/protocol/PROTOCOL.md of the broker.

/** The newest version of the vendor's SDK all of whose kinds of messages this client shows: 2.19 brought one that it does not. */
const SDK_VERSION = '2.18.1';
/** What a program speaks that calls `create` with a number, as programs older than 2.15 do: it may not know the kinds that came later. */
const SDK_VERSION_OF_OLDER_PROGRAMS = '2.14.0';

/** Since this version a program learns that a message was stored after its send had failed. */
const VERSION_OF_LATE_SUCCESS = '2.6.0';

/** After this time without an answer a send has failed. */
const SEND_TIMEOUT_MS = 30_000;
const LOGIN_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
const LOGOUT_TIMEOUT_MS = 3_000;
const SILENCE_HEARTBEATS = 1.5;
/** The time from which a broker counts its order keys. */
const ORDER_KEY_EPOCH_MS = Date.UTC(2024, 0, 1);

/** The longest time that a timer can wait. */
const TIMER_MAX_MS = 2 ** 31 - 1;
/** How long a broker has to say whether it is ready, when a first connection failed. */
const READY_TIMEOUT_MS = 3_000;
/** How long the broker has to answer on a connection that may be dead. */
const PROBE_TIMEOUT_MS = 3_000;

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 15_000;
// A connection that lasted this long resets the back-off: after the next loss the waits are short again.
const STEADY_AFTER_MS = 10_000;

// A longer frame would make the broker close the session; refusing it here costs only this one message.
const FRAME_BYTES_MAX = 262_144;
const LOCAL_DATA_BYTES_MAX = 131_072;
/** The children of a combined message that are longer than this are uploaded as a file. */
const COMBINE_BYTES_MAX = 131_072;
/** A file up to this size is uploaded in one request; a larger one in parts of this size to four times it. */
const PART_BYTES = 524_288;
/** How long a request over HTTP is tried again before it fails. */
const UPLOAD_PATIENCE_MS = 60_000;
/** The part of a media token's time after which it is renewed. */
const TOKEN_RENEWED_AFTER = 0.8;
/** With how many tokens, one after the other, a request may be refused before it fails. */
const TOKENS_TRIED_MAX = 3;
/** Of how many users the broker tells in one answer. */
const USERS_ASKED_MAX = 10;
const USERS_KNOWN_MAX = 4096;
const LOCAL_IDS_MAX = 4096;
const DOWNLOAD_BYTES_MAX = 209_715_200;

/** The error with which every promise of this client rejects. */
export class ZIMError extends Error {
  /**
   * @param {number} code the vendor's error number
   * @param {string} message what is wrong, naming field, value and limit
   * @param {{temporary?: boolean, retryAfterMs?: number}} [advice] what the broker says about trying again
   */
  constructor(code, message, advice = {}) {
    super(message);
    this.name = 'ZIMError';
    this.code = code;
    // An Error's own message is not enumerable, and would be missing from a log line made with JSON.
    Object.defineProperty(this, 'message', { value: message, enumerable: true, writable: true, configurable: true });
    if (advice.temporary) this.temporary = true;
    if (advice.retryAfterMs !== undefined) this.retryAfterMs = advice.retryAfterMs;
  }
}

const invalid = (message) => new ZIMError(Code.ParamInvalid, message);
const lost = (reason) => new ZIMError(Code.NetworkError, `the connection is lost: ${reason}`);

/** Runs a piece of the program's own code; what it throws must not stop the client. */
function runGuarded(what, code) {
  const report = (error) => console.error(`tidings: ${what} failed`, error);
  try {
    // An async listener fails by its promise, which in Node would end the process.
    code()?.then?.(undefined, report);
  } catch (error) {
    report(error);
  }
}

// Mini programs have the language, and little of what browsers have beside it: what is used of that goes by one of these.

/** Returns a text as bytes, in UTF-8. */
function utf8(text) {
  if (typeof TextEncoder === 'function') return new TextEncoder().encode(text);
  const escaped = encodeURIComponent(text).replace(/%([\dA-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Uint8Array.from(escaped, (char) => char.charCodeAt(0));
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function bytesToBase64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [one, two, three] = [bytes[at], bytes[at + 1], bytes[at + 2]];
    text += BASE64[one >> 2] + BASE64[((one & 3) << 4) | ((two ?? 0) >> 4)];
    text += two === undefined ? '=' : BASE64[((two & 15) << 2) | ((three ?? 0) >> 6)];
    text += three === undefined ? '=' : BASE64[three & 63];
  }
  return text;
}

function base64ToBytes(text) {
  const digits = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let [bits, held, at] = [0, 0, 0];
  for (const digit of digits) {
    bits = ((bits << 6) | BASE64.indexOf(digit)) & 0xffffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[at] = (bits >> held) & 255;
    at += 1;
  }
  return bytes;
}

/** Returns a time that only grows, in milliseconds. */
const clockMs = () => (typeof performance === 'object' ? performance.now() : Date.now());

const copyOf = (value) => JSON.parse(JSON.stringify(value));

/** Takes the oldest entry out of a Map or Set that has grown beyond `max`. */
function forgetOldest(entries, max) {
  if (entries.size > max) entries.delete(entries.keys().next().value);
}

/** What tells a piece of work to stop, as AbortController does. */
class Stopper {
  signal = {
    aborted: false, reason: undefined, listeners: [],
    addEventListener(_, listener) {
      this.listeners.push(listener);
    },
  };

  abort(reason) {
    if (this.signal.aborted) return;
    Object.assign(this.signal, { aborted: true, reason });
    for (const listener of this.signal.listeners) listener();
  }
}

const newStopper = () => (typeof AbortController === 'function' ? new AbortController() : new Stopper());

/** Bytes to be uploaded where there is no Blob. */
class Bytes {
  constructor(bytes) {
    this.bytes = bytes;
    this.size = bytes.length;
  }

  slice(start, end) {
    return new Bytes(this.bytes.subarray(start, end));
  }

  async arrayBuffer() {
    return this.bytes.slice().buffer;
  }
}

/** Returns bytes, or a text, as a Blob, or as what stands for one. */
function newBlob(content, type = '') {
  if (typeof Blob === 'function') return new Blob([content], { type });
  if (typeof content === 'string') return new Bytes(utf8(content));
  return new Bytes(content instanceof ArrayBuffer ? new Uint8Array(content) : new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
}

const isReactNative = () => globalThis.navigator?.product === 'ReactNative';

/** The platform of browsers, Node and React Native. What it lacks is left out, such as storage in Node. */
function webPlatform() {
  return {
    WebSocket: globalThis.WebSocket,
    // React Native reads a Blob only as a whole.
    hasParts: !isReactNative(),
    fetch: typeof fetch === 'function' ? (...args) => fetch(...args) : undefined,
    get storage() {
      // Asking for it may throw where it is switched off.
      return globalThis.localStorage;
    },
  };
}

/** A socket of a mini program, in the shape of a browser's. */
function miniSocketClass(mini) {
  return class MiniSocket {
    readyState = 0;
    #listeners = {};
    #task;

    constructor(url) {
      const fail = ({ errMsg, errorMessage } = {}) => this.#tell('error', { message: errMsg ?? errorMessage });
      // Not every one of them returns a task unless it is given a callback.
      this.#task = mini.connectSocket({ url, multiple: true, success() {}, fail });
      this.#task.onOpen(() => {
        this.readyState = 1;
        this.#tell('open', {});
      });
      this.#task.onMessage((message) => this.#tell('message', { data: message.data?.data ?? message.data }));
      this.#task.onClose(({ code, reason } = {}) => {
        this.readyState = 3;
        this.#tell('close', { code: code ?? 1006, reason: reason ?? '' });
      });
      this.#task.onError(fail);
    }

    addEventListener(type, listener) {
      (this.#listeners[type] ??= []).push(listener);
    }

    send(data) {
      this.#task.send({ data, fail: ({ errMsg } = {}) => this.#tell('error', { message: errMsg }) });
    }

    close() {
      this.readyState = 2;
      this.#task.close({ code: 1000, fail() {} });
    }

    #tell(type, event) {
      for (const listener of this.#listeners[type] ?? []) listener(event);
    }
  };
}

/** Returns the answer to a request of a mini program in the shape of fetch's. */
function miniResponse({ statusCode, status = statusCode, data, header, headers = header ?? {} }) {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    ok: status >= 200 && status < 300, status, headers: { get: (name) => lower[name.toLowerCase()] ?? null },
    json: async () => (typeof data === 'string' ? JSON.parse(data) : data),
  };
}

/** The platform of a mini program: WeChat's `wx`, uni-app's `uni`, Alipay's `my`, Douyin's `tt`, or another of their shape. */
function miniPlatform(mini) {
  const run = (start, signal) => new Promise((resolve, reject) => {
    const fail = ({ errMsg, errorMessage } = {}) => reject(new Error(errMsg ?? errorMessage ?? 'the request failed'));
    const task = start(resolve, fail);
    signal?.addEventListener('abort', () => {
      task?.abort?.();
      reject(signal.reason ?? new Error('stopped'));
    }, { once: true });
  });
  const bodyOf = async (body) => (body === undefined || typeof body === 'string' || body instanceof ArrayBuffer ? body : body.arrayBuffer());
  return {
    WebSocket: miniSocketClass(mini),
    // Their requests know no PATCH, by which a file goes up in parts.
    hasParts: false,
    async fetch(url, { method = 'GET', headers = {}, body, signal } = {}) {
      const data = await bodyOf(body);
      const type = data === undefined ? {} : { 'content-type': 'application/octet-stream' };
      const header = { ...type, ...headers };
      return miniResponse(await run((success, fail) => mini.request({ url, method, data, header, headers: header, dataType: 'text', responseType: 'text', success, fail }), signal));
    },
    async uploadFile(url, { path, headers, progress, signal }) {
      return miniResponse(await run((success, fail) => {
        const task = mini.uploadFile({ url, filePath: path, name: 'file', fileName: 'file', fileType: 'image', header: headers, success, fail });
        task?.onProgressUpdate?.(({ totalBytesSent, totalBytesExpectedToSend }) => progress(totalBytesSent, totalBytesExpectedToSend));
        return task;
      }, signal));
    },
    /** Resolves with the path of a temporary file. */
    async downloadFile(url, { headers, progress }) {
      const { tempFilePath, apFilePath, statusCode = 200 } = await run((success, fail) => {
        const task = mini.downloadFile({ url, header: headers, success, fail });
        task?.onProgressUpdate?.(({ totalBytesWritten, totalBytesExpectedToWrite }) => progress?.(totalBytesWritten, totalBytesExpectedToWrite));
        return task;
      });
      return { status: statusCode, path: tempFilePath ?? apFilePath };
    },
    storage: {
      getItem(key) {
        const isAlipay = mini === ownObject('my');
        const value = isAlipay ? mini.getStorageSync({ key }).data : mini.getStorageSync(key);
        return typeof value === 'string' && value !== '' ? value : null;
      },
      setItem(key, value) {
        if (mini === ownObject('my')) mini.setStorageSync({ key, data: value });
        else mini.setStorageSync(key, value);
      },
    },
  };
}

/** Returns the object of a mini program's platform; such a name is not always a property of the global object. */
function ownObject(name) {
  switch (name) {
    case 'wx': return typeof wx === 'object' ? wx : undefined;
    case 'uni': return typeof uni === 'object' ? uni : undefined;
    case 'my': return typeof my === 'object' ? my : undefined;
    default: return typeof tt === 'object' ? tt : undefined;
  }
}

const isMiniObject = (object) => typeof object?.connectSocket === 'function' && typeof object.request === 'function';

/** Returns the platform that runs this program; `given` says something else of it, or is the object of a mini program. */
function platformOf(given) {
  if (isMiniObject(given)) return miniPlatform(given);
  const found = ['uni', 'wx', 'my', 'tt'].map(ownObject).find(isMiniObject);
  // Pages that run within such an app have its name, too, and are pages all the same.
  const isWeb = typeof WebSocket === 'function' && typeof fetch === 'function';
  const own = found && !isWeb ? miniPlatform(found) : webPlatform();
  return given ? Object.create(own, Object.getOwnPropertyDescriptors(given)) : own;
}

/** Returns random bytes: unguessable where the platform has such, else only different from all others. */
function randomBytes(count, platform) {
  if (platform?.randomBytes) return platform.randomBytes(count);
  const bytes = new Uint8Array(count);
  if (typeof crypto === 'object' && crypto.getRandomValues) return crypto.getRandomValues(bytes);
  return bytes.map(() => Math.floor(Math.random() * 256));
}

const isMedia = (message) => MEDIA_KINDS.includes(message?.type);
const isStorable = (message) => [TextKind, Custom, Combine].includes(message?.type) || isMedia(message);
/**
 * Returns whether an object is a message that has its place in a conversation, so that sending it again is forwarding. A `messageID`
 * alone says nothing: programs write their own into a draft. And a message that failed has no place, whatever it shows.
 */
const wasSent = ({ messageID, conversationSeq, orderKey, sentStatus }) => Boolean(messageID && (conversationSeq || orderKey)) && sentStatus !== Failed;
const LOCAL_ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/** The documented default of every field that the wire leaves out, or that the program may leave out when sending. */
function messageDefaults() {
  return {
    messageID: '', orderKey: 0, messageSeq: 0, conversationSeq: 0, priority: 1,
    isUserInserted: false, isBroadcastMessage: false, isServerMessage: false, receiptStatus: 0, reactions: [],
    extendedData: '', localExtendedData: '', mentionedUserIDs: [], isMentionAll: false, rootRepliedCount: 0,
  };
}

const fileDefaults = () => ({ fileLocalPath: '', fileDownloadUrl: '', fileName: '', fileSize: 0, fileUID: '' });

function kindDefaults(type) {
  switch (type) {
    case Custom: return { subType: 0, searchedContent: '' };
    case ImageKind: return {
      ...fileDefaults(), thumbnailDownloadUrl: '', largeImageDownloadUrl: '', originalImageWidth: 0, originalImageHeight: 0,
      largeImageWidth: 0, largeImageHeight: 0, thumbnailWidth: 0, thumbnailHeight: 0,
    };
    case FileKind: return fileDefaults();
    case AudioKind: return { ...fileDefaults(), audioDuration: 0 };
    case Video: return {
      ...fileDefaults(), videoDuration: 0, videoFirstFrameDownloadUrl: '', videoFirstFrameWidth: 0, videoFirstFrameHeight: 0,
    };
    case Combine: return { title: '', summary: '', combineID: '', messageList: [] };
    case Revoke: return {
      subType: 0, revokeType: 0, revokeStatus: 0, revokeTimestamp: 0, operatedUserID: '', revokeExtendedData: '', originalMessageType: 0,
      originalTextMessageContent: '',
    };
    case Tips: return { event: 0, operatedUser: { userID: '', userName: '', userAvatarUrl: '' }, targetUserList: [] };
    default: return {};
  }
}

function callerFields(draft) {
  const given = CALLER_FIELDS.filter((field) => draft[field] !== undefined && draft[field] !== null);
  return Object.fromEntries(given.map((field) => [field, draft[field]]));
}

/** Throws 6000001 or the like for what is wrong whatever the broker's state; the broker checks the rest. */
function checkDraft(draft, toConversationID, conversationType, userID) {
  if (draft === null || typeof draft !== 'object') throw invalid('message is not an object');
  if (UNSUPPORTED_KINDS.includes(draft.type)) {
    throw new ZIMError(Code.Unsupported, `message.type is ${draft.type}, which is not carried`);
  }
  if (!SENDABLE_KINDS.includes(draft.type)) throw invalid(`message.type is ${draft.type}, which cannot be sent`);
  if (![Peer, Room, Group].includes(conversationType)) {
    throw invalid(`conversationType is ${conversationType}, it must be 0, 1 or 2`);
  }
  if (typeof toConversationID !== 'string' || toConversationID === '') throw invalid('toConversationID is empty');
  if (conversationType === Peer && toConversationID === userID) {
    throw invalid(`toConversationID is ${userID}, which is the sender`);
  }
  checkContent(draft);
}

function checkContent(draft) {
  const { type, message, messageList, combineID } = draft;
  if (isMedia(draft)) {
    checkMedia(draft);
    return;
  }
  if (type === Combine) {
    if (!combineID || messageList?.length > 0) checkChildren(messageList, 'message.messageList');
    return;
  }
  if (type === Command) {
    if (!isBytes(message)) throw invalid('message.message is not a Uint8Array');
    if (message.length === 0) throw invalid('message.message is empty');
    return;
  }
  if (typeof message !== 'string') throw invalid('message.message is not a string');
  // A custom message may be empty: its subType can be all of its content.
  if (type !== Custom && message.trim() === '') throw invalid('message.message is empty');
}

/** Checks that a message names a file, by path, URL or uid, and that audio and video say how long they play. */
function checkMedia({ type, fileLocalPath, fileDownloadUrl, fileUID, audioDuration, videoDuration }) {
  if (!fileLocalPath && !fileDownloadUrl && !fileUID) {
    throw new ZIMError(Code.FileNotExist, 'message has neither fileLocalPath nor fileDownloadUrl');
  }
  const [field, seconds] = type === AudioKind ? ['audioDuration', audioDuration] : ['videoDuration', videoDuration];
  if ((type === AudioKind || type === Video) && typeof seconds !== 'number') throw invalid(`message.${field} is missing: seconds`);
}

/** Checks that messages can be combined: they were sent, and are of a kind that is stored. */
function checkChildren(messageList, field) {
  if (!Array.isArray(messageList) || messageList.length === 0) throw invalid(`${field} is empty`);
  messageList.forEach((child, n) => {
    if (!isStorable(child)) throw invalid(`${field}[${n}].type is ${child?.type}, which is not combined`);
    if (child.sentStatus === Sending || child.sentStatus === Failed) throw invalid(`${field}[${n}] was not sent`);
  });
}

/** Also accepts Node's Buffer, and arrays of another realm, which `instanceof` does not recognise. */
const isBytes = (value) => Object.prototype.toString.call(value) === '[object Uint8Array]';

/** Returns the fields of a message that are sent to the broker. */
function toWire(message) {
  const wire = { type: message.type, localMessageID: message.localMessageID };
  wire.message = message.type === Command ? bytesToBase64(message.message) : message.message;
  if (message.extendedData) wire.extendedData = message.extendedData;
  if (message.mentionedUserIDs.length > 0) wire.mentionedUserIDs = message.mentionedUserIDs;
  if (message.isMentionAll) wire.isMentionAll = true;
  if (message.type === Custom) {
    wire.subType = message.subType;
    if (message.searchedContent) wire.searchedContent = message.searchedContent;
  }
  if (message.type === Combine) Object.assign(wire, combineToWire(message));
  if (isMedia(message)) Object.assign(wire, mediaToWire(message));
  return wire;
}

/** Returns how receivers that are offline are to be told, with what the broker keeps of it. Before 2.8 its payload had another name. */
function pushToWire(push) {
  if (!push) return undefined;
  const given = { ...push, payload: push.payload ?? push.extendedData };
  const fields = PUSH_FIELDS.filter((field) => given[field] !== undefined && given[field] !== null);
  return Object.fromEntries(fields.map((field) => [field, given[field]]));
}

/** Returns the fields that name a file: the broker's own by its uid, whatever token its URL has; one elsewhere by its URLs. */
function mediaToWire(message) {
  const wire = { message: undefined, audioDuration: message.audioDuration, videoDuration: message.videoDuration };
  const uid = !message.fileDownloadUrl || OWN_URL.test(message.fileDownloadUrl) ? message.fileUID : '';
  if (uid) return { ...wire, fileUID: uid };
  for (const field of [...URL_FIELDS, ...FILE_FIELDS]) if (message[field]) wire[field] = message[field];
  return wire;
}

/** Matches the URL of a file that a broker keeps. */
const OWN_URL = /\/media\/[0-9a-f]{32}\/(original|large|thumbnail|frame)(\?|$)/;

/** Returns a combined message's children, or, when it is forwarded without them, the id under which the broker keeps them. */
function combineToWire({ title = '', summary = '', combineID, messageList = [] }) {
  const head = { message: undefined, title, summary };
  return messageList.length > 0 ? { ...head, messageList: messageList.map(childToWire) } : { ...head, combineID };
}

function childToWire(child) {
  const { type, message, messageID, senderUserID, timestamp, extendedData } = child;
  const wire = { type, message, messageID, senderUserID, timestamp, extendedData: extendedData || undefined };
  if (type === Custom) Object.assign(wire, { subType: child.subType, searchedContent: child.searchedContent });
  if (type === Combine) Object.assign(wire, combineToWire(child));
  if (isMedia(child)) Object.assign(wire, mediaToWire(child));
  return wire;
}

/**
 * Returns a message as the program sees it: with its defaults, and with the fields that differ between receivers.
 * @param {object} wire the message as it came
 * @param {string} userID who is logged in
 * @param {string} conversationID of a room or group; a peer message tells it itself
 */
function fromWire(wire, userID, conversationID) {
  const { toUserID, ...fields } = wire;
  const message = { ...messageDefaults(), ...kindDefaults(wire.type), message: '', localMessageID: '', ...fields };
  const place = conversationID ?? wire.conversationID;
  if (message.type === Command) message.message = base64ToBytes(message.message);
  const isOwn = message.senderUserID === userID;
  message.direction = isOwn ? ZIMMessageDirection.Send : ZIMMessageDirection.Receive;
  message.sentStatus = Success;
  message.conversationID = message.conversationType === Peer && wire.messageID && wire.toUserID ? peerOf(wire, userID) : place;
  message.conversationSeq = message.messageSeq;
  if (message.repliedInfo) message.repliedInfo = { rootMessageID: '', rootMessageSeq: 0, ...message.repliedInfo };
  const { conversationID: of, conversationType, messageID } = message;
  message.reactions = message.reactions.map((reaction) => ({ conversationID: of, conversationType, messageID, ...reaction }));
  return message;
}

/**
 * Completes what a result or event says of users, members and groups: with the documented defaults, and with what older versions have
 * in another place. Changes the objects.
 */
function completeParts(value) {
  if (Array.isArray(value)) {
    for (const one of value) completeParts(one);
  } else if (value !== null && typeof value === 'object' && !isBytes(value)) {
    if (typeof value.memberRole === 'number') completeMember(value);
    if (value.baseInfo?.userID !== undefined) value.userAvatarUrl ??= value.baseInfo.userAvatarUrl ?? '';
    if (value.baseInfo?.groupID !== undefined) value.groupAlias ??= '';
    for (const [field, one] of Object.entries(value)) {
      // In older programs the member who did something is an object of its own.
      if (field === 'operatedInfo' && typeof one?.memberRole === 'number') one.operatedUserInfo ??= completeParts({ ...one });
      else completeParts(one);
    }
  }
  return value;
}

function completeMember(member) {
  member.userAvatarUrl ??= '';
  member.memberNickname ??= '';
  member.memberAvatarUrl ??= member.userAvatarUrl;
  member.muteExpiredTime ??= 0;
  member.groupEnterInfo ??= { enterTime: 0, enterType: 0 };
}

/** The documented default of every field of a conversation that the wire leaves out. */
function conversationDefaults() {
  return {
    conversationName: '', conversationAlias: '', conversationAvatarUrl: '', unreadMessageCount: 0, orderKey: 0, notificationStatus: 1,
    isPinned: false, pinnedTime: 0, isDisabled: false, mutedExpiredTime: 0, mentionedInfoList: [], marks: [], draft: '',
    lastMessage: undefined,
  };
}

/** Returns a conversation as the program sees it. */
function conversationFromWire(wire, localState, messageFromWire) {
  const { lastMessage, ...fields } = wire;
  const key = conversationKey(wire.conversationID, wire.type);
  const conversation = { ...conversationDefaults(), ...fields, draft: localState.drafts.get(key) ?? '' };
  const last = lastMessage && messageFromWire(lastMessage, wire.conversationID);
  conversation.lastMessage = last && !localState.hides(last) ? localState.annotate(last) : undefined;
  return conversation;
}

/** Returns the payload of `conversationChanged`. The vendor's guide reads `info`, its SDK has `infoList`: here both are the list. */
const conversationChanges = (infoList) => Object.defineProperty({ infoList }, 'info', { value: infoList, enumerable: false });

const conversationKey = (conversationID, type) => `${type}/${conversationID}`;

/** Returns the fields by which the broker finds a message. The program may pass a partial copy, or one that went through JSON. */
function handleOf(message) {
  if (message === null || typeof message !== 'object') throw invalid('message is not an object');
  const { messageID, conversationID, conversationType, combineID, orderKey } = message;
  return {
    messageID: messageID || undefined, messageSeq: message.messageSeq || message.conversationSeq || undefined,
    conversationID, conversationType, combineID: combineID || undefined, orderKey: orderKey || undefined,
  };
}

function handlesOf(messageList) {
  if (!Array.isArray(messageList)) throw invalid('messageList is not a list');
  return messageList.map(handleOf);
}

/**
 * A message on its way to the broker. The program may freeze its object as soon as it sees it, as stores of state do: what comes after
 * that is written into a copy, which takes its place.
 */
class Outgoing {
  constructor(message) {
    this.message = message;
  }

  /** Writes fields into the message. */
  set(fields) {
    if (!Object.isExtensible(this.message)) this.message = { ...this.message };
    Object.assign(this.message, fields);
  }
}

/** The state that only this device has, for one user. Drafts are stored, where the browser has storage, and outlive the page. */
class LocalState {
  drafts = new Map();
  #notes = new Map();
  #hiddenMessages = new Set();
  #hiddenUpTo = new Map();
  #hiddenConversations = new Map();
  #inserted = new Map();
  #storageKey;

  #platform;
  /** Whether this user was logged in on this device before. */
  isKnown = false;

  constructor(userID, platform) {
    this.userID = userID;
    this.#platform = platform;
    this.#storageKey = `tidings.drafts.${userID}`;
    try {
      this.drafts = new Map(JSON.parse(this.#platform.storage.getItem(this.#storageKey) ?? '[]'));
      this.isKnown = userID !== '' && this.#platform.storage.getItem(this.#knownKey) !== null;
    } catch {
      // There is no such storage here, or it is switched off.
    }
  }

  get #knownKey() {
    return `tidings.known.${this.userID}`;
  }

  /** Remembers that this user was logged in here. */
  know() {
    if (this.isKnown) return;
    this.isKnown = true;
    try {
      this.#platform.storage.setItem(this.#knownKey, '1');
    } catch {
      // This client knows, and the next one does not.
    }
  }

  setDraft(key, draft) {
    if (draft) this.drafts.set(key, draft);
    else this.drafts.delete(key);
    try {
      this.#platform.storage.setItem(this.#storageKey, JSON.stringify([...this.drafts]));
    } catch {
      // The draft is kept as long as this client.
    }
  }

  setNote(message, note) {
    this.#notes.set(message.messageID || message.localMessageID, note);
  }

  /** Writes this device's own note into a message. */
  annotate(message) {
    const note = this.#notes.get(message.messageID || message.localMessageID);
    if (note !== undefined) message.localExtendedData = note;
    return message;
  }

  hideMessages(messageList) {
    for (const { messageID } of messageList) this.#hiddenMessages.add(messageID);
  }

  /** Hides every message of a conversation so far. */
  hideUpTo(key, orderKey) {
    this.#hiddenUpTo.set(key, orderKey);
    this.#inserted.delete(key);
  }

  hides({ messageID, conversationID, conversationType, orderKey }) {
    const upTo = this.#hiddenUpTo.get(conversationKey(conversationID, conversationType)) ?? 0;
    return this.#hiddenMessages.has(messageID) || orderKey <= upTo;
  }

  hideConversation(key, orderKey) {
    this.#hiddenConversations.set(key, orderKey);
  }

  /** Returns whether a conversation is hidden and has nothing newer since. */
  hidesConversation({ conversationID, type, orderKey }) {
    return orderKey <= (this.#hiddenConversations.get(conversationKey(conversationID, type)) ?? 0);
  }

  /** Puts a message of this device into a conversation, by its order key; its messages that failed stay there, too. */
  insert(key, message) {
    this.#inserted.set(key, [...(this.#inserted.get(key) ?? []), message]);
  }

  /** Takes a message out again, because it is sent once more, was stored after all, or is deleted. */
  remove({ localMessageID }) {
    for (const [key, messages] of this.#inserted) {
      const others = messages.filter((message) => message.localMessageID !== localMessageID);
      if (others.length < messages.length) this.#inserted.set(key, others);
    }
  }

  /** Returns the message of this device that failed and now turns out to be stored; undefined: there is none. */
  failedOf({ localMessageID, conversationID, conversationType }) {
    const messages = this.#inserted.get(conversationKey(conversationID, conversationType)) ?? [];
    return messages.find((message) => message.localMessageID === localMessageID && message.sentStatus === Failed);
  }

  /** Returns the messages inserted between two order keys of a conversation, oldest first. */
  insertedBetween(key, from, to) {
    return (this.#inserted.get(key) ?? []).filter(({ orderKey }) => orderKey > from && orderKey < to);
  }
}

/** The conversations as the program knows them, and the newest place in each, behind which stands what is being sent. */
class KnownConversations {
  static #MAX = 2048;
  #conversations = new Map();
  #places = new Map();
  /** Conversations that this client told as added, before the broker did. */
  #toldAdded = new Set();

  /** Takes a conversation as it is told to the program. */
  put(conversation) {
    KnownConversations.#keep(this.#conversations, conversationKey(conversation.conversationID, conversation.type), conversation);
    if (conversation.lastMessage) this.passed(conversation.lastMessage);
    return conversation;
  }

  drop(conversationID, type) {
    this.#conversations.delete(conversationKey(conversationID, type));
  }

  clear() {
    this.#conversations.clear();
  }

  /** Takes a message that has its place. */
  passed({ conversationID, conversationType, messageSeq, orderKey }) {
    const key = conversationKey(conversationID, conversationType);
    const newest = this.#places.get(key) ?? { orderKey: 0, conversationSeq: 0 };
    if (orderKey > newest.orderKey || messageSeq > newest.conversationSeq) {
      const place = { orderKey: Math.max(newest.orderKey, orderKey), conversationSeq: Math.max(newest.conversationSeq, messageSeq ?? 0) };
      KnownConversations.#keep(this.#places, key, place);
    }
  }

  /** Returns the place behind the newest message, and counts it as taken. */
  nextPlace(conversationID, conversationType) {
    const newest = this.#places.get(conversationKey(conversationID, conversationType));
    const place = { orderKey: (newest?.orderKey || orderKeyOf(Date.now())) + 1, conversationSeq: newest?.conversationSeq ?? 0 };
    this.passed({ conversationID, conversationType, orderKey: place.orderKey, messageSeq: place.conversationSeq });
    return place;
  }

  /** Returns the change of a conversation that a message of one's own makes, whether it is being sent, was sent or failed. */
  changedBy(message) {
    const { conversationID, conversationType: type } = message;
    const key = conversationKey(conversationID, type);
    const known = this.#conversations.get(key);
    if (!known) this.#toldAdded.add(key);
    const before = known ?? { ...conversationDefaults(), conversationID, type };
    const lastMessage = isLaterThan(before.lastMessage, message) ? before.lastMessage : { ...message };
    const conversation = { ...before, lastMessage, orderKey: Math.max(before.orderKey, lastMessage.orderKey) };
    this.#conversations.set(key, conversation);
    return { event: known ? ZIMConversationEvent.Updated : ZIMConversationEvent.Added, conversation };
  }

  /** Returns a change by the broker as the program is to see it: what it was told to add is not added twice. */
  changed(info) {
    const key = conversationKey(info.conversation.conversationID, info.conversation.type);
    const isKnown = this.#toldAdded.delete(key) && info.event === ZIMConversationEvent.Added;
    if (info.event === ZIMConversationEvent.Deleted) this.#conversations.delete(key);
    return isKnown ? { ...info, event: ZIMConversationEvent.Updated } : info;
  }

  static #keep(map, key, value) {
    map.delete(key);
    map.set(key, value);
    forgetOldest(map, KnownConversations.#MAX);
  }
}

/** Returns whether the last message of a conversation stays the last beside another: that one is older, and none of its own states. */
function isLaterThan(last, message) {
  if (!last || (last.localMessageID && last.localMessageID === message.localMessageID)) return false;
  // What is being sent comes behind everything that has its place.
  if ((last.sentStatus === Sending) !== (message.sentStatus === Sending)) return last.sentStatus === Sending;
  return last.orderKey > message.orderKey;
}

/** Returns the order key that a broker would give at this time, at the least. */
const orderKeyOf = (wallMs) => (wallMs - ORDER_KEY_EPOCH_MS) * 2048;

/** Returns the other user of a peer message, which is its conversation ID; it differs between the two sides. */
const peerOf = (wire, userID) => (wire.senderUserID === userID ? wire.toUserID : wire.senderUserID);

/** Splits a list into runs of one conversation: own messages from another device may go to several users. */
function splitByConversation(messageList) {
  const runs = [];
  for (const message of messageList) {
    const run = runs.at(-1);
    if (run?.[0].conversationID === message.conversationID) run.push(message);
    else runs.push([message]);
  }
  return runs;
}

/** Returns whether only this device has a message: it was inserted here, or failed. */
const isOfThisDevice = (message) => message.isUserInserted || message.sentStatus === Failed;

/** Returns the fields that name a place in history. The program may pass a partial copy, or one that went through JSON. */
function anchorOf(message) {
  if (!message) return undefined;
  // Messages that are not stored have an order key, but no sequence of their own.
  if (isOfThisDevice(message)) return { orderKey: message.orderKey };
  return { messageSeq: message.messageSeq || message.conversationSeq || undefined, orderKey: message.orderKey };
}

/** Converts the strings of form fields in a config to numbers. */
function withNumbers(config) {
  const isText = (field) => typeof config?.[field] === 'string' && /^\d{1,15}$/.test(config[field]);
  const texts = NUMERIC_FIELDS.filter(isText);
  if (texts.length === 0) return config ?? undefined;
  return { ...config, ...Object.fromEntries(texts.map((field) => [field, Number(config[field])])) };
}

/** Returns how many a program asks for, in this field of its config: 0 or more. */
function countOf(config, field = 'count') {
  const count = withNumbers(config)?.[field];
  if (typeof count !== 'number' || !(count >= 0)) throw invalid(`config.${field} is ${count}, it must be a number, 0 or more`);
  return Math.ceil(count);
}

/** Returns how long the next page may be. Where nothing is wanted a page of one is asked for all the same: it may be refused. */
const pageCount = (left, pageMax) => Math.min(Math.max(left, 1), pageMax);

/** Counts the bytes only when that can matter: a character takes three at most. */
const isTooLong = (frame) =>
  frame.length * 3 > FRAME_BYTES_MAX && utf8(frame).length > FRAME_BYTES_MAX;

/** One WebSocket with its requests. It ends once, whatever the reason, and then rejects every open request with 6000104. */
class Socket {
  #webSocket;
  #requests = new Map();
  #nextID = 1;
  #lastFrameAt = clockMs();
  #pingTimer;
  #silenceTimer;
  #ended = false;
  #handlers;

  /** @param {{onOpen(): void, onEvent(event: string, data: object): void, onEnd(code: number, reason: string): void}} handlers */
  constructor(WebSocketClass, url, handlers) {
    this.#handlers = handlers;
    this.#webSocket = new WebSocketClass(url);
    const listen = (type, act) => this.#webSocket.addEventListener(type, (event) => this.#ended || act(event));
    listen('open', () => handlers.onOpen());
    listen('message', ({ data }) => this.#receive(data));
    listen('close', ({ code, reason }) => this.end(code, reason || `closed with ${code}`));
    // Node's WebSocket says no more than this when it cannot connect.
    listen('error', () => this.end(1006, 'the socket failed'));
    // A WebSocket class passed in may have given up before anyone could listen.
    if (this.#webSocket.readyState > 1) Promise.resolve().then(() => this.end(1006, 'the socket did not open'));
  }

  /**
   * Sends a request. `resolve` is called while the reply's frame is being read, so before any later frame is.
   * @param {{op: string, args?: object, resolve: (result: any) => void, reject: (error: ZIMError) => void,
   *          timeoutMs?: number, endsSocket?: boolean}} request `endsSocket`: no reply in time means a dead connection
   */
  call({ op, args = {}, resolve, reject, timeoutMs = REQUEST_TIMEOUT_MS, endsSocket = false }) {
    if (this.#ended) {
      reject(lost('it has ended'));
      return;
    }
    const id = this.#nextID++;
    const frame = JSON.stringify({ id, op, args });
    if (isTooLong(frame)) {
      reject(invalid(`the frame of ${op} is above the limit of ${FRAME_BYTES_MAX} bytes`));
      return;
    }
    const timer = setTimeout(() => this.#expire(id, op, timeoutMs, endsSocket), timeoutMs);
    this.#requests.set(id, { resolve, reject, timer });
    this.#webSocket.send(frame);
  }

  /** Starts to ping, and ends the socket when no frame came for one and a half intervals. */
  watch(heartbeatSeconds) {
    const beatMs = heartbeatSeconds * 1000;
    const ping = { op: 'ping', resolve() {}, reject() {} };
    this.#pingTimer = setInterval(() => this.call(ping), beatMs);
    this.#watchSilence(beatMs * SILENCE_HEARTBEATS);
  }

  /** Ends the socket unless the broker answers soon. */
  probe() {
    this.call({ op: 'ping', resolve() {}, reject() {}, timeoutMs: PROBE_TIMEOUT_MS, endsSocket: true });
  }

  /** Ends the socket without waiting for the other side, which may be long gone. */
  end(code, reason) {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#pingTimer);
    clearTimeout(this.#silenceTimer);
    this.#webSocket.close();
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    this.#handlers.onEnd(code, reason);
    for (const { reject, timer } of requests) {
      clearTimeout(timer);
      reject(lost(reason));
    }
  }

  #watchSilence(limitMs) {
    const leftMs = this.#lastFrameAt + limitMs - clockMs();
    if (leftMs <= 0) this.end(1006, `nothing was heard for ${limitMs} ms`);
    else this.#silenceTimer = setTimeout(() => this.#watchSilence(limitMs), leftMs);
  }

  #expire(id, op, timeoutMs, endsSocket) {
    const reason = `${op} was not answered within ${timeoutMs} ms`;
    if (endsSocket) {
      this.end(1006, reason);
      return;
    }
    const { reject } = this.#requests.get(id);
    this.#requests.delete(id);
    reject(new ZIMError(Code.NetworkError, reason));
  }

  #receive(text) {
    this.#lastFrameAt = clockMs();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch (error) {
      console.error('tidings: a frame is not JSON', error);
      return;
    }
    if (frame.event !== undefined) this.#handlers.onEvent(frame.event, frame.data ?? {});
    else this.#settle(frame);
  }

  #settle({ id, result, error }) {
    const request = this.#requests.get(id);
    if (!request) {
      // Either the reply came after the timeout, or the broker could not read a frame of this client.
      if (id === null && error) this.#handlers.onEvent('error', { code: error.code, message: error.message });
      return;
    }
    this.#requests.delete(id);
    clearTimeout(request.timer);
    if (error) request.reject(new ZIMError(error.code, error.message, error));
    else request.resolve(result ?? {});
  }
}

/**
 * Returns whether to come back after a close with this code: the broker asks for it (4000–4499), or the line or the proxy in
 * between went away. After any other the same would happen again.
 */
function invitesReturn(code) {
  return code === 1001 || code === 1006 || (code >= 4000 && code <= 4499);
}

/** Returns what a final close code means: the event for the program, and the error for what was pending. */
function finalEnd(code, reason) {
  const { KickedOut, TokenExpired, LoginTimeout } = ZIMConnectionEvent;
  if (code === 4500) return [KickedOut, new ZIMError(Code.UserIsNotLogged, 'kicked out: another session took the place')];
  if (code === 4501) return [TokenExpired, new ZIMError(Code.TokenExpired, 'the token ran out')];
  return [LoginTimeout, lost(reason)];
}

/**
 * Returns how long to wait after `failures` in a row, in milliseconds. Full jitter: a broker that went down must not be met by all
 * its clients at once when it is back.
 */
function jitteredBackoffMs(failures, capMs = BACKOFF_CAP_MS) {
  return Math.random() * Math.min(capMs, (BACKOFF_BASE_MS / 2) * 2 ** failures);
}

/** Returns the error for a login that failed at every server, as [base, error] each, whose errors name their bases. */
function loginError(failures) {
  if (failures.length === 1) return failures[0][1];
  // A broker that answers says more than a line that fails.
  const [, refusal] = failures.find(([, { temporary }]) => temporary) ?? [];
  return refusal ?? new ZIMError(Code.NetworkError, failures.map(([, { message }]) => message).join('; '));
}

/**
 * Returns the error of a connection that was never made, with what is wrong in words: whether the broker can be reached, is ready, and
 * lets this page in. It is asked over HTTP.
 */
async function whyLost(base, error, platform) {
  const say = (what) => new ZIMError(error.code, `${what} (${error.message})`);
  const origin = pageOrigin();
  const isForeign = origin !== undefined && origin !== new URL(base).origin;
  const refused = `add "${origin}" to its setting server.origins (or TIDINGS_SERVER__ORIGINS)`;
  const ask = (mode) => fetchWithin(platform, READY_TIMEOUT_MS, `${base}/readyz`, { mode, cache: 'no-store' });
  if (!platform.fetch) return say(`no connection to the broker at ${base}`);
  try {
    const response = await ask('cors');
    const answer = await response.json().catch(() => ({}));
    if (response.status === 503) return say(`the broker at ${base} is not ready: ${answer.detail ?? answer.title ?? 'it answers 503'}`);
    if (!response.ok) return say(`${base} answers ${response.status} to /readyz: is it a broker's address?`);
    if (isForeign) return say(`the broker at ${base} is ready, but this page's Origin is not allowed: ${refused}`);
    return say(`the broker at ${base} is ready, but its WebSocket cannot be opened: does a proxy in between pass on /ws?`);
  } catch {
    // Unreachable; or, for a page of another origin, there but not to be read.
  }
  const isThere = isForeign && (await ask('no-cors').then(() => true, () => false));
  if (isThere) return say(`the broker at ${base} answers, but this page's Origin is not allowed: ${refused}; or it is not ready`);
  return say(`the broker at ${base} is unreachable`);
}

/** Fetches, for so long at most. */
async function fetchWithin(platform, limitMs, url, options) {
  const controller = newStopper();
  const timer = setTimeout(() => controller.abort(), limitMs);
  try {
    return await platform.fetch(url, { ...options, signal: controller.signal });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Keeps one session alive, over one socket after the other. Of several servers the next one is tried at once where one fails, and
 * when all have failed in a row there is a wait before the next round. So of one server each failure is a round.
 */
class Connection {
  /** idle: nobody is logged in; login: the first login runs; up: connected; away: the connection is lost and being restored. */
  #phase = 'idle';
  #socket = null;
  #firstLogin = null;
  /** Which of the bases is connected, or is tried. */
  #at;
  /** The base of the last login. */
  #base;
  /** What failed since the last wait, or since a connection that lasted: [base, error] each. */
  #failures = [];
  #rounds = 0;
  #upSince = 0;
  #timer;
  #settings;
  #handlers;

  /**
   * @param {{WebSocket: typeof WebSocket, bases: string[], first?: string, reconnectMaxMs?: number}} settings `first`: the one of
   *        `bases` to begin with; otherwise the first of them
   * @param {{loginArgs(): object, onUp(result: object): void, onLost(): void, onFinal(event: number, error: ZIMError): void,
   *          onEvent(event: string, data: object): void}} handlers
   */
  constructor(settings, handlers) {
    this.#settings = settings;
    this.#handlers = handlers;
    this.#at = Math.max(0, settings.bases.indexOf(settings.first));
    this.#base = settings.bases[this.#at];
  }

  /** The address for HTTP of the server that let this session in last; before that, of the first one tried. */
  get base() {
    return this.#base;
  }

  /** The addresses for HTTP of all servers. */
  get bases() {
    return this.#settings.bases;
  }

  get isIdle() {
    return this.#phase === 'idle';
  }

  get isLoggedIn() {
    return this.#phase === 'up' || this.#phase === 'away';
  }

  get isUp() {
    return this.#phase === 'up';
  }

  /** Logs in, with one attempt at each server: the program decides whether to try again. */
  login() {
    this.#phase = 'login';
    return new Promise((resolve, reject) => {
      this.#firstLogin = { resolve, reject };
      this.#connect();
    });
  }

  /** Takes the session for one whose connection is lost, and comes back to it as soon as a server can be reached. */
  async loginOffline() {
    this.#phase = 'away';
    this.#handlers.onLost();
    if (this.#phase === 'away') this.#connect();
  }

  /** @returns {Promise<any>} the result; rejects with 6000104 when the connection is lost first */
  request(op, args, { endsSocket = false } = {}) {
    return new Promise((resolve, reject) => {
      if (this.isUp) this.#socket.call({ op, args, resolve, reject, endsSocket });
      else reject(lost('trying to come back'));
    });
  }

  /** Checks the connection, or reconnects, at once: the network changed, or the page was asleep. */
  wake() {
    if (this.#phase === 'up') this.#socket.probe();
    if (this.#phase === 'away' && this.#socket === null) {
      clearTimeout(this.#timer);
      this.#connect();
    }
  }

  /** Logs out at the broker, if it can be reached, and stops. */
  async logout() {
    const wasUp = this.isUp;
    const socket = this.#stop(new ZIMError(Code.UserIsNotLogged, 'logged out'));
    const goodbye = (done) => ({ op: 'logout', resolve: done, reject: done, timeoutMs: LOGOUT_TIMEOUT_MS });
    if (wasUp) await new Promise((done) => socket.call(goodbye(done)));
    socket?.end(1000, 'logged out');
  }

  #connect() {
    const isOurs = () => socket === this.#socket;
    const deadline = setTimeout(() => socket.end(1006, `no login within ${LOGIN_TIMEOUT_MS} ms`), LOGIN_TIMEOUT_MS);
    let socket;
    try {
      socket = new Socket(this.#settings.WebSocket, socketUrl(this.bases[this.#at]), {
        onOpen: () => this.#sendLogin(socket, deadline),
        onEvent: (event, data) => this.isUp && isOurs() && this.#handlers.onEvent(event, data),
        onEnd: (code, reason) => {
          clearTimeout(deadline);
          if (isOurs()) this.#socketEnded(code, reason);
        },
      });
      this.#socket = socket;
    } catch (error) {
      // A browser may refuse at once, such as ws: from a page that came by https:.
      clearTimeout(deadline);
      this.#socketEnded(1006, error.message);
    }
  }

  #sendLogin(socket, deadline) {
    socket.call({
      op: 'login',
      args: this.#handlers.loginArgs(),
      resolve: (result) => {
        clearTimeout(deadline);
        if (socket === this.#socket) this.#loggedIn(result);
      },
      reject: (error) => {
        // A lost socket has already been dealt with.
        if (socket === this.#socket && error.code !== Code.NetworkError) this.#loginRefused(error);
      },
    });
  }

  #loggedIn(result) {
    this.#phase = 'up';
    this.#base = this.bases[this.#at];
    this.#upSince = clockMs();
    this.#socket.watch(result.heartbeatSeconds);
    this.#handlers.onUp(result);
    this.#firstLogin?.resolve(result);
    this.#firstLogin = null;
  }

  #loginRefused(error) {
    if (error.temporary) {
      const socket = this.#socket;
      this.#socket = null;
      socket.end(1000, 'refused for now');
      this.#tryNext(error);
      return;
    }
    const isTokenError = TOKEN_CODES.includes(error.code);
    this.#finish(isTokenError ? ZIMConnectionEvent.TokenExpired : ZIMConnectionEvent.LoginTimeout, error);
  }

  #socketEnded(code, reason) {
    this.#socket = null;
    if (!invitesReturn(code)) {
      this.#finish(...finalEnd(code, reason));
      return;
    }
    if (this.#phase === 'up') {
      this.#phase = 'away';
      if (clockMs() - this.#upSince > STEADY_AFTER_MS) [this.#rounds, this.#failures] = [0, []];
      this.#handlers.onLost();
    }
    // A listener may have logged out.
    if (this.#phase !== 'idle') this.#tryNext(lost(reason));
  }

  /** Connects to the server behind the one that failed. After a round of all a first login fails, and a later one waits. */
  #tryNext(error) {
    this.#failures.push([this.bases[this.#at], error]);
    this.#at = (this.#at + 1) % this.bases.length;
    if (this.#failures.length < this.bases.length) {
      this.#connect();
      return;
    }
    const failures = this.#failures;
    this.#failures = [];
    if (this.#phase === 'login') this.#explain(failures);
    else this.#wait(Math.max(...failures.map(([, { retryAfterMs }]) => retryAfterMs ?? 0)));
  }

  /** Ends a first login that failed at every server, once it is known why: a WebSocket says no more than that it failed. */
  async #explain(failures) {
    const login = this.#firstLogin;
    const explained = await Promise.all(failures.map(async ([base, error]) => [base, error.temporary ? error : await whyLost(base, error, this.#settings.platform)]));
    // The program may have logged out meanwhile.
    if (this.#firstLogin === login) this.#finish(ZIMConnectionEvent.LoginTimeout, loginError(explained));
  }

  #wait(atLeastMs) {
    const waitMs = jitteredBackoffMs(this.#rounds, this.#settings.reconnectMaxMs);
    this.#rounds += 1;
    this.#timer = setTimeout(() => this.#connect(), Math.max(atLeastMs, waitMs));
  }

  #finish(event, error) {
    this.#stop(error)?.end(1000, 'over');
    this.#handlers.onFinal(event, error);
  }

  /** Stops, and returns the socket that was in use; its end is not reported any more. */
  #stop(error) {
    const socket = this.#socket;
    this.#phase = 'idle';
    this.#socket = null;
    clearTimeout(this.#timer);
    this.#firstLogin?.reject(error);
    this.#firstLogin = null;
    return socket;
  }
}

/**
 * What was sent and is not answered yet. Storable messages stay here across lost connections and go out again in
 * their order, under the same localMessageID, by which the broker knows them. Commands and barrages go at most once.
 *
 * A send ends after `timeoutMs`. What was not written to a socket until then never will be. What was written may be stored all the
 * same: it is not written again, and its outcome is learnt from a late answer or from the replay of the next connection.
 */
class SendQueue {
  static #UNSETTLED_MAX = 1024;
  /**
   * A queue of storable messages per conversation, oldest first. It is serial once a message in it had to wait, and then
   * lets one go at a time: were it refused for now, those behind it would overtake it.
   */
  #queues = new Map();
  /** localMessageID → what to do once a message is known to be stored whose send has ended without an answer. */
  #unsettled = new Map();
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /**
   * @param {{timeoutMs?: number, onLate?: (result: object) => void}} ending `timeoutMs` 0: the send does not end by itself;
   *        `onLate` gets the result of a send that had ended without one
   * @returns {Promise<any>} the broker's result
   */
  submit(message, op, args, { timeoutMs = 0, onLate = () => {} } = {}) {
    if (this.#connection.isIdle) return Promise.reject(new ZIMError(Code.UserIsNotLogged, 'logged out'));
    // A message that is sent again is told of by this send.
    this.#unsettled.delete(message.localMessageID);
    return new Promise((resolve, reject) => {
      const { localMessageID } = message;
      const entry = { op, args, localMessageID, resolve, reject, onLate, isOpen: false, wasWritten: false, hasEnded: false, refusals: 0, timer: undefined, deadline: undefined };
      const queue = isStorable(message) ? this.#queueOf(message) : null;
      queue?.entries.push(entry);
      if (timeoutMs > 0) entry.deadline = setTimeout(() => this.#expire(queue, entry, timeoutMs), timeoutMs);
      if (!queue) this.#request(op, args).then((result) => this.#answered(entry, result), (error) => this.#reject(entry, error));
      else if (queue.isSerial) this.#next(queue);
      else this.#transmit(queue, entry);
    });
  }

  /** Sends what waited, because the session is up again. */
  resume() {
    for (const queue of [...this.#queues.values()]) this.#next(queue);
  }

  /** Takes a message of one's own that came by another way than an answer, such as the replay. */
  settle(wire) {
    const onLate = this.#unsettled.get(wire.localMessageID);
    this.#unsettled.delete(wire.localMessageID);
    onLate?.({ message: wire });
  }

  /** Rejects what is pending, because the session is over. */
  abandon(error) {
    for (const entry of [...this.#queues.values()].flatMap((queue) => queue.entries)) {
      clearTimeout(entry.timer);
      this.#reject(entry, error);
    }
    this.#queues.clear();
    this.#unsettled.clear();
  }

  #queueOf(message) {
    const key = conversationKey(message.conversationID, message.conversationType);
    const queue = this.#queues.get(key) ?? { key, entries: [], isSerial: !this.#connection.isUp };
    this.#queues.set(key, queue);
    return queue;
  }

  #request(op, args) {
    return this.#connection.request(op, args, { endsSocket: true });
  }

  /** Sends the first entry of a serial queue, unless it was sent already or waits for its time. */
  #next(queue) {
    const [first] = queue.entries;
    if (first && !first.isOpen && first.timer === undefined && this.#connection.isUp) this.#transmit(queue, first);
  }

  #transmit(queue, entry) {
    entry.isOpen = true;
    entry.wasWritten = entry.wasWritten || this.#connection.isUp;
    this.#request(entry.op, entry.args).then(
      (result) => {
        if (!entry.hasEnded) this.#remove(queue, entry);
        this.#answered(entry, result);
      },
      (error) => this.#refused(queue, entry, error),
    );
  }

  #refused(queue, entry, error) {
    entry.isOpen = false;
    const isLost = error.code === Code.NetworkError;
    if (entry.hasEnded) {
      // The broker has not stored it, and says so after the program was told as much.
      if (!isLost && this.#unsettled.get(entry.localMessageID) === entry.onLate) this.#unsettled.delete(entry.localMessageID);
      return;
    }
    const isForNow = error.code === Code.ServerFrequencyLimit || error.temporary;
    if (isLost) queue.isSerial = true;
    // A message that had to wait is not refused for the rate: the program did not choose the moment.
    else if (queue.isSerial && isForNow) this.#pause(queue, entry, error.retryAfterMs);
    else {
      this.#remove(queue, entry);
      this.#reject(entry, error);
    }
  }

  #pause(queue, entry, retryAfterMs) {
    const backoffMs = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** entry.refusals);
    entry.refusals += 1;
    entry.wasWritten = false;
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      this.#next(queue);
    }, retryAfterMs ?? backoffMs);
  }

  /** Ends a send that had its time. */
  #expire(queue, entry, timeoutMs) {
    clearTimeout(entry.timer);
    if (queue) this.#remove(queue, entry);
    const isUnsettled = queue ? entry.wasWritten : this.#connection.isUp;
    if (isUnsettled) {
      this.#unsettled.set(entry.localMessageID, entry.onLate);
      forgetOldest(this.#unsettled, SendQueue.#UNSETTLED_MAX);
    }
    this.#reject(entry, new ZIMError(Code.NetworkError, `the message was not answered within ${timeoutMs} ms`));
  }

  #answered(entry, result) {
    if (!entry.hasEnded) {
      this.#end(entry);
      entry.resolve(result);
    } else if (this.#unsettled.get(entry.localMessageID) === entry.onLate) {
      this.#unsettled.delete(entry.localMessageID);
      entry.onLate(result);
    }
  }

  #reject(entry, error) {
    if (entry.hasEnded) return;
    this.#end(entry);
    entry.reject(error);
  }

  #end(entry) {
    entry.hasEnded = true;
    clearTimeout(entry.deadline);
  }

  #remove(queue, entry) {
    queue.entries.splice(queue.entries.indexOf(entry), 1);
    if (queue.entries.length > 0) {
      if (queue.isSerial) this.#next(queue);
    } else if (this.#queues.get(queue.key) === queue) {
      this.#queues.delete(queue.key);
    }
  }
}

/** Returns the changes that lead from the known attributes to these. */
function differences(known, attributes) {
  const { Set: SetAction, Delete } = ZIMRoomAttributesUpdateAction;
  const set = Object.entries(attributes).filter(([key, value]) => known.get(key) !== value);
  const gone = [...known].filter(([key]) => !(key in attributes));
  return [[Delete, gone], [SetAction, set]]
    .filter(([, pairs]) => pairs.length > 0)
    .map(([action, pairs]) => ({ action, roomAttributes: Object.fromEntries(pairs) }));
}

/** The rooms this client is in, and the states of the vendor's table that the broker leaves to the client. */
class Rooms {
  #inside = new Set();
  /** Room → its attributes as the program knows them. */
  #attributes = new Map();
  /** Room → events that came before the reply by which this client enters. */
  #pendingEvents = new Map();
  #emit;

  constructor(emit) {
    this.#emit = emit;
  }

  /** Runs a request that enters a room, and emits the states before and after it. */
  async enter(roomID, [started, failed], request) {
    if (typeof roomID !== 'string' || roomID === '') throw invalid('roomID is empty');
    this.#emitState(roomID, ZIMRoomState.Connecting, started);
    try {
      const result = await request();
      this.#enter(roomID);
      return result;
    } catch (error) {
      if (!this.#inside.has(roomID)) this.#emitState(roomID, ZIMRoomState.Disconnected, failed);
      // Refused while inside, such as creating it again: this client still is a member.
      else if (error.code !== Code.NetworkError) this.#enter(roomID);
      throw error;
    }
  }

  /** Runs the request that leaves a room. Who is outside already, or whose room is gone, has what they asked for. */
  async leave(roomID, request) {
    try {
      await request();
    } catch (error) {
      if (error.code !== Code.UserIsNotInTheRoom && error.code !== Code.RoomDoesNotExist) throw error;
      if (!this.#inside.has(roomID)) return { roomID };
    }
    this.#exit(roomID, ZIMRoomEvent.Success);
    return { roomID };
  }

  /** Leaves a room by another request than that of `leave`. */
  left(roomID) {
    if (this.#inside.has(roomID)) this.#exit(roomID, ZIMRoomEvent.Success);
  }

  /**
   * Takes a change of attributes of a room or of its members; or a snapshot of them, for a member that entered or came back.
   * Of a snapshot only what changed is emitted, and not before the program knows that it is inside.
   */
  attributesChanged(event, { isSnapshot, ...data }) {
    const { roomID, infos } = data;
    if (isSnapshot && !this.#inside.has(roomID)) {
      this.#pendingEvents.set(roomID, [...(this.#pendingEvents.get(roomID) ?? []), { event, isSnapshot, data }]);
      return;
    }
    if (event === 'roomMemberAttributesUpdated') {
      this.#emit(event, data);
      return;
    }
    const known = this.#attributes.get(roomID) ?? new Map();
    const news = isSnapshot ? differences(known, infos[0].roomAttributes) : infos;
    this.#attributes.set(roomID, known);
    for (const { action, roomAttributes } of news) {
      for (const [key, value] of Object.entries(roomAttributes)) {
        if (action === ZIMRoomAttributesUpdateAction.Set) known.set(key, value);
        else known.delete(key);
      }
    }
    if (news.length > 0) this.#emit(event, { roomID, infos: news });
  }

  /** Takes a change of this member's state that the broker made. */
  changed({ roomID, state, event, extendedData }) {
    if (state === ZIMRoomState.Disconnected) this.#forget(roomID);
    if (state === ZIMRoomState.Connected) this.#inside.add(roomID);
    this.#emitState(roomID, state, event, extendedData);
  }

  interrupted() {
    for (const roomID of this.#inside) this.#emitState(roomID, ZIMRoomState.Connecting, ZIMRoomEvent.NetworkInterrupted);
  }

  /** Takes the rooms that this client is still in after a reconnect, and leaves all others. */
  resumed(held) {
    for (const roomID of [...this.#inside]) {
      if (!held.includes(roomID)) this.#exit(roomID, ZIMRoomEvent.ConnectTimeout);
    }
    for (const roomID of held) this.#enter(roomID);
  }

  /** Leaves every room, because the session is over. */
  ended(event) {
    for (const roomID of [...this.#inside]) this.#exit(roomID, event);
  }

  #enter(roomID) {
    this.#inside.add(roomID);
    this.#emitState(roomID, ZIMRoomState.Connected, ZIMRoomEvent.Success);
    const pending = this.#pendingEvents.get(roomID) ?? [];
    this.#pendingEvents.delete(roomID);
    for (const { event, isSnapshot, data } of pending) this.attributesChanged(event, { isSnapshot, ...data });
  }

  #forget(roomID) {
    this.#inside.delete(roomID);
    this.#attributes.delete(roomID);
  }

  #exit(roomID, event) {
    this.#forget(roomID);
    this.#emitState(roomID, ZIMRoomState.Disconnected, event);
  }

  #emitState(roomID, state, event, extendedData) {
    // Programs written for the vendor's SDK parse `extendedData`.
    this.#emit('roomStateChanged', { roomID, state, event, extendedData: extendedData || '{}' });
  }
}

const randomID = (platform) => bytesToBase64(randomBytes(12, platform)).replaceAll('+', '-').replaceAll('/', '_');

/** Returns an ID of its own for each browser tab, also across reloads; elsewhere for each device with storage, else for each client. */
function ownDeviceID(platform) {
  const id = `d-${randomID(platform)}`;
  const isPage = typeof document !== 'undefined';
  if (!isPage && typeof localStorage !== 'undefined') return id;
  try {
    const storage = isPage ? sessionStorage : platform.storage;
    const kept = storage.getItem('tidings.deviceID') ?? id;
    storage.setItem('tidings.deviceID', kept);
    return kept;
  } catch {
    // Storage is switched off here: the device lives as long as the page.
    return id;
  }
}

const pageOrigin = () => (globalThis.location?.origin?.startsWith('http') ? globalThis.location.origin : undefined);

/** Matches a broker's address: scheme, host, port, path. */
const ADDRESS = /^(?:(https?|wss?):\/\/)?(\[[\da-f:.]+\]|[^\s/?#@:,[\]\\]+)(?::(\d{1,5}))?(\/[^\s?#\\]*)?$/i;

/**
 * Returns the base of a broker's address, for HTTP and without a slash at its end: `https://example.com/im` of
 * `wss://example.com/im/ws`. Without a scheme there must be a port; it is https then where the page came by it, or the port is 443.
 */
function baseOf(address, field) {
  const [, scheme, host, port, path = ''] = ADDRESS.exec(`${address}`.trim()) ?? [];
  const isPort = port === undefined ? scheme !== undefined : port >= 1 && port <= 65_535;
  if (host === undefined || !isPort) {
    throw invalid(`${field} is ${address}, it must be an http, https, ws or wss address, or host:port, or a list of them`);
  }
  const isSecure = scheme ? /^(https|wss)$/i.test(scheme) : port === '443' || globalThis.location?.protocol === 'https:';
  const place = path.replace(/\/+$/, '').replace(/\/ws$/, '').replace(/\/+$/, '');
  return `http${isSecure ? 's' : ''}://${host.toLowerCase()}${port ? `:${Number(port)}` : ''}${place}`;
}

/** Returns the WebSocket address below a base. */
const socketUrl = (base) => `${base.replace(/^http/, 'ws')}/ws`;

/** Returns, as [name, value], what says where the brokers are: the config's `server`, else TIDINGS_SERVER, else the page's origin. */
function namedServers(server) {
  const isOpen = (value) => value === undefined || value === null;
  if (isOpen(server) && !isOpen(globalThis.TIDINGS_SERVER)) return ['TIDINGS_SERVER', globalThis.TIDINGS_SERVER];
  return ['server', isOpen(server) ? pageOrigin() : server];
}

/** Returns the bases of the brokers in a list, or in a text with commas between them, each once. */
function basesOf([field, value]) {
  const list = Array.isArray(value) ? value : `${value}`.split(',');
  if (list.length === 0) throw invalid(`${field} is an empty list, it must name one address or more`);
  return [...new Set(list.map((address) => baseOf(address, field)))];
}

/**
 * Calls `wake` when a page gets or loses its network, or comes back from the background or from sleep, where timers stood
 * still. @returns {() => void} stops it
 */
function onWaking(wake) {
  const page = globalThis.document;
  if (!page || typeof globalThis.addEventListener !== 'function') return () => {};
  const shown = () => page.visibilityState === 'visible' && wake();
  const places = [[globalThis, 'online', wake], [globalThis, 'offline', wake], [globalThis, 'pageshow', wake], [page, 'resume', wake], [page, 'visibilitychange', shown]];
  for (const [place, type, listener] of places) place.addEventListener(type, listener);
  return () => {
    for (const [place, type, listener] of places) place.removeEventListener(type, listener);
  };
}

/** The stored messages that came already: a replay begins a little before the connection was lost. */
class SeenMessages {
  static #MAX = 4096;
  #ids = new Set();

  /** Returns whether a message came before, and remembers it. */
  has({ messageID, messageSeq }) {
    if (!messageSeq) return false;
    if (this.#ids.has(messageID)) return true;
    this.#ids.add(messageID);
    forgetOldest(this.#ids, SeenMessages.#MAX);
    return false;
  }
}

const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

/** Not written in the import itself, where bundlers for browsers would resolve it. */
const NODE_FILES = 'node:fs';

/** Returns the content of `fileLocalPath`: a File or Blob, bytes, or in Node a path. @returns {Promise<Blob>} */
async function blobOf(source) {
  if (typeof Blob === 'function' && source instanceof Blob) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return newBlob(source);
  if (typeof source === 'string' && !isReactNative() && globalThis.process?.versions?.node) {
    try {
      const { openAsBlob } = await import(/* webpackIgnore: true */ /* @vite-ignore */ NODE_FILES);
      return await openAsBlob(source);
    } catch (error) {
      throw new ZIMError(Code.FileNotExist, `fileLocalPath ${source} cannot be read: ${error.message}`);
    }
  }
  if (typeof source === 'string' && isReactNative()) {
    // Its fetch reads files of the device.
    return (await fetch(source)).blob();
  }
  throw new ZIMError(Code.FileNotExist, 'fileLocalPath is no File, Blob, bytes or path');
}

function nameOf(source, message) {
  if (message.fileName) return message.fileName;
  if (typeof source === 'string') return source.split(/[/\\]/).pop();
  return source.name ?? '';
}

/** Returns the first frame of a video as a JPEG; null outside of browsers. @returns {Promise<Blob | null>} */
async function firstFrameOf(blob) {
  if (typeof document === 'undefined' || typeof URL.createObjectURL !== 'function') return null;
  const video = document.createElement('video');
  const url = URL.createObjectURL(blob);
  try {
    const shown = new Promise((resolve, reject) => {
      video.addEventListener('loadeddata', resolve, { once: true });
      video.addEventListener('error', () => reject(new Error('the video cannot be shown')), { once: true });
      setTimeout(() => reject(new Error('the video does not load')), 5000);
    });
    Object.assign(video, { muted: true, playsInline: true, preload: 'auto', src: url });
    await shown;
    const canvas = document.createElement('canvas');
    const scale = Math.min(1, 1280 / Math.max(video.videoWidth, video.videoHeight));
    [canvas.width, canvas.height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
    canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', 0.85); });
  } catch {
    // This browser does not know the codec: the video is sent without a frame.
    return null;
  } finally {
    video.removeAttribute('src');
    URL.revokeObjectURL(url);
  }
}

/**
 * The token of one session for its files. It is renewed before it runs out; a renewal that fails is tried again with back-off,
 * until one succeeds, a login brings a token, or the session ends.
 */
class MediaToken {
  /** The newest token. While its renewal fails it stays in use: it is renewed well before it runs out. */
  value = '';
  #renew;
  #timer;
  #failures = 0;
  #isRenewing = false;
  #isClosed = false;
  /** Wakes those who wait for the end of the next attempt. */
  #waiting = [];

  /** @param {() => Promise<{mediaToken?: string, mediaTokenSeconds?: number}>} renew asks the broker for a new token */
  constructor(renew) {
    this.#renew = renew;
  }

  get isClosed() {
    return this.#isClosed;
  }

  /** Takes the token of a login or a renewal, and plans the next renewal. A broker without files gives none. */
  grant({ mediaToken, mediaTokenSeconds }) {
    if (!mediaToken || this.#isClosed) return;
    this.value = mediaToken;
    this.#failures = 0;
    this.#plan(Math.max(1, mediaTokenSeconds * TOKEN_RENEWED_AFTER) * 1000);
    this.#wakeWaiting();
  }

  /** Ends the renewals; nobody waits for one any more. */
  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#wakeWaiting();
  }

  /**
   * Resolves at the end of the next attempt to renew the token, whatever its result, or after `limitMs`. An attempt is begun where
   * none runs; but while the broker refuses, all wait for the one that is planned.
   */
  nextAttempt(limitMs, signal) {
    if (this.#isClosed || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(wake, limitMs);
      this.#waiting.push(wake);
      signal?.addEventListener('abort', wake, { once: true });
      if (!this.#isRenewing && this.#failures === 0) this.#attempt();
    });
  }

  #plan(waitMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#attempt(), waitMs);
    this.#timer.unref?.();
  }

  async #attempt() {
    this.#isRenewing = true;
    const old = this.value;
    try {
      this.grant(await this.#renew());
    } catch (error) {
      // Without a connection the next login brings a token, and may have done so already.
      if (this.value === old && !this.#isClosed) this.#retry(error.retryAfterMs);
    } finally {
      this.#isRenewing = false;
      this.#wakeWaiting();
    }
  }

  #retry(atLeastMs = 0) {
    const waitMs = jitteredBackoffMs(this.#failures);
    this.#failures += 1;
    this.#plan(Math.max(atLeastMs, waitMs));
  }

  #wakeWaiting() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** Returns where a file is uploaded in one request. */
const uploadPlace = ({ kind, name, keepOriginal }) =>
  `/media/uploads?kind=${kind}&name=${encodeURIComponent(name)}${keepOriginal ? '&original=keep' : ''}`;

/** Files of one session, over HTTP beside its socket. */
class Files {
  #servers;
  #platform;
  #token;
  /** localMessageID → what stops its upload. */
  #uploads = new Map();

  /**
   * @param {{base: string, bases: string[]}} servers the address of the server that is used now, and those of all
   * @param {object} platform what sends requests, and reads files
   * @param {() => Promise<object>} renew asks for a new token
   */
  constructor(servers, platform, renew) {
    this.#servers = servers;
    this.#platform = platform;
    this.#token = new MediaToken(renew);
  }

  /** Takes the token that a login brings. */
  grant(result) {
    this.#token.grant(result);
  }

  /** Ends every upload, and the renewals of the token. */
  end(error) {
    this.#token.close();
    for (const controller of this.#uploads.values()) controller.abort(error);
    this.#uploads.clear();
  }

  cancel(message) {
    const controller = this.#uploads.get(message?.localMessageID);
    controller?.abort(new ZIMError(Code.SendCancelled, 'the upload was cancelled'));
    return controller !== undefined;
  }

  /** Returns a message with complete URLs of the broker's own files, with the current token: the object itself, of a frozen one a copy. */
  sign(given) {
    const message = Object.isFrozen(given) ? { ...given } : given;
    for (const field of URL_FIELDS) {
      const path = OWN_URL.test(message[field] ?? '') && this.#pathOf(message[field]);
      if (path) message[field] = `${this.#servers.base}${path}?token=${this.#token.value}`;
    }
    const quoted = message.repliedInfo?.messageInfo;
    const signed = quoted && this.sign(quoted);
    if (signed !== quoted) message.repliedInfo = { ...message.repliedInfo, messageInfo: signed };
    return message;
  }

  /** Returns the path of a file at whichever of the servers, null for one elsewhere. */
  #pathOf(url) {
    const base = this.#servers.bases.find((one) => url.startsWith(`${one}/media/`)) ?? '';
    const path = url.slice(base.length);
    return path.startsWith('/media/') ? path.split('?')[0] : null;
  }

  /**
   * Uploads the file that a message names by `fileLocalPath`, and writes its uid, name and size into the message.
   * @param {Outgoing} outgoing
   * @param {(sent: number, total: number) => void} progress
   * @param {boolean} keepOriginal nothing is taken out of it
   */
  async upload(outgoing, progress, keepOriginal) {
    const controller = newStopper();
    const { fileLocalPath: source, type, localMessageID } = outgoing.message;
    this.#uploads.set(localMessageID, controller);
    try {
      if (typeof source === 'string' && this.#platform.uploadFile) return await this.#uploadPath(outgoing, progress, keepOriginal, controller.signal);
      const blob = await blobOf(source);
      const frame = type === Video ? await firstFrameOf(blob) : null;
      const name = nameOf(source, outgoing.message);
      // From the first progress on a message says what its file is.
      const known = (fileUID) => outgoing.set({ fileUID, fileName: name, fileSize: blob.size });
      const file = await this.#uploadBytes(blob, { kind: KIND_NAMES[type], name, keepOriginal, known }, progress, controller.signal);
      if (frame) await this.#uploadFrame(file, frame, controller.signal);
      const { fileUID, fileName, fileSize } = file;
      outgoing.set({ fileUID, fileName, fileSize });
    } catch (error) {
      // The next try uploads it again.
      outgoing.set({ fileUID: '' });
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      this.#uploads.delete(localMessageID);
    }
  }

  /** Uploads a file that the platform reads by itself, such as a temporary one of a mini program. */
  async #uploadPath(outgoing, progress, keepOriginal, signal) {
    const { fileLocalPath: path, type } = outgoing.message;
    const name = nameOf(path, outgoing.message);
    outgoing.set({ fileName: name });
    const place = uploadPlace({ kind: KIND_NAMES[type], name, keepOriginal });
    const shown = (sent, total) => {
      outgoing.set({ fileSize: total });
      // The last is told once the broker has the file.
      if (sent < total) progress(sent, total);
    };
    const send = async () => {
      const headers = { Authorization: `Bearer ${this.#token.value}` };
      return this.#checked(() => this.#platform.uploadFile(`${this.#servers.base}${place}`, { path, headers, progress: shown, signal }));
    };
    const { fileUID, fileName, fileSize } = await (await this.#withRetries(send, signal)).json();
    outgoing.set({ fileUID, fileName, fileSize });
    progress(fileSize, fileSize);
  }

  /** Uploads content that is no file of a message. */
  async uploadBlob(blob, name) {
    return this.#uploadBytes(blob, { kind: 'file', name, keepOriginal: false, known: () => {} }, () => {}, undefined);
  }

  /** @param {{kind: string, name: string, keepOriginal: boolean, known: (fileUID: string) => void}} about `known`: hears the uid first */
  async #uploadBytes(blob, about, progress, signal) {
    // A file may be empty; what is to be shown or played may not.
    if (blob.size === 0 && about.kind !== KIND_NAMES[FileKind]) throw new ZIMError(Code.FileSizeInvalid, 'the file is 0 bytes, the range is 1 and more');
    let shown = 0;
    const tell = (sent) => {
      if (sent <= shown) return;
      shown = sent;
      progress(sent, blob.size);
    };
    const isWhole = blob.size <= PART_BYTES || this.#platform.hasParts === false;
    const file = isWhole ? await this.#uploadWhole(blob, about, signal) : await this.#uploadParts(blob, about, tell, signal);
    about.known(file.fileUID);
    tell(blob.size);
    return file;
  }

  async #uploadWhole(blob, about, signal) {
    const place = uploadPlace(about);
    const response = await this.#withRetries(() => this.#fetch('POST', place, { body: blob, signal }), signal);
    return response.json();
  }

  /** Uploads by tus 1.0, where the parts that arrived outlast a lost connection. */
  async #uploadParts(blob, { kind, name, keepOriginal, known }, tell, signal) {
    const tus = { 'Tus-Resumable': '1.0.0' };
    const encoded = (text) => bytesToBase64(utf8(text));
    const create = async () => {
      const metadata = `filename ${encoded(name)},kind ${encoded(kind)}${keepOriginal ? `,original ${encoded('keep')}` : ''}`;
      const headers = { ...tus, 'Upload-Length': `${blob.size}`, 'Upload-Metadata': metadata };
      const response = await this.#fetch('POST', '/media/tus', { headers, signal });
      return response.headers.get('Location').split('/').pop();
    };
    let uid = await this.#withRetries(create, signal);
    known(uid);
    signal?.addEventListener('abort', () => { this.#fetch('DELETE', `/media/tus/${uid}`, { headers: tus }).catch(() => {}); }, { once: true });
    const part = Math.min(4 * PART_BYTES, Math.max(PART_BYTES, Math.ceil(blob.size / 64)));
    let offset = 0;
    let isSure = true;
    while (offset < blob.size) {
      const step = async () => {
        if (!isSure) {
          const response = await this.#fetch('HEAD', `/media/tus/${uid}`, { headers: tus, signal });
          offset = Number(response.headers.get('Upload-Offset'));
          isSure = true;
          if (offset === blob.size) return;
        }
        isSure = false;
        const headers = { ...tus, 'Upload-Offset': `${offset}`, 'Content-Type': 'application/offset+octet-stream' };
        // The part is read first: a file that vanished fails here, and not as a lost connection.
        const body = await blob.slice(offset, offset + part).arrayBuffer();
        const response = await this.#fetch('PATCH', `/media/tus/${uid}`, { headers, body, signal });
        offset = Number(response.headers.get('Upload-Offset'));
        isSure = true;
      };
      try {
        await this.#withRetries(step, signal);
      } catch (error) {
        // The broker does not know the upload any more: it starts over.
        if (error.status !== 404 || signal?.aborted) throw error;
        uid = await this.#withRetries(create, signal);
        known(uid);
        [offset, isSure] = [0, true];
      }
      tell(Math.min(offset, blob.size - 1));
    }
    const response = await this.#withRetries(() => this.#fetch('GET', `/media/uploads/${uid}`, { signal }), signal);
    return response.json();
  }

  /** Uploads the first frame of a video. When that fails the video is sent all the same. */
  async #uploadFrame({ fileUID }, frame, signal) {
    try {
      await this.#fetch('PUT', `/media/${fileUID}/frame`, { body: frame, signal });
    } catch (error) {
      if (signal?.aborted) throw error;
    }
  }

  /**
   * Runs `work` until it succeeds or fails for good. A lost connection or a busy broker is tried again; where the token ran out, the
   * next try comes when a new one may be there. A request that is refused with several tokens would be with any other.
   */
  async #withRetries(work, signal) {
    const until = Date.now() + UPLOAD_PATIENCE_MS;
    const refusedTokens = new Set();
    for (let tries = 0; ; tries += 1) {
      const token = this.#token.value;
      try {
        return await work();
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        const isForNow = error.code === Code.NetworkError || [408, 409, 423, 429, 503].includes(error.status);
        if (error.status === 401) refusedTokens.add(token);
        const isStale = error.status === 401 && refusedTokens.size <= TOKENS_TRIED_MAX && !this.#token.isClosed;
        if ((!isForNow && !isStale) || Date.now() > until) throw error;
        if (isStale && token === this.#token.value) await this.#token.nextAttempt(until - Date.now(), signal);
        await pause(Math.min(5000, 200 * 2 ** tries) * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  /** Sends one request. Rejects with the broker's own code and text. @returns {Promise<Response>} */
  async #fetch(method, place, { headers = {}, body, signal } = {}) {
    const own = { ...headers, Authorization: `Bearer ${this.#token.value}` };
    return this.#checked(() => this.#platform.fetch(`${this.#servers.base}${place}`, { method, body, signal, headers: own }));
  }

  async #checked(send) {
    let response;
    try {
      response = await send();
    } catch (error) {
      throw lost(error.cause?.message ?? error.message);
    }
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    const refused = new ZIMError(problem.code ?? Code.FileServerError, problem.detail ?? `the broker answered ${response.status}`);
    throw Object.defineProperty(refused, 'status', { value: response.status });
  }

  /** Downloads a file to a temporary one of the platform. @returns {Promise<string>} its path */
  async #downloadPath(url, progress) {
    const failed = (why) => new ZIMError(Code.FileDownloadFailed, why);
    const { status, path } = await this.#platform.downloadFile(url, { headers: {}, progress }).catch((error) => { throw failed(error.message); });
    if (status !== 200) throw failed(`the answer is ${status}`);
    return path;
  }

  /** Downloads a file of this broker or one elsewhere. @returns {Promise<Blob>} */
  async download(url, progress) {
    const path = this.#pathOf(url);
    if (this.#platform.downloadFile) return this.#downloadPath(path ? `${this.#servers.base}${path}?token=${this.#token.value}` : url, progress);
    let response;
    try {
      response = path ? await this.#withRetries(() => this.#fetch('GET', path)) : await this.#platform.fetch(url);
    } catch (error) {
      throw error.code && error.code !== Code.NetworkError ? error : new ZIMError(Code.FileDownloadFailed, error.message);
    }
    if (!response.ok) throw new ZIMError(Code.FileDownloadFailed, `the answer is ${response.status}`);
    const total = Number(response.headers.get('Content-Length') ?? 0);
    if (total > DOWNLOAD_BYTES_MAX) throw new ZIMError(Code.FileDownloadLimit, `the file is ${total} bytes, the limit is ${DOWNLOAD_BYTES_MAX}`);
    const [parts, reader] = [[], response.body.getReader()];
    let received = 0;
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      parts.push(chunk.value);
      received += chunk.value.length;
      if (received > DOWNLOAD_BYTES_MAX) {
        await reader.cancel();
        throw new ZIMError(Code.FileDownloadLimit, `the file is longer than ${DOWNLOAD_BYTES_MAX} bytes, the limit`);
      }
      progress?.(received, total || received);
    }
    return new Blob(parts, { type: response.headers.get('Content-Type') ?? '' });
  }
}

/** Gives ZIM the methods that are listed at the end of this file. The class sets it, because they use its private members. */
let defineTableMethods;

/** The vendor's client class. */
export class ZIM {
  static #instance = null;

  #config;
  #platform;
  #listeners = new Map();
  #connection = null;
  /** The login that runs or ran last. */
  #loggingIn = null;
  #isLogoutUntold = false;
  #sendQueue = null;
  #rooms = new Rooms((event, data) => this.#emit(event, data));
  #userID = '';
  #userName = '';
  #token = '';
  #cursor = null;
  #isResumed = false;
  #seenMessages = new SeenMessages();
  /** The users this client has seen: id → full info, the one seen last at the end. */
  #users = new Map();
  #localState;
  #files = null;
  #deviceID;
  #destroyed = false;
  // By its prefix this client recognises its own messages; it cannot collide with another client of the same user.
  #localIDPrefix;
  #messagesMade = 0;
  /** The newest ids that this client sent and did not make: the program's own, and those of messages that failed before a reload. */
  #otherLocalIDs = new Set();
  #beingSent = new Set();
  #known = new KnownConversations();
  /** Room → the changes of attributes that are collected until its batch ends. */
  #batches = new Map();
  #stopWaking = () => {};

  /**
   * Makes the program's one client; returns null when there is one already.
   * @param {number | {appID: number, server?: string | readonly string[], sdkVersion?: string, WebSocket?: typeof WebSocket,
   *                   deviceID?: string, reconnectMaxMs?: number, sendTimeoutMs?: number, platform?: object, mediaConfig?: {keepOriginal?: boolean}}} config
   */
  static create(config) {
    if (ZIM.#instance) return null;
    ZIM.#instance = new ZIM(config);
    return ZIM.#instance;
  }

  /** Makes a client beside any others. Takes what `create` takes. */
  static createInstance(config) {
    return new ZIM(config);
  }

  static getInstance() {
    return ZIM.#instance;
  }

  static getVersion() {
    return ZIM.#instance?.#config.sdkVersion ?? SDK_VERSION;
  }

  /** Returns false: there is one broker, wherever it runs. */
  static setGeofencingConfig() {
    return false;
  }

  static setAdvancedConfig() {}

  /** Use `create` or `createInstance`. */
  constructor(config) {
    const given = config !== null && typeof config === 'object' ? config : { appID: config, sdkVersion: SDK_VERSION_OF_OLDER_PROGRAMS };
    this.#config = { sdkVersion: SDK_VERSION, ...given, sendTimeoutMs: given.sendTimeoutMs ?? SEND_TIMEOUT_MS };
    const { sendTimeoutMs } = this.#config;
    if (!Number.isInteger(sendTimeoutMs) || sendTimeoutMs < 0 || sendTimeoutMs > TIMER_MAX_MS) {
      throw invalid(`sendTimeoutMs is ${sendTimeoutMs}, the range is 0 to ${TIMER_MAX_MS} milliseconds`);
    }
    this.#platform = platformOf(given.platform);
    this.#localState = new LocalState('', this.#platform);
    this.#localIDPrefix = `l-${randomID(this.#platform)}-`;
    this.#deviceID = given.deviceID || ownDeviceID(this.#platform);
    // What is named later, by TIDINGS_SERVER, is looked at when a user logs in.
    const servers = namedServers(given.server);
    if (servers[1] !== undefined) basesOf(servers);
    this.#bindMethods();
  }

  /** Binds every method to this client: programs take methods out of it, and stores of state put a proxy before it. */
  #bindMethods() {
    for (const name of Object.getOwnPropertyNames(ZIM.prototype)) {
      if (name !== 'constructor') Object.defineProperty(this, name, { value: this[name].bind(this), writable: true, configurable: true });
    }
  }

  /** Does nothing: this client logs only errors of the program's own listeners, to the console. */
  setLogConfig() {}

  /** Does nothing, and resolves: there is no log to upload. */
  async uploadLog() {}

  /** Sets the listener of an event; a second one replaces the first. */
  on(type, listener) {
    if (typeof listener === 'function') this.#listeners.set(type, listener);
  }

  off(type) {
    this.#listeners.delete(type);
  }

  /**
   * Logs in: `login(userID, {userName, token})`, or `login({userID, userName}, token)` as before 2.13.
   * @returns {Promise<void>}
   */
  async login(user, config) {
    if (this.#destroyed) throw new ZIMError(Code.NotInit, 'this client is destroyed');
    const isOlderForm = typeof user === 'object';
    const { userID, userName, token, isOfflineLogin } = isOlderForm ? { ...user, token: config } : { ...config, userID: user };
    if (typeof userID !== 'string' || userID === '') throw invalid('userID is empty');
    if (this.#connection && !this.#connection.isIdle) return this.#loginAgain(userID, token);
    if (isOfflineLogin && !(this.#localState.userID === userID ? this.#localState : new LocalState(userID, this.#platform)).isKnown) {
      throw invalid(`isOfflineLogin is true, but ${userID} was never logged in on this device: the first login needs a connection`);
    }
    this.#connection = this.#newConnection();
    this.#tellLogout();
    this.#sendQueue = new SendQueue(this.#connection);
    [this.#userID, this.#userName, this.#token, this.#cursor] = [userID, userName ?? '', token ?? '', null];
    this.#seenMessages = new SeenMessages();
    if (userID !== this.#localState.userID) {
      this.#localState = new LocalState(userID, this.#platform);
      this.#known = new KnownConversations();
      this.#users.clear();
    }
    this.#files?.end(this.#notLoggedIn());
    this.#files = new Files(this.#connection, this.#platform, () => this.#request('renewMediaToken', {}));
    this.#stopWaking();
    this.#stopWaking = onWaking(() => this.#connection.wake());
    this.#emitConnectionState(ZIMConnectionState.Connecting, ZIMConnectionEvent.ActiveLogin);
    this.#loggingIn = isOfflineLogin ? this.#connection.loginOffline() : this.#connection.login();
    await this.#loggingIn;
  }

  /**
   * Answers a login while there is one already: of the same user, it is that one, and brings its newest token. Programs call it from
   * every part that needs the client, and frameworks start such a part twice.
   */
  async #loginAgain(userID, token) {
    if (userID !== this.#userID) throw new ZIMError(Code.UserHasAlreadyLogged, `${this.#userID} is logged in already`);
    if (!this.#connection.isLoggedIn) return void (await this.#loggingIn);
    if (token && token !== this.#token) await this.renewToken(token);
  }

  /** @returns {Promise<void>} */
  logout() {
    const done = this.#logout();
    // The vendor's method returns nothing: programs do not await it, and none of them catches.
    done.catch(() => {});
    return done;
  }

  async #logout() {
    if (!this.#connection || this.#connection.isIdle) throw this.#notLoggedIn();
    const goodbye = this.#connection.logout();
    this.#endSession(ZIMRoomEvent.Success, new ZIMError(Code.UserIsNotLogged, 'logged out'));
    this.#isLogoutUntold = true;
    await goodbye;
    this.#tellLogout();
  }

  /** Tells the end of a session, once: when the broker has answered the logout, or before a login that did not wait for that. */
  #tellLogout() {
    if (!this.#isLogoutUntold) return;
    this.#isLogoutUntold = false;
    this.#emitConnectionState(ZIMConnectionState.Disconnected, ZIMConnectionEvent.Success);
  }

  /** Sets a new token, for this session and its reconnects. */
  async renewToken(token) {
    this.#requireLogin();
    if (typeof token !== 'string' || token === '') throw invalid('token is empty');
    // Without a connection the next login brings it.
    if (this.#connection.isUp) await this.#request('renewToken', { token });
    this.#token = token;
    return { token };
  }

  /** Logs out and removes every listener. */
  destroy() {
    this.#listeners.clear();
    this.#destroyed = true;
    if (ZIM.#instance === this) ZIM.#instance = null;
    if (this.#connection && !this.#connection.isIdle) this.logout();
  }

  /**
   * Sends a message. The message object is completed in place, and is what `onMessageAttached`, the events and
   * the promise hold; only one that was sent before (forwarding) or is frozen is copied first, and one that the program freezes
   * meanwhile goes on as a copy. One that failed is sent again under its own `localMessageID`, so that it is never stored twice.
   * @returns {Promise<{message: object}>}
   */
  async sendMessage(draft, toConversationID, conversationType, config, notification) {
    this.#requireLogin();
    this.#check(draft, toConversationID, conversationType);
    const message = this.#attach(draft, toConversationID, conversationType, config);
    return this.#submit(message, 'sendMessage', { toConversationID, conversationType }, config, notification);
  }

  /** Cancels a message whose file is being uploaded; its send rejects with 6000206. */
  async cancelSendingMessage(message) {
    if (!this.#files?.cancel(message)) throw invalid('message is not being uploaded');
  }

  /**
   * Downloads a message's file: 1 the original, 2 the large image, 3 the thumbnail, 4 a video's first frame.
   * @returns {Promise<{message: object, fileType: number, file: Blob}>}
   */
  async downloadMediaFile(message, fileType = 1, config = undefined, onProgress = undefined) {
    this.#requireLogin();
    const url = message?.[MEDIA_FILE_URLS[fileType]];
    if (!url) throw new ZIMError(Code.FileDownloadUrlNotFound, `message has no file of type ${fileType}`);
    const progress = typeof onProgress === 'function' ? (received, total) => runGuarded('onProgress', () => onProgress(message, received, total)) : undefined;
    return { message, fileType, file: await this.#files.download(url, progress) };
  }

  /** Our choice: writes the current token into the URLs of a message that the program kept for long. */
  refreshMediaUrls(message) {
    this.#requireLogin();
    return this.#files.sign(message);
  }

  /** Sends a file, as `sendMessage` does: the vendor's older name. */
  async sendMediaMessage(message, toConversationID, conversationType, config, notification) {
    return this.sendMessage(message, toConversationID, conversationType, config, notification);
  }

  /** As before 2.4. */
  async sendPeerMessage(message, toUserID, config, notification) {
    return this.sendMessage(message, toUserID, Peer, config, notification);
  }

  /** As before 2.4. */
  async sendRoomMessage(message, toRoomID, config, notification) {
    return this.sendMessage(message, toRoomID, Room, config, notification);
  }

  /** As before 2.4. */
  async sendGroupMessage(message, toGroupID, config, notification) {
    return this.sendMessage(message, toGroupID, Group, config, notification);
  }

  /** Replies to a message, as `sendMessage` sends one, in the conversation of the original. */
  async replyMessage(draft, toOriginalMessage, config, notification) {
    this.#requireLogin();
    const original = handleOf(toOriginalMessage);
    const { conversationID, conversationType } = original;
    this.#check(draft, conversationID, conversationType);
    const message = this.#attach(draft, conversationID, conversationType, config);
    return this.#submit(message, 'replyMessage', { toOriginalMessage: original }, config, notification);
  }

  async #submit(draft, op, args, config, notification) {
    const { priority, hasReceipt, isNotifyMentionedUsers, disableUnreadMessageCount, pushConfig } = config ?? {};
    const asked = { priority, hasReceipt, isNotifyMentionedUsers, disableUnreadMessageCount, pushConfig: pushToWire(pushConfig) };
    if (Object.values(asked).some((value) => value !== undefined)) args.config = asked;
    const keepOriginal = Boolean((config?.mediaConfig ?? this.#config.mediaConfig)?.keepOriginal);
    const outgoing = new Outgoing(draft);
    this.#beingSent.add(draft);
    this.#localState.remove(draft);
    if (isStorable(draft)) outgoing.set(this.#known.nextPlace(draft.conversationID, draft.conversationType));
    // Lists of programs know a message that is being uploaded by its messageID already.
    if (isMedia(draft)) outgoing.set({ messageID: draft.localMessageID });
    this.#notifyAttached(notification, draft);
    this.#emitSentStatus(draft, Sending);
    this.#tellConversation(draft);
    try {
      const wire = toWire(draft);
      // No `await` where there is nothing to upload: messages leave in the order of the calls.
      args.message = this.#needsUpload(draft, wire) ? await this.#uploadContent(outgoing, wire, notification, keepOriginal) : wire;
      const onLate = (late) => this.#isSince(VERSION_OF_LATE_SUCCESS) && this.#succeeded(outgoing, late.message);
      const result = await this.#sendQueue.submit(outgoing.message, op, args, { timeoutMs: this.#config.sendTimeoutMs, onLate });
      this.#succeeded(outgoing, result.message);
    } catch (error) {
      this.#failed(outgoing, error);
      throw error;
    } finally {
      this.#beingSent.delete(draft);
    }
    return { message: outgoing.message };
  }

  /** Completes a message that is stored, and tells so. */
  #succeeded(outgoing, wire) {
    const { localExtendedData, conversationID, fileLocalPath } = outgoing.message;
    if (localExtendedData) this.#localState.setNote(wire, localExtendedData);
    outgoing.set({ ...this.#fromWire(wire, conversationID), localExtendedData, ...(fileLocalPath ? { fileLocalPath } : {}) });
    const { message } = outgoing;
    this.#localState.remove(message);
    this.#emitSentStatus(message, Success);
    this.#tellConversation(message);
  }

  /** Keeps a message that failed in its place, on this device, and tells so. */
  #failed(outgoing, error) {
    outgoing.set({ sentStatus: Failed, messageID: outgoing.message.localMessageID });
    const { message } = outgoing;
    if (isStorable(message)) this.#localState.insert(conversationKey(message.conversationID, message.conversationType), message);
    this.#emitSentStatus(message, Failed, error.message);
    this.#tellConversation(message);
  }

  /** Takes a stored message that came by another way than an answer. Where it is one of one's own that failed here, it did not. */
  #learn(wire, conversationID) {
    if (wire.senderUserID !== this.#userID || !wire.localMessageID) return;
    this.#sendQueue.settle(wire);
    const place = wire.conversationType === Peer && wire.toUserID ? peerOf(wire, this.#userID) : conversationID;
    const failed = this.#localState.failedOf({ ...wire, conversationID: place });
    if (!failed) return;
    this.#localState.remove(failed);
    if (this.#isSince(VERSION_OF_LATE_SUCCESS)) this.#succeeded(new Outgoing(failed), wire);
  }

  /** Tells the conversation in which a message of one's own is the last, as the list shows it. */
  #tellConversation(message) {
    if (message.conversationType === Room || !isStorable(message)) return;
    this.#emit('conversationChanged', conversationChanges([this.#known.changedBy(message)]));
  }

  /** Checks a draft. What is wrong with it is told by its status, too, as of any message that is not sent. */
  #check(draft, toConversationID, conversationType) {
    try {
      checkDraft(draft, toConversationID, conversationType, this.#userID);
    } catch (error) {
      if (draft !== null && typeof draft === 'object') {
        const message = this.#attach(draft, toConversationID, conversationType);
        Object.assign(message, { sentStatus: Failed, messageID: message.localMessageID });
        this.#emitSentStatus(message, Failed, error.message);
      }
      throw error;
    }
  }

  /** Returns whether the program was written for this version of the SDK or a later one. */
  #isSince(version) {
    const [own, other] = [this.#config.sdkVersion, version].map((text) => `${text}`.split('.').map(Number));
    const at = own.findIndex((part, n) => part !== (other[n] ?? 0));
    return at < 0 || own[at] > (other[at] ?? 0);
  }

  /** Returns whether a file, or more children than a frame holds, must be uploaded first. A URL or a uid wins over a path. */
  #needsUpload(message, wire) {
    if (isMedia(message)) return Boolean(message.fileLocalPath) && !message.fileDownloadUrl && !message.fileUID;
    return message.type === Combine && wire.messageList !== undefined && JSON.stringify(wire.messageList).length > COMBINE_BYTES_MAX / 3;
  }

  /** Uploads a message's file or children; returns the fields to send. */
  async #uploadContent(outgoing, wire, notification, keepOriginal) {
    if (isMedia(outgoing.message)) {
      const told = notification?.onMediaUploadingProgress;
      await this.#files.upload(outgoing, (sent, total) => {
        if (typeof told === 'function') runGuarded('onMediaUploadingProgress', () => told.call(notification, outgoing.message, sent, total));
      }, keepOriginal);
      return toWire(outgoing.message);
    }
    const children = newBlob(JSON.stringify(wire.messageList));
    if (children.size <= COMBINE_BYTES_MAX) return wire;
    const { fileUID } = await this.#files.uploadBlob(children, 'messages.json');
    return { ...wire, messageList: undefined, fileUID };
  }

  /** Revokes a message; the object becomes the revoke message that replaces it. */
  async revokeMessage(message, config) {
    const revoked = await this.#request('revokeMessage', { message: handleOf(message), config: config ?? undefined });
    return { message: this.#update(message, revoked.message) };
  }

  /** Edits a message; `message` has the new content. */
  async editMessage(message, config, notification) {
    this.#requireLogin();
    this.#notifyAttached(notification, message);
    const args = { message: { ...toWire({ ...messageDefaults(), ...message }), ...handleOf(message) }, config: config ?? undefined };
    const edited = await this.#request('editMessage', args);
    return { message: this.#update(message, edited.message) };
  }

  #update(message, wire) {
    const now = this.#localState.annotate(this.#fromWire(wire, message.conversationID));
    return Object.isFrozen(message) ? now : Object.assign(message, now);
  }

  /** Loads the children of a combined message into `message.messageList`. */
  async queryCombineMessageDetail(message) {
    const messageList = [];
    let next = 0;
    let page;
    do {
      page = await this.#request('queryCombineMessageDetail', { message: handleOf(message), config: { next } });
      messageList.push(...page.message.messageList);
      next = page.next;
    } while (page.more);
    const { conversationID, conversationType } = message;
    const children = messageList.map((wire) => this.#fromWire({ conversationType, ...wire }, conversationID));
    const whole = Object.isFrozen(message) ? { ...message } : message;
    return { message: Object.assign(whole, { messageList: children }) };
  }

  /** Returns the users who added one reaction. */
  async queryMessageReactionUserList(message, config) {
    this.#requireLogin();
    const args = { message: handleOf(message), config: withNumbers(config) };
    return { ...(await this.#inPages('queryMessageReactionUserList', args, PAGED_METHODS.queryMessageReactionUserList)), message };
  }

  /** Inserts a message on this device only. */
  async insertMessageToLocalDB(draft, conversationID, conversationType, senderUserID) {
    this.#requireLogin();
    if (typeof senderUserID !== 'string' || senderUserID === '') throw invalid('senderUserID is empty');
    checkDraft(draft, conversationID, conversationType, senderUserID === conversationID ? '' : this.#userID);
    if (draft.type === Command) throw invalid('message.type is 2, which is not inserted');
    const message = this.#attach(draft, conversationID, conversationType);
    const { messageList } = await this.queryHistoryMessage(conversationID, conversationType, { count: 1, reverse: true });
    const isOwn = senderUserID === this.#userID;
    Object.assign(message, {
      senderUserID, messageID: message.localMessageID, isUserInserted: true, sentStatus: Success,
      direction: isOwn ? ZIMMessageDirection.Send : ZIMMessageDirection.Receive,
      // After the newest message, and before the next one.
      orderKey: (messageList.at(-1)?.orderKey ?? 0) + 1,
    });
    this.#localState.insert(conversationKey(conversationID, conversationType), message);
    return { message };
  }

  /** Sets the note on a message, on this device only. */
  async updateMessageLocalExtendedData(localExtendedData, message) {
    this.#requireLogin();
    if (utf8(localExtendedData).length > LOCAL_DATA_BYTES_MAX) {
      throw invalid(`localExtendedData is longer than ${LOCAL_DATA_BYTES_MAX} bytes, the limit`);
    }
    this.#localState.setNote(message, localExtendedData);
    if (!Object.isFrozen(message)) message.localExtendedData = localExtendedData;
    return { message };
  }

  /** Deletes messages for this user: here only, or (`isAlsoDeleteServerMessage`) on all its devices. */
  async deleteMessages(messageList, conversationID, conversationType, config) {
    this.#requireLogin();
    const inserted = messageList.filter(isOfThisDevice);
    for (const message of inserted) this.#localState.remove(message);
    this.#localState.hideMessages(config?.isAlsoDeleteServerMessage ? inserted : messageList);
    const kept = messageList.filter((message) => !isOfThisDevice(message));
    if (config?.isAlsoDeleteServerMessage && kept.length > 0) {
      await this.#request('deleteMessages', { messageList: handlesOf(kept), conversationID, conversationType, config });
    }
    return { conversationID, conversationType };
  }

  async deleteAllMessage(conversationID, conversationType, config) {
    const newest = await this.queryHistoryMessage(conversationID, conversationType, { count: 1, reverse: true });
    this.#localState.hideUpTo(conversationKey(conversationID, conversationType), newest.messageList[0]?.orderKey ?? 0);
    if (config?.isAlsoDeleteServerMessage) await this.#request('deleteAllMessage', { conversationID, conversationType, config });
    return { conversationID, conversationType };
  }

  async deleteAllConversationMessages(config) {
    if (config?.isAlsoDeleteServerMessage) return void (await this.#request('deleteAllConversationMessages', { config }));
    for (const { conversationID, type, lastMessage } of await this.#allConversations()) {
      if (lastMessage) this.#localState.hideUpTo(conversationKey(conversationID, type), lastMessage.orderKey);
    }
  }

  /** Removes a conversation from the list; its messages stay, and the next one brings it back. */
  async deleteConversation(conversationID, conversationType, config) {
    this.#requireLogin();
    if (config?.isAlsoDeleteServerConversation === false) {
      const { conversation } = await this.queryConversation(conversationID, conversationType);
      this.#localState.hideConversation(conversationKey(conversationID, conversationType), conversation.orderKey);
    } else {
      await this.#request('deleteConversation', { conversationID, conversationType });
    }
    this.#known.drop(conversationID, conversationType);
    return { conversationID, conversationType };
  }

  async deleteAllConversations(config) {
    this.#known.clear();
    if (config?.isAlsoDeleteServerConversation !== false) return void (await this.#request('deleteAllConversations', {}));
    for (const { conversationID, type, orderKey } of await this.#allConversations()) {
      this.#localState.hideConversation(conversationKey(conversationID, type), orderKey);
    }
  }

  /** @param {object} [option] which ones: kinds, marks, only unread ones, only pinned ones */
  async queryConversationList(config, option) {
    return { conversationList: await this.#conversations('queryConversationList', config, option) };
  }

  async queryConversationPinnedList(config) {
    return { conversationList: await this.#conversations('queryConversationPinnedList', config) };
  }

  /** Returns `count` conversations, or all there are. The broker may cut a page by size, and this device may hide some of it. */
  async #conversations(op, config, option = undefined) {
    this.#requireLogin();
    const count = countOf(config);
    const list = [];
    let last = config.nextConversation;
    let page;
    do {
      const anchor = last && { conversationID: last.conversationID, type: last.type, orderKey: last.orderKey, isPinned: last.isPinned };
      page = (await this.#request(op, { config: { count: pageCount(count - list.length, PAGE_MAX), nextConversation: anchor }, option: option ?? undefined })).conversationList;
      last = page.at(-1);
      list.push(...page.map((wire) => this.#conversation(wire)).filter((one) => !this.#localState.hidesConversation(one)));
    } while (page.length > 0 && list.length < count);
    return list.slice(0, count);
  }

  async #allConversations() {
    const all = [];
    let page;
    do {
      page = await this.#conversations('queryConversationList', { count: 100, nextConversation: all.at(-1) });
      all.push(...page);
    } while (page.length > 0);
    return all;
  }

  /** Sets the draft of a conversation, on this device only. */
  async setConversationDraft(draft, conversationID, conversationType) {
    const { conversation } = await this.queryConversation(conversationID, conversationType);
    this.#localState.setDraft(conversationKey(conversationID, conversationType), draft);
    this.#emit('conversationChanged', conversationChanges([{ event: ZIMConversationEvent.Updated, conversation: this.#known.put({ ...conversation, draft }) }]));
    return { conversationID, conversationType };
  }

  /** Returns `count` messages of history, or all there are, oldest first. The broker may cut pages by size. */
  async queryHistoryMessage(conversationID, conversationType, config) {
    this.#requireLogin();
    const count = countOf(config);
    const { reverse = false, nextMessage } = config;
    const messageList = [];
    let anchor = anchorOf(nextMessage);
    let hasHidden = false;
    let isFull = false;
    let page;
    do {
      const pageConfig = { count: pageCount(count - messageList.length, PAGE_MAX), reverse, nextMessage: anchor };
      page = await this.#request('queryHistoryMessage', { conversationID, conversationType, config: pageConfig });
      for (const wire of page.messageList) this.#learn(wire, conversationID);
      const messages = page.messageList.map((wire) => this.#localState.annotate(this.#fromWire(wire, conversationID)));
      const seen = messages.filter((message) => !this.#localState.hides(message));
      if (reverse) messageList.unshift(...seen);
      else messageList.push(...seen);
      hasHidden = seen.length < messages.length;
      anchor = anchorOf(reverse ? messages[0] : messages.at(-1)) ?? anchor;
      isFull = page.messageList.length === pageConfig.count;
    } while ((page.more || hasHidden || isFull) && page.messageList.length > 0 && messageList.length < count);
    if (count === 0) return { conversationID, conversationType, messageList: [] };
    return { conversationID, conversationType, messageList: this.#withInserted(conversationID, conversationType, messageList, nextMessage, reverse, count) };
  }

  /** Adds the messages that this device inserted, by their order. */
  #withInserted(conversationID, conversationType, messageList, nextMessage, reverse, count) {
    const [oldest, newest] = [messageList[0]?.orderKey, messageList.at(-1)?.orderKey];
    const isCut = messageList.length === count;
    const from = reverse ? (isCut ? oldest : -1) : (nextMessage?.orderKey ?? -1);
    const to = reverse ? (nextMessage?.orderKey ?? Infinity) : isCut ? newest : Infinity;
    const inserted = this.#localState.insertedBetween(conversationKey(conversationID, conversationType), from, to);
    if (inserted.length === 0) return messageList;
    return [...messageList, ...inserted.filter((message) => !this.#localState.hides(message))].sort((one, other) => one.orderKey - other.orderKey);
  }

  async createRoom(roomInfo, config) {
    return this.#enterRoom('createRoom', roomInfo?.roomID, { roomInfo, config: config ?? undefined });
  }

  async enterRoom(roomInfo, config) {
    return this.#enterRoom('enterRoom', roomInfo?.roomID, { roomInfo, config: config ?? undefined });
  }

  async joinRoom(roomID) {
    return this.#enterRoom('joinRoom', roomID, { roomID });
  }

  async leaveRoom(roomID) {
    this.#requireLogin();
    return this.#rooms.leave(roomID, () => this.#request('leaveRoom', { roomID }));
  }

  /** Leaves one room for another; when that fails this client stays in the first. */
  async switchRoom(fromRoomID, toRoomInfo, isCreateWhenRoomNotExisted = false, config = undefined) {
    this.#requireLogin();
    const args = { fromRoomID, toRoomInfo, isCreateWhenRoomNotExisted, config: config ?? undefined };
    const events = [ZIMRoomEvent.ActiveSwitch, ZIMRoomEvent.SwitchFailed];
    const result = await this.#rooms.enter(toRoomInfo?.roomID, events, () => this.#request('switchRoom', args));
    this.#rooms.left(fromRoomID);
    return result;
  }

  async leaveAllRoom() {
    const { roomIDs } = await this.#request('leaveAllRoom', {});
    for (const roomID of roomIDs) this.#rooms.left(roomID);
    return { roomIDs };
  }

  /** Starts a batch: until its end, changes of this room's attributes are collected and not sent. */
  beginRoomAttributesBatchOperation(roomID, config) {
    this.#requireLogin();
    if (this.#batches.has(roomID)) throw invalid(`roomID is ${roomID}, of which a batch has begun already`);
    this.#batches.set(roomID, { config: config ?? undefined, operations: [] });
  }

  /** Ends a batch, and sends its changes as one request. */
  async endRoomAttributesBatchOperation(roomID) {
    this.#requireLogin();
    const batch = this.#batches.get(roomID);
    if (!batch) throw invalid(`roomID is ${roomID}, of which no batch has begun`);
    this.#batches.delete(roomID);
    if (batch.operations.length > 0) await this.#request('endRoomAttributesBatchOperation', { roomID, ...batch });
    return { roomID };
  }

  async setRoomAttributes(roomAttributes, roomID, config) {
    return this.#changeRoomAttributes('setRoomAttributes', roomID, { roomAttributes }, config);
  }

  async deleteRoomAttributes(keys, roomID, config) {
    return this.#changeRoomAttributes('deleteRoomAttributes', roomID, { keys }, config);
  }

  /** Sends a change of attributes, or collects it within a batch, whose config holds then. */
  async #changeRoomAttributes(op, roomID, change, config) {
    this.#requireLogin();
    const batch = this.#batches.get(roomID);
    if (!batch) return this.#request(op, { roomID, ...change, config: config ?? undefined });
    batch.operations.push(change);
    return { roomID, errorKeys: [] };
  }

  static {
    defineTableMethods = () => {
      const define = (name, value) => Object.defineProperty(this.prototype, name, { value, writable: true, configurable: true });
      for (const [name, parameters] of Object.entries(PLAIN_METHODS)) {
        define(name, async function (...values) {
          this.#requireLogin();
          const args = Object.fromEntries(parameters.map((parameter, n) => [parameter, ARGUMENTS[parameter]?.(values[n], parameters) ?? values[n]]));
          if (name in PAGED_METHODS) return this.#inPages(name, args, PAGED_METHODS[name]);
          // What one changes of oneself is asked for the next time.
          if (name.startsWith('updateUser')) this.#users.delete(this.#userID);
          return this.#completed(await this.#request(name, args), args.conversationID);
        });
      }
      for (const name of UNSUPPORTED_METHODS) {
        define(name, async function () {
          this.#requireLogin();
          throw new ZIMError(Code.Unsupported, `${name} is not supported yet`);
        });
      }
    };
  }

  #fromWire(wire, conversationID) {
    const message = fromWire(wire, this.#userID, conversationID);
    if (message.messageSeq > 0) this.#known.passed(message);
    return isMedia(message) || message.repliedInfo ? this.#files.sign(message) : message;
  }

  #conversation(wire) {
    return this.#known.put(conversationFromWire(wire, this.#localState, (message, conversationID) => this.#fromWire(message, conversationID)));
  }

  #newConnection() {
    const { server, WebSocket = this.#platform.WebSocket, reconnectMaxMs } = this.#config;
    if (!WebSocket) throw invalid('WebSocket is missing, give ZIM.create a WebSocket class');
    const bases = basesOf(namedServers(server));
    return new Connection({ WebSocket, platform: this.#platform, bases, first: this.#connection?.base, reconnectMaxMs }, {
      loginArgs: () => this.#loginArgs(),
      onUp: (result) => this.#up(result),
      onLost: () => this.#lost(),
      onFinal: (event, error) => this.#final(event, error),
      onEvent: (event, data) => this.#receive(event, data),
    });
  }

  #loginArgs() {
    return {
      userID: this.#userID, userName: this.#userName || undefined, token: this.#token,
      deviceID: this.#deviceID, sdkVersion: this.#config.sdkVersion, resumeFrom: this.#cursor ?? undefined,
    };
  }

  #up(result) {
    this.#files.grant(result);
    this.#localState.know();
    this.#isResumed = this.#cursor !== null;
    // When resuming, what lies between the two cursors is yet to come, unless it is too much to replay.
    if (!this.#isResumed || result.resync) this.#cursor = result.cursor ?? null;
    this.#emitConnectionState(ZIMConnectionState.Connected, ZIMConnectionEvent.Success);
    if (this.#isResumed && result.resync) this.#emit('resyncRequired', {});
    // The list is on the broker and complete: there is no synchronisation to wait for.
    if (!this.#isResumed) for (const state of [ZIMConversationSyncState.Started, ZIMConversationSyncState.Finished]) this.#emit('conversationSyncStateChanged', { state });
    this.#rooms.resumed(result.rooms ?? []);
    this.#sendQueue.resume();
  }

  #lost() {
    this.#emitConnectionState(ZIMConnectionState.Reconnecting, ZIMConnectionEvent.LoginInterrupted);
    this.#rooms.interrupted();
  }

  #final(event, error) {
    this.#endSession(ZIMRoomEvent.NetworkDisconnected, error);
    this.#emitConnectionState(ZIMConnectionState.Disconnected, event);
    // A login that got no answer, and a connection that was given up, are told to listeners for errors, too.
    if (event === ZIMConnectionEvent.LoginTimeout) this.#emit('error', { code: error.code, message: error.message });
  }

  #endSession(roomEvent, error) {
    this.#stopWaking();
    this.#sendQueue.abandon(error);
    this.#files?.end(error);
    this.#rooms.ended(roomEvent);
    this.#batches.clear();
  }

  #requireLogin() {
    if (!this.#connection?.isLoggedIn) throw this.#notLoggedIn();
  }

  #notLoggedIn() {
    return new ZIMError(Code.UserIsNotLogged, 'no user is logged in');
  }

  async #request(op, args) {
    this.#requireLogin();
    return this.#connection.request(op, args);
  }

  async #enterRoom(op, roomID, args) {
    this.#requireLogin();
    const { ActiveCreate, CreateFailed, ActiveEnter, EnterFailed } = ZIMRoomEvent;
    const events = op === 'createRoom' ? [ActiveCreate, CreateFailed] : [ActiveEnter, EnterFailed];
    return this.#rooms.enter(roomID, events, () => this.#request(op, args));
  }

  /** Returns a result as the program sees it, with complete messages and conversations. */
  #completed(result, conversationID) {
    const message = (wire) => this.#localState.annotate(this.#fromWire(wire, conversationID));
    const parts = {
      message, conversation: (wire) => this.#conversation(wire),
      messageList: (list) => list.map(message).filter((one) => !this.#localState.hides(one)),
      nextMessage: message,
      conversationSearchInfoList: (list) => list.map((info) => ({ ...info, messageList: info.messageList.map((wire) => this.#fromWire(wire, info.conversationID)) })),
      rootRepliedInfo: (info) => ({ ...info, message: info.message ? message(info.message) : undefined }),
      infos: (list) => list.map((info) => (info.message ? { ...info, message: message(info.message) } : info)),
      changeInfoList: (list) => list.map((info) => ({ ...info, message: message(info.message) })),
    };
    const whole = completeParts({ ...result });
    for (const [field, complete] of Object.entries(parts)) {
      if (whole[field] !== undefined && whole[field] !== null) whole[field] = complete(whole[field]);
    }
    return whole;
  }

  /**
   * Asks page after page until there are as many as the program wants, or no more. A page may hold less than was asked for, and this
   * device may hide some of it.
   * @returns {Promise<object>} the answer as one page would have it, with `next` of the last
   */
  async #inPages(op, args, { list, next, count: field = 'count', pageMax = PAGE_MAX }, isFollowing = false) {
    this.#requireLogin();
    const count = countOf(args.config, field);
    const all = [];
    let from = args.config[next];
    let page;
    do {
      const config = { ...args.config, [field]: pageCount(count - all.length, pageMax), [next]: from };
      page = this.#completed(await this.#page(op, { ...args, config }, isFollowing || all.length > 0), args.conversationID);
      if (count === 0) return { ...page, [list]: [], [next]: from ?? (typeof page[next] === 'object' ? undefined : page[next]) };
      all.push(...page[list]);
      const last = from;
      from = next === 'nextMessage' && page[next] ? handleOf(page[next]) : page[next];
      // A place that does not move would be asked for for ever.
      if (from === last) break;
    } while (from && all.length < count);
    return { ...page, [list]: all };
  }

  /** Asks for one page. One that follows another is asked for again when it is refused for the rate: the program asked once. */
  async #page(op, args, isFollowing) {
    for (;;) {
      try {
        return await this.#request(op, args);
      } catch (error) {
        if (!isFollowing || error.code !== Code.ServerFrequencyLimit || error.retryAfterMs === undefined) throw error;
        await pause(error.retryAfterMs);
      }
    }
  }

  /** Looks for messages in all conversations: so many conversations, and so many messages of each. */
  async searchLocalConversations(config) {
    this.#requireLogin();
    const count = countOf(config, 'conversationMessageCount');
    const asked = { ...withNumbers(config), conversationMessageCount: pageCount(count, PAGE_MAX) };
    const result = await this.#inPages('searchLocalConversations', { config: asked }, PAGED_METHODS.searchLocalConversations);
    for (const info of result.conversationSearchInfoList) {
      const { conversationID, conversationType, totalMessageCount, messageList } = info;
      if (messageList.length < Math.min(count, totalMessageCount)) {
        const args = { conversationID, conversationType, config: { ...asked, count, nextFlag: undefined } };
        ({ messageList: info.messageList } = await this.#inPages('searchLocalMessages', args, PAGED_METHODS.searchLocalMessages, true));
      }
      info.messageList = info.messageList.slice(0, count);
    }
    return result;
  }

  /**
   * Returns the users with these ids. Those that this client has seen are known, unless `isQueryFromServer`; the others are asked
   * for in tens. The broker refuses more than ten in ten seconds; what it answered before is known at the next try.
   */
  async queryUsersInfo(userIDs, config) {
    this.#requireLogin();
    if (!Array.isArray(userIDs) || userIDs.length === 0) throw invalid('userIDs is not a list of one or more');
    const [wanted, found, errorUserList] = [[...new Set(userIDs)], new Map(), []];
    for (const userID of config?.isQueryFromServer ? [] : wanted) if (this.#users.has(userID)) found.set(userID, this.#users.get(userID));
    const unknown = wanted.filter((userID) => !found.has(userID));
    for (let start = 0; start < unknown.length; start += USERS_ASKED_MAX) {
      const page = await this.#request('queryUsersInfo', { userIDs: unknown.slice(start, start + USERS_ASKED_MAX), config: config ?? undefined });
      for (const info of page.userList) found.set(info.baseInfo.userID, this.#userSeen(info));
      errorUserList.push(...page.errorUserList);
    }
    const userList = wanted.filter((userID) => found.has(userID)).map((userID) => copyOf(found.get(userID)));
    return { userList, errorUserList };
  }

  /** Remembers what this client has seen of a user. */
  #userSeen(info) {
    completeParts(info);
    const { userID } = info.baseInfo;
    this.#users.delete(userID);
    this.#users.set(userID, info);
    forgetOldest(this.#users, USERS_KNOWN_MAX);
    return info;
  }

  /** Completes a draft to a message that is being sent: in place, unless its object is that of another message or cannot be changed. */
  #attach(draft, conversationID, conversationType, config) {
    const isForwarded = wasSent(draft);
    const isCopied = isForwarded || this.#beingSent.has(draft) || !Object.isExtensible(draft);
    const message = isCopied ? { ...draft } : draft;
    for (const field of ['repliedInfo', 'rootRepliedCount', 'editorUserID', 'editedTime', 'pinnedUserID', 'pinnedTime']) delete message[field];
    const localMessageID = this.#localIDFor(draft, isCopied, conversationID, conversationType);
    return Object.assign(message, messageDefaults(), kindDefaults(draft.type), callerFields(draft), {
      message: draft.message ?? '',
      localMessageID,
      senderUserID: this.#userID,
      timestamp: Date.now(),
      conversationID,
      conversationType,
      direction: ZIMMessageDirection.Send,
      sentStatus: Sending,
      priority: config?.priority ?? 1,
      receiptStatus: config?.hasReceipt ? ZIMMessageReceiptStatus.Processing : ZIMMessageReceiptStatus.None,
      // A forwarded message keeps its content, but mentions nobody again.
      ...(isForwarded ? { mentionedUserIDs: [], isMentionAll: false } : {}),
    });
  }

  /**
   * Returns the id for a message. One that failed and is sent to the same conversation again keeps its id, whether it is the
   * object, a frozen one or a copy of it: should the broker have it, it is not stored twice.
   */
  #localIDFor(draft, isCopied, conversationID, conversationType) {
    const isElsewhere = (draft.conversationID ?? conversationID) !== conversationID || (draft.conversationType ?? conversationType) !== conversationType;
    const isTaken = isElsewhere || this.#beingSent.has(draft) || (isCopied && draft.sentStatus !== Failed);
    // Programs write numbers of the clock into a draft, which are no ids: two drafts may have the same.
    if (!isTaken && typeof draft.localMessageID === 'string' && LOCAL_ID_PATTERN.test(draft.localMessageID)) {
      this.#otherLocalIDs.add(draft.localMessageID);
      forgetOldest(this.#otherLocalIDs, LOCAL_IDS_MAX);
      return draft.localMessageID;
    }
    this.#messagesMade += 1;
    return `${this.#localIDPrefix}${this.#messagesMade}`;
  }

  #notifyAttached(notification, message) {
    const attached = typeof notification === 'function' ? notification : notification?.onMessageAttached;
    if (typeof attached !== 'function') return;
    runGuarded('onMessageAttached', () => attached.call(notification, message));
  }

  #emitSentStatus(message, status, reason = '') {
    this.#emit('messageSentStatusChanged', { infos: [{ status, message, reason }] });
  }

  #emitConnectionState(state, event) {
    this.#emit('connectionStateChanged', { state, event, extendedData: '{}' });
  }

  #receive(event, data) {
    if (event in NEWER_NAMES) this.#receiveMessages(event, data);
    else if (event === 'roomStateChanged') this.#rooms.changed(data);
    else if (ROOM_ATTRIBUTE_EVENTS.includes(event)) this.#rooms.attributesChanged(event, data);
    else if (event === 'broadcastMessageReceived') this.#emit(event, { message: this.#fromWire(data.message, '') });
    else if (event === 'mentionReceived') this.#emit(event, { message: this.#fromWire(data.message, data.conversationID) });
    else if (event === 'conversationChanged') this.#changeConversations(data.infoList);
    else if (event === 'userInfoUpdated') this.#emit(event, { ...data, info: copyOf(this.#userSeen(data.info)) });
    else if (MESSAGE_EVENTS.includes(event)) this.#emit(event, this.#completed(data, data.conversationID));
    else this.#emit(event, completeParts(data));
    // Set last: when a listener does not return, resuming brings the event again.
    if (typeof data.cursor === 'string') this.#cursor = data.cursor;
  }

  #changeConversations(infoList) {
    const whole = infoList.map((info) => this.#known.changed({ ...info, conversation: this.#conversation(info.conversation) }));
    const shown = whole.filter(({ conversation }) => !this.#localState.hidesConversation(conversation));
    if (shown.length > 0) this.#emit('conversationChanged', conversationChanges(shown));
  }

  #receiveMessages(event, { messageList, fromConversationID, info = { isOfflineMessage: false } }) {
    const messages = messageList
      .map((wire) => this.#fromWire(wire, fromConversationID))
      .filter((message) => !this.#isOwn(message) && !this.#seenMessages.has(message));
    for (const wire of messageList) this.#learn(wire, fromConversationID);
    for (const run of splitByConversation(messages)) {
      const received = { messageList: run, fromConversationID: run[0].conversationID };
      // What was sent before the login is told by the newer names only; what a lost connection
      // missed is told by both.
      if (!info.isOfflineMessage || this.#isResumed) this.#emit(event, received);
      this.#emit(NEWER_NAMES[event], { ...received, info });
    }
  }

  /** Returns whether this client sent a message. It has the reply; resuming brings such messages, too. */
  #isOwn({ senderUserID, localMessageID }) {
    return senderUserID === this.#userID && (localMessageID.startsWith(this.#localIDPrefix) || this.#otherLocalIDs.has(localMessageID));
  }

  #emit(type, data) {
    const listener = this.#listeners.get(type);
    if (listener) runGuarded(`the listener for ${type}`, () => listener(this, data));
  }
}

// ---------------------------------------------------------------- the vendor's numbers

export const ZIMBlacklistChangeAction = Object.freeze({ Added: 0, Removed: 1 });
export const ZIMCXHandleType = Object.freeze({ Generic: 1, PhoneNumber: 2, EmailAddress: 3 });
export const ZIMCallInvitationMode = Object.freeze({ Unknown: -1, General: 0, Advanced: 1 });
export const ZIMCallState = Object.freeze({ Unknown: -1, Started: 1, Ended: 2 });
export const ZIMCallUserState = Object.freeze({
  Unknown: -1, Inviting: 0, Accepted: 1, Rejected: 2, Cancelled: 3, Offline: 4, Received: 5, Timeout: 6, Quit: 7, Ended: 8,
  NotYetReceived: 9, BeCancelled: 10,
});
export const ZIMConnectionEvent = Object.freeze({
  Success: 0, ActiveLogin: 1, LoginTimeout: 2, LoginInterrupted: 3, KickedOut: 4, TokenExpired: 5, Unregistered: 6,
});
export const ZIMConnectionState = Object.freeze({ Disconnected: 0, Connecting: 1, Connected: 2, Reconnecting: 3 });
export const ZIMConversationEvent = Object.freeze({ Added: 0, Updated: 1, Disabled: 2, Deleted: 3 });
export const ZIMConversationNotificationStatus = Object.freeze({ Notify: 1, DoNotDisturb: 2 });
export const ZIMConversationPinnedFilter = Object.freeze({ All: 0, OnlyPinned: 1, OnlyUnpinned: 2 });
export const ZIMConversationSyncState = Object.freeze({ Started: 0, Finished: 1, Failed: 2 });
export const ZIMConversationType = Object.freeze({ Unknown: -1, Peer: 0, Room: 1, Group: 2, CommunityChannel: 3 });
export const ZIMFriendApplicationListChangeAction = Object.freeze({ Added: 0, Deleted: 1 });
export const ZIMFriendApplicationState = Object.freeze({ Unknown: -1, Waiting: 1, Accepted: 2, Rejected: 3, Expired: 4, Disabled: 5 });
export const ZIMFriendApplicationType = Object.freeze({ Unknown: -1, None: 0, Received: 1, Sent: 2, Both: 3 });
export const ZIMFriendDeleteType = Object.freeze({ Both: 0, Single: 1 });
export const ZIMFriendListChangeAction = Object.freeze({ Added: 0, Deleted: 1 });
export const ZIMFriendRelationCheckType = Object.freeze({ Both: 0, Single: 1 });
export const ZIMGeofencingType = Object.freeze({ None: 0, Include: 1, Exclude: 2 });
export const ZIMGroupAttributesUpdateAction = Object.freeze({ Set: 0, Delete: 1 });
export const ZIMGroupBeInviteMode = Object.freeze({ None: 0, Auth: 1 });
export const ZIMGroupEvent = Object.freeze({ Unknown: -1, Created: 1, Dismissed: 2, Joined: 3, Invited: 4, Left: 5, KickedOut: 6 });
export const ZIMGroupInviteMode = Object.freeze({ Any: 0, Admin: 1 });
export const ZIMGroupJoinMode = Object.freeze({ Any: 0, Auth: 1, Forbid: 2 });
export const ZIMGroupMemberEvent = Object.freeze({ Unknown: -1, Joined: 1, Left: 2, KickedOut: 4, Invited: 5 });
export const ZIMGroupMemberState = Object.freeze({ Quit: 0, Enter: 1 });
export const ZIMGroupMessageNotificationStatus = Object.freeze({ Notify: 1, Disturb: 2 });
export const ZIMGroupMuteMode = Object.freeze({ None: 0, Normal: 1, All: 2, Custom: 3 });
export const ZIMGroupState = Object.freeze({ Quit: 0, Enter: 1 });
export const ZIMMessageDeleteType = Object.freeze({
  MessageListDeleted: 0, ConversationAllMessagesDeleted: 1, AllConversationMessagesDeleted: 2,
});
export const ZIMMessageDirection = Object.freeze({ Send: 0, Receive: 1 });
export const ZIMMessageMentionedType = Object.freeze({ Unknown: 0, MentionMe: 1, MentionAll: 2, MentionAllAndMe: 3 });
export const ZIMMessageOrder = Object.freeze({ Descending: 0, Ascending: 1 });
export const ZIMMessagePriority = Object.freeze({ Low: 1, Medium: 2, High: 3 });
export const ZIMMessageReceiptStatus = Object.freeze({ Unknown: -1, None: 0, Processing: 1, Done: 2, Expired: 3, Failed: 4 });
export const ZIMMessageRevokeStatus = Object.freeze({
  Unknown: -1, SelfRevoke: 0, SystemRevoke: 1, ServiceAPIRevoke: 2, ServerAPIRevoke: 2, GroupAdminRevoke: 3, GroupOwnerRevoke: 4,
  AuditRejectRevoke: 5,
});
export const ZIMMessageSentStatus = Object.freeze({ Sending: 0, Success: 1, Failed: 2 });
export const ZIMMessageType = Object.freeze({
  Unknown: 0, Text: 1, Command: 2, Multiple: 10, Image: 11, File: 12, Audio: 13, Video: 14, Barrage: 20, System: 30, Revoke: 31, Tips: 32,
  Combine: 100, Custom: 200,
});
export const ZIMMessagePinStatus = Object.freeze({ NotPinned: 0, Pinned: 1, Updated: 2 });
export const ZIMMessageRepliedInfoState = Object.freeze({ Normal: 0, Deleted: 1, NotFound: 2 });
export const ZIMTipsMessageEvent = Object.freeze({
  Unknown: 0, GroupCreated: 1, GroupDismissed: 2, GroupJoined: 3, GroupInvited: 4, GroupLeft: 5, GroupKickedOut: 6,
  GroupInfoChanged: 7, GroupMemberInfoChanged: 8, GroupMessagePinned: 9,
});
export const ZIMTipsMessageChangeInfoType = Object.freeze({
  Unknown: 0, GroupDataChanged: 1, GroupNoticeChanged: 2, GroupNameChanged: 3, GroupAvatarUrlChanged: 4, GroupMuteChanged: 5,
  GroupOwnerTransferred: 10, GroupMemberRoleChanged: 11, GroupMemberMuteChanged: 12, GroupMessagePinInfoChanged: 21,
});
export const ZIMUserOnlineStatus = Object.freeze({ Online: 0, Offline: 1, Logout: 2, Unknown: 99 });
export const ZIMRevokeType = Object.freeze({ Unknown: -1, TwoWay: 0, OneWay: 1 });
export const ZIMRoomAttributesUpdateAction = Object.freeze({ Set: 0, Delete: 1 });
export const ZIMRoomEvent = Object.freeze({
  Success: 0, NetworkInterrupted: 1, NetworkDisconnected: 2, RoomNotExist: 3, ActiveCreate: 4, CreateFailed: 5, ActiveEnter: 6,
  EnterFailed: 7, KickedOut: 8, ConnectTimeout: 9, KickedOutByOtherDevice: 10, ActiveSwitch: 11, SwitchFailed: 12,
});
export const ZIMRoomState = Object.freeze({ Disconnected: 0, Connecting: 1, Connected: 2 });
export const ZIMUserRelationType = Object.freeze({
  Unknown: 0, SingleNo: 1, SingleHave: 2, BothAllNo: 3, BothSelfHave: 4, BothOtherHave: 5, BothAllHave: 6,
});

const Code = Object.freeze({
  ParamInvalid: 6000001, NotInit: 6000002, ServerFrequencyLimit: 6000005, Unsupported: 6000013,
  TokenInvalid: 6000103, NetworkError: 6000104, TokenExpired: 6000106, TokenVersionError: 6000107,
  TokenTimeIsTooShort: 6000108, UserHasAlreadyLogged: 6000111, UserIsNotLogged: 6000121, SendCancelled: 6000206,
  FileNotExist: 6000211, FileServerError: 6000212, FileSizeInvalid: 6000214, FileDownloadFailed: 6000217, FileDownloadLimit: 6000218,
  FileDownloadUrlNotFound: 6000219,
  UserIsNotInTheRoom: 6000321, RoomDoesNotExist: 6000322,
});

// ---------------------------------------------------------------- tables

const TOKEN_CODES = [Code.TokenInvalid, Code.TokenExpired, Code.TokenVersionError, Code.TokenTimeIsTooShort];

// Not by names of the browser's own: a bundler that puts modules into one scope would hide those from a program that evaluates text.
const {
  Text: TextKind, Command, Image: ImageKind, File: FileKind, Audio: AudioKind, Video, Barrage, Custom, Revoke, Tips, Combine,
} = ZIMMessageType;
const { Peer, Room, Group } = ZIMConversationType;
const { Sending, Success, Failed } = ZIMMessageSentStatus;

const MEDIA_KINDS = [ImageKind, FileKind, AudioKind, Video];
const SENDABLE_KINDS = [TextKind, Command, Barrage, Custom, Combine, ...MEDIA_KINDS];
const UNSUPPORTED_KINDS = [10];

const KIND_NAMES = { [ImageKind]: 'image', [FileKind]: 'file', [AudioKind]: 'audio', [Video]: 'video' };

const URL_FIELDS = ['fileDownloadUrl', 'thumbnailDownloadUrl', 'largeImageDownloadUrl', 'videoFirstFrameDownloadUrl'];

/** The fields of a file elsewhere that its sender may set, beside its URLs. */
const FILE_FIELDS = [
  'fileName', 'fileSize', 'originalImageWidth', 'originalImageHeight', 'largeImageWidth', 'largeImageHeight', 'thumbnailWidth',
  'thumbnailHeight', 'videoFirstFrameWidth', 'videoFirstFrameHeight',
];

const MEDIA_FILE_URLS = { 1: 'fileDownloadUrl', 2: 'largeImageDownloadUrl', 3: 'thumbnailDownloadUrl', 4: 'videoFirstFrameDownloadUrl' };

/** The fields of a message that a program may set, beside its content. */
const CALLER_FIELDS = [
  'extendedData', 'localExtendedData', 'mentionedUserIDs', 'isMentionAll', 'subType', 'searchedContent', 'title', 'summary', 'combineID',
  'messageList', 'fileLocalPath', 'fileUID', 'audioDuration', 'videoDuration', ...URL_FIELDS, ...FILE_FIELDS,
];

const PUSH_FIELDS = ['title', 'content', 'payload', 'resourcesID', 'enableBadge', 'badgeIncrement'];

const NUMERIC_FIELDS = [
  'count', 'nextFlag', 'duration', 'subscriptionDuration', 'totalConversationCount', 'conversationMessageCount', 'startTime', 'endTime',
];

/** Event on the wire → its name since 2.18. */
const NEWER_NAMES = {
  receivePeerMessage: 'peerMessageReceived',
  receiveGroupMessage: 'groupMessageReceived',
  receiveRoomMessage: 'roomMessageReceived',
};

/** Events whose messages are completed, and that are passed on otherwise as they are. */
const MESSAGE_EVENTS = [
  'messageDeleted', 'messageRevokeReceived', 'messageEdited', 'messageReactionsChanged', 'messageRepliedInfoChanged', 'messagePinStatusChanged',
];

const ROOM_ATTRIBUTE_EVENTS = ['roomAttributesUpdated', 'roomAttributesBatchUpdated', 'roomMemberAttributesUpdated'];

/** Methods that only send a request: name → parameters. */
const PLAIN_METHODS = {
  queryRoomMemberList: ['roomID', 'config'],
  queryRoomMembers: ['userIDs', 'roomID'],
  queryRoomOnlineMemberCount: ['roomID'],
  queryRoomAllAttributes: ['roomID'],
  setRoomMembersAttributes: ['attributes', 'userIDs', 'roomID', 'config'],
  queryRoomMembersAttributes: ['userIDs', 'roomID'],
  queryRoomMemberAttributesList: ['roomID', 'config'],
  createGroup: ['groupInfo', 'userIDs', 'config'],
  joinGroup: ['groupID'],
  leaveGroup: ['groupID'],
  dismissGroup: ['groupID'],
  inviteUsersIntoGroup: ['userIDs', 'groupID'],
  kickGroupMembers: ['userIDs', 'groupID'],
  queryGroupList: [],
  queryGroupInfo: ['groupID'],
  queryGroupMemberList: ['groupID', 'config'],
  queryGroupMemberCount: ['groupID'],
  queryGroupMemberInfo: ['userID', 'groupID'],
  queryGroupMemberMutedList: ['groupID', 'config'],
  transferGroupOwner: ['toUserID', 'groupID'],
  setGroupMemberRole: ['role', 'forUserID', 'groupID'],
  setGroupMemberNickname: ['nickname', 'forUserID', 'groupID'],
  updateGroupName: ['groupName', 'groupID'],
  updateGroupNotice: ['groupNotice', 'groupID'],
  updateGroupAvatarUrl: ['groupAvatarUrl', 'groupID'],
  updateGroupJoinMode: ['mode', 'groupID'],
  updateGroupInviteMode: ['mode', 'groupID'],
  updateGroupBeInviteMode: ['mode', 'groupID'],
  setGroupAttributes: ['groupAttributes', 'groupID'],
  deleteGroupAttributes: ['keys', 'groupID'],
  queryGroupAttributes: ['keys', 'groupID'],
  queryGroupAllAttributes: ['groupID'],
  muteGroup: ['isMute', 'groupID', 'config'],
  muteGroupMembers: ['isMute', 'userIDs', 'groupID', 'config'],
  searchLocalGroups: ['config'],
  searchLocalGroupMembers: ['groupID', 'config'],
  queryConversation: ['conversationID', 'conversationType'],
  updateConversationPinnedState: ['isPinned', 'conversationID', 'conversationType'],
  setConversationMark: ['markType', 'enable', 'conversationInfos'],
  setConversationNotificationStatus: ['status', 'conversationID', 'conversationType'],
  clearConversationUnreadMessageCount: ['conversationID', 'conversationType'],
  clearConversationTotalUnreadMessageCount: [],
  queryConversationTotalUnreadMessageCount: ['config'],
  queryMessages: ['messageSeqs', 'conversationID', 'conversationType'],
  queryMessageRepliedList: ['message', 'config'],
  addMessageReaction: ['reactionType', 'message'],
  deleteMessageReaction: ['reactionType', 'message'],
  sendMessageReceiptsRead: ['messageList', 'conversationID', 'conversationType'],
  sendConversationMessageReceiptRead: ['conversationID', 'conversationType'],
  queryMessageReceiptsInfo: ['messageList', 'conversationID', 'conversationType'],
  queryGroupMessageReceiptReadMemberList: ['message', 'groupID', 'config'],
  queryGroupMessageReceiptUnreadMemberList: ['message', 'groupID', 'config'],
  pinMessage: ['message', 'isPinned', 'config'],
  queryPinnedMessageList: ['conversationID', 'conversationType'],
  searchLocalMessages: ['conversationID', 'conversationType', 'config'],
  searchGlobalLocalMessages: ['config'],
  updateUserName: ['userName'],
  updateUserAvatarUrl: ['userAvatarUrl'],
  updateUserExtendedData: ['extendedData'],
  queryUsersStatus: ['userIDs'],
  subscribeUsersStatus: ['userIDs', 'config'],
  unsubscribeUsersStatus: ['userIDs'],
  querySubscribedUserStatusList: ['config'],
};

/** The longest page that the broker gives, but for the lists of PAGED_METHODS that say otherwise. */
const PAGE_MAX = 100;

/** Methods that are answered in pages: name → the list in the answer, and what says where the next page begins. */
const PAGED_METHODS = {
  queryRoomMemberList: { list: 'memberList', next: 'nextFlag', pageMax: 500 },
  queryRoomMemberAttributesList: { list: 'infos', next: 'nextFlag' },
  queryGroupMemberList: { list: 'userList', next: 'nextFlag' },
  queryGroupMemberMutedList: { list: 'userList', next: 'nextFlag' },
  searchLocalGroups: { list: 'groupSearchInfoList', next: 'nextFlag' },
  searchLocalGroupMembers: { list: 'userList', next: 'nextFlag' },
  queryMessageRepliedList: { list: 'messageList', next: 'nextFlag' },
  queryMessageReactionUserList: { list: 'userList', next: 'nextFlag' },
  queryGroupMessageReceiptReadMemberList: { list: 'userList', next: 'nextFlag' },
  queryGroupMessageReceiptUnreadMemberList: { list: 'userList', next: 'nextFlag' },
  searchLocalMessages: { list: 'messageList', next: 'nextMessage' },
  searchGlobalLocalMessages: { list: 'messageList', next: 'nextMessage' },
  searchLocalConversations: { list: 'conversationSearchInfoList', next: 'nextFlag', count: 'totalConversationCount' },
};

/** How arguments are converted for the broker; all others are sent as they are. */
const ARGUMENTS = {
  message: handleOf,
  messageList: handlesOf,
  config: (config, parameters) => {
    const given = config ? { ...withNumbers(config) } : undefined;
    // For rooms the flag is a string, whatever it looks like.
    if (parameters.includes('roomID') && config?.nextFlag !== undefined) given.nextFlag = String(config.nextFlag || '');
    return given?.nextMessage ? { ...given, nextMessage: handleOf(given.nextMessage) } : given;
  },
};

/** Methods of the vendor's that the broker does not support yet; they reject with 6000013. */
const UNSUPPORTED_METHODS = `
  acceptFriendApplication acceptGroupInviteApplication acceptGroupJoinApplication addFriend addUsersToBlacklist callAccept callCancel
  callEnd callExperimentalAPI callInvite callJoin callQuit callReject callingInvite checkFriendsRelation checkUserIsInBlacklist
  deleteFriends deleteMessageAllReactions queryBlacklist queryCallInvitationList queryFriendApplicationList queryFriendList
  queryFriendsInfo queryGroupApplicationList querySelfUserInfo rejectFriendApplication rejectGroupInviteApplication
  rejectGroupJoinApplication removeUsersFromBlacklist searchLocalFriends sendFriendApplication sendGroupInviteApplications
  sendGroupJoinApplication updateFriendAlias updateFriendAttributes updateGroupAlias updateUserBadge updateUserCustomStatus
  updateUserOfflinePushRule
`.trim().split(/\s+/);

defineTableMethods();

export default ZIM;
