//! Folders and files that only their owner may look into, and names that survive a crash.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Makes a folder, and those above it, that only its owner may enter.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a folder that was not there, which only its owner may enter.
pub(crate) fn make_new_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Lets only the owner read and write a file.
#[cfg(unix)]
pub(crate) fn restrict(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

/// There are no such permissions here.
#[cfg(not(unix))]
pub(crate) fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a file that was not there, which only the owner may read and write.
pub(crate) fn create_private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Puts a file that only the owner may read and write in the place of one of the same name, or of none: whoever reads, also after a
/// crash, finds the old one or the new one, whole.
pub(crate) fn replace_private(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut file = fs::File::create(&draft)?;
    restrict(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(name))?;
    sync_names(folder)
}

/// Makes a folder's names durable.
#[cfg(unix)]
pub(crate) fn sync_names(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// The system does it by itself.
#[cfg(not(unix))]
pub(crate) fn sync_names(path: &Path) -> io::Result<()> {
    path.metadata().map(|_| ())
}
