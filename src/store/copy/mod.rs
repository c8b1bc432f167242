//! Stores as files of records and as lines of JSON, and stores made of these again.

pub(crate) mod backup;
pub(crate) mod export;
pub(crate) mod record_file;
