//! Overwriting what nobody may read again.

use crate::disk::Disk;
use crate::error::GalleryError;
use crate::file_disk::io_error;

/// Bytes that are read, and overwritten, at a time.
const PART: usize = 64 << 10;

/// What became of a file that was to be overwritten and removed.
#[derive(Debug)]
#[must_use]
pub enum Wiped {
    /// Overwritten and removed, or never there.
    Whole,
    /// Removed, but not overwritten: who reads the raw disk may find its bytes.
    NameAlone(GalleryError),
}

impl Wiped {
    /// Why bytes may be left, if they may.
    #[must_use]
    pub fn left(self) -> Option<GalleryError> {
        match self {
            Self::Whole => None,
            Self::NameAlone(error) => Some(error),
        }
    }
}

/// Overwrites with zeros, durably, and cuts to nothing. Where zeros lie already nothing is written: a hole of a file
/// has no block yet, and a full disk has none to give.
pub(crate) fn overwrite(disk: &impl Disk) -> Result<(), GalleryError> {
    let mut part = vec![0; PART];
    let mut zeros = || {
        let len = disk.len()?;
        for offset in (0..len).step_by(PART) {
            let part = &mut part[..(len - offset).min(PART as u64) as usize];
            disk.read(offset, part)?;
            if part.iter().any(|byte| *byte != 0) {
                part.fill(0);
                disk.write(offset, part)?;
            }
        }
        disk.sync()?;
        disk.set_len(0)
    };
    zeros().map_err(io_error("overwriting"))
}
