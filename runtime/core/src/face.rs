//! What a detector reports.

use crate::geometry::{Landmarks5, Rect};
use crate::limits::MAX_FACES;
use serde::{Deserialize, Serialize};

/// One detected face, in the coordinates of the frame it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// The face's box; it may reach beyond the frame.
    pub rect: Rect,
    /// The detector's own score, 0..=1, higher is surer; not comparable between detectors.
    pub score: f32,
    /// The landmarks, where the detector (or a landmarker after it) gave them.
    pub landmarks: Option<Landmarks5>,
}

/// The faces of one frame, highest detector score first.
pub type Faces = heapless::Vec<Face, MAX_FACES>;
