// The page's words in two languages. An element remembers which entry it shows (`data-text`, `data-vars`),
// so switching the language is one walk over the document and nothing has to be drawn again.

const DICTIONARY = {
  en: {
    tagline: 'Two people, one broker. Talk, flood the room, pull the plug.',
    otherLanguage: '中文', panes: 'Which person to show', conversations: 'Conversations',
    signInTitle: 'Sign in', userName: 'Name', token: 'Token', signIn: 'Sign in', signOut: 'Sign out',
    noDemoTokens: 'This broker gives out no demo tokens. Make one on its machine and paste it here:',
    sameName: 'The other pane is {name} already. Choose another name.',
    unplug: 'Unplug', plug: 'Plug in',
    state0: 'Offline', state1: 'Connecting', state2: 'Connected', state3: 'Reconnecting', unplugged: 'Unplugged',
    ended2: 'The broker could not be reached in time.', ended4: 'Signed in somewhere else: this session ended.',
    ended5: 'The token has expired.', endedOther: 'The connection has ended.',
    peerTab: 'Peer chat', roomTab: 'Room', groupTab: 'Group', unseen: '{n} new',
    attach: 'Send a file', record: 'Record', stopRecording: 'Stop and send', openPicture: 'Open the picture', close: 'Close',
    messages: 'Messages', messageInput: 'Write a message', send: 'Send', failure: '{message} ({code})',
    noMessages: 'No messages yet.',
    sending: 'Sending', sent: 'Sent', failed: 'Not sent', retry: 'Try again',
    room: 'Room', enterRoom: 'Enter', members: '{n} online', roomAway: 'Not in the room',
    stage: 'Barrage stage', stageHint: 'Quiet so far. Send a barrage, or move the slider.',
    barrageInput: 'Write a barrage', priority: 'Priority', low: 'Low', medium: 'Medium', high: 'High', fire: 'Fire',
    perSecond: 'Barrages per second', sentCount: 'Sent', receivedCount: 'Received', droppedCount: 'Dropped',
    countersHint: 'The stage draws what fits on it; the counters count everything.',
    droppedDetail: 'Dropped by the broker for this session: low {low}, medium {medium}, high {high}, command {command}',
    noGroup: 'There is no group with {name} yet.', createGroup: 'Create “Friends” with {name}',
    notInvited: '{name} could not be invited: has to sign in once first.',
    groupName: '{name} · {id}',
  },
  zh: {
    tagline: '两个人，一个消息服务：聊天、刷弹幕、拔网线。',
    otherLanguage: 'English', panes: '显示哪一方', conversations: '会话',
    signInTitle: '登录', userName: '用户名', token: '令牌', signIn: '登录', signOut: '退出',
    noDemoTokens: '此服务不发放演示令牌。请在服务器上生成一个，然后粘贴到这里：',
    sameName: '另一侧已经是 {name}，请换一个名字。',
    unplug: '拔网线', plug: '插网线',
    state0: '离线', state1: '连接中', state2: '已连接', state3: '重连中', unplugged: '已拔线',
    ended2: '连接服务超时。', ended4: '账号已在别处登录，本次会话结束。',
    ended5: '令牌已过期。', endedOther: '连接已结束。',
    peerTab: '单聊', roomTab: '房间', groupTab: '群聊', unseen: '{n} 条新消息',
    attach: '发送文件', record: '录音', stopRecording: '停止并发送', openPicture: '查看大图', close: '关闭',
    messages: '消息', messageInput: '输入消息', send: '发送', failure: '{message}（{code}）',
    noMessages: '还没有消息。',
    sending: '发送中', sent: '已发送', failed: '发送失败', retry: '重试',
    room: '房间', enterRoom: '进入', members: '{n} 人在线', roomAway: '不在房间内',
    stage: '弹幕舞台', stageHint: '还很安静。发一条弹幕，或者拖动滑块。',
    barrageInput: '输入弹幕', priority: '优先级', low: '低', medium: '中', high: '高', fire: '发射',
    perSecond: '每秒弹幕数', sentCount: '已发', receivedCount: '已收', droppedCount: '已丢弃',
    countersHint: '舞台只画得下一部分，计数包含全部。',
    droppedDetail: '服务为本会话丢弃：低 {low}，中 {medium}，高 {high}，信令 {command}',
    noGroup: '还没有和 {name} 的群。', createGroup: '与 {name} 建群 “Friends”',
    notInvited: '无法邀请 {name}：对方需要先登录一次。',
    groupName: '{name} · {id}',
  },
};

const REMEMBERED = 'tidings.page.language';
let language = remembered() ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

export const currentLanguage = () => language;

/** Writes one entry into an element and leaves the note by which `translate` finds it again. */
export function say(element, key, vars = null) {
  element.dataset.text = key;
  if (vars) element.dataset.vars = JSON.stringify(vars);
  else delete element.dataset.vars;
  element.textContent = phrase(key, vars);
}

/** The same for a tooltip. */
export function hint(element, key, vars = null) {
  element.dataset.hint = key;
  if (vars) element.dataset.hintVars = JSON.stringify(vars);
  element.title = phrase(key, vars);
}

export function translate(root) {
  for (const element of root.querySelectorAll('[data-text]')) {
    element.textContent = phrase(element.dataset.text, parsed(element.dataset.vars));
  }
  for (const element of root.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', phrase(element.dataset.label));
  }
  for (const element of root.querySelectorAll('[data-placeholder]')) {
    element.placeholder = phrase(element.dataset.placeholder);
  }
  for (const element of root.querySelectorAll('[data-hint]')) {
    element.title = phrase(element.dataset.hint, parsed(element.dataset.hintVars));
  }
}

export function switchLanguage() {
  language = language === 'en' ? 'zh' : 'en';
  try {
    localStorage.setItem(REMEMBERED, language);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  applyLanguage();
}

export function applyLanguage() {
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  translate(document);
}

function phrase(key, vars) {
  const words = DICTIONARY[language][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => vars?.[name] ?? whole);
}

function parsed(text) {
  return text ? JSON.parse(text) : null;
}

function remembered() {
  try {
    const stored = localStorage.getItem(REMEMBERED);
    return stored in DICTIONARY ? stored : null;
  } catch {
    return null;
  }
}
