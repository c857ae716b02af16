//! A promised rate of wrong grants, and what speaks against it.

use serde::{Deserialize, Serialize};

/// How a promised rate of wrong grants stands against what was counted and reported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Promised {
    /// The rate, of all attempts.
    pub target_fpir: f64,
    /// Attempts to be identified, granted or not.
    pub attempts: u64,
    /// Grants among them that were reported as wrong.
    pub reports: u64,
    /// The least rate that these allow, at any time wrong in at most 5 of 100 doors; above the target, the promise is
    /// broken.
    pub at_least: Option<f64>,
}
