//! Where a device is.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::limits::MAX_DEVICE_PATH;

/// Why a text is no device file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no device file: it begins with /dev/ and has no `..` in it")]
pub struct DevicePathError(pub String);

/// A device file under /dev, at most [`MAX_DEVICE_PATH`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DevicePath(PathBuf);

impl DevicePath {
    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl TryFrom<String> for DevicePath {
    type Error = DevicePathError;

    fn try_from(path: String) -> Result<Self, DevicePathError> {
        let name = path.strip_prefix("/dev/").unwrap_or_default();
        let is_plain = !name.is_empty()
            && path.len() <= MAX_DEVICE_PATH
            && name.bytes().all(|byte| byte.is_ascii_graphic())
            && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if is_plain { Ok(Self(PathBuf::from(path))) } else { Err(DevicePathError(path)) }
    }
}
