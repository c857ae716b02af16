//! What cameras deliver, to RGB.

use yuv::{
    YuvBiPlanarImage, YuvConversionMode, YuvPackedImage, YuvRange, YuvStandardMatrix, yuv_nv12_to_rgb,
    yuyv422_to_rgb,
};

use crate::error::FrameError;
use crate::image::{CHANNELS, RgbImage, RgbView};
use crate::jpeg;
use crate::limits::ImageLimits;

/// How a camera's bytes are to be read. YUV formats are BT.601 with limited range, which is what the
/// USB video class prescribes where a camera says nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// R, G, B, 8 bits each.
    Rgb8,
    /// B, G, R, 8 bits each.
    Bgr8,
    /// Y0 U Y1 V: 4:2:2 packed, 16 bits a pixel, even width.
    Yuyv,
    /// A plane of Y, then one of U and V for 2 x 2 pixels with the same stride; even width and height.
    Nv12,
    /// 8 bits of luminance.
    Grey,
    /// A JPEG image, with or without Huffman tables.
    Mjpeg,
}

/// One frame as it came from a camera.
#[derive(Debug, Clone, Copy)]
pub struct RawFrame<'a> {
    /// How to read the bytes.
    pub format: PixelFormat,
    /// Width in pixels; for MJPEG what was agreed with the camera.
    pub width: u32,
    /// Height in pixels; for MJPEG what was agreed with the camera.
    pub height: u32,
    /// Bytes from row to row; without meaning for MJPEG.
    pub stride: usize,
    /// The bytes; there may be more than the frame needs.
    pub data: &'a [u8],
}

impl RawFrame<'_> {
    fn shape_error(&self) -> FrameError {
        let Self { width, height, stride, data, .. } = *self;
        FrameError::Shape { width, height, stride, bytes: data.len() }
    }

    /// Checks that `rows` rows of `row` bytes, `stride` bytes apart, lie within the data.
    fn check(&self, row: usize, rows: usize) -> Result<(), FrameError> {
        let needed = rows.checked_sub(1).and_then(|before| before.checked_mul(self.stride)?.checked_add(row));
        let fits = row > 0 && row <= self.stride && needed.is_some_and(|needed| needed <= self.data.len());
        if fits { Ok(()) } else { Err(self.shape_error()) }
    }

    fn stride_u32(&self) -> Result<u32, FrameError> {
        u32::try_from(self.stride).map_err(|_| self.shape_error())
    }
}

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
            PixelFormat::Yuyv => yuyv(raw, out),
            PixelFormat::Nv12 => nv12(raw, out),
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

fn yuyv(raw: &RawFrame<'_>, out: &mut RgbImage) -> Result<(), FrameError> {
    let (width, height) = (raw.width, raw.height);
    if !width.is_multiple_of(2) {
        return Err(FrameError::Odd { format: "YUYV", width, height, also_height: "" });
    }
    raw.check(width as usize * 2, height as usize)?;
    out.reshape(width, height);
    let image = YuvPackedImage { yuy: raw.data, yuy_stride: raw.stride_u32()?, width, height };
    let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt601);
    yuyv422_to_rgb(&image, out.data_mut(), width * 3, range, matrix).map_err(|_| raw.shape_error())
}

fn nv12(raw: &RawFrame<'_>, out: &mut RgbImage) -> Result<(), FrameError> {
    let (width, height) = (raw.width, raw.height);
    if !width.is_multiple_of(2) || !height.is_multiple_of(2) {
        return Err(FrameError::Odd { format: "NV12", width, height, also_height: " and height" });
    }
    raw.check(width as usize, height as usize / 2 * 3)?;
    out.reshape(width, height);
    let stride = raw.stride_u32()?;
    let (y_plane, uv_plane) = raw.data.split_at(raw.stride * height as usize);
    let image = YuvBiPlanarImage { y_plane, y_stride: stride, uv_plane, uv_stride: stride, width, height };
    let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt601);
    yuv_nv12_to_rgb(&image, out.data_mut(), width * 3, range, matrix, YuvConversionMode::Balanced)
        .map_err(|_| raw.shape_error())
}
