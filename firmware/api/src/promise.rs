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
    /// The least rate that these counts allow. Above the target, the promise is broken; at a door that keeps it, this
    /// is ever said with a probability of at most 5 %.
    pub at_least: Option<f64>,
}
