// The page's words in two languages. An element remembers which entry it shows (`data-text`, `data-vars`),
// so switching the language is one walk over the document and nothing has to be drawn again.

export const DICTIONARY = {
  en: {
    tagline: 'People side by side, one broker. Talk, flood the room, pull the plug.',
    docs: 'Docs', addThird: 'Third person', theme: 'Light or dark',
    'theme-system': 'Colours as the system says', 'theme-light': 'Light colours', 'theme-dark': 'Dark colours',
    newConversation: 'New', newTitle: 'New conversation', kindPeer: 'A person', kindGroup: 'A new group', kindJoin: 'Join a group', kindRoom: 'A live room',
    peerID: 'Their name', newGroupName: 'Name of the group', groupMembers: 'Members', groupID: 'ID of the group', roomID: 'Name of the room',
    startTalking: 'Start', cancel: 'Cancel', noConversations: 'Nobody yet. Start with “New”.', pickConversation: 'Choose a conversation.',
    back: 'Back to the list', conversationWith: 'Conversation with {name}', liveRoom: 'Live room', leaveRoom: 'Leave', leaveGroup: 'Leave the group',
    heard: '{me} hears {name}: {words}', conversationsOf: 'Chats of {name}', notHere: 'That message is not here any more.',
    conversationMenu: 'What to do with this conversation', putFirst: 'Pin to the top', letDown: 'Unpin from the top', silence: 'Mute', speak: 'Unmute', takeOff: 'Take off the list',
    outsideGroup: 'You are not in this group any more.', optionsRange: 'Between {min} and {max} different options',
    silent: 'Silent', mentioned: 'You were mentioned', everyone: 'everyone', mentionWhom: 'Whom to mention',
    messageMenu: 'What to do with this message', reply: 'Reply', select: 'Select to forward', edit: 'Edit', pin: 'Pin', unpin: 'Unpin', revoke: 'Take back', deleteForMe: 'Delete for me',
    replyingTo: 'Reply to {name}: {words}', editing: 'Editing', pinnedBar: '📌 {n} · {words}', pinnedMark: 'Pinned', replies: 'Replies: {n}', edited: 'Edited',
    read: 'Read', readBy: 'Read by {n} of {of}', takenBack: '{name} took a message back', quoteTakenBack: 'The message was taken back', quoteLost: 'The message is not there any more',
    aPicture: '[Picture]', aFile: '[File]', aSound: '[Audio]', aFilm: '[Video]', aHistory: '[History]', aPoll: '[Poll]', anUnknown: '[Message of kind {type}]',
    tip1: '{name} made the group', tip2: '{name} dismissed the group', tip3: '{names} joined', tip4: '{name} invited {names}', tip5: '{names} left', tip6: '{name} removed {names}', tip7: '{name} changed the group', tip8: '{name} changed {names}',
    poll: 'Poll', pollTitle: 'New poll', question: 'Question', options: 'Options, one per line', createPoll: 'Ask', votes: 'Votes: {n}',
    pick: 'Select this message', picked: '{n} selected', forward: 'Forward…', forwardTitle: 'Forward to', forwardCombined: 'As one', forwardEach: 'One by one', historyTitle: 'Messages: {n}', openHistory: 'Open the history',
    otherLanguage: '中文', panes: 'Which person to show', conversations: 'Chats',
    signInTitle: 'Sign in', userName: 'Name', token: 'Token', signIn: 'Sign in', signOut: 'Sign out',
    noDemoTokens: 'This broker gives out no demo tokens. Make one on its machine and paste it here:',
    sameName: 'The other pane is {name} already. Choose another name.',
    unplug: 'Unplug', plug: 'Plug in',
    state0: 'Offline', state1: 'Connecting', state2: 'Connected', state3: 'Reconnecting', unplugged: 'Unplugged',
    ended2: 'The broker could not be reached in time.', ended4: 'Signed in somewhere else: this session ended.',
    ended5: 'The token has expired.', endedOther: 'The connection has ended.',
    unseen: '{n} new',
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
  },
  zh: {
    tagline: '几个人，一个消息服务：聊天、刷弹幕、拔网线。',
    docs: '文档', addThird: '第三个人', theme: '浅色或深色',
    'theme-system': '颜色跟随系统', 'theme-light': '浅色', 'theme-dark': '深色',
    newConversation: '新建', newTitle: '新会话', kindPeer: '单聊', kindGroup: '新建群组', kindJoin: '加入群组', kindRoom: '直播房间',
    peerID: '对方用户名', newGroupName: '群名称', groupMembers: '成员', groupID: '群 ID', roomID: '房间名',
    startTalking: '开始', cancel: '取消', noConversations: '还没有会话，点“新建”开始。', pickConversation: '请选择一个会话。',
    back: '返回列表', conversationWith: '与 {name} 的会话', liveRoom: '直播房间', leaveRoom: '离开', leaveGroup: '退出群组',
    heard: '{me} 收到 {name}：{words}', conversationsOf: '{name} 的会话', notHere: '这条消息已不存在。',
    conversationMenu: '会话操作', putFirst: '置顶会话', letDown: '取消置顶', silence: '免打扰', speak: '取消免打扰', takeOff: '从列表移除',
    outsideGroup: '你已不在这个群里。', optionsRange: '需要 {min} 到 {max} 个不同的选项',
    silent: '免打扰', mentioned: '有人提到了你', everyone: '所有人', mentionWhom: '要提到谁',
    messageMenu: '消息操作', reply: '回复', select: '选择转发', edit: '编辑', pin: '置顶', unpin: '取消置顶', revoke: '撤回', deleteForMe: '删除',
    replyingTo: '回复 {name}：{words}', editing: '正在编辑', pinnedBar: '📌 {n} · {words}', pinnedMark: '已置顶', replies: '{n} 条回复', edited: '已编辑',
    read: '已读', readBy: '{n}/{of} 已读', takenBack: '{name} 撤回了一条消息', quoteTakenBack: '消息已撤回', quoteLost: '消息已不存在',
    aPicture: '[图片]', aFile: '[文件]', aSound: '[语音]', aFilm: '[视频]', aHistory: '[聊天记录]', aPoll: '[投票]', anUnknown: '[类型 {type} 的消息]',
    tip1: '{name} 创建了群组', tip2: '{name} 解散了群组', tip3: '{names} 加入了群组', tip4: '{name} 邀请了 {names}', tip5: '{names} 退出了群组', tip6: '{name} 移出了 {names}', tip7: '{name} 修改了群资料', tip8: '{name} 修改了 {names}',
    poll: '投票', pollTitle: '新投票', question: '问题', options: '选项，每行一个', createPoll: '发起', votes: '{n} 票',
    pick: '选择这条消息', picked: '已选 {n} 条', forward: '转发…', forwardTitle: '转发到', forwardCombined: '合并转发', forwardEach: '逐条转发', historyTitle: '{n}条消息', openHistory: '打开聊天记录',
    otherLanguage: 'English', panes: '显示哪一方', conversations: '会话',
    signInTitle: '登录', userName: '用户名', token: '令牌', signIn: '登录', signOut: '退出',
    noDemoTokens: '此服务不发放演示令牌。请在服务器上生成一个，然后粘贴到这里：',
    sameName: '另一侧已经是 {name}，请换一个名字。',
    unplug: '拔网线', plug: '插网线',
    state0: '离线', state1: '连接中', state2: '已连接', state3: '重连中', unplugged: '已拔线',
    ended2: '连接服务超时。', ended4: '账号已在别处登录，本次会话结束。',
    ended5: '令牌已过期。', endedOther: '连接已结束。',
    unseen: '{n} 条新消息',
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

/** The same for the name of an element without words. */
export function label(element, key, vars = null) {
  element.dataset.label = key;
  if (vars) element.dataset.labelVars = JSON.stringify(vars);
  element.setAttribute('aria-label', phrase(key, vars));
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
    element.setAttribute('aria-label', phrase(element.dataset.label, parsed(element.dataset.labelVars)));
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

/** An entry in the language of the page, with its places filled. */
export function phrase(key, vars) {
  const words = DICTIONARY[language][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => vars?.[name] ?? whole);
}

const time = (at) => at.toLocaleTimeString(language, { hour: 'numeric', minute: '2-digit' });
const day = (at) => at.toLocaleDateString(language, { month: 'short', day: 'numeric' });
const isToday = (at) => at.toDateString() === new Date().toDateString();

/** When something was, as short as can be. */
export function timeText(timestamp) {
  const at = new Date(timestamp);
  return isToday(at) ? time(at) : day(at);
}

/** The same, always with the time of day. */
export function momentText(timestamp) {
  const at = new Date(timestamp);
  return isToday(at) ? time(at) : `${day(at)}, ${time(at)}`;
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
