//! A frame as it comes from a camera.

use crate::error::FrameError;
use crate::image::CHANNELS;

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
    /// U Y0 V Y1: as [`PixelFormat::Yuyv`], in another order.
    Uyvy,
    /// A plane of Y, then one of U and V for 2 x 2 pixels with the same stride; even width and height.
    Nv12,
    /// A plane of Y, one of U and one of V for 2 x 2 pixels, each of the two with half the stride; even width, height
    /// and stride. Also called I420.
    Yu12,
    /// As [`PixelFormat::Yu12`], with V before U.
    Yv12,
    /// 8 bits of luminance.
    Grey,
    /// A JPEG image, with or without Huffman tables.
    Mjpeg,
}

impl PixelFormat {
    /// Bytes of a row of the first plane without padding, the least stride; 0 for MJPEG, which has no rows.
    #[must_use]
    pub const fn row_bytes(self, width: u32) -> usize {
        let width = width as usize;
        match self {
            Self::Rgb8 | Self::Bgr8 => width * CHANNELS,
            Self::Yuyv | Self::Uyvy => width * 2,
            Self::Nv12 | Self::Yu12 | Self::Yv12 | Self::Grey => width,
            Self::Mjpeg => 0,
        }
    }
}

/// One frame as it came from a camera.
#[derive(Debug, Clone, Copy)]
pub struct RawFrame<'a> {
    /// How to read the bytes.
    pub format: PixelFormat,
    /// Pixels; for MJPEG what was agreed with the camera.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Bytes from row to row, of the first plane where there are several; without meaning for MJPEG.
    pub stride: usize,
    /// The bytes; there may be more than the frame needs.
    pub data: &'a [u8],
}

impl RawFrame<'_> {
    pub(crate) fn shape_error(&self) -> FrameError {
        let Self { width, height, stride, data, .. } = *self;
        FrameError::Shape { width, height, stride, bytes: data.len() }
    }

    /// That `rows` rows of `row` bytes lie within the data.
    pub(crate) fn check(&self, row: usize, rows: usize) -> Result<(), FrameError> {
        let needed = rows.checked_sub(1).and_then(|before| before.checked_mul(self.stride)?.checked_add(row));
        let fits = row > 0 && row <= self.stride && needed.is_some_and(|needed| needed <= self.data.len());
        if fits { Ok(()) } else { Err(self.shape_error()) }
    }

    /// That the sides are even, both or the width alone.
    pub(crate) fn check_even(&self, format: &'static str, both: bool) -> Result<(), FrameError> {
        let Self { width, height, .. } = *self;
        if width.is_multiple_of(2) && (!both || height.is_multiple_of(2)) {
            return Ok(());
        }
        Err(FrameError::Odd { format, width, height, also_height: if both { " and height" } else { "" } })
    }

    /// `bytes` from one row to the next, as a number that the conversion takes.
    pub(crate) fn stride_u32(&self, bytes: usize) -> Result<u32, FrameError> {
        u32::try_from(bytes).map_err(|_| self.shape_error())
    }
}
