//! Pixels: bounded decoding of JPEG and PNG, camera formats, resizing, and RGB images to hold them.
//!
//! Everything that comes from outside is checked against [`ImageLimits`] before memory is set aside.

#![forbid(unsafe_code)]

mod convert;
mod decode;
mod error;
mod exif;
mod image;
mod jpeg;
mod limits;
mod orientation;
mod png;
mod raw;
mod resize;
mod segment;

pub use convert::Converter;
pub use decode::{decode, read_image};
pub use error::FrameError;
pub use image::{RgbImage, RgbView};
pub use jpeg::MAX_SCANS;
pub use limits::ImageLimits;
pub use orientation::{Orientation, Turn};
pub use png::{encode_png, write_png};
pub use raw::{PixelFormat, RawFrame};
pub use resize::{Resizer, WidePixel};
