//! The names that a gallery's files have while it is made, rewritten or wiped.

use crate::disk::Disk as _;
use crate::error::GalleryError;
use crate::file_disk::io_error;
use crate::folder::Folder;
use crate::overlay::Overlay;
use crate::wipe::Wiped;

/// Where a file is made before it gets its name.
pub(crate) fn unfinished(name: &str) -> String {
    format!("{name}.new")
}

/// The second name of a file that is being replaced.
pub(crate) fn replaced(name: &str) -> String {
    format!("{name}.old")
}

/// Does what a power cut left undone when the gallery was rewritten; the caller holds it open. Returns why
/// something was not cleared away; the gallery itself is whole, and need not be refused for that.
pub(crate) fn finish_rewriting(folder: &impl Folder, name: &str) -> Option<GalleryError> {
    let left = undo_rewriting(folder, name);
    let old = replaced(name);
    if !folder.exists(&old) {
        return left;
    }
    // The old file is all there is until the new one's name is durable.
    let durable = folder.sync().map_err(io_error("naming"));
    left.or(durable.map_or_else(Some, |()| clear(folder, &old)))
}

/// Clears away a rewriting that failed. The file that was to be replaced is overwritten only where the next opening
/// finds the new one in its place: as long as the new name may not be durable, it is all there is.
pub(crate) fn undo_rewriting(folder: &impl Folder, name: &str) -> Option<GalleryError> {
    let old = replaced(name);
    let second_name = folder.exists(&old) && folder.same(name, &old).unwrap_or(false);
    let removed = if second_name { folder.remove(&old).and_then(|()| folder.sync()) } else { Ok(()) };
    // It holds every subject, under a key that may lie beside it.
    let left = clear(folder, &unfinished(name));
    left.or(removed.map_err(io_error("naming")).err())
}

/// Wipes the file `name`; returns why its bytes may be left, if they may.
pub(crate) fn clear(folder: &impl Folder, name: &str) -> Option<GalleryError> {
    folder.wipe(name).map_or_else(Some, Wiped::left)
}

/// A gallery's disk. An empty one is refused: galleries get their name whole, so something else made or cut it.
pub(crate) fn whole<F: Folder>(folder: &F, name: &str) -> Result<F::Disk, GalleryError> {
    let disk = folder.open(name, false)?;
    if disk.len().map_err(io_error("reading"))? == 0 { Err(GalleryError::NotAGallery) } else { Ok(disk) }
}

/// As [`whole`], only to read: what is written stays in memory.
pub(crate) fn whole_to_read<F: Folder>(folder: &F, name: &str) -> Result<Overlay<F::Disk>, GalleryError> {
    let disk = folder.open_read(name)?;
    if disk.len().map_err(io_error("reading"))? == 0 {
        return Err(GalleryError::NotAGallery);
    }
    Overlay::new(disk).map_err(io_error("reading"))
}
