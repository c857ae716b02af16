//! PNG, in and out.

use std::io::Cursor;
use std::path::Path;

use image::codecs::png::PngDecoder;
use image::{ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, Limits};

use crate::error::FrameError;
use crate::image::{RgbImage, RgbView};
use crate::limits::ImageLimits;

/// Bytes of the widest pixel: four channels of 16 bits.
const MAX_PIXEL_BYTES: u64 = 8;

/// Decodes any colour type to RGB; alpha is dropped.
pub(crate) fn decode(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    let damaged = |cause: image::ImageError| FrameError::Png(cause.to_string());
    let mut bounds = Limits::no_limits();
    bounds.max_alloc = Some(limits.max_pixels.saturating_mul(2 * MAX_PIXEL_BYTES));
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), bounds).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = limits.check(u64::from(width), u64::from(height))?;
    if decoder.color_type() == ColorType::Rgb8 {
        out.reshape(width, height);
        return decoder.read_image(out.data_mut()).map_err(damaged);
    }
    let rgb = DynamicImage::from_decoder(decoder).map_err(damaged)?.into_rgb8();
    out.reshape(width, height);
    out.data_mut().copy_from_slice(rgb.as_raw());
    Ok(())
}

/// The bytes of a PNG file.
///
/// # Errors
/// When the picture is empty.
pub fn encode_png(view: RgbView<'_>) -> Result<Vec<u8>, FrameError> {
    let packed: Vec<u8> = (0..view.height()).flat_map(|y| view.row(y)).copied().collect();
    let (width, height) = (view.width(), view.height());
    let mut encoded = Vec::new();
    image::write_buffer_with_format(
        &mut Cursor::new(&mut encoded),
        &packed,
        width,
        height,
        ExtendedColorType::Rgb8,
        ImageFormat::Png,
    )
    .map_err(|cause| FrameError::Png(cause.to_string()))?;
    Ok(encoded)
}

/// Writes a picture as PNG, whatever the file held.
///
/// # Errors
/// When the file cannot be written or the picture is empty.
pub fn write_png(path: &Path, view: RgbView<'_>) -> Result<(), FrameError> {
    std::fs::write(path, encode_png(view)?)
        .map_err(|cause| FrameError::File { path: path.to_path_buf(), cause })
}
