//! What the log knows of exported files.

use crate::error::Error;
use arcdoor_api::{Content, Entry, UtcTime};
use arcdoor_core::SubjectId;
use arcdoor_log::{FileFolder, Records};
use std::path::PathBuf;

/// A file that everybody was written to, or was about to be.
pub(super) struct Export {
    /// When the log noted it.
    pub(super) at: UtcTime,
    /// The file's path.
    pub(super) file: PathBuf,
    /// Where it lay until it was whole; none where the log says how the export ended.
    pub(super) part: Option<PathBuf>,
}

/// All exports that the log knows of, the newest first; with `since`, those after that subject was enrolled.
pub(super) fn exports(log: &FileFolder, since: Option<SubjectId>) -> Result<Vec<Export>, Error> {
    let (mut exports, mut ended) = (Vec::new(), Vec::new());
    // A line that is no record is a matter of `log verify`.
    for record in Records::newest_first(log)?.flatten() {
        let at = record.at;
        match record.content {
            Content::Entry(Entry::Exported { file, .. }) => {
                ended.push(file.clone());
                exports.push(Export { at, file, part: None });
            }
            Content::Entry(Entry::ExportFailed { file }) => ended.push(file),
            Content::Entry(Entry::Exporting { file, part, .. }) => {
                // The newest end of a file is that of its newest beginning.
                match ended.iter().rposition(|ended| *ended == file) {
                    Some(end) => drop(ended.remove(end)),
                    None => exports.push(Export { at, file, part: Some(part) }),
                }
            }
            Content::Entry(Entry::Enrolled { subject, .. }) if Some(subject) == since => break,
            _ => {}
        }
    }
    Ok(exports)
}
