//! The bytes of files: taken in, looked at, kept. Who may have them is decided above; what they are is a
//! [`MediaRecord`](crate::model::MediaRecord) of the message store.
//!
//! ```text
//! spool ── a temporary file, hashed as it grows ── prepare ── without place and camera; type, size, duration, smaller images
//!                                                    └── MediaStore::put, once per rendition ── record
//! ```
//! A file is a file of this broker when its record is written, which comes last: whatever a crash leaves without one is
//! deleted at the next start.

mod blob;
mod disk;
#[cfg(feature = "video")]
mod first_picture;
mod heif;
mod mp3;
mod mp4;
mod name;
mod none;
#[cfg(feature = "s3")]
mod object;
mod opus;
mod picture;
mod prepare;
mod probe;
mod spool;
mod strip;

pub use self::blob::{Blob, MediaError, MediaStore};
pub(crate) use self::blob::{CHUNK_BYTES, DynMediaStore};
pub use self::disk::DiskMediaStore;
#[cfg(feature = "video")]
pub(crate) use self::first_picture::first_picture;
pub(crate) use self::name::clean as clean_name;
pub use self::none::NoMediaStore;
#[cfg(feature = "s3")]
pub use self::object::{ObjectMediaStore, S3Options};
pub(crate) use self::picture::MediaOptions;
pub(crate) use self::prepare::{Prepared, prepare};
#[cfg(feature = "bench")]
pub(crate) use self::probe::probe_bytes;
pub(crate) use self::probe::{Probed, made_mime, probe_frame, probe_made_frame};
pub(crate) use self::spool::Spool;
