//! What ran a pack's networks.

use serde::{Deserialize, Serialize};

/// The engine or engines that run the networks of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engines {
    /// The compiled plan runs all of them.
    Plan,
    /// tract runs all of them.
    Tract,
    /// The plan runs some of them, tract the others.
    Mixed,
}

impl Engines {
    /// For people; the same word as in JSON.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Tract => "tract",
            Self::Mixed => "mixed",
        }
    }
}
