//! Reading and writing the folder's small files.

use crate::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The text of a regular file of at most `limit` bytes; `None` where there is no file.
///
/// # Errors
/// When it is no regular file, is larger, is no UTF-8 text, or cannot be read.
pub fn read_text(path: &Path, limit: u64) -> Result<Option<String>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    // Opening a pipe would wait for ever.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Error::BadFile { path: path.to_owned(), problem: "is no regular file" });
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    let bad = |problem| Error::BadFile { path: path.to_owned(), problem };
    if bytes.len() as u64 > limit {
        return Err(bad("is larger than such a file may be"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| bad("is no UTF-8 text"))
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
