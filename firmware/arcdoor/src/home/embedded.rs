//! The pack that is compiled in, so that a device recognises with nothing but its program.

use crate::error::Error;
use arcdoor_core::ModelId;
use arcdoor_models::{MANIFEST_FILE, Manifest, Pack, PackFile};

/// What stands for its folder.
pub const ORIGIN: &str = "(compiled in)";

#[cfg(feature = "embedded-pack")]
macro_rules! doornet {
    ($($file:literal),+) => {
        &[$(($file, include_bytes!(concat!("../../../../models/packs/doornet/", $file)))),+]
    };
}

/// Every file of it. Whoever can change these bytes can change the program: they need no signature, but their hashes
/// are verified as any pack's.
#[cfg(feature = "embedded-pack")]
const FILES: Option<&[PackFile]> =
    Some(doornet!["pack.toml", "yunet.onnx", "yunet.graph", "doornet-l.onnx", "doornet-l.graph"]);
/// This program has none.
#[cfg(not(feature = "embedded-pack"))]
const FILES: Option<&[PackFile]> = None;

/// A pack that is compiled in; what its manifest says is known, its networks are not verified yet.
#[derive(Debug, Clone)]
pub struct Embedded {
    name: String,
    version: u64,
    model_id: ModelId,
    files: &'static [PackFile],
}

impl Embedded {
    /// This program's; `None` where it was built without.
    ///
    /// # Errors
    /// When its manifest is none.
    pub fn find() -> Result<Option<Self>, Error> {
        FILES.map(Self::of).transpose()
    }

    pub(super) fn of(files: &'static [PackFile]) -> Result<Self, Error> {
        let manifest = files.iter().find(|(name, _)| *name == MANIFEST_FILE);
        let text = manifest.and_then(|(_, bytes)| str::from_utf8(bytes).ok());
        let manifest = match text.and_then(|text| Manifest::parse(text).ok()) {
            Some(manifest) => manifest,
            // In its words.
            None => Pack::from_files(ORIGIN, files)?.manifest().clone(),
        };
        Ok(Self { model_id: manifest.model_id(), name: manifest.name, version: manifest.version, files })
    }

    /// The name by which it is asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which of the packs of this name it is.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Its embedder.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.model_id
    }

    /// Refuses to install a pack of its name that is older: this one would go before it.
    ///
    /// # Errors
    /// [`Error::OlderThanCompiledIn`].
    pub fn admit(&self, pack: &Pack) -> Result<(), Error> {
        let (name, offered) = (pack.name().to_owned(), pack.manifest().version);
        if name == self.name && offered < self.version {
            return Err(Error::OlderThanCompiledIn { name, offered, compiled_in: self.version });
        }
        Ok(())
    }

    /// Verifies it.
    ///
    /// # Errors
    /// When it is not what its manifest promises.
    pub fn open(&self) -> Result<Pack, Error> {
        Ok(Pack::from_files(ORIGIN, self.files)?)
    }
}
