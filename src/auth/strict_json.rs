//! JSON that has one spelling only.

/// Reads a struct from JSON that must be an object. Serde alone also fills a struct from an array, in the order of its
/// fields, and a token has one spelling only.
pub(super) fn from_object<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(json).ok()
}
