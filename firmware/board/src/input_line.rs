//! An observed line.

use serde::Deserialize;

use crate::limits::MAX_DEBOUNCE_MS;
use crate::line::{Bias, ChipName, Line, Offset, Polarity};

/// Why a time is no debounce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("debounce_ms is 0 to {MAX_DEBOUNCE_MS}, not {0}: a longer one loses short presses")]
pub struct DebounceError(pub u32);

/// How long a level must hold before it counts, 0..=[`MAX_DEBOUNCE_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct DebounceMs(u32);

impl DebounceMs {
    /// Milliseconds.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for DebounceMs {
    type Error = DebounceError;

    fn try_from(ms: u32) -> Result<Self, DebounceError> {
        if ms <= MAX_DEBOUNCE_MS { Ok(Self(ms)) } else { Err(DebounceError(ms)) }
    }
}

/// An observed line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawInputLine")]
pub struct InputLine {
    /// Where it is.
    pub line: Line,
    /// How long a level must hold.
    pub debounce_ms: DebounceMs,
}

/// As it stands in a file: one flat table, since serde cannot both flatten and refuse unknown fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInputLine {
    chip: ChipName,
    offset: Offset,
    polarity: Polarity,
    bias: Bias,
    debounce_ms: DebounceMs,
}

impl From<RawInputLine> for InputLine {
    fn from(raw: RawInputLine) -> Self {
        let RawInputLine { chip, offset, polarity, bias, debounce_ms } = raw;
        Self { line: Line { chip, offset, polarity, bias }, debounce_ms }
    }
}
