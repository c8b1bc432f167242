//! From a backup to a data directory.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::error::{BackupError, failed};
use super::files::copy_bytes;
use super::layout::{FILES, KEPT, MEDIA, STORE};
use super::manifest::Manifest;
use crate::private_files::{create_private, make_folder, sync_names};
use crate::store::{self, CopiedFile, OpenError, Pace, SledOptions, StoreReport};

/// What was made of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// The store, after everything in it was read and checked.
    pub store: StoreReport,
    /// Files of media.
    pub media_files: u64,
    /// What lies beside the store again.
    pub kept: Vec<String>,
}

/// Reads every file of a backup and compares its checksum. `read` is told how many bytes were read just now.
///
/// # Errors
/// [`BackupError::Damaged`] names the first file that is wrong; [`BackupError::Unfinished`], [`BackupError::Newer`].
pub fn check(folder: &Path, read: &mut dyn FnMut(u64)) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(folder)?;
    for file in &manifest.store.files {
        check_file(folder, &folder.join(STORE).join(one_step(folder, &file.name)?), file, read)?;
    }
    check_file(folder, &folder.join(FILES), &manifest.list, read)?;
    for_each_listed(folder, |file| check_file(folder, &folder.join(&file.name), &file, read))?;
    Ok(manifest)
}

fn check_file(folder: &Path, path: &Path, file: &CopiedFile, read: &mut dyn FnMut(u64)) -> Result<(), BackupError> {
    let damaged = |reason: String| BackupError::Damaged { path: path.to_owned(), reason };
    let opened = match File::open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("it is missing".to_owned())),
        Err(error) => return Err(failed(folder)(error)),
    };
    let mut watch = |bytes| {
        read(bytes);
        ControlFlow::Continue(())
    };
    let mut pace = Pace { bytes_per_second: 0, watch: &mut watch };
    let (bytes, sha256) = copy_bytes(opened, io::sink(), &mut pace).map_err(failed(path))?;
    if bytes != file.bytes {
        return Err(damaged(format!("it has {bytes} bytes, {} were written", file.bytes)));
    }
    if sha256 != file.sha256 {
        return Err(damaged("it does not match its checksum".to_owned()));
    }
    Ok(())
}

/// Returns a name in a manifest, which must be one step of a path.
fn one_step<'a>(folder: &Path, name: &'a str) -> Result<&'a str, BackupError> {
    let mut steps = Path::new(name).components();
    match (steps.next(), steps.next()) {
        (Some(Component::Normal(_)), None) => Ok(name),
        _ => Err(BackupError::Damaged { path: folder.join(FILES), reason: format!("{name:?} is no name of a file") }),
    }
}

/// Visits the listed files; none of them lies outside of its folder.
fn for_each_listed(folder: &Path, mut visit: impl FnMut(CopiedFile) -> Result<(), BackupError>) -> Result<(), BackupError> {
    let path = folder.join(FILES);
    for line in BufReader::new(File::open(&path).map_err(failed(&path))?).lines() {
        let damaged = |reason: String| BackupError::Damaged { path: path.clone(), reason };
        let file: CopiedFile = serde_json::from_str(&line.map_err(failed(&path))?).map_err(|error| damaged(error.to_string()))?;
        let steps: Vec<Component<'_>> = Path::new(&file.name).components().collect();
        let normal = steps.iter().all(|step| matches!(step, Component::Normal(_)));
        let known = match steps.first() {
            Some(Component::Normal(first)) if *first == MEDIA => steps.len() == 3,
            Some(Component::Normal(first)) if *first == KEPT => steps.len() == 2,
            _ => false,
        };
        if !normal || !known {
            return Err(damaged(format!("{:?} is no name of a file", file.name)));
        }
        visit(file)?;
    }
    Ok(())
}

/// Makes a data directory of a backup.
///
/// `data_dir` must be empty, but for the folder the backup itself lies in. Every
/// checksum is compared before anything is written, and everything in the store is read and checked at the end. What a
/// failed one wrote is removed. `done` is told how many bytes were read or written just now.
///
/// # Errors
/// [`BackupError`].
pub fn restore(folder: &Path, data_dir: &Path, options: &SledOptions, done: &mut dyn FnMut(u64)) -> Result<Restored, BackupError> {
    must_be_empty(folder, data_dir)?;
    let manifest = check(folder, done)?;
    make_folder(data_dir).map_err(failed(data_dir))?;
    let restored = fill(folder, &manifest, data_dir, options, done);
    if restored.is_err() {
        for name in written(folder, data_dir) {
            let removed = if name.is_dir() { fs::remove_dir_all(&name) } else { fs::remove_file(&name) };
            if let Err(error) = removed {
                tracing::warn!(%error, path = %name.display(), "what an unfinished restore left could not be removed");
            }
        }
    }
    restored
}

/// Returns what lies in the data directory, but for the way to the backup.
fn written(folder: &Path, data_dir: &Path) -> Vec<PathBuf> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let entries = fs::read_dir(data_dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.canonicalize().map_or(true, |path| !folder.starts_with(path))).collect()
}

fn must_be_empty(folder: &Path, data_dir: &Path) -> Result<(), BackupError> {
    match fs::read_dir(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(data_dir)(error)),
        Ok(_) if written(folder, data_dir).is_empty() => Ok(()),
        Ok(_) => Err(BackupError::NotEmpty(data_dir.to_owned())),
    }
}

fn fill(
    folder: &Path,
    manifest: &Manifest,
    data_dir: &Path,
    options: &SledOptions,
    done: &mut dyn FnMut(u64),
) -> Result<Restored, BackupError> {
    let store = match store::restore(&manifest.store, &folder.join(STORE), options, done) {
        Err(OpenError::NewerFormat { found, known, .. }) => {
            return Err(BackupError::Newer { path: folder.to_owned(), what: "store format", found, known });
        }
        other => other?,
    };
    let (mut media_files, mut kept) = (0, Vec::new());
    for_each_listed(folder, |file| {
        let to = match file.name.strip_prefix(KEPT).and_then(|rest| rest.strip_prefix('/')) {
            Some(name) => {
                kept.push(name.to_owned());
                data_dir.join(name)
            }
            None => {
                media_files += 1;
                data_dir.join(&file.name)
            }
        };
        if let Some(parent) = to.parent() {
            make_folder(parent).map_err(failed(parent))?;
        }
        let from = folder.join(&file.name);
        let target = create_private(&to).map_err(failed(&to))?;
        let mut watch = |bytes| {
            done(bytes);
            ControlFlow::Continue(())
        };
        let mut pace = Pace { bytes_per_second: 0, watch: &mut watch };
        copy_bytes(File::open(&from).map_err(failed(&from))?, &target, &mut pace).map_err(failed(&to))?;
        target.sync_all().map_err(failed(&to))
    })?;
    for folder in [data_dir.join(MEDIA), data_dir.to_owned()] {
        if folder.exists() {
            sync_names(&folder).map_err(failed(&folder))?;
        }
    }
    Ok(Restored { store, media_files, kept })
}
