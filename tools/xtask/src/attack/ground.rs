//! Where the attacks happen: the binary, what it is given, and a folder of homes.

use super::child::{End, Running};
use super::tally::Tally;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

pub(super) struct Ground {
    pub(super) binary: PathBuf,
    pub(super) pack: PathBuf,
    pub(super) photos: PathBuf,
    /// Of everything that is written here.
    dir: PathBuf,
    /// How long a command usually takes.
    pub(super) usual: RefCell<HashMap<&'static str, Duration>>,
    /// Of the kind that is at work.
    tally: RefCell<Tally>,
    homes: Cell<usize>,
}

impl Ground {
    /// Makes `dir`; nothing is in it yet.
    pub(super) fn new(binary: PathBuf, pack: PathBuf, photos: PathBuf, dir: PathBuf) -> Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700).create(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let (usual, tally, homes) = (RefCell::default(), RefCell::default(), Cell::new(0));
        Ok(Self { binary, pack, photos, dir, usual, tally, homes })
    }

    /// The prepared device's folder.
    pub(super) fn base(&self) -> PathBuf {
        self.dir.join("base")
    }

    /// The prepared device's people, exported.
    pub(super) fn export(&self) -> PathBuf {
        self.dir.join("export")
    }

    /// A trace with a grant.
    pub(super) fn trace(&self) -> PathBuf {
        self.dir.join("trace")
    }

    /// A folder with views of one person.
    pub(super) fn frames(&self, name: &str) -> PathBuf {
        self.dir.join("frames").join(name)
    }

    /// A device's folder that was not used yet.
    pub(super) fn fresh(&self) -> PathBuf {
        self.homes.set(self.homes.get() + 1);
        self.newest()
    }

    /// The folder of the device that is under attack.
    pub(super) fn newest(&self) -> PathBuf {
        self.dir.join(format!("device-{}", self.homes.get()))
    }

    /// Waits for the end of a command, or kills it `after` its start.
    pub(super) fn end(&self, running: Running, after: Option<Duration>) -> Result<End> {
        let end = running.end(after)?;
        self.tally.borrow_mut().count(&end);
        Ok(end)
    }

    /// What was counted since the last call.
    pub(super) fn swap_tally(&self, tally: Tally) -> Tally {
        self.tally.replace(tally)
    }

    pub(super) fn clear(self) -> Result<()> {
        Ok(fs::remove_dir_all(&self.dir)?)
    }
}

/// A path of ours as text.
pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A second name of a file, or a copy where the file systems differ.
pub(super) fn link(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Copies a folder with all in it. A pack's networks are linked: they are large, and nobody writes into them.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&path, &target)?;
        } else if path.extension().is_some_and(|end| end == "onnx" || end == "graph") {
            link(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
