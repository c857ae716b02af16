//! How an error of ours gets past nokhwa, whose own errors are texts.

use std::cell::RefCell;
use std::rc::Rc;

use nokhwa::NokhwaError;

use crate::error::CameraError;

/// The last error of a capture of ours. nokhwa's trait passes errors on as texts, so the capture keeps the error
/// itself here, and [`Live`](crate::Live), which shares this place with it, takes it from here.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastError(Rc<RefCell<Option<CameraError>>>);

impl LastError {
    /// Keeps an error; returns the text for nokhwa.
    #[cfg(target_os = "linux")]
    pub(crate) fn keep(&self, error: CameraError) -> String {
        let text = error.to_string();
        self.0.replace(Some(error));
        text
    }

    /// The error that was kept behind nokhwa's `said`; where none was kept, `said` itself.
    pub(crate) fn take(&self, said: NokhwaError) -> CameraError {
        self.0.take().unwrap_or(CameraError::Backend(said))
    }
}
