//! The folder of a gallery and its key: where files get and lose their names.

use crate::disk::Disk;
use crate::error::GalleryError;
use crate::file_disk::{FileDisk, io_error};
use crate::wipe::{Wiped, overwrite};
use arcdoor_core::file::open_regular;
use std::fmt::Debug;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// A folder, which gives disks names. What is made, renamed or removed survives a power cut from [`Folder::sync`] on;
/// of what was not synced, the first changes may survive and the later ones not.
pub trait Folder: Debug {
    /// A file of this folder.
    type Disk: Disk;

    /// Whether something has this name.
    fn exists(&self, name: &str) -> bool;

    /// Opens the file `name` for this handle only, or makes it, empty, where `create` says so.
    ///
    /// # Errors
    /// [`GalleryError::Locked`] when it is in use; [`GalleryError::NotAGallery`] when it is no regular file;
    /// [`GalleryError::Io`] when it cannot be opened.
    fn open(&self, name: &str, create: bool) -> Result<Self::Disk, GalleryError>;

    /// Opens the file `name` to read it, beside others that read it.
    ///
    /// # Errors
    /// As [`Folder::open`].
    fn open_read(&self, name: &str) -> Result<Self::Disk, GalleryError>;

    /// Makes a new, empty file, and follows no link.
    ///
    /// # Errors
    /// When something has this name already, or the disk fails.
    fn make(&self, name: &str) -> Result<Self::Disk, GalleryError>;

    /// The first `max` bytes of the file `name`, whoever has it open; `None` where there is none.
    ///
    /// # Errors
    /// When the disk fails.
    fn peek(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>>;

    /// Gives the file `from` the name `to`, and takes it from the file that had it.
    ///
    /// # Errors
    /// When the disk fails.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives the file `from` a second name, which must be free.
    ///
    /// # Errors
    /// When the disk fails or the file system knows no second names.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;

    /// Whether both names are of one file.
    ///
    /// # Errors
    /// When there is no file of one of these names.
    fn same(&self, one: &str, other: &str) -> io::Result<bool>;

    /// Takes away the name.
    ///
    /// # Errors
    /// When the disk fails.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes every change of names durable.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync(&self) -> io::Result<()>;

    /// Renames, durably.
    ///
    /// # Errors
    /// When the disk fails.
    fn publish(&self, from: &str, to: &str) -> Result<(), GalleryError> {
        self.rename(from, to).and_then(|()| self.sync()).map_err(io_error("naming"))
    }

    /// Gives the file `from` the name `to`, durably, unless something has that. A failure leaves nothing under `to` that
    /// was not there before, and the file under `from`, as far as the disk still allows it.
    ///
    /// # Errors
    /// When something has that name, or the disk fails.
    fn publish_new(&self, from: &str, to: &str) -> io::Result<()> {
        let has_two_names = match self.link(from, to) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists || self.exists(to) => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            // File systems of memory sticks know no second names.
            Err(_) => {
                self.rename(from, to)?;
                false
            }
        };
        let alone = if has_two_names { self.remove(from) } else { Ok(()) };
        let published = alone.and_then(|()| self.sync());
        if published.is_err() {
            // Back under the name by which the caller wipes it; the first error is the one to report.
            let _ = if self.exists(from) { self.remove(to) } else { self.rename(to, from) };
        }
        published
    }

    /// Writes the whole small file `name`, durably. A power cut may leave the name with a part of `bytes`;
    /// so write under a name that nobody reads, and [`Folder::publish`].
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn store(&self, name: &str, bytes: &[u8]) -> Result<(), GalleryError> {
        let disk = self.open(name, true)?;
        let written = disk.set_len(0).and_then(|()| disk.write(0, bytes)).and_then(|()| disk.sync());
        written.and_then(|()| self.sync()).map_err(io_error("writing"))
    }

    /// Overwrites the file `name` and removes it, durably; none is fine. Where it cannot be overwritten, it loses its
    /// name all the same: a full or failing disk must not leave behind what the next opening would stumble over.
    ///
    /// # Errors
    /// When the name cannot be taken away.
    fn wipe(&self, name: &str) -> Result<Wiped, GalleryError> {
        if !self.exists(name) {
            return Ok(Wiped::Whole);
        }
        let overwritten = self.open(name, false).and_then(|disk| overwrite(&disk));
        self.remove(name).and_then(|()| self.sync()).map_err(io_error("removing"))?;
        Ok(overwritten.map_or_else(Wiped::NameAlone, |()| Wiped::Whole))
    }
}

/// A folder of the file system.
#[derive(Debug, Clone)]
pub struct FileFolder(PathBuf);

impl FileFolder {
    /// The folder at `path`; it must exist before it is used.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder and the name of a file.
    ///
    /// # Errors
    /// When the path ends in no name, or in one that is not UTF-8.
    pub fn split(path: &Path) -> Result<(Self, &str), GalleryError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| io_error("opening")(ErrorKind::InvalidFilename.into()))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Ok((Self::new(folder), name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Folder for FileFolder {
    type Disk = FileDisk;

    fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    fn open(&self, name: &str, create: bool) -> Result<FileDisk, GalleryError> {
        let path = self.path(name);
        if create { FileDisk::create(&path) } else { FileDisk::open(&path) }
    }

    fn open_read(&self, name: &str) -> Result<FileDisk, GalleryError> {
        FileDisk::open_read(&self.path(name))
    }

    fn make(&self, name: &str) -> Result<FileDisk, GalleryError> {
        FileDisk::make(&self.path(name))
    }

    fn peek(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let file = match open_regular(&self.path(name)) {
            Err(error) if error.is_missing() => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::with_capacity(max);
        file.take(max as u64).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path(from), self.path(to))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::hard_link(self.path(from), self.path(to))
    }

    fn same(&self, one: &str, other: &str) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt as _;
        let file = |name| {
            let metadata = std::fs::symlink_metadata(self.path(name))?;
            Ok::<_, io::Error>((metadata.dev(), metadata.ino()))
        };
        Ok(file(one)? == file(other)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(name))
    }

    fn sync(&self) -> io::Result<()> {
        std::fs::File::open(&self.0)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_overwrites_nothing() {
        use crate::memory_folder::MemoryFolder;
        let folder = MemoryFolder::new();
        folder.store("part", b"new").unwrap();
        folder.store("file", b"old").unwrap();
        assert_eq!(folder.publish_new("part", "file").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(folder.peek("file", 9).unwrap().unwrap(), b"old");
    }

    #[test]
    fn a_publication_that_fails_leaves_the_file_where_its_maker_looks_for_it() {
        use crate::memory_folder::MemoryFolder;
        // The second name, the end of the first, the sync.
        for cut in 0..3 {
            let folder = MemoryFolder::new();
            folder.store("part", b"new").unwrap();
            folder.fail_once_after(cut);
            let published = folder.publish_new("part", "file");
            assert!(published.is_err() || cut == 0, "a folder without second names renames instead");
            let (found, gone) = if published.is_ok() { ("file", "part") } else { ("part", "file") };
            assert_eq!(folder.peek(found, 9).unwrap().unwrap(), b"new", "cut at {cut}");
            assert!(!folder.exists(gone), "cut at {cut}");
        }
    }

    #[test]
    fn what_cannot_be_overwritten_loses_its_name_and_that_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let folder = FileFolder::new(dir.path());
        folder.store("secret", b"bytes").unwrap();
        // Somebody holds it, so it cannot be opened to be overwritten.
        let held = folder.open("secret", false).unwrap();
        let left = folder.wipe("secret").unwrap().left();
        assert!(matches!(left, Some(GalleryError::Locked(_))), "{left:?}");
        assert!(!folder.exists("secret"));
        drop(held);
        folder.store("secret", b"bytes").unwrap();
        assert!(folder.wipe("secret").unwrap().left().is_none());
        assert!(folder.wipe("secret").unwrap().left().is_none(), "none is fine");
    }
}
