//! The camera beside the door.

use serde::Deserialize;

use crate::device_path::DevicePath;

/// How a camera is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CameraKind {
    /// Video4Linux: USB cameras.
    V4l2,
}

/// The pixel format that is asked of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "V4L2's own names")]
pub enum CameraFormat {
    Yuyv,
    Uyvy,
    Nv12,
    Mjpeg,
    Grey,
}

/// The camera beside the door.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// How it is read.
    pub kind: CameraKind,
    /// Its device file.
    pub device: DevicePath,
    /// The format; without one, the camera's best.
    pub format: Option<CameraFormat>,
}
