//! Where frames come from.

use arcdoor_frame::RgbImage;

use crate::error::CameraError;

/// A row of frames.
pub trait Source {
    /// Puts the next frame into `out`; of a camera the newest one. `false` at the end of a replay.
    ///
    /// # Errors
    /// When no frame comes in time, the device is gone or a picture cannot be read. The next call goes on
    /// behind a picture that failed; a camera is opened anew first.
    fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError>;
}
