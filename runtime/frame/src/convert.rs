//! What cameras deliver, to RGB.

use yuv::{
    YuvBiPlanarImage, YuvConversionMode, YuvError, YuvPackedImage, YuvPlanarImage, YuvRange,
    YuvStandardMatrix, uyvy422_to_rgb, yuv_nv12_to_rgb, yuv420_to_rgb, yuyv422_to_rgb,
};

use crate::error::FrameError;
use crate::image::{CHANNELS, RgbImage, RgbView};
use crate::jpeg;
use crate::limits::ImageLimits;
use crate::raw::{PixelFormat, RawFrame};

/// See [`PixelFormat`].
const RANGE: YuvRange = YuvRange::Limited;
const MATRIX: YuvStandardMatrix = YuvStandardMatrix::Bt601;

/// A conversion of the library's.
type FromPairs =
    fn(&YuvPackedImage<'_, u8>, &mut [u8], u32, YuvRange, YuvStandardMatrix) -> Result<(), YuvError>;

/// Converts camera frames; keeps its scratch memory between frames.
#[derive(Debug, Default)]
pub struct Converter {
    limits: ImageLimits,
    with_tables: Vec<u8>,
}

impl Converter {
    /// A converter for frames within `limits`.
    #[must_use]
    pub const fn new(limits: ImageLimits) -> Self {
        Self { limits, with_tables: Vec::new() }
    }

    /// Converts one frame; `out` takes its size. Allocates only to grow (a JPEG decoder needs more).
    ///
    /// # Errors
    /// When the bytes are too few, a side is 0, odd where the format has pairs, or beyond the limits, or
    /// the JPEG is damaged or not of the size agreed. `out` is unspecified then.
    pub fn to_rgb(&mut self, raw: &RawFrame<'_>, out: &mut RgbImage) -> Result<(), FrameError> {
        self.limits.check(u64::from(raw.width), u64::from(raw.height))?;
        match raw.format {
            PixelFormat::Rgb8 => packed(raw, out, |rgb| rgb),
            PixelFormat::Bgr8 => packed(raw, out, |[b, g, r]| [r, g, b]),
            PixelFormat::Yuyv => pairs(raw, "YUYV", yuyv422_to_rgb, out),
            PixelFormat::Uyvy => pairs(raw, "UYVY", uyvy422_to_rgb, out),
            PixelFormat::Nv12 => nv12(raw, out),
            PixelFormat::Yu12 => planes(raw, "YU12", |planes| planes, out),
            PixelFormat::Yv12 => planes(raw, "YV12", |[v, u]| [u, v], out),
            PixelFormat::Grey => grey(raw, out),
            PixelFormat::Mjpeg => self.mjpeg(raw, out),
        }
    }

    /// Decodes motion JPEG. Many cameras leave out the end of a frame: that is no error here, the quality of what
    /// came is judged later.
    fn mjpeg(&mut self, raw: &RawFrame<'_>, out: &mut RgbImage) -> Result<(), FrameError> {
        self.limits.check_bytes(raw.data.len())?;
        jpeg::with_standard_tables(raw.data, &mut self.with_tables)?;
        jpeg::decode(&self.with_tables, &self.limits, out)?;
        if (out.width(), out.height()) == (raw.width, raw.height) { Ok(()) } else { Err(raw.shape_error()) }
    }
}

fn packed(raw: &RawFrame<'_>, out: &mut RgbImage, order: fn([u8; 3]) -> [u8; 3]) -> Result<(), FrameError> {
    let view = RgbView::new(raw.data, raw.width, raw.height, raw.stride)?;
    out.reshape(raw.width, raw.height);
    for (y, row) in (0..raw.height).zip(out.data_mut().chunks_exact_mut(raw.width as usize * CHANNELS)) {
        for (to, from) in row.chunks_exact_mut(CHANNELS).zip(view.row(y).chunks_exact(CHANNELS)) {
            to.copy_from_slice(&order([from[0], from[1], from[2]]));
        }
    }
    Ok(())
}

fn grey(raw: &RawFrame<'_>, out: &mut RgbImage) -> Result<(), FrameError> {
    let width = raw.width as usize;
    raw.check(width, raw.height as usize)?;
    out.reshape(raw.width, raw.height);
    for (row, from) in out.data_mut().chunks_exact_mut(width * CHANNELS).zip(raw.data.chunks(raw.stride)) {
        for (to, &luminance) in row.chunks_exact_mut(CHANNELS).zip(from) {
            to.fill(luminance);
        }
    }
    Ok(())
}

/// Pairs of pixels that share their colour, in one plane.
fn pairs(
    raw: &RawFrame<'_>,
    format: &'static str,
    convert: FromPairs,
    out: &mut RgbImage,
) -> Result<(), FrameError> {
    let (width, height) = (raw.width, raw.height);
    raw.check_even(format, false)?;
    raw.check(raw.format.row_bytes(width), height as usize)?;
    // The library wants no byte less or more; a driver's last row has its padding, and a buffer may go on behind it.
    let whole = raw.stride.checked_mul(height as usize);
    let yuy = whole.and_then(|whole| raw.data.get(..whole)).ok_or_else(|| raw.shape_error())?;
    out.reshape(width, height);
    let image = YuvPackedImage { yuy, yuy_stride: raw.stride_u32(raw.stride)?, width, height };
    convert(&image, out.data_mut(), width * 3, RANGE, MATRIX).map_err(|_| raw.shape_error())
}

fn nv12(raw: &RawFrame<'_>, out: &mut RgbImage) -> Result<(), FrameError> {
    let (width, height) = (raw.width, raw.height);
    raw.check_even("NV12", true)?;
    raw.check(width as usize, height as usize / 2 * 3)?;
    out.reshape(width, height);
    let stride = raw.stride_u32(raw.stride)?;
    let (y_plane, uv_plane) = raw.data.split_at(raw.stride * height as usize);
    let image = YuvBiPlanarImage { y_plane, y_stride: stride, uv_plane, uv_stride: stride, width, height };
    yuv_nv12_to_rgb(&image, out.data_mut(), width * 3, RANGE, MATRIX, YuvConversionMode::Balanced)
        .map_err(|_| raw.shape_error())
}

/// Three planes; `order` puts the second and the third in the order U, V.
fn planes<'a>(
    raw: &RawFrame<'a>,
    format: &'static str,
    order: fn([&'a [u8]; 2]) -> [&'a [u8]; 2],
    out: &mut RgbImage,
) -> Result<(), FrameError> {
    let (width, height) = (raw.width, raw.height);
    raw.check_even(format, true)?;
    // Half of an odd stride is none, and V4L2 says half.
    if !raw.stride.is_multiple_of(2) || raw.stride < width as usize {
        return Err(raw.shape_error());
    }
    let (half, rows) = (raw.stride / 2, height as usize / 2);
    let short = || raw.shape_error();
    let luma = raw.stride.checked_mul(height as usize).ok_or_else(short)?;
    let (y_plane, rest) = raw.data.split_at_checked(luma).ok_or_else(short)?;
    let (second, third) = rest.split_at_checked(half * rows).ok_or_else(short)?;
    // The last row may lack its padding.
    if third.len() < half * (rows - 1) + width as usize / 2 {
        return Err(raw.shape_error());
    }
    out.reshape(width, height);
    let ([u_plane, v_plane], stride) = (order([second, third]), raw.stride_u32(half)?);
    let y_stride = raw.stride_u32(raw.stride)?;
    let image = YuvPlanarImage {
        y_plane,
        y_stride,
        u_plane,
        u_stride: stride,
        v_plane,
        v_stride: stride,
        width,
        height,
    };
    yuv420_to_rgb(&image, out.data_mut(), width * 3, RANGE, MATRIX).map_err(|_| raw.shape_error())
}
