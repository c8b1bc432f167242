//! Backups: a folder with everything that makes up a broker's data, taken while it works, and a broker's data of it.
//!
//! ```text
//! <name>/manifest.json   what is in it, with checksums; written last: without it the backup is not finished
//! <name>/files           one line of JSON per file of media/ and kept/, with its checksum
//! <name>/store/          records, see `store::Store::backup`
//! <name>/media/          the bytes of files, where the broker keeps them on its own disk
//! <name>/kept/           what lies beside the store: `secret`, `api_keys.json` and what else the data directory holds
//! ```
//! Folders have mode 0700 and files 0600: whoever can read `kept/secret` can sign tokens.
//!
//! Files of media are copied before the store and once more after its mark, so that whatever the store's copy speaks of
//! was there at one of the two times. They never change under their name. What is in a bucket (`media.store = "s3"`), uploads
//! that are not complete, and folders of the data directory other than these are not in a backup.

mod error;
mod files;
mod layout;
mod manifest;
mod name;
mod restore;
mod take;

pub use self::error::BackupError;
pub use self::manifest::Manifest;
pub use self::name::{check_name, name_at};
pub use self::restore::{Restored, check, restore};
pub use self::take::{BackupReport, Order, take, unwatched};
