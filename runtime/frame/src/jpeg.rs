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

/// Start of image.
const SOI: [u8; 2] = [0xff, 0xd8];
/// The APP0 segment of motion JPEG in AVI files (Microsoft's DIB format for JPEG). It tells a decoder to
/// take the tables of ITU-T T.81, K.3 to K.6, wherever the picture brings none, as many cameras do.
const AVI1: [u8; 9] = *b"\xff\xe0\x00\x07AVI1\x00";

/// Copies a camera's JPEG and marks it as motion JPEG, so that missing Huffman tables are no error.
pub(crate) fn with_standard_tables(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let rest = bytes.strip_prefix(&SOI).ok_or(FrameError::UnknownFormat)?;
    out.clear();
    out.extend_from_slice(&SOI);
    out.extend_from_slice(&AVI1);
    out.extend_from_slice(rest);
    Ok(())
}

/// Whether the bytes reach the picture's end. Without it, the decoder makes up the rest of the picture.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = SOI.len();
    loop {
        // Stuffed zeros, fill bytes and restarts belong to the picture's data.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 1 | 0xd0..=0xd7 | 0xff);
        let Some(found) = bytes.get(at..).and_then(|rest| rest.windows(2).position(is_marker)) else {
            return false;
        };
        match bytes.get(at + found + 1..) {
            Some([0xd9, ..]) => return true,
            Some([_, high, low, ..]) => at += found + 2 + usize::from(u16::from_be_bytes([*high, *low])),
            _ => return false,
        }
    }
}

/// Decodes a JPEG to RGB, turned as its EXIF block says.
pub(crate) fn decode(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    // Crafted files make the decoder panic (the fuzz corpus has some): to us they are damaged files.
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
