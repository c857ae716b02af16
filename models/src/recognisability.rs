//! What a pack says about embeddings that tell nobody apart.

use arcdoor_core::RetryReason;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// Most heads of a pack.
pub const MAX_HEADS: usize = 32;

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
    }
}
