//! The names of a backup's parts.

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const FILES: &str = "files";
pub(super) const STORE: &str = "store";
pub(super) const MEDIA: &str = "media";
pub(super) const KEPT: &str = "kept";
