//! Reading and writing the folder's small files.

use crate::error::Error;
use arcdoor_core::file::{ReadError, read_bounded};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

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

/// Writes a file (mode 0600) whole, in one step: a power cut leaves the old one or the new one.
///
/// # Errors
/// When the disk fails or is full.
pub fn replace(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let part = path.with_added_extension("new");
    let write = || {
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        out.write_all(contents)?;
        out.sync_all()?;
        fs::rename(&part, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| Error::File { path: path.to_owned(), source })
}
