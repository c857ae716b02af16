//! The way of a frame's layout around nokhwa.

use std::cell::Cell;
use std::rc::Rc;

use arcdoor_frame::PixelFormat;

/// How the bytes of a frame lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) format: PixelFormat,
    /// Pixels.
    pub(crate) width: u32,
    /// Pixels.
    pub(crate) height: u32,
    /// Bytes from row to row of the first plane; 0 for MJPEG.
    pub(crate) stride: usize,
}

/// The layout that a capture of ours agreed on with its driver. nokhwa knows no stride and names few formats, so the
/// capture keeps the layout itself here, and [`Live`](crate::Live), which shares this place with it, reads it from here.
#[derive(Debug, Clone, Default)]
pub(crate) struct AgreedLayout(Rc<Cell<Option<Layout>>>);

impl AgreedLayout {
    /// Keeps what was agreed on last.
    #[cfg(target_os = "linux")]
    pub(crate) fn keep(&self, layout: Layout) {
        self.0.set(Some(layout));
    }

    /// What was agreed on last; of a capture that keeps none, `None`.
    pub(crate) fn get(&self) -> Option<Layout> {
        self.0.get()
    }
}
