//! What the backend needs of an open camera; tests put one without a kernel in its place.

use super::format::{Mode, Wanted};
use super::stream::Queue;
use crate::error::CameraError;

/// An open camera.
pub(super) trait Driver: std::fmt::Debug {
    /// The device file.
    fn path(&self) -> &str;

    /// Every format that can be converted, with each of its sizes and rates; of sizes given as a range, the
    /// one nearest to `wanted`. Of the other formats, the name alone.
    fn modes(&self, wanted: Wanted) -> Result<Vec<Mode>, CameraError>;

    /// Sets format and rate, and asks for so many bytes from row to row (0: as the driver likes); returns what the
    /// driver made of them.
    fn set(&self, mode: &Mode, stride: u32) -> Result<(Mode, usize), CameraError>;

    /// Starts the flow of frames, which lasts until the queue is dropped.
    fn start(&self) -> Result<Box<dyn Queue>, CameraError>;
}
