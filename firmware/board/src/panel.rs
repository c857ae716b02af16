//! The panel on the wall.

use serde::Deserialize;

use crate::device_path::{DevicePath, DevicePathError};
use crate::limits::MAX_PANEL_PX;

/// Why a number is no part of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PanelValueError {
    /// Not a quarter turn.
    #[error("rotation is 0, 90, 180 or 270, not {0}")]
    Rotation(u32),
    /// A side of nothing, or longer than any panel.
    #[error("a panel's side is 1 to {MAX_PANEL_PX} px, not {0}")]
    Side(u32),
}

/// What shows the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PanelKind {
    /// The kernel's framebuffer, /dev/fbN.
    Framebuffer,
}

/// By how much what is drawn is turned, clockwise, before it meets the panel's own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub enum Rotation {
    /// Not at all.
    None,
    /// A quarter.
    Quarter,
    /// Upside down.
    Half,
    /// Three quarters.
    ThreeQuarters,
}

impl Rotation {
    /// From a drawn place to its place on a panel of these columns and rows of its own.
    pub(crate) const fn to_panel(self, (width, height): (u32, u32), (x, y): (u32, u32)) -> (u32, u32) {
        match self {
            Self::None => (x, y),
            Self::Quarter => (width - 1 - y, x),
            Self::Half => (width - 1 - x, height - 1 - y),
            Self::ThreeQuarters => (y, height - 1 - x),
        }
    }

    /// From a place on such a panel to what is drawn there.
    #[allow(clippy::wrong_self_convention, reason = "the way back of to_panel")]
    pub(crate) const fn from_panel(self, (width, height): (u32, u32), (x, y): (u32, u32)) -> (u32, u32) {
        match self {
            Self::None => (x, y),
            Self::Quarter => (y, width - 1 - x),
            Self::Half => (width - 1 - x, height - 1 - y),
            Self::ThreeQuarters => (height - 1 - y, x),
        }
    }
}

impl TryFrom<u32> for Rotation {
    type Error = PanelValueError;

    fn try_from(degrees: u32) -> Result<Self, PanelValueError> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Quarter),
            180 => Ok(Self::Half),
            270 => Ok(Self::ThreeQuarters),
            _ => Err(PanelValueError::Rotation(degrees)),
        }
    }
}

/// One side of a panel in pixels, 1..=[`MAX_PANEL_PX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Side(u32);

impl Side {
    /// Pixels.
    #[must_use]
    pub const fn px(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Side {
    type Error = PanelValueError;

    fn try_from(px: u32) -> Result<Self, PanelValueError> {
        if (1..=MAX_PANEL_PX).contains(&px) { Ok(Self(px)) } else { Err(PanelValueError::Side(px)) }
    }
}

/// What tells where a finger is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TouchDevice {
    /// `auto`: the first touch panel that the kernel knows.
    Auto,
    /// This input device, `/dev/input/...`.
    At(DevicePath),
}

impl TryFrom<String> for TouchDevice {
    type Error = DevicePathError;

    fn try_from(text: String) -> Result<Self, DevicePathError> {
        if text == "auto" { Ok(Self::Auto) } else { DevicePath::try_from(text).map(Self::At) }
    }
}

/// The panel on the wall.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// What shows it.
    pub kind: PanelKind,
    /// Its device file.
    pub device: DevicePath,
    /// Its own rows' length, before any turn.
    pub width: Side,
    /// How many rows it has.
    pub height: Side,
    /// How it hangs.
    pub rotation: Rotation,
    /// What tells where a finger is on it, where it can be touched.
    pub touch: Option<TouchDevice>,
}

impl Panel {
    /// Columns and rows of the screen, as whoever draws sees it.
    #[must_use]
    pub const fn size(&self) -> (u32, u32) {
        let (width, height) = (self.width.px(), self.height.px());
        match self.rotation {
            Rotation::None | Rotation::Half => (width, height),
            Rotation::Quarter | Rotation::ThreeQuarters => (height, width),
        }
    }
}
