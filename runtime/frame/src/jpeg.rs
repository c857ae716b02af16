//! JPEG, and the motion JPEG of cameras.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::error::FrameError;
use crate::exif;
use crate::image::RgbImage;
use crate::limits::ImageLimits;

/// Decodes a JPEG to RGB, turned as its EXIF block says.
pub(crate) fn decode(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    // The decoder is well fuzzed; should a crafted file still make it panic, it is a damaged file.
    catch_unwind(AssertUnwindSafe(|| decode_inner(bytes, limits, out)))
        .unwrap_or_else(|_| Err(FrameError::Jpeg("the decoder gave up on it".to_owned())))
}

fn decode_inner(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    let damaged = |cause: zune_jpeg::errors::DecodeErrors| FrameError::Jpeg(cause.to_string());
    let options = DecoderOptions::new_fast()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().unwrap_or((0, 0));
    let (width, height) = limits.check(width as u64, height as u64)?;
    out.reshape(width, height);
    decoder.decode_into(out.data_mut()).map_err(damaged)?;
    if let Some(block) = decoder.exif() {
        exif::apply(exif::orientation(block), out, &mut RgbImage::new());
    }
    Ok(())
}
