//! What a pack says about embeddings that tell nobody apart.

use arcdoor_core::RetryReason;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// Most heads of a pack.
pub const MAX_HEADS: usize = 32;
/// Most shared directions of a pack.
pub const MAX_DIRECTIONS: usize = 64;
/// The recognisability at which recognition's gate ends.
pub const RECOGNITION_GATE: f32 = 20.0;
/// How far lengths and angles of shared directions may be off, as dot products: they are written with few digits.
const SLACK: f32 = 0.01;

/// What a person can do about an embedding that unlike faces share.
const ADVICE: [RetryReason; 5] = [
    RetryReason::HoldUpright,
    RetryReason::HoldStill,
    RetryReason::Covered,
    RetryReason::NotClear,
    RetryReason::TooFar,
];

/// How to tell an embedding of a face that shows clearly from one that unlike faces share: those of covered, turned,
/// blurred or misaligned faces. It is made from many faces' embeddings, and is nobody's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecognisabilityTable {
    /// The faces it was made from, and how.
    pub data: String,
    /// Each judges one kind of damage; the lowest value counts. 1..=32 of them.
    pub heads: Vec<RecognisabilityHead>,
    /// What is no sign of one person where two templates have it in common; where none is said, scores are cosines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedDirections>,
}

/// Directions that embeddings of degraded faces share, whoever they are of. See [`arcdoor_core::SharedPart`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedDirections {
    /// How much they may add to a score, as a share of what all other directions make of it, 0..=1; what exceeds it is
    /// taken off.
    pub allowance: f32,
    /// Less is allowed to a face that hardly shows clearly; where none is said, all faces are allowed the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// 1..=64 directions, at right angles to each other and of length 1; as many values each as a template has.
    pub directions: Vec<Vec<f32>>,
}

/// What a face is allowed whose recognisability is low. The gates take or refuse a face at one value; this goes by how near
/// to it a face lies. Of two faces that are compared the clearer one's allowance counts: the danger is two of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    /// From this recognisability on the whole allowance is given, above 20 and up to 100.
    pub below: f32,
    /// What is left of it where recognition's gate ends, at 20; between, it falls in a straight line. -1 to the whole
    /// allowance: below 0, the other directions count for less, too.
    pub allowance: f32,
}

impl SharedDirections {
    /// What a face of this recognisability is allowed, the lowest value of all heads.
    #[must_use]
    pub fn allowed(&self, recognisability: f32) -> f32 {
        let Some(Doubt { below, allowance }) = self.doubt else { return self.allowance };
        let clear = ((recognisability - RECOGNITION_GATE) / (below - RECOGNITION_GATE)).clamp(0.0, 1.0);
        // A NaN is no clear face.
        let clear = if clear.is_nan() { 0.0 } else { clear };
        allowance + (self.allowance - allowance) * clear
    }
}

/// One measure, `bias + norm * |e| + direction . e / |e|` of an embedding e. It is 20 where recognition's gate ends and
/// 40 where enrolment's does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecognisabilityHead {
    /// The damage that it judges.
    pub name: String,
    /// What the person is told where this head's value is the lowest, and too low: `hold_upright`, `hold_still`,
    /// `covered`, `not_clear` or `too_far`.
    pub advice: RetryReason,
    /// Added to the other two.
    pub bias: f32,
    /// Weight of the embedding's length.
    pub norm: f32,
    /// Weights of the embedding's direction, as many as a template has values.
    pub direction: Vec<f32>,
}

impl RecognisabilityTable {
    /// Adds what is out of range.
    pub(crate) fn problems(&self, dimension: usize, found: &mut Vec<Problem>) {
        let mut wrong = |problem: String| {
            found.push(Problem::Value { field: "recognisability.heads".to_owned(), problem });
        };
        if !(1..=MAX_HEADS).contains(&self.heads.len()) {
            wrong(format!("must be 1..={MAX_HEADS}"));
        }
        if self.heads.iter().any(|head| head.direction.len() != dimension) {
            wrong(format!("direction must have {dimension} values, as a template has"));
        }
        let is_advice = |head: &RecognisabilityHead| ADVICE.contains(&head.advice);
        if !self.heads.iter().all(is_advice) {
            wrong("advice must be hold_upright, hold_still, covered, not_clear or too_far".to_owned());
        }
        let weights = |head: &RecognisabilityHead| {
            [head.bias, head.norm].iter().chain(&head.direction).all(|weight| weight.is_finite())
        };
        if !self.heads.iter().all(weights) {
            wrong("bias, norm and direction must be finite".to_owned());
        }
        if let Some(problem) = self.shared.as_ref().and_then(|shared| shared.problem(dimension)) {
            found.push(Problem::Value { field: "recognisability.shared".to_owned(), problem });
        }
    }
}

impl SharedDirections {
    fn problem(&self, dimension: usize) -> Option<String> {
        if !(1..=MAX_DIRECTIONS).contains(&self.directions.len()) {
            return Some(format!("must have 1..={MAX_DIRECTIONS} directions"));
        }
        if !(0.0..=1.0).contains(&self.allowance) {
            return Some("allowance must be 0..=1".to_owned());
        }
        if let Some(Doubt { below, allowance }) = self.doubt {
            if !(RECOGNITION_GATE < below && below <= 100.0) {
                return Some(format!("doubt.below must be above {RECOGNITION_GATE} and up to 100"));
            }
            if !(-1.0..=self.allowance).contains(&allowance) {
                return Some("doubt.allowance must be -1 to the whole allowance".to_owned());
            }
        }
        if self.directions.iter().any(|direction| direction.len() != dimension) {
            return Some(format!("each direction must have {dimension} values, as a template has"));
        }
        let is_right = self.directions.iter().enumerate().all(|(index, direction)| {
            self.directions[..=index].iter().enumerate().all(|(other, earlier)| {
                let expected = if other == index { 1.0 } else { 0.0 };
                let dot: f32 = direction.iter().zip(earlier).map(|(a, b)| a * b).sum();
                (dot - expected).abs() <= SLACK
            })
        });
        (!is_right).then(|| "directions must have length 1 and be at right angles to each other".to_owned())
    }
}
