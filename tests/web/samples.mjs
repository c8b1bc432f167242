// Samples of the vendor's page as they stand (https://doc-zh.zego.im/article/14618 of 2024-03-29): media and mentions.
// The tests that run them fill in the placeholders and nothing else.

/** 发送“本地文件”消息示例 */
export const SEND_LOCAL_FILE = `
// 发送“本地文件”富媒体消息示例 - 单聊

var conversationID = 'xxxx';
var config = { priority: 1 };
var notification = {
    onMessageAttached: function(message) {
        // todo: Loading
    },
    onMediaUploadingProgress: function(message, currentFileSize, totalFileSize) {
        // todo: upload progress
    }
};

function sendMediaMessage(file) {
    /* 以下代码仅为示例:实际开发时请结合需求和文件类型,创建对应的 \`媒体消息对象\` */

    // 如果是 \`图片\` 消息
    var mediaMessageObj = {
        fileLocalPath: file,
        type: 11,
    };
    // 如果是 \`文件\` 消息
    mediaMessageObj = {
        fileLocalPath: file,
        type: 12,
    };
    // 如果是 \`音频\` 消息
    mediaMessageObj = {
        fileLocalPath: file,
        type: 13,
        audioDuration: 100, // 请填写音频文件播放时长,单位秒(必填)
    };
    // 如果是 \`视频\` 消息
    mediaMessageObj = {
        fileLocalPath: file,
        type: 14,
        videoDuration: 100, // 请填写视频文件播放时长,单位秒(必填)
    };

    zim.sendMediaMessage(
        mediaMessageObj,
        conversationID,
        0,
        config,
        notification,
    );  
}

// Web: 选择本地文件
var input = document.createElement('input');
input.type = 'file';
input.onchange = function() {
    sendMediaMessage(this.files[0]);
}

// 小程序: 拍摄或从手机相册中选择图片或视频
// 请参考小程序官方文档:https://developers.weixin.qq.com/miniprogram/dev/api/media/video/wx.chooseMedia.html
wx.chooseMedia({
    count: 1,
    success(res) {
        sendMediaMessage(res.tempFiles[0].tempFilePath);
    }
})

// 小程序: 从微信客户端会话选择文件
// 请参考小程序官方文档:https://developers.weixin.qq.com/miniprogram/dev/api/media/image/wx.chooseMessageFile.html
wx.chooseMessageFile({
    count: 1,
    success(res) {
        sendMediaMessage(res.tempFiles[0].path);
    }
})
`;

/** 发送“网络文件”消息示例 */
export const SEND_NETWORK_FILE = `
// 发送“网络文件”富媒体消息示例 - 单聊
/* 发送网络文件消息时,ZIM SDK 仅透传相关字段到后台,ZIM 后台不会保存网络文件 */

var conversationID = 'xxxx';
var config = { priority: 1 };
var notification = {
    onMessageAttached: function(message) {
        // todo: Loading
    },
    onMediaUploadingProgress: function(message, currentFileSize, totalFileSize) {
        // todo: upload progress
    }
};

/* 以下代码仅为示例:实际开发时请结合需求和文件类型,创建对应的 \`媒体消息对象\` */

// 如果是 \`图片\` 消息
var mediaMessageObj = {
    fileDownloadUrl: 'https://xxxx.jpeg', // 原图
    thumbnailDownloadUrl: 'https://xxxx-thumbnail.jpeg', // 缩略图
    largeImageDownloadUrl: 'https://xxxx-large.jpeg', // 大图
    type: 11,
};
// 如果是 \`文件\` 消息
mediaMessageObj = {
    fileDownloadUrl: 'https://xxxx.pdf',
    type: 12,
};
// 如果是 \`音频\` 消息
mediaMessageObj = {
    fileDownloadUrl: 'https://xxxx.mp3',
    type: 13,
    audioDuration: 100, // 请填写音频文件播放时长,单位秒(必填)
};
// 如果是 \`视频\` 消息
mediaMessageObj = {
    fileDownloadUrl: 'https://xxxx.mp4',
    videoFirstFrameDownloadUrl: 'https://xxxx-firstframe.jpeg', // 视频首帧图片
    type: 14,
    videoDuration: 100, // 请填写视频文件播放时长,单位秒(必填)
};

zim.sendMediaMessage(
    mediaMessageObj,
    conversationID,
    0,
    config,
    notification,
);
`;

/** 发送“录制的音频文件”消息示例 */
export const SEND_RECORDING = `
if (navigator.mediaDevices) {
    console.log('getUserMedia supported.');

    var startTime = Date.now();
    var constraints = { audio: true };
    var chunks = [];

    navigator.mediaDevices
        .getUserMedia(constraints)
        .then((stream) => {
            var mediaRecorder = new MediaRecorder(stream);

            mediaRecorder.onstop = function (e) {
                // 录制结束后,发送音频消息
                var conversationID = 'xxxx';
                var config = { priority: 1 };
                var notification = {
                    onMessageAttached: function(message) {
                        // todo: Loading
                    },
                    onMediaUploadingProgress: function(message, currentFileSize, totalFileSize) {
                        // todo: upload progress
                    }
                };

                var audioDuration = Date.now() - startTime;
                var mediaMessageObj = {
                    fileLocalPath: new File(chunks, '文件名xxxx.mp3'),
                    type: 13,
                    audioDuration: audioDuration > 0 ? audioDuration : 100, // 请填写音频文件播放时长,单位秒(必填)
                };

                zim.sendMediaMessage(mediaMessageObj, conversationID, 0, config, notification)
                    .then((res) => {
                        // 发送成功
                    })
                    .catch((err) => {
                        // 发送失败
                    });

                // 重置 chunks  
                chunks = [];
            };

            mediaRecorder.ondataavailable = function (e) {
                chunks.push(e.data);
            };
        })
        .catch((err) => {
            console.log('The following error occured: ' + err);
        });
}
`;

/** 发送 @ 消息 */
export const SEND_MENTION = `
// 以下为用户在单聊会话中发送 @ 消息(文本消息)的示例代码:
var toConversationID = ''; // 对方 userID
var conversationType = 0; // 会话类型,取值为 单聊:0,房间:1,群组:2
var config = { 
    priority: 1, // 设置消息优先级,取值为 低:1(默认),中:2,高:3
};

var messageTextObj = { type: 1, message: '文本消息内容', extendedData: '消息的扩展信息(可选)' };

// 调用接口提醒列表中用户查看消息
message.mentionedUserIDs = ["userId1", "userId2"];

// 提醒会话内所有其他用户查看消息
message.isMentionAll = true;

var notification = {
    onMessageAttached: function(message) {
        // todo: Loading
    }
}

zim.sendMessage(messageTextObj, toConversationID, conversationType, config, notification)
    .then(function ({ message }) {
        // 发送成功
    })
    .catch(function (err) {
        // 发送失败
    });
`;

/** 获取 mentionedInfoList, 被动获取 */
export const CONVERSATION_CHANGED = `
zim.on('conversationChanged', function (zim, { info }) {
    console.log(info);
});
`;

/** 获取 mentionedInfoList, 主动获取 */
export const MENTIONED_INFO_LIST = 'var mentionedInfoList = conversaion.mentionedInfoList;';

/** 获取提醒用户列表 and 确认是否为全员提醒 */
export const MENTIONED_USERS = 'var userIds = message.mentionedUserIDs;';
export const IS_MENTION_ALL = 'var isMentionAll = message.isMentionAll;';

/** 接收服务端发送的全员推送消息 */
export const BROADCAST = `
// 用户接收全员推送消息
zim.on('broadcastMessageReceived', function (zim, { message }) {
    console.log(message);
});
`;
