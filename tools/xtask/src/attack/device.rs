//! One home, and the commands for it.

use super::child::{End, Running, script};
use super::ground::{Ground, copy_folder, text};
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

const PASSPHRASE: &str = "correct horse battery";
const EXPORT_PASSPHRASE: &str = "another horse battery";
/// Probes are kept, so that there is one more thing in the home to break.
const SETTINGS: &str = "keep_probes = 8\npolicy.intent.required = false\n";

/// A folder with a home, and passphrases beside it.
pub(super) struct Device<'a> {
    pub(super) ground: &'a Ground,
    dir: PathBuf,
    home: PathBuf,
    calls: Cell<usize>,
}

impl<'a> Device<'a> {
    /// On the folder `dir`, whatever is there.
    pub(super) fn at(ground: &'a Ground, dir: PathBuf) -> Self {
        let home = dir.join("home");
        Self { ground, dir, home, calls: Cell::new(0) }
    }

    /// One that never was used.
    pub(super) fn empty(ground: &'a Ground) -> Result<Self> {
        let device = Self::at(ground, ground.fresh());
        device.set_up()?;
        Ok(device)
    }

    /// A copy of the prepared one.
    pub(super) fn prepared(ground: &'a Ground) -> Result<Self> {
        Self::at(ground, ground.base()).copy()
    }

    pub(super) fn copy(&self) -> Result<Self> {
        let device = Self::at(self.ground, self.ground.fresh());
        copy_folder(&self.dir, &device.dir)?;
        Ok(device)
    }

    /// With its home moved to another place, such as a disk of its own; without the packs in it, which are large.
    pub(super) fn moved_to(mut self, home: PathBuf) -> Result<Self> {
        fs::remove_dir_all(self.home.join("packs"))?;
        copy_folder(&self.home, &home)?;
        self.home = home;
        Ok(self)
    }

    pub(super) fn set_up(&self) -> Result<()> {
        fs::create_dir_all(&self.dir)?;
        fs::DirBuilder::new().mode(0o700).create(&self.home)?;
        fs::write(self.home.join("settings.toml"), SETTINGS)?;
        for name in ["passphrase", "new-passphrase"] {
            fs::write(self.dir.join(name), PASSPHRASE)?;
        }
        Ok(fs::write(self.dir.join("export-passphrase"), EXPORT_PASSPHRASE)?)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where its people are exported to.
    pub(super) fn export(&self) -> PathBuf {
        self.dir.join("export")
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn photo(&self, name: &str) -> String {
        text(&self.ground.photos.join(name))
    }

    /// Runs a command to its end.
    pub(super) fn call(&self, words: &[&str]) -> Result<End> {
        self.call_in(words, &script("", ""))
    }

    /// As [`Device::call`], by a shell's script of its own.
    pub(super) fn call_in(&self, words: &[&str], script: &str) -> Result<End> {
        self.ground.end(self.start_in(words, script)?, None)
    }

    pub(super) fn start(&self, words: &[&str]) -> Result<Running> {
        self.start_in(words, &script("", ""))
    }

    fn start_in(&self, words: &[&str], script: &str) -> Result<Running> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(&self.ground.binary).args(words);
        if !words.contains(&"--pack") {
            command.arg("--pack").arg(&self.ground.pack);
        }
        command.arg("--allow-unsigned-pack").current_dir(&self.dir).env("ARCDOOR_HOME", &self.home);
        for name in ["CREDENTIALS_DIRECTORY", "ARCDOOR_KEY_SOURCE", "ARCDOOR_PACK"] {
            command.env_remove(name);
        }
        for (variable, name) in [
            ("ARCDOOR_PASSPHRASE_FILE", "passphrase"),
            ("ARCDOOR_NEW_PASSPHRASE_FILE", "new-passphrase"),
            ("ARCDOOR_EXPORT_PASSPHRASE_FILE", "export-passphrase"),
        ] {
            command.env(variable, self.dir.join(name));
        }
        self.calls.set(self.calls.get() + 1);
        let output = self.dir.join(format!("call-{}", self.calls.get()));
        Running::start(command, format!("arcdoor {}", words.join(" ")), output)
    }

    /// Nothing of an unfinished change is left, nor a key that opens nothing.
    pub(super) fn is_tidy(&self, with_packs: bool) -> Result<()> {
        let mut folders = vec![self.home.clone(), self.home.join("log"), self.dir.clone()];
        folders.extend(with_packs.then(|| self.home.join("packs")));
        for folder in folders.into_iter().filter(|folder| folder.exists()) {
            let names = fs::read_dir(&folder)?
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned());
            let left: Vec<String> = names
                .filter(|name| [".new", ".old", ".part"].iter().any(|end| name.ends_with(end)))
                .collect();
            ensure!(left.is_empty(), "left in {}: {left:?}", folder.display());
        }
        let source = fs::read_to_string(self.home.join("key-source")).unwrap_or_default();
        let has_key = self.home.join("gallery.key").exists();
        ensure!(
            source.trim() != "passphrase" || !has_key,
            "an old key lies beside a gallery under a passphrase"
        );
        Ok(())
    }

    /// Removes its folder.
    pub(super) fn clear(self) -> Result<()> {
        Ok(fs::remove_dir_all(&self.dir)?)
    }
}
