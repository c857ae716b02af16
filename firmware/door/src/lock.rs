//! The lock's line: which level means locked.

use serde::{Deserialize, Serialize};

/// What the lock does without power.
///
/// When the process is gone, the line falls to [`Level::DeEnergised`] (the board's pull and the relay's spring see to
/// that, not software): a fail-secure door is locked then, and a fail-safe door is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailMode {
    /// Locked without power, such as an electric strike: energised is unlocked. People leave by the handle inside.
    #[default]
    Secure,
    /// Unlocked without power, such as a magnet: energised is locked. For doors on escape routes.
    Safe,
}

/// What the lock's line is driven to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Current flows through the lock.
    Energised,
    /// No current flows.
    DeEnergised,
}

/// What the lock is meant to be. Whether it is, the read-back and the contact say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Nobody comes in.
    Locked,
    /// Whoever pulls comes in.
    Unlocked,
}

impl FailMode {
    /// The level that brings a lock of this kind into `position`.
    #[must_use]
    pub const fn level(self, position: Position) -> Level {
        match (self, position) {
            (Self::Secure, Position::Unlocked) | (Self::Safe, Position::Locked) => Level::Energised,
            (Self::Secure, Position::Locked) | (Self::Safe, Position::Unlocked) => Level::DeEnergised,
        }
    }
}
