//! What one frame showed, as far as decisions go.

use arcdoor_core::{Candidate, Rect, RetryReason, Score, SubjectId};
use serde::{Deserialize, Serialize};

use crate::intent::Stance;

/// The candidates that a decision looks at: the best, and the one that may contest it.
pub type Contenders = heapless::Vec<Candidate, 2>;

/// What one frame shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// No face to decide about: none, or several.
    Nobody {
        /// What the person can do about it.
        reason: RetryReason,
    },
    /// A face that shows too little.
    Unclear {
        /// The face's box, in frame pixels.
        rect: Rect,
        /// How near it is, and which way it looks.
        stance: Stance,
        /// What the person can do about it.
        reason: RetryReason,
    },
    /// A face that was compared with the gallery.
    Face {
        /// The face's box, in frame pixels.
        rect: Rect,
        /// How near it is, and which way it looks.
        stance: Stance,
        /// The subject that the face is claimed to be; none where the whole gallery was searched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<SubjectId>,
        /// Subjects by score, best first. With a claim, the claimed subject alone; empty where it is not
        /// enrolled, or nobody is.
        contenders: Contenders,
        /// The best score against templates that were reported as not the first of `contenders`; none where there are
        /// none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        impostor: Option<Score>,
    },
}

impl Observation {
    /// Whether it says anything of this subject.
    pub(crate) fn names(&self, subject: SubjectId) -> bool {
        matches!(self, Self::Face { claim, contenders, .. }
            if *claim == Some(subject) || contenders.iter().any(|other| other.subject == subject))
    }

    /// Whether every number of it is finite.
    pub(crate) fn is_finite(&self) -> bool {
        let is_finite = |rect: &Rect| [rect.x, rect.y, rect.w, rect.h].iter().all(|side| side.is_finite());
        match self {
            Self::Nobody { .. } => true,
            Self::Unclear { rect, stance, .. } => is_finite(rect) && stance.is_finite(),
            Self::Face { rect, stance, contenders, impostor, .. } => {
                let scores = contenders.iter().map(|contender| contender.score).chain(*impostor);
                is_finite(rect) && stance.is_finite() && scores.into_iter().all(|score| score.0.is_finite())
            }
        }
    }
}
