//! Where the attacks happen: the binary, what it is given, and a folder of homes.

use super::child::{End, Running};
use super::device::Device;
use super::people::{PEOPLE, People};
use super::tally::Tally;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

/// Views of one person in a replayed folder: enough for a grant.
const FRAMES: usize = 5;

pub(super) struct Ground {
    pub(super) binary: PathBuf,
    pub(super) pack: PathBuf,
    pub(super) photos: PathBuf,
    /// Of everything that is written here.
    dir: PathBuf,
    /// Whether this binary can check its log.
    log_verifies: Cell<bool>,
    /// How long a command usually takes.
    pub(super) usual: RefCell<HashMap<&'static str, Duration>>,
    /// Of the kind that is at work.
    tally: RefCell<Tally>,
    homes: Cell<usize>,
}

impl Ground {
    /// Makes `dir`, and in it a home with two people, a kept probe, a log and a pack, of which the rounds take copies.
    pub(super) fn new(binary: PathBuf, pack: PathBuf, photos: PathBuf, dir: PathBuf) -> Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700).create(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let ground = Self {
            binary,
            pack,
            photos,
            dir,
            log_verifies: Cell::new(false),
            usual: RefCell::default(),
            tally: RefCell::default(),
            homes: Cell::new(0),
        };
        ground.prepare()?;
        Ok(ground)
    }

    fn prepare(&self) -> Result<()> {
        for person in &PEOPLE {
            let frames = self.frames(person.name);
            fs::create_dir_all(&frames)?;
            let (_, kind) = person.photo.rsplit_once('.').unwrap_or_default();
            for number in 0..FRAMES {
                link(&self.photos.join(person.photo), &frames.join(format!("{number}.{kind}")))?;
            }
        }
        let device = Device::at(self, self.base());
        device.set_up()?;
        let help = device.call(&["log", "--help"])?;
        self.log_verifies.set(help.out.lines().any(|line| line.trim_start().starts_with("verify ")));
        for person in &PEOPLE[..2] {
            device.call(&["enrol", person.name, "--image", &device.photo(person.photo)])?.expect(&[0])?;
        }
        device.call(&["pack", "install", &text(&self.pack)])?.expect(&[0])?;
        let frames = text(&self.frames(PEOPLE[0].name));
        device.call(&["run", "--replay", &frames, "--trace", &text(&self.trace())])?.expect(&[0])?;
        device.call(&["export", &text(&self.export())])?.expect(&[0])?;
        People::base().observe(&device)
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

    pub(super) fn log_verifies(&self) -> bool {
        self.log_verifies.get()
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
