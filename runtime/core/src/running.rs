//! Which engine runs the networks.

use serde::{Deserialize, Serialize};

/// What runs a pack's networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Running {
    /// The compiled plan, all of them.
    Plan,
    /// tract, all of them.
    Tract,
    /// Some the one, some the other.
    Mixed,
}

impl Running {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Tract => "tract",
            Self::Mixed => "mixed",
        }
    }
}
