//! Files that people and other programs hand to the lab: regular ones alone, and never more of them than a limit.

use std::path::Path;

use anyhow::{Context, Result};
use arcdoor_core::file::read_bounded;

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// When it cannot be read, is no regular file or is larger; the text names the file.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_bounded(path, limit).with_context(|| format!("cannot read {}", path.display()))
}

/// Reads a file of at most `limit` bytes of UTF-8.
///
/// # Errors
/// As [`read`]; also when it is no UTF-8.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(path, limit)?).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_no_file_or_no_text_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.txt");
        std::fs::write(&path, "Ann").unwrap();
        assert_eq!(read_text(&path, 3).unwrap(), "Ann");
        std::fs::write(&path, b"\xff").unwrap();
        for refused in
            [read_text(&path, 3).map(drop), read(&path, 0).map(drop), read(dir.path(), 9).map(drop)]
        {
            let text = format!("{:#}", refused.unwrap_err());
            assert!(text.contains(&dir.path().display().to_string()), "{text}");
        }
    }
}
