//! The Raspberry Pi's ribbon cameras: frames out of a pipe from `rpicam-vid`, which drives libcamera.

mod frame;
mod held;
mod mode;
mod pipe;
mod source;

pub(crate) use mode::Mode;
pub use source::Rpicam;
