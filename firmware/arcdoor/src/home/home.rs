//! Where all state lies.

use crate::error::Error;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder of all state; it need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// `asked` (the flag or `ARCDOOR_HOME`), else `/var/lib/arcdoor` for root, else
    /// `$XDG_STATE_HOME/arcdoor`, else `~/.local/state/arcdoor`.
    ///
    /// # Errors
    /// When nothing says where it should be.
    pub fn resolve(asked: Option<PathBuf>) -> Result<Self, Error> {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let is_root = rustix::process::geteuid().is_root();
        asked
            .or_else(|| is_root.then(|| PathBuf::from("/var/lib/arcdoor")))
            .or_else(|| absolute("XDG_STATE_HOME").map(|state| state.join("arcdoor")))
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state/arcdoor")))
            .map(Self)
            .ok_or(Error::NoHome)
    }

    /// Makes the folder with mode 0700 where it is missing. An existing folder stays as it is.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> Result<(), Error> {
        if self.0.is_dir() {
            return Ok(());
        }
        let failed = |source| Error::File { path: self.0.clone(), source };
        if let Some(parent) = self.0.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Ok(()),
        }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// The settings' file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.0.join("settings.toml")
    }

    /// The gallery's file.
    #[must_use]
    pub fn gallery(&self) -> PathBuf {
        self.0.join("gallery.redb")
    }

    /// The file that says where the gallery's key comes from.
    #[must_use]
    pub fn key_source(&self) -> PathBuf {
        self.0.join("key-source")
    }

    /// Where earlier versions kept a site's own calibration; nothing reads it.
    #[must_use]
    pub fn site(&self) -> PathBuf {
        self.0.join("site.toml")
    }

    /// The installed packs.
    #[must_use]
    pub fn packs(&self) -> PathBuf {
        self.0.join("packs")
    }

    /// The file of the highest versions of packs.
    #[must_use]
    pub fn pack_versions(&self) -> PathBuf {
        self.0.join("pack-versions.toml")
    }

    /// The file of the newest grants' probes.
    #[must_use]
    pub fn probes(&self) -> PathBuf {
        self.0.join("probes.bin")
    }

    /// The file of what was observed before the newest decisions.
    #[must_use]
    pub fn observations(&self) -> PathBuf {
        self.0.join("observations.bin")
    }

    /// The file of tiles that were measured here.
    #[must_use]
    pub fn tuning(&self) -> PathBuf {
        self.0.join("tuning.toml")
    }

    /// The log's folder.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The files of the log of earlier versions, the oldest first; what they hold is taken over once.
    #[must_use]
    pub fn older_logs(&self) -> [PathBuf; 2] {
        ["log.1.jsonl", "log.jsonl"].map(|name| self.0.join(name))
    }

    /// The file of what survives a restart of the door.
    #[must_use]
    pub fn door(&self) -> PathBuf {
        self.0.join("door.json")
    }

    /// The file of everybody's PIN, hashed.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        self.0.join("pins.json")
    }

    /// The file of why the program ended itself.
    #[must_use]
    pub fn last_words(&self) -> PathBuf {
        self.0.join("last-words")
    }

    /// The socket of a running door, where nothing else is said.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    /// The file that a lockout is kept in.
    #[must_use]
    pub fn lockout(&self) -> PathBuf {
        self.0.join("lockout.json")
    }

    /// The file of what was counted since the rate of wrong grants was promised.
    #[must_use]
    pub fn tally(&self) -> PathBuf {
        self.0.join("tally.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_folder_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().join("a/b"))).unwrap();
        home.create().unwrap();
        home.create().unwrap();
        assert_eq!(fs::metadata(home.dir()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
