// A conversation of storable messages: the list, its order, what became of each send, and the input line.

import { canRecord, draftOf, figureOf, isFile, record, showProgress } from './files.js';
import { currentLanguage, hint, say } from './text.js';

export const PEER = 0;
export const ROOM = 1;
export const GROUP = 2;

const TEXT = 1;
const SENDING = 0;
const SENT = 1;
const FAILED = 2;
const STATE_NAMES = ['sending', 'sent', 'failed'];

const HISTORY_COUNT = 50;
const BUBBLES_MAX = 300;

export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

export function showError(element, error) {
  element.hidden = !error;
  if (!error) return;
  if (error.code === undefined) element.textContent = error.message;
  else say(element, 'failure', { code: error.code, message: error.message });
}

/** The bubbles: one per message however often and in whatever order it comes, sorted by `orderKey`. */
class Log {
  #list;
  #me;
  #retry;
  #refresh;
  #atEnd = true;
  #entries = [];
  #byMessageID = new Map();
  #byLocalID = new Map();

  constructor(list, me, retry, refresh) {
    this.#list = list;
    this.#me = me;
    this.#retry = retry;
    this.#refresh = refresh;
    // Pictures and players grow when they have loaded; who was at the end stays there.
    list.addEventListener('scroll', () => { this.#atEnd = this.#isScrolledToEnd(); });
    for (const grown of ['load', 'loadedmetadata']) list.addEventListener(grown, () => this.#atEnd && this.#scrollToEnd(), true);
  }

  clear() {
    this.#entries = [];
    this.#byMessageID.clear();
    this.#byLocalID.clear();
    this.#list.replaceChildren();
  }

  /** Adds a message or renews what is known of it; answers whether it was new. */
  put(message, state) {
    const known = this.#find(message);
    const entry = known ?? { bubble: this.#newBubble(message) };
    // A send that failed for us may have reached the broker; what the broker says comes last.
    entry.state = state;
    entry.orderKey = state === SENT ? message.orderKey : Infinity;
    entry.ids = [message.messageID, this.#localKey(message)];
    this.#remember(entry);
    this.#place(entry);
    showState(entry.bubble, message, state);
    return !known;
  }

  /** Follows a send whose promise may have been settled long ago. */
  mark(message, state) {
    const entry = this.#find(message);
    if (!entry || entry.state === SENT) return;
    if (state === SENT && message.orderKey) {
      this.put(message, SENT);
      return;
    }
    entry.state = state;
    // It keeps the place it failed at, or it would hang below everything said later.
    if (state === FAILED) {
      entry.orderKey = this.#newestOrderKey();
      this.#place(entry);
    }
    showState(entry.bubble, message, state);
  }

  progress(message, sent, total) {
    const entry = this.#find(message);
    if (entry) showProgress(entry.bubble, sent, total);
  }

  #newestOrderKey() {
    return Math.max(0, ...this.#entries.map((entry) => entry.orderKey).filter(Number.isFinite));
  }

  #newBubble(message) {
    const mine = (message.senderUserID || this.#me) === this.#me;
    const bubble = newBubble(message, mine, this.#refresh);
    if (mine) bubble.querySelector('.retry').onclick = () => this.#retry(message);
    return bubble;
  }

  #localKey(message) {
    return message.localMessageID && `${message.senderUserID || this.#me}/${message.localMessageID}`;
  }

  #find(message) {
    return this.#byMessageID.get(message.messageID) ?? this.#byLocalID.get(this.#localKey(message));
  }

  #remember(entry) {
    const [messageID, localKey] = entry.ids;
    if (messageID) this.#byMessageID.set(messageID, entry);
    if (localKey) this.#byLocalID.set(localKey, entry);
  }

  #place(entry) {
    const before = this.#entries.indexOf(entry);
    if (before >= 0) this.#entries.splice(before, 1);
    // Nearly everything belongs at the end, so the search starts there. What is not sent yet stays last.
    let at = this.#entries.length;
    while (at > 0 && this.#entries[at - 1].orderKey > entry.orderKey) at -= 1;
    this.#entries.splice(at, 0, entry);
    if (before === at) return;

    const atEnd = this.#isScrolledToEnd();
    this.#list.insertBefore(entry.bubble, this.#entries[at + 1]?.bubble ?? null);
    this.#dropOldest();
    if (atEnd) this.#scrollToEnd();
  }

  #dropOldest() {
    if (this.#entries.length <= BUBBLES_MAX) return;
    const [oldest] = this.#entries.splice(0, 1);
    oldest.bubble.remove();
    this.#byMessageID.delete(oldest.ids[0]);
    this.#byLocalID.delete(oldest.ids[1]);
  }

  #scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#atEnd = true;
  }

  #isScrolledToEnd() {
    return this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - 40;
  }
}

function newBubble(message, mine, refresh) {
  const bubble = document.createElement('li');
  bubble.className = mine ? 'bubble mine' : 'bubble theirs';
  bubble.append(
    Object.assign(document.createElement('span'), { className: 'sender', textContent: message.senderUserID }),
    isFile(message) ? figureOf(message, refresh) : Object.assign(document.createElement('p'), { className: 'words', textContent: wordsOf(message) }),
  );
  const foot = Object.assign(document.createElement('span'), { className: 'foot' });
  foot.append(document.createElement('time'));
  if (mine) foot.append(Object.assign(document.createElement('span'), { className: 'state' }), newRetryButton());
  bubble.append(foot);
  return bubble;
}

function newRetryButton() {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: 'retry', hidden: true });
  say(button, 'retry');
  return button;
}

function showState(bubble, message, state) {
  bubble.dataset.state = STATE_NAMES[state];
  const mark = bubble.querySelector('.state');
  if (mark) {
    say(mark, STATE_NAMES[state]);
    bubble.querySelector('.retry').hidden = state !== FAILED;
  }
  const time = bubble.querySelector('time');
  const at = new Date(message.timestamp || Date.now());
  time.dateTime = at.toISOString();
  time.textContent = at.toLocaleTimeString(currentLanguage(), { hour: 'numeric', minute: '2-digit' });
}

/** Other programs may send other kinds into these conversations; they are named rather than hidden. */
function wordsOf(message) {
  return typeof message.message === 'string' ? message.message : `[type ${message.type}]`;
}

export class Chat {
  #root;
  #type;
  #log;
  #zim = null;
  #id = null;

  /** `root` becomes the chat; `type` says what kind of conversation it shows; `me` is who is signed in. */
  constructor(root, type, me) {
    root.replaceChildren(document.getElementById('chat-template').content.cloneNode(true));
    this.#root = root;
    this.#type = type;
    this.#log = new Log(part(root, 'log'), me, (message) => this.#send(message), (message) => this.#zim.refreshMediaUrls(message));
    this.#allowWriting(false);
    this.#takeFiles();
    part(root, 'composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#sendWritten();
    });
  }

  get id() {
    return this.#id;
  }

  async open(zim, id) {
    if (this.#id !== id) this.#log.clear();
    this.#zim = zim;
    this.#id = id;
    this.#allowWriting(true);
    await this.reload();
  }

  close() {
    this.#id = null;
    this.#log.clear();
    this.#allowWriting(false);
  }

  /** Shows the newest history. Nothing is taken away, so it also fills a gap. */
  async reload() {
    const id = this.#id;
    if (id === null) return;
    try {
      const page = await this.#zim.queryHistoryMessage(id, this.#type, { count: HISTORY_COUNT, reverse: true });
      if (id !== this.#id) return;
      for (const message of page.messageList) this.#log.put(message, SENT);
      this.#fail(null);
    } catch (error) {
      if (id === this.#id) this.#fail(error);
    }
  }

  /** Takes what belongs here out of a receive event and answers how many messages were new. */
  receive({ messageList, fromConversationID }) {
    let fresh = 0;
    for (const message of messageList) {
      const from = message.conversationID || fromConversationID;
      if (from === this.#id && isStorable(message) && this.#log.put(message, SENT)) fresh += 1;
    }
    return fresh;
  }

  sentStatusChanged(infos) {
    for (const { message, status } of infos) this.#log.mark(message, status);
  }

  /** Before it is known with whom, there is nothing to write to. */
  #allowWriting(allowed) {
    for (const control of part(this.#root, 'composer').elements) control.disabled = !allowed;
  }

  #sendWritten() {
    const input = part(this.#root, 'text');
    const words = input.value.trim();
    if (!words) return;
    input.value = '';
    this.#send({ type: TEXT, message: words });
  }

  /** Chosen, dropped or pasted files, and the recorder. */
  #takeFiles() {
    const [root, input, recorder] = [this.#root, part(this.#root, 'file'), part(this.#root, 'record')];
    part(root, 'attach').onclick = () => input.click();
    input.onchange = () => {
      this.#sendFiles([...input.files]);
      input.value = '';
    };
    part(root, 'text').addEventListener('paste', (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.#sendFiles(files);
    });
    const hovers = (is) => (event) => {
      if (this.#id === null || !event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      root.classList.toggle('dropping', is);
    };
    root.addEventListener('dragover', hovers(true));
    root.addEventListener('dragleave', hovers(false));
    root.addEventListener('drop', (event) => {
      hovers(false)(event);
      if (this.#id !== null) this.#sendFiles([...event.dataTransfer.files]);
    });
    recorder.hidden = !canRecord();
    recorder.onclick = () => this.#toggleRecording(recorder);
  }

  async #sendFiles(files) {
    for (const file of files) this.#send(await draftOf(file));
  }

  #stopRecording = null;

  async #toggleRecording(button) {
    try {
      if (this.#stopRecording) {
        const stop = this.#stopRecording;
        this.#stopRecording = null;
        this.#send(await stop());
      } else {
        this.#stopRecording = await record();
      }
    } catch (error) {
      this.#fail(error);
    }
    button.setAttribute('aria-pressed', this.#stopRecording !== null);
    hint(button, this.#stopRecording ? 'stopRecording' : 'record', {});
  }

  /**
   * Sends a draft, or once more a message that failed. That one goes under the id it had, so that it is stored
   * once even if the broker did get it the first time.
   */
  async #send(draft) {
    let attached = null;
    const onMessageAttached = (message) => {
      attached = message;
      this.#log.put(message, SENDING);
    };
    try {
      const onMediaUploadingProgress = (message, current, total) => this.#log.progress(message, current, total);
      const notification = { onMessageAttached, onMediaUploadingProgress };
      const sent = await this.#zim.sendMessage(draft, this.#id, this.#type, { priority: 1 }, notification);
      this.#log.put(sent.message, SENT);
      this.#fail(null);
    } catch (error) {
      if (attached) this.#log.mark(attached, FAILED);
      this.#fail(error);
    }
  }

  #fail(error) {
    showError(part(this.#root, 'error'), error);
  }
}

/** Commands and barrages pass through the same events but are not part of what is kept. */
function isStorable(message) {
  return message.type !== 2 && message.type !== 20;
}
