//! One GPIO line: where it is and how it is wired.

use std::fmt;

use serde::Deserialize;

use crate::limits::{MAX_CHIP_NAME, MAX_OFFSET};

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
