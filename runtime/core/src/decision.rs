//! What recognition decided, and why; whether the lock moves is the door's matter.

use crate::score::Score;
use crate::subject::SubjectId;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Why a person who was seen well is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenyReason {
    /// No subject reached the threshold.
    NoMatch,
    /// The gallery is empty.
    NobodyEnrolled,
    /// Two subjects reach the threshold, and their scores differ by less than the policy's margin.
    Ambiguous,
    /// At least as near to a template that was reported as not this person as to the person's own templates.
    NotThisPerson,
    /// Enough frames showed the face well, and too few of them named the same subject.
    TooFewAgree,
    /// Too many denials in a row: wait until the lockout ends.
    LockedOut,
}

/// Why nothing can be said yet, and what the person can do better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryReason {
    /// No face in the frame.
    NoFace,
    /// Several faces, and no one of them clearly in front.
    SeveralFaces,
    /// The face reaches over the frame's edge.
    FaceCutOff,
    /// Too few pixels between the eyes.
    TooFar,
    /// Turned or tilted away.
    TurnToCamera,
    /// Too little light on the face.
    TooDark,
    /// Too much light on the face.
    TooBright,
    /// The face is dark before a surround that is much brighter.
    LightFromBehind,
    /// Out of focus or moving.
    HoldStill,
    /// The face lies on its side or upside down, or was not found where it is.
    HoldUpright,
    /// Mouth, eyes or outline are covered.
    Covered,
    /// The embedding is one that other faces share, and nothing tells why.
    NotClear,
    /// At an enrolment: matches none of the views that were taken before it.
    SomebodyElse,
    /// Nobody showed yet that they want to be let in: too far off, passing by, or looking elsewhere.
    ShowIntent,
    /// At an enrolment before a camera: nearly the same as a view that was taken before it.
    SameView,
    /// At an enrolment from photos: the same photo as one that was taken before it, or a copy of it.
    SamePhoto,
    /// More frames must agree.
    Looking,
}

impl DenyReason {
    /// What the operator reads.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoMatch => "no enrolled person matches",
            Self::NobodyEnrolled => "nobody is enrolled yet",
            Self::Ambiguous => "two enrolled people match too closely",
            Self::NotThisPerson => "like somebody reported as another",
            Self::TooFewAgree => "too few frames agree on one person",
            Self::LockedOut => "locked out after repeated denials",
        }
    }
}

impl RetryReason {
    /// What the person at the door reads: what to do.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoFace => "no face seen",
            Self::SeveralFaces => "one person at a time",
            Self::FaceCutOff => "face cut off, move into the frame",
            Self::TooFar => "come closer",
            Self::TurnToCamera => "turn to the camera",
            Self::TooDark => "too dark",
            Self::TooBright => "too bright",
            Self::LightFromBehind => "light from behind: turn around or light the face",
            Self::HoldStill => "blurred, hold still",
            Self::HoldUpright => "hold the head, or the photo, upright",
            Self::Covered => "take off mask, glasses or hood",
            Self::NotClear => "face does not show clearly: look at the camera, in even light",
            Self::SomebodyElse => "not the person of the earlier images",
            Self::ShowIntent => "come closer and look at the camera",
            Self::SameView => "turn the head a little",
            Self::SamePhoto => "the same as an earlier photo, give another",
            Self::Looking => "keep looking",
        }
    }
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// The outcome of recognition. Not access: the door may still refuse a granted subject.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A subject is recognised.
    Granted {
        /// Who is recognised.
        subject: SubjectId,
        /// The best score of the frames that agreed.
        score: Score,
    },
    /// Somebody was seen well enough, and is not let in.
    Denied {
        /// Why nobody is let in.
        reason: DenyReason,
    },
    /// Nothing can be said yet.
    Retry {
        /// What the person can do about it.
        reason: RetryReason,
    },
}
