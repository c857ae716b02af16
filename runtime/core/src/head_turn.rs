//! The ways in which a head turns away from the camera.

use core::fmt;
use serde::{Deserialize, Serialize};

/// Where a person before the camera turns the head: left and right are that person's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadTurn {
    /// To the person's left: the right of an image that is not mirrored.
    Left,
    /// To the person's right: the left of an image that is not mirrored.
    Right,
    /// Upwards.
    Up,
    /// Downwards.
    Down,
}

impl HeadTurn {
    /// All, in the order in which an enrolment asks for them.
    pub const ALL: [Self; 4] = [Self::Left, Self::Right, Self::Up, Self::Down];
}

impl fmt::Display for HeadTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Left => "to the left",
            Self::Right => "to the right",
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}
