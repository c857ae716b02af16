//! The line that releases the lock, and the one that reads it back.

use std::fmt;

use serde::Deserialize;

use crate::limits::MAX_TRAVEL_MS;
use crate::line::{Bias, ChipName, Line, Offset, Polarity};

/// Why a time is no travel of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("travel_ms is 1 to {MAX_TRAVEL_MS}, not {0}: the relay's data sheet says how long its contact takes")]
pub struct TravelError(pub u32);

/// How long a relay's contact may take to follow, 1..=[`MAX_TRAVEL_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct TravelMs(u32);

impl TravelMs {
    /// Milliseconds.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for TravelMs {
    type Error = TravelError;

    fn try_from(ms: u32) -> Result<Self, TravelError> {
        if (1..=MAX_TRAVEL_MS).contains(&ms) { Ok(Self(ms)) } else { Err(TravelError(ms)) }
    }
}

/// The line that the relay's own contact is wired to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawReadBack")]
pub struct ReadBackLine {
    /// Where it is. Active: the contact says that the relay releases the lock.
    pub line: Line,
    /// How long the contact may take.
    pub travel_ms: TravelMs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReadBack {
    chip: ChipName,
    offset: Offset,
    polarity: Polarity,
    bias: Bias,
    travel_ms: TravelMs,
}

impl From<RawReadBack> for ReadBackLine {
    fn from(raw: RawReadBack) -> Self {
        let RawReadBack { chip, offset, polarity, bias, travel_ms } = raw;
        Self { line: Line { chip, offset, polarity, bias }, travel_ms }
    }
}

/// What the lock does when nobody drives the relay: what the hardware's pull gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailMode {
    /// The door stays locked; people leave by what is wired to the lock itself.
    Locked,
    /// The door is free.
    Unlocked,
}

impl FailMode {
    /// Whether the relay is active in it.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Unlocked)
    }
}

impl fmt::Display for FailMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
        })
    }
}

/// The line that releases the lock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawRelay")]
pub struct RelayLine {
    /// Where it is.
    pub line: Line,
    /// What the lock does when nobody drives the relay.
    pub fail_mode: FailMode,
    /// The relay's own contact, where it is wired.
    pub read_back: Option<ReadBackLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRelay {
    chip: ChipName,
    offset: Offset,
    polarity: Polarity,
    bias: Bias,
    fail_mode: FailMode,
    read_back: Option<ReadBackLine>,
}

impl From<RawRelay> for RelayLine {
    fn from(raw: RawRelay) -> Self {
        let RawRelay { chip, offset, polarity, bias, fail_mode, read_back } = raw;
        Self { line: Line { chip, offset, polarity, bias }, fail_mode, read_back }
    }
}
