//! What an enrolment is for, and how many views it takes.

use arcdoor_core::{RetryReason, Score, SubjectId};

/// Views that an enrolment before a camera takes.
const CAMERA_VIEWS: usize = 5;
/// How long a person is asked to look into the camera, milliseconds.
const CAMERA_MS: u64 = 20_000;
/// From this score on, two frames are one view. Frames of one LFW photo (300 of View 1's DevTrain, moved by 2 pixels or turned by
/// 1 degree, with noise of 3 levels) score 0.98 in the middle and above 0.94 in 95 of 100; other photos of the same person
/// score 0.67, and 99.5 of 100 below 0.913. `arcdoor-lab eval same-views` measures it again.
const SAME_VIEW: Score = Score(0.93);
/// From this score on, two photos are one: somebody chose them, and two of one minute may well be near. Of copies at three
/// quarters of the size, or brighter by a twentieth, about 95 of 100 score more.
const SAME_PHOTO: Score = Score(0.95);

/// What becomes of the views, and so which rules they are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody new.
    New {
        /// Whether a person who is enrolled under another name already is taken.
        allow_duplicate: bool,
    },
    /// More views beside those that a subject has.
    Add {
        /// The subject that gets them.
        subject: SubjectId,
    },
    /// Views in the place of those that a subject has.
    Replace {
        /// The subject whose views they replace.
        subject: SubjectId,
    },
    /// Views of somebody who was wrongly taken for a subject.
    Deny {
        /// Who that person is not.
        subject: SubjectId,
    },
}

impl Purpose {
    /// The enrolled subject that the views are about; none for somebody new.
    #[must_use]
    pub const fn subject(self) -> Option<SubjectId> {
        match self {
            Self::New { .. } => None,
            Self::Add { subject } | Self::Replace { subject } | Self::Deny { subject } => Some(subject),
        }
    }

    /// Whether the views must be of the subject's own person: a re-enrolment changes views, never the person.
    pub(crate) const fn keeps_person(self) -> bool {
        matches!(self, Self::Add { .. } | Self::Replace { .. })
    }

    /// Whether views that match another subject are refused.
    pub(crate) const fn refuses_duplicates(self) -> bool {
        !matches!(self, Self::New { allow_duplicate: true } | Self::Deny { .. })
    }
}

/// Where the views come from, and so what a further one must show that those before it do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A camera, or a replay: frames follow each other, and most show the same as the one before.
    Camera,
    /// Photos that somebody chose.
    Photos,
}

impl Medium {
    /// A view that scores at least this against one taken before shows nothing new.
    pub(crate) const fn same(self) -> Score {
        match self {
            Self::Camera => SAME_VIEW,
            Self::Photos => SAME_PHOTO,
        }
    }

    /// What such a view is refused for.
    pub(crate) const fn reason(self) -> RetryReason {
        match self {
            Self::Camera => RetryReason::SameView,
            Self::Photos => RetryReason::SamePhoto,
        }
    }
}

/// What is to be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What becomes of the views.
    pub purpose: Purpose,
    /// Where they come from.
    pub medium: Medium,
    /// Views to take; at most 16.
    pub views: usize,
    /// How long frames are offered, from the first one on, milliseconds; without it, until the views are taken
    /// or the frames end.
    pub within_ms: Option<u64>,
}

impl Plan {
    /// Before a camera or a replay: 5 views within 20 seconds.
    #[must_use]
    pub const fn camera(purpose: Purpose) -> Self {
        Self { purpose, medium: Medium::Camera, views: CAMERA_VIEWS, within_ms: Some(CAMERA_MS) }
    }

    /// From photos: one view of each, without a limit of time.
    #[must_use]
    pub const fn photos(purpose: Purpose, photos: usize) -> Self {
        Self { purpose, medium: Medium::Photos, views: photos, within_ms: None }
    }
}
