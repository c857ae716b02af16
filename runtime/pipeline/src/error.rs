//! What can fail between a frame and its decision.

use arcdoor_core::TemplateError;
use arcdoor_core::limits::MAX_TEMPLATES_PER_SUBJECT;
use arcdoor_gallery::GalleryError;
use arcdoor_vision::VisionError;

use crate::thresholds::ForeignThreshold;

/// Why a frame has no decision, or an enrolment no result.
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
    /// A threshold was calibrated for another embedder.
    #[error(transparent)]
    Threshold(#[from] ForeignThreshold),
    /// An enrolment that wants more views than a subject may have templates.
    #[error("a subject has at most {MAX_TEMPLATES_PER_SUBJECT} templates, not {0}: enrol with fewer photos")]
    TooManyViews(usize),
}
