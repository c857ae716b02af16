//! What an enrolment is for, and how many views it takes.

use arcdoor_core::SubjectId;

/// Views that an enrolment before a camera takes.
const CAMERA_VIEWS: usize = 5;
/// How long a person is asked to look into the camera, milliseconds.
const CAMERA_MS: u64 = 20_000;

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

/// What is to be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What becomes of the views.
    pub purpose: Purpose,
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
        Self { purpose, views: CAMERA_VIEWS, within_ms: Some(CAMERA_MS) }
    }

    /// From photos: one view of each, without a limit of time.
    #[must_use]
    pub const fn photos(purpose: Purpose, photos: usize) -> Self {
        Self { purpose, views: photos, within_ms: None }
    }
}
