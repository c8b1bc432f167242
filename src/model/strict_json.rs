//! JSON that has one spelling only.

use serde::Deserialize;
use serde::de::Error as _;

/// Reads a struct from JSON that must be an object. Serde alone also fills a struct from an array, in the order of its fields.
///
/// # Errors
/// It is no object, or not that of such a struct.
pub(crate) fn from_object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde_json::Error::custom("it is no JSON object"));
    }
    serde_json::from_slice(json)
}
