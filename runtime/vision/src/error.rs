//! What can go wrong between a frame and a template.

use arcdoor_core::TemplateError;
use arcdoor_frame::FrameError;
use arcdoor_infer::InferError;
use arcdoor_models::PackError;

/// Why vision refused; a frame without a face is no error.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// A network could not be loaded or run.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The pack lacks a network.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// No detector has this name.
    #[error("{0:?} is no detector: yunet or seetaface")]
    NoDetector(String),
    /// Pixels could not be resized or cropped.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The embedding is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The settings' region holds a NaN or an infinity.
    #[error("the detection region is not finite: set x, y, width and height in frame pixels")]
    Region,
    /// The settings' lowest score is not within 0..=1.
    #[error("the lowest detection score is {0}; set it between 0 and 1")]
    MinScore(f32),
    /// The pack's detector is not a YuNet.
    #[error(
        "the pack's detector lists {found} outputs; YuNet has 12: cls, obj, bbox, kps at strides 8, 16, 32"
    )]
    NotYunet {
        /// Outputs that the manifest lists.
        found: usize,
    },
    /// A YuNet output has another length than its input size demands.
    #[error(
        "detector output {index} holds {found} values, expected {expected}: the pack's detector is broken"
    )]
    YunetOutput {
        /// Which of the 12 outputs.
        index: usize,
        /// Values found.
        found: usize,
        /// Values that its stride and the input size demand.
        expected: usize,
    },
    /// The embedder's input size is not usable.
    #[error(
        "the pack's embedder takes {width}x{height} pixels; the ArcFace template needs a square of 16 to 512"
    )]
    EmbedderInput {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The embedder answers with another dimension than the manifest says.
    #[error("the embedder answered with {found} values, its manifest says {expected}: rebuild the pack")]
    EmbedderOutput {
        /// Values found.
        found: usize,
        /// The manifest's dimension.
        expected: usize,
    },
    /// The landmarks lie on one point or are not finite, so that no crop follows from them.
    #[error("the face's landmarks lie on one point: take another frame")]
    Landmarks,
    /// The SeetaFace model that is compiled in cannot be read.
    #[error("the SeetaFace model compiled into this program is broken, build it again: {0}")]
    SeetaModel(#[source] std::io::Error),
}

impl VisionError {
    /// Whether this build lacks tract, and nothing is wrong with the network.
    #[must_use]
    pub const fn lacks_tract(&self) -> bool {
        matches!(self, Self::Infer(InferError::NoTract))
    }
}
