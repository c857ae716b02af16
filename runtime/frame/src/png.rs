//! PNG, in and out.

use std::io::Cursor;
use std::path::Path;

use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Limits, Transformations};

use crate::error::FrameError;
use crate::exif;
use crate::image::{CHANNELS, RgbImage, RgbView};
use crate::limits::ImageLimits;

/// What every PNG begins with.
pub(crate) const MAGIC: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Memory for chunks beside the image, in bytes: an EXIF block with a preview fits.
const MAX_CHUNKS: usize = 16 << 20;

/// Decodes any colour type to RGB, turned as its EXIF block says; alpha is dropped, 16 bits become 8.
pub(crate) fn decode(bytes: &[u8], limits: &ImageLimits, out: &mut RgbImage) -> Result<(), FrameError> {
    let damaged = |cause: png::DecodingError| FrameError::Png(cause.to_string());
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: MAX_CHUNKS });
    // A few bytes of these grow to hundreds of megabytes when they are unpacked.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let (width, height) = decoder.read_header_info().map_err(damaged)?.size();
    let (width, height) = limits.check(u64::from(width), u64::from(height))?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (color, _) = reader.output_color_type();
    out.reshape(width, height);
    if color == ColorType::Rgb {
        reader.next_frame(out.data_mut()).map_err(damaged)?;
    } else {
        let mut samples = vec![0; width as usize * height as usize * color.samples()];
        reader.next_frame(&mut samples).map_err(damaged)?;
        widen(&samples, color, out);
    }
    drop(reader);
    if let Some(block) = exif_block(bytes) {
        exif::orientation(block).apply(out, &mut RgbImage::new());
    }
    Ok(())
}

/// Grey to three channels, and colours without their alpha.
fn widen(samples: &[u8], color: ColorType, out: &mut RgbImage) {
    let pixels = samples.chunks_exact(color.samples()).zip(out.data_mut().chunks_exact_mut(CHANNELS));
    for (from, to) in pixels {
        match from {
            [r, g, b, ..] => to.copy_from_slice(&[*r, *g, *b]),
            [grey, ..] => to.fill(*grey),
            [] => {}
        }
    }
}

/// The chunk `eXIf` (PNG 3, section 11.3.4.5). It may stand behind the image, which the decoder does not read
/// on to.
fn exif_block(png: &[u8]) -> Option<&[u8]> {
    let mut rest = png.strip_prefix(&MAGIC)?;
    loop {
        let (length, tail) = rest.split_first_chunk()?;
        let (kind, tail) = tail.split_first_chunk::<4>()?;
        let (data, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        if kind == b"eXIf" {
            return Some(data);
        }
        // Nothing behind the end is part of the image.
        if kind == b"IEND" {
            return None;
        }
        // The checksum.
        rest = tail.get(4..)?;
    }
}

/// The bytes of a PNG file.
///
/// # Errors
/// When the image is empty.
pub fn encode_png(view: RgbView<'_>) -> Result<Vec<u8>, FrameError> {
    let failed = |cause: png::EncodingError| FrameError::Png(cause.to_string());
    let packed: Vec<u8> = (0..view.height()).flat_map(|y| view.row(y)).copied().collect();
    let mut encoded = Vec::new();
    let mut encoder = Encoder::new(&mut encoded, view.width(), view.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&packed).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(encoded)
}

/// Writes an image to a PNG file; what the file held before is replaced.
///
/// # Errors
/// When the file cannot be written or the image is empty.
pub fn write_png(path: &Path, view: RgbView<'_>) -> Result<(), FrameError> {
    std::fs::write(path, encode_png(view)?)
        .map_err(|cause| FrameError::File { path: path.to_path_buf(), cause })
}
