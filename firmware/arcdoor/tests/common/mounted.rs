//! A disk that a test may fill.

use std::path::PathBuf;
use std::process::Command;

pub(crate) fn sh(script: &str) -> bool {
    Command::new("sh").args(["-c", script]).output().is_ok_and(|output| output.status.success())
}

/// A file system in memory of its own, unmounted at the end.
pub(crate) struct Mounted(pub(crate) PathBuf);

impl Mounted {
    pub(crate) fn at(path: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let mounted = sh(&format!("mount -t tmpfs -o size={size},mode=700 none {}", path.display()));
        if !mounted {
            println!("skipped: mounting a tmpfs is not permitted here");
        }
        mounted.then_some(Self(path))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        sh(&format!("umount {}", self.0.display()));
    }
}
