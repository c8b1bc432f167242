// A chat as programs for the vendor's SDK are written with React. It numbers its drafts by the clock, keeps the very objects that it sent
// in its list, logs in from an effect, and takes for done what is done already. Its address says who talks with whom, and how it ends.
// The tests press its buttons and read its page.

import { StrictMode, useEffect, useReducer, useRef } from 'react';
import { createRoot } from 'react-dom/client';

import { ZIM } from '../../../src/web/tidings.js';

const [PEER, ROOM, GROUP] = [0, 1, 2];
const [TEXT, COMMAND, IMAGE, FILE, AUDIO, VIDEO, BARRAGE, COMBINE, CUSTOM] = [1, 2, 11, 12, 13, 14, 20, 100, 200];
const MEDIA = [IMAGE, FILE, AUDIO, VIDEO];
const [SENDING, SUCCESS, FAILED] = [0, 1, 2];
const ALREADY_IN_GROUP = 6000522;

const asked = new URLSearchParams(location.search);
const [userID, to, server] = ['user', 'to', 'server'].map((name) => asked.get(name));
const type = Number(asked.get('type'));

/** What the page shows. */
const shown = { state: -1, messages: [], conversations: [], members: [], errors: [], statuses: [], isOpen: false };
let redraw = () => {};
const fail = (error) => {
  shown.errors.push(`${error.code ?? ''} ${error.message}`);
  redraw();
};

/** Where a message stands in the list: by its own number, as it was shown first, and not by one that may change. */
const keys = new WeakMap();
const keyOf = (message) => {
  if (!keys.has(message)) keys.set(message, `${message.messageID}-${Math.random()}`);
  return keys.get(message);
};

function take({ messageList, fromConversationID }) {
  if (fromConversationID === to) shown.messages.push(...messageList);
  redraw();
}

function listen(zim) {
  zim.on('connectionStateChanged', (_, { state }) => {
    shown.state = state;
    redraw();
  });
  for (const event of ['receivePeerMessage', 'receiveGroupMessage', 'receiveRoomMessage']) zim.on(event, (_, data) => take(data));
  zim.on('messageSentStatusChanged', (_, { infos }) => {
    for (const { status, message } of infos) shown.statuses.push([message.localMessageID, status]);
    redraw();
  });
  zim.on('conversationChanged', (_, { infoList }) => {
    for (const { conversation } of infoList) {
      const others = shown.conversations.filter(({ conversationID }) => conversationID !== conversation.conversationID);
      shown.conversations = [conversation, ...others];
    }
    redraw();
  });
}

/** Shows everything of a conversation: its list, its members, its history. */
async function open(zim) {
  shown.conversations = (await zim.queryConversationList({ count: 120 })).conversationList;
  if (type === GROUP) {
    await join(zim);
    shown.members = (await zim.queryGroupMemberList(to, { count: 200, nextFlag: 0 })).userList;
  }
  if (type === ROOM) await zim.enterRoom({ roomID: to, roomName: to });
  shown.messages = (await zim.queryHistoryMessage(to, type, { count: 250, reverse: true })).messageList;
  shown.isOpen = true;
  redraw();
}

async function join(zim) {
  try {
    await zim.joinGroup(to);
  } catch (error) {
    if (error.code !== ALREADY_IN_GROUP) throw error;
  }
}

function show(kind, content) {
  const draft = {
    type: kind, messageID: Date.now(), senderUserID: userID, conversationID: to, conversationType: type, direction: 0,
    sentStatus: SENDING, timestamp: Date.now(), ...content,
  };
  shown.messages.push(draft);
  redraw();
  return send(draft);
}

/** Sends a message of the list, for the first time or once more. */
async function send(message) {
  const zim = ZIM.getInstance();
  const notification = {
    onMessageAttached: () => redraw(),
    onMediaUploadingProgress: () => redraw(),
  };
  const method = MEDIA.includes(message.type) ? 'sendMediaMessage' : 'sendMessage';
  try {
    await zim[method](message, to, type, { priority: 1 }, notification);
  } catch (error) {
    fail(error);
  }
  redraw();
}

/** Records for a moment, and says its length in seconds. */
async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const chunks = [];
  recorder.ondataavailable = ({ data }) => chunks.push(data);
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  const startedAt = Date.now();
  recorder.start();
  await new Promise((resolve) => { setTimeout(resolve, 1200); });
  recorder.stop();
  await stopped;
  return show(AUDIO, { fileLocalPath: new File(chunks, 'voice.webm'), audioDuration: (Date.now() - startedAt) / 1000 });
}

function fileContent(kind, file) {
  if (kind === AUDIO) return { fileLocalPath: file, audioDuration: 2 };
  if (kind === VIDEO) return { fileLocalPath: file, videoDuration: 2 };
  return { fileLocalPath: file };
}

const isSent = (message) => message.type === TEXT && message.sentStatus === SUCCESS;
const combined = () => ({ title: 'Two of them', summary: 'two texts', messageList: shown.messages.filter(isSent).slice(-2) });
const words = (message) => (message.type === COMMAND ? new TextDecoder().decode(message.message) : message.type === COMBINE ? message.title : message.message);

function Media({ message }) {
  const loaded = ({ currentTarget }) => { currentTarget.dataset.loaded = 'yes'; };
  const url = message.fileDownloadUrl;
  // A kit shows what the broker keeps, and until then nothing but its own spinner.
  if (!url) return null;
  if (message.type === IMAGE) return <img src={message.thumbnailDownloadUrl} onLoad={loaded} alt="" />;
  if (message.type === AUDIO) return <audio src={url} preload="metadata" onLoadedMetadata={loaded} />;
  if (message.type === VIDEO) return <video src={url} preload="metadata" poster={message.videoFirstFrameDownloadUrl || undefined} onLoadedMetadata={loaded} />;
  return <a href={url} data-size={message.fileSize} data-loaded="yes">{message.fileName}</a>;
}

function Bubble({ message }) {
  return (
    <li className="bubble" data-kind={message.type} data-status={message.sentStatus} data-id={message.messageID} data-sender={message.senderUserID}>
      <span className="words">{words(message)}</span>
      {MEDIA.includes(message.type) && <Media message={message} />}
      {message.sentStatus === SENDING && <i className="spinner" />}
      {message.sentStatus === FAILED && <button className="retry" onClick={() => send(message)}>!</button>}
    </li>
  );
}

function Writer() {
  const input = useRef(null);
  const written = () => {
    const text = input.current.value;
    input.current.value = '';
    return text;
  };
  return (
    <div>
      <input className="text" ref={input} />
      <button data-send={TEXT} onClick={() => show(TEXT, { message: written() })}>text</button>
      <button data-send={CUSTOM} onClick={() => show(CUSTOM, { message: written(), subType: 7, searchedContent: 'poll' })}>custom</button>
      <button data-send={BARRAGE} onClick={() => show(BARRAGE, { message: written() })}>barrage</button>
      <button data-send={COMMAND} onClick={() => show(COMMAND, { message: new TextEncoder().encode(written()) })}>command</button>
      <button data-send={COMBINE} onClick={() => show(COMBINE, combined())}>combine</button>
      <button data-send="record" onClick={() => record().catch(fail)}>record</button>
      {MEDIA.map((kind) => <input key={kind} type="file" data-file={kind} onChange={({ target }) => show(kind, fileContent(kind, target.files[0]))} />)}
      {type === GROUP && <button className="join" onClick={() => join(ZIM.getInstance()).catch(fail)}>join</button>}
    </div>
  );
}

function Chat() {
  const [, draw] = useReducer((count) => count + 1, 0);
  useEffect(() => {
    redraw = draw;
    ZIM.create({ appID: 1, server, ...JSON.parse(asked.get('config') ?? '{}') });
    const zim = ZIM.getInstance();
    listen(zim);
    let isMounted = true;
    zim.login({ userID, userName: userID }, asked.get('token')).then(() => open(zim)).catch((error) => isMounted && fail(error));
    return () => {
      isMounted = false;
      for (const step of (asked.get('cleanup') ?? '').split(',').filter(Boolean)) zim[step]();
    };
  }, []);
  return (
    <main data-state={shown.state} data-open={shown.isOpen}>
      <ul className="conversations">
        {shown.conversations.map(({ conversationID, lastMessage }) => <li key={conversationID} data-last={lastMessage?.sentStatus}>{conversationID}</li>)}
      </ul>
      <ul className="members">{shown.members.map((member) => <li key={member.userID}><img src={member.memberAvatarUrl} alt={member.userID} /></li>)}</ul>
      <ul className="messages">{shown.messages.map((message) => <Bubble key={keyOf(message)} message={message} />)}</ul>
      <ul className="errors">{shown.errors.map((error, n) => <li key={n}>{error}</li>)}</ul>
      <Writer />
    </main>
  );
}

window.ZIM = ZIM;
const root = createRoot(document.getElementById('root'));
root.render(asked.has('strict') ? <StrictMode><Chat /></StrictMode> : <Chat />);
