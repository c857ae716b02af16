//! What was observed and decided on one image: a photo or a frame.

use arcdoor_core::{
    Basis, Decision, DenyReason, Engines, Quality, QualityPart, RetryReason, Side, StageTimes, SubjectId,
    SubjectName,
};
use serde::{Deserialize, Serialize};

/// A [`Decision`] without its subject, score and reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Recognised.
    Granted,
    /// Observed well, not let in.
    Denied,
    /// Nothing can be said yet.
    Retry,
}

impl Verdict {
    /// The verdict's name in JSON.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Retry => "retry",
        }
    }

    /// The verdict of a decision, and the reason where it is no grant.
    #[must_use]
    pub const fn of(decision: Decision) -> (Self, Option<Reason>) {
        match decision {
            Decision::Granted { .. } => (Self::Granted, None),
            Decision::Denied { reason } => (Self::Denied, Some(Reason::Deny(reason))),
            Decision::Retry { reason } => (Self::Retry, Some(Reason::Retry(reason))),
        }
    }
}

/// Why a decision is no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reason {
    /// Why denied.
    Deny(DenyReason),
    /// Why to try again.
    Retry(RetryReason),
}

impl Reason {
    /// The reason in words, for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Deny(reason) => reason.text(),
            Self::Retry(reason) => reason.text(),
        }
    }
}

/// What was observed and decided on one image: a photo or a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// How many faces were found.
    pub faces: usize,
    /// The best candidate's name; for `verify` the name that was asked for.
    pub candidate: Option<SubjectName>,
    /// The candidate's number.
    pub subject: Option<SubjectId>,
    /// The candidate's score, -1 to 1; none where no probe was made.
    pub score: Option<f32>,
    /// The least score that is accepted.
    pub threshold: f32,
    /// What that threshold rests on; left out of JSON where it was counted.
    #[serde(default, skip_serializing_if = "Basis::is_counted")]
    pub threshold_basis: Basis,
    /// What was decided.
    pub decision: Verdict,
    /// Why, where it was not granted.
    pub reason: Option<Reason>,
    /// What ran the networks; none where nothing ran.
    pub engine: Option<Engines>,
    /// How long each stage took.
    #[serde(flatten)]
    pub stages: StageTimes,
}

impl Sight {
    /// What is said of an image on which recognition failed: no grant, and nothing said of anybody.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            faces: 0,
            candidate: None,
            subject: None,
            score: None,
            threshold: 1.0,
            threshold_basis: Basis::Counted,
            decision: Verdict::Retry,
            reason: Some(Reason::Retry(RetryReason::Looking)),
            engine: None,
            stages: StageTimes::default(),
        }
    }
}

/// What became of one photo or frame of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The photo's file, or the frame's number.
    pub photo: String,
    /// Why it was not taken; none: it was.
    pub reason: Option<RetryReason>,
    /// How good it is, where it was taken.
    pub quality: Option<Quality>,
    /// Degrees clockwise by which the photo was turned first: 90, 180 or 270; left out of JSON where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned: Option<u16>,
}

/// What would make an enrolment better; it was taken all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "advice", rename_all = "snake_case")]
pub enum Advice {
    /// One view alone.
    OneView,
    /// Before a camera, fewer different views than there could be.
    FewViews {
        /// How many there are.
        views: usize,
        /// How many an enrolment takes.
        of: usize,
    },
    /// Before a camera, no view that is turned to this side.
    NotTurned {
        /// The person's own side.
        side: Side,
    },
    /// Some view is hardly like the others.
    Inconsistent {
        /// Its best score against another.
        score: f32,
        /// What the door asks for.
        threshold: f32,
    },
    /// Somebody else is nearly a match.
    CloseTo {
        /// The subject's name.
        name: SubjectName,
        /// The subject's number in its gallery.
        subject: SubjectId,
        /// The best score of these views against that subject.
        score: f32,
        /// What the door asks for.
        threshold: f32,
    },
    /// The best view is a poor one.
    LowQuality {
        /// Its weakest part.
        part: QualityPart,
        /// That part's value, 0 to 100.
        value: u8,
    },
    /// Views of the subject itself are as near to an impostor as to each other.
    DeniesOwn {
        /// How many of the views.
        views: usize,
        /// How many views were compared.
        of: usize,
    },
}
