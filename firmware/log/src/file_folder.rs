//! A folder of the file system.

use crate::folder::Folder;
use arcdoor_core::file::open_regular;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The name whose lock is the folder's.
const LOCK: &str = "lock";

/// A folder with mode 0700, its files with 0600. Reading needs no lock and writes nothing, so that a log on a medium
/// that is read-only can be read and verified.
#[derive(Debug, Clone)]
pub struct FileFolder(PathBuf);

impl FileFolder {
    /// The folder at `path`; it must exist before it is used.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder at `path`, made where there is none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(path: &Path) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => {
                if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                    File::open(parent)?.sync_all()?;
                }
            }
        }
        Ok(Self::new(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Opens for writing what is, or will be, a regular file.
    fn writable(&self, name: &str, create: bool) -> io::Result<File> {
        let path = self.path(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if !metadata.is_file() => return Err(io::ErrorKind::InvalidInput.into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create(create).truncate(false).mode(0o600).open(path)
    }

    fn readable(&self, name: &str) -> io::Result<Option<File>> {
        match open_regular(&self.path(name)) {
            Err(error) if error.is_missing() => Ok(None),
            file => Ok(Some(file?)),
        }
    }
}

impl Folder for FileFolder {
    type Lock = File;

    fn lock(&self) -> io::Result<Option<File>> {
        let file = self.writable(LOCK, true)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        self.readable(name)?.map(|file| Ok(file.metadata()?.len())).transpose()
    }

    fn read(&self, name: &str, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let Some(mut file) = self.readable(name)? else { return Ok(Vec::new()) };
        let there = usize::try_from(file.metadata()?.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        // One more, so that the end is found without a larger buffer: a key is not copied about.
        let mut bytes = Vec::with_capacity(there.min(most).saturating_add(1));
        file.seek(SeekFrom::Start(offset))?;
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, name: &str, offset: u64, data: &[u8]) -> io::Result<()> {
        self.writable(name, true)?.write_all_at(data, offset)
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        self.writable(name, false)?.set_len(len)
    }

    fn sync_file(&self, name: &str) -> io::Result<()> {
        self.writable(name, false)?.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}
