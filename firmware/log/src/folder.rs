//! What the log needs of a disk, small enough to break each operation in a test.

use std::fmt::Debug;
use std::io;

/// A folder of files. What was written to a file survives a power cut from [`Folder::sync_file`] on, and a name that
/// was made, given or removed from [`Folder::sync`] on. Of what was not synced, any part may survive of what was
/// written, and of the names the first changes.
pub trait Folder: Debug {
    /// Keeps others from writing until it is dropped.
    type Lock: Debug;

    /// Locks the folder for one writer; `None` when there is one.
    ///
    /// # Errors
    /// When the disk fails.
    fn lock(&self) -> io::Result<Option<Self::Lock>>;

    /// The names of all files.
    ///
    /// # Errors
    /// When the disk fails.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Length in bytes of the file `name`; `None` where there is none.
    ///
    /// # Errors
    /// When the disk fails, or the name is of no regular file.
    fn len(&self, name: &str) -> io::Result<Option<u64>>;

    /// At most `most` bytes of the file `name` from `offset`; fewer where it ends, none where there is none.
    ///
    /// # Errors
    /// When the disk fails, or the name is of no regular file.
    fn read(&self, name: &str, offset: u64, most: usize) -> io::Result<Vec<u8>>;

    /// Writes `data` at `offset` of the file `name`, which is made where there is none.
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn write(&self, name: &str, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Cuts the file `name` to `len` bytes.
    ///
    /// # Errors
    /// When the disk fails or there is no such file.
    fn set_len(&self, name: &str, len: u64) -> io::Result<()>;

    /// Makes what was written to the file `name` durable.
    ///
    /// # Errors
    /// When the disk fails; what was written may then be lost, and is to be written again.
    fn sync_file(&self, name: &str) -> io::Result<()>;

    /// Gives the file `from` the name `to`, and takes it from the file that had it.
    ///
    /// # Errors
    /// When the disk fails.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

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
}
