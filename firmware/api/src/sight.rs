//! What was observed and decided on one image: a photo or a frame.

use arcdoor_core::{
    Basis, Decision, DenyReason, Engines, HeadTurn, Quality, QualityPart, Rect, RetryReason, StageTimes,
    SubjectId, SubjectName,
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

/// What a threshold means: the rates that it stands for, where they come from, and what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// The false match rate of one comparison: the share of the calibration's impostor pairs at or above the threshold.
    pub fmr: f64,
    /// Its 95 % interval, lower and upper end; between two rows of the calibration, from the stricter one's lower end to
    /// the laxer one's upper.
    pub fmr_interval: [f64; 2],
    /// Templates that one face is compared with.
    pub templates: usize,
    /// The share of strangers that may be taken for somebody at a gallery of so many; none for one claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fpir: Option<f64>,
    /// What the threshold was made for.
    #[serde(flatten)]
    pub target: Target,
    /// Whether the target is met; if not, the pack's calibration does not reach so far.
    pub is_met: bool,
}

/// The setting that a threshold comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// A rate of false positives at the whole gallery.
    #[serde(rename = "target_fpir")]
    Fpir(f64),
    /// A rate of false matches of one comparison.
    #[serde(rename = "target_fmr")]
    Fmr(f64),
}

/// One face of a photo or frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoundFace {
    /// Its box, in pixels; it may reach beyond the edge.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// The detector's own score, higher is surer.
    pub detector_score: f32,
    /// Whether landmarks confirm it; others are never decided about.
    pub is_confirmed: bool,
    /// How good it is; assessed for the chosen face and the widest of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
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
    /// What the threshold means; with photos and requests only, not with every frame of the loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_point: Option<OperatingPoint>,
    /// Every face, best detector score first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each_face: Vec<FoundFace>,
    /// Which of them was decided about, from 0; none where no face is clearly in front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<usize>,
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
            operating_point: None,
            each_face: Vec::new(),
            chosen: None,
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
    /// Before a camera, no view that is turned this way.
    NotTurned {
        /// Where to.
        side: HeadTurn,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_back_with_the_setting_that_it_came_from() {
        for (target, key) in [(Target::Fpir(0.01), "target_fpir"), (Target::Fmr(1e-5), "target_fmr")] {
            let point = OperatingPoint {
                fmr: 1e-5,
                fmr_interval: [5e-6, 2e-5],
                templates: 3,
                fpir: None,
                target,
                is_met: true,
            };
            let text = serde_json::to_string(&point).unwrap();
            assert!(text.contains(key), "{text}");
            assert_eq!(serde_json::from_str::<OperatingPoint>(&text).unwrap(), point);
            let sight = Sight { operating_point: Some(point), ..Sight::nothing() };
            let text = serde_json::to_string(&sight).unwrap();
            assert_eq!(serde_json::from_str::<Sight>(&text).unwrap(), sight);
        }
    }
}
