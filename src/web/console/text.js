// The console's words in two languages; how they get into the page is in ../page/format.js.

import { currentLanguage, formatText, useDictionary } from '../page/format.js';

export const DICTIONARY = {
  en: {
    title: 'Tidings console', console: 'console', otherLanguage: '中文', signOut: 'Sign out', sections: 'Sections', skip: 'Skip to the content',
    'theme-system': 'Colours as the system says', 'theme-light': 'Light colours', 'theme-dark': 'Dark colours',
    signInTitle: 'Sign in', password: 'Password', passwordAgain: 'The same again', signIn: 'Sign in', choosePassword: 'Choose a password', setPassword: 'Set and sign in',
    chooseNote: 'It opens this console from now on. At least {n} characters; the link that brought you here works once.',
    noPasswordYet: 'No password is set yet. Open the link that the broker printed when it started, or make a new one on its machine:',
    linkUsed: 'A password is set already, so the link does not work any more.', ended: 'The session has ended. Please sign in again.',
    tooShort: 'At least {n} characters, please.', notTheSame: 'The two are not the same.',
    failure: '{words}: {message}', unreachable: 'The broker does not answer.', noAnswer: 'No answer',
    overview: 'Overview', tail: 'Messages', sessions: 'Sessions', users: 'Users', rooms: 'Rooms', groups: 'Groups', uploads: 'Uploads', webhooks: 'Webhooks', cluster: 'Brokers', storage: 'Storage', config: 'Settings', audit: 'Audit log',
    calm: 'Keeping up', behind: 'Behind: sheds at level {n}',
    connectionsTitle: 'Connections', acceptedTitle: 'Messages in', deliveredTitle: 'Messages out', latencyTitle: 'Time until on disk', queuesTitle: 'Waiting for the disk', diskTitle: 'Written to disk', outboxTitle: 'Waiting for readers', droppedTitle: 'Dropped',
    connections: 'open', signedIn: 'signed in', written: 'messages', flushes: 'flushes', storable: 'stored', command: 'commands', barrage: 'barrages', delivered: 'delivered', p50: 'half within', p99: '99 % within',
    storeWaiting: 'in the store', appendsInFlight: 'not answered yet', outboxBytes: 'in outboxes',
    usersOnline: 'Users online', peers: 'Pairs', files: 'Files', uptime: 'Running for', version: 'Version',
    dropsTitle: 'Dropped since the start', noDrops: 'Nothing. Barrages and commands are dropped, and counted here, when a room or a reader cannot take more.',
    class: 'Class', priority: 'Priority', reason: 'Why', messages: 'Messages', priority1: 'low', priority2: 'medium', priority3: 'high',
    reason_over_budget: 'more than the room passes on', reason_unfair: 'the sender had its share', reason_outbox_full: 'the reader is slow', reason_mailbox_full: 'the conversation has no time', reason_overloaded: 'the broker is behind', reason_session_closed: 'the session ended first',
    loadMore: 'Load more', refresh: 'Refresh', filter: 'Filter', entries: '{n} shown', entriesAndMore: '{n} shown, there are more', nothingHere: 'Nothing here.', cancel: 'Cancel', close: 'Close',
    user: 'User', device: 'Device', since: 'Since', silent: 'Silent for', waiting: 'Waiting', dropped: 'Dropped', name: 'Name', state: 'State', until: 'Until', noSessions: 'Nobody is connected.',
    kick: 'Kick', kickOf: 'Kick {name}', kickTitle: 'Kick {name}?', kickText: 'This session ends and does not come back by itself. {name} may log in again.', kickAllText: 'All sessions of {name} end and do not come back by themselves. {name} may log in again.', kicked: 'The session is ending.',
    userID: 'User ID', find: 'Find', show: 'Show', showOf: 'Show {name}', noUsers: 'Nobody is known yet.', bans: 'Bans', noBans: 'Nobody is kept out.',
    online: 'online', offline: 'offline', isBanned: 'banned', isFree: 'may log in', lastChange: 'Last came or went', devices: 'Devices', extendedData: 'Extended data',
    ban: 'Ban', banOf: 'Ban {name}', banTitle: 'Ban {name}?', banText: '{name} is put out at once and cannot log in until the ban ends.', howLong: 'For how long', hours: '{n} hour', days: 'Days: {n}', forGood: 'for good', reasonForOperators: 'Reason (operators see it)', banned: 'The ban holds.',
    unban: 'Lift the ban', unbanOf: 'Lift the ban of {name}', unbanTitle: 'Lift the ban of {name}?', unbanText: '{name} may log in again.', unbanned: 'The ban is lifted.',
    room: 'Room', inside: 'Inside', standsEmpty: 'Kept when empty', noRooms: 'There are no rooms.', group: 'Group', membersCount: 'Members', role: 'Role', noGroups: 'There are no groups.',
    members: 'Members', membersOf: 'Members of {name}', nobodyHere: 'Nobody is in it.',
    destroy: 'Destroy', destroyOf: 'Destroy {name}', destroyTitle: 'Destroy the room {name}?', destroyText: 'Everyone inside is put out, and its history is gone.', destroyed: 'The room is gone.',
    dismiss: 'Dismiss', dismissOf: 'Dismiss {name}', dismissTitle: 'Dismiss the group {name}?', dismissText: 'It ends for all its members, and its ID is not used again.', dismissed: 'The group is dismissed.',
    putOut: 'Put out', putOutOf: 'Put {name} out', putOutTitle: 'Put {name} out?', putOutOfRoom: '{name} is put out of the room {where}, and may enter again.', putOutOfGroup: '{name} is not a member of {where} any more.', wasPutOut: 'Put out.',
    conversationID: 'Room, group or user', where: 'Where', anywhere: 'Everywhere', kind: 'Kind', anyKind: 'Every kind', filterNow: 'Apply', pause: 'Pause', resume: 'Go on', clear: 'Clear', heardSoFar: '{n} heard', connecting: 'Connecting', listening: 'Listening', noMessagesYet: 'Nothing yet. What is accepted from now on appears here.',
    kind1: 'text', kind2: 'command', kind11: 'image', kind12: 'file', kind13: 'audio', kind14: 'video', kind20: 'barrage', kind100: 'combined', kind200: 'custom', otherKind: 'kind {n}', commandOf: '{size} of the application’s own',
    event_sessionStarted: '{name} came online on a device', event_sessionEnded: 'a session of {name} ended', event_roomCreated: 'the room {name} began', event_roomDestroyed: 'the room {name} ended', event_missed: '{name} events were missed here: too many at a time',
    event_roomEntered: '{name} entered the room {where}', event_roomLeft: '{name} left the room {where}', event_groupCreated: '{by} made the group {where}', event_groupJoined: '{name} joined the group {where}', event_groupLeft: '{name} left the group {where}', event_groupKicked: '{by} put {name} out of the group {where}', event_groupDismissed: '{by} dismissed the group {where}', event_messageRefused: 'refused: {reason}', event_messageRevoked: 'taken back', event_messageEdited: 'edited',
    noWebhooks: 'This broker serves no webhooks.', deadLetters: 'Dead letters', noDeadLetters: 'Everything was taken.', event: 'Event', attempts: 'Attempts', lastError: 'Last error',
    hook_url: 'Events go to', hook_beforeSendUrl: 'Asked before messages', hook_queued: 'Waiting', hook_queueBytes: 'Queue on disk', hook_oldestTime: 'Oldest of them', hook_delivered: 'Delivered', hook_failed: 'Failed attempts', hook_dead: 'Dead letters',
    hook_dropped: 'Found the queue full', hook_givenUp: 'Given up', hook_lastError: 'Last failure', hook_lastErrorTime: 'When it failed',
    resend: 'Send again', resendOf: 'Send {name} again', resendTitle: 'Send {name} again?', resendText: 'It is put into the queue with the same ID, so that its receiver can tell it from a new one.', resent: 'It waits to be sent.',
    discard: 'Discard', discardOf: 'Discard {name}', discardTitle: 'Discard {name}?', discardText: 'It is gone for good.', discarded: 'Discarded.',
    fileName: 'File', progress: 'Progress', noUploads: 'Nothing goes up at the moment.',
    storeBytes: 'Messages', mediaBytes: 'Files', diskFree: 'Free on the disk', dataDir: 'Folder', partitions: 'Parts of the store',
    node: 'Broker', address: 'Where clients reach it', ownedShards: 'Parts of the store', lag: 'Behind', heard: 'Heard before', noNodes: 'This broker has its store to itself.',
    node_active: 'active', node_draining: 'handing over', node_silent: 'not heard of', node_standby: 'standing by', node_gone: 'ended',
    drain: 'Hand over', drainOf: 'Let {name} hand over', drainTitle: 'Let {name} hand over?', drainText: 'The other brokers take over all it owns. Its sessions stay until it is stopped.', draining: 'It hands over.',
    undrain: 'Own again', undrainOf: 'Let {name} own again', undrainTitle: 'Let {name} own again?', undrainText: 'It takes its part of the store back.', undrained: 'It takes its part back.',
    history: 'History', historyNote: 'What you read here is noted in the audit log, with your address. Messages of two are seen as one of them; rooms and groups also without a user, as the server sees them.',
    asUser: 'As this user', conversations: 'Conversations', conversationsOf: 'Conversations of {name}', noConversations: 'There are none.', one_peer: 'with a user', one_room: 'room', one_group: 'group', read: 'Read', readOf: 'Read {name}', lastMessage: 'Last message', unread: 'Unread', sender: 'Who', words: 'What it says',
    messagesOf_peer: 'Messages with {name}', messagesOf_room: 'Messages of the room {name}', messagesOf_group: 'Messages of the group {name}', nothingWritten: 'Nothing is kept here.', kind10: 'several parts', kind30: 'from the system', kind31: 'taken back', kind32: 'tip',
    keys: 'Keys', keysNote: 'Programs use the server API with them. Making, listing and revoking are noted in the audit log, and what is done with a key under its name.', keyName: 'Name', scopes: 'May be used for', noKeys: 'There are no keys: the server API answers nobody but this console.',
    newKey: 'New key', makeKey: 'Make it', worksFor: 'Works for', untilRevoked: 'until it is revoked', hasEnded: 'has ended', mayBeUsedFor: 'It may be used for', noScope: 'Choose at least one thing it may be used for.',
    keyMade: 'The key {name}', keyOnce: 'Copy it now: it is shown this once, and kept here as a hash only.', copy: 'Copy', copied: 'Copied',
    revoke: 'Revoke', revokeOf: 'Revoke {name}', revokeTitle: 'Revoke {name}?', revokeText: 'Whoever uses it is refused at once. It does not come back.', revoked: 'The key is revoked.',
    'scope_*': 'everything', scope_broadcast: 'messages to everyone online', 'scope_messages:read': 'history, lists, search', 'scope_messages:write': 'send, revoke, edit, delete', 'scope_users:read': 'who there is and who is online', 'scope_users:write': 'register, rename, kick, ban', 'scope_tokens:write': 'log clients in as any user', 'scope_keys:read': 'which keys there are', 'scope_keys:write': 'make and revoke keys',
    'scope_rooms:read': 'rooms and who is inside', 'scope_rooms:write': 'make, change, end rooms', 'scope_groups:read': 'groups and their members', 'scope_groups:write': 'make, change, end groups', 'scope_ops:read': 'figures, sessions, events, settings', 'scope_ops:write': 'end sessions, dead letters, backups',
    makeToken: 'Make a token', makeTokenOf: 'Make a token for {name}', tokenTitle: 'A token for {name}?', tokenText: 'Whoever has it logs in as {name} until it ends; it cannot be taken back.', tokenMade: 'A token for {name}', tokenOnce: 'Copy it now: it is shown this once, and kept nowhere.',
    role1: 'owner', role2: 'admin', role3: 'member', roleOther: 'role {n}', atWork: 'At work now', atWorkNow: 'pairs {peers} · rooms {rooms} · groups {groups}',
    reload_now: 'changes with a reload', reload_later: 'changes with a reload, for what begins after it', reload_restart: 'changes with a restart', comesFrom: 'from {origin}',
    status_2xx: 'done', status_3xx: 'elsewhere', status_4xx: 'refused', status_5xx: 'the broker failed', status_400: 'not as it must be', status_401: 'not let in', status_403: 'not allowed', status_404: 'not there', status_409: 'does not fit', status_413: 'too large', status_422: 'not what it should be', status_429: 'too often', status_503: 'not now',
    configNote: 'As the broker runs with them now. Secrets are masked; what is not the default is bold.', time: 'When', who: 'Who', action: 'What', target: 'To what', status: 'Status', noAudit: 'Nothing has been noted yet.',
  },
  zh: {
    title: 'Tidings 控制台', console: '控制台', otherLanguage: 'English', signOut: '退出登录', sections: '栏目', skip: '跳到内容',
    'theme-system': '颜色跟随系统', 'theme-light': '浅色', 'theme-dark': '深色',
    signInTitle: '登录', password: '密码', passwordAgain: '再输入一次', signIn: '登录', choosePassword: '设置密码', setPassword: '设置并登录',
    chooseNote: '以后用它登录控制台。至少 {n} 个字符；带你来的链接只能用一次。',
    noPasswordYet: '还没有设置密码。请打开服务启动时打印的链接，或者在服务器上生成一个新的：',
    linkUsed: '密码已经设置，这个链接不再有效。', ended: '会话已结束，请重新登录。',
    tooShort: '请至少输入 {n} 个字符。', notTheSame: '两次输入不一致。',
    failure: '{words}：{message}', unreachable: '服务没有响应。', noAnswer: '没有响应',
    overview: '概览', tail: '消息', sessions: '会话', users: '用户', rooms: '房间', groups: '群组', uploads: '上传', webhooks: '回调', cluster: '节点', storage: '存储', config: '配置', audit: '审计日志',
    calm: '运行平稳', behind: '落后：丢弃级别 {n}',
    connectionsTitle: '连接', acceptedTitle: '收到的消息', deliveredTitle: '送出的消息', latencyTitle: '落盘耗时', queuesTitle: '等待落盘', diskTitle: '写入磁盘', outboxTitle: '等待读取', droppedTitle: '已丢弃',
    connections: '打开的', signedIn: '已登录', written: '消息', flushes: '刷盘', storable: '存储消息', command: '信令', barrage: '弹幕', delivered: '送达', p50: '半数不超过', p99: '99% 不超过',
    storeWaiting: '存储队列', appendsInFlight: '尚未应答', outboxBytes: '发送缓冲',
    usersOnline: '在线用户', peers: '单聊', files: '文件', uptime: '已运行', version: '版本',
    dropsTitle: '启动以来丢弃', noDrops: '没有。房间或接收方处理不过来时，弹幕和信令会被丢弃并计入这里。',
    class: '类别', priority: '优先级', reason: '原因', messages: '消息数', priority1: '低', priority2: '中', priority3: '高',
    reason_over_budget: '超过房间转发上限', reason_unfair: '发送者已用完份额', reason_outbox_full: '接收方太慢', reason_mailbox_full: '会话来不及处理', reason_overloaded: '服务落后', reason_session_closed: '会话先结束了',
    loadMore: '加载更多', refresh: '刷新', filter: '筛选', entries: '共 {n} 条', entriesAndMore: '已显示 {n} 条，还有更多', nothingHere: '这里什么都没有。', cancel: '取消', close: '关闭',
    user: '用户', device: '设备', since: '开始于', silent: '静默', waiting: '待发', dropped: '已丢弃', name: '名称', state: '状态', until: '直到', noSessions: '没有人连接。',
    kick: '踢下线', kickOf: '把 {name} 踢下线', kickTitle: '把 {name} 踢下线？', kickText: '这个会话会结束，不会自动重连。{name} 可以重新登录。', kickAllText: '{name} 的所有会话会结束，不会自动重连。{name} 可以重新登录。', kicked: '会话正在结束。',
    userID: '用户 ID', find: '查找', show: '查看', showOf: '查看 {name}', noUsers: '还没有用户。', bans: '封禁', noBans: '没有被封禁的用户。',
    online: '在线', offline: '离线', isBanned: '已封禁', isFree: '可以登录', lastChange: '最近上下线', devices: '设备', extendedData: '扩展数据',
    ban: '封禁', banOf: '封禁 {name}', banTitle: '封禁 {name}？', banText: '{name} 会立即下线，封禁结束前不能登录。', howLong: '时长', hours: '{n} 小时', days: '{n} 天', forGood: '永久', reasonForOperators: '原因（仅管理员可见）', banned: '已封禁。',
    unban: '解除封禁', unbanOf: '解除 {name} 的封禁', unbanTitle: '解除 {name} 的封禁？', unbanText: '{name} 可以重新登录。', unbanned: '已解除封禁。',
    room: '房间', inside: '在线人数', standsEmpty: '空房保留', noRooms: '没有房间。', group: '群组', membersCount: '成员数', role: '角色', noGroups: '没有群组。',
    members: '成员', membersOf: '{name} 的成员', nobodyHere: '里面没有人。',
    destroy: '销毁', destroyOf: '销毁 {name}', destroyTitle: '销毁房间 {name}？', destroyText: '里面的人会被移出，历史记录会删除。', destroyed: '房间已销毁。',
    dismiss: '解散', dismissOf: '解散 {name}', dismissTitle: '解散群组 {name}？', dismissText: '所有成员都会退出，群 ID 不会再次使用。', dismissed: '群组已解散。',
    putOut: '移出', putOutOf: '移出 {name}', putOutTitle: '移出 {name}？', putOutOfRoom: '{name} 会被移出房间 {where}，可以再次进入。', putOutOfGroup: '{name} 不再是 {where} 的成员。', wasPutOut: '已移出。',
    conversationID: '房间、群组或用户', where: '范围', anywhere: '全部', kind: '类型', anyKind: '所有类型', filterNow: '应用', pause: '暂停', resume: '继续', clear: '清空', heardSoFar: '已收到 {n} 条', connecting: '连接中', listening: '接收中', noMessagesYet: '还没有消息。从现在起收到的消息会显示在这里。',
    kind1: '文本', kind2: '信令', kind11: '图片', kind12: '文件', kind13: '语音', kind14: '视频', kind20: '弹幕', kind100: '合并', kind200: '自定义', otherKind: '类型 {n}', commandOf: '应用自己的数据，{size}',
    event_sessionStarted: '{name} 在一个设备上线', event_sessionEnded: '{name} 的一个会话结束', event_roomCreated: '房间 {name} 创建', event_roomDestroyed: '房间 {name} 销毁', event_missed: '这里错过了 {name} 个事件：来得太快',
    event_roomEntered: '{name} 进入房间 {where}', event_roomLeft: '{name} 离开房间 {where}', event_groupCreated: '{by} 创建群组 {where}', event_groupJoined: '{name} 加入群组 {where}', event_groupLeft: '{name} 退出群组 {where}', event_groupKicked: '{by} 把 {name} 移出群组 {where}', event_groupDismissed: '{by} 解散群组 {where}', event_messageRefused: '被拒绝：{reason}', event_messageRevoked: '已撤回', event_messageEdited: '已编辑',
    noWebhooks: '此服务没有回调。', deadLetters: '死信', noDeadLetters: '全部已送达。', event: '事件', attempts: '尝试次数', lastError: '最后的错误',
    hook_url: '事件发往', hook_beforeSendUrl: '发送前询问', hook_queued: '等待中', hook_queueBytes: '磁盘队列', hook_oldestTime: '最早一条', hook_delivered: '已送达', hook_failed: '失败次数', hook_dead: '死信',
    hook_dropped: '队列已满而丢弃', hook_givenUp: '已放弃', hook_lastError: '最近的失败', hook_lastErrorTime: '失败时间',
    resend: '重新发送', resendOf: '重新发送 {name}', resendTitle: '重新发送 {name}？', resendText: '它会以相同的 ID 进入队列，接收方可以认出不是新的。', resent: '已进入队列。',
    discard: '丢弃', discardOf: '丢弃 {name}', discardTitle: '丢弃 {name}？', discardText: '它会永久消失。', discarded: '已丢弃。',
    fileName: '文件', progress: '进度', noUploads: '现在没有上传。',
    storeBytes: '消息', mediaBytes: '文件', diskFree: '磁盘剩余', dataDir: '目录', partitions: '存储的组成',
    node: '节点', address: '客户端地址', ownedShards: '存储分片', lag: '滞后', heard: '上次心跳', noNodes: '此服务独占其存储。',
    node_active: '工作中', node_draining: '移交中', node_silent: '无心跳', node_standby: '待命', node_gone: '已结束',
    drain: '移交', drainOf: '让 {name} 移交', drainTitle: '让 {name} 移交？', drainText: '其他节点将接管它的全部分片，会话保留到它停止为止。', draining: '正在移交。',
    undrain: '恢复', undrainOf: '恢复 {name}', undrainTitle: '恢复 {name}？', undrainText: '它将取回自己的分片。', undrained: '正在取回。',
    history: '历史记录', historyNote: '在这里读到的内容会连同你的地址记入审计日志。单聊以其中一方的身份查看；房间和群组也可以不填用户，以服务器的身份查看。',
    asUser: '以此用户的身份', conversations: '会话列表', conversationsOf: '{name} 的会话列表', noConversations: '没有会话。', one_peer: '单聊', one_room: '房间', one_group: '群组', read: '查看消息', readOf: '查看 {name} 的消息', lastMessage: '最后消息', unread: '未读', sender: '发送者', words: '内容',
    messagesOf_peer: '与 {name} 的消息', messagesOf_room: '房间 {name} 的消息', messagesOf_group: '群组 {name} 的消息', nothingWritten: '这里没有保存消息。', kind10: '多部分', kind30: '系统消息', kind31: '已撤回', kind32: '提示',
    keys: '密钥', keysNote: '程序用密钥调用服务端 API。创建、查看和吊销会记入审计日志，用密钥做的操作以其名称记录。', keyName: '名称', scopes: '权限', noKeys: '没有密钥：服务端 API 只对此控制台开放。',
    newKey: '新建密钥', makeKey: '创建', worksFor: '有效期', untilRevoked: '直到吊销', hasEnded: '已过期', mayBeUsedFor: '可以用于', noScope: '请至少选择一项权限。',
    keyMade: '密钥 {name}', keyOnce: '请现在复制：它只显示这一次，这里只保存散列值。', copy: '复制', copied: '已复制',
    revoke: '吊销', revokeOf: '吊销 {name}', revokeTitle: '吊销 {name}？', revokeText: '使用它的程序会立即被拒绝，且无法恢复。', revoked: '密钥已吊销。',
    'scope_*': '全部', scope_broadcast: '向所有在线用户发消息', 'scope_messages:read': '历史、列表、搜索', 'scope_messages:write': '发送、撤回、编辑、删除', 'scope_users:read': '用户及在线状态', 'scope_users:write': '注册、改名、踢下线、封禁', 'scope_tokens:write': '以任意用户的身份登录', 'scope_keys:read': '查看有哪些密钥', 'scope_keys:write': '创建和吊销密钥',
    'scope_rooms:read': '房间及其成员', 'scope_rooms:write': '创建、修改、销毁房间', 'scope_groups:read': '群组及其成员', 'scope_groups:write': '创建、修改、解散群组', 'scope_ops:read': '数据、会话、事件、配置', 'scope_ops:write': '结束会话、死信、备份',
    makeToken: '生成令牌', makeTokenOf: '为 {name} 生成令牌', tokenTitle: '为 {name} 生成令牌？', tokenText: '持有者在有效期内可以以 {name} 的身份登录，无法收回。', tokenMade: '{name} 的令牌', tokenOnce: '请现在复制：它只显示这一次，不会保存。',
    role1: '群主', role2: '管理员', role3: '成员', roleOther: '角色 {n}', atWork: '正在活动', atWorkNow: '单聊 {peers} · 房间 {rooms} · 群组 {groups}',
    reload_now: '重新加载即生效', reload_later: '重新加载后，对新开始的生效', reload_restart: '重启后生效', comesFrom: '来自 {origin}',
    status_2xx: '完成', status_3xx: '在别处', status_4xx: '被拒绝', status_5xx: '服务出错', status_400: '内容有误', status_401: '未获准进入', status_403: '不允许', status_404: '不存在', status_409: '与现状不符', status_413: '太大', status_422: '内容不符', status_429: '太频繁', status_503: '暂时不可用',
    configNote: '服务当前使用的配置，密钥已隐藏；非默认值以粗体显示。', time: '时间', who: '谁', action: '操作', target: '对象', status: '状态码', noAudit: '还没有记录。',
  },
};

useDictionary(DICTIONARY);

export * from '../page/format.js';

/** Sets the text that an empty field shows. */
export function placeholder(input, key) {
  input.dataset.placeholder = key;
  input.placeholder = formatText(key);
}

/** Formats an integer with separated thousands. */
export const count = (number) => Number(number).toLocaleString(currentLanguage());

/** Formats a number with as many digits as a person reads at a glance. */
export function numberText(value) {
  const size = Math.abs(value);
  if (size >= 100_000) return value.toLocaleString(currentLanguage(), { notation: 'compact', maximumFractionDigits: 1 });
  return value.toLocaleString(currentLanguage(), { maximumFractionDigits: size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2 });
}

/** Formats a date and time to the second. */
export const exactText = (timestamp) => new Date(timestamp).toLocaleString(currentLanguage(), { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit', second: '2-digit' });

/** Formats bytes in the largest unit that leaves one before the point; KB is 1024 bytes. */
export function bytesText(bytes) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let [value, n] = [bytes, 0];
  while (value >= 1024 && n < units.length - 1) [value, n] = [value / 1024, n + 1];
  return `${value.toLocaleString(currentLanguage(), { maximumFractionDigits: n === 0 || value >= 100 ? 0 : 1 })} ${units[n]}`;
}

/** Formats a duration in its two largest units. */
export function lastingText(seconds) {
  const parts = [[86_400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  let rest = Math.max(0, Math.floor(seconds));
  const said = [];
  for (const [size, unit] of parts) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) said.push(`${whole} ${unit}`);
  }
  return said.slice(0, 2).join(' ') || '0 s';
}
