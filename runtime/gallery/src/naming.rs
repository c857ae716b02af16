//! Names beside a gallery's own, which it has while it is made, rewritten or wiped.

use crate::disk::Disk as _;
use crate::error::GalleryError;
use crate::file_disk::io_error;
use crate::folder::Folder;

/// Where a file is made before it gets its name.
pub(crate) fn unfinished(name: &str) -> String {
    format!("{name}.new")
}

/// The second name of a file that is being replaced.
pub(crate) fn replaced(name: &str) -> String {
    format!("{name}.old")
}

/// Does what a power cut left undone when the gallery was rewritten; the caller holds it open.
pub(crate) fn finish_rewriting(folder: &impl Folder, name: &str) -> Result<(), GalleryError> {
    // Everybody lies in it, under a key that may be lying beside it.
    folder.wipe(&unfinished(name))?;
    let old = replaced(name);
    if !folder.exists(&old) {
        return Ok(());
    }
    if folder.same(name, &old).map_err(io_error("reading"))? {
        return folder.remove(&old).and_then(|()| folder.sync()).map_err(io_error("naming"));
    }
    folder.wipe(&old)
}

/// A gallery's disk; only one that something else made or cut is empty, since ours appear whole.
pub(crate) fn whole<F: Folder>(folder: &F, name: &str) -> Result<F::Disk, GalleryError> {
    let disk = folder.open(name, false)?;
    if disk.len().map_err(io_error("reading"))? == 0 { Err(GalleryError::NotAGallery) } else { Ok(disk) }
}
