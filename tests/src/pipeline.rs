//! Recognition with a gallery in memory, and no device around it.

use arcdoor_core::Fmr;
use arcdoor_gallery::{Gallery, GalleryKey, MemoryDisk};
use arcdoor_models::Pack;
use arcdoor_pipeline::{Recognizer, Thresholds};
use arcdoor_vision::{DetectSettings, DetectorKind, RunOptions, Vision};

use crate::{Real, barack};

/// The pack's recognition, and whom it knows.
pub struct Pipeline {
    /// With the pack's detector and embedder.
    pub recognizer: Recognizer,
    /// Nobody is enrolled at first.
    pub gallery: Gallery,
    /// One false match in 100,000, whatever is asked.
    pub thresholds: Thresholds,
}

impl Pipeline {
    /// Opens the pack, with an empty gallery under a key of its own.
    #[must_use]
    pub fn open(real: &Real, options: &RunOptions, detect: DetectSettings) -> Self {
        let pack = Pack::open(&real.pack).unwrap();
        let vision = Vision::from_pack(&pack, DetectorKind::Yunet, options).unwrap();
        let threshold = pack.threshold(Fmr::new(1e-5).unwrap()).unwrap();
        let key = GalleryKey::generate().unwrap();
        Self {
            recognizer: Recognizer::new(vision, detect),
            gallery: Gallery::open_on(MemoryDisk::new(), &key, pack.model_id(), pack.dimension()).unwrap(),
            thresholds: Thresholds::new(threshold, threshold, threshold).unwrap(),
        }
    }

    /// With one view of `obama.jpg` enrolled.
    #[must_use]
    pub fn with_barack(mut self, real: &Real) -> Self {
        let view = self.recognizer.view(real.frame("obama.jpg", 10).view()).unwrap().unwrap().template;
        self.gallery.enrol(&barack(), &[view], 0).unwrap();
        self
    }
}
