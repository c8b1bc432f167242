//! `MessageBody`: what a message says, in the vendor's words. Source: ZIM server API reference, `MessageBody`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::codes::{Fault, code};
use super::input::Input;

/// A message in the wire protocol's words.
#[derive(Debug)]
pub(super) struct MessageContent {
    pub(super) message: Value,
    pub(super) has_receipt: bool,
    /// What was asked for besides and is not done.
    pub(super) notes: Vec<String>,
}

/// Reads `MessageType`, `SubMsgType`, `SearchedContent`, `MessageBody` and the mentions.
pub(super) fn read(input: &Input) -> Result<MessageContent, Fault> {
    let kind = input.number("MessageType")?;
    let body = input.object("MessageBody")?;
    let mut message = match kind {
        2 => json!({"message": command(&body)?}),
        10 => return Err(Fault::invalid("MessageType", "is 10: messages of several parts are not supported")),
        11..=14 => media(kind, &body)?,
        200 => {
            let sub_type = input.maybe_number("SubMsgType")?.unwrap_or(0);
            json!({"message": body.text("Message")?, "subType": sub_type, "searchedContent": input.text_or_empty("SearchedContent")?})
        }
        _ => json!({"message": body.text("Message")?}),
    };
    message["type"] = kind.into();
    message["extendedData"] = body.text_or_empty("ExtendedData")?.into();
    // Our choice: at both places, because the vendor's pages name none.
    for place in [input, &body] {
        if place.has("MentionedUserIds") {
            message["mentionedUserIDs"] = place.texts("MentionedUserIds")?.into();
        }
        if place.flag("IsMentionAll")? {
            message["isMentionAll"] = true.into();
        }
    }
    let mut notes = Vec::new();
    if body.object("OfflinePush")?.flag("Enable")? {
        notes.push("MessageBody.OfflinePush: nothing is pushed to who is offline".to_owned());
    }
    Ok(MessageContent { message, has_receipt: body.flag("HasReceipt")?, notes })
}

/// Returns a command's bytes as the wire has them: base64.
fn command(body: &Input) -> Result<String, Fault> {
    let content = body.text("Message")?;
    if !body.flag("IsBase64")? {
        return Ok(BASE64.encode(content));
    }
    match BASE64.decode(content) {
        Ok(bytes) => Ok(BASE64.encode(bytes)),
        Err(error) => Err(Fault::new(code::NOT_BASE64, format!("MessageBody.Message is not base64: {error}"))),
    }
}

/// Reads a file that lies elsewhere.
fn media(kind: i64, body: &Input) -> Result<Value, Fault> {
    let about = body.object("Message")?;
    let mut message = json!({"fileName": about.text("FileName")?});
    if let Some(size) = about.maybe_number("Size")? {
        message["fileSize"] = size.into();
    }
    let mut picture = |from: &Input, names: [&str; 3]| -> Result<(), Fault> {
        let url = from.text_or_empty("Url")?;
        if !url.is_empty() {
            message[names[0]] = url.into();
            message[names[1]] = from.maybe_number("Width")?.unwrap_or(0).into();
            message[names[2]] = from.maybe_number("Height")?.unwrap_or(0).into();
        }
        Ok(())
    };
    if kind == 11 {
        about.object("Origin")?.text("Url")?;
        picture(&about.object("Origin")?, ["fileDownloadUrl", "originalImageWidth", "originalImageHeight"])?;
        picture(&about.object("LargeImage")?, ["largeImageDownloadUrl", "largeImageWidth", "largeImageHeight"])?;
        picture(&about.object("Thumbnail")?, ["thumbnailDownloadUrl", "thumbnailWidth", "thumbnailHeight"])?;
        return Ok(message);
    }
    if kind == 14 {
        picture(&about.object("Thumbnail")?, ["videoFirstFrameDownloadUrl", "videoFirstFrameWidth", "videoFirstFrameHeight"])?;
    }
    message["fileDownloadUrl"] = about.text("Url")?.into();
    let duration = about.maybe_number("MediaDuration")?;
    match kind {
        13 => message["audioDuration"] = duration.unwrap_or(0).into(),
        14 => message["videoDuration"] = duration.unwrap_or(0).into(),
        _ => {}
    }
    Ok(message)
}
