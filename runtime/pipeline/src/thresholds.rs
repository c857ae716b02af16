//! The numbers that scores are held against.

use arcdoor_core::{ModelId, SubjectId, Threshold};
use serde::{Deserialize, Serialize};

/// A threshold whose embedder is not the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a threshold is for embedder {threshold}, but {embedder} is in use: take all thresholds from one pack"
)]
pub struct ForeignThreshold {
    /// The embedder that the threshold was calibrated for.
    pub threshold: ModelId,
    /// The embedder in use.
    pub embedder: ModelId,
}

/// The three thresholds of recognition. Whoever knows the pack, the settings and the size of the gallery makes
/// them, and makes them anew when one of these changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// One comparison (1:1): a face with a claim, and the views of one enrolment with each other.
    pub verify: Threshold,
    /// A search (1:N): strangers are compared with the whole gallery, so it rises with the gallery's size.
    pub identify: Threshold,
    /// At enrolment, a view that reaches this against another subject is taken for that subject's: one person would be
    /// enrolled twice.
    pub duplicate: Threshold,
}

impl Thresholds {
    /// Three thresholds of one embedder.
    ///
    /// # Errors
    /// When they are of several embedders.
    pub fn new(
        verify: Threshold,
        identify: Threshold,
        duplicate: Threshold,
    ) -> Result<Self, ForeignThreshold> {
        let thresholds = Self { verify, identify, duplicate };
        thresholds.check(verify.model_id)?;
        Ok(thresholds)
    }

    /// Refuses thresholds that were not calibrated for this embedder.
    ///
    /// # Errors
    /// When one of the three was calibrated for another one.
    pub fn check(&self, embedder: ModelId) -> Result<(), ForeignThreshold> {
        let all = [self.verify, self.identify, self.duplicate];
        match all.iter().find(|threshold| threshold.model_id != embedder) {
            Some(foreign) => Err(ForeignThreshold { threshold: foreign.model_id, embedder }),
            None => Ok(()),
        }
    }

    /// The one that a frame is held against: `verify` with a claim, `identify` without.
    #[must_use]
    pub const fn of(&self, claim: Option<SubjectId>) -> &Threshold {
        match claim {
            Some(_) => &self.verify,
            None => &self.identify,
        }
    }
}
