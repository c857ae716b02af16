//! Frames from a camera or a replay.

use crate::error::Error;
use crate::home::settings::Settings;
use arcdoor_api::Feed;
use arcdoor_camera::{CameraError, ErrorKind, Replay, Settling, Source, Tone};
use arcdoor_core::Millis;
use arcdoor_frame::{ImageLimits, Orientation, RgbImage, Turn, read_image};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The longest wait for one frame.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(2);

/// Where frames come from; each is turned upright.
pub struct Frames {
    from: From,
    upright: Orientation,
    scratch: RgbImage,
    pace: Option<Pace>,
}

/// Frames no faster than a camera gives them.
struct Pace {
    every: Duration,
    due: Instant,
}

impl Pace {
    fn wait(&mut self) {
        let now = Instant::now();
        std::thread::sleep(self.due.saturating_duration_since(now));
        // Who is late does not hurry afterwards.
        self.due = self.due.max(now) + self.every;
    }
}

enum From {
    Camera(Camera),
    /// A replay.
    Source(Box<dyn Source>),
    /// Photos, one after the other; they say themselves which way up they are.
    Photos(VecDeque<PathBuf>),
}

/// Opens a camera.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Source>, CameraError>>;

/// A camera that can be opened again; its first frames are passed over until its exposure has settled.
struct Camera {
    open: Opener,
    source: Option<Box<dyn Source>>,
    settling: Settling,
}

/// What became of a look for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is there.
    Frame,
    /// A camera gave one that is not worth a look, before its exposure has settled.
    Unsettled,
    /// There is none any more: a replay is over.
    End,
}

impl Frames {
    /// Opens what a request names.
    ///
    /// # Errors
    /// When the camera or the folder cannot be opened, or the camera's words are wrong.
    pub fn open(feed: &Feed, settings: &Settings) -> Result<Self, Error> {
        let mut frames = Self::prepare(feed, settings)?;
        if let From::Camera(camera) = &mut frames.from {
            camera.opened()?;
        }
        Ok(frames)
    }

    /// As [`Frames::open`], but a camera is opened by the first [`Frames::next`].
    ///
    /// # Errors
    /// When the folder cannot be opened, or the words say wrongly how the camera is mounted. The rest of a camera's words is
    /// read when it is opened.
    pub fn prepare(feed: &Feed, settings: &Settings) -> Result<Self, Error> {
        let mut upright = settings.upright();
        let from = match feed {
            Feed::Photos(files) => From::Photos(files.iter().cloned().collect()),
            Feed::Replay(path) => From::Source(Box::new(Replay::open(path)?)),
            Feed::Camera(spec) => {
                let spec = spec.as_deref().unwrap_or(&settings.camera);
                let (camera, mounted) = mounting(spec)?;
                upright = mounted.unwrap_or(upright);
                let camera = camera.to_owned();
                let open = move || arcdoor_camera::open(&camera, FRAME_TIMEOUT);
                From::Camera(Camera::new(Box::new(open)))
            }
        };
        Ok(Self::new(from, upright))
    }

    /// Frames of a source that is open, as they are: none is passed over.
    #[must_use]
    pub fn of(source: Box<dyn Source>) -> Self {
        Self::new(From::Source(source), Orientation::default())
    }

    /// Frames of a camera, opened by the first [`Frames::next`].
    #[must_use]
    pub fn of_camera(open: Opener) -> Self {
        Self::new(From::Camera(Camera::new(open)), Orientation::default())
    }

    fn new(from: From, upright: Orientation) -> Self {
        Self { from, upright, scratch: RgbImage::new(), pace: None }
    }

    /// At most so many frames a second.
    #[must_use]
    pub fn paced(mut self, rate: Option<u32>) -> Self {
        let every = rate.map(|rate| Duration::from_secs(1) / rate.max(1));
        self.pace = every.map(|every| Pace { every, due: Instant::now() });
        self
    }

    /// Whether they come from a camera, which may come back after it was lost.
    #[must_use]
    pub const fn is_of_camera(&self) -> bool {
        matches!(self.from, From::Camera(_))
    }

    /// Puts the next frame into `out`. A camera that is lost is closed, and opened again by the next call. `now` is asked once
    /// the frame is there.
    ///
    /// # Errors
    /// When none came in time, the device is gone or cannot be opened, or a frame cannot be read.
    pub fn next(&mut self, out: &mut RgbImage, now: &dyn Fn() -> Millis) -> Result<Next, Error> {
        if let Some(pace) = &mut self.pace {
            pace.wait();
        }
        let seen = match &mut self.from {
            From::Camera(camera) => camera.next(out, now)?,
            From::Source(source) => {
                if source.next_frame(out)? {
                    Next::Frame
                } else {
                    Next::End
                }
            }
            From::Photos(files) => {
                let Some(path) = files.pop_front() else { return Ok(Next::End) };
                read_photo(&path, out)?;
                return Ok(Next::Frame);
            }
        };
        if seen == Next::Frame {
            self.upright.apply(out, &mut self.scratch);
        }
        Ok(seen)
    }
}

impl Camera {
    fn new(open: Opener) -> Self {
        Self { open, source: None, settling: Settling::default() }
    }

    fn opened(&mut self) -> Result<&mut dyn Source, CameraError> {
        let source = match self.source.take() {
            Some(source) => source,
            None => {
                self.settling = Settling::default();
                (self.open)()?
            }
        };
        Ok(&mut **self.source.insert(source))
    }

    fn next(&mut self, out: &mut RgbImage, now: &dyn Fn() -> Millis) -> Result<Next, CameraError> {
        let tone = match self.opened()?.next_frame(out) {
            Ok(false) => return Ok(Next::End),
            Ok(true) if self.settling.is_over() => return Ok(Next::Frame),
            Ok(true) => Some(Tone::of(out.view())),
            Err(error) if error.kind() != ErrorKind::Frame => {
                self.source = None;
                return Err(error);
            }
            Err(error) if self.settling.is_over() => return Err(error),
            Err(_) => None,
        };
        self.settling = self.settling.step(tone, now());
        Ok(if tone.is_some() && self.settling.is_over() { Next::Frame } else { Next::Unsettled })
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

    /// Frames of one brightness; `None`: a damaged one.
    struct Shades(std::vec::IntoIter<Option<u8>>);

    impl Source for Shades {
        fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError> {
            let Some(shade) = self.0.next() else { return Ok(false) };
            let damaged = || CameraError::Frame(arcdoor_frame::FrameError::CutOff);
            out.reshape(8, 8);
            out.data_mut().fill(shade.ok_or_else(damaged)?);
            Ok(true)
        }
    }

    fn seen(frames: &mut Frames) -> Vec<Option<u8>> {
        let (mut out, mut seen) = (RgbImage::new(), Vec::new());
        for index in 0.. {
            match frames.next(&mut out, &|| Millis(index * 33)) {
                Ok(Next::Frame) => seen.push(Some(out.view().pixel(0, 0)[0])),
                Ok(Next::Unsettled) => {}
                Ok(Next::End) => break,
                Err(_) => seen.push(None),
            }
        }
        seen
    }

    #[test]
    fn nothing_of_a_cameras_first_frames_is_seen_and_of_a_replay_everything() {
        let shades = [[Some(0); 6].as_slice(), &[None], &[Some(255); 6], &[Some(90); 6], &[None]].concat();
        let source = || Box::new(Shades(shades.clone().into_iter()));
        let source_again = source();
        assert_eq!(seen(&mut Frames::of(source())), shades);
        let mut sources = vec![source_again, source()];
        let opener: Opener = Box::new(move || match sources.pop() {
            Some(source) => Ok(source),
            None => Err(CameraError::NotLinux),
        });
        let mut camera = Frames::of_camera(opener);
        assert_eq!(seen(&mut camera), [Some(90), Some(90), Some(90), None]);
    }

    #[test]
    fn a_dark_room_is_seen_after_a_while() {
        let mut sources = vec![Box::new(Shades(vec![Some(3); 100].into_iter()))];
        let mut camera = Frames::of_camera(Box::new(move || match sources.pop() {
            Some(source) => Ok(source),
            None => Err(CameraError::NotLinux),
        }));
        assert_eq!(seen(&mut camera).len(), 100 + 1 - arcdoor_camera::MOST_FRAMES as usize);
    }

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
