//! Frames from a camera or a replay.

use crate::error::Error;
use crate::home::settings::Settings;
use crate::message::Pictures;
use arcdoor_camera::{Replay, Source};
use arcdoor_frame::RgbImage;
use std::collections::VecDeque;
use std::path::PathBuf;
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
    pub fn open(from: &Pictures, settings: &Settings) -> Result<Self, Error> {
        Ok(match from {
            Pictures::Images(files) => Self::Photos(files.iter().cloned().collect()),
            Pictures::Replay(path) => Self::Source(Box::new(Replay::open(path)?)),
            Pictures::Camera(spec) => {
                let spec = spec.as_deref().unwrap_or(&settings.camera);
                Self::Source(Box::new(arcdoor_camera::open(spec, FRAME_TIMEOUT)?))
            }
        })
    }

    /// Puts the next frame into `out`; `false` at the end of a replay.
    ///
    /// # Errors
    /// When none came in time or the device failed.
    pub fn next(&mut self, out: &mut RgbImage) -> Result<bool, Error> {
        match self {
            Self::Source(source) => Ok(source.next_frame(out)?),
            Self::Photos(files) => {
                let Some(path) = files.pop_front() else { return Ok(false) };
                arcdoor_frame::read_image(&path, &arcdoor_frame::ImageLimits::default(), out)
                    .map_err(|source| Error::Photo { path, source })?;
                Ok(true)
            }
        }
    }
}
