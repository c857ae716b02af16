//! Reading and writing the folder's small files.

use crate::error::Error;
use arcdoor_core::file::{ReadError, read_bounded};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How the name of a part begins and ends.
const PART: (&str, &str) = (".arcdoor-", ".part");

/// The bytes of a regular file of at most `limit` bytes; `None` where there is no file.
///
/// # Errors
/// When it is no regular file, is larger, or cannot be read.
pub fn read_bytes(path: &Path, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    match read_bounded(path, limit) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.is_missing() => Ok(None),
        Err(ReadError::Io(source)) => Err(Error::File { path: path.to_owned(), source }),
        Err(error) => Err(Error::BadFile { path: path.to_owned(), problem: error.to_string() }),
    }
}

/// As [`read_bytes`], of UTF-8 text.
///
/// # Errors
/// As [`read_bytes`]; also when it is no UTF-8 text.
pub fn read_text(path: &Path, limit: u64) -> Result<Option<Zeroizing<String>>, Error> {
    let Some(bytes) = read_bytes(path, limit)? else { return Ok(None) };
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(Error::BadFile { path: path.to_owned(), problem: "is no UTF-8 text".to_owned() }),
    }
}

/// Writes a file (mode 0600) whole, in one step: a power cut leaves the old one or the new one, and a failure leaves
/// no part of it.
///
/// # Errors
/// When the disk fails or is full.
pub fn replace(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let folder = folder_of(path);
    let (part, mut out) = make_part(folder).map_err(failed)?;
    let written = (|| {
        out.write_all(contents)?;
        out.sync_all()?;
        fs::rename(&part, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&part);
    }
    written.map_err(failed)
}

/// Removes the parts that killed processes left in `folder`. Whoever writes there now must be kept out meanwhile.
///
/// # Errors
/// When the folder cannot be read, or a part not removed.
pub fn sweep_parts(folder: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if is_part(Path::new(&name)) && entry.file_type().map_err(failed)?.is_file() {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Whether this is the name of a part, of a file here or of an export.
#[must_use]
pub fn is_part(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PART.0) && name.ends_with(PART.1))
}

/// A new file (mode 0600) where nothing is; no link is followed.
///
/// # Errors
/// When something is there already, or it cannot be made.
pub fn make(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A name that nobody can have foreseen, for a file that is not whole yet: whatever has it is not ours to write to.
///
/// # Errors
/// When the system has no random numbers.
pub fn part_name() -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{}{:016x}{}", PART.0, u64::from_le_bytes(random), PART.1))
}

/// A new file with a name of [`part_name`], in the folder of the file that it will become.
fn make_part(folder: &Path) -> io::Result<(PathBuf, File)> {
    let part = folder.join(part_name()?);
    let file = make(&part)?;
    Ok((part, file))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_what_a_link_points_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("other"));
        fs::write(&other, "mine").unwrap();
        for link in ["file", "file.new", "file.part"] {
            std::os::unix::fs::symlink(&other, dir.path().join(link)).unwrap();
        }
        replace(&path, b"new").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read(&other).unwrap()),
            (b"new".to_vec(), b"mine".to_vec())
        );
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(make(&dir.path().join("file.new")).is_err(), "a link is something");
        let (part, _) = make_part(dir.path()).unwrap();
        sweep_parts(dir.path()).unwrap();
        assert!(!part.exists() && path.exists() && other.exists());
    }

    #[test]
    fn a_replacement_that_fails_leaves_no_part() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert!(replace(&dir.path().join("folder"), b"x").is_err(), "a folder is not replaced by a file");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
