//! The camera beside the door.

use serde::Deserialize;

use crate::device_path::DevicePath;
use crate::limits::MAX_CAMERA;

/// The camera beside the door, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Camera {
    /// Video4Linux: USB cameras.
    V4l2 {
        /// Its device file.
        device: DevicePath,
    },
    /// A Raspberry Pi's ribbon camera (CSI), through the program `rpicam-vid`.
    Rpicam {
        /// Its number, as `rpicam-hello --list-cameras` counts, at most [`MAX_CAMERA`].
        number: CameraNumber,
    },
}

impl Camera {
    /// The words by which the camera is opened: `camera` in settings.toml, which the first set-up writes.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::V4l2 { device } => device.as_path().display().to_string(),
            Self::Rpicam { number } => format!("rpicam:{}", number.0),
        }
    }
}

/// Why a number is no camera's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a board has cameras 0 to {MAX_CAMERA}, not {0}")]
pub struct CameraNumberError(pub u8);

/// Which ribbon camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub struct CameraNumber(u8);

impl TryFrom<u8> for CameraNumber {
    type Error = CameraNumberError;

    fn try_from(number: u8) -> Result<Self, CameraNumberError> {
        if number <= MAX_CAMERA { Ok(Self(number)) } else { Err(CameraNumberError(number)) }
    }
}
