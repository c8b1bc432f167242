//! Stores as files of records and as lines of JSON, and stores made of these again.

pub(crate) mod backup;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod lines;
pub(crate) mod pipe;
pub(crate) mod record_file;
pub(crate) mod restore;
pub(crate) mod store_builder;
