//! The one folder that holds all state.
//!
//! | file | holds |
//! |---|---|
//! | `settings.toml` | what the installer chose; see [`settings`](crate::home::settings) |
//! | `gallery.redb` | the enrolled templates, sealed |
//! | `gallery.key` | the gallery's key, where nothing stronger is used; see [`keys`](crate::home::keys) |
//! | `site.toml` | the site's own calibration, where one was installed; see [`site`](crate::home::site) |
//! | `probes.bin` | sealed probes of the newest grants, for a while; see [`probes`](crate::home::probes) |
//! | `log.jsonl`, `log.1.jsonl` | decisions and enrolments; see [`log`](crate::home::log) |
//! | `tuning.toml` | tiles that were measured on this device; see [`tuning`](crate::home::tuning) |
//! | `packs/NAME/` | installed packs |

pub mod keys;
pub mod log;
pub mod packs;
pub mod passphrase;
pub mod probes;
pub mod settings;
pub mod site;
pub mod tuning;

use crate::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
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

    /// Writes one of the folder's files (mode 0600) whole, in one step: a power cut leaves the old one or the new.
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub(crate) fn replace(&self, path: &Path, contents: &[u8]) -> Result<(), Error> {
        self.create()?;
        let part = path.with_added_extension("new");
        let write = || {
            let mut options = OpenOptions::new();
            let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            out.write_all(contents)?;
            out.sync_all()?;
            fs::rename(&part, path)?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|source| Error::File { path: path.to_owned(), source })
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

    /// The site's calibration.
    #[must_use]
    pub fn site(&self) -> PathBuf {
        self.0.join("site.toml")
    }

    /// The installed packs.
    #[must_use]
    pub fn packs(&self) -> PathBuf {
        self.0.join("packs")
    }

    /// The file of the newest grants' probes.
    #[must_use]
    pub fn probes(&self) -> PathBuf {
        self.0.join("probes.bin")
    }

    /// The file of tiles that were measured here.
    #[must_use]
    pub fn tuning(&self) -> PathBuf {
        self.0.join("tuning.toml")
    }

    /// The log's file.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    /// The pack that `asked` means: a folder with a manifest, or a name under `models/packs/` beside the
    /// working directory or under `packs/` here.
    ///
    /// # Errors
    /// When there is none, with the places that were looked at.
    pub fn pack(&self, asked: &str) -> Result<PathBuf, Error> {
        let given = PathBuf::from(asked);
        let mut looked = vec![given.clone()];
        let is_name = given.components().count() == 1 && !asked.starts_with('.');
        if is_name {
            looked = vec![Path::new("models/packs").join(asked), self.0.join("packs").join(asked), given];
        }
        match looked.iter().find(|dir| dir.join(arcdoor_models::MANIFEST_FILE).is_file()) {
            Some(dir) => Ok(dir.clone()),
            None => Err(Error::NoPack { asked: asked.to_owned(), looked }),
        }
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

    #[test]
    fn a_pack_is_a_name_or_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().to_owned())).unwrap();
        let pack = dir.path().join("packs/mine");
        assert!(matches!(home.pack("mine"), Err(Error::NoPack { looked, .. }) if looked.contains(&pack)));
        fs::create_dir_all(&pack).unwrap();
        fs::write(pack.join(arcdoor_models::MANIFEST_FILE), "").unwrap();
        assert_eq!(home.pack("mine").unwrap(), pack);
        assert_eq!(home.pack(pack.to_str().unwrap()).unwrap(), pack);
    }
}
