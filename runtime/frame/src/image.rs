//! RGB images: a checked view and an owned, reusable buffer.

use crate::error::FrameError;

/// Bytes of a pixel.
pub(crate) const CHANNELS: usize = 3;

/// An image in somebody else's memory: 8-bit R, G, B interleaved, rows `stride` bytes apart.
#[derive(Debug, Clone, Copy)]
pub struct RgbView<'a> {
    data: &'a [u8],
    width: u32,
    height: u32,
    stride: usize,
}

impl<'a> RgbView<'a> {
    /// Checks that `data` holds `height` rows of `width` pixels.
    ///
    /// # Errors
    /// When a side is 0, a row longer than `stride`, or the data too short.
    pub fn new(data: &'a [u8], width: u32, height: u32, stride: usize) -> Result<Self, FrameError> {
        let wrong = FrameError::Shape { width, height, stride, bytes: data.len() };
        let row = (width as usize).checked_mul(CHANNELS);
        let needed = row.and_then(|row| {
            let before = stride.checked_mul((height as usize).checked_sub(1)?)?;
            before.checked_add(row).filter(|_| row > 0 && row <= stride)
        });
        match needed {
            Some(needed) if needed <= data.len() => Ok(Self { data, width, height, stride }),
            _ => Err(wrong),
        }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// Bytes from row to row.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// The bytes from the first pixel on, rows `stride` bytes apart; more may follow the last row.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Row `y`: `width` pixels.
    ///
    /// # Panics
    /// When `y` is not below the height.
    #[must_use]
    pub fn row(&self, y: u32) -> &'a [u8] {
        assert!(y < self.height, "row {y} of {}", self.height);
        let start = y as usize * self.stride;
        &self.data[start..start + self.width as usize * CHANNELS]
    }

    /// R, G, B at column `x` of row `y`.
    ///
    /// # Panics
    /// When the pixel lies outside.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = x as usize * CHANNELS;
        let row = self.row(y);
        [row[at], row[at + 1], row[at + 2]]
    }

    /// The part that starts at (`x`, `y`); `None` where it is empty or reaches outside.
    #[must_use]
    pub fn crop(&self, x: u32, y: u32, width: u32, height: u32) -> Option<Self> {
        let inside = width > 0
            && height > 0
            && x.checked_add(width)? <= self.width
            && y.checked_add(height)? <= self.height;
        let start = y as usize * self.stride + x as usize * CHANNELS;
        inside.then(|| Self { data: &self.data[start..], width, height, stride: self.stride })
    }
}

/// An image that owns its pixels, without gaps between rows, and keeps its memory when reshaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RgbImage {
    data: Vec<u8>,
    width: u32,
    height: u32,
}

impl RgbImage {
    /// An empty image: 0 x 0.
    #[must_use]
    pub const fn new() -> Self {
        Self { data: Vec::new(), width: 0, height: 0 }
    }

    /// A black image of `width` x `height` pixels.
    #[must_use]
    pub fn with_size(width: u32, height: u32) -> Self {
        let mut image = Self::new();
        image.reshape(width, height);
        image
    }

    /// Changes the size; what the pixels hold then is unspecified. Allocates only to grow.
    pub fn reshape(&mut self, width: u32, height: u32) {
        self.data.resize(width as usize * height as usize * CHANNELS, 0);
        (self.width, self.height) = (width, height);
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The image as a view; of an empty image, an empty view.
    #[must_use]
    pub fn view(&self) -> RgbView<'_> {
        let stride = self.width as usize * CHANNELS;
        RgbView { data: &self.data, width: self.width, height: self.height, stride }
    }

    /// R, G, B interleaved, row after row.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// Exchanges the pixels with those of `other`.
    pub(crate) fn swap(&mut self, other: &mut Self) {
        std::mem::swap(self, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_checked() {
        let data = [7_u8; 17];
        assert!(RgbView::new(&data, 2, 2, 9).is_ok(), "the last row may lack its padding");
        assert!(RgbView::new(&data, 2, 2, 12).is_err());
        assert!(RgbView::new(&data, 2, 2, 5).is_err());
        assert!(RgbView::new(&data, 0, 2, 6).is_err());
        assert!(RgbView::new(&data, 2, 0, 6).is_err());
        assert!(RgbView::new(&data, u32::MAX, u32::MAX, usize::MAX).is_err());
    }

    #[test]
    fn a_crop_shows_the_same_pixels() {
        let data: Vec<u8> = (0..4 * 3 * 3).map(|v| v as u8).collect();
        let view = RgbView::new(&data, 4, 3, 12).unwrap();
        let crop = view.crop(1, 1, 2, 2).unwrap();
        assert_eq!(crop.pixel(1, 1), view.pixel(2, 2));
        assert!(view.crop(3, 0, 2, 1).is_none());
        assert!(view.crop(u32::MAX, 0, 2, 1).is_none());
        assert!(view.crop(0, 0, 0, 1).is_none());
    }
}
