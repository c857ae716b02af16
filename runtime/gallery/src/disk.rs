//! The five operations that the store needs of a disk, small enough to break each of them in a test.

use std::fmt::Debug;
use std::io;
use std::sync::{PoisonError, RwLock};

/// Bytes that survive a restart, from `sync` on.
///
/// A power cut may lose or tear any write since the last `sync` that returned `Ok`; it never harms what
/// came before it.
#[expect(clippy::len_without_is_empty, reason = "an empty disk is no state of interest")]
pub trait Disk: Debug + Send + Sync + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// When the disk fails.
    fn len(&self) -> io::Result<u64>;

    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// When the disk fails, or the range reaches beyond its end.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Cuts the disk, or lengthens it by zeros.
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes every earlier write durable.
    ///
    /// # Errors
    /// When the disk fails; the earlier writes may then be lost.
    fn sync(&self) -> io::Result<()>;

    /// Writes `data` at `offset`.
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;
}

/// A disk as redb wants it; closed, it gives errors.
#[derive(Debug)]
pub(crate) struct Backend<D>(RwLock<Option<D>>);

impl<D: Disk> Backend<D> {
    pub(crate) fn new(disk: D) -> Self {
        Self(RwLock::new(Some(disk)))
    }

    fn with<T>(&self, work: impl FnOnce(&D) -> io::Result<T>) -> io::Result<T> {
        let disk = self.0.read().unwrap_or_else(PoisonError::into_inner);
        work(disk.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?)
    }
}

impl<D: Disk> redb::StorageBackend for Backend<D> {
    fn len(&self) -> io::Result<u64> {
        self.with(D::len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|disk| disk.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|disk| disk.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(D::sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|disk| disk.write(offset, data))
    }

    /// Drops the disk, and with it a file's lock.
    fn close(&self) -> io::Result<()> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}
