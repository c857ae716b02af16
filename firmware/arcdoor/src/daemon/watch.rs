//! The loop's frames, of a camera that may go and come.

use super::ladder::{Action, Event, Ladder, climb};
use crate::device::source::{Frames, Next};
use crate::error::Error;
use arcdoor_api::CameraFault;
use arcdoor_camera::{CameraError, ErrorKind};
use arcdoor_core::Millis;
use arcdoor_frame::RgbImage;

/// What became of a look for a frame.
pub(super) enum Watched {
    /// It is there.
    Frame,
    /// It is there, the first one after a loss.
    Returned {
        /// Milliseconds since the loss.
        away_ms: u64,
        /// Whether the log is told.
        note: bool,
    },
    /// Not now, and nothing is wrong.
    Nothing,
    /// So many milliseconds must go by first.
    Pause(u64),
    /// There is no camera.
    Lost(Loss),
    /// There will be none any more.
    End,
}

/// A camera that is not there.
pub(super) struct Loss {
    /// Why.
    pub(super) error: CameraError,
    /// Tries to open it again since it was lost.
    pub(super) tries: usize,
    /// After how many milliseconds it is tried again; `None`: never.
    pub(super) retry_ms: Option<u64>,
    /// Whether frames came until now.
    pub(super) is_first: bool,
    /// Whether the log is told.
    pub(super) note: bool,
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

    /// Puts the next frame into `out`.
    ///
    /// # Errors
    /// When one frame is damaged, or a replay fails.
    pub(super) fn next(&mut self, out: &mut RgbImage, now: Millis) -> Result<Watched, Error> {
        match self.ladder.pause_ms(now) {
            0 => {}
            ms => return Ok(Watched::Pause(ms)),
        }
        match self.frames.next(out, now) {
            Ok(Next::Frame) => Ok(self.came(now)),
            Ok(Next::Unsettled) => Ok(Watched::Nothing),
            Ok(Next::End) => Ok(Watched::End),
            Err(Error::Camera(error)) if self.frames.is_of_camera() && error.kind() != ErrorKind::Frame => {
                Ok(Watched::Lost(self.lost(error, now)))
            }
            Err(error) => Err(error),
        }
    }

    fn came(&mut self, now: Millis) -> Watched {
        let (ladder, action) = climb(&self.ladder, Event::Frame, now);
        self.ladder = ladder;
        match action {
            Action::Return { away_ms, note } => Watched::Returned { away_ms, note },
            _ => Watched::Frame,
        }
    }

    fn lost(&mut self, error: CameraError, now: Millis) -> Loss {
        let event = if error.kind() == ErrorKind::Setup { Event::Refused } else { Event::Lost };
        let tries = self.ladder.tries();
        let (ladder, action) = climb(&self.ladder, event, now);
        self.ladder = ladder;
        let (retry_ms, is_first, note) = match action {
            Action::Retry { pause_ms, is_first, note } => (Some(pause_ms), is_first, note),
            Action::End { note } => (None, false, note),
            // Of frames alone.
            Action::Use | Action::Return { .. } => (None, false, false),
        };
        Loss { error, tries, retry_ms, is_first, note }
    }
}

/// What the log says of it.
pub(super) const fn fault(error: &CameraError) -> CameraFault {
    match error {
        CameraError::Gone { .. } => CameraFault::Gone,
        CameraError::Stalled { .. } => CameraFault::Stalled,
        CameraError::Open { .. } | CameraError::NotACamera(_) | CameraError::NoFormat { .. } => {
            CameraFault::NotOpened
        }
        _ => CameraFault::Failed,
    }
}
