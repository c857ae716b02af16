//! A folder that has one folder of photos for each person: `NAME/NAME_0001.jpg`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::eval::set::set::{Medium, Sample, Set};
use crate::face_finder::photos_in;

/// Every photo, by person and name. A sample is called what its file is, without the ending.
pub(crate) fn read(dir: &Path) -> Result<Set> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let cannot =
        || format!("cannot list {}, which must hold a folder of photos for each person", dir.display());
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    ensure!(!folders.is_empty(), "{} holds no folders; it has one for each person", dir.display());
    let mut set = Set::default();
    for (subject, folder) in folders.iter().enumerate() {
        set.subjects.push(file_name(folder));
        set.samples.extend(photos_in(folder)?.into_iter().map(|path| Sample {
            name: stem(&path),
            medium: Medium::Photo(path),
            subject: Some(subject),
            face: None,
        }));
    }
    Ok(set)
}

/// A path's last name.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The same without its ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_is_a_subject() {
        let dir = tempfile::tempdir().unwrap();
        for photo in ["Bob/Bob_0001.jpg", "Ann/Ann_0002.PNG", "Ann/Ann_0001.jpg", "Ann/notes.txt"] {
            let path = dir.path().join(photo);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let set = read(dir.path()).unwrap();
        let found: Vec<_> =
            set.samples.iter().map(|sample| (sample.name.as_str(), sample.subject.unwrap())).collect();
        assert_eq!(found, [("Ann_0001", 0), ("Ann_0002", 0), ("Bob_0001", 1)]);
        assert_eq!(set.subjects, ["Ann", "Bob"]);
        assert!(read(&dir.path().join("Ann")).is_err(), "photos without folders of people");
    }
}
