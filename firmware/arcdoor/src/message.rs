//! What the service is asked, and what it answers. Field names are stable: `--json` prints responses as
//! they are, one object a line, `kind` first.

mod request;
mod response;

use arcdoor_core::{
    Basis, Decision, DenyReason, Engines, Quality, QualityPart, RetryReason, StageTimes, SubjectId,
    SubjectName,
};
use serde::{Deserialize, Serialize};

pub use request::{MAX_PHOTOS, Pictures, Request};
pub use response::Response;

/// A [`Decision`] without what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Recognised.
    Granted,
    /// Seen well, not let in.
    Denied,
    /// Nothing can be said.
    Retry,
}

impl Verdict {
    /// As the JSON says it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Retry => "retry",
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
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Deny(reason) => reason.text(),
            Self::Retry(reason) => reason.text(),
        }
    }
}

/// Takes a decision apart.
#[must_use]
pub const fn verdict(decision: Decision) -> (Verdict, Option<Reason>) {
    match decision {
        Decision::Granted { .. } => (Verdict::Granted, None),
        Decision::Denied { reason } => (Verdict::Denied, Some(Reason::Deny(reason))),
        Decision::Retry { reason } => (Verdict::Retry, Some(Reason::Retry(reason))),
    }
}

/// What was seen and decided on one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// Faces found.
    pub faces: usize,
    /// The best candidate's name; for `verify` the name that was asked for.
    pub candidate: Option<SubjectName>,
    /// Its id.
    pub subject: Option<SubjectId>,
    /// Its score, -1 to 1; none where no probe was made.
    pub score: Option<f32>,
    /// The least score that is a match.
    pub threshold: f32,
    /// What that threshold rests on, where it was not counted.
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

/// One picture of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The file, or the frame's number.
    pub photo: String,
    /// Why it was not taken; none: it was.
    pub reason: Option<RetryReason>,
    /// How good the picture is, where it was taken.
    pub quality: Option<Quality>,
}

/// What would make an enrolment better; it was taken all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "advice", rename_all = "snake_case")]
pub enum Advice {
    /// One view alone.
    OneView,
    /// Some view is hardly like the others.
    Inconsistent {
        /// Its best score against another.
        score: f32,
        /// What the door asks for.
        threshold: f32,
    },
    /// Somebody else is nearly a match.
    CloseTo {
        /// Who.
        name: SubjectName,
        /// The id.
        subject: SubjectId,
        /// The best score of these views against that subject.
        score: f32,
        /// What the door asks for.
        threshold: f32,
    },
    /// The best picture is a poor one.
    LowQuality {
        /// Its weakest part.
        part: QualityPart,
        /// Of 100.
        value: u8,
    },
    /// Views of the subject itself are as near to an impostor as to each other.
    DeniesOwn {
        /// How many.
        views: usize,
        /// Of how many.
        of: usize,
    },
}

/// How a check of the doctor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing to do.
    Ok,
    /// Works, with a drawback.
    Warn,
    /// Does not work.
    Fail,
}

/// An operator that the plan does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsupportedNode {
    /// As ONNX calls it.
    pub operator: String,
    /// Name of what it makes.
    pub node: String,
    /// Why.
    pub why: String,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkStep {
    /// Operators as ONNX calls them, joined by `+`.
    pub operators: String,
    /// Name of what the step makes.
    pub name: String,
    /// Channels, rows and columns of what it makes.
    pub shape: [usize; 3],
    /// Multiply-accumulates.
    pub macs: u64,
    /// Predicted microseconds, on one core.
    pub predicted_us: f64,
}

/// How a layer is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerForm {
    /// `direct`, `winograd2` or `winograd4`.
    pub form: String,
    /// Output pixels in registers at once.
    pub pixels: usize,
    /// Blocks of 16 output channels in registers at once.
    pub blocks: usize,
    /// Blocks of 16 input channels in one pass; none: all.
    pub planes: Option<usize>,
    /// Output pixels in one strip; none: all.
    pub strip: Option<usize>,
}
