//! Frames from V4L2 cameras, files and folders.
//!
//! [`open`] gives a live camera: our own V4L2 capture behind nokhwa's backend trait, so that any other
//! backend of nokhwa's fits in its place, or a pipe from `rpicam-vid` ([`Rpicam`]), since the Raspberry Pi's ribbon cameras
//! deliver through libcamera alone. [`Replay`] reads photos from files. All are a [`Source`].
//! nokhwa knows no stride and few formats, and its errors are texts; ours go around it, so that padded rows and planes
//! are read right, and that a stall, an unplugged camera and a damaged frame
//! reach the caller as different variants of [`CameraError`], whose [`kind`](CameraError::kind) says what helps.

mod error;
mod last_error;
mod layout;
mod live;
mod replay;
#[cfg(target_os = "linux")]
mod rpicam;
mod settling;
mod source;
#[cfg(target_os = "linux")]
pub mod v4l2;

pub use error::{CameraError, ErrorKind};
pub use live::{Live, open};
pub use replay::Replay;
#[cfg(target_os = "linux")]
pub use rpicam::Rpicam;
pub use settling::{MOST_FRAMES, MOST_MS, Settling, Tone};
pub use source::Source;
