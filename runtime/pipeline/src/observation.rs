//! What one frame showed, as far as decisions go.

use arcdoor_core::{Candidate, Rect, RetryReason, Score};
use serde::{Deserialize, Serialize};

/// The candidates that a decision looks at: the best, and the one that may contest it.
pub type Contenders = heapless::Vec<Candidate, 2>;

/// One frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "saw", rename_all = "snake_case")]
pub enum Observation {
    /// No face to decide about: none, or several.
    Nobody {
        /// What would help.
        reason: RetryReason,
    },
    /// A face that shows too little.
    Unclear {
        /// Where, in frame pixels.
        rect: Rect,
        /// What would help.
        reason: RetryReason,
    },
    /// A face that was compared with the gallery.
    Face {
        /// Where, in frame pixels.
        rect: Rect,
        /// Subjects by score, best first; none where nobody is enrolled.
        contenders: Contenders,
        /// The best score against those who were reported as not the first of them; none where nobody was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        impostor: Option<Score>,
    },
}
