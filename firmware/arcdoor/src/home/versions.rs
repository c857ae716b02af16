//! The highest version of each pack that was ever installed: an older one may lack what was mended since, whether or not
//! the newer one is still there.

use super::Home;
use super::embedded::Embedded;
use super::file::{read_text, replace};
use crate::error::Error;
use arcdoor_models::Pack;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Largest file, in bytes.
pub const MAX_BYTES: u64 = 64 * 1024;

/// Highest versions by name.
#[derive(Debug)]
pub struct Versions {
    path: PathBuf,
    file: Contents,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    highest: BTreeMap<String, u64>,
}

impl Versions {
    /// Reads the versions that are kept in this home.
    ///
    /// # Errors
    /// When the file cannot be read, or is none of ours.
    pub fn read(home: &Home) -> Result<Self, Error> {
        let path = home.pack_versions();
        let file = match read_text(&path, MAX_BYTES)? {
            None => Contents::default(),
            Some(text) => toml::from_str(&text).map_err(|error| Error::BadFile {
                path: path.clone(),
                problem: format!(
                    "{error}correct it, or remove it: older packs are then taken as if they were new"
                ),
            })?,
        };
        Ok(Self { path, file })
    }

    /// Refuses a pack of a lower version than was installed before under its name.
    ///
    /// # Errors
    /// [`Error::OlderPack`].
    pub fn admit(&self, pack: &Pack) -> Result<(), Error> {
        let (name, offered) = (pack.name().to_owned(), pack.manifest().version);
        match self.file.highest.get(&name) {
            Some(&installed) if offered < installed => Err(Error::OlderPack { name, offered, installed }),
            _ => Ok(()),
        }
    }

    /// Refuses the pack that is compiled in where a newer one of its name was installed: its being gone must not bring
    /// the older one back unseen.
    ///
    /// # Errors
    /// [`Error::NewerPackGone`].
    pub fn admit_embedded(&self, embedded: &Embedded) -> Result<(), Error> {
        let (name, compiled_in) = (embedded.name().to_owned(), embedded.version());
        match self.file.highest.get(&name) {
            Some(&installed) if compiled_in < installed => {
                Err(Error::NewerPackGone { name, compiled_in, installed, noted: self.path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Keeps the version of a pack that is about to be installed, and of the one in its place.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&mut self, pack: &Pack, present: Option<&Pack>) -> Result<(), Error> {
        let versions = [Some(pack), present].into_iter().flatten().map(|pack| pack.manifest().version);
        let highest = self.file.highest.entry(pack.name().to_owned()).or_insert(0);
        *highest = versions.fold(*highest, u64::max);
        let text = toml::to_string(&self.file)
            .map_err(|error| Error::BadFile { path: self.path.clone(), problem: error.to_string() })?;
        replace(&self.path, text.as_bytes())
    }
}
