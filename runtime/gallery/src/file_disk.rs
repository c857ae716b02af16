//! A file as a disk: locked for one process, readable by its owner only.

use crate::disk::Disk;
use crate::error::GalleryError;
use arcdoor_core::file::{ReadError, open_regular};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// An exclusively locked regular file with mode 0600 (on Unix).
#[derive(Debug)]
pub struct FileDisk {
    file: Mutex<File>,
}

impl FileDisk {
    /// Opens an existing file.
    ///
    /// # Errors
    /// [`GalleryError::Locked`] when it is in use; [`GalleryError::NotAGallery`] when it is no regular
    /// file; [`GalleryError::Io`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, GalleryError> {
        // Opening a FIFO would wait for ever, so the kind is looked at first.
        if !path.metadata().map_err(io_error("opening"))?.is_file() {
            return Err(GalleryError::NotAGallery);
        }
        Self::private(path, OpenOptions::new().read(true).write(true))
    }

    /// Opens an existing file to read it; others may read it meanwhile, and nobody may write it.
    ///
    /// # Errors
    /// As [`FileDisk::open`].
    pub fn open_read(path: &Path) -> Result<Self, GalleryError> {
        let file = open_regular(path).map_err(|error| match error {
            ReadError::Io(source) => io_error("opening")(source),
            ReadError::NotAFile | ReadError::TooLarge { .. } => GalleryError::NotAGallery,
        })?;
        lock(path, || file.try_lock_shared())?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// Opens a file, or makes an empty one.
    ///
    /// # Errors
    /// As [`FileDisk::open`].
    pub fn create(path: &Path) -> Result<Self, GalleryError> {
        if path.exists() {
            return Self::open(path);
        }
        Self::private(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))
    }

    /// Makes an empty file where nothing is, and follows no link.
    ///
    /// # Errors
    /// [`GalleryError::Io`] when something is there, or it cannot be made.
    pub fn make(path: &Path) -> Result<Self, GalleryError> {
        Self::private(path, OpenOptions::new().read(true).write(true).create_new(true))
    }

    fn private(path: &Path, options: &mut OpenOptions) -> Result<Self, GalleryError> {
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
        let file = options.open(path).map_err(io_error("opening"))?;
        lock(path, || file.try_lock())?;
        #[cfg(unix)]
        keep_private(&file).map_err(io_error("protecting"))?;
        Ok(Self { file: Mutex::new(file) })
    }

    fn file(&self) -> MutexGuard<'_, File> {
        // The guarded file has no state that a panic could leave half changed: each call seeks anew.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for a lock some times, 200 ms in all. A program that another thread starts at this moment holds copies of all
/// handles until it runs, a closed one's lock with them.
fn lock(path: &Path, attempt: impl Fn() -> Result<(), TryLockError>) -> Result<(), GalleryError> {
    let mut locked = attempt();
    for _ in 0..20 {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        locked = attempt();
    }
    locked.map_err(|error| match error {
        TryLockError::WouldBlock => GalleryError::Locked(path.to_owned()),
        TryLockError::Error(source) => GalleryError::Io { doing: "locking", source },
    })
}

/// Takes away what a copy or a careless umask gave to others.
#[cfg(unix)]
fn keep_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions)?;
    }
    Ok(())
}

pub(crate) fn io_error(doing: &'static str) -> impl Fn(io::Error) -> GalleryError {
    move |source| GalleryError::Io { doing, source }
}

impl Disk for FileDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file().metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut file = self.file();
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file().set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file().sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut file = self.file();
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(data)
    }
}
