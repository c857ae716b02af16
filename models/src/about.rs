//! What a verified pack says about itself.

use std::path::{Path, PathBuf};

use arcdoor_core::{Calibration, CalibrationError, Fmr, ModelId, Threshold};

use crate::manifest::{MANIFEST_FILE, Manifest, NetFile};

/// A verified pack without the bytes of its networks: those take megabytes, and nobody needs them once the networks are
/// loaded.
pub struct AboutPack {
    /// The folder, or the word for where the bytes came from.
    dir: PathBuf,
    is_folder: bool,
    manifest: Manifest,
    calibration: Calibration,
}

impl AboutPack {
    pub(crate) const fn new(
        dir: PathBuf,
        is_folder: bool,
        manifest: Manifest,
        calibration: Calibration,
    ) -> Self {
        Self { dir, is_folder, manifest, calibration }
    }

    /// The pack's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// The folder it was read from; of one that is compiled in, the word that stands for it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder it was read from; `None`: it is compiled in.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.is_folder.then_some(&*self.dir)
    }

    /// What it says about itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The names of its files, the manifest first, without the signature.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let graph = |net: &NetFile| net.graph.as_ref().map(|graph| graph.file.clone());
        let nets = self.manifest.nets().flat_map(|(_, net)| [Some(net.file.clone()), graph(net)]);
        [MANIFEST_FILE.to_owned()].into_iter().chain(nets.flatten()).collect()
    }

    /// How many values a template has.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.manifest.embedder.dimension.unwrap_or_default()
    }

    /// The embedder's id: templates carry it and meet only their own kind.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.calibration.model_id()
    }

    /// The table from false match rates to thresholds, for the scores of this embedder.
    #[must_use]
    pub const fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The threshold for a false match rate.
    ///
    /// # Errors
    /// When the table does not reach so low a rate.
    pub fn threshold(&self, target: Fmr) -> Result<Threshold, CalibrationError> {
        self.calibration.threshold(target)
    }
}
