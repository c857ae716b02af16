//! Frames from a camera or a replay.

use crate::error::Error;
use crate::home::settings::Settings;
use arcdoor_api::Feed;
use arcdoor_camera::{Replay, Source};
use arcdoor_frame::{ImageLimits, Orientation, RgbImage, Turn, read_image};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest wait for one frame.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(2);

/// Where frames come from, opened; each is turned upright.
pub struct Frames {
    from: From,
    upright: Orientation,
    scratch: RgbImage,
}

enum From {
    /// A camera or a replay.
    Source(Box<dyn Source>),
    /// Photos, one after the other; they say themselves which way up they are.
    Photos(VecDeque<PathBuf>),
}

impl Frames {
    /// Opens what a request names.
    ///
    /// # Errors
    /// When the camera or the folder cannot be opened, or the camera's words are wrong.
    pub fn open(feed: &Feed, settings: &Settings) -> Result<Self, Error> {
        let mut upright = settings.upright();
        let from = match feed {
            Feed::Photos(files) => From::Photos(files.iter().cloned().collect()),
            Feed::Replay(path) => From::Source(Box::new(Replay::open(path)?)),
            Feed::Camera(spec) => {
                let spec = spec.as_deref().unwrap_or(&settings.camera);
                let (camera, mounted) = mounting(spec)?;
                upright = mounted.unwrap_or(upright);
                From::Source(Box::new(arcdoor_camera::open(camera, FRAME_TIMEOUT)?))
            }
        };
        Ok(Self::new(from, upright))
    }

    /// Frames of a source that is open, as they are.
    #[must_use]
    pub fn of(source: Box<dyn Source>) -> Self {
        Self::new(From::Source(source), Orientation::default())
    }

    fn new(from: From, upright: Orientation) -> Self {
        Self { from, upright, scratch: RgbImage::new() }
    }

    /// Puts the next frame into `out`; `false` at the end of a replay.
    ///
    /// # Errors
    /// When none came in time, the device is gone, or a frame cannot be read.
    pub fn next(&mut self, out: &mut RgbImage) -> Result<bool, Error> {
        match &mut self.from {
            From::Source(source) => {
                let is_there = source.next_frame(out)?;
                if is_there {
                    self.upright.apply(out, &mut self.scratch);
                }
                Ok(is_there)
            }
            From::Photos(files) => {
                let Some(path) = files.pop_front() else { return Ok(false) };
                read_photo(&path, out)?;
                Ok(true)
            }
        }
    }
}

/// The camera of `CAMERA[,rotate=90|180|270][,mirror]`, and how it is mounted, where the text says so: that then holds
/// instead of the settings.
fn mounting(spec: &str) -> Result<(&str, Option<Orientation>), Error> {
    let mut words = spec.split(',');
    let camera = words.next().unwrap_or_default();
    let mut mounted = None;
    for word in words {
        let upright: &mut Orientation = mounted.get_or_insert_default();
        match word.split_once('=') {
            None if word == "mirror" => upright.mirror = true,
            Some(("rotate", degrees)) => {
                let turn = degrees.parse().ok().and_then(Turn::from_degrees);
                upright.turn = turn.ok_or_else(|| Error::Mounting(spec.to_owned()))?;
            }
            _ => return Err(Error::Mounting(spec.to_owned())),
        }
    }
    Ok((camera, mounted))
}

/// Reads a photo into `out`.
///
/// # Errors
/// When it cannot be read, is no JPEG or PNG, or is too large.
pub fn read_photo(path: &Path, out: &mut RgbImage) -> Result<(), Error> {
    read_image(path, &ImageLimits::default(), out)
        .map_err(|source| Error::Photo { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cameras_words_say_how_it_is_mounted() {
        let upright = |mirror, turn| Some(Orientation { mirror, turn });
        for (spec, camera, mounted) in [
            ("/dev/video0", "/dev/video0", None),
            ("/dev/video0@1280x720@15,rotate=90", "/dev/video0@1280x720@15", upright(false, Turn::Quarter)),
            ("/dev/video1,mirror,rotate=270", "/dev/video1", upright(true, Turn::ThreeQuarters)),
            ("/dev/video1,rotate=0", "/dev/video1", upright(false, Turn::None)),
        ] {
            assert_eq!(mounting(spec).unwrap(), (camera, mounted), "{spec}");
        }
        for wrong in ["/dev/video0,", "/dev/video0,rotate=45", "/dev/video0,turn", "/dev/video0,mirror=1"] {
            assert_eq!(mounting(wrong).unwrap_err().code(), crate::error::USAGE, "{wrong}");
        }
    }
}
