//! Where a file is written before it takes its place.

use std::path::{Path, PathBuf};

/// The whole name, then `.part`: names that differ behind a dot alone, as those of shards, stay apart.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}
