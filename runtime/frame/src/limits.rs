//! How large an image may be.

use crate::error::FrameError;

/// Bounds on what is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Bytes of the encoded file.
    pub max_bytes: usize,
    /// Pixels of the longer side.
    pub max_side: u32,
    /// Pixels in all.
    pub max_pixels: u64,
}

impl Default for ImageLimits {
    /// What telephones take: up to 50 megapixels, 64 MiB, 16,384 a side.
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_side: 16_384, max_pixels: 50_000_000 }
    }
}

impl ImageLimits {
    pub(crate) fn check(&self, width: u64, height: u64) -> Result<(u32, u32), FrameError> {
        let pixels = width.checked_mul(height);
        let fits = width.max(height) <= u64::from(self.max_side)
            && pixels.is_some_and(|pixels| (1..=self.max_pixels).contains(&pixels));
        match (u32::try_from(width), u32::try_from(height)) {
            (Ok(w), Ok(h)) if fits => Ok((w, h)),
            _ => Err(FrameError::TooLarge {
                width,
                height,
                max_side: self.max_side,
                max_pixels: self.max_pixels,
            }),
        }
    }

    pub(crate) fn check_bytes(&self, bytes: usize) -> Result<(), FrameError> {
        if bytes > self.max_bytes { Err(FrameError::TooManyBytes { limit: self.max_bytes }) } else { Ok(()) }
    }
}
