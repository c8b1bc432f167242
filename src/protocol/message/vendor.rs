//! What a message says, as the vendor's server API and callbacks write it: one text.

use serde_json::{Map, Value};

/// Returns the body of a message on the wire: the text of what is text, else a JSON text that is URL-encoded.
pub(crate) fn vendor_body(message: &Value) -> String {
    match message["type"].as_u64().unwrap_or(0) {
        1 | 2 | 20 | 200 => message["message"].as_str().unwrap_or_default().to_owned(),
        11..=14 => encoded(&file(message).to_string()),
        _ => encoded(&message.to_string()),
    }
}

/// Returns what a message says of its file. Source: ZIM server API reference, `QueryPeerMsg`.
fn file(message: &Value) -> Value {
    let names = [
        ("fileName", "file_name"),
        ("fileSize", "file_size"),
        ("fileDownloadUrl", "download_url"),
        ("audioDuration", "media_duration"),
        ("videoDuration", "media_duration"),
        ("originalImageWidth", "origin_image_width"),
        ("originalImageHeight", "origin_image_height"),
        ("largeImageDownloadUrl", "large_image_download_url"),
        ("largeImageWidth", "large_image_width"),
        ("largeImageHeight", "large_image_height"),
        ("thumbnailDownloadUrl", "thumbnail_download_url"),
        ("thumbnailWidth", "thumbnail_width"),
        ("thumbnailHeight", "thumbnail_height"),
        ("videoFirstFrameDownloadUrl", "video_first_frame_download_url"),
        ("videoFirstFrameWidth", "video_first_frame_width"),
        ("videoFirstFrameHeight", "video_first_frame_height"),
    ];
    let there = names.iter().filter(|(ours, _)| !message[ours].is_null());
    there.map(|(ours, theirs)| ((*theirs).to_owned(), message[ours].clone())).collect::<Map<_, _>>().into()
}

/// Percent-encodes a text: the vendor tells its callers to URL-decode such bodies.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_that_are_json_are_percent_encoded() {
        assert_eq!(encoded(r#"{"a": "é+~"}"#), "%7B%22a%22%3A%20%22%C3%A9%2B~%22%7D");
        assert_eq!(vendor_body(&json!({"type": 200, "message": "{\"a\": 1}"})), "{\"a\": 1}");
        let file = json!({"type": 12, "fileName": "a b", "fileSize": 3, "fileDownloadUrl": "https://x/a"});
        let body = vendor_body(&file);
        for part in ["%22file_name%22%3A%22a%20b%22", "%22file_size%22%3A3", "%22download_url%22%3A%22https%3A%2F%2Fx%2Fa%22"] {
            assert!(body.contains(part), "{body}");
        }
    }
}
