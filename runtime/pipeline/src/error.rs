//! What can fail between a frame and its decision.

use arcdoor_core::limits::MAX_TEMPLATES_PER_SUBJECT;
use arcdoor_core::{ModelId, TemplateError};
use arcdoor_gallery::GalleryError;
use arcdoor_vision::VisionError;

/// Why a frame has no decision.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// Detection or a network failed.
    #[error(transparent)]
    Vision(#[from] VisionError),
    /// The search failed.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    /// Two templates cannot be compared.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The threshold was calibrated for another embedder.
    #[error("the threshold is for embedder {threshold}, but the pack's is {embedder}: rebuild the pack")]
    Threshold {
        /// The threshold's.
        threshold: ModelId,
        /// The pack's.
        embedder: ModelId,
    },
    /// More views than a subject may have templates.
    #[error("a subject has at most {MAX_TEMPLATES_PER_SUBJECT} templates: enrol with fewer pictures")]
    TooManyViews,
}
