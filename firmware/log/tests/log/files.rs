//! On a real file system.

use super::*;
use arcdoor_log::{FileFolder, Folder as _, LogError, verify};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let folder = FileFolder::make(&path).unwrap();
    assert!(matches!(Log::open(folder.clone(), at(0)), Err(LogError::Missing)));
    let (mut log, key) = Log::create(folder.clone(), at(0)).unwrap();
    assert!(matches!(Log::open(folder.clone(), at(0)), Err(LogError::Locked)));
    assert!(matches!(Log::create(folder.clone(), at(0)), Err(LogError::Locked)));
    log.append(&revoked(1), at(1), Some(GALLERY)).unwrap();
    assert_eq!(log.unsynced_since(), Some(at(1)));
    log.sync().unwrap();
    assert_eq!(log.unsynced_since(), None);
    assert!(verify(&folder, Some(&key), None).unwrap().is_whole());
    log.close(at(2)).unwrap();
    assert!(matches!(Log::create(folder.clone(), at(3)), Err(LogError::Exists)));
    let mut log = Log::open(FileFolder::make(&path).unwrap(), at(3)).unwrap();
    assert_eq!(log.append(&revoked(2), at(3), None).unwrap().unwrap().n, 2);
    log.sync().unwrap();
    for entry in fs::read_dir(&path).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o077, 0);
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

/// On a medium that is read-only, writing would fail; so no file may be made, changed or even locked.
#[test]
fn reading_and_verifying_leave_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let folder = FileFolder::new(dir.path());
    let (mut log, key) = Log::create(folder.clone(), at(0)).unwrap();
    log.append(&revoked(1), at(1), None).unwrap();
    log.close(at(1)).unwrap();
    fs::remove_file(dir.path().join("lock")).unwrap();
    let look = || {
        let mut all: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name(),
                    entry.metadata().unwrap().modified().unwrap(),
                    fs::read(entry.path()).unwrap(),
                )
            })
            .collect();
        all.sort();
        all
    };
    let before = look();
    assert!(verify(&folder, Some(&key), None).unwrap().is_whole());
    assert_eq!(Records::newest_first(&folder).unwrap().count(), 2);
    assert_eq!(look(), before);
}

#[test]
fn what_is_no_regular_file_is_neither_read_nor_written() {
    let dir = tempfile::tempdir().unwrap();
    let folder = FileFolder::new(dir.path());
    fs::create_dir(dir.path().join("folder")).unwrap();
    fs::write(dir.path().join("elsewhere"), "x").unwrap();
    symlink(dir.path().join("elsewhere"), dir.path().join("link")).unwrap();
    assert!(folder.read("folder", 0, 9).is_err());
    for name in ["folder", "link"] {
        assert!(folder.write(name, 0, b"y").is_err(), "{name}");
    }
    assert_eq!(fs::read(dir.path().join("elsewhere")).unwrap(), b"x");
}
