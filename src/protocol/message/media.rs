//! Files as JSON: the fields of a message that carries a file, and the answer to an upload.
//!
//! A kept file's URL is a path below the broker, the same for everyone and for ever: `/media/{fileUID}/{rendition}`.
//! The client puts the broker's address before it and its own short-lived token behind it (`PROTOCOL.md`, "Files").

use serde_json::{Map, Value, json};

use crate::model::{FileUid, Media, MediaKind, MediaRecord, Pixels, Rendition};

/// Returns the path of a kept file.
pub(crate) fn media_path(file: FileUid, rendition: Rendition) -> String {
    format!("/media/{file}/{}", rendition.label())
}

/// Adds the fields of a file to its message. Source: ZIM API reference, `ZIMMediaMessage`.
pub(super) fn put_media(wire: &mut Map<String, Value>, media: &Media) {
    let url = |rendition, elsewhere: &str| match media.file {
        Some(file) => media_path(file, rendition),
        None => elsewhere.to_owned(),
    };
    let mut put = |name: &str, value: Value| {
        let is_default = matches!(&value, Value::String(text) if text.is_empty()) || value == json!(0);
        if !is_default {
            wire.insert(name.to_owned(), value);
        }
    };
    if let Some(file) = media.file {
        put("fileUID", file.to_string().into());
    }
    put("fileName", media.name.as_str().into());
    put("fileSize", media.bytes.into());
    put("fileDownloadUrl", url(Rendition::Original, &media.urls.original).into());
    match media.kind {
        MediaKind::Image => {
            put("largeImageDownloadUrl", url(Rendition::Large, &media.urls.large).into());
            put("thumbnailDownloadUrl", url(Rendition::Thumbnail, &media.urls.thumbnail).into());
            for (name, Pixels { width, height }) in
                [("originalImage", media.original), ("largeImage", media.large), ("thumbnail", media.thumbnail)]
            {
                put(&format!("{name}Width"), width.into());
                put(&format!("{name}Height"), height.into());
            }
        }
        MediaKind::File => {}
        MediaKind::Audio => put("audioDuration", seconds(media.duration_ms)),
        MediaKind::Video => {
            put("videoDuration", seconds(media.duration_ms));
            if media.file.is_none() || media.has_frame {
                put("videoFirstFrameDownloadUrl", url(Rendition::Frame, &media.urls.frame).into());
            }
            put("videoFirstFrameWidth", media.frame.width.into());
            put("videoFirstFrameHeight", media.frame.height.into());
        }
    }
}

/// Returns seconds, as a whole number where it is one.
fn seconds(ms: u64) -> Value {
    if ms.is_multiple_of(1000) { json!(ms / 1000) } else { json!(std::time::Duration::from_millis(ms).as_secs_f64()) }
}

/// Returns the answer to an upload: the fields of a message, and what was measured.
pub(crate) fn media_record(record: &MediaRecord) -> Value {
    let mut wire = Map::new();
    put_media(&mut wire, &Media::of_record(record.kind, record, 0));
    wire.insert("kind".into(), record.kind.label().into());
    wire.insert("mimeType".into(), record.mime.as_str().into());
    wire.insert("sha256".into(), record.sha256.as_str().into());
    if let Some(ms) = record.duration_ms {
        wire.insert("duration".into(), seconds(ms));
    }
    if !record.codec.is_empty() {
        wire.insert("codec".into(), record.codec.as_str().into());
    }
    Value::Object(wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MediaUrls, UserId};

    fn wire(media: &Media) -> Value {
        let mut wire = Map::new();
        put_media(&mut wire, media);
        Value::Object(wire)
    }

    fn record(kind: MediaKind) -> MediaRecord {
        MediaRecord {
            file: FileUid::from_bits(1),
            owner: UserId::trusted("alice"),
            kind,
            name: "a.x".into(),
            bytes: 9,
            bytes_uploaded: 0,
            sha256: "5a".into(),
            mime: "x/y".into(),
            codec: String::new(),
            created_ms: 1,
            duration_ms: Some(2040),
            original: Pixels::new(400, 300),
            large: Pixels::new(400, 300),
            thumbnail: Pixels::new(264, 198),
            frame: Pixels::new(320, 180),
            large_bytes: 0,
            thumbnail_bytes: 2,
            frame_bytes: 1,
        }
    }

    const UID: &str = "00000000000000000000000000000001";

    #[test]
    fn each_kind_carries_its_own_fields_and_stable_paths() {
        let of = |kind| wire(&Media::of_record(kind, &record(kind), 2500));
        let path = |rendition: &str| format!("/media/{UID}/{rendition}");
        let common = json!({"fileUID": UID, "fileName": "a.x", "fileSize": 9, "fileDownloadUrl": path("original")});
        let with = |more: Value| {
            let mut all = common.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        assert_eq!(of(MediaKind::File), common);
        assert_eq!(of(MediaKind::Audio), with(json!({"audioDuration": 2.5})));
        assert_eq!(
            of(MediaKind::Image),
            with(json!({"largeImageDownloadUrl": path("large"), "thumbnailDownloadUrl": path("thumbnail"),
                "originalImageWidth": 400, "originalImageHeight": 300, "largeImageWidth": 400, "largeImageHeight": 300,
                "thumbnailWidth": 264, "thumbnailHeight": 198}))
        );
        assert_eq!(
            of(MediaKind::Video),
            with(json!({"videoDuration": 2.5, "videoFirstFrameDownloadUrl": path("frame"),
                "videoFirstFrameWidth": 320, "videoFirstFrameHeight": 180}))
        );
    }

    #[test]
    fn urls_of_elsewhere_pass_through_as_they_came() {
        let urls = MediaUrls { original: "https://a/v.mp4?x=%20".into(), frame: "https://a/f.jpeg".into(), ..MediaUrls::default() };
        assert_eq!(
            wire(&Media::elsewhere(MediaKind::Video, urls, 100_000)),
            json!({"fileDownloadUrl": "https://a/v.mp4?x=%20", "videoDuration": 100, "videoFirstFrameDownloadUrl": "https://a/f.jpeg"})
        );
    }
}
