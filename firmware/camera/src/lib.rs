//! Frames from V4L2 cameras, files and folders.
//!
//! [`open`] gives a live camera: our own V4L2 capture behind nokhwa's backend trait, so that any other
//! backend of nokhwa's fits in its place. [`Replay`] reads photos from files. Both are a [`Source`].
//! nokhwa knows no stride and few formats, and its errors are texts; ours go around it, so that padded rows and planes
//! are read right, and that a stall, an unplugged camera and a damaged frame
//! reach the caller as different variants of [`CameraError`], whose [`kind`](CameraError::kind) says what helps.

mod error;
mod last_error;
mod layout;
mod live;
mod replay;
mod settling;
mod source;
#[cfg(target_os = "linux")]
pub mod v4l2;

pub use error::{CameraError, ErrorKind};
pub use live::{Live, open};
pub use replay::Replay;
pub use settling::{MOST_FRAMES, MOST_MS, Settling, Tone};
pub use source::Source;
