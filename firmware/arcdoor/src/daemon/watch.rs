//! The loop's frames, of a camera that may go and come.

use super::clock::Clock;
use super::ladder::{Fall, Ladder, Return};
use crate::device::source::{Frames, Next};
use crate::error::Error;
use arcdoor_api::CameraFault;
use arcdoor_camera::{CameraError, ErrorKind};
use arcdoor_frame::RgbImage;
use std::io;

/// What became of a look for a frame.
pub(super) enum Watched {
    /// It is there.
    Frame,
    /// It is there, the first one after a loss.
    Returned(Return),
    /// Not now, and nothing is wrong.
    Nothing,
    /// So many milliseconds must go by first.
    Pause(u64),
    /// There is no camera, for this reason.
    Lost(CameraError, Fall),
    /// There will be none any more.
    End,
}

/// Frames, and where the loop stands with their camera.
pub(super) struct Watch {
    frames: Frames,
    ladder: Ladder,
}

impl Watch {
    /// Over these frames.
    pub(super) fn new(frames: Frames) -> Self {
        Self { frames, ladder: Ladder::default() }
    }

    /// Puts the next frame into `out`. The clock is asked again after the wait for it, which may be long.
    ///
    /// # Errors
    /// When one frame is damaged, or a replay fails.
    pub(super) fn next(&mut self, out: &mut RgbImage, clock: &dyn Clock) -> Result<Watched, Error> {
        match self.ladder.pause_ms(clock.now().at) {
            0 => {}
            ms => return Ok(Watched::Pause(ms)),
        }
        match self.frames.next(out, &|| clock.now().at) {
            Ok(Next::Frame) => {
                let (ladder, back) = self.ladder.came(clock.now().at);
                self.ladder = ladder;
                Ok(back.map_or(Watched::Frame, Watched::Returned))
            }
            Ok(Next::Unsettled) => Ok(Watched::Nothing),
            Ok(Next::End) => Ok(Watched::End),
            Err(Error::Camera(error)) if self.frames.is_of_camera() && error.kind() != ErrorKind::Frame => {
                let (ladder, fall) = self.ladder.lost(error.kind() == ErrorKind::Setup, clock.now().at);
                self.ladder = ladder;
                Ok(Watched::Lost(error, fall))
            }
            Err(error) => Err(error),
        }
    }
}

/// What the log says of it.
pub(super) fn fault(error: &CameraError) -> CameraFault {
    match error {
        CameraError::Gone { .. } => CameraFault::Gone,
        CameraError::Stalled { .. } => CameraFault::Stalled,
        // Another program has it.
        CameraError::Device { cause, .. } if cause.kind() == io::ErrorKind::ResourceBusy => {
            CameraFault::NotOpened
        }
        CameraError::Open { .. }
        | CameraError::NotACamera(_)
        | CameraError::NoFormat { .. }
        | CameraError::Program { .. }
        | CameraError::Spec(_)
        | CameraError::NotLinux => CameraFault::NotOpened,
        _ => CameraFault::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Now;
    use arcdoor_api::UtcTime;
    use arcdoor_camera::Source;
    use arcdoor_core::Millis;
    use std::cell::Cell;
    use std::rc::Rc;

    /// A time that goes by while a camera is waited for in vain.
    #[derive(Clone, Default)]
    struct Waiting(Rc<Cell<u64>>);

    impl Clock for Waiting {
        fn now(&self) -> Now {
            Now { at: Millis(self.0.get()), utc: UtcTime::default() }
        }

        fn rest(&self, ms: u64) {
            self.0.set(self.0.get() + ms);
        }
    }

    impl Source for Waiting {
        fn next_frame(&mut self, _: &mut RgbImage) -> Result<bool, CameraError> {
            self.rest(2_000);
            Err(CameraError::Stalled { device: "x".to_owned(), waited_ms: 2_000 })
        }
    }

    #[test]
    fn a_pause_begins_after_the_wait_for_a_frame_that_did_not_come() {
        let clock = Waiting::default();
        let camera = clock.clone();
        let mut watch = Watch::new(Frames::of_camera(Box::new(move || Ok(Box::new(camera.clone())))));
        let mut out = RgbImage::new();
        for pause_ms in [1_000, 2_000, 5_000] {
            let lost = watch.next(&mut out, &clock).unwrap();
            assert!(matches!(lost, Watched::Lost(_, Fall { retry_ms, .. }) if retry_ms == Some(pause_ms)));
            let waits = watch.next(&mut out, &clock).unwrap();
            assert!(matches!(waits, Watched::Pause(ms) if ms == pause_ms), "the whole of it");
            clock.rest(pause_ms);
        }
    }

    #[test]
    fn a_camera_that_another_program_has_is_not_called_broken() {
        let device = |kind: io::ErrorKind| CameraError::Device {
            device: "x".to_owned(),
            step: "setting the format",
            cause: kind.into(),
        };
        assert_eq!(fault(&device(io::ErrorKind::ResourceBusy)), CameraFault::NotOpened);
        assert_eq!(fault(&device(io::ErrorKind::InvalidInput)), CameraFault::Failed);
    }
}
