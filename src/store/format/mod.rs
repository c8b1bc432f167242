//! What lies on disk: keys, and the records behind them.

pub(crate) mod key;
pub(crate) mod key_parts;
pub(crate) mod record;
pub(crate) mod record_kind;
pub(crate) mod rows;
