//! `MessageBody`: what a message says, in the vendor's words. Source: ZIM server API reference, `MessageBody`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::codes::{Fault, code};
use super::input::Input;
use crate::model::PushConfig;
use crate::protocol::DraftArgs;

/// A message in the wire protocol's words.
#[derive(Debug)]
pub(super) struct MessageContent {
    pub(super) draft: DraftArgs,
    pub(super) has_receipt: bool,
    /// How who is offline is to be told of it.
    pub(super) push: Option<Box<PushConfig>>,
    /// What was asked for besides and is not done.
    pub(super) notes: Vec<String>,
}

/// Reads `MessageType`, `SubMsgType`, `SearchedContent`, `MessageBody` and the mentions.
pub(super) fn read(input: &Input) -> Result<MessageContent, Fault> {
    let kind = input.number("MessageType")?;
    let body = input.object("MessageBody")?;
    let mut draft = match kind {
        2 => DraftArgs { message: Some(command(&body)?), ..DraftArgs::default() },
        10 => return Err(Fault::invalid("MessageType", "is 10: messages of several parts are not supported")),
        11..=14 => media(kind, &body)?,
        200 => DraftArgs {
            sub_type: Some(input.maybe_number("SubMsgType")?.unwrap_or(0)),
            message: Some(body.text("Message")?.to_owned()),
            searched_content: Some(input.text_or_empty("SearchedContent")?.to_owned()),
            ..DraftArgs::default()
        },
        _ => DraftArgs { message: Some(body.text("Message")?.to_owned()), ..DraftArgs::default() },
    };
    draft.kind = kind;
    draft.extended_data = Some(body.text_or_empty("ExtendedData")?.to_owned());
    // Our choice: at both places, because the vendor's pages name none.
    for place in [input, &body] {
        if place.has("MentionedUserIds") {
            draft.mentioned_user_ids = Some(place.texts("MentionedUserIds")?);
        }
        if place.flag("IsMentionAll")? {
            draft.is_mention_all = Some(true);
        }
    }
    let mut notes = Vec::new();
    let push = push_config(&body.object("OfflinePush")?)?.map(Box::new);
    if push.is_some() {
        notes.push("MessageBody.OfflinePush: nothing is pushed to who is offline".to_owned());
    }
    Ok(MessageContent { draft, has_receipt: body.flag("HasReceipt")?, push, notes })
}

/// Reads `OfflinePush`; nothing, unless it is enabled.
fn push_config(push: &Input) -> Result<Option<PushConfig>, Fault> {
    if !push.flag("Enable")? {
        return Ok(None);
    }
    let increment = push.maybe_number("BadgeIncrement")?;
    let most = PushConfig::BADGE_INCREMENT_MAX;
    let badge_increment = u8::try_from(increment.unwrap_or(0)).ok().filter(|by| *by <= most);
    Ok(Some(PushConfig {
        title: push.text_or_empty("Title")?.to_owned(),
        content: push.text_or_empty("Content")?.to_owned(),
        payload: push.text_or_empty("Payload")?.to_owned(),
        resources_id: push.text_or_empty("ResourcesID")?.to_owned(),
        enable_badge: increment.is_some(),
        badge_increment: badge_increment.ok_or_else(|| push.wrong("BadgeIncrement", &format!("is not from 0 to {most}")))?,
    }))
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
fn media(kind: i64, body: &Input) -> Result<DraftArgs, Fault> {
    let about = body.object("Message")?;
    let mut draft = DraftArgs { file_name: Some(about.text("FileName")?.to_owned()), ..DraftArgs::default() };
    draft.file_size = about.maybe_number("Size")?.map(real);
    if kind == 11 {
        about.object("Origin")?.text("Url")?;
        (draft.file_download_url, draft.original_image_width, draft.original_image_height) = picture(&about.object("Origin")?)?;
        (draft.large_image_download_url, draft.large_image_width, draft.large_image_height) = picture(&about.object("LargeImage")?)?;
        (draft.thumbnail_download_url, draft.thumbnail_width, draft.thumbnail_height) = picture(&about.object("Thumbnail")?)?;
        return Ok(draft);
    }
    if kind == 14 {
        let frame = picture(&about.object("Thumbnail")?)?;
        (draft.video_first_frame_download_url, draft.video_first_frame_width, draft.video_first_frame_height) = frame;
    }
    draft.file_download_url = Some(about.text("Url")?.to_owned());
    let duration = Some(real(about.maybe_number("MediaDuration")?.unwrap_or(0)));
    match kind {
        13 => draft.audio_duration = duration,
        14 => draft.video_duration = duration,
        _ => {}
    }
    Ok(draft)
}

/// Where a picture lies, its width and its height; nothing of one that lies nowhere.
type Picture = (Option<String>, Option<f64>, Option<f64>);

fn picture(from: &Input) -> Result<Picture, Fault> {
    let url = from.text_or_empty("Url")?;
    if url.is_empty() {
        return Ok((None, None, None));
    }
    let side = |name| Ok::<_, Fault>(Some(real(from.maybe_number(name)?.unwrap_or(0))));
    Ok((Some(url.to_owned()), side("Width")?, side("Height")?))
}

fn real(number: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sizes beyond 2^53 are refused or cut anyway")]
    {
        number as f64
    }
}
