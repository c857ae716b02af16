//! Encoded images.

use std::path::Path;

use arcdoor_core::file::{ReadError, read_bounded};

use crate::error::FrameError;
use crate::image::RgbImage;
use crate::limits::ImageLimits;
use crate::{jpeg, png};

const JPEG_MAGIC: [u8; 3] = [0xff, 0xd8, 0xff];

/// Decodes a JPEG or PNG, told apart by their first bytes, and turns it the right way up. That takes at most 256 MiB
/// for up to 16 megapixels, and 12 bytes a pixel above, `out` among them and `bytes` not.
///
/// # Errors
/// When the bytes are too many, neither format, damaged, cut off, or the header asks for more than `limits`
/// (found before memory is set aside). `out` is unspecified then.
pub fn decode(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    limits.check_bytes(bytes.len())?;
    if bytes.starts_with(&JPEG_MAGIC) {
        jpeg::decode_photo(bytes, limits, out)
    } else if bytes.starts_with(&png::MAGIC) {
        png::decode(bytes, limits, out)
    } else {
        Err(FrameError::UnknownFormat)
    }
}

/// Reads and decodes a file.
///
/// # Errors
/// As [`decode`]; also when the path is no regular file (a pipe would wait for ever) or unreadable.
pub fn read_image(path: &Path, limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    let bytes = read_bounded(path, limits.max_bytes as u64).map_err(|error| match error {
        ReadError::Io(cause) => FrameError::File { path: path.to_path_buf(), cause },
        ReadError::NotAFile => FrameError::NotAFile(path.to_path_buf()),
        ReadError::TooLarge { .. } => FrameError::TooManyBytes { limit: limits.max_bytes },
    })?;
    decode(&bytes, limits, out)
}
