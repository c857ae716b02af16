//! Where frames come from.

use arcdoor_frame::RgbImage;

use crate::error::CameraError;

/// Gives frames, one after the other.
pub trait Source {
    /// Puts the next frame into `out`; of a camera the newest one. `false` at the end of a replay.
    ///
    /// # Errors
    /// [`CameraError::Stalled`] when no frame came in time, [`CameraError::Gone`] when the device vanished,
    /// [`CameraError::Frame`] or [`CameraError::Photo`] when this one frame is damaged; what is in `out` is
    /// then not to be used. [`CameraError::kind`] says how to go on: after a damaged frame, call again; after a
    /// camera's failure, open a new source (a camera that stalled may also be asked again).
    fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError>;
}
