//! One GPIO line: where it is and how it is wired.

use std::fmt;

use serde::Deserialize;

use crate::limits::{MAX_CHIP_NAME, MAX_DEBOUNCE_MS, MAX_OFFSET, MAX_TRAVEL_MS};

/// Why a value in a board's file is no part of a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineValueError {
    /// A chip is named by its label or its device file.
    #[error(
        "{0:?} names no GPIO chip: write its label, such as \"pinctrl-bcm2711\", or its device file, such as \
         \"/dev/gpiochip0\"; `gpiodetect` lists both"
    )]
    Chip(String),
    /// Beyond every chip.
    #[error("offset {0} is beyond every chip: 0 to {MAX_OFFSET}; `gpioinfo` lists a chip's lines")]
    Offset(u32),
    /// Too long to debounce.
    #[error("debounce_ms is 0 to {MAX_DEBOUNCE_MS}, not {0}: a longer one loses short presses")]
    Debounce(u32),
    /// Too long for a relay.
    #[error(
        "travel_ms is 1 to {MAX_TRAVEL_MS}, not {0}: the relay's data sheet says how long its contact takes"
    )]
    Travel(u32),
}

/// A chip's label, which stays from start to start, or its device file, which may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ChipName(String);

impl ChipName {
    /// The label, or the device file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a device file.
    #[must_use]
    pub fn is_device(&self) -> bool {
        self.0.starts_with('/')
    }
}

impl TryFrom<String> for ChipName {
    type Error = LineValueError;

    fn try_from(name: String) -> Result<Self, LineValueError> {
        let is_label = (1..=MAX_CHIP_NAME).contains(&name.len())
            && !name.starts_with('/')
            && name.bytes().all(|byte| byte.is_ascii_graphic());
        let number = name.strip_prefix("/dev/gpiochip");
        let is_device = number.is_some_and(|digits| {
            (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        });
        if is_label || is_device { Ok(Self(name)) } else { Err(LineValueError::Chip(name)) }
    }
}

/// A line's number on its chip, 0..=[`MAX_OFFSET`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "u32")]
pub struct Offset(u32);

impl Offset {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Offset {
    type Error = LineValueError;

    fn try_from(offset: u32) -> Result<Self, LineValueError> {
        if offset <= MAX_OFFSET { Ok(Self(offset)) } else { Err(LineValueError::Offset(offset)) }
    }
}

/// Which level is "active".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Polarity {
    /// The high level.
    ActiveHigh,
    /// The low level, as with a button to ground.
    ActiveLow,
}

/// What holds the line when nobody drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// The chip pulls it high.
    PullUp,
    /// The chip pulls it low.
    PullDown,
    /// A resistor on the board does, or a driven wire; the chip pulls neither way. Software cannot see which.
    External,
}

/// Where a line is and how it is wired.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The chip.
    pub chip: ChipName,
    /// Its number there.
    pub offset: Offset,
    /// Which level is active.
    pub polarity: Polarity,
    /// What holds it.
    pub bias: Bias,
}

impl Line {
    /// Whether the pull alone makes the line active; `None` where software cannot know it.
    #[must_use]
    pub const fn pulled_active(&self) -> Option<bool> {
        match (self.bias, self.polarity) {
            (Bias::External, _) => None,
            (Bias::PullUp, Polarity::ActiveHigh) | (Bias::PullDown, Polarity::ActiveLow) => Some(true),
            (Bias::PullDown, Polarity::ActiveHigh) | (Bias::PullUp, Polarity::ActiveLow) => Some(false),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.chip.0, self.offset.0)
    }
}

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
    type Error = LineValueError;

    fn try_from(ms: u32) -> Result<Self, LineValueError> {
        if ms <= MAX_DEBOUNCE_MS { Ok(Self(ms)) } else { Err(LineValueError::Debounce(ms)) }
    }
}

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
    type Error = LineValueError;

    fn try_from(ms: u32) -> Result<Self, LineValueError> {
        if (1..=MAX_TRAVEL_MS).contains(&ms) { Ok(Self(ms)) } else { Err(LineValueError::Travel(ms)) }
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
