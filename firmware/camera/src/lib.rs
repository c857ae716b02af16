//! Frames from V4L2 cameras, files and folders.
//!
//! [`open`] gives a live camera: our own V4L2 capture behind nokhwa's backend trait, so that any other
//! backend of nokhwa's fits in its place. [`Replay`] reads pictures from files. Both are a [`Source`].

mod error;
mod live;
mod replay;
mod source;
#[cfg(target_os = "linux")]
pub mod v4l2;

pub use error::CameraError;
pub use live::{Live, open};
pub use replay::Replay;
pub use source::Source;
