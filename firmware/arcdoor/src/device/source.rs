//! Frames from a camera or a replay.

use crate::error::Error;
use crate::home::settings::Settings;
use arcdoor_api::Feed;
use arcdoor_camera::{Replay, Source};
use arcdoor_frame::{ImageLimits, RgbImage, read_image};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest wait for one frame.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(2);

/// Where frames come from, opened.
pub enum Frames {
    /// A camera or a replay.
    Source(Box<dyn Source>),
    /// Photos, one after the other.
    Photos(VecDeque<PathBuf>),
}

impl Frames {
    /// Opens what a request names.
    ///
    /// # Errors
    /// When the camera or the folder cannot be opened.
    pub fn open(from: &Feed, settings: &Settings) -> Result<Self, Error> {
        Ok(match from {
            Feed::Photos(files) => Self::Photos(files.iter().cloned().collect()),
            Feed::Replay(path) => Self::Source(Box::new(Replay::open(path)?)),
            Feed::Camera(spec) => {
                let spec = spec.as_deref().unwrap_or(&settings.camera);
                Self::Source(Box::new(arcdoor_camera::open(spec, FRAME_TIMEOUT)?))
            }
        })
    }

    /// Puts the next frame into `out`; `false` at the end of a replay.
    ///
    /// # Errors
    /// When none came in time, the device is gone, or a picture cannot be read.
    pub fn next(&mut self, out: &mut RgbImage) -> Result<bool, Error> {
        match self {
            Self::Source(source) => Ok(source.next_frame(out)?),
            Self::Photos(files) => {
                let Some(path) = files.pop_front() else { return Ok(false) };
                read_photo(&path, out)?;
                Ok(true)
            }
        }
    }
}

/// Reads a photo into `out`.
///
/// # Errors
/// When it cannot be read, is no JPEG or PNG, or is too large.
pub fn read_photo(path: &Path, out: &mut RgbImage) -> Result<(), Error> {
    read_image(path, &ImageLimits::default(), out)
        .map_err(|source| Error::Photo { path: path.to_owned(), source })
}
