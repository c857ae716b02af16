//! Where the gallery's key must come from: a device that was sealed by a credential or a passphrase takes no gallery with
//! a key file beside it, or whoever can write the card could bring their own people.
//!
//! The word lies in the home (`key-source`), against mistakes and half-made copies; against whoever can write the home,
//! it is given from outside: `--key-source`, or `ARCDOOR_KEY_SOURCE` in the service's unit.

use super::Home;
use super::file::{read_text, replace};
use crate::error::Error;
use arcdoor_api::KeySource;
use std::path::PathBuf;

/// Largest file, in bytes.
pub const MAX_BYTES: u64 = 64;

/// The weakest source that is taken.
#[derive(Debug)]
pub struct Pin {
    path: PathBuf,
    kept: Option<KeySource>,
    demanded: Option<KeySource>,
}

impl Pin {
    /// Reads what this home says; `demanded` is the weakest source that was named from outside.
    ///
    /// # Errors
    /// When the file cannot be read, or names no source.
    pub fn read(home: &Home, demanded: Option<KeySource>) -> Result<Self, Error> {
        let path = home.key_source();
        let kept = match read_text(&path, MAX_BYTES)? {
            None => None,
            Some(text) => Some(KeySource::from_name(text.trim()).ok_or_else(|| Error::BadFile {
                path: path.clone(),
                problem: "holds credential, passphrase or file: correct it, or remove it to have the key's source \
                          pinned anew"
                    .to_owned(),
            })?),
        };
        Ok(Self { path, kept, demanded })
    }

    /// Refuses a gallery whose key is kept worse than it must be.
    ///
    /// # Errors
    /// [`Error::WeakerKey`].
    pub fn admit(&self, found: KeySource) -> Result<(), Error> {
        let wanted = [self.demanded, self.kept].into_iter().flatten();
        match wanted.into_iter().find(|wanted| !found.is_as_strong_as(*wanted)) {
            Some(wanted) => Err(Error::WeakerKey { found, wanted, path: self.path.clone() }),
            None => Ok(()),
        }
    }

    /// Whether `source` is weaker than what is kept.
    #[must_use]
    pub fn is_weakened_by(&self, source: KeySource) -> bool {
        self.kept.is_some_and(|kept| !source.is_as_strong_as(kept))
    }

    /// Keeps `source` from now on, durably.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&mut self, source: KeySource) -> Result<(), Error> {
        if self.kept != Some(source) {
            replace(&self.path, format!("{}\n", source.name()).as_bytes())?;
            self.kept = Some(source);
        }
        Ok(())
    }
}
